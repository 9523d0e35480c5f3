// The system calls that are left once the plugin counts: whoever takes it over by what it reads gets no further.
#pragma once
#include "guard/needs.h"

// For this process and its children, for good: what every part needs (files to look at, memory, time, the own process) and
// what `needs` adds. Anything else fails with ENOSYS, as on a kernel without it. Where the kernel has no such filters, that
// is said, no more.
void confine(const Needs& needs);
