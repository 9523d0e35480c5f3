// The kernel's list of sockets: real ones on loopback, and what could stand in its messages.
#include "net/sock_diag.h"
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <climits>
#include <cstring>
#include <filesystem>
#include <map>
#include "loopback.h"

namespace {

constexpr SocketStates servers{.tcp = bit(TcpState::Listen), .udp = bit(TcpState::Close)};

std::vector<Socket> read_all(SockDiag& diag) {
    std::vector<Socket> all;
    while (diag.next([&](const Socket& socket) { all.push_back(socket); })) continue;
    return all;
}

std::vector<Socket> walk(SocketStates states = every_socket) {
    SockDiag diag;
    diag.begin(states, {});
    return read_all(diag);
}

std::optional<Socket> find(const std::vector<Socket>& all, uint64_t cookie) {
    for (const Socket& socket : all)
        if (socket.cookie == cookie) return socket;
    return {};
}
std::optional<Socket> find(const TestSocket& wanted) { return find(walk(), wanted.cookie()); }

// Acknowledgements may take their time.
std::optional<Socket> find_in_state(const TestSocket& wanted, TcpState state) {
    std::optional<Socket> found;
    for (int tries = 0; tries < 1000; tries++, usleep(5000))
        if ((found = find(wanted)) && found->state == state) break;
    return found;
}

uint64_t net_namespace(const std::string& process = "self") {
    struct stat about {};
    stat(("/proc/" + process + "/ns/net").c_str(), &about);
    return about.st_ino;
}

std::string ends(const Socket& socket) {
    return fmt::format("{} {} {}:{} {}:{}", socket.protocol == IPPROTO_TCP ? "TCP" : "UDP",
                       socket.family == AF_INET ? 4 : 6, socket.local.text(), socket.local_port, socket.remote.text(),
                       socket.remote_port);
}

bool have_ipv6() { return std::filesystem::exists("/proc/net/if_inet6"); }

TEST(SocketList, HasServers) {
    TestSocket server(AF_INET, SOCK_STREAM);
    server.bind_to("127.0.0.1").listen();
    auto found = find(walk(servers), server.cookie());
    ASSERT_TRUE(found);
    EXPECT_EQ(ends(*found), fmt::format("TCP 4 127.0.0.1:{} 0.0.0.0:0", server.port()));
    EXPECT_EQ(found->state, TcpState::Listen);
    EXPECT_EQ(found->inode, server.inode());
    EXPECT_EQ(found->uid, geteuid());
    EXPECT_EQ(found->net_namespace, net_namespace());
    EXPECT_FALSE(found->tcp);
}

struct Pair {
    explicit Pair(int family = AF_INET, const std::string& at = "127.0.0.1", const std::string& to = "127.0.0.1")
        : server(std::move(TestSocket(family, SOCK_STREAM).bind_to(at).listen())),
          client(std::move(TestSocket(family, SOCK_STREAM).connect_to(to, server.port()))),
          accepted(server.accept()) {}
    TestSocket server, client, accepted;
};

TEST(SocketList, HasTheExactBytesOfConnections) {
    Pair pair;
    auto fresh = find(pair.client);
    ASSERT_TRUE(fresh && fresh->tcp);
    EXPECT_EQ(fresh->tcp->bytes_sent, 0u);
    EXPECT_EQ(fresh->tcp->bytes_received, 0u);

    pair.client.send(1'234'567);
    EXPECT_NO_THROW(pair.accepted.receive(1'234'567));
    pair.accepted.send(789);
    pair.client.receive(789);
    auto before = pair.client.option<tcp_info>(IPPROTO_TCP, TCP_INFO);
    auto client = find(pair.client), accepted = find(pair.accepted);
    auto after = pair.client.option<tcp_info>(IPPROTO_TCP, TCP_INFO);  // a busy machine repeats something now and then
    ASSERT_TRUE(client && client->tcp && accepted && accepted->tcp);
    EXPECT_EQ(ends(*client), fmt::format("TCP 4 127.0.0.1:{} 127.0.0.1:{}", pair.client.port(), pair.server.port()));
    EXPECT_EQ(ends(*accepted), fmt::format("TCP 4 127.0.0.1:{} 127.0.0.1:{}", pair.server.port(), pair.client.port()));
    EXPECT_EQ(client->state, TcpState::Established);
    EXPECT_EQ(client->tcp->bytes_sent, 1'234'567u);
    EXPECT_EQ(client->tcp->bytes_received, 789u);
    EXPECT_EQ(accepted->tcp->bytes_sent, 789u);
    EXPECT_EQ(accepted->tcp->bytes_received, 1'234'567u);
    auto between = [](uint32_t least, uint32_t value, uint32_t most) { return least <= value && value <= most; };
    EXPECT_PRED3(between, before.tcpi_total_retrans, client->tcp->retransmits, after.tcpi_total_retrans);
    EXPECT_PRED3(between, before.tcpi_segs_out, client->tcp->packets_sent, after.tcpi_segs_out);
    EXPECT_PRED3(between, before.tcpi_segs_in, client->tcp->packets_received, after.tcpi_segs_in);
    EXPECT_GT(client->tcp->packets_sent, 1'234'567u / 65536);
    EXPECT_GT(client->tcp->rtt_us, 0u);
    EXPECT_GT(client->tcp->rtt_variation_us, 0u);
    EXPECT_FALSE(find(walk(servers), pair.client.cookie())) << "only servers were asked for";
    EXPECT_TRUE(find(walk(servers), pair.server.cookie()));
}

TEST(SocketList, CountsWhatWasSentNotWhatWaits) {
    Pair pair;
    std::string text(1 << 20, 'x');
    uint64_t written = 0;
    for (ssize_t n; (n = send(pair.client.fd(), text.data(), text.size(), MSG_DONTWAIT)) > 0;)
        written += static_cast<uint64_t>(n);
    std::optional<Socket> client, accepted;
    for (int tries = 0; tries < 1000; tries++, usleep(5000)) {  // until the receiver's buffer is full
        client = find(pair.client), accepted = find(pair.accepted);
        if (client->tcp->bytes_sent == accepted->tcp->bytes_received) break;
    }
    EXPECT_EQ(client->tcp->bytes_sent, accepted->tcp->bytes_received);
    EXPECT_GT(client->tcp->bytes_sent, 0u);
    EXPECT_LT(client->tcp->bytes_sent, written);
}

TEST(SocketList, DoesNotCountTheEnd) {
    Pair pair;
    pair.client.send(5000);
    pair.accepted.receive(5000);
    pair.client.end_sending();
    char none;
    EXPECT_EQ(recv(pair.accepted.fd(), &none, 1, 0), 0);
    auto client = find_in_state(pair.client, TcpState::FinWait2), accepted = find(pair.accepted);
    ASSERT_TRUE(client && client->tcp && accepted && accepted->tcp);
    EXPECT_EQ(client->state, TcpState::FinWait2);
    EXPECT_EQ(accepted->state, TcpState::CloseWait);
    EXPECT_EQ(client->tcp->bytes_sent, 5000u);
    EXPECT_EQ(accepted->tcp->bytes_received, 5000u);
    pair.accepted.send(300);
    pair.client.receive(300);
    client = find(pair.client);
    ASSERT_TRUE(client && client->tcp);
    EXPECT_EQ(client->tcp->bytes_received, 300u) << "in the state fin-wait-2";

    uint16_t port = pair.client.port();
    pair.accepted.end_sending();
    EXPECT_EQ(recv(pair.client.fd(), &none, 1, 0), 0);
    int waiting = 0;
    for (const Socket& socket : walk())
        if (socket.state == TcpState::TimeWait && socket.local_port == port) {
            waiting++;
            EXPECT_FALSE(socket.tcp);
        }
    EXPECT_EQ(waiting, 1);
}

TEST(SocketList, HasIPv6) {
    if (!have_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
    Pair pair(AF_INET6, "::1", "::1");
    pair.client.send(100);
    auto client = find(pair.client), server = find(pair.server);
    ASSERT_TRUE(client && client->tcp && server);
    EXPECT_EQ(ends(*client), fmt::format("TCP 6 ::1:{} ::1:{}", pair.client.port(), pair.server.port()));
    EXPECT_EQ(client->tcp->bytes_sent, 100u);
    EXPECT_EQ(ends(*server), fmt::format("TCP 6 ::1:{} :::0", pair.server.port()));
}

TEST(SocketList, TakesMappedAddressesForIPv4) {
    if (!have_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
    Pair pair(AF_INET6, "::", "::ffff:127.0.0.1");
    auto client = find(pair.client), accepted = find(pair.accepted), server = find(pair.server);
    ASSERT_TRUE(client && accepted && server);
    EXPECT_EQ(ends(*client), fmt::format("TCP 4 127.0.0.1:{} 127.0.0.1:{}", pair.client.port(), pair.server.port()));
    EXPECT_EQ(ends(*accepted), fmt::format("TCP 4 127.0.0.1:{} 127.0.0.1:{}", pair.server.port(), pair.client.port()));
    EXPECT_EQ(ends(*server), fmt::format("TCP 6 :::{} :::0", pair.server.port())) << "of both families";

    TestSocket bound(AF_INET6, SOCK_DGRAM);
    bound.bind_to("::ffff:127.0.0.1");
    auto found = find(bound);
    ASSERT_TRUE(found);
    EXPECT_EQ(ends(*found), fmt::format("UDP 4 127.0.0.1:{} 0.0.0.0:0", bound.port()));
}

TEST(SocketList, HasUdp) {
    for (auto [family, loopback, any] : {std::tuple{AF_INET, "127.0.0.1", "0.0.0.0"}, {AF_INET6, "::1", "::"}}) {
        if (family == AF_INET6 && !have_ipv6()) continue;
        TestSocket server(family, SOCK_DGRAM), client(family, SOCK_DGRAM);
        server.bind_to(loopback);
        client.connect_to(loopback, server.port());
        auto bound = find(walk(servers), server.cookie()), connected = find(client);
        ASSERT_TRUE(bound && connected);
        int version = family == AF_INET ? 4 : 6;
        EXPECT_EQ(ends(*bound), fmt::format("UDP {} {}:{} {}:0", version, loopback, server.port(), any));
        EXPECT_EQ(ends(*connected),
                  fmt::format("UDP {} {}:{} {}:{}", version, loopback, client.port(), loopback, server.port()));
        EXPECT_EQ(bound->state, TcpState::Close);
        EXPECT_EQ(connected->state, TcpState::Established);
        EXPECT_EQ(connected->inode, client.inode());
        EXPECT_FALSE(find(walk(servers), client.cookie()));
    }
}

// A process in a network namespace of its own, with a connection there.
class OtherNamespace {
public:
    OtherNamespace() {
        int ready[2], end[2];
        if (pipe2(ready, O_CLOEXEC) || pipe2(end, O_CLOEXEC)) throw std::runtime_error("pipe");
        child_ = fork();
        if (!child_) {
            close(end[1]);
            int code = 1;
            try {
                if (unshare(CLONE_NEWNET)) throw std::runtime_error("unshare");
                TestSocket any(AF_INET, SOCK_DGRAM);
                ifreq up{};
                strcpy(up.ifr_name, "lo");
                up.ifr_flags = IFF_UP;
                if (ioctl(any.fd(), SIOCSIFFLAGS, &up)) throw std::runtime_error("up");
                Pair pair;
                pair.client.send(4321);
                uint64_t cookie = pair.client.cookie();
                code = write(ready[1], &cookie, sizeof cookie) != sizeof cookie;
                char none;
                (void)!read(end[0], &none, 1);
            } catch (const std::exception&) {
                code = 1;
            }
            _exit(code);
        }
        close(ready[1]);
        close(end[0]);
        if (read(ready[0], &cookie_, sizeof cookie_) != sizeof cookie_) cookie_ = 0;
        close(ready[0]);
        end_ = end[1];
    }
    ~OtherNamespace() {
        close(end_);
        waitpid(child_, nullptr, 0);
    }
    OtherNamespace(const OtherNamespace&) = delete;
    OtherNamespace& operator=(const OtherNamespace&) = delete;
    uint64_t cookie() const { return cookie_; }
    uint64_t inode() const { return net_namespace(std::to_string(child_)); }

private:
    pid_t child_ = 0;
    int end_ = -1;
    uint64_t cookie_ = 0;
};

long open_files() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

TEST(SocketList, HasThoseOfOtherNamespaces) {
    if (geteuid()) GTEST_SKIP() << "only root may make a network namespace";
    uint64_t own = net_namespace();
    long files = open_files();
    {
        OtherNamespace other;
        ASSERT_TRUE(other.cookie()) << "the child could make no connection";
        Pair here;
        SockDiag diag;
        diag.begin(every_socket);
        auto all = read_all(diag);
        auto there = find(all, other.cookie());
        ASSERT_TRUE(there && there->tcp);
        EXPECT_EQ(there->net_namespace, other.inode());
        EXPECT_NE(there->net_namespace, own);
        EXPECT_EQ(there->tcp->bytes_sent, 4321u);
        EXPECT_TRUE(find(all, here.client.cookie())) << "ours too";
        EXPECT_FALSE(find(walk(), other.cookie())) << "not asked for";
        std::map<uint64_t, int> times;
        for (const Socket& socket : all) times[socket.cookie]++;
        EXPECT_EQ(times[other.cookie()], 1) << "each namespace is read once, however many processes it has";
    }
    EXPECT_EQ(net_namespace(), own);
    EXPECT_EQ(net_namespace("thread-self"), own);
    EXPECT_EQ(open_files(), files);
}

TEST(SocketList, CanBeReadInPieces) {
    std::vector<Pair> pairs(200);
    SockDiag diag;
    diag.begin(every_socket, {});
    std::set<uint64_t> told;
    size_t pieces = 0, most = 0;
    for (bool more = true; more; pieces++) {
        size_t in_piece = 0;
        more = diag.next([&](const Socket& socket) { told.insert(socket.cookie), in_piece++; });
        most = std::max(most, in_piece);
    }
    for (const Pair& pair : pairs) {
        EXPECT_TRUE(told.contains(pair.client.cookie()));
        EXPECT_TRUE(told.contains(pair.accepted.cookie()));
    }
    EXPECT_LT(most, 400u);
    EXPECT_GE(pieces, told.size() / 400);

    diag.begin(every_socket, {});
    diag.next([](const Socket&) {});
    diag.begin(servers, {});
    bool found = false;
    while (diag.next([&](const Socket& s) { found |= s.cookie == pairs[0].server.cookie(); })) continue;
    EXPECT_TRUE(found) << "a walk that is dropped leaves nothing behind";
}

// Messages as the kernel could send them.
class Packet {
public:
    Packet& message(uint16_t type, const std::string& payload, uint32_t sequence = 7, uint16_t flags = NLM_F_MULTI) {
        nlmsghdr header{static_cast<uint32_t>(sizeof header + payload.size()), type, flags, sequence, 0};
        text_ += bytes_of(header) + payload;
        text_.resize((text_.size() + 3) / 4 * 4);
        return *this;
    }
    Packet& socket(const std::string& attributes = "", TcpState state = TcpState::Established) {
        return message(SOCK_DIAG_BY_FAMILY, about(state) + attributes);
    }
    Packet& length(uint32_t of_the_message) {
        std::memcpy(text_.data(), &of_the_message, sizeof of_the_message);
        return *this;
    }
    Packet& cut(size_t bytes) {
        text_.resize(text_.size() - bytes);
        return *this;
    }
    std::vector<Socket> parse(uint8_t protocol = IPPROTO_TCP) {
        auto begin = reinterpret_cast<const std::byte*>(text_.data());
        std::vector<std::byte> exactly(begin, begin + text_.size());  // a sanitizer sees each byte read beyond it
        std::vector<Socket> sockets;
        answer = parse_sockets(exactly, 7, protocol, 99, [&](const Socket& s) { sockets.push_back(s); });
        return sockets;
    }
    size_t size() const { return text_.size(); }
    SocketAnswer answer;

    template <class T>
    static std::string bytes_of(const T& value) {
        return {reinterpret_cast<const char*>(&value), sizeof value};
    }
    static std::string about(TcpState state, uint8_t family = AF_INET, uint32_t in_queue = 0) {
        inet_diag_msg m{};
        m.idiag_family = family;
        m.idiag_state = static_cast<uint8_t>(state);
        m.id.idiag_sport = htons(443);
        m.id.idiag_dport = htons(50000);
        m.id.idiag_src[0] = htonl(0x0A000001);
        m.id.idiag_dst[0] = htonl(0x0A000002);
        m.id.idiag_cookie[0] = 0x89ABCDEF;
        m.id.idiag_cookie[1] = 0x01234567;
        m.idiag_wqueue = in_queue;
        m.idiag_uid = 33;
        m.idiag_inode = 4444;
        return bytes_of(m);
    }
    static std::string attribute(uint16_t type, const std::string& value, int more = 0) {
        nlattr head{static_cast<uint16_t>(static_cast<int>(sizeof head + value.size()) + more), type};
        std::string text = bytes_of(head) + value;
        text.resize((text.size() + 3) / 4 * 4);
        return text;
    }
    static std::string info(uint64_t sent, uint64_t again, uint64_t received, uint64_t acknowledged = UINT32_MAX,
                            uint32_t unsent = 0) {
        tcp_info i{};
        i.tcpi_bytes_acked = acknowledged;
        i.tcpi_notsent_bytes = unsent;
        i.tcpi_bytes_sent = sent;
        i.tcpi_bytes_retrans = again;
        i.tcpi_bytes_received = received;
        i.tcpi_segs_out = 11;
        i.tcpi_segs_in = 12;
        i.tcpi_total_retrans = 13;
        i.tcpi_rtt = 14;
        i.tcpi_rttvar = 15;
        return bytes_of(i);
    }

private:
    std::string text_;
};

std::string info_attribute(const std::string& info, int more = 0) {
    return Packet::attribute(INET_DIAG_INFO, info, more);
}

TEST(SocketMessage, IsRead) {
    Packet packet;
    auto sockets = packet.socket(info_attribute(Packet::info(1000, 100, 501))).message(NLMSG_DONE, "").parse();
    ASSERT_EQ(sockets.size(), 1u);
    const Socket& s = sockets[0];
    EXPECT_EQ(ends(s), "TCP 4 10.0.0.1:443 10.0.0.2:50000");
    EXPECT_EQ(s.cookie, 0x0123456789ABCDEFu);
    EXPECT_EQ(s.uid, 33u);
    EXPECT_EQ(s.inode, 4444u);
    EXPECT_EQ(s.net_namespace, 99u);
    ASSERT_TRUE(s.tcp);
    EXPECT_EQ(s.tcp->bytes_sent, 900u);
    EXPECT_EQ(s.tcp->bytes_received, 501u);
    EXPECT_EQ(s.tcp->packets_sent, 11u);
    EXPECT_EQ(s.tcp->packets_received, 12u);
    EXPECT_EQ(s.tcp->retransmits, 13u);
    EXPECT_EQ(s.tcp->rtt_us, 14u);
    EXPECT_EQ(s.tcp->rtt_variation_us, 15u);
    EXPECT_TRUE(packet.answer.ended);
    EXPECT_EQ(packet.answer.error, 0);
}

TEST(SocketMessage, CountsNoFin) {
    for (auto [state, fin] : {std::pair{TcpState::Established, 0u},
                              {TcpState::FinWait1, 0u},
                              {TcpState::FinWait2, 0u},
                              {TcpState::CloseWait, 1u},
                              {TcpState::LastAck, 1u},
                              {TcpState::Closing, 1u}}) {
        auto sockets = Packet().socket(info_attribute(Packet::info(0, 0, 10)), state).parse();
        ASSERT_TRUE(sockets.size() == 1 && sockets[0].tcp);
        EXPECT_EQ(sockets[0].tcp->bytes_received, 10 - fin) << static_cast<int>(state);
    }
}

TEST(SocketMessage, CountsOnceWhatAQueueOfThisHostHasDropped) {
    auto sent = [](TcpState state, const std::string& info, uint32_t in_queue) {
        return Packet()
            .message(SOCK_DIAG_BY_FAMILY, Packet::about(state, AF_INET, in_queue) + info_attribute(info))
            .parse()
            .at(0)
            .tcp->bytes_sent;
    };
    auto info = [](uint64_t handed_down, uint64_t acknowledged, uint32_t unsent = 0) {
        return Packet::info(handed_down + 50, 50, 0, acknowledged, unsent);
    };
    EXPECT_EQ(sent(TcpState::Established, info(1000, 1001), 0), 1000u) << "its SYN is acknowledged";
    EXPECT_EQ(sent(TcpState::Established, info(1000, 1000), 0), 1000u);
    EXPECT_EQ(sent(TcpState::Established, info(2700, 1000), 0), 1000u) << "handed down again and again";
    EXPECT_EQ(sent(TcpState::Established, info(2700, 400), 900), 1300u) << "under way";
    EXPECT_EQ(sent(TcpState::Established, info(2700, 400, 300), 900), 1000u) << "some of it not yet";
    EXPECT_EQ(sent(TcpState::FinWait1, info(2700, 400), 601), 1000u) << "the FIN is under way";
    EXPECT_EQ(sent(TcpState::FinWait1, info(2700, 400, 301), 901), 1000u) << "the FIN is not";
    for (TcpState state : {TcpState::FinWait2, TcpState::LastAck, TcpState::Closing})
        EXPECT_EQ(sent(state, info(2700, 1001), 0), 1000u) << static_cast<int>(state);
    EXPECT_EQ(sent(TcpState::CloseWait, info(2700, 1000), 0), 1000u);
    EXPECT_EQ(sent(TcpState::SynSent, info(0, 0), 1), 0u);
    EXPECT_EQ(sent(TcpState::Established, info(2700, 5, 700), 600), 0u);
}

TEST(SocketMessage, MayHaveOlderOrNewerCounts) {
    std::string info = Packet::info(1000, 1, 500);
    auto counts = [](const std::string& text) { return Packet().socket(info_attribute(text)).parse().at(0).tcp; };
    EXPECT_TRUE(counts(info + std::string(64, '\xff')));
    size_t least = offsetof(tcp_info, tcpi_bytes_retrans) + 8;
    ASSERT_TRUE(counts(info.substr(0, least)));
    EXPECT_EQ(counts(info.substr(0, least))->bytes_sent, 999u);
    for (size_t size = 0; size < least; size++) EXPECT_FALSE(counts(info.substr(0, size))) << size;
}

TEST(SocketMessage, MayBeNonsense) {
    std::string info = Packet::info(5, 9, 0);
    EXPECT_EQ(Packet().socket(info_attribute(info)).parse().at(0).tcp->bytes_sent, 0u) << "never below zero";
    EXPECT_EQ(Packet().socket(info_attribute(info), TcpState::LastAck).parse().at(0).tcp->bytes_received, 0u);
    EXPECT_FALSE(Packet().socket(info_attribute(info, 1)).parse().at(0).tcp) << "longer than the message";
    EXPECT_FALSE(Packet().socket(info_attribute(info, -248)).parse().at(0).tcp) << "an attribute of no length";
    EXPECT_FALSE(Packet().socket(info_attribute(info), TcpState::Listen).parse().at(0).tcp);
    EXPECT_TRUE(Packet().message(SOCK_DIAG_BY_FAMILY, Packet::about(TcpState::Listen, AF_UNIX)).parse().empty());
    EXPECT_TRUE(Packet().message(SOCK_DIAG_BY_FAMILY, "short").parse().empty());
    EXPECT_TRUE(Packet().message(NLMSG_NOOP, Packet::about(TcpState::Listen)).parse().empty());
    EXPECT_TRUE(Packet().message(SOCK_DIAG_BY_FAMILY, Packet::about(TcpState::Listen), 8).parse().empty())
        << "another walk's";
    EXPECT_TRUE(Packet().parse().empty());
    for (uint32_t length : {0U, 15U, 87U, 1U << 31, (1U << 31) + 88, ~0U, ~0U - 2})
        EXPECT_TRUE(Packet().socket().length(length).parse().empty()) << length;
    for (size_t extra = 0; extra < 8; extra++)
        EXPECT_EQ(Packet().socket(std::string(extra, '\x04')).parse().size(), 1u) << extra;
}

TEST(SocketMessage, MayBeCutAnywhere) {
    std::string attribute = info_attribute(Packet::info(1000, 100, 501));
    size_t whole = Packet().socket(attribute).size();
    for (size_t cut = 0; cut <= whole; cut++) {
        auto sockets = Packet().socket(attribute).socket(attribute).cut(cut).parse();
        EXPECT_EQ(sockets.size(), cut ? 1u : 2u) << cut;
    }
    std::string payload = Packet::about(TcpState::Established) + attribute;
    for (size_t size = 0; size < payload.size(); size++) {
        Packet packet;
        auto sockets = packet.message(SOCK_DIAG_BY_FAMILY, payload.substr(0, size)).cut((4 - size % 4) % 4).parse();
        EXPECT_EQ(sockets.size(), size >= sizeof(inet_diag_msg) ? 1u : 0u) << size;
        for (const Socket& socket : sockets) EXPECT_FALSE(socket.tcp) << size;
    }
}

TEST(SocketMessage, TellsHowTheListEnds) {
    auto ended = [](uint16_t type, const std::string& payload, uint16_t flags = 0) {
        Packet packet;
        packet.message(type, payload, 7, flags).parse();
        return packet.answer;
    };
    auto code = [](int error) { return Packet::bytes_of(error); };
    EXPECT_EQ(ended(NLMSG_DONE, code(0)).error, 0);
    EXPECT_EQ(ended(NLMSG_DONE, "").error, 0);
    EXPECT_EQ(ended(NLMSG_DONE, code(-ENOENT)).error, ENOENT) << "no tcp_diag";
    EXPECT_EQ(ended(NLMSG_ERROR, code(-EPERM) + std::string(16, 0)).error, EPERM);
    EXPECT_EQ(ended(NLMSG_ERROR, "").error, EBADMSG);
    EXPECT_EQ(ended(NLMSG_ERROR, code(5)).error, EBADMSG);
    EXPECT_EQ(ended(NLMSG_ERROR, code(INT_MIN)).error, EBADMSG);
    EXPECT_TRUE(ended(NLMSG_DONE, code(0), NLM_F_DUMP_INTR).interrupted);
    EXPECT_FALSE(ended(NLMSG_DONE, code(0)).interrupted);
    Packet more;
    more.message(NLMSG_DONE, code(0)).socket();
    EXPECT_TRUE(more.parse().empty()) << "nothing follows the end";
}

}  // namespace
