// X4: processes that come and go as fast as the machine can make them: each counts, and for the right application.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>
#include "bench.h"
#include "base/config.h"
#include "bpf/kernel.h"
#include "who/processes.h"

namespace {

constexpr int64_t second = 1'000'000'000;
constexpr int stormers_of_each = 2;
constexpr int lives = 10'000;  // that each makes, one after the other

// The production programs and folds, as the plugin's loop runs them: each second, and when the kernel side asks.
class Plugin {
public:
    Plugin(const Kernel& kernel, const Config& config, AppRules rules)
        : programs_(start_programs(kernel, config)),
          slots_(programs_.memory()),
          processes_(std::move(rules), nullptr, "/proc"),
          next_(now_ns() + second) {
        slots_.listen({.owner =
                           [this](const slot& s) {
                               if (processes_.lacks_command(s)) programs_.consume();
                               return processes_.owner(s);
                           },
                       .counted = [this](Owner who, int counter, uint64_t n) { processes_.counted(who, counter, n); },
                       .freed = [this](Owner who, const slot& s) { processes_.freed(who, s); }});
        programs_.records().on<executed>([this](const executed& record) { processes_.executes(record); });
        fold(false);
    }

    // Until the end of the other side of the pipe, or so many seconds.
    void run(int pipe, int seconds) {
        for (int64_t until = now_ns() + seconds * second; now_ns() < until;) {
            pollfd watched[] = {{programs_.records_fd(), POLLIN, 0}, {pipe, POLLIN, 0}};
            poll(watched, pipe < 0 ? 1 : 2, static_cast<int>(std::max<int64_t>(0, next_ - now_ns()) / 1'000'000 + 1));
            if (watched[0].revents) fold(false), early_++;
            if (now_ns() >= next_) fold(false), next_ = now_ns() + second;
            if (pipe >= 0 && watched[1].revents) return;
        }
    }
    void fold(bool everything) {
        programs_.consume();
        slots_.fold(everything);
        processes_.folded(everything);
    }

    uint64_t counted(const std::string& app, int counter) {
        for (Member& member : processes_.apps())
            if (member.name == app) return member.totals[static_cast<size_t>(counter)];
        return 0;
    }
    uint64_t counted_by_all(int counter) {
        uint64_t n = 0;
        for (Member& member : processes_.apps()) n += member.totals[static_cast<size_t>(counter)];
        return n;
    }
    uint64_t total(int counter) const { return slots_.totals()[static_cast<size_t>(counter)]; }
    uint64_t missed() const {
        uint64_t n = 0;
        for (uint64_t of_hook : programs_.statistics().missed) n += of_hook;
        return n;
    }
    uint64_t overflowed() const { return slots_.overflowed(); }
    int early() const { return early_; }
    bool sees_releases() const {
        return programs_.plan().counted(config())[number(process_base, process_release_calls)];
    }

    static Config config() {
        Config config;
        config.group_on.fill(false);
        config.group_on[process_group] = true;
        config.cgroups = false;
        config.pid_table_size = 4096;
        return config;
    }

private:
    Programs programs_;
    Slots slots_;
    Processes processes_;
    int64_t next_;
    int early_ = 0;
};

// Two ends; whoever holds neither has let go of it.
struct Pipe {
    int ends[2];
    Pipe() { check(pipe2(ends, O_CLOEXEC), "make a pipe"); }
    ~Pipe() { let_go(0), let_go(1); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void let_go(int end) {
        if (ends[end] >= 0) close(std::exchange(ends[end], -1));
    }
};

// A process under that name, which makes its lives once the other end of `begin` is closed.
pid_t stormer(const char* name, Pipe& begin) {
    pid_t pid = check(fork(), "fork");
    if (pid) return pid;
    begin.let_go(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, name);
    char none;
    if (read(begin.ends[0], &none, 1) != 0) _exit(1);
    for (int i = 0; i < lives; i++) {
        pid_t child = vfork();
        if (!child) _exit(0);
        if (child < 0 || waitpid(child, nullptr, 0) != child) _exit(1);
    }
    _exit(0);
}

AppRules rules() {
    AppRules rules;
    std::vector<std::string> complaints;
    std::string file = std::filesystem::temp_directory_path() / fmt::format("ebpf-bench-{}", getpid());
    std::ofstream(file) << "one: storm_one\ntwo: storm_two\nbench: bench\n";
    rules.read(file, complaints);
    std::filesystem::remove(file);
    return rules;
}

void storm(Table& table, const char* isa, const Kernel& kernel) {
    Pipe begin, alive;
    std::vector<pid_t> stormers;
    for (int i = 0; i < stormers_of_each; i++)
        for (const char* name : {"storm_one", "storm_two"}) stormers.push_back(stormer(name, begin));
    alive.let_go(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // they have their names
    Plugin plugin(kernel, Plugin::config(), rules());
    int64_t start = now_ns();
    begin.let_go(1);
    plugin.run(alive.ends[0], 120);
    double seconds = static_cast<double>(now_ns() - start) / 1e9;
    for (pid_t pid : stormers) {
        int status = 0;
        check(waitpid(pid, &status, 0), "wait for a child");
        if (status) throw std::runtime_error("a process could not storm");
    }
    plugin.run(-1, 1);
    plugin.fold(true);

    constexpr uint64_t made = uint64_t{lives} * stormers_of_each;
    table.told("X4",
               fmt::format("{}: a storm of {} processes; {} early folds, {} had no slot", isa, 2 * made, plugin.early(),
                           plugin.overflowed()),
               fmt::format("{:.0f}/s", 2 * made / seconds), "");
    // What finds no slot is told as such, and may then count for `other`; so may what the kernel says that it missed.
    auto exact = [&](const char* what, process_counter which, uint64_t of_each) {
        int counter = int{process_base} + int{which};
        uint64_t one = plugin.counted("one", counter), two = plugin.counted("two", counter);
        table.is("X4", fmt::format("{}: its {}, by application", isa, what), fmt::format("{} + {}", one, two),
                 fmt::format("2 * {}", of_each),
                 one <= of_each && two <= of_each && 2 * of_each <= one + two + plugin.overflowed() + plugin.missed() &&
                     plugin.counted_by_all(counter) == plugin.total(counter));
    };
    exact("starts", process_start_processes, made);
    exact("exits", process_exit_processes, made + stormers_of_each);  // and their own
    // The tracepoint that stands in for it comes when the kernel pleases.
    if (plugin.sees_releases()) exact("releases", process_release_calls, made + stormers_of_each);
}

}  // namespace

void test_storm(Table& table) {
    Kernel kernel = ask_kernel("");
    for (bool compare_exchange : {true, false}) {
        if (compare_exchange && !kernel.compare_exchange) continue;
        kernel.compare_exchange = compare_exchange;
        table.section("X4", [&] { storm(table, compare_exchange ? "v3" : "v2", kernel); });
    }
}
