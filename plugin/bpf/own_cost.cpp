#include "bpf/own_cost.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <unistd.h>
#include <ctime>
#include <utility>
#include "base/error.h"

namespace {

constexpr int interval = 10;  // updates between questions that cost a system call a program

int64_t own_time() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

double megabytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

Excess excess_of(const Cost& cost, const Config& config) {
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
        excess.by_group[socket_group] = 1;  // the others have none of their own
        return excess;
    }
    return {};
}

CostMeter::CostMeter(const Programs& programs, bool timed)
    : programs_(programs), timed_(timed), statm_fd_(open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}

CostMeter::~CostMeter() {
    for (int fd : {statm_fd_, timing_fd_})
        if (fd >= 0) close(fd);
}

bool CostMeter::look(int64_t now) {
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

    int64_t used = own_time();
    if (looked_) cost_.plugin = static_cast<double>(used - used_) / static_cast<double>(now - looked_);
    looked_ = now;
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
