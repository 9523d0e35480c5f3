// The system calls that are left once the plugin counts: whoever takes it over by what it reads gets no further.
#pragma once

#include "guard/privileges.h"

// For this process and its children, for good. What is not allowed fails with ENOSYS, as on a kernel without it. Where the
// kernel has no such filters, that is said, no more.
void confine(Tasks tasks);
