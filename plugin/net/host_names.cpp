#include "net/host_names.h"
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <algorithm>
#include "base/error.h"
#include "base/words.h"

namespace {

void ares_check(int status, const char* what) {
    if (status != ARES_SUCCESS) throw Error(fmt::format("{}: {}", what, ares_strerror(status)));
}

// A name comes from whoever owns the address, and becomes a part of a dimension's name.
bool is_host_name(std::string_view name) {
    return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '-' || c == '_';
    });
}

// What is asked for the name of an address: RFC 1035, 3.5, and RFC 3596, 2.5.
std::string question(const Address& address) {
    const auto& bytes = address.bytes;
    if (address.is_v4()) return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes[15], bytes[14], bytes[13], bytes[12]);
    std::string text;
    for (size_t i = bytes.size(); i--;) text += fmt::format("{:x}.{:x}.", bytes[i] & 15, bytes[i] >> 4);
    return text + "ip6.arpa";
}

// "" if there is none that is fit to be shown.
std::string name_in(const unsigned char* reply, int size) {
    hostent* found = nullptr;
    if (ares_parse_ptr_reply(reply, size, nullptr, 0, AF_UNSPEC, &found) != ARES_SUCCESS) return "";
    std::unique_ptr<hostent, decltype(&ares_free_hostent)> host(found, ares_free_hostent);
    return host->h_name && is_host_name(host->h_name) ? lower(host->h_name) : "";
}

}  // namespace

HostNames::HostNames(size_t most, NameSources sources)
    : most_(std::max<size_t>(most, 1)),
      sources_(std::move(sources)),
      poll_(check(epoll_create1(EPOLL_CLOEXEC), "create an event loop for host names")) {
    ares_check(ares_library_init(ARES_LIB_INIT_ALL), "start c-ares");
    open_channel();
}

HostNames::~HostNames() {
    channel_.reset();  // which still speaks to the others
    ares_library_cleanup();
}

HostNames::FileState HostNames::state_of(const std::string& file) {
    struct stat about {};  // all zeros if it is not there
    stat(file.c_str(), &about);
    return {about.st_dev, about.st_ino, about.st_size, about.st_mtim.tv_sec, about.st_mtim.tv_nsec};
}

void HostNames::open_channel() {
    resolv_conf_state_ = state_of(sources_.resolv_conf);
    std::string resolv_conf = sources_.resolv_conf;
    ares_options options{};
    options.timeout = sources_.milliseconds;
    options.tries = sources_.tries;
    options.udp_port = options.tcp_port = sources_.port;
    options.resolvconf_path = resolv_conf.data();
    options.sock_state_cb_data = this;
    options.sock_state_cb = [](void* self, int fd, int readable, int writable) {
        int poll = static_cast<HostNames*>(self)->poll_.get();
        epoll_event event{.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u), .data = {.fd = fd}};
        if (!event.events)
            epoll_ctl(poll, EPOLL_CTL_DEL, fd, nullptr);
        else if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event))
            epoll_ctl(poll, EPOLL_CTL_MOD, fd, &event);
    };
    ares_channel channel;
    ares_check(ares_init_options(&channel, &options,
                                 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT |
                                     ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB),
               "set up look-ups of host names");
    channel_.reset(channel);  // what the old one has not answered is asked for again
}

const std::string* HostNames::name(const Address& address) {
    auto now = Clock::now();
    if (now >= look_again_) look_at_files(now);
    if (auto written = hosts_.find(address); written != hosts_.end()) return &written->second;
    auto found = entries_.find(address);
    if (found == entries_.end()) {
        if (!make_room()) return nullptr;
        waiting_.push_back({this, address, &waiting_});
        found = entries_.emplace(address, std::prev(waiting_.end())).first;
    } else if (found->second->in == &known_)
        move(found->second, now < found->second->until ? known_ : waiting_);
    ask_waiting();
    const std::string& name = found->second->name;
    return name.empty() ? nullptr : &name;
}

void HostNames::process() {
    if (asked_.empty()) return;
    epoll_event events[16];
    int n = epoll_wait(poll_.get(), events, 16, 0);
    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        ares_process_fd(channel_.get(), events[i].events & ~EPOLLOUT ? fd : ARES_SOCKET_BAD,
                        events[i].events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(channel_.get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // who has not answered in time
    ask_waiting();
}

void HostNames::look_at_files(Clock::time_point now) {
    look_again_ = now + sources_.unchanged_for;
    if (auto state = state_of(sources_.hosts); state != hosts_state_) {
        hosts_state_ = state;
        hosts_.clear();
        try {
            std::string text = read_file(sources_.hosts);
            for (const auto& words : split_table(text))
                if (auto address = Address::parse(words[0]); address && words.size() > 1 && is_host_name(words[1]))
                    hosts_.emplace(*address, lower(words[1]));
        } catch (const Error&) {  // a machine without that file is in order
        }
    }
    if (state_of(sources_.resolv_conf) == resolv_conf_state_) return;
    try {
        open_channel();
        for (Entry& entry : known_)
            if (entry.name.empty()) entry.until = now;  // the new servers may know it
    } catch (const Error& e) {
        log(Severity::Warning, "{} has changed, the servers it named before stay: {}", sources_.resolv_conf, e.what());
    }
}

// A flood of new addresses does not drive out the names that are known.
bool HostNames::make_room() {
    if (entries_.size() < most_) return true;
    Entries& from = known_.empty() || waiting_.size() > most_ / 2 ? waiting_ : known_;
    if (from.empty()) return false;
    entries_.erase(from.front().address);
    from.pop_front();
    return true;
}

void HostNames::move(Entries::iterator entry, Entries& to) {
    to.splice(to.end(), *entry->in, entry);
    entry->in = &to;
}

// With ares_query, because ares_gethostbyaddr reads all of /etc/hosts for each address, and says of a server that does not
// answer that there is no name.
void HostNames::ask_waiting() {
    while (!waiting_.empty() && asked_.size() < most_at_once) {
        Entry& entry = waiting_.front();
        move(waiting_.begin(), asked_);
        auto answer = [](void* argument, int status, int, unsigned char* reply, int size) {
            auto& asked = *static_cast<Entry*>(argument);
            asked.owner->answered(asked, status, reply, size);
        };
        ares_query(channel_.get(), question(entry.address).c_str(), 1 /* the Internet */, 12 /* PTR */, answer, &entry);
    }
}

void HostNames::answered(Entry& entry, int status, const unsigned char* reply, int size) {
    auto place = entries_.find(entry.address)->second;
    if (status == ARES_EDESTRUCTION) return move(place, waiting_);  // the servers are others now: once more
    bool told = status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA;
    if (told) entry.name = status == ARES_SUCCESS ? name_in(reply, size) : "";
    entry.until = Clock::now() + (!told                ? sources_.failed_for
                                  : entry.name.empty() ? sources_.none_for
                                                       : sources_.good_for);
    move(place, known_);
}
