// What `--watch` shows a person of what has been folded, instead of charts: rates, on a screen or as lines.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "net/network.h"
#include "watch/screen.h"

// In units that are short to read: 1.2k/s, 12.3 MB/s; "-" for what is not counted.
std::string events_text(std::optional<double> a_second);
std::string bytes_text(std::optional<double> a_second);

class Watch : public Collector {
public:
    // totals: of the whole system; they never fall. processes, network: null where they are not told apart.
    Watch(const Running& running, const Counters& totals, Processes* processes, std::weak_ptr<Network> network);
    ~Watch() override;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    Needs needs() const override { return screen_ ? screen_needs() : Needs{}; }
    void print(Writer& out, const Tick& tick) override;  // `out` gets it where there is no screen
    int fd() const override { return keyboard_; }
    Then readable(Writer& out, uint32_t events) override;
    Then on_signal(int signal) override;

private:
    using Lines = std::vector<Screen::Line>;
    struct Section {
        std::string heading;
        std::vector<std::string> rows;
    };
    struct GroupRow {
        std::string text;
        std::vector<std::string> actions;  // what its counters say, each alone
    };

    std::string title() const;
    std::vector<GroupRow> group_rows(const CounterSet& counted) const;
    GroupRow group_row(const Group& group, const CounterSet& counted) const;
    Section busiest_apps(const CounterSet& counted);
    Section busiest_connections(Network& network) const;
    std::string own_cost();
    double rate(uint64_t n) const { return seconds_ > 0 ? static_cast<double>(n) / seconds_ : 0; }
    Lines compose(size_t rows) const;
    void compose_groups(Lines& lines, size_t room) const;
    void compose_sections(Lines& lines, size_t rows_of_each) const;
    void draw();

    const Running& running_;
    const Counters& totals_;
    Processes* const processes_;
    const std::weak_ptr<Network> network_;
    std::unique_ptr<Screen> screen_;
    const int keyboard_;
    std::vector<std::string> messages_;  // what was logged while the screen stood
    Counters totals_before_{};
    double cpu_before_ = 0;  // seconds

    // As last shown.
    double seconds_ = 0;  // since the one before; 0: it is the first, from which it is counted
    std::string title_, cost_;
    std::vector<GroupRow> groups_;
    std::vector<Section> sections_;
};
