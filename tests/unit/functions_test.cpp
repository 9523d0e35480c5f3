// The agent's lines, and what is answered to whom.
#include "netdata/functions.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include "base/owner.h"
#include "netdata/function_table.h"

namespace {

struct Agents : testing::Test {
    Agents() {
        int input[2], output[2];
        EXPECT_EQ(pipe(input), 0);
        EXPECT_EQ(pipe(output), 0);
        dup2(input[0], STDIN_FILENO);
        close(input[0]);
        to_plugin = Descriptor(input[1]);
        from_plugin = Descriptor(output[0]);
        writes = Descriptor(output[1]);
        out.emplace(writes.get());
        functions.emplace(Agent("v1.37.1"), 1);
        functions->offer("slow", {.help = "Takes its time", .ask = [this] { asked++; }});
    }
    ~Agents() override { dup2(standard_input.get(), STDIN_FILENO); }

    Then says(const std::string& text) {
        EXPECT_EQ(write(to_plugin.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
        return functions->readable(*out, 0);
    }
    // All that has been printed since, the time of expiry as T.
    std::string hears() {
        std::string text(65536, 0);
        if (out->empty()) return "";
        out->flush();
        text.resize(static_cast<size_t>(std::max<ssize_t>(read(from_plugin.get(), text.data(), text.size()), 0)));
        for (size_t at = 0; (at = text.find("application/json ", at)) != std::string::npos;) {
            at += std::string("application/json ").size();
            text.replace(at, text.find('\n', at) - at, "T");
        }
        return text;
    }

    Descriptor standard_input{dup(STDIN_FILENO)}, to_plugin, from_plugin, writes;
    std::optional<Writer> out;
    std::optional<Functions> functions;
    int asked = 0;
};

std::string result(const std::string& transaction, int status, const std::string& body) {
    return "FUNCTION_RESULT_BEGIN " + transaction + " " + std::to_string(status) + " application/json T\n" + body +
           "\nFUNCTION_RESULT_END\n";
}

TEST_F(Agents, AreToldWhichThereAre) {
    functions->begin(*out);
    EXPECT_EQ(hears(), "FUNCTION GLOBAL \"slow\" 10 \"Takes its time\"\n");
    Functions old(Agent("v1.36.0"), 1);
    old.offer("slow", {.help = "Takes its time"});
    old.begin(*out);
    EXPECT_EQ(hears(), "");
}

TEST_F(Agents, GetTheirAnswersWhenItIsThereAllOfThemAndOnce) {
    EXPECT_EQ(says("FUNCTION a 10 \"slow\"\nFUNCTION b 10 \"slow some argument\"\n"), Then::GoOn);
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(hears(), "");
    functions->answer(*out, "slow", "table");
    EXPECT_EQ(hears(), result("a", 200, "table") + result("b", 200, "table"));
    functions->answer(*out, "slow", "table");
    EXPECT_EQ(hears(), "");
}

TEST_F(Agents, AreToldAtOnceWhatAFunctionIsAndThatThereIsNoSuch) {
    says("FUNCTION a 10 \"slow info\"\n");
    EXPECT_EQ(hears(), result("a", 200, text_of(table_head("Takes its time", 1))));
    says("FUNCTION b 10 \"other\"\r\n");
    EXPECT_NE(hears().find("FUNCTION_RESULT_BEGIN b 404 "), std::string::npos);
    EXPECT_EQ(asked, 0);
}

TEST_F(Agents, AreToldWhenAFunctionIsNoMore) {
    says("FUNCTION a 10 \"slow\"\n");
    functions->withdraw(*out, "slow", "it is gone");
    std::string text = hears();
    EXPECT_NE(text.find("FUNCTION_RESULT_BEGIN a 503 "), std::string::npos);
    EXPECT_NE(text.find("it is gone"), std::string::npos);
    says("FUNCTION b 10 \"slow\"\n");
    EXPECT_NE(hears().find("FUNCTION_RESULT_BEGIN b 404 "), std::string::npos);
}

TEST_F(Agents, SendPayloadsThatAreNoCommands) {
    EXPECT_EQ(says("FUNCTION_PAYLOAD a 10 \"slow\" 0xff me text/plain\nQUIT\nFUNCTION b 10 \"slow\"\nQUIT"),
              Then::GoOn);
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(says("\nFUNCTION_PAYLOAD_END\nFUNCTION c 10 \"slow\"\n"), Then::GoOn);
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(says("QUIT"), Then::End);
}

TEST_F(Agents, EndThePluginByQuitOrByTheEnd) {
    EXPECT_EQ(says("QUITE\nQUI"), Then::GoOn);
    EXPECT_EQ(says("T"), Then::End);
    to_plugin.reset();
    EXPECT_EQ(functions->readable(*out, 0), Then::End);
}

TEST_F(Agents, MaySendLinesOfAnyLength) {
    for (int i = 0; i < 3; i++) EXPECT_EQ(says(std::string(4000, 'Q')), Then::GoOn);
    EXPECT_EQ(says("QUIT"), Then::GoOn);
    EXPECT_EQ(says("\nQUIT\n"), Then::End);
}

}  // namespace
