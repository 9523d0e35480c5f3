// apps_groups.conf: the words, the ways to match, and what is wrong with a line.
#include "app_rules.h"
#include <gtest/gtest.h>
#include <climits>
#include <random>
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
