// The charts of applications, containers and services: for each its share of the system's counts.
#pragma once
#include <deque>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>
#include "base/config.h"
#include "netdata/member.h"
#include "netdata/writer.h"

enum class Audience { Apps, Containers, Services };

class ShareCharts {
public:
    // Those of the members that belong to the audience have charts while they have processes, and `obsolete after` seconds
    // more. The first member is the rest, which has them always if it is an application.
    ShareCharts(Audience audience, const CounterSet& counted, const Config& config, int update_every, bool labels,
                const CounterSet& by_syscalls, std::deque<Member>& members);

    // elapsed: microseconds since the last update, 0 for the first; now: ns of CLOCK_MONOTONIC; rest: what the first member
    // is given in addition.
    void update(Writer& out, int64_t elapsed, int64_t now, const Counters& rest);

    // Takes away the charts of what is no longer counted.
    void retire(Writer& out, const CounterSet& counted);

private:
    struct Column {  // a share's chart, or its charts
        Face face;
        std::string family, context, module, dimension_id, dimension_name;
        int counter, and_also;
        bool by_syscalls;

        uint64_t of(const Counters& counters) const {
            return counters[static_cast<size_t>(counter)] +
                   (and_also < 0 ? 0 : counters[static_cast<size_t>(and_also)]);
        }
    };
    struct Line {  // in a chart of them all
        std::string set;
        const Member* member;
    };
    struct Own {  // the charts of a member
        const Member* member;
        std::vector<std::string> lines;  // up to the value; a column each
    };

    bool belongs(const Member& member) const;
    bool wanted(Member& member, int64_t now) const;
    void name(Member& member);
    void show(Writer& out, Member& member);
    void retire(Writer& out, Member& member);
    std::string own_id(const Column& column, const Member& member) const;
    std::string own_chart(const Column& column, const Member& member, bool obsolete) const;
    std::string chart_of_all(const Column& column, const char* options) const;
    void define_all(Writer& out) const;
    uint64_t value(const Column& column, const Member& member, bool fresh, const Counters& rest) const;

    const Audience audience_;
    const bool together_;  // one chart for all of them, a dimension each
    const int update_every_;
    const int64_t obsolete_after_;
    const bool labels_;
    std::deque<Member>& members_;
    std::vector<Column> columns_;
    std::set<std::string> ids_;
    std::set<const Member*> fresh_;                    // of this update: the agent is told first where they count from
    std::vector<std::string> leaving_;                 // ids
    std::unordered_map<std::string, Counters> known_;  // what the agent knew of those that have gone
    std::vector<Line> lines_;
    std::vector<Own> own_;
};
