// ebpf-workload: operations on files and pipes, by system calls of their own, io_uring and aio.
#include <linux/aio_abi.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include "workload.h"

static struct open_how how = {.flags = O_RDONLY};
static aio_context_t aio;

static struct {
    int fd;
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe* sqes;
    struct io_uring_cqe* cqes;
} ring;

static void make_files(void) {
    for (int i = 0; i < count; i++) close(checked(open(name[i], O_WRONLY | O_CREAT | O_EXCL, 0600), name[i]));
}

// One more than COUNT, for the trial call of uring_close.
static void open_files(void) {
    for (int i = 0; i <= count; i++) fds[i] = checked(open("in", O_RDONLY), "in");
}

// Nobody reads from the fifo. The kernel finds its name and then refuses to open it for writing.
static void make_fifo(void) { checked(mkfifo("fifo", 0600), "fifo"); }

// The folder can still be searched but not be written to. The kernel refuses a new file only when it makes it.
static void give_up_rights(void) {
    checked(fchmod(FOLDER, 0755), "folder");
    syscall(SYS_setfsuid, 65534);
}

// How many blocks a pipe holds shows only by filling it, since a block does not straddle pages. COUNT is cut to that.
static void fill_pipe(void) {
    int fitted = 0;

    if (fcntl(PIPE_W, F_SETPIPE_SZ, MAX_COUNT * BLOCK) < 0) fcntl(PIPE_W, F_SETPIPE_SZ, count * BLOCK);
    while (fitted < count && write(PIPE_W, buffer, BLOCK) == BLOCK) fitted++;
    count = fitted;
}

static void measure_pipe(void) {
    fill_pipe();
    while (read(PIPE_R, buffer, BLOCK) > 0)
        ;
}

static void double_count(void) { count *= 2; }

static void set_up_aio(void) { checked(syscall(SYS_io_setup, 1, &aio), "io_setup"); }

static void* map_ring(size_t size, off_t offset) {
    void* area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, offset);

    if (area == MAP_FAILED) die("io_uring mmap");
    return area;
}

void set_up_ring(void) {
    struct io_uring_params p = {0};

    ring.fd = syscall(SYS_io_uring_setup, 1, &p);
    if (ring.fd < 0 && (errno == EPERM || errno == ENOSYS)) unavailable(errno);
    checked(ring.fd, "io_uring_setup");

    char* sq = map_ring(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    char* cq = map_ring(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    ring.sqes = map_ring(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    ring.sq_tail = (unsigned*)(sq + p.sq_off.tail);
    ring.sq_mask = (unsigned*)(sq + p.sq_off.ring_mask);
    ring.sq_array = (unsigned*)(sq + p.sq_off.array);
    ring.cq_head = (unsigned*)(cq + p.cq_off.head);
    ring.cq_tail = (unsigned*)(cq + p.cq_off.tail);
    ring.cq_mask = (unsigned*)(cq + p.cq_off.ring_mask);
    ring.cqes = (struct io_uring_cqe*)(cq + p.cq_off.cqes);

    // The trial call shows whether the kernel has the opcode, and starts the kernel's worker thread if it wants one.
    turn = count;
    if (uring() < 0) {
        if (errno == EINVAL || errno == EOPNOTSUPP) unavailable(errno);
        die("io_uring");
    }
}

static void open_files_and_ring(void) {
    open_files();
    set_up_ring();
}

long uring(void) {
    unsigned tail = *ring.sq_tail, head = *ring.cq_head, slot = tail & *ring.sq_mask;
    int to_submit = 1;

    ring.sqes[slot] = (struct io_uring_sqe){
        .opcode = argument(0), .fd = argument(1), .addr = (unsigned long)argument(2), .len = argument(3)};
    ring.sq_array[slot] = slot;
    __atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head) {
        long entered = syscall(SYS_io_uring_enter, ring.fd, to_submit, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        if (entered < 0 && errno != EINTR) die("io_uring_enter");
        if (entered > 0) to_submit = 0;
    }
    int result = ring.cqes[head & *ring.cq_mask].res;
    __atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
    if (result >= 0) return result;
    errno = -result;
    return -1;
}

static long aio_read(void) {
    struct iocb block = {
        .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = IN, .aio_buf = (uintptr_t)buffer, .aio_nbytes = BLOCK};
    struct iocb* list[1] = {&block};
    struct io_event event;

    if (syscall(SYS_io_submit, aio, 1, list) != 1) return -1;
    return syscall(SYS_io_getevents, aio, 1, 1, &event, NULL) == 1 ? (long)event.res : -1;
}

// COUNT is doubled: the even calls fill the pipe, the odd ones empty it.
static long splice_both(void) {
    if (turn % 2 == 0) return syscall(SYS_splice, IN, NULL, PIPE_W, NULL, BLOCK, 0);
    return syscall(SYS_splice, PIPE_R, NULL, NOWHERE, NULL, BLOCK, 0);
}

#ifdef SYS_rename
static long rename_to_and_fro(void) {
    return turn % 2 == 0 ? syscall(SYS_rename, "in", "renamed") : syscall(SYS_rename, "renamed", "in");
}
#endif

const struct operation file_operations[] = {
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
    {0},
};
