#include "netdata/charts.h"

const Units& units_of(const Group& group, const Units& said, int counter) {
    if (said.current.name) return said;
    return counter_name(group.first_counter + counter).ends_with(" bytes") ? units::bytes : units::calls;
}

ChartDefinition definition_of(const Group& group, const Chart& chart, ChartNames names) {
    bool classic = names == ChartNames::Classic && chart.classic_id;
    const ChartDetails& details = chart.details;
    const Units& units = units_of(group, details.units, chart.dimensions.begin()->counter);
    const Place& place = classic ? group.places.classic : group.places.current;
    const char* id = classic ? chart.classic_id : chart.id;
    return {.id = id,
            .title = chart.title,
            .unit = classic ? units.classic : units.current,
            .family = place.family,
            .context = id,
            .type = details.type,
            .priority = place.priority + (classic && details.classic_at >= 0 ? details.classic_at : chart.at),
            .module = group.module};
}

Charts::Charts(const CounterSet& counted, ChartNames names, int update_every, const CounterSet& by_syscalls,
               const Counters& totals)
    : totals_(totals) {
    for (const Group& group : groups)
        for (const Chart& chart : group.charts) {
            ShownChart shown{.definition = definition_of(group, chart, names)};
            shown.definition.update_every = update_every;
            shown.begin = shown.definition.begin();
            bool from_syscalls = false;
            for (const Dimension& d : chart.dimensions) {
                int counter = group.first_counter + d.counter, minus = d.minus < 0 ? -1 : group.first_counter + d.minus;
                if (!counted[counter] || (minus >= 0 && !counted[minus])) continue;
                const char* id = names == ChartNames::Current && d.current_id ? d.current_id : d.id;
                shown.dimensions.push_back({&d, id, set_text(id), counter, minus});
                from_syscalls |= by_syscalls[counter];
            }
            if (shown.dimensions.empty()) continue;
            if (from_syscalls) shown.definition.labels = {{"source", "syscalls"}};
            shown_.push_back(std::move(shown));
        }
}

void Charts::begin(Writer& out) {
    for (const ShownChart& chart : shown_) {
        chart.definition.define(out);
        for (const ShownDimension& d : chart.dimensions)
            chart.definition.dimension(out, d.id, d.row->name,
                                       {.multiplier = d.row->multiplier, .level = d.minus >= 0});
    }
}

void Charts::replanned(Writer& out, const CounterSet& counted) {
    std::erase_if(shown_, [&](const ShownChart& chart) {
        for (const ShownDimension& d : chart.dimensions)
            if (counted[static_cast<size_t>(d.counter)]) return false;
        chart.definition.obsolete(out);
        return true;
    });
}

void Charts::print(Writer& out, const Tick& tick) {
    for (ShownChart& chart : shown_) {
        ChartUpdate update(out, chart.begin, tick.elapsed);
        for (ShownDimension& d : chart.dimensions) {
            auto value = static_cast<int64_t>(totals_[d.counter]);
            if (d.minus >= 0) {
                // A level counts from the start of the plugin. It falls below zero when something ends that was there
                // before; then that is where it counts from.
                value -= static_cast<int64_t>(totals_[d.minus]);
                d.least = std::min(d.least, value);
                value -= d.least;
            }
            update.set(d.set, value);
        }
    }
}
