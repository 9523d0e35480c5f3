// The charts about the plugin itself: what it attached, what it missed, what it costs.
#pragma once
#include <string>
#include "bpf.h"
#include "slots.h"
#include "writer.h"

class SelfCharts {
public:
    SelfCharts(const Programs& programs, const Config& config, int update_every);
    ~SelfCharts();

    void define(Writer& out) const;
    void update(Writer& out, const Slots& slots, const Connections* connections, int64_t elapsed);

    void look();  // now and then, at what the kernel knows of our programs; update() does

    void ticked(int64_t duration, int64_t late) {
        duration_ = duration, late_ = late;
    }  // microseconds, the last update

    // Calls that the kernel made while it skipped our programs, to be added to the totals of the system: a program that
    // is preempted is not run for other tasks on its CPU.
    const Counters& missed_calls() const { return missed_calls_; }

private:
    bool is_shown(long chart) const;
    void ask_the_kernel();

    const Programs& programs_;
    const int update_every_;
    const bool run_time_, sockets_;
    int statistics_fd_ = -1;  // while open, the kernel times each run of each program
    int statm_fd_ = -1;
    int ticks_ = 0;
    uint64_t missed_ = 0, run_time_ns_ = 0, map_bytes_ = 0, plugin_bytes_ = 0;
    int64_t duration_ = 0, late_ = 0;
    int attached_[ways]{};
    Counters missed_calls_{};
};
