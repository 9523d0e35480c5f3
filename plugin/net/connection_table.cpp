#include "net/connection_table.h"
#include <fmt/format.h>
#include <netinet/in.h>
#include <algorithm>
#include <cmath>
#include "netdata/function_table.h"

const char connection_table_help[] = "Who speaks with whom by TCP and UDP: bytes, packets, round trip times";

namespace {

const char* name_of(uint8_t protocol) {
    return protocol == IPPROTO_TCP ? "TCP" : protocol == IPPROTO_UDP ? "UDP" : "other";
}

const char* name_of(Direction direction) {
    constexpr const char* names[] = {"inbound", "outbound", "listening"};
    return names[static_cast<int>(direction)];
}

// As ss(8) calls them; a UDP socket has no states but these two.
const char* name_of(TcpState state, uint8_t protocol) {
    if (protocol == IPPROTO_UDP) return state == TcpState::Established ? "connected" : "unconnected";
    constexpr const char* names[] = {"",           "established", "syn-sent", "syn-recv",   "fin-wait-1",
                                     "fin-wait-2", "time-wait",   "closed",   "close-wait", "last-ack",
                                     "listening",  "closing",     "syn-recv"};
    auto number = static_cast<size_t>(state);
    return number < std::size(names) ? names[number] : "";
}

uint64_t bytes_of(const Connection& c) { return c.moved ? c.moved->bytes_sent + c.moved->bytes_received : 0; }

// Of all that tells two apart: a socket of UDP has many peers, a namespace the addresses of another, a row no cookie.
std::string key_of(const Connection& c) {
    return fmt::format("{} {} {}:{} {}:{} {:x}", name_of(c.protocol), c.net_namespace, c.local.text(), c.local_port,
                       c.remote.text(), c.remote_port, c.cookie);
}

template <class Value>
Json cell(const std::optional<Value>& value) {
    return value ? Json(*value) : Json();
}

std::vector<const Connection*> busiest(const std::vector<Connection>& connections) {
    std::vector<const Connection*> all;
    all.reserve(connections.size());
    for (const Connection& c : connections) all.push_back(&c);
    if (all.size() <= most_connections) return all;
    auto end = all.begin() + most_connections;
    std::nth_element(all.begin(), end, all.end(), [](auto* a, auto* b) { return bytes_of(*a) > bytes_of(*b); });
    all.erase(end, all.end());
    return all;
}

}  // namespace

std::string connection_table(const std::vector<Connection>& connections, int update_every) {
    auto users = user_names();
    Json rows = Json::array();
    struct {
        double bytes = 0, packets = 0, retransmits = 0, rtt = 0, age = 0;
    } most;
    auto raise = [](double& to, double value) { to = std::max(to, value); };
    for (const Connection* c : busiest(connections)) {
        Traffic moved = c->moved.value_or(Traffic{});
        TcpCounts tcp = c->tcp.value_or(TcpCounts{});
        auto count = [c](auto n) { return c->moved ? Json(n) : Json(); };
        auto of_tcp = [c](auto n) { return c->tcp ? Json(n) : Json(); };
        raise(most.bytes, static_cast<double>(std::max(moved.bytes_sent, moved.bytes_received)));
        raise(most.packets, std::max(moved.packets_sent, moved.packets_received));
        raise(most.retransmits, tcp.retransmits);
        raise(most.rtt, std::max(tcp.rtt_us, tcp.rtt_variation_us) / 1000.0);
        raise(most.age, c->age.value_or(0));
        rows.push_back({key_of(*c),
                        name_of(c->protocol),
                        name_of(c->state, c->protocol),
                        name_of(c->direction),
                        c->local.text(),
                        c->local_port,
                        c->remote_port ? c->remote.text() : "",
                        c->remote_port ? Json(c->remote_port) : Json(),
                        c->service,
                        c->process,
                        cell(c->tgid),
                        user_name(users, c->uid),
                        c->application,
                        c->cgroup,
                        count(moved.bytes_sent),
                        count(moved.bytes_received),
                        count(moved.packets_sent),
                        count(moved.packets_received),
                        of_tcp(tcp.rtt_us / 1000.0),
                        of_tcp(tcp.rtt_variation_us / 1000.0),
                        of_tcp(tcp.retransmits),
                        c->age ? Json(std::floor(*c->age)) : Json(),
                        std::to_string(c->net_namespace),
                        1});
    }

    Columns columns;
    auto hide = [](Json& column) { column["visible"] = false; };
    auto port = [&](const char* id, const char* name) { columns.number(id, name)["filter"] = "multiselect"; };
    auto time = [&](const char* id, const char* name) -> Json& {
        Json& column = columns.bar(id, name, "ms", most.rtt, 3);
        column["summary"] = "max";
        return column;
    };
    Json& key = columns.text("Connection", "Connection");
    key["unique_key"] = true;
    key["filter"] = "none";
    hide(key);
    columns.text("Protocol", "Protocol");
    columns.text("State", "State");
    columns.text("Direction", "Direction")["visualization"] = "pill";
    columns.text("LocalAddress", "Local address");
    port("LocalPort", "Local port");
    columns.text("RemoteAddress", "Remote address");
    port("RemotePort", "Remote port");
    columns.text("Service", "Service");
    columns.text("Process", "Process")["sticky"] = true;
    columns.number("PID", "PID");
    columns.text("User", "User");
    columns.text("Application", "Application");
    columns.text("Cgroup", "Container or service");
    columns.bar("BytesSent", "Bytes sent", "bytes", most.bytes);
    columns.bar("BytesReceived", "Bytes received", "bytes", most.bytes);
    columns.bar("PacketsSent", "Packets sent", "packets", most.packets);
    columns.bar("PacketsReceived", "Packets received", "packets", most.packets);
    time("RTT", "Round trip time");
    hide(time("RTTVariation", "Round trip time variation"));
    columns.bar("Retransmits", "Retransmits", "packets", most.retransmits);
    columns.duration("Age", "Age", most.age);
    hide(columns.text("Namespace", "Network namespace"));
    hide(columns.bar("Count", "Connections", "connections", 1));

    std::string help = connection_table_help;
    if (connections.size() > rows.size())
        help += fmt::format("; of {} connections the {} with the most bytes", connections.size(), rows.size());
    return text_of(table(table_head(help, update_every), std::move(rows), columns,
                         {.sort = "BytesReceived",
                          .charts = {{"Bytes", {"BytesSent", "BytesReceived"}},
                                     {"Packets", {"PacketsSent", "PacketsReceived"}},
                                     {"Retransmits", {"Retransmits"}},
                                     {"Connections", {"Count"}}},
                          .group_by = {"Application", "RemoteAddress", "Service", "Protocol", "Process", "Direction",
                                       "State", "Cgroup"}}));
}
