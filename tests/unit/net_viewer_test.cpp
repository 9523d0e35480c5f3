// The network viewer: what it shows of connections, and that what is shown adds up to what has moved.
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include "connection_rows.h"
#include "net/viewer.h"
#include "protocol.h"
#include "text.h"

namespace {

constexpr int64_t second = 1'000'000'000;
constexpr uint32_t no_row = Connections::no_row;
constexpr const char* all_charts[] = {"ebpf.outbound_bytes", "ebpf.outbound_packets", "ebpf.outbound_retransmit",
                                      "ebpf.inbound_bytes", "ebpf.inbound_packets"};

class ViewerCharts : public testing::Test {
protected:
    ViewerCharts() {
        config.ips.text = "*";
        config.update_every = 1;
    }
    ~ViewerCharts() override {
        protocol.end();
        for (const Protocol::Violation& v : protocol.violations()) ADD_FAILURE() << v.line << ": " << v.what;
        EXPECT_EQ(complaints, std::vector<std::string>());
    }

    NetViewer& viewer() {
        if (!shown)
            shown.emplace(config, 256, found,
                          services.emplace(config.service_names, "https 443/tcp\ndomain 53/udp\n", true), complaints);
        return *shown;
    }

    // What one line of the agent's data base would hold: the first value is where a dimension counts from.
    void hear(const std::string& line) {
        protocol.line(line);
        std::smatch match;
        if (std::regex_match(line, match, std::regex("CHART (\\S+) .*"))) defined = match[1];
        if (std::regex_match(line, match, std::regex("DIMENSION '([^']*)' .* obsolete"))) last[defined].erase(match[1]);
        if (std::regex_match(line, match, std::regex("BEGIN (\\S+) .*"))) begun = match[1];
        if (!std::regex_match(line, match, std::regex("SET '([^']*)' = (\\d+)"))) return;
        int64_t value = std::stoll(match[2]);
        auto [at, is_first] = last[begun].try_emplace(match[1], value);
        if (!is_first) recorded[begun][match[1]] += value - std::exchange(at->second, value);
    }
    std::string at(int64_t seconds) {
        int64_t elapsed = std::exchange(first, false) ? 0 : 1'000'000;
        std::string text =
            Text().of([&](Writer& out) { viewer().print(out, {.now = seconds * second, .elapsed = elapsed}); });
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) hear(line);
        return text;
    }

    // The ids of a chart's dimensions, as they are in its last values; `other` left out.
    std::set<std::string> ids(const char* chart) const {
        std::set<std::string> all;
        if (auto found_chart = last.find(chart); found_chart != last.end())
            for (const auto& [id, value] : found_chart->second)
                if (!std::regex_match(id, std::regex("other:ALL(:other)?(_sent|_recv)?"))) all.insert(id);
        return all;
    }
    int64_t sum(const char* chart, const char* end) const {
        int64_t n = 0;
        if (auto values = recorded.find(chart); values != recorded.end())
            for (const auto& [id, value] : values->second)
                if (id.ends_with(end)) n += value;
        return n;
    }

    Config config;
    FoundSockets found;
    std::optional<ServiceNames> services;
    std::vector<std::string> complaints;
    std::optional<NetViewer> shown;
    Protocol protocol;
    bool first = true;
    std::string defined, begun;
    std::map<std::string, std::map<std::string, int64_t>> last, recorded;
    const connection web = tcp_connection({"10.0.0.1", 40000}, {"10.0.0.2", 443});
};

TEST_F(ViewerCharts, HasItsChartsFromTheStart) {
    EXPECT_EQ(at(1),
              "CHART ebpf.outbound_bytes '' 'Outbound connections (bytes).' 'bytes/s' 'Network connections' "
              "'ebpf.outbound_bytes' stacked 21080 1 '' ebpf.plugin socket\n"
              "DIMENSION 'other:ALL:other_sent' 'other:ALL:other_sent' incremental -1 1\n"
              "DIMENSION 'other:ALL:other_recv' 'other:ALL:other_recv' incremental 1 1\n"
              "CHART ebpf.outbound_packets '' 'Outbound connections (packets)' 'packets' 'Network connections' "
              "'ebpf.outbound_packets' stacked 21082 1 '' ebpf.plugin socket\n"
              "DIMENSION 'other:ALL:other_sent' 'other:ALL:other_sent' incremental -1 1\n"
              "DIMENSION 'other:ALL:other_recv' 'other:ALL:other_recv' incremental 1 1\n"
              "CHART ebpf.outbound_retransmit '' 'Retransmitted packets' 'calls' 'Network connections' "
              "'ebpf.outbound_retransmit' stacked 21083 1 '' ebpf.plugin socket\n"
              "DIMENSION 'other:ALL:other' 'other:ALL:other' incremental 1 1\n"
              "BEGIN ebpf.outbound_bytes \nSET 'other:ALL:other_sent' = 0\nSET 'other:ALL:other_recv' = 0\nEND\n"
              "BEGIN ebpf.outbound_packets \nSET 'other:ALL:other_sent' = 0\nSET 'other:ALL:other_recv' = 0\nEND\n"
              "BEGIN ebpf.outbound_retransmit \nSET 'other:ALL:other' = 0\nEND\n"
              "CHART ebpf.inbound_bytes '' 'Inbound connections (bytes)' 'bytes/s' 'Network connections' "
              "'ebpf.inbound_bytes' stacked 21084 1 '' ebpf.plugin socket\n"
              "DIMENSION 'other:ALL_sent' 'other:ALL_sent' incremental -1 1\n"
              "DIMENSION 'other:ALL_recv' 'other:ALL_recv' incremental 1 1\n"
              "CHART ebpf.inbound_packets '' 'Inbound connections (packets)' 'packets' 'Network connections' "
              "'ebpf.inbound_packets' stacked 21085 1 '' ebpf.plugin socket\n"
              "DIMENSION 'other:ALL_sent' 'other:ALL_sent' incremental -1 1\n"
              "DIMENSION 'other:ALL_recv' 'other:ALL_recv' incremental 1 1\n"
              "BEGIN ebpf.inbound_bytes \nSET 'other:ALL_sent' = 0\nSET 'other:ALL_recv' = 0\nEND\n"
              "BEGIN ebpf.inbound_packets \nSET 'other:ALL_sent' = 0\nSET 'other:ALL_recv' = 0\nEND\n");
}

TEST_F(ViewerCharts, HasTheLaterUnitsInTheCurrentNaming) {
    config.chart_names = ChartNames::Current;
    std::string text = at(1);
    EXPECT_NE(text.find("CHART ebpf.outbound_retransmit '' 'Retransmitted packets' 'calls/s' "), std::string::npos);
    EXPECT_NE(text.find("CHART ebpf.outbound_packets '' 'Outbound connections (packets)' 'packets' "),
              std::string::npos);
}

TEST_F(ViewerCharts, NamesDestinationsByServiceProtocolAndHost) {
    viewer().moved(1, web, {1});
    viewer().moved(2, udp_connection({"10.0.0.1", 40000}, {"10.0.0.2", 53}), {1});
    viewer().moved(3, tcp_connection({"fd00::1", 40000}, {"fd00::2", 443}), {1});
    viewer().moved(4, tcp_connection({"10.0.0.1", 40000}, {"10.0.0.3", 19999}), {1});
    viewer().moved(5, udp_connection({"10.0.0.1", 40000}, {"10.0.0.2", 443}), {1});
    viewer().moved(6, tcp_connection({"10.0.0.1", 40001}, {"10.0.0.2", 443}), {1});
    at(1);
    const std::set<std::string> texts = {"https:TCP:10.0.0.2", "domain:UDP:10.0.0.2", "https:TCP:[fd00::2]",
                                         "Netdata:TCP:10.0.0.3", "443:UDP:10.0.0.2"};
    std::set<std::string> pairs;
    for (const std::string& text : texts) pairs.insert({text + "_sent", text + "_recv"});
    EXPECT_EQ(ids("ebpf.outbound_bytes"), pairs);
    EXPECT_EQ(ids("ebpf.outbound_packets"), pairs);
    EXPECT_EQ(ids("ebpf.outbound_retransmit"), texts);
    EXPECT_EQ(ids("ebpf.inbound_bytes"), std::set<std::string>());
}

TEST_F(ViewerCharts, NamesServicesWithoutAHost) {
    found.add_service(1, IPPROTO_TCP, 443);
    viewer().moved(1, tcp_connection({"10.0.0.1", 443}, {"10.0.0.2", 50000}, CONNECTION_KNOWN), {1});
    viewer().moved(2, tcp_connection({"10.0.0.1", 443}, {"10.0.0.3", 50001}, seen_to_be_accepted), {1});
    viewer().moved(3, tcp_connection({"fd00::1", 8080}, {"fd00::2", 50000}, seen_to_be_accepted), {1});
    viewer().moved(4, udp_connection({"0.0.0.0", 53}, {}, seen_to_be_accepted), {1});
    at(1);
    EXPECT_EQ(ids("ebpf.inbound_bytes"),
              (std::set<std::string>{"https:TCP_sent", "https:TCP_recv", "8080:TCP_sent", "8080:TCP_recv",
                                     "domain:UDP_sent", "domain:UDP_recv"}));
    EXPECT_EQ(ids("ebpf.inbound_packets"), ids("ebpf.inbound_bytes"));
    EXPECT_EQ(ids("ebpf.outbound_bytes"), std::set<std::string>());
}

// The agent takes the first value as where the counter starts: what had moved by then would be lost.
TEST_F(ViewerCharts, TellsFirstWhereANewDimensionCountsFrom) {
    at(1);
    viewer().moved(1, web, {10, 20, 1, 2, 3});
    std::string text = at(2);
    EXPECT_NE(text.find("DIMENSION 'https:TCP:10.0.0.2_sent' 'https:TCP:10.0.0.2_sent' incremental -1 1\n"
                        "DIMENSION 'https:TCP:10.0.0.2_recv' 'https:TCP:10.0.0.2_recv' incremental 1 1\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("SET 'https:TCP:10.0.0.2_sent' = 0\nSET 'https:TCP:10.0.0.2_recv' = 0\n"), std::string::npos)
        << text;
    EXPECT_EQ(at(3),
              "BEGIN ebpf.outbound_bytes 1000000\nSET 'other:ALL:other_sent' = 0\nSET 'other:ALL:other_recv' = 0\n"
              "SET 'https:TCP:10.0.0.2_sent' = 10\nSET 'https:TCP:10.0.0.2_recv' = 20\nEND\n"
              "BEGIN ebpf.outbound_packets 1000000\nSET 'other:ALL:other_sent' = 0\nSET 'other:ALL:other_recv' = 0\n"
              "SET 'https:TCP:10.0.0.2_sent' = 1\nSET 'https:TCP:10.0.0.2_recv' = 2\nEND\n"
              "BEGIN ebpf.outbound_retransmit 1000000\nSET 'other:ALL:other' = 0\nSET 'https:TCP:10.0.0.2' = 3\nEND\n"
              "BEGIN ebpf.inbound_bytes 1000000\nSET 'other:ALL_sent' = 0\nSET 'other:ALL_recv' = 0\nEND\n"
              "BEGIN ebpf.inbound_packets 1000000\nSET 'other:ALL_sent' = 0\nSET 'other:ALL_recv' = 0\nEND\n");
}

TEST_F(ViewerCharts, AddsUpTheConnectionsOfOneDestination) {
    at(1);
    viewer().moved(1, web, {10});
    viewer().moved(2, tcp_connection({"10.0.0.1", 40001}, {"10.0.0.2", 443}), {5});
    viewer().moved(no_row, tcp_connection({"10.0.0.1", 40002}, {"10.0.0.2", 443}), {3});
    viewer().freed(1);
    viewer().moved(1, tcp_connection({"10.0.0.1", 40003}, {"10.0.0.9", 443}), {100});  // the row is another's now
    at(2);
    at(3);
    EXPECT_EQ(recorded["ebpf.outbound_bytes"]["https:TCP:10.0.0.2_sent"], 18);
    EXPECT_EQ(recorded["ebpf.outbound_bytes"]["https:TCP:10.0.0.9_sent"], 100);
}

// A number of dimensions is allowed: `other` takes what there is no room for, and all that moves is seen.
class Room : public ViewerCharts, public testing::WithParamInterface<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Dimensions, Room, testing::Values(2, 8, 1000), testing::PrintToStringParamName());

TEST_P(Room, ShowsAllThatMovesHoweverLittleThereIs) {
    unsigned most = GetParam();
    config.most_dimensions = most;
    config.obsolete_after = 10;
    at(1);
    std::minstd_rand random(most);
    Traffic moved[2];
    std::map<uint32_t, connection> rows;
    for (int tick = 2; tick < 400; tick++) {
        for (int i = 0; i < 8; i++) {
            uint32_t row = static_cast<uint32_t>(random() % 12);
            if (random() % 4 == 0 && rows.erase(row)) viewer().freed(row);
            bool inbound = random() % 2;
            connection c = inbound
                               ? tcp_connection({"10.0.0.1", static_cast<uint16_t>(1 + random() % 20)},
                                                {"10.0.0.2", 50000}, seen_to_be_accepted)
                               : tcp_connection({"10.0.0.1", 50000}, {"10.0.0." + std::to_string(random() % 20), 80});
            if (random() % 10 == 0)
                row = no_row;
            else
                c = rows.try_emplace(row, c).first->second;
            Traffic n{random() % 1000, random() % 1000, static_cast<uint32_t>(random() % 10),
                      static_cast<uint32_t>(random() % 10), static_cast<uint32_t>(random() % 2)};
            viewer().moved(row, c, n);
            Traffic& all = moved[(c.life & CONNECTION_INBOUND) != 0];
            all.bytes_sent += n.bytes_sent;
            all.bytes_received += n.bytes_received;
            all.packets_sent += n.packets_sent;
            all.packets_received += n.packets_received;
            all.retransmits += n.retransmits;
        }
        if (tick % 50 == 0) {  // long enough for what has no row to go
            for (const auto& [row, c] : rows) viewer().freed(row);
            rows.clear();
            at(int64_t{20} * tick);
            at(int64_t{20} * tick + 11);
        }
        at(int64_t{20} * tick + 12);
        for (const char* chart : all_charts) ASSERT_LE(ids(chart).size(), most) << chart;
    }
    at(10'000);
    for (bool inbound : {false, true}) {
        const char *bytes = all_charts[inbound ? 3 : 0], *packets = all_charts[inbound ? 4 : 1];
        EXPECT_EQ(sum(bytes, "_sent"), static_cast<int64_t>(moved[inbound].bytes_sent));
        EXPECT_EQ(sum(bytes, "_recv"), static_cast<int64_t>(moved[inbound].bytes_received));
        EXPECT_EQ(sum(packets, "_sent"), static_cast<int64_t>(moved[inbound].packets_sent));
        EXPECT_EQ(sum(packets, "_recv"), static_cast<int64_t>(moved[inbound].packets_received));
    }
    EXPECT_EQ(sum("ebpf.outbound_retransmit", ""), static_cast<int64_t>(moved[false].retransmits));
    bool is_full = recorded["ebpf.outbound_bytes"]["other:ALL:other_sent"] > 0;
    EXPECT_EQ(is_full, most < 1000);
}

TEST_F(ViewerCharts, PutsIntoOtherWhatThereIsNoRoomFor) {
    config.most_dimensions = 4;
    at(1);
    for (uint32_t i = 2; i < 6; i++)
        viewer().moved(i, tcp_connection({"10.0.0.1", 40000}, {"10.0.0." + std::to_string(i), 443}), {i});
    at(2);
    at(3);
    EXPECT_EQ(ids("ebpf.outbound_retransmit"), (std::set<std::string>{"https:TCP:10.0.0.2", "https:TCP:10.0.0.3"}));
    EXPECT_EQ(recorded["ebpf.outbound_bytes"]["other:ALL:other_sent"], 4 + 5);
    found.add_service(1, IPPROTO_TCP, 22);
    viewer().moved(7, tcp_connection({"10.0.0.1", 22}, {"10.0.0.2", 50000}), {1});
    at(4);
    EXPECT_EQ(ids("ebpf.inbound_bytes"), (std::set<std::string>{"22:TCP_sent", "22:TCP_recv"}))
        << "each direction has room of its own";
}

TEST_F(ViewerCharts, LetsGoOfWhatIsOverAndTakesItBackWithItsTotals) {
    config.obsolete_after = 60;
    at(1);
    viewer().moved(1, web, {10, 1, 1, 1, 1});
    at(2);
    at(3);
    EXPECT_EQ(at(100).find("obsolete"), std::string::npos) << "it still has a connection";
    viewer().freed(1);
    std::string text = at(101);
    for (const char* line :
         {"DIMENSION 'https:TCP:10.0.0.2_sent' 'https:TCP:10.0.0.2_sent' incremental -1 1 obsolete\n",
          "DIMENSION 'https:TCP:10.0.0.2_recv' 'https:TCP:10.0.0.2_recv' incremental 1 1 obsolete\n",
          "DIMENSION 'https:TCP:10.0.0.2' 'https:TCP:10.0.0.2' incremental 1 1 obsolete\n"})
        EXPECT_NE(text.find(line), std::string::npos) << text;
    EXPECT_EQ(text.find("SET 'https"), std::string::npos);
    EXPECT_EQ(at(102).find("https"), std::string::npos);

    viewer().moved(2, web, {5});
    text = at(103);
    EXPECT_NE(text.find("SET 'https:TCP:10.0.0.2_sent' = 10\n"), std::string::npos) << "what the agent knew last";
    EXPECT_NE(at(104).find("SET 'https:TCP:10.0.0.2_sent' = 15\n"), std::string::npos);
    EXPECT_EQ(recorded["ebpf.outbound_bytes"]["https:TCP:10.0.0.2_sent"], 15);
}

TEST_F(ViewerCharts, KeepsWhatWasBusyLatelyWithoutAConnection) {
    config.obsolete_after = 60;
    at(1);
    viewer().moved(1, web, {10});
    viewer().freed(1);
    at(2);
    EXPECT_EQ(at(60).find("obsolete"), std::string::npos);
    viewer().moved(no_row, web, {10});
    EXPECT_EQ(at(119).find("obsolete"), std::string::npos);
    EXPECT_NE(at(122).find("obsolete"), std::string::npos);
}

TEST_F(ViewerCharts, ShowsWhatTheListsLetPass) {
    config.ports.text = "443 22";
    config.ips.text = "!10.0.0.9 10.0.0.0/8";
    at(1);
    viewer().moved(1, web, {1});
    viewer().moved(2, tcp_connection({"10.0.0.1", 443}, {"10.0.0.2", 80}), {2});
    viewer().moved(3, tcp_connection({"10.0.0.1", 40000}, {"10.0.0.9", 443}), {4});
    viewer().moved(4, tcp_connection({"10.0.0.1", 40000}, {"192.168.0.1", 443}), {8});
    viewer().moved(5, tcp_connection({"10.0.0.1", 22}, {"10.0.0.2", 50000}, seen_to_be_accepted), {16});
    viewer().moved(6, tcp_connection({"10.0.0.1", 25}, {"10.0.0.2", 443}, seen_to_be_accepted), {32});
    viewer().moved(7, tcp_connection({"10.0.0.1", 22}, {"192.168.0.1", 50000}, seen_to_be_accepted), {64});
    viewer().moved(no_row, tcp_connection({"10.0.0.1", 443}, {"10.0.0.2", 80}), {128});
    for (uint32_t row = 1; row < 8; row++) viewer().moved(row, web, {1000});  // each is where it was put
    for (uint32_t row = 1; row < 8; row++) viewer().freed(row);
    at(2);
    at(3);
    EXPECT_EQ(ids("ebpf.outbound_retransmit"), std::set<std::string>{"https:TCP:10.0.0.2"});
    EXPECT_EQ(ids("ebpf.inbound_bytes"), (std::set<std::string>{"22:TCP_sent", "22:TCP_recv"}));
    EXPECT_EQ(sum("ebpf.outbound_bytes", "_sent"), 1001) << "what is not wanted is in no `other` either";
    EXPECT_EQ(sum("ebpf.inbound_bytes", "_sent"), 1016);
}

// It has one row whoever talks to it, so the addresses where it serves are asked about.
TEST_F(ViewerCharts, AsksOfAUdpServiceWhereItServes) {
    config.ips.text = private_networks;
    at(1);
    viewer().moved(1, udp_connection({"127.0.0.53", 53}, {}, seen_to_be_accepted), {1});
    viewer().moved(2, udp_connection({"8.8.8.8", 54}, {}, seen_to_be_accepted), {1});
    viewer().moved(3, udp_connection({"10.0.0.1", 55}, {}, seen_to_be_accepted), {1});
    viewer().moved(4, udp_connection({"0.0.0.0", 56}, {}, seen_to_be_accepted), {1});
    viewer().moved(5, udp_connection({"::", 57}, {}, seen_to_be_accepted), {1});
    at(2);
    EXPECT_EQ(ids("ebpf.inbound_bytes"), (std::set<std::string>{"55:UDP_sent", "55:UDP_recv", "56:UDP_sent",
                                                                "56:UDP_recv", "57:UDP_sent", "57:UDP_recv"}));
}

TEST_F(ViewerCharts, PutsIntoOtherWhatGoesNobodyKnowsWhere) {
    at(1);
    viewer().moved(1, udp_connection({"10.0.0.1", 40000}, {}), {7, 8, 1, 2, 0});
    viewer().moved(no_row, udp_connection({"10.0.0.1", 40000}, {"0.0.0.0", 0}), {1});
    at(2);
    EXPECT_EQ(ids("ebpf.outbound_bytes"), std::set<std::string>());
    EXPECT_EQ(recorded["ebpf.outbound_bytes"]["other:ALL:other_sent"], 8);
    EXPECT_EQ(recorded["ebpf.outbound_packets"]["other:ALL:other_recv"], 2);
}

// Two lines of a chart with one id would be one to the agent, with the numbers of the last.
TEST_F(ViewerCharts, AddsUpPortsOfOneName) {
    config.service_names = {{80, "web"}, {8080, "web"}};
    at(1);
    viewer().moved(1, tcp_connection({"10.0.0.1", 80}, {"10.0.0.2", 50000}, seen_to_be_accepted), {1});
    viewer().moved(2, tcp_connection({"10.0.0.1", 8080}, {"10.0.0.2", 50000}, seen_to_be_accepted), {2});
    viewer().moved(3, tcp_connection({"10.0.0.1", 50000}, {"10.0.0.2", 80}), {4});
    viewer().moved(4, tcp_connection({"10.0.0.1", 50000}, {"10.0.0.2", 8080}), {8});
    at(2);
    std::string text = at(3);
    EXPECT_NE(text.find("SET 'web:TCP_sent' = 3\n"), std::string::npos) << text;
    EXPECT_NE(text.find("SET 'web:TCP:10.0.0.2_sent' = 12\n"), std::string::npos) << text;
}

// Names come from files and from whoever writes them; addresses must be told apart all the same.
TEST_F(ViewerCharts, GivesEveryNameAnIdThatTheAgentTakes) {
    const std::string names[] = {"a b",     "a=b",      "a:TCP:10.0.0.2", "a_sent", "gr\xC3\xBC\xC3\x9F",
                                 "it's \"", "a\nb\x7f", "other:ALL",      "8080",   std::string(60, 'x')};
    config.service_names.clear();
    uint16_t port = 100;
    for (const std::string& name : names) config.service_names[port++] = name;
    at(1);
    uint32_t row = 0;
    for (port = 100; port < 110; port++)
        for (const char* host : {"10.0.0.2", "10.0.0.3", "fd00:1111:2222:3333:4444:5555:6666:7777",
                                 "fd00:1111:2222:3333:4444:5555:6666:7778"}) {
            viewer().moved(row++, tcp_connection({"10.0.0.1", 50000}, {host, port}), {1});
            viewer().moved(row++, tcp_connection({"10.0.0.1", port}, {host, 50000}, seen_to_be_accepted), {1});
        }
    at(2);
    at(3);
    EXPECT_EQ(ids("ebpf.outbound_retransmit").size(), 40u);
    EXPECT_EQ(ids("ebpf.inbound_bytes").size(), 20u);
    for (const char* chart : all_charts)
        for (const std::string& id : ids(chart)) EXPECT_LT(id.size(), 200u) << id;
    EXPECT_EQ(sum("ebpf.outbound_bytes", "_sent"), 40);
    EXPECT_EQ(sum("ebpf.inbound_bytes", "_sent"), 40);
    EXPECT_TRUE(ids("ebpf.inbound_bytes").contains("it_s _:TCP_sent"));
}

TEST(ViewerComplaints, TellWhatIsWrongInItsLists) {
    Config config;
    config.ports = {"80 no-such-service", "ebpf.conf:3"};
    FoundSockets found;
    ServiceNames services({}, "", true);
    std::vector<std::string> complaints;
    NetViewer viewer(config, 64, found, services, complaints);
    ASSERT_EQ(complaints.size(), 1u);
    EXPECT_TRUE(complaints[0].starts_with("ebpf.conf:3")) << complaints[0];
    EXPECT_EQ(viewer.fd(), -1) << "nobody asks for names of hosts";
}

}  // namespace
