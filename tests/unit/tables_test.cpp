// The promises of the tables in charts/, for every group there is or will be; and that the objects keep them.
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <cstring>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include "bpf/programs.h"
#include "fake_kernel.h"
#include "netdata/charts.h"

extern "C" {
extern const char collector_v2[], collector_v2_end[], collector_v3[], collector_v3_end[], collector_v3_cast[],
    collector_v3_cast_end[];
}

namespace {

using namespace std::string_literals;

std::string id_of(const Dimension& dimension, ChartNames names) {
    return names == ChartNames::Current && dimension.current_id ? dimension.current_id : dimension.id;
}

int counters_of(const Hook& hook) { return hook.kind.calls + hook.kind.errors + hook.kind.bytes; }

// The hook that owns a counter of the group, -1 if none does.
int owner_of(const Group& group, int counter) {
    for (size_t i = 0; i < group.hooks.size(); i++)
        if (counter >= group.hooks[i].first && counter < group.hooks[i].first + counters_of(group.hooks[i]))
            return static_cast<int>(i);
    return -1;
}

// Two counters that are never counted together, because the one's hook stands in for the other's.
bool are_alternatives(const Group& group, int a, int b) {
    int one = owner_of(group, std::min(a, b)), other = owner_of(group, std::max(a, b));
    return other == one + 1 && group.hooks[static_cast<size_t>(other)].need == Need::InsteadOfPrevious;
}

template <class Param>
std::string group_of(const testing::TestParamInfo<Param>& info) {
    return info.param->name;
}

class Tables : public testing::TestWithParam<const Group*> {
protected:
    const Group& group = *GetParam();
    static constexpr ChartNames namings[] = {ChartNames::Classic, ChartNames::Current};
};

std::vector<const Group*> all_groups() {
    std::vector<const Group*> all;
    for (const Group& group : groups) all.push_back(&group);
    return all;
}
INSTANTIATE_TEST_SUITE_P(All, Tables, testing::ValuesIn(all_groups()), group_of<const Group*>);

// Both namings show the same dimensions, so that this holds for either. The one exception: a counter that only a level
// needs, to be taken off another (`minus`), need not be a dimension of its own.
TEST_P(Tables, ChartEveryCounterOnceAndNoOther) {
    std::multiset<int> charted;
    std::set<int> taken_off;
    for (const Chart& chart : group.charts)
        for (const Dimension& d : chart.dimensions) {
            if (d.minus < 0)
                charted.insert(d.counter);
            else
                taken_off.insert(d.minus);
        }
    for (int c = 0; c < group.counters; c++) {
        if (taken_off.contains(c) && !charted.contains(c)) continue;
        EXPECT_EQ(charted.count(c), 1u) << "counter " << c;
    }
    if (!charted.empty()) {
        EXPECT_GE(*charted.begin(), 0);
        EXPECT_LT(*charted.rbegin(), group.counters);
    }
}

TEST_P(Tables, TakeLevelsFromTwoDifferentCountersOfTheGroup) {
    for (const Chart& chart : group.charts)
        for (const Dimension& d : chart.dimensions) {
            if (d.minus < 0) continue;
            EXPECT_NE(d.minus, d.counter) << chart.id << " " << d.id;
            EXPECT_LT(d.minus, group.counters) << chart.id << " " << d.id;
            EXPECT_EQ(d.multiplier, 1) << chart.id << " " << d.id;
        }
}

TEST_P(Tables, GiveADimensionAnIdOnceInItsChart) {
    for (ChartNames names : namings)
        for (const Chart& chart : group.charts) {
            std::vector<Dimension> all = chart.dimensions;
            for (size_t i = 0; i < all.size(); i++)
                for (size_t j = 0; j < i; j++) {
                    bool alternatives = are_alternatives(group, all[i].counter, all[j].counter);
                    if (!alternatives) EXPECT_NE(id_of(all[i], names), id_of(all[j], names)) << chart.id;
                    if (!alternatives) EXPECT_STRNE(all[i].name, all[j].name) << chart.id;
                }
        }
}

TEST_P(Tables, HaveDimensionsInEveryChart) {
    for (const Chart& chart : group.charts) {
        EXPECT_NE(chart.dimensions.size(), 0u) << chart.id;
        for (const Dimension& d : chart.dimensions) EXPECT_NE(d.multiplier, 0) << chart.id;
    }
}

// What the agent takes as it is: netdata.md 1.3. Names stand without quotes in our lines, the other texts in quotes.
TEST_P(Tables, UseIdsAndTextsThatTheAgentTakesAsTheyAre) {
    const std::regex chart_id("[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+"), word("[A-Za-z0-9_-]+");
    auto is_text = [](const std::string& text) {
        return !text.empty() && text.find_first_of("'\"\\\n\r") == std::string::npos;
    };
    for (ChartNames names : namings)
        for (const Chart& chart : group.charts) {
            ChartDefinition shown = definition_of(group, chart, names);
            EXPECT_TRUE(std::regex_match(shown.id, chart_id)) << shown.id;
            EXPECT_LE(shown.id.size(), 199u) << shown.id;
            for (const std::string& text : {shown.title, std::string(shown.unit.name), shown.family})
                EXPECT_TRUE(is_text(text)) << shown.id << ": " << text;
            EXPECT_GT(shown.priority, 0) << shown.id;
            for (const Dimension& d : chart.dimensions) {
                EXPECT_TRUE(std::regex_match(id_of(d, names), word)) << shown.id << " " << id_of(d, names);
                EXPECT_TRUE(d.name && std::regex_match(d.name, word)) << shown.id << " " << d.id;
            }
        }
    EXPECT_TRUE(std::regex_match(group.module, word)) << group.module;
}

TEST_P(Tables, NumberTheirCountersAsTheirHooksOwnThem) {
    std::set<int> owned;
    std::map<int, int> ranges;  // a further path counts exactly what the hook that it belongs to counts
    for (const Hook& hook : group.hooks) {
        int n = counters_of(hook);
        if (!n) continue;
        auto [range, is_new] = ranges.try_emplace(hook.first, n);
        EXPECT_EQ(range->second, n) << hook.name;
        for (int c = hook.first; c < hook.first + n; c++)
            EXPECT_EQ(owned.insert(c).second, is_new) << hook.name << " " << c;
    }
    ASSERT_EQ(owned.size(), static_cast<size_t>(group.counters));
    EXPECT_EQ(*owned.begin(), 0);
    EXPECT_EQ(*owned.rbegin(), group.counters - 1);
}

TEST_P(Tables, HookEachFunctionOnceAndEachSomewhere) {
    std::set<std::string> names, places;
    for (const Hook& hook : group.hooks) {
        EXPECT_TRUE(names.insert(hook.name).second) << hook.name;
        EXPECT_EQ((hook.event != nullptr) + (hook.functions[0] != nullptr) + (hook.same_as != nullptr), 1)
            << hook.name << ": a tracepoint, functions or the calls of another hook";
        if (hook.same_as) EXPECT_FALSE(hook_ref(hook_named(hook.same_as)).hook.kind.by_hand) << hook.name;
        if (hook.event) EXPECT_TRUE(places.insert(hook.event).second) << hook.event;
        for (const char* function : hook.functions)
            if (function) EXPECT_TRUE(places.insert(function).second) << function;
        if (hook.need == Need::Always) EXPECT_NE(hook.event, nullptr) << hook.name;
        if (hook.shared_event) EXPECT_EQ(hook.event, nullptr) << hook.name << ": it stands in for functions";
        if (hook.event_first) EXPECT_NE(hook.shared_event, nullptr) << hook.name;
    }
    for (const Hook& hook : group.hooks)
        if (hook.shared_event) EXPECT_FALSE(places.contains(hook.shared_event)) << hook.shared_event;
    EXPECT_NE(group.hooks.front().need, Need::InsteadOfPrevious);
}

TEST(AllTables, GiveEachChartAnIdAndAPlaceOfItsOwn) {
    for (ChartNames names : {ChartNames::Classic, ChartNames::Current}) {
        std::set<std::string> ids;
        std::set<int> priorities;
        for (const Group& group : groups)
            for (const Chart& chart : group.charts) {
                ChartDefinition shown = definition_of(group, chart, names);
                EXPECT_TRUE(ids.insert(shown.id).second) << shown.id;
                EXPECT_TRUE(priorities.insert(shown.priority).second) << shown.id;
            }
    }
}

// Only bytes are charted as bytes or bits, and bytes as nothing else.
TEST_P(Tables, MakeCountersIntoTheirUnits) {
    auto expect_units = [&](const std::string& id, const Units& units, int counter) {
        const Hook& owner = group.hooks[static_cast<size_t>(owner_of(group, counter))];
        bool is_bytes = counter >= owner.first + owner.kind.calls + owner.kind.errors;
        for (const Unit& unit : {units.classic, units.current}) {
            bool kilobits = unit.name == "kilobits/s"s;
            EXPECT_EQ(kilobits || unit.name == "bytes/s"s, is_bytes) << id;
            EXPECT_EQ(unit.multiplier, kilobits ? 8 : 1) << id << ": of bytes";
            EXPECT_EQ(unit.divisor, kilobits ? 1000 : 1) << id;
        }
    };
    for (const Chart& chart : group.charts)
        for (const Dimension& d : chart.dimensions)
            expect_units(chart.id, units_of(group, chart.details.units, d.counter), d.counter);
    for (const MemberChart& row : group.member_charts) {
        const Units& units = units_of(group, row.details.units, row.counter);
        expect_units(row.id, units, row.counter);
        if (row.details.and_also >= 0) expect_units(row.id, units, row.details.and_also);
    }
}

TEST(AllTables, NumberCountersAndHooksWithoutGaps) {
    int counters = 0, hooks = 0;
    for (const Group& group : groups) {
        EXPECT_EQ(group.first_counter, counters) << group.name;
        EXPECT_EQ(group.first_hook, hooks) << group.name;
        counters += group.counters;
        hooks += static_cast<int>(group.hooks.size());
    }
    EXPECT_EQ(counters, static_cast<int>(COUNTERS));
    EXPECT_EQ(hooks, static_cast<int>(HOOKS));
    for (int id = 0; id < HOOKS; id++) EXPECT_EQ(hook_named(hook_ref(id).name()), id);
    EXPECT_THROW(hook_ref(HOOKS), std::out_of_range);
}

// What Netdata's users, alarms and dashboards know the charts by, written down from Netdata's own, not from our tables.
// Dimensions are "id:name", "*-1" if drawn below zero, "~" if a level.
struct Documented {
    const char* module;
    const char* id;
    const char* title;
    const char* units;
    const char* family;
    int priority;
    const char* dimensions;
};

// clang-format off
const Documented classic[] = {
    {"filedescriptor", "ebpf.file_descriptor", "Open and close calls", "calls", "File", 21000, "do_sys_open:open __close_fd:close"},
    {"filedescriptor", "ebpf.file_error", "Open fails", "calls", "File", 21001, "do_sys_open:open __close_fd:close"},
    {"vfs", "ebpf.deleted_objects", "Remove files", "calls", "VFS", 21002, "vfs_unlink:delete"},
    {"vfs", "ebpf.io", "Calls to IO", "calls", "VFS", 21003, "vfs_read:read vfs_write:write"},
    {"vfs", "ebpf.io_bytes", "Bytes written and read", "bytes/s", "VFS", 21004, "vfs_read:read vfs_write:write*-1"},
    {"vfs", "ebpf.io_error", "Fails to write or read", "calls", "VFS", 21005, "vfs_unlink:delete vfs_read:read vfs_write:write"},
    {"process", "ebpf.process_thread", "Start process", "calls", "Process", 21006, "_do_fork:process sys_clone:thread"},
    {"process", "ebpf.exit", "Exit process", "calls", "Process", 21007, "do_exit:process release_task:task*-1"},
    {"process", "ebpf.process_status", "Process not closed", "difference", "Process", 21008, "process:process~ zombie:zombie~"},
    {"process", "ebpf.task_error", "Fails to create process", "calls", "Process", 21009, "_do_fork:process sys_clone:thread"},
    {"socket", "ebpf.tcp_functions", "Calls to internal functions", "calls", "Socket", 21070, "tcp_sendmsg:sent tcp_cleanup_rbuf:received tcp_close:close"},
    // Netdata also declared tcp_close here, and never gave it a value.
    {"socket", "ebpf.tcp_bandwidth", "TCP bandwidth", "bytes/s", "Socket", 21071, "tcp_sendmsg:sent*-1 tcp_cleanup_rbuf:received"},
    {"socket", "ebpf.tcp_error", "TCP errors", "calls", "Socket", 21072, "tcp_sendmsg:sent tcp_cleanup_rbuf:received"},
    {"socket", "ebpf.tcp_retransmit", "Packages retransmitted", "calls", "Socket", 21073, "tcp_retransmit_skb:retransmitted"},
    {"socket", "ebpf.udp_functions", "UDP calls", "calls", "Socket", 21074, "udp_sendmsg:sent udp_recvmsg:received"},
    {"socket", "ebpf.udp_bandwidth", "UDP bandwidth", "bytes/s", "Socket", 21075, "udp_sendmsg:sent*-1 udp_recvmsg:received"},
    {"socket", "ebpf.udp_error", "UDP errors", "calls", "Socket", 21076, "udp_sendmsg:sent udp_recvmsg:received"},
    // These came later; behind those above, whose family they share here.
    {"socket", "ip.inbound_conn", "Inbound connections.", "connections/s", "Socket", 21077, "inet_csk_accept_tcp:connected_tcp inet_csk_accept_udp:connected_udp"},
    {"socket", "ip.tcp_outbound_conn", "TCP outbound connections.", "connections/s", "Socket", 21078, "tcp_connect_v4:connected_V4 tcp_connect_v6:connected_V6"},
};

const Documented current[] = {
    {"filedescriptor", "filesystem.file_descriptor", "Open and close calls", "calls/s", "file_access", 2195, "do_sys_open:open __close_fd:close"},
    {"filedescriptor", "filesystem.file_error", "Open fails", "calls/s", "file_access", 2196, "do_sys_open:open __close_fd:close"},
    {"vfs", "filesystem.vfs_deleted_objects", "Remove files", "calls/s", "vfs", 2150, "vfs_unlink:delete"},
    {"vfs", "filesystem.vfs_io", "Calls to IO", "calls/s", "vfs", 2151, "vfs_read:read vfs_write:write"},
    {"vfs", "filesystem.vfs_io_bytes", "Bytes written and read", "bytes/s", "vfs", 2152, "vfs_read:read vfs_write:write*-1"},
    // Netdata dropped `delete` here and draws it nowhere else; we keep it.
    {"vfs", "filesystem.vfs_io_error", "Fails to write or read", "calls/s", "vfs", 2153, "vfs_unlink:delete vfs_read:read vfs_write:write"},
    {"process", "system.process_thread", "Start process", "calls/s", "processes", 21002, "kernel_clone:process sys_clone:thread"},
    {"process", "system.exit", "Exit process", "calls/s", "processes", 21003, "do_exit:process release_task:task*-1"},
    {"process", "system.process_status", "Process not closed", "difference", "processes", 21004, "process:process~ zombie:zombie~"},
    {"process", "system.task_error", "Fails to create process", "calls/s", "processes", 21005, "kernel_clone:process sys_clone:thread"},
    // Netdata names received before sent, and gives the two the other's numbers; its ids and names are these.
    {"socket", "ip.inbound_conn", "Inbound connections.", "connections/s", "kernel", 21070, "inet_csk_accept_tcp:connected_tcp inet_csk_accept_udp:connected_udp"},
    {"socket", "ip.tcp_outbound_conn", "TCP outbound connections.", "connections/s", "kernel", 21071, "tcp_connect_v4:connected_V4 tcp_connect_v6:connected_V6"},
    {"socket", "ip.tcp_functions", "Calls to internal functions", "calls/s", "kernel", 21072, "tcp_sendmsg:sent tcp_cleanup_rbuf:received tcp_close:close"},
    {"socket", "ip.total_tcp_bandwidth", "TCP bandwidth", "kilobits/s", "kernel", 21073, "tcp_sendmsg:sent*-1 tcp_cleanup_rbuf:received"},
    {"socket", "ip.tcp_error", "TCP errors", "calls/s", "kernel", 21074, "tcp_sendmsg:sent tcp_cleanup_rbuf:received"},
    {"socket", "ip.tcp_retransmit", "Packages retransmitted", "calls/s", "kernel", 21075, "tcp_retransmit_skb:retransmitted"},
    {"socket", "ip.udp_functions", "UDP calls", "calls/s", "kernel", 21076, "udp_sendmsg:sent udp_recvmsg:received"},
    {"socket", "ip.total_udp_bandwidth", "UDP bandwidth", "kilobits/s", "kernel", 21077, "udp_sendmsg:sent*-1 udp_recvmsg:received"},
    {"socket", "ip.udp_error", "UDP errors", "calls/s", "kernel", 21078, "udp_sendmsg:sent udp_recvmsg:received"},
};

const Documented in_both[] = {  // they came later than the first names
    {"vfs", "filesystem.vfs_fsync", "Calls to vfs_fsync.", "calls/s", "vfs", 2154, "vfs_fsync:fsync"},
    {"vfs", "filesystem.vfs_fsync_error", "Fails to synchronize", "calls/s", "vfs", 2155, "vfs_fsync:fsync"},
    {"vfs", "filesystem.vfs_open", "Calls to vfs_open.", "calls/s", "vfs", 2156, "vfs_open:open"},
    {"vfs", "filesystem.vfs_open_error", "Fails to open a file", "calls/s", "vfs", 2157, "vfs_open:open"},
    // Netdata's title is "Calls to vfs_create.", which most files are not made by: we count those too.
    {"vfs", "filesystem.vfs_create", "Files created.", "calls/s", "vfs", 2158, "vfs_create:create"},
    {"vfs", "filesystem.vfs_create_error", "Fails to create a file.", "calls/s", "vfs", 2159, "vfs_create:create"},
};
// clang-format on

std::string describe_dimensions(const Chart& chart, ChartNames names) {
    std::string text, last;
    for (const Dimension& d : chart.dimensions) {
        std::string one = id_of(d, names) + ":" + d.name;
        if (d.multiplier != 1) one += "*" + std::to_string(d.multiplier);
        if (d.minus >= 0) one += "~";
        if (one != last) text += (text.empty() ? "" : " ") + one;  // an alternative is the same dimension
        last = one;
    }
    return text;
}

void expect_documented(ChartNames names, std::span<const Documented> documented) {
    for (const Documented& d : documented) {
        SCOPED_TRACE(d.id);
        const Chart* found = nullptr;
        ChartDefinition shown;
        for (const Group& group : groups)
            for (const Chart& chart : group.charts)
                if (ChartDefinition one = definition_of(group, chart, names); one.id == d.id)
                    found = &chart, shown = one;
        ASSERT_NE(found, nullptr);
        EXPECT_STREQ(shown.module, d.module);
        EXPECT_EQ(shown.title, d.title);
        EXPECT_STREQ(shown.unit.name, d.units);
        EXPECT_EQ(shown.family, d.family);
        EXPECT_EQ(shown.priority, d.priority);
        EXPECT_STREQ(shown.type, "line");
        EXPECT_EQ(describe_dimensions(*found, names), d.dimensions);
    }
}

TEST(AllTables, NameTheChartsAsNetdata125) {
    expect_documented(ChartNames::Classic, classic);
    expect_documented(ChartNames::Classic, in_both);
}

TEST(AllTables, NameTheChartsAsNetdata132) {
    expect_documented(ChartNames::Current, current);
    expect_documented(ChartNames::Current, in_both);
}

// The objects, opened but not loaded: nothing of the kernel is needed.
class Objects : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
        auto elf = GetParam() == "v2"   ? std::span(collector_v2, collector_v2_end)
                   : GetParam() == "v3" ? std::span(collector_v3, collector_v3_end)
                                        : std::span(collector_v3_cast, collector_v3_cast_end);
        object.reset(bpf_object__open_mem(elf.data(), elf.size(), nullptr));
        ASSERT_NE(object, nullptr);
    }

    void expect_program(const Attachment& a) {
        bpf_program* program = bpf_object__find_program_by_name(object.get(), a.program().c_str());
        ASSERT_NE(program, nullptr) << a.program();
        EXPECT_FALSE(bpf_program__autoload(program)) << a.program() << " is loaded without having been planned";
        bpf_prog_type type = bpf_program__type(program);
        bpf_attach_type attach = bpf_program__expected_attach_type(program);
        switch (a.way) {
            case Way::Trampoline:
                EXPECT_EQ(type, BPF_PROG_TYPE_TRACING) << a.program();
                EXPECT_EQ(attach, a.part == Part::Call ? BPF_TRACE_FENTRY : BPF_TRACE_FEXIT) << a.program();
                break;
            case Way::ProbeMulti:
            case Way::Probe: EXPECT_EQ(type, BPF_PROG_TYPE_KPROBE) << a.program(); break;
            case Way::Tracepoint:
            case Way::Syscalls:
                EXPECT_EQ(type, BPF_PROG_TYPE_TRACING) << a.program();
                EXPECT_EQ(attach, BPF_TRACE_RAW_TP) << a.program();
                break;
        }
    }

    Object object;
};
INSTANTIATE_TEST_SUITE_P(All, Objects, testing::Values("v2"s, "v3"s, "v3_cast"s),
                         [](const auto& object) { return object.param; });

TEST_P(Objects, HoldEveryProgramThatCanBePlanned) {
    std::set<std::string> hooks_seen;
    Kernel without_release = kernel_with_everything();
    without_release.functions.erase("release_task");
    Kernel messages_alone = kernel_that_tells_of_messages();
    for (Way way : {Way::Trampoline, Way::ProbeMulti, Way::Probe}) messages_alone.refused[way] = "no";
    for (const Kernel& kernel :
         {kernel_with_everything(), without_release, kernel_that_tells_of_messages(), messages_alone,
          kernel_without(Way::Trampoline), kernel_without(Way::Trampoline, Way::ProbeMulti), kernel_of_system_calls()})
        for (LoadMode mode : {LoadMode::Entry, LoadMode::Return})
            for (const Attachment& a : make_plan(kernel, config_with(mode)).attachments) {
                expect_program(a);
                hooks_seen.insert(hook_ref(a.hook).name());
            }
    EXPECT_EQ(hooks_seen.size(), static_cast<size_t>(HOOKS)) << "a hook that is never planned";
    for (const Attachment& a : make_plan(messages_alone, Config()).attachments)
        if (a.target.starts_with("sock_")) EXPECT_EQ(a.program(), a.target + "__tp_btf") << "one for all its hooks";
}

// The compilers must agree on what lies where.
TEST_P(Objects, ShareTheMemoryAsThePluginSeesIt) {
    auto value_size = [&](const char* name) {
        bpf_map* map = bpf_object__find_map_by_name(object.get(), name);
        return map ? bpf_map__value_size(map) : 0;
    };
    EXPECT_EQ(value_size("slots"), sizeof(slot));
    EXPECT_EQ(value_size("overflow"), sizeof(slot));
    EXPECT_EQ(value_size("notes"), sizeof(note));
    EXPECT_EQ(value_size("slots_marks"), 64u);
    EXPECT_EQ(value_size("connections"), sizeof(connection));
    EXPECT_EQ(value_size("connections_marks"), 64u);
    EXPECT_EQ(value_size(".data.state"), sizeof(state));
    EXPECT_EQ(value_size(".rodata.settings"), sizeof(settings));
    for (const char* claims : {"slots_claims", "connections_claims", "connections_index"})
        EXPECT_EQ(bpf_object__find_map_by_name(object.get(), claims) != nullptr, GetParam() == "v2") << claims;
}

}  // namespace
