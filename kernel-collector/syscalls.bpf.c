// The way for kernels that have neither trampolines nor kprobes: programs at the end of every system call.
#include "hooks.bpf.h"
#include "arch/x86.h"
#include "syscall_numbers.h"

// Which hook a system call stands in for: its id + 1, by number; 32-bit programs have other numbers.
#define EACH(...) EACH_0(__VA_ARGS__) // once more, for what was unwrapped
#define EACH_0(row, id, ...) __VA_OPT__(EACH_1(row, id, __VA_ARGS__))
#define EACH_1(row, id, name, ...) row(id, name) __VA_OPT__(EACH_2(row, id, __VA_ARGS__))
#define EACH_2(row, id, name, ...) row(id, name) __VA_OPT__(EACH_3(row, id, __VA_ARGS__))
#define EACH_3(row, id, name, ...) row(id, name) __VA_OPT__(EACH_4(row, id, __VA_ARGS__))
#define EACH_4(row, id, name, ...) row(id, name) __VA_OPT__(EACH_5(row, id, __VA_ARGS__))
#define EACH_5(row, id, name, ...) row(id, name) __VA_OPT__(EACH_6(row, id, __VA_ARGS__))
#define EACH_6(row, id, name) row(id, name)

#define NUMBER_64(id, name) [NR64_##name] = (id) + 1,
#define NUMBER_32(id, name) [NR32_##name] = (id) + 1,
#define HOOK_64(group, hook, kind, functions, syscalls, ...) EACH(NUMBER_64, HOOK_ID(group, hook), UNWRAP syscalls)
#define HOOK_32(group, hook, kind, functions, syscalls, ...) EACH(NUMBER_32, HOOK_ID(group, hook), UNWRAP syscalls)
#define ALSO_64(group, hook, of, ...) HOOK_64(group, hook, __VA_ARGS__)
#define ALSO_32(group, hook, of, ...) HOOK_32(group, hook, __VA_ARGS__)
#define TABLE_64(group, ...) group##_HOOKS(HOOK_64, ALSO_64, NOTHING, NOTHING)
#define TABLE_32(group, ...) group##_HOOKS(HOOK_32, ALSO_32, NOTHING, NOTHING)

#define NUMBERS 512     // a power of 2
const __u8 hooks_64[NUMBERS] = {GROUPS(TABLE_64)};
const __u8 hooks_32[NUMBERS] = {GROUPS(TABLE_32)};

// What a hook does whose bodies follow from its kind.
#define CASE(kind, group, hook, of)                 \
	case HOOK_ID(group, hook):                  \
		CALL_COUNTED(kind, group, hook, of)     \
		RETURN_COUNTED(kind, group, hook, of)   \
		break;
#define HOOK_CASE(group, hook, kind, ...) MAKE_##kind(CASE, NOTHING, group, hook, hook)
#define ALSO_CASE(group, hook, of, kind, ...) MAKE_##kind(CASE, NOTHING, group, hook, of)
#define CASES(group, ...) group##_HOOKS(HOOK_CASE, ALSO_CASE, NOTHING, NOTHING)

// For clone3 the flags are the first word of what the first argument points to; it was just read from there.
static __always_inline bool makes_thread(const struct pt_regs *regs, bool compat, __u32 number)
{
	__u64 flags = 0;

	if (number == (compat ? NR32_clone : NR64_clone))
		flags = CALL_ARGUMENT(regs, compat, 1);
	else if (settings.reads_memory && number == (compat ? NR32_clone3 : NR64_clone3))
		bpf_probe_read_user(&flags, sizeof(flags), (const void *)CALL_ARGUMENT(regs, compat, 1));
	return flags & CLONE_THREAD;
}

SEC("?tp_btf/sys_exit") int BPF_PROG(syscalls__tp_btf, const struct pt_regs *regs, long returned)
{
	__u32 number = CALL_NUMBER(regs);
	bool compat = in_32_bit_call(regs);
	struct row here, *row = &here;
	int ret = returned;
	__u32 hook;

	if (number >= NUMBERS)
		return 0;
	// Keep the mask: clang knows number < NUMBERS and would drop it, the verifier does not.
	barrier_var(number);
	number &= NUMBERS - 1;
	hook = (compat ? hooks_32[number] : hooks_64[number]) - 1;
	barrier_var(hook);
	if (hook >= HOOKS || !settings.counting[hook])
		return 0;
	if (hook == HOOK_ID(process, clone) && !is_error(ret)) // the rule, and in the child there is no slot yet
		return 0;
	here = current_row();
	switch (hook) {
	GROUPS(CASES)
	case HOOK_ID(process, clone):
		count_clone_result(row, makes_thread(regs, compat, number), ret);
		break;
	}
	mark(row);
	return 0;
}

// Sockets: what system calls move data, and where their flags and messages are.
#define SENDS 1
#define RECEIVES 2
#define MANY 4         // the second argument is a vector of messages, the result says how many of them
#define FLAGS_THIRD 8  // of the arguments
#define FLAGS_FOURTH 16
#define SPLICES 32     // from the first argument's file to the third's
#define MULTIPLEXED 64 // socketcall(2)
#define MOVES(MOVE)                                                                                       \
	MOVE(write, SENDS) MOVE(writev, SENDS) MOVE(pwritev2, SENDS) MOVE(sendto, SENDS) MOVE(sendmsg, SENDS) \
	MOVE(sendmmsg, SENDS | MANY) MOVE(sendfile, SENDS)                                                \
	MOVE(read, RECEIVES) MOVE(readv, RECEIVES) MOVE(preadv2, RECEIVES)                                \
	MOVE(recvfrom, RECEIVES | FLAGS_FOURTH) MOVE(recvmsg, RECEIVES | FLAGS_THIRD)                     \
	MOVE(recvmmsg, RECEIVES | MANY | FLAGS_FOURTH) MOVE(splice, SENDS | RECEIVES | SPLICES)
#define MOVE_64(name, how) [NR64_##name] = how,
#define MOVE_32(name, how) [NR32_##name] = how,
const __u8 moves_64[NUMBERS] = {MOVES(MOVE_64)};
const __u8 moves_32[NUMBERS] = {MOVES(MOVE_32) MOVE_32(sendfile64, SENDS)
	MOVE_32(recvmmsg_time64, RECEIVES | MANY | FLAGS_FOURTH) MOVE_32(socketcall, MULTIPLEXED)};
const __u8 moves_multiplexed[32] = { // include/uapi/linux/net.h, SYS_SEND and so on
	[9] = SENDS, [10] = RECEIVES | FLAGS_FOURTH, [11] = SENDS, [12] = RECEIVES | FLAGS_FOURTH,
	[16] = SENDS, [17] = RECEIVES | FLAGS_THIRD, [19] = RECEIVES | MANY | FLAGS_FOURTH, [20] = SENDS | MANY};

// NULL if that descriptor of the current process is none, or was closed meanwhile.
static __always_inline const struct sock *socket_of(__u32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = NULL;
	struct socket *socket;

	if (!table || fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

// What has gone through a vector of messages: the sum of their lengths, of which the first is there.
__noinline __u64 bytes_of(__u64 lengths, __u32 many, __u32 apart)
{
	__u64 bytes = 0;

	for (__u32 i = 0; i < 1024 && i < many; i++) { // UIO_MAXIOV
		__u32 length = 0;
		bpf_probe_read_user(&length, sizeof(length), (void *)(lengths + i * apart));
		bytes += length;
	}
	return bytes;
}

#define BY_CALL(hook) (settings.counting[HOOK_ID(socket, hook)] && settings.by_call[HOOK_ID(socket, hook)])

struct transfer { // by one system call
	__u64 socket, bytes;
	__u32 calls;
	__u8 looks_only, splices;
};

// False if it is no call of that direction, or not by a socket.
static __noinline int find_moved(const struct pt_regs *regs, struct transfer *transfer, __u32 direction, int ret)
{
	__u32 number = CALL_NUMBER(regs);
	bool compat = in_32_bit_call(regs);
	__u32 fd = CALL_ARGUMENT(regs, compat, 1), third = CALL_ARGUMENT(regs, compat, 3);
	__u32 fourth = CALL_ARGUMENT(regs, compat, 4);
	__u64 second = CALL_ARGUMENT(regs, compat, 2);
	__u8 how;

	if (number >= NUMBERS)
		return false;
	barrier_var(number);
	number &= NUMBERS - 1;
	how = compat ? moves_32[number] : moves_64[number];
	if (how & MULTIPLEXED) {
		__u32 arguments[4];
		how = fd < 32 ? moves_multiplexed[fd & 31] : 0;
		if (!how || bpf_probe_read_user(arguments, sizeof(arguments), (void *)second))
			return false;
		fd = arguments[0];
		second = arguments[1];
		third = arguments[2];
		fourth = arguments[3];
	}
	if (!(how & direction))
		return false;
	if (how & SPLICES) {
		transfer->splices = true;
		if (direction == SENDS)
			fd = third;
	}
	transfer->calls = 1;
	transfer->bytes = ret > 0 ? ret : 0;
	if (how & MANY && ret > 0) {
		transfer->calls = ret;
		// struct mmsghdr. (Masked, or the verifier would look at what follows for each number of messages.)
		transfer->bytes = bytes_of(second + (compat ? 28 : 56), ret & 2047, compat ? 32 : 64);
	}
	transfer->looks_only = only_looks(how & FLAGS_THIRD ? third : how & FLAGS_FOURTH ? fourth : 0);
	transfer->socket = (__u64)socket_of(fd);
	return transfer->socket && is_ip(false, (const void *)transfer->socket);
}
// Makes the value unknown to the verifier; tracking its range explodes the paths on older kernels.
#define FORGET(variable) bpf_probe_read_kernel(&(variable), sizeof(variable), &(variable))

SEC("?tp_btf/sys_exit") int BPF_PROG(sends__tp_btf, const struct pt_regs *regs, long returned)
{
	struct transfer transfer = {};
	struct row here, *row = &here;
	const struct sock *sk;
	int ret = returned;

	if (!find_moved(regs, &transfer, SENDS, ret))
		return 0;
	FORGET(transfer);
	sk = (const void *)transfer.socket;
	if (is_tcp(false, sk) && BY_CALL(tcp_send)) {
		here = current_row();
		count(row, socket, tcp_send_calls, transfer.calls);
		RETURNED_CALLS_ERRORS(row, ret, socket, tcp_send);
		count(row, socket, tcp_send_bytes, transfer.bytes);
		note_tcp(false, sk, (const void *)sk);
	} else if (is_udp(false, sk) && (is_v4(false, sk) ? BY_CALL(udp_send) : BY_CALL(udpv6_send))) {
		here = current_row();
		count(row, socket, udp_send_calls, transfer.calls);
		RETURNED_CALLS_ERRORS(row, ret, socket, udp_send);
		count(row, socket, udp_send_bytes, transfer.bytes);
		if (ret >= 0)
			note_udp(false, sk, NULL, true, transfer.calls, transfer.bytes);
	} else
		return 0;
	mark(row);
	return 0;
}

SEC("?tp_btf/sys_exit") int BPF_PROG(receives__tp_btf, const struct pt_regs *regs, long returned)
{
	struct transfer transfer = {};
	struct row here, *row = &here;
	const struct sock *sk;
	int ret = returned;

	if (!find_moved(regs, &transfer, RECEIVES, ret))
		return 0;
	FORGET(transfer);
	sk = (const void *)transfer.socket;
	if (is_tcp(false, sk) && (transfer.splices ? BY_CALL(tcp_splice) : BY_CALL(tcp_receive))) {
		here = current_row();
		count(row, socket, tcp_receive_calls, transfer.calls);
		RETURNED_CALLS_ERRORS(row, ret, socket, tcp_receive);
		if (!transfer.looks_only)
			count(row, socket, tcp_receive_bytes, transfer.bytes);
		note_tcp(false, sk, (const void *)sk);
	} else if (is_udp(false, sk) && (is_v4(false, sk) ? BY_CALL(udp_receive) : BY_CALL(udpv6_receive))) {
		here = current_row();
		count(row, socket, udp_receive_calls, transfer.calls);
		RETURNED_CALLS_ERRORS(row, ret, socket, udp_receive);
		if (ret >= 0 && !transfer.looks_only) {
			count(row, socket, udp_receive_bytes, transfer.bytes);
			if (note_udp(false, sk, NULL, false, transfer.calls, transfer.bytes))
				count(row, socket, accepts_udp, 1);
		}
	} else
		return 0;
	mark(row);
	return 0;
}
