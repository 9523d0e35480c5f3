// TCP and UDP, on IPv4 and IPv6: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

#define COUNTERS_STATES(group, hook) group##_connects_v4, group##_connects_v6, group##_accepts_tcp,
#define COUNTERS_DATAGRAMS(group, hook)                                                               \
    group##_##hook##_calls, group##_accepts_udp, group##_##hook##_errors, group##_##hook##_bytes,

// Where the kernel tells of each send and receive (6.3), that is the cheapest way for TCP: two programs on tracepoints, not
// four on functions. For UDP the functions know more: where a datagram goes to or comes from.
// tcp_cleanup_rbuf() would tell of received bytes too, but not once: a receive that waits for more calls it again.
// The ends of UDP sockets count nothing: they make room for further connections early.
// sendfile(2) passes by tcp_sendmsg() until 6.5, splice(2) always by tcp_recvmsg().
#define socket_HOOKS(HOOK, ALSO, EVENT, SAME)                                                                            \
    HOOK(socket, tcp_send, BY_HAND(CALLS_ERRORS_BYTES), FUNCTIONS("tcp_sendmsg"), SYSCALLS(),                            \
         BY_SOCKET(sends), EVENT_FIRST("sock_send_length"))                                                              \
    ALSO(socket, tcp_sendpage, tcp_send, BY_HAND(CALLS_ERRORS_BYTES), FUNCTIONS("tcp_sendpage"), SYSCALLS(), IF_PRESENT) \
    HOOK(socket, tcp_receive, BY_HAND(CALLS_ERRORS_BYTES), FUNCTIONS("tcp_recvmsg"), SYSCALLS(),                         \
         BY_SOCKET(receives), EVENT_FIRST("sock_recv_length"))                                                           \
    ALSO(socket, tcp_splice, tcp_receive, BY_HAND(CALLS_ERRORS_BYTES), FUNCTIONS("tcp_splice_read"), SYSCALLS(),         \
         BY_SOCKET(receives))                                                                                            \
    HOOK(socket, udp_send, BY_HAND(CALLS_ERRORS_BYTES), FUNCTIONS("udp_sendmsg"), SYSCALLS(),                            \
         BY_SOCKET(sends), OR_EVENT("sock_send_length"))                                                                 \
    ALSO(socket, udpv6_send, udp_send, BY_HAND(CALLS_ERRORS_BYTES), FUNCTIONS("udpv6_sendmsg"), SYSCALLS(),              \
         BY_SOCKET(sends), OR_EVENT("sock_send_length"))                                                                 \
    HOOK(socket, udp_receive, BY_HAND(DATAGRAMS), FUNCTIONS("udp_recvmsg"), SYSCALLS(),                                  \
         BY_SOCKET(receives), OR_EVENT("sock_recv_length"))                                                              \
    ALSO(socket, udpv6_receive, udp_receive, BY_HAND(DATAGRAMS), FUNCTIONS("udpv6_recvmsg"), SYSCALLS(),                 \
         BY_SOCKET(receives), OR_EVENT("sock_recv_length"))                                                              \
    ALSO(socket, udp_end, udp_send, BY_HAND(NOTHING), FUNCTIONS("udp_destroy_sock"), SYSCALLS(), IF_PRESENT)             \
    ALSO(socket, udpv6_end, udp_send, BY_HAND(NOTHING), FUNCTIONS("udpv6_destroy_sock"), SYSCALLS(), IF_PRESENT)         \
    EVENT(socket, state, STATES, "inet_sock_set_state")                                                                  \
    EVENT(socket, retransmit, CALLS, "tcp_retransmit_skb")                                                               \
    EVENT(socket, retransmit_synack, NOTHING, "tcp_retransmit_synack")                                                   \
    HOOK(socket, tcp_close, CALLS, FUNCTIONS("tcp_close"), SYSCALLS())

DECLARE_COUNTERS(socket);

#ifdef __cplusplus
#include "chart.h"

#define KIND_STATES {.calls = 3}
#define KIND_DATAGRAMS {.calls = 2, .errors = 1, .bytes = 1}

inline constexpr Places socket_places{
    .classic = {"Socket", 21068}, .current = {"kernel", 21070}, .apps = {"ebpf net", 20080}, .app = {"net", 20130},
    .cgroup = {"network", 5300}, .service = {"net", 20080},
    .apps_calls = units::calls.current};

inline constexpr Chart socket_charts[] = {
    {"ip.inbound_conn", "ip.inbound_conn", "Inbound connections.", 0,
     {{"inet_csk_accept_tcp", "connected_tcp", socket_accepts_tcp},
      {"inet_csk_accept_udp", "connected_udp", socket_accepts_udp}},
     {.units = units::connections, .classic_at = 9}},
    {"ip.tcp_outbound_conn", "ip.tcp_outbound_conn", "TCP outbound connections.", 1,
     {{"tcp_connect_v4", "connected_V4", socket_connects_v4}, {"tcp_connect_v6", "connected_V6", socket_connects_v6}},
     {.units = units::connections, .classic_at = 10}},
    {"ip.tcp_functions", "ebpf.tcp_functions", "Calls to internal functions", 2,
     {{"tcp_sendmsg", "sent", socket_tcp_send_calls},
      {"tcp_cleanup_rbuf", "received", socket_tcp_receive_calls},
      {"tcp_close", "close", socket_tcp_close_calls}}},
    {"ip.total_tcp_bandwidth", "ebpf.tcp_bandwidth", "TCP bandwidth", 3,
     {{"tcp_sendmsg", "sent", socket_tcp_send_bytes, -1}, {"tcp_cleanup_rbuf", "received", socket_tcp_receive_bytes}},
     {.units = units::bits}},
    {"ip.tcp_error", "ebpf.tcp_error", "TCP errors", 4,
     {{"tcp_sendmsg", "sent", socket_tcp_send_errors}, {"tcp_cleanup_rbuf", "received", socket_tcp_receive_errors}}},
    {"ip.tcp_retransmit", "ebpf.tcp_retransmit", "Packages retransmitted", 5,
     {{"tcp_retransmit_skb", "retransmitted", socket_retransmit_calls}}},
    {"ip.udp_functions", "ebpf.udp_functions", "UDP calls", 6,
     {{"udp_sendmsg", "sent", socket_udp_send_calls}, {"udp_recvmsg", "received", socket_udp_receive_calls}}},
    {"ip.total_udp_bandwidth", "ebpf.udp_bandwidth", "UDP bandwidth", 7,
     {{"udp_sendmsg", "sent", socket_udp_send_bytes, -1}, {"udp_recvmsg", "received", socket_udp_receive_bytes}},
     {.units = units::bits}},
    {"ip.udp_error", "ebpf.udp_error", "UDP errors", 8,
     {{"udp_sendmsg", "sent", socket_udp_send_errors}, {"udp_recvmsg", "received", socket_udp_receive_errors}}},
};

inline constexpr MemberChart socket_member_charts[] = {
    {socket_tcp_send_bytes, "bandwidth_sent", "Bytes sent", "ebpf_sock_bytes_sent", "net_bytes_send", 2,
     {.and_also = socket_udp_send_bytes, .units = units::bits, .cgroup_id = "total_bandwidth_sent",
      .dimension_id = "sent", .apps_at = 0, .cgroup_at = 3}},
    {socket_tcp_receive_bytes, "bandwidth_recv", "bytes received", "ebpf_sock_bytes_received", "net_bytes_recv", 3,
     {.and_also = socket_udp_receive_bytes, .units = units::bits, .cgroup_title = "Bytes received",
      .cgroup_id = "total_bandwidth_recv", .dimension_id = "received", .apps_at = 1, .cgroup_at = 2}},
    {socket_connects_v4, "outbound_conn_v4", "Calls to tcp_v4_connection", "ebpf_call_tcp_v4_connection",
     "net_conn_ipv4", 0, {.units = units::connections, .apps_at = 2}},
    {socket_connects_v6, "outbound_conn_v6", "Calls to tcp_v6_connection", "ebpf_call_tcp_v6_connection",
     "net_conn_ipv6", 1, {.units = units::connections, .apps_at = 3}},
    {socket_tcp_send_calls, "bandwidth_tcp_send", "Calls for tcp_sendmsg", "ebpf_call_tcp_sendmsg", "net_tcp_send", 4,
     {.cgroup_title = "Calls to tcp_sendmsg.", .cgroup_at = 5}},
    {socket_tcp_receive_calls, "bandwidth_tcp_recv", "Calls for tcp_cleanup_rbuf", "ebpf_call_tcp_cleanup_rbuf",
     "net_tcp_recv", 5, {.cgroup_title = "Calls to tcp_cleanup_rbuf.", .cgroup_at = 4}},
    {socket_retransmit_calls, "bandwidth_tcp_retransmit", "Calls for tcp_retransmit", "ebpf_call_tcp_retransmit",
     "net_retransmit", 6, {.cgroup_title = "Calls to tcp_retransmit."}},
    {socket_udp_send_calls, "bandwidth_udp_send", "Calls for udp_sendmsg", "ebpf_call_udp_sendmsg", "net_udp_send", 7,
     {.cgroup_title = "Calls to udp_sendmsg."}},
    {socket_udp_receive_calls, "bandwidth_udp_recv", "Calls for udp_recvmsg", "ebpf_call_udp_recvmsg", "net_udp_recv",
     8, {.cgroup_title = "Calls to udp_recvmsg."}},
};
#endif
