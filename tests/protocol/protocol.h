// What a plugin says to Netdata, held against what the agent makes of each line: stricter than the agent, which drops
// values, disables the plugin or crashes without naming the line.
#pragma once
#include <fmt/format.h>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

struct AgentVersion {
    int major = 1, minor = 37;
    auto operator<=>(const AgentVersion&) const = default;
};
std::optional<AgentVersion> parse_agent_version(const std::string& text);  // "v1.37.1", "2.10.0"

class Protocol {
public:
    struct Violation {
        long line;
        std::string what;
    };

    explicit Protocol(AgentVersion agent = {}) : agent_(agent) {}

    // A line without its end.
    void line(std::string_view text);

    // The end of the output. A plugin that was killed may have stopped anywhere.
    void end(bool was_killed = false);

    const std::vector<Violation>& violations() const { return violations_; }
    long lines() const { return number_; }
    long updates() const { return updates_; }
    size_t charts() const { return charts_.size(); }

private:
    using Words = std::vector<std::string>;
    struct Dimension {
        Words definition;  // without its options
        bool incremental = false, obsolete = false, set = false;
        std::optional<int64_t> last;
    };
    struct Chart {
        Words definition;  // without its options
        bool obsolete = false;
        int64_t interval = 0;  // microseconds
        int64_t updates = 0, elapsed = 0;
        int64_t ahead = 0;   // of its interval, microseconds
        bool begun = false;  // there is a value that the next one's microseconds can count from
        std::map<std::string, Dimension> dimensions;
    };

    template <class... Args>
    void wrong(fmt::format_string<Args...> format, Args&&... args) {
        violations_.push_back({number_, fmt::format(format, std::forward<Args>(args)...)});
    }
    std::optional<Words> split(std::string_view text);
    void define_chart(const Words& words);
    void define_dimension(const Words& words);
    void label(const Words& words);
    void commit_labels();
    void variable(const Words& words);
    void begin(const Words& words);
    void set(const Words& words);
    void end_update();
    void function(const Words& words);
    void begin_result(const Words& words);
    void body(std::string_view text);
    void leave_scope();
    bool is_sound(const char* what, const std::string& text);
    void check_interval(const std::string& id, Chart& chart);

    const AgentVersion agent_;
    std::vector<Violation> violations_;
    long number_ = 0, updates_ = 0;
    std::map<std::string, Chart> charts_;
    std::set<std::string> answered_;
    Chart* defined_ = nullptr;  // the chart that DIMENSION and CLABEL are about
    Chart* open_ = nullptr;     // the chart between BEGIN and END
    std::string open_id_;
    size_t labels_ = 0;  // not committed
    bool disabled_ = false;
    std::string transaction_, content_type_, body_;  // of the function's result that is being read
};
