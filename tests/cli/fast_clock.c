// Preloaded: a clock that runs ahead whenever the program waits, so that a day of updates takes minutes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/epoll.h>
#include <time.h>

static long long ahead;  // ns

int clock_gettime(clockid_t clock, struct timespec* t) {
    static int (*real)(clockid_t, struct timespec*);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, t);
    if (result || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)) return result;
    long long now = t->tv_sec * 1000000000ll + t->tv_nsec + ahead;
    t->tv_sec = now / 1000000000;
    t->tv_nsec = now % 1000000000;
    return 0;
}

int epoll_wait(int epoll, struct epoll_event* events, int most, int timeout) {
    static int (*real)(int, struct epoll_event*, int, int);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "epoll_wait");
    int n = real(epoll, events, most, 0);
    if (n == 0 && timeout > 0) ahead += timeout * 1000000ll;
    return n;
}
