// The ways to attach: from one body at the call and one at the return, a program for each way. None is loaded ("?")
// until the plugin has planned it and named the function that it hangs on.
#pragma once
#include "slots.bpf.h"

// The result is an int: each function hooked here returns an errno, an fd, a pid or at most INT_MAX bytes, however wide
// it says. (do_sys_openat2 was long and became int; as a long its errors would look positive.)
// It lies behind the arguments, and how many those are differs between kernels; settings are constant to the verifier,
// which therefore sees one fixed offset. (In assembler, or the compiler makes one load of them with a computed offset.)
#define RESULT_AFTER(n) \
	case n: asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(value) : "r"(ctx), "i"(n * 8)); break;
static __always_inline int result(const void *ctx, __u8 arguments)
{
	__u64 value = 0;

	switch (arguments) {
	RESULT_AFTER(1)
	RESULT_AFTER(2)
	RESULT_AFTER(3)
	RESULT_AFTER(4)
	RESULT_AFTER(5)
	RESULT_AFTER(6)
	}
	return value;
}

// -ERESTARTSYS and its sisters (512 to 516) never reach user space: the kernel makes the call again.
static __always_inline bool is_error(int ret)
{
	return ret < 0 && (ret > -512 || ret < -516);
}

// Of a hook that is paired, one program sees the call, another the return. What the first leaves for the second lies in a
// note of that hook and thread: paired hooks nest (udp_sendmsg inside udpv6_sendmsg).
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); // the plugin sets how many: as many as slots for each paired hook that leaves something
	__type(key, __u32);
	__type(value, struct note);
} notes SEC(".maps");

static __always_inline struct note *note_of(const struct row *row, __u32 hook)
{
	__u32 at = row->index * settings.notes + settings.note_of[hook];

	return bpf_map_lookup_elem(&notes, &at);
}

static __always_inline void leave_note(struct row *row, __u32 hook)
{
	struct note *note = note_of(row, hook);

	if (!note)
		return;
	*note = row->note;
	note->tid = bpf_get_current_pid_tgid();
}

static __always_inline void take_note(struct row *row, __u32 hook)
{
	struct note *note = note_of(row, hook);

	if (!note || note->tid != (__u32)bpf_get_current_pid_tgid())
		return;
	row->note = *note;
	note->tid = 0;
}

// The kernel drops returns when kretprobe instances run out. A second entry without a return is a drop or recursion (vfs_open
// on overlayfs); a third can only be a drop, and counts as one. `notes`: the hook leaves one.
static __always_inline void enter(struct row *row, __u32 hook, bool notes)
{
	__u64 bit = 1ull << hook % 64;
	struct slot *slot = row->slot;

	if (!settings.paired[hook] || !slot)
		return;
	if (notes)
		leave_note(row, hook);
	if (!state.complete)
		return;
	if (slot->again[hook / 64] & bit) {
		__sync_fetch_and_add(&state.lost_results[hook], 1);
		slot->again[hook / 64] &= ~bit;
	}
	if (slot->in_call[hook / 64] & bit)
		slot->again[hook / 64] |= bit;
	slot->in_call[hook / 64] |= bit;
}

static __always_inline void leave(struct row *row, __u32 hook, bool notes)
{
	__u64 bit = 1ull << hook % 64;
	struct slot *slot = row->slot;

	if (!slot)
		return;
	if (notes)
		take_note(row, hook);
	if (slot->in_call[hook / 64] & bit)
		slot->in_call[hook / 64] &= ~bit;
	else
		slot->again[hook / 64] &= ~bit;
}

// A kernel structure's field: a plain load where the verifier knows the pointer's type, else a probe read.
#define READ(typed, pointer, field) ((typed) ? (pointer)->field : BPF_CORE_READ(pointer, field))

#define HOOK_ID(group, hook) (group##_hook_base + group##_##hook)

// The n-th argument of the hooked function, from 1. `typed`: the verifier knows its type; see READ.
#define ARG(n) ((void *)((typed) ? ((unsigned long long *)ctx)[(n) - 1] : PT_REGS_PARM##n((struct pt_regs *)ctx)))

// What a hook does at the call and at the return of its function.
#define ON_CALL(group, hook) static __always_inline void group##_##hook##_called(struct row *row, bool typed, void *ctx)
#define ON_RETURN(group, hook) static __always_inline void group##_##hook##_returned(struct row *row, bool typed, int ret)

// A tracepoint; the verifier knows the types of its arguments, so that plain loads reach through them.
#define ON_EVENT(group, hook, args...) SEC("?tp_btf") int BPF_PROG(group##_##hook##__tp_btf, ##args)

// The four programs of a hook, one for each way of attaching. `notes`: its call leaves something for its return.
#define PROGRAMS(group, hook, notes)                                                                     \
	SEC("?fentry") int group##_##hook##__fentry(void *ctx)                                           \
	{                                                                                                \
		struct row row = current_row();                                                          \
		group##_##hook##_called(&row, true, ctx);                                                \
		enter(&row, HOOK_ID(group, hook), notes);                                                \
		mark(&row);                                                                              \
		return 0;                                                                                \
	}                                                                                                \
	SEC("?fexit") int group##_##hook##__fexit(void *ctx)                                             \
	{                                                                                                \
		struct row row = current_row();                                                          \
		if (settings.paired[HOOK_ID(group, hook)])                                               \
			leave(&row, HOOK_ID(group, hook), notes);                                        \
		else                                                                                     \
			group##_##hook##_called(&row, true, ctx);                                        \
		group##_##hook##_returned(&row, true,                                                    \
					  result(ctx, settings.arguments[HOOK_ID(group, hook)]));        \
		mark(&row);                                                                              \
		return 0;                                                                                \
	}                                                                                                \
	SEC("?kprobe") int group##_##hook##__kprobe(struct pt_regs *ctx)                                 \
	{                                                                                                \
		struct row row = current_row();                                                          \
		group##_##hook##_called(&row, false, ctx);                                               \
		enter(&row, HOOK_ID(group, hook), notes);                                                \
		mark(&row);                                                                              \
		return 0;                                                                                \
	}                                                                                                \
	SEC("?kretprobe") int group##_##hook##__kretprobe(struct pt_regs *ctx)                           \
	{                                                                                                \
		struct row row = current_row();                                                          \
		leave(&row, HOOK_ID(group, hook), notes);                                                \
		group##_##hook##_returned(&row, false, PT_REGS_RC(ctx));                                 \
		mark(&row);                                                                              \
		return 0;                                                                                \
	}

// What each kind does at the call and at the return.
#define CALLED_CALLS(row, group, hook) count(row, group, hook##_calls, 1)
#define CALLED_CALLS_ERRORS CALLED_CALLS
#define CALLED_CALLS_ERRORS_BYTES CALLED_CALLS

#define RETURNED_CALLS(row, ret, group, hook)
#define RETURNED_CALLS_ERRORS(row, ret, group, hook) \
	if (settings.returns && is_error(ret))       \
		count(row, group, hook##_errors, 1)
#define RETURNED_CALLS_ERRORS_BYTES(row, ret, group, hook) \
	RETURNED_CALLS_ERRORS(row, ret, group, hook);      \
	if (ret > 0)                                       \
		count(row, group, hook##_bytes, ret)

#define NOTHING(...)

// What another group counts of the same calls. (Constant: where there is nothing, nothing is compiled.)
struct same {
	bool is_there, errors, bytes;
	__u16 hook, first; // of its counters, which are those of a plain kind
};
#define SAME_CALLS false, false
#define SAME_CALLS_ERRORS true, false
#define SAME_CALLS_ERRORS_BYTES true, true
#define FIRST_OF(counters) FIRST_OF_LIST(counters)
#define FIRST_OF_LIST(first, ...) first
#define SAME_OF(group, hook, kind, of_group, of_hook)                            \
	[HOOK_ID(of_group, of_hook)] = {true, SAME_##kind, HOOK_ID(group, hook), \
		group##_base + FIRST_OF(COUNTERS_##kind(group, hook))},
#define SAMES(group, ...) group##_HOOKS(NOTHING, NOTHING, NOTHING, SAME_OF)
static const struct same sames[HOOKS] = {GROUPS(SAMES)};

static __always_inline void called_same(struct row *row, __u32 hook)
{
	if (sames[hook].is_there && settings.counting[sames[hook].hook])
		add(row, sames[hook].first, 1);
}

static __always_inline void returned_same(struct row *row, int ret, __u32 hook)
{
	const struct same *same = &sames[hook];

	if (!same->is_there || !settings.counting[same->hook])
		return;
	if (same->errors && settings.returns && is_error(ret))
		add(row, same->first + 1, 1);
	if (same->bytes && ret > 0)
		add(row, same->first + 2, ret);
}

// What is made of a row by its kind: bodies, if they follow from it, and programs.
#define MAKE_CALLS(bodies, programs, ...) MAKE(CALLS, bodies, programs, __VA_ARGS__)
#define MAKE_CALLS_ERRORS(bodies, programs, ...) MAKE(CALLS_ERRORS, bodies, programs, __VA_ARGS__)
#define MAKE_CALLS_ERRORS_BYTES(bodies, programs, ...) MAKE(CALLS_ERRORS_BYTES, bodies, programs, __VA_ARGS__)
#define MAKE_BY_HAND(kind) MAKE_PROGRAMS
#define MAKE_PROGRAMS_BY_HAND(kind) NOTHING
#define MAKE(kind, bodies, programs, group, hook, of) bodies(kind, group, hook, of) programs(group, hook, false)
#define MAKE_PROGRAMS(bodies, programs, group, hook, of) programs(group, hook, true)

#define BODIES(kind, group, hook, of)                                   \
	ON_CALL(group, hook) { CALL_COUNTED(kind, group, hook, of) }    \
	ON_RETURN(group, hook) { RETURN_COUNTED(kind, group, hook, of) }
#define CALL_COUNTED(kind, group, hook, of) \
	CALLED_##kind(row, group, of);      \
	called_same(row, HOOK_ID(group, hook));
#define RETURN_COUNTED(kind, group, hook, of) \
	RETURNED_##kind(row, ret, group, of); \
	returned_same(row, ret, HOOK_ID(group, hook));

// The rows of a group's table as programs; last in its file, after the bodies that are written by hand.
#define HOOK_PROGRAMS(group, hook, kind, ...) MAKE_##kind(BODIES, PROGRAMS, group, hook, hook)
#define ALSO_PROGRAMS(group, hook, of, kind, ...) MAKE_##kind(BODIES, PROGRAMS, group, hook, of)
#define GROUP_PROGRAMS(group) group##_HOOKS(HOOK_PROGRAMS, ALSO_PROGRAMS, NOTHING, NOTHING)
