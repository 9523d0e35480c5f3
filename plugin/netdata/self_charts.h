// What the plugin itself costs: the charts about it - what it attached, what it missed, what it takes - and its limits.
#pragma once
#include <initializer_list>
#include <span>
#include "bpf/own_cost.h"
#include "netdata/chart.h"
#include "netdata/collector.h"

struct SelfFacts {
    const Programs& programs;
    const CostMeter& meter;
    int attached[ways]{};             // by way
    uint64_t duration = 0, late = 0;  // of the last update, microseconds
};
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
void define_self_charts(Writer& out, const Config& config);

class SelfCharts : public Collector {
public:
    // Folds after the slots. Without charts it keeps the limits, and adds up the totals, all the same.
    SelfCharts(const Running& running, const Slots& slots, bool has_charts);

    // Calls that the kernel made while it skipped our programs: a program that is preempted is not run for other tasks on
    // its CPU. They are in the totals of the system.
    const Counters& missed_calls() const { return missed_calls_; }
    const Counters& totals() const { return totals_; }

    Needs needs() const override { return meter_.needs(); }
    void begin(Writer& out) override;
    void fold(const Tick& tick) override;
    void print(Writer& out, const Tick& tick) override;
    int64_t due() const override { return measured_ ? 0 : never; }
    void work(Writer& out) override;  // leaves out a group if the cost is over a limit
    void replanned(Writer&, const CounterSet&) override { count_attached(); }

private:
    void count_attached();
    void add_up_missed_calls();

    const Running& running_;
    const Slots& slots_;
    const bool has_charts_;
    CostMeter meter_;
    Limits limits_;
    SelfFacts facts_;
    Counters missed_calls_{}, totals_{};
    bool measured_ = false;  // in this update
};
