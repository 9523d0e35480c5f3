// What the plugin and its programs take of the machine, and whether the user allows it.
#pragma once
#include <optional>
#include <string>
#include "bpf/programs.h"
#include "guard/needs.h"

struct Cost {
    double programs = 0, plugin = 0;                // processor time, in parts of one CPU
    std::array<double, GROUP_COUNT> programs_of{};  // of that, what runs for this group alone
    uint64_t map_bytes = 0, plugin_bytes = 0;  // the plugin's: without what it shares, as the maps and libraries' code
};

// What is over a limit of the configuration, and what of it each group could give back.
struct Excess {
    std::string what;  // "takes … more than …", "" if nothing is
    std::array<double, GROUP_COUNT> by_group{};
};
using GroupSet = std::array<bool, GROUP_COUNT>;
Excess excess_of(const Cost& cost, const Config& config, const GroupSet& with_own_memory);

// Says what is to be left out so that the cost stays within the limits.
class Limits {
public:
    // Once a measurement: at the second in a row that is over a limit, the dearest group that can be left out. Throws if
    // there is none.
    std::optional<size_t> group_to_leave_out(const Excess& excess, const Programs& programs);

private:
    int times_over_ = 0;  // in a row
};

class CostMeter {
public:
    // timed: the programs too. The kernel then reads the clock twice more for each of their runs, in one update of ten.
    CostMeter(const Programs& programs, bool timed);
    ~CostMeter();
    CostMeter(const CostMeter&) = delete;
    CostMeter& operator=(const CostMeter&) = delete;

    // Once an update, with the time in ns of CLOCK_MONOTONIC. True if the cost has been measured anew.
    bool measure(int64_t now);
    Needs needs() const;

    const Cost& cost() const { return cost_; }
    const Programs::Statistics& statistics() const { return statistics_; }  // no older than ten updates

private:
    const Programs& programs_;
    const bool timed_;
    int statm_fd_ = -1;
    int timing_fd_ = -1;  // while open, the kernel times the programs
    int updates_ = 0;
    int64_t measured_ = 0, used_ = 0;  // when the cost was last measured, and the plugin's processor time until then
    int64_t timing_since_ = 0;
    Programs::Statistics statistics_;
    Cost cost_;
};
