// The charts of applications, containers and services: what each has counted of the system's.
#pragma once
#include <deque>
#include <string>
#include <vector>
#include "base/config.h"
#include "netdata/charts.h"
#include "netdata/member.h"

enum class Audience { Apps, Containers, Services };

class MemberCharts : public Collector {
public:
    // Those of the members that belong to the audience have charts while they have processes, and `obsolete after` seconds
    // more. The first member is the rest, which has them always if it is an application, and is given `missed` in addition.
    MemberCharts(Audience audience, const CounterSet& counted, const Config& config, bool labels,
                 const CounterSet& by_syscalls, std::deque<Member>& members, const Counters& missed);

    void print(Writer& out, const Tick& tick) override;
    void replanned(Writer& out, const CounterSet& counted) override;

private:
    struct Column {  // a counter's chart, or its charts
        ChartDefinition definition;
        std::string dimension_id{}, dimension_name{}, begin{}, set{};
        int counter = 0, and_also = -1;

        bool is_in(const CounterSet& counted) const {
            return counted[static_cast<size_t>(counter)] || (and_also >= 0 && counted[static_cast<size_t>(and_also)]);
        }
        uint64_t of(const Counters& counters) const {
            return counters[static_cast<size_t>(counter)] +
                   (and_also < 0 ? 0 : counters[static_cast<size_t>(and_also)]);
        }
    };
    struct Shown {
        Member* member;
        std::vector<std::string> lines;  // up to the value: one, or one for each column
    };

    bool belongs(const Member& member) const;
    bool wanted(Member& member, int64_t now) const;
    void publish(Writer& out, Member& member);
    void take_away(Writer& out, Member& member);
    void take_away(Writer& out, const Column& column, const Member& member) const;
    ChartDefinition chart_of(const Column& column, const Member& member) const;
    void define_all(Writer& out);
    void print_values(Writer& out, int64_t elapsed) const;
    int64_t value(const Column& column, const Member& member) const;

    const Audience audience_;
    const bool together_;  // one chart for all of them, a dimension each
    const int64_t obsolete_after_;
    const bool labels_;
    std::deque<Member>& members_;
    const Counters& missed_;
    std::vector<Column> columns_;
    SeriesSet<Member> series_;
    std::vector<Shown> shown_;
};
