// The protocol checker: what is right passes, and each rule has a sample that breaks it alone.
#include "protocol.h"
#include <gtest/gtest.h>
#include <sstream>

namespace {

constexpr const char* chart =
    "CHART e.c '' 'A title' 'calls/s' 'family' e.c line 100 1 '' ebpf.plugin vfs\n"
    "DIMENSION up up incremental 1 1\n"
    "DIMENSION now now absolute -1 1\n";

std::vector<Protocol::Violation> read(const std::string& text, AgentVersion agent = {}, bool was_killed = false) {
    Protocol protocol(agent);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) protocol.line(line);
    protocol.end(was_killed);
    return protocol.violations();
}

std::string told(const std::vector<Protocol::Violation>& violations) {
    std::string all;
    for (const auto& v : violations) all += std::to_string(v.line) + ": " + v.what + "\n";
    return all;
}

TEST(Protocol, WhatIsRightPasses) {
    EXPECT_EQ(told(read(std::string(chart) +
                        "CLABEL app_group 'web server' 1\nCLABEL_COMMIT\n"
                        "FUNCTION GLOBAL \"f g\" 10 \"help\" \"top\" \"members\" 100 3\n"
                        "FUNCTION g 10 'help'\n"
                        "\n  \n"
                        "BEGIN e.c \nSET up = 3\nSET now = -5\nEND\n"
                        "FUNCTION_RESULT_BEGIN 1-a 200 application/json 1767225600\n{\"#\": [1, \"'\"],\n\"b\": 2}\n"
                        "FUNCTION_RESULT_END\n"
                        "BEGIN e.c 1000004\nSET up 3\nSET now=\nEND\n"
                        "VARIABLE CHART limit = 12.5\n"
                        "BEGIN e.c 1000002\nSET up = 9\nFLUSH\n"
                        // Gone, and back with its history: its first value counts from nowhere again.
                        "CHART e.c '' 'A title' 'calls/s' 'family' e.c line 100 1 'obsolete' ebpf.plugin vfs\n" +
                        chart +
                        "DIMENSION third 'the third' incremental 1 1000 hidden\n"
                        "BEGIN e.c\nSET up = 9\nSET now = 1\nSET third = 0\nEND\n"
                        "DISABLE\n")),
              "");
}

TEST(Protocol, APluginThatWasKilledMayStopAnywhere) {
    std::string text = std::string(chart) + "BEGIN e.c\nSET up = 3\n";
    EXPECT_EQ(told(read(text)), "5: the output ends before the END of e.c\n");
    EXPECT_EQ(told(read(text, {}, true)), "");
}

TEST(Protocol, KeywordsByTheAgentsVersion) {
    std::string labels = std::string(chart) + "CLABEL a b 1\nCLABEL_COMMIT\n";
    std::string function = "FUNCTION GLOBAL f 10 help\n";
    EXPECT_EQ(read(labels, {1, 31}).size(), 2u);
    EXPECT_EQ(read(labels, {1, 32}).size(), 0u);
    EXPECT_EQ(read(function, {1, 36}).size(), 1u);
    EXPECT_EQ(read(function, {2, 10}).size(), 0u);
    EXPECT_EQ(*parse_agent_version("v1.37.1"), (AgentVersion{1, 37}));
    EXPECT_EQ(*parse_agent_version("2.10.0"), (AgentVersion{2, 10}));
    EXPECT_FALSE(parse_agent_version("new"));
}

struct Sample {
    const char* rule;
    std::string text;  // what follows the definition of the chart
    const char* says;  // part of the only violation
};

void PrintTo(const Sample& sample, std::ostream* out) { *out << sample.text.substr(0, 200); }

std::string again(const std::string& line, int times) {
    std::string text;
    for (int i = 0; i < times; i++) text += line;
    return text;
}
std::string update(const std::string& elapsed, const std::string& up = "3") {
    return "BEGIN e.c " + elapsed + "\nSET up = " + up + "\nEND\n";
}
std::string result(const std::string& head, const std::string& body = "{}\nFUNCTION_RESULT_END\n") {
    return "FUNCTION_RESULT_BEGIN " + head + "\n" + body;
}
std::string chart_of(const std::string& id) { return "CHART " + id + " '' t u f e.d line 1 1 '' p m\n"; }

const Sample samples[] = {
    {"UnknownKeyword", "SOMETHING 1\n", "4: `SOMETHING` is no keyword"},
    {"Comment", "# a comment\n", "`#` is no keyword"},
    {"LowerCase", "begin e.c\n", "`begin` is no keyword"},
    {"ForStreamsOnly", "BEGIN2 e.c 1 2 3\n", "`BEGIN2` is no keyword"},
    {"OfLaterAgents", "HOST localhost\n", "`HOST` is no keyword of agent 1.37"},
    {"SetWithoutBegin", "SET up = 1\n", "SET `up` without BEGIN"},
    {"SetAfterEnd", update("") + "SET up = 4\n", "7: SET `up` without BEGIN"},
    {"EndWithoutBegin", "END\n", "END without BEGIN"},
    {"FlushWithoutBegin", "FLUSH\n", "FLUSH without BEGIN"},
    {"WordsAfterEnd", update("") + "END e.c\n", "END has 1 words"},
    {"UnknownChart", "BEGIN e.other\n", "BEGIN of chart e.other, which is not defined"},
    {"UnknownDimension", "BEGIN e.c\nSET other = 1\nEND\n", "SET of `other`, which is no dimension of e.c"},
    {"SecondBegin", "BEGIN e.c\nSET up = 1\nBEGIN e.c\nSET up = 1\nEND\n", "BEGIN before the END of e.c"},
    {"ChartBeforeEnd", "BEGIN e.c\nSET up = 1\n" + chart_of("e.d"), "CHART before the END of e.c"},
    {"ResultBeforeEnd", "BEGIN e.c\n" + result("t 200 application/json 1"), "FUNCTION_RESULT_BEGIN before the END"},
    {"NoEndAtTheEnd", "BEGIN e.c\nSET up = 1\n", "5: the output ends before the END of e.c"},
    {"SecondSet", "BEGIN e.c\nSET up = 1\nSET up = 2\nEND\n", "a second SET of `up`"},
    {"ObsoleteChart",
     "CHART e.c '' 'A title' 'calls/s' 'family' e.c line 100 1 obsolete ebpf.plugin vfs\n" + update(""),
     "BEGIN of chart e.c, which is obsolete"},
    {"ObsoleteDimension", "DIMENSION up up incremental 1 1 obsolete\n" + update(""),
     "SET of `up` of e.c, which is obsolete"},
    {"ObsoleteFirst", "CHART e.d '' t u f e.d line 1 1 obsolete p m\n", "obsolete before it is defined"},
    {"NoDimension", chart_of("e.d") + "BEGIN e.d\nEND\n", "has no dimension"},

    {"IdWithoutDot", chart_of("ed"), "not of the form type.id"},
    {"IdWithTwoDots", chart_of("e.d.f"), "not of the form type.id"},
    {"IdCharacters", chart_of("'e.d f'"), "a forbidden character in the chart's id"},
    {"IdTooLong", chart_of("e." + std::string(198, 'd')), "the chart's id has 200 bytes"},
    {"DimensionIdTooLong", "DIMENSION " + std::string(200, 'd') + "\n", "the dimension's id has 200 bytes"},
    {"ContextCharacters", "CHART e.d '' t u f 'e d' line 1 1 '' p m\n", "a forbidden character in the context"},
    {"NameCharacters", "CHART e.d 'a:b' t u f e.d line 1 1 '' p m\n", "a forbidden character in the chart's name"},
    {"NoTitle", "CHART e.d '' '' u f e.d line 1 1 '' p m\n", "has no title"},
    {"NoUnits", "CHART e.d '' t '' f e.d line 1 1 '' p m\n", "has no units"},
    {"ChartType", "CHART e.d '' t u f e.d lines 1 1 '' p m\n", "`lines` is no chart type"},
    {"ChartTypeOfLaterAgents", "CHART e.d '' t u f e.d heatmap 1 1 '' p m\n", "`heatmap` is no chart type"},
    {"Priority", "CHART e.d '' t u f e.d line high 1 '' p m\n", "the priority `high`"},
    {"UpdateEvery", "CHART e.d '' t u f e.d line 1 0 '' p m\n", "the update every `0`"},
    {"ChartOption", "CHART e.d '' t u f e.d line 1 1 gone p m\n", "`gone` is no option of a chart"},
    {"TooFewWords", "CHART e.d '' t\n", "CHART has 3 words"},
    {"MoreWordsThanWanted", "BEGIN e.c 1 2\n", "BEGIN has 3 words"},
    {"ControlCharacter", "DIMENSION 'a\001b'\n", "a control character"},
    {"OpenQuote", "DIMENSION 'a\n", "the quote ' is not closed"},
    {"QuoteInQuotes", "DIMENSION 'a\"b'\n", "a quote inside of a quoted word"},
    {"QuoteInWord", "DIMENSION it's\n", "a quote inside of the word"},
    {"NoSeparator", "DIMENSION 'a'b c\n", "no separator follows"},
    {"Backslash", "DIMENSION 'a\\b'\n", "a backslash"},
    {"LineTooLong", "DIMENSION " + std::string(16'000, 'x') + "\n", "the agent cuts the line in two"},

    {"DimensionWithoutChart", update("") + "DIMENSION later\n", "DIMENSION `later` without a CHART"},
    {"Algorithm", "DIMENSION d d sum\n", "`sum` is no algorithm"},
    {"Multiplier", "DIMENSION d d absolute 1.5 1\n", "the multiplier `1.5`"},
    {"Divisor", "DIMENSION d d absolute 1 0\n", "the divisor `0`"},
    {"DimensionOption", "DIMENSION d d absolute 1 1 gone\n", "`gone` is no option of a dimension"},
    {"ChartAgainOtherwise", "CHART e.c '' 'A title' 'calls' 'family' e.c line 100 1 '' ebpf.plugin vfs\n",
     "chart e.c is defined again otherwise: `calls` was `calls/s`"},
    {"DimensionAgainOtherwise", "DIMENSION up up absolute 1 1\n", "dimension `up` is defined again otherwise"},
    {"DimensionTwice", "DIMENSION up other incremental 1 1\n", "dimension `up` is defined again otherwise"},

    {"LabelWithoutSource", "CLABEL a b\n", "CLABEL has 2 words"},
    {"LabelBeforeChart", update("") + "CLABEL a b 1\n", "CLABEL without a CHART"},
    {"LabelSource", "CLABEL a b auto\nCLABEL_COMMIT\n", "the source `auto` of label a"},
    {"LabelName", "CLABEL 'a b' c 1\nCLABEL_COMMIT\n", "a forbidden character in the label's name"},
    {"LabelValue", "CLABEL a '' 1\nCLABEL_COMMIT\n", "label a has no value"},
    {"LabelsNotCommitted", "CLABEL a b 1\n" + update(""), "1 CLABEL without CLABEL_COMMIT"},
    {"CommitWithoutLabel", "CLABEL_COMMIT\n", "CLABEL_COMMIT without CLABEL"},
    {"VariableScope", "VARIABLE ALL a = 1\n", "`ALL` is no scope"},
    {"VariableValue", "VARIABLE a = much\n", "the value `much` of variable a"},
    {"VariableName", "VARIABLE 'a b' = 1\n", "a forbidden character in the variable's name"},

    {"Decimals", update("", "1.5"), "the value `1.5` of `up`"},
    {"Octal", update("", "017"), "the value `017` of `up`"},
    {"Word", update("", "many"), "the value `many` of `up`"},
    {"Overflow", update("", "9223372036854775808"), "no whole number of 64 bits"},
    {"TotalFalls", update("", "9") + update("1000000", "8"), "the total `up` of e.c falls from 9 to 8"},
    {"MicrosecondsFromNowhere", update("1000000"), "the first BEGIN of chart e.c counts microseconds from nowhere"},
    {"MicrosecondsZero", update("") + update("0"), "`0` is no number of microseconds"},
    {"MicrosecondsNegative", update("") + update("-1"), "`-1` is no number of microseconds"},
    {"MicrosecondsDecimals", update("") + update("1e6"), "`1e6` is no number of microseconds"},
    {"MillisecondsForMicro", update("") + update("1000"),
     "is updated after 1000 microseconds, its interval is 1000000"},
    {"IntervalNotKept", update("") + again(update("2000000"), 3),
     "says that it is updated every 1 s, it is every 2.00 s"},
    {"AfterDisable", "DISABLE\n" + std::string("VARIABLE a = 1\n"), "VARIABLE after DISABLE"},

    {"FunctionWithoutHelp", "FUNCTION GLOBAL f 10\n", "FUNCTION without name, timeout and help"},
    {"FunctionTimeout", "FUNCTION GLOBAL f soon help\n", "the timeout `soon` of function `f`"},
    {"FunctionName", "FUNCTION GLOBAL '' 10 help\n", "a function without a name"},
    {"FunctionEmptyHelp", "FUNCTION GLOBAL f 10 ''\n", "function `f` has no help"},
    {"FunctionOfNoChart", update("") + "FUNCTION f 10 help\n", "FUNCTION `f` is not GLOBAL"},
    {"ResultWithoutBegin", "FUNCTION_RESULT_END\n", "FUNCTION_RESULT_END without FUNCTION_RESULT_BEGIN"},
    {"ResultWithoutEnd", result("t 200 application/json 1", "{}\n"), "the output ends before FUNCTION_RESULT_END"},
    {"ResultEndInLine", result("t 200 text/plain 1", "text FUNCTION_RESULT_END\nFUNCTION_RESULT_END\n"),
     "FUNCTION_RESULT_END has no line of its own"},
    {"ResultWords", result("t 200 application/json", ""), "FUNCTION_RESULT_BEGIN has 3 words"},
    {"ResultTransaction", result("'' 200 application/json 1"), "without its transaction"},
    {"ResultTwice", again(result("t 200 application/json 1"), 2), "transaction t is answered a second time"},
    {"ResultStatus", result("t OK application/json 1"), "`OK` is no HTTP status"},
    {"ResultType", result("t 200 json 1"), "`json` is no content type"},
    {"ResultExpiry", result("t 200 application/json never"), "expires at `never`"},
    {"ResultJson", result("t 200 application/json 1", "{\nFUNCTION_RESULT_END\n"), "is no JSON"},
    {"ResultTooLong", result("t 200 text/plain 1", std::string(11 << 20, 'x') + "\nFUNCTION_RESULT_END\n"),
     "a result of 11534337 bytes"},
};

class Wrong : public testing::TestWithParam<Sample> {};
INSTANTIATE_TEST_SUITE_P(Protocol, Wrong, testing::ValuesIn(samples),
                         [](const auto& sample) { return std::string(sample.param.rule); });

TEST_P(Wrong, IsTold) {
    const std::string all = told(read(chart + GetParam().text));
    EXPECT_NE(all.find(GetParam().says), std::string::npos) << all;
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 1) << all;
}

TEST(Protocol, TooManyWords) {
    const std::string all = told(read(chart + ("SOMETHING" + again(" w", 20)) + "\n"));
    EXPECT_NE(all.find("21 words: the agent reads the first 20"), std::string::npos) << all;
}

}  // namespace
