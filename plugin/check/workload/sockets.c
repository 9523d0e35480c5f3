// ebpf-workload: operations on sockets. NEAR sends and FAR receives, on loopback.
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include "workload.h"

static union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;
static socklen_t address_size;
static struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
static struct mmsghdr messages[2];

// Where we may have a network namespace of our own, nobody else's connections are in it.
static void enter_network(void) {
    static bool entered;
    struct ifreq loopback = {.ifr_name = "lo"};
    int fd;

    if (entered || unshare(CLONE_NEWNET)) return;
    entered = true;
    fd = checked(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    loopback.ifr_flags = IFF_UP;
    checked(ioctl(fd, SIOCSIFFLAGS, &loopback), "lo");
    close(fd);
}

static int new_socket(int family, int type, int protocol) {
    enter_network();
    int fd = socket(family, type, protocol);

    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EPERM)) unavailable(errno);
    return checked(fd, "socket");
}

// Takes any free port on 127.0.0.1 or ::1, and leaves it in `address`.
static void bind_somewhere(int fd, int family) {
    memset(&address, 0, sizeof(address));
    address.any.sa_family = family;
    if (family == AF_INET)
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.v6.sin6_addr = in6addr_loopback;
    address_size = family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
    if (bind(fd, &address.any, address_size) && errno == EADDRNOTAVAIL) unavailable(errno);
    checked(getsockname(fd, &address.any, &address_size), "getsockname");
}

// Makes `address` the same place for a socket of IPv6: ::ffff:127.0.0.1.
static void map_address(void) {
    struct sockaddr_in v4 = address.v4;

    memset(&address, 0, sizeof(address));
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = v4.sin_port;
    address.v6.sin6_addr.s6_addr[10] = address.v6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&address.v6.sin6_addr.s6_addr[12], &v4.sin_addr, 4);
    address_size = sizeof(address.v6);
}

static int new_listener(int family) {
    int fd = new_socket(family, SOCK_STREAM, 0);

    bind_somewhere(fd, family);
    checked(listen(fd, MAX_COUNT), "listen");
    return fd;
}

static void connect_tcp(void) {
    int listener = new_listener(AF_INET);

    place(new_socket(AF_INET, SOCK_STREAM, 0), NEAR, "socket");
    checked(connect(NEAR, &address.any, address_size), "connect");
    place(accept(listener, NULL, NULL), FAR, "accept");
    close(listener);
}

static void fill_tcp(void) {
    int fitted = 0;

    connect_tcp();
    while (fitted < count && send(NEAR, buffer, BLOCK, MSG_DONTWAIT) == BLOCK) fitted++;
    count = fitted;
    // On loopback what was sent has arrived, but the far end may not know yet.
    for (int waiting = 0; waiting < count * BLOCK;) checked(ioctl(FAR, FIONREAD, &waiting), "ioctl");
}

static void connect_tcp_and_ring(void) {
    connect_tcp();
    set_up_ring();
}

static void shut_tcp(void) {
    connect_tcp();
    checked(shutdown(NEAR, SHUT_WR), "shutdown");
}

static void prepare_messages(void) {
    connect_tcp();
    messages[0].msg_hdr = messages[1].msg_hdr = message;
}

static void sockets_of(int family) {
    for (int i = 0; i < count; i++) fds[i] = new_socket(family, SOCK_STREAM, 0);
}
static void open_sockets(void) {
    new_listener(AF_INET);
    sockets_of(AF_INET);
}
static void open_sockets_v6(void) {
    new_listener(AF_INET6);
    sockets_of(AF_INET6);
}
static void open_mapped_sockets(void) {
    new_listener(AF_INET);
    map_address();
    sockets_of(AF_INET6);
}
static void open_refused_sockets(void) {
    close(new_listener(AF_INET));
    sockets_of(AF_INET);
}
static void open_connections(void) {
    open_sockets();
    for (int i = 0; i < count; i++) checked(connect(fds[i], &address.any, address_size), "connect");
}

static void open_datagrams_of(int family) {
    int size = 64 << 20;

    place(new_socket(family, SOCK_DGRAM, 0), FAR, "socket");
    setsockopt(FAR, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    bind_somewhere(FAR, family);
    place(new_socket(family, SOCK_DGRAM, 0), NEAR, "socket");
    message.msg_name = &address;
    message.msg_namelen = address_size;
}
static void open_datagrams(void) { open_datagrams_of(AF_INET); }
static void open_datagrams_v6(void) { open_datagrams_of(AF_INET6); }
static void open_mapped_datagrams(void) {
    open_datagrams_of(AF_INET);
    map_address();
    place(new_socket(AF_INET6, SOCK_DGRAM, 0), NEAR, "socket");
}
static void connect_datagrams(void) {
    open_datagrams_of(AF_INET);
    checked(connect(NEAR, &address.any, address_size), "connect");
}

static void send_datagrams(void) {
    int fitted = 0, waiting = 0;

    for (; fitted < count; fitted++) checked(sendto(NEAR, buffer, BLOCK, 0, &address.any, address_size), "sendto");
    checked(ioctl(FAR, FIONREAD, &waiting), "ioctl");
    if (!waiting) die("sendto");
}
static void fill_datagrams(void) {
    open_datagrams_of(AF_INET);
    send_datagrams();
}
static void fill_datagrams_v6(void) {
    open_datagrams_of(AF_INET6);
    send_datagrams();
}

static void open_services(void) {
    int near = new_socket(AF_INET, SOCK_DGRAM, 0);

    for (int i = 0; i < count; i++) {
        fds[i] = new_socket(AF_INET, SOCK_DGRAM, 0);
        bind_somewhere(fds[i], AF_INET);
        checked(sendto(near, buffer, BLOCK, 0, &address.any, address_size), "sendto");
    }
}

// What these two send is neither TCP nor UDP to the kernel, though a raw socket may say so.
static void open_raw_socket(void) {
    open_datagrams_of(AF_INET);
    place(new_socket(AF_INET, SOCK_RAW, IPPROTO_UDP), NEAR, "socket");
}
static void open_unix_sockets(void) {
    int both[2];

    checked(socketpair(AF_UNIX, SOCK_STREAM, 0, both), "socketpair");
    place(both[0], NEAR, "socketpair");
    place(both[1], FAR, "socketpair");
}

// The far ends drop everything, so that the kernel must send it again.
static void open_deaf_connections(void) {
    static struct sock_filter take_nothing[] = {{BPF_RET | BPF_K, 0, 0, 0}};
    static const struct sock_fprog filter = {1, take_nothing};
    int listener;

    count = count < 20 ? count : 20;
    listener = new_listener(AF_INET);
    for (int i = 0; i < count; i++) {
        fds[i] = new_socket(AF_INET, SOCK_STREAM, 0);
        checked(connect(fds[i], &address.any, address_size), "connect");
        int far = fds[count + i] = checked(accept(listener, NULL, NULL), "accept");
        checked(setsockopt(far, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)), "SO_ATTACH_FILTER");
    }
}

// Two messages a call.
static void send_messages(void) {
    for (int i = 0; i < count; i += 2) {
        int sent = syscall(SYS_sendmmsg, NEAR, messages, 2, MSG_NOSIGNAL);
        calls += 2;
        for (int m = 0; m < sent; m++) bytes += messages[m].msg_len;
        failed += 2 - (sent < 0 ? 0 : sent);
    }
}

static void splice_from_tcp(void) {
    for (int i = 0; i < count; i++) {
        long moved = syscall(SYS_splice, FAR, NULL, PIPE_W, NULL, BLOCK, 0);
        calls++;
        if (moved < 0)
            failed++;
        else
            bytes += moved;
        syscall(SYS_splice, PIPE_R, NULL, NOWHERE, NULL, BLOCK, 0);
    }
}

static unsigned retransmitted(void) {
    unsigned sum = 0;

    for (int i = 0; i < count; i++) {
        struct tcp_info info;
        socklen_t size = sizeof(info);
        checked(getsockopt(fds[i], IPPROTO_TCP, TCP_INFO, &info, &size), "TCP_INFO");
        sum += info.tcpi_total_retrans;
    }
    return sum;
}

// The calls made are the segments that the kernel says it has sent again. Then both ends of each connection are reset,
// since neither would learn that the other has closed.
static void retransmit(void) {
    struct linger at_once = {.l_onoff = 1};

    for (int i = 0; i < count; i++) syscall(SYS_sendto, fds[i], buffer, BLOCK, MSG_NOSIGNAL, NULL, 0);
    while (retransmitted() < (unsigned)count) usleep(10000);
    do {
        calls = retransmitted();
        usleep(20000);
    } while (calls != retransmitted());
    for (int i = 0; i < 2 * count; i++) {
        setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(fds[i]);
    }
}

const struct operation socket_operations[] = {
    {MOVE("tcp_sendto", SYS_sendto, NEAR, A(buffer), BLOCK, MSG_NOSIGNAL), .set_up = connect_tcp},
    {MOVE("tcp_sendmsg", SYS_sendmsg, NEAR, A(&message), MSG_NOSIGNAL), .set_up = connect_tcp},
    {.name = "tcp_sendmmsg", .nr = SYS_sendmmsg, .set_up = prepare_messages, .run = send_messages},
    {MOVE("tcp_write", SYS_write, NEAR, A(buffer), BLOCK), .set_up = connect_tcp},
    {MOVE("tcp_sendfile", SYS_sendfile, NEAR, IN, 0, BLOCK), .set_up = connect_tcp},
    {RING("tcp_uring_send", IORING_OP_SEND, NEAR, A(buffer), BLOCK), .bytes = true, .set_up = connect_tcp_and_ring},
    {MOVE("tcp_send_fail", SYS_sendto, NEAR, A(buffer), BLOCK, MSG_NOSIGNAL), .set_up = shut_tcp},
    {MOVE("tcp_recvfrom", SYS_recvfrom, FAR, A(buffer), BLOCK, 0), .set_up = fill_tcp},
    {CALL("tcp_recv_peek", SYS_recvfrom, FAR, A(buffer), BLOCK, MSG_PEEK), .set_up = fill_tcp},
    {MOVE("tcp_recvmsg", SYS_recvmsg, FAR, A(&message), 0), .set_up = fill_tcp},
    {MOVE("tcp_read", SYS_read, FAR, A(buffer), BLOCK), .set_up = fill_tcp},
    {.name = "tcp_splice", .nr = SYS_splice, .set_up = fill_tcp, .run = splice_from_tcp},
    {MOVE("tcp_recv_again", SYS_recvfrom, FAR, A(buffer), BLOCK, MSG_DONTWAIT), .set_up = connect_tcp},
    {CALL("tcp_connect", SYS_connect, A(fds), A(&address), sizeof(address.v4)), .set_up = open_sockets},
    {CALL("tcp_connect_v6", SYS_connect, A(fds), A(&address), sizeof(address.v6)), .set_up = open_sockets_v6},
    {CALL("tcp_connect_mapped", SYS_connect, A(fds), A(&address), sizeof(address.v6)), .set_up = open_mapped_sockets},
    {CALL("tcp_connect_fail", SYS_connect, A(fds), A(&address), sizeof(address.v4)), .set_up = open_refused_sockets},
    {CALL("tcp_close", SYS_close, A(fds)), .set_up = open_connections},
    {.name = "tcp_retransmit", .nr = NO_PROBE, .set_up = open_deaf_connections, .run = retransmit},

    {MOVE("udp_send", SYS_sendto, NEAR, A(buffer), BLOCK, 0), .set_up = connect_datagrams},
    {MOVE("udp_write", SYS_write, NEAR, A(buffer), BLOCK), .set_up = connect_datagrams},
    {MOVE("udp_sendto", SYS_sendto, NEAR, A(buffer), BLOCK, 0, A(&address), sizeof(address.v4)),
     .set_up = open_datagrams},
    {MOVE("udp_sendto_v6", SYS_sendto, NEAR, A(buffer), BLOCK, 0, A(&address), sizeof(address.v6)),
     .set_up = open_datagrams_v6},
    {MOVE("udp_sendto_mapped", SYS_sendto, NEAR, A(buffer), BLOCK, 0, A(&address), sizeof(address.v6)),
     .set_up = open_mapped_datagrams},
    {MOVE("udp_sendmsg", SYS_sendmsg, NEAR, A(&message), 0), .set_up = open_datagrams},
    {MOVE("udp_send_fail", SYS_sendto, NEAR, A(buffer), 70000, 0), .set_up = connect_datagrams},
    {MOVE("udp_recvfrom", SYS_recvfrom, FAR, A(buffer), BLOCK, 0), .set_up = fill_datagrams},
    {MOVE("udp_recvfrom_v6", SYS_recvfrom, FAR, A(buffer), BLOCK, 0), .set_up = fill_datagrams_v6},
    {CALL("udp_recv_peek", SYS_recvfrom, FAR, A(buffer), BLOCK, MSG_PEEK), .set_up = fill_datagrams},
    {MOVE("udp_read", SYS_read, FAR, A(buffer), BLOCK), .set_up = fill_datagrams},
    {MOVE("udp_recv_again", SYS_recvfrom, FAR, A(buffer), BLOCK, MSG_DONTWAIT), .set_up = open_datagrams},
    {MOVE("udp_service", SYS_recvfrom, A(fds), A(buffer), BLOCK, 0), .set_up = open_services},
    {MOVE("raw_sendto", SYS_sendto, NEAR, A(buffer), BLOCK, 0, A(&address), sizeof(address.v4)),
     .set_up = open_raw_socket},
    {MOVE("unix_sendto", SYS_sendto, NEAR, A(buffer), BLOCK, MSG_DONTWAIT), .set_up = open_unix_sockets},
    {0},
};
