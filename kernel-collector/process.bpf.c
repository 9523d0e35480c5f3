// Processes and threads, and with them the end of a slot's life.
#include "hooks.bpf.h"

// The calls of those hooks whose return went unseen: a bit a hook, from number `first` on. (A function of its own: 5.10 takes
// no loop whose head follows a call.)
__noinline int count_lost_results(__u64 hooks, __u64 first)
{
	for (int bit = 0; bit < 64; bit++) {
		__u64 hook = first + bit;

		barrier_var(hook); // the verifier wants to see the bound of the index itself
		if (hook >= HOOKS)
			break;
		if (hooks >> bit & 1)
			__sync_fetch_and_add(&state.lost_results[hook], 1);
	}
	return 0;
}

// A thread that exits or executes is inside no hooked function: any bit still set is a return we never saw.
static __always_inline void leave_all(const struct slot *slot)
{
#pragma clang loop unroll(full)
	for (int word = 0; word < HOOK_WORDS; word++) {
		if (slot->in_call[word])
			count_lost_results(slot->in_call[word], word * 64);
		if (slot->again[word])
			count_lost_results(slot->again[word], word * 64);
	}
}

// A slot is retired first and marked after: the plugin frees what it finds retired, and it looks where there is a mark.
ON_EVENT(process, exit, struct task_struct *task)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = id;
	struct row row = {};

	row.slot = find_slot(tid, place_of_thread(tid), &row.index);
	if (settings.counting[HOOK_ID(process, exit)]) {
		if (!row.slot)
			row.slot = claim_own_slot(&row.index);
		if (!row.slot)
			reject(TABLE_slots);
		count(&row, process, exit_tasks, 1);
		if (tid == id >> 32)
			count(&row, process, exit_processes, 1);
	}
	if (row.slot) {
		// While programs are still being attached, its release may go unseen: it is not waited for.
		leave_all(row.slot);
		row.slot->life |= LIFE_EXITED | (state.complete ? 0 : LIFE_RELEASED);
		retire(row.slot, tid);
	}
	row.lines |= 1;
	mark(&row);
	return 0;
}

static __always_inline void send_command(struct task_struct *task, const struct slot *slot)
{
	__u64 waiting = bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA), size = bpf_ringbuf_query(&records, BPF_RB_RING_SIZE);
	struct executed *executed = BEGIN_RECORD(executed);
	struct mm_struct *mm = task->mm;
	__u64 from, bytes;

	if (!executed)
		return; // the plugin asks /proc
	from = mm->arg_start;
	bytes = mm->arg_end - from;
	if (bytes > COMMAND_BYTES)
		bytes = COMMAND_BYTES;
	executed->since = slot->since;
	executed->command_bytes = bpf_probe_read_user(executed->command, bytes, (const void *)from) ? 0 : bytes;
	send_record(executed, waiting > size / 2 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

// What follows is another program's doing: it gets another slot. (An exec by another thread than the first takes over
// the process's id; its own is `old_pid`.)
ON_EVENT(process, exec, struct task_struct *task, int old_pid)
{
	struct row row = {.lines = 1};
	__u32 parent = 0, tid = task->pid;

	row.slot = find_slot(old_pid, place_of_thread(old_pid), &row.index);
	if (row.slot) {
		parent = row.slot->parent;
		leave_all(row.slot);
		retire(row.slot, old_pid);
		mark(&row);
	}
	if (!settings.identities)
		return 0;
	row.slot = claim_slot(tid, &row.index);
	if (!row.slot)
		return 0;
	row.slot->cgroup = bpf_get_current_cgroup_id();
	row.slot->parent = parent ? parent : task->real_parent->tgid;
	row.slot->life = LIFE_EXECUTED;
	if (settings.commands)
		send_command(task, row.slot);
	publish(row.slot, task->tgid);
	mark(&row);
	return 0;
}

// Tells of every new task: those of fork, vfork and clone, of the kernel's threads, of io_uring's workers. A process gets
// its slot here, before it runs: who started it may be gone when it does something itself.
ON_EVENT(process, start, struct task_struct *task, __u64 flags)
{
	struct row row, child = {.lines = 1};
	bool thread = flags & CLONE_THREAD;
	__u32 tid = task->pid;

	if (settings.counting[HOOK_ID(process, start)]) {
		row = current_row();
		if (thread)
			count(&row, process, start_threads, 1);
		else
			count(&row, process, start_processes, 1);
		mark(&row);
	}
	if (thread || !settings.identities)
		return 0;
	child.slot = claim_slot(tid, &child.index);
	if (!child.slot)
		return 0;
	child.slot->cgroup = task->cgroups->dfl_cgrp->kn->id;
	child.slot->parent = task->real_parent->tgid;
	child.slot->life = LIFE_BORN;
	publish(child.slot, task->tgid);
	mark(&child);
	return 0;
}

// What the process does from now on counts for the other cgroup. It may have moved itself; else the plugin sees to it.
ON_EVENT(process, move, struct cgroup *to, const char *path, struct task_struct *task)
{
	struct moved *moved;
	__u32 tid = bpf_get_current_pid_tgid(), moving = task->pid;
	struct row row = {.lines = 1};

	if (!settings.identities)
		return 0;
	if (moving == tid) {
		row.slot = find_slot(tid, place_of_thread(tid), &row.index);
		if (row.slot)
			retire(row.slot, tid);
		mark(&row);
	}
	moved = BEGIN_RECORD(moved);
	if (!moved)
		return 0;
	moved->head.tgid = task->tgid;
	moved->head.cgroup = to->kn->id;
	send_record(moved, BPF_RB_FORCE_WAKEUP);
	return 0;
}

// A task is released by whoever waited for it, so the current thread is not the one that this is about: that one's slot
// is retired and nobody else's, and the plugin keeps it until now.
static __always_inline int released(__u32 tid, __u32 counter)
{
	struct row row = {.lines = 1 << LINE_OF(counter)};
	__u32 place = place_of_thread(tid);

	row.slot = FIND_ROW(struct slot, slots, place, &row.index,
			    each->tag == (tid | ROW_RETIRED) && each->life & LIFE_EXITED && !(each->life & LIFE_RELEASED));
	if (row.slot) {
		row.slot->counters[counter]++;
		barrier(); // the plugin frees the slot once it sees the release
		*(volatile __u32 *)&row.slot->life |= LIFE_RELEASED;
		mark(&row);
		return 0;
	}
	__sync_fetch_and_add(&state.unattributed[counter], 1);
	return 0;
}
SEC("?fentry") int BPF_PROG(process_release__fentry, struct task_struct *task)
{
	return released(task->pid, process_base + process_release_calls);
}
SEC("?kprobe") int BPF_KPROBE(process_release__kprobe, struct task_struct *task)
{
	return released(BPF_CORE_READ(task, pid), process_base + process_release_calls);
}

ON_EVENT(process, freed, struct task_struct *task)
{
	return released(task->pid, process_base + process_freed_calls);
}

// Fork and clone that failed; those that succeeded have told of themselves.
ON_CALL(process, clone)
{
	struct kernel_clone_args *args = ARG(1);

	row->note.flag = (READ(typed, args, flags) & CLONE_THREAD) != 0;
}

static __always_inline void count_clone_result(struct row *row, bool thread, int ret)
{
	if (!is_error(ret))
		return;
	if (thread)
		count(row, process, clone_thread_errors, 1);
	else
		count(row, process, clone_process_errors, 1);
}

ON_RETURN(process, clone)
{
	count_clone_result(row, row->note.flag, ret);
}

GROUP_PROGRAMS(process)
