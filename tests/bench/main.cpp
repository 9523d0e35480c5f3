// The benchmarks and their gates. Exit status: 0 if all that ran pass, 1 if one fails, 77 if none could run.
#include <cstring>
#include "bench.h"

namespace {

constexpr const char* usage =
    "usage: bench [--markdown] [--exact] [E] [T] [P] [X]\n"
    "  E  events   T  ticks   P  the plugin as a process   X  exactness; all, if none is named\n"
    "  --exact     the same as X\n"
    "  --markdown  print a markdown table\n";

constexpr int skip = 77;  // ctest's SKIP_RETURN_CODE

}  // namespace

int main(int argc, char** argv) try {
    if (argc > 1 && !std::strcmp(argv[1], "--events")) return events_after_exec(argc, argv);
    bool markdown = false;
    std::string wanted;
    for (int i = 1; i < argc; i++) {
        std::string_view argument = argv[i];
        if (argument == "--markdown")
            markdown = true;
        else if (argument == "--exact")
            wanted += 'X';
        else if (argument.size() == 1 && std::strchr("ETPX", argument[0]))
            wanted += argument;
        else
            return fmt::print(stderr, "{}", usage), 2;
    }
    if (wanted.empty()) wanted = "ETPX";

    Table table(markdown);
    constexpr std::pair<char, void (*)(Table&)> parts[] = {
        {'E', measure_events}, {'T', measure_ticks}, {'P', measure_plugin}, {'X', test_exactness}, {'X', test_storm}};
    for (auto [letter, measure] : parts)
        if (wanted.find(letter) != std::string::npos) measure(table);
    if (!markdown)
        fmt::print("p10 (p50); ratios of p10. The replica is the usual sequence of operations, see event.bpf.c.\n");
    return table.failed() ? 1 : table.all_skipped() ? skip : 0;
} catch (const std::exception& e) {
    fmt::print(stderr, "bench: {}\n", e.what());
    return 1;
}
