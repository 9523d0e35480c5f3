// What the benchmarks' programs and the benchmarks share. Read by clang (BPF C) and by g++.
#pragma once
#include <linux/types.h>

// Constant to the verifier.
struct bench {
    __u32 option;  // the unknown prctl(2) that is this process's event; those of others are passed over
    __u16 port;    // of the TCP server whose clients are counted, in network byte order
};

// Where the thread's id comes from in keys.bpf.c.
struct keys {
    __u32 events;  // of one run
    __u32 first;
    __u32 mask;    // keys - 1; they are a power of 2
    __u32 random;  // spread at random over the keys, else one after the other
    __u32 bytes;   // of each event
};

#define WATCHED_TICKS 64
struct watched {
    __u32 tgid;
    __u32 calls;  // since the last tick
    __u32 ticks;
    __u32 per_tick[WATCHED_TICKS];  // system calls, up to and with the write(2) to standard output
};
