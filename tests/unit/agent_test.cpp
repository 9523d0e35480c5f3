// What the agent understands, by its version.
#include "netdata/agent.h"
#include <gtest/gtest.h>

namespace {

TEST(Agent, TakesLabelsSince132) {
    for (const char* version :
         {"v1.32.0", "1.32.0", "v1.32.1-12-nightly", "v1.37.1", "v1.100.0", "v2.0.0", "2.8.1", "v10.0", ""})
        EXPECT_TRUE(Agent(version).labels) << version;
    for (const char* version : {"v1.31.9", "1.9.0", "v1.4", "v0.99.0", "v", "latest", "v1", "1", "v.1.32"})
        EXPECT_FALSE(Agent(version).labels) << version;
}

TEST(Agent, TakesFunctionsSince137ButNobodyCallsByHand) {
    for (const char* version : {"v1.37.0", "1.37.1", "v1.44.3", "v2.0.0"}) EXPECT_TRUE(Agent(version).functions);
    for (const char* version : {"v1.36.9", "v0.40", "", "latest"}) EXPECT_FALSE(Agent(version).functions);
}

TEST(Agent, IsToldOfFunctionsInItsOwnWords) {
    EXPECT_EQ(Agent("v1.37.1").function_line("f", "Some help"), "FUNCTION GLOBAL \"f\" 10 \"Some help\"\n");
    EXPECT_EQ(Agent("v1.44.0").function_line("f", "Some help"), "FUNCTION GLOBAL \"f\" 10 \"Some help\"\n");
    EXPECT_EQ(Agent("v2.10.0").function_line("f", "Some help"),
              "FUNCTION GLOBAL \"f\" 10 \"Some help\" \"top\" \"members\" 100 3\n");
}

}  // namespace
