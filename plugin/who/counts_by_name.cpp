#include "who/counts_by_name.h"
#include <algorithm>
#include <utility>
#include <vector>

namespace {

// Calls and errors: bytes say nothing about how often something was done.
uint64_t calls_in(const Counters& counts) {
    static const CounterSet are_bytes = [] {
        CounterSet set;
        for (size_t c = 0; c < set.size(); c++) set[c] = counter_name(static_cast<int>(c)).ends_with(" bytes");
        return set;
    }();
    uint64_t calls = 0;
    for (size_t c = 0; c < counts.size(); c++) calls += are_bytes[c] ? 0 : counts[c];
    return calls;
}

}  // namespace

void CountsByName::add(std::string_view name, int counter, uint64_t n) {
    rows_[std::string(name)][static_cast<size_t>(counter)] += n;
    if (rows_.size() > most_names) merge_smaller_half();
}

void CountsByName::merge_smaller_half() {
    std::vector<std::pair<uint64_t, std::string>> by_calls;
    for (const auto& [name, counts] : rows_)
        if (name != rest) by_calls.emplace_back(calls_in(counts), name);
    auto middle = by_calls.begin() + most_names / 2;
    std::nth_element(by_calls.begin(), middle, by_calls.end());
    for (auto smaller = by_calls.begin(); smaller != middle; ++smaller) {
        Counters counts = rows_.extract(smaller->second).mapped();
        for (size_t c = 0; c < counts.size(); c++) rows_[rest][c] += counts[c];
    }
}
