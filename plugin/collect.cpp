#include "collect.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>
#include <ctime>
#include "charts.h"
#include "error.h"
#include "self.h"
#include "slots.h"
#include "writer.h"

namespace {

constexpr int64_t second = 1'000'000'000, sweep_interval = 60 * second;

int64_t clock_ns(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * second + t.tv_nsec;
}

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) sigaddset(&set, s);
    return set;
}

bool is_pipe(int fd) {
    struct stat about;
    return fstat(fd, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

class Loop {
public:
    Loop(const Config& config, Programs& programs, const Run& run)
        : programs_(programs),
          run_(run),
          slots_(programs.memory()),
          charts_(programs.plan().counted(config), config.chart_names, run.update_every, source(programs, run)),
          self_(programs, config, run.update_every),
          out_(STDOUT_FILENO) {
        poll_ = check(epoll_create1(EPOLL_CLOEXEC), "create the event loop");
        sigset_t set = ending_signals();
        signals_ = check(signalfd(-1, &set, SFD_CLOEXEC), "watch the signals");
        watch(signals_);
        watch(programs.wake_fd());
        if (is_pipe(STDIN_FILENO)) watch(STDIN_FILENO);
        // A reader that has stopped reading must not keep us from ending.
        if (is_pipe(STDOUT_FILENO)) fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
    }

    ~Loop() {
        for (int fd : {poll_, signals_})
            if (fd >= 0) close(fd);
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run() {
        charts_.define(out_);
        if (run_.self) self_.define(out_);
        write();
        plan_next();
        while (!end_) {
            int64_t wait = next_ - clock_ns(CLOCK_MONOTONIC);
            if (wait > 0) {
                epoll_event event;
                int timeout = static_cast<int>(std::min<int64_t>((wait + 999'999) / 1'000'000, INT32_MAX));
                int n = epoll_wait(poll_, &event, 1, timeout);
                if (n < 0 && errno != EINTR) check(n, "wait");
                if (n > 0) happened(event);
            } else if (!out_.empty()) {
                plan_next();  // the last update has not been read yet: this one is left out
            } else
                tick();
        }
    }

private:
    static std::string source(const Programs& programs, const Run& run) {
        for (const Attachment& a : programs.plan().attachments)
            if (run.labels && a.way == Way::Syscalls) return "syscalls";
        return "";
    }

    void watch(int fd, uint32_t events = EPOLLIN) {
        epoll_event event{.events = events, .data = {.fd = fd}};
        check(epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event), "watch a file");
    }

    // The next multiple of the interval on the wall clock, which may be set; we wait by the other one.
    void plan_next() {
        int64_t interval = run_.update_every * second;
        next_ = clock_ns(CLOCK_MONOTONIC) + interval - clock_ns(CLOCK_REALTIME) % interval;
    }

    void happened(const epoll_event& event) {
        if (event.data.fd == signals_)
            end_ = true;
        else if (event.data.fd == STDIN_FILENO)
            read_command();
        else if (event.data.fd == STDOUT_FILENO)
            write();
        else {
            programs_.acknowledge();
            slots_.fold();
        }
    }

    // The agent speaks to us in lines; the last, QUIT, may come without its end.
    void read_command() {
        char text[4096];
        ssize_t n = read(STDIN_FILENO, text, sizeof text);
        if (n <= 0) {
            end_ = n == 0 || (errno != EAGAIN && errno != EINTR);
            return;
        }
        command_.append(text, static_cast<size_t>(n));
        for (size_t newline; (newline = command_.find('\n')) != std::string::npos; command_.erase(0, newline + 1))
            if (command_.substr(0, newline) == "QUIT" || command_.substr(0, newline) == "QUIT\r") end_ = true;
        if (command_ == "QUIT") end_ = true;
        if (command_.size() > sizeof text) command_.resize(5);  // of no use to us, and never QUIT again
    }

    void write() {
        bool was_waiting = waiting_for_room_;
        waiting_for_room_ = !out_.flush();
        if (waiting_for_room_ == was_waiting) return;
        if (waiting_for_room_)
            watch(STDOUT_FILENO, EPOLLOUT);
        else
            epoll_ctl(poll_, EPOLL_CTL_DEL, STDOUT_FILENO, nullptr);
    }

    void tick() {
        int64_t begin = clock_ns(CLOCK_MONOTONIC);
        bool last = run_.ticks && ++ticks_ >= run_.ticks, sweep = last || begin - swept_ >= sweep_interval;
        slots_.fold(sweep);
        if (sweep) swept_ = begin;

        Counters totals = slots_.totals();
        for (size_t c = 0; c < totals.size(); c++) totals[c] += self_.missed_calls()[c];
        int64_t elapsed = last_ ? (begin - last_) / 1000 : 0;
        last_ = begin;
        charts_.update(out_, totals, elapsed);
        if (run_.self) self_.update(out_, slots_, elapsed);
        int64_t late = begin - next_;
        plan_next();
        write();
        self_.ticked((clock_ns(CLOCK_MONOTONIC) - begin) / 1000, late / 1000);
        end_ |= last;
    }

    Programs& programs_;
    const Run run_;
    Slots slots_;
    Charts charts_;
    SelfCharts self_;
    Writer out_;
    int poll_ = -1, signals_ = -1;
    std::string command_;
    bool end_ = false, waiting_for_room_ = false;
    int64_t next_ = 0, last_ = 0, swept_ = clock_ns(CLOCK_MONOTONIC);
    long ticks_ = 0;
};

}  // namespace

void hold_signals() {
    sigset_t set = ending_signals();
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

void collect(const Config& config, Programs& programs, const Run& run) try {
    Loop(config, programs, run).run();
} catch (const Error& e) {
    if (e.code != EPIPE) throw;  // nobody reads any more: the agent is gone, and so are we
}
