// Counting: every event adds to the slot of the current thread, with plain adds, for it is the slot's only writer.
#pragma once
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "slot.h"

#ifndef DEFAULT_SLOTS
#define DEFAULT_SLOTS 4096 // the plugin sets the real number
#endif

const volatile struct settings settings SEC(".rodata.settings");
struct state state SEC(".data.state");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DEFAULT_SLOTS);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

struct dirty_line {
	__u8 slot[64];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DEFAULT_SLOTS / 64);
	__type(key, __u32);
	__type(value, struct dirty_line);
} dirty SEC(".maps");

// By process, for events that find no slot. Preallocated: older kernels warn of a table that a tracing program grows.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32); // tgid
	__type(value, struct slot);
} overflow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); // more where command lines are asked for
} news SEC(".maps");

#ifndef HAS_COMPARE_EXCHANGE
// Kernels before 5.12 have no compare-and-exchange for BPF: who inserts a slot's index here has claimed the slot.
// The plugin deletes the index when it frees the slot.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_SLOTS);
	__type(key, __u32);   // index of the slot
	__type(value, __u32); // tid
} claims SEC(".maps");
#define CLAIMS(map) (&map)

static __always_inline bool claim(__u32 *place, void *claims, __u32 index, __u32 tag)
{
	if (bpf_map_update_elem(claims, &index, &tag, BPF_NOEXIST))
		return false;
	*(volatile __u32 *)place = tag;
	return true;
}

static __always_inline void retire(struct slot *slot, __u32 tid)
{
	barrier(); // the compiler leaves before it what was counted before it
	*(volatile __u32 *)&slot->tag = tid | SLOT_RETIRED;
}

// They have no way either to read the current task's flags that lockdown lets pass. A thread that counts something
// after its exit claims a new slot, which the plugin's sweep frees.
static __always_inline bool exiting(void)
{
	return false;
}
#else
#define CLAIMS(map) NULL

static __always_inline bool claim(__u32 *place, void *claims, __u32 index, __u32 tag)
{
	return __sync_val_compare_and_swap(place, 0, tag) == 0;
}

static __always_inline void retire(struct slot *slot, __u32 tid)
{
	__sync_lock_test_and_set(&slot->tag, tid | SLOT_RETIRED); // an exchange: the counters are seen before it
}

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

static __always_inline struct slot *find(__u32 tag, __u32 hash, __u32 *index)
{
#pragma clang loop unroll(full)
	for (int probe = 0; probe < SLOT_PROBES; probe++) {
		__u32 at = (hash + probe) & settings.slot_mask;
		struct slot *slot = bpf_map_lookup_elem(&slots, &at);
		if (slot && slot->tag == tag) {
			*index = at;
			return slot;
		}
	}
	return NULL;
}

static __always_inline void ask_to_fold(void)
{
	struct full_news full = {};

	if (state.asked)
		return;
	state.asked = 1;
	bpf_ringbuf_output(&news, &full, sizeof(full), BPF_RB_FORCE_WAKEUP);
}

// A slot for that thread, who has the current one's name; NULL if none is free. The plugin may look at it as soon as the
// caller has set its tgid, last of all.
static __always_inline struct slot *claim_slot(__u32 tid, __u32 hash, __u32 *index)
{
	for (int probe = 0; probe < SLOT_PROBES; probe++) {
		__u32 at = (hash + probe) & settings.slot_mask;
		struct slot *slot = bpf_map_lookup_elem(&slots, &at);
		if (!slot || slot->tag || !claim(&slot->tag, CLAIMS(claims), at, tid))
			continue;
		bpf_get_current_comm(slot->comm, sizeof(slot->comm));
		slot->since = bpf_ktime_get_ns();
		__sync_fetch_and_add(&state.claimed, 1);
		if (state.claimed - state.freed > settings.wake_at)
			ask_to_fold();
		*index = at;
		return slot;
	}
	return NULL;
}

static __always_inline void show(struct slot *slot, __u32 tgid)
{
	barrier(); // nor may the compiler put what the caller has set after it
	*(volatile __u32 *)&slot->tgid = tgid;
}

static __always_inline struct slot *claim_own_slot(__u32 hash, __u32 *index)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct slot *slot = claim_slot(id, hash, index);

	if (!slot)
		return NULL;
	slot->cgroup = bpf_get_current_cgroup_id();
	show(slot, id >> 32);
	return slot;
}

// For a thread that has no slot yet: the index of a new one, or -1 when it gets none.
static __noinline int first_event(__u32 tid)
{
	__u32 index = 0;

	if (exiting()) {
		__sync_fetch_and_add(&state.late, 1);
		return -1;
	}
	if (claim_own_slot(SLOT_HASH(tid) >> settings.slot_shift, &index))
		return index;
	__sync_fetch_and_add(&state.overflowed, 1);
	return -1;
}

static __always_inline struct row current_row(void)
{
	struct row row = {};
	__u32 tid = bpf_get_current_pid_tgid();
	int at;

	row.slot = find(tid, SLOT_HASH(tid) >> settings.slot_shift, &row.index);
	if (row.slot)
		return row;
	at = first_event(tid);
	if (at >= 0) {
		row.index = at;
		row.slot = bpf_map_lookup_elem(&slots, &row.index);
	}
	return row;
}

// Adds to the row of the current process in the overflow table, or, if that is full too, to that of nobody.
static __noinline int count_shared(__u32 counter, __u64 n)
{
	static const struct slot nothing;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct slot *slot = bpf_map_lookup_elem(&overflow, &tgid);

	if (counter >= COUNTERS)
		return 0;
	if (!slot && bpf_map_update_elem(&overflow, &tgid, &nothing, BPF_NOEXIST) == 0) {
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

// Tells the plugin what changed: last of all, and read first, so that a busy thread's byte stays shared between CPUs.
static __always_inline void set_dirty(void *map, __u32 index, __u8 lines)
{
	__u32 at = index / 64;
	struct dirty_line *line = bpf_map_lookup_elem(map, &at);

	if (line && (line->slot[index % 64] & lines) != lines)
		line->slot[index % 64] |= lines;
}

static __always_inline void mark(const struct row *row)
{
	if (row->slot)
		set_dirty(&dirty, row->index, row->lines);
}
