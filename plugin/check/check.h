// The self test: a separate program makes a known number of system calls, and each counter must say the same.
#pragma once
#include "bpf/programs.h"

// Prints one line a counter: what was made, what was counted, how it was attached. What is expected comes from the
// results of the system calls themselves. Returns whether all of them agree: counted + reported missed = made.
bool check_counters(const Config& config, Programs& programs);

// Prints, for each operation of the workload, how much one call adds to each counter; tab-separated, for documentation.
bool print_what_counts(const Config& config, Programs& programs);
