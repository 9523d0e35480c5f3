// What `--watch` shows a person of what has been folded: rates, on a screen or as lines.
#pragma once
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "base/config.h"
#include "bpf/programs.h"
#include "net/connection.h"
#include "netdata/member.h"
#include "netdata/writer.h"
#include "watch/screen.h"
#include "who/counts_by_name.h"

// In units that are short to read: 1.2k/s, 12.3 MB/s; "-" for what is not counted.
std::string events_text(std::optional<double> a_second);
std::string bytes_text(std::optional<double> a_second);

class Watch {
public:
    Watch(const Programs& programs, const Config& config);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    struct Update {
        double seconds;                            // since the last one; 0: this is the first, from which it is counted
        const Counters& totals;                    // of the whole system; they never fall
        const std::deque<Member>* apps = nullptr;  // the first is what is in no group; null: they are not told apart
        std::vector<CountsByName::Row> ungrouped{};  // what that one has gained since the last update, by process names
        std::optional<std::vector<Connection>> connections{};  // those that moved something, and how much; or not known

        double rate(uint64_t n) const { return seconds > 0 ? static_cast<double>(n) / seconds : 0; }
    };
    void show(Writer& out, const Update& update);  // `out` gets it where there is no screen

    bool has_screen() const { return screen_ != nullptr; }
    void resize();
    bool is_told_to_end() { return screen_->has_seen_key('q'); }

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

    static std::string title(double seconds);
    std::vector<GroupRow> group_rows(const Update& update, const CounterSet& counted) const;
    GroupRow group_row(const Group& group, const Update& update, const CounterSet& counted) const;
    Section busiest_apps(const Update& update, const CounterSet& counted);
    static Section busiest_connections(const Update& update);
    std::string own_cost(double seconds);
    Lines compose(size_t rows) const;
    void compose_groups(Lines& lines, size_t room) const;
    void compose_sections(Lines& lines, size_t rows_of_each) const;
    void draw();

    const Programs& programs_;
    const Config& config_;
    std::unique_ptr<Screen> screen_;
    std::vector<std::string> messages_;  // what was logged while the screen stood
    Counters totals_before_{};
    std::vector<Counters> apps_before_;
    double cpu_before_ = 0;  // seconds

    // As last shown.
    std::string title_, cost_;
    std::vector<GroupRow> groups_;
    std::vector<Section> sections_;
};
