#include "net/network.h"
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <cstring>
#include <unordered_set>
#include <utility>
#include "base/clock.h"
#include "base/error.h"
#include "bpf/programs.h"
#include "net/connection_table.h"
#include "net/socket_owners.h"

namespace {

constexpr char function_name[] = "ebpf-connections";
constexpr int64_t refresh_interval = 5 * second;
constexpr size_t most_namespaces = 4096;
constexpr SocketStates alive{
    .tcp = every_socket.tcp & ~(bit(TcpState::Listen) | bit(TcpState::TimeWait) | bit(TcpState::NewSynReceived)),
    .udp = 0};

}  // namespace

Network::Network(const Config& config, const ConnectionMemory& memory, Slots& slots, Collectors& all,
                 const std::string& root, const Processes* processes)
    : config_(config),
      all_(all),
      proc_(root + "/proc"),
      processes_(processes),
      sockets_(proc_),
      services_(config.service_names, services_table(), config.resolve_services),
      connections_(memory) {
    found_.find(sockets_);
    if (config.viewer()) {
        std::vector<std::string> complaints;
        viewer_ = std::make_shared<NetViewer>(config, connections_.count(), found_, services_, complaints);
        for (const std::string& line : complaints) log_line(Severity::Warning, line);
    }
    connections_.listen({.before_us = [this](const connection& c) { return found_.moved_by_then(c); },
                         .moved =
                             [this, &slots](uint32_t row, const connection& c, const Traffic& n) {
                                 if (viewer_) viewer_->moved(row, c, n);
                                 remember_process(c);
                                 if (is_tracked_) add_up(c, n);
                                 if (n.retransmits)
                                     slots.credit(processes_ ? processes_->owner_of(c.tgid) : Owner{}, retransmits,
                                                  n.retransmits);
                             },
                         .freed =
                             [this](uint32_t row, const connection&) {
                                 if (viewer_) viewer_->freed(row);
                             }});
}

Needs network_needs() {
    Needs needs{{CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN}, {{SYS_setns, 1, all_bits, CLONE_NEWNET}}};
    for (int call : {SYS_bind, SYS_connect, SYS_sendmsg, SYS_recvfrom, SYS_recvmsg, SYS_shutdown, SYS_getsockopt,
                     SYS_setsockopt, SYS_getsockname, SYS_getpeername, SYS_eventfd2, SYS_epoll_create1})
        needs.system_calls.push_back({call});
    for (uint64_t family : {AF_NETLINK, AF_INET, AF_INET6})
        needs.system_calls.push_back({SYS_socket, 0, all_bits, family});
    return needs;
}

void Network::on_end(const ended& record) {
    connection last;  // the ring buffer aligns it to 8 bytes, not to a cache line
    std::memcpy(&last, record.connection, sizeof last);
    connections_.ended(last);
}

void Network::on_listener(const listening& record) {
    found_.add_service(record.net_namespace, IPPROTO_TCP, static_cast<uint16_t>(record.port));
}

void Network::print(Writer&, const Tick& tick) {
    if (!viewer_ && !is_tracked_) return;
    if (reading_for_ != Nothing || tick.now - refreshed_ < refresh_interval || !connections_.tcp_moved()) return;
    connections_.forget_moved();
    refreshed_ = tick.now;
    rows_ = rows_by_ends();
    reading_for_ = Refresh;
    sockets_.begin(alive, processes_in_);
}

void Network::add_up(const connection& c, const Traffic& n) {
    bool inbound = found_.is_inbound(c);
    SocketKey key = key_of(c);
    key.local = {};
    (inbound ? key.remote_port : key.local_port) = 0;
    Connection& shown = moved_[key];
    static_cast<SocketKey&>(shown) = key;
    if (!shown.moved) shown.moved.emplace();
    shown.direction = inbound ? Direction::Inbound : Direction::Outbound;
    shown.tgid = c.tgid ? std::optional(c.tgid) : std::nullopt;
    shown.moved->bytes_sent += n.bytes_sent;
    shown.moved->bytes_received += n.bytes_received;
}

std::vector<Connection> Network::moved() {
    std::vector<Connection> all;
    for (auto& [key, c] : std::exchange(moved_, {})) {
        describe(c);
        all.push_back(std::move(c));
    }
    return all;
}

void Network::remember_process(const connection& c) {
    if (!c.tgid) return;
    if (last_process_.first != c.net_namespace || !last_process_.second) {
        if (processes_in_.size() >= most_namespaces) processes_in_.clear();  // they come and go
        last_process_ = {c.net_namespace, &processes_in_[c.net_namespace]};
    }
    *last_process_.second = c.tgid;
}

void Network::offer(Functions& functions) {
    functions_ = &functions;
    functions.offer(function_name, {.help = connection_table_help, .ask = [this] { list(); }});
}

void Network::list() {
    if (reading_for_ != Listing) sockets_.begin(every_socket);
    reading_for_ = Listing;
}

void Network::work(Writer& out) {
    bool more = sockets_.next([this](const Socket& s) {
        if (reading_for_ == Refresh)
            refresh(s);
        else if (s.state != TcpState::TimeWait)
            listed_.emplace(s.cookie, s);
    });
    if (more) return;
    rows_ = {};
    bool listed = std::exchange(reading_for_, Nothing) == Listing;
    all_.fold_now();
    if (!listed) return;
    functions_->answer(out, function_name,
                       connection_table(live_connections(clock_ns(CLOCK_MONOTONIC)), config_.update_every));
    listed_.clear();
}

void Network::retire(Writer& out) {
    if (functions_) functions_->withdraw(out, function_name, "connections are no longer counted");
}

void Network::refresh(const Socket& s) {
    uint32_t row = row_of(s, rows_);
    if (row != Connections::no_row && s.tcp) connections_.refresh(row, *s.tcp);
}

Network::RowsByEnds Network::rows_by_ends() const {
    RowsByEnds rows;
    if (connections_.has_cookies()) return rows;
    for (uint32_t i = 0; i < connections_.count(); i++)
        if (const connection* c = connections_.row(i)) rows[key_of(*c)] = i;
    return rows;
}

uint32_t Network::row_of(const Socket& s, const RowsByEnds& rows) const {
    if (uint32_t row = connections_.find(s.cookie); row != Connections::no_row) return row;
    auto row = rows.find(s);
    return row == rows.end() ? Connections::no_row : row->second;
}

// What its port and its process are called.
void Network::describe(Connection& c) const {
    c.service = services_.name(c.direction == Direction::Outbound ? c.remote_port : c.local_port, c.protocol);
    if (auto known = c.tgid && processes_ ? processes_->row(*c.tgid) : std::nullopt) {
        c.process = known->process.comm;
        c.application = known->app.name;
        c.cgroup = processes_->cgroup_name(known->process);
    }
}

// The sockets, with what their rows know of them.
std::vector<Connection> Network::live_connections(int64_t now) const {
    RowsByEnds rows = rows_by_ends();
    auto row_of = [&](const Socket& s) { return connections_.row(this->row_of(s, rows)); };
    std::unordered_set<uint32_t> unowned;
    for (const auto& [cookie, s] : listed_)
        if (const connection* row = row_of(s); s.inode && (!row || !row->tgid)) unowned.insert(s.inode);
    auto owners = socket_owners(proc_, unowned);

    std::vector<Connection> all;
    all.reserve(listed_.size());
    for (const auto& [cookie, s] : listed_) {
        const connection* row = row_of(s);
        Connection c{s};
        bool inbound = row ? found_.is_inbound(*row) : found_.is_service(s.net_namespace, s.protocol, s.local_port);
        c.direction = s.state == TcpState::Listen ? Direction::Listening
                      : inbound                   ? Direction::Inbound
                                                  : Direction::Outbound;
        if (s.tcp)
            c.moved = *s.tcp;
        else if (row && s.protocol == IPPROTO_UDP)
            c.moved = traffic_of(*row);
        if (row && row->life & (CONNECTION_INBOUND | CONNECTION_OUTBOUND))
            c.age = static_cast<double>(now - static_cast<int64_t>(row->since)) / 1e9;
        if (row && row->tgid)
            c.tgid = row->tgid;
        else if (auto owner = owners.find(s.inode); owner != owners.end())
            c.tgid = owner->second;
        describe(c);
        all.push_back(std::move(c));
    }
    return all;
}
