#include "check/check.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include "base/error.h"
#include "base/signals.h"
#include "bpf/slots.h"
#include "check/expectations.h"
#include "net/network.h"

namespace {

constexpr long count = 200;
constexpr uint64_t few = 10;
constexpr uint64_t bytes_a_call = 100;

constexpr size_t number(int counter) { return static_cast<size_t>(counter); }

struct Made {
    uint64_t calls = 0, failed = 0, bytes = 0;
    uint64_t of(Amount amount) const {
        return amount == Amount::Calls    ? calls
               : amount == Amount::Failed ? failed
               : amount == Amount::Bytes  ? bytes
                                          : 0;
    }
};

// What the workload says that it made, and what moved meanwhile, by the workload and by nobody in particular.
struct Result {
    Made made;
    Counters counted;
};

// A folder for the workload's files. Not on a stacked file system such as overlayfs: there each operation is made twice,
// once in each layer, and both are counted.
std::string make_folder() {
    for (const char* parent : {"/dev/shm", "/run", "/tmp", "/var/tmp"}) {
        struct statfs about;
        std::string folder = std::string(parent) + "/ebpf-check.XXXXXX";
        if (statfs(parent, &about) || about.f_type == OVERLAYFS_SUPER_MAGIC || !mkdtemp(folder.data())) continue;
        return folder;
    }
    throw Error(
        "no folder for the files of the test: none of /dev/shm, /run, /tmp and /var/tmp is writable and on no overlay");
}

std::vector<std::string> find_workloads() {
    std::vector<std::string> found;
    for (const char* width : {"", "32"}) {
        std::string path =
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / (std::string("ebpf-workload") + width);
        if (access(path.c_str(), X_OK) == 0) found.push_back(path);
    }
    if (found.empty())
        throw Error(
            "ebpf-workload is not beside ebpf.plugin: it makes what --check counts, and is installed with the plugin");
    return found;
}

std::vector<std::string> operations_of(const std::string& program) {
    std::unique_ptr<FILE, int (*)(FILE*)> list(
        check(popen(fmt::format("'{}' --list", program).c_str(), "r"), "run {}", program), pclose);
    std::vector<std::string> all;
    char name[100];
    while (fscanf(list.get(), "%99s", name) == 1) all.emplace_back(name);
    return all;
}

class Workload {
public:
    Workload(Programs& programs, const CounterSet& counting, const Expectations& expectations)
        : programs_(programs),
          slots_(programs.memory()),
          connections_(programs.connections()),
          programs_found_(find_workloads()),
          folder_(make_folder()),
          counting_(counting),
          expectations_(expectations) {
        listen();
    }
    ~Workload() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    Workload(const Workload&) = delete;
    Workload& operator=(const Workload&) = delete;

    const std::vector<std::string>& found() const { return programs_found_; }

    // Nobody but the workload did what counts for nobody in particular: ended, connected.
    bool was_alone() const { return !others_ended_ && !others_connected_; }

    // Nothing if the kernel has no such system call.
    std::optional<Result> run(const std::string& program, const std::string& operation) {
        if (has_held_signal()) throw Error("interrupted: not everything has been tested");
        Result result{};
        int status = 0;
        std::string report = run_to_its_end(program, operation, result.counted, status);
        Made& made = result.made;
        if (report.starts_with("unavailable")) return {};
        if (sscanf(report.c_str(), "made %lu %lu %lu", &made.calls, &made.failed, &made.bytes) != 3)
            throw Error(fmt::format("run `ebpf-workload {} {}`: it ended with status {:#x}", operation, count, status));
        return result;
    }

private:
    void listen() {
        constexpr uint32_t ours = 1, others = 2;
        slots_.listen({.owner =
                           [this](const slot& who) {
                               bool is_ours = name_ == std::string_view(who.comm, strnlen(who.comm, sizeof who.comm));
                               return Owner{is_ours ? ours : others};
                           },
                       .counted =
                           [this](Owner who, int counter, uint64_t n) {
                               if (who.process != others)
                                   counted_[counter] += n;
                               else
                                   others_ended_ |= counter == expectations_.ends;
                           }});
        connections_.listen({.before_us = {}, .moved = [this](uint32_t, const connection& c, const Traffic& moved) {
                                 if (c.net_namespace == network_)
                                     counted_[Network::retransmits] += moved.retransmits;
                                 else
                                     others_connected_ |= c.protocol == IPPROTO_TCP;
                             }});
    }

    // What it says.
    std::string run_to_its_end(const std::string& program, const std::string& operation, Counters& counted,
                               int& status) {
        std::string files = folder_ + "/files", report(256, '\0');
        std::filesystem::create_directory(files);
        int out[2];
        check(pipe2(out, O_CLOEXEC), "make a pipe");
        others_ended_ = false;
        pid_t pid = start(program, operation, files, out[1]);
        close(out[1]);
        status = wait_for(pid);
        if (WIFSTOPPED(status)) status = watch(pid, counted);
        ssize_t n = read(out[0], report.data(), report.size());
        report.resize(n > 0 ? static_cast<size_t>(n) : 0);
        close(out[0]);
        std::filesystem::remove_all(files);
        return report;
    }

    // The threads and children of the workload are known by its name, which it gets from the link it is started by: that
    // holds in a pid namespace too, where we and the kernel count by different ids.
    pid_t start(const std::string& program, const std::string& operation, const std::string& files, int out) {
        std::string link = folder_ + "/" + name_, number = std::to_string(count);
        std::filesystem::remove(link);
        std::filesystem::create_symlink(program, link);
        pid_t pid = check(fork(), "start the workload");
        if (pid) return pid;
        dup2(out, STDOUT_FILENO);
        execl(link.c_str(), link.c_str(), operation.c_str(), number.c_str(), files.c_str(), nullptr);
        _exit(127);
    }

    // From its first stop to its end; what is counted is what moves between the two stops.
    int watch(pid_t pid, Counters& counted) {
        fold();
        network_ = own_network(pid);
        others_connected_ = false;
        counted_ = {};
        kill(pid, SIGCONT);
        int status = wait_for(pid);
        settle();
        counted = counted_;
        if (!WIFSTOPPED(status)) return status;
        kill(pid, SIGCONT);
        return wait_for(pid);
    }

    // Its network namespace, 0 if that is ours too.
    static ino_t own_network(pid_t pid) {
        struct stat ours, its;
        if (stat(fmt::format("/proc/{}/ns/net", pid).c_str(), &its)) return 0;
        return stat("/proc/self/ns/net", &ours) == 0 && its.st_ino == ours.st_ino ? 0 : its.st_ino;
    }

    int wait_for(pid_t pid) {
        for (int status;;) {
            pid_t changed = check(waitpid(pid, &status, WUNTRACED | WNOHANG), "wait for the workload");
            if (changed) return status;
            usleep(2000);
            if (programs_.memory().shared->asked) {
                programs_.consume();
                fold(false);
            }
        }
    }

    void fold(bool everything = true) {
        slots_.fold(everything);
        connections_.fold(std::chrono::steady_clock::now().time_since_epoch().count(), everything);
    }

    bool is_something_late() const {
        for (size_t c = 0; c < COUNTERS; c++)
            if (expectations_.late[c] && counting_[c] && counted_[c] < counted_[number(expectations_.ends)])
                return true;
        return false;
    }

    // All has happened by the second stop but the freeing of the tasks, which follows by a grace period.
    void settle() {
        fold();
        for (int rounds = 0; is_something_late() && rounds < 500; rounds++) {
            usleep(10'000);
            slots_.fold(true);
        }
    }

    Programs& programs_;
    Slots slots_;
    Connections connections_;
    const std::vector<std::string> programs_found_;
    const std::string folder_;
    const CounterSet& counting_;
    const Expectations& expectations_;
    const std::string name_ = fmt::format("check-{}", getpid());
    Counters counted_{};
    ino_t network_ = 0;  // of the workload, if it has one of its own
    bool others_ended_ = false, others_connected_ = false;
};

struct HowCounted {
    std::string ways;
    uint64_t missed = 0;  // calls that the kernel says our programs did not see
};

std::map<int, HowCounted> how_counted(const Programs& programs, const Programs::Statistics& before) {
    Programs::Statistics now = programs.statistics();
    std::array<uint64_t, HOOKS> unsure{};  // a return that was lost, but for the thread's next call, which will tell
    SlotMemory memory = programs.memory();
    for (size_t i = 0; i < memory.table.count; i++)
        for (size_t hook = 0; hook < HOOKS; hook++) {
            const slot& s = memory.table.rows[i];
            unsure[hook] += !(s.tag & ROW_RETIRED) && s.again[hook / 64] >> hook % 64 & 1;
        }
    std::map<int, HowCounted> how;
    for (const Attachment& a : programs.plan().attachments) {
        HookRef ref = hook_ref(a.hook);
        uint64_t missed = now.missed[static_cast<size_t>(a.hook)] - before.missed[static_cast<size_t>(a.hook)];
        missed += memory.shared->lost_results[a.programs_hook()] + unsure[static_cast<size_t>(a.programs_hook())];
        for (int i = 0; i < ref.hook.kind.calls + ref.hook.kind.errors + ref.hook.kind.bytes; i++) {
            HowCounted& h = how[ref.first_counter() + i];
            std::string way = fmt::format("{} {}", name_of(a.way), a.target);
            if (h.ways.find(way) != std::string::npos) continue;  // many system calls share one program
            h.ways += (h.ways.empty() ? "" : ", ") + way;
            h.missed += missed;
        }
    }
    return how;
}

bool is_32_bit(const std::string& program) { return program.ends_with("32"); }

// Compares what is made and what is counted, operation by operation.
class SelfTest {
public:
    SelfTest(const Config& config, Programs& programs)
        : programs_(programs),
          counting_(programs.plan().counted(config)),
          by_syscalls_(programs.plan().counted_by(Way::Syscalls, config)),
          expectations_(read_expectations(expected_table())),
          workload_(programs, counting_, expectations_),
          before_(programs.statistics()) {}

    void run() {
        for (const std::string& program : workload_.found())
            for (const std::string& operation : operations_of(program)) {
                if (!is_expected(operation)) continue;
                Expected expected = expected_of(operation);
                if (std::optional<Result> result = run(program, operation, expected))
                    judge(*result, expected, operation, is_32_bit(program));
                else
                    fmt::print("{:<34} not on this kernel\n", operation);
            }
    }

    // True if every counter is exact.
    bool print() const {
        auto how = how_counted(programs_, before_);
        Verdict verdict = Verdict::Ok;
        fmt::print("{:<34} {:>9} {:>9} {:>7}  {:<6} {}\n", "counter", "made", "counted", "missed", "", "by");
        for (int c = 0; c < COUNTERS; c++)
            if (counting_[number(c)]) verdict = std::max(verdict, print_counter(c, how[c]));
        for (const Missing& m : programs_.plan().missing)
            fmt::print("{:<34} not counted: {}\n", hook_ref(m.hook).name(), m.why);
        print_without_row();
        fmt::print("{}\n", verdict == Verdict::Ok      ? "All counters are exact."
                           : verdict == Verdict::NoRow ? "All counters that were tried are exact."
                                                       : "Some counters are WRONG.");
        return verdict == Verdict::Ok;
    }

private:
    using Expected = std::array<const Expectation*, COUNTERS>;  // nothing where a counter must not move
    enum class Verdict { Ok, NoRow, Wrong };
    struct Line {
        uint64_t made = 0, counted = 0;
        std::string wrong_in;
    };

    bool is_expected(const std::string& operation) const {
        return std::any_of(expectations_.rows.begin(), expectations_.rows.end(),
                           [&](const Expectation& e) { return e.operation == operation; });
    }

    Expected expected_of(const std::string& operation) const {
        Expected expected{};
        for (const Expectation& e : expectations_.rows)
            if (e.operation == operation && holds(e)) expected[number(e.counter)] = &e;
        return expected;
    }

    bool holds(const Expectation& e) const {
        const std::vector<Attachment>& all = programs_.plan().attachments;
        if (e.by_syscalls && *e.by_syscalls != by_syscalls_[number(e.counter)]) return false;
        return e.hook < 0 || std::any_of(all.begin(), all.end(), [&](const Attachment& a) { return a.hook == e.hook; });
    }

    // Again, a few times, where the kernel left a few out.
    std::optional<Result> run(const std::string& program, const std::string& operation, const Expected& expected) {
        std::optional<Result> result = workload_.run(program, operation);
        for (int again = 0; result && lost_a_few(*result, expected) && again < 6; again++)
            result = workload_.run(program, operation);
        return result;
    }

    bool lost_a_few(const Result& result, const Expected& expected) const {
        for (size_t c = 0; c < COUNTERS; c++) {
            if (!expectations_.lossy[c] || !counting_[c] || !expected[c]) continue;
            uint64_t want = result.made.of(expected[c]->amount);
            if (result.counted[c] < want && result.counted[c] + few >= want) return true;
        }
        return false;
    }

    void judge(const Result& result, const Expected& expected, const std::string& operation, bool is_32_bit) {
        auto how = how_counted(programs_, before_);
        for (int c = 0; c < COUNTERS; c++) {
            const Expectation* e = expected[number(c)];
            if (!counting_[number(c)] || !expectations_.can_try(c) || (e && e->amount == Amount::Any)) continue;
            uint64_t want = e ? result.made.of(e->amount) : 0, counted = result.counted[number(c)];
            uint64_t missed = how[c].missed * (e && e->amount == Amount::Bytes ? bytes_a_call : 1);
            Line& line = lines_[number(c)];
            line.made += want;
            line.counted += counted;
            if (counted > most(c, want) || counted + missed < want)
                line.wrong_in += fmt::format("\n    {}: {} made {}, counted {}", operation,
                                             is_32_bit ? "a 32-bit program" : "the program", want, counted);
        }
    }

    // A few of the operation before may be among them too: a task is freed a grace period after its end.
    uint64_t most(int counter, uint64_t want) const {
        if (!expectations_.others[number(counter)]) return want;
        return workload_.was_alone() ? want + few : UINT64_MAX;
    }

    Verdict print_counter(int counter, const HowCounted& how) const {
        const Line& line = lines_[number(counter)];
        Verdict verdict = !expectations_.can_try(counter)          ? Verdict::NoRow
                          : line.wrong_in.empty() && line.made > 0 ? Verdict::Ok
                                                                   : Verdict::Wrong;
        const char* word = verdict == Verdict::NoRow ? "no row"
                           : !line.made              ? "UNTRIED"
                           : verdict == Verdict::Ok  ? "ok"
                                                     : "WRONG";
        fmt::print("{:<34} {:>9} {:>9} {:>7}  {:<6} {}{}\n", counter_name(counter), line.made, line.counted, how.missed,
                   word, how.ways, line.wrong_in);
        return verdict;
    }

    void print_without_row() const {
        for (int c = 0; c < COUNTERS; c++)
            if (counting_[number(c)] && !expectations_.can_try(c))
                fmt::print(
                    "{0:<34} not tested: plugin/check/expected.tsv wants a row `{0}<TAB>calls, failed or "
                    "bytes<TAB>OPERATION`, with an "
                    "operation of `ebpf-workload --list`\n",
                    counter_name(c));
    }

    Programs& programs_;
    const CounterSet counting_, by_syscalls_;
    const Expectations expectations_;
    Workload workload_;
    const Programs::Statistics before_;
    std::array<Line, COUNTERS> lines_;
};

}  // namespace

bool check_counters(const Config& config, Programs& programs) {
    SelfTest test(config, programs);
    fmt::print(
        "Work is made of which it is known how many calls and bytes it is, and compared with what is counted. "
        "`missed`\n"
        "are calls of which the kernel itself says that it did not show them.\n\n");
    test.run();
    return test.print();
}

bool print_what_counts(const Config& config, Programs& programs) {
    CounterSet counting = programs.plan().counted(config);
    const Expectations expectations = read_expectations(expected_table());
    Workload workload(programs, counting, expectations);
    for (const std::string& program : workload.found())
        for (const std::string& operation : operations_of(program)) {
            std::optional<Result> result = workload.run(program, operation);
            if (!result) continue;
            fmt::print("{}\t{}", is_32_bit(program) ? 32 : 64, operation);
            for (size_t c = 0; c < COUNTERS; c++)
                if (counting[c] && result->counted[c])
                    fmt::print("\t{}={:.4g}", counter_name(static_cast<int>(c)),
                               static_cast<double>(result->counted[c]) / static_cast<double>(result->made.calls));
            fmt::print("\n");
        }
    return true;
}
