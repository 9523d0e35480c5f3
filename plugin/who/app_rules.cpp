#include "who/app_rules.h"
#include <unistd.h>
#include <algorithm>
#include <climits>
#include <deque>
#include <sstream>
#include "base/error.h"
#include "base/log.h"
#include "base/patterns.h"
#include "base/words.h"
#include "guard/privileges.h"

extern "C" const char stock_app_rules[], stock_app_rules_end[];  // conf.d/ebpf_apps_groups.conf

void Searcher::add(std::string_view pattern, int rule) { patterns_.emplace_back(pattern, rule); }

void Searcher::compile() {
    for (auto& [pattern, rule] : patterns_)
        for (unsigned char c : pattern)
            if (!letter_of_[c]) letter_of_[c] = static_cast<uint8_t>(letters_++);
    auto node = [this] {
        next_.resize(next_.size() + letters_);
        rule_.push_back(INT_MAX);
        return static_cast<uint32_t>(rule_.size() - 1);
    };
    node();
    for (auto& [pattern, rule] : patterns_) {
        uint32_t at = 0;
        for (unsigned char c : pattern) {
            size_t edge = at * letters_ + letter_of_[c];
            if (!next_[edge]) {
                uint32_t fresh = node();  // which may move the table
                next_[edge] = fresh;
            }
            at = next_[edge];
        }
        rule_[at] = std::min(rule_[at], rule);
    }
    // Level by level: where no edge leads on, go on as the longest end of what was read that begins a pattern.
    std::vector<uint32_t> fallback(rule_.size());
    std::deque<uint32_t> queue;
    for (uint32_t l = 0; l < letters_; l++)
        if (next_[l]) queue.push_back(next_[l]);
    for (; !queue.empty(); queue.pop_front()) {
        uint32_t at = queue.front();
        rule_[at] = std::min(rule_[at], rule_[fallback[at]]);
        for (uint32_t l = 0; l < letters_; l++) {
            uint32_t& edge = next_[at * letters_ + l];
            uint32_t without = next_[fallback[at] * letters_ + l];
            if (edge) {
                fallback[edge] = without;
                queue.push_back(edge);
            } else
                edge = without;
        }
    }
}

int Searcher::first_rule(std::string_view text) const {
    int first = INT_MAX;
    if (next_.empty()) return first;
    uint32_t at = 0;
    for (unsigned char c : text) {
        at = next(at, c);
        first = std::min(first, rule_[at]);
    }
    return first;
}

namespace {

constexpr size_t comm_length = 15;  // TASK_COMM_LEN - 1
// Of patterns that may stand anywhere in a command line: a byte of them takes up to 1 KiB of memory.
constexpr size_t most_command_bytes = 32 << 10;
constexpr int64_t longest_rules = 1 << 20;

// The words of a line. Blanks and colons part them, quotes keep them together, # ends the line. False: a quote is open.
bool split(const std::string& line, std::vector<std::string>& words) {
    auto separates = [](char c) { return c == ' ' || c == '\t' || c == ':' || c == '\r'; };
    for (size_t i = 0; i < line.size();) {
        if (separates(line[i])) {
            i++;
            continue;
        }
        if (line[i] == '#') break;
        std::string word;
        if (line[i] == '"' || line[i] == '\'') {
            size_t end = line.find(line[i], i + 1);
            if (end == std::string::npos) return false;
            word = line.substr(i + 1, end - i - 1);
            i = end + 1;
        } else
            while (i < line.size() && !separates(line[i])) word += line[i++];
        words.push_back(word);
    }
    return true;
}

// Takes - (hidden) and + (of no meaning to us) off the front of a word, and says whether there was a -.
bool take_marks(std::string& word) {
    bool hidden = false;
    size_t n = 0;
    for (; n < word.size() && (word[n] == '-' || word[n] == '+'); n++) hidden |= word[n] == '-';
    word.erase(0, n);
    return hidden;
}

}  // namespace

AppRules::AppRules() { app("other"); }

size_t AppRules::app(std::string name) {
    auto [at, is_new] = by_name_.try_emplace(name, apps_.size());
    if (is_new) apps_.push_back({std::move(name)});
    return at->second;
}

void AppRules::read(const std::string& file, std::vector<std::string>& complaints) {
    read_lines(read_file(file, longest_rules), file, complaints);
}

void AppRules::read_built_in(std::vector<std::string>& complaints) {
    read_lines(std::string(stock_app_rules, stock_app_rules_end), built_in, complaints);
}

void AppRules::read_lines(const std::string& text, const std::string& source, std::vector<std::string>& complaints) {
    source_ = source;
    int number = 0;
    auto complain = [&](const char* what) {
        complaints.push_back(fmt::format("{}:{}: {}; the line is passed over", source, number, what));
    };
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        number++;
        read_line(line, complain);
    }
    in_command_.compile();
}

void AppRules::read_line(const std::string& line, const std::function<void(const char*)>& complain) {
    std::vector<std::string> words;
    if (!split(line, words)) return complain("a quote is opened and not closed");
    if (words.empty()) return;
    bool hidden = take_marks(words[0]);
    if (words[0].empty()) return complain("the group has no name");
    words.erase(std::remove(words.begin() + 1, words.end(), ""), words.end());
    if (words.size() == 1) return complain("the group has no process: write `group: process process`");
    size_t group = app(words[0]);
    apps_[group].hidden |= hidden;
    for (size_t i = 1; i < words.size(); i++)
        if (!rule(words[i], group)) return complain("all `*text*` together are longer than 32 KiB");
}

bool AppRules::rule(const std::string& text, size_t app) {
    std::string word = text;
    apps_[app].hidden |= take_marks(word);
    bool open_front = word.starts_with('*');
    if (open_front && word.size() > 1 && (word[1] == '-' || word[1] == '+')) {  // marks may follow the star too
        std::string rest = word.substr(1);
        apps_[app].hidden |= take_marks(rest);
        word = "*" + rest;
    }
    bool open_end = word.size() > 1 && word.ends_with('*');
    std::string inner = word.substr(open_front, word.size() - open_front - open_end);
    int number = static_cast<int>(app_of_rule_.size());
    app_of_rule_.push_back(app);
    if (inner.find('*') != std::string::npos)
        (open_front && open_end ? wild_commands_ : wild_comms_).push_back({word, number});
    else if (open_front && open_end) {
        if ((command_bytes_ += inner.size()) > most_command_bytes) return false;
        in_command_.add(inner, number);
    } else if (open_front && inner.size() <= comm_length)
        ends_[inner.size()].try_emplace(inner, number);
    else if (open_front)
        return true;  // longer than any name
    else if (open_end) {
        inner.resize(std::min(inner.size(), comm_length));
        beginnings_[inner.size()].try_emplace(inner, number);
    } else
        exact_.try_emplace(inner.substr(0, comm_length), number);
    return true;
}

size_t AppRules::match(std::string_view comm, std::string_view command) const {
    int first = INT_MAX;
    auto consider = [&first](const ByText& rules, std::string_view text) {
        if (rules.empty()) return;
        if (auto found = rules.find(std::string(text)); found != rules.end()) first = std::min(first, found->second);
    };
    comm = comm.substr(0, comm_length);
    consider(exact_, comm);
    for (size_t n = 0; n <= comm.size(); n++) {
        consider(beginnings_[n], comm.substr(0, n));
        consider(ends_[n], comm.substr(comm.size() - n));
    }
    first = std::min(first, in_command_.first_rule(command));
    for (auto [rules, text] : {std::pair{&wild_comms_, comm}, {&wild_commands_, command}})
        for (const Wild& wild : *rules)
            if (wild.rule < first && matches_wild(wild.pattern, text)) first = wild.rule;
    return first == INT_MAX ? 0 : app_of_rule_[static_cast<size_t>(first)];
}

namespace {

std::string find_app_rules(const std::vector<std::string>& user_folders,
                           const std::vector<std::string>& stock_folders) {
    for (const auto* folders : {&user_folders, &stock_folders})
        for (const char* name : {"apps_groups.conf", "ebpf_apps_groups.conf"})
            for (const std::string& folder : *folders)
                if (std::string path = folder + "/" + name; access(path.c_str(), F_OK) == 0) return path;
    return "";
}

}  // namespace

AppRules load_app_rules(const std::vector<std::string>& user_folders, const std::vector<std::string>& stock_folders) {
    OwnRights own_rights;
    AppRules rules;
    std::vector<std::string> complaints;
    std::string file = find_app_rules(user_folders, stock_folders);
    try {
        if (file.empty())
            rules.read_built_in(complaints);
        else
            rules.read(file, complaints);
    } catch (const Error& e) {
        rules = {};
        complaints.push_back(fmt::format("{}: every process counts for `other`", e.what()));
    }
    log_complaints(complaints);
    return rules;
}
