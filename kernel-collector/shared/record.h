// Records: what the kernel side tells once, through the ring buffer `records`. Each begins with the same head. Read by clang
// (BPF C) and by g++.
#pragma once
#include "shared/connection.h"

struct record {
    __u16 type;    // RECORD_…
    __u16 bytes;   // of all of it
    __u32 tgid;    // the process that it is about
    __u64 at;      // ns of CLOCK_MONOTONIC
    __u64 cgroup;  // of the process, its id in the v2 hierarchy
};

struct full {  // a table is half used: fold
    struct record head;
};
struct listening {  // a TCP port has a listener
    struct record head;
    __u32 net_namespace;
    __u32 port;
};
struct moved {  // the process is in another cgroup now
    struct record head;
};
#define COMMAND_BYTES 480
struct executed {  // the process executes another program
    struct record head;
    __u64 since;          // of the slot that was claimed for it
    __u32 command_bytes;  // of the command line; it is cut off at COMMAND_BYTES
    __u32 unused;
    char command[COMMAND_BYTES];
};
struct ended {  // a connection has ended and had no row
    struct record head;
    __u64 connection[sizeof(struct connection) / sizeof(__u64)];  // a struct connection; the ring aligns to 8 bytes only
};

#define RECORDS(RECORD) RECORD(full) RECORD(listening) RECORD(moved) RECORD(executed) RECORD(ended)
#define RECORD_TYPE(name) RECORD_##name,
enum { RECORDS(RECORD_TYPE) RECORD_TYPES };
