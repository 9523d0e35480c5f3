// System calls of x86-64, by 64-bit and by 32-bit programs: what kernel-collector/syscalls.bpf.c asks of the registers.
#pragma once
#include "kernel.h"
#include <bpf/bpf_helpers.h>

#define CALL_NUMBER(regs) ((regs)->orig_ax & ~X32)
#define X32 0x40000000u // marks the calls of the x32 ABI; those that have numbers of their own are not counted

// The n-th argument, from 1 to 4.
#define CALL_ARGUMENT(regs, compat, n) ((compat) ? (regs)->ARGUMENT_32_##n : (regs)->ARGUMENT_64_##n)
#define ARGUMENT_64_1 di
#define ARGUMENT_64_2 si
#define ARGUMENT_64_3 dx
#define ARGUMENT_64_4 r10
#define ARGUMENT_32_1 bx
#define ARGUMENT_32_2 cx
#define ARGUMENT_32_3 dx
#define ARGUMENT_32_4 si

#ifndef HAS_COMPARE_EXCHANGE
// The segment that a 32-bit program runs in: all there is without the current task's flags. (A 64-bit program that
// makes 32-bit calls by int 0x80 is taken for what it is not.)
static __always_inline bool in_32_bit_call(const struct pt_regs *regs)
{
	return (regs->cs & 0xffff) == 0x23; // __USER32_CS
}
#else
#define TS_COMPAT 0x0002u // arch/x86/include/asm/thread_info.h
static __always_inline bool in_32_bit_call(const struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	return task->thread_info.status & TS_COMPAT;
}
#endif
