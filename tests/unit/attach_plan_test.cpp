// The plan for kernels made up here: what is attached where, what is counted then, and what is said to be missing.
#include "bpf/attach_plan.h"
#include <gtest/gtest.h>
#include <map>
#include "fake_kernel.h"

namespace {

const char* name_of(Part part) {
    constexpr const char* names[] = {"whole", "call", "return"};
    return names[static_cast<int>(part)];
}

// "trampoline whole", "kprobe call + kprobe return", "" if the hook is not attached.
std::string how(const Plan& plan, const std::string& hook) {
    std::string text;
    for (const Attachment& a : plan.attachments)
        if (hook_ref(a.hook).name() == hook)
            text += std::string(text.empty() ? "" : " + ") + name_of(a.way) + " " + name_of(a.part);
    return text;
}

std::string target(const Plan& plan, const std::string& hook) {
    for (const Attachment& a : plan.attachments)
        if (hook_ref(a.hook).name() == hook) return a.target;
    return "";
}

std::string programs(const Plan& plan, const std::string& hook) {
    std::string names;
    for (const Attachment& a : plan.attachments)
        if (hook_ref(a.hook).name() == hook) names += a.program() + " ";
    return names;
}

// "" if it is not missing.
std::string why_missing(const Plan& plan, const std::string& hook) {
    for (const Missing& m : plan.missing)
        if (hook_ref(m.hook).name() == hook) return m.why;
    return "";
}

std::set<std::string> missing(const Plan& plan) {
    std::set<std::string> names;
    for (const Missing& m : plan.missing) names.insert(hook_ref(m.hook).name());
    return names;
}

std::set<Way> ways_used(const Plan& plan) {
    std::set<Way> used;
    for (const Attachment& a : plan.attachments) used.insert(a.way);
    return used;
}

// Of hooks or of counters.
using Names = std::set<std::string>;

Names counted(const Plan& plan, const Config& config) {
    Names names;
    CounterSet set = plan.counted(config);
    for (int c = 0; c < COUNTERS; c++)
        if (set[static_cast<size_t>(c)]) names.insert(counter_name(c));
    return names;
}

// What the hooks that `wanted` picks count by the tables. A hook that stands in for another is left out.
template <class Wanted>
Names by_the_tables(bool errors, bool others, Wanted wanted) {
    Names names;
    for (int id = 0; id < HOOKS; id++) {
        HookRef ref = hook_ref(id);
        const Kind& kind = ref.hook.kind;
        if (ref.hook.need == Need::InsteadOfPrevious || !wanted(ref)) continue;
        for (int i = 0; i < kind.calls + kind.errors + kind.bytes; i++) {
            bool is_error = i >= kind.calls && i < kind.calls + kind.errors;
            if (is_error ? errors : others) names.insert(counter_name(ref.first_counter() + i));
        }
    }
    return names;
}

// What the kernel with everything counts in load mode `entry`; and what `return` adds.
const auto every = [](const HookRef&) { return true; };
const Names calls_and_bytes = by_the_tables(false, true, every);
const Names errors = by_the_tables(true, false, every);

// What the functions of the group `socket` alone can tell.
const Names by_socket_functions = by_the_tables(
    true, true, [](const HookRef& ref) { return ref.group_id() == socket_group && ref.hook.functions[0]; });

Names both(Names all, const Names& more) {
    all.insert(more.begin(), more.end());
    return all;
}

Names all_but(Names all, const Names& less) {
    for (const std::string& name : less) all.erase(name);
    return all;
}

TEST(AttachPlan, EntryTakesFentryForCallsAndFexitForBytes) {
    Config config = config_with(LoadMode::Entry);
    Plan plan = make_plan(kernel_with_everything(), config);
    EXPECT_EQ(ways_used(plan), (std::set{Way::Tracepoint, Way::Trampoline}));
    EXPECT_EQ(how(plan, "file_open"), "trampoline call");
    EXPECT_EQ(how(plan, "vfs_read"), "trampoline whole");
    EXPECT_EQ(how(plan, "process_release"), "trampoline call");
    EXPECT_EQ(how(plan, "process_start"), "tracepoint call");
    EXPECT_EQ(how(plan, "process_clone"), "") << "it counts nothing but errors";
    EXPECT_EQ(missing(plan), Names());
    EXPECT_EQ(counted(plan, config), calls_and_bytes);
}

TEST(AttachPlan, ReturnTakesFexitForErrors) {
    Config config = config_with(LoadMode::Return);
    Plan plan = make_plan(kernel_with_everything(), config);
    EXPECT_EQ(how(plan, "file_open"), "trampoline whole");
    EXPECT_EQ(how(plan, "vfs_read"), "trampoline whole");
    EXPECT_EQ(how(plan, "process_clone"), "trampoline whole");
    EXPECT_EQ(how(plan, "process_release"), "trampoline call") << "it has no errors";
    EXPECT_EQ(missing(plan), Names());
    EXPECT_EQ(counted(plan, config), both(calls_and_bytes, errors));
}

TEST(AttachPlan, NamesThePrograms) {
    Plan entry = make_plan(kernel_with_everything(), config_with(LoadMode::Entry));
    Plan probed = make_plan(kernel_without(Way::Trampoline), config_with(LoadMode::Entry));
    Plan fallback = make_plan(kernel_of_system_calls(), config_with(LoadMode::Entry));
    EXPECT_EQ(programs(entry, "process_exit"), "process_exit__tp_btf ");
    EXPECT_EQ(programs(entry, "file_open"), "file_open__fentry ");
    EXPECT_EQ(programs(entry, "vfs_read"), "vfs_read__fexit ");
    EXPECT_EQ(programs(probed, "file_open"), "file_open__kprobe ");
    EXPECT_EQ(programs(probed, "vfs_read"), "vfs_read__kprobe vfs_read__kretprobe ");
    EXPECT_EQ(programs(fallback, "vfs_read"), "syscalls__tp_btf ");
}

TEST(AttachPlan, ProbesCallsAndReturnsApart) {
    Config config = config_with(LoadMode::Return);
    for (auto [kernel, way] : {std::pair{kernel_without(Way::Trampoline), "kprobe.multi"},
                               std::pair{kernel_without(Way::Trampoline, Way::ProbeMulti), "kprobe"}}) {
        SCOPED_TRACE(way);
        Plan plan = make_plan(kernel, config);
        std::string call = std::string(way) + " call", pair = call + " + " + way + " return";
        EXPECT_EQ(how(plan, "vfs_read"), pair);
        EXPECT_EQ(how(plan, "file_open"), pair);
        EXPECT_EQ(how(plan, "process_release"), call);
        EXPECT_TRUE(plan.paired(hook_named("vfs_read")));
        EXPECT_FALSE(plan.paired(hook_named("process_release")));
        EXPECT_EQ(missing(plan), Names());
        EXPECT_EQ(counted(plan, config), both(calls_and_bytes, errors));

        Config entry = config_with(LoadMode::Entry);
        plan = make_plan(kernel, entry);
        EXPECT_EQ(how(plan, "file_open"), call);
        EXPECT_EQ(how(plan, "vfs_read"), pair) << "bytes are the bytes that moved";
        EXPECT_EQ(counted(plan, entry), calls_and_bytes);
    }
}

TEST(AttachPlan, NeverPairsAWholeHook) {
    Plan plan = make_plan(kernel_with_everything(), config_with(LoadMode::Return));
    for (int id = 0; id < HOOKS; id++) EXPECT_FALSE(plan.paired(id)) << hook_ref(id).name();
}

TEST(AttachPlan, TakesSystemCallsWhereNothingElseIsToBeHad) {
    Config config = config_with(LoadMode::Entry);
    Plan plan = make_plan(kernel_of_system_calls(), config);
    EXPECT_EQ(ways_used(plan), (std::set{Way::Tracepoint, Way::Syscalls}));
    EXPECT_EQ(how(plan, "vfs_read"), "syscalls whole");
    EXPECT_EQ(target(plan, "vfs_read"), "sys_exit");
    EXPECT_EQ(how(plan, "file_close32"), "") << "its numbers are part of the other's";
    EXPECT_EQ(how(plan, "process_release"), "");
    EXPECT_EQ(how(plan, "process_freed"), "tracepoint call") << "instead of the release";
    EXPECT_EQ(missing(plan), (Names{"vfs_open", "vfs_create", "process_release", "socket_tcp_close"}));
    EXPECT_EQ(why_missing(plan, "vfs_open"), "no system call stands for it");
    EXPECT_EQ(programs(plan, "socket_udpv6_send"), "sends__tp_btf ");
    EXPECT_EQ(programs(plan, "socket_tcp_splice"), "receives__tp_btf ");

    const Names unseen = {"vfs open calls",    "vfs open errors",       "vfs create calls",
                          "vfs create errors", "process release calls", "socket tcp close calls"};
    const Names instead = {"process freed calls"};
    EXPECT_EQ(counted(plan, config), both(all_but(calls_and_bytes, unseen), instead));

    Config with_errors = config_with(LoadMode::Return);
    EXPECT_EQ(counted(make_plan(kernel_of_system_calls(), with_errors), with_errors),
              both(all_but(both(calls_and_bytes, errors), unseen), instead));
}

TEST(AttachPlan, LosesOnlyTheSocketsWithTheProgramThatLooksForThem) {
    Plan plan = make_plan(kernel_of_system_calls(), Config(),
                          {{hook_named("socket_udp_send"), Way::Syscalls, Part::Whole, "too large"}});
    EXPECT_EQ(missing(plan), (Names{"vfs_open", "vfs_create", "process_release", "socket_tcp_close", "socket_tcp_send",
                                    "socket_udp_send", "socket_udpv6_send"}));
    EXPECT_EQ(why_missing(plan, "socket_tcp_send"), "too large");

    Kernel locked = kernel_of_system_calls();
    locked.reads_memory = false;
    EXPECT_EQ(why_missing(make_plan(locked, Config()), "socket_tcp_receive"),
              "a system call's socket stands in memory that lockdown (confidentiality) closes");
}

TEST(AttachPlan, TakesTheWayThatIsAskedFor) {
    Kernel kernel = kernel_with_everything();
    EXPECT_EQ(how(make_plan(kernel, config_with(LoadMode::Entry, Attach::Trampoline)), "vfs_read"), "trampoline whole");
    EXPECT_EQ(how(make_plan(kernel, config_with(LoadMode::Entry, Attach::Probe)), "vfs_read"),
              "kprobe.multi call + kprobe.multi return");
    EXPECT_EQ(how(make_plan(kernel, config_with(LoadMode::Entry, Attach::Syscalls)), "vfs_read"), "syscalls whole");
}

TEST(AttachPlan, TakesNoOtherWayThanTheOneAskedFor) {
    for (auto [attach, kernel, reason] :
         {std::tuple{Attach::Trampoline, kernel_without(Way::Trampoline), "no trampoline!"},
          std::tuple{Attach::Probe, kernel_without(Way::ProbeMulti, Way::Probe), "no kprobe.multi!; no kprobe!"},
          std::tuple{Attach::Syscalls, kernel_without(Way::Syscalls), "no syscalls!"}}) {
        Plan plan = make_plan(kernel, config_with(LoadMode::Entry, attach));
        EXPECT_EQ(how(plan, "vfs_read"), "");
        EXPECT_EQ(why_missing(plan, "vfs_read"), reason);
        EXPECT_EQ(how(plan, "process_start"), "tracepoint call") << "events go on";
    }
}

TEST(AttachPlan, TakesTheFirstFunctionThatTheKernelHas) {
    Kernel kernel = kernel_with_everything();
    EXPECT_EQ(target(make_plan(kernel, Config()), "file_open"), "do_sys_openat2");
    kernel.functions["do_sys_open"] = 4;
    EXPECT_EQ(target(make_plan(kernel, Config()), "file_open"), "do_sys_openat2");
    kernel.functions.erase("do_sys_openat2");
    EXPECT_EQ(target(make_plan(kernel, Config()), "file_open"), "do_sys_open");
}

TEST(AttachPlan, FindsSystemCallsUnderTheirKernelsName) {
    Kernel kernel = kernel_with_everything();
    EXPECT_EQ(target(make_plan(kernel, Config()), "file_close"), "__x64_sys_close");
    kernel.functions.erase("__x64_sys_close");
    kernel.functions["__arm64_sys_close"] = 1;
    EXPECT_EQ(target(make_plan(kernel, Config()), "file_close"), "__arm64_sys_close");
    kernel.functions["sys_close"] = 1;
    EXPECT_EQ(target(make_plan(kernel, Config()), "file_close"), "sys_close");
}

TEST(AttachPlan, LosesOneHookForAMissingFunction) {
    Config config = config_with(LoadMode::Return);
    Kernel kernel = kernel_with_everything();
    size_t all = make_plan(kernel, config).attachments.size();
    kernel.functions.erase("vfs_unlink");
    Plan plan = make_plan(kernel, config);
    EXPECT_EQ(plan.attachments.size(), all - 1);
    EXPECT_EQ(missing(plan), Names{"vfs_unlink"});
    EXPECT_EQ(why_missing(plan, "vfs_unlink"), "the kernel has no function vfs_unlink");
    EXPECT_EQ(counted(plan, config), all_but(both(calls_and_bytes, errors), {"vfs unlink calls", "vfs unlink errors"}));
}

TEST(AttachPlan, NamesAllFunctionsThatItLookedFor) {
    Kernel kernel = kernel_with_everything();
    kernel.functions.erase("do_sys_openat2");
    EXPECT_EQ(why_missing(make_plan(kernel, Config()), "file_open"),
              "the kernel has no function do_sys_openat2 or do_sys_open");
}

TEST(AttachPlan, CountsOnByTheOtherPath) {
    Config config;
    Kernel kernel = kernel_with_everything();
    kernel.functions.erase("vfs_read");
    Plan plan = make_plan(kernel, config);
    EXPECT_EQ(missing(plan), Names{"vfs_read"});
    EXPECT_EQ(counted(plan, config), calls_and_bytes) << "vfs_readv counts to the same";
}

TEST(AttachPlan, MissesNo32BitPathsWhereThereAreNone) {
    Kernel kernel = kernel_with_everything();
    EXPECT_EQ(how(make_plan(kernel, Config()), "file_close32"), "trampoline call");
    for (auto f = kernel.functions.begin(); f != kernel.functions.end();)
        f = f->first.starts_with("__ia32_") ? kernel.functions.erase(f) : std::next(f);
    Plan plan = make_plan(kernel, Config());
    EXPECT_EQ(how(plan, "file_close32"), "");
    EXPECT_EQ(missing(plan), Names());
}

TEST(AttachPlan, SaysWhichTracepointIsMissing) {
    Kernel kernel = kernel_with_everything();
    kernel.events.erase("task_newtask");
    Plan plan = make_plan(kernel, Config());
    EXPECT_EQ(missing(plan), Names{"process_start"});
    EXPECT_EQ(why_missing(plan, "process_start"), "the kernel has no tracepoint task_newtask");
}

TEST(AttachPlan, CountsTasksFreedOnlyWhereReleasesCannotBe) {
    Config config;
    Kernel kernel = kernel_with_everything();
    Plan plan = make_plan(kernel, config);
    EXPECT_EQ(how(plan, "process_release"), "trampoline call");
    EXPECT_EQ(how(plan, "process_freed"), "");

    kernel.functions.erase("release_task");
    plan = make_plan(kernel, config);
    EXPECT_EQ(how(plan, "process_release"), "");
    EXPECT_EQ(how(plan, "process_freed"), "tracepoint call");
    EXPECT_EQ(missing(plan), Names{"process_release"});

    kernel.events.erase("sched_process_free");
    plan = make_plan(kernel, config);
    EXPECT_EQ(how(plan, "process_freed"), "");
    EXPECT_EQ(missing(plan), Names{"process_release"}) << "what only stands in is not missed itself";
}

TEST(AttachPlan, TriesTheNextWayForTheHookThatIsRefused) {
    int read = hook_named("vfs_read");
    Config config = config_with(LoadMode::Return);
    std::vector<Refusal> refusals = {{read, Way::Trampoline, Part::Whole, "too many arguments"}};
    Plan plan = make_plan(kernel_with_everything(), config, refusals);
    EXPECT_EQ(how(plan, "vfs_read"), "kprobe.multi call + kprobe.multi return");
    EXPECT_EQ(how(plan, "vfs_readv"), "trampoline whole");
    EXPECT_EQ(missing(plan), Names());

    refusals.push_back({read, Way::ProbeMulti, Part::Return, "no"});
    EXPECT_EQ(how(make_plan(kernel_with_everything(), config, refusals), "vfs_read"),
              "kprobe.multi call + kprobe return");

    refusals.push_back({read, Way::ProbeMulti, Part::Call, "no"});
    EXPECT_EQ(how(make_plan(kernel_with_everything(), config, refusals), "vfs_read"), "kprobe call + kprobe return");
}

TEST(AttachPlan, CountsCallsAloneWhereReturnsAreRefused) {
    int read = hook_named("vfs_unlink");
    Config config = config_with(LoadMode::Return);
    Plan plan = make_plan(kernel_without(Way::Trampoline), config,
                          {{read, Way::ProbeMulti, Part::Return, "this"}, {read, Way::Probe, Part::Return, "that"}});
    EXPECT_EQ(how(plan, "vfs_unlink"), "kprobe.multi call");
    EXPECT_EQ(why_missing(plan, "vfs_unlink"), "only its calls are counted: this; that");
    EXPECT_FALSE(plan.paired(read));
    EXPECT_EQ(counted(plan, config), all_but(both(calls_and_bytes, errors), {"vfs unlink errors"}));
}

TEST(AttachPlan, SaysWhyAHookIsRefusedEveryWay) {
    int read = hook_named("vfs_read");
    std::vector<Refusal> refusals = {{read, Way::Trampoline, Part::Whole, "first"},
                                     {read, Way::ProbeMulti, Part::Call, "second"},
                                     {read, Way::Probe, Part::Call, "second"}};
    Plan plan = make_plan(kernel_with_everything(), Config(), refusals);
    EXPECT_EQ(how(plan, "vfs_read"), "");
    EXPECT_EQ(why_missing(plan, "vfs_read"), "first; second") << "each reason once";
}

TEST(AttachPlan, LeavesOutARefusedTracepoint) {
    Plan plan = make_plan(kernel_with_everything(), Config(),
                          {{hook_named("process_start"), Way::Tracepoint, Part::Call, "no"}});
    EXPECT_EQ(how(plan, "process_start"), "");
    EXPECT_EQ(why_missing(plan, "process_start"), "no");
    EXPECT_EQ(how(plan, "process_exit"), "tracepoint call");
}

TEST(AttachPlan, LeavesOutAWayThatIsRefusedToAll) {
    std::vector<Refusal> refusals = {{-1, Way::Trampoline, Part::Whole, "none"}};
    Plan plan = make_plan(kernel_with_everything(), Config(), refusals);
    EXPECT_EQ(ways_used(plan), (std::set{Way::Tracepoint, Way::ProbeMulti}));
    refusals.push_back({-1, Way::ProbeMulti, Part::Call, "none"});
    EXPECT_EQ(ways_used(make_plan(kernel_with_everything(), Config(), refusals)),
              (std::set{Way::Tracepoint, Way::Probe}));
    refusals.push_back({-1, Way::Probe, Part::Call, "none"});
    EXPECT_EQ(ways_used(make_plan(kernel_with_everything(), Config(), refusals)),
              (std::set{Way::Tracepoint, Way::Syscalls}));
}

// What start_programs() does: whatever the kernel refuses, planning around it comes to an end.
TEST(AttachPlan, RunsOutOfIdeasWhenEverythingIsRefused) {
    for (Attach attach : {Attach::Auto, Attach::Trampoline, Attach::Probe, Attach::Syscalls}) {
        Kernel kernel = kernel_with_everything();
        Config config = config_with(LoadMode::Return, attach);
        std::vector<Refusal> refusals;
        for (;;) {
            Plan plan = make_plan(kernel, config, refusals);
            if (plan.attachments.empty()) break;
            const Attachment& a = plan.attachments.back();
            for (const Refusal& r : refusals)
                ASSERT_FALSE(r.hook == a.hook && r.way == a.way && r.part == a.part) << a.program() << " again";
            refusals.push_back({a.hook, a.way, a.part, "no"});
            ASSERT_LE(refusals.size(), static_cast<size_t>(HOOKS) * 6);
        }
        EXPECT_GE(refusals.size(), 5u);
    }
}

// Under lockdown (confidentiality).
TEST(AttachPlan, CountsNothingThatTakesAReadWhereProgramsMayNotRead) {
    Kernel kernel = kernel_of_system_calls();
    kernel.reads_memory = false;
    Config config = config_with(LoadMode::Return);
    Plan plan = make_plan(kernel, config);
    EXPECT_EQ(how(plan, "process_clone"), "");
    EXPECT_NE(why_missing(plan, "process_clone").find("lockdown"), std::string::npos);
    EXPECT_EQ(how(plan, "vfs_read"), "syscalls whole");

    kernel = kernel_with_everything();
    kernel.reads_memory = false;
    EXPECT_EQ(missing(make_plan(kernel, config)), Names{});
}

TEST(AttachPlan, DropsFilesMadeIfMostOfThemWouldBeMissed) {
    Kernel kernel = kernel_with_everything();
    kernel.functions.erase("vfs_open");
    Plan plan = make_plan(kernel, config_with(LoadMode::Return));
    EXPECT_EQ(missing(plan), (Names{"vfs_open", "vfs_create"}));
    EXPECT_EQ(how(plan, "vfs_create"), "");
}

TEST(AttachPlan, LeavesOutGroupsThatAreOff) {
    for (const Group& off : groups) {
        SCOPED_TRACE(off.name);
        Config config = config_with(LoadMode::Return);
        config.group_on[static_cast<size_t>(&off - groups)] = false;
        Plan plan = make_plan(kernel_with_everything(), config);
        for (const Attachment& a : plan.attachments) {
            HookRef hook = hook_ref(a.hook);
            bool for_others = hook.hook.need == Need::Always || hook.hook.need == Need::WithIdentities ||
                              hook.hook.need == Need::WithCgroups;
            if (!for_others) EXPECT_NE(&hook.group, &off) << hook.name();
        }
        EXPECT_EQ(counted(plan, config), by_the_tables(true, true, [&](const HookRef& r) { return &r.group != &off; }));
        EXPECT_EQ(missing(plan), Names());
    }
}

TEST(AttachPlan, EndsTheLivesOfSlotsWhateverIsCounted) {
    Config config;
    config.group_on.fill(false);
    config.group_on[vfs_group] = true;
    config.apps = config.cgroups = false;
    Plan plan = make_plan(kernel_with_everything(), config);
    EXPECT_EQ(how(plan, "process_exit"), "tracepoint call");
    EXPECT_EQ(how(plan, "process_exec"), "tracepoint call");
    EXPECT_EQ(how(plan, "process_start"), "");
    EXPECT_EQ(how(plan, "process_move"), "");
    EXPECT_EQ(how(plan, "process_freed"), "");
    for (const std::string& name : counted(plan, config))
        EXPECT_TRUE(name.starts_with("vfs ")) << name << ": only the group that is on is counted";
}

TEST(AttachPlan, TellsOfProcessesWhereSomebodyAsks) {
    Config config;
    config.group_on.fill(false);
    config.group_on[vfs_group] = true;
    auto is_attached = [&](const char* hook) {
        return !how(make_plan(kernel_with_everything(), config), hook).empty();
    };
    config.cgroups = false;
    EXPECT_TRUE(is_attached("process_start")) << "for applications";
    EXPECT_FALSE(is_attached("process_move"));
    config.apps = false, config.cgroups = true;
    EXPECT_TRUE(is_attached("process_start")) << "for cgroups";
    EXPECT_TRUE(is_attached("process_move"));
    EXPECT_FALSE(make_plan(kernel_with_everything(), config).counted(config)[COUNTER(process, start_processes)]);
}

TEST(AttachPlan, AttachesFirstWhatEndsTheLivesOfSlots) {
    Plan plan = make_plan(kernel_with_everything(), Config());
    bool others = false;
    for (const Attachment& a : plan.attachments) {
        bool always = hook_ref(a.hook).hook.need == Need::Always;
        EXPECT_FALSE(always && others) << a.program() << " comes too late";
        others |= !always;
    }
    EXPECT_TRUE(others);
}

TEST(AttachPlan, IsEmptyWhenEverythingIsOff) {
    Config config;
    config.group_on.fill(false);
    Plan plan = make_plan(kernel_with_everything(), config);
    EXPECT_TRUE(plan.attachments.empty());
    EXPECT_TRUE(plan.missing.empty());
}

TEST(AttachPlan, IsEmptyButSaysWhyWhenNothingThatIsOnCanBeCounted) {
    Config config = config_with(LoadMode::Entry, Attach::Trampoline);
    config.group_on.fill(false);
    config.group_on[file_group] = true;
    Plan plan = make_plan(kernel_without(Way::Trampoline), config);
    EXPECT_TRUE(plan.attachments.empty()) << "what ends slots is of no use alone";
    EXPECT_EQ(why_missing(plan, "file_open"), "no trampoline!");
}

// The kernel tells of each send and receive, of whatever socket: one program on each of the two counts for all hooks that
// would hang on functions.
const Names sends = {"socket_tcp_send", "socket_udp_send", "socket_udpv6_send"};
const Names receives = {"socket_tcp_receive", "socket_udp_receive", "socket_udpv6_receive"};

// The hooks that each program of a tracepoint serves.
std::map<std::string, Names> shared_programs(const Plan& plan) {
    std::map<std::string, Names> served;
    for (const Attachment& a : plan.attachments)
        if (a.way == Way::Tracepoint) served[a.program()].insert(hook_ref(a.hook).name());
    std::erase_if(served, [](const auto& program) { return program.second.size() < 2; });
    return served;
}

TEST(SharedEvents, AreTakenFirstWhereTheyAreTheBetterWay) {
    for (LoadMode mode : {LoadMode::Entry, LoadMode::Return})
        for (Attach attach : {Attach::Auto, Attach::Trampoline, Attach::Probe}) {
            Config config = config_with(mode, attach);
            Plan plan = make_plan(kernel_that_tells_of_messages(), config);
            EXPECT_EQ(how(plan, "socket_tcp_send"), "tracepoint whole");
            EXPECT_EQ(how(plan, "socket_tcp_receive"), "tracepoint whole");
            EXPECT_EQ(target(plan, "socket_tcp_send"), "sock_send_length");
            EXPECT_EQ(target(plan, "socket_tcp_receive"), "sock_recv_length");
            EXPECT_EQ(target(plan, "socket_udp_send"), "udp_sendmsg") << "there the function knows more";
            EXPECT_EQ(target(plan, "socket_udpv6_receive"), "udpv6_recvmsg");
            EXPECT_EQ(target(plan, "socket_tcp_splice"), "tcp_splice_read") << "of which no event tells";
            EXPECT_EQ(missing(plan), Names());
            EXPECT_EQ(counted(plan, config), mode == LoadMode::Entry ? calls_and_bytes : both(calls_and_bytes, errors));
            for (int id = 0; id < HOOKS; id++) EXPECT_FALSE(plan.shares_program(id)) << hook_ref(id).name();
        }
}

TEST(SharedEvents, AreTheLastChoiceOfTheOthersAndServeThemAll) {
    Kernel kernel = kernel_that_tells_of_messages();
    for (Way way : {Way::Trampoline, Way::ProbeMulti, Way::Probe}) kernel.refused[way] = "no";
    Config config = config_with(LoadMode::Return);
    Plan plan = make_plan(kernel, config);
    EXPECT_EQ(shared_programs(plan), (std::map<std::string, Names>{{"sock_send_length__tp_btf", sends},
                                                                   {"sock_recv_length__tp_btf", receives}}));
    for (int id = 0; id < HOOKS; id++) {
        std::string name = hook_ref(id).name();
        EXPECT_EQ(plan.shares_program(id),
                  sends.contains(name) || receives.contains(name) || programs(plan, name) == "syscalls__tp_btf ")
            << name;
    }
    EXPECT_EQ(why_missing(plan, "socket_udp_send"), "");
    EXPECT_NE(why_missing(plan, "socket_tcp_splice").find("alone would cost too much"), std::string::npos);
    for (const std::string& name : by_socket_functions)
        EXPECT_EQ(counted(plan, config).contains(name), name != "socket tcp close calls") << name;
}

TEST(SharedEvents, ServeTheHooksWhoseFunctionsAreMissing) {
    Kernel kernel = kernel_that_tells_of_messages();
    kernel.functions.erase("udp_sendmsg");
    Plan plan = make_plan(kernel, Config());
    EXPECT_EQ(shared_programs(plan),
              (std::map<std::string, Names>{{"sock_send_length__tp_btf", {"socket_tcp_send", "socket_udp_send"}}}));
    EXPECT_EQ(how(plan, "socket_udpv6_send"), "trampoline whole");
    EXPECT_TRUE(plan.shares_program(hook_named("socket_tcp_send")));
    EXPECT_FALSE(plan.shares_program(hook_named("socket_tcp_receive")));
    EXPECT_FALSE(plan.shares_program(hook_named("socket_udpv6_send")));
    EXPECT_EQ(missing(plan), Names());
}

TEST(SharedEvents, GiveWayToFunctionsWhereTheyAreAbsentOrRefused) {
    int send = hook_named("socket_tcp_send");
    Config config;
    Plan plan = make_plan(kernel_with_everything(), config);
    EXPECT_EQ(target(plan, "socket_tcp_send"), "tcp_sendmsg");
    EXPECT_EQ(how(plan, "socket_tcp_send"), "trampoline whole");

    std::vector<Refusal> refusals = {{send, Way::Tracepoint, Part::Whole, "no such argument"}};
    plan = make_plan(kernel_that_tells_of_messages(), config, refusals);
    EXPECT_EQ(target(plan, "socket_tcp_send"), "tcp_sendmsg");
    EXPECT_EQ(how(plan, "socket_tcp_receive"), "tracepoint whole");
    EXPECT_EQ(missing(plan), Names());
    EXPECT_EQ(counted(plan, config), calls_and_bytes);

    plan = make_plan(kernel_that_tells_of_messages(), config_with(LoadMode::Return, Attach::Probe), refusals);
    EXPECT_EQ(how(plan, "socket_tcp_send"), "kprobe.multi call + kprobe.multi return");
    EXPECT_EQ(missing(plan), Names());
}

TEST(SharedEvents, SayWhyNothingElseWasToBeHad) {
    Kernel kernel = kernel_with_everything();
    kernel.functions.erase("udp_sendmsg");
    EXPECT_EQ(why_missing(make_plan(kernel, Config()), "socket_udp_send"), "the kernel has no function udp_sendmsg");
    kernel = kernel_that_tells_of_messages();
    int send = hook_named("socket_udp_send");
    std::vector<Refusal> refusals = {{send, Way::Trampoline, Part::Whole, "one"},
                                     {send, Way::ProbeMulti, Part::Call, "two"},
                                     {send, Way::Probe, Part::Call, "three"},
                                     {send, Way::Tracepoint, Part::Whole, "four"}};
    Plan plan = make_plan(kernel, Config(), refusals);
    EXPECT_EQ(how(plan, "socket_udp_send"), "");
    EXPECT_EQ(why_missing(plan, "socket_udp_send"), "one; two; three; four");

    kernel.functions.erase("tcp_sendmsg");
    plan = make_plan(kernel, Config(), {{hook_named("socket_tcp_send"), Way::Tracepoint, Part::Whole, "refused"}});
    EXPECT_EQ(why_missing(plan, "socket_tcp_send"), "refused; the kernel has no function tcp_sendmsg");
}

TEST(SharedEvents, ServeInsteadOfAFunctionOfWhichOnlyTheCallsAreSeen) {
    int receive = hook_named("socket_udp_receive");
    Plan plan =
        make_plan(kernel_that_tells_of_messages(), config_with(LoadMode::Return, Attach::Probe),
                  {{receive, Way::ProbeMulti, Part::Return, "one"}, {receive, Way::Probe, Part::Return, "two"}});
    EXPECT_EQ(how(plan, "socket_udp_receive"), "tracepoint whole");
    EXPECT_EQ(missing(plan), Names());
}

TEST(SharedEvents, CountByTracepoint) {
    Config config = config_with(LoadMode::Return);
    Plan plan = make_plan(kernel_that_tells_of_messages(), config);
    CounterSet event = plan.counted_by(Way::Tracepoint, config), function = plan.counted_by(Way::Trampoline, config),
               probe = plan.counted_by(Way::Probe, config);
    for (int c : {COUNTER(socket, tcp_send_calls), COUNTER(socket, tcp_send_errors), COUNTER(socket, tcp_send_bytes),
                  COUNTER(socket, connects_v4), COUNTER(socket, accepts_tcp), COUNTER(socket, retransmit_calls)}) {
        EXPECT_TRUE(event[static_cast<size_t>(c)]) << counter_name(c);
        EXPECT_FALSE(probe[static_cast<size_t>(c)]) << counter_name(c);
    }
    for (int c : {COUNTER(socket, udp_send_calls), COUNTER(socket, udp_send_bytes), COUNTER(socket, accepts_udp),
                  COUNTER(socket, tcp_close_calls)}) {
        EXPECT_TRUE(function[static_cast<size_t>(c)]) << counter_name(c);
        EXPECT_FALSE(event[static_cast<size_t>(c)]) << counter_name(c);
    }
}

// sendfile(2) has a path of its own until 6.5.
TEST(AttachPlan, TakesThePathsThatTheKernelStillHas) {
    Config config;
    Kernel kernel = kernel_with_everything();
    EXPECT_EQ(how(make_plan(kernel, config), "socket_tcp_sendpage"), "trampoline whole");
    EXPECT_EQ(how(make_plan(kernel_that_tells_of_messages(), config), "socket_tcp_sendpage"), "trampoline whole");
    kernel.functions.erase("tcp_sendpage");
    Plan plan = make_plan(kernel, config);
    EXPECT_EQ(how(plan, "socket_tcp_sendpage"), "");
    EXPECT_EQ(missing(plan), Names());
    EXPECT_EQ(counted(plan, config), calls_and_bytes);
    EXPECT_EQ(missing(make_plan(kernel_of_system_calls(), config)).count("socket_tcp_sendpage"), 0u);
}

// The ends of UDP sockets count nothing; but their rows are freed by them.
TEST(AttachPlan, AttachesHooksThatCountNothingWithTheirGroup) {
    for (const char* hook : {"socket_udp_end", "socket_udpv6_end"})
        for (LoadMode mode : {LoadMode::Entry, LoadMode::Return}) {
            Config config = config_with(mode);
            EXPECT_EQ(how(make_plan(kernel_with_everything(), config), hook), "trampoline call");
            EXPECT_EQ(how(make_plan(kernel_without(Way::Trampoline), config), hook), "kprobe.multi call");
            Plan plan = make_plan(kernel_of_system_calls(), config);
            EXPECT_EQ(how(plan, hook), "");
            EXPECT_EQ(why_missing(plan, hook), "");
            config.group_on[socket_group] = false;
            EXPECT_EQ(how(make_plan(kernel_with_everything(), config), hook), "");
        }
    Kernel kernel = kernel_with_everything();
    Config config = config_with(LoadMode::Return);
    size_t all = make_plan(kernel, config).attachments.size();
    kernel.functions.erase("udp_destroy_sock");
    kernel.functions.erase("udpv6_destroy_sock");
    Plan plan = make_plan(kernel, config);
    EXPECT_EQ(plan.attachments.size(), all - 2);
    EXPECT_EQ(missing(plan), Names());
    EXPECT_EQ(counted(plan, config), both(calls_and_bytes, errors));
    EXPECT_EQ(how(plan, "socket_retransmit_synack"), "tracepoint call") << "it owns no counter either";
}

// Never two ways for one hook, never a hook and what stands in for it: each event is counted once.
TEST(AttachPlan, SeesEachPartOfAHookOnce) {
    Kernel patchy = kernel_with_everything();
    patchy.functions.erase("release_task");
    for (const Kernel& kernel :
         {kernel_with_everything(), kernel_without(Way::Trampoline), kernel_without(Way::ProbeMulti),
          kernel_without(Way::Probe), kernel_without(Way::Trampoline, Way::ProbeMulti), kernel_of_system_calls(),
          kernel_that_tells_of_messages(), patchy})
        for (LoadMode mode : {LoadMode::Entry, LoadMode::Return})
            for (Attach attach : {Attach::Auto, Attach::Trampoline, Attach::Probe, Attach::Syscalls}) {
                Config config = config_with(mode, attach);
                Plan plan = make_plan(kernel, config);
                std::set<std::pair<int, bool>> seen;
                for (const Attachment& a : plan.attachments) {
                    if (a.part != Part::Return) EXPECT_TRUE(seen.insert({a.hook, false}).second) << a.program();
                    if (a.part != Part::Call) EXPECT_TRUE(seen.insert({a.hook, true}).second) << a.program();
                }
                CounterSet set = plan.counted(config);
                EXPECT_FALSE(set[COUNTER(process, release_calls)] && set[COUNTER(process, freed_calls)]);
            }
}

std::string text_of(const Choice& choice) {
    std::string text;
    for (const Choice::Step& step : choice.steps)
        text += std::string(text.empty() ? "" : " + ") + name_of(step.way) + " " + name_of(step.part);
    return text + (choice.calls_only ? ", calls only" : "");
}

TEST(Choices, OfAPairedHookAreAProgramAtTheCallAndOneAtTheReturnByEachWay) {
    Hook timed{.name = "timed", .kind = KIND_CALLS, .first = 0, .functions = {"vfs_read"}, .paired = true};
    Choices all = choices(timed, kernel_with_everything(), config_with(LoadMode::Entry), false);
    std::vector<std::string> texts;
    for (const Choice& choice : all.in_order) texts.push_back(text_of(choice));
    EXPECT_EQ(texts,
              (std::vector<std::string>{
                  "trampoline call + trampoline return", "kprobe.multi call + kprobe.multi return",
                  "kprobe.multi call + kprobe return", "kprobe call + kprobe return", "trampoline call, calls only",
                  "kprobe.multi call, calls only", "kprobe.multi call, calls only", "kprobe call, calls only"}));
    timed.paired = false;
    all = choices(timed, kernel_with_everything(), config_with(LoadMode::Entry), false);
    ASSERT_FALSE(all.in_order.empty());
    EXPECT_EQ(text_of(all.in_order[0]), "trampoline call");
}

}  // namespace
