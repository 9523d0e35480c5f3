// The loop: one thread waits, folds and writes until somebody ends it.
#pragma once
#include "netdata/collector.h"

struct Run {
    int update_every = 1;  // seconds
    long ticks = 0;        // updates to print, then end; 0: until told to
    bool at_once = false;  // a first update that does not count is printed at the start
};

// Prints what begin() has to say, then an update at every multiple of `update_every` of the clock. Gives up all rights that
// no collector needs. Returns when it is told to end, by a signal or a collector, or because nobody reads standard output
// any more.
void run_loop(Collectors& collectors, const Run& run);
