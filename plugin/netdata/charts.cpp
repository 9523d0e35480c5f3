#include "netdata/charts.h"
#include <fmt/format.h>

Charts::Charts(const CounterSet& counted, ChartNames names, int update_every, const CounterSet& by_syscalls) {
    for (const Group& group : groups)
        for (const Chart& chart : group.charts) {
            bool current = names == ChartNames::Current && chart.current.id;
            const Face& face = current ? chart.current : chart.classic;
            ShownChart shown;
            shown.chart = fmt::format("CHART {} '' '{}' '{}' '{}' {} line {} {} ", face.id, face.title, face.units,
                                      face.family, face.id, face.priority, update_every);
            shown.module = fmt::format(" ebpf.plugin {}\n", group.module);
            for (const Dimension& d : chart.dimensions)
                if (d.id && by_syscalls[static_cast<size_t>(group.first_counter) + static_cast<size_t>(d.counter)]) {
                    shown.definitions += from_syscalls;
                    break;
                }
            for (const Dimension& d : chart.dimensions) {
                if (!d.id) break;
                int counter = group.first_counter + d.counter, minus = d.minus < 0 ? -1 : group.first_counter + d.minus;
                if (!counted[counter] || (minus >= 0 && !counted[minus])) continue;
                const char* id = current && d.current_id ? d.current_id : d.id;
                shown.definitions +=
                    fmt::format("DIMENSION {} {} {} {} {}\n", id, d.name, minus < 0 ? "incremental" : "absolute",
                                d.multiplier * face.multiplier, face.divisor);
                shown.dimensions.push_back({fmt::format("\nSET {} = ", id), counter, minus});
            }
            if (shown.dimensions.empty()) continue;
            shown.begin = fmt::format("BEGIN {} ", face.id);
            shown_.push_back(std::move(shown));
        }
}

void Charts::define(Writer& out) const {
    for (const ShownChart& chart : shown_) out << chart.chart << "''" << chart.module << chart.definitions;
}

void Charts::retire(Writer& out, const CounterSet& counted) {
    std::erase_if(shown_, [&](const ShownChart& chart) {
        for (const ShownDimension& d : chart.dimensions)
            if (counted[static_cast<size_t>(d.counter)]) return false;
        out << chart.chart << "'obsolete'" << chart.module;
        return true;
    });
}

void Charts::update(Writer& out, const Counters& totals, int64_t elapsed) {
    for (ShownChart& chart : shown_) {
        out << chart.begin;
        if (elapsed) out << elapsed;
        for (ShownDimension& d : chart.dimensions) {
            auto value = static_cast<int64_t>(totals[d.counter]);
            if (d.minus >= 0) {
                // A level counts from the start of the plugin. It falls below zero when something ends that was there
                // before; then that is where it counts from.
                value -= static_cast<int64_t>(totals[d.minus]);
                d.least = std::min(d.least, value);
                value -= d.least;
            }
            out << d.set << value;
        }
        out << "\nEND\n";
    }
}
