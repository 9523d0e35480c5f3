// What is left to the running plugin, tried by a child that is confined as it is.
#include "guard/sandbox.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include "net/network.h"
#include "watch/screen.h"
#include "who/identities.h"

namespace {

// Whether it holds in a confined child.
bool holds(const Needs& needs, const std::function<bool()>& what) {
    pid_t child = fork();
    if (!child) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        confine(needs);
        _exit(what() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
const Needs sockets = network_needs();

// Of several parts, some of which need the same.
Needs several() {
    Needs needs = sockets;
    needs += identity_needs();
    needs += {{}, {{SYS_tgkill, 2, all_bits, 0}, {SYS_tgkill, 2, all_bits, 0}}};
    return needs;
}
bool refused(long result) { return result < 0 && errno == ENOSYS; }

TEST(Sandbox, LetsThePluginDoItsWork) {
    EXPECT_TRUE(holds(several(), [] {
        char text[64];
        int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        bool reads = file >= 0 && read(file, text, sizeof text) > 0 && close(file) == 0;
        void* memory = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        pid_t child = fork();
        if (!child) _exit(7);
        int status = 0;
        bool forks = waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7;
        bool asks = syscall(SYS_tgkill, getpid(), gettid(), 0) == 0;
        return reads && memory != MAP_FAILED && forks && asks && socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 4) >= 0 &&
               socket(AF_INET, SOCK_DGRAM, 0) >= 0;
    }));
}

TEST(Sandbox, LetsItDoNothingElse) {
    EXPECT_TRUE(holds(sockets, [] { return refused(execl("/bin/true", "true", nullptr)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(open("/tmp/x", O_WRONLY | O_CREAT, 0600)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(open("/etc/passwd", O_RDWR)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(unlink("/tmp/x")); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(syscall(SYS_open_by_handle_at, -1, nullptr, O_RDONLY)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(syscall(SYS_open_by_handle_at, -1, nullptr, O_PATH)); }));
    EXPECT_TRUE(holds(several(), [] { return refused(syscall(SYS_open_by_handle_at, -1, nullptr, O_RDONLY)); }));
    EXPECT_TRUE(holds(several(), [] { return !refused(syscall(SYS_open_by_handle_at, -1, nullptr, O_PATH)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(setns(0, CLONE_NEWUTS)); }));
    EXPECT_TRUE(holds(sockets, [] { return !refused(setns(0, CLONE_NEWNET)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(ptrace(PTRACE_ATTACH, 1, nullptr, nullptr)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(kill(getppid(), 0)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(syscall(SYS_tgkill, getpid(), gettid(), SIGTERM)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(syscall(SYS_bpf, BPF_PROG_LOAD, nullptr, 0)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(mount("a", "/tmp", "tmpfs", 0, nullptr)); }));
    EXPECT_TRUE(holds(sockets, [] { return refused(socket(AF_UNIX, SOCK_STREAM, 0)); }));
    EXPECT_TRUE(holds(sockets, [] {
        return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
               errno == ENOSYS;
    }));
    EXPECT_TRUE(holds({}, [] { return refused(socket(AF_INET, SOCK_DGRAM, 0)); }));
    EXPECT_TRUE(holds({}, [] { return refused(syscall(SYS_setns, 0, 0)); }));
    EXPECT_TRUE(holds({}, [] { return refused(ioctl(0, TCGETS, nullptr)); }));
    EXPECT_TRUE(holds(screen_needs(), [] { return !refused(ioctl(0, TCGETS, nullptr)); }));
    EXPECT_TRUE(holds(screen_needs(), [] { return refused(ioctl(0, TIOCSTI, "x")); }));
}

}  // namespace
