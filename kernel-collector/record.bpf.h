// Records: how a program sends one to the plugin. See shared/record.h.
#pragma once
#include "table.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); // the plugin sets the real size
} records SEC(".maps");

// A record of that type, to be filled and sent, with the current process in its head. NULL if there is no room, which is
// counted: every record goes through here.
#define BEGIN_RECORD(type) ((struct type *)begin_record(RECORD_##type, sizeof(struct type)))
static __always_inline struct record *begin_record(__u16 type, __u16 bytes)
{
	struct record *record = bpf_ringbuf_reserve(&records, bytes, 0);

	if (!record) {
		__sync_fetch_and_add(&state.lost_records[type], 1);
		return NULL;
	}
	record->type = type;
	record->bytes = bytes;
	record->tgid = bpf_get_current_pid_tgid() >> 32;
	record->at = bpf_ktime_get_ns();
	record->cgroup = bpf_get_current_cgroup_id();
	return record;
}

// wake: BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, or 0 where the plugin is to be woken unless it is behind already.
static __always_inline void send_record(void *record, __u64 wake)
{
	bpf_ringbuf_submit(record, wake);
}

static __always_inline void ask_to_fold(void)
{
	struct full *full;

	if (state.asked)
		return;
	state.asked = 1;
	full = BEGIN_RECORD(full);
	if (full)
		send_record(full, BPF_RB_FORCE_WAKEUP);
}
