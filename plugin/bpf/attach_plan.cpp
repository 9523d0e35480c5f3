#include "bpf/attach_plan.h"
#include <fmt/ranges.h>
#include <algorithm>

std::string Attachment::program() const {
    HookRef ref = hook_ref(programs_hook());
    if (way == Way::Syscalls) {
        const char* direction = ref.hook.by_socket;
        return std::string(direction ? direction : "syscalls") + "__tp_btf";
    }
    std::string name = ref.name() + "__";
    switch (way) {
        case Way::Tracepoint: return (ref.hook.event ? name : target + "__") + "tp_btf";
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

void add_reason(std::string& reasons, const std::string& why) {
    if (reasons.find(why) == std::string::npos) reasons += (reasons.empty() ? "" : "; ") + why;
}

Choices event_choices(const Hook& hook, const Kernel& kernel) {
    if (!kernel.events.contains(hook.event)) return {{}, fmt::format("the kernel has no tracepoint {}", hook.event)};
    return {{{{{Way::Tracepoint, Part::Call}}, hook.event}}, ""};
}

Choices syscall_choices(const Hook& hook, const Kernel& kernel) {
    if (!*hook.syscalls && !hook.by_socket)
        return {{}, hook.need == Need::IfPresent ? "" : "no system call stands for it"};
    const char* in_memory = hook.by_socket ? "a system call's socket" : hook.in_user_memory;
    if (in_memory && !kernel.reads_memory)
        return {{}, fmt::format("{} stands in memory that lockdown (confidentiality) closes", in_memory)};
    return {{{{{Way::Syscalls, Part::Whole}}, "sys_exit"}}, ""};
}

// One program sees the whole call; or one sees the call and one the return, which may be had by another way.
Choices function_choices(const Hook& hook, bool results, const Kernel& kernel, const Config& config) {
    std::string function = kernel.resolve(hook);
    if (function.empty())
        return {{},
                hook.need == Need::IfPresent
                    ? ""
                    : fmt::format("the kernel has no function {}", fmt::join(hook.function_names(), " or "))};
    Choices all;
    auto add = [&](std::vector<Choice::Step> steps) { all.in_order.push_back({std::move(steps), function}); };
    if (config.attach != Attach::Probe) {
        if (hook.paired)
            add({{Way::Trampoline, Part::Call}, {Way::Trampoline, Part::Return}});
        else
            add({{Way::Trampoline, results ? Part::Whole : Part::Call}});
    }
    if (config.attach == Attach::Trampoline) return all;
    for (Way call : {Way::ProbeMulti, Way::Probe}) {
        if (!results) add({{call, Part::Call}});
        for (Way back : {Way::ProbeMulti, Way::Probe})
            if (results && (call == back || call == Way::ProbeMulti)) add({{call, Part::Call}, {back, Part::Return}});
    }
    return all;
}

// What is left where no return can be seen.
void add_calls_only(Choices& all, const Hook& hook) {
    if (!hook.kind.calls) return;
    for (size_t i = 0, n = all.in_order.size(); i < n; i++)
        if (Choice choice = all.in_order[i]; choice.steps.size() == 2) {
            choice.steps.pop_back();
            choice.calls_only = true;
            all.in_order.push_back(std::move(choice));
        }
}

}  // namespace

Choices choices(const Hook& hook, const Kernel& kernel, const Config& config, bool by_syscalls) {
    if (hook.event) return event_choices(hook, kernel);
    bool results = hook.paired || hook.kind.bytes || (hook.kind.errors && config.returns());
    if (!results && !hook.kind.calls && hook.kind.errors) return {};  // it counts nothing but errors
    Choices all = by_syscalls ? syscall_choices(hook, kernel) : function_choices(hook, results, kernel, config);
    if (hook.shared_event && kernel.events.contains(hook.shared_event)) {
        bool first = hook.event_first || by_syscalls;
        all.in_order.insert(first ? all.in_order.begin() : all.in_order.end(),
                            {{{Way::Tracepoint, Part::Whole}}, hook.shared_event});
    }
    if (results) add_calls_only(all, hook);
    return all;
}

namespace {

class Planner {
public:
    Planner(const Kernel& kernel, const Config& config, const std::vector<Refusal>& refusals)
        : kernel_(kernel), config_(config), refusals_(refusals), by_syscalls_(takes_syscalls()) {}

    Plan plan() {
        // First what ends the life of a slot, so that no thread claims one and leaves without its being noticed.
        for (bool always : {true, false})
            for (int id = 0; id < HOOKS; id++)
                if ((hook_ref(id).hook.need == Need::Always) == always && is_needed(hook_ref(id)))
                    plan_hook(hook_ref(id));
        drop_partial();
        plan_sames();
        bool counts = std::any_of(plan_.attachments.begin(), plan_.attachments.end(), [this](const Attachment& a) {
            HookRef ref = hook_ref(a.hook);
            return ref.hook.need != Need::Always && is_on(ref);
        });
        if (!counts) plan_.attachments.clear();
        return std::move(plan_);
    }

private:
    // The way by system calls slows all of them, so it is for kernels where no function can be hooked at all.
    bool takes_syscalls() const {
        if (config_.attach != Attach::Auto) return config_.attach == Attach::Syscalls;
        auto refused = [this](Way way) { return !why_not({-1, way, Part::Whole, ""}).empty(); };
        return refused(Way::Trampoline) && refused(Way::ProbeMulti) && refused(Way::Probe);
    }

    // "" if nothing speaks against it. What is refused to a program is refused to all the hooks that it serves.
    std::string why_not(const Attachment& a) const {
        if (auto refused = kernel_.refused.find(a.way); refused != kernel_.refused.end()) return refused->second;
        for (const Refusal& r : refusals_) {
            bool same = r.hook == a.hook && r.part == a.part;
            bool shared = r.way == Way::Syscalls && r.hook >= 0 && a.hook >= 0 &&
                          Attachment{r.hook, r.way, r.part, a.target}.program() == a.program();
            if (r.way == a.way && (r.hook == -1 || same || shared)) return r.why;
        }
        return "";
    }

    bool is_planned(auto matches) const {
        return std::any_of(plan_.attachments.begin(), plan_.attachments.end(), matches);
    }
    bool is_attached(int hook) const {
        return is_planned([hook](const Attachment& a) { return a.hook == hook; });
    }

    bool is_on(const HookRef& ref) const { return config_.group_on[ref.group_id()]; }

    // The hooks of other groups that are on and count the same calls.
    std::vector<HookRef> sames(const HookRef& of) const {
        std::vector<HookRef> all;
        for (int id = 0; id < HOOKS; id++)
            if (HookRef ref = hook_ref(id); ref.hook.same_as && ref.hook.same_as == of.name() && is_on(ref))
                all.push_back(ref);
        return all;
    }

    // They share its programs and what is missing of it.
    void plan_sames() {
        for (int id = 0; id < HOOKS; id++) {
            HookRef of = hook_ref(id);
            for (const HookRef& same : sames(of)) {
                for (size_t i = 0, n = plan_.attachments.size(); i < n; i++)
                    if (Attachment a = plan_.attachments[i]; a.hook == id) {
                        a.hook = same.id;
                        a.of = id;
                        plan_.attachments.push_back(std::move(a));
                    }
                for (size_t i = 0, n = plan_.missing.size(); i < n; i++)
                    if (Missing m = plan_.missing[i]; m.hook == id)
                        plan_.missing.push_back({same.id, std::move(m.why)});
                if (!is_on(of)) std::erase_if(plan_.missing, [id](const Missing& m) { return m.hook == id; });
            }
        }
    }

    bool is_needed(const HookRef& ref) const {
        if (ref.hook.same_as) return false;  // see plan_sames()
        switch (ref.hook.need) {
            case Need::Always: return true;
            case Need::WithCgroups: return config_.cgroups;
            case Need::WithIdentities: return config_.identities() || is_on(ref);
            case Need::InsteadOfPrevious: return is_on(ref) && !is_attached(ref.id - 1);
            default: return is_on(ref) || !sames(ref).empty();
        }
    }

    void plan_hook(const HookRef& ref) {
        Choices ways = choices(ref.hook, kernel_, config_, by_syscalls_);
        bool event_first = ref.hook.event_first || by_syscalls_;
        std::string reasons = event_first ? "" : ways.none, lost_results;
        for (const Choice& choice : ways.in_order) {
            std::vector<Attachment> all;
            for (const Choice::Step& step : choice.steps) all.push_back({ref.id, step.way, step.part, choice.target});
            if (all[0].way == Way::Syscalls && costs_too_much(ref.hook, all[0].program())) {
                add_reason(reasons,
                           "no event tells of it, and a look at every system call for it alone would cost too much");
                continue;
            }
            auto refused = std::find_if(all.begin(), all.end(), [this](auto& a) { return !why_not(a).empty(); });
            if (refused != all.end()) {
                add_reason(refused->part == Part::Return ? lost_results : reasons, why_not(*refused));
                continue;
            }
            plan_.attachments.insert(plan_.attachments.end(), all.begin(), all.end());
            reasons = choice.calls_only ? "only its calls are counted: " + lost_results : "";
            ways.none.clear();
            break;
        }
        if (!ways.none.empty()) add_reason(reasons, ways.none);
        if (!reasons.empty() && ref.hook.need != Need::InsteadOfPrevious) plan_.missing.push_back({ref.id, reasons});
    }

    // A program at every system call only together with what needs it anyway.
    bool costs_too_much(const Hook& hook, const std::string& program) const {
        return hook.by_socket && !hook.shared_event &&
               !is_planned([&](const Attachment& a) { return a.program() == program; });
    }

    // What would count only a part without another hook: most files are made by an open, not by vfs_create().
    void drop_partial() {
        for (int id = 0; id < HOOKS; id++) {
            HookRef ref = hook_ref(id);
            if (!ref.hook.only_with) continue;
            HookRef other = hook_named(ref.group, ref.hook.only_with);
            if (is_attached(other.id)) continue;
            if (std::erase_if(plan_.attachments, [id](const Attachment& a) { return a.hook == id; }))
                plan_.missing.push_back({id, fmt::format("what {} makes would not be in it", other.name())});
        }
    }

    const Kernel& kernel_;
    const Config& config_;
    const std::vector<Refusal>& refusals_;
    const bool by_syscalls_;
    Plan plan_;
};

}  // namespace

Plan make_plan(const Kernel& kernel, const Config& config, const std::vector<Refusal>& refusals) {
    return Planner(kernel, config, refusals).plan();
}
