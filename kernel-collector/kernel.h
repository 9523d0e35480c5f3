// The kernel types that we read, only the fields that we read; CO-RE finds where they lie in the running kernel.
#pragma once
#define __VMLINUX_H__ // bpf_tracing.h: the types below are the kernel's, not those of user space
#include <linux/bpf.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct thread_info {
	__u32 status;
};
struct kernfs_node {
	__u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};
struct inode {
	unsigned short i_mode;
};
struct file {
	unsigned int f_mode;
	struct inode *f_inode;
	void *private_data;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct mm_struct {
	unsigned long arg_start, arg_end;
};
struct task_struct {
	struct thread_info thread_info; // its first member wherever a system call's width is asked for (x86-64)
	unsigned int flags;
	int pid, tgid;
	struct task_struct *real_parent;
	struct css_set *cgroups;
	struct mm_struct *mm;
	struct files_struct *files;
};
struct ns_common {
	unsigned int inum;
};
struct net {
	struct ns_common ns;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};
typedef struct {
	__s64 counter;
} atomic64_t;
struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num; // the local port, in the machine's byte order
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	unsigned long skc_flags;
	atomic64_t skc_cookie;
};
struct sock {
	struct sock_common __sk_common;
	__u16 sk_type, sk_protocol;
};
struct inet_sock {
	__be16 inet_sport;
};
struct inet_connection_sock {
	struct inet_sock icsk_inet;
};
struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_sent, bytes_retrans, bytes_acked, bytes_received;
	__u32 snd_una, snd_nxt;
	__u32 segs_in, segs_out, total_retrans;
};
struct socket {
	struct sock *sk;
};
struct msghdr {
	void *msg_name;
};
struct kernel_clone_args {
	__u64 flags;
};
struct pt_regs {
	unsigned long bx, r10, r8, ax, cx, dx, si, di, orig_ax, ip, cs, sp;
};
#pragma clang attribute pop

#define AF_INET 2                  // include/linux/socket.h
#define AF_INET6 10
#define SOCK_STREAM 1              // include/linux/net.h
#define SOCK_DGRAM 2
#define IPPROTO_TCP 6              // include/uapi/linux/in.h
#define IPPROTO_UDP 17
#define S_IFMT 0170000             // include/uapi/linux/stat.h
#define S_IFSOCK 0140000
#define MSG_PEEK 0x2               // include/linux/socket.h
#define MSG_ERRQUEUE 0x2000
#define SOCK_DONE 1                // include/net/sock.h, a bit's number: the FIN of the other side has come
#define TCP_ESTABLISHED 1          // include/net/tcp_states.h
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define PF_EXITING 0x00000004u     // include/linux/sched.h
#define FMODE_CREATED 0x00100000u  // include/linux/fs.h, since 4.19
#define CLONE_THREAD 0x00010000u   // include/uapi/linux/sched.h
