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
#define socket_HOOKS(HOOK, ALSO, EVENT)                                                                                  \
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

inline constexpr Chart socket_charts[] = {
    {.classic = {"ip.inbound_conn", "Inbound connections.", "connections/s", "Socket", 21077},
     .current = {"ip.inbound_conn", "Inbound connections.", "connections/s", "kernel", 21070},
     .dimensions = {{"inet_csk_accept_tcp", "connected_tcp", socket_accepts_tcp},
                    {"inet_csk_accept_udp", "connected_udp", socket_accepts_udp}}},
    {.classic = {"ip.tcp_outbound_conn", "TCP outbound connections.", "connections/s", "Socket", 21078},
     .current = {"ip.tcp_outbound_conn", "TCP outbound connections.", "connections/s", "kernel", 21071},
     .dimensions = {{"tcp_connect_v4", "connected_V4", socket_connects_v4},
                    {"tcp_connect_v6", "connected_V6", socket_connects_v6}}},
    {.classic = {"ebpf.tcp_functions", "Calls to internal functions", "calls", "Socket", 21070},
     .current = {"ip.tcp_functions", "Calls to internal functions", "calls/s", "kernel", 21072},
     .dimensions = {{"tcp_sendmsg", "sent", socket_tcp_send_calls},
                    {"tcp_cleanup_rbuf", "received", socket_tcp_receive_calls},
                    {"tcp_close", "close", socket_tcp_close_calls}}},
    {.classic = {"ebpf.tcp_bandwidth", "TCP bandwidth", "bytes/s", "Socket", 21071},
     .current = {"ip.total_tcp_bandwidth", "TCP bandwidth", "kilobits/s", "kernel", 21073, KILOBITS},
     .dimensions = {{"tcp_sendmsg", "sent", socket_tcp_send_bytes, -1},
                    {"tcp_cleanup_rbuf", "received", socket_tcp_receive_bytes}}},
    {.classic = {"ebpf.tcp_error", "TCP errors", "calls", "Socket", 21072},
     .current = {"ip.tcp_error", "TCP errors", "calls/s", "kernel", 21074},
     .dimensions = {{"tcp_sendmsg", "sent", socket_tcp_send_errors},
                    {"tcp_cleanup_rbuf", "received", socket_tcp_receive_errors}}},
    {.classic = {"ebpf.tcp_retransmit", "Packages retransmitted", "calls", "Socket", 21073},
     .current = {"ip.tcp_retransmit", "Packages retransmitted", "calls/s", "kernel", 21075},
     .dimensions = {{"tcp_retransmit_skb", "retransmitted", socket_retransmit_calls}}},
    {.classic = {"ebpf.udp_functions", "UDP calls", "calls", "Socket", 21074},
     .current = {"ip.udp_functions", "UDP calls", "calls/s", "kernel", 21076},
     .dimensions = {{"udp_sendmsg", "sent", socket_udp_send_calls},
                    {"udp_recvmsg", "received", socket_udp_receive_calls}}},
    {.classic = {"ebpf.udp_bandwidth", "UDP bandwidth", "bytes/s", "Socket", 21075},
     .current = {"ip.total_udp_bandwidth", "UDP bandwidth", "kilobits/s", "kernel", 21077, KILOBITS},
     .dimensions = {{"udp_sendmsg", "sent", socket_udp_send_bytes, -1},
                    {"udp_recvmsg", "received", socket_udp_receive_bytes}}},
    {.classic = {"ebpf.udp_error", "UDP errors", "calls", "Socket", 21076},
     .current = {"ip.udp_error", "UDP errors", "calls/s", "kernel", 21078},
     .dimensions = {{"udp_sendmsg", "sent", socket_udp_send_errors},
                    {"udp_recvmsg", "received", socket_udp_receive_errors}}},
};

inline constexpr Share socket_shares[] = {
    {.counter = socket_tcp_send_bytes,
     .and_also = socket_udp_send_bytes,
     .apps = {"bandwidth_sent", "Bytes sent", "bytes/s", "ebpf net", 20080},
     .app = {"ebpf_sock_bytes_sent", "Bytes sent.", "kilobits/s", "net", 20132, KILOBITS},
     .app_dimension = "bandwidth",
     .cgroup = {"total_bandwidth_sent", "Bytes sent", "kilobits/s", "network", 5303, KILOBITS},
     .context = "net_bytes_send",
     .dimension_id = "sent",
     .dimension_name = "sent",
     .service_dimension = "bandwidth",
     .service_priority = 20083,
     .classic_service_priority = 20083,
     .service_family = "net"},
    {.counter = socket_tcp_receive_bytes,
     .and_also = socket_udp_receive_bytes,
     .apps = {"bandwidth_recv", "bytes received", "bytes/s", "ebpf net", 20081},
     .app = {"ebpf_sock_bytes_received", "Bytes received.", "kilobits/s", "net", 20133, KILOBITS},
     .app_dimension = "bandwidth",
     .cgroup = {"total_bandwidth_recv", "Bytes received", "kilobits/s", "network", 5302, KILOBITS},
     .context = "net_bytes_recv",
     .dimension_id = "received",
     .dimension_name = "received",
     .service_dimension = "bandwidth",
     .service_priority = 20082,
     .classic_service_priority = 20082,
     .service_family = "net"},
    {.counter = socket_connects_v4,
     .apps = {"outbound_conn_v4", "Calls to tcp_v4_connection", "connections/s", "ebpf net", 20082},
     .app = {"ebpf_call_tcp_v4_connection", "Calls to tcp_v4_connection.", "connections/s", "net", 20130},
     .app_dimension = "connections",
     .cgroup = {"outbound_conn_v4", "Calls to tcp_v4_connection", "connections/s", "network", 5300},
     .context = "net_conn_ipv4",
     .dimension_id = "tcp_connect_v4",
     .dimension_name = "connected_V4",
     .service_dimension = "connections",
     .service_priority = 20080,
     .classic_service_priority = 20080,
     .service_family = "net"},
    {.counter = socket_connects_v6,
     .apps = {"outbound_conn_v6", "Calls to tcp_v6_connection", "connections/s", "ebpf net", 20083},
     .app = {"ebpf_call_tcp_v6_connection", "Calls to tcp_v6_connection.", "connections/s", "net", 20131},
     .app_dimension = "connections",
     .cgroup = {"outbound_conn_v6", "Calls to tcp_v6_connection", "connections/s", "network", 5301},
     .context = "net_conn_ipv6",
     .dimension_id = "tcp_connect_v6",
     .dimension_name = "connected_V6",
     .service_dimension = "connections",
     .service_priority = 20081,
     .classic_service_priority = 20081,
     .service_family = "net"},
    {.counter = socket_tcp_send_calls,
     .apps = {"bandwidth_tcp_send", "Calls for tcp_sendmsg", "calls/s", "ebpf net", 20084},
     .app = {"ebpf_call_tcp_sendmsg", "Calls to tcp_sendmsg.", "calls/s", "net", 20134},
     .cgroup = {"bandwidth_tcp_send", "Calls to tcp_sendmsg.", "calls/s", "network", 5305},
     .context = "net_tcp_send",
     .dimension_id = "tcp_sendmsg",
     .dimension_name = "sent",
     .service_priority = 20085,
     .classic_service_priority = 20085,
     .service_family = "net"},
    {.counter = socket_tcp_receive_calls,
     .apps = {"bandwidth_tcp_recv", "Calls for tcp_cleanup_rbuf", "calls/s", "ebpf net", 20085},
     .app = {"ebpf_call_tcp_cleanup_rbuf", "Calls to tcp_cleanup_rbuf.", "calls/s", "net", 20135},
     .cgroup = {"bandwidth_tcp_recv", "Calls to tcp_cleanup_rbuf.", "calls/s", "network", 5304},
     .context = "net_tcp_recv",
     .dimension_id = "tcp_cleanup_rbuf",
     .dimension_name = "received",
     .service_priority = 20084,
     .classic_service_priority = 20084,
     .service_family = "net"},
    {.counter = socket_retransmit_calls,
     .apps = {"bandwidth_tcp_retransmit", "Calls for tcp_retransmit", "calls/s", "ebpf net", 20086},
     .app = {"ebpf_call_tcp_retransmit", "Calls to tcp_retransmit.", "calls/s", "net", 20136},
     .cgroup = {"bandwidth_tcp_retransmit", "Calls to tcp_retransmit.", "calls/s", "network", 5306},
     .context = "net_retransmit",
     .dimension_id = "tcp_retransmit_skb",
     .dimension_name = "retransmitted",
     .service_priority = 20086,
     .classic_service_priority = 20086,
     .service_family = "net"},
    {.counter = socket_udp_send_calls,
     .apps = {"bandwidth_udp_send", "Calls for udp_sendmsg", "calls/s", "ebpf net", 20087},
     .app = {"ebpf_call_udp_sendmsg", "Calls to udp_sendmsg.", "calls/s", "net", 20137},
     .cgroup = {"bandwidth_udp_send", "Calls to udp_sendmsg.", "calls/s", "network", 5307},
     .context = "net_udp_send",
     .dimension_id = "udp_sendmsg",
     .dimension_name = "sent",
     .service_priority = 20087,
     .classic_service_priority = 20087,
     .service_family = "net"},
    {.counter = socket_udp_receive_calls,
     .apps = {"bandwidth_udp_recv", "Calls for udp_recvmsg", "calls/s", "ebpf net", 20088},
     .app = {"ebpf_call_udp_recvmsg", "Calls to udp_recvmsg.", "calls/s", "net", 20138},
     .cgroup = {"bandwidth_udp_recv", "Calls to udp_recvmsg.", "calls/s", "network", 5308},
     .context = "net_udp_recv",
     .dimension_id = "udp_recvmsg",
     .dimension_name = "received",
     .service_priority = 20088,
     .classic_service_priority = 20088,
     .service_family = "net"},
};
#endif
