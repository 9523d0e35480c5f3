#include "guard/child.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <exception>
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

namespace {

constexpr int64_t least_time_between_starts = second / 50;
constexpr size_t most_killed = 4;  // children that hang in the kernel: no more are started then

enum Command : char { Start, Kill };  // to the starter; it answers each Start with the other end of the child's socket

struct Control {
    alignas(cmsghdr) char bytes[CMSG_SPACE(most_descriptors * sizeof(int))]{};
};

bool send(int socket, const void* bytes, size_t size, const Descriptors& with_it = {}, int flags = 0) {
    iovec part{const_cast<void*>(bytes), size};
    Control control;
    msghdr message{.msg_iov = &part, .msg_iovlen = 1};
    if (!with_it.empty()) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(with_it.size() * sizeof(int));
        cmsghdr* head = CMSG_FIRSTHDR(&message);
        *head = {.cmsg_len = CMSG_LEN(with_it.size() * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        for (size_t i = 0; i < with_it.size(); i++) {
            int fd = with_it[i].get();
            std::memcpy(CMSG_DATA(head) + i * sizeof fd, &fd, sizeof fd);
        }
    }
    return with_it.size() <= most_descriptors &&
           sendmsg(socket, &message, MSG_NOSIGNAL | flags) == static_cast<ssize_t>(size);
}

enum class Received { Message, Nothing, End };  // End: also what has not the size that is agreed

Received receive(int socket, void* bytes, size_t size, Descriptors& with_it, int flags = 0) {
    iovec part{bytes, size};
    Control control;
    msghdr message{
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? Received::Nothing : Received::End;
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head))
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
            for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= head->cmsg_len; at += sizeof(int)) {
                int fd;
                std::memcpy(&fd, CMSG_DATA(head) + at, sizeof fd);
                with_it.emplace_back(fd);
            }
    bool whole = n == static_cast<ssize_t>(size) && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    return whole ? Received::Message : Received::End;
}

std::pair<Descriptor, Descriptor> socket_pair() {
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "make a socket for a child");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

// A change of the user takes the signal away; then the end of the socket ends the child.
void die_with(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(0);  // too late
}

void close_range_of(int first, int last) {
    if (first > last || !syscall(SYS_close_range, first, last, 0)) return;
    int most = static_cast<int>(sysconf(_SC_OPEN_MAX));  // before Linux 5.9
    for (int fd = first; fd <= std::min(last, most); fd++) close(fd);
}

// Of what the plugin has open: one socket, and where messages go.
void keep_only(int socket) {
    int nothing = open("/dev/null", O_RDWR);
    for (int fd : {STDIN_FILENO, STDOUT_FILENO}) dup2(nothing, fd);
    int begin = STDERR_FILENO + 1;
    for (int fd : {std::min(socket, log_descriptor()), std::max(socket, log_descriptor())}) {
        close_range_of(begin, fd - 1);
        begin = std::max(begin, fd + 1);
    }
    close_range_of(begin, INT_MAX);
}

[[noreturn]] void run_child(const ChildProcess::Role& role, int socket) try {
    role.confine();
    std::vector<char> request(role.request_bytes), reply(role.reply_bytes);
    for (;;) {
        Descriptors with_request, with_reply;
        if (receive(socket, request.data(), request.size(), with_request) != Received::Message) _exit(0);
        role.serve(request.data(), std::move(with_request), reply.data(), with_reply);
        if (!send(socket, reply.data(), reply.size(), with_reply)) _exit(1);
    }
} catch (const std::exception& e) {
    log_line(Severity::Error, e.what());
    _exit(1);
}

// Forks the children, one at a time. It reads nothing but commands.
class Starter {
public:
    Starter(const ChildProcess::Role& role, int control) : role_(role), control_(control) {}

    [[noreturn]] void run() {
        for (;;) {
            Command command = Kill;
            Descriptors none;
            pollfd readable{.fd = control_, .events = POLLIN, .revents = 0};
            if (poll(&readable, 1, killed_.empty() ? -1 : 100) > 0 &&
                receive(control_, &command, sizeof command, none) == Received::End)
                break;
            if (readable.revents) kill_current();
            std::erase_if(killed_, [](pid_t child) { return waitpid(child, nullptr, WNOHANG) != 0; });
            if (command == Start) start();
        }
        kill_current();
        _exit(0);
    }

private:
    void kill_current() {
        if (current_ <= 0) return;
        kill(current_, SIGKILL);
        killed_.push_back(std::exchange(current_, -1));
    }

    void start() {
        Command answer = Start;
        Descriptors end;
        int64_t wait = started_ + least_time_between_starts - clock_ns(CLOCK_MONOTONIC);
        if (wait > 0) usleep(static_cast<useconds_t>(wait / 1000));
        started_ = clock_ns(CLOCK_MONOTONIC);
        if (killed_.size() < most_killed) {
            auto [ours, childs] = socket_pair();
            pid_t self = getpid();
            current_ = fork();
            if (!current_) {
                ours.reset();
                close(control_);
                die_with(self);
                run_child(role_, childs.get());
            }
            if (current_ > 0) end.push_back(std::move(ours));
        }
        send(control_, &answer, sizeof answer, end);
    }

    const ChildProcess::Role& role_;
    const int control_;
    pid_t current_ = -1;
    std::vector<pid_t> killed_;  // not waited for yet
    int64_t started_ = 0;
};

}  // namespace

ChildProcess::ChildProcess(Role role)
    : role_(std::move(role)), poll_(check(epoll_create1(EPOLL_CLOEXEC), "watch a child")) {
    auto [ours, starters] = socket_pair();
    pid_t self = getpid();
    starter_ = check(fork(), "start a child");
    if (!starter_) {
        sigset_t all;
        sigfillset(&all);  // what ends the plugin by the terminal is not for its children; they end with it
        sigprocmask(SIG_SETMASK, &all, nullptr);
        die_with(self);
        keep_only(starters.get());
        try {
            Starter(role_, starters.get()).run();
        } catch (const std::exception&) {  // no socket, say
        }
        _exit(1);
    }
    control_ = std::move(ours);
    watch(control_);
}

ChildProcess::~ChildProcess() {
    control_.reset();
    child_.reset();
    while (waitpid(starter_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Needs ChildProcess::needs() { return {{}, {{SYS_sendmsg}, {SYS_recvmsg}}}; }

void ChildProcess::watch(const Descriptor& socket) const {
    epoll_event event{.events = EPOLLIN, .data = {.fd = socket.get()}};
    check(epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket.get(), &event), "watch a child");
}

void ChildProcess::command(char what) {
    if (!send(control_.get(), &what, sizeof what, {}, MSG_DONTWAIT)) control_.reset();
    if (what == Start) starting_++;
}

void ChildProcess::ask(const void* request, Descriptors with_it) {
    const char* bytes = static_cast<const char*>(request);
    request_.assign(bytes, bytes + role_.request_bytes);
    with_request_ = std::move(with_it);
    deadline_ = clock_ns(CLOCK_MONOTONIC) + role_.time_limit;
    if (child_)
        send_request();
    else if (control_)
        command(Start);
}

// A child that takes no request is one that does not answer: its time runs out.
void ChildProcess::send_request() {
    send(child_.get(), request_.data(), request_.size(), with_request_, MSG_DONTWAIT);
    request_.clear();
    with_request_.clear();
}

// Of those that have been asked for, only the last is still wanted.
bool ChildProcess::take_started() {
    char answer;
    Descriptors end;
    Received received = receive(control_.get(), &answer, sizeof answer, end, MSG_DONTWAIT);
    if (received == Received::Nothing) return true;
    if (received == Received::End) {
        control_.reset();
        return false;
    }
    if (--starting_ || !is_busy()) return true;
    if (end.size() != 1) return false;
    child_ = std::move(end[0]);
    watch(child_);
    send_request();
    return true;
}

ChildProcess::Outcome ChildProcess::fail() {
    child_.reset();
    with_request_.clear();
    if (control_) command(Kill);
    return std::exchange(deadline_, INT64_MAX) == INT64_MAX ? Outcome::None : Outcome::Failed;
}

ChildProcess::Outcome ChildProcess::advance(void* reply, Descriptors& with_reply) {
    if (control_ && !take_started()) return fail();
    if (child_) {
        Received received = receive(child_.get(), reply, role_.reply_bytes, with_reply, MSG_DONTWAIT);
        if (received == Received::Message && is_busy()) {
            deadline_ = INT64_MAX;
            return Outcome::Answered;
        }
        with_reply.clear();
        if (received != Received::Nothing) return fail();  // it has died, or says what it was not asked
    }
    return deadline_ <= clock_ns(CLOCK_MONOTONIC) ? fail() : Outcome::None;
}
