#include "net/found_sockets.h"
#include <netinet/in.h>
#include <fstream>

SocketKey key_of(const connection& c) {
    return {c.net_namespace, address_of(c.local), address_of(c.remote), c.local_port, c.remote_port, c.protocol};
}
Traffic traffic_of(const connection& c) {
    return {c.bytes_sent, c.bytes_received, c.packets_sent, c.packets_received, c.retransmits};
}

void FoundSockets::find(SockDiag& sockets) {
    // A UDP socket does not say who spoke first. It is a service if its port is outside ip_local_port_range.
    unsigned first = 32768, last = 60999;
    std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first >> last;
    auto take = [&](const Socket& s) {
        bool fixed_port = s.local_port && (s.local_port < first || s.local_port > last);
        if (s.protocol == IPPROTO_TCP ? s.state == TcpState::Listen : s.state == TcpState::Close && fixed_port)
            add_service(s.net_namespace, s.protocol, s.local_port);
        if (s.tcp) connections_[s] = *s.tcp;
    };
    sockets.begin(every_socket);
    while (sockets.next(take)) {
    }
}

Traffic FoundSockets::moved_by_then(const connection& c) {
    auto found = connections_.find(key_of(c));
    // One that was there but not found: nothing that it did before we saw it is ours to tell.
    if (found == connections_.end()) return c.life & CONNECTION_UNTRACKED ? Traffic{} : traffic_of(c);
    Traffic moved = found->second;
    connections_.erase(found);
    return moved;
}
