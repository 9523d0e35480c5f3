#include "who/identities.h"
#include <fcntl.h>
#include <sys/syscall.h>
#include <csignal>
#include <unordered_map>
#include <utility>
#include "base/clock.h"
#include "base/log.h"
#include "who/process_table.h"

namespace {

// Of the table of processes: rates need something to divide; and so long after the last call it goes on counting.
constexpr int64_t least_window = second, track_for = 60 * second;
constexpr char function_name[] = "ebpf-processes";

}  // namespace

Identities::Identities(const Running& running, Slots& slots, AppRules rules) : running_(running), slots_(slots) {
    std::string proc = running.root + "/proc";
    if (!in_first_pid_namespace() && running.root.empty()) {
        log(Severity::Warning,
            "this is a pid namespace, whose /proc has not the kernel's ids: processes that run already count for "
            "the application of the name alone that their threads have; NETDATA_HOST_PREFIX names the host's root");
        proc = "";
    }
    if (running.config.cgroups) {
        cgroups_.emplace(running.root, proc, running.config.cgroups_matching);
        if (proc.empty() && !cgroups_->by_ids())
            log(Severity::Warning,
                "containers and services are not told apart: the old control groups are known by process, and this "
                "/proc is a pid namespace's; NETDATA_HOST_PREFIX names the host's root");
    }
    processes_.emplace(std::move(rules), cgroups_ ? &*cgroups_ : nullptr, proc);
    slots.listen({.owner =
                      [this](const slot& s) {
                          if (processes_->lacks_command(s)) running_.programs.consume();
                          return processes_->owner(s);
                      },
                  .counted = [this](Owner who, int counter, uint64_t n) { processes_->counted(who, counter, n); },
                  .freed = [this](Owner who, const slot& s) { processes_->freed(who, s); }});
    running.programs.records().on<executed>([this](const executed& record) { processes_->executes(record); });
    running.programs.records().on<moved>([this](const moved& record) { moved_.push_back(record); });
}

Needs identity_needs() { return {{CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH}, {{SYS_open_by_handle_at, 2, O_PATH, O_PATH}}}; }

void Identities::fold(const Tick& tick) {
    std::unordered_map<uint32_t, uint32_t> now_in;
    for (const moved& record : std::exchange(moved_, {}))
        now_in[record.head.tgid] = processes_->moved(record.head.tgid, record.head.cgroup);
    slots_.move(now_in);
    processes_->folded(tick.everything);
    if (tick.is_update && counted_since_ && answer_at_ == never && tick.now - counted_since_ > track_for) {
        processes_->track(false);  // nobody looks any more
        counted_since_ = 0;
    }
}

Then Identities::on_signal(int signal) {
    if (signal != SIGHUP || !running_.config.apps) return Then::GoOn;
    running_.all.fold_now();  // by the old rules
    AppRules rules = load_app_rules(user_config_folders(), stock_config_folders());
    if (!rules.source().empty())
        log(Severity::Info, "the groups of applications have been read again: {}", rules.source());
    processes_->regroup(std::move(rules));
    return Then::GoOn;
}

void Identities::offer(Functions& functions) {
    functions_ = &functions;
    functions.offer(function_name, {.help = process_table_help, .ask = [this] { ask(); }});
}

// Rates are since the last call; the first one waits until there is something to divide.
void Identities::ask() {
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    if (!counted_since_) {
        running_.all.fold_now();
        processes_->track(true);
        counted_since_ = now;
    }
    answer_at_ = std::max(now, counted_since_ + least_window);
}

void Identities::work(Writer& out) {
    running_.all.fold_now();
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    double seconds = static_cast<double>(now - counted_since_) / 1e9;
    functions_->answer(out, function_name,
                       process_table(*processes_, running_.programs.plan().counted(running_.config), seconds,
                                     running_.config.update_every));
    processes_->track(true);
    counted_since_ = now;
    answer_at_ = never;
}
