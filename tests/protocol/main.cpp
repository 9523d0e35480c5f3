// protocol-check: reads what a plugin prints and tells of every line that an agent would take otherwise than it is meant.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include "protocol.h"

int main(int argc, char** argv) try {
    CLI::App app(
        "Reads the output of a Netdata plugin and prints a line for each violation of the plugins.d protocol:\n"
        "    ebpf.plugin 1 | protocol-check\n"
        "Ends with the output; the status is 0 if there is no violation, 1 if there is one.",
        "protocol-check");
    std::string version = "1.37";
    bool cut = false;
    app.add_option("--agent", version, "The agent's version, which decides what keywords it knows (1.37)")
        ->option_text("VERSION");
    app.add_flag("--cut", cut, "The output may stop anywhere, since the plugin was killed");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) ? 2 : 0;
    }
    std::optional<AgentVersion> agent = parse_agent_version(version);
    if (!agent) {
        std::cerr << "protocol-check: `" << version << "` is no version of an agent, as 1.37 or v2.10.0 are\n";
        return 2;
    }

    Protocol protocol(*agent);
    size_t told = 0;
    auto tell = [&] {
        for (; told < protocol.violations().size(); told++)
            std::cout << protocol.violations()[told].line << ": " << protocol.violations()[told].what << std::endl;
    };
    std::ios::sync_with_stdio(false);
    bool whole = true;
    for (std::string line; std::getline(std::cin, line); tell())
        if (!std::cin.eof())
            protocol.line(line);
        else
            whole = cut;  // the last line has no end
    protocol.end(cut);
    tell();
    if (!whole) std::cout << protocol.lines() + 1 << ": the last line has no end" << std::endl;
    std::cerr << "protocol-check: " << protocol.lines() << " lines, " << protocol.charts() << " charts, "
              << protocol.updates() << " updates, " << told + !whole << " violations\n";
    return told || !whole ? 1 : 0;
} catch (const std::exception& e) {
    std::cerr << "protocol-check: " << e.what() << "\n";
    return 2;
}
