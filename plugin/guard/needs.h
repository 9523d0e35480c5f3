// What a part of the plugin needs while it runs; what nobody needs is given up.
#pragma once
#include <sys/capability.h>
#include <cstdint>
#include <vector>

// A system call that is allowed. With a mask, only where that argument has `value` in the mask's bits.
struct SystemCall {
    int number;             // SYS_…
    unsigned argument = 0;  // the first is 0
    uint64_t mask = 0, value = 0;
};
inline constexpr uint64_t all_bits = UINT64_MAX;

struct Needs {
    std::vector<cap_value_t> capabilities;
    std::vector<SystemCall> system_calls;

    Needs& operator+=(const Needs& other) {
        capabilities.insert(capabilities.end(), other.capabilities.begin(), other.capabilities.end());
        system_calls.insert(system_calls.end(), other.system_calls.begin(), other.system_calls.end());
        return *this;
    }
};
