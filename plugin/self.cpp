#include "self.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <unistd.h>
#include <set>
#include <utility>
#include "error.h"

namespace {

constexpr int slow = 10;  // ticks between questions that cost system calls

struct SelfDimension {
    const char* id;
    const char* algorithm;
    int divisor = 1;
};

struct SelfChart {
    const char* id;
    const char* title;
    const char* units;
    std::vector<SelfDimension> dimensions;
};

enum { ProgramsChart, EventsChart, SlotsChart, ConnectionsChart, TickChart, MemoryChart, RunTimeChart };
constexpr size_t most_dimensions = 6;

const SelfChart charts[] = {
    {"ebpf_programs",
     "Programs attached to the kernel, by way of attaching, and hooks without one",
     "programs",
     {{"tracepoint", "absolute"},
      {"trampoline", "absolute"},
      {"kprobe_multi", "absolute"},
      {"kprobe", "absolute"},
      {"syscalls", "absolute"},
      {"missing", "absolute"}}},
    {"ebpf_events",
     "Events counted outside the slots, and runs that the kernel skipped",
     "events/s",
     {{"late", "incremental"},
      {"overflowed", "incremental"},
      {"missed", "incremental"},
      {"results_lost", "incremental"}}},
    {"ebpf_slots", "Slots for threads", "slots", {{"used", "absolute"}, {"all", "absolute"}}},
    {"ebpf_connections",
     "Rows for connections; events and ends of connections that found none",
     "connections",
     {{"used", "absolute"}, {"all", "absolute"}, {"unnoted", "incremental"}, {"lost", "incremental"}}},
    {"ebpf_tick",
     "Duration of an update, and how late it began",
     "microseconds",
     {{"duration", "absolute"}, {"late", "absolute"}}},
    {"ebpf_memory",
     "Memory of the eBPF maps and of the plugin",
     "bytes",
     {{"maps", "absolute"}, {"plugin", "absolute"}}},
    {"ebpf_run_time",
     "Time that the programs take in the kernel",
     "milliseconds/s",
     {{"programs", "incremental", 1000000}}},
};

}  // namespace

SelfCharts::SelfCharts(const Programs& programs, const Config& config, int update_every)
    : programs_(programs),
      update_every_(update_every),
      run_time_(config.run_time),
      sockets_(config.group_on[socket_group]),
      map_bytes_(programs.map_bytes()) {
    statm_fd_ = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (run_time_ && (statistics_fd_ = bpf_enable_stats(BPF_STATS_RUN_TIME)) < 0)
        log(Severity::Warning, "the kernel does not time the programs ({}): `run time statistics` shows nothing",
            std::strerror(errno));
    std::set<std::pair<std::string, std::string>> counted;  // some serve several hooks
    for (const Attachment& a : programs.plan().attachments)
        if (counted.emplace(a.program(), a.target).second) attached_[static_cast<int>(a.way)]++;
}

SelfCharts::~SelfCharts() {
    for (int fd : {statm_fd_, statistics_fd_})
        if (fd >= 0) close(fd);
}

bool SelfCharts::is_shown(long chart) const {
    return chart == RunTimeChart ? run_time_ : chart == ConnectionsChart ? sockets_ : true;
}

void SelfCharts::define(Writer& out) const {
    int priority = 140000;
    for (const SelfChart& chart : charts) {
        priority++;
        if (!is_shown(&chart - charts)) continue;
        out << fmt::format("CHART netdata.{0} '' '{1}' '{2}' 'ebpf' 'netdata.{0}' line {3} {4} '' ebpf.plugin self\n",
                           chart.id, chart.title, chart.units, priority, update_every_);
        for (const SelfDimension& d : chart.dimensions)
            out << fmt::format("DIMENSION '{0}' '{0}' {1} 1 {2}\n", d.id, d.algorithm, d.divisor);
    }
}

void SelfCharts::ask_the_kernel() {
    Programs::Statistics now = programs_.statistics();
    run_time_ns_ = now.run_time_ns;
    missed_ = now.missed_runs;
    missed_calls_ = {};
    for (int id = 0; id < HOOKS; id++) {
        HookRef ref = hook_ref(id);
        if (ref.hook.kind.calls == 1 && !programs_.plan().paired(id) && !programs_.plan().shares_program(id))
            missed_calls_[ref.first_counter()] += now.missed[id];
    }
    char text[64];
    long pages = 0;
    if (ssize_t n = pread(statm_fd_, text, sizeof text - 1, 0); n > 0) {
        text[n] = 0;
        sscanf(text, "%*s %ld", &pages);
    }
    plugin_bytes_ = static_cast<uint64_t>(pages) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void SelfCharts::look() {
    if (ticks_++ % slow == 0) ask_the_kernel();
}

void SelfCharts::update(Writer& out, const Slots& slots, const Connections* connections, int64_t elapsed) {
    look();
    auto attached = [this](Way way) { return static_cast<uint64_t>(attached_[static_cast<int>(way)]); };
    const uint64_t values[][most_dimensions] = {
        {attached(Way::Tracepoint), attached(Way::Trampoline), attached(Way::ProbeMulti), attached(Way::Probe),
         attached(Way::Syscalls), programs_.plan().missing.size()},
        {slots.late(), slots.overflowed(), missed_, slots.lost_results()},
        {slots.used(), slots.count()},
        {connections ? connections->used() : 0, connections ? connections->count() : 0,
         connections ? connections->unnoted() : 0, connections ? connections->lost() : 0},
        {static_cast<uint64_t>(duration_), static_cast<uint64_t>(late_)},
        {map_bytes_, plugin_bytes_},
        {run_time_ns_}};
    for (const SelfChart& chart : charts) {
        if (!is_shown(&chart - charts)) continue;
        out << "BEGIN netdata." << chart.id << " ";
        if (elapsed) out << elapsed;
        out << "\n";
        const uint64_t* value = values[&chart - charts];
        for (const SelfDimension& d : chart.dimensions)
            out << "SET '" << d.id << "' = " << static_cast<int64_t>(*value++) << "\n";
        out << "END\n";
    }
}
