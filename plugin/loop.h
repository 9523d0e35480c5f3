// The loop: one thread waits, folds and writes until somebody ends it.
#pragma once
#include "bpf/programs.h"
#include "netdata/agent.h"
#include "who/app_rules.h"

struct Run {
    int update_every = 1;  // seconds
    long ticks = 0;        // updates to print, then end; 0: until told to
    bool watch = false;    // for a person, not for the agent
    Agent agent;           // whom to speak to
};

// Prints the charts, then their values at every multiple of `update_every` of the clock. Returns when it is told to end:
// by SIGTERM, SIGINT, QUIT or the end of standard input, or because nobody reads standard output any more.
void collect(const Config& config, Programs& programs, const Run& run, AppRules rules);
