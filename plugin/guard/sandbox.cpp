#include "guard/sandbox.h"
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <csignal>
#include <cstring>
#include <memory>
#include "base/error.h"
#include "base/log.h"

namespace {

constexpr int always[] = {
    // Files, to look at: see also the conditions below.
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(getdents64),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(fcntl),
    SCMP_SYS(dup),
    SCMP_SYS(dup3),
    SCMP_SYS(sendto),  // to the journal; what is not open already is no socket without the network
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    // Memory.
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    // Time and waiting.
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    // The process itself, its signals, and the child that detaches the programs.
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(capget),
    SCMP_SYS(capset),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrandom),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(pipe2),
    SCMP_SYS(fork),
    SCMP_SYS(wait4),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

constexpr int with_network[] = {
    SCMP_SYS(bind),        SCMP_SYS(connect),     SCMP_SYS(sendmsg),    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),     SCMP_SYS(shutdown),    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(eventfd2),   SCMP_SYS(epoll_create1),
};

struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
};

}  // namespace

void confine(Tasks tasks) {
    std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
    if (!filter) throw Error("make a filter of system calls: no memory");
    auto allow = [&](int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
        check(seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, static_cast<unsigned>(conditions.size()),
                                     conditions.begin()),
              "allow system call {}", call);
    };
    for (int call : always) allow(call);
    constexpr scmp_datum_t writes = O_ACCMODE | O_CREAT | O_TRUNC, executes = PROT_EXEC;
    allow(SCMP_SYS(open), {SCMP_A1(SCMP_CMP_MASKED_EQ, writes, O_RDONLY)});
    allow(SCMP_SYS(openat), {SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY)});
    allow(SCMP_SYS(open_by_handle_at), {SCMP_A2(SCMP_CMP_MASKED_EQ, O_PATH, O_PATH)});
    constexpr scmp_datum_t namespaces =
        CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;
    allow(SCMP_SYS(clone), {SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0)});
    for (int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) allow(call, {SCMP_A2(SCMP_CMP_MASKED_EQ, executes, 0)});
    for (bpf_cmd command : {BPF_MAP_LOOKUP_ELEM, BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_BATCH, BPF_OBJ_GET_INFO_BY_FD})
        allow(SCMP_SYS(bpf), {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command))});
    for (int signal : {0, SIGABRT})  // is the thread still there; and our own abort()
        allow(SCMP_SYS(tgkill), {SCMP_A2(SCMP_CMP_EQ, static_cast<scmp_datum_t>(signal))});
    if (tasks.timing) allow(SCMP_SYS(bpf), {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(BPF_ENABLE_STATS))});
    if (tasks.terminal)  // its modes and its size, and nothing that types into it
        for (unsigned long request : {TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ})
            allow(SCMP_SYS(ioctl), {SCMP_A1(SCMP_CMP_EQ, request)});
    if (tasks.network) {
        for (int call : with_network) allow(call);
        allow(SCMP_SYS(setns), {SCMP_A1(SCMP_CMP_EQ, CLONE_NEWNET)});
        for (int family : {AF_NETLINK, AF_INET, AF_INET6})
            allow(SCMP_SYS(socket), {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))});
    }
    if (int code = seccomp_load(filter.get()))
        log(Severity::Warning,
            "the plugin runs unconfined: a filter of system calls: {}; it needs CONFIG_SECCOMP_FILTER",
            std::strerror(-code));
}
