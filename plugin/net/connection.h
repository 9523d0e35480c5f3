// A connection as people are shown it: in the Function `ebpf-connections` and by `--watch`.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include "base/address.h"
#include "net/sock_diag.h"

enum class Direction : uint8_t { Inbound, Outbound, Listening };

// What is not known stays empty, and is shown so.
struct Connection {
    uint8_t protocol = 0;  // IPPROTO_TCP, IPPROTO_UDP
    TcpState state = TcpState::Established;
    Direction direction = Direction::Outbound;
    Address local, remote;
    uint16_t local_port = 0, remote_port = 0;  // remote_port 0: nobody is at the other end
    std::string service;                       // the name of the port that tells what it is for
    std::string process;
    std::optional<uint32_t> tgid, uid;
    std::string application, cgroup;
    std::optional<uint64_t> bytes_sent, bytes_received, packets_sent, packets_received, retransmits;
    std::optional<uint32_t> rtt_us, rtt_variation_us;
    std::optional<double> age;  // seconds
    uint64_t net_namespace = 0;
    uint64_t cookie = 0;  // 0: unknown
};
