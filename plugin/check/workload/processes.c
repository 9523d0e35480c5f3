// ebpf-workload: processes and threads that come and go; and operations of several kinds at once.
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include "workload.h"

#define WAVE 20  // threads, and as many processes, that are there at the same time

// One thread or process of a wave; in shared memory, so that processes can report as well.
struct worker {
    pthread_t thread;
    pid_t id;
    int fd;
    int reads;
    unsigned long failed;
    unsigned long bytes;
};

static struct worker* workers;
static pthread_attr_t small_stack;
static struct clone_args process_args = {.exit_signal = SIGCHLD};
static struct clone_args bad_process_args = {.flags = CLONE_NEWNS | CLONE_FS, .exit_signal = SIGCHLD};
static struct clone_args bad_thread_args = {.flags = CLONE_THREAD};

// Replaces the common descriptors, so that the children inherit just these 25 and the standard three.
static void open_files_and_sockets(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (int fd = IN; fd <= PIPE_W; fd++) close(fd);
    for (int i = 0; i < 20; i++) checked(open("in", O_RDONLY), "in");
    for (int i = 0; i < 5; i++) {
        int fd = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
        checked(bind(fd, (struct sockaddr*)&address, sizeof(address)), "bind");
        checked(listen(fd, 1), "listen");
    }
}

static void set_up_workers(void) {
    workers = mmap(NULL, 2 * WAVE * sizeof(*workers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (workers == MAP_FAILED) die("mmap");
    for (int i = 0; i < 2 * WAVE; i++) workers[i].fd = checked(open("in", O_RDONLY), "in");
    pthread_attr_init(&small_stack);
    pthread_attr_setstacksize(&small_stack, 128 * 1024);
}

static long exit_or_reap(long pid) {
    if (pid == 0) syscall(SYS_exit_group, 0);
    if (pid > 0) syscall(SYS_wait4, pid, NULL, 0, NULL);
    return pid;
}

long spawn(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

static long clone_process(void) { return exit_or_reap(spawn()); }

static long clone3_process(void) { return exit_or_reap(syscall(SYS_clone3, &process_args, sizeof(process_args))); }

#ifdef SYS_fork
static long fork_process(void) { return exit_or_reap(syscall(SYS_fork)); }
#endif

// libc's vfork() keeps its return address off the stack, which the child shares. syscall() does not.
#ifdef SYS_vfork
static long vfork_process(void) {
    pid_t pid = vfork();

    if (pid == 0) syscall(SYS_exit_group, 0);
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

static void work(struct worker* worker) {
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

static void* thread_main(void* argument) {
    struct worker* worker = argument;

    worker->id = syscall(SYS_gettid);
    work(worker);
    return NULL;
}

// pthread_join() returns while the kernel still ends the thread. The thread's id goes away only after that.
static void join(struct worker* worker) {
    pthread_join(worker->thread, NULL);
    while (syscall(SYS_tgkill, getpid(), worker->id, 0) == 0) sched_yield();
}

static long thread(void) {
    if (pthread_create(&workers->thread, &small_stack, thread_main, workers) != 0) return -1;
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
            // Not straight into the shared memory: the child gets 0 here and might write it there last.
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

static long mixed(void) {
    int fd = syscall(SYS_openat, AT_FDCWD, "in", O_RDONLY);
    long got = syscall(SYS_read, fd, buffer, BLOCK);
    long put = syscall(SYS_write, OUT, buffer, BLOCK);

    return syscall(SYS_close, fd) == 0 && put == BLOCK ? got : -1;
}

const struct operation process_operations[] = {
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
    {0},
};

const struct operation mixed_operations[] = {
    {FUNC("mixed", NO_PROBE, mixed), .bytes = true},
    {.name = "churn", .nr = NO_PROBE, .set_up = set_up_workers, .run = churn},
    {0},
};
