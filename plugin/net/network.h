// What the loop does about sockets: the connections, their charts, and the table of those that live.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include "bpf/records.h"
#include "net/sock_diag.h"
#include "net/viewer.h"
#include "who/processes.h"

class Network {
public:
    // root: where the host's /proc is, "" if that is ours; processes: null if they are not told apart; credit: takes what a
    // connection counts for its owner.
    Network(const Config& config, const ConnectionMemory& memory, int update_every, const std::string& root,
            const Processes* processes, std::function<void(Owner, int counter, uint64_t n)> credit);

    void listen(Records& records);  // to what is about sockets
    void fold(int64_t now, bool everything) { connections_.fold(now, everything); }
    void update(Writer& out, int64_t elapsed, int64_t now);  // as NetViewer's
    void retire(Writer& out) const {                         // likewise
        if (viewer_) viewer_->retire(out);
    }
    void look_again(int64_t now);  // if it is time, at what the kernel has sent meanwhile; update() does

    // For somebody who watches. Connections of one process with one service of a host are one here.
    void track();
    std::vector<struct Connection> moved();  // those that moved something, and how much, since the last call

    int names_fd() const { return viewer_ ? viewer_->names_fd() : -1; }
    void hear_names() { viewer_->hear_names(); }

    // The kernel's list of sockets can be long: it is read in pieces, and nothing waits for it. We look at it when the
    // Function is called, and now and then for what the kernel has sent of what programs gave it long ago.
    void ask(const std::string& transaction);
    bool is_looking() const { return looking_for_ != Nothing; }
    void look_on();  // a piece
    struct Answer {
        std::vector<std::string> calls;  // none: it is not time yet
        std::string table;
    };
    Answer answer(int64_t now);
    const std::vector<std::string>& waiting() const { return calls_; }

    const Connections& connections() const { return connections_; }

private:
    using RowsByEnds = std::unordered_map<SocketKey, uint32_t>;
    RowsByEnds rows_by_ends() const;                                 // empty where the rows are found by cookie
    uint32_t row_of(const Socket& s, const RowsByEnds& rows) const;  // Connections::no_row if it has none
    void remember_process(const connection& c);
    void refresh(const Socket& s);
    void describe(struct Connection& c) const;
    std::vector<struct Connection> live_connections(int64_t now) const;

    const std::string proc_;
    const int update_every_;
    const Processes* processes_;
    SockDiag sockets_;
    FoundSockets found_;
    const ServiceNames services_;
    Connections connections_;
    std::optional<NetViewer> viewer_;
    enum { Nothing, Refreshed, Listed } looking_for_ = Nothing;
    int64_t refreshed_ = 0;                          // when, ns of CLOCK_MONOTONIC
    RowsByEnds rows_;                                // while we look for what is to be refreshed
    std::map<uint64_t, uint32_t> processes_in_;      // who last moved something there, by network namespace
    std::pair<uint64_t, uint32_t*> last_process_{};  // the one that was last needed
    std::vector<std::string> calls_;                 // transactions that wait
    std::unordered_map<uint64_t, Socket> listed_;    // by cookie: one may be told twice
    struct Moved {
        uint64_t bytes_sent = 0, bytes_received = 0;
        uint32_t tgid = 0;
        bool inbound = false;
    };
    std::unordered_map<SocketKey, Moved> moved_;  // while they are tracked
};
