// The one object that the plugin loads. It is built for what BPF can in a kernel: see struct Kernel.
#include "vfs.bpf.c"
#include "file.bpf.c"
#include "process.bpf.c"
#include "socket.bpf.c"
#include "syscalls.bpf.c"

char LICENSE[] SEC("license") = "GPL";
