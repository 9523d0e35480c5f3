#include "netdata/self_charts.h"
#include <iterator>
#include <numeric>
#include <set>
#include <utility>
#include "base/error.h"

namespace {

using F = const SelfFacts&;

template <Way way>
uint64_t attached(F f) {
    return static_cast<uint64_t>(f.attached[static_cast<int>(way)]);
}
uint64_t milliseconds(double share) { return static_cast<uint64_t>(share * 1e6); }  // a second, times 1000

const state& shared(F f) { return *f.programs.memory().shared; }
uint64_t sum(const auto& numbers) { return std::accumulate(std::begin(numbers), std::end(numbers), uint64_t{0}); }
uint64_t used(const auto& table) { return table.use ? table.use->claimed - table.use->freed : 0; }
template <unsigned type>
uint64_t lost(F f) {
    return shared(f).lost_records[type];
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
         [](F f) { return f.programs.plan().missing.size(); }}}},
    {"ebpf_events", "Events counted outside the slots, and runs that the kernel skipped", {"events/s"}, {
        {"late", "events of threads that had ended already; counted", [](F f) { return uint64_t{shared(f).late}; }, total},
        {"overflowed", "events of threads for which there was no slot; counted by process, more slowly",
         [](F f) { return uint64_t{f.programs.memory().table.use->rejected}; }, total},
        {"missed", "runs that the kernel skipped because the program was preempted; calls that are known to be missing "
                   "are added to the system's", [](F f) { return f.meter.statistics().missed_runs; }, total},
        {"results_lost", "calls whose return a kprobe did not see; they lack their bytes or error",
         [](F f) { return sum(shared(f).lost_results); }, total}}},
    {"ebpf_slots", "Slots for threads", {"slots"}, {
        {"used", "slots that belong to a thread, or wait to be freed", [](F f) { return used(f.programs.memory().table); }},
        {"all", "slots there are: `pid table size`", [](F f) { return f.programs.memory().table.count; }}}},
    {"ebpf_connections", "Rows for connections; events and ends of connections that found none", {"connections"}, {
        {"used", "rows that belong to a connection, or wait to be freed", [](F f) { return used(f.programs.connections().table); }},
        {"all", "rows there are: `connection table size`", [](F f) { return f.programs.connections().table.count; }},
        {"unnoted", "events of connections that found no row", [](F f) { return uint64_t{shared(f).tables[TABLE_connections].rejected}; }, total},
        {"lost", "connections without a row whose end could not be told either: their bytes are missing",
         lost<RECORD_ended>, total}},
     [](const Config& config) { return config.group_on[socket_group]; }},
    {"ebpf_tick", "Duration of an update, and how late it began", {"microseconds"}, {
        {"duration", "how long the last update took", [](F f) { return f.duration; }},
        {"late", "how long after its time it began", [](F f) { return f.late; }}}},
    {"ebpf_memory", "Memory of the eBPF maps and of the plugin", {"bytes"}, {
        {"maps", "memory of the eBPF maps, in the kernel", [](F f) { return f.meter.cost().map_bytes; }},
        {"plugin", "memory of the plugin, without what it shares: the maps, the code of libraries",
         [](F f) { return f.meter.cost().plugin_bytes; }}}},
    {"ebpf_run_time", "Processor time of the programs in the kernel and of the plugin", {"milliseconds/s", 1, 1000}, {
        {"programs", "time that the kernel spent in our programs, measured for one update in ten",
         [](F f) { return milliseconds(f.meter.cost().programs); }},
        {"plugin", "time that the plugin spent, since it was last measured",
         [](F f) { return milliseconds(f.meter.cost().plugin); }}},
     [](const Config& config) { return config.run_time; }},
    {"ebpf_records", "Records of the kernel side that found no room, by what they tell, or were not understood",
     {"records/s"}, {
        {"full", "a table is half used; the plugin folds at its next update", lost<RECORD_full>, total},
        {"listening", "a TCP port has a listener; its connections may be taken for outbound", lost<RECORD_listening>, total},
        {"moved", "a process is in another control group; its counts stay with the old one", lost<RECORD_moved>, total},
        {"executed", "a program's command line; the plugin asks /proc", lost<RECORD_executed>, total},
        {"ended", "a connection that had no row; see `ebpf_connections.lost`", lost<RECORD_ended>, total},
        {"malformed", "of no known type, or not as long as its type", [](F f) { return f.programs.records().malformed(); }, total}}},
};
// clang-format on

bool is_shown(const SelfChart& chart, const Config& config) { return !chart.condition || chart.condition(config); }

}  // namespace

std::span<const SelfChart> self_charts() { return rows; }

void define_self_charts(Writer& out, const Config& config) {
    for (const SelfChart& row : rows) {
        if (!is_shown(row, config)) continue;
        ChartDefinition chart{.id = fmt::format("netdata.{}", row.id),
                              .title = row.title,
                              .unit = row.unit,
                              .family = "ebpf",
                              .context = fmt::format("'netdata.{}'", row.id),
                              .priority = 140001 + static_cast<int>(&row - rows),
                              .module = "self",
                              .update_every = config.update_every};
        chart.define(out);
        for (const SelfDimension& d : row.dimensions) {
            std::string id = fmt::format("'{}'", d.id);
            chart.dimension(out, id, id, {.level = d.level});
        }
    }
}

SelfCharts::SelfCharts(const Running& running, const Slots& slots, bool has_charts)
    : running_(running),
      slots_(slots),
      has_charts_(has_charts),
      meter_(running.programs, running.config.timed()),
      facts_{running.programs, meter_} {
    count_attached();
}

void SelfCharts::count_attached() {
    std::fill(std::begin(facts_.attached), std::end(facts_.attached), 0);
    std::set<std::pair<std::string, std::string>> counted;  // some serve several hooks
    for (const Attachment& a : running_.programs.plan().attachments)
        if (counted.emplace(a.program(), a.target).second) facts_.attached[static_cast<int>(a.way)]++;
}

void SelfCharts::begin(Writer& out) {
    if (has_charts_) define_self_charts(out, running_.config);
}

void SelfCharts::fold(const Tick& tick) {
    if (tick.is_update) {
        measured_ = meter_.measure(tick.now);
        if (measured_) add_up_missed_calls();
        facts_.duration = static_cast<uint64_t>(tick.last_took);
        facts_.late = static_cast<uint64_t>(tick.last_late);
    }
    for (size_t c = 0; c < totals_.size(); c++) totals_[c] = slots_.totals()[c] + missed_calls_[c];
}

void SelfCharts::add_up_missed_calls() {
    const Plan& plan = running_.programs.plan();
    missed_calls_ = {};
    for (int id = 0; id < HOOKS; id++) {
        HookRef ref = hook_ref(id);
        if (ref.hook.kind.calls == 1 && !plan.paired(id) && !plan.shares_program(id))
            missed_calls_[ref.first_counter()] += meter_.statistics().missed[static_cast<size_t>(id)];
    }
}

void SelfCharts::print(Writer& out, const Tick& tick) {
    if (!has_charts_) return;
    for (const SelfChart& chart : rows) {
        if (!is_shown(chart, running_.config)) continue;
        out << "BEGIN netdata." << chart.id;
        ChartUpdate update(out, " ", tick.elapsed);
        for (const SelfDimension& d : chart.dimensions) update.set(d.id, "", static_cast<int64_t>(d.value(facts_)));
    }
}

void SelfCharts::work(Writer& out) {
    measured_ = false;
    if (!out.empty()) return;  // nobody reads: that it takes more now says nothing
    GroupSet with_own_memory{};
    for (size_t i = 0; i < running_.all.size(); i++)
        if (auto g = running_.all[i].group()) with_own_memory[*g] = true;
    Excess excess = excess_of(meter_.cost(), running_.config, with_own_memory);
    if (auto group = limits_.group_to_leave_out(excess, running_.programs))
        running_.all.leave_out(*group, running_.programs, running_.config, out);
}
