// What processes have counted, added up by their names.
#pragma once
#include <string>
#include <unordered_map>
#include <utility>
#include "base/groups.h"

// Whoever starts processes chooses their names, so the number of names is bounded: beyond it, those with the fewest calls
// are added up under `rest`. No count is lost.
class CountsByName {
public:
    static constexpr size_t most_names = 1000;
    static constexpr char rest[] = "(others)";

    using Rows = std::unordered_map<std::string, Counters>;

    void add(std::string_view name, int counter, uint64_t n);
    Rows take() { return std::exchange(rows_, {}); }  // all since the last time

private:
    void merge_smaller_half();

    Rows rows_;
};
