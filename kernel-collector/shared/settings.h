// What the plugin sets before the programs are loaded, and what they and the plugin both count. Read by clang (BPF C) and by
// g++.
#pragma once
#include "shared/record.h"
#include "shared/slot.h"

struct settings {  // constant to the verifier
    struct table_size tables[TABLE_COUNT];
    __u8 returns;            // load mode `return`: count errors
    __u8 identities;         // somebody asks who it was: note each process as it starts and executes
    __u8 commands;           // and send its command line
    __u8 reads_memory;       // programs may, by helpers: not under lockdown's confidentiality
    __u8 counting[HOOKS];    // the hook's group is on
    __u8 arguments[HOOKS];   // how many the hooked function has: the result follows them
    __u8 paired[HOOKS];      // its call and its return are seen by a program each
    __u8 notes;              // hooks of these that leave something for their return
    __u8 note_of[HOOKS];     // the number of such a hook among them
    __u8 by_event[HOOKS];    // counted by the tracepoint that stands for its function
    __u8 by_call[HOOKS];     // counted at the end of each system call that moves data by a socket of its kind
};

// Events that have no row of their own, added atomically.
struct state {
    __u64 unattributed[COUNTERS];     // by tasks other than the one they are about, or with no row left anywhere
    __u64 lost_results[HOOKS];        // calls whose return was not seen (kretprobe out of instances)
    __u64 lost_records[RECORD_TYPES]; // that found no room in the ring
    struct table_use tables[TABLE_COUNT];
    __u64 late;                       // events counted by process because their thread had already exited
    __u32 asked;                      // the plugin has been asked to fold
    __u32 complete;                   // all programs are attached: a return goes with its call
};
