#include "loop.h"
#include <malloc.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include "base/clock.h"
#include "base/error.h"
#include "base/signals.h"
#include "guard/privileges.h"
#include "guard/sandbox.h"

namespace {

constexpr int64_t sweep_interval = 60 * second;

class Loop {  // as long as the process
public:
    Loop(Collectors& collectors, const Run& run) : collectors_(collectors), run_(run), out_(STDOUT_FILENO) {
        watch(signals_);
        for (size_t i = 0; i < collectors_.size(); i++)
            if (collectors_[i].fd() >= 0) watch(collectors_[i].fd());
    }

    void run() {
        collectors_.begin(out_);
        if (run_.at_once) {
            collectors_.fold_now();
            next_ = last_ = clock_ns(CLOCK_MONOTONIC);
            collectors_.print(out_, {.now = last_});
        }
        write();
        next_ = next_multiple(interval_, next_);
        malloc_trim(0);  // the kernel's type information was in there, and all of /proc
        while (!end_) {
            int64_t due = collectors_.work(out_), now = clock_ns(CLOCK_MONOTONIC);
            write();
            if (next_ > now)
                wait(std::min(next_, due) - now);
            else if (out_.empty())
                update();
            else
                next_ = next_multiple(interval_, next_);  // the last update has not been read yet: this one is left out
        }
    }

private:
    void watch(int fd, uint32_t events = EPOLLIN) {
        epoll_event event{.events = events, .data = {.fd = fd}};
        check(epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event), "watch a file");
    }

    void wait(int64_t time) {
        epoll_event event;
        int64_t timeout = std::clamp<int64_t>((time + 999'999) / 1'000'000, 0, INT32_MAX);
        int n = epoll_wait(poll_, &event, 1, static_cast<int>(timeout));
        if (n < 0 && errno != EINTR) check(n, "wait");
        if (n <= 0) return;
        if (event.data.fd == STDOUT_FILENO) return write();
        if (event.data.fd == signals_) return take_signal(read_signal(signals_));
        if (Collector* c = collectors_.find(event.data.fd)) heed(c->readable(out_, event.events));
    }

    void take_signal(int signal) {
        end_ |= signal && signal != SIGHUP && signal != SIGWINCH;
        for (size_t i = 0; i < collectors_.size() && !end_; i++) heed(collectors_[i].on_signal(signal));
    }

    void heed(Then then) {
        if (then == Then::Fold) collectors_.fold_now();
        end_ |= then == Then::End;
        write();
    }

    void update() {
        int64_t begin = tick_.now = clock_ns(CLOCK_MONOTONIC);
        bool is_last = run_.ticks && ++updates_ >= run_.ticks;
        tick_.everything = is_last || begin - swept_ >= sweep_interval;
        if (tick_.everything) swept_ = begin;
        tick_.elapsed = last_ ? (begin - last_) / 1000 : 0;
        last_ = begin;
        collectors_.fold(tick_);
        collectors_.print(out_, tick_);
        tick_.last_late = (begin - next_) / 1000;
        next_ = next_multiple(interval_, next_);
        write();
        tick_.last_took = (clock_ns(CLOCK_MONOTONIC) - begin) / 1000;
        end_ |= is_last;
        collectors_.work(out_);
        write();
    }

    void write() {
        bool was_waiting = waits_for_room_;
        waits_for_room_ = !out_.flush();
        if (waits_for_room_ && !was_waiting) watch(STDOUT_FILENO, EPOLLOUT);
        if (!waits_for_room_ && was_waiting) epoll_ctl(poll_, EPOLL_CTL_DEL, STDOUT_FILENO, nullptr);
    }

    Collectors& collectors_;
    const Run run_;
    const int64_t interval_ = run_.update_every * second;
    Writer out_;
    const int poll_ = check(epoll_create1(EPOLL_CLOEXEC), "create the event loop"), signals_ = signal_descriptor();
    bool end_ = false, waits_for_room_ = false;
    int64_t next_ = 0, last_ = 0, swept_ = clock_ns(CLOCK_MONOTONIC);  // updates; when all rows were last looked at
    long updates_ = 0;
    Tick tick_{.is_update = true};
};

}  // namespace

void run_loop(Collectors& collectors, const Run& run) try {
    Loop loop(collectors, run);
    drop_privileges(collectors.needs());
    confine(collectors.needs());
    loop.run();
} catch (const Error& e) {
    if (e.code != EPIPE) throw;  // nobody reads any more: the agent is gone, and so are we
}
