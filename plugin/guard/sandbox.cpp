#include "guard/sandbox.h"
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <csignal>
#include <cstring>
#include <memory>
#include "base/error.h"
#include "base/owner.h"

namespace {

// Allowed whatever their arguments are.
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

constexpr uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC, executes = PROT_EXEC;
constexpr uint64_t namespaces =
    CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;
constexpr SystemCall always_so[] = {
    {SCMP_SYS(open), 1, writes, O_RDONLY}, {SCMP_SYS(openat), 2, writes, O_RDONLY},
    {SCMP_SYS(clone), 0, namespaces, 0},   {SCMP_SYS(mmap), 2, executes, 0},
    {SCMP_SYS(mprotect), 2, executes, 0},  {SCMP_SYS(tgkill), 2, all_bits, SIGABRT},  // our own abort()
};

}  // namespace

void confine(const Needs& needs) {
    std::unique_ptr<void, Destroy<seccomp_release>> filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
    if (!filter) throw Error("make a filter of system calls: no memory");
    auto allow = [&](const SystemCall& call) {
        scmp_arg_cmp condition{call.argument, SCMP_CMP_MASKED_EQ, call.mask, call.value};
        int code = seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call.number, call.mask ? 1 : 0, &condition);
        if (code && code != -EEXIST)
            throw Error(fmt::format("allow system call {}: {}", call.number, std::strerror(-code)), -code);
    };
    for (int call : always) allow({call});
    for (const SystemCall& call : always_so) allow(call);
    for (const SystemCall& call : needs.system_calls) allow(call);
    if (int code = seccomp_load(filter.get()))
        log(Severity::Warning,
            "the plugin runs unconfined: a filter of system calls: {}; it needs CONFIG_SECCOMP_FILTER",
            std::strerror(-code));
}
