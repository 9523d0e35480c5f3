#include "watch/watch.h"
#include <fmt/chrono.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <ctime>
#include <fstream>
#include <utility>
#include "base/clock.h"
#include "base/log.h"
#include "bpf/programs.h"

namespace {

constexpr size_t most_rows = 10;  // of applications, and of connections

// What a counter is to the reader: of which action, and of what kind.
enum Sort { Calls, Errors, In, Out, None };
struct Meaning {
    Sort sort = None;
    std::string action;
};

// The charts know: bytes that leave are drawn below zero, and what stands there only to be taken from something else has
// been counted as something else already.
Sort sort_of(const Group& group, int counter, const std::string& name) {
    if (name.ends_with(" errors")) return Errors;
    for (const Chart& chart : group.charts)
        for (const Dimension& d : chart.dimensions)
            if (group.first_counter + d.counter == counter)
                return !name.ends_with(" bytes") ? Calls : d.multiplier < 0 ? Out : In;
    return None;
}

const std::array<Meaning, COUNTERS>& meanings() {
    static const auto all = [] {
        std::array<Meaning, COUNTERS> table;
        for (const Group& group : groups)
            for (int c = group.first_counter; c < group.first_counter + group.counters; c++) {
                std::string name = counter_name(c).substr(std::strlen(group.name) + 1);
                Sort sort = sort_of(group, c, name);
                for (const char* end : {" calls", " errors", " bytes"})
                    if (name.ends_with(end)) name.resize(name.size() - std::strlen(end));
                table[static_cast<size_t>(c)] = {sort, name};
            }
        return table;
    }();
    return all;
}

std::string last_word(const std::string& text) { return text.substr(text.rfind(' ') + 1); }

struct Rates {
    std::optional<double> of[None];  // empty: not counted

    void add(Sort sort, double a_second) {
        if (sort != None) of[sort] = of[sort].value_or(0) + a_second;
    }
};

std::string row_of(const std::string& name, const Rates& rates, const std::string& end) {
    return fmt::format("{:<19.19}{:>8}{:>8}{:>10}{:>10}    {}", name, events_text(rates.of[Calls]),
                       events_text(rates.of[Errors]), bytes_text(rates.of[In]), bytes_text(rates.of[Out]), end);
}

// Those by which most of its hooks are attached come first.
std::string ways_of(const Group& group, const Plan& plan) {
    std::array<std::pair<int, Way>, ways> hooks;
    for (int way = 0; way < ways; way++) {
        auto is = [&](const Attachment& a) { return &hook_ref(a.hook).group == &group && a.way == Way{way}; };
        auto n = std::count_if(plan.attachments.begin(), plan.attachments.end(), is);
        hooks[static_cast<size_t>(way)] = {-static_cast<int>(n), Way{way}};
    }
    std::sort(hooks.begin(), hooks.end());
    std::string text;
    for (auto [n, way] : hooks)
        if (n) text += (text.empty() ? "" : "+") + std::string(name_of(way));
    return text;
}

// Three digits, and what stands for the thousands.
std::string scaled(double n, const char* gap) {
    const char* prefix = "";
    for (const char* next : {"k", "M", "G", "T"}) {
        if (n < 999.5) break;
        n /= 1000;
        prefix = next;
    }
    bool whole = n >= 99.95 || n <= 0 || (!*prefix && n >= 9.95);
    return fmt::format("{:.{}f}{}{}", n, whole ? 0 : 1, gap, prefix);
}

std::string size_text(double bytes) { return scaled(bytes, " ") + "B"; }

// Leaves the first of them, in order.
template <class Row, class Before>
void keep_first(std::vector<Row>& rows, Before before) {
    auto end = rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), most_rows));
    std::partial_sort(rows.begin(), end, rows.end(), before);
    rows.erase(end, rows.end());
}

// The columns of bytes that an application has. Those of files and of the network each have their own: a write to a socket is
// in both.
class ByteColumns {
public:
    explicit ByteColumns(const CounterSet& counted) {
        for (const Group& group : groups)
            for (int c = group.first_counter; c < group.first_counter + group.counters; c++) {
                const Meaning& meaning = meanings()[static_cast<size_t>(c)];
                bool is_bytes = meaning.sort == In || meaning.sort == Out;
                if (is_bytes && counted[static_cast<size_t>(c)])
                    column_[static_cast<size_t>(c)] = find(group, last_word(meaning.action));
            }
    }
    size_t size() const { return columns_.size(); }
    const std::string& name(size_t column) const { return columns_[column].second; }
    std::optional<size_t> of(size_t counter) const { return column_[counter]; }

private:
    size_t find(const Group& group, const std::string& name) {
        auto at = std::find(columns_.begin(), columns_.end(), std::pair(&group, name));
        if (at == columns_.end()) at = columns_.insert(at, {&group, name});
        return static_cast<size_t>(at - columns_.begin());
    }

    std::vector<std::pair<const Group*, std::string>> columns_;
    std::array<std::optional<size_t>, COUNTERS> column_;
};

std::string text_of(const Connection& c, double received, double sent) {
    bool is_inbound = c.direction == Direction::Inbound;
    bool is_known = c.remote != Address{} && c.remote != Address::v4(0);
    std::string service = is_inbound || is_known ? harmless(c.service) : "?";
    service += c.protocol == IPPROTO_TCP ? "/TCP" : "/UDP";
    return fmt::format("{:<18.18} {:<15.15}{:>10}{:>10}  {} {}", c.process.empty() ? "?" : harmless(c.process), service,
                       bytes_text(received), bytes_text(sent), is_inbound ? "from" : "to",
                       is_known     ? c.remote.text()
                       : is_inbound ? "many"
                                    : "?");
}

}  // namespace

std::string events_text(std::optional<double> a_second) { return a_second ? scaled(*a_second, "") + "/s" : "-"; }
std::string bytes_text(std::optional<double> a_second) { return a_second ? scaled(*a_second, " ") + "B/s" : "-"; }

Watch::Watch(const Running& running, const Counters& totals, Processes* processes, std::weak_ptr<Network> network)
    : running_(running),
      totals_(totals),
      processes_(processes),
      network_(std::move(network)),
      screen_(Screen::open()),
      keyboard_(screen_ && isatty(STDIN_FILENO) ? STDIN_FILENO : -1) {
    if (auto sockets = network_.lock()) sockets->track();
    if (screen_ && isatty(STDERR_FILENO))
        redirect_log([this](const std::string& line) {
            messages_.push_back(line);
            draw();
        });
}

Watch::~Watch() {
    screen_.reset();
    redirect_log({});
    for (const std::string& message : messages_) fmt::print(stderr, "{}", message);
}

void Watch::print(Writer& out, const Tick& tick) {
    CounterSet counted = running_.programs.plan().counted(running_.config);
    seconds_ = static_cast<double>(tick.elapsed) / 1e6;
    groups_ = group_rows(counted);
    totals_before_ = totals_;
    sections_.clear();
    if (processes_) sections_.push_back(busiest_apps(counted));
    if (auto network = network_.lock()) sections_.push_back(busiest_connections(*network));
    for (Section& section : sections_)
        if (section.rows.empty()) section.rows.emplace_back("(nothing in this time)");
    cost_ = own_cost();
    title_ = title();
    if (screen_) return draw();
    if (seconds_ <= 0) return;
    for (const Screen::Line& line : compose(SIZE_MAX))
        out << std::string_view(line.text).substr(0, line.text.find_last_not_of(' ') + 1) << "\n";
    out << "\n";
}

std::string Watch::title() const {
    if (seconds_ <= 0) return "What programs do with the Linux kernel: counting begins";
    return fmt::format("What programs do with the Linux kernel, {:%H:%M:%S}, over {:.1f} s",
                       fmt::localtime(std::time(nullptr)), seconds_);
}

std::vector<Watch::GroupRow> Watch::group_rows(const CounterSet& counted) const {
    std::vector<GroupRow> rows;
    for (const Group& group : groups)
        if (running_.config.group_on[static_cast<size_t>(&group - groups)]) rows.push_back(group_row(group, counted));
    return rows;
}

Watch::GroupRow Watch::group_row(const Group& group, const CounterSet& counted) const {
    Rates all;
    std::vector<std::pair<std::string, Rates>> actions;
    for (int n = group.first_counter; n < group.first_counter + group.counters; n++) {
        auto c = static_cast<size_t>(n);
        const Meaning& meaning = meanings()[c];
        if (!counted[c] || meaning.sort == None) continue;
        double a_second = rate(totals_[c] - totals_before_[c]);
        all.add(meaning.sort, a_second);
        auto action = std::find_if(actions.begin(), actions.end(), [&](auto& a) { return a.first == meaning.action; });
        if (action == actions.end()) action = actions.insert(action, {meaning.action, {}});
        action->second.add(meaning.sort, a_second);
    }
    GroupRow row{row_of(group.title, all, ways_of(group, running_.programs.plan())), {}};
    for (const auto& [name, rates] : actions) row.actions.push_back(row_of("  " + name, rates, ""));
    return row;
}

Watch::Section Watch::busiest_apps(const CounterSet& counted) {
    const ByteColumns columns(counted);
    std::vector<std::pair<double, std::string>> rows;  // calls, all of it
    auto add = [&](const std::string& name, const Counters& now, const Counters& before) {
        Rates rates;
        std::vector<double> bytes(columns.size());
        for (size_t c = 0; c < COUNTERS; c++) {
            if (!counted[c]) continue;
            double a_second = rate(now[c] - before[c]);
            rates.add(meanings()[c].sort, a_second);
            if (auto column = columns.of(c)) bytes[*column] += a_second;
        }
        double calls = rates.of[Calls].value_or(0), errors = rates.of[Errors].value_or(0);
        if (calls + errors <= 0) return;
        std::string text = fmt::format("{:<19.19}{:>8}{:>8}", name.empty() ? "?" : harmless(name), events_text(calls),
                                       events_text(running_.config.returns() ? std::optional(errors) : std::nullopt));
        for (double b : bytes) text += fmt::format("{:>10}", bytes_text(b));
        rows.emplace_back(calls, std::move(text));
    };
    for (Member& app : processes_->apps()) {
        if (&app != &processes_->apps().front()) add(app.name, app.totals, app.sent);  // the first is in no group
        app.updated();
    }
    for (const auto& [name, counts] : processes_->take_ungrouped()) add(name, counts, {});
    keep_first(rows, [](const auto& a, const auto& b) { return a.first > b.first; });

    Section section{fmt::format("{:<19}{:>8}{:>8}", "Top applications", "calls", "errors"), {}};
    for (size_t i = 0; i < columns.size(); i++) section.heading += fmt::format("{:>10}", columns.name(i));
    for (auto& [calls, text] : rows) section.rows.push_back(std::move(text));
    return section;
}

Watch::Section Watch::busiest_connections(Network& network) const {
    auto bytes_of = [](const Connection& c) { return c.moved->bytes_sent + c.moved->bytes_received; };
    std::vector<Connection> rows = network.moved();
    std::erase_if(rows, [&](const Connection& c) { return !bytes_of(c); });
    keep_first(rows, [&](const Connection& a, const Connection& b) { return bytes_of(a) > bytes_of(b); });

    Section section{
        fmt::format("{:<19}{:<15}{:>10}{:>10}  {}", "Top connections", "service", "receive", "send", "with"), {}};
    for (const Connection& c : rows)
        section.rows.push_back(text_of(c, rate(c.moved->bytes_received), rate(c.moved->bytes_sent)));
    return section;
}

std::string Watch::own_cost() {
    double cpu = static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID)) / 1e9,
           percent = seconds_ > 0 ? 100 * (cpu - cpu_before_) / seconds_ : 0;
    cpu_before_ = cpu;
    double size = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    return fmt::format("The plugin itself: {:.1f} % of a CPU, {} of memory, {} in the kernel", percent,
                       size_text(resident * static_cast<double>(sysconf(_SC_PAGESIZE))),
                       size_text(static_cast<double>(running_.programs.map_bytes())));
}

// Who has how many rows follows from the height alone, so that nothing jumps.
Watch::Lines Watch::compose(size_t rows) const {
    using Style = Screen::Style;
    size_t taken = 1 + 1 + groups_.size() + 1 + 1;  // title, heading, groups, cost, the line at the bottom
    size_t room = rows > taken ? rows - taken : 0;
    size_t each = sections_.empty() ? 0 : std::min(room / sections_.size(), most_rows + 2);
    if (each < 3) each = 0;  // a blank, a heading, and nothing

    Lines lines{{title_, Style::Title}};
    lines.push_back({fmt::format("{:<19}{:>8}{:>8}{:>10}{:>10}    {}", "Whole system", "calls", "errors", "bytes in",
                                 "bytes out", "counted by"),
                     Style::Heading});
    compose_groups(lines, room - each * sections_.size());
    if (each) compose_sections(lines, each - 2);
    lines.push_back({cost_, Style::Faint});
    return lines;
}

void Watch::compose_groups(Lines& lines, size_t room) const {
    for (const GroupRow& group : groups_) {
        lines.push_back({group.text});
        if (room < group.actions.size()) continue;
        room -= group.actions.size();
        for (const std::string& action : group.actions) lines.push_back({action, Screen::Style::Faint});
    }
}

void Watch::compose_sections(Lines& lines, size_t rows_of_each) const {
    for (const Section& section : sections_) {
        lines.push_back({});
        lines.push_back({section.heading, Screen::Style::Heading});
        for (size_t i = 0; i < rows_of_each; i++)
            if (i < section.rows.size())
                lines.push_back({section.rows[i]});
            else if (screen_)
                lines.push_back({});
    }
}

void Watch::draw() {
    std::string help = "q ends it";
    if (!running_.config.returns()) help += "; errors are counted with --return";
    if (messages_.empty()) return screen_->draw(compose(screen_->rows()), {help});
    std::string_view last = messages_.back();
    screen_->draw(compose(screen_->rows()), {std::string(last.substr(0, last.find('\n'))), Screen::Style::Alarm});
}

Then Watch::readable(Writer&, uint32_t events) {
    return events & (EPOLLHUP | EPOLLERR) || screen_->has_seen_key('q') ? Then::End : Then::GoOn;
}

Then Watch::on_signal(int signal) {
    if (!screen_) return Then::GoOn;
    if (signal == SIGWINCH) {
        screen_->resize();
        draw();
    }
    return signal == SIGHUP ? Then::End : Then::GoOn;  // its terminal is gone
}
