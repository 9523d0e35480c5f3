// Addresses, service names, and the lists `ports`, `ips` and `hostnames`: what each lets pass, and what is said of it.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <map>
#include <random>
#include <set>
#include "net/filter.h"

namespace {

using Texts = std::vector<std::string>;

Address at(const std::string& text) {
    auto address = Address::parse(text);
    if (!address) throw std::invalid_argument(text);
    return *address;
}

const char* const services_text =
    "# a comment\n"
    "tcpmux\t\t1/tcp\t\t\t# TCP port service multiplexer\n"
    "ftp-data 20/tcp\n"
    "domain\t\t53/tcp\t\t\t\t# Domain Name Server\n"
    "domain\t\t53/udp\n"
    "http\t\t80/tcp\t\twww\t# WorldWideWeb HTTP\n"
    "other 80/tcp\n"
    "kerberos 88/tcp kerberos5 krb5 kerberos-sec\n"
    "ntp\t\t123/udp\n"
    "3com-tsmux\t106/tcp\n"
    "netbios-ns\t137/udp\n"
    "https 443/tcp\nhttps 443/udp\n"
    "whois++ 63/tcp\n"
    "sctp-only 7/sctp\n"
    "no-port tcp\nnothing\nzero 0/tcp\nabove 65536/tcp\nhalf 7x/tcp\nneg -1/tcp\n"
    "it's 81/tcp fine\n"
    "last 65535/tcp";

ServiceNames services(bool show_table = true, const std::map<uint16_t, std::string>& own = {{19999, "Netdata"}}) {
    return {own, services_text, show_table};
}

TEST(Addresses, AreParsedAndWritten) {
    for (const char* text : {"0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "fe80::1", "2001:db8::ff00:42:8329",
                             "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})
        EXPECT_EQ(at(text).text(), text);
    for (const char* text : {"", " ", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "01.2.3.4",
                             "::1::", "fc00::/7", "fe80::1%eth0", "localhost", "1.2.3.-4", "1:2:3:4:5:6:7:8:9"})
        EXPECT_FALSE(Address::parse(text)) << text;
    EXPECT_FALSE(Address::parse(std::string_view("1.2.3.4\0", 8)));
    EXPECT_FALSE(Address::parse(std::string(1000, '1')));
}

TEST(Addresses, OfIPv4AreOneWithTheirMappedForm) {
    EXPECT_EQ(at("::ffff:10.1.2.3"), at("10.1.2.3"));
    EXPECT_EQ(at("::ffff:a01:203").text(), "10.1.2.3");
    EXPECT_EQ(Address::v4(htonl(0x0a010203)), at("10.1.2.3"));
    EXPECT_EQ(std::hash<Address>()(at("::ffff:10.1.2.3")), std::hash<Address>()(at("10.1.2.3")));
    EXPECT_TRUE(at("10.1.2.3").is_v4());
    for (const char* text : {"::1", "::", "::10.1.2.3", "::fffe:10.1.2.3", "::1:ffff:10.1.2.3"})
        EXPECT_FALSE(at(text).is_v4());
}

TEST(Addresses, AreInOrder) {
    EXPECT_LT(at("9.255.255.255"), at("10.0.0.0"));
    EXPECT_LT(at("::1"), at("0.0.0.0"));
    EXPECT_LT(at("255.255.255.255"), at("fc00::"));
}

TEST(Addresses, OfOneNetworkHaveHashesOfTheirOwn) {
    std::set<size_t> hashes, low;
    for (uint32_t i = 0; i < 4096; i++) {
        size_t hash = std::hash<Address>()(Address::v4(htonl(0x0a000000 + i)));
        hashes.insert(hash);
        low.insert(hash % 8192);
    }
    EXPECT_EQ(hashes.size(), 4096u);
    EXPECT_GT(low.size(), 2500u);
}

TEST(Services, HaveTheUsersNameThenTheTablesThenTheNumber) {
    ServiceNames names = services(true, {{19999, "Netdata"}, {443, "Our Web"}});
    EXPECT_EQ(names.name(19999, IPPROTO_TCP), "Netdata");
    EXPECT_EQ(names.name(19999, IPPROTO_UDP), "Netdata");
    EXPECT_EQ(names.name(443, IPPROTO_TCP), "Our Web");
    EXPECT_EQ(names.name(53, IPPROTO_UDP), "domain");
    EXPECT_EQ(names.name(80, IPPROTO_TCP), "http") << "neither the other name nor the later line";
    EXPECT_EQ(names.name(80, IPPROTO_UDP), "80") << "the table has it for TCP alone";
    EXPECT_EQ(names.name(123, IPPROTO_TCP), "123");
    EXPECT_EQ(names.name(63, IPPROTO_TCP), "whois++");
    EXPECT_EQ(names.name(65535, IPPROTO_TCP), "last");
    EXPECT_EQ(names.name(50000, IPPROTO_TCP), "50000");
    EXPECT_EQ(names.name(0, IPPROTO_TCP), "0");
    EXPECT_EQ(names.name(7, IPPROTO_TCP), "7");
    EXPECT_EQ(names.name(81, IPPROTO_TCP), "fine") << "a quote cannot be written into a dimension";
    EXPECT_EQ(names.name(53, IPPROTO_SCTP), "53");
}

TEST(Services, OfTheTableAreNotShownIfItIsSwitchedOff) {
    ServiceNames names = services(false);
    EXPECT_EQ(names.name(80, IPPROTO_TCP), "80");
    EXPECT_EQ(names.name(19999, IPPROTO_TCP), "Netdata");
    EXPECT_EQ(names.ports("domain"), (std::vector<uint16_t>{53, 53})) << "but they still mean something in `ports`";
}

TEST(Services, AreFoundByAnyOfTheirNames) {
    ServiceNames names = services();
    EXPECT_EQ(names.ports("krb5"), std::vector<uint16_t>{88});
    EXPECT_EQ(names.ports("NTP"), std::vector<uint16_t>{123});
    EXPECT_EQ(names.ports("netdata"), std::vector<uint16_t>{19999});
    EXPECT_EQ(names.ports("none"), std::vector<uint16_t>());
    EXPECT_EQ(names.ports(""), std::vector<uint16_t>());
}

TEST(Services, OfNoTableAreNumbers) {
    for (const char* text : {"", "\n", "#", "\n\n#\n  \t\n"})
        EXPECT_EQ(ServiceNames({}, text, true).name(80, IPPROTO_TCP), "80");
}

struct Made {
    NetFilter filter;
    Texts complaints;
};

Made make(const std::string& ports, const std::string& ips, const std::string& hostnames = "*", bool resolves = true) {
    Texts complaints;
    NetFilter filter({ports, "f:1"}, {ips, "f:2"}, {hostnames, "f:3"}, resolves, services(), complaints);
    return {std::move(filter), complaints};
}

// What a list of ports lets pass, as runs of ports.
std::string passing(const NetFilter& filter) {
    std::string runs;
    for (int port = 0; port < 65536; port++) {
        if (!filter.port(static_cast<uint16_t>(port))) continue;
        int first = port;
        while (port < 65535 && filter.port(static_cast<uint16_t>(port + 1))) port++;
        runs += (runs.empty() ? "" : " ") + std::to_string(first) + (port > first ? "-" + std::to_string(port) : "");
    }
    return runs;
}

const std::string port_allowed =
    "a port from 1 to 65535, a range as 1-1024, the name of a service or *, parted by blanks; passed over";

struct PortCase {
    const char* name;
    std::string ports, pass;
    Texts complaints{};
};
void PrintTo(const PortCase& one, std::ostream* out) { *out << one.name; }

const PortCase port_cases[] = {
    {"seed", "1-1024 !145 !domain", "1-52 54-144 146-1024"},
    {"seed_netdata", "19999", "19999"},
    {"all", "*", "0-65535"},
    {"empty", "", "0-65535"},
    {"blank", "  \t ", "0-65535"},
    {"nothing", "!*", ""},
    {"nothing_of_all", "* !*", ""},
    {"excluded_first", "!145 !domain 1-1024", "1-52 54-144 146-1024"},
    {"excluded_alone", "!145", "0-144 146-65535"},
    {"excluded_range_alone", "!1-1024", "0 1025-65535"},
    {"service", "http", "80"},
    {"service_by_another_name", "www krb5", "80 88"},
    {"service_of_the_user", "Netdata", "19999"},
    {"service_with_a_dash", "ftp-data netbios-ns", "20 137"},
    {"service_that_begins_with_a_digit", "3com-tsmux", "106"},
    {"service_of_both_protocols", "https", "443"},
    {"service_excluded", "* !ntp", "0-122 124-65535"},
    {"colon", "20:25", "20-25"},
    {"range_of_one", "7-7", "7"},
    {"range_of_all", "1-65535", "1-65535"},
    {"overlapping", "10-20 15-30 31 12-13", "10-31"},
    {"contained_in_excluded", "10-20 !1-100", ""},
    {"hole", "10-20 !12-14", "10-11 15-20"},
    {"twice", "80 80 !81 !81", "80"},
    {"least_and_most", "1 65535", "1 65535"},
    {"blank_after_the_mark", "1-10 ! 5", "1-4 6-10", {"f:1: `! 5` in `ports` is read as `!5`"}},
    {"blank_after_the_mark_twice", "1-10 ! 5 ! 7", "1-4 6 8-10", {"f:1: `! 5` in `ports` is read as `!5`"}},
    {"mark_alone", "80 !", "80", {"f:1: nothing follows the last `!` in `ports`; passed over"}},
    {"mark_and_nothing_else", "!", "0-65535", {"f:1: nothing follows the last `!` in `ports`; passed over"}},
    {"zero", "0 80", "80", {"f:1: `0` in `ports` is not understood: " + port_allowed}},
    {"too_great", "80 65536", "80", {"f:1: `65536` in `ports` is not understood: " + port_allowed}},
    {"below_zero", "80 -5", "80", {"f:1: `-5` in `ports` is not understood: " + port_allowed}},
    {"beyond_all",
     "80 99999999999999999999",
     "80",
     {"f:1: `99999999999999999999` in `ports` is not understood: " + port_allowed}},
    {"backwards", "80 20-10", "80", {"f:1: `20-10` in `ports` is not understood: " + port_allowed}},
    {"open_range",
     "80 20- -20 :",
     "80",
     {"f:1: `20-` in `ports` is not understood: " + port_allowed,
      "f:1: `-20` in `ports` is not understood: " + port_allowed,
      "f:1: `:` in `ports` is not understood: " + port_allowed}},
    {"mark_after_the_dash", "80 1-!20", "80", {"f:1: `1-!20` in `ports` is not understood: " + port_allowed}},
    {"two_marks", "80 !!81", "80", {"f:1: `!!81` in `ports` is not understood: " + port_allowed}},
    {"unknown_service", "80 !domian", "80", {"f:1: `!domian` in `ports` is not understood: " + port_allowed}},
    {"commas", "1 80,443", "1", {"f:1: `80,443` in `ports` is not understood: " + port_allowed}},
    {"star_inside", "80 8*", "80", {"f:1: `8*` in `ports` is not understood: " + port_allowed}},
    {"only_what_is_excluded_is_wrong",
     "!domian",
     "0-65535",
     {"f:1: `!domian` in `ports` is not understood: " + port_allowed}},
    {"nothing_is_right",
     "htpp",
     "0-65535",
     {"f:1: `htpp` in `ports` is not understood: " + port_allowed,
      "f:1: nothing that `ports` asks for is understood: the default `*` stands"}},
    {"nothing_but_what_is_excluded_is_right",
     "htpp !80",
     "0-79 81-65535",
     {"f:1: `htpp` in `ports` is not understood: " + port_allowed,
      "f:1: nothing that `ports` asks for is understood: the default `*` stands"}},
};

template <class Case>
std::string name_of(const testing::TestParamInfo<Case>& one) {
    return one.param.name;
}

class Ports : public testing::TestWithParam<PortCase> {};
INSTANTIATE_TEST_SUITE_P(NetFilter, Ports, testing::ValuesIn(port_cases), name_of<PortCase>);

TEST_P(Ports, PassAsTheListSays) {
    Made made = make(GetParam().ports, "*");
    EXPECT_EQ(passing(made.filter), GetParam().pass);
    EXPECT_EQ(made.complaints, GetParam().complaints);
}

const std::string ip_allowed =
    "an address, a range of one family as 10.0.0.1-10.0.0.9, a network as 10.0.0.0/8 or fc00::/7, or *, parted by "
    "blanks; passed over";

struct IpCase {
    const char* name;
    std::string ips;
    Texts pass, fail;
    Texts complaints{};
};
void PrintTo(const IpCase& one, std::ostream* out) { *out << one.name; }

const Texts private_ones = {
    "10.0.0.0",       "10.255.255.255",  "172.16.0.0", "172.31.255.255",
    "192.168.0.0",    "192.168.255.255", "fc00::",     "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "::ffff:10.1.2.3"};
const Texts public_ones = {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
                           "192.169.0.0",   "8.8.8.8",  "127.0.0.1",      "::1",        "::",
                           "fbff:ffff::",   "fe00::",   "2001:db8::1",    "::10.1.2.3"};
const std::string top = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

const IpCase ip_cases[] = {
    {"default", private_networks, private_ones, public_ones},
    {"stock_file_of_the_first_releases",
     "!127.0.0.1/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
     private_ones,
     public_ones,
     {"f:2: `127.0.0.1/8` in `ips` is read as `127.0.0.0/8`"}},
    {"seed",
     "! fc00::/7",
     {"10.0.0.1", "8.8.8.8", "::1", "fe00::", "fbff::"},
     {"fc00::", "fdff::1"},
     {"f:2: `! fc00::/7` in `ips` is read as `!fc00::/7`"}},
    {"seed_without_the_blank", "!fc00::/7", {"10.0.0.1", "::1"}, {"fc00::1"}},
    {"all", "*", {"0.0.0.0", "255.255.255.255", "::", top}, {}},
    {"empty", "", {"0.0.0.0", "::", top}, {}},
    {"nothing", "!*", {}, {"0.0.0.0", "255.255.255.255", "::", top}},
    {"excluded_wins",
     "!10.1.0.0/16 10.0.0.0/8 * 10.1.0.0/16",
     {"10.0.255.255", "10.2.0.0"},
     {"10.1.0.0", "10.1.255.255"}},
    {"single", "192.168.0.1", {"192.168.0.1"}, {"192.168.0.0", "192.168.0.2"}},
    {"single_6", "2001:db8::5", {"2001:db8::5", "2001:0db8:0::0:5"}, {"2001:db8::4", "2001:db8::6"}},
    {"mapped", "::ffff:10.0.0.1", {"10.0.0.1"}, {"10.0.0.2", "::10.0.0.1"}},
    {"mapped_network",
     "::ffff:10.0.0.0/104",
     {"10.0.0.0", "10.255.255.255"},
     {"11.0.0.0", "9.255.255.255", "::10.0.0.1"}},
    {"mapped_network_with_host_bits",
     "::ffff:10.1.2.3/104",
     {"10.0.0.0"},
     {"11.0.0.0"},
     {"f:2: `::ffff:10.1.2.3/104` in `ips` is read as `10.0.0.0/8`"}},
    {"mapped_range", "::ffff:10.0.0.1-10.0.0.3", {"10.0.0.1", "10.0.0.3"}, {"10.0.0.4"}},
    {"range", "10.0.0.250-10.0.1.5", {"10.0.0.250", "10.0.0.255", "10.0.1.0", "10.0.1.5"}, {"10.0.0.249", "10.0.1.6"}},
    {"range_6", "fd00::10-fd00::1:0", {"fd00::10", "fd00::ffff", "fd00::1:0"}, {"fd00::f", "fd00::1:1"}},
    {"range_of_one", "10.0.0.1-10.0.0.1", {"10.0.0.1"}, {"10.0.0.0", "10.0.0.2"}},
    {"range_of_all_4", "0.0.0.0-255.255.255.255", {"0.0.0.0", "255.255.255.255"}, {"::", "::1", top, "::1:0:0:0"}},
    {"network_of_all_4", "0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::", "::fffe:ffff:ffff", "::1:0:0:0", top}},
    {"network_of_all_6",
     "::/0",
     {"::", "::fffe:ffff:ffff", "::1:0:0:0", top},
     {"0.0.0.0", "10.0.0.1", "255.255.255.255"}},
    {"range_6_over_all_4", "::-::2:0:0:0", {"::1", "::2:0:0:0"}, {"10.0.0.1", "::2:0:0:1"}},
    {"mapped_with_a_wide_prefix",
     "::ffff:0.0.0.0/80",
     {"::", "::fffe:0:0"},
     {"1.2.3.4", "0.0.0.0", "::1:0:0:0"},
     {"f:2: `::ffff:0.0.0.0/80` in `ips` is read as `::/80`"}},
    {"families_apart", "!::/0", {"0.0.0.0", "10.0.0.1", "255.255.255.255"}, {"::1", "fc00::1"}},
    {"families_apart_4", "!0.0.0.0/0", {"::1", "fc00::1"}, {"10.0.0.1"}},
    {"hosts", "10.0.0.1/32 fd00::1/128", {"10.0.0.1", "fd00::1"}, {"10.0.0.2", "10.0.0.0", "fd00::", "fd00::2"}},
    {"point_to_point",
     "10.0.0.2/31 fd00::2/127",
     {"10.0.0.2", "10.0.0.3", "fd00::2", "fd00::3"},
     {"10.0.0.1", "10.0.0.4", "fd00::1", "fd00::4"}},
    {"overlapping",
     "10.0.0.5-10.0.0.15 10.0.0.10-10.0.0.20 10.0.0.21 10.0.0.12",
     {"10.0.0.5", "10.0.0.15", "10.0.0.20", "10.0.0.21"},
     {"10.0.0.4", "10.0.0.22"}},
    {"contained", "10.0.0.0/8 10.1.0.0/16 10.0.0.0/8", {"10.0.0.0", "10.2.0.0", "10.255.255.255"}, {"11.0.0.0"}},
    {"holes",
     "10.0.0.0/24 !10.0.0.0 !10.0.0.10-10.0.0.19 !10.0.0.15-10.0.0.29 !10.0.0.255",
     {"10.0.0.1", "10.0.0.9", "10.0.0.30", "10.0.0.254"},
     {"10.0.0.0", "10.0.0.10", "10.0.0.29", "10.0.0.255"}},
    {"hole_over_two",
     "10.0.0.0/24 10.0.2.0/24 !10.0.0.128-10.0.2.127",
     {"10.0.0.127", "10.0.2.128"},
     {"10.0.0.128", "10.0.2.127", "10.0.1.0"}},
    {"hole_at_the_top", "* !ffff::/16", {"fffe::", "::"}, {"ffff::", top}},
    {"host_bits_6",
     "2001:db8::1/32",
     {"2001:db8::", "2001:db8:ffff::"},
     {"2001:db9::"},
     {"f:2: `2001:db8::1/32` in `ips` is read as `2001:db8::/32`"}},
    {"prefix_too_long",
     "10.0.0.1 10.0.0.0/33",
     {"10.0.0.1"},
     {"10.0.0.0"},
     {"f:2: `10.0.0.0/33` in `ips` is not understood: " + ip_allowed}},
    {"prefix_too_long_6",
     "10.0.0.1 fc00::/129",
     {"10.0.0.1"},
     {"fc00::"},
     {"f:2: `fc00::/129` in `ips` is not understood: " + ip_allowed}},
    {"prefix_missing",
     "10.0.0.1 10.0.0.0/",
     {"10.0.0.1"},
     {"10.0.0.0"},
     {"f:2: `10.0.0.0/` in `ips` is not understood: " + ip_allowed}},
    {"prefix_below_zero",
     "10.0.0.1 10.0.0.0/-8",
     {"10.0.0.1"},
     {"10.0.0.0"},
     {"f:2: `10.0.0.0/-8` in `ips` is not understood: " + ip_allowed}},
    {"netmask",
     "10.0.0.1 10.0.0.0/255.0.0.0",
     {"10.0.0.1"},
     {"10.0.0.0"},
     {"f:2: `10.0.0.0/255.0.0.0` in `ips` is not understood: " + ip_allowed}},
    {"backwards",
     "10.0.0.1 10.0.0.9-10.0.0.5",
     {"10.0.0.1"},
     {"10.0.0.5", "10.0.0.9"},
     {"f:2: `10.0.0.9-10.0.0.5` in `ips` is not understood: " + ip_allowed}},
    {"two_families",
     "10.0.0.1 10.0.0.1-fc00::1",
     {"10.0.0.1"},
     {"10.0.0.2", "fc00::1"},
     {"f:2: `10.0.0.1-fc00::1` in `ips` is not understood: " + ip_allowed}},
    {"two_families_backwards",
     "10.0.0.1 ::1-10.0.0.1",
     {"10.0.0.1"},
     {"::1", "::2"},
     {"f:2: `::1-10.0.0.1` in `ips` is not understood: " + ip_allowed}},
    {"half_a_range",
     "10.0.0.1 10.0.0.5-",
     {"10.0.0.1"},
     {"10.0.0.5"},
     {"f:2: `10.0.0.5-` in `ips` is not understood: " + ip_allowed}},
    {"mark_after_the_dash",
     "10.0.0.1 10.0.0.5-!10.0.0.6",
     {"10.0.0.1"},
     {"10.0.0.5"},
     {"f:2: `10.0.0.5-!10.0.0.6` in `ips` is not understood: " + ip_allowed}},
    {"name",
     "10.0.0.1 localhost",
     {"10.0.0.1"},
     {"127.0.0.1"},
     {"f:2: `localhost` in `ips` is not understood: " + ip_allowed}},
    {"excluded_is_wrong",
     "10.0.0.0/8 !10.0.0",
     {"10.0.0.1"},
     {"11.0.0.0"},
     {"f:2: `!10.0.0` in `ips` is not understood: " + ip_allowed}},
    {"nothing_is_right",
     "10.0.0",
     private_ones,
     public_ones,
     {"f:2: `10.0.0` in `ips` is not understood: " + ip_allowed,
      std::string("f:2: nothing that `ips` asks for is understood: the default `") + private_networks + "` stands"}},
    {"a_slip_does_not_open_it",
     "10.0.0.0/88 !10.1.0.0/16",
     {"10.0.0.1", "192.168.0.1"},
     {"8.8.8.8", "10.1.0.1", "127.0.0.1", "::1"},
     {"f:2: `10.0.0.0/88` in `ips` is not understood: " + ip_allowed,
      std::string("f:2: nothing that `ips` asks for is understood: the default `") + private_networks + "` stands"}},
};

class Ips : public testing::TestWithParam<IpCase> {};
INSTANTIATE_TEST_SUITE_P(NetFilter, Ips, testing::ValuesIn(ip_cases), name_of<IpCase>);

TEST_P(Ips, PassAsTheListSays) {
    Made made = make("*", GetParam().ips);
    for (const std::string& text : GetParam().pass) EXPECT_TRUE(made.filter.address(at(text))) << text;
    for (const std::string& text : GetParam().fail) EXPECT_FALSE(made.filter.address(at(text))) << text;
    EXPECT_EQ(made.complaints, GetParam().complaints);
}

// Against the plain way: every range looked at for every address.
TEST(NetFilter, PassesWhatLookingAtEachRangePasses) {
    std::minstd_rand random(11);
    for (int round = 0; round < 300; round++) {
        struct Piece {
            unsigned first, last;
            bool excluded;
        };
        std::vector<Piece> pieces;
        std::string list;
        for (size_t n = 1 + random() % 12; n; n--) {
            unsigned first = static_cast<unsigned>(random() % 256),
                     last = std::min<unsigned>(255, first + static_cast<unsigned>(random() % 40));
            pieces.push_back({first, last, random() % 2 == 0});
            list += fmt::format(" {}10.0.0.{}-10.0.0.{}", pieces.back().excluded ? "!" : "", first, last);
        }
        Made made = make("*", list);
        ASSERT_EQ(made.complaints, Texts());
        bool all = std::all_of(pieces.begin(), pieces.end(), [](const Piece& p) { return p.excluded; });
        for (unsigned last = 0; last < 256; last++) {
            bool wanted = all, refused = false;
            for (const Piece& p : pieces)
                if (last >= p.first && last <= p.last) (p.excluded ? refused : wanted) = true;
            ASSERT_EQ(made.filter.address(Address::v4(htonl(0x0a000000 + last))), wanted && !refused)
                << last << " of" << list;
        }
        EXPECT_EQ(made.filter.address(at("fc00::1")), all);
    }
}

const std::string host_allowed = "a host's name, in which * stands for anything, parted by blanks; passed over";

struct HostCase {
    const char* name;
    std::string hostnames;
    Texts pass, fail;
    bool asks = true;
    Texts complaints{};
};
void PrintTo(const HostCase& one, std::ostream* out) { *out << one.name; }

const HostCase host_cases[] = {
    {"seed", "!example.com", {"example.org", "www.example.com", ""}, {"example.com", "EXAMPLE.com"}},
    {"all", "*", {"example.com", ""}, {}, false},
    {"empty", "", {"example.com", ""}, {}, false},
    {"nothing", "!*", {}, {"example.com"}},
    {"one", "example.com", {"example.com", "Example.Com"}, {"example.co", "www.example.com", "xexample.com"}},
    {"one_with_a_dot", "Example.com.", {"example.com"}, {"example.comx"}},
    {"below", "*.example.com", {"www.example.com", "a.b.example.com", ".example.com"}, {"example.com"}},
    {"inside", "db*.lan", {"db.lan", "db1.lan", "db1.x.lan"}, {"adb.lan", "db1.lan.org"}},
    {"excluded_wins", "!db1.lan *.lan db1.lan", {"db2.lan"}, {"db1.lan", "db1.org"}},
    {"all_but", "* !*.example.com", {"example.com"}, {"www.example.com"}},
    {"blank_after_the_mark",
     "! example.com",
     {"example.org"},
     {"example.com"},
     true,
     {"f:3: `! example.com` in `hostnames` is read as `!example.com`"}},
    {"what_is_no_name",
     "a.org exa$mple.com b,c",
     {"a.org"},
     {"exa$mple.com", "b"},
     true,
     {"f:3: `exa$mple.com` in `hostnames` is not understood: " + host_allowed,
      "f:3: `b,c` in `hostnames` is not understood: " + host_allowed}},
    {"nothing_is_right",
     "ex$ample.com",
     {"a.org"},
     {},
     false,
     {"f:3: `ex$ample.com` in `hostnames` is not understood: " + host_allowed,
      "f:3: nothing that `hostnames` asks for is understood: the default `*` stands"}},
};

class Hosts : public testing::TestWithParam<HostCase> {};
INSTANTIATE_TEST_SUITE_P(NetFilter, Hosts, testing::ValuesIn(host_cases), name_of<HostCase>);

TEST_P(Hosts, PassAsTheListSays) {
    Made made = make("*", "*", GetParam().hostnames);
    for (const std::string& text : GetParam().pass) EXPECT_TRUE(made.filter.host(text)) << text;
    for (const std::string& text : GetParam().fail) EXPECT_FALSE(made.filter.host(text)) << text;
    EXPECT_EQ(made.filter.asks_hosts(), GetParam().asks);
    EXPECT_EQ(made.complaints, GetParam().complaints);
}

TEST(NetFilter, SaysThatHostsAreOfNoUseWithoutLookUps) {
    Made made = make("*", "*", "!example.com", false);
    EXPECT_FALSE(made.filter.asks_hosts());
    EXPECT_EQ(made.complaints, Texts{"f:3: `hostnames` is without effect while `resolve hostname ips` is no"});
    EXPECT_EQ(make("*", "*", "*", false).complaints, Texts());
}

TEST(NetFilter, TakesTheDefaultsWithoutAWord) {
    Texts complaints;
    NetFilter filter({all_ports}, {private_networks}, {all_hosts}, false, services(), complaints);
    EXPECT_EQ(complaints, Texts());
    EXPECT_TRUE(filter.port(443));
    EXPECT_TRUE(filter.address(at("192.168.1.1")));
    EXPECT_FALSE(filter.address(at("8.8.8.8")));
    EXPECT_FALSE(filter.asks_hosts());
}

TEST(NetFilter, SurvivesAnyBytes) {
    std::minstd_rand random(3);
    const std::string letters = "0123456789abcdef.:/-!* \t*domain,\xff\x01";
    for (int round = 0; round < 2000; round++) {
        std::string text;
        for (size_t n = random() % 60; n; n--)
            text += round % 2 ? letters[random() % letters.size()] : static_cast<char>(random());
        Made made = make(text, text, text);
        made.filter.address(at("10.0.0.1"));
        made.filter.host(text);
        ServiceNames({}, text, true).ports(text);
        Address::parse(text);
    }
}

}  // namespace
