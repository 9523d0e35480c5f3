// The connections: who talks to whom, and how much. The plugin reads the rows in memory that it has mapped.
#pragma once
#include "record.bpf.h"
#include <bpf/bpf_endian.h>

#ifndef DEFAULT_CONNECTIONS
#define DEFAULT_CONNECTIONS 4096 // the plugin sets the real number
#endif

TABLE(connections, struct connection, DEFAULT_CONNECTIONS)

#ifndef HAS_COMPARE_EXCHANGE
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_CONNECTIONS);
	__type(key, struct connection_key);
	__type(value, __u32); // index of the row
} connections_index SEC(".maps");
#endif

// By what a socket's row is found; 0 if this program cannot tell.
#ifdef HAS_COMPARE_EXCHANGE
// Key: the socket cookie. Programs whose `sk` is untyped cannot call bpf_get_socket_cookie(): for TCP they use the cookie once
// one is assigned (our start-up walk and inet_sock_set_state do), for UDP the socket's address and port.
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
// No cookie for tracing programs before 5.12: the key is the address. The verifier forbids turning a typed pointer into a
// number but allows pointer subtraction and what a probe read returns.
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

// Whether it is the socket's row, or that of the peer.
static __always_inline bool is_of(const struct connection *c, __u64 socket, const struct end *peer)
{
	return c && c->socket == socket && c->tag == CONNECTION_CLAIMED &&
	       (peer ? c->life & CONNECTION_PEER && is_same(c, peer) : !(c->life & CONNECTION_PEER));
}

#ifdef HAS_COMPARE_EXCHANGE
static __always_inline __u32 place_of(__u64 socket, const struct end *peer)
{
	__u32 key = socket ^ socket >> 32;

	if (peer)
		key ^= peer->address[0] ^ peer->address[1] ^ peer->address[3] ^ (peer->port << 16);
	return place_of_key(TABLE_connections, key);
}

// The socket's own row, -1 if it has none. (A global function: the verifier walks it once, not at each use.)
__noinline int find_own(__u64 socket)
{
	__u32 place = place_of(socket, NULL), index;

	return FIND_ROW(struct connection, connections, place, &index, is_of(each, socket, NULL)) ? index : -1;
}

// NULL if there is none.
static __always_inline struct connection *find_connection(__u64 socket, const struct end *peer, __u32 *index)
{
	__u32 place = place_of(socket, peer);
	int own;

	if (peer)
		return FIND_ROW(struct connection, connections, place, index, is_of(each, socket, peer));
	own = find_own(socket);
	if (own < 0)
		return NULL;
	*index = own;
	return bpf_map_lookup_elem(&connections, index);
}
static __always_inline void add_to_index(__u64 socket, const struct end *peer, __u32 index) {}
static __always_inline void remove_from_index(const struct connection *c, __u32 index) {}
#else
static __always_inline struct connection_key connection_key(__u64 socket, const struct end *peer)
{
	struct connection_key key = {.socket = socket};

	if (peer) {
		__builtin_memcpy(key.peer.address, peer->address, sizeof(key.peer.address));
		key.peer.port = peer->port;
	}
	return key;
}
static __always_inline __u32 place_of(__u64 socket, const struct end *peer)
{
	return bpf_get_prandom_u32(); // it is the index that finds it
}

static __always_inline struct connection *find_connection(__u64 socket, const struct end *peer, __u32 *index)
{
	struct connection_key key = connection_key(socket, peer);
	__u32 *at = bpf_map_lookup_elem(&connections_index, &key);
	struct connection *c;

	if (!at)
		return NULL;
	*index = *at;
	c = bpf_map_lookup_elem(&connections, index);
	return is_of(c, socket, peer) ? c : NULL;
}
static __always_inline void add_to_index(__u64 socket, const struct end *peer, __u32 index)
{
	struct connection_key key = connection_key(socket, peer);

	bpf_map_update_elem(&connections_index, &key, &index, BPF_ANY);
}
static __always_inline void remove_from_index(const struct connection *c, __u32 index)
{
	struct connection_key key = {.socket = c->socket};
	__u32 *at;

	if (c->life & CONNECTION_PEER) {
		__builtin_memcpy(key.peer.address, c->remote, sizeof(key.peer.address));
		key.peer.port = c->remote_port;
	}
	at = bpf_map_lookup_elem(&connections_index, &key);
	if (at && *at == index)
		bpf_map_delete_elem(&connections_index, &key);
}
#endif

// A row from that place on; -1 if none is free. The plugin does not look at it before the caller has set its `life`.
__noinline int claim_place(__u64 socket, __u32 place)
{
	__u32 index;
	struct connection *c = CLAIM_ROW(connections, place, CONNECTION_CLAIMED, &index);

	if (!c) {
		ask_to_fold();
		return -1;
	}
	c->socket = socket;
	c->since = bpf_ktime_get_ns();
	return index;
}

static __always_inline struct connection *claim_connection(__u64 socket, const struct end *peer, __u32 *index)
{
	int at = claim_place(socket, place_of(socket, peer));

	*index = at;
	if (at < 0) {
		reject(TABLE_connections);
		return NULL;
	}
	add_to_index(socket, peer, at);
	return bpf_map_lookup_elem(&connections, index);
}

static __always_inline void retire_connection(struct connection *c, __u32 index)
{
	remove_from_index(c, index);
	barrier();
	*(volatile __u32 *)&c->tag = CONNECTION_CLAIMED | ROW_RETIRED;
	set_mark(&connections_marks, index, 1);
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

// bytes_sent - bytes_retrans is the payload, but counts segments twice that a local qdisc dropped; the sequence numbers are
// right then but include SYN and FIN. Take the smaller. bytes_received includes a received FIN.
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
		set_mark(&connections_marks, index, 1);
}

static __always_inline void listens(const struct sock *sk)
{
	struct listening *listening = BEGIN_RECORD(listening);

	if (!listening)
		return;
	listening->net_namespace = sk->__sk_common.skc_net.net->ns.inum;
	listening->port = sk->__sk_common.skc_num;
	send_record(listening, BPF_RB_FORCE_WAKEUP);
}

// One that has no row ends.
static __always_inline void untracked_ends(const struct sock *sk, __u64 socket)
{
	const struct tcp_sock *tcp = tcp_of(true, sk);
	struct ended *ended = BEGIN_RECORD(ended);
	struct connection *c;

	if (!ended)
		return;
	c = (struct connection *)ended->connection;
	__builtin_memset(c, 0, sizeof(*c));
	c->socket = socket;
	c->life = CONNECTION_KNOWN | CONNECTION_UNTRACKED;
	read_ends(true, c, sk);
	if (tcp) // by now the socket has given back its port; what it sent from stays
		c->local_port = bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport);
	read_tcp(true, c, sk, tcp);
	send_record(ended, 0);
}

// A connection begins: `to` is the direction, or how it ends.
static __always_inline void tcp_changes(const struct sock *sk, int from, int to)
{
	__u64 socket = key_of(true, sk, true);
	__u32 index, life;
	struct connection *c;

	if (to == TCP_LISTEN)
		return listens(sk);
	if (from == TCP_LISTEN)
		return;
	life = to == TCP_SYN_SENT                                 ? CONNECTION_OUTBOUND
	       : from == TCP_SYN_RECV && to == TCP_ESTABLISHED    ? CONNECTION_INBOUND
								  : 0;
	c = find_connection(socket, NULL, &index);
	if (!c && life)
		c = claim_connection(socket, NULL, &index);
	if (!c && to == TCP_CLOSE && from != TCP_CLOSE)
		return untracked_ends(sk, socket);
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
		set_mark(&connections_marks, index, 1);
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

// The row of a new UDP socket, or of a further peer of one that is known.
static __always_inline struct connection *new_datagrams(bool typed, const struct sock *sk, const struct end *to,
						       bool is_peer, __u32 life, __u32 *index)
{
	__u64 socket = key_of(typed, sk, false);
	struct connection *c = claim_connection(socket, is_peer ? to : NULL, index);

	if (!c)
		return NULL;
	read_ends(typed, c, sk);
	if (to) {
		__builtin_memcpy(c->remote, to->address, sizeof(c->remote));
		c->remote_port = to->port;
	}
	set_owner(c);
	barrier();
	*(volatile __u32 *)&c->life = CONNECTION_KNOWN | life | (is_peer ? CONNECTION_PEER : 0);
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
		struct connection *peer = find_connection(socket, &to, &index);
		if (!peer)
			peer = new_datagrams(typed, sk, &to, true, CONNECTION_OUTBOUND, &index);
		c = peer;
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
	set_mark(&connections_marks, index, 1);
	return began;
}

static __always_inline void end_udp(bool typed, const struct sock *sk)
{
	__u32 index;
	struct connection *c = find_connection(key_of(typed, sk, false), NULL, &index);

	if (c)
		retire_connection(c, index);
}
