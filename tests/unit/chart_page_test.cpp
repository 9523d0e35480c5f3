// charts/README.md lists the charts that the plugin prints, each dimension with what it counts, and no other.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iomanip>
#include <map>
#include <sstream>
#include "net/viewer.h"
#include "netdata/charts.h"
#include "netdata/member_charts.h"
#include "netdata/self_charts.h"
#include "text.h"

namespace {

constexpr const char* rewrite = "EBPF_PLUGIN_REWRITE=1 build/release/tests/unit --gtest_filter='ChartPage.*'";

constexpr const char* first_made = "\n## The whole system\n";  // what stands before it is written by hand

constexpr const char* connections = R"(
## Connections

`outbound`: a dimension for each destination, named `service:protocol:address`; `inbound`: one for each service of this
machine, named `service:protocol`. Those that are not shown, or that there is no room for, add up in `other`, which stands
for all here. `_sent` is drawn below zero. `[network viewer]` in [`ebpf.conf`](../conf.d/ebpf.conf) says which are shown.
)";

constexpr const char* itself = R"(
## The plugin itself

In the menu Netdata Monitoring, in both namings alike. `ebpf_connections` needs the group `socket`, `ebpf_run_time` the
setting `run time statistics`.
)";

struct PrintedDimension {
    std::string id, name, algorithm, multiplier;
};
struct PrintedChart {
    std::string id, title, units, family, context, type, priority;
    std::vector<PrintedDimension> dimensions;
};

std::vector<PrintedChart> printed(const std::function<void(Writer&)>& print) {
    std::vector<PrintedChart> charts;
    std::istringstream lines(Text().of(print));
    for (std::string line; std::getline(lines, line);) {
        std::vector<std::string> words;
        std::istringstream text(line);
        for (std::string word; text >> std::quoted(word, '\'');) words.push_back(word);
        if (words[0] == "CHART")
            charts.push_back({words[1], words[3], words[4], words[5], words[6], words[7], words[8], {}});
        if (words[0] == "DIMENSION") charts.back().dimensions.push_back({words[1], words[2], words[3], words[4]});
    }
    return charts;
}

CounterSet all_counters() {
    CounterSet all;
    all.fill(true);
    return all;
}

Config named(ChartNames names) {
    Config config;
    config.chart_names = names;
    config.run_time = true;
    config.update_every = 1;
    return config;
}

std::vector<PrintedChart> system_charts(ChartNames names) {
    return printed([&](Writer& out) { Charts(all_counters(), names, 1, {}, {}).begin(out); });
}

std::vector<PrintedChart> charts_of(Audience audience, ChartNames names) {
    std::deque<Member> members;
    if (audience != Audience::Apps) members.push_back({{.name = "rest"}});
    members.push_back({{.name = "NAME"}, audience == Audience::Services, 1});
    Config config = named(names);
    return printed([&](Writer& out) {
        MemberCharts(audience, all_counters(), config, false, {}, members, {}).print(out, {.now = 1});
    });
}

std::vector<PrintedChart> connection_charts(ChartNames names) {
    FoundSockets found;
    std::vector<std::string> complaints;
    Config config = named(names);
    ServiceNames services(config.service_names, "", true);
    return printed([&](Writer& out) { NetViewer(config, 64, found, services, complaints).print(out, {.now = 1}); });
}

std::string both(const std::string& classic, const std::string& current) {
    return classic == current ? classic : classic + "<br>" + current;
}
std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

// What a dimension counts, by its place in the chart.
using Meaning = std::function<std::string(size_t dimension)>;

std::string dimensions(const PrintedChart& classic, const PrintedChart& current, const Meaning& meaning) {
    std::string cell, last;
    for (size_t d = 0; d < classic.dimensions.size(); d++) {
        const PrintedDimension &one = classic.dimensions[d], &other = current.dimensions[d];
        std::string ids = code(one.id) + (one.id == other.id ? "" : " or " + code(other.id));
        if (one.name != one.id) ids += " (" + one.name + ")";
        std::string notes = meaning(d);
        for (auto [holds, note] :
             {std::pair{one.algorithm == "absolute", "a level"}, {one.multiplier.starts_with('-'), "drawn below zero"}})
            if (holds) notes += (notes.empty() ? "" : ", ") + std::string(note);
        if (ids == last)
            cell += "; else " + notes;  // what stands in for it has the same place
        else
            cell += (cell.empty() ? "" : "<br>") + ids + (notes.empty() ? "" : ": " + notes);
        last = ids;
    }
    return cell;
}

std::string row(const PrintedChart& classic, const PrintedChart& current, bool with_context, const Meaning& meaning) {
    std::string text = "| " + both(code(classic.id), code(current.id)) + " | ";
    if (with_context)
        text += both(code(classic.context), code(current.context)) + " | ";
    else
        EXPECT_EQ(classic.context + current.context, classic.id + current.id);
    return text + fmt::format("{} | {} | {} | {} | {} | {} |\n", both(classic.title, current.title),
                              both(classic.units, current.units), both(classic.family, current.family),
                              both(classic.type, current.type), both(classic.priority, current.priority),
                              dimensions(classic, current, meaning));
}

constexpr const char* head =
    "\n| chart and context | title | unit | family | type | priority | dimensions |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n";
constexpr const char* head_with_context =
    "\n| chart | context | title | unit | family | type | priority | dimensions |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |\n";

std::string counter(const Group& group, int number) {
    return number < 0 ? "" : counter_name(group.first_counter + number);
}

// The plugin prints the charts in the order of the tables.
std::string system_section() {
    std::string text = first_made;
    auto classic = system_charts(ChartNames::Classic), current = system_charts(ChartNames::Current);
    size_t at = 0;
    text += head;
    for (const Group& group : groups)
        for (const Chart& chart : group.charts) {
            text += row(classic.at(at), current.at(at), false, [&](size_t d) {
                const Dimension& dimension = chart.dimensions.begin()[d];
                return counter(group, dimension.counter) +
                       (dimension.minus < 0 ? "" : " less " + counter(group, dimension.minus));
            });
            at++;
        }
    EXPECT_EQ(at, classic.size());
    EXPECT_EQ(at, current.size());
    return text;
}

std::string share_section(const char* title, const char* about, Audience audience) {
    std::string text = fmt::format("\n## {}\n\n{}\n{}", title, about, head_with_context);
    auto classic = charts_of(audience, ChartNames::Classic), current = charts_of(audience, ChartNames::Current);
    size_t at = 0;
    for (const Group& group : groups)
        for (const MemberChart& chart : group.member_charts) {
            text += row(classic.at(at), current.at(at), true, [&](size_t) {
                return counter(group, chart.counter) +
                       (chart.details.and_also < 0 ? "" : " and " + counter(group, chart.details.and_also));
            });
            at++;
        }
    EXPECT_EQ(at, classic.size());
    EXPECT_EQ(at, current.size());
    return text;
}

std::string connection_section() {
    std::string text = std::string(connections) + head;
    auto classic = connection_charts(ChartNames::Classic), current = connection_charts(ChartNames::Current);
    for (size_t at = 0; at < classic.size(); at++)
        text += row(classic[at], current.at(at), false, [](size_t) { return ""; });
    return text;
}

std::string self_section() {
    std::string text = std::string(itself) + head;
    auto charts = printed([](Writer& out) { define_self_charts(out, named(ChartNames::Classic)); });
    EXPECT_EQ(charts.size(), self_charts().size());
    for (size_t at = 0; at < charts.size(); at++)
        text += row(charts[at], charts[at], false,
                    [&](size_t d) { return self_charts()[at].dimensions.begin()[d].meaning; });
    return text;
}

// Where a counter is counted, as cells of the table: functions, tracepoints, and the system calls that stand in.
std::string places(const Group& group, int counter) {
    std::string functions, events, syscalls;
    auto note = [](std::string& list, const std::string& place) {
        if (!place.empty() && list.find(place) == std::string::npos) list += (list.empty() ? "" : "<br>") + place;
    };
    for (const Hook& hook : group.hooks) {
        int place = counter - hook.first;
        if (place < 0 || place >= hook.kind.calls + hook.kind.errors + hook.kind.bytes) continue;
        std::string either;
        for (const char* function : hook.functions)
            if (function) either += (either.empty() ? "" : " or ") + code(function);
        note(functions, either);
        if (hook.event) note(events, code(hook.event) + (hook.need == Need::InsteadOfPrevious ? ", last" : ""));
        if (hook.shared_event) note(events, code(hook.shared_event) + (hook.event_first ? ", first" : ", last"));
        note(syscalls, code(hook.syscalls));
        if (hook.by_socket) note(syscalls, fmt::format("each that {}, on such a socket", hook.by_socket));
    }
    return fmt::format("{} | {} | {}", functions, events, syscalls);
}

std::string counter_section() {
    std::string text = R"(
## Counters

Of functions parted by "or" the first that the kernel has is hooked; functions in lines of their own are different ways to
the same count, and each is hooked. `sys_x` is the kernel's entry of the system call x, `sys32_x` that of 32-bit programs. A tracepoint marked `first` is taken before the functions, one marked `last` where the
function cannot be hooked. The system calls stand in with `attach = syscalls`.

| counters | functions | tracepoint | system calls |
| --- | --- | --- | --- |
)";
    for (const Group& group : groups)
        for (int c = 0; c < group.counters;) {
            std::string where = places(group, c), names = counter(group, c);
            while (++c < group.counters && places(group, c) == where) names += "<br>" + counter(group, c);
            text += fmt::format("| {} | {} |\n", names, where);
        }
    return text;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::string page() {
    std::ifstream file(CHART_PAGE);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ChartPage, SaysWhatThePluginPrints) {
    std::string wanted = page().substr(0, page().find(first_made)) + system_section();
    wanted +=
        share_section("Applications", "`classic`: one chart, with a dimension for each application.", Audience::Apps);
    wanted +=
        share_section("Containers and virtual machines", "A chart for each, in both namings.", Audience::Containers);
    wanted += share_section("Services of systemd", "`classic`: one chart, with a dimension for each service.",
                            Audience::Services);
    wanted += connection_section() + self_section() + counter_section();
    if (std::getenv("EBPF_PLUGIN_REWRITE")) std::ofstream(CHART_PAGE) << wanted;

    std::vector<std::string> stands = lines_of(page()), right = lines_of(wanted);
    for (size_t n = 0; n < std::max(stands.size(), right.size()); n++)
        ASSERT_EQ(n < stands.size() ? stands[n] : "", n < right.size() ? right[n] : "")
            << "line " << n + 1 << " of charts/README.md; to write the page anew: " << rewrite;
}

}  // namespace
