#include "net/viewer.h"
#include <fmt/format.h>
#include <netinet/in.h>
#include <algorithm>
#include <utility>

struct ViewerChart {
    const char *id, *title, *classic_units, *current_units;
    int priority;
    bool inbound, retransmits;
};

namespace {

constexpr int64_t second = 1'000'000'000;
constexpr size_t most_names = 4096;
constexpr size_t most_hidden_lines = 20'000;        // destinations that have been shown, above which they are forgotten
constexpr int64_t patience_for_names = 3 * second;  // with `hostnames`, none is shown before its name is known

constexpr ViewerChart charts[] = {
    {"outbound_bytes", "Outbound connections (bytes).", "bytes/s", "bytes/s", 21080, false, false},
    {"outbound_packets", "Outbound connections (packets)", "packets", "packets", 21082, false, false},
    {"outbound_retransmit", "Retransmitted packets", "calls", "calls/s", 21083, false, true},
    {"inbound_bytes", "Inbound connections (bytes)", "bytes/s", "bytes/s", 21084, true, false},
    {"inbound_packets", "Inbound connections (packets)", "packets", "packets", 21085, true, false},
};
bool counts_bytes(const ViewerChart& chart) { return std::string_view(chart.id).ends_with("bytes"); }

bool is_nowhere(const Address& address) { return address == Address{} || address == Address::v4(0); }

}  // namespace

template <class Counts>
NetViewer::Sums& NetViewer::Sums::operator+=(const Counts& n) {
    bytes_sent += n.bytes_sent;
    bytes_received += n.bytes_received;
    packets_sent += n.packets_sent;
    packets_received += n.packets_received;
    retransmits += n.retransmits;
    return *this;
}

NetViewer::Sums NetViewer::Sums::operator-(const Sums& n) const {
    return {bytes_sent - n.bytes_sent, bytes_received - n.bytes_received, packets_sent - n.packets_sent,
            packets_received - n.packets_received, retransmits - n.retransmits};
}

NetViewer::NetViewer(const Config& config, int update_every, size_t rows, const FoundSockets& found,
                     const ServiceNames& services, std::vector<std::string>& complaints)
    : update_every_(update_every),
      most_lines_(config.most_dimensions / 2),
      obsolete_after_(config.obsolete_after * second),
      classic_(config.chart_names == ChartNames::Classic),
      found_(found),
      services_(services),
      filter_(config.ports, config.ips, config.hostnames, config.resolve_hosts, services_, complaints),
      line_of_row_(rows) {
    if (config.resolve_hosts) names_ = std::make_unique<HostNames>(most_names);
    other_[false].id = "other:ALL:other";
    other_[true].id = "other:ALL";
    other_[true].key.inbound = true;
    for (Line& other : other_) {
        other.shown = true;
        shown_[other.key.inbound].push_back(&other);
    }
}

bool NetViewer::is_wanted(const Key& key, const connection& c) const {
    // A service of UDP has one row whoever talks to it: then it is the address where it serves that is asked about.
    Address address = is_nowhere(address_of(c.remote)) ? address_of(c.local) : address_of(c.remote);
    return filter_.port(key.port) && (is_nowhere(address) || filter_.address(address));
}

std::string NetViewer::text_of(const Key& key, const std::string* host) const {
    std::string text = fmt::format("{}:{}", harmless(services_.name(key.port, key.protocol)),
                                   key.protocol == IPPROTO_TCP ? "TCP" : "UDP");
    if (key.inbound) return text;
    if (host) return fmt::format("{}:{}", text, *host);
    return key.remote.is_v4() ? fmt::format("{}:{}", text, key.remote.text())
                              : fmt::format("{}:[{}]", text, key.remote.text());
}

NetViewer::Line* NetViewer::find_line(const connection& c) {
    Key key{.port = c.local_port, .protocol = c.protocol, .inbound = found_.is_inbound(c)};
    if (!key.inbound) {
        key.port = c.remote_port;
        key.remote = address_of(c.remote);
        if (is_nowhere(key.remote)) return &other_[false];  // nobody tells us where this socket sends to
    }
    if (!is_wanted(key, c)) return &unwanted_;
    std::string id = text_of(key, nullptr);
    if (auto known = lines_.find(id); known != lines_.end()) {
        Line& line = *known->second;
        if (line.refused) return &unwanted_;
        if (line.shown || shown_[key.inbound].size() <= most_lines_) return &line;
        return &other_[key.inbound];
    }
    if (shown_[key.inbound].size() > most_lines_) return &other_[key.inbound];
    auto line = std::make_unique<Line>();
    line->id = id;
    line->key = key;
    line->began = now_;
    return (lines_[id] = std::move(line)).get();
}

NetViewer::Line* NetViewer::line_of(uint32_t row, const connection& c) {
    if (row == Connections::no_row) return find_line(c);
    Line*& line = line_of_row_[row];
    if (!line) {
        line = find_line(c);
        line->rows++;
    }
    return line;
}

void NetViewer::moved(uint32_t row, const connection& c, const Traffic& n) {
    Line& line = *line_of(row, c);
    if (&line == &unwanted_) return;
    line.sums += n;
    line.changed = now_;
    if (!line.shown) show(line);
}

void NetViewer::freed(uint32_t row) {
    if (Line* line = std::exchange(line_of_row_[row], nullptr)) line->rows--;
}

void NetViewer::show(Line& line) {
    if (line.shown || line.refused) return;
    if (shown_[line.key.inbound].size() > most_lines_) {  // others had their names earlier
        other_[line.key.inbound].sums += line.sums - line.sent;
        line.sums = line.sent;
        return;
    }
    if (names_ && !line.key.inbound && filter_.asks_hosts() && !line.named && now_ - line.began < patience_for_names)
        return;
    line.shown = line.fresh = true;
    shown_[line.key.inbound].push_back(&line);
    changed_[line.key.inbound] = true;
}

void NetViewer::retire(Writer& out, Line& line) {
    std::erase(shown_[line.key.inbound], &line);
    line.shown = false;
    for (const ViewerChart& chart : charts) {
        if (chart.inbound != line.key.inbound) continue;
        define_chart(out, chart);
        define_line(out, chart, line, " obsolete");
    }
}

void NetViewer::retire(Writer& out) const {
    for (const ViewerChart& chart : charts) define_chart(out, chart, "'obsolete'");
}

// Its name may come at any time, and may be one that is not to be shown.
void NetViewer::hear_name(Writer& out, Line& line) {
    if (line.named || line.key.inbound || is_nowhere(line.key.remote)) return;
    const std::string* host = names_->name(line.key.remote);
    if (host) {
        if (filter_.host(*host)) {
            changed_[false] |= line.shown;
        } else {
            line.refused = true;
            if (line.shown) retire(out, line);
        }
        line.named = true;
    }
    if (!line.shown && line.changed) show(line);
}

void NetViewer::define_chart(Writer& out, const ViewerChart& chart, const char* options) const {
    out << fmt::format(
        "CHART ebpf.{0} '' '{1}' '{2}' 'Network connections' 'ebpf.{0}' stacked {3} {4} {5} "
        "ebpf.plugin socket\n",
        chart.id, chart.title, classic_ ? chart.classic_units : chart.current_units, chart.priority, update_every_,
        options);
}

void NetViewer::define_line(Writer& out, const ViewerChart& chart, const Line& line, const char* options) const {
    const std::string* host = line.named && names_ ? names_->name(line.key.remote) : nullptr;
    std::string name = host ? harmless(text_of(line.key, host)) : line.id;
    if (chart.retransmits)
        out << fmt::format("DIMENSION '{}' '{}' incremental 1 1{}\n", line.id, name, options);
    else
        out << fmt::format(
            "DIMENSION '{0}_sent' '{1}_sent' incremental -1 1{2}\n"
            "DIMENSION '{0}_recv' '{1}_recv' incremental 1 1{2}\n",
            line.id, name, options);
}

void NetViewer::define(Writer& out, bool inbound) const {
    for (const ViewerChart& chart : charts) {
        if (chart.inbound != inbound) continue;
        define_chart(out, chart);
        for (const Line* line : shown_[inbound]) define_line(out, chart, *line, "");
    }
}

void NetViewer::print(Writer& out, bool inbound, int64_t elapsed) const {
    for (const ViewerChart& chart : charts) {
        if (chart.inbound != inbound) continue;
        out << "BEGIN ebpf." << chart.id << " ";
        if (elapsed) out << elapsed;
        out << "\n";
        for (const Line* line : shown_[inbound]) {
            const Sums& sums = line->fresh ? line->sent : line->sums;
            auto set = [&](const char* end, uint64_t value) {
                out << "SET '" << line->id << end << "' = " << static_cast<int64_t>(value) << "\n";
            };
            if (chart.retransmits) {
                set("", sums.retransmits);
                continue;
            }
            set("_sent", counts_bytes(chart) ? sums.bytes_sent : sums.packets_sent);
            set("_recv", counts_bytes(chart) ? sums.bytes_received : sums.packets_received);
        }
        out << "END\n";
    }
}

void NetViewer::update(Writer& out, int64_t elapsed, int64_t now) {
    now_ = now;
    for (auto at = lines_.begin(); at != lines_.end();) {
        Line& line = *at->second;
        if (names_ && (line.shown || line.rows)) hear_name(out, line);
        bool told = !line.fresh && line.sent == line.sums;
        if (line.shown && !line.rows && told && now - line.changed > obsolete_after_) retire(out, line);
        bool forgotten = !line.shown && !line.rows && lines_.size() > most_hidden_lines;
        at = forgotten ? lines_.erase(at) : std::next(at);
    }
    for (bool inbound : {false, true}) {
        if (std::exchange(changed_[inbound], false)) define(out, inbound);
        // What a new line has moved is to be seen too: the agent is told first where it counts from. At the very first all
        // charts begin to count from what they say now.
        print(out, inbound, elapsed);
        for (Line* line : shown_[inbound])
            if (!std::exchange(line->fresh, false)) line->sent = line->sums;
    }
}
