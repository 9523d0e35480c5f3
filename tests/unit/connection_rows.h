// Connections as the programs in the kernel write them, in plain memory.
#pragma once
#include <netinet/in.h>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>
#include "base/address.h"
#include "net/connections.h"

struct End {
    std::string address;
    uint16_t port = 0;
};

inline void PrintTo(const Traffic& t, std::ostream* out) {
    *out << t.bytes_sent << " " << t.bytes_received << " " << t.packets_sent << " " << t.packets_received << " "
         << t.retransmits;
}
inline bool operator==(const Traffic& a, const Traffic& b) {
    return a.bytes_sent == b.bytes_sent && a.bytes_received == b.bytes_received && a.packets_sent == b.packets_sent &&
           a.packets_received == b.packets_received && a.retransmits == b.retransmits;
}

inline connection connection_of(uint8_t protocol, const End& local, const End& remote, uint32_t life) {
    connection c{};
    auto set = [](__be32(&words)[4], const std::string& text) {
        if (text.empty()) return;  // nobody knows
        auto address = Address::parse(text);
        if (!address) throw std::invalid_argument(text);
        std::memcpy(words, address->bytes.data(), sizeof words);
    };
    set(c.local, local.address);
    set(c.remote, remote.address);
    c.local_port = local.port;
    c.remote_port = remote.port;
    c.protocol = protocol;
    c.net_namespace = 1;
    c.life = life;
    return c;
}

constexpr uint32_t seen_to_connect = CONNECTION_KNOWN | CONNECTION_OUTBOUND;
constexpr uint32_t seen_to_be_accepted = CONNECTION_KNOWN | CONNECTION_INBOUND;

inline connection tcp_connection(const End& local, const End& remote, uint32_t life = seen_to_connect) {
    return connection_of(IPPROTO_TCP, local, remote, life);
}
inline connection udp_connection(const End& local, const End& remote, uint32_t life = seen_to_connect) {
    return connection_of(IPPROTO_UDP, local, remote, life);
}

// The table, with the kernel's side of its protocol.
class ConnectionRows {
public:
    explicit ConnectionRows(size_t count) : rows(count), dirty_(count / 8) {}

    ConnectionMemory memory() { return {{rows.data(), dirty(), &shared.tables[TABLE_connections], rows.size()}}; }
    uint8_t* dirty() { return reinterpret_cast<uint8_t*>(dirty_.data()); }

    void mark(uint32_t row) { dirty()[row] = 1; }
    connection& claim(uint32_t row, const connection& c) {
        if (rows.at(row).tag) throw std::logic_error("the row is somebody's");
        rows[row] = c;
        rows[row].tag = CONNECTION_CLAIMED;
        shared.tables[TABLE_connections].claimed++;
        mark(row);
        return rows[row];
    }
    void retire(uint32_t row) {
        rows.at(row).tag |= ROW_RETIRED;
        mark(row);
    }

    std::vector<connection> rows;
    state shared{};

private:
    std::vector<uint64_t> dirty_;  // read eight bytes at a time
};
