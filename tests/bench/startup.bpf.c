// Sixty programs, to be loaded from one object; startup_part.bpf.c has five of them, to be loaded twelve times.
#include "hooks.bpf.h"

#define PROGRAM(n)                                                                \
	SEC("tp_btf/task_prctl_unknown") int program_##n(unsigned long long *ctx) \
	{                                                                         \
		struct row row = current_row();                                   \
		count(&row, vfs, write_calls, 1);                                 \
		count(&row, vfs, write_bytes, ctx[1]);                            \
		mark(&row);                                                       \
		return 0;                                                         \
	}
#define FIVE(n) PROGRAM(n##a) PROGRAM(n##b) PROGRAM(n##c) PROGRAM(n##d) PROGRAM(n##e)

FIVE(1)
#ifndef STARTUP_PART
FIVE(2) FIVE(3) FIVE(4) FIVE(5) FIVE(6) FIVE(7) FIVE(8) FIVE(9) FIVE(10) FIVE(11) FIVE(12)
#endif

char LICENSE[] SEC("license") = "GPL";
