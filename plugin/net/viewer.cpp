#include "net/viewer.h"
#include <fmt/format.h>
#include <netinet/in.h>
#include <algorithm>
#include <span>
#include <utility>
#include "base/clock.h"

enum ViewerSum { BytesSent, BytesReceived, PacketsSent, PacketsReceived, Retransmits };
struct ViewerDimension {
    const char* end;  // of the id and the name
    ViewerSum sum;
    int multiplier = 1;
};
struct ViewerChart {
    const char *id, *title;
    Units units;
    int priority;
    bool inbound;
    std::span<const ViewerDimension> dimensions;  // of each line
};

namespace {

constexpr size_t most_names = 4096;
constexpr size_t most_hidden_lines = 20'000;        // destinations that have been shown, above which they are forgotten
constexpr int64_t patience_for_names = 3 * second;  // with `hostnames`, none is shown before its name is known

constexpr ViewerDimension bytes[] = {{"_sent", BytesSent, -1}, {"_recv", BytesReceived}};
constexpr ViewerDimension packets[] = {{"_sent", PacketsSent, -1}, {"_recv", PacketsReceived}};
constexpr ViewerDimension retransmits[] = {{"", Retransmits}};
constexpr Units as_packets{{"packets"}, {"packets"}};

constexpr ViewerChart rows_of_charts[] = {
    {"outbound_bytes", "Outbound connections (bytes).", units::bytes, 21080, false, bytes},
    {"outbound_packets", "Outbound connections (packets)", as_packets, 21082, false, packets},
    {"outbound_retransmit", "Retransmitted packets", units::calls, 21083, false, retransmits},
    {"inbound_bytes", "Inbound connections (bytes)", units::bytes, 21084, true, bytes},
    {"inbound_packets", "Inbound connections (packets)", as_packets, 21085, true, packets},
};

bool is_nowhere(const Address& address) { return address == Address{} || address == Address::v4(0); }

}  // namespace

NetViewer::NetViewer(const Config& config, int update_every, size_t rows, const FoundSockets& found,
                     const ServiceNames& services, std::vector<std::string>& complaints)
    : obsolete_after_(config.obsolete_after * second),
      found_(found),
      services_(services),
      filter_(config.ports, config.ips, config.hostnames, config.resolve_hosts, services_, complaints),
      directions_{{.series = SeriesSet<Line>(config.most_dimensions / 2 + 1)},  // `other` is one of them
                  {.series = SeriesSet<Line>(config.most_dimensions / 2 + 1)}},
      line_of_row_(rows) {
    if (config.resolve_hosts) names_ = std::make_unique<HostNames>(most_names);
    for (const ViewerChart& row : rows_of_charts) {
        ChartDefinition chart{.id = fmt::format("ebpf.{}", row.id),
                              .title = row.title,
                              .unit = config.chart_names == ChartNames::Classic ? row.units.classic : row.units.current,
                              .family = "Network connections",
                              .context = fmt::format("'ebpf.{}'", row.id),
                              .type = "stacked",
                              .priority = row.priority,
                              .module = "socket",
                              .update_every = update_every};
        directions_[row.inbound].charts.push_back({row, chart, chart.begin()});
    }
    directions_[false].other.name = "other:ALL:other";
    directions_[true].other.name = "other:ALL";
    for (Direction& direction : directions_) {
        direction.series.publish(direction.other, direction.other.name, longest_name);
        direction.other.fresh = false;
        direction.shown.push_back(&direction.other);
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
        if (is_nowhere(key.remote)) return &directions_[false].other;  // nobody tells us where this socket sends to
    }
    if (!is_wanted(key, c)) return &unwanted_;
    Direction& direction = directions_[key.inbound];
    std::string name = text_of(key, nullptr);
    if (auto known = lines_.find(name); known != lines_.end()) {
        Line& line = *known->second;
        if (line.refused) return &unwanted_;
        return line.shown || !direction.series.is_full() ? &line : &direction.other;
    }
    if (direction.series.is_full()) return &direction.other;
    auto line = std::make_unique<Line>();
    line->name = name;
    line->key = key;
    line->began = now_;
    return (lines_[name] = std::move(line)).get();
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
    line.totals[BytesSent] += n.bytes_sent;
    line.totals[BytesReceived] += n.bytes_received;
    line.totals[PacketsSent] += n.packets_sent;
    line.totals[PacketsReceived] += n.packets_received;
    line.totals[Retransmits] += n.retransmits;
    line.active_at = now_;
    if (!line.shown) publish(line);
}

void NetViewer::freed(uint32_t row) {
    if (Line* line = std::exchange(line_of_row_[row], nullptr)) line->rows--;
}

void NetViewer::publish(Line& line) {
    Direction& direction = direction_of(line);
    if (line.shown || line.refused) return;
    if (direction.series.is_full()) return line.leave_to(direction.other);  // others had their names earlier
    if (names_ && !line.key.inbound && filter_.asks_hosts() && !line.named && now_ - line.began < patience_for_names)
        return;
    direction.series.publish(line, line.name, longest_name);
    direction.shown.push_back(&line);
    direction.changed = true;
}

void NetViewer::retire(Writer& out, Line& line) {
    Direction& direction = direction_of(line);
    for (const Chart& chart : direction.charts) {
        chart.definition.define(out);
        define_line(out, chart, line, true);
    }
    std::erase(direction.shown, &line);
    direction.series.retire(line);
}

void NetViewer::retire(Writer& out) const {
    for (const Direction& direction : directions_)
        for (const Chart& chart : direction.charts) chart.definition.obsolete(out);
}

// Its name may come at any time, and may be one that is not to be shown.
void NetViewer::hear_name(Writer& out, Line& line) {
    if (line.named || line.key.inbound || is_nowhere(line.key.remote)) return;
    const std::string* host = names_->name(line.key.remote);
    if (host) {
        if (filter_.host(*host)) {
            directions_[false].changed |= line.shown;
        } else {
            line.refused = true;
            if (line.shown) retire(out, line);
        }
        line.named = true;
    }
    if (!line.shown && line.active_at) publish(line);
}

void NetViewer::define_line(Writer& out, const Chart& chart, const Line& line, bool obsolete) const {
    const std::string* host = line.named && names_ ? names_->name(line.key.remote) : nullptr;
    std::string name = host ? harmless(text_of(line.key, host)) : line.name;
    for (const ViewerDimension& d : chart.row.dimensions)
        chart.definition.dimension(out, fmt::format("'{}{}'", line.id, d.end), fmt::format("'{}{}'", name, d.end),
                                   {.multiplier = d.multiplier, .obsolete = obsolete});
}

void NetViewer::define(Writer& out, const Direction& direction) const {
    for (const Chart& chart : direction.charts) {
        chart.definition.define(out);
        for (const Line* line : direction.shown) define_line(out, chart, *line, false);
    }
}

void NetViewer::update(Writer& out, int64_t elapsed, int64_t now) {
    now_ = now;
    for (auto at = lines_.begin(); at != lines_.end();) {
        Line& line = *at->second;
        if (names_ && (line.shown || line.rows)) hear_name(out, line);
        bool is_known = !line.fresh && line.sent == line.totals;
        if (line.shown && !line.rows && is_known && now - line.active_at > obsolete_after_) retire(out, line);
        bool forgotten = !line.shown && !line.rows && lines_.size() > most_hidden_lines;
        at = forgotten ? lines_.erase(at) : std::next(at);
    }
    for (Direction& direction : directions_) {
        if (std::exchange(direction.changed, false)) define(out, direction);
        for (const Chart& chart : direction.charts) {
            ChartUpdate update(out, chart.begin, elapsed);
            for (const Line* line : direction.shown)
                for (const ViewerDimension& d : chart.row.dimensions)
                    update.set(line->id, d.end, static_cast<int64_t>(line->next()[d.sum]));
        }
        for (Line* line : direction.shown) line->updated();
        direction.series.updated();
    }
}
