// What was there before us: the connections with what they had moved by then, and the ports that somebody serves.
#pragma once
#include <set>
#include <tuple>
#include <unordered_map>
#include "net/connections.h"

SocketKey key_of(const connection& c);
Traffic traffic_of(const connection& c);

class FoundSockets {
public:
    // Walks the kernel's list once, in all network namespaces.
    void find(SockDiag& sockets);

    // What that connection had moved when it was found; nothing if it began later. Told once.
    Traffic moved_by_then(const connection& c);

    bool is_inbound(const connection& c) const {
        return is_service(c.net_namespace, c.protocol, c.local_port) || c.life & CONNECTION_INBOUND;
    }
    bool is_service(uint64_t net_namespace, uint8_t protocol, uint16_t port) const {
        return services_.contains({net_namespace, protocol, port});
    }
    void add_service(uint64_t net_namespace, uint8_t protocol, uint16_t port) {
        services_.insert({net_namespace, protocol, port});
    }

private:
    std::unordered_map<SocketKey, Traffic> connections_;
    std::set<std::tuple<uint64_t, uint8_t, uint16_t>> services_;
};
