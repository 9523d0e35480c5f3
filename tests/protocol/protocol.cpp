#include "protocol.h"
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace {

// Of the oldest agent that speaks all of this: 1.37 splits a line at about 15 kB, and an id at 199 bytes.
constexpr size_t longest_line = 15'000, longest_id = 199, most_words = 20, longest_body = 10 << 20;

struct Keyword {
    std::string_view name;
    AgentVersion since;
    size_t least, most;  // words that follow
};
constexpr Keyword keywords[] = {
    {"CHART", {1, 0}, 4, 12},
    {"DIMENSION", {1, 0}, 1, 6},
    {"BEGIN", {1, 0}, 1, 2},
    {"SET", {1, 0}, 1, 2},
    {"END", {1, 0}, 0, 0},
    {"FLUSH", {1, 0}, 0, 0},
    {"DISABLE", {1, 0}, 0, 0},
    {"VARIABLE", {1, 0}, 2, 3},
    {"CLABEL", {1, 32}, 3, 3},
    {"CLABEL_COMMIT", {1, 32}, 0, 0},
    {"FUNCTION", {1, 37}, 3, 8},
    {"FUNCTION_RESULT_BEGIN", {1, 37}, 4, 4},
    {"FUNCTION_RESULT_END", {1, 37}, 0, 0},
};

constexpr std::string_view id_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
constexpr std::string_view label_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
constexpr std::string_view separators = " \t\r\f\v=";

bool made_of(std::string_view text, std::string_view characters) {
    return text.find_first_not_of(characters) == std::string_view::npos;
}

std::optional<int64_t> number(std::string_view text) {
    int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    // The agent reads a number that begins with 0 as an octal one.
    std::string_view digits = text.substr(text.starts_with('-'));
    if (digits.size() > 1 && digits.starts_with('0')) return {};
    return value;
}

std::vector<std::string> blank_separated(std::string_view text) {
    std::vector<std::string> words;
    for (size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string_view::npos;) {
        size_t end = std::min(text.find(' ', at), text.size());
        words.emplace_back(text.substr(at, end - at));
        at = end;
    }
    return words;
}

const std::string& word(const std::vector<std::string>& words, size_t n) {
    static const std::string none;
    return n < words.size() ? words[n] : none;
}

}  // namespace

std::optional<AgentVersion> parse_agent_version(const std::string& text) {
    AgentVersion version;
    if (std::sscanf(text.c_str() + text.starts_with('v'), "%d.%d", &version.major, &version.minor) != 2) return {};
    return version;
}

// The words as the agent's splitter finds them; nothing if it would find others than were meant.
std::optional<Protocol::Words> Protocol::split(std::string_view text) {
    Words words;
    for (size_t at = 0; (at = text.find_first_not_of(separators, at)) != std::string_view::npos;) {
        size_t end;
        if (char quote = text[at]; quote == '\'' || quote == '"') {
            if (end = text.find(quote, ++at); end == std::string_view::npos)
                return wrong("the quote {} is not closed", quote), std::nullopt;
            words.emplace_back(text.substr(at, end - at));
            if (words.back().find_first_of("'\"") != std::string::npos)
                return wrong("a quote inside of a quoted word: `{}`", words.back()), std::nullopt;
            at = end + 1;
            if (at < text.size() && separators.find(text[at]) == std::string_view::npos)
                return wrong("no separator follows the quoted word `{}`", words.back()), std::nullopt;
        } else {
            end = std::min(text.find_first_of(separators, at), text.size());
            words.emplace_back(text.substr(at, end - at));
            if (words.back().find_first_of("'\"") != std::string::npos)
                return wrong("a quote inside of the word `{}`", words.back()), std::nullopt;
            at = end;
        }
        if (words.back().find('\\') != std::string::npos)
            return wrong("a backslash, which hides the next character from the agent: `{}`", words.back()),
                   std::nullopt;
    }
    return words;
}

bool Protocol::is_sound(const char* what, const std::string& text) {
    auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
    if (!std::any_of(text.begin(), text.end(), is_control)) return true;
    wrong("a control character in the {}", what);
    return false;
}

void Protocol::leave_scope() {
    if (labels_) wrong("{} CLABEL without CLABEL_COMMIT", labels_);
    labels_ = 0;
    defined_ = nullptr;
}

void Protocol::line(std::string_view text) {
    number_++;
    if (!transaction_.empty()) return body(text);
    if (text.size() > longest_line) return wrong("{} bytes: the agent cuts the line in two", text.size());
    std::optional<Words> split_line = split(text);
    if (!split_line || split_line->empty()) return;
    Words words = std::move(*split_line);
    if (words.size() > most_words) wrong("{} words: the agent reads the first {}", words.size(), most_words);

    const auto* keyword = std::find_if(std::begin(keywords), std::end(keywords),
                                       [&](const Keyword& k) { return k.name == words[0] && k.since <= agent_; });
    if (keyword == std::end(keywords))
        return wrong("`{}` is no keyword of agent {}.{}: it ends the plugin", words[0], agent_.major, agent_.minor);
    if (disabled_) wrong("{} after DISABLE", words[0]);
    words.erase(words.begin());
    if (words.size() < keyword->least || words.size() > keyword->most)
        return wrong("{} has {} words, {} to {} are wanted", keyword->name, words.size(), keyword->least,
                     keyword->most);
    for (const std::string& w : words)
        if (!is_sound("line", w)) return;

    std::string_view name = keyword->name;
    if (open_ && name != "SET" && name != "END" && name != "FLUSH" && name != "VARIABLE") {
        wrong("{} before the END of {}: its values are lost", name, open_id_);
        open_ = nullptr;
    }
    if (name == "CHART") define_chart(words);
    if (name == "DIMENSION") define_dimension(words);
    if (name == "CLABEL") label(words);
    if (name == "CLABEL_COMMIT") commit_labels();
    if (name == "VARIABLE") variable(words);
    if (name == "BEGIN") begin(words);
    if (name == "SET") set(words);
    if (name == "END") end_update();
    if (name == "FLUSH" && !std::exchange(open_, nullptr)) wrong("FLUSH without BEGIN");
    if (name == "DISABLE") disabled_ = true;
    if (name == "FUNCTION") function(words);
    if (name == "FUNCTION_RESULT_BEGIN") begin_result(words);
    if (name == "FUNCTION_RESULT_END") wrong("FUNCTION_RESULT_END without FUNCTION_RESULT_BEGIN");
}

// CHART type.id name title units family context type priority update_every options plugin module
void Protocol::define_chart(const Words& words) {
    leave_scope();
    const std::string& id = words[0];
    if (std::count(id.begin(), id.end(), '.') != 1 || id.starts_with('.') || id.ends_with('.'))
        return wrong("the chart's id `{}` is not of the form type.id", id);
    if (!made_of(id, id_characters)) wrong("a forbidden character in the chart's id `{}`", id);
    if (id.size() > longest_id)
        wrong("the chart's id has {} bytes, the agent cuts it at {} and knows no BEGIN of it", id.size(), longest_id);
    if (!made_of(word(words, 1), id_characters)) wrong("a forbidden character in the chart's name `{}`", words[1]);
    if (words[2].empty()) wrong("chart {} has no title", id);
    if (words[3].empty()) wrong("chart {} has no units", id);
    if (!made_of(word(words, 5), id_characters)) wrong("a forbidden character in the context `{}`", words[5]);
    if (const std::string& type = word(words, 6); !type.empty() && type != "line" && type != "area" &&
                                                  type != "stacked" &&
                                                  (type != "heatmap" || agent_ < AgentVersion{2, 1}))
        wrong("`{}` is no chart type: line, area or stacked", type);
    auto positive = [&](size_t n, const char* what) -> int64_t {
        if (word(words, n).empty()) return 0;
        std::optional<int64_t> value = number(words[n]);
        if (!value || *value <= 0) wrong("the {} `{}` of {} is no whole number from 1", what, words[n], id);
        return value.value_or(0);
    };
    positive(7, "priority");
    int64_t interval = positive(8, "update every") * 1'000'000;
    bool obsolete = false;
    for (const std::string& option : blank_separated(word(words, 9))) {
        obsolete |= option == "obsolete";
        if (option != "obsolete" && option != "hidden" && option != "detail" && option != "store_first")
            wrong("`{}` is no option of a chart", option);
    }
    Words definition = words;
    if (definition.size() > 9) definition[9] = "";
    auto [entry, fresh] = charts_.try_emplace(id);
    Chart& chart = entry->second;
    if (!fresh && chart.definition != definition) {
        size_t n = 0;
        while (word(chart.definition, n) == word(definition, n)) n++;
        wrong("chart {} is defined again otherwise: `{}` was `{}`", id, word(definition, n), word(chart.definition, n));
    }
    if (fresh && obsolete) wrong("chart {} is obsolete before it is defined", id);
    if (chart.obsolete && !obsolete) chart.begun = false;
    chart.definition = std::move(definition);
    chart.obsolete = obsolete;
    chart.interval = interval;
    defined_ = &chart;
}

// DIMENSION id name algorithm multiplier divisor options
void Protocol::define_dimension(const Words& words) {
    if (!defined_) return wrong("DIMENSION `{}` without a CHART", words[0]);
    const std::string& id = words[0];
    if (id.empty()) wrong("a dimension without an id");
    if (id.size() > longest_id)
        wrong("the dimension's id has {} bytes, the agent cuts it at {}", id.size(), longest_id);
    const std::string& algorithm = word(words, 2);
    if (!algorithm.empty() && algorithm != "absolute" && algorithm != "incremental" &&
        algorithm != "percentage-of-absolute-row" && algorithm != "percentage-of-incremental-row")
        wrong("`{}` is no algorithm", algorithm);
    for (size_t n : {3, 4})
        if (!word(words, n).empty() && number(words[n]).value_or(0) == 0)
            wrong("the {} `{}` of dimension `{}` is no whole number other than 0", n == 3 ? "multiplier" : "divisor",
                  words[n], id);
    bool obsolete = false;
    for (const std::string& option : blank_separated(word(words, 5))) {
        obsolete |= option == "obsolete";
        if (option != "obsolete" && option != "hidden" && option != "noreset" && option != "nooverflow")
            wrong("`{}` is no option of a dimension", option);
    }
    Words definition(words.begin(), words.begin() + static_cast<long>(std::min<size_t>(words.size(), 5)));
    auto [entry, fresh] = defined_->dimensions.try_emplace(id);
    Dimension& dimension = entry->second;
    if (!fresh && dimension.definition != definition) wrong("dimension `{}` is defined again otherwise", id);
    dimension.definition = std::move(definition);
    dimension.incremental = algorithm == "incremental" || algorithm == "percentage-of-incremental-row";
    dimension.obsolete = obsolete;
}

void Protocol::label(const Words& words) {
    if (!defined_) return wrong("CLABEL without a CHART crashes the agent");
    if (words[0].empty() || !made_of(words[0], label_characters))
        wrong("a forbidden character in the label's name `{}`", words[0]);
    if (words[1].empty()) wrong("label {} has no value", words[0]);
    if (int64_t source = number(words[2]).value_or(-1); source < 0 || source > 15)
        wrong("the source `{}` of label {} is none of 1, 2, 4, 8 or their sum", words[2], words[0]);
    labels_++;
}

void Protocol::commit_labels() {
    if (!labels_) wrong("CLABEL_COMMIT without CLABEL");
    labels_ = 0;
}

void Protocol::variable(const Words& words) {
    bool scoped = words.size() == 3;
    const std::string& scope = scoped ? words[0] : "";
    if (scoped && scope != "GLOBAL" && scope != "HOST" && scope != "LOCAL" && scope != "CHART")
        wrong("`{}` is no scope of a variable", scope);
    if (!made_of(words[scoped], id_characters))
        wrong("a forbidden character in the variable's name `{}`", words[scoped]);
    if (words.back().find_first_not_of("0123456789.-+eE") != std::string::npos)
        wrong("the value `{}` of variable {} is no number", words.back(), words[scoped]);
}

void Protocol::begin(const Words& words) {
    leave_scope();
    open_id_ = words[0];
    auto found = charts_.find(open_id_);
    if (found == charts_.end())
        return wrong("BEGIN of chart {}, which is not defined: it disables the plugin", open_id_);
    Chart& chart = found->second;
    open_ = &chart;
    if (chart.obsolete) wrong("BEGIN of chart {}, which is obsolete", open_id_);
    for (auto& [id, dimension] : chart.dimensions) dimension.set = false;
    if (chart.dimensions.empty()) wrong("BEGIN of chart {}, which has no dimension", open_id_);

    // Without microseconds the agent takes its own clock, as it must for the first value.
    if (words.size() < 2) return;
    std::optional<int64_t> elapsed = number(words[1]);
    if (!elapsed || *elapsed <= 0) return wrong("`{}` is no number of microseconds from 1", words[1]);
    if (!chart.begun) return wrong("the first BEGIN of chart {} counts microseconds from nowhere", open_id_);
    chart.elapsed += *elapsed;
    chart.updates++;
    // One that comes soon after a late one is in time; one that comes half an interval early follows a clock that was set.
    chart.ahead = std::max(chart.ahead * 3 / 4 + chart.interval - *elapsed, -chart.interval);
    if (chart.ahead > chart.interval * 5 / 8 || *elapsed < chart.interval / 500) {
        wrong("chart {} is updated after {} microseconds, its interval is {}", open_id_, *elapsed, chart.interval);
        chart.ahead = 0;
    }
}

void Protocol::set(const Words& words) {
    const std::string& id = words[0];
    if (!open_) return wrong("SET `{}` without BEGIN", id);
    auto found = open_->dimensions.find(id);
    if (found == open_->dimensions.end())
        return wrong("SET of `{}`, which is no dimension of {}: it disables the plugin", id, open_id_);
    Dimension& dimension = found->second;
    if (dimension.obsolete) wrong("SET of `{}` of {}, which is obsolete", id, open_id_);
    if (std::exchange(dimension.set, true)) wrong("a second SET of `{}` of {}: the first is lost", id, open_id_);
    const std::string& text = word(words, 1);
    if (text.empty()) return;  // "not collected now"
    std::optional<int64_t> value = number(text);
    if (!value) return wrong("the value `{}` of `{}` is no whole number of 64 bits", text, id);
    if (dimension.incremental && dimension.last && *value < *dimension.last)
        wrong("the total `{}` of {} falls from {} to {}", id, open_id_, *dimension.last, *value);
    dimension.last = *value;
}

void Protocol::end_update() {
    if (!open_) return wrong("END without BEGIN");
    if (!open_->begun) open_->ahead = -open_->interval;  // it may have been late
    open_->begun = true;
    open_ = nullptr;
    updates_++;
}

// FUNCTION [GLOBAL] name timeout help tags access priority version
void Protocol::function(const Words& words) {
    bool global = words[0] == "GLOBAL";
    if (words.size() < 3u + global) return wrong("FUNCTION without name, timeout and help: it ends the plugin");
    if (!global && !defined_) wrong("FUNCTION `{}` is not GLOBAL and there is no CHART", words[0]);
    const std::string* word = &words[global];
    if (word[0].empty()) wrong("a function without a name");
    if (number(word[1]).value_or(0) <= 0)
        wrong("the timeout `{}` of function `{}` is no whole number from 1", word[1], word[0]);
    if (word[2].empty()) wrong("function `{}` has no help", word[0]);
}

// FUNCTION_RESULT_BEGIN transaction status type expires
void Protocol::begin_result(const Words& words) {
    leave_scope();
    transaction_ = words[0];
    content_type_ = words[2];
    body_.clear();
    if (transaction_.empty()) {
        wrong("the result of a function without its transaction");
        transaction_ = "''";
    }
    if (!answered_.insert(transaction_).second) wrong("transaction {} is answered a second time", transaction_);
    if (int64_t status = number(words[1]).value_or(0); status < 100 || status > 599)
        wrong("`{}` is no HTTP status", words[1]);
    if (content_type_.find('/') == std::string::npos) wrong("`{}` is no content type", content_type_);
    if (!number(words[3])) wrong("the result expires at `{}`, which is no time", words[3]);
}

void Protocol::body(std::string_view text) {
    if (text != "FUNCTION_RESULT_END") {
        if (text.ends_with("FUNCTION_RESULT_END")) wrong("FUNCTION_RESULT_END has no line of its own");
        (body_ += text) += '\n';
        return;
    }
    if (body_.size() > longest_body) wrong("a result of {} bytes, {} are allowed", body_.size(), longest_body);
    if (content_type_ == "application/json" && !nlohmann::json::accept(body_))
        wrong("the result of transaction {} is no JSON", transaction_);
    transaction_.clear();
}

void Protocol::check_interval(const std::string& id, Chart& chart) {
    if (chart.updates < 3 || !chart.interval) return;  // one late update is no other interval
    auto mean = static_cast<double>(chart.elapsed) / static_cast<double>(chart.updates);
    auto interval = static_cast<double>(chart.interval);
    if (mean > 1.5 * interval || mean < 0.75 * interval)
        wrong("chart {} says that it is updated every {} s, it is every {:.2f} s", id, interval / 1e6, mean / 1e6);
}

void Protocol::end(bool was_killed) {
    if (!was_killed) {
        if (open_) wrong("the output ends before the END of {}", open_id_);
        if (!transaction_.empty()) wrong("the output ends before FUNCTION_RESULT_END");
        leave_scope();
    }
    for (auto& [id, chart] : charts_) check_interval(id, chart);
}
