#include "net/filter.h"
#include <fmt/format.h>
#include <algorithm>
#include <utility>
#include "base/patterns.h"
#include "base/words.h"

namespace {

using Number = unsigned __int128;  // an address, as a number
constexpr Number first_v4 = Number{0xffff} << 32, last_v4 = first_v4 | 0xffffffff;

// One of the three lists: goes through its words and tells what is wrong with them.
struct List {
    const char* key;
    const ListSetting& setting;
    const char* otherwise;  // the default
    std::vector<std::string>& complaints;

    template <class... Args>
    void complain(fmt::format_string<Args...> format, Args&&... args) const {
        complaints.push_back(fmt::format("{}: {}", setting.where, fmt::format(format, std::forward<Args>(args)...)));
    }

    // `entry` takes a word and whether it is excluded, and answers "" or, if it does not understand it, what is allowed.
    // Answers whether the list names what it wants. If nothing of that is understood, the default is: a slip of the pen
    // must not turn a few networks into all of them.
    template <class Entry>
    bool read(Entry entry) const {
        bool wants = false, understood = false, alone = false, told = false;
        for (std::string_view word : split_words(setting.text)) {
            bool excluded = alone || word.starts_with('!');
            if (alone && !std::exchange(told, true)) complain("`! {0}` in `{1}` is read as `!{0}`", word, key);
            if (!alone && excluded) word.remove_prefix(1);
            alone = word.empty();
            if (alone) continue;
            std::string allowed = entry(word, excluded);
            wants |= !excluded;
            understood |= !excluded && allowed.empty();
            if (!allowed.empty())
                complain("`{}{}` in `{}` is not understood: {}; passed over", excluded ? "!" : "", word, key, allowed);
        }
        if (alone) complain("nothing follows the last `!` in `{}`; passed over", key);
        if (wants && !understood) {
            complain("nothing that `{}` asks for is understood: the default `{}` stands", key, otherwise);
            for (std::string_view word : split_words(otherwise))
                entry(word.substr(word.starts_with('!')), word.starts_with('!'));
        }
        return wants;
    }
};

bool add_ports(std::string_view word, const ServiceNames& services, std::bitset<65536>& set) {
    if (word == "*") return set.set(), true;
    size_t middle = word.find_first_of("-:");
    auto first = parse_number<uint16_t>(word.substr(0, middle), 1, 65535);
    auto last = middle == std::string_view::npos ? first : parse_number<uint16_t>(word.substr(middle + 1), 1, 65535);
    if (first && last && *first <= *last) {
        for (size_t port = *first; port <= *last; port++) set.set(port);
        return true;
    }
    std::vector<uint16_t> named = services.ports(word);
    for (uint16_t port : named) set.set(port);
    return !named.empty();
}

Number number_of(const Address& address) {
    Number number = 0;
    for (uint8_t byte : address.bytes) number = number << 8 | byte;
    return number;
}

Address address_of(Number number) {
    Address address;
    for (size_t i = 16; i--; number >>= 8) address.bytes[i] = static_cast<uint8_t>(number);
    return address;
}

struct Addresses {
    Number first, last;
    bool v4;
    std::string cleared{};  // how it is read, if bits beyond the prefix are set
};

std::optional<Addresses> parse_network(std::string_view word) {
    if (size_t dash = word.find('-'); dash != std::string_view::npos) {
        auto first = Address::parse(word.substr(0, dash)), last = Address::parse(word.substr(dash + 1));
        if (!first || !last || first->is_v4() != last->is_v4() || *last < *first) return {};
        return Addresses{number_of(*first), number_of(*last), first->is_v4()};
    }
    size_t slash = word.find('/');
    auto address = Address::parse(word.substr(0, slash));
    if (!address) return {};
    Number number = number_of(*address);
    if (slash == std::string_view::npos) return Addresses{number, number, address->is_v4()};

    bool dotted = word.find(':') == std::string_view::npos;
    auto prefix = parse_number<unsigned>(word.substr(slash + 1), 0, dotted ? 32 : 128);
    if (!prefix) return {};
    unsigned bits = *prefix + (dotted ? 96 : 0);
    Number beyond = bits ? (Number{1} << (128 - bits)) - 1 : ~Number{0};
    Addresses network{number & ~beyond, number | beyond, address->is_v4() && bits >= 96};
    if (network.first != number) {
        Address begin = address_of(network.first);
        network.cleared = fmt::format("{}/{}", begin.text(), begin.is_v4() && bits >= 96 ? bits - 96 : bits);
    }
    return network;
}

}  // namespace

// A set of addresses while it is put together.
class NetFilter::Ranges {
public:
    void add_all() { ranges_.push_back({0, ~Number{0}}); }

    // IPv4 lies inside the space of IPv6, but an IPv6 network does not mean it.
    void add(const Addresses& network) {
        if (network.v4) return ranges_.push_back({network.first, network.last});
        if (network.first < first_v4) ranges_.push_back({network.first, std::min(network.last, first_v4 - 1)});
        if (network.last > last_v4) ranges_.push_back({std::max(network.first, last_v4 + 1), network.last});
    }

    std::vector<Range> merged() const {
        std::vector<Range> sorted = ranges_, merged;
        std::sort(sorted.begin(), sorted.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
        for (const Range& range : sorted)
            if (merged.empty() || (range.first && range.first - 1 > merged.back().last))
                merged.push_back(range);
            else
                merged.back().last = std::max(merged.back().last, range.last);
        return merged;
    }

    std::vector<Range> merged_without(const Ranges& excluded) const {
        std::vector<Range> left;
        const std::vector<Range> holes = excluded.merged();
        auto hole = holes.begin();
        for (Range range : merged()) {
            while (hole != holes.end() && hole->last < range.first) hole++;
            bool any = true;
            for (auto h = hole; any && h != holes.end() && h->first <= range.last; h++) {
                if (h->first > range.first) left.push_back({range.first, h->first - 1});
                any = h->last < range.last;
                range.first = h->last + 1;
            }
            if (any) left.push_back(range);
        }
        return left;
    }

private:
    std::vector<Range> ranges_;
};

NetFilter::NetFilter(const ListSetting& ports, const ListSetting& ips, const ListSetting& hostnames, bool resolves,
                     const ServiceNames& services, std::vector<std::string>& complaints) {
    std::bitset<65536> no_ports;
    bool wants = List{"ports", ports, all_ports, complaints}.read([&](std::string_view word, bool excluded) {
        return add_ports(word, services, excluded ? no_ports : ports_)
                   ? ""
                   : "a port from 1 to 65535, a range as 1-1024, the name of a service or *, parted by blanks";
    });
    if (!wants) ports_.set();
    ports_ &= ~no_ports;

    Ranges addresses, no_addresses;
    List list{"ips", ips, private_networks, complaints};
    wants = list.read([&](std::string_view word, bool excluded) {
        Ranges& set = excluded ? no_addresses : addresses;
        if (word == "*") return set.add_all(), "";
        auto network = parse_network(word);
        if (!network)
            return "an address, a range of one family as 10.0.0.1-10.0.0.9, a network as 10.0.0.0/8 or fc00::/7, or *, "
                   "parted by blanks";
        if (!network->cleared.empty()) list.complain("`{}` in `ips` is read as `{}`", word, network->cleared);
        set.add(*network);
        return "";
    });
    if (!wants) addresses.add_all();
    addresses_ = addresses.merged_without(no_addresses);

    List{"hostnames", hostnames, all_hosts, complaints}.read([&](std::string_view word, bool excluded) {
        if (!std::all_of(word.begin(), word.end(), [](unsigned char c) {
                return std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == '*';
            }))
            return "a host's name, in which * stands for anything, parted by blanks";
        if (word.size() > 1 && word.ends_with('.')) word.remove_suffix(1);
        (excluded ? no_hosts_ : hosts_).push_back(lower(word));
        return "";
    });
    bool all = hosts_.empty() || std::find(hosts_.begin(), hosts_.end(), "*") != hosts_.end();
    bool refuses = !all || !no_hosts_.empty();
    asks_hosts_ = refuses && resolves;
    if (refuses && !resolves)
        complaints.push_back(
            fmt::format("{}: `hostnames` is without effect while `resolve hostname ips` is no", hostnames.where));
}

bool NetFilter::address(const Address& address) const {
    Number number = number_of(address);
    auto after = std::upper_bound(addresses_.begin(), addresses_.end(), number,
                                  [](Number wanted, const Range& range) { return wanted < range.first; });
    return after != addresses_.begin() && number <= std::prev(after)->last;
}

bool NetFilter::host(std::string_view name) const {
    std::string text = lower(name);
    auto matches = [&text](const std::string& pattern) { return matches_wild(pattern, text); };
    return std::none_of(no_hosts_.begin(), no_hosts_.end(), matches) &&
           (hosts_.empty() || std::any_of(hosts_.begin(), hosts_.end(), matches));
}
