// What is over a limit, and what of it which group could give back.
#include "bpf/own_cost.h"
#include <gtest/gtest.h>

namespace {

constexpr uint64_t MB = 1 << 20;

Config limits(int cpu, int memory) {
    Config config;
    config.cpu_limit = cpu;
    config.memory_limit = memory;
    return config;
}
Cost cost() {
    Cost cost{.programs = 0.041, .plugin = 0.002, .map_bytes = 3 * MB, .plugin_bytes = 7 * MB};
    cost.programs_of[vfs_group] = 0.03;
    return cost;
}

GroupSet sockets() {
    GroupSet set{};
    set[socket_group] = true;
    return set;
}
Excess excess(const Cost& cost, const Config& config) { return excess_of(cost, config, sockets()); }

TEST(Limits, AreNoneByDefault) { EXPECT_EQ(excess({.programs = 64, .plugin_bytes = 1 << 30}, Config()).what, ""); }

TEST(Limits, AreForTheProgramsAndThePluginTogether) {
    EXPECT_EQ(excess(cost(), limits(5, 10)).what, "");
    EXPECT_EQ(excess(cost(), limits(4, 0)).what,
              "takes 4.3 % of a CPU (programs in the kernel 4.1 %), more than the `cpu limit` of 4 %");
    EXPECT_EQ(excess(cost(), limits(0, 9)).what,
              "takes 10.0 MB (maps in the kernel 3.0 MB), more than the `memory limit` of 9 MB");
}

TEST(Limits, ProcessorTimeIsOfTheGroupsWhosePrograms) {
    EXPECT_EQ(excess(cost(), limits(4, 0)).by_group, cost().programs_of);
}

TEST(Limits, MemoryIsOfGroupsWithTablesOfTheirOwn) {
    std::array<double, GROUP_COUNT> by_group = excess(cost(), limits(0, 9)).by_group;
    for (size_t g = 0; g < GROUP_COUNT; g++) EXPECT_EQ(by_group[g] > 0, g == socket_group) << groups[g].name;
}

}  // namespace
