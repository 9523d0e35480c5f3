// The network viewer: charts of who talks to whom, by destination and by local service.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
#include "base/config.h"
#include "net/connections.h"
#include "net/filter.h"
#include "net/found_sockets.h"
#include "net/host_names.h"
#include "netdata/chart.h"
#include "netdata/collector.h"
#include "netdata/series.h"

struct ViewerChart;  // a row of the table in viewer.cpp

class NetViewer : public Collector {
public:
    // What is wrong with a word of the lists goes to `complaints`. Throws if host names are asked for and cannot be.
    NetViewer(const Config& config, size_t rows, const FoundSockets& found, const ServiceNames& services,
              std::vector<std::string>& complaints);

    // See Connections::Listener.
    void moved(uint32_t row, const connection& c, const Traffic& n);
    void freed(uint32_t row);

    void print(Writer& out, const Tick& tick) override;
    int fd() const override { return names_ ? names_->fd() : -1; }
    Then readable(Writer&, uint32_t) override { return names_->process(), Then::GoOn; }
    std::optional<size_t> group() const override { return socket_group; }
    void retire(Writer& out) override;

private:
    struct Key {  // of a destination, or of a service
        Address remote{};
        uint16_t port = 0;
        uint8_t protocol = 0;
        bool inbound = false;
    };
    struct Line : Series<5> {  // in the charts: two dimensions, or one; the sums are viewer.cpp's
        Key key{};
        int64_t began = 0;  // ns of CLOCK_MONOTONIC
        uint32_t rows = 0;  // connections that count here
        bool named = false, refused = false;
    };
    struct Chart {
        const ViewerChart& row;
        ChartDefinition definition;
        std::string begin;
    };
    struct Direction {
        Line other{};  // what there is no room for
        SeriesSet<Line> series;
        std::vector<Line*> shown{};
        std::vector<Chart> charts{};
        bool changed = true;
    };

    Line* line_of(uint32_t row, const connection& c);
    Line* find_line(const connection& c);
    bool is_wanted(const Key& key, const connection& c) const;
    std::string text_of(const Key& key, const std::string* host) const;
    Direction& direction_of(const Line& line) { return directions_[line.key.inbound]; }
    void take_name(Writer& out, Line& line);
    void publish(Line& line);
    void take_away(Writer& out, Line& line);
    void define(Writer& out, const Direction& direction) const;
    void define_line(Writer& out, const Chart& chart, const Line& line, bool obsolete) const;

    const int64_t obsolete_after_;
    const FoundSockets& found_;
    const ServiceNames& services_;
    NetFilter filter_;
    std::unique_ptr<HostNames> names_;             // null: addresses are shown
    std::unordered_map<std::string, Line> lines_;  // by name: ports of one name are one
    Direction directions_[2];                      // outbound, inbound
    std::vector<Line*> line_of_row_;               // null: not looked up yet; &unwanted_: in no chart
    Line unwanted_;
    int64_t now_ = 1;
};
