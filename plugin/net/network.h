// The sockets, as a part of the running plugin: the connections, their charts, and the table of those that live.
#pragma once
#include <map>
#include <optional>
#include "bpf/records.h"
#include "net/connection.h"
#include "net/viewer.h"
#include "netdata/functions.h"
#include "who/processes.h"

Needs network_needs();

class Network : public Collector {
public:
    static constexpr size_t counts_for = socket_group;
    static constexpr int retransmits = socket_base + int{socket_retransmit_calls};  // the counter that its rows tell of

    // slots: get what a connection counts for its owner; processes: null if they are not told apart.
    Network(const Config& config, const ConnectionMemory& memory, Slots& slots, Collectors& all,
            const std::string& root, const Processes* processes);

    void on_end(const ended& record);  // of a connection without a row
    void on_listener(const listening& record);
    void offer(Functions& functions);  // ebpf-connections

    // The kernel's list of sockets can be long: it is read in pieces, and nothing waits for it. It is read when the
    // Function is called, and now and then for what the kernel has sent of what programs gave it long ago.
    void print(Writer& out, const Tick& tick) override;  // begins the latter, at most every 5 s, if somebody draws it

    // For somebody who watches. Connections of one process with one service of a host are one here.
    void track() { is_tracked_ = true; }
    std::vector<Connection> moved();  // those that moved something, and how much, since the last call

    const std::shared_ptr<NetViewer>& viewer() { return viewer_; }  // its charts are drawn after those of applications

    Needs needs() const override { return network_needs(); }
    void fold(const Tick& tick) override { connections_.fold(tick.now, tick.everything); }
    int64_t due() const override { return reading_for_ == Nothing ? never : 0; }
    void work(Writer& out) override;
    std::optional<size_t> group() const override { return counts_for; }
    void retire(Writer& out) override;

private:
    using RowsByEnds = std::unordered_map<SocketKey, uint32_t>;
    RowsByEnds rows_by_ends() const;                                 // empty where the rows are found by cookie
    uint32_t row_of(const Socket& s, const RowsByEnds& rows) const;  // Connections::no_row if it has none
    void remember_process(const connection& c);
    void add_up(const connection& c, const Traffic& n);
    void list();
    void refresh(const Socket& s);
    void describe(Connection& c) const;
    std::vector<Connection> live_connections(int64_t now) const;

    const Config& config_;
    Collectors& all_;
    const std::string proc_;
    const Processes* processes_;
    SockDiag sockets_;
    FoundSockets found_;
    const ServiceNames services_;
    Connections connections_;
    std::shared_ptr<NetViewer> viewer_;
    Functions* functions_ = nullptr;
    enum { Nothing, Refresh, Listing } reading_for_ = Nothing;
    int64_t refreshed_ = 0;                          // when, ns of CLOCK_MONOTONIC
    RowsByEnds rows_;                                // while we look for what is to be refreshed
    std::map<uint64_t, uint32_t> processes_in_;      // who last moved something there, by network namespace
    std::pair<uint64_t, uint32_t*> last_process_{};  // the one that was last needed
    std::unordered_map<uint64_t, Socket> listed_;    // by cookie: one may be told twice
    std::unordered_map<SocketKey, Connection> moved_;
    bool is_tracked_ = false;
};
