// apps_groups.conf: which application a process belongs to.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// Many patterns looked for in one text at once (Aho and Corasick, 1975).
class Searcher {
public:
    void add(std::string_view pattern, int rule);
    void compile();
    int first_rule(std::string_view text) const;  // the least of those whose pattern is in it; INT_MAX if none is
    bool empty() const { return patterns_.empty(); }

private:
    uint32_t next(uint32_t node, unsigned char letter) const { return next_[node * letters_ + letter_of_[letter]]; }

    std::vector<std::pair<std::string, int>> patterns_;
    std::array<uint8_t, 256> letter_of_{};  // 0: in no pattern
    uint32_t letters_ = 1;
    std::vector<uint32_t> next_;
    std::vector<int> rule_;  // by node: the least rule of a pattern that ends there
};

class AppRules {
public:
    struct App {
        std::string name;
        bool hidden = false;  // marked with -
    };

    AppRules();  // no rules: everything is `other`

    // Reads one file. A rule with an error is told in `complaints` with file and line, the others stand. Throws if it cannot
    // be read.
    void read(const std::string& file, std::vector<std::string>& complaints);
    void read_built_in(std::vector<std::string>& complaints);  // conf.d/ebpf_apps_groups.conf, as it was at build time

    static constexpr char built_in[] = "the built-in rules";
    const std::string& source() const { return source_; }  // the file, or built_in; "" if nothing was read

    // The application of a process by its name (the first 15 bytes, as the kernel keeps it) and its command line; the
    // first rule that matches decides. 0 if none does.
    size_t match(std::string_view comm, std::string_view command) const;
    bool ask_for_commands() const { return !in_command_.empty() || !wild_commands_.empty(); }

    const std::vector<App>& apps() const { return apps_; }  // in the order of the file; the first is `other`

private:
    struct Wild {
        std::string pattern;
        int rule;
    };
    using ByText = std::unordered_map<std::string, int>;

    void read_lines(const std::string& text, const std::string& source, std::vector<std::string>& complaints);
    void read_line(const std::string& line, const std::function<void(const char*)>& complain);
    bool rule(const std::string& text, size_t app);  // false: there is no room for it
    size_t app(std::string name);

    std::string source_;
    std::vector<App> apps_;
    std::unordered_map<std::string, size_t> by_name_;
    std::vector<size_t> app_of_rule_;
    ByText exact_;
    std::array<ByText, 16> beginnings_, ends_;  // by length
    Searcher in_command_;
    size_t command_bytes_ = 0;
    std::vector<Wild> wild_comms_, wild_commands_;
};

// The rules of the user's apps_groups.conf, else of the agent's stock one, else of ebpf_apps_groups.conf, which is ours, else
// those that are built in. Reads with the user's own rights, and logs what is wrong; no rules if the file cannot be read.
AppRules load_app_rules(const std::vector<std::string>& user_folders, const std::vector<std::string>& stock_folders);
