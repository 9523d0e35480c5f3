#include "base/config.h"
#include <fcntl.h>
#include <ini.h>
#include <sys/stat.h>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>
#include <variant>
#include "base/error.h"
#include "base/words.h"

namespace {

// How a value is read is decided by the type of the field that it goes to.
using Field = std::variant<int Config::*, unsigned Config::*, bool Config::*, std::string Config::*, LoadMode Config::*,
                           ChartNames Config::*, Attach Config::*, ListSetting Config::*>;

struct Choice {
    const char* name;
    int value;
};

constexpr Choice load_modes[] = {{"entry", 0}, {"return", 1}};
constexpr Choice chart_names[] = {{"classic", 0}, {"current", 1}};
constexpr Choice attach_ways[] = {{"auto", 0}, {"trampoline", 1}, {"probe", 2}, {"syscalls", 3}};

struct Key {
    const char* section;
    const char* name;
    Field field;
    long least = 0, most = 0;  // of a number
    enum { Documented, OtherSpelling, Inverted } sort = Documented;
};

const Key keys[] = {
    {"global", "ebpf load mode", &Config::load_mode},
    {"global", "load", &Config::load_mode, 0, 0, Key::OtherSpelling},
    {"global", "update every", &Config::update_every, 1, 86400},
    {"global", "chart names", &Config::chart_names},
    {"global", "attach", &Config::attach},
    {"global", "apps", &Config::apps},
    {"global", "disable apps", &Config::apps, 0, 0, Key::Inverted},
    {"global", "cgroups", &Config::cgroups},
    {"global", "cgroups matching", &Config::cgroups_matching},
    {"global", "obsolete after", &Config::obsolete_after, 10, 1 << 30},
    {"global", "pid table size", &Config::pid_table_size, 64, 1 << 20},
    {"global", "connection table size", &Config::connection_table_size, 64, 1 << 20},
    {"global", "btf path", &Config::btf_path},
    {"global", "run time statistics", &Config::run_time},
    {"global", "cpu limit", &Config::cpu_limit, 0, 100'000},
    {"global", "memory limit", &Config::memory_limit, 0, 1 << 20},
    {"network viewer", "enabled", &Config::viewer_enabled},
    {"network viewer", "maximum dimensions", &Config::most_dimensions, 2, 100'000},
    {"network viewer", "resolve hostname ips", &Config::resolve_hosts},
    {"network viewer", "resolve hostnames", &Config::resolve_hosts, 0, 0, Key::OtherSpelling},
    {"network viewer", "resolve service names", &Config::resolve_services},
    {"network viewer", "ports", &Config::ports},
    {"network viewer", "ips", &Config::ips},
    {"network viewer", "hostnames", &Config::hostnames},
};

constexpr const char* services = "service name";

// Later releases have another name for one of the sections.
std::string known_section(const std::string& section) {
    return section == "network connections" ? "network viewer" : section;
}

// The switches of the groups, by their numbers, and of the viewer.
constexpr const char* programs = "ebpf programs";
constexpr size_t viewer_switch = GROUP_COUNT, switches = GROUP_COUNT + 1;
const Switch& switch_of(size_t which) {
    static constexpr Switch viewer{"network connections", "network connection monitoring", "network viewer"};
    return which == viewer_switch ? viewer : groups[which].key;
}

bool is(const char* word, const std::string& name) { return word && name == word; }

std::set<std::string> switch_names() {  // but older ones
    std::set<std::string> names;
    for (size_t which = 0; which < switches; which++)
        for (const char* name : {switch_of(which).name, switch_of(which).governed_by})
            if (name) names.insert(name);
    return names;
}

std::string trimmed(std::string text) {
    auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!text.empty() && blank(text.back())) text.pop_back();
    text.erase(0, std::distance(text.begin(), std::find_if_not(text.begin(), text.end(), blank)));
    return text;
}

// How many letters must change to make one text of the other.
size_t distance(const std::string& a, const std::string& b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); j++) row[j] = j;
    for (size_t i = 1; i <= a.size(); i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); j++) {
            size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1])});
            corner = above;
        }
    }
    return row[b.size()];
}

std::string quoted_list(const std::vector<std::string>& words) {
    std::string list;
    for (size_t i = 0; i < words.size(); i++) list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
    return list;
}

bool parse_bool(const std::string& text, bool& value) {
    for (const char* yes : {"yes", "true", "on", "1"})
        if (lower(text) == yes) return value = true, true;
    for (const char* no : {"no", "false", "off", "0"})
        if (lower(text) == no) return value = false, true;
    return false;
}

// Each sets the field and answers "", or leaves it and answers what is allowed.
template <class Enum>
std::string parse_choice(const std::string& text, std::span<const Choice> choices, Enum& value) {
    std::vector<std::string> names;
    for (const Choice& choice : choices) {
        if (lower(text) == choice.name) return value = static_cast<Enum>(choice.value), "";
        names.emplace_back(choice.name);
    }
    return quoted_list(names);
}

template <class Number>
std::string parse_number(const std::string& text, long least, long most, Number& value) {
    long number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < least || number > most)
        return fmt::format("a whole number from {} to {}", least, most);
    return value = static_cast<Number>(number), "";
}

std::string set(Config& config, const Key& key, const std::string& text, const std::string& where) {
    struct Parse {
        Config& config;
        const Key& key;
        const std::string& text;
        const std::string& where;
        std::string operator()(int Config::*field) const {
            return parse_number(text, key.least, key.most, config.*field);
        }
        std::string operator()(unsigned Config::*field) const {
            return parse_number(text, key.least, key.most, config.*field);
        }
        std::string operator()(LoadMode Config::*field) const { return parse_choice(text, load_modes, config.*field); }
        std::string operator()(ChartNames Config::*field) const {
            return parse_choice(text, chart_names, config.*field);
        }
        std::string operator()(Attach Config::*field) const { return parse_choice(text, attach_ways, config.*field); }
        std::string operator()(std::string Config::*field) const { return config.*field = text, ""; }
        std::string operator()(ListSetting Config::*field) const { return config.*field = {text, where}, ""; }
        std::string operator()(bool Config::*field) const {
            bool value;
            if (!parse_bool(text, value)) return "yes or no";
            return config.*field = value != (key.sort == Key::Inverted), "";
        }
    };
    return std::visit(Parse{config, key, text, where}, key.field);
}

struct Reader {
    const std::string& file;
    bool foreign;
    Config& config;
    std::vector<std::string>& complaints;
    std::string last_unknown_section;
    std::array<bool, switches> set_by_own_key{};

    template <class... Args>
    void complain(int line, fmt::format_string<Args...> format, Args&&... args) {
        complaints.push_back(fmt::format("{}:{}: {}", file, line, fmt::format(format, std::forward<Args>(args)...)));
    }

    void unknown_key(int line, const std::string& section, const std::string& name) {
        std::string nearest;
        size_t best = SIZE_MAX;
        auto consider = [&](const std::string& in, const std::string& key) {
            bool here = in == known_section(section);
            if (std::max(name.size(), key.size()) - std::min(name.size(), key.size()) >= best) return;
            size_t d = distance(lower(name), key) + (here ? 0 : 1);
            if (d < best) best = d, nearest = (here ? "" : "[" + in + "] ") + key;
        };
        for (const Key& key : keys) consider(key.section, key.name);
        for (const std::string& key : switch_names()) consider(programs, key);
        complain(line, "unknown key `{}` in [{}], passed over; the nearest is `{}`", name, section, nearest);
    }

    bool& on(size_t which) { return which == viewer_switch ? config.viewer_program : config.group_on[which]; }

    // A switch of its own goes before one that governs several, wherever it stands.
    void program(int line, const std::string& name, const std::string& text) {
        bool value = false, understood = parse_bool(text, value), known = false;
        for (bool own : {true, false})
            for (size_t which = 0; which < switches; which++) {
                const Switch& key = switch_of(which);
                if (own ? !is(key.name, name) && !is(key.older_name, name) : !is(key.governed_by, name)) continue;
                if (!understood)
                    return complain(line, "`{}` = `{}` is not understood: yes or no; left at {}", name, text,
                                    on(which) ? "yes" : "no");
                known = true;
                if (own || !set_by_own_key[which]) on(which) = value;
                set_by_own_key[which] |= own;
            }
        if (!known && !foreign) unknown_key(line, programs, name);
    }

    void service(int line, const std::string& port, const std::string& name) {
        constexpr size_t longest = 60;
        uint16_t number = 0;
        if (std::string allowed = parse_number(port, 1, 65535, number); !allowed.empty())
            return complain(line, "`{}` in [{}] is not understood: a port, {}; passed over", port, services, allowed);
        bool right = !name.empty() && name.size() <= longest && std::none_of(name.begin(), name.end(), [](char c) {
            return c == '"' || c == '\'' || c == '\\' || (c >= 0 && c < ' ') || c == '\x7f';
        });
        if (!right)
            return complain(line,
                            "`{}` = `{}` is not understood: a name of at most {} bytes without quotes and backslashes; "
                            "passed over",
                            port, name, longest);
        config.service_names[number] = name;
    }

    void value(int line, std::string section, std::string name, const std::string& text) {
        section = trimmed(section);
        name = lower(trimmed(name));
        if (section == programs) return program(line, name, text);
        if (section == services) return service(line, name, text);
        bool known = false;
        for (const Key& key : keys) {
            if (known_section(section) != key.section) continue;
            known = true;
            if (name != key.name) continue;
            if (std::string allowed = set(config, key, text, fmt::format("{}:{}", file, line)); !allowed.empty())
                complain(line, "`{}` = `{}` is not understood: {}; the default stands", name, text, allowed);
            return;
        }
        if (foreign) return;
        if (known) return unknown_key(line, section, name);
        if (section != last_unknown_section || section.empty())
            complain(line, "unknown section [{}], passed over; there are [global], [{}], [network viewer] and [{}]",
                     section, programs, services);
        last_unknown_section = section;
    }
};

// inih tells no line numbers, takes an indented line for a part of the one before, and a line that is longer than its buffer
// for two; so the lines pass through here on their way to it. Of a long one, as lists of addresses are, inih gets the name
// alone.
class Lines {
public:
    Lines(FILE* in, Reader& reader) : in_(in), reader_(reader) {}

    char* next(char* out, int size) {
        if (!read_line()) return nullptr;
        auto room = static_cast<size_t>(size) - 2;  // for the end of the line and that of the text
        if (text_.size() > room) shorten(room);
        std::memcpy(out, (text_ + "\n").c_str(), text_.size() + 2);
        return out;
    }
    void value(const char* section, const char* name, const char* value) {
        if (!long_value_.empty()) value = long_value_.c_str();
        reader_.value(number_, section, name, trimmed(value ? value : ""));
    }

private:
    static constexpr size_t longest = 1 << 16;

    bool read_line() {
        text_.clear();
        long_value_.clear();
        int c;
        while ((c = std::fgetc(in_)) != EOF && c != '\n')
            if (text_.size() <= longest) text_ += c ? static_cast<char>(c) : '?';
        if (c == EOF && text_.empty()) return false;
        number_++;
        is_whole_ = text_.size() <= longest;
        text_ = trimmed(text_);
        return true;
    }

    void shorten(size_t room) {
        size_t name_end = text_.find_first_of("=:");
        bool is_comment = text_.starts_with('#') || text_.starts_with(';');
        if (is_whole_ && !is_comment && name_end < room) {
            long_value_ = text_.substr(name_end + 1);
            for (const char* remark : {" ;", "\t;"})
                long_value_.resize(std::min(long_value_.find(remark), long_value_.size()));
            text_.resize(name_end + 1);
            return;
        }
        if (!is_comment && !reader_.foreign)
            reader_.complain(number_, "the line is longer than {} bytes, passed over", is_whole_ ? room : longest);
        text_.clear();
    }

    FILE* in_;
    Reader& reader_;
    std::string text_, long_value_;
    int number_ = 0;
    bool is_whole_ = true;
};

std::vector<std::string> folders(std::initializer_list<const char*> variables,
                                 std::initializer_list<const char*> installed) {
    std::vector<std::string> all;
    for (const char* variable : variables)
        if (const char* folder = std::getenv(variable); folder && *folder) all.emplace_back(folder);
    all.insert(all.end(), installed.begin(), installed.end());
    return all;
}

}  // namespace

void read_config(const std::string& file, bool foreign, Config& config, std::vector<std::string>& complaints) {
    int fd = check(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), "read {}", file);  // a pipe is not waited for
    std::unique_ptr<FILE, int (*)(FILE*)> in(check(fdopen(fd, "r"), "read {}", file), std::fclose);
    struct stat about;
    check(fstat(fd, &about), "read {}", file);
    if (!S_ISREG(about.st_mode)) throw Error(fmt::format("read {}: it is not a file", file));

    Reader reader{file, foreign, config, complaints, "", {}};
    Lines lines(in.get(), reader);
    auto next_line = [](char* out, int size, void* from) { return static_cast<Lines*>(from)->next(out, size); };
    auto on_value = [](void* from, const char* section, const char* name, const char* value) {
        static_cast<Lines*>(from)->value(section, name, value);
        return 1;
    };
    int first_error = ini_parse_stream(next_line, &lines, on_value, &lines);
    if (std::ferror(in.get())) throw Error(fmt::format("read {}: {}", file, std::strerror(errno)), errno);
    if (first_error > 0)
        complaints.push_back(
            fmt::format("{}:{}: neither a [section] nor `key = value`, passed over", file, first_error));
}

std::string set_key(Config& config, const std::string& name, const std::string& text) {
    for (const Key& key : keys)
        if (name == key.name) return set(config, key, text, name);
    throw std::out_of_range(name);
}

ConfigFile find_config(const std::vector<std::string>& user_folders, const std::vector<std::string>& stock_folders) {
    auto exists = [](const std::string& path) {
        struct stat about;
        return stat(path.c_str(), &about) == 0 || (errno != ENOENT && errno != ENOTDIR);
    };
    for (const std::string& folder : user_folders) {
        if (exists(folder + "/ebpf.conf")) return {folder + "/ebpf.conf", false};
        if (exists(folder + "/ebpf.d.conf")) return {folder + "/ebpf.d.conf", true};
    }
    for (const std::string& folder : stock_folders)
        if (exists(folder + "/ebpf.conf")) return {folder + "/ebpf.conf", false};
    return {};
}

std::vector<std::string> user_config_folders() {
    return folders({"NETDATA_USER_CONFIG_DIR", "NETDATA_CONFIG_DIR"}, {"/etc/netdata", "/opt/netdata/etc/netdata"});
}

std::vector<std::string> stock_config_folders() {
    return folders({"NETDATA_STOCK_CONFIG_DIR"},
                   {"/usr/lib/netdata/conf.d", "/usr/libexec/netdata/conf.d", "/opt/netdata/usr/lib/netdata/conf.d"});
}

std::vector<std::string> documented_keys() {
    std::vector<std::string> all;
    for (const Key& key : keys)
        if (key.sort == Key::Documented) all.push_back(std::string(key.section) + "|" + key.name);
    for (const std::string& name : switch_names()) all.push_back(std::string(programs) + "|" + name);
    for (const auto& [port, name] : Config().service_names) all.push_back(fmt::format("{}|{}", services, port));
    return all;
}
