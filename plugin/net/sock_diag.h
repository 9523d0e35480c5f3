// The kernel's own list of TCP and UDP sockets (NETLINK_SOCK_DIAG), of this network namespace or of all.
#pragma once
#include <libmnl/libmnl.h>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>
#include "base/address.h"
#include "base/owner.h"

// The kernel's numbers. A UDP socket is Established if it is connected, else Close.
enum class TcpState : uint8_t {
    Established = 1,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    NewSynReceived,
};

struct Traffic {
    uint64_t bytes_sent = 0, bytes_received = 0;  // payload, each byte once: no SYN, no FIN, no retransmission
    uint32_t packets_sent = 0, packets_received = 0;
    uint32_t retransmits = 0;
};
struct TcpCounts : Traffic {
    uint32_t rtt_us = 0, rtt_variation_us = 0;
};

// One socket's place in the world; local ends tell connections to one service apart.
struct SocketKey {
    uint64_t net_namespace = 0;  // its inode
    Address local, remote;
    uint16_t local_port = 0, remote_port = 0;
    uint8_t protocol = 0;  // IPPROTO_TCP, IPPROTO_UDP
    bool operator==(const SocketKey&) const = default;
};
template <>
struct std::hash<SocketKey> {
    size_t operator()(const SocketKey& key) const {
        return std::hash<Address>()(key.remote) ^ (std::hash<Address>()(key.local) << 1) ^ key.net_namespace ^
               (size_t{key.local_port} << 32 | size_t{key.remote_port} << 48) ^ key.protocol;
    }
};

struct Socket : SocketKey {
    uint8_t family = 0;  // of its addresses: AF_INET too for an IPv6 socket that speaks IPv4
    TcpState state = TcpState::Established;
    uint32_t uid = 0, inode = 0;     // 0 where no process has it any more
    uint64_t cookie = 0;             // 0: unknown
    std::optional<TcpCounts> tcp{};  // not of those that listen or have ended (time wait)
};

Address address_of(const uint32_t (&words)[4]);  // in network order

using EachSocket = std::function<void(const Socket&)>;

// Which are asked for: the bit 1 << TcpState for each state. Those that are only bound have none.
struct SocketStates {
    uint32_t tcp, udp;
};
constexpr uint32_t bit(TcpState state) { return 1U << static_cast<unsigned>(state); }
constexpr SocketStates every_socket{.tcp = (bit(TcpState::NewSynReceived) << 1) - 2,
                                    .udp = bit(TcpState::Established) | bit(TcpState::Close)};

// What one packet of the kernel's says. Malformed messages are passed over.
struct SocketAnswer {
    bool ended = false;        // nothing follows
    bool interrupted = false;  // the list changed meanwhile: some may be missing
    int error = 0;             // why it ended early
};
SocketAnswer parse_sockets(std::span<const std::byte> packet, uint32_t sequence, uint8_t protocol,
                           uint64_t net_namespace, const EachSocket& each);

class SockDiag {
public:
    explicit SockDiag(std::string proc = "/proc") : proc_(std::move(proc)) {}

    // A walk over the list goes in pieces, of a hundred sockets or so, so that other work can go on between them. The
    // kernel's list changes meanwhile: a socket may be told twice (its cookie is the same), and that one is not told
    // does not mean that it is gone. A piece takes 0.1 ms; a namespace with few sockets where others have many, more: the
    // kernel passes over all of theirs at once, 100,000 in 13 ms.
    void begin(SocketStates states);  // in all namespaces that have a process; a walk that is under way is dropped
    // The same of our own and these namespaces (by inode), each known by a process in it: looks at no other process.
    void begin(SocketStates states, const std::map<uint64_t, uint32_t>& processes);
    bool next(const EachSocket& each);  // one piece; false: there is no more

private:
    struct Channel {  // a socket of netlink's belongs to the namespace in which it was made, and keeps that alive
        std::unique_ptr<mnl_socket, Destroy<mnl_socket_close>> socket;
        uint64_t net_namespace;
    };
    struct Namespace {
        uint64_t inode;
        std::string path;
    };

    uint64_t begin_with_own(SocketStates states);  // answers which that is
    std::vector<Namespace> other_namespaces(uint64_t own);
    int open_channel(uint64_t net_namespace);  // 0, or why not
    void enter(const std::vector<Namespace>& namespaces);
    int ask();
    void ended(int error);
    void leave_namespace();
    void left_out(const std::string& complaint);

    const std::string proc_;
    std::set<std::string> said_;
    SocketStates states_{};
    std::vector<Channel> channels_;  // the last is read
    size_t question_ = 0;            // of those that are put to each
    bool asked_ = false, interrupted_ = false;
    int repeated_ = 0;
    uint32_t sequence_ = 0;
    std::vector<std::byte> packet_;
};
