// The forms of a message, and how many of them pass.
#include "base/log.h"
#include <gtest/gtest.h>
#include <ctime>
#include <nlohmann/json.hpp>

namespace {

const Message message{Severity::Warning, "it's \"so\" = a\\b\nand on", 1'700'000'000'123'456};

TEST(Log, PlainAsInErrorLog) {
    setenv("TZ", "UTC", 1);
    tzset();
    EXPECT_EQ(plain({Severity::Error, "no", 1'700'000'000'000'000}), "2023-11-14 22:13:20: ebpf.plugin ERROR: no");
}

TEST(Log, LogfmtInOneLine) {
    EXPECT_EQ(logfmt(message),
              "time=2023-11-14T22:13:20.123Z comm=ebpf.plugin source=collector level=warning "
              "msg=\"it's \\\"so\\\" = a\\\\b and on\"");
}

TEST(Log, JsonOfAnyBytes) {
    auto fields = nlohmann::json::parse(json(message));
    EXPECT_EQ(fields["msg"], message.text);
    EXPECT_EQ(fields["level"], "warning");
    EXPECT_TRUE(nlohmann::json::accept(json({Severity::Info, "\xff\xfe", 0})));
    EXPECT_EQ(json(message).find('\n'), std::string::npos);
}

TEST(Log, JournalFieldsALineEach) {
    EXPECT_EQ(
        journal(message),
        "MESSAGE=it's \"so\" = a\\b and on\nPRIORITY=4\nSYSLOG_IDENTIFIER=ebpf.plugin\nND_LOG_SOURCE=collector\n");
}

TEST(Throttle, LetsSoManyPassInEachPeriodAndTellsOfTheRest) {
    Throttle throttle(100, 3);
    for (int i = 0; i < 3; i++) EXPECT_TRUE(throttle.ask(1000 + i).passes);
    for (int i = 0; i < 7; i++) EXPECT_FALSE(throttle.ask(1050).passes);
    Throttle::Verdict next = throttle.ask(1100);
    EXPECT_TRUE(next.passes);
    EXPECT_EQ(next.left_out, 7);
    EXPECT_EQ(throttle.ask(1101).left_out, 0);
    EXPECT_TRUE(throttle.ask(500).passes);  // the clock was set back
}

TEST(Throttle, IsOffWithoutAnAgent) {
    Throttle throttle(0, 0);
    for (int i = 0; i < 1000; i++) EXPECT_TRUE(throttle.ask(1).passes);
}

}  // namespace
