// The loop: one thread waits, folds and writes until somebody ends it.
#pragma once
#include "bpf.h"

struct Run {
    bool functions = false;  // the agent takes FUNCTION
    int update_every = 1;    // seconds
    long ticks = 0;          // updates to print, then end; 0: until told to
    bool labels = true;      // the agent takes CLABEL
    bool self = true;        // with the charts about the plugin itself
};

// Prints the charts, then their values at every multiple of `update_every` of the clock. Returns when it is told to end:
// by SIGTERM, SIGINT, QUIT or the end of standard input, or because nobody reads standard output any more.
void collect(const Config& config, Programs& programs, const Run& run);

// From here on the signals that end the plugin wait until collect() looks for them.
void hold_signals();
