// What processes have counted, added up by their names.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>
#include "base/groups.h"

// Whoever starts processes chooses their names, so the number of names is bounded: beyond it, those with the fewest calls
// are added up under `rest`. No count is lost.
class CountsByName {
public:
    static constexpr size_t most_names = 1000;
    static constexpr char rest[] = "(others)";

    struct Row {
        std::string name;
        Counters counts;
    };

    void add(std::string_view name, int counter, uint64_t n);
    std::vector<Row> take();  // all since the last time, in no order

private:
    void merge_smaller_half();

    std::unordered_map<std::string, Counters> rows_;
};
