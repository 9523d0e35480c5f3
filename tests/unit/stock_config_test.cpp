// conf.d/ebpf.conf says what the key table says: every documented setting, commented out, at its default.
#include <gtest/gtest.h>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include "same_config.h"
#include "scratch_folder.h"

namespace {

// The defaults that only "left out" says; the file shows for them what comes out by hand, on a small machine.
const std::map<std::string, std::string> automatic = {
    {"global|update every", "1"}, {"global|pid table size", "4096"}, {"global|connection table size", "4096"}};

struct Line {
    std::string text;     // as it stands in the file
    std::string setting;  // "section|key" of a commented setting, else ""
    std::string value;
};

std::vector<Line> stock_lines() {
    std::ifstream file(STOCK_CONFIG);
    std::vector<Line> lines;
    std::string section;
    const std::regex header("\\[([a-z ]+)\\]"),
        setting("#([a-z0-9 ]+?) =(?: (.*))?");  // explanations have a blank after the #
    for (std::string text; std::getline(file, text);) {
        std::smatch match;
        lines.push_back({text, "", ""});
        if (std::regex_match(text, match, header)) section = match[1];
        if (std::regex_match(text, match, setting))
            lines.back().setting = section + "|" + match[1].str(), lines.back().value = match[2];
    }
    return lines;
}

// The stock file, with the settings that `chosen` picks uncommented.
template <class Chosen>
std::string stock_with(Chosen chosen) {
    std::string all;
    for (const Line& line : stock_lines()) all += (chosen(line.setting) ? line.text.substr(1) : line.text) + "\n";
    return all;
}

Config read(const std::string& text) {
    ScratchFolder folder;
    Config config;
    std::vector<std::string> complaints;
    read_config(folder.write("ebpf.conf", text), false, config, complaints);
    EXPECT_EQ(complaints, std::vector<std::string>());
    return config;
}

TEST(StockConfig, HasEverySettingOnceAndNoOther) {
    std::multiset<std::string> settings;
    for (const Line& line : stock_lines())
        if (!line.setting.empty()) settings.insert(line.setting);
    std::vector<std::string> keys = documented_keys();
    EXPECT_EQ(settings, std::multiset<std::string>(keys.begin(), keys.end()));
}

TEST(StockConfig, ExplainsEverySetting) {
    std::vector<Line> lines = stock_lines();
    for (size_t i = 1; i < lines.size(); i++)
        if (!lines[i].setting.empty()) EXPECT_TRUE(lines[i - 1].text.starts_with("# ")) << lines[i].setting;
}

TEST(StockConfig, SetsNothingAsItIs) {
    std::ifstream file(STOCK_CONFIG);
    expect_same(read(std::string(std::istreambuf_iterator<char>(file), {})), Config());
}

TEST(StockConfig, ShowsTheDefaultOfEachSetting) {
    for (const std::string& key : documented_keys()) {
        if (automatic.contains(key)) continue;
        SCOPED_TRACE(key);
        expect_same(read(stock_with([&](const std::string& setting) { return setting == key; })), Config());
    }
}

TEST(StockConfig, ShowsWhatIsAutomaticAsItComesOutByHand) {
    std::map<std::string, std::string> shown;
    for (const Line& line : stock_lines())
        if (automatic.contains(line.setting)) shown[line.setting] = line.value;
    EXPECT_EQ(shown, automatic);
}

TEST(StockConfig, ReadsWithEverythingUncommented) {
    Config wanted;
    wanted.update_every = 1;
    wanted.pid_table_size = wanted.connection_table_size = 4096;
    expect_same(read(stock_with([](const std::string& setting) { return !setting.empty(); })), wanted);
}

TEST(StockConfig, HasNoLineThatTheReaderWouldCut) {
    for (const Line& line : stock_lines()) EXPECT_LE(line.text.size(), 120u) << line.text;
}

}  // namespace
