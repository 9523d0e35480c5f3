// TCP and UDP: what programs send and receive, and the life of their connections.
#include "hooks.bpf.h"
#include "connections.bpf.h"

static __always_inline void remember(struct row *row, const struct sock *sk, const void *message, bool only_looks)
{
	row->note.socket = (__u64)sk;
	row->note.message = (__u64)message;
	row->note.flag = only_looks;
}

// What only looks at data, or fetches an error, receives nothing.
static __always_inline bool only_looks(int flags)
{
	return flags & (MSG_PEEK | MSG_ERRQUEUE);
}

// The flags of a receive are its fourth argument; until 5.18 the fifth, of six. (In assembler: see result().)
static __always_inline int flags_of_receive(bool typed, void *ctx, __u8 arguments)
{
	__u64 flags;

	if (!typed) {
		__u64 fourth = PT_REGS_PARM4((struct pt_regs *)ctx), fifth = PT_REGS_PARM5((struct pt_regs *)ctx);
		barrier_var(fourth);
		barrier_var(fifth);
		return arguments == 6 ? fifth : fourth;
	}
	if (arguments == 6)
		asm volatile("%0 = *(u64 *)(%1 + 32)" : "=r"(flags) : "r"(ctx));
	else
		asm volatile("%0 = *(u64 *)(%1 + 24)" : "=r"(flags) : "r"(ctx));
	return flags;
}
#define LOOKS(hook) only_looks(flags_of_receive(typed, ctx, settings.arguments[HOOK_ID(socket, hook)]))
#define SOCKET_OF(row) ((const struct sock *)(row)->note.socket)
#define MESSAGE_OF(row) ((const struct msghdr *)(row)->note.message)

ON_CALL(socket, tcp_send)
{
	struct sock *sk = ARG(1);

	CALLED_CALLS(row, socket, tcp_send);
	remember(row, sk, NULL, false);
}
ON_RETURN(socket, tcp_send)
{
	RETURNED_CALLS_ERRORS_BYTES(row, ret, socket, tcp_send);
	note_tcp(typed, SOCKET_OF(row), tcp_of(typed, SOCKET_OF(row)));
}

ON_CALL(socket, tcp_sendpage)
{
	struct sock *sk = ARG(1);

	CALLED_CALLS(row, socket, tcp_send);
	remember(row, sk, NULL, false);
}
ON_RETURN(socket, tcp_sendpage)
{
	RETURNED_CALLS_ERRORS_BYTES(row, ret, socket, tcp_send);
	note_tcp(typed, SOCKET_OF(row), tcp_of(typed, SOCKET_OF(row)));
}

ON_CALL(socket, tcp_receive)
{
	struct sock *sk = ARG(1);

	CALLED_CALLS(row, socket, tcp_receive);
	remember(row, sk, NULL, LOOKS(tcp_receive));
}
ON_RETURN(socket, tcp_receive)
{
	RETURNED_CALLS_ERRORS(row, ret, socket, tcp_receive);
	if (ret > 0 && !row->note.flag)
		count(row, socket, tcp_receive_bytes, ret);
	note_tcp(typed, SOCKET_OF(row), tcp_of(typed, SOCKET_OF(row)));
}

ON_CALL(socket, tcp_splice)
{
	struct socket *socket = ARG(1);

	CALLED_CALLS(row, socket, tcp_receive);
	remember(row, READ(typed, socket, sk), NULL, false);
}
ON_RETURN(socket, tcp_splice)
{
	RETURNED_CALLS_ERRORS_BYTES(row, ret, socket, tcp_receive);
	note_tcp(typed, SOCKET_OF(row), tcp_of(typed, SOCKET_OF(row)));
}

// UDP. A send by a socket of IPv6 to an IPv4 address passes through both functions: it counts in the first.
static __always_inline bool is_v4(bool typed, const struct sock *sk)
{
	return READ(typed, sk, __sk_common.skc_family) == AF_INET;
}

static __always_inline void udp_sent(struct row *row, bool typed, const struct sock *sk, const struct msghdr *message, int ret)
{
	RETURNED_CALLS_ERRORS_BYTES(row, ret, socket, udp_send);
	if (ret >= 0)
		note_udp(typed, sk, message, true, 1, ret);
}
static __always_inline void udp_received(struct row *row, bool typed, const struct sock *sk, const struct msghdr *message, int ret)
{
	RETURNED_CALLS_ERRORS(row, ret, socket, udp_receive);
	if (ret < 0 || row->note.flag)
		return;
	count(row, socket, udp_receive_bytes, ret);
	if (note_udp(typed, sk, message, false, 1, ret))
		count(row, socket, accepts_udp, 1);
}

ON_CALL(socket, udp_send)
{
	struct sock *sk = ARG(1);
	struct msghdr *message = ARG(2);

	bool counts = is_v4(typed, sk);

	if (counts)
		CALLED_CALLS(row, socket, udp_send);
	remember(row, counts ? sk : NULL, message, false);
}
ON_RETURN(socket, udp_send)
{
	if (SOCKET_OF(row))
		udp_sent(row, typed, SOCKET_OF(row), MESSAGE_OF(row), ret);
}

ON_CALL(socket, udpv6_send)
{
	struct sock *sk = ARG(1);
	struct msghdr *message = ARG(2);

	CALLED_CALLS(row, socket, udp_send);
	remember(row, sk, message, false);
}
ON_RETURN(socket, udpv6_send)
{
	udp_sent(row, typed, SOCKET_OF(row), MESSAGE_OF(row), ret);
}

ON_CALL(socket, udp_receive)
{
	struct sock *sk = ARG(1);
	struct msghdr *message = ARG(2);

	CALLED_CALLS(row, socket, udp_receive);
	remember(row, sk, message, LOOKS(udp_receive));
}
ON_RETURN(socket, udp_receive)
{
	udp_received(row, typed, SOCKET_OF(row), MESSAGE_OF(row), ret);
}

ON_CALL(socket, udpv6_receive)
{
	struct sock *sk = ARG(1);
	struct msghdr *message = ARG(2);

	CALLED_CALLS(row, socket, udp_receive);
	remember(row, sk, message, LOOKS(udpv6_receive));
}
ON_RETURN(socket, udpv6_receive)
{
	udp_received(row, typed, SOCKET_OF(row), MESSAGE_OF(row), ret);
}

ON_CALL(socket, udp_end) { end_udp(typed, ARG(1)); }
ON_RETURN(socket, udp_end) {}

ON_CALL(socket, udpv6_end) { end_udp(typed, ARG(1)); }
ON_RETURN(socket, udpv6_end) {}

// The kernel's own telling of each send and receive, of whatever socket. Raw sockets carry the protocol's number too.
static __always_inline bool is_tcp(bool typed, const struct sock *sk)
{
	return READ(typed, sk, sk_protocol) == IPPROTO_TCP && READ(typed, sk, sk_type) == SOCK_STREAM;
}
static __always_inline bool is_udp(bool typed, const struct sock *sk)
{
	return READ(typed, sk, sk_protocol) == IPPROTO_UDP && READ(typed, sk, sk_type) == SOCK_DGRAM;
}
static __always_inline bool is_ip(bool typed, const struct sock *sk)
{
	__u16 family = READ(typed, sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6;
}
#define BY_EVENT(hook) settings.by_event[HOOK_ID(socket, hook)]

SEC("?tp_btf") int BPF_PROG(sock_send_length__tp_btf, struct sock *sk, int ret, int flags)
{
	bool tcp = BY_EVENT(tcp_send) && is_tcp(true, sk);
	bool udp = !tcp && is_udp(true, sk) && (is_v4(true, sk) ? BY_EVENT(udp_send) : BY_EVENT(udpv6_send));
	struct row here, *row = &here;

	if (!is_ip(true, sk) || !(tcp || udp))
		return 0;
	here = current_row();
	if (tcp) {
		CALLED_CALLS(row, socket, tcp_send);
		RETURNED_CALLS_ERRORS_BYTES(row, ret, socket, tcp_send);
		note_tcp(true, sk, TCP_BY_CAST(sk));
	} else {
		CALLED_CALLS(row, socket, udp_send);
		udp_sent(row, true, sk, NULL, ret);
	}
	mark(row);
	return 0;
}

SEC("?tp_btf") int BPF_PROG(sock_recv_length__tp_btf, struct sock *sk, int ret, int flags)
{
	bool tcp = BY_EVENT(tcp_receive) && is_tcp(true, sk);
	bool udp = !tcp && is_udp(true, sk) && (is_v4(true, sk) ? BY_EVENT(udp_receive) : BY_EVENT(udpv6_receive));
	struct row here, *row = &here;

	if (!is_ip(true, sk) || !(tcp || udp))
		return 0;
	here = current_row();
	if (tcp) {
		CALLED_CALLS(row, socket, tcp_receive);
		RETURNED_CALLS_ERRORS(row, ret, socket, tcp_receive);
		if (ret > 0 && !only_looks(flags))
			count(row, socket, tcp_receive_bytes, ret);
		note_tcp(true, sk, TCP_BY_CAST(sk));
	} else {
		here.note.flag = only_looks(flags);
		CALLED_CALLS(row, socket, udp_receive);
		udp_received(row, true, sk, NULL, ret);
	}
	mark(row);
	return 0;
}

// Connections begin and end here, often while the processor is at work for somebody else: what has no thread of its own
// counts for nobody in particular.
static __always_inline bool is_v4_in_v6(const struct sock *sk)
{
	return !sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[0] && !sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[1] &&
	       sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[2] == bpf_htonl(0xffff);
}

ON_EVENT(socket, state, const struct sock *sk, int from, int to)
{
	if (!is_tcp(true, sk) || !is_ip(true, sk))
		return 0;
	if (to == TCP_SYN_SENT) {
		struct row row = current_row();
		if (is_v4(true, sk) || is_v4_in_v6(sk))
			count(&row, socket, connects_v4, 1);
		else
			count(&row, socket, connects_v6, 1);
		mark(&row);
	} else if (from == TCP_SYN_RECV && to == TCP_ESTABLISHED)
		__sync_fetch_and_add(&state.unattributed[socket_base + socket_accepts_tcp], 1);
	tcp_changes(sk, from, to);
	return 0;
}

// Segments. Those of a connection that has a row are in there, and the plugin knows for whom they count.
ON_EVENT(socket, retransmit, const struct sock *sk)
{
	__u32 index;
	struct connection *c;

	if (!is_ip(true, sk))
		return 0;
	c = find_connection(key_of(true, sk, true), NULL, &index);
	if (c) {
		read_tcp(true, c, sk, tcp_of(true, sk));
		set_mark(&connections_marks, index, 1);
	} else
		__sync_fetch_and_add(&state.unattributed[socket_base + socket_retransmit_calls], 1);
	return 0;
}

// The answer to a connection that is not one yet.
ON_EVENT(socket, retransmit_synack)
{
	__sync_fetch_and_add(&state.unattributed[socket_base + socket_retransmit_calls], 1);
	return 0;
}

GROUP_PROGRAMS(socket)
