// Processes and threads, and with them the end of a slot's life.
#include "hooks.bpf.h"

GROUP_PROGRAMS(process)

// A slot is retired first and marked after: the plugin frees what it finds retired, and it looks where there is a mark.
ON_EVENT(process, exit)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = id, hash = SLOT_HASH(tid) >> settings.slot_shift;
	struct row row = {};

	row.slot = find(tid, hash, &row.index);
	if (settings.counting[HOOK_ID(process, exit)]) {
		if (!row.slot)
			row.slot = claim_slot(tid, hash, &row.index);
		if (!row.slot)
			__sync_fetch_and_add(&state.overflowed, 1);
		count(&row, process, exit_tasks, 1);
		if (tid == id >> 32)
			count(&row, process, exit_processes, 1);
	}
	if (row.slot)
		retire(row.slot, tid);
	row.lines |= 1;
	mark(&row);
	return 0;
}

// What follows is another program's doing: it gets another slot. (An exec by another thread than the first takes over
// the process's id; its own is the tracepoint's second argument.)
ON_EVENT(process, exec)
{
	__u32 tid = ctx[1];
	struct row row = {.lines = 1};

	row.slot = find(tid, SLOT_HASH(tid) >> settings.slot_shift, &row.index);
	if (row.slot)
		retire(row.slot, tid);
	mark(&row);
	return 0;
}

// Tells of every new task: those of fork, vfork and clone, of the kernel's threads, of io_uring's workers.
ON_EVENT(process, start)
{
	struct row row = current_row();

	if (ctx[1] & CLONE_THREAD)
		count(&row, process, start_threads, 1);
	else
		count(&row, process, start_processes, 1);
	mark(&row);
	return 0;
}

// A task is released by whoever waited for it, so the current thread is not the one that this is about.
static __always_inline int released(void)
{
	count_unattributed(process, release_calls, 1);
	return 0;
}
SEC("?fentry") int process_release__fentry(void *ctx)
{
	return released();
}
SEC("?kprobe") int process_release__kprobe(void *ctx)
{
	return released();
}

ON_EVENT(process, freed)
{
	count_unattributed(process, freed_calls, 1);
	return 0;
}

// Fork and clone that failed; those that succeeded have told of themselves.
PROGRAMS(process, clone, struct kernel_clone_args *args)
ON_CALL(process, clone, struct kernel_clone_args *args)
{
	row->note = (READ(typed, args, flags) & CLONE_THREAD) != 0;
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
	count_clone_result(row, row->note, ret);
}
