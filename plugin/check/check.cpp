#include "check/check.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <bit>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include "base/error.h"
#include "base/signals.h"
#include "bpf/slots.h"
#include "net/connections.h"

namespace {

// What a system call's outcome means for our counters. Written from the documentation of the system calls, not from the
// table of the hooks; what is not listed for an operation must not move.
enum Outcome { Calls, Failed, Bytes, None, Any };  // Any: moves, but by how much is not said
enum Seen {
    Everywhere,
    InFunctions,  // that are hooked
    InSyscalls,   // by the fallback at their end
    InRing,       // by anything but the end of system calls
    InSplice      // where splice(2) from a TCP socket is hooked: no event tells of it
};

struct Expectation {
    const char* operation;
    int counter;
    Outcome outcome;
    Seen seen = Everywhere;
};

#define COUNTER(group, name) (+group##_base + +group##_##name)
#define OPEN_COUNTERS(op) \
    {op, COUNTER(file, open_calls), Calls}, { op, COUNTER(vfs, open_calls), Calls, InFunctions }
#define READ_COUNTERS(op) \
    {op, COUNTER(vfs, read_calls), Calls}, { op, COUNTER(vfs, read_bytes), Bytes }
#define WRITE_COUNTERS(op) \
    {op, COUNTER(vfs, write_calls), Calls}, { op, COUNTER(vfs, write_bytes), Bytes }
#define FAILED_READ(op, seen) \
    {op, COUNTER(vfs, read_calls), Calls, seen}, { op, COUNTER(vfs, read_errors), Failed, seen }
#define FAILED_WRITE(op, seen) \
    {op, COUNTER(vfs, write_calls), Calls, seen}, { op, COUNTER(vfs, write_errors), Failed, seen }
#define FAILED_OPEN(op) \
    {op, COUNTER(file, open_calls), Calls}, { op, COUNTER(file, open_errors), Failed }
#define MOVED(op, hook) \
    {op, COUNTER(socket, hook##_calls), Calls}, { op, COUNTER(socket, hook##_bytes), Bytes }
#define MOVED_NOTHING(op, hook) \
    {op, COUNTER(socket, hook##_calls), Calls}, { op, COUNTER(socket, hook##_errors), Failed }
#define PROCESS_LIVES(op)                                                                              \
    {op, COUNTER(process, start_processes), Calls}, {op, COUNTER(process, exit_tasks), Calls},         \
        {op, COUNTER(process, exit_processes), Calls}, {op, COUNTER(process, release_calls), Calls}, { \
        op, COUNTER(process, freed_calls), Calls                                                       \
    }

const Expectation expectations[] = {
    OPEN_COUNTERS("open"),
    OPEN_COUNTERS("openat"),
    OPEN_COUNTERS("openat2"),
    OPEN_COUNTERS("creat"),
    OPEN_COUNTERS("openat_create_existing"),
    OPEN_COUNTERS("openat_create"),
    {"openat_create", COUNTER(vfs, create_calls), Calls, InFunctions},
    FAILED_OPEN("openat_fail"),
    FAILED_OPEN("openat_create_fail"),
    FAILED_OPEN("open_fifo_fail"),
    {"open_fifo_fail", COUNTER(vfs, open_calls), Calls, InFunctions},
    {"open_fifo_fail", COUNTER(vfs, open_errors), Failed, InFunctions},
    {"mknod_file", COUNTER(vfs, create_calls), Calls, InFunctions},
    {"mknod_file_fail", COUNTER(vfs, create_calls), Calls, InFunctions},
    {"mknod_file_fail", COUNTER(vfs, create_errors), Failed, InFunctions},
    {"close", COUNTER(file, close_calls), Calls},
    {"close_fail", COUNTER(file, close_calls), Calls},
    {"close_fail", COUNTER(file, close_errors), Failed},
    READ_COUNTERS("read"),
    READ_COUNTERS("pread64"),
    READ_COUNTERS("readv"),
    READ_COUNTERS("preadv"),
    READ_COUNTERS("preadv2"),
    READ_COUNTERS("read_pipe"),
    FAILED_READ("read_fail", Everywhere),
    FAILED_READ("readv_fail", Everywhere),
    FAILED_READ("read_pipe_again", Everywhere),
    FAILED_READ("read_badfd", InSyscalls),
    WRITE_COUNTERS("write"),
    WRITE_COUNTERS("pwrite64"),
    WRITE_COUNTERS("writev"),
    WRITE_COUNTERS("pwritev"),
    WRITE_COUNTERS("pwritev2"),
    WRITE_COUNTERS("write_pipe"),
    FAILED_WRITE("write_fail", Everywhere),
    FAILED_WRITE("writev_fail", Everywhere),
    FAILED_WRITE("write_badfd", InSyscalls),
    {"unlink", COUNTER(vfs, unlink_calls), Calls},
    {"unlinkat", COUNTER(vfs, unlink_calls), Calls},
    {"unlink_fail", COUNTER(vfs, unlink_calls), Calls},
    {"unlink_fail", COUNTER(vfs, unlink_errors), Failed},
    {"unlink_missing", COUNTER(vfs, unlink_calls), Calls, InSyscalls},
    {"unlink_missing", COUNTER(vfs, unlink_errors), Failed, InSyscalls},
    {"fsync", COUNTER(vfs, fsync_calls), Calls},
    {"fdatasync", COUNTER(vfs, fsync_calls), Calls},
    {"fsync_fail", COUNTER(vfs, fsync_calls), Calls},
    {"fsync_fail", COUNTER(vfs, fsync_errors), Failed},
    PROCESS_LIVES("fork"),
    PROCESS_LIVES("vfork"),
    PROCESS_LIVES("clone_process"),
    PROCESS_LIVES("clone3_process"),
    PROCESS_LIVES("exit_open_files"),
    READ_COUNTERS("churn"),
    {"churn", COUNTER(process, start_processes), Any},
    {"churn", COUNTER(process, start_threads), Any},
    {"churn", COUNTER(process, exit_tasks), Any},
    {"churn", COUNTER(process, exit_processes), Any},
    {"churn", COUNTER(process, release_calls), Any},
    {"churn", COUNTER(process, freed_calls), Any},
    {"thread", COUNTER(process, start_threads), Calls},
    {"thread", COUNTER(process, exit_tasks), Calls},
    {"thread", COUNTER(process, release_calls), Calls},
    {"thread", COUNTER(process, freed_calls), Calls},
    {"clone_process_fail", COUNTER(process, clone_process_errors), Failed},
    {"clone3_process_fail", COUNTER(process, clone_process_errors), Failed},
    {"clone_thread_fail", COUNTER(process, clone_thread_errors), Failed},
    {"clone3_thread_fail", COUNTER(process, clone_thread_errors), Failed},
    MOVED("tcp_sendto", tcp_send),
    MOVED("tcp_sendmsg", tcp_send),
    MOVED("tcp_sendmmsg", tcp_send),
    MOVED("tcp_write", tcp_send),
    WRITE_COUNTERS("tcp_write"),
    {"tcp_sendfile", COUNTER(socket, tcp_send_calls), Any},  // until 6.5 one a page
    {"tcp_sendfile", COUNTER(socket, tcp_send_bytes), Bytes},
    {"tcp_uring_send", COUNTER(socket, tcp_send_calls), Calls, InRing},
    {"tcp_uring_send", COUNTER(socket, tcp_send_bytes), Bytes, InRing},
    MOVED_NOTHING("tcp_send_fail", tcp_send),
    MOVED("tcp_recvfrom", tcp_receive),
    {"tcp_recv_peek", COUNTER(socket, tcp_receive_calls), Calls},
    MOVED("tcp_recvmsg", tcp_receive),
    MOVED("tcp_read", tcp_receive),
    READ_COUNTERS("tcp_read"),
    {"tcp_splice", COUNTER(socket, tcp_receive_calls), Calls, InSplice},
    {"tcp_splice", COUNTER(socket, tcp_receive_bytes), Bytes, InSplice},
    MOVED_NOTHING("tcp_recv_again", tcp_receive),
    {"tcp_connect", COUNTER(socket, connects_v4), Calls},
    {"tcp_connect", COUNTER(socket, accepts_tcp), Calls},
    {"tcp_connect_v6", COUNTER(socket, connects_v6), Calls},
    {"tcp_connect_v6", COUNTER(socket, accepts_tcp), Calls},
    {"tcp_connect_mapped", COUNTER(socket, connects_v4), Calls},
    {"tcp_connect_mapped", COUNTER(socket, accepts_tcp), Calls},
    {"tcp_connect_fail", COUNTER(socket, connects_v4), Calls},
    {"tcp_close", COUNTER(socket, tcp_close_calls), Calls, InFunctions},
    {"tcp_close", COUNTER(file, close_calls), Calls},
    {"tcp_retransmit", COUNTER(socket, tcp_send_calls), Any},
    {"tcp_retransmit", COUNTER(socket, tcp_send_bytes), Any},
    {"tcp_retransmit", COUNTER(socket, tcp_close_calls), Any},
    {"tcp_retransmit", COUNTER(file, close_calls), Any},
    {"tcp_retransmit", COUNTER(socket, retransmit_calls), Calls},
    MOVED("udp_send", udp_send),
    MOVED("udp_write", udp_send),
    WRITE_COUNTERS("udp_write"),
    MOVED("udp_sendto", udp_send),
    MOVED("udp_sendto_v6", udp_send),
    MOVED("udp_sendto_mapped", udp_send),
    MOVED("udp_sendmsg", udp_send),
    MOVED_NOTHING("udp_send_fail", udp_send),
    MOVED("udp_recvfrom", udp_receive),
    {"udp_recvfrom", COUNTER(socket, accepts_udp), Any},
    MOVED("udp_recvfrom_v6", udp_receive),
    {"udp_recvfrom_v6", COUNTER(socket, accepts_udp), Any},
    {"udp_recv_peek", COUNTER(socket, udp_receive_calls), Calls},
    MOVED("udp_read", udp_receive),
    {"udp_read", COUNTER(socket, accepts_udp), Any},
    READ_COUNTERS("udp_read"),
    MOVED_NOTHING("udp_recv_again", udp_receive),
    MOVED("udp_service", udp_receive),
    {"udp_service", COUNTER(socket, accepts_udp), Calls},
    {"raw_sendto", COUNTER(socket, udp_send_calls), None},
    {"unix_sendto", COUNTER(socket, tcp_send_calls), None},
};

struct Made {
    uint64_t calls = 0, failed = 0, bytes = 0;
    uint64_t of(Outcome outcome) const {
        return outcome == Calls ? calls : outcome == Failed ? failed : outcome == Bytes ? bytes : 0;
    }
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

class Workload {
public:
    Workload(Programs& programs, const CounterSet& counting)
        : programs_(programs),
          slots_(programs.memory()),
          connections_(programs.connections()),
          programs_found_(find_workloads()),
          folder_(make_folder()),
          waits_for_freed_(counting[freed]) {
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
                               else if (counter == exit)
                                   others_exits_ += n;
                           }});
        connections_.listen({.before_us = {}, .moved = [this](uint32_t, const connection& c, const Traffic& moved) {
                                 if (c.net_namespace == network_)
                                     counted_[retransmits] += moved.retransmits;
                                 else
                                     others_connected_ |= c.protocol == IPPROTO_TCP;
                             }});
    }
    ~Workload() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    Workload(const Workload&) = delete;
    Workload& operator=(const Workload&) = delete;

    const std::vector<std::string>& found() const { return programs_found_; }

    // Nobody but the workload did what counts for nobody in particular: ended, connected.
    bool was_alone() const { return others_exits_ == 0 && !others_connected_; }

    std::vector<std::string> operations(const std::string& program) {
        std::istringstream list(output_of({program, "--list"}));
        std::vector<std::string> all;
        for (std::string name; list >> name;) all.push_back(name);
        return all;
    }

    // False if the kernel has no such system call. Then `counted` holds what moved while the operation was being made,
    // by the workload and by nobody in particular.
    bool run(const std::string& program, const std::string& operation, long count, Made& made, Counters& counted) {
        if (has_held_signal()) throw Error("interrupted: not everything has been tested");
        // The threads and children of the workload are known by its name, which it gets from the link it is started by:
        // that holds in a pid namespace too, where we and the kernel count by different ids.
        others_exits_ = 0;
        std::string link = folder_ + "/" + name_, files = folder_ + "/files";
        std::filesystem::create_directory(files);
        std::filesystem::remove(link);
        std::filesystem::create_symlink(program, link);
        int out[2];
        check(pipe2(out, O_CLOEXEC), "make a pipe");
        std::string number = std::to_string(count);
        pid_t pid = check(fork(), "start the workload");
        if (!pid) {
            dup2(out[1], STDOUT_FILENO);
            execl(link.c_str(), link.c_str(), operation.c_str(), number.c_str(), files.c_str(), nullptr);
            _exit(127);
        }
        close(out[1]);
        int status = wait_for(pid);
        if (WIFSTOPPED(status)) {
            fold();
            struct stat network;
            network_ = stat(fmt::format("/proc/{}/ns/net", pid).c_str(), &network) ? 0 : network.st_ino;
            if (stat("/proc/self/ns/net", &network) == 0 && network_ == network.st_ino) network_ = 0;
            others_connected_ = false;
            counted_ = {};
            kill(pid, SIGCONT);
            status = wait_for(pid);
            settle();
            counted = counted_;
            if (WIFSTOPPED(status)) {
                kill(pid, SIGCONT);
                status = wait_for(pid);
            }
        }
        char text[256] = {};
        ssize_t n = read(out[0], text, sizeof text - 1);
        close(out[0]);
        std::filesystem::remove_all(files);
        if (n > 0 && strncmp(text, "unavailable", 11) == 0) return false;
        if (n <= 0 || sscanf(text, "made %lu %lu %lu", &made.calls, &made.failed, &made.bytes) != 3)
            throw Error(fmt::format("run `ebpf-workload {} {}`: it ended with status {:#x}", operation, count, status));
        return true;
    }

private:
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

    // All has happened by the second stop but the freeing of the tasks, which follows by a grace period.
    void settle() {
        fold();
        for (int rounds = 0; waits_for_freed_ && counted_[freed] < counted_[exit] && rounds < 500; rounds++) {
            usleep(10'000);
            slots_.fold(true);
        }
    }

    static std::string output_of(const std::vector<std::string>& command) {
        std::string line;
        for (const std::string& word : command) line += "'" + word + "' ";
        std::unique_ptr<FILE, int (*)(FILE*)> out(check(popen(line.c_str(), "r"), "run {}", command[0]), pclose);
        std::string text;
        char buffer[4096];
        for (size_t n; (n = fread(buffer, 1, sizeof buffer, out.get())) > 0;) text.append(buffer, n);
        return text;
    }

    Programs& programs_;
    Slots slots_;
    Connections connections_;
    const std::vector<std::string> programs_found_;
    const std::string folder_;
    const bool waits_for_freed_;
    const std::string name_ = fmt::format("check-{}", getpid());
    Counters counted_{};
    uint64_t others_exits_ = 0;
    ino_t network_ = 0;  // of the workload, if it has one of its own
    bool others_connected_ = false;
    static constexpr int exit = COUNTER(process, exit_tasks), freed = COUNTER(process, freed_calls),
                         retransmits = COUNTER(socket, retransmit_calls);
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
        missed += memory.shared->lost_results[a.hook] + unsure[static_cast<size_t>(a.hook)];
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

constexpr long count = 200;
constexpr uint64_t few = 10;
constexpr uint64_t bytes_a_call = 100;

bool sees(const Plan& plan, Seen seen) {
    if (seen == Everywhere) return true;
    bool functions = false, splice = false, calls = false;
    for (const Attachment& a : plan.attachments) {
        functions |= a.way != Way::Syscalls && a.way != Way::Tracepoint;
        splice |= a.hook == socket_hook_base + int{socket_tcp_splice};
        calls |= a.hook == socket_hook_base + int{socket_tcp_send} && a.way == Way::Syscalls;
    }
    return seen == InSplice ? splice : seen == InRing ? !calls : functions == (seen == InFunctions);
}

}  // namespace

bool check_counters(const Config& config, Programs& programs) {
    struct Line {
        uint64_t made = 0, counted = 0;
        std::string wrong_in;
    };
    CounterSet counting = programs.plan().counted(config);
    Workload workload(programs, counting);
    bool all_right = true;
    fmt::print(
        "Work is made of which it is known how many calls and bytes it is, and compared with what is counted. "
        "`missed`\n"
        "are calls of which the kernel itself says that it did not show them.\n\n");
    std::array<Line, COUNTERS> lines;
    Programs::Statistics before = programs.statistics();

    for (const std::string& program : workload.found())
        for (const std::string& operation : workload.operations(program)) {
            std::array<const Expectation*, COUNTERS> expected{};
            bool any = false;
            for (const Expectation& e : expectations)
                if (operation == e.operation) {
                    any = true;
                    if (sees(programs.plan(), e.seen)) expected[static_cast<size_t>(e.counter)] = &e;
                }
            if (!any) continue;
            Made made;
            Counters counted;
            // Where a tracepoint tells of freed tasks the kernel passes over a few now and then, whoever listens.
            auto lost_a_few = [&, freed = size_t{COUNTER(process, freed_calls)}] {
                if (!counting[freed] || !expected[freed] || expected[freed]->outcome == Any) return false;
                uint64_t want = made.of(expected[freed]->outcome);
                return counted[freed] < want && counted[freed] + few >= want;
            };
            bool ran = workload.run(program, operation, count, made, counted);
            for (int again = 0; ran && lost_a_few() && again < 6; again++)
                ran = workload.run(program, operation, count, made, counted);
            if (!ran) {
                fmt::print("{:<34} not on this kernel\n", operation);
                continue;
            }
            uint64_t missed_so_far = 0;
            auto how = how_counted(programs, before);
            for (size_t c = 0; c < COUNTERS; c++) {
                if (!counting[c] || (expected[c] && expected[c]->outcome == Any)) continue;
                uint64_t want = expected[c] ? made.of(expected[c]->outcome) : 0;
                // These are counted for nobody in particular: others' may be among them; and the freeing of a task comes
                // later by a grace period, so that a few of the last operation's may be too.
                bool anybodys = c == COUNTER(process, release_calls) || c == COUNTER(process, freed_calls) ||
                                c == COUNTER(socket, accepts_tcp) || c == COUNTER(socket, retransmit_calls);
                uint64_t most = !anybodys ? want : workload.was_alone() ? want + few : UINT64_MAX;
                Line& line = lines[c];
                line.made += want;
                line.counted += counted[c];
                missed_so_far =
                    how[static_cast<int>(c)].missed * (expected[c] && expected[c]->outcome == Bytes ? bytes_a_call : 1);
                if (counted[c] > most || counted[c] + missed_so_far < want)
                    line.wrong_in +=
                        fmt::format("\n    {}: {} made {}, counted {}", operation,
                                    program.ends_with("32") ? "a 32-bit program" : "the program", want, counted[c]);
            }
        }

    auto how = how_counted(programs, before);
    fmt::print("{:<34} {:>9} {:>9} {:>7}  {:<6} {}\n", "counter", "made", "counted", "missed", "", "by");
    for (size_t c = 0; c < COUNTERS; c++) {
        if (!counting[c]) continue;
        const Line& line = lines[c];
        const HowCounted& h = how[static_cast<int>(c)];
        bool right = line.wrong_in.empty() && line.made;
        all_right &= right;
        fmt::print("{:<34} {:>9} {:>9} {:>7}  {:<6} {}{}\n", counter_name(static_cast<int>(c)), line.made, line.counted,
                   h.missed,
                   !line.made ? "UNTRIED"
                   : right    ? "ok"
                              : "WRONG",
                   h.ways, line.wrong_in);
    }
    for (const Missing& m : programs.plan().missing)
        fmt::print("{:<34} not counted: {}\n", hook_ref(m.hook).name(), m.why);
    fmt::print("{}\n", all_right ? "All counters are exact." : "Some counters are WRONG.");
    return all_right;
}

bool print_what_counts(const Config& config, Programs& programs) {
    CounterSet counting = programs.plan().counted(config);
    Workload workload(programs, counting);
    for (const std::string& program : workload.found())
        for (const std::string& operation : workload.operations(program)) {
            Made made;
            Counters counted;
            if (!workload.run(program, operation, count, made, counted)) continue;
            fmt::print("{}\t{}", program.ends_with("32") ? 32 : 64, operation);
            for (size_t c = 0; c < COUNTERS; c++)
                if (counting[c] && counted[c])
                    fmt::print("\t{}={:.4g}", counter_name(static_cast<int>(c)),
                               static_cast<double>(counted[c]) / static_cast<double>(made.calls));
            fmt::print("\n");
        }
    return true;
}
