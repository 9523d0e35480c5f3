// What the parts of ebpf-workload share: the operation being made, its descriptors and buffers, and the ends it may come to.
// It is the ground truth of the plugin's self test, so it shares nothing with the plugin. Between the two stops it uses no
// libc function that may open, close, read, write or fork by itself.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_COUNT 10000
#define BLOCK 100  // bytes that one call moves
#define A(pointer) ((long)(pointer))

// Fixed descriptor numbers, so that the tables can name them. They lie above the few that the set-up uses in passing.
enum { IN = 100, OUT, FOLDER, NOWHERE, PIPE_R, PIPE_W, UNUSED, NEAR, FAR };

struct operation {
    const char* name;
    long nr;  // the system call; with `call` or `run` only asked whether the kernel has it
    long args[6];
    bool bytes;  // the calls return a number of bytes
    void (*set_up)(void);
    long (*call)(void);  // for what is more than one system call with these arguments
    void (*run)(void);   // for what is not COUNT times the same; adds to calls, failed and bytes itself
};

#define CALL(title, number, ...) .name = title, .nr = number, .args = {__VA_ARGS__}
#define MOVE(title, number, ...) CALL(title, number, __VA_ARGS__), .bytes = true
#define FUNC(title, number, function) .name = title, .nr = number, .call = function
#define RING(title, ...) CALL(title, SYS_io_uring_enter, __VA_ARGS__), .call = uring
#define NO_PROBE (-1)

// The tables; each ends with an operation without a name.
extern const struct operation file_operations[], process_operations[], socket_operations[], mixed_operations[];

extern int count;
extern int turn;  // which of the COUNT calls it is
extern unsigned long calls, failed, bytes;
extern char buffer[BLOCK];
extern struct iovec parts[3];  // of the buffer
extern char name[MAX_COUNT][16];
extern int fds[MAX_COUNT + 1];

_Noreturn void die(const char* what);
_Noreturn void unavailable(int error);
int checked(int result, const char* what);         // dies if it is negative
void place(int fd, int number, const char* what);  // moves a new descriptor to a fixed number
long argument(int k);                              // of the operation, for this turn

void set_up_ring(void);
long uring(void);  // one call through io_uring: opcode, descriptor, address, length are the operation's arguments
long spawn(void);  // a child by the system call clone()
