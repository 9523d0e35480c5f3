// The memory that the programs in the kernel and the plugin share. Read by clang (BPF C) and by g++.
#pragma once
#include <linux/types.h>
#include "groups.h"

// One a thread: what it has done since its slot was claimed. Only the thread itself adds to it; only the plugin frees it.
// The tag is the thread's id; SLOT_RETIRED is added to it by the thread's exit, exec or move to another cgroup, after
// which the thread leaves the slot alone (its release is still noted there, by whoever waited for it); 0 is a free slot.
#define SLOT_RETIRED 0x80000000u
struct note {  // what a hook's call body leaves for its return body
    __u64 flag;
    __u64 socket, message;  // addresses
};
struct slot {
    __u32 tag;
    __u32 tgid;
    __u64 counters[COUNTERS];
    __u64 in_call;  // a bit a hook that is probed at entry and at return: entered, not yet returned
    __u64 again;    // likewise: entered while in a call
    struct note note;
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

// A dirty byte says which cache lines of its slot changed: a bit a line, the last bit for all lines from there on.
#define LINE_WORDS 8
#define LINE_OF(counter) (((counter) + 1) / LINE_WORDS > 7 ? 7 : ((counter) + 1) / LINE_WORDS)

// Slots are found by open addressing from SLOT_HASH(tid) >> shift.
#define SLOT_PROBES 8
#define SLOT_HASH(tid) ((__u32)(tid) * 2654435761u)

// A connection, found by its socket: of TCP what the socket says of itself, written by whoever uses it; of UDP sums, added
// atomically. The tag is CONNECTION_CLAIMED, with SLOT_RETIRED added to it when the connection has ended; only the plugin
// frees a row. A socket has one row; but a UDP socket that sends to many has further rows, one for each
// (CONNECTION_FURTHER), found by the other end too.
#define CONNECTION_CLAIMED 1
struct connection {
    __u32 tag;
    __u32 life;             // CONNECTION_…; set last, so that the plugin may look once it is not 0
    __u64 socket;           // its cookie (SO_COOKIE), or what stands for it
    __be32 remote[4];       // IPv4 as ::ffff:a.b.c.d; all zero: of a UDP service, whoever it talks to
    __be32 local[4];
    __u16 remote_port, local_port;
    __u8 protocol;          // IPPROTO_…
    __u8 unused[3];
    __u32 net_namespace;    // its inode number
    __u32 tgid;             // who first used it; 0: nobody yet
    __u64 cgroup;           // whose id in the v2 hierarchy is this
    __u64 since;            // ns of CLOCK_MONOTONIC, when the row was claimed
    __u64 bytes_sent, bytes_received;  // payload
    __u32 packets_sent, packets_received;
    __u32 retransmits;
    __u32 unused_too;
} __attribute__((aligned(64)));

// By what a row is found; the other end is all zero but for further rows. Where sockets have numbers that are never used
// twice, by open addressing from a hash of it; elsewhere a hash map of the kernel's has it, for the same address is often
// another socket's next: all would begin to look at the same place, where the rows of those that have ended still are.
struct end {
    __be32 address[4];
    __u16 port, unused;
};
struct connection_key {
    __u64 socket;
    struct end further;
    __u32 unused;
};

#define CONNECTION_KNOWN 1     // the row is filled
#define CONNECTION_OUTBOUND 2  // it was seen to connect, or to send first
#define CONNECTION_INBOUND 4   // it was seen to be accepted, or to receive first; neither: it was there before
#define CONNECTION_FURTHER 8
#define CONNECTION_UNNOTED 16  // it has no row; this is what is told of it when it ends

// Written by the plugin before the programs are loaded, constant to the verifier.
struct settings {
    __u32 slot_mask;                 // slots - 1; they are a power of 2
    __u32 slot_shift;                // 32 - log2(slots)
    __u32 wake_at;                   // used slots at which the plugin is to fold before its time
    __u8 returns;                    // load mode `return`: count errors
    __u8 identities;                 // somebody asks who it was: tell of each process as it starts and executes
    __u8 commands;                   // and with which command line
    __u8 reads_memory;               // programs may, by helpers: not under lockdown's confidentiality
    __u8 counting[HOOKS];            // the hook's group is on
    __u8 arguments[HOOKS];           // how many the hooked function has: the result follows them
    __u8 paired[HOOKS];              // probed at entry and at return
    __u8 by_event[HOOKS];            // counted by the tracepoint that stands for its function
    __u8 by_call[HOOKS];             // counted at the end of each system call that moves data by a socket of its kind
    __u32 connection_mask;           // likewise of the connections
    __u32 connection_shift;
    __u32 connections_wake_at;
};

// What the plugin is told through the ring buffer `news`; the sizes tell one from the other. A whole struct connection: one
// that has ended and found no row.
struct full_news {      // half of the slots or of the connections are in use: fold
    __u32 unused;
};
struct listening_news { // a TCP port has a listener
    __u32 net_namespace;
    __u32 port;
};
struct moved_news {     // a process is in another cgroup now
    __u32 tgid;
    __u32 unused;
    __u64 cgroup;
};
#define COMMAND_BYTES 480
struct executed_news {  // a process executes another program
    __u32 tgid;
    __u32 bytes;        // of the command line; it is cut off at COMMAND_BYTES
    __u64 since;        // of the slot that was claimed for it
    char command[COMMAND_BYTES];
};

// Events that have no slot of their own, added atomically.
struct state {
    __u64 unattributed[COUNTERS];    // by tasks other than the one they are about, or with no row left anywhere
    __u64 lost_results[HOOKS];       // calls whose return was not seen (kretprobe out of instances)
    __u64 claimed;                   // slots ever claimed
    __u64 freed;                     // slots ever freed, by the plugin
    __u64 overflowed;                // events counted in the overflow table for want of a slot
    __u64 late;                      // events counted there because their thread had already exited
    __u64 connections_claimed, connections_freed;
    __u64 connections_unnoted;       // events of connections that found no row
    __u64 connections_lost;          // connections that ended without a row and with no room in `news`
    __u32 asked;                     // the plugin has been asked to fold
    __u32 complete;                  // all programs are attached: a return goes with its call
};
