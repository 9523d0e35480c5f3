// The charts of applications, containers and services, line by line.
#include "netdata/member_charts.h"
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include "protocol.h"
#include "text.h"

namespace {

constexpr size_t opens = size_t{file_base} + size_t{file_open_calls};
constexpr int64_t second = 1'000'000'000;

class ChartsOfMembers : public testing::Test {
protected:
    ChartsOfMembers() {
        counted[opens] = true;
        config.update_every = 1;
        members.push_back({{.name = "other"}});
    }
    Member& add(const std::string& name, uint64_t n = 0, bool service = false) {
        Member& member = members.emplace_back(Member{{.name = name}, service});
        member.processes = 1;
        member.totals[opens] = n;
        return member;
    }
    MemberCharts& charts(Audience audience, ChartNames names = ChartNames::Classic) {
        config.chart_names = names;
        return shown.emplace(audience, counted, config, true, CounterSet{}, members, rest);
    }
    std::string at(int64_t seconds) {
        rest[opens] = missed;
        int64_t elapsed = first ? 0 : 1000000;
        first = false;
        std::string text =
            Text().of([&](Writer& out) { shown->print(out, {.now = seconds * second, .elapsed = elapsed}); });
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) protocol.line(line);
        return text;
    }
    ~ChartsOfMembers() override {
        protocol.end();
        for (const Protocol::Violation& v : protocol.violations()) ADD_FAILURE() << v.line << ": " << v.what;
    }

    CounterSet counted{};
    Config config;
    std::deque<Member> members;
    std::optional<MemberCharts> shown;
    Counters rest{};
    uint64_t missed = 0;
    bool first = true;
    Protocol protocol;
};

TEST_F(ChartsOfMembers, OfApplicationsAreOneChartInTheClassicNaming) {
    add("web server", 5);
    members[0].totals[opens] = 2;
    missed = 1;
    charts(Audience::Apps);
    EXPECT_EQ(at(1),
              "CHART apps.file_open '' 'Number of open files' 'calls' 'ebpf syscall' apps.file_open stacked 20061 1 '' "
              "ebpf.plugin filedescriptor\n"
              "DIMENSION 'other' 'other' incremental 1 1\n"
              "DIMENSION 'web server' 'web server' incremental 1 1\n"
              "BEGIN apps.file_open \nSET 'other' = 3\nSET 'web server' = 5\nEND\n");
    EXPECT_EQ(at(2), "BEGIN apps.file_open 1000000\nSET 'other' = 3\nSET 'web server' = 5\nEND\n");
}

TEST_F(ChartsOfMembers, OfAnApplicationAreChartsOfItsOwnInTheCurrentNaming) {
    add("web.server 1", 5);
    charts(Audience::Apps, ChartNames::Current);
    std::string text = at(1);
    EXPECT_NE(text.find("CHART app.web_server_1_ebpf_file_open '' 'Number of open files' 'calls/s' 'fds' "
                        "app.ebpf_file_open stacked 20220 1 '' ebpf.plugin filedescriptor\n"
                        "CLABEL app_group 'web.server 1' 1\nCLABEL_COMMIT\nDIMENSION calls calls incremental 1 1\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("BEGIN app.web_server_1_ebpf_file_open \nSET calls = 5\nEND\n"), std::string::npos) << text;
}

TEST_F(ChartsOfMembers, OfContainersAndServicesAreApart) {
    add("docker_1", 5);
    add("cron", 7, true);
    charts(Audience::Containers);
    std::string text = at(1);
    EXPECT_NE(text.find("CHART cgroup_docker_1.file_open '' 'Number of open files' 'calls/s' 'file_access (eBPF)' "
                        "cgroup.fd_open line 45400 1 '' ebpf.plugin filedescriptor\nCLABEL cgroup_name 'docker_1' 1\n"),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("cron"), std::string::npos);
    EXPECT_EQ(text.find("other"), std::string::npos);
    first = true;
    charts(Audience::Services);
    members[2].shown = members[1].shown = false;
    members[2].id = members[1].id = "";
    text = at(1);
    EXPECT_NE(
        text.find("CHART services.file_open '' 'Number of open files' 'calls/s' 'file_access' services.fd_open "
                  "stacked 20061 1 '' ebpf.plugin filedescriptor\nDIMENSION 'cron' 'cron' incremental 1 1\nBEGIN"),
        std::string::npos)
        << text;
    EXPECT_EQ(text.find("docker"), std::string::npos);
}

// The agent takes the first value as where the counter starts: what had been counted by then would be lost.
TEST_F(ChartsOfMembers, TellFirstWhereANewcomerCountsFrom) {
    charts(Audience::Apps);
    at(1);
    Member& late = add("late", 9);
    EXPECT_NE(at(2).find("SET 'late' = 0\n"), std::string::npos);
    EXPECT_NE(at(3).find("SET 'late' = 9\n"), std::string::npos);
    late.processes = 0;
    late.active = true;  // short lives between two ticks are lives
    EXPECT_EQ(at(4).find("obsolete"), std::string::npos);
}

TEST_F(ChartsOfMembers, GoWhenNobodyLivesAndComeBackWithTheirTotals) {
    config.obsolete_after = 60;
    Member& app = add("a", 9);
    charts(Audience::Apps);
    at(1);
    app.processes = 0;
    EXPECT_EQ(at(60).find("obsolete"), std::string::npos);
    std::string text = at(62);
    EXPECT_NE(text.find("DIMENSION 'a' 'a' incremental 1 1 obsolete\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("SET 'a'"), std::string::npos);
    EXPECT_EQ(at(63).find("'a'"), std::string::npos);
    app.processes = 1;
    app.totals[opens] = 12;
    text = at(64);
    EXPECT_NE(text.find("DIMENSION 'a' 'a' incremental 1 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("SET 'a' = 9\n"), std::string::npos) << "what the agent knew last";
    EXPECT_NE(at(65).find("SET 'a' = 12\n"), std::string::npos);
}

TEST_F(ChartsOfMembers, GiveTheirIdToTheNextOfTheirName) {
    for (Audience audience : {Audience::Apps, Audience::Containers}) {
        members.resize(1);
        members[0] = {{.name = "other"}};
        first = true;
        config.obsolete_after = 60;
        Member& old = add("a b", 9);
        charts(audience);
        at(1);
        old.processes = 0;
        at(100);
        old.name = "gone";
        add("a b", 1);
        std::string text = at(101);
        EXPECT_NE(text.find(audience == Audience::Apps ? "DIMENSION 'a b' 'a b' " : "CHART cgroup_a_b.file_open "),
                  std::string::npos)
            << text;
        EXPECT_EQ(text.find("_2"), std::string::npos) << text;
        old.processes = 1;
        old.name = "a b";
        EXPECT_NE(at(102).find("_2"), std::string::npos) << "while the other has it";
    }
}

TEST_F(ChartsOfMembers, ObsoleteTheChartsOfAMemberInTheCurrentNaming) {
    config.obsolete_after = 60;
    Member& app = add("a", 9);
    charts(Audience::Apps, ChartNames::Current);
    at(1);
    app.processes = 0;
    std::string text = at(100);
    EXPECT_NE(
        text.find("CHART app.a_ebpf_file_open '' 'Number of open files' 'calls/s' 'fds' app.ebpf_file_open stacked "
                  "20220 1 'obsolete' ebpf.plugin filedescriptor\n"),
        std::string::npos)
        << text;
    EXPECT_EQ(text.find("BEGIN app.a_"), std::string::npos);
}

// Names come from files and from the machine's users.
TEST_F(ChartsOfMembers, GiveEveryNameAnIdThatTheAgentTakes) {
    for (ChartNames names : {ChartNames::Classic, ChartNames::Current}) {
        members.resize(1);
        shown.reset();
        members[0] = {{.name = "other"}};
        first = true;
        for (const std::string& name :
             {std::string("a\"b"), std::string("a'b"), std::string("a b"), std::string("a\nb"), std::string("a=b"),
              std::string("a\\"), std::string("grüße"), std::string(300, 'x'), std::string(299, 'x') + "y",
              std::string("a_b"), std::string()})
            add(name, 1);
        charts(Audience::Apps, names);
        std::string text = at(1);
        std::istringstream lines(text);
        std::set<std::string> ids;
        for (std::string line; std::getline(lines, line);) {
            EXPECT_EQ(line.find('\\'), std::string::npos) << line;
            if (line.starts_with(names == ChartNames::Classic ? "DIMENSION " : "CHART ")) {
                std::string id = line.substr(line.find(' ') + 1);
                id = id.front() == '\'' ? id.substr(0, id.find('\'', 1)) : id.substr(0, id.find(' '));
                EXPECT_LT(id.size(), 200u);
                EXPECT_TRUE(ids.insert(id).second) << id;
            }
        }
        EXPECT_EQ(ids.size(), 12u);
    }
}

}  // namespace
