// The charts' lines, letter by letter.
#include "netdata/charts.h"
#include <gtest/gtest.h>
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include "fake_kernel.h"
#include "protocol.h"
#include "text.h"

namespace {

Counters counts;  // what the charts draw

Charts charts_of(const CounterSet& counted, ChartNames names, int update_every = 1,
                 const CounterSet& by_syscalls = {}) {
    return Charts(counted, names, update_every, by_syscalls, counts);
}

std::string definitions(Charts charts) {
    return Text().of([&](Writer& out) { charts.begin(out); });
}

std::string update(Charts& charts, const Counters& totals, int64_t elapsed) {
    counts = totals;
    return Text().of([&](Writer& out) { charts.print(out, {.elapsed = elapsed}); });
}

CounterSet these(std::initializer_list<int> counters) {
    CounterSet set{};
    for (int c : counters) set[static_cast<size_t>(c)] = true;
    return set;
}

Counters totals_of(std::initializer_list<std::pair<int, uint64_t>> values) {
    Counters totals{};
    for (auto [counter, value] : values) totals[static_cast<size_t>(counter)] = value;
    return totals;
}

const CounterSet small =
    these({COUNTER(file, open_calls), COUNTER(file, close_calls), COUNTER(vfs, read_bytes), COUNTER(vfs, write_bytes),
           COUNTER(process, start_processes), COUNTER(process, exit_processes)});

TEST(Charts, SayWhatTheyAreInTheClassicNames) {
    EXPECT_EQ(definitions(charts_of(small, ChartNames::Classic)),
              "CHART ebpf.io_bytes '' 'Bytes written and read' 'bytes/s' 'VFS' ebpf.io_bytes line 21004 1 '' "
              "ebpf.plugin vfs\n"
              "DIMENSION vfs_read read incremental 1 1\n"
              "DIMENSION vfs_write write incremental -1 1\n"
              "CHART ebpf.file_descriptor '' 'Open and close calls' 'calls' 'File' ebpf.file_descriptor line 21000 1 "
              "'' ebpf.plugin filedescriptor\n"
              "DIMENSION do_sys_open open incremental 1 1\n"
              "DIMENSION __close_fd close incremental 1 1\n"
              "CHART ebpf.process_thread '' 'Start process' 'calls' 'Process' ebpf.process_thread line 21006 1 '' "
              "ebpf.plugin process\n"
              "DIMENSION _do_fork process incremental 1 1\n"
              "CHART ebpf.process_status '' 'Process not closed' 'difference' 'Process' ebpf.process_status line 21008 "
              "1 '' ebpf.plugin process\n"
              "DIMENSION process process absolute 1 1\n");
}

TEST(Charts, SayWhatTheyAreInTheCurrentNames) {
    EXPECT_EQ(definitions(charts_of(small, ChartNames::Current, 10, {})),
              "CHART filesystem.vfs_io_bytes '' 'Bytes written and read' 'bytes/s' 'vfs' filesystem.vfs_io_bytes line "
              "2152 10 '' ebpf.plugin vfs\n"
              "DIMENSION vfs_read read incremental 1 1\n"
              "DIMENSION vfs_write write incremental -1 1\n"
              "CHART filesystem.file_descriptor '' 'Open and close calls' 'calls/s' 'file_access' "
              "filesystem.file_descriptor line 2195 10 '' ebpf.plugin filedescriptor\n"
              "DIMENSION do_sys_open open incremental 1 1\n"
              "DIMENSION __close_fd close incremental 1 1\n"
              "CHART system.process_thread '' 'Start process' 'calls/s' 'processes' system.process_thread line 21002 "
              "10 '' ebpf.plugin process\n"
              "DIMENSION kernel_clone process incremental 1 1\n"
              "CHART system.process_status '' 'Process not closed' 'difference' 'processes' system.process_status line "
              "21004 10 '' ebpf.plugin process\n"
              "DIMENSION process process absolute 1 1\n");
}

TEST(Charts, SayTheirValues) {
    Charts charts = charts_of(small, ChartNames::Classic);
    Counters totals = totals_of({{COUNTER(file, open_calls), 10},
                                 {COUNTER(file, close_calls), 9},
                                 {COUNTER(vfs, read_bytes), 5'000'000'000},
                                 {COUNTER(vfs, write_bytes), 7},
                                 {COUNTER(process, start_processes), 4},
                                 {COUNTER(process, exit_processes), 1},
                                 {COUNTER(vfs, read_calls), 99}});
    EXPECT_EQ(update(charts, totals, 0),
              "BEGIN ebpf.io_bytes \nSET vfs_read = 5000000000\nSET vfs_write = 7\nEND\n"
              "BEGIN ebpf.file_descriptor \nSET do_sys_open = 10\nSET __close_fd = 9\nEND\n"
              "BEGIN ebpf.process_thread \nSET _do_fork = 4\nEND\n"
              "BEGIN ebpf.process_status \nSET process = 3\nEND\n");
    EXPECT_NE(update(charts, totals, 1000123).find("BEGIN ebpf.io_bytes 1000123\nSET vfs_read = 5000000000\n"),
              std::string::npos);
}

TEST(Charts, UseTheSameIdsInValuesAsInDefinitions) {
    for (ChartNames names : {ChartNames::Classic, ChartNames::Current}) {
        Charts charts = charts_of(all_counters(), names, 1, all_counters());
        std::istringstream defined(definitions(charts)), values(update(charts, Counters{}, 1));
        std::map<std::string, std::vector<std::string>> wanted, got;
        std::string line, word, id, chart;
        while (std::getline(defined, line)) {
            std::istringstream(line) >> word >> id;
            if (word == "CHART") EXPECT_TRUE(wanted.try_emplace(chart = id).second) << id;
            if (word == "DIMENSION") wanted[chart].push_back(id);
        }
        while (std::getline(values, line)) {
            std::istringstream(line) >> word >> id;
            if (word == "BEGIN") chart = id;
            if (word == "SET") got[chart].push_back(id);
        }
        EXPECT_EQ(got, wanted);
        EXPECT_EQ(wanted.size(), charts.size());
    }
}

// Which counter stands behind which dimension, in both namings.
struct Shown {
    const char* classic;
    const char* current;
    const char* dimension;
    int counter;
};

// clang-format off
const Shown shown[] = {
    {"ebpf.file_descriptor", "filesystem.file_descriptor", "do_sys_open", COUNTER(file, open_calls)},
    {"ebpf.file_descriptor", "filesystem.file_descriptor", "__close_fd", COUNTER(file, close_calls)},
    {"ebpf.file_error", "filesystem.file_error", "do_sys_open", COUNTER(file, open_errors)},
    {"ebpf.file_error", "filesystem.file_error", "__close_fd", COUNTER(file, close_errors)},
    {"ebpf.deleted_objects", "filesystem.vfs_deleted_objects", "vfs_unlink", COUNTER(vfs, unlink_calls)},
    {"ebpf.io", "filesystem.vfs_io", "vfs_read", COUNTER(vfs, read_calls)},
    {"ebpf.io", "filesystem.vfs_io", "vfs_write", COUNTER(vfs, write_calls)},
    {"ebpf.io_bytes", "filesystem.vfs_io_bytes", "vfs_read", COUNTER(vfs, read_bytes)},
    {"ebpf.io_bytes", "filesystem.vfs_io_bytes", "vfs_write", COUNTER(vfs, write_bytes)},
    {"ebpf.io_error", "filesystem.vfs_io_error", "vfs_unlink", COUNTER(vfs, unlink_errors)},
    {"ebpf.io_error", "filesystem.vfs_io_error", "vfs_read", COUNTER(vfs, read_errors)},
    {"ebpf.io_error", "filesystem.vfs_io_error", "vfs_write", COUNTER(vfs, write_errors)},
    {"filesystem.vfs_fsync", "filesystem.vfs_fsync", "vfs_fsync", COUNTER(vfs, fsync_calls)},
    {"filesystem.vfs_fsync_error", "filesystem.vfs_fsync_error", "vfs_fsync", COUNTER(vfs, fsync_errors)},
    {"filesystem.vfs_open", "filesystem.vfs_open", "vfs_open", COUNTER(vfs, open_calls)},
    {"filesystem.vfs_open_error", "filesystem.vfs_open_error", "vfs_open", COUNTER(vfs, open_errors)},
    {"filesystem.vfs_create", "filesystem.vfs_create", "vfs_create", COUNTER(vfs, create_calls)},
    {"filesystem.vfs_create_error", "filesystem.vfs_create_error", "vfs_create", COUNTER(vfs, create_errors)},
    {"ip.inbound_conn", "ip.inbound_conn", "inet_csk_accept_tcp", COUNTER(socket, accepts_tcp)},
    {"ip.inbound_conn", "ip.inbound_conn", "inet_csk_accept_udp", COUNTER(socket, accepts_udp)},
    {"ip.tcp_outbound_conn", "ip.tcp_outbound_conn", "tcp_connect_v4", COUNTER(socket, connects_v4)},
    {"ip.tcp_outbound_conn", "ip.tcp_outbound_conn", "tcp_connect_v6", COUNTER(socket, connects_v6)},
    {"ebpf.tcp_functions", "ip.tcp_functions", "tcp_sendmsg", COUNTER(socket, tcp_send_calls)},
    {"ebpf.tcp_functions", "ip.tcp_functions", "tcp_cleanup_rbuf", COUNTER(socket, tcp_receive_calls)},
    {"ebpf.tcp_functions", "ip.tcp_functions", "tcp_close", COUNTER(socket, tcp_close_calls)},
    {"ebpf.tcp_bandwidth", "ip.total_tcp_bandwidth", "tcp_sendmsg", COUNTER(socket, tcp_send_bytes)},
    {"ebpf.tcp_bandwidth", "ip.total_tcp_bandwidth", "tcp_cleanup_rbuf", COUNTER(socket, tcp_receive_bytes)},
    {"ebpf.tcp_error", "ip.tcp_error", "tcp_sendmsg", COUNTER(socket, tcp_send_errors)},
    {"ebpf.tcp_error", "ip.tcp_error", "tcp_cleanup_rbuf", COUNTER(socket, tcp_receive_errors)},
    {"ebpf.tcp_retransmit", "ip.tcp_retransmit", "tcp_retransmit_skb", COUNTER(socket, retransmit_calls)},
    {"ebpf.udp_functions", "ip.udp_functions", "udp_sendmsg", COUNTER(socket, udp_send_calls)},
    {"ebpf.udp_functions", "ip.udp_functions", "udp_recvmsg", COUNTER(socket, udp_receive_calls)},
    {"ebpf.udp_bandwidth", "ip.total_udp_bandwidth", "udp_sendmsg", COUNTER(socket, udp_send_bytes)},
    {"ebpf.udp_bandwidth", "ip.total_udp_bandwidth", "udp_recvmsg", COUNTER(socket, udp_receive_bytes)},
    {"ebpf.udp_error", "ip.udp_error", "udp_sendmsg", COUNTER(socket, udp_send_errors)},
    {"ebpf.udp_error", "ip.udp_error", "udp_recvmsg", COUNTER(socket, udp_receive_errors)},
    {"ebpf.process_thread", nullptr, "_do_fork", COUNTER(process, start_processes)},
    {nullptr, "system.process_thread", "kernel_clone", COUNTER(process, start_processes)},
    {"ebpf.process_thread", "system.process_thread", "sys_clone", COUNTER(process, start_threads)},
    {"ebpf.exit", "system.exit", "do_exit", COUNTER(process, exit_tasks)},
    {"ebpf.exit", "system.exit", "release_task", COUNTER(process, release_calls)},
    {"ebpf.task_error", nullptr, "_do_fork", COUNTER(process, clone_process_errors)},
    {nullptr, "system.task_error", "kernel_clone", COUNTER(process, clone_process_errors)},
    {"ebpf.task_error", "system.task_error", "sys_clone", COUNTER(process, clone_thread_errors)},
};
// clang-format on

TEST(Charts, ShowEachCounterInItsDimension) {
    Counters totals;
    for (size_t c = 0; c < totals.size(); c++) totals[c] = 1000 + c;
    for (ChartNames names : {ChartNames::Classic, ChartNames::Current}) {
        Charts charts = charts_of(all_counters(), names);
        std::istringstream text(update(charts, totals, 1));
        std::map<std::string, uint64_t> got;
        std::string word, chart;
        for (std::string line, dimension, equals; std::getline(text, line);) {
            std::istringstream words(line);
            words >> word;
            if (word == "BEGIN") words >> chart;
            if (word == "SET") words >> dimension >> equals >> got[chart + " " + dimension];
        }
        auto take = [&](const std::string& dimension) {
            auto found = got.extract(dimension);
            return found ? std::optional(found.mapped()) : std::nullopt;
        };
        for (const Shown& s : shown)
            if (const char* id = names == ChartNames::Classic ? s.classic : s.current)
                EXPECT_EQ(take(std::string(id) + " " + s.dimension), totals[static_cast<size_t>(s.counter)])
                    << id << " " << s.dimension;
        std::string status = names == ChartNames::Classic ? "ebpf.process_status " : "system.process_status ";
        auto least_0 = [&](int counter, int minus) { return static_cast<uint64_t>(std::max(counter - minus, 0)); };
        EXPECT_EQ(take(status + "process"),
                  least_0(COUNTER(process, start_processes), COUNTER(process, exit_processes)));
        EXPECT_EQ(take(status + "zombie"), least_0(COUNTER(process, exit_tasks), COUNTER(process, release_calls)));
        // What is left are counters that came later: none of those above.
        for (const auto& [dimension, total] : got)
            for (const Shown& s : shown) EXPECT_NE(total, totals[static_cast<size_t>(s.counter)]) << dimension;
    }
}

TEST(Charts, DefineNoDimensionThatIsNotCounted) {
    std::string text = definitions(charts_of(these({COUNTER(vfs, write_calls)}), ChartNames::Classic));
    EXPECT_EQ(text,
              "CHART ebpf.io '' 'Calls to IO' 'calls' 'VFS' ebpf.io line 21003 1 '' ebpf.plugin vfs\n"
              "DIMENSION vfs_write write incremental 1 1\n");
    EXPECT_EQ(charts_of(CounterSet{}, ChartNames::Classic).size(), 0u);
    EXPECT_EQ(definitions(charts_of(CounterSet{}, ChartNames::Classic, 1, all_counters())), "");
}

TEST(Charts, NeedBothCountersForALevel) {
    EXPECT_EQ(definitions(
                  charts_of(these({COUNTER(process, exit_tasks), COUNTER(process, freed_calls)}), ChartNames::Classic)),
              "CHART ebpf.exit '' 'Exit process' 'calls' 'Process' ebpf.exit line 21007 1 '' ebpf.plugin process\n"
              "DIMENSION do_exit process incremental 1 1\n"
              "DIMENSION release_task task incremental -1 1\n");
    EXPECT_EQ(charts_of(these({COUNTER(process, exit_processes)}), ChartNames::Classic).size(), 0u);
}

TEST(Charts, CarryTheLabelBetweenChartAndDimensions) {
    EXPECT_EQ(definitions(charts_of(these({COUNTER(vfs, unlink_calls)}), ChartNames::Current, 1, all_counters())),
              "CHART filesystem.vfs_deleted_objects '' 'Remove files' 'calls/s' 'vfs' filesystem.vfs_deleted_objects "
              "line 2150 1 '' ebpf.plugin vfs\n"
              "CLABEL source syscalls 1\n"
              "CLABEL_COMMIT\n"
              "DIMENSION vfs_unlink delete incremental 1 1\n");
}

// Processes that were there before the plugin end after it has started: that is no negative number of processes.
TEST(Charts, CountALevelFromItsLowest) {
    Charts charts =
        charts_of(these({COUNTER(process, start_processes), COUNTER(process, exit_processes)}), ChartNames::Classic);
    auto level = [&](uint64_t started, uint64_t ended) {
        Counters totals =
            totals_of({{COUNTER(process, start_processes), started}, {COUNTER(process, exit_processes), ended}});
        std::string text = update(charts, totals, 0);
        std::smatch match;
        if (!std::regex_search(text, match, std::regex("SET process = (-?\\d+)\n"))) return -1;
        return std::stoi(match[1]);
    };
    EXPECT_EQ(level(0, 0), 0);
    EXPECT_EQ(level(7, 2), 5);
    EXPECT_EQ(level(7, 10), 0) << "three of them were there before";
    EXPECT_EQ(level(9, 10), 2);
    EXPECT_EQ(level(9, 11), 1);

    uint64_t started = 9, ended = 11;
    int64_t before = 1;
    std::minstd_rand random(1);
    for (int i = 0; i < 1000; i++) {
        uint64_t starts = random() % 10, ends = random() % 10;
        int now = level(started += starts, ended += ends);
        ASSERT_GE(now, 0);
        ASSERT_EQ(now, std::max<int64_t>(before + static_cast<int64_t>(starts) - static_cast<int64_t>(ends), 0));
        before = now;
    }
}

TEST(Charts, SpeakTheProtocol) {
    for (ChartNames names : {ChartNames::Classic, ChartNames::Current}) {
        Charts charts = charts_of(all_counters(), names, 5, all_counters());
        Protocol protocol;
        std::istringstream text(definitions(charts) + update(charts, Counters{}, 0) +
                                update(charts, Counters{}, 5000000));
        for (std::string line; std::getline(text, line);) protocol.line(line);
        protocol.end();
        for (const Protocol::Violation& v : protocol.violations()) ADD_FAILURE() << v.line << ": " << v.what;
        EXPECT_GT(protocol.lines(), 100);
    }
}

}  // namespace
