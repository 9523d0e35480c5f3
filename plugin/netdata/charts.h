// The charts of the groups: which of them there are on this kernel, and their lines each tick.
#pragma once
#include <string>
#include <vector>
#include "base/config.h"
#include "base/groups.h"
#include "netdata/chart.h"
#include "netdata/collector.h"

// A row of the tables, as the agent is told of it.
ChartDefinition definition_of(const Group& group, const Chart& chart, ChartNames names);

// Those that the row says, else what its counter's name says.
const Units& units_of(const Group& group, const Units& said, int counter);

class Charts : public Collector {
public:
    // A dimension is defined if its counters are counted; a chart, if it has a dimension. `by_syscalls`: the counters that
    // the label `source` tells of. `totals`: what is drawn, as of the last fold.
    Charts(const CounterSet& counted, ChartNames names, int update_every, const CounterSet& by_syscalls,
           const Counters& totals);

    void begin(Writer& out) override;
    void print(Writer& out, const Tick& tick) override;
    void replanned(Writer& out, const CounterSet& counted) override;

    size_t size() const { return shown_.size(); }

private:
    struct ShownDimension {
        const Dimension* row;
        const char* id;
        std::string set;
        int counter, minus;
        int64_t least = 0;  // of a level: what it has been at the lowest; see print()
    };
    struct ShownChart {
        ChartDefinition definition;
        std::string begin;
        std::vector<ShownDimension> dimensions;
    };
    const Counters& totals_;
    std::vector<ShownChart> shown_;
};
