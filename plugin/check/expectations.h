// What each operation of the workload adds to each counter: expected.tsv, taken apart.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "base/groups.h"

enum class Amount { Calls, Failed, Bytes, None, Any };  // Any: it moves, but nobody says by how much

struct Expectation {
    std::string_view operation;
    int counter;
    Amount amount;
    std::optional<bool> by_syscalls{};  // holds only where the counter is counted at the end of system calls, or is not
    int hook = -1;                      // holds only where this is attached
};

struct Expectations {
    std::vector<Expectation> rows;
    CounterSet others{};  // counted for nobody in particular: other programs' events may be among them
    CounterSet lossy{};   // the kernel leaves a few out now and then
    int ends = -1;        // the counter of ended tasks; while others' move it, `others` may have some of theirs
    CounterSet late{};    // comes up to `ends` a while later

    bool can_try(int counter) const;  // a row says by how much it moves
};

// Throws std::invalid_argument, which names the line and what is wrong with it. The result points into the table.
Expectations read_expectations(std::string_view table);

std::string_view expected_table();
