// apps_groups.conf: the words, the ways to match, and what is wrong with a line.
#include "who/app_rules.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <algorithm>
#include <array>
#include <climits>
#include <fstream>
#include <random>
#include <sstream>
#include "scratch_folder.h"

namespace {

class Rules : public testing::Test {
protected:
    void read(const std::string& text) { rules.read(folder.write("apps_groups.conf", text), complaints); }
    std::string app(const std::string& comm, const std::string& command = "") {
        return rules.apps()[rules.match(comm, command)].name;
    }

    ScratchFolder folder;
    AppRules rules;
    std::vector<std::string> complaints;
};

TEST_F(Rules, PutEverythingIntoOtherIfThereAreNone) { EXPECT_EQ(app("bash", "bash"), "other"); }

TEST_F(Rules, MatchExactlyByBeginningByEndAndInTheCommandLine) {
    read("web: nginx httpd*\ndb: *sqld *--database*\n");
    EXPECT_EQ(app("nginx"), "web");
    EXPECT_EQ(app("nginx2"), "other");
    EXPECT_EQ(app("httpd-prefork"), "web");
    EXPECT_EQ(app("ahttpd"), "other");
    EXPECT_EQ(app("mysqld"), "db");
    EXPECT_EQ(app("mysqld2"), "other");
    EXPECT_EQ(app("java", "java -jar x --database=y"), "db");
    EXPECT_EQ(app("--database", "java"), "other") << "of the command line, not of the name";
}

TEST_F(Rules, LetTheFirstThatMatchesDecide) {
    read("a: x*\nb: xy *long*\nc: xyz\na: late\n");
    EXPECT_EQ(app("xyz", "long"), "a");
    EXPECT_EQ(app("none", "so long"), "b");
    EXPECT_EQ(app("late", "long"), "b");
    EXPECT_EQ(app("late"), "a") << "a group may stand on several lines";
    EXPECT_EQ(rules.apps().size(), 4u);
}

TEST_F(Rules, TakeQuotesMarksCommentsAndColons) {
    read("# none: at all\n\"my group\": 'Web Content' \"it's\" # x\n-hid: h\nnot:+dbg -quiet\r\n\n");
    EXPECT_EQ(app("Web Content"), "my group");
    EXPECT_EQ(app("it's"), "my group");
    EXPECT_EQ(app("#"), "other");
    EXPECT_EQ(app("h"), "hid");
    EXPECT_EQ(app("dbg"), "not");
    EXPECT_TRUE(rules.apps()[2].hidden);
    EXPECT_FALSE(rules.apps()[1].hidden);
    EXPECT_TRUE(rules.apps()[3].hidden) << "a - before a process hides its group, as in apps.plugin";
    EXPECT_EQ(complaints, std::vector<std::string>());
}

TEST_F(Rules, TakeStarsInsideAWord) {
    read("a: k*d *u*x* q*\n");
    EXPECT_EQ(app("kswapd"), "a");
    EXPECT_EQ(app("kswapper"), "other");
    EXPECT_EQ(app("java", "run linux"), "a");
    EXPECT_EQ(app("q"), "a");
}

TEST_F(Rules, CutNamesOffWhereTheKernelDoes) {
    read("session: gnome-session-binary\nlong: abcdefghijklmnopqr*\n");
    EXPECT_EQ(app("gnome-session-b"), "session");
    EXPECT_EQ(app("abcdefghijklmno"), "long");
}

TEST_F(Rules, NameTheLineThatIsWrongAndKeepTheOthers) {
    read("a: x\nlonely\nb: \"open\n: \nc: z\n");
    ASSERT_EQ(complaints.size(), 2u);
    EXPECT_NE(complaints[0].find("apps_groups.conf:2: the group has no process"), std::string::npos) << complaints[0];
    EXPECT_NE(complaints[1].find("apps_groups.conf:3: a quote"), std::string::npos) << complaints[1];
    EXPECT_EQ(app("x"), "a");
    EXPECT_EQ(app("z"), "c");
}

TEST_F(Rules, AreTheUsersThenTheAgentsThenOursThenThoseBuiltIn) {
    const std::vector<std::string> user{folder / "user"}, stock{folder / "stock", folder / "more"};
    EXPECT_EQ(load_app_rules(user, stock).source(), "the built-in rules");
    for (const char* file : {"more/ebpf_apps_groups.conf", "more/apps_groups.conf", "stock/apps_groups.conf",
                             "user/ebpf_apps_groups.conf", "user/apps_groups.conf"}) {
        std::string path = folder.write(file, "a: b\n");
        rules = load_app_rules(user, stock);
        EXPECT_EQ(rules.source(), path);
        EXPECT_EQ(app("b"), "a");
        EXPECT_EQ(app("nginx"), "other") << "a file leaves nothing of the built-in ones";
    }
}

TEST_F(Rules, AreNoneWhereTheFileCannotBeRead) {
    folder.write("user/apps_groups.conf/x", "");
    testing::internal::CaptureStderr();
    rules = load_app_rules({folder / "user"}, {});
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                testing::HasSubstr("user/apps_groups.conf: it is not a file: every process counts for `other`"));
    EXPECT_EQ(rules.source(), "");
    EXPECT_EQ(app("nginx"), "other");
}

TEST_F(Rules, ThatAreBuiltInAreTheStockFile) {
    AppRules file;
    file.read(STOCK_APP_RULES, complaints);
    rules.read_built_in(complaints);
    EXPECT_EQ(complaints, std::vector<std::string>());
    auto names = [](const AppRules& of) {
        std::vector<std::string> all;
        for (const AppRules::App& each : of.apps()) all.push_back(each.name);
        return all;
    };
    EXPECT_EQ(names(rules), names(file));
    EXPECT_GT(rules.apps().size(), 50u);
    EXPECT_EQ(app("nginx"), "web");
    EXPECT_EQ(app("busybox"), "shells") << "the last rule but two";
}

// Our stock file: a process made for each rule is taken by none of those before it, and the rule takes it.
TEST_F(Rules, OfTheStockFileAreAllOfUse) {
    std::ifstream file(STOCK_APP_RULES);
    std::string before;
    std::vector<std::array<std::string, 3>> made;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        size_t colon = line.find(':');
        ASSERT_NE(colon, std::string::npos) << line;
        std::string group = line.substr(0, colon), rule;
        std::erase(group, '"');
        std::istringstream words(line.substr(colon + 1));
        while (words >> rule) {
            std::string inner = rule;
            std::erase(inner, '*');
            bool by_command = rule.starts_with('*') && rule.ends_with('*');
            std::string comm = by_command ? "a_program" : inner, command = by_command ? "a " + inner : "";
            rules = {};
            read(before);
            EXPECT_EQ(app(comm, command), "other") << rule << " is taken by an earlier rule";
            before += "'" + group + "': " + rule + "\n";
            made.push_back({comm, command, group});
        }
    }
    EXPECT_GT(made.size(), 400u);
    rules = {};
    rules.read(STOCK_APP_RULES, complaints);
    for (const auto& [comm, command, group] : made) EXPECT_EQ(app(comm, command), group) << comm << command;
    EXPECT_EQ(complaints, std::vector<std::string>());
    EXPECT_EQ(app("nginx"), "web");
    EXPECT_EQ(app("java", "java -cp x kafka.Kafka server.properties"), "kafka");
    EXPECT_EQ(app("application serv"), "other") << "no group is read as a rule";
}

TEST_F(Rules, CannotBeReadFromAPipe) {
    ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
    EXPECT_ANY_THROW(rules.read(folder / "pipe", complaints)) << "and nobody waits for who would write into it";
}

TEST_F(Rules, TakeAsMuchMemoryAsTheyMayAndSayWhatThereIsNoRoomFor) {
    std::string text;
    for (int i = 0; i < 40; i++) text += "many: *" + std::string(1000, static_cast<char>('A' + i)) + "*\n";
    read(text + "last: lasting\n");
    EXPECT_EQ(app("x", std::string(1000, 'A')), "many");
    EXPECT_EQ(app("lasting"), "last");
    ASSERT_EQ(complaints.size(), 8u);
    EXPECT_THAT(complaints[0], testing::HasSubstr(":33: all `*text*` together are longer than 32 KiB"));
    EXPECT_ANY_THROW(read(std::string(2 << 20, 'x')));
}

TEST_F(Rules, SayThatTheyCannotBeRead) { EXPECT_ANY_THROW(rules.read("/proc/self/mem", complaints)); }

TEST_F(Rules, CannotBeReadFromAFolder) { EXPECT_ANY_THROW(rules.read((folder / ""), complaints)); }

// Against the plain way: each pattern tried for each text.
TEST(Searcher, FindsWhatTryingEachPatternFinds) {
    std::minstd_rand random(7);
    auto word = [&](size_t most) {
        std::string text;
        for (size_t n = 1 + random() % most; n; n--) text += static_cast<char>('a' + random() % 3);
        return text;
    };
    for (int round = 0; round < 200; round++) {
        Searcher searcher;
        std::vector<std::string> patterns;
        for (int i = 0; i < 12; i++) searcher.add(patterns.emplace_back(word(4)), i);
        searcher.compile();
        for (int i = 0; i < 50; i++) {
            std::string text = word(12);
            int first = INT_MAX;
            for (int p = 11; p >= 0; p--)
                if (text.find(patterns[static_cast<size_t>(p)]) != std::string::npos) first = p;
            EXPECT_EQ(searcher.first_rule(text), first) << text;
        }
    }
}

}  // namespace
