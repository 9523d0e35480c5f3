#include "bpf/attach_plan.h"
#include <fmt/ranges.h>
#include <algorithm>

std::string Attachment::program() const {
    if (way == Way::Syscalls) {
        const char* direction = hook_ref(hook).hook.by_socket;
        return std::string(direction ? direction : "syscalls") + "__tp_btf";
    }
    std::string name = hook_ref(hook).name() + "__";
    switch (way) {
        case Way::Tracepoint: return (hook_ref(hook).hook.event ? name : target + "__") + "tp_btf";
        case Way::Trampoline: return name + (part == Part::Call ? "fentry" : "fexit");
        default: return name + (part == Part::Call ? "kprobe" : "kretprobe");
    }
}

bool Plan::paired(int hook) const {
    return std::any_of(attachments.begin(), attachments.end(),
                       [&](const Attachment& a) { return a.hook == hook && a.part == Part::Return; });
}

bool Plan::shares_program(int hook) const {
    return std::any_of(attachments.begin(), attachments.end(), [&](const Attachment& a) {
        return a.hook == hook && std::any_of(attachments.begin(), attachments.end(), [&](const Attachment& b) {
                   return b.hook != hook && a.target == b.target && a.program() == b.program();
               });
    });
}

CounterSet Plan::counted(const Config& config) const {
    CounterSet counted{};
    for (int way = 0; way < ways; way++) {
        CounterSet some = counted_by(static_cast<Way>(way), config);
        for (size_t c = 0; c < some.size(); c++) counted[c] |= some[c];
    }
    return counted;
}

CounterSet Plan::counted_by(Way way, const Config& config) const {
    CounterSet counted{};
    for (const Attachment& a : attachments) {
        if (a.way != way) continue;
        HookRef ref = hook_ref(a.hook);
        if (!config.group_on[ref.group_id()]) continue;  // attached for the slots alone
        const Kind& kind = ref.hook.kind;
        int counter = ref.first_counter();
        auto mark = [&](int n, bool known) {
            for (; n > 0; n--, counter++) counted[counter] |= known;
        };
        mark(kind.calls, a.part != Part::Return);
        mark(kind.errors, a.part != Part::Call && config.returns());
        mark(kind.bytes, a.part != Part::Call);
    }
    return counted;
}

namespace {

class Planner {
public:
    Planner(const Kernel& kernel, const Config& config, const std::vector<Refusal>& refusals)
        : kernel_(kernel), config_(config), refusals_(refusals), syscalls_(use_syscalls()) {}

    Plan plan() {
        // First what ends the life of a slot, so that no thread claims one and leaves without its being noticed.
        for (bool always : {true, false})
            for (const Group& group : groups)
                for (const Hook& hook : group.hooks)
                    if ((hook.need == Need::Always) == always)
                        plan_hook(group, hook, group.first_hook + static_cast<int>(&hook - group.hooks.data()));
        drop_partial_creates();
        bool counts = std::any_of(plan_.attachments.begin(), plan_.attachments.end(), [this](const Attachment& a) {
            HookRef ref = hook_ref(a.hook);
            return ref.hook.need != Need::Always && config_.group_on[ref.group_id()];
        });
        if (!counts) plan_.attachments.clear();
        return std::move(plan_);
    }

private:
    // The way by system calls slows all of them, so it is for kernels where no function can be hooked at all.
    bool use_syscalls() const {
        if (config_.attach != Attach::Auto) return config_.attach == Attach::Syscalls;
        auto refused = [this](Way way) { return !why_not(-1, way, Part::Whole).empty(); };
        return refused(Way::Trampoline) && refused(Way::ProbeMulti) && refused(Way::Probe);
    }

    // "" if nothing speaks against it.
    std::string why_not(int hook, Way way, Part part) const {
        if (way == Way::Trampoline && config_.attach == Attach::Probe) return "not asked for";
        if ((way == Way::Probe || way == Way::ProbeMulti) && config_.attach == Attach::Trampoline)
            return "not asked for";
        if (auto refused = kernel_.refused.find(way); refused != kernel_.refused.end()) return refused->second;
        for (const Refusal& r : refusals_)
            if (r.way == way && (r.hook == -1 || (r.hook == hook && r.part == part) || shares(r, hook))) return r.why;
        return "";
    }

    bool is_planned(const std::string& program) const {
        return std::any_of(plan_.attachments.begin(), plan_.attachments.end(),
                           [&](const Attachment& a) { return a.program() == program; });
    }

    // One program serves many system calls: what is refused to one of its hooks is refused to all.
    static bool shares(const Refusal& refusal, int hook) {
        return refusal.way == Way::Syscalls && hook >= 0 &&
               Attachment{hook, Way::Syscalls, Part::Whole, ""}.program() ==
                   Attachment{refusal.hook, Way::Syscalls, Part::Whole, ""}.program();
    }

    bool add(int hook, Way way, Part part, const std::string& target, std::string& reasons) {
        std::string why = why_not(hook, way, part);
        if (why.empty()) {
            plan_.attachments.push_back({hook, way, part, target});
            return true;
        }
        if (why != "not asked for") note(reasons, why);
        return false;
    }

    static void note(std::string& reasons, const std::string& why) {
        if (reasons.find(why) == std::string::npos) reasons += (reasons.empty() ? "" : "; ") + why;
    }

    // An open that makes its file does not come by vfs_create(): most files are made so.
    void drop_partial_creates() {
        constexpr int open = vfs_hook_base + int{vfs_open}, create = vfs_hook_base + int{vfs_create};
        auto is = [](int hook) { return [hook](const Attachment& a) { return a.hook == hook; }; };
        if (std::any_of(plan_.attachments.begin(), plan_.attachments.end(), is(open))) return;
        if (std::erase_if(plan_.attachments, is(create)))
            plan_.missing.push_back({create, "what vfs_open makes would not be in it"});
    }

    // By system calls.
    bool is_hidden(int hook) const { return !kernel_.reads_memory && hook == process_hook_base + int{process_clone}; }

    bool is_needed(const Group& group, const Hook& hook) const {
        switch (hook.need) {
            case Need::Always: return true;
            case Need::WithCgroups: return config_.cgroups;
            case Need::WithIdentities:
                if (config_.identities()) return true;
                [[fallthrough]];
            default: return config_.group_on[static_cast<size_t>(&group - groups)];
        }
    }

    void plan_hook(const Group& group, const Hook& hook, int id) {
        if (!is_needed(group, hook)) return;
        if (hook.need == Need::InsteadOfPrevious && std::any_of(plan_.attachments.begin(), plan_.attachments.end(),
                                                                [&](const Attachment& a) { return a.hook == id - 1; }))
            return;
        std::string reasons;
        if (hook.event) {
            if (!kernel_.events.contains(hook.event))
                reasons = fmt::format("the kernel has no tracepoint {}", hook.event);
            else
                add(id, Way::Tracepoint, Part::Call, hook.event, reasons);
        } else if (bool first = hook.event_first || syscalls_; !first || !plan_shared_event(hook, id, reasons)) {
            plan_function(hook, id, reasons);
            if (!reasons.empty() && !first && plan_shared_event(hook, id, reasons)) {
                // Instead of a function of which only the calls are seen: both would count each call.
                std::erase_if(plan_.attachments,
                              [&](const Attachment& a) { return a.hook == id && a.way != Way::Tracepoint; });
                reasons.clear();
            }
        }
        if (!reasons.empty() && hook.need != Need::InsteadOfPrevious) plan_.missing.push_back({id, reasons});
    }

    bool plan_shared_event(const Hook& hook, int id, std::string& reasons) {
        return hook.shared_event && kernel_.events.contains(hook.shared_event) &&
               add(id, Way::Tracepoint, Part::Whole, hook.shared_event, reasons);
    }

    void plan_function(const Hook& hook, int id, std::string& reasons) {
        bool results = hook.kind.bytes || (hook.kind.errors && config_.returns());
        if (!results && !hook.kind.calls && hook.kind.errors) return;
        if (syscalls_) {
            if (is_hidden(id))
                note(reasons,
                     "whether a clone3 was to make a thread stands in memory that lockdown (confidentiality) closes");
            else if (hook.by_socket && !kernel_.reads_memory)
                note(reasons, "a system call's socket stands in memory that lockdown (confidentiality) closes");
            else if (hook.by_socket && !hook.shared_event && !is_planned("receives__tp_btf"))
                note(reasons, "no event tells of it, and a look at every system call for it alone would cost too much");
            else if (*hook.syscalls || hook.by_socket)
                add(id, Way::Syscalls, Part::Whole, "sys_exit", reasons);
            else if (hook.need != Need::IfPresent)
                note(reasons, "no system call stands for it");
            return;
        }
        std::string function;
        for (const char* name : hook.functions)
            if (name && function.empty()) function = kernel_.resolve(name);
        if (function.empty()) {
            if (hook.need != Need::IfPresent)
                note(reasons,
                     fmt::format(
                         "the kernel has no function {}",
                         fmt::join(std::begin(hook.functions),
                                   std::find(std::begin(hook.functions), std::end(hook.functions), nullptr), " or ")));
            return;
        }
        if (add(id, Way::Trampoline, results ? Part::Whole : Part::Call, function, reasons)) {
            reasons.clear();
            return;
        }
        for (Way way : {Way::ProbeMulti, Way::Probe}) {
            if (!add(id, way, Part::Call, function, reasons)) continue;
            reasons.clear();  // why a better way was not to be had is no loss
            if (results) {
                std::string lost;
                for (Way back : {way, Way::Probe})
                    if (add(id, back, Part::Return, function, lost)) return;
                reasons = "only its calls are counted: " + lost;
            }
            return;
        }
    }

    const Kernel& kernel_;
    const Config& config_;
    const std::vector<Refusal>& refusals_;
    const bool syscalls_;
    Plan plan_;
};

}  // namespace

Plan make_plan(const Kernel& kernel, const Config& config, const std::vector<Refusal>& refusals) {
    return Planner(kernel, config, refusals).plan();
}
