// The records of the kernel side: each reaches who asked for its type, and nothing else does.
#include "bpf/records.h"
#include <gtest/gtest.h>
#include <cstring>
#include <vector>

namespace {

template <class T>
T record_of(uint32_t tgid) {
    T r{};
    r.head.type = type_of_record<T>;
    r.head.bytes = sizeof r;
    r.head.tgid = tgid;
    return r;
}

class RecordsTest : public testing::Test {
protected:
    RecordsTest() {
        records.on<moved>([this](const moved& r) { moves.push_back(r.head.tgid); });
        records.on<listening>([this](const listening& r) { ports.push_back(r.port); });
    }
    Records records;
    std::vector<uint32_t> moves, ports;
};

TEST_F(RecordsTest, ReachTheListenerOfTheirType) {
    auto moves_7 = record_of<moved>(7);
    auto listens = record_of<listening>(8);
    listens.port = 80;
    records.consume(&moves_7, sizeof moves_7);
    records.consume(&listens, sizeof listens);
    EXPECT_EQ(moves, std::vector<uint32_t>{7});
    EXPECT_EQ(ports, std::vector<uint32_t>{80});
    EXPECT_EQ(records.malformed(), 0u);
}

TEST_F(RecordsTest, WithoutAListenerArePassedOver) {
    auto nobodys = record_of<full>(1);
    records.consume(&nobodys, sizeof nobodys);
    EXPECT_TRUE(moves.empty());
    EXPECT_EQ(records.malformed(), 0u);
}

TEST_F(RecordsTest, OfTheWrongTypeOrLengthAreCountedAndReachNobody) {
    auto r = record_of<moved>(7);
    records.consume(&r, sizeof r - 1);  // shorter than it says
    records.consume(&r, 4);             // not even a head
    r.head.bytes--;
    records.consume(&r, sizeof r - 1);  // as long as it says, but not as its type
    r = record_of<moved>(7);
    r.head.type = RECORD_TYPES;
    records.consume(&r, sizeof r);
    auto other = record_of<listening>(7);
    other.head.type = RECORD_moved;
    records.consume(&other, sizeof other);
    EXPECT_EQ(records.malformed(), 5u);
    EXPECT_TRUE(moves.empty());
}

}  // namespace
