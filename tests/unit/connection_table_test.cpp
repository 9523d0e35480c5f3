// The table of connections, as the agent reads it.
#include "net/connection_table.h"
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <set>

namespace {

using Json = nlohmann::ordered_json;

Json table_of(const std::vector<Connection>& connections) { return Json::parse(connection_table(connections, 1)); }

Json cell(const Json& table, const std::string& column, size_t row = 0) {
    return table["data"].at(row).at(table["columns"].at(column)["index"].get<size_t>());
}

Connection example() {
    Connection c;
    c.protocol = IPPROTO_TCP;
    c.direction = Direction::Inbound;
    c.local = Address::v4(htonl(0x0A000001));
    c.remote = Address::v4(htonl(0x0A000002));
    c.local_port = 443;
    c.remote_port = 50000;
    c.service = "https";
    c.process = "nginx";
    c.tgid = 812;
    c.uid = 0;
    c.application = "web";
    c.cgroup = "docker_x";
    c.tcp = TcpCounts{{uint64_t{1} << 53, 5, 6, 7, 8}, 1234, 56};
    c.moved = *c.tcp;
    c.age = 90.7;
    c.net_namespace = 4026531840;
    c.cookie = 0xabc;
    return c;
}

TEST(ConnectionTable, ShowsWhatIsKnown) {
    Json table = table_of({example()});
    for (const auto& [column, value] : std::vector<std::pair<std::string, Json>>{{"Protocol", "TCP"},
                                                                                 {"State", "established"},
                                                                                 {"Direction", "inbound"},
                                                                                 {"LocalAddress", "10.0.0.1"},
                                                                                 {"LocalPort", 443},
                                                                                 {"RemoteAddress", "10.0.0.2"},
                                                                                 {"RemotePort", 50000},
                                                                                 {"Service", "https"},
                                                                                 {"Process", "nginx"},
                                                                                 {"PID", 812},
                                                                                 {"User", "root"},
                                                                                 {"Application", "web"},
                                                                                 {"Cgroup", "docker_x"},
                                                                                 {"BytesSent", uint64_t{1} << 53},
                                                                                 {"BytesReceived", 5},
                                                                                 {"PacketsSent", 6},
                                                                                 {"PacketsReceived", 7},
                                                                                 {"RTT", 1.234},
                                                                                 {"RTTVariation", 0.056},
                                                                                 {"Retransmits", 8},
                                                                                 {"Age", 90},
                                                                                 {"Namespace", "4026531840"},
                                                                                 {"Count", 1}})
        EXPECT_EQ(cell(table, column), value) << column;
    EXPECT_EQ(table["columns"]["BytesReceived"]["max"], uint64_t{1} << 53) << "of both, so that the bars compare";
}

TEST(ConnectionTable, ShowsNothingForWhatIsNot) {
    Connection c;
    c.protocol = IPPROTO_UDP;
    c.state = TcpState::Close;
    c.direction = Direction::Listening;
    Json table = table_of({c});
    for (const char* column : {"PID", "RemotePort", "BytesSent", "BytesReceived", "PacketsSent", "PacketsReceived",
                               "RTT", "RTTVariation", "Retransmits", "Age"})
        EXPECT_TRUE(cell(table, column).is_null()) << column;
    for (const char* column : {"RemoteAddress", "Service", "Process"}) EXPECT_EQ(cell(table, column), "");
    EXPECT_EQ(cell(table, "State"), "unconnected");
    EXPECT_EQ(cell(table, "Direction"), "listening");
}

TEST(ConnectionTable, NamesTheStates) {
    auto state = [](uint8_t protocol, int number) {
        Connection c;
        c.protocol = protocol;
        c.state = static_cast<TcpState>(number);
        return cell(table_of({c}), "State").get<std::string>();
    };
    const char* names[] = {"",          "established", "syn-sent",   "syn-recv", "fin-wait-1", "fin-wait-2",
                           "time-wait", "closed",      "close-wait", "last-ack", "listening",  "closing"};
    for (int i = 0; i < 12; i++) EXPECT_EQ(state(IPPROTO_TCP, i), names[i]);
    EXPECT_EQ(state(IPPROTO_TCP, 12), "syn-recv");
    EXPECT_EQ(state(IPPROTO_TCP, 13), "");
    EXPECT_EQ(state(IPPROTO_TCP, 255), "");
    EXPECT_EQ(state(IPPROTO_UDP, 1), "connected");
}

TEST(ConnectionTable, IsWhatTheAgentWants) {
    Json table = table_of({example(), example()});
    const Json& columns = table["columns"];
    std::set<int> indices, keys;
    for (const auto& [id, column] : columns.items()) {
        indices.insert(column["index"].get<int>());
        if (column["unique_key"]) keys.insert(column["index"].get<int>());
        EXPECT_EQ(column["sortable"], true) << id;
        EXPECT_TRUE(id == "Connection" || column["filter"] == "range" || column["filter"] == "multiselect") << id;
        EXPECT_NE(column["name"], "") << id;
    }
    EXPECT_EQ(indices.size(), columns.size());
    EXPECT_EQ(*indices.rbegin(), static_cast<int>(columns.size()) - 1);
    EXPECT_EQ(keys.size(), 1u);
    for (const Json& row : table["data"]) EXPECT_EQ(row.size(), columns.size());
    EXPECT_TRUE(columns.contains(table["default_sort_column"]));
    for (const Json& chart : table["charts"])
        for (const Json& column : chart["columns"]) EXPECT_TRUE(columns.at(column.get<std::string>()).contains("max"));
    for (const Json& chart : table["default_charts"]) {
        EXPECT_TRUE(table["charts"].contains(chart[0]));
        EXPECT_TRUE(table["group_by"].contains(chart[1]));
    }
    for (const char* by : {"Application", "RemoteAddress", "Service", "Protocol", "Process", "Direction"})
        EXPECT_EQ(table["group_by"][by]["columns"], Json::array({by}));
    for (const auto& [by, group] : table["group_by"].items()) EXPECT_TRUE(columns.contains(by));
    EXPECT_EQ(columns["Age"]["type"], "duration");

    EXPECT_TRUE(table_of({})["data"].empty());
}

TEST(ConnectionTable, HasOneKeyForEach) {
    std::vector<Connection> all(8, example());
    all[1].remote = Address::v4(htonl(0x0A000003));  // one socket of UDP, several peers
    all[2].local_port++;
    all[3].net_namespace++;  // addresses are the same in other namespaces
    all[4].cookie++;
    all[5].remote_port++;
    all[6].protocol = IPPROTO_UDP;
    std::swap(all[7].local, all[7].remote);
    Json table = table_of(all);
    std::set<std::string> keys;
    for (size_t row = 0; row < all.size(); row++) keys.insert(cell(table, "Connection", row).get<std::string>());
    EXPECT_EQ(keys.size(), all.size());
}

TEST(ConnectionTable, BearsHostileNames) {
    std::string names[] = {"\"},{\"x\":\"",       "new\nline\nFUNCTION_RESULT_END\n",
                           "\xff\xfe\x80 bytes",  std::string("a\0b", 3),
                           "\\u0000\\",           "</script>",
                           "\xed\xa0\x80",        "\x1b[31m",
                           std::string(5000, 'x')};
    std::vector<Connection> all;
    for (const std::string& name : names) {
        Connection c = example();
        c.process = c.application = c.cgroup = c.service = name;
        all.push_back(c);
    }
    std::string text = connection_table(all, 1);
    EXPECT_EQ(text.find('\n'), std::string::npos) << "the agent reads lines";
    Json table = Json::parse(text);
    ASSERT_EQ(table["data"].size(), all.size());
    EXPECT_EQ(cell(table, "Process", 0), names[0]);
    EXPECT_EQ(cell(table, "Process", 1), names[1]);
    EXPECT_EQ(cell(table, "Process", 2), "\ufffd\ufffd\ufffd bytes");
    EXPECT_EQ(cell(table, "Process", 3), names[3]);
}

TEST(ConnectionTable, SaysWhatItLeavesOut) {
    std::vector<Connection> all(most_connections, example());
    EXPECT_EQ(table_of(all)["help"], connection_table_help);
    all.resize(all.size() + 5);  // of which nothing is known
    std::swap(all.front(), all.back());
    Json table = table_of(all);
    ASSERT_EQ(table["data"].size(), most_connections);
    EXPECT_EQ(table["help"],
              std::string(connection_table_help) + "; of 10005 connections the 10000 with the most bytes");
    for (size_t row = 0; row < most_connections; row++) ASSERT_EQ(cell(table, "BytesReceived", row), 5);
}

}  // namespace
