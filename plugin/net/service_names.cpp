#include "net/service_names.h"
#include <netinet/in.h>
#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include "base/words.h"

namespace {

uint32_t key_of(uint16_t port, uint8_t protocol) { return uint32_t{protocol} << 16 | port; }

// 0: not one of ours, or no port at all.
uint32_t parse_key(std::string_view text) {
    uint16_t port = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    std::string_view protocol(end, text.data() + text.size());
    if (error != std::errc() || port == 0) return 0;
    return protocol == "/tcp" ? key_of(port, IPPROTO_TCP) : protocol == "/udp" ? key_of(port, IPPROTO_UDP) : 0;
}

// It becomes a part of a dimension's name, which knows no way to write these.
bool is_printable(std::string_view name) {
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return c > ' ' && c <= '~' && c != '\'' && c != '"' && c != '\\'; });
}

}  // namespace

std::string services_table() {
    std::ifstream file("/etc/services");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

ServiceNames::ServiceNames(std::map<uint16_t, std::string> own, std::string_view table, bool show_table)
    : own_(std::move(own)), show_table_(show_table) {
    for (const auto& words : split_table(table)) {
        uint32_t key = words.size() > 1 ? parse_key(words[1]) : 0;
        if (!key) continue;
        for (size_t i = 0; i < words.size(); i++) {
            if (i == 1 || !is_printable(words[i])) continue;
            entries_.push_back({key, static_cast<uint32_t>(names_.size())});
            names_.append(words[i]) += '\0';
        }
    }
    std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
    entries_.shrink_to_fit();
    names_.shrink_to_fit();
}

std::string ServiceNames::name(uint16_t port, uint8_t protocol) const {
    if (auto mine = own_.find(port); mine != own_.end()) return mine->second;
    uint32_t key = key_of(port, protocol);
    auto at = std::lower_bound(entries_.begin(), entries_.end(), key,
                               [](const Entry& entry, uint32_t wanted) { return entry.key < wanted; });
    if (show_table_ && at != entries_.end() && at->key == key) return text(*at);
    return std::to_string(port);
}

std::vector<uint16_t> ServiceNames::ports(std::string_view name) const {
    std::vector<uint16_t> ports;
    std::string wanted = lower(name);
    for (const auto& [port, own_name] : own_)
        if (lower(own_name) == wanted) ports.push_back(port);
    for (const Entry& entry : entries_)
        if (lower(text(entry)) == wanted) ports.push_back(static_cast<uint16_t>(entry.key));
    return ports;
}
