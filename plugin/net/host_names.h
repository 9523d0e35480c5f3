// The names of hosts, from /etc/hosts and from the name servers, asked for without waiting.
#pragma once
#include <ares.h>
#include <sys/stat.h>
#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include "base/address.h"
#include "base/owner.h"

// Where names come from and how long they are good for; only tests have reason to change it.
struct NameSources {
    std::string resolv_conf = "/etc/resolv.conf", hosts = "/etc/hosts";
    uint16_t port = 53;
    int milliseconds = 2000, tries = 2;  // until a server that does not answer is asked again, and how often
    std::chrono::milliseconds good_for = std::chrono::hours(1);          // a name
    std::chrono::milliseconds none_for = std::chrono::minutes(10);       // that a host has no name
    std::chrono::milliseconds failed_for = std::chrono::minutes(1);      // that nobody answered
    std::chrono::milliseconds unchanged_for = std::chrono::seconds(10);  // until the two files are looked at again
};

class HostNames {
public:
    explicit HostNames(size_t most, NameSources sources = {});  // throws if there can be no look-ups
    ~HostNames();
    HostNames(const HostNames&) = delete;
    HostNames& operator=(const HostNames&) = delete;

    // The name, or null if it has none or it is not known yet: then it is being asked for. One question is under way for
    // an address, however often its name is wanted. Good until the next call.
    const std::string* name(const Address& address);

    int fd() const { return poll_.get(); }  // readable: time for process()
    void process();                         // then, and once a tick for those that do not answer

private:
    static constexpr size_t most_at_once = 64;
    using Clock = std::chrono::steady_clock;

    struct Entry;
    using Entries = std::list<Entry>;
    struct Entry {
        HostNames* owner;
        Address address;
        Entries* in = nullptr;  // the list that it is in
        std::string name{};     // "" if there is none; while it is asked for again, the last one
        Clock::time_point until{};
    };
    using FileState = std::tuple<dev_t, ino_t, off_t, time_t, long>;

    static FileState state_of(const std::string& file);
    void open_channel();
    void look_at_files(Clock::time_point now);
    bool make_room();
    void move(Entries::iterator entry, Entries& to);
    void ask_waiting();
    void answered(Entry& entry, int status, const unsigned char* reply, int size);

    const size_t most_;
    const NameSources sources_;
    const Descriptor poll_;
    std::unordered_map<Address, std::string> hosts_;  // of /etc/hosts
    Clock::time_point look_again_{};
    FileState resolv_conf_state_{}, hosts_state_{};
    // Each entry is in one of these: not asked for yet, being asked for, answered. What was used longest ago is in front.
    Entries waiting_, asked_, known_;
    std::unordered_map<Address, Entries::iterator> entries_;
    std::unique_ptr<ares_channeldata, Destroy<ares_destroy>> channel_;
};
