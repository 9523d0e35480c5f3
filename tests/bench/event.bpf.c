// The programs that are compared, all on one tracepoint: the production path, a replica of the usual one, an empty one.
#include "vfs.bpf.c"
#include "process.bpf.c"
#include "shared.h"

const volatile struct bench bench SEC(".rodata.bench");
struct watched watched SEC(".data.watched");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct___replica {
	struct task_struct___replica *real_parent;
	int tgid;
};
#pragma clang attribute pop

#define ON_PRCTL(name) SEC("?tp_btf/task_prctl_unknown") int name(unsigned long long *ctx)
#define PASS_OVER_OTHERS                 \
	if ((__u32)ctx[0] != bench.option) \
		return 0

ON_PRCTL(empty)
{
	PASS_OVER_OTHERS;
	return 0;
}

ON_PRCTL(second)
{
	PASS_OVER_OTHERS;
	return 0;
}

// What ships: the body of vfs_write__fexit. The prctl's second argument stands in for the function's result.
static __always_inline void write_event(struct row *row, int ret)
{
	vfs_write_called(row, true, NULL);
	vfs_write_returned(row, true, ret);
}

ON_PRCTL(ours)
{
	PASS_OVER_OTHERS;
	struct row row = current_row();
	write_event(&row, result(ctx, settings.arguments[HOOK_ID(vfs, write)]));
	mark(&row);
	return 0;
}

// The same with one more counter, in another cache line.
ON_PRCTL(ours_and_more)
{
	PASS_OVER_OTHERS;
	struct row row = current_row();
	write_event(&row, result(ctx, settings.arguments[HOOK_ID(vfs, write)]));
	count(&row, file, open_calls, 1);
	mark(&row);
	return 0;
}

// The usual way: global counters in a per-CPU array and a record by process in a hash, all with locked adds, behind two
// switches; the process is the parent, found by two probe reads.
struct replica_record {
	__u64 created;
	__u32 tgid, uid, gid, unused;
	char name[16];
	__u32 calls[12];
	__u64 bytes[6];
};
_Static_assert(sizeof(struct replica_record) == 136, "the usual size");

enum { GLOBAL_CALLS, GLOBAL_BYTES, GLOBALS };
enum { SWITCH_PROCESSES, SWITCH_LEVEL, SWITCHES };
#define REPLICA_PROCESSES 32768

#define REPLICA_MAP(name, map_type, entries, value_type) \
	struct {                                         \
		__uint(type, map_type);                  \
		__uint(max_entries, entries);            \
		__type(key, __u32);                      \
		__type(value, value_type);               \
	} name SEC(".maps")
REPLICA_MAP(replica_globals, BPF_MAP_TYPE_PERCPU_ARRAY, GLOBALS, __u64);
REPLICA_MAP(replica_switches, BPF_MAP_TYPE_ARRAY, SWITCHES, __u64);
REPLICA_MAP(replica_records, BPF_MAP_TYPE_HASH, REPLICA_PROCESSES, struct replica_record);
REPLICA_MAP(replica_cpu_records, BPF_MAP_TYPE_PERCPU_HASH, REPLICA_PROCESSES, struct replica_record);

static __always_inline void replica_global(__u32 which, __u64 n)
{
	__u64 *value = bpf_map_lookup_elem(&replica_globals, &which);

	if (!value)
		return;
	__sync_fetch_and_add(value, n);
	if (~0ull - *(volatile __u64 *)value <= n)
		*value = n;
}

static __always_inline bool replica_on(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&replica_switches, &which);

	return value && *(volatile __u64 *)value;
}

static __always_inline __u32 replica_process(void)
{
	struct task_struct___replica *task = (void *)bpf_get_current_task();
	__u32 tgid = BPF_CORE_READ(task, real_parent, tgid);
#ifdef BENCH_KEYS
	return tgid ? bpf_get_current_pid_tgid() : 0;
#else
	return tgid;
#endif
}

static __always_inline void replica_event(void *records, int ret)
{
	__u32 process;
	struct replica_record *record;

	replica_global(GLOBAL_CALLS, 1);
	replica_global(GLOBAL_BYTES, ret);
	if (!replica_on(SWITCH_PROCESSES) || !replica_on(SWITCH_LEVEL))
		return;
	process = replica_process();
	record = bpf_map_lookup_elem(records, &process);
	if (record) {
		__sync_fetch_and_add(&record->calls[1], 1);
		__sync_fetch_and_add(&record->bytes[1], ret);
	} else {
		struct replica_record new = {.calls[1] = 1, .bytes[1] = ret};
		__u64 user = bpf_get_current_uid_gid();

		new.created = bpf_ktime_get_ns();
		new.tgid = process;
		new.uid = user;
		new.gid = user >> 32;
		bpf_get_current_comm(new.name, sizeof(new.name));
		bpf_map_update_elem(records, &process, &new, BPF_ANY);
	}
}

ON_PRCTL(replica_hash)
{
	PASS_OVER_OTHERS;
	replica_event(&replica_records, ctx[1]);
	return 0;
}

ON_PRCTL(replica_cpu_hash)
{
	PASS_OVER_OTHERS;
	replica_event(&replica_cpu_records, ctx[1]);
	return 0;
}

#define TCP_FIN_WAIT1 4 // include/net/tcp_states.h

// A client closes its connection; when its process exits with open sockets, that is after the exit program has run.
SEC("?tp_btf/inet_sock_set_state") int BPF_PROG(closed, const struct sock *sock, int before, int now)
{
	struct row row;

	if (before != TCP_ESTABLISHED || now != TCP_FIN_WAIT1 || sock->__sk_common.skc_dport != bench.port)
		return 0;
	row = current_row();
	add(&row, file_base + file_close_calls, 1);
	mark(&row);
	return 0;
}

// How many system calls does one process make from one write to standard output to the next?
SEC("?tp_btf/sys_enter") int BPF_PROG(watch, const struct pt_regs *regs, long number)
{
	if (bpf_get_current_pid_tgid() >> 32 != watched.tgid)
		return 0;
	watched.calls++;
	if (number == 1 && regs->di == 1) { // write
		watched.per_tick[watched.ticks % WATCHED_TICKS] = watched.calls;
		watched.ticks++;
		watched.calls = 0;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
