#include "netdata/share_charts.h"
#include <fmt/format.h>
#include <algorithm>
#include "base/words.h"

namespace {

constexpr size_t most_known = 1000;  // ids whose charts have gone

// What a name becomes in an id: letters, digits, `_` and `-`.
std::string id_of(const std::string& name) {
    std::string id = name.substr(0, longest_name);
    for (char& c : id)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-') c = '_';
    return id.empty() ? "_" : id;
}

}  // namespace

ShareCharts::ShareCharts(Audience audience, const CounterSet& counted, const Config& config, int update_every,
                         bool labels, const CounterSet& by_syscalls, std::deque<Member>& members)
    : audience_(audience),
      together_(config.chart_names == ChartNames::Classic && audience != Audience::Containers),
      update_every_(update_every),
      obsolete_after_(int64_t{config.obsolete_after} * 1'000'000'000),
      labels_(labels),
      members_(members) {
    bool classic = config.chart_names == ChartNames::Classic;
    for (const Group& group : groups)
        for (const Share& share : group.shares) {
            int counter = group.first_counter + share.counter;
            int also = share.and_also < 0 ? -1 : group.first_counter + share.and_also;
            auto is_counted = [&counted](int c) { return c >= 0 && counted[static_cast<size_t>(c)]; };
            if (!is_counted(counter) && !is_counted(also)) continue;
            Column column{.module = group.module,
                          .counter = counter,
                          .and_also = also,
                          .by_syscalls = by_syscalls[static_cast<size_t>(counter)]};
            switch (audience) {
                case Audience::Apps:
                    column.face = classic ? share.apps : share.app;
                    column.context = fmt::format("{}.{}", classic ? "apps" : "app", column.face.id);
                    column.dimension_id = column.dimension_name = share.app_dimension;
                    break;
                case Audience::Containers:
                    column.face = share.cgroup;
                    column.face.priority += 40000;
                    column.context = fmt::format("cgroup.{}", share.context);
                    column.dimension_id = share.dimension_id;
                    column.dimension_name = share.dimension_name;
                    break;
                case Audience::Services:
                    column.face = share.cgroup;
                    column.face.priority = classic ? share.classic_service_priority : share.service_priority;
                    if (share.service_family) column.face.family = share.service_family;
                    column.context = fmt::format("{}.{}", classic ? "services" : "systemd.service", share.context);
                    column.dimension_id = column.dimension_name = share.service_dimension;
                    break;
            }
            column.family = column.face.family;
            if (classic && audience == Audience::Containers) column.family += " (eBPF)";
            columns_.push_back(std::move(column));
        }
}

bool ShareCharts::belongs(const Member& member) const {
    if (&member == &members_.front()) return audience_ == Audience::Apps;
    return audience_ == Audience::Apps || member.service == (audience_ == Audience::Services);
}

bool ShareCharts::wanted(Member& member, int64_t now) const {
    if (member.processes || member.stirred) member.alive = now;
    member.stirred = false;
    return &member == &members_.front() || (member.alive && now - member.alive < obsolete_after_);
}

// Two names may become the same id.
void ShareCharts::name(Member& member) {
    std::string id = together_ ? quoted(member.name) : id_of(member.name), first = id;
    for (int n = 2; !ids_.insert(id).second; n++)
        id = together_ ? quoted(fmt::format("{}_{}", shortened(member.name, longest_name - 8), n))
                       : fmt::format("{}_{}", first, n);
    member.id = id;
}

std::string ShareCharts::own_id(const Column& column, const Member& member) const {
    switch (audience_) {
        case Audience::Apps: return fmt::format("app.{}_{}", member.id, column.face.id);
        case Audience::Containers: return fmt::format("cgroup_{}.{}", member.id, column.face.id);
        case Audience::Services: return fmt::format("systemd_{}.{}", member.id, column.face.id);
    }
    return "";
}

std::string ShareCharts::own_chart(const Column& column, const Member& member, bool obsolete) const {
    bool app = audience_ == Audience::Apps;
    std::string text = fmt::format("CHART {} '' '{}' '{}' '{}' {} {} {} {} '{}' ebpf.plugin {}\n",
                                   own_id(column, member), column.face.title, column.face.units, column.family,
                                   column.context, audience_ == Audience::Containers ? "line" : "stacked",
                                   column.face.priority, update_every_, obsolete ? "obsolete" : "", column.module);
    if (labels_ && !obsolete) {
        const char* label = app ? "app_group" : audience_ == Audience::Containers ? "cgroup_name" : "service_name";
        text += fmt::format("CLABEL {} {} 1\n", label, quoted(member.name));
        text += column.by_syscalls ? from_syscalls : "CLABEL_COMMIT\n";
    }
    return text + fmt::format("DIMENSION {} {} incremental {} {}{}\n", column.dimension_id, column.dimension_name,
                              column.face.multiplier, column.face.divisor, member.hidden ? " hidden" : "");
}

void ShareCharts::show(Writer& out, Member& member) {
    name(member);
    if (auto known = known_.find(member.id); known != known_.end())  // the agent's totals never fall
        for (size_t c = 0; c < member.before.size(); c++) member.before[c] = known->second[c] - member.sent[c];
    member.shown = true;
    member.retired = false;
    fresh_.insert(&member);
    if (together_) return;
    Own own{&member, {}};
    for (const Column& column : columns_) {
        out << own_chart(column, member, false);
        own.lines.push_back(fmt::format("BEGIN {} ", own_id(column, member)));
    }
    own_.push_back(std::move(own));
}

void ShareCharts::retire(Writer& out, Member& member) {
    member.shown = false;
    member.retired = true;
    member.sent = member.totals;
    if (!together_) {
        for (const Column& column : columns_) out << own_chart(column, member, true);
        std::erase_if(own_, [&](const Own& own) { return own.member == &member; });
    }
    if (known_.size() >= most_known) known_.clear();  // the agent takes a total that begins anew for what it is
    Counters& known = known_[member.id];
    for (size_t c = 0; c < known.size(); c++) known[c] = member.before[c] + member.totals[c];
    leaving_.push_back(std::move(member.id));
    member.id.clear();
}

std::string ShareCharts::chart_of_all(const Column& column, const char* options) const {
    return fmt::format("CHART {}.{} '' '{}' '{}' '{}' {} stacked {} {} {} ebpf.plugin {}\n",
                       audience_ == Audience::Apps ? "apps" : "services", column.face.id, column.face.title,
                       column.face.units, column.family, column.context, column.face.priority, update_every_, options,
                       column.module);
}

// The charts of all, with their dimensions as they are now.
void ShareCharts::define_all(Writer& out) const {
    for (const Column& column : columns_) {
        out << chart_of_all(column, "''");
        if (labels_ && column.by_syscalls) out << from_syscalls;
        for (const Line& line : lines_)
            out << fmt::format("DIMENSION {0} {0} incremental {1} {2}{3}\n", line.member->id, column.face.multiplier,
                               column.face.divisor, line.member->hidden ? " hidden" : "");
        for (const std::string& id : leaving_)
            out << fmt::format("DIMENSION {0} {0} incremental {1} {2} obsolete\n", id, column.face.multiplier,
                               column.face.divisor);
    }
}

void ShareCharts::retire(Writer& out, const CounterSet& counted) {
    for (size_t i = columns_.size(); i-- > 0;) {
        const Column& column = columns_[i];
        if (counted[static_cast<size_t>(column.counter)] ||
            (column.and_also >= 0 && counted[static_cast<size_t>(column.and_also)]))
            continue;
        if (together_ && !lines_.empty()) out << chart_of_all(column, "'obsolete'");
        for (Own& own : own_) {
            out << own_chart(column, *own.member, true);
            own.lines.erase(own.lines.begin() + static_cast<ptrdiff_t>(i));
        }
        columns_.erase(columns_.begin() + static_cast<ptrdiff_t>(i));
    }
}

uint64_t ShareCharts::value(const Column& column, const Member& member, bool is_fresh, const Counters& rest) const {
    if (is_fresh) return column.of(member.before) + column.of(member.sent);
    return column.of(member.before) + column.of(member.totals) + (&member == &members_.front() ? column.of(rest) : 0);
}

void ShareCharts::update(Writer& out, int64_t elapsed, int64_t now, const Counters& rest) {
    fresh_.clear();
    leaving_.clear();
    bool changed = false;
    for (Member& member : members_) {
        if (!belongs(member)) continue;
        bool want = wanted(member, now);
        if (want == member.shown) continue;
        changed = true;
        want ? show(out, member) : retire(out, member);
    }
    if (together_ && changed) {
        lines_.clear();
        for (const Member& member : members_)
            if (belongs(member) && member.shown) lines_.push_back({fmt::format("\nSET {} = ", member.id), &member});
        define_all(out);
    }
    for (const std::string& id : leaving_) ids_.erase(id);  // from now on another of that name may have it
    // At the very first, all charts of the plugin begin to count from what they say now. Later, what a member has done since
    // it appeared is to be seen too: so the agent is told first where it counts from.
    if (!elapsed) fresh_.clear();

    if (together_) {
        if (lines_.empty()) return;
        const char* type = audience_ == Audience::Apps ? "BEGIN apps." : "BEGIN services.";
        for (const Column& column : columns_) {
            out << type << column.face.id << " ";
            if (elapsed) out << elapsed;
            for (const Line& line : lines_)
                out << line.set
                    << static_cast<int64_t>(value(column, *line.member, fresh_.contains(line.member), rest));
            out << "\nEND\n";
        }
        return;
    }
    for (const Own& own : own_) {
        bool is_fresh = fresh_.contains(own.member);
        for (size_t i = 0; i < columns_.size(); i++) {
            out << own.lines[i];
            if (elapsed && !is_fresh) out << elapsed;
            out << "\nSET " << columns_[i].dimension_id << " = "
                << static_cast<int64_t>(value(columns_[i], *own.member, is_fresh, rest)) << "\nEND\n";
        }
    }
}
