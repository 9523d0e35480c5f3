#include "netdata/member_charts.h"
#include <fmt/format.h>
#include <algorithm>
#include <stdexcept>
#include <utility>
#include "base/clock.h"

namespace {

// What a name becomes in an id: letters, digits, `_` and `-`.
std::string id_of(const std::string& name) {
    std::string id = name.substr(0, longest_name);
    for (char& c : id)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-') c = '_';
    return id.empty() ? "_" : id;
}

std::string or_else(const char* text, const std::string& other) { return text ? text : other; }
int or_else(int place, int other) { return place < 0 ? other : place; }

// That of the system's chart which shows the counter.
const Dimension& dimension_of(const Group& group, int counter) {
    for (const Chart& chart : group.charts)
        for (const Dimension& d : chart.dimensions)
            if (d.counter == counter && d.minus < 0) return d;
    throw std::logic_error("a counter without a chart");
}

std::string cgroup_title(const MemberChart& row) { return or_else(row.details.cgroup_title, row.title); }

ChartDefinition classic_apps_chart(const Group& group, const MemberChart& row, const Units& units) {
    const Places& places = group.places;
    bool calls = units.classic.name == std::string_view(units::calls.classic.name), late = row.details.late;
    std::string id = fmt::format("apps.{}", row.id);
    return {.id = id,
            .title = row.title,
            .unit = late    ? units.current
                    : calls ? places.apps_calls
                            : units.classic,
            .family = late ? places.app.family : places.apps.family,
            .context = id,
            .priority = places.apps.priority + or_else(row.details.apps_at, row.at)};
}

ChartDefinition app_chart(const Group& group, const MemberChart& row, const Units& units) {
    std::string title = cgroup_title(row);
    return {.id = row.app_id,
            .title = or_else(row.details.app_title, title + (title.ends_with('.') ? "" : ".")),
            .unit = units.current,
            .family = group.places.app.family,
            .context = fmt::format("app.{}", row.app_id),
            .priority = group.places.app.priority + row.at};
}

ChartDefinition cgroup_chart(const Group& group, const MemberChart& row, const Units& units, bool classic) {
    return {.id = or_else(row.details.cgroup_id, row.id),
            .title = cgroup_title(row),
            .unit = units.current,
            .family = fmt::format("{}{}", group.places.cgroup.family, classic ? " (eBPF)" : ""),
            .context = fmt::format("cgroup.{}", row.context),
            .priority = 40000 + group.places.cgroup.priority + or_else(row.details.cgroup_at, row.at)};
}

ChartDefinition service_chart(const Group& group, const MemberChart& row, const Units& units, bool classic) {
    const Places& places = group.places;
    bool other = classic && places.classic_service_priority;
    return {.id = (classic ? "services." : "") + or_else(row.details.cgroup_id, row.id),
            .title = cgroup_title(row),
            .unit = units.current,
            .family = places.service.family,
            .context = fmt::format("{}.{}", classic ? "services" : "systemd.service", row.context),
            .priority = (other ? places.classic_service_priority : places.service.priority) +
                        or_else(row.details.cgroup_at, row.at)};
}

// Where each has a chart of its own, the id lacks the member.
ChartDefinition definition_of(const Group& group, const MemberChart& row, Audience audience, bool classic) {
    const Units& units = units_of(group, row.details.units, row.counter);
    if (audience == Audience::Containers) return cgroup_chart(group, row, units, classic);
    if (audience == Audience::Services) return service_chart(group, row, units, classic);
    return classic ? classic_apps_chart(group, row, units) : app_chart(group, row, units);
}

}  // namespace

MemberCharts::MemberCharts(Audience audience, const CounterSet& counted, const Config& config, bool labels,
                           const CounterSet& by_syscalls, std::deque<Member>& members, const Counters& missed)
    : audience_(audience),
      together_(config.chart_names == ChartNames::Classic && audience != Audience::Containers),
      obsolete_after_(config.obsolete_after * second),
      labels_(labels),
      members_(members),
      missed_(missed) {
    for (const Group& group : groups)
        for (const MemberChart& row : group.member_charts) {
            Column column{definition_of(group, row, audience, config.chart_names == ChartNames::Classic)};
            column.counter = group.first_counter + row.counter;
            column.and_also = row.details.and_also < 0 ? -1 : group.first_counter + row.details.and_also;
            if (!column.is_in(counted)) continue;
            column.definition.type = audience == Audience::Containers ? "line" : "stacked";
            column.definition.module = group.module;
            column.definition.update_every = config.update_every;
            if (by_syscalls[static_cast<size_t>(column.counter)]) column.definition.labels = {{"source", "syscalls"}};
            const Units& units = units_of(group, row.details.units, row.counter);
            const Dimension& system = dimension_of(group, row.counter);
            column.dimension_id = audience == Audience::Containers ? or_else(row.details.dimension_id, system.id)
                                  : audience == Audience::Apps     ? or_else(row.details.app_dimension, units.dimension)
                                                                   : units.dimension;
            column.dimension_name = audience == Audience::Containers ? system.name : column.dimension_id;
            column.begin = column.definition.begin();
            column.set = set_text(column.dimension_id);
            columns_.push_back(std::move(column));
        }
}

bool MemberCharts::belongs(const Member& member) const {
    if (&member == &members_.front()) return audience_ == Audience::Apps;
    return audience_ == Audience::Apps || member.service == (audience_ == Audience::Services);
}

bool MemberCharts::wanted(Member& member, int64_t now) const {
    bool active = std::exchange(member.active, false);
    if (member.processes || active) member.active_at = now;
    return &member == &members_.front() || (member.active_at && now - member.active_at < obsolete_after_);
}

// The chart of a member's own.
ChartDefinition MemberCharts::chart_of(const Column& column, const Member& member) const {
    const char *prefix = "systemd_", *label = "service_name", *separator = ".";
    if (audience_ == Audience::Apps) prefix = "app.", label = "app_group", separator = "_";
    if (audience_ == Audience::Containers) prefix = "cgroup_", label = "cgroup_name";
    ChartDefinition chart = column.definition;
    chart.id = prefix + member.id + separator + chart.id;
    if (labels_) chart.labels.emplace(chart.labels.begin(), label, in_quotes(member.name));
    return chart;
}

void MemberCharts::publish(Writer& out, Member& member) {
    if (together_) return series_.publish(member, harmless(member.name), longest_name - 8);
    series_.publish(member, id_of(member.name), longest_name);
    Shown shown{&member, {}};
    for (const Column& column : columns_) {
        ChartDefinition chart = chart_of(column, member);
        chart.define(out);
        chart.dimension(out, column.dimension_id, column.dimension_name, {.hidden = member.hidden});
        shown.lines.push_back(chart.begin());
    }
    shown_.push_back(std::move(shown));
}

void MemberCharts::take_away(Writer& out, Member& member) {
    if (!together_) {
        for (const Column& column : columns_) take_away(out, column, member);
        std::erase_if(shown_, [&](const Shown& shown) { return shown.member == &member; });
    }
    series_.retire(member);
}

void MemberCharts::take_away(Writer& out, const Column& column, const Member& member) const {
    ChartDefinition chart = chart_of(column, member);
    chart.obsolete(out);
    chart.dimension(out, column.dimension_id, column.dimension_name, {.hidden = member.hidden});
}

// The charts of all, with their dimensions as they are now, in the order of the members.
void MemberCharts::define_all(Writer& out) {
    shown_.clear();
    for (Member& member : members_)
        if (belongs(member) && member.shown) shown_.push_back({&member, {set_text("'" + member.id + "'")}});
    for (const Column& column : columns_) {
        auto dimension = [&](const std::string& id, ChartDefinition::DimensionOptions options) {
            column.definition.dimension(out, "'" + id + "'", "'" + id + "'", options);
        };
        column.definition.define(out);
        for (const Shown& shown : shown_) dimension(shown.member->id, {.hidden = shown.member->hidden});
        for (const std::string& id : series_.retired_ids()) dimension(id, {.obsolete = true});
    }
}

void MemberCharts::replanned(Writer& out, const CounterSet& counted) {
    for (size_t i = columns_.size(); i-- > 0;) {
        if (columns_[i].is_in(counted)) continue;
        if (together_ && !shown_.empty()) columns_[i].definition.obsolete(out);
        for (Shown& shown : shown_) {
            if (together_) break;
            take_away(out, columns_[i], *shown.member);
            shown.lines.erase(shown.lines.begin() + static_cast<ptrdiff_t>(i));
        }
        columns_.erase(columns_.begin() + static_cast<ptrdiff_t>(i));
    }
}

int64_t MemberCharts::value(const Column& column, const Member& member) const {
    uint64_t n = column.of(member.next());
    if (!member.fresh && &member == &members_.front()) n += column.of(missed_);
    return static_cast<int64_t>(n);
}

void MemberCharts::print(Writer& out, const Tick& tick) {
    bool changed = false;
    for (Member& member : members_) {
        if (!belongs(member) || wanted(member, tick.now) == member.shown) continue;
        changed = true;
        member.shown ? take_away(out, member) : publish(out, member);
    }
    if (together_ && changed) define_all(out);
    if (!tick.elapsed)  // at the very first, all charts of the plugin begin to count from what they say now
        for (Shown& shown : shown_) shown.member->fresh = false;
    print_values(out, tick.elapsed);
    for (Shown& shown : shown_) shown.member->updated();
    series_.updated();
}

void MemberCharts::print_values(Writer& out, int64_t elapsed) const {
    if (together_ && !shown_.empty())
        for (const Column& column : columns_) {
            ChartUpdate update(out, column.begin, elapsed);
            for (const Shown& shown : shown_) update.set(shown.lines[0], value(column, *shown.member));
        }
    if (together_) return;
    for (const Shown& shown : shown_)
        for (size_t i = 0; i < columns_.size(); i++)
            ChartUpdate(out, shown.lines[i], shown.member->fresh ? 0 : elapsed)
                .set(columns_[i].set, value(columns_[i], *shown.member));
}
