#include "who/processes.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <memory>
#include "base/error.h"
#include "base/owner.h"

namespace {

constexpr size_t longest_command = 16384;  // as apps.plugin reads

std::string read_begin(const std::string& path, size_t most) {
    std::string text(most, 0);
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ssize_t n = read(file.get(), text.data(), most);
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return text;
}

void set_comm(Process& process, std::string_view comm) {
    size_t n = std::min(comm.size(), sizeof process.comm - 1);
    std::memcpy(process.comm, comm.data(), n);
    process.comm[n] = 0;
}

std::string_view comm_of(const slot& s) { return {s.comm, strnlen(s.comm, sizeof s.comm - 1)}; }

void blank_zeros(std::string& text) {
    while (!text.empty() && !text.back()) text.pop_back();
    std::replace(text.begin(), text.end(), '\0', ' ');
}

}  // namespace

Processes::Processes(AppRules rules, Cgroups* cgroups, std::string proc) : cgroups_(cgroups), proc_(std::move(proc)) {
    set_rules(std::move(rules));
    processes_.emplace_back();
    app_of_.push_back(0);
    if (!proc_.empty()) scan();
}

void Processes::set_rules(AppRules rules) {
    rules_ = std::move(rules);
    app_of_rule_app_.clear();
    for (const AppRules::App& app : rules_.apps()) {
        auto [at, is_new] = app_by_name_.try_emplace(app.name, apps_.size());
        if (is_new) apps_.push_back({{.name = app.name}});
        apps_[at->second].hidden = app.hidden;
        app_of_rule_app_.push_back(at->second);
    }
}

uint32_t Processes::find(uint32_t tgid) const {
    auto found = by_tgid_.find(tgid);
    return found == by_tgid_.end() ? 0 : found->second;
}

uint32_t Processes::add(uint32_t tgid, uint32_t parent, const char* comm) {
    if (uint32_t before = find(tgid)) leave(before);  // its id is used again, or it executes another program
    uint32_t index;
    if (free_.empty()) {
        index = static_cast<uint32_t>(processes_.size());
        processes_.emplace_back();
        app_of_.push_back(0);
    } else {
        index = free_.back();
        free_.pop_back();
        processes_[index] = {};
        app_of_[index] = 0;
    }
    processes_[index].tgid = tgid;
    processes_[index].parent = parent;
    set_comm(processes_[index], comm);
    gain(apps_[0]);
    by_tgid_[tgid] = index;
    return index;
}

// A process that runs already. /proc knows more than its slot, whose name is that of a thread.
uint32_t Processes::discover(uint32_t tgid, const char* comm) {
    std::string stat = proc_.empty() ? "" : read_begin(path(tgid, "/stat"), 512);
    size_t open = stat.find('('), close = stat.rfind(')');
    unsigned parent = 0;
    std::string name = comm;
    if (open != std::string::npos && close != std::string::npos && close > open) {
        name = stat.substr(open + 1, close - open - 1);
        std::sscanf(stat.c_str() + close + 1, " %*c %u", &parent);
    }
    uint32_t index = add(tgid, parent, name.c_str());
    if (cgroups_ && !proc_.empty()) set_cgroup(index, cgroups_->of_process(tgid));
    return index;
}

void Processes::scan() {
    std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(proc_.c_str()), closedir);
    if (!dir) {
        log(Severity::Warning, "read {}: {}: processes are known from their first event on", proc_,
            std::strerror(errno));
        return;
    }
    std::vector<uint32_t> found;
    while (dirent* entry = readdir(dir.get()))
        if (auto tgid = static_cast<uint32_t>(std::atoi(entry->d_name)); tgid && !find(tgid))
            found.push_back(discover(tgid, ""));
    for (uint32_t index : found) group(index, command_line(processes_[index].tgid), false);
    lift_to_parents();
    inherit();
}

// From parents to children, as far down as it goes; nobody inherits from process 1. Each is passed by once on the way up, so
// that a long chain of processes takes no longer than as many others.
void Processes::inherit() {
    std::vector<bool> looked_at(processes_.size());
    std::vector<uint32_t> way;
    for (auto [tgid, index] : by_tgid_) {
        way.clear();
        uint32_t at = index;
        while (at && !app_of_[at] && !looked_at[at]) {
            looked_at[at] = true;
            way.push_back(at);
            at = processes_[at].parent > 1 ? find(processes_[at].parent) : 0;
        }
        if (uint32_t app = app_of_[at])
            for (uint32_t heir : way) set_app(heir, app);
    }
}

// A process without a group takes that of a child, but not across process 1 or the kernel's own threads. Only of those that
// are there at the start: what a shell happens to start later is no reason to count the shell for it.
void Processes::lift_to_parents() {
    for (uint32_t index = 1; index < processes_.size(); index++) {
        uint32_t app = app_of_[index];
        if (!app || processes_[index].gone) continue;
        // Its end may not have been told yet.
        if (access(path(processes_[index].tgid).c_str(), F_OK)) continue;
        for (uint32_t at = index;;) {
            uint32_t above = processes_[at].parent;
            at = above > 2 ? find(above) : 0;
            if (!at || app_of_[at]) break;
            set_app(at, app);
        }
    }
}

std::string Processes::path(uint32_t tgid, const char* file) const { return fmt::format("{}/{}{}", proc_, tgid, file); }

std::string Processes::command_line(uint32_t tgid) const { return rules_.ask_for_commands() ? command(tgid) : ""; }

void Processes::group(uint32_t index, const std::string& command, bool inherit) {
    Process& p = processes_[index];
    uint32_t app = p.tgid <= 1 ? 0 : app_of_rule_app_[rules_.match(p.comm, command)];
    if (uint32_t parent = find(p.parent); !app && inherit && parent && p.parent > 1) app = app_of_[parent];
    set_app(index, app);
}

void Processes::set_app(uint32_t index, uint32_t app) {
    if (!processes_[index].gone) {
        apps_[app_of_[index]].processes--;
        gain(apps_[app]);
    }
    app_of_[index] = app;
}

void Processes::gain(Member& member) {
    member.processes++;
    member.active = true;
}

void Processes::set_cgroup(uint32_t index, uint32_t cgroup) {
    Process& p = processes_[index];
    if (!cgroups_ || p.cgroup == cgroup) return;
    if (!p.gone && p.cgroup) (*cgroups_)[p.cgroup].processes--;
    if (!p.gone && cgroup) gain((*cgroups_)[cgroup]);
    p.cgroup = cgroup;
}

Owner Processes::owner(const slot& s) {
    uint32_t index = find(s.tgid);
    bool first_thread = (s.tag & ~ROW_RETIRED) == s.tgid;
    std::string comm(comm_of(s));
    if (first_thread && s.life & LIFE_BORN) {
        index = add(s.tgid, s.parent, comm.c_str());
        // It is what its parent is, until it executes something else.
        uint32_t parent = find(s.parent);
        if (parent && (app_of_[parent] || comm == processes_[parent].comm))
            set_app(index, app_of_[parent]);
        else
            group(index, command_line(s.tgid), true);
    } else if (first_thread && s.life & LIFE_EXECUTED) {
        index = add(s.tgid, s.parent, comm.c_str());  // what it did before stays where it belonged
        auto told = commands_.extract(s.since);
        std::string command = told ? std::move(told.mapped()) : "";
        if (command.empty() || command.size() == COMMAND_BYTES)
            if (std::string whole = command_line(s.tgid); !whole.empty()) command = std::move(whole);
        group(index, command, true);
    } else if (!index) {
        index = discover(s.tgid, comm.c_str());
        group(index, command_line(s.tgid), true);
    } else if (Process& p = processes_[index];
               !p.gone && comm != p.comm &&
               (first_thread || !*p.comm)) {  // it has renamed itself, or /proc hid its name
        set_comm(p, comm);
        group(index, command_line(s.tgid), true);
    }

    Owner owner{index, processes_[index].cgroup};
    if (!s.tag) return owner;  // a row of the overflow table
    processes_[index].slots++;
    if (cgroups_) {
        bool known = cgroups_->by_ids() || !(s.life & LIFE_BORN);
        uint32_t parent = find(s.parent);
        owner.cgroup = known ? cgroups_->of(s.cgroup, s.tgid) : parent ? processes_[parent].cgroup : 0;
        if (!cgroups_->by_ids() && !owner.cgroup) owner.cgroup = processes_[index].cgroup;
        if (first_thread) set_cgroup(index, owner.cgroup);
    }
    return owner;
}

void Processes::freed(Owner who, const slot& s) {
    Process& p = processes_[who.process];
    p.slots--;
    if (s.life & LIFE_EXITED && (s.tag & ~ROW_RETIRED) == p.tgid) leave(who.process);
}

// Its record stays until nothing counts for it any more: its last threads, and what a child asks of its parent.
void Processes::leave(uint32_t index) {
    Process& p = processes_[index];
    if (p.gone) return;
    apps_[app_of_[index]].processes--;
    set_cgroup(index, 0);
    p.gone = true;
    gone_.push_back(index);
}

void Processes::folded(bool sweep) {
    std::vector<uint32_t> wait;
    for (uint32_t index : gone_before_) {
        if (processes_[index].slots) {
            wait.push_back(index);
            continue;
        }
        if (auto at = by_tgid_.find(processes_[index].tgid); at != by_tgid_.end() && at->second == index)
            by_tgid_.erase(at);
        counts_.erase(index);
        free_.push_back(index);
    }
    gone_before_ = std::move(gone_);
    gone_before_.insert(gone_before_.end(), wait.begin(), wait.end());
    gone_.clear();
    if (commands_.size() > 10'000) commands_.clear();  // of slots that never came

    // A few now and then: whether they are still there, should an exit have escaped the kernel side.
    // Where process 1 is hidden (hidepid), others are too, and what is not seen there need not be gone.
    constexpr size_t few = 1000;
    bool check = sweep && !proc_.empty() && access((proc_ + "/1").c_str(), F_OK) == 0;
    for (size_t i = 0; check && i < std::min(few, processes_.size()); i++) {
        check_next_ = check_next_ + 1 < processes_.size() ? check_next_ + 1 : 1;
        Process& p = processes_[check_next_];
        if (p.tgid && !p.gone && !p.slots && access(path(p.tgid).c_str(), F_OK))
            leave(static_cast<uint32_t>(check_next_));
    }
}

void Processes::executes(const executed& record) {
    std::string command(record.command, std::min<size_t>(record.command_bytes, COMMAND_BYTES));
    size_t whole = command.size();
    blank_zeros(command);
    if (whole == COMMAND_BYTES) command.resize(whole, ' ');
    if (rules_.ask_for_commands()) commands_[record.since] = std::move(command);
}

uint32_t Processes::moved(uint32_t tgid, uint64_t cgroup) {
    uint32_t index = find(tgid);
    if (!cgroups_ || !index) return 0;
    uint32_t number = cgroups_->of(cgroup, tgid);
    set_cgroup(index, number);
    return number;
}

void Processes::regroup(AppRules rules) {
    set_rules(std::move(rules));
    for (auto [tgid, index] : by_tgid_)
        if (!processes_[index].gone) group(index, command_line(tgid), false);
    lift_to_parents();
    inherit();
}

CountsByName::Rows Processes::take_ungrouped() {
    if (!ungrouped_) ungrouped_.emplace();
    return ungrouped_->take();
}

std::optional<Processes::Row> Processes::row(uint32_t tgid) const {
    static const Counters nothing{};
    uint32_t index = find(tgid);
    if (!index) return {};
    auto counts = counts_.find(index);
    return Row{processes_[index], apps_[app_of_[index]], counts == counts_.end() ? nothing : counts->second};
}

Owner Processes::owner_of(uint32_t tgid) const {
    uint32_t index = find(tgid);
    return {index, processes_[index].cgroup};
}

std::vector<Processes::Row> Processes::rows() const {
    std::vector<Row> rows;
    for (auto [tgid, index] : by_tgid_) rows.push_back(*row(tgid));
    return rows;
}

std::string Processes::command(uint32_t tgid) const {
    if (proc_.empty()) return "";
    std::string text = read_begin(path(tgid, "/cmdline"), longest_command);
    blank_zeros(text);
    return text;
}

std::optional<unsigned> Processes::user(uint32_t tgid) const {
    struct stat about;
    if (proc_.empty() || stat(path(tgid).c_str(), &about)) return {};
    return about.st_uid;
}
