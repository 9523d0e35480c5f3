// The language in which a group says what it counts and where in the kernel. Read by clang (BPF C) and by g++.
#pragma once

// A hook is a row of the group's table:
//
//   HOOK(group, hook, kind, FUNCTIONS(...), SYSCALLS(...), attribute...)      counts what its kind says
//   ALSO(group, hook, of, kind, FUNCTIONS(...), SYSCALLS(...), attribute...)  a further path, disjoint, to the counters
//                                                                             of hook `of`
//   EVENT(group, hook, kind, "tracepoint", attribute...)                      a tracepoint
//   SAME(group, hook, kind, of_group, of_hook)                                the calls of another group's hook, for this
//                                                                             group's counters too: no further program runs
//
// FUNCTIONS: the kernel's functions, the best first. "sys_x" is the entry of a system call, "sys32_x" that of the same call
// by 32-bit programs where the kernel has a function of its own for it, "ext4:x" a function of that module. SYSCALLS: the
// system calls that stand in where no function can be hooked. Both pass through macros as one argument, in parentheses,
// which UNWRAP takes off.
#define FUNCTIONS(...) (__VA_ARGS__)
#define SYSCALLS(...) (__VA_ARGS__)
#define UNWRAP(...) __VA_ARGS__

// The kind says what is counted: it names the counters that the hook owns, first the calls, then the errors, then the
// bytes (how many of each: KIND_… in chart.h). The programs follow from it. BY_HAND(kind): their bodies stand in
// kernel-collector/<group>.bpf.c; PROGRAMS_BY_HAND(kind): the programs do, as those of events. A group may define kinds of
// its own. SAME takes the first three alone, of a hook whose bodies follow from its kind.
#define COUNTERS_NOTHING(group, hook)
#define COUNTERS_CALLS(group, hook) group##_##hook##_calls,
#define COUNTERS_CALLS_ERRORS(group, hook) group##_##hook##_calls, group##_##hook##_errors,
#define COUNTERS_CALLS_ERRORS_BYTES(group, hook) COUNTERS_CALLS_ERRORS(group, hook) group##_##hook##_bytes,
#define COUNTERS_BY_HAND(kind) COUNTERS_##kind
#define COUNTERS_PROGRAMS_BY_HAND(kind) COUNTERS_##kind

// Attributes: when a hook is attached; without one of these, when its group is on.
#define IF_PRESENT .need = Need::IfPresent  // likewise; a kernel without the function has no such path, so nothing is missing
#define WITH_IDENTITIES .need = Need::WithIdentities          // or when somebody asks whose counts they are
#define WITH_CGROUPS .need = Need::WithCgroups                // when control groups are told apart
#define INSTEAD_OF_PREVIOUS .need = Need::InsteadOfPrevious   // when the group is on and the hook before it is not attached
#define ALWAYS .need = Need::Always                           // even when the group is off: slots depend on it
#define ONLY_WITH(hook) .only_with = #hook  // that hook of the group is attached too, else this one would count a part only
// A tracepoint that reports the same calls: used if no function can be hooked, or in preference to them. One program serves
// all hooks that name it.
#define OR_EVENT(tracepoint) .shared_event = tracepoint
#define EVENT_FIRST(tracepoint) .shared_event = tracepoint, .event_first = true
// By system calls: counted at every one that "sends" or "receives", if its file is a socket of the hook's protocol.
#define BY_SOCKET(direction) .by_socket = #direction
// By system calls: `what` must be read from the program's memory.
#define IN_USER_MEMORY(what) .in_user_memory = what
#define TELLS_RELEASE .tells_release = true  // it notes in a task's slot that its parent has waited for it
#define PAIRED .paired = true                // its call and its return are seen by a program each, by whichever way

#define COUNTERS_OF_HOOK(group, hook, kind, ...) COUNTERS_##kind(group, hook)
#define NO_COUNTERS(...)
#define ID_OF_HOOK(group, hook, ...) group##_##hook,

// The counters of a group and its hooks, both numbered from 0.
#define ALL_COUNTERS(group) group##_HOOKS(COUNTERS_OF_HOOK, NO_COUNTERS, COUNTERS_OF_HOOK, COUNTERS_OF_HOOK)
#define DECLARE_COUNTERS(group)                                  \
	enum group##_counter { ALL_COUNTERS(group) group##_counters }; \
	enum group##_hook { group##_HOOKS(ID_OF_HOOK, ID_OF_HOOK, ID_OF_HOOK, ID_OF_HOOK) group##_hooks }
