// The processes of the machine: for whom each counts, its application and its cgroup.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>
#include "bpf/slots.h"
#include "who/app_rules.h"
#include "who/cgroups.h"
#include "who/counts_by_name.h"

struct Process {
    uint32_t tgid = 0, parent = 0;
    uint32_t cgroup = 0;
    uint32_t slots = 0;  // that count for it
    bool gone = false;
    char comm[16]{};
};

class Processes {
public:
    // Reads /proc once, for those that run already. `proc` is where the host's is, "" where its ids are not the kernel's
    // (in a pid namespace); then each is known from its first event on.
    Processes(AppRules rules, Cgroups* cgroups, std::string proc);

    // See Slots::Listener. A parent counts as older than its children, so its slot comes first.
    Owner owner(const slot& s);
    void counted(Owner who, int counter, uint64_t n) {
        uint32_t app = app_of_[who.process];
        apps_[app].totals[static_cast<size_t>(counter)] += n;
        if (who.cgroup) {
            Member& cgroup = (*cgroups_)[who.cgroup];
            cgroup.totals[static_cast<size_t>(counter)] += n;
            cgroup.active = true;  // by a thread perhaps, whose process is in another one
        }
        if (tracked_) counts_[who.process][static_cast<size_t>(counter)] += n;
        if (ungrouped_ && !app)
            ungrouped_->add(who.process ? processes_[who.process].comm : "(no process)", counter, n);
    }
    void freed(Owner who, const slot& s);
    void folded(bool sweep);  // the fold is over: those that were gone by the last one are forgotten

    // Best called before owner() is asked about the slot that was claimed then.
    void executes(const executed& record);
    bool lacks_command(const slot& s) const {
        return s.life & LIFE_EXECUTED && rules_.ask_for_commands() && !commands_.contains(s.since);
    }
    uint32_t moved(uint32_t tgid, uint64_t cgroup);  // answers the number of its new cgroup; the slots follow

    void regroup(AppRules rules);  // by new rules; what has been counted stays where it is

    // For the table of processes. While asked for, each process's counts are added up too, from the last call on.
    void track(bool on) { tracked_ = on, counts_.clear(); }
    struct Row {
        const Process& process;
        const Member& app;
        const Counters& counts;
    };
    std::optional<Row> row(uint32_t tgid) const;  // nothing if we do not know it
    Owner owner_of(uint32_t tgid) const;
    std::vector<Row> rows() const;             // of all; the counts since track(true)
    std::string command(uint32_t tgid) const;  // "" if it is gone
    std::string cgroup_name(const Process& process) const { return cgroups_ ? (*cgroups_)[process.cgroup].name : ""; }
    std::optional<unsigned> user(uint32_t tgid) const;  // nothing if it is gone

    // What is in no group, by the names that its processes had when they were found to have done it: all that `other` has
    // gained since the call before. The first call finds nothing; from then on it is gathered.
    CountsByName::Rows take_ungrouped();

    std::deque<Member>& apps() { return apps_; }  // the first is `other`
    size_t count() const { return by_tgid_.size(); }

private:
    uint32_t find(uint32_t tgid) const;
    uint32_t add(uint32_t tgid, uint32_t parent, const char* comm);
    uint32_t discover(uint32_t tgid, const char* comm);
    void scan();
    void group(uint32_t index, const std::string& command, bool inherit);
    void set_app(uint32_t index, uint32_t app);
    void set_cgroup(uint32_t index, uint32_t cgroup);
    void lift_to_parents();
    void inherit();
    void gain(Member& member);
    void leave(uint32_t index);
    void set_rules(AppRules rules);
    std::string command_line(uint32_t tgid) const;  // "" too if no rule asks for it
    std::string path(uint32_t tgid, const char* file = "") const;

    AppRules rules_;
    Cgroups* cgroups_;  // null: not told apart
    const std::string proc_;
    std::deque<Member> apps_;
    std::unordered_map<std::string, uint32_t> app_by_name_;
    std::vector<uint32_t> app_of_rule_app_;  // the rules' numbering to ours, which outlives the rules
    std::vector<Process> processes_;         // the first is nobody
    std::vector<uint32_t> app_of_;           // by process; apart, since each count wants it
    std::vector<uint32_t> free_, gone_, gone_before_;
    std::unordered_map<uint32_t, uint32_t> by_tgid_;
    std::unordered_map<uint64_t, std::string> commands_;  // by `since` of the slot; until that is folded
    std::unordered_map<uint32_t, Counters> counts_;
    bool tracked_ = false;
    std::optional<CountsByName> ungrouped_;
    size_t check_next_ = 1;
};
