// The plan: what is attached where. A pure function of the tables, the settings and the kernel.
#pragma once
#include <string>
#include <vector>
#include "base/config.h"
#include "base/groups.h"
#include "bpf/kernel.h"

enum class Part { Whole, Call, Return };  // of a hook: what the program sees

struct Attachment {
    int hook;
    Way way;
    Part part;
    std::string target;  // the function or the tracepoint
    int of = -1;         // the hook whose program serves this one too; -1: it has its own

    int programs_hook() const { return of < 0 ? hook : of; }
    std::string program() const;  // its name in the object
};

// The kernel would not take this attachment, or not this way at all.
struct Refusal {
    int hook;  // -1: the way is refused for all hooks
    Way way;
    Part part;
    std::string why;
};

struct Missing {
    int hook;
    std::string why;
};

struct Plan {
    std::vector<Attachment> attachments;
    std::vector<Missing> missing;

    bool paired(int hook) const;          // seen by one program at the call and another at the return
    bool shares_program(int hook) const;  // its program serves other hooks too
    CounterSet counted(const Config& config) const;
    CounterSet counted_by(Way way, const Config& config) const;
};

// A way to see a hook: what is attached together, for its whole call or for the call and the return.
struct Choice {
    struct Step {
        Way way;
        Part part;
    };
    std::vector<Step> steps;
    std::string target;
    bool calls_only = false;  // its results go unseen, though they are wanted
};

// The ways to see a hook that are asked for, the best first. Without any, `none` says why, "" if nothing is missed.
struct Choices {
    std::vector<Choice> in_order;
    std::string none;
};
// by_syscalls: no function is hooked, the end of system calls stands in.
Choices choices(const Hook& hook, const Kernel& kernel, const Config& config, bool by_syscalls);

Plan make_plan(const Kernel& kernel, const Config& config, const std::vector<Refusal>& refusals = {});
