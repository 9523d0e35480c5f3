// What --check expects: every row of plugin/check/expected.tsv means something, and every counter has one.
#include "check/expectations.h"
#include <gtest/gtest.h>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

namespace {

std::string what_is_wrong_with(std::string_view table) {
    try {
        read_expectations(table);
        return "";
    } catch (const std::invalid_argument& wrong) {
        return wrong.what();
    }
}

std::set<std::string> operations_of_the_workload() {
    std::unique_ptr<FILE, int (*)(FILE*)> list(popen(WORKLOAD " --list", "r"), pclose);
    std::set<std::string> all;
    char name[100];
    while (list && fscanf(list.get(), "%99s", name) == 1) all.insert(name);
    return all;
}

TEST(Expectations, SayForEveryCounterHowManyAnOperationMakes) {
    Expectations all = read_expectations(expected_table());
    for (int c = 0; c < COUNTERS; c++)
        EXPECT_TRUE(all.can_try(c)) << "plugin/check/expected.tsv has no row that says which operation of the workload "
                                       "makes how many `"
                                    << counter_name(c) << "`";
}

TEST(Expectations, NameOperationsOfTheWorkload) {
    std::set<std::string> operations = operations_of_the_workload();
    EXPECT_GT(operations.size(), 90u);
    for (const Expectation& e : read_expectations(expected_table()).rows)
        EXPECT_TRUE(operations.contains(std::string(e.operation)))
            << counter_name(e.counter) << ": the workload makes no `" << e.operation << "`";
}

TEST(Expectations, SayOneThingOfAnOperationAndACounter) {
    std::set<std::pair<std::string_view, int>> seen;
    for (const Expectation& e : read_expectations(expected_table()).rows)
        EXPECT_TRUE(seen.insert({e.operation, e.counter}).second) << e.operation << ", " << counter_name(e.counter);
}

TEST(Expectations, AreReadRowByRow) {
    Expectations all = read_expectations(
        "# a comment\n\n"
        "vfs read calls\tcalls\tread, pread64\n"
        "vfs read errors\tfailed\tread_badfd\tsyscalls\n"
        "socket tcp send bytes\tbytes\ttcp_uring_send\tnot syscalls\n"
        "socket tcp receive calls\tany\ttcp_splice\tsocket_tcp_splice\n"
        "process freed calls\tlossy\n"
        "process exit tasks\tends\n"
        "process release calls\tlate\n"
        "socket accepts tcp\tothers\n");
    ASSERT_EQ(all.rows.size(), 5u);
    EXPECT_EQ(all.rows[1].operation, "pread64");
    EXPECT_EQ(counter_name(all.rows[1].counter), "vfs read calls");
    EXPECT_EQ(all.rows[1].amount, Amount::Calls);
    EXPECT_EQ(all.rows[1].by_syscalls, std::nullopt);
    EXPECT_EQ(all.rows[1].hook, -1);
    EXPECT_EQ(all.rows[2].by_syscalls, true);
    EXPECT_EQ(all.rows[3].by_syscalls, false);
    EXPECT_EQ(hook_ref(all.rows[4].hook).name(), "socket_tcp_splice");
    EXPECT_TRUE(all.can_try(all.rows[0].counter));
    EXPECT_FALSE(all.can_try(all.rows[4].counter)) << "nobody says by how much";
    EXPECT_EQ(counter_name(all.ends), "process exit tasks");
    for (int c = 0; c < COUNTERS; c++) {
        EXPECT_EQ(all.lossy[static_cast<size_t>(c)], counter_name(c) == "process freed calls");
        EXPECT_EQ(all.late[static_cast<size_t>(c)], counter_name(c) == "process release calls");
        EXPECT_EQ(all.others[static_cast<size_t>(c)], counter_name(c) == "socket accepts tcp");
    }
}

TEST(Expectations, SayWhichLineIsWrong) {
    const std::map<const char*, const char*> wrong = {
        {"\nvfs rad calls\tcalls\tread\n", "expected.tsv, line 2: there is no counter `vfs rad calls`"},
        {"vfs read calls\tcall\tread\n", "expected.tsv, line 1: there is no amount `call`"},
        {"vfs read calls\tcalls\tread\tno syscalls\n", "expected.tsv, line 1: there is no hook `no syscalls`"},
        {"vfs read calls\tother\n", "expected.tsv, line 1: there is no property `other`"},
        {"vfs read calls calls read\n",
         "expected.tsv, line 1: it has not two, three or four fields with tabs between them"}};
    for (auto [table, says] : wrong) EXPECT_EQ(what_is_wrong_with(table), says);
    EXPECT_EQ(what_is_wrong_with(expected_table()), "");
}

}  // namespace
