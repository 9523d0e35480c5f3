// The memory that the programs in the kernel and the plugin share, as the plugin has mapped it.
#pragma once
#include "bpf/shared_table.h"

struct SlotMemory {
    TableMemory<slot> table;
    state* shared = nullptr;
    int overflow_fd = -1;   // the table by process, for threads without a slot
    bool releases = false;  // the kernel side notes a task's release in its slot, which is kept until then
};

struct ConnectionMemory {
    TableMemory<connection> table;
    int index_fd = -1;  // the rows by connection_key, where sockets have no cookies
};
