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

// When the next tick is due, ns of CLOCK_MONOTONIC. Ticks lie on multiples of the interval of CLOCK_REALTIME; waiting is by
// CLOCK_MONOTONIC. If the wall clock was set, a tick less than half an interval after the last is skipped.
inline int64_t next_multiple(int64_t interval, int64_t last) {
    int64_t next = clock_ns(CLOCK_MONOTONIC) + interval - clock_ns(CLOCK_REALTIME) % interval;
    return next + (next - last < interval / 2 ? interval : 0);
}
