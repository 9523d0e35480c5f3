// The same events with the thread's id taken from a list, to count for more threads than can be started.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "shared.h"

struct keys keys SEC(".data.keys");
static __u32 key, seed;

static __always_inline __u64 pid_tgid_of_key(void)
{
	bpf_get_current_pid_tgid(); // its price belongs to the event
	return (__u64)key << 32 | key;
}
#define bpf_get_current_pid_tgid() pid_tgid_of_key()
#define BENCH_KEYS
#include "event.bpf.c"

static __always_inline void next_key(__u32 event)
{
	seed = seed * 1664525 + 1013904223;
	key = keys.first + ((keys.random ? seed >> 10 : event) & keys.mask);
}

static long empty_event(__u32 event, void *unused)
{
	next_key(event);
	return 0;
}

static long our_event(__u32 event, void *unused)
{
	next_key(event);
	struct row row = current_row();
	write_event(&row, keys.bytes);
	mark(&row);
	return 0;
}

static long replica_hash_event(__u32 event, void *unused)
{
	next_key(event);
	replica_event(&replica_records, keys.bytes);
	return 0;
}

static long replica_cpu_hash_event(__u32 event, void *unused)
{
	next_key(event);
	replica_event(&replica_cpu_records, keys.bytes);
	return 0;
}

#define EVENTS(name, event)                            \
	SEC("?raw_tp") int name(void *ctx)             \
	{                                              \
		bpf_loop(keys.events, event, NULL, 0); \
		return 0;                              \
	}
EVENTS(empty_events, empty_event)
EVENTS(our_events, our_event)
EVENTS(replica_hash_events, replica_hash_event)
EVENTS(replica_cpu_hash_events, replica_cpu_hash_event)
