#include "loop.h"
#include <fcntl.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>
#include <ctime>
#include <optional>
#include <unordered_map>
#include <utility>
#include "base/error.h"
#include "base/log.h"
#include "base/signals.h"
#include "bpf/slots.h"
#include "guard/privileges.h"
#include "guard/sandbox.h"
#include "net/connection_table.h"
#include "net/network.h"
#include "netdata/charts.h"
#include "netdata/function_table.h"
#include "netdata/self_charts.h"
#include "netdata/share_charts.h"
#include "netdata/writer.h"
#include "watch/watch.h"
#include "who/process_table.h"
#include "who/processes.h"

namespace {

constexpr int64_t second = 1'000'000'000, sweep_interval = 60 * second;
constexpr int64_t least_window = second, track_for = 60 * second;  // of the table of processes

int64_t clock_ns(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * second + t.tv_nsec;
}

bool is_pipe(int fd) {
    struct stat about;
    return fstat(fd, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

class Loop {
public:
    Loop(const Config& config, Programs& programs, const Run& run, AppRules rules)
        : programs_(programs),
          run_(run),
          config_(config),
          slots_(programs.memory()),
          charts_(programs.plan().counted(config), config.chart_names, run.update_every, by_syscalls()),
          meter_(programs, config.timed()),
          self_(programs, meter_, config),
          out_(STDOUT_FILENO) {
        if (config.identities()) tell_apart(std::move(rules));
        if (config.group_on[socket_group])
            network_.emplace(config, programs.connections(), run.update_every, root_,
                             processes_ ? &*processes_ : nullptr,
                             [this](Owner who, int counter, uint64_t n) { slots_.credit(who, counter, n); });
        if (run.watch) {
            if (network_) network_->track();
            watch_.emplace(programs, config);
            has_keys_ = has_screen() && isatty(STDIN_FILENO);
        }
        if (processes_)
            programs_.records().on<executed>([this](const executed& record) { processes_->executes(record); });
        programs_.records().on<moved>([this](const moved& record) { moved_.push_back(record); });
        if (network_) network_->listen(programs_.records());
        poll_ = check(epoll_create1(EPOLL_CLOEXEC), "create the event loop");
        sigset_t set = ending_signals();
        if (watch_) {
            sigaddset(&set, SIGWINCH);
            sigprocmask(SIG_BLOCK, &set, nullptr);
        }
        signals_ = check(signalfd(-1, &set, SFD_CLOEXEC), "watch the signals");
        watch(signals_);
        watch(programs.records_fd());
        if (network_ && network_->names_fd() >= 0) watch(network_->names_fd());
        if (has_keys_ || (!watch_ && is_pipe(STDIN_FILENO))) watch(STDIN_FILENO);
        // A reader that has stopped reading must not keep us from ending.
        if (is_pipe(STDOUT_FILENO)) fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
    }

    ~Loop() {
        for (int fd : {poll_, signals_})
            if (fd >= 0) close(fd);
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    bool has_screen() const { return watch_ && watch_->has_screen(); }

    void run() {
        if (watch_)
            begin_watching();
        else
            begin_printing();
        malloc_trim(0);  // the kernel's type information was in there, and all of /proc
        while (!end_) {
            if (!calls_.empty() && clock_ns(CLOCK_MONOTONIC) >= answer_at_) answer();
            if (network_ && network_->is_looking()) look_at_sockets();
            int64_t until = calls_.empty() ? next_ : std::min(next_, answer_at_);
            int64_t wait = until - clock_ns(CLOCK_MONOTONIC);
            if (wait > 0) {
                epoll_event event;
                int timeout = static_cast<int>(std::min<int64_t>((wait + 999'999) / 1'000'000, INT32_MAX));
                if (network_ && network_->is_looking()) timeout = 0;
                int n = epoll_wait(poll_, &event, 1, timeout);
                if (n < 0 && errno != EINTR) check(n, "wait");
                if (n > 0) happened(event);
            } else if (until != next_) {
                continue;
            } else if (!out_.empty()) {
                plan_next();  // the last update has not been read yet: this one is left out
            } else
                tick();
        }
    }

private:
    void begin_printing() {
        charts_.define(out_);
        if (run_.agent.functions() && processes_)
            out_ << run_.agent.function_line("ebpf-processes", process_table_help);
        if (run_.agent.functions() && network_)
            out_ << run_.agent.function_line("ebpf-connections", connection_table_help);
        if (run_.agent.self_charts()) SelfCharts::define(out_, config_, run_.update_every);
        write();
        plan_next();
    }

    void begin_watching() {
        fold(false);
        next_ = last_ = clock_ns(CLOCK_MONOTONIC);
        show(slots_.totals(), 0);
        plan_next();
    }

    // For whom each process counts.
    void tell_apart(AppRules rules) {
        std::string proc = root_ + "/proc";
        if (!in_first_pid_namespace() && root_.empty()) {
            log(Severity::Warning,
                "this is a pid namespace, whose /proc has not the kernel's ids: processes that run already count for "
                "the application of the name alone that their threads have; NETDATA_HOST_PREFIX names the host's root");
            proc = "";
        }
        if (config_.cgroups) {
            cgroups_.emplace(root_, proc, config_.cgroups_matching);
            if (proc.empty() && !cgroups_->by_ids())
                log(Severity::Warning,
                    "containers and services are not told apart: the old control groups are known by process, and this "
                    "/proc is a pid namespace's; NETDATA_HOST_PREFIX names the host's root");
        }
        processes_.emplace(std::move(rules), cgroups_ ? &*cgroups_ : nullptr, proc);
        slots_.listen({.owner =
                           [this](const slot& s) {
                               if (processes_->lacks_command(s)) programs_.consume();
                               return processes_->owner(s);
                           },
                       .counted = [this](Owner who, int counter, uint64_t n) { processes_->counted(who, counter, n); },
                       .freed = [this](Owner who, const slot& s) { processes_->freed(who, s); }});
        CounterSet counted = programs_.plan().counted(config_);
        auto show = [&](Audience audience, std::deque<Member>& members) {
            shares_.emplace_back(audience, counted, config_, run_.update_every, run_.agent.labels(), by_syscalls(),
                                 members);
        };
        if (config_.apps) show(Audience::Apps, processes_->apps());
        if (cgroups_) {
            show(Audience::Containers, cgroups_->members());
            show(Audience::Services, cgroups_->members());
        }
    }

    // Those that say so in a label.
    CounterSet by_syscalls() const {
        return run_.agent.labels() ? programs_.plan().counted_by(Way::Syscalls, config_) : CounterSet{};
    }

    void watch(int fd, uint32_t events = EPOLLIN) {
        epoll_event event{.events = events, .data = {.fd = fd}};
        check(epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event), "watch a file");
    }

    // The next multiple of the interval on the wall clock; we wait by the other one. If the first has been set since the
    // last, they may be too close.
    void plan_next() {
        int64_t interval = run_.update_every * second;
        int64_t next = clock_ns(CLOCK_MONOTONIC) + interval - clock_ns(CLOCK_REALTIME) % interval;
        next_ = next + (next - next_ < interval / 2 ? interval : 0);
    }

    void happened(const epoll_event& event) {
        if (event.data.fd == signals_)
            take_signal();
        else if (event.data.fd == STDIN_FILENO && has_keys_)
            end_ |= event.events & (EPOLLHUP | EPOLLERR) || watch_->is_told_to_end();
        else if (event.data.fd == STDIN_FILENO)
            read_command();
        else if (event.data.fd == STDOUT_FILENO)
            write();
        else if (network_ && event.data.fd == network_->names_fd())
            network_->hear_names();
        else
            fold(false);
    }

    void take_signal() {
        signalfd_siginfo signal;
        if (read(signals_, &signal, sizeof signal) != sizeof signal) return;
        if (signal.ssi_signo == SIGWINCH)
            watch_->resize();
        else if (signal.ssi_signo != SIGHUP || has_screen())  // whose terminal is gone
            end_ = true;
        else if (processes_) {
            fold(false);  // by the old rules
            if (!config_.apps) return;
            AppRules rules = load_app_rules(user_config_folders(), stock_config_folders());
            if (!rules.source().empty())
                log(Severity::Info, "the groups of applications have been read again: {}", rules.source());
            processes_->regroup(std::move(rules));
        }
    }

    void fold(bool everything) {
        programs_.consume();
        slots_.fold(everything);
        if (network_) network_->fold(clock_ns(CLOCK_MONOTONIC), everything);
        std::unordered_map<uint32_t, uint32_t> now_in;
        for (const moved& record : std::exchange(moved_, {}))
            now_in[record.head.tgid] = processes_->moved(record.head.tgid, record.head.cgroup);
        slots_.move(now_in);
        if (processes_) processes_->folded(everything);
    }

    // The agent speaks to us in lines; the last, QUIT, may come without its end.
    void read_command() {
        char text[4096];
        ssize_t n = read(STDIN_FILENO, text, sizeof text);
        if (n <= 0) {
            end_ = n == 0 || (errno != EAGAIN && errno != EINTR);
            return;
        }
        command_.append(text, static_cast<size_t>(n));
        for (size_t newline; (newline = command_.find('\n')) != std::string::npos; command_.erase(0, newline + 1))
            obey(command_.substr(0, newline));
        if (command_ == "QUIT" && !in_payload_) end_ = true;
        if (command_.size() > sizeof text) command_.resize(5);  // of no use to us, and never QUIT again
    }

    void obey(std::string line) {
        if (line.ends_with('\r')) line.pop_back();
        if (in_payload_) {  // what a caller sends along is no command
            in_payload_ = line != "FUNCTION_PAYLOAD_END";
            return;
        }
        in_payload_ = line.starts_with("FUNCTION_PAYLOAD ");
        if (line == "QUIT") end_ = true;
        auto call = parse_function_call(line);
        if (!call) return;
        auto& [transaction, name, info] = *call;
        if (name == "ebpf-connections" && network_) {
            if (!info) return network_->ask(transaction);
            reply(transaction, 200, connection_table_info(run_.update_every));
        } else if (name != "ebpf-processes" || !processes_)
            reply(transaction, 404, function_error(404, "ebpf.plugin has no function " + name));
        else if (info)
            reply(transaction, 200, process_table_info(run_.update_every));
        else {
            // Rates are since the last call; the first one waits until there is something to divide.
            int64_t now = clock_ns(CLOCK_MONOTONIC);
            if (!answered_) {
                fold(false);
                processes_->track(true);
                answered_ = now;
            }
            answer_at_ = std::max(now, answered_ + least_window);
            calls_.push_back(transaction);
            return;
        }
        write();
    }

    void reply(const std::string& transaction, int status, const std::string& body) {
        out_ << fmt::format("FUNCTION_RESULT_BEGIN {} {} application/json {}\n", transaction, status,
                            time(nullptr) + run_.update_every);
        out_ << body << "\nFUNCTION_RESULT_END\n";
    }

    void answer() {
        fold(false);
        int64_t now = clock_ns(CLOCK_MONOTONIC);
        double seconds = static_cast<double>(now - answered_) / 1e9;
        std::string table = process_table(*processes_, programs_.plan().counted(config_), seconds, run_.update_every);
        for (const std::string& transaction : std::exchange(calls_, {})) reply(transaction, 200, table);
        processes_->forget_counts();
        answered_ = now;
        write();
    }

    void look_at_sockets() {
        network_->look_on();
        if (network_->is_looking()) return;
        fold(false);
        auto [calls, table] = network_->answer(clock_ns(CLOCK_MONOTONIC));
        for (const std::string& transaction : calls) reply(transaction, 200, table);
        if (!calls.empty()) write();
    }

    void write() {
        bool was_waiting = waiting_for_room_;
        waiting_for_room_ = !out_.flush();
        if (waiting_for_room_ == was_waiting) return;
        if (waiting_for_room_)
            watch(STDOUT_FILENO, EPOLLOUT);
        else
            epoll_ctl(poll_, EPOLL_CTL_DEL, STDOUT_FILENO, nullptr);
    }

    void tick() {
        int64_t begin = clock_ns(CLOCK_MONOTONIC);
        bool last = run_.ticks && ++ticks_ >= run_.ticks, sweep = last || begin - swept_ >= sweep_interval;
        fold(sweep);
        if (sweep) swept_ = begin;
        if (answered_ && calls_.empty() && begin - answered_ > track_for) {
            processes_->track(false);  // nobody looks any more
            answered_ = 0;
        }

        bool measured = meter_.look(begin);
        if (measured) self_.measured();
        Counters totals = slots_.totals();
        for (size_t c = 0; c < totals.size(); c++) totals[c] += self_.missed_calls()[c];
        int64_t elapsed = last_ ? (begin - last_) / 1000 : 0;
        last_ = begin;
        if (watch_)
            show(totals, elapsed);
        else
            print(totals, elapsed, begin);
        int64_t late = begin - next_;
        plan_next();
        write();
        self_.ticked((clock_ns(CLOCK_MONOTONIC) - begin) / 1000, late / 1000);
        end_ |= last;
        if (measured && out_.empty()) heed_limits();
    }

    // At the second measurement in a row that is over a limit, the dearest group goes; throws if there is none to go.
    void heed_limits() {
        Cost cost = meter_.cost();
        Excess excess = excess_of(cost, config_);
        over_limit_ = excess.what.empty() ? 0 : over_limit_ + 1;
        if (over_limit_ < 2) return;
        over_limit_ = 0;
        size_t dearest = GROUP_COUNT;
        double most = 0;
        for (size_t g = 0; g < GROUP_COUNT; g++)
            if (programs_.is_optional(g) && excess.by_group[g] > most) dearest = g, most = excess.by_group[g];
        if (dearest == GROUP_COUNT)
            throw Error(excess.what +
                        ", and there is no group left that could be left out: it ends. Raise the limit, or "
                        "switch groups off, in ebpf.conf");
        log(Severity::Warning,
            "{}: the group {}, the dearest that can be left out, is no longer counted. Raise the limit, or switch "
            "groups off, in ebpf.conf; the plugin's next start counts it again",
            excess.what, groups[dearest].name);
        leave_out(dearest);
    }

    void leave_out(size_t group) {
        fold(true);
        if (group == socket_group) {
            programs_.records().ignore<ended>();
            programs_.records().ignore<listening>();
            for (const std::string& call : network_->waiting())
                reply(call, 503, function_error(503, "connections are no longer counted"));
            if (!watch_) network_->retire(out_);
            network_.reset();
        }
        programs_.leave_out(group, "left out because of the limits in ebpf.conf");
        self_.replanned();
        malloc_trim(0);
        if (watch_) return;
        CounterSet counted = programs_.plan().counted(config_);
        charts_.retire(out_, counted);
        for (ShareCharts& shares : shares_) shares.retire(out_, counted);
        write();
    }

    void print(const Counters& totals, int64_t elapsed, int64_t now) {
        charts_.update(out_, totals, elapsed);
        for (ShareCharts& shares : shares_) shares.update(out_, elapsed, now, self_.missed_calls());
        if (network_) network_->update(out_, elapsed, now);
        if (run_.agent.self_charts()) self_.update(out_, slots_, connection_table_use(), elapsed);
    }

    TableUse connection_table_use() const {
        if (!network_) return {};
        const Connections& c = network_->connections();
        return {c.used(), c.count(), c.untracked(), programs_.memory().shared->lost_records[RECORD_ended]};
    }

    void show(const Counters& totals, int64_t elapsed) {
        if (network_) network_->look_again(last_);
        Watch::Update update{.seconds = static_cast<double>(elapsed) / 1e6, .totals = totals};
        if (config_.apps) {
            update.apps = &processes_->apps();
            update.ungrouped = processes_->take_ungrouped();
        }
        if (network_) update.connections = network_->moved();
        watch_->show(out_, update);
    }

    Programs& programs_;
    const Run run_;
    const Config& config_;
    Slots slots_;
    Charts charts_;
    CostMeter meter_;
    SelfCharts self_;
    int over_limit_ = 0;  // measurements in a row
    Writer out_;
    const std::string root_ = host_root();
    std::optional<Network> network_;
    std::optional<Cgroups> cgroups_;
    std::optional<Processes> processes_;
    std::deque<ShareCharts> shares_;
    std::optional<Watch> watch_;
    std::vector<moved> moved_;
    std::vector<std::string> calls_;        // transactions that wait for the table of processes
    int64_t answered_ = 0, answer_at_ = 0;  // 0: counts of processes are not gathered
    int poll_ = -1, signals_ = -1;
    std::string command_;
    bool in_payload_ = false;  // of a function's call
    bool has_keys_ = false;    // standard input is the keyboard of the screen
    bool end_ = false, waiting_for_room_ = false;
    int64_t next_ = 0, last_ = 0, swept_ = clock_ns(CLOCK_MONOTONIC);
    long ticks_ = 0;
};

}  // namespace

void collect(const Config& config, Programs& programs, const Run& run, AppRules rules) try {
    Loop loop(config, programs, run, std::move(rules));
    Tasks tasks{.identities = config.identities(),
                .network = config.group_on[socket_group],
                .timing = config.timed(),
                .terminal = loop.has_screen()};
    drop_privileges(tasks);
    confine(tasks);
    loop.run();
} catch (const Error& e) {
    if (e.code != EPIPE) throw;  // nobody reads any more: the agent is gone, and so are we
}
