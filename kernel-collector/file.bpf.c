// File descriptors: the table says it all.
#include "hooks.bpf.h"

GROUP_PROGRAMS(file)
