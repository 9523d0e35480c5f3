// Counting: every event adds to the slot of the current thread, with plain adds, for it is the slot's only writer.
#pragma once
#include "record.bpf.h"

#ifndef DEFAULT_SLOTS
#define DEFAULT_SLOTS 4096 // the plugin sets the real number
#endif

TABLE(slots, struct slot, DEFAULT_SLOTS)

// By process, for events that find no slot. Preallocated: older kernels warn of a table that a tracing program grows.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32); // tgid
	__type(value, struct slot);
} overflow SEC(".maps");

// Whether the current thread is at its end.
#ifndef HAS_COMPARE_EXCHANGE
// Before 5.12 the current task's flags cannot be read under lockdown. A thread that counts after its exit claims a new slot;
// the sweep frees it.
static __always_inline bool exiting(void)
{
	return false;
}
#else
static __always_inline bool exiting(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	return task->flags & PF_EXITING;
}
#endif

// Where one event counts: in its thread's slot, or, without one, in the shared rows.
struct row {
	struct slot *slot;
	__u32 index;
	__u8 lines; // of the slot, changed by this event
	struct note note;
};

static __always_inline __u32 place_of_thread(__u32 tid)
{
	return place_of_key(TABLE_slots, tid);
}

static __always_inline struct slot *find_slot(__u32 tag, __u32 place, __u32 *index)
{
	return FIND_ROW(struct slot, slots, place, index, each->tag == tag);
}

static __always_inline void retire(struct slot *slot, __u32 tid)
{
	set_tag(&slot->tag, tid | ROW_RETIRED);
}

// A slot for that thread, who has the current one's name; NULL if none is free. The plugin may look at it as soon as the
// caller has published its tgid, last of all.
static __always_inline struct slot *claim_slot(__u32 tid, __u32 *index)
{
	struct slot *slot = CLAIM_ROW(slots, place_of_thread(tid), tid, index);

	if (!slot)
		return NULL;
	bpf_get_current_comm(slot->comm, sizeof(slot->comm));
	slot->since = bpf_ktime_get_ns();
	return slot;
}

static __always_inline void publish(struct slot *slot, __u32 tgid)
{
	barrier(); // nor may the compiler put what the caller has set after it
	*(volatile __u32 *)&slot->tgid = tgid;
}

static __always_inline struct slot *claim_own_slot(__u32 *index)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct slot *slot = claim_slot(id, index);

	if (!slot)
		return NULL;
	slot->cgroup = bpf_get_current_cgroup_id();
	publish(slot, id >> 32);
	return slot;
}

// For the current thread, which has no slot yet: the index of a new one, or -1 when it gets none.
__noinline int first_event(void)
{
	__u32 index = 0;

	if (exiting()) {
		__sync_fetch_and_add(&state.late, 1);
		return -1;
	}
	if (claim_own_slot(&index))
		return index;
	reject(TABLE_slots);
	return -1;
}

static __always_inline struct row current_row(void)
{
	struct row row = {};
	__u32 tid = bpf_get_current_pid_tgid();
	int at;

	row.slot = find_slot(tid, place_of_thread(tid), &row.index);
	if (row.slot)
		return row;
	at = first_event();
	if (at >= 0) {
		row.index = at;
		row.slot = bpf_map_lookup_elem(&slots, &row.index);
	}
	return row;
}

const struct slot empty_slot;

// Adds to the row of the current process in the overflow table, or, if that is full too, to that of nobody.
__noinline int count_shared(__u64 counter, __u64 n)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct slot *slot = bpf_map_lookup_elem(&overflow, &tgid);

	if (counter >= COUNTERS)
		return 0;
	if (!slot && bpf_map_update_elem(&overflow, &tgid, &empty_slot, BPF_NOEXIST) == 0) {
		slot = bpf_map_lookup_elem(&overflow, &tgid);
		if (slot) {
			slot->tgid = tgid;
			bpf_get_current_comm(slot->comm, sizeof(slot->comm));
		}
	}
	if (slot)
		__sync_fetch_and_add(&slot->counters[counter], n);
	else
		__sync_fetch_and_add(&state.unattributed[counter], n);
	return 0;
}

static __always_inline void add(struct row *row, __u32 counter, __u64 n)
{
	if (row->slot) {
		*(volatile __u64 *)&row->slot->counters[counter] += n;
		row->lines |= 1 << LINE_OF(counter);
	} else
		count_shared(counter, n);
}

#define count(row, group, counter, n) add(row, group##_base + group##_##counter, n)

static __always_inline void mark(const struct row *row)
{
	if (row->slot)
		set_mark(&slots_marks, row->index, row->lines);
}
