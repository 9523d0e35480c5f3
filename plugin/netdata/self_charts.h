// The charts about the plugin itself: what it attached, what it missed, what it costs.
#pragma once
#include <initializer_list>
#include <span>
#include "bpf/own_cost.h"
#include "netdata/chart.h"

struct SelfFacts;
struct SelfDimension {
    const char* id;
    const char* meaning;  // as charts/README.md says it
    uint64_t (*value)(const SelfFacts& facts);
    bool level = true;
};
struct SelfChart {
    const char *id, *title;
    Unit unit;
    std::initializer_list<SelfDimension> dimensions;
    bool (*condition)(const Config& config) = nullptr;
};
std::span<const SelfChart> self_charts();

class SelfCharts {
public:
    SelfCharts(const Programs& programs, const CostMeter& meter, const Config& config);

    static void define(Writer& out, const Config& config, int update_every);
    void update(Writer& out, int64_t elapsed);

    void ticked(int64_t duration, int64_t late) {
        duration_ = duration, late_ = late;
    }  // microseconds, the last update

    // Calls that the kernel made while it skipped our programs, to be added to the totals of the system: a program that
    // is preempted is not run for other tasks on its CPU.
    const Counters& missed_calls() const { return missed_calls_; }

    void measured();   // the meter has
    void replanned();  // the programs are others now

private:
    const Programs& programs_;
    const CostMeter& meter_;
    const Config& config_;
    int64_t duration_ = 0, late_ = 0;
    int attached_[ways]{};
    Counters missed_calls_{};
};
