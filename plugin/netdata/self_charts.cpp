#include "netdata/self_charts.h"
#include <iterator>
#include <numeric>
#include <set>
#include <utility>
#include "base/error.h"

struct SelfFacts {
    const int* attached;  // by way
    size_t missing;
    const SlotMemory& slots;
    const ConnectionMemory& connections;
    uint64_t malformed_records;
    const Programs::Statistics& statistics;
    const Cost& cost;
    uint64_t duration, late;  // of the last update, microseconds
};

namespace {

using F = const SelfFacts&;

template <Way way>
uint64_t attached(F f) {
    return static_cast<uint64_t>(f.attached[static_cast<int>(way)]);
}
uint64_t milliseconds(double share) { return static_cast<uint64_t>(share * 1e6); }  // a second, times 1000

uint64_t sum(const auto& numbers) { return std::accumulate(std::begin(numbers), std::end(numbers), uint64_t{0}); }
uint64_t used(const auto& table) { return table.use ? table.use->claimed - table.use->freed : 0; }
template <unsigned type>
uint64_t lost(F f) {
    return f.slots.shared->lost_records[type];
}

constexpr bool total = false;  // no level

// clang-format off
constexpr SelfChart rows[] = {
    {"ebpf_programs", "Programs attached to the kernel, by way of attaching, and hooks without one", {"programs"}, {
        {"tracepoint", "programs attached to tracepoints", attached<Way::Tracepoint>},
        {"trampoline", "by fentry and fexit", attached<Way::Trampoline>},
        {"kprobe_multi", "by kprobe.multi", attached<Way::ProbeMulti>},
        {"kprobe", "by kprobe and kretprobe", attached<Way::Probe>},
        {"syscalls", "at the end of each system call", attached<Way::Syscalls>},
        {"missing", "hooks that could not be attached, wholly or in part; the log says why",
         [](F f) { return f.missing; }}}},
    {"ebpf_events", "Events counted outside the slots, and runs that the kernel skipped", {"events/s"}, {
        {"late", "events of threads that had ended already; counted", [](F f) { return uint64_t{f.slots.shared->late}; }, total},
        {"overflowed", "events of threads for which there was no slot; counted by process, more slowly",
         [](F f) { return uint64_t{f.slots.table.use->rejected}; }, total},
        {"missed", "runs that the kernel skipped because the program was preempted; calls that are known to be missing "
                   "are added to the system's", [](F f) { return f.statistics.missed_runs; }, total},
        {"results_lost", "calls whose return a kprobe did not see; they lack their bytes or error",
         [](F f) { return sum(f.slots.shared->lost_results); }, total}}},
    {"ebpf_slots", "Slots for threads", {"slots"}, {
        {"used", "slots that belong to a thread, or wait to be freed", [](F f) { return used(f.slots.table); }},
        {"all", "slots there are: `pid table size`", [](F f) { return f.slots.table.count; }}}},
    {"ebpf_connections", "Rows for connections; events and ends of connections that found none", {"connections"}, {
        {"used", "rows that belong to a connection, or wait to be freed", [](F f) { return used(f.connections.table); }},
        {"all", "rows there are: `connection table size`", [](F f) { return f.connections.table.count; }},
        {"unnoted", "events of connections that found no row", [](F f) { return uint64_t{f.slots.shared->tables[TABLE_connections].rejected}; }, total},
        {"lost", "connections without a row whose end could not be told either: their bytes are missing",
         [](F f) { return uint64_t{f.slots.shared->lost_records[RECORD_ended]}; }, total}},
     [](const Config& config) { return config.group_on[socket_group]; }},
    {"ebpf_tick", "Duration of an update, and how late it began", {"microseconds"}, {
        {"duration", "how long the last update took", [](F f) { return f.duration; }},
        {"late", "how long after its time it began", [](F f) { return f.late; }}}},
    {"ebpf_memory", "Memory of the eBPF maps and of the plugin", {"bytes"}, {
        {"maps", "memory of the eBPF maps, in the kernel", [](F f) { return f.cost.map_bytes; }},
        {"plugin", "memory of the plugin, without what it shares: the maps, the code of libraries",
         [](F f) { return f.cost.plugin_bytes; }}}},
    {"ebpf_run_time", "Processor time of the programs in the kernel and of the plugin", {"milliseconds/s", 1, 1000}, {
        {"programs", "time that the kernel spent in our programs, measured for one update in ten",
         [](F f) { return milliseconds(f.cost.programs); }},
        {"plugin", "time that the plugin spent, since it was last measured",
         [](F f) { return milliseconds(f.cost.plugin); }}},
     [](const Config& config) { return config.run_time; }},
    {"ebpf_records", "Records of the kernel side that found no room, by what they tell, or were not understood",
     {"records/s"}, {
        {"full", "a table is half used; the plugin folds at its next update", lost<RECORD_full>, total},
        {"listening", "a TCP port has a listener; its connections may be taken for outbound", lost<RECORD_listening>, total},
        {"moved", "a process is in another control group; its counts stay with the old one", lost<RECORD_moved>, total},
        {"executed", "a program's command line; the plugin asks /proc", lost<RECORD_executed>, total},
        {"ended", "a connection that had no row; see `ebpf_connections.lost`", lost<RECORD_ended>, total},
        {"malformed", "of no known type, or not as long as its type", [](F f) { return f.malformed_records; }, total}}},
};
// clang-format on

bool is_shown(const SelfChart& chart, const Config& config) { return !chart.condition || chart.condition(config); }

}  // namespace

std::span<const SelfChart> self_charts() { return rows; }

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
    for (const SelfChart& row : rows) {
        if (!is_shown(row, config)) continue;
        ChartDefinition chart{.id = fmt::format("netdata.{}", row.id),
                              .title = row.title,
                              .unit = row.unit,
                              .family = "ebpf",
                              .context = fmt::format("'netdata.{}'", row.id),
                              .priority = 140001 + static_cast<int>(&row - rows),
                              .module = "self",
                              .update_every = update_every};
        chart.define(out);
        for (const SelfDimension& d : row.dimensions) {
            std::string id = fmt::format("'{}'", d.id);
            chart.dimension(out, id, id, {.level = d.level});
        }
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

void SelfCharts::update(Writer& out, int64_t elapsed) {
    const SlotMemory slots = programs_.memory();
    const ConnectionMemory connections = programs_.connections();
    SelfFacts facts{.attached = attached_,
                    .missing = programs_.plan().missing.size(),
                    .slots = slots,
                    .connections = connections,
                    .malformed_records = programs_.records().malformed(),
                    .statistics = meter_.statistics(),
                    .cost = meter_.cost(),
                    .duration = static_cast<uint64_t>(duration_),
                    .late = static_cast<uint64_t>(late_)};
    for (const SelfChart& chart : rows) {
        if (!is_shown(chart, config_)) continue;
        out << "BEGIN netdata." << chart.id;
        ChartUpdate update(out, " ", elapsed);
        for (const SelfDimension& d : chart.dimensions) update.set(d.id, "", static_cast<int64_t>(d.value(facts)));
    }
}
