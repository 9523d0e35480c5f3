// The slot: what a thread has done since it was claimed. Read by clang (BPF C) and by g++.
#pragma once
#include "groups.h"
#include "shared/table.h"

#define HOOK_WORDS ((HOOKS + 63) / 64)  // a bit a hook

// Only the thread itself adds to its slot. The tag is the thread's id; it is retired by the thread's exit, exec or move to
// another cgroup. The thread's release is still noted there, by whoever waited for it.
struct slot {
    __u32 tag;
    __u32 tgid;
    __u64 counters[COUNTERS];
    __u64 in_call[HOOK_WORDS];  // of hooks that are probed at entry and at return: entered, not yet returned
    __u64 again[HOOK_WORDS];    // likewise: entered while in a call
    char comm[16];
    __u64 since;    // when it was claimed, ns of CLOCK_MONOTONIC
    __u64 cgroup;   // the id of the thread's cgroup in the v2 hierarchy then
    __u32 parent;   // the process that started this one, if the slot was claimed at the start or the exec, else 0
    __u32 life;     // LIFE_…
} __attribute__((aligned(64)));

#define LIFE_BORN 1      // claimed when the process was started, by its parent
#define LIFE_EXECUTED 2  // claimed when the process executed another program
#define LIFE_EXITED 4    // retired by the thread's exit
#define LIFE_RELEASED 8  // and its parent has waited for it

#define LINE_OF(counter) LINE_OF_WORD((counter) + 1)  // the tag and the process's id are the first word

// What the call of a hook leaves for its return, where a program each sees them: one for each slot and such hook.
struct note {
    __u64 flag;
    __u64 socket, message;  // addresses
    __u32 tid;              // whose it is; 0: nothing is left
    __u32 unused;
};
