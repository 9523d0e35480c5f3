// ebpf-workload: makes a known number of one kind of system call between two SIGSTOPs and reports what they returned.
//
// SPDX-License-Identifier: GPL-3.0-or-later
//
//   ebpf-workload --list                  the names of the operations, one a line
//   ebpf-workload OPERATION COUNT DIR     set up in the empty DIR, stop, make the calls, stop, report, tidy up
//   ebpf-workload contend PROCESSES DIR   read and write single bytes in that many processes until SIGTERM
//
// It prints "made <calls> <failed> <bytes>", or "unavailable <errno>" (exit code 3, no stop) where the kernel has no such
// call.

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "workload.h"

#define MOST_READS 32  // by one of many workers, from `in`

int count, turn;
unsigned long calls, failed, bytes;
char buffer[BLOCK];
struct iovec parts[3] = {{buffer, 30}, {buffer + 30, 30}, {buffer + 60, 40}};
char name[MAX_COUNT][16];
int fds[MAX_COUNT + 1];

static const struct operation* const tables[] = {file_operations, process_operations, socket_operations,
                                                 mixed_operations};
#define TABLES (sizeof(tables) / sizeof(tables[0]))
static const struct operation* op;  // what was asked for
static bool own_dir;

// ---------------------------------------------------------------------------------------------------------------
// the folder

static void tidy_up(void) {
    DIR* dir = own_dir ? opendir(".") : NULL;
    struct dirent* entry;

    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && unlink(entry->d_name)) rmdir(entry->d_name);
    }
    if (dir) closedir(dir);
}

_Noreturn void die(const char* what) {
    fprintf(stderr, "ebpf-workload: %s: %s\n", what, strerror(errno));
    tidy_up();
    exit(1);
}

_Noreturn void unavailable(int error) {
    dprintf(STDOUT_FILENO, "unavailable %d\n", error);
    tidy_up();
    exit(3);
}

// Refuses a folder that is not empty, since everything in it is deleted at the end.
static void enter_folder(const char* path) {
    DIR* dir = chdir(path) ? NULL : opendir(".");
    struct dirent* entry;

    if (!dir) die(path);
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            errno = ENOTEMPTY;
            die(path);
        }
    }
    closedir(dir);
    own_dir = true;
}

int checked(int result, const char* what) {
    if (result < 0) die(what);
    return result;
}

void place(int fd, int number, const char* what) {
    if (checked(fd, what) != number) {
        checked(dup2(fd, number), what);
        close(fd);
    }
}

// ---------------------------------------------------------------------------------------------------------------
// one operation

static void set_up_common(void) {
    struct rlimit limit;
    int both[2];

    // A caller that ignores SIGCHLD would leave nothing to wait for.
    signal(SIGCHLD, SIG_DFL);
    // Every child that exits would close what the caller left open. Kernels before 5.9 have no such call.
    syscall(SYS_close_range, 3, ~0U, 0);

    checked(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    if (limit.rlim_cur < MAX_COUNT + 1000) {
        limit.rlim_cur = MAX_COUNT + 1000;
        if (limit.rlim_max < limit.rlim_cur) limit.rlim_max = limit.rlim_cur;
        checked(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    }

    for (int i = 0; i < count; i++) snprintf(name[i], sizeof(name[i]), "n%d", i);

    int fd = checked(open("in", O_WRONLY | O_CREAT | O_EXCL, 0600), "in");
    for (int i = 0; i < count + MOST_READS; i++) {
        if (write(fd, buffer, BLOCK) != BLOCK) die("in");
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

// In a table `name` and `fds` stand for their element of this turn.
long argument(int k) {
    if (op->args[k] == A(name)) return A(name[turn]);
    return op->args[k] == A(fds) ? fds[turn] : op->args[k];
}

static long call_by_table(void) {
    return syscall(op->nr, argument(0), argument(1), argument(2), argument(3), argument(4), argument(5));
}

static int run_operation(void) {
    char line[100];

    set_up_common();
    // With these arguments no call does anything; only one that does not exist fails with ENOSYS.
    if (op->nr != NO_PROBE && syscall(op->nr, -1L, 0L, 0L, 0L, 0L, 0L) < 0 && errno == ENOSYS) unavailable(errno);
    if (op->set_up) op->set_up();

    raise(SIGSTOP);
    if (op->run) op->run();
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
        if (pids[started] < 0) break;
        if (pids[started] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent) syscall(SYS_exit_group, 0);
            for (;;) {
                syscall(SYS_pread64, IN, buffer, 1, 0, 0);
                syscall(SYS_write, NOWHERE, buffer, 1);
            }
        }
    }
    int error = errno;
    if (started == count) sigwait(&signals, &received);
    for (int i = 0; i < started; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    errno = error;
    if (started < count) die("clone");
    tidy_up();
    return 0;
}

static const struct operation* find_operation(const char* title) {
    for (size_t t = 0; t < TABLES; t++)
        for (const struct operation* o = tables[t]; o->name; o++)
            if (!strcmp(o->name, title)) return o;
    return NULL;
}

int main(int argc, char** argv) {
    if (argc == 2 && !strcmp(argv[1], "--exit")) syscall(SYS_exit_group, 0);
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (size_t t = 0; t < TABLES; t++)
            for (op = tables[t]; op->name; op++) puts(op->name);
        return 0;
    }

    char* end = NULL;
    long number = argc == 4 ? strtol(argv[2], &end, 10) : 0;
    if (number < 1 || number > MAX_COUNT || *end) {
        fprintf(stderr, "usage: ebpf-workload --list | OPERATION COUNT DIR | contend PROCESSES DIR, numbers to %d\n",
                MAX_COUNT);
        return 1;
    }
    count = number;

    op = find_operation(argv[1]);
    if (!op && strcmp(argv[1], "contend")) {
        fprintf(stderr, "ebpf-workload: there is no operation %s\n", argv[1]);
        return 1;
    }
    enter_folder(argv[3]);
    return op ? run_operation() : contend();
}
