// The table of connections: what is told of each row, from its claim until it is free again.
#include "net/connections.h"
#include <gtest/gtest.h>
#include <map>
#include "connection_rows.h"

namespace {

constexpr size_t count = 128;
constexpr uint32_t was_there = CONNECTION_KNOWN;
constexpr uint32_t no_row = Connections::no_row;

class Rows : public testing::Test {
protected:
    Rows() {
        connections.listen({.before_us =
                                [this](const connection&) {
                                    asked_before++;
                                    return before;
                                },
                            .moved =
                                [this](uint32_t row, const connection&, const Traffic& n) {
                                    calls++;
                                    Traffic& sum = moved[row];
                                    sum.bytes_sent += n.bytes_sent;
                                    sum.bytes_received += n.bytes_received;
                                    sum.packets_sent += n.packets_sent;
                                    sum.packets_received += n.packets_received;
                                    sum.retransmits += n.retransmits;
                                },
                            .freed =
                                [this](uint32_t row, const connection& c) {
                                    EXPECT_NE(c.protocol, 0) << "it is told before the row is wiped";
                                    freed.push_back(row);
                                }});
    }

    static void set(connection& c, const Traffic& t) {
        c.bytes_sent = t.bytes_sent;
        c.bytes_received = t.bytes_received;
        c.packets_sent = t.packets_sent;
        c.packets_received = t.packets_received;
        c.retransmits = t.retransmits;
    }
    connection& claim(uint32_t row, const connection& c, const Traffic& t = {}) {
        connection& at = table.claim(row, c);
        set(at, t);
        return at;
    }
    // What has moved on a row until then, since the last time that this was asked.
    Traffic at(double seconds, uint32_t row, bool everything = false) {
        connections.fold(static_cast<int64_t>(seconds * 1e9), everything);
        Traffic now = moved[row];
        moved.clear();
        return now;
    }

    ConnectionRows table{count};
    Connections connections{table.memory()};
    Traffic before;
    int asked_before = 0, calls = 0;
    std::map<uint32_t, Traffic> moved;
    std::vector<uint32_t> freed;
    const connection tcp = tcp_connection({"10.0.0.1", 40000}, {"10.0.0.2", 443});
    const connection udp = udp_connection({"10.0.0.1", 40000}, {"10.0.0.2", 53});
};

TEST_F(Rows, TellWhatHasMovedSinceTheLastTime) {
    connection& c = claim(5, tcp, {10, 20, 1, 2, 3});
    EXPECT_EQ(connections.row(5), nullptr) << "not looked at yet";
    EXPECT_EQ(at(100, 5), (Traffic{10, 20, 1, 2, 3}));
    EXPECT_EQ(connections.row(5), &c);
    set(c, {15, 21, 3, 2, 3});
    table.mark(5);
    EXPECT_EQ(at(101, 5), (Traffic{5, 1, 2, 0, 0}));
}

TEST_F(Rows, AreLookedAtWhenTheyAreMarkedAndThenOnce) {
    for (uint32_t row : {0u, 7u, 8u, 63u, 64u, 127u}) {
        connection& c = claim(row, tcp, {1, 0, 0, 0, 0});
        EXPECT_EQ(at(100, row), (Traffic{1, 0, 0, 0, 0})) << row;
        EXPECT_EQ(table.dirty()[row], 0) << row;
        calls = 0;
        c.bytes_sent = 3;
        EXPECT_EQ(at(100, row), Traffic{}) << row;
        EXPECT_EQ(calls, 0) << row;
        EXPECT_EQ(at(100, row, true), (Traffic{2, 0, 0, 0, 0})) << row << ": everything";
        c.bytes_sent = 7;
        table.mark(row);
        EXPECT_EQ(at(100, row), (Traffic{4, 0, 0, 0, 0})) << row;
    }
    EXPECT_EQ(connections.row(count), nullptr);
    EXPECT_EQ(connections.row(no_row), nullptr);
}

TEST_F(Rows, ThatAreFreeAreNobodys) {
    table.mark(3);
    EXPECT_EQ(at(100, 3, true), Traffic{});
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(connections.row(3), nullptr);
}

// Two processors write the socket's counts, the older ones last.
TEST_F(Rows, MayGoBackALittle) {
    connection& c = claim(1, tcp, {100, 100, 50, 50, 5});
    at(100, 1);
    set(c, {90, 99, 48, 49, 4});
    table.mark(1);
    EXPECT_EQ(at(101, 1), Traffic{});
    set(c, {110, 101, 51, 52, 6});
    table.mark(1);
    EXPECT_EQ(at(102, 1), (Traffic{10, 1, 1, 2, 1})) << "from the most that was told";
}

TEST_F(Rows, CountPacketsOnWhenTheirNumbersWrap) {
    before = {1000, 1000, 0xfffffff0, 0xffffffff, 0xfffffffe};
    connection& c =
        claim(1, tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2}, was_there), {1000, 1000, 0xfffffff8, 0, 1});
    EXPECT_EQ(at(100, 1), (Traffic{0, 0, 8, 1, 3}));
    set(c, {1000, 1000, 4, 10, 2});
    table.mark(1);
    EXPECT_EQ(at(101, 1), (Traffic{0, 0, 12, 10, 1}));
    c.packets_sent = 2;
    table.mark(1);
    EXPECT_EQ(at(102, 1), Traffic{}) << "back a little, not around the world";
}

TEST_F(Rows, OfConnectionsThatWereThereBeforeCountFromWhatTheyHadMovedByThen) {
    before = {100, 200, 10, 20, 1};
    connection& c = claim(1, tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2}, was_there), {150, 200, 12, 20, 1});
    EXPECT_EQ(at(100, 1), (Traffic{50, 0, 2, 0, 0}));
    set(c, {160, 200, 13, 20, 1});
    table.mark(1);
    EXPECT_EQ(at(101, 1), (Traffic{10, 0, 1, 0, 0}));
    EXPECT_EQ(asked_before, 1);
}

TEST_F(Rows, OfConnectionsThatWereSeenToBeginCountFromNothing) {
    before = {100, 100, 100, 100, 100};
    claim(1, tcp, {7, 0, 0, 0, 0});
    claim(2, tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2}, seen_to_be_accepted), {8, 0, 0, 0, 0});
    claim(3, udp, {9, 0, 0, 0, 0});
    claim(4, udp_connection({"10.0.0.1", 1}, {}, CONNECTION_KNOWN), {10, 0, 0, 0, 0});  // we count UDP ourselves
    connections.fold(100'000'000'000);
    for (uint32_t row : {1u, 2u, 3u, 4u}) EXPECT_EQ(moved[row], (Traffic{row + 6, 0, 0, 0, 0})) << row;
    EXPECT_EQ(asked_before, 0);
}

TEST_F(Rows, ThatAreJustBeingFilledWait) {
    connection& c = claim(1, tcp, {10, 0, 0, 0, 0});
    c.life = 0;
    EXPECT_EQ(at(100, 1), Traffic{});
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(connections.row(1), nullptr);
    EXPECT_EQ(table.dirty()[1], 0) << "who fills it marks it again";
    c.life = seen_to_connect;
    table.mark(1);
    EXPECT_EQ(at(101, 1), (Traffic{10, 0, 0, 0, 0}));
}

TEST_F(Rows, ThatEndWhileTheyAreBeingFilledAreToldWhenTheyAre) {
    connection& c = claim(1, tcp, {10, 0, 0, 0, 0});
    c.life = 0;
    table.retire(1);
    EXPECT_EQ(at(100, 1), Traffic{});
    EXPECT_EQ(at(101, 1), Traffic{});
    EXPECT_TRUE(freed.empty());
    c.life = seen_to_connect;
    EXPECT_EQ(at(102, 1), (Traffic{10, 0, 0, 0, 0})) << "nobody marks it any more";
    at(103, 1);
    EXPECT_EQ(freed, std::vector<uint32_t>{1});
}

TEST_F(Rows, OfEndedConnectionsAreHeldBeforeTheyAreFree) {
    connection& c = claim(1, tcp, {10, 0, 0, 0, 0});
    at(100, 1);
    set(c, {11, 0, 0, 0, 0});
    table.retire(1);
    EXPECT_EQ(at(101, 1), (Traffic{1, 0, 0, 0, 0}));
    EXPECT_EQ(connections.row(1), &c);
    c.bytes_sent = 13;  // somebody was still at it
    EXPECT_EQ(at(101.05, 1), Traffic{});
    EXPECT_TRUE(freed.empty());
    EXPECT_NE(c.tag, 0u);
    EXPECT_EQ(connections.used(), 1u);
    EXPECT_EQ(at(101.1, 1), (Traffic{2, 0, 0, 0, 0})) << "what came in last";
    EXPECT_EQ(freed, std::vector<uint32_t>{1});
    connection wiped{};
    // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): every byte is to be 0
    EXPECT_EQ(std::memcmp(&c, &wiped, sizeof c), 0);
    EXPECT_EQ(table.shared.tables[TABLE_connections].freed, 1u);
    EXPECT_EQ(connections.used(), 0u);
    EXPECT_EQ(connections.row(1), nullptr);
    at(105, 1);
    EXPECT_EQ(freed.size(), 1u) << "once";
}

TEST_F(Rows, AreFreedInTheirOwnTime) {
    for (uint32_t row : {1u, 2u}) claim(row, tcp, {});
    table.retire(1);
    at(100, 1);
    table.retire(2);
    at(100.09, 2);
    at(100.11, 1);
    EXPECT_EQ(freed, std::vector<uint32_t>{1});
    at(100.2, 2);
    EXPECT_EQ(freed, (std::vector<uint32_t>{1, 2}));
}

TEST_F(Rows, AreAnotherConnectionsAfterThat) {
    before = {5, 0, 0, 0, 0};
    for (int i = 0; i < 3; i++) {
        connection& c = claim(1, tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2}, was_there), {8, 0, 0, 0, 0});
        EXPECT_EQ(at(100 + 10 * i, 1), (Traffic{3, 0, 0, 0, 0})) << "it counts from its own start";
        c.bytes_sent = 9;
        table.retire(1);
        EXPECT_EQ(at(101 + 10 * i, 1), (Traffic{1, 0, 0, 0, 0}));
        EXPECT_EQ(at(102 + 10 * i, 1), Traffic{});
        EXPECT_EQ(freed.size(), static_cast<size_t>(i) + 1);
    }
    EXPECT_EQ(asked_before, 3);
}

// Where the kernel cannot tell of a UDP socket's end.
TEST_F(Rows, OfUdpAreFreedWhenNothingMovesForAMinute) {
    connection& c = claim(1, udp, {1, 0, 1, 0, 0});
    claim(2, tcp, {1, 0, 1, 0, 0});
    claim(3, udp, {1, 0, 1, 0, 0});
    at(100, 1);
    at(159, 1);
    c.bytes_sent = 2;
    table.mark(1);
    at(160, 1);
    EXPECT_FALSE(table.rows[3].tag & ROW_RETIRED);
    at(161, 1);
    EXPECT_TRUE(table.rows[3].tag & ROW_RETIRED) << "so that the kernel side leaves it alone";
    EXPECT_FALSE(c.tag & ROW_RETIRED) << "it has moved since";
    table.rows[3].bytes_sent = 8;  // added by who had found the row before
    EXPECT_EQ(at(162, 3), (Traffic{7, 0, 0, 0, 0}));
    EXPECT_EQ(freed, std::vector<uint32_t>{3});
    at(221, 1);
    at(222, 1);
    EXPECT_EQ(freed, (std::vector<uint32_t>{3, 1}));
    at(10'000, 1);
    EXPECT_EQ(freed.size(), 2u) << "TCP sockets tell of their end";
    EXPECT_NE(connections.row(2), nullptr);
}

TEST_F(Rows, OfUdpAreFreedSoonerWhenTheTableFills) {
    uint32_t quarter = count / 4;
    for (uint32_t row = 0; row < quarter; row++) claim(row, udp, {1, 0, 1, 0, 0});
    at(100, 0);
    at(110, 0);
    at(111, 0);
    EXPECT_TRUE(freed.empty()) << "a quarter is no pressure";
    claim(quarter, udp, {1, 0, 1, 0, 0});
    at(112, 0);
    at(113, 0);
    EXPECT_EQ(freed.size(), quarter);
    EXPECT_NE(connections.row(quarter), nullptr) << "it is new";
    EXPECT_EQ(connections.used(), 1u);
    at(116, 0);
    at(117, 0);
    EXPECT_NE(connections.row(quarter), nullptr) << "and there is room again";
}

TEST_F(Rows, ThatConnectionsNeverHadAreToldAtTheirEnd) {
    connection ended = tcp_connection({"10.0.0.1", 1}, {"10.0.0.2", 2}, CONNECTION_KNOWN | CONNECTION_UNTRACKED);
    set(ended, {150, 200, 12, 20, 1});
    connections.ended(ended);
    EXPECT_EQ(moved[no_row], (Traffic{150, 200, 12, 20, 1}));
    moved.clear();
    before = {100, 200, 10, 20, 1};
    connections.ended(ended);
    EXPECT_EQ(moved[no_row], (Traffic{50, 0, 2, 0, 0}));
}

// What the kernel has sent of what a program gave it long ago stands in no row, but in the list of sockets.
TEST_F(Rows, AreRefreshedFromTheSocketsWithoutCountingTwice) {
    connection& c = claim(1, tcp, {10, 0, 1, 0, 0});
    at(100, 1);
    connections.refresh(1, {30, 0, 3, 1, 0});
    EXPECT_EQ(moved[1], (Traffic{20, 0, 2, 1, 0}));
    calls = 0;
    connections.refresh(1, {30, 0, 3, 1, 0});
    EXPECT_EQ(calls, 0) << "nothing has moved";
    moved.clear();
    set(c, {25, 0, 2, 0, 0});  // older
    table.mark(1);
    EXPECT_EQ(at(101, 1), Traffic{});
    set(c, {35, 0, 4, 1, 0});
    table.retire(1);
    EXPECT_EQ(at(102, 1), (Traffic{5, 0, 1, 0, 0}));
    connections.refresh(1, {99, 0, 9, 9, 9});
    EXPECT_EQ(moved[1], Traffic{}) << "it has ended: the row knows best";
    connections.refresh(2, {99, 0, 9, 9, 9});
    EXPECT_EQ(moved[2], Traffic{}) << "no row";
}

TEST_F(Rows, SayWhetherTcpHasMoved) {
    claim(1, udp, {1, 0, 1, 0, 0});
    at(100, 1);
    EXPECT_FALSE(connections.tcp_moved());
    claim(2, tcp, {1, 0, 1, 0, 0});
    at(101, 2);
    EXPECT_TRUE(connections.tcp_moved());
    connections.forget_moved();
    at(102, 2);
    EXPECT_FALSE(connections.tcp_moved());
}

TEST_F(Rows, PassOnWhatTheKernelSideCouldNotTell) {
    table.shared.tables[TABLE_connections].rejected = 3;
    EXPECT_EQ(connections.untracked(), 3u);
    EXPECT_EQ(connections.count(), count);
}

}  // namespace
