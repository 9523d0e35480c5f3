// ebpf-workload: makes a known number of one kind of system call between two SIGSTOPs and reports what they returned.
//
// SPDX-License-Identifier: GPL-3.0-or-later
//
//   ebpf-workload --list                  the names of the operations, one a line
//   ebpf-workload OPERATION COUNT DIR     set up in the empty DIR, stop, make the calls, stop, report, tidy up
//   ebpf-workload contend PROCESSES DIR   read and write single bytes in that many processes until SIGTERM
//
// It prints "made <calls> <failed> <bytes>", or "unavailable <errno>" (exit code 3, no stop) where the kernel
// has not got the call. It is the ground truth of the plugin's self test, so it shares nothing with the plugin,
// and between the stops it uses no libc function that may open, close, read, write or fork by itself.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/sched.h>

#define MAX_COUNT 10000
#define BLOCK 100
#define WAVE 20
#define MOST_READS 32
#define A(pointer) ((long)(pointer))

// Fixed descriptor numbers let the table below name them; they lie above the few that the set-up uses in passing.
enum { IN = 100, OUT, FOLDER, NOWHERE, PIPE_R, PIPE_W, UNUSED, NEAR, FAR };

struct operation {
    const char *name;
    long nr;                                       // also the call to probe for, where `call` or `run` is set
    long args[6];
    bool bytes;                                    // the calls return a number of bytes
    void (*set_up)(void);
    long (*call)(void);                            // for what is more than one system call with these arguments
    void (*run)(void);                             // for what is not COUNT times the same
};

// One thread or process of a wave; in shared memory, so that processes can report as well.
struct worker {
    pthread_t thread;
    pid_t id;
    int fd;
    int reads;
    unsigned long failed;
    unsigned long bytes;
};

static const struct operation *op;                 // what was asked for
static int count;
static int turn;                                   // which of the COUNT calls it is
static unsigned long calls, failed, bytes;
static bool own_dir;
static char buffer[BLOCK];
static char name[MAX_COUNT][16];
static int fds[MAX_COUNT + 1];
static struct worker *workers;
static pthread_attr_t small_stack;
static aio_context_t aio;

static struct {
    int fd;
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
} ring;

static struct iovec parts[3] = {{buffer, 30}, {buffer + 30, 30}, {buffer + 60, 40}};
static struct open_how how = {.flags = O_RDONLY};
static struct clone_args process_args = {.exit_signal = SIGCHLD};
static struct clone_args bad_process_args = {.flags = CLONE_NEWNS | CLONE_FS, .exit_signal = SIGCHLD};
static struct clone_args bad_thread_args = {.flags = CLONE_THREAD};

// ---------------------------------------------------------------------------------------------------------------
// the folder

static void tidy_up(void) {
    DIR *dir = own_dir ? opendir(".") : NULL;
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && unlink(entry->d_name))
            rmdir(entry->d_name);
    }
    if (dir)
        closedir(dir);
}

static _Noreturn void die(const char *what) {
    fprintf(stderr, "ebpf-workload: %s: %s\n", what, strerror(errno));
    tidy_up();
    exit(1);
}

static _Noreturn void unavailable(int error) {
    dprintf(STDOUT_FILENO, "unavailable %d\n", error);
    tidy_up();
    exit(3);
}

// Everything in the folder is deleted at the end, hence the insistence that nothing is in it at the start.
static void enter_folder(const char *path) {
    DIR *dir = chdir(path) ? NULL : opendir(".");
    struct dirent *entry;

    if (!dir)
        die(path);
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            errno = ENOTEMPTY;
            die(path);
        }
    }
    closedir(dir);
    own_dir = true;
}

static int checked(int result, const char *what) {
    if (result < 0)
        die(what);
    return result;
}

static void place(int fd, int number, const char *what) {
    if (checked(fd, what) != number) {
        checked(dup2(fd, number), what);
        close(fd);
    }
}

// ---------------------------------------------------------------------------------------------------------------
// set-up: the common part, then what single operations need

static void set_up_common(void) {
    struct rlimit limit;
    int both[2];

    // A caller that ignores SIGCHLD would leave nothing to wait for.
    signal(SIGCHLD, SIG_DFL);
    // What the caller left open would be closed by every child that exits; where the kernel cannot, it stays.
    syscall(SYS_close_range, 3, ~0U, 0);

    checked(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    if (limit.rlim_cur < MAX_COUNT + 1000) {
        limit.rlim_cur = MAX_COUNT + 1000;
        if (limit.rlim_max < limit.rlim_cur)
            limit.rlim_max = limit.rlim_cur;
        checked(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    }

    for (int i = 0; i < count; i++)
        snprintf(name[i], sizeof(name[i]), "n%d", i);

    int fd = checked(open("in", O_WRONLY | O_CREAT | O_EXCL, 0600), "in");
    for (int i = 0; i < count + MOST_READS; i++) {
        if (write(fd, buffer, BLOCK) != BLOCK)
            die("in");
    }
    close(fd);
    place(open("in", O_RDONLY), IN, "in");
    place(open("out", O_WRONLY | O_CREAT | O_EXCL, 0600), OUT, "out");
    checked(mkdir("folder", 0700), "folder");
    place(open("folder", O_RDONLY | O_DIRECTORY), FOLDER, "folder");
    place(open("/dev/null", O_WRONLY), NOWHERE, "/dev/null");
    checked(pipe2(both, O_NONBLOCK), "pipe2");
    place(both[0], PIPE_R, "pipe2");
    place(both[1], PIPE_W, "pipe2");
    close(UNUSED);
}

static void make_files(void) {
    for (int i = 0; i < count; i++)
        close(checked(open(name[i], O_WRONLY | O_CREAT | O_EXCL, 0600), name[i]));
}

// One more than COUNT, for the trial call of uring_close.
static void open_files(void) {
    for (int i = 0; i <= count; i++)
        fds[i] = checked(open("in", O_RDONLY), "in");
}

// Nobody reads from it: opening it for writing is refused when the file is opened, not when its name is looked up.
static void make_fifo(void) {
    checked(mkfifo("fifo", 0600), "fifo");
}

// The folder can still be searched but not be written to: making a file is refused when it is made.
static void give_up_rights(void) {
    checked(fchmod(FOLDER, 0755), "folder");
    syscall(SYS_setfsuid, 65534);
}

// Blocks do not straddle pages in a pipe; the exact room shows only by filling it, so COUNT is cut to what went in.
static void fill_pipe(void) {
    int fitted = 0;

    if (fcntl(PIPE_W, F_SETPIPE_SZ, MAX_COUNT * BLOCK) < 0)
        fcntl(PIPE_W, F_SETPIPE_SZ, count * BLOCK);
    while (fitted < count && write(PIPE_W, buffer, BLOCK) == BLOCK)
        fitted++;
    count = fitted;
}

static void measure_pipe(void) {
    fill_pipe();
    while (read(PIPE_R, buffer, BLOCK) > 0)
        ;
}

static void double_count(void) {
    count *= 2;
}

// Replaces the common descriptors, so that the children inherit just these 25 and the standard three.
static void open_files_and_sockets(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (int fd = IN; fd <= PIPE_W; fd++)
        close(fd);
    for (int i = 0; i < 20; i++)
        checked(open("in", O_RDONLY), "in");
    for (int i = 0; i < 5; i++) {
        int fd = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
        checked(bind(fd, (struct sockaddr *)&address, sizeof(address)), "bind");
        checked(listen(fd, 1), "listen");
    }
}

static void set_up_workers(void) {
    workers = mmap(NULL, 2 * WAVE * sizeof(*workers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (workers == MAP_FAILED)
        die("mmap");
    for (int i = 0; i < 2 * WAVE; i++)
        workers[i].fd = checked(open("in", O_RDONLY), "in");
    pthread_attr_init(&small_stack);
    pthread_attr_setstacksize(&small_stack, 128 * 1024);
}

static void set_up_aio(void) {
    checked(syscall(SYS_io_setup, 1, &aio), "io_setup");
}

static void *map_ring(size_t size, off_t offset) {
    void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, offset);

    if (area == MAP_FAILED)
        die("io_uring mmap");
    return area;
}

static void set_up_ring(void) {
    struct io_uring_params p = {0};

    ring.fd = syscall(SYS_io_uring_setup, 1, &p);
    if (ring.fd < 0 && (errno == EPERM || errno == ENOSYS))
        unavailable(errno);
    checked(ring.fd, "io_uring_setup");

    char *sq = map_ring(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    char *cq = map_ring(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    ring.sqes = map_ring(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    ring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
    ring.sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
    ring.sq_array = (unsigned *)(sq + p.sq_off.array);
    ring.cq_head = (unsigned *)(cq + p.cq_off.head);
    ring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
    ring.cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
    ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);

    // The trial call shows whether the kernel has the opcode, and starts the kernel's worker thread if it wants one.
    turn = count;
    if (op->call() < 0) {
        if (errno == EINVAL || errno == EOPNOTSUPP)
            unavailable(errno);
        die("io_uring");
    }
}

static void open_files_and_ring(void) {
    open_files();
    set_up_ring();
}

// ---------------------------------------------------------------------------------------------------------------
// set-up of sockets: NEAR sends and FAR receives, on loopback

static union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;
static socklen_t address_size;
static struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
static struct mmsghdr messages[2];

// A network of our own, where it may be had: then nobody else's connections pass for ours.
static void enter_network(void) {
    static bool entered;
    struct ifreq loopback = {.ifr_name = "lo"};
    int fd;

    if (entered || unshare(CLONE_NEWNET))
        return;
    entered = true;
    fd = checked(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    loopback.ifr_flags = IFF_UP;
    checked(ioctl(fd, SIOCSIFFLAGS, &loopback), "lo");
    close(fd);
}

static int new_socket(int family, int type, int protocol) {
    enter_network();
    int fd = socket(family, type, protocol);

    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EPERM))
        unavailable(errno);
    return checked(fd, "socket");
}

// Whatever port is free, on 127.0.0.1 or ::1; it stays in `address`.
static void bind_somewhere(int fd, int family) {
    memset(&address, 0, sizeof(address));
    address.any.sa_family = family;
    if (family == AF_INET)
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.v6.sin6_addr = in6addr_loopback;
    address_size = family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
    if (bind(fd, &address.any, address_size) && errno == EADDRNOTAVAIL)
        unavailable(errno);
    checked(getsockname(fd, &address.any, &address_size), "getsockname");
}

// The same place, for a socket of IPv6.
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
    while (fitted < count && send(NEAR, buffer, BLOCK, MSG_DONTWAIT) == BLOCK)
        fitted++;
    count = fitted;
    // On loopback what was sent has arrived; the far end may still be told of it.
    for (int waiting = 0; waiting < count * BLOCK;)
        checked(ioctl(FAR, FIONREAD, &waiting), "ioctl");
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
    for (int i = 0; i < count; i++)
        fds[i] = new_socket(family, SOCK_STREAM, 0);
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
    for (int i = 0; i < count; i++)
        checked(connect(fds[i], &address.any, address_size), "connect");
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
static void open_datagrams(void) {
    open_datagrams_of(AF_INET);
}
static void open_datagrams_v6(void) {
    open_datagrams_of(AF_INET6);
}
static void open_mapped_datagrams(void) {
    open_datagrams_of(AF_INET);
    map_address();
    place(new_socket(AF_INET6, SOCK_DGRAM, 0), NEAR, "socket");
}
static void connect_datagrams(void) {
    open_datagrams_of(AF_INET);
    checked(connect(NEAR, &address.any, address_size), "connect");
}

// COUNT is cut to what the receiver has room for.
static void send_datagrams(void) {
    int fitted = 0, waiting = 0;

    for (; fitted < count; fitted++)
        checked(sendto(NEAR, buffer, BLOCK, 0, &address.any, address_size), "sendto");
    checked(ioctl(FAR, FIONREAD, &waiting), "ioctl");
    if (!waiting)
        die("sendto");
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

// Neither TCP nor UDP, whatever they say.
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

// The far ends take nothing: what is sent must be sent again.
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

// ---------------------------------------------------------------------------------------------------------------
// the calls: by the table, then those that are more than one system call

// An argument `name` or `fds` in the table stands for the element whose turn it is.
static long argument(int k) {
    if (op->args[k] == A(name))
        return A(name[turn]);
    return op->args[k] == A(fds) ? fds[turn] : op->args[k];
}

static long call_by_table(void) {
    return syscall(op->nr, argument(0), argument(1), argument(2), argument(3), argument(4), argument(5));
}

static long uring(void) {
    unsigned tail = *ring.sq_tail, head = *ring.cq_head, slot = tail & *ring.sq_mask;
    int to_submit = 1;

    ring.sqes[slot] = (struct io_uring_sqe){
        .opcode = argument(0), .fd = argument(1), .addr = (unsigned long)argument(2), .len = argument(3)};
    ring.sq_array[slot] = slot;
    __atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head) {
        long entered = syscall(SYS_io_uring_enter, ring.fd, to_submit, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        if (entered < 0 && errno != EINTR)
            die("io_uring_enter");
        if (entered > 0)
            to_submit = 0;
    }
    int result = ring.cqes[head & *ring.cq_mask].res;
    __atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

static long aio_read(void) {
    struct iocb block = {
        .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = IN, .aio_buf = (uintptr_t)buffer, .aio_nbytes = BLOCK};
    struct iocb *list[1] = {&block};
    struct io_event event;

    if (syscall(SYS_io_submit, aio, 1, list) != 1)
        return -1;
    return syscall(SYS_io_getevents, aio, 1, 1, &event, NULL) == 1 ? (long)event.res : -1;
}

// COUNT is doubled: the even calls fill the pipe, the odd ones empty it.
static long splice_both(void) {
    if (turn % 2 == 0)
        return syscall(SYS_splice, IN, NULL, PIPE_W, NULL, BLOCK, 0);
    return syscall(SYS_splice, PIPE_R, NULL, NOWHERE, NULL, BLOCK, 0);
}

#ifdef SYS_rename
static long rename_to_and_fro(void) {
    return turn % 2 == 0 ? syscall(SYS_rename, "in", "renamed") : syscall(SYS_rename, "renamed", "in");
}
#endif

static long mixed(void) {
    int fd = syscall(SYS_openat, AT_FDCWD, "in", O_RDONLY);
    long got = syscall(SYS_read, fd, buffer, BLOCK);
    long put = syscall(SYS_write, OUT, buffer, BLOCK);

    return syscall(SYS_close, fd) == 0 && put == BLOCK ? got : -1;
}

// Two messages a call.
static void send_messages(void) {
    for (int i = 0; i < count; i += 2) {
        int sent = syscall(SYS_sendmmsg, NEAR, messages, 2, MSG_NOSIGNAL);
        calls += 2;
        for (int m = 0; m < sent; m++)
            bytes += messages[m].msg_len;
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

// The calls are the segments that the kernel has sent again, by its own account; then the connections are cut, at both
// ends, since none hears of the other's.
static void retransmit(void) {
    struct linger at_once = {.l_onoff = 1};

    for (int i = 0; i < count; i++)
        syscall(SYS_sendto, fds[i], buffer, BLOCK, MSG_NOSIGNAL, NULL, 0);
    while (retransmitted() < (unsigned)count)
        usleep(10000);
    do {
        calls = retransmitted();
        usleep(20000);
    } while (calls != retransmitted());
    for (int i = 0; i < 2 * count; i++) {
        setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(fds[i]);
    }
}

static long exit_or_reap(long pid) {
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    if (pid > 0)
        syscall(SYS_wait4, pid, NULL, 0, NULL);
    return pid;
}

static long spawn(void) {
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static long clone_process(void) {
    return exit_or_reap(spawn());
}

static long clone3_process(void) {
    return exit_or_reap(syscall(SYS_clone3, &process_args, sizeof(process_args)));
}

#ifdef SYS_fork
static long fork_process(void) {
    return exit_or_reap(syscall(SYS_fork));
}
#endif

// By libc: it keeps the return address off the stack that the child shares, which syscall() does not.
#ifdef SYS_vfork
static long vfork_process(void) {
    pid_t pid = vfork();

    if (pid == 0)
        syscall(SYS_exit_group, 0);
    return exit_or_reap(pid);
}
#endif

static long exec_self(void) {
    static char *const argv[] = {"ebpf-workload", "--exit", NULL}, *const envp[] = {NULL};
    int status = 0;
    long pid = spawn();

    if (pid == 0) {
        syscall(SYS_execve, "/proc/self/exe", argv, envp);
        syscall(SYS_exit_group, 127);
    }
    return pid > 0 && syscall(SYS_wait4, pid, &status, 0, NULL) == pid && status == 0 ? 0 : -1;
}

static void work(struct worker *worker) {
    char block[BLOCK];

    syscall(SYS_lseek, worker->fd, 0, SEEK_SET);
    for (int i = 0; i < worker->reads; i++) {
        long got = syscall(SYS_read, worker->fd, block, BLOCK);
        if (got < 0)
            worker->failed++;
        else
            worker->bytes += got;
    }
}

static void *thread_main(void *argument) {
    struct worker *worker = argument;

    worker->id = syscall(SYS_gettid);
    work(worker);
    return NULL;
}

// A join returns while the thread is still on its way through the kernel's exit; its id goes away only after that.
static void join(struct worker *worker) {
    pthread_join(worker->thread, NULL);
    while (syscall(SYS_tgkill, getpid(), worker->id, 0) == 0)
        sched_yield();
}

static long thread(void) {
    if (pthread_create(&workers->thread, &small_stack, thread_main, workers) != 0)
        return -1;
    join(workers);
    return 0;
}

static void churn(void) {
    for (int first = 0; first < count; first += WAVE) {
        int n = count - first < WAVE ? count - first : WAVE;
        struct worker *threads = workers, *processes = workers + WAVE;

        for (int i = 0; i < n; i++) {
            threads[i].reads = processes[i].reads = 10 + (first + i) % 23;
            calls += 2 * threads[i].reads;
            if ((errno = pthread_create(&threads[i].thread, &small_stack, thread_main, &threads[i])) != 0)
                die("pthread_create");
            // Not right into the shared memory, where the child's 0 might come last.
            pid_t pid = checked(spawn(), "clone");
            if (pid == 0) {
                work(&processes[i]);
                syscall(SYS_exit_group, 0);
            }
            processes[i].id = pid;
        }
        for (int i = 0; i < n; i++) {
            join(&threads[i]);
            syscall(SYS_wait4, processes[i].id, NULL, 0, NULL);
        }
    }
    for (int i = 0; i < 2 * WAVE; i++) {
        failed += workers[i].failed;
        bytes += workers[i].bytes;
    }
}

// ---------------------------------------------------------------------------------------------------------------
// the table

#define CALL(title, number, ...) .name = title, .nr = number, .args = {__VA_ARGS__}
#define MOVE(title, number, ...) CALL(title, number, __VA_ARGS__), .bytes = true
#define FUNC(title, number, function) .name = title, .nr = number, .call = function
#define RING(title, ...) CALL(title, SYS_io_uring_enter, __VA_ARGS__), .call = uring
#define NO_PROBE (-1)

static const struct operation operations[] = {
#ifdef SYS_open
    {CALL("open", SYS_open, A("in"), O_RDONLY)},
    {CALL("creat", SYS_creat, A("out"), 0600)},
#endif
    {CALL("openat", SYS_openat, AT_FDCWD, A("in"), O_RDONLY)},
    {CALL("openat2", SYS_openat2, AT_FDCWD, A("in"), A(&how), sizeof(how))},
    {CALL("openat_create", SYS_openat, AT_FDCWD, A(name), O_WRONLY | O_CREAT | O_EXCL, 0600)},
    {CALL("openat_create_existing", SYS_openat, AT_FDCWD, A("out"), O_WRONLY | O_CREAT, 0600)},
    {CALL("openat_tmpfile", SYS_openat, AT_FDCWD, A("."), O_RDWR | O_TMPFILE, 0600)},
    {CALL("openat_fail", SYS_openat, AT_FDCWD, A("missing"), O_RDONLY)},
    {CALL("openat_create_fail", SYS_openat, AT_FDCWD, A("out"), O_WRONLY | O_CREAT | O_EXCL, 0600)},
    {CALL("open_fifo_fail", SYS_openat, AT_FDCWD, A("fifo"), O_WRONLY | O_NONBLOCK), .set_up = make_fifo},
    {CALL("mknod_file", SYS_mknodat, AT_FDCWD, A(name), S_IFREG | 0600, 0)},
    {CALL("mknod_file_fail", SYS_mknodat, FOLDER, A(name), S_IFREG | 0600, 0), .set_up = give_up_rights},

    {CALL("close", SYS_close, A(fds)), .set_up = open_files},
    {CALL("close_fail", SYS_close, UNUSED)},

    {MOVE("read", SYS_read, IN, A(buffer), BLOCK)},
    {MOVE("pread64", SYS_pread64, IN, A(buffer), BLOCK, 0, 0)},
    {MOVE("readv", SYS_readv, IN, A(parts), 3)},
    {MOVE("preadv", SYS_preadv, IN, A(parts), 3, 0, 0)},
    {MOVE("preadv2", SYS_preadv2, IN, A(parts), 3, 0, 0, 0)},
    {MOVE("read_fail", SYS_read, FOLDER, A(buffer), BLOCK)},
    {MOVE("read_badfd", SYS_read, -1, A(buffer), BLOCK)},
    {MOVE("readv_fail", SYS_readv, FOLDER, A(parts), 3)},
    {MOVE("write", SYS_write, OUT, A(buffer), BLOCK)},
    {MOVE("pwrite64", SYS_pwrite64, OUT, A(buffer), BLOCK, 0, 0)},
    {MOVE("writev", SYS_writev, OUT, A(parts), 3)},
    {MOVE("pwritev", SYS_pwritev, OUT, A(parts), 3, 0, 0)},
    {MOVE("pwritev2", SYS_pwritev2, OUT, A(parts), 3, 0, 0, 0)},
    {MOVE("write_fail", SYS_write, IN, A(buffer), BLOCK)},
    {MOVE("write_badfd", SYS_write, -1, A(buffer), BLOCK)},
    {MOVE("writev_fail", SYS_writev, IN, A(parts), 3)},
    {MOVE("read_pipe", SYS_read, PIPE_R, A(buffer), BLOCK), .set_up = fill_pipe},
    {MOVE("write_pipe", SYS_write, PIPE_W, A(buffer), BLOCK), .set_up = measure_pipe},
    {MOVE("read_pipe_again", SYS_read, PIPE_R, A(buffer), BLOCK)},
    {MOVE("sendfile", SYS_sendfile, OUT, IN, 0, BLOCK)},
    {MOVE("copy_file_range", SYS_copy_file_range, IN, 0, OUT, 0, BLOCK, 0)},
    {FUNC("splice", SYS_splice, splice_both), .bytes = true, .set_up = double_count},
    {RING("uring_read", IORING_OP_READ, IN, A(buffer), BLOCK), .bytes = true, .set_up = set_up_ring},
    {RING("uring_write", IORING_OP_WRITE, OUT, A(buffer), BLOCK), .bytes = true, .set_up = set_up_ring},
    {RING("uring_openat", IORING_OP_OPENAT, AT_FDCWD, A("in"), 0), .set_up = set_up_ring},
    {RING("uring_close", IORING_OP_CLOSE, A(fds)), .set_up = open_files_and_ring},
    {FUNC("aio_read", SYS_io_submit, aio_read), .bytes = true, .set_up = set_up_aio},

#ifdef SYS_unlink
    {CALL("unlink", SYS_unlink, A(name)), .set_up = make_files},
    {CALL("unlink_fail", SYS_unlink, A("folder"))},
    {CALL("unlink_missing", SYS_unlink, A("missing"))},
#endif
    {CALL("unlinkat", SYS_unlinkat, AT_FDCWD, A(name), 0), .set_up = make_files},
#ifdef SYS_rename
    {FUNC("rename", SYS_rename, rename_to_and_fro)},
#endif

    {CALL("fsync", SYS_fsync, OUT)},
    {CALL("fdatasync", SYS_fdatasync, OUT)},
    {CALL("fsync_fail", SYS_fsync, PIPE_R)},
#ifdef __LP64__
    {CALL("sync_file_range", SYS_sync_file_range, OUT, 0, 0, SYNC_FILE_RANGE_WRITE)},
#else
    {CALL("sync_file_range", SYS_sync_file_range, OUT, 0, 0, 0, 0, SYNC_FILE_RANGE_WRITE)},
#endif

#ifdef SYS_fork
    {FUNC("fork", NO_PROBE, fork_process)},
#endif
#ifdef SYS_vfork
    {FUNC("vfork", NO_PROBE, vfork_process)},
#endif
    {FUNC("clone_process", NO_PROBE, clone_process)},
    {FUNC("clone3_process", SYS_clone3, clone3_process)},
    {CALL("clone_process_fail", SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0)},
    {CALL("clone_thread_fail", SYS_clone, CLONE_THREAD, 0, 0, 0, 0)},
    {CALL("clone3_process_fail", SYS_clone3, A(&bad_process_args), sizeof(bad_process_args))},
    {CALL("clone3_thread_fail", SYS_clone3, A(&bad_thread_args), sizeof(bad_thread_args))},
    {FUNC("thread", NO_PROBE, thread), .set_up = set_up_workers},
    {FUNC("exit_open_files", NO_PROBE, clone_process), .set_up = open_files_and_sockets},
    {FUNC("exec", NO_PROBE, exec_self)},

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
    {MOVE("udp_sendto", SYS_sendto, NEAR, A(buffer), BLOCK, 0, A(&address), sizeof(address.v4)), .set_up = open_datagrams},
    {MOVE("udp_sendto_v6", SYS_sendto, NEAR, A(buffer), BLOCK, 0, A(&address), sizeof(address.v6)), .set_up = open_datagrams_v6},
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
    {MOVE("raw_sendto", SYS_sendto, NEAR, A(buffer), BLOCK, 0, A(&address), sizeof(address.v4)), .set_up = open_raw_socket},
    {MOVE("unix_sendto", SYS_sendto, NEAR, A(buffer), BLOCK, MSG_DONTWAIT), .set_up = open_unix_sockets},

    {FUNC("mixed", NO_PROBE, mixed), .bytes = true},
    {.name = "churn", .nr = NO_PROBE, .set_up = set_up_workers, .run = churn},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static int run_operation(void) {
    char line[100];

    set_up_common();
    // No call does anything with these arguments, but says so in another way than one that does not exist.
    if (op->nr != NO_PROBE && syscall(op->nr, -1L, 0L, 0L, 0L, 0L, 0L) < 0 && errno == ENOSYS)
        unavailable(errno);
    if (op->set_up)
        op->set_up();

    raise(SIGSTOP);
    if (op->run)
        op->run();
    for (turn = 0; !op->run && turn < count; turn++) {
        long result = op->call ? op->call() : call_by_table();
        calls++;
        if (result < 0)
            failed++;
        else if (op->bytes)
            bytes += result;
    }
    raise(SIGSTOP);
    syscall(SYS_setfsuid, geteuid());

    int length = snprintf(line, sizeof(line), "made %lu %lu %lu\n", calls, failed, bytes);
    bool printed = write(STDOUT_FILENO, line, length) == length;
    tidy_up();
    return printed ? 0 : 1;
}

// ---------------------------------------------------------------------------------------------------------------

static int contend(void) {
    pid_t pids[MAX_COUNT], parent = getpid();
    int started = 0, received;
    sigset_t signals;

    set_up_common();
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    for (; started < count; started++) {
        pids[started] = spawn();
        if (pids[started] < 0)
            break;
        if (pids[started] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                syscall(SYS_exit_group, 0);
            for (;;) {
                syscall(SYS_pread64, IN, buffer, 1, 0, 0);
                syscall(SYS_write, NOWHERE, buffer, 1);
            }
        }
    }
    int error = errno;
    if (started == count)
        sigwait(&signals, &received);
    for (int i = 0; i < started; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    errno = error;
    if (started < count)
        die("clone");
    tidy_up();
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "--exit"))
        syscall(SYS_exit_group, 0);
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (size_t i = 0; i < OPERATIONS; i++)
            puts(operations[i].name);
        return 0;
    }

    char *end = NULL;
    long number = argc == 4 ? strtol(argv[2], &end, 10) : 0;
    if (number < 1 || number > MAX_COUNT || *end) {
        fprintf(stderr, "usage: ebpf-workload --list | OPERATION COUNT DIR | contend PROCESSES DIR, numbers to %d\n",
                MAX_COUNT);
        return 1;
    }
    count = number;

    for (size_t i = 0; i < OPERATIONS; i++) {
        if (!strcmp(operations[i].name, argv[1]))
            op = &operations[i];
    }
    if (!op && strcmp(argv[1], "contend")) {
        fprintf(stderr, "ebpf-workload: there is no operation %s\n", argv[1]);
        return 1;
    }
    enter_folder(argv[3]);
    return op ? run_operation() : contend();
}
