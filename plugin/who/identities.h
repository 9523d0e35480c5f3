// Whose counts they are: applications, containers and services, as a part of the running plugin.
#pragma once
#include <optional>
#include <string>
#include "bpf/programs.h"
#include "netdata/functions.h"
#include "who/processes.h"

Needs identity_needs();

class Identities : public Collector {
public:
    // Says what cannot be told apart, and listens to the records about processes.
    Identities(const Running& running, Slots& slots, AppRules rules);

    void offer(Functions& functions);  // ebpf-processes

    Processes& processes() { return *processes_; }
    std::deque<Member>* cgroups() { return cgroups_ ? &cgroups_->members() : nullptr; }  // null: not told apart

    Needs needs() const override { return identity_needs(); }
    void fold(const Tick& tick) override;
    Then on_signal(int signal) override;  // SIGHUP: reads the rules again
    int64_t due() const override { return answer_at_; }
    void work(Writer& out) override;

private:
    void ask();

    const Running& running_;
    Slots& slots_;
    std::optional<Cgroups> cgroups_;
    std::optional<Processes> processes_;
    std::vector<moved> moved_;
    Functions* functions_ = nullptr;
    int64_t counted_since_ = 0;  // the counts of each process, ns of CLOCK_MONOTONIC; 0: they are not gathered
    int64_t answer_at_ = never;  // to those who wait for the table
};
