// A twelfth of startup.bpf.c.
#define STARTUP_PART
#include "startup.bpf.c"
