// The units in which a person is told what is counted.
#include "watch/watch.h"
#include <gtest/gtest.h>

namespace {

TEST(Watch, RatesAreShort) {
    EXPECT_EQ(events_text(std::nullopt), "-");
    EXPECT_EQ(events_text(0), "0/s");
    EXPECT_EQ(events_text(0.25), "0.2/s");
    EXPECT_EQ(events_text(9.94), "9.9/s");
    EXPECT_EQ(events_text(9.96), "10/s");
    EXPECT_EQ(events_text(999.4), "999/s");
    EXPECT_EQ(events_text(999.6), "1.0k/s");
    EXPECT_EQ(events_text(1234), "1.2k/s");
    EXPECT_EQ(events_text(99'960), "100k/s");
    EXPECT_EQ(events_text(1.5e9), "1.5G/s");
    EXPECT_EQ(bytes_text(0), "0 B/s");
    EXPECT_EQ(bytes_text(512), "512 B/s");
    EXPECT_EQ(bytes_text(12.34e6), "12.3 MB/s");
    EXPECT_EQ(bytes_text(5e15), "5000 TB/s");
}

}  // namespace
