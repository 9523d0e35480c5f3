// What the loop knows of everything that counts or prints: the only inheritance in the house.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "base/groups.h"
#include "guard/needs.h"
#include "netdata/writer.h"

class Collectors;
class Programs;
struct Config;

// What all parts of the running plugin share.
struct Running {
    const Config& config;
    Programs& programs;
    Collectors& all;
    const std::string root;  // where the host's is, "" if that is ours
};

// One turn: an update, or a fold that somebody asked for between updates.
struct Tick {
    int64_t now = 0;                       // ns of CLOCK_MONOTONIC
    bool is_update = false;                // print() follows
    bool everything = false;               // look at all rows, marked or not
    int64_t elapsed = 0;                   // microseconds since the last update, 0 for the first
    int64_t last_took = 0, last_late = 0;  // microseconds: the last update's duration, and how late it began
};

enum class Then { GoOn, Fold, End };  // what the loop has to do after an event

class Collector {
public:
    static constexpr int64_t never = INT64_MAX;

    virtual ~Collector() = default;
    virtual Needs needs() const { return {}; }   // while it runs
    virtual void begin(Writer&) {}               // once: what can be printed before anything is counted
    virtual void fold(const Tick&) {}            // reads what the kernel side has counted
    virtual void print(Writer&, const Tick&) {}  // charts that are new, then the values
    virtual int fd() const { return -1; }        // watched by the loop, the same all the time; -1: nothing is
    virtual Then readable(Writer&, uint32_t /*events, EPOLL…*/) { return Then::GoOn; }
    virtual Then on_signal(int) { return Then::GoOn; }  // SIGHUP, SIGWINCH
    virtual int64_t due() const { return never; }       // when work() is wanted, ns of CLOCK_MONOTONIC
    virtual void work(Writer&) {}                       // a piece of what need not wait for an update; must be short
    virtual std::optional<size_t> group() const { return {}; }  // it counts for that group alone, in a table of its own
    virtual void retire(Writer&) {}  // that group is left out: its charts go for good, and so does it
    // Another group is left out: the charts of what is no longer counted go.
    virtual void replanned(Writer&, const CounterSet& /*counted*/) {}
};

// In the order in which they fold and print. Shared, since one that is left out is still known to others.
class Collectors {
public:
    void add(std::shared_ptr<Collector> collector) { all_.push_back(std::move(collector)); }
    size_t size() const { return all_.size(); }
    Collector& operator[](size_t i) const { return *all_[i]; }

    Collector* find(int fd) const;  // who is told when it is readable; null if nobody is any more

    // Of them all.
    Needs needs() const;
    void begin(Writer& out) const;
    void fold(const Tick& tick) const;
    void fold_now() const;  // between updates: what is marked
    void print(Writer& out, const Tick& tick) const;
    int64_t work(Writer& out) const;  // what is due; answers when something is again

    // Detaches the group's programs and takes away the charts of its counters, and its collectors.
    void leave_out(size_t group, Programs& programs, const Config& config, Writer& out);

private:
    std::vector<std::shared_ptr<Collector>> all_;
};
