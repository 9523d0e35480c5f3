// The way for kernels that have neither trampolines nor kprobes: one program at the end of every system call.
#include "hooks.bpf.h"
#include "syscall_numbers.h"

// Which hook a system call stands in for: its id + 1, by number; 32-bit programs have other numbers.
#define EACH(...) EACH_0(__VA_ARGS__) // once more, for what was unwrapped
#define EACH_0(row, id, ...) __VA_OPT__(EACH_1(row, id, __VA_ARGS__))
#define EACH_1(row, id, name, ...) row(id, name) __VA_OPT__(EACH_2(row, id, __VA_ARGS__))
#define EACH_2(row, id, name, ...) row(id, name) __VA_OPT__(EACH_3(row, id, __VA_ARGS__))
#define EACH_3(row, id, name, ...) row(id, name) __VA_OPT__(EACH_4(row, id, __VA_ARGS__))
#define EACH_4(row, id, name, ...) row(id, name) __VA_OPT__(EACH_5(row, id, __VA_ARGS__))
#define EACH_5(row, id, name, ...) row(id, name) __VA_OPT__(EACH_6(row, id, __VA_ARGS__))
#define EACH_6(row, id, name) row(id, name)

#define NUMBER_64(id, name) [NR64_##name] = (id) + 1,
#define NUMBER_32(id, name) [NR32_##name] = (id) + 1,
#define PLAIN_64(group, hook, kind, functions, syscalls, ...) EACH(NUMBER_64, HOOK_ID(group, hook), UNWRAP syscalls)
#define PLAIN_32(group, hook, kind, functions, syscalls, ...) EACH(NUMBER_32, HOOK_ID(group, hook), UNWRAP syscalls)
#define ALSO_64(group, hook, of, kind, functions, syscalls, ...) EACH(NUMBER_64, HOOK_ID(group, hook), UNWRAP syscalls)
#define ALSO_32(group, hook, of, kind, functions, syscalls, ...) EACH(NUMBER_32, HOOK_ID(group, hook), UNWRAP syscalls)
#define TABLE_64(group, module) group##_HOOKS(PLAIN_64, ALSO_64, BY_HAND, PLAIN_64, BY_HAND)
#define TABLE_32(group, module) group##_HOOKS(PLAIN_32, ALSO_32, BY_HAND, PLAIN_32, BY_HAND)

#define NUMBERS 512 // a power of 2
static const __u8 hooks_64[NUMBERS] = {GROUPS(TABLE_64)};
static const __u8 hooks_32[NUMBERS] = {GROUPS(TABLE_32)};

// What a PLAIN or ALSO hook does.
#define PLAIN_CASE(group, hook, kind, ...) ALSO_CASE(group, hook, hook, kind)
#define ALSO_CASE(group, hook, of, kind, ...) \
	case HOOK_ID(group, hook):          \
		CALLED_##kind(group, of);   \
		RETURNED_##kind(group, of); \
		break;
#define CASES(group, module) group##_HOOKS(PLAIN_CASE, ALSO_CASE, BY_HAND, BY_HAND, BY_HAND)

// For clone3 the flags are the first word of what the first argument points to; it was just read from there.
static __always_inline bool makes_thread(const struct pt_regs *regs, bool compat, __u32 number)
{
	__u64 flags = 0;

	if (number == (compat ? NR32_clone : NR64_clone))
		flags = compat ? regs->bx : regs->di;
	else if (settings.reads_memory && number == (compat ? NR32_clone3 : NR64_clone3))
		bpf_probe_read_user(&flags, sizeof(flags), (const void *)(compat ? regs->bx : regs->di));
	return flags & CLONE_THREAD;
}

#ifndef HAS_COMPARE_EXCHANGE
// The segment that a 32-bit program runs in: all there is without the current task's flags. (A 64-bit program that
// makes 32-bit calls by int 0x80 is taken for what it is not.)
static __always_inline bool in_32_bit_call(const struct pt_regs *regs)
{
	return (regs->cs & 0xffff) == 0x23; // __USER32_CS
}
#else
static __always_inline bool in_32_bit_call(const struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	return task->thread_info.status & TS_COMPAT;
}
#endif

SEC("?tp_btf/sys_exit") int BPF_PROG(syscalls__tp_btf, const struct pt_regs *regs, long returned)
{
	__u32 number = regs->orig_ax & ~0x40000000u; // without the mark of the x32 ABI, whose numbers are the same
	bool compat = in_32_bit_call(regs);
	struct row here, *row = &here;
	int ret = returned;
	__u32 hook;

	if (number >= NUMBERS)
		return 0;
	barrier_var(number); // what the compiler knows of a bound from here on, the verifier wants to see
	number &= NUMBERS - 1;
	hook = (compat ? hooks_32[number] : hooks_64[number]) - 1;
	barrier_var(hook);
	if (hook >= HOOKS || !settings.counting[hook])
		return 0;
	if (hook == HOOK_ID(process, clone) && !is_error(ret)) // the rule, and in the child there is no slot yet
		return 0;
	here = current_row();
	switch (hook) {
	GROUPS(CASES)
	case HOOK_ID(process, clone):
		count_clone_result(row, makes_thread(regs, compat, number), ret);
		break;
	}
	mark(row);
	return 0;
}
