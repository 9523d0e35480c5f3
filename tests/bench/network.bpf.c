// The same for a send: the production path is socket.bpf.c as it ships.
#include "event.bpf.c"
#include "socket.bpf.c"

#define ON_SEND(name) SEC("?tp_btf/sock_send_length") int BPF_PROG(name, const struct sock *sk, int ret, int flags)

ON_SEND(empty_send)
{
	return 0;
}

// The usual way: after the global counters and the switches, a record by process and connection in a per-CPU hash, with
// the time of its last event. Both ends are read by helper.
struct replica_ends {
	__be32 local[4], remote[4];
	__u16 port, protocol;
	__u32 process;
};
_Static_assert(sizeof(struct replica_ends) == 40, "the usual size");

struct replica_connection {
	__u64 first, last;
	__u64 bytes_sent, bytes_received;
	__u32 sends, receives, retransmits, closes;
	char name[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, REPLICA_PROCESSES);
	__type(key, struct replica_ends);
	__type(value, struct replica_connection);
} replica_connections SEC(".maps");

#define PROBE(to, field) bpf_probe_read_kernel(to, sizeof(*(to)), &sk->__sk_common.field)

ON_SEND(replica_send)
{
	struct replica_ends ends = {.protocol = IPPROTO_TCP};
	struct replica_connection *connection;
	unsigned short family = 0;
	__u16 local_port = 0;

	if (ret < 0)
		return 0;
	replica_global(GLOBAL_CALLS, 1);
	replica_global(GLOBAL_BYTES, ret);
	if (!replica_on(SWITCH_PROCESSES) || !replica_on(SWITCH_LEVEL))
		return 0;
	PROBE(&family, skc_family);
	if (family == AF_INET) {
		PROBE(&ends.local[0], skc_rcv_saddr);
		PROBE(&ends.remote[0], skc_daddr);
	} else if (family == AF_INET6) {
		PROBE((struct in6_addr *)ends.local, skc_v6_rcv_saddr);
		PROBE((struct in6_addr *)ends.remote, skc_v6_daddr);
	} else
		return 0;
	PROBE(&ends.port, skc_dport);
	PROBE(&local_port, skc_num);
	if (!local_port || !ends.port)
		return 0;
	ends.process = bpf_get_current_pid_tgid() >> 32;
	connection = bpf_map_lookup_elem(&replica_connections, &ends);
	if (connection) {
		connection->last = bpf_ktime_get_ns();
		__sync_fetch_and_add(&connection->sends, 1);
		__sync_fetch_and_add(&connection->bytes_sent, ret);
	} else {
		struct replica_connection new = {.sends = 1, .bytes_sent = ret};

		new.first = new.last = bpf_ktime_get_ns();
		bpf_get_current_comm(new.name, sizeof(new.name));
		bpf_map_update_elem(&replica_connections, &ends, &new, BPF_ANY);
	}
	return 0;
}
