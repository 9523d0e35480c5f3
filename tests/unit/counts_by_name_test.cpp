// The names that are kept, and that no count is lost with those that are not.
#include "who/counts_by_name.h"
#include <gtest/gtest.h>
#include <map>

namespace {

constexpr int reads = int{vfs_base} + int{vfs_read_calls}, bytes = int{vfs_base} + int{vfs_read_bytes};

std::map<std::string, uint64_t> taken(CountsByName& counts, int counter = reads) {
    std::map<std::string, uint64_t> by_name;
    for (const auto& [name, all] : counts.take()) by_name[name] += all[static_cast<size_t>(counter)];
    return by_name;
}

TEST(CountsByName, AddsUpUntilItIsTaken) {
    CountsByName counts;
    counts.add("a", reads, 2);
    counts.add("b", reads, 3);
    counts.add("a", reads, 4);
    counts.add("a", bytes, 100);
    EXPECT_EQ(taken(counts), (std::map<std::string, uint64_t>{{"a", 6}, {"b", 3}}));
    counts.add("b", reads, 1);
    EXPECT_EQ(taken(counts), (std::map<std::string, uint64_t>{{"b", 1}}));
    EXPECT_TRUE(counts.take().empty());
}

// A storm of names does not push out who came before it, nor keep out who comes after.
TEST(CountsByName, KeepsThoseThatCallMostAndLosesNoCount) {
    CountsByName counts;
    counts.add("early", reads, 50);
    for (int i = 0; i < 5000; i++) counts.add("storm" + std::to_string(i), i % 2 ? bytes : reads, i % 2 ? 1000 : 1);
    for (int i = 0; i < 50; i++) counts.add("late", reads, 1);
    for (int i = 0; i < 5000; i++) counts.add("again" + std::to_string(i), reads, 2);
    auto by_name = taken(counts);
    EXPECT_LE(by_name.size(), CountsByName::most_names);
    EXPECT_EQ(by_name["early"], 50u) << "what has moved bytes with fewer calls goes first";
    EXPECT_EQ(by_name["late"], 50u);
    uint64_t sum = 0;
    for (const auto& [name, n] : by_name) sum += n;
    EXPECT_EQ(sum, 50u + 2500 + 50 + 10000);
    EXPECT_GT(by_name[CountsByName::rest], 0u);
}

}  // namespace
