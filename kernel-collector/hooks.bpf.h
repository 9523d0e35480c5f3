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

// Without trampolines a call is seen by two programs. kretprobes have a limited number of instances: a thread that
// enters again without having returned has lost a return, or the function has called itself (vfs_open does, for a file of
// overlayfs). Then both returns come before it enters once more: so that is when a loss is certain, and told.
static __always_inline void enter(struct row *row, __u32 hook)
{
	__u64 bit = 1ull << hook;

	if (!settings.paired[hook] || !row->slot)
		return;
	row->slot->note = row->note;
	if (!state.complete)
		return;
	if (row->slot->again & bit) {
		__sync_fetch_and_add(&state.lost_results[hook], 1);
		row->slot->again &= ~bit;
	}
	if (row->slot->in_call & bit)
		row->slot->again |= bit;
	row->slot->in_call |= bit;
}

static __always_inline void leave(struct row *row, __u32 hook)
{
	__u64 bit = 1ull << hook;

	if (!row->slot)
		return;
	row->note = row->slot->note;
	if (row->slot->in_call & bit)
		row->slot->in_call &= ~bit;
	else
		row->slot->again &= ~bit;
}

// A kernel structure's field: a plain load where the verifier knows the pointer's type, else a probe read.
#define READ(typed, pointer, field) ((typed) ? (pointer)->field : BPF_CORE_READ(pointer, field))

#define HOOK_ID(group, hook) (group##_hook_base + group##_##hook)

// The four programs of a hook whose function takes these arguments (as many as are needed), to be followed by
// ON_CALL(group, hook, args) { … } and ON_RETURN(group, hook) { … }.
#define PROGRAMS(group, hook, args...)                                                                   \
	ON_CALL(group, hook, ##args);                                                                    \
	ON_RETURN(group, hook);                                                                          \
	_Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wint-conversion\"")        \
	SEC("?fentry") int group##_##hook##__fentry(unsigned long long *ctx)                             \
	{                                                                                                \
		struct row row = current_row();                                                          \
		group##_##hook##_called(&row, true, ___bpf_ctx_cast(args));                              \
		mark(&row);                                                                              \
		return 0;                                                                                \
	}                                                                                                \
	SEC("?fexit") int group##_##hook##__fexit(unsigned long long *ctx)                               \
	{                                                                                                \
		struct row row = current_row();                                                          \
		group##_##hook##_called(&row, true, ___bpf_ctx_cast(args));                              \
		group##_##hook##_returned(&row, true,                                                    \
					  result(ctx, settings.arguments[HOOK_ID(group, hook)]));        \
		mark(&row);                                                                              \
		return 0;                                                                                \
	}                                                                                                \
	SEC("?kprobe") int group##_##hook##__kprobe(struct pt_regs *ctx)                                 \
	{                                                                                                \
		struct row row = current_row();                                                          \
		group##_##hook##_called(&row, false, ___bpf_kprobe_args(args));                          \
		enter(&row, HOOK_ID(group, hook));                                                       \
		mark(&row);                                                                              \
		return 0;                                                                                \
	}                                                                                                \
	SEC("?kretprobe") int group##_##hook##__kretprobe(struct pt_regs *ctx)                           \
	{                                                                                                \
		struct row row = current_row();                                                          \
		leave(&row, HOOK_ID(group, hook));                                                       \
		group##_##hook##_returned(&row, false, PT_REGS_RC(ctx));                                 \
		mark(&row);                                                                              \
		return 0;                                                                                \
	}                                                                                                \
	_Pragma("clang diagnostic pop")

// `typed`: the pointers among the arguments are known to the verifier; see READ.
#define ON_CALL(group, hook, args...) \
	static __always_inline void group##_##hook##_called(struct row *row, bool typed, void *ctx, ##args)
#define ON_RETURN(group, hook) \
	static __always_inline void group##_##hook##_returned(struct row *row, bool typed, int ret)

// A tracepoint; the verifier knows the types of its arguments, so that plain loads reach through them.
#define ON_EVENT(group, hook, args...) SEC("?tp_btf") int BPF_PROG(group##_##hook##__tp_btf, ##args)

// What each kind does at the call and at the return.
#define CALLED_CALLS(group, hook) count(row, group, hook##_calls, 1)
#define CALLED_CALLS_ERRORS CALLED_CALLS
#define CALLED_CALLS_ERRORS_BYTES CALLED_CALLS

#define RETURNED_CALLS(group, hook)
#define RETURNED_CALLS_ERRORS(group, hook)         \
	if (settings.returns && is_error(ret))     \
		count(row, group, hook##_errors, 1)
#define RETURNED_CALLS_ERRORS_BYTES(group, hook)   \
	RETURNED_CALLS_ERRORS(group, hook);        \
	if (ret > 0)                               \
		count(row, group, hook##_bytes, ret)

// The rows of a group's table as programs.
#define PLAIN_PROGRAMS(group, hook, kind, ...) ALSO_PROGRAMS(group, hook, hook, kind)
#define ALSO_PROGRAMS(group, hook, of, kind, ...)          \
	PROGRAMS(group, hook)                              \
	ON_CALL(group, hook) { CALLED_##kind(group, of); } \
	ON_RETURN(group, hook) { RETURNED_##kind(group, of); }
#define BY_HAND(...)
#define GROUP_PROGRAMS(group) group##_HOOKS(PLAIN_PROGRAMS, ALSO_PROGRAMS, ALSO_PROGRAMS, BY_HAND, BY_HAND)
