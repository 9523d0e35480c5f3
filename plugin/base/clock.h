// The kernel's clocks in nanoseconds.
#pragma once
#include <cstdint>
#include <ctime>

constexpr int64_t second = 1'000'000'000;

inline int64_t clock_ns(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * second + t.tv_nsec;
}

// The next multiple of the interval on the wall clock, in the time of CLOCK_MONOTONIC, by which one waits. If the wall clock
// has been set since `last` was planned, they may be too close: no two are within half an interval.
inline int64_t next_multiple(int64_t interval, int64_t last) {
    int64_t next = clock_ns(CLOCK_MONOTONIC) + interval - clock_ns(CLOCK_REALTIME) % interval;
    return next + (next - last < interval / 2 ? interval : 0);
}
