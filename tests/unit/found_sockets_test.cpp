// What was there before us, found on loopback: services, and connections with what they had moved.
#include "net/found_sockets.h"
#include <gtest/gtest.h>
#include <optional>
#include "connection_rows.h"
#include "loopback.h"

namespace {

uint64_t own_namespace() {
    struct stat about {};
    if (stat("/proc/self/ns/net", &about)) throw std::runtime_error("no network namespace");
    return about.st_ino;
}

// As the kernel side would tell of a connection that it did not see begin.
connection seen_on(const TestSocket& from, const TestSocket& to, const std::string& address) {
    connection c = tcp_connection({address, from.port()}, {address, to.port()}, CONNECTION_KNOWN);
    c.net_namespace = static_cast<uint32_t>(own_namespace());
    return c;
}

class FoundOnLoopback : public testing::TestWithParam<std::tuple<int, const char*>> {
protected:
    void SetUp() override {
        auto [family, address_] = GetParam();
        address = address_;
        listener.emplace(family, SOCK_STREAM);
        listener->bind_to(address).listen();
        client.emplace(family, SOCK_STREAM);
        client->connect_to(address, listener->port());
        server.emplace(listener->accept());
        client->send(1234);
        server->receive(1234);
        server->send(77);
        client->receive(77);
        SockDiag sockets;
        found.find(sockets);
    }

    std::string address;
    std::optional<TestSocket> listener, client, server;
    FoundSockets found;
};
INSTANTIATE_TEST_SUITE_P(Families, FoundOnLoopback,
                         testing::Values(std::tuple{AF_INET, "127.0.0.1"}, std::tuple{AF_INET6, "::1"}),
                         [](const auto& one) { return std::get<0>(one.param) == AF_INET ? "v4" : "v6"; });

TEST_P(FoundOnLoopback, KnowsWhatEachEndHadMoved) {
    connection one = seen_on(*client, *server, address), other = seen_on(*server, *client, address);
    Traffic sent = found.moved_by_then(one), received = found.moved_by_then(other);
    EXPECT_EQ(sent.bytes_sent, 1234u);
    EXPECT_EQ(sent.bytes_received, 77u);
    EXPECT_GE(sent.packets_sent, 3u) << "the handshake and the data";
    EXPECT_EQ(received.bytes_sent, 77u);
    EXPECT_EQ(received.bytes_received, 1234u);
    EXPECT_GE(received.packets_received, 3u);
    EXPECT_EQ(sent.retransmits, 0u);
}

TEST_P(FoundOnLoopback, TellsOnceOfEach) {
    connection c = seen_on(*client, *server, address);
    EXPECT_EQ(found.moved_by_then(c).bytes_sent, 1234u);
    c.bytes_sent = 5000;
    EXPECT_EQ(found.moved_by_then(c).bytes_sent, 5000u) << "as one that was not found";
}

TEST_P(FoundOnLoopback, KnowsWhichEndServes) {
    EXPECT_TRUE(found.is_service(own_namespace(), IPPROTO_TCP, listener->port()));
    EXPECT_FALSE(found.is_service(own_namespace(), IPPROTO_UDP, listener->port()));
    EXPECT_FALSE(found.is_service(own_namespace() + 1, IPPROTO_TCP, listener->port()));
    EXPECT_FALSE(found.is_service(own_namespace(), IPPROTO_TCP, client->port()));
    EXPECT_TRUE(found.is_inbound(seen_on(*server, *client, address)));
    EXPECT_FALSE(found.is_inbound(seen_on(*client, *server, address)));
}

// Nobody tells how much of what one has moved is ours, unless it began later, when the end tells of all of it.
TEST(FoundSockets, ClaimNothingThatWasThereButNotFound) {
    FoundSockets found;
    connection c = tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2}, CONNECTION_KNOWN);
    c.bytes_sent = 10;
    c.bytes_received = 20;
    c.packets_sent = 30;
    c.packets_received = 40;
    c.retransmits = 50;
    Traffic before = found.moved_by_then(c);
    EXPECT_EQ(before.bytes_sent, 10u);
    EXPECT_EQ(before.bytes_received, 20u);
    EXPECT_EQ(before.packets_sent, 30u);
    EXPECT_EQ(before.packets_received, 40u);
    EXPECT_EQ(before.retransmits, 50u);
    c.life |= CONNECTION_UNTRACKED;
    before = found.moved_by_then(c);
    EXPECT_EQ(
        before.bytes_sent + before.bytes_received + before.packets_sent + before.packets_received + before.retransmits,
        0u);
}

TEST(FoundSockets, TakeUdpForAServiceByItsPort) {
    TestSocket fixed(AF_INET, SOCK_DGRAM), any(AF_INET, SOCK_DGRAM), connected(AF_INET, SOCK_DGRAM);
    uint16_t port = 30000;
    for (bool bound = false; !bound && port < 31000; bound || port++) try {
            fixed.bind_to("127.0.0.1", port);
            bound = true;
        } catch (const std::runtime_error&) {
        }
    any.bind_to("127.0.0.1");
    connected.bind_to("127.0.0.1").connect_to("127.0.0.1", port);
    FoundSockets found;
    SockDiag sockets;
    found.find(sockets);
    EXPECT_TRUE(found.is_service(own_namespace(), IPPROTO_UDP, port));
    EXPECT_FALSE(found.is_service(own_namespace(), IPPROTO_TCP, port));
    EXPECT_FALSE(found.is_service(own_namespace(), IPPROTO_UDP, any.port())) << "the kernel gave it that port";
    EXPECT_FALSE(found.is_service(own_namespace(), IPPROTO_UDP, connected.port()));
}

TEST(FoundSockets, LearnOfServicesAndOfConnectionsThatWereSeenToBegin) {
    FoundSockets found;
    connection c = tcp_connection({"10.0.0.1", 443}, {"10.0.0.2", 50000});
    EXPECT_FALSE(found.is_inbound(c));
    found.add_service(2, IPPROTO_TCP, 443);
    EXPECT_FALSE(found.is_inbound(c)) << "another namespace's";
    found.add_service(1, IPPROTO_TCP, 443);
    EXPECT_TRUE(found.is_inbound(c));
    EXPECT_TRUE(found.is_inbound(tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2}, seen_to_be_accepted)));
    EXPECT_FALSE(found.is_inbound(tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2}, CONNECTION_KNOWN)));
}

TEST(SocketKeys, TellSocketsApartByAllTheirEnds) {
    connection c = tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2});
    SocketKey s{.net_namespace = 1,
                .local = *Address::parse("10.0.0.1"),
                .remote = *Address::parse("10.0.0.2"),
                .local_port = 1,
                .remote_port = 2,
                .protocol = IPPROTO_TCP};
    EXPECT_EQ(s, key_of(c));
    EXPECT_EQ(std::hash<SocketKey>()(s), std::hash<SocketKey>()(key_of(c)));
    auto differs = [&](auto change) {
        SocketKey other = s;
        change(other);
        return !(other == key_of(c));
    };
    EXPECT_TRUE(differs([](SocketKey& o) { o.protocol = IPPROTO_UDP; }));
    EXPECT_TRUE(differs([](SocketKey& o) { o.local = o.remote; }));
    EXPECT_TRUE(differs([](SocketKey& o) { o.remote = o.local; }));
    EXPECT_TRUE(differs([](SocketKey& o) { o.local_port = 3; }));
    EXPECT_TRUE(differs([](SocketKey& o) { o.remote_port = 3; }));
    EXPECT_TRUE(differs([](SocketKey& o) { o.net_namespace = 2; }));
}

}  // namespace
