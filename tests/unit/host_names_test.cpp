// Look-ups of host names against a name server on loopback that counts what it is asked.
#include "net/host_names.h"
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include "base/error.h"
#include "net/filter.h"
#include "scratch_folder.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

Address at(const std::string& text) { return Address::parse(text).value(); }

class NameServer {
public:
    explicit NameServer(const char* address = "127.0.0.1", uint16_t port = 0)
        : socket_(check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "make a socket")) {
        sockaddr_in own{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {inet_addr(address)}};
        check(bind(socket_, reinterpret_cast<sockaddr*>(&own), sizeof own), "bind to {}:{}", address, port);
        socklen_t size = sizeof own;
        check(getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &size), "ask for the port");
        port_ = ntohs(own.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~NameServer() {
        end_ = true;
        thread_.join();
        close(socket_);
    }
    NameServer(const NameServer&) = delete;
    NameServer& operator=(const NameServer&) = delete;

    uint16_t port() const { return port_; }
    void knows(const std::string& question, const std::string& name) {
        std::lock_guard lock(mutex_);
        names_[question] = name;
    }
    void be_silent(bool silent) { silent_ = silent; }
    void fail(bool fails) { fails_ = fails; }

    int asked(const std::string& question) const {
        std::lock_guard lock(mutex_);
        auto found = questions_.find(question);
        return found == questions_.end() ? 0 : found->second;
    }
    size_t asked_for() const {  // so many different things
        std::lock_guard lock(mutex_);
        return questions_.size();
    }

private:
    static std::string labels(const std::string& name) {
        std::string coded;
        for (size_t from = 0; from < name.size();) {
            size_t dot = std::min(name.find('.', from), name.size());
            coded += static_cast<char>(dot - from) + name.substr(from, dot - from);
            from = dot + 1;
        }
        return coded + '\0';
    }

    void serve() {
        while (!end_) {
            pollfd ready{socket_, POLLIN, 0};
            if (poll(&ready, 1, 20) <= 0) continue;
            char data[512];
            sockaddr_in from{};
            socklen_t size = sizeof from;
            ssize_t n = recvfrom(socket_, data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from), &size);
            if (n < 17) continue;
            std::string query(data, static_cast<size_t>(n)), question;
            size_t i = 12;
            for (; i < query.size() && query[i]; i += static_cast<size_t>(query[i]) + 1)
                question += (question.empty() ? "" : ".") + query.substr(i + 1, static_cast<size_t>(query[i]));
            std::lock_guard lock(mutex_);
            questions_[question]++;
            if (silent_) continue;
            auto known = names_.find(question);
            bool answers = known != names_.end() && !fails_;
            std::string reply = query.substr(0, 2);
            reply += '\x81';
            reply += static_cast<char>(fails_ ? 0x82 : answers ? 0x80 : 0x83);
            reply += std::string("\0\1\0", 3) + (answers ? '\1' : '\0') + std::string(4, '\0') +
                     query.substr(12, i + 5 - 12);
            if (answers) {
                std::string name = labels(known->second);
                reply += std::string("\xc0\x0c\0\x0c\0\1\0\0\0\x3c\0", 11) + static_cast<char>(name.size()) + name;
            }
            sendto(socket_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
        }
    }

    int socket_;
    uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::map<std::string, std::string> names_;
    std::map<std::string, int> questions_;
    std::atomic<bool> end_ = false, silent_ = false, fails_ = false;
    std::thread thread_;
};

class Names : public testing::Test {
protected:
    Names() {
        sources.resolv_conf = folder.write("resolv.conf", "nameserver 127.0.0.1\n");
        sources.hosts = folder / "hosts";
        sources.port = server.port();
        sources.milliseconds = 500;
        sources.unchanged_for = 0ms;
    }

    HostNames& names(size_t most = 100) {
        if (!names_) names_ = std::make_unique<HostNames>(most, sources);
        return *names_;
    }

    // As the loop of the plugin does, with quick ticks, until it is so.
    bool comes_true(const std::function<bool()>& so, Clock::duration within = 10s) {
        for (auto end = Clock::now() + within; Clock::now() < end;) {
            if (so()) return true;
            pollfd ready{names().fd(), POLLIN, 0};
            poll(&ready, 1, 10);
            names().process();
        }
        return so();
    }
    std::string name(const std::string& address) {
        const std::string* name = names().name(at(address));
        return name ? *name : "";
    }
    bool becomes(const std::string& address, const std::string& wanted) {
        return comes_true([&] { return name(address) == wanted; });
    }

    ScratchFolder folder;
    NameServer server;
    NameSources sources;
    std::unique_ptr<HostNames> names_;
};

TEST_F(Names, ComeLaterAndStay) {
    server.knows("3.2.1.10.in-addr.arpa", "Db1.Example.COM");
    EXPECT_EQ(name("10.1.2.3"), "") << "it is not waited for";
    EXPECT_TRUE(becomes("10.1.2.3", "db1.example.com"));
    for (int i = 0; i < 1000; i++) ASSERT_EQ(name("10.1.2.3"), "db1.example.com");
    EXPECT_EQ(name("::ffff:10.1.2.3"), "db1.example.com");
    EXPECT_EQ(server.asked("3.2.1.10.in-addr.arpa"), 1);
    EXPECT_EQ(server.asked_for(), 1u);
}

TEST_F(Names, OfIPv6) {
    std::string question = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    server.knows(question, "six.example.com");
    EXPECT_TRUE(becomes("2001:db8::1", "six.example.com"));
    EXPECT_EQ(server.asked(question), 1);
}

TEST_F(Names, AreAskedForOnceHoweverOftenTheyAreWanted) {
    server.be_silent(true);
    sources.tries = 1;
    sources.milliseconds = 5000;
    for (int i = 0; i < 100; i++) EXPECT_EQ(name("10.0.0.1"), "");
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == 1; }));
    EXPECT_FALSE(comes_true([&] { return name("10.0.0.1"), server.asked("1.0.0.10.in-addr.arpa") > 1; }, 300ms));
}

TEST_F(Names, ThatThereAreNotAreRemembered) {
    sources.none_for = 1500ms;
    name("10.0.0.1");
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == 1; }));
    comes_true([] { return false; }, 100ms);  // the answer is here
    server.knows("1.0.0.10.in-addr.arpa", "late.example.com");
    EXPECT_EQ(name("10.0.0.1"), "");
    EXPECT_EQ(server.asked("1.0.0.10.in-addr.arpa"), 1);
    EXPECT_TRUE(becomes("10.0.0.1", "late.example.com")) << "but not for ever";
    EXPECT_EQ(server.asked("1.0.0.10.in-addr.arpa"), 2);
}

TEST_F(Names, ThatNobodyTellsAreAskedForAgainAfterAWhile) {
    server.be_silent(true);
    sources.milliseconds = 100;
    sources.failed_for = 300ms;
    name("10.0.0.1");
    EXPECT_TRUE(comes_true([&] { return server.asked("1.0.0.10.in-addr.arpa") == sources.tries; }));
    comes_true([] { return false; }, 300ms);  // so that it is given up
    server.be_silent(false);
    server.knows("1.0.0.10.in-addr.arpa", "back.example.com");
    EXPECT_TRUE(becomes("10.0.0.1", "back.example.com"));
    EXPECT_EQ(server.asked("1.0.0.10.in-addr.arpa"), sources.tries + 1);
}

TEST_F(Names, OfAServerThatFailsAreNotTakenForNone) {
    server.fail(true);
    sources.tries = 1;
    sources.failed_for = 200ms;
    name("10.0.0.1");
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == 1; }));
    server.fail(false);
    server.knows("1.0.0.10.in-addr.arpa", "back.example.com");
    EXPECT_TRUE(becomes("10.0.0.1", "back.example.com"));
}

TEST_F(Names, AreAskedForAgainWhenTheyAreOldAndStandUntilThen) {
    sources.good_for = 200ms;
    server.knows("1.0.0.10.in-addr.arpa", "old.example.com");
    EXPECT_TRUE(becomes("10.0.0.1", "old.example.com"));
    server.knows("1.0.0.10.in-addr.arpa", "new.example.com");
    EXPECT_TRUE(comes_true([&] {
        EXPECT_NE(name("10.0.0.1"), "");
        return name("10.0.0.1") == "new.example.com";
    }));
}

TEST_F(Names, StandWhenNobodyAnswersAnyMore) {
    sources.good_for = 100ms;
    sources.milliseconds = 50;
    server.knows("1.0.0.10.in-addr.arpa", "old.example.com");
    EXPECT_TRUE(becomes("10.0.0.1", "old.example.com"));
    server.be_silent(true);
    EXPECT_TRUE(comes_true([&] { return name("10.0.0.1"), server.asked("1.0.0.10.in-addr.arpa") >= 3; }));
    comes_true([] { return false; }, 300ms);
    EXPECT_EQ(name("10.0.0.1"), "old.example.com");
}

TEST_F(Names, ThatAreNoneAreNotTaken) {
    std::map<std::string, std::string> bad = {{"10.0.0.1", "a'b.example.com"},
                                              {"10.0.0.2", "a\nb"},
                                              {"10.0.0.3", "a b"},
                                              {"10.0.0.4", "\"x\""},
                                              {"10.0.0.5", "\xff\xfe"}};
    for (const auto& [address, bad_name] : bad) {
        server.knows(address.substr(7) + ".0.0.10.in-addr.arpa", bad_name);
        name(address);
    }
    server.knows("9.0.0.10.in-addr.arpa", "good_one-1.example.com");
    EXPECT_TRUE(becomes("10.0.0.9", "good_one-1.example.com"));
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == bad.size() + 1; }));
    comes_true([] { return false; }, 100ms);
    for (const auto& [address, bad_name] : bad) EXPECT_EQ(name(address), "") << address;
}

TEST_F(Names, AreNotAskedForAllAtOnce) {
    server.be_silent(true);
    sources.tries = 1;
    sources.milliseconds = 3000;
    for (int i = 0; i < 200; i++) names(1000).name(at(fmt::format("10.0.0.{}", i)));
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == 64; }, 2s));
    comes_true([] { return false; }, 100ms);
    EXPECT_EQ(server.asked_for(), 64u);
    server.be_silent(false);
    for (int i = 0; i < 200; i++) server.knows(fmt::format("{}.0.0.10.in-addr.arpa", i), fmt::format("h{}", i));
    EXPECT_TRUE(becomes("10.0.0.199", "h199")) << "the others have their turn when the first are given up";
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == 200; }));
}

TEST_F(Names, AreForgottenWhenThereAreTooMany) {
    for (int i = 0; i < 30; i++) server.knows(fmt::format("{}.0.0.10.in-addr.arpa", i), fmt::format("h{}", i));
    names(10);
    for (int i = 0; i < 10; i++) EXPECT_TRUE(becomes(fmt::format("10.0.0.{}", i), fmt::format("h{}", i)));
    EXPECT_EQ(name("10.0.0.0"), "h0");  // used just now: 1 is the one that goes
    EXPECT_TRUE(becomes("10.0.0.10", "h10"));
    EXPECT_EQ(name("10.0.0.0"), "h0");
    EXPECT_EQ(server.asked("0.0.0.10.in-addr.arpa"), 1);
    EXPECT_EQ(name("10.0.0.1"), "");
    EXPECT_TRUE(becomes("10.0.0.1", "h1"));
    EXPECT_EQ(server.asked("1.0.0.10.in-addr.arpa"), 2);
}

TEST_F(Names, ThatAreKnownOutliveAFloodOfOthers) {
    server.knows("1.0.0.10.in-addr.arpa", "known.example.com");
    names(200);
    EXPECT_TRUE(becomes("10.0.0.1", "known.example.com"));
    server.be_silent(true);
    for (int i = 0; i < 100'000; i++) {
        names().name(at(fmt::format("10.1.{}.{}", i / 256 % 256, i % 256)));
        if (i % 50 == 0) ASSERT_EQ(name("10.0.0.1"), "known.example.com") << i;
    }
}

TEST_F(Names, AreAskedForOneByOneIfThereIsRoomForOne) {
    server.knows("1.0.0.10.in-addr.arpa", "one");
    server.knows("2.0.0.10.in-addr.arpa", "two");
    names(0);
    EXPECT_TRUE(becomes("10.0.0.1", "one"));
    EXPECT_TRUE(becomes("10.0.0.2", "two"));
    EXPECT_TRUE(becomes("10.0.0.1", "one"));
}

TEST_F(Names, OfExcludedAddressesAreNotAskedFor) {
    std::vector<std::string> complaints;
    NetFilter filter({"*"}, {"10.0.0.0/24 !10.0.0.128/25"}, {"*"}, true, ServiceNames({}, "", true), complaints);
    for (int i = 0; i < 256; i++)
        for (const char* network : {"10.0.0", "8.8.8"})
            if (Address a = at(fmt::format("{}.{}", network, i)); filter.address(a)) names(1000).name(a);
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == 128; }));
    comes_true([] { return false; }, 200ms);
    EXPECT_EQ(server.asked_for(), 128u);
    EXPECT_EQ(server.asked("200.0.0.10.in-addr.arpa"), 0);
    EXPECT_EQ(server.asked("8.8.8.8.in-addr.arpa"), 0);
}

TEST_F(Names, OfTheHostsFileAreThereAtOnceAndFollowIt) {
    folder.write("hosts",
                 "# ours\n10.0.0.1 Db1.lan db1\n10.0.0.1 other\nfd00::1\tsix.lan # six\nnot "
                 "an-address\n10.0.0.2\n10.0.0.3 a'b\n");
    EXPECT_EQ(name("10.0.0.1"), "db1.lan");
    EXPECT_EQ(name("fd00::1"), "six.lan");
    EXPECT_EQ(server.asked_for(), 0u);
    folder.write("hosts", "10.0.0.1 renamed.lan\n");
    EXPECT_EQ(name("10.0.0.1"), "renamed.lan");
    std::filesystem::remove(folder / "hosts");
    server.knows("1.0.0.10.in-addr.arpa", "dns.example.com");
    EXPECT_TRUE(becomes("10.0.0.1", "dns.example.com"));
}

TEST_F(Names, AreAskedOfTheNewServersWhenTheyChange) {
    NameServer second("127.0.0.2", server.port());
    second.knows("1.0.0.10.in-addr.arpa", "of-the-second");
    second.knows("2.0.0.10.in-addr.arpa", "asked-again");
    name("10.0.0.1");  // the first says that there is none
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == 1; }));
    comes_true([] { return false; }, 100ms);
    server.be_silent(true);
    name("10.0.0.2");  // under way when they change
    EXPECT_TRUE(comes_true([&] { return server.asked_for() == 2; }));
    folder.write("resolv.conf", "# from the new network\nnameserver 127.0.0.2\n");
    EXPECT_TRUE(becomes("10.0.0.1", "of-the-second"));
    EXPECT_TRUE(becomes("10.0.0.2", "asked-again"));
    EXPECT_EQ(second.asked_for(), 2u);
}

TEST_F(Names, AreAskedForOnceThereIsAFileOfServers) {
    server.knows("1.0.0.10.in-addr.arpa", "here");
    std::filesystem::remove(folder / "resolv.conf");
    NameServer second("127.0.0.3", server.port());
    second.knows("1.0.0.10.in-addr.arpa", "there");
    names();
    folder.write("resolv.conf", "nameserver 127.0.0.3\n");
    EXPECT_TRUE(becomes("10.0.0.1", "there"));
}

TEST_F(Names, AreNotWaitedForAtTheEnd) {
    server.be_silent(true);
    for (int i = 0; i < 100; i++) name(fmt::format("10.0.0.{}", i));
    auto begin = Clock::now();
    names_.reset();
    EXPECT_LT(Clock::now() - begin, 400ms);
}

TEST(HostNamesOfTheSystem, AreLookedUpWithItsSettings) {
    HostNames names(10);
    EXPECT_GE(names.fd(), 0);
    names.process();
    const std::string* self = names.name(at("127.0.0.1"));
    std::ifstream hosts("/etc/hosts");
    std::string text(std::istreambuf_iterator<char>(hosts), {});
    if (text.find("127.0.0.1") != std::string::npos) EXPECT_TRUE(self && text.find(*self) != text.npos);
}

}  // namespace
