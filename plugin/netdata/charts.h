// The charts of the groups: which of them there are on this kernel, and their lines each tick.
#pragma once
#include <string>
#include <vector>
#include "base/config.h"
#include "base/groups.h"
#include "netdata/writer.h"

class Charts {
public:
    // A dimension is defined if its counters are counted; a chart, if it has a dimension. `source` is what the label
    // `source` says, "" for no label.
    Charts(const CounterSet& counted, ChartNames names, int update_every, const CounterSet& by_syscalls);

    void define(Writer& out) const;

    // Takes away those that show nothing of what is still counted.
    void retire(Writer& out, const CounterSet& counted);

    // elapsed: microseconds since the last update, 0 for the first.
    void update(Writer& out, const Counters& totals, int64_t elapsed);

    size_t size() const { return shown_.size(); }

private:
    struct ShownDimension {
        std::string set;  // "\nSET id = "
        int counter, minus;
        int64_t least = 0;  // of a level: what it has been at the lowest; see update()
    };
    struct ShownChart {
        std::string chart, module;  // the line CHART, but for its options
        std::string definitions;    // of labels and dimensions
        std::string begin;          // "BEGIN id "
        std::vector<ShownDimension> dimensions;
    };
    std::vector<ShownChart> shown_;
};
