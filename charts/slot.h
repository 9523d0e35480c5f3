// The memory that the programs in the kernel and the plugin share. Read by clang (BPF C) and by g++.
#pragma once
#include <linux/types.h>
#include "groups.h"

// One a thread: what it has done since its slot was claimed. Only the thread itself adds to it; only the plugin frees it.
// The tag is the thread's id; SLOT_RETIRED is added to it by the thread's exit or exec, after which the thread leaves
// the slot alone; 0 is a free slot.
#define SLOT_RETIRED 0x80000000u
struct slot {
    __u32 tag;
    __u32 tgid;
    __u64 counters[COUNTERS];
    __u64 in_call;  // a bit a hook that is probed at entry and at return: entered, not yet returned
    __u64 again;    // likewise: entered while in a call
    __u64 note;     // what a call body leaves there for its return body
    char comm[16];
} __attribute__((aligned(64)));

// A dirty byte says which cache lines of its slot changed: a bit a line, the last bit for all lines from there on.
#define LINE_WORDS 8
#define LINE_OF(counter) (((counter) + 1) / LINE_WORDS > 7 ? 7 : ((counter) + 1) / LINE_WORDS)

// Slots are found by open addressing from SLOT_HASH(tid) >> shift.
#define SLOT_PROBES 8
#define SLOT_HASH(tid) ((__u32)(tid) * 2654435761u)

// Written by the plugin before the programs are loaded, constant to the verifier.
struct settings {
    __u32 slot_mask;                 // slots - 1; they are a power of 2
    __u32 slot_shift;                // 32 - log2(slots)
    __u32 wake_at;                   // used slots at which the plugin is to fold before its time
    __u8 returns;                    // load mode `return`: count errors
    __u8 counting[HOOKS];            // the hook's group is on
    __u8 arguments[HOOKS];           // how many the hooked function has: the result follows them
    __u8 paired[HOOKS];              // probed at entry and at return
};

// Events that have no slot of their own, added atomically.
struct state {
    __u64 unattributed[COUNTERS];    // by tasks other than the one they are about, or with no row left anywhere
    __u64 lost_results[HOOKS];       // calls whose return was not seen (kretprobe out of instances)
    __u64 claimed;                   // slots ever claimed
    __u64 freed;                     // slots ever freed, by the plugin
    __u64 overflowed;                // events counted in the overflow table for want of a slot
    __u64 late;                      // events counted there because their thread had already exited
    __u32 asked;                     // the plugin has been asked to fold
    __u32 complete;                  // all programs are attached: a return goes with its call
};
