#include "netdata/self_charts.h"
#include <set>
#include <utility>
#include "base/error.h"

namespace {

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
     "Processor time of the programs in the kernel and of the plugin",
     "milliseconds/s",
     {{"programs", "absolute", 1000}, {"plugin", "absolute", 1000}}},
};

bool is_shown(long chart, const Config& config) {
    return chart == RunTimeChart ? config.run_time : chart == ConnectionsChart ? config.group_on[socket_group] : true;
}

}  // namespace

SelfCharts::SelfCharts(const Programs& programs, const CostMeter& meter, const Config& config)
    : programs_(programs), meter_(meter), config_(config) {
    replanned();
}

void SelfCharts::replanned() {
    std::fill(std::begin(attached_), std::end(attached_), 0);
    std::set<std::pair<std::string, std::string>> counted;  // some serve several hooks
    for (const Attachment& a : programs_.plan().attachments)
        if (counted.emplace(a.program(), a.target).second) attached_[static_cast<int>(a.way)]++;
}

void SelfCharts::define(Writer& out, const Config& config, int update_every) {
    int priority = 140000;
    for (const SelfChart& chart : charts) {
        priority++;
        if (!is_shown(&chart - charts, config)) continue;
        out << fmt::format("CHART netdata.{0} '' '{1}' '{2}' 'ebpf' 'netdata.{0}' line {3} {4} '' ebpf.plugin self\n",
                           chart.id, chart.title, chart.units, priority, update_every);
        for (const SelfDimension& d : chart.dimensions)
            out << fmt::format("DIMENSION '{0}' '{0}' {1} 1 {2}\n", d.id, d.algorithm, d.divisor);
    }
}

void SelfCharts::measured() {
    missed_calls_ = {};
    for (int id = 0; id < HOOKS; id++) {
        HookRef ref = hook_ref(id);
        if (ref.hook.kind.calls == 1 && !programs_.plan().paired(id) && !programs_.plan().shares_program(id))
            missed_calls_[ref.first_counter()] += meter_.statistics().missed[static_cast<size_t>(id)];
    }
}

void SelfCharts::update(Writer& out, const Slots& slots, const TableUse& connections, int64_t elapsed) {
    auto milliseconds = [](double share) { return static_cast<uint64_t>(share * 1e6); };  // a second, times 1000
    const Cost& cost = meter_.cost();
    auto attached = [this](Way way) { return static_cast<uint64_t>(attached_[static_cast<int>(way)]); };
    const uint64_t values[][most_dimensions] = {
        {attached(Way::Tracepoint), attached(Way::Trampoline), attached(Way::ProbeMulti), attached(Way::Probe),
         attached(Way::Syscalls), programs_.plan().missing.size()},
        {slots.late(), slots.overflowed(), meter_.statistics().missed_runs, slots.lost_results()},
        {slots.used(), slots.count()},
        {connections.used, connections.all, connections.unnoted, connections.lost},
        {static_cast<uint64_t>(duration_), static_cast<uint64_t>(late_)},
        {cost.map_bytes, cost.plugin_bytes},
        {milliseconds(cost.programs), milliseconds(cost.plugin)}};
    for (const SelfChart& chart : charts) {
        if (!is_shown(&chart - charts, config_)) continue;
        out << "BEGIN netdata." << chart.id << " ";
        if (elapsed) out << elapsed;
        out << "\n";
        const uint64_t* value = values[&chart - charts];
        for (const SelfDimension& d : chart.dimensions)
            out << "SET '" << d.id << "' = " << static_cast<int64_t>(*value++) << "\n";
        out << "END\n";
    }
}
