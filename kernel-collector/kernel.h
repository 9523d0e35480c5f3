// The kernel types that we read, only the fields that we read; CO-RE finds where they lie in the running kernel.
#pragma once
#define __VMLINUX_H__ // bpf_tracing.h: the types below are the kernel's, not those of user space
#include <linux/bpf.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct thread_info {
	__u32 status;
};
struct kernfs_node {
	__u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};
struct mm_struct {
	unsigned long arg_start, arg_end;
};
struct task_struct {
	struct thread_info thread_info; // its first member wherever a system call's width is asked for (x86-64)
	unsigned int flags;
	int pid, tgid;
	struct task_struct *real_parent;
	struct css_set *cgroups;
	struct mm_struct *mm;
};
struct file {
	unsigned int f_mode;
};
struct kernel_clone_args {
	__u64 flags;
};
struct pt_regs {
	unsigned long bx, r8, ax, cx, dx, si, di, orig_ax, ip, cs, sp;
};
#pragma clang attribute pop

#define PF_EXITING 0x00000004u     // include/linux/sched.h
#define FMODE_CREATED 0x00100000u  // include/linux/fs.h, since 4.19
#define CLONE_THREAD 0x00010000u   // include/uapi/linux/sched.h
#define TS_COMPAT 0x0002u          // arch/x86/include/asm/thread_info.h: in a 32-bit system call
