// A connection, found by its socket. Read by clang (BPF C) and by g++.
#pragma once
#include "shared/table.h"

// Of TCP a row has what the socket says of itself, written by whoever uses it; of UDP sums, added atomically. The tag is
// CONNECTION_CLAIMED; the row is retired when the connection has ended. A socket has one row. A UDP socket that sends to
// many has further rows, one for each peer (CONNECTION_PEER).
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

// Key of a row; the peer is all zero but for a peer's own row. With cookies: open addressing on its hash. Without them a
// kernel hash map has it: addresses are reused at once, and probes would hit the rows just retired.
struct end {
    __be32 address[4];
    __u16 port, unused;
};
struct connection_key {
    __u64 socket;
    struct end peer;
    __u32 unused;
};

#define CONNECTION_KNOWN 1     // the row is filled
#define CONNECTION_OUTBOUND 2  // it was seen to connect, or to send first
#define CONNECTION_INBOUND 4   // it was seen to be accepted, or to receive first; neither: it was there before
#define CONNECTION_PEER 8
#define CONNECTION_UNTRACKED 16  // it has no row; this is what its end says of it
