// The connections that the kernel side tells of: their rows, and what has happened on each.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>
#include "bpf/shared_memory.h"
#include "net/sock_diag.h"

class Connections {
public:
    explicit Connections(const ConnectionMemory& memory);

    // Somebody who wants to know what moves. A row's number is its own until it is freed; `no_row` is that of a connection
    // that never had one.
    struct Listener {
        std::function<Traffic(const connection&)> before_us;  // what one that we did not see begin had moved by then
        std::function<void(uint32_t row, const connection&, const Traffic& since_last)> moved;
        std::function<void(uint32_t row, const connection&)> freed = {};
    };
    static constexpr uint32_t no_row = UINT32_MAX;
    void listen(Listener listener) { listener_ = std::move(listener); }

    // Folds the rows that are marked; `everything`: all. now: ns of CLOCK_MONOTONIC.
    void fold(int64_t now, bool everything = false);
    void refresh(uint32_t row, const Traffic& now);  // as its socket says
    void ended(const connection& untracked);         // as the kernel side says where it had no row to write to

    const connection* row(uint32_t number) const;      // null if there is none
    uint32_t find(uint64_t cookie) const;              // the row of the socket with that cookie; no_row if it has none
    bool has_cookies() const { return has_cookies_; }  // each row tells it; else some tell what only the programs know
    bool tcp_moved() const { return tcp_moved_; }      // since forget_moved()
    void forget_moved() { tcp_moved_ = false; }
    size_t count() const { return table_.count(); }
    size_t used() const { return table_.used(); }
    uint64_t untracked() const { return table_.rejected(); }  // events of connections without a row

private:
    void fold_row(uint32_t number, int64_t now);
    void retire_idle(int64_t now);
    void free_retired(int64_t now);
    void release(uint32_t number);
    void remove_from_index(uint32_t number) const;

    SharedTable<connection> table_;
    const int index_fd_;
    Listener listener_;
    std::vector<Traffic> known_;     // as of the last fold
    std::vector<uint32_t> changed_;  // when, in seconds of CLOCK_MONOTONIC; 0: not seen yet. Searched every second
    std::vector<std::pair<int64_t, uint32_t>> retired_;  // since when, row
    std::vector<uint8_t> is_retired_;
    bool has_cookies_;
    int64_t idle_checked_ = 0;
    bool tcp_moved_ = false;
};
