// The one object that the plugin loads. It is built twice: for kernels with and without compare-and-exchange.
#include "vfs.bpf.c"
#include "file.bpf.c"
#include "process.bpf.c"
#include "socket.bpf.c"
#include "syscalls.bpf.c"

char LICENSE[] SEC("license") = "GPL";
