// The memory that the programs in the kernel and the plugin share, as the plugin has mapped it.
#pragma once
#include <cstddef>
#include <cstdint>
#include "slot.h"

struct SlotMemory {  // shared with the programs in the kernel, who write to it at any time
    slot* slots = nullptr;
    uint8_t* dirty = nullptr;  // a byte a slot
    state* shared = nullptr;
    size_t count = 0;       // of slots
    int overflow_fd = -1;   // the table by process, for threads without a slot
    int claims_fd = -1;     // who owns a slot, where the kernel has no compare-and-exchange
    bool releases = false;  // the kernel side notes a task's release in its slot, which is kept until then
};

struct ConnectionMemory {  // shared with the programs in the kernel, who write to it at any time
    connection* rows = nullptr;
    uint8_t* dirty = nullptr;  // a byte a row
    state* shared = nullptr;
    size_t count = 0;
    int claims_fd = -1;  // who owns a row, where the kernel has no compare-and-exchange
    int index_fd = -1;   // there too: the rows by connection_key
};
