// The charts of the groups: which of them there are on this kernel, and their lines each tick.
#pragma once
#include <string>
#include <vector>
#include "base/config.h"
#include "base/groups.h"
#include "netdata/chart.h"

// A row of the tables, as the agent is told of it.
ChartDefinition definition_of(const Group& group, const Chart& chart, ChartNames names);

// Those that the row says, else what its counter's name says.
const Units& units_of(const Group& group, const Units& said, int counter);

class Charts {
public:
    // A dimension is defined if its counters are counted; a chart, if it has a dimension. `by_syscalls`: the counters that
    // the label `source` tells of.
    Charts(const CounterSet& counted, ChartNames names, int update_every, const CounterSet& by_syscalls);

    void define(Writer& out) const;

    // Takes away those that show nothing of what is still counted.
    void retire(Writer& out, const CounterSet& counted);

    // elapsed: microseconds since the last update, 0 for the first.
    void update(Writer& out, const Counters& totals, int64_t elapsed);

    size_t size() const { return shown_.size(); }

private:
    struct ShownDimension {
        const Dimension* row;
        const char* id;
        std::string set;
        int counter, minus;
        int64_t least = 0;  // of a level: what it has been at the lowest; see update()
    };
    struct ShownChart {
        ChartDefinition definition;
        std::string begin;
        std::vector<ShownDimension> dimensions;
    };
    std::vector<ShownChart> shown_;
};
