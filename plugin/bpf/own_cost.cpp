#include "bpf/own_cost.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include "base/clock.h"
#include "base/error.h"

namespace {

constexpr int interval = 10;  // updates between questions that cost a system call a program

double megabytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

Excess excess_of(const Cost& cost, const Config& config, const GroupSet& with_own_memory) {
    if (double all = 100 * (cost.programs + cost.plugin); config.cpu_limit && all > config.cpu_limit)
        return {
            fmt::format("takes {:.1f} % of a CPU (programs in the kernel {:.1f} %), more than the `cpu limit` of {} %",
                        all, 100 * cost.programs, config.cpu_limit),
            cost.programs_of};
    if (double all = megabytes(cost.map_bytes + cost.plugin_bytes); config.memory_limit && all > config.memory_limit) {
        Excess excess{
            fmt::format("takes {:.1f} MB (maps in the kernel {:.1f} MB), more than the `memory limit` of {} MB", all,
                        megabytes(cost.map_bytes), config.memory_limit),
            {}};
        for (size_t g = 0; g < GROUP_COUNT; g++) excess.by_group[g] = with_own_memory[g];
        return excess;
    }
    return {};
}

std::optional<size_t> Limits::group_to_leave_out(const Excess& excess, const Programs& programs) {
    times_over_ = excess.what.empty() ? 0 : times_over_ + 1;
    if (times_over_ < 2) return {};
    times_over_ = 0;
    size_t dearest = GROUP_COUNT;
    double most = 0;
    for (size_t g = 0; g < GROUP_COUNT; g++)
        if (programs.is_optional(g) && excess.by_group[g] > most) dearest = g, most = excess.by_group[g];
    if (dearest == GROUP_COUNT)
        throw Error(excess.what +
                    ", and there is no group left that could be left out: it ends. Raise the limit, or "
                    "switch groups off, in ebpf.conf");
    log(Severity::Warning,
        "{}: the group {}, the dearest that can be left out, is no longer counted. Raise the limit, or switch "
        "groups off, in ebpf.conf; the plugin's next start counts it again",
        excess.what, groups[dearest].name);
    return dearest;
}

CostMeter::CostMeter(const Programs& programs, bool timed)
    : programs_(programs), timed_(timed), statm_fd_(open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}

CostMeter::~CostMeter() {
    for (int fd : {statm_fd_, timing_fd_})
        if (fd >= 0) close(fd);
}

Needs CostMeter::needs() const {
    Needs needs{{}, {{SYS_bpf, 0, all_bits, BPF_OBJ_GET_INFO_BY_FD}}};
    if (timed_) needs += {{CAP_SYS_ADMIN}, {{SYS_bpf, 0, all_bits, BPF_ENABLE_STATS}}};
    return needs;
}

bool CostMeter::measure(int64_t now) {
    bool begins = updates_++ % interval == 0, timed = timing_fd_ >= 0;
    if (!begins && !timed) return false;
    Programs::Statistics before = std::exchange(statistics_, programs_.statistics());
    if (timed) {
        auto share = [&](uint64_t is, uint64_t was) {
            return static_cast<double>(is - was) / static_cast<double>(now - timing_since_);
        };
        cost_.programs = share(statistics_.run_time_ns, before.run_time_ns);
        for (size_t g = 0; g < GROUP_COUNT; g++)
            cost_.programs_of[g] = share(statistics_.run_time_of[g], before.run_time_of[g]);
        close(std::exchange(timing_fd_, -1));
    } else if (timed_) {
        timing_since_ = now;
        if ((timing_fd_ = bpf_enable_stats(BPF_STATS_RUN_TIME)) < 0 && updates_ == 1)
            log(Severity::Warning,
                "the kernel does not time the programs ({}): `run time statistics` and `cpu limit` see the plugin "
                "alone; they need cap_sys_admin",
                std::strerror(errno));
    }
    if (timing_fd_ >= 0) return false;  // the answer comes with the next update

    int64_t used = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (measured_) cost_.plugin = static_cast<double>(used - used_) / static_cast<double>(now - measured_);
    measured_ = now;
    used_ = used;
    char text[128];
    long resident = 0, shared = 0;
    if (ssize_t n = pread(statm_fd_, text, sizeof text - 1, 0); n > 0) {
        text[n] = 0;
        sscanf(text, "%*s %ld %ld", &resident, &shared);
    }
    cost_.plugin_bytes = static_cast<uint64_t>((resident - shared) * sysconf(_SC_PAGESIZE));
    cost_.map_bytes = programs_.map_bytes();
    return true;
}
