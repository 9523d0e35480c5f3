// The connections: who talks to whom, and how much. The plugin reads the rows in memory that it has mapped.
#pragma once
#include "slots.bpf.h"
#include <bpf/bpf_endian.h>

#ifndef DEFAULT_CONNECTIONS
#define DEFAULT_CONNECTIONS 4096 // the plugin sets the real number
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DEFAULT_CONNECTIONS);
	__type(key, __u32);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DEFAULT_CONNECTIONS / 64);
	__type(key, __u32);
	__type(value, struct dirty_line);
} dirty_connections SEC(".maps");

#ifndef HAS_COMPARE_EXCHANGE
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_CONNECTIONS);
	__type(key, __u32);
	__type(value, __u32);
} connection_claims SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_CONNECTIONS);
	__type(key, struct connection_key);
	__type(value, __u32); // index of the row
} connection_index SEC(".maps");
#endif

// By what a socket's row is found; 0 if this program cannot tell.
#ifdef HAS_COMPARE_EXCHANGE
// The kernel gives each socket a number, never twice, when first asked for it. Who cannot ask, since the verifier does not
// know the socket's type, leaves a TCP socket alone until somebody has (the plugin's walk over all of them at its start
// does, and so does what sees a connection begin); of a UDP socket its address must do.
static __always_inline __u64 key_of(bool typed, const struct sock *sk, bool tcp)
{
	__u64 cookie = typed || tcp ? READ(typed, sk, __sk_common.skc_cookie.counter) : 0;

	if (cookie)
		return cookie;
	if (typed)
		return bpf_get_socket_cookie((void *)sk);
	return tcp ? 0 : (__u64)sk ^ (__u64)READ(false, sk, __sk_common.skc_num) << 32;
}
#else
// These kernels do not give it to us. The verifier makes no number of an address whose type it knows, but it does of the
// distance between two; and of what a helper has read.
static __always_inline __u64 key_of(bool typed, const struct sock *sk, bool tcp)
{
	__u64 key = (__u64)sk;
	void *base = &state;

	if (typed) {
		asm volatile("%0 -= %1" : "+r"(key) : "r"(base));
		return key;
	}
	bpf_probe_read_kernel(&base, sizeof(base), &base);
	return key - (__u64)base;
}
#endif

static __always_inline void set_v4(__be32 *to, __be32 address)
{
	to[0] = to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = address;
}

static __always_inline bool is_same(const struct connection *c, const struct end *to)
{
	return c->remote[3] == to->address[3] && c->remote_port == to->port && c->remote[2] == to->address[2] &&
	       c->remote[1] == to->address[1] && c->remote[0] == to->address[0];
}

// Whether it is the socket's row, or the further one that it has for that other end.
static __always_inline bool is_of(const struct connection *c, __u64 socket, const struct end *further)
{
	return c && c->socket == socket && c->tag == CONNECTION_CLAIMED &&
	       (further ? c->life & CONNECTION_FURTHER && is_same(c, further) : !(c->life & CONNECTION_FURTHER));
}

#ifdef HAS_COMPARE_EXCHANGE
static __always_inline __u32 place_of(__u64 socket, const struct end *further)
{
	__u32 key = socket ^ socket >> 32;

	if (further)
		key ^= further->address[0] ^ further->address[1] ^ further->address[3] ^ (further->port << 16);
	return SLOT_HASH(key) >> settings.connection_shift;
}

// NULL if there is none.
static __always_inline struct connection *find_connection(__u64 socket, const struct end *further, __u32 *index)
{
	__u32 place = place_of(socket, further);

#pragma clang loop unroll(full)
	for (int probe = 0; probe < SLOT_PROBES; probe++) {
		__u32 at = (place + probe) & settings.connection_mask;
		struct connection *c = bpf_map_lookup_elem(&connections, &at);
		if (is_of(c, socket, further)) {
			*index = at;
			return c;
		}
	}
	return NULL;
}
static __always_inline void add_to_index(__u64 socket, const struct end *further, __u32 index) {}
static __always_inline void remove_from_index(const struct connection *c, __u32 index) {}
#else
static __always_inline struct connection_key connection_key(__u64 socket, const struct end *further)
{
	struct connection_key key = {.socket = socket};

	if (further) {
		__builtin_memcpy(key.further.address, further->address, sizeof(key.further.address));
		key.further.port = further->port;
	}
	return key;
}
static __always_inline __u32 place_of(__u64 socket, const struct end *further)
{
	return bpf_get_prandom_u32(); // it is the index that finds it
}

static __always_inline struct connection *find_connection(__u64 socket, const struct end *further, __u32 *index)
{
	struct connection_key key = connection_key(socket, further);
	__u32 *at = bpf_map_lookup_elem(&connection_index, &key);
	struct connection *c;

	if (!at)
		return NULL;
	*index = *at;
	c = bpf_map_lookup_elem(&connections, index);
	return is_of(c, socket, further) ? c : NULL;
}
static __always_inline void add_to_index(__u64 socket, const struct end *further, __u32 index)
{
	struct connection_key key = connection_key(socket, further);

	bpf_map_update_elem(&connection_index, &key, &index, BPF_ANY);
}
static __always_inline void remove_from_index(const struct connection *c, __u32 index)
{
	struct connection_key key = {.socket = c->socket};
	__u32 *at;

	if (c->life & CONNECTION_FURTHER) {
		__builtin_memcpy(key.further.address, c->remote, sizeof(key.further.address));
		key.further.port = c->remote_port;
	}
	at = bpf_map_lookup_elem(&connection_index, &key);
	if (at && *at == index)
		bpf_map_delete_elem(&connection_index, &key);
}
#endif

// A row from that place on; -1 if none is free. The plugin does not look at it before the caller has set its `life`.
static __noinline int claim_place(__u64 socket, __u32 place)
{
	for (int probe = 0; probe < SLOT_PROBES; probe++) {
		__u32 at = (place + probe) & settings.connection_mask;
		struct connection *c = bpf_map_lookup_elem(&connections, &at);
		if (!c || c->tag || !claim(&c->tag, CLAIMS(connection_claims), at, CONNECTION_CLAIMED))
			continue;
		c->socket = socket;
		c->since = bpf_ktime_get_ns();
		__sync_fetch_and_add(&state.connections_claimed, 1);
		if (state.connections_claimed - state.connections_freed > settings.connections_wake_at)
			ask_to_fold();
		return at;
	}
	ask_to_fold();
	return -1;
}

static __always_inline struct connection *claim_connection(__u64 socket, const struct end *further, __u32 *index)
{
	int at = claim_place(socket, place_of(socket, further));

	*index = at;
	if (at < 0) {
		__sync_fetch_and_add(&state.connections_unnoted, 1);
		return NULL;
	}
	add_to_index(socket, further, at);
	return bpf_map_lookup_elem(&connections, index);
}

static __always_inline void retire_connection(struct connection *c, __u32 index)
{
	remove_from_index(c, index);
	barrier();
	*(volatile __u32 *)&c->tag = CONNECTION_CLAIMED | SLOT_RETIRED;
	set_dirty(&dirty_connections, index, 1);
}

static __always_inline void set_owner(struct connection *c)
{
	c->cgroup = bpf_get_current_cgroup_id();
	c->tgid = bpf_get_current_pid_tgid() >> 32;
}

// What the socket says of itself. `typed`: see READ.
static __always_inline void read_ends(bool typed, struct connection *c, const struct sock *sk)
{
	c->local_port = READ(typed, sk, __sk_common.skc_num);
	c->remote_port = bpf_ntohs(READ(typed, sk, __sk_common.skc_dport));
	if (READ(typed, sk, __sk_common.skc_family) == AF_INET) {
		set_v4(c->local, READ(typed, sk, __sk_common.skc_rcv_saddr));
		set_v4(c->remote, READ(typed, sk, __sk_common.skc_daddr));
	} else {
#pragma clang loop unroll(full)
		for (int i = 0; i < 4; i++) {
			c->local[i] = READ(typed, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
			c->remote[i] = READ(typed, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
		}
	}
	c->protocol = READ(typed, sk, sk_protocol);
	if (typed)
		c->net_namespace = sk->__sk_common.skc_net.net->ns.inum;
	else
		c->net_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

// The kernel counts for us. What it has sent for the first time is the payload, without SYN and FIN; but what a queue of
// this machine drops is sent for the first time again: then the numbers of the sequence know better, in which SYN and FIN
// count for one each. So does a FIN in what it has received. READ again, once for all.
#define READ_TCP(typed, c, sk, tcp)                                                                        \
	do {                                                                                              \
		__u64 handed_down = READ(typed, tcp, bytes_sent) - READ(typed, tcp, bytes_retrans);       \
		__u64 sequence = READ(typed, tcp, bytes_acked) +                                          \
				 (__u32)(READ(typed, tcp, snd_nxt) - READ(typed, tcp, snd_una));          \
		(c)->bytes_sent = handed_down < sequence ? handed_down : sequence;                        \
		(c)->bytes_received = READ(typed, tcp, bytes_received) -                                  \
				      ((READ(typed, sk, __sk_common.skc_flags) >> SOCK_DONE) & 1);        \
		(c)->packets_sent = READ(typed, tcp, segs_out);                                           \
		(c)->packets_received = READ(typed, tcp, segs_in);                                        \
		(c)->retransmits = READ(typed, tcp, total_retrans);                                       \
	} while (0)

static __always_inline const struct tcp_sock *tcp_of(bool typed, const struct sock *sk)
{
	return typed ? (const void *)bpf_skc_to_tcp_sock((void *)sk) : (const void *)sk;
}

#ifdef HAS_RDONLY_CAST
// The same without a call, since 6.2.
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym;
#define TCP_BY_CAST(sk) ((const struct tcp_sock *)bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock)))
#else
#define TCP_BY_CAST(sk) tcp_of(true, sk)
#endif

static __always_inline void read_tcp(bool typed, struct connection *c, const struct sock *sk, const struct tcp_sock *tcp)
{
	if (typed && tcp)
		READ_TCP(true, c, sk, tcp);
	else if (!typed)
		READ_TCP(false, c, sk, tcp);
}

// A program has sent or received by TCP.
static __always_inline void note_tcp(bool typed, const struct sock *sk, const struct tcp_sock *tcp)
{
	__u64 socket = key_of(typed, sk, true);
	__u32 index;
	struct connection *c;
	bool is_new = false;

	if (!socket)
		return;
	c = find_connection(socket, NULL, &index);
	if (!c) { // it was there before us
		// Or has ended: all is told, and nobody would tell of its end again.
		if (READ(typed, sk, __sk_common.skc_state) == TCP_CLOSE || READ(typed, sk, __sk_common.skc_state) == TCP_LISTEN)
			return;
		is_new = true;
		c = claim_connection(socket, NULL, &index);
		if (!c)
			return;
		read_ends(typed, c, sk);
	}
	if (!c->tgid)
		set_owner(c);
	read_tcp(typed, c, sk, tcp);
	barrier();
	if (!c->life)
		*(volatile __u32 *)&c->life = CONNECTION_KNOWN;
	if (is_new && READ(typed, sk, __sk_common.skc_state) == TCP_CLOSE) // meanwhile
		retire_connection(c, index);
	else
		set_dirty(&dirty_connections, index, 1);
}

// A connection begins: to is the direction, or how it ends.
static __always_inline void tcp_changes(const struct sock *sk, int from, int to)
{
	__u64 socket = key_of(true, sk, true);
	__u32 index, life;
	struct connection *c;

	if (to == TCP_LISTEN) {
		struct listening_news listens = {.net_namespace = sk->__sk_common.skc_net.net->ns.inum,
						 .port = sk->__sk_common.skc_num};
		bpf_ringbuf_output(&news, &listens, sizeof(listens), BPF_RB_FORCE_WAKEUP);
		return;
	}
	if (from == TCP_LISTEN)
		return;
	life = to == TCP_SYN_SENT                                 ? CONNECTION_OUTBOUND
	       : from == TCP_SYN_RECV && to == TCP_ESTABLISHED    ? CONNECTION_INBOUND
								  : 0;
	c = find_connection(socket, NULL, &index);
	if (!c && life)
		c = claim_connection(socket, NULL, &index);
	if (!c && to == TCP_CLOSE && from != TCP_CLOSE) {
		struct connection ended = {.socket = socket, .life = CONNECTION_KNOWN | CONNECTION_UNNOTED};
		const struct tcp_sock *tcp = tcp_of(true, sk);
		read_ends(true, &ended, sk);
		if (tcp) // by now the socket has given back its port; what it sent from stays
			ended.local_port = bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport);
		read_tcp(true, &ended, sk, tcp);
		if (bpf_ringbuf_output(&news, &ended, sizeof(ended), 0))
			__sync_fetch_and_add(&state.connections_lost, 1);
		return;
	}
	if (!c)
		return;
	if (to == TCP_SYN_SENT)
		set_owner(c);
	if (life || to == TCP_ESTABLISHED) // by then it has its local port
		read_ends(true, c, sk);
	if (to != TCP_CLOSE && !life)
		return;
	read_tcp(true, c, sk, tcp_of(true, sk));
	barrier();
	if (life)
		*(volatile __u32 *)&c->life = CONNECTION_KNOWN | life;
	if (to == TCP_CLOSE)
		retire_connection(c, index);
	else
		set_dirty(&dirty_connections, index, 1);
}

static __always_inline bool read_name(const struct msghdr *message, bool typed, struct end *to)
{
	struct {
		__u16 family;
		__be16 port;
		__be32 v4; // or the flow of IPv6
		__be32 v6[4];
	} name;
	const void *address;

	if (!settings.reads_memory || !message)
		return false;
	address = READ(typed, message, msg_name);
	if (!address || bpf_probe_read_kernel(&name, sizeof(name), address))
		return false;
	to->port = bpf_ntohs(name.port);
	if (name.family == AF_INET)
		set_v4(to->address, name.v4);
	else if (name.family == AF_INET6)
		__builtin_memcpy(to->address, name.v6, sizeof(to->address));
	else
		return false;
	return true;
}

// The row of a new UDP socket, or of a further other end of one that is known.
static __always_inline struct connection *new_datagrams(bool typed, const struct sock *sk, const struct end *to,
						       bool is_further, __u32 life, __u32 *index)
{
	__u64 socket = key_of(typed, sk, false);
	struct connection *c = claim_connection(socket, is_further ? to : NULL, index);

	if (!c)
		return NULL;
	read_ends(typed, c, sk);
	if (to) {
		__builtin_memcpy(c->remote, to->address, sizeof(c->remote));
		c->remote_port = to->port;
	}
	set_owner(c);
	barrier();
	*(volatile __u32 *)&c->life = CONNECTION_KNOWN | life | (is_further ? CONNECTION_FURTHER : 0);
	return c;
}

// A program has sent or received datagrams. Who receives first is a service, and has one row for all who talk to it; who
// sends first has one for each other end. True if a service has just begun.
static __always_inline bool note_udp(bool typed, const struct sock *sk, const struct msghdr *message, bool sent,
				     __u32 packets, __u64 bytes)
{
	struct end to = {};
	bool known = false, began = false;
	__u64 socket = key_of(typed, sk, false);
	__u32 index;
	struct connection *c = find_connection(socket, NULL, &index);

	// An address may be another socket's by now.
	if (c && c->local_port && c->local_port != READ(typed, sk, __sk_common.skc_num)) {
		retire_connection(c, index);
		c = NULL;
	}
	if (!c || !(c->life & CONNECTION_INBOUND)) {
		to.port = bpf_ntohs(READ(typed, sk, __sk_common.skc_dport));
		known = to.port; // connect(2) has been called
		if (known && READ(typed, sk, __sk_common.skc_family) == AF_INET)
			set_v4(to.address, READ(typed, sk, __sk_common.skc_daddr));
		else if (known) {
#pragma clang loop unroll(full)
			for (int i = 0; i < 4; i++)
				to.address[i] = READ(typed, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
		} else
			known = read_name(message, typed, &to);
	}
	if (!c) {
		bool service = !sent && !bpf_ntohs(READ(typed, sk, __sk_common.skc_dport));
		c = new_datagrams(typed, sk, service || !known ? NULL : &to, false,
				  service ? CONNECTION_INBOUND : CONNECTION_OUTBOUND, &index);
		began = service && c;
	} else if (known && !is_same(c, &to)) {
		struct connection *further = find_connection(socket, &to, &index);
		if (!further)
			further = new_datagrams(typed, sk, &to, true, CONNECTION_OUTBOUND, &index);
		c = further;
	}
	if (!c)
		return false;
	if (sent) {
		__sync_fetch_and_add(&c->bytes_sent, bytes);
		__sync_fetch_and_add(&c->packets_sent, packets);
	} else {
		__sync_fetch_and_add(&c->bytes_received, bytes);
		__sync_fetch_and_add(&c->packets_received, packets);
	}
	set_dirty(&dirty_connections, index, 1);
	return began;
}

static __always_inline void end_udp(bool typed, const struct sock *sk)
{
	__u32 index;
	struct connection *c = find_connection(key_of(typed, sk, false), NULL, &index);

	if (c)
		retire_connection(c, index);
}
