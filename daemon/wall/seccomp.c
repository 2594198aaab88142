// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The filter of system calls: a list of what each kind may do, found by watching it (strace) and
 * reading the libraries. What is not in the list fails with EPERM, which a library lives with; what
 * only an intruder asks for ends the process. A call that is newer than this list is said not to
 * exist (ENOSYS), and so is clone3(), whose flags a filter cannot see: the C library then does what
 * it did before there was one.
 *
 * A filter sees numbers and no memory, so it judges no path: that a file may be opened for reading
 * at all is decided here, and which one in landlock.c. A worker of a device opens its node for
 * writing; that it does not open the session's memory again in that way, which it has for reading,
 * is up to the mode of that memory (daemon/memory.c), which no child can change. Arguments are
 * compared as the 32 bits that the kernel uses of them.
 *
 * Written as a plain list of comparisons: for calls that are allowed whatever their arguments, the
 * kernel remembers the verdict and does not run the filter. Refusals are not logged, being what
 * some libraries meet at every start; the kernel logs what it ends.
 *
 * Sanitizers make calls of their own. Such a build refuses what is refused by name, and no more.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/sanitizer.h"
#include "daemon/wall/parts.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#endif

#define NEWEST_CALL 462u /* mseal(), Linux 6.10; from 424 on, numbers are the same everywhere */

#define ALLOW SECCOMP_RET_ALLOW
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define ABSENT (SECCOMP_RET_ERRNO | ENOSYS)
#define END SECCOMP_RET_KILL_PROCESS
#define OTHERS (HAS_SANITIZER ? ALLOW : REFUSE)

#define THREADED (FOR_WORKERS | FOR_STREAM)
#define READERS (FOR_WORKERS | FOR_STREAM | FOR_INSPECT)

/* The verdict on a call; where mask is not 0, only if (argument & mask) == value. */
struct row {
	unsigned kinds;
	long call;
	uint32_t verdict;
	unsigned argument;
	uint32_t mask, value;
};

#define EXACTLY UINT32_MAX
#define OPEN_MAKES (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
#define OPEN_WRITES (O_ACCMODE | OPEN_MAKES)

/* Requests of ioctl() by what they are made to: the letter of their definitions. */
#define IOCTL_TYPE 0xff00u
#define IOCTL_DRM ('d' << 8)
#define IOCTL_DMABUF ('b' << 8)
#define IOCTL_SYNC ('>' << 8)

/* Those that do not depend on arguments are first. */
static const struct row rows[] = {
	{FOR_ALL, SYS_read, ALLOW},
	{FOR_ALL, SYS_write, ALLOW},
	{FOR_ALL, SYS_readv, ALLOW},
	{FOR_ALL, SYS_writev, ALLOW},
	{FOR_ALL, SYS_pread64, ALLOW},
	{FOR_ALL, SYS_pwrite64, ALLOW},
	{FOR_ALL, SYS_lseek, ALLOW},
	{FOR_ALL, SYS_close, ALLOW},
	{FOR_ALL, SYS_fstat, ALLOW},
	{FOR_ALL, SYS_dup, ALLOW},
	{FOR_ALL, SYS_dup3, ALLOW},
	{FOR_ALL, SYS_pipe2, ALLOW},
	{FOR_ALL, SYS_ppoll, ALLOW},
	{FOR_ALL, SYS_epoll_create1, ALLOW},
	{FOR_ALL, SYS_epoll_ctl, ALLOW},
	{FOR_ALL, SYS_epoll_pwait, ALLOW},
	{FOR_ALL, SYS_epoll_pwait2, ALLOW},
	{FOR_ALL, SYS_eventfd2, ALLOW},
	{FOR_ALL, SYS_timerfd_create, ALLOW},
	{FOR_ALL, SYS_timerfd_settime, ALLOW},
	{FOR_ALL, SYS_recvmsg, ALLOW},
	{FOR_ALL, SYS_sendmsg, ALLOW},
	{FOR_ALL, SYS_recvfrom, ALLOW},
	{FOR_ALL, SYS_sendto, ALLOW},
	{FOR_ALL, SYS_getsockopt, ALLOW},
	{FOR_ALL, SYS_setsockopt, ALLOW},
	{FOR_ALL, SYS_getsockname, ALLOW},
	{FOR_ALL, SYS_getpeername, ALLOW},
	{FOR_ALL, SYS_shutdown, ALLOW},
	{FOR_ALL, SYS_brk, ALLOW},
	{FOR_ALL, SYS_munmap, ALLOW},
	{FOR_ALL, SYS_mremap, ALLOW},
	{FOR_ALL, SYS_madvise, ALLOW},
	{FOR_ALL, SYS_futex, ALLOW},
	{FOR_ALL, SYS_membarrier, ALLOW},
	{FOR_ALL, SYS_set_robust_list, ALLOW},
	{FOR_ALL, SYS_rseq, ALLOW},
	{FOR_ALL, SYS_rt_sigaction, ALLOW},
	{FOR_ALL, SYS_rt_sigprocmask, ALLOW},
	{FOR_ALL, SYS_rt_sigreturn, ALLOW},
	{FOR_ALL, SYS_rt_sigpending, ALLOW},
	{FOR_ALL, SYS_sigaltstack, ALLOW},
	{FOR_ALL, SYS_rt_sigsuspend, ALLOW},
	{FOR_ALL, SYS_rt_sigtimedwait, ALLOW},
	{FOR_ALL, SYS_restart_syscall, ALLOW},
	{FOR_ALL, SYS_clock_gettime, ALLOW},
	{FOR_ALL, SYS_clock_getres, ALLOW},
	{FOR_ALL, SYS_clock_nanosleep, ALLOW},
	{FOR_ALL, SYS_nanosleep, ALLOW},
	{FOR_ALL, SYS_gettimeofday, ALLOW},
	{FOR_ALL, SYS_getpid, ALLOW},
	{FOR_ALL, SYS_getppid, ALLOW},
	{FOR_ALL, SYS_gettid, ALLOW},
	{FOR_ALL, SYS_getuid, ALLOW},
	{FOR_ALL, SYS_geteuid, ALLOW},
	{FOR_ALL, SYS_getgid, ALLOW},
	{FOR_ALL, SYS_getegid, ALLOW},
	{FOR_ALL, SYS_getrandom, ALLOW},
	{FOR_ALL, SYS_getrusage, ALLOW},
	{FOR_ALL, SYS_sysinfo, ALLOW},
	{FOR_ALL, SYS_uname, ALLOW},
	{FOR_ALL, SYS_sched_yield, ALLOW},
	{FOR_ALL, SYS_sched_getaffinity, ALLOW},
	{FOR_ALL, SYS_getcpu, ALLOW},
	{FOR_ALL, SYS_exit, ALLOW},
	{FOR_ALL, SYS_exit_group, ALLOW},
#ifdef __x86_64__
	{FOR_ALL, SYS_poll, ALLOW},
	{FOR_ALL, SYS_epoll_wait, ALLOW},
	{FOR_ALL, SYS_dup2, ALLOW},
	{FOR_ALL, SYS_pipe, ALLOW},
	{FOR_ALL, SYS_pause, ALLOW},
	{FOR_ALL, SYS_time, ALLOW},
#endif

	/* The encoders: where threads and memory lie on a host of several nodes. */
	{FOR_WORKERS, SYS_get_mempolicy, ALLOW},
	{FOR_WORKERS, SYS_set_mempolicy, ALLOW},
	{FOR_WORKERS, SYS_mbind, ALLOW},
	{FOR_WORKERS, SYS_getpriority, ALLOW},
	{FOR_WORKERS, SYS_setpriority, ALLOW, 1, EXACTLY, 0},
	{FOR_WORKERS, SYS_sched_setaffinity, ALLOW, 0, EXACTLY, 0},
	{FOR_WORKERS, SYS_sched_getscheduler, ALLOW},
	{FOR_WORKERS, SYS_sched_get_priority_min, ALLOW},
	{FOR_WORKERS, SYS_sched_get_priority_max, ALLOW},

	/*
	 * A device's worker loads its driver behind the wall. Drivers make code for the GPU and for
	 * the CPU, ask whether two descriptors are of one file, and give their threads less weight.
	 */
	{FOR_DEVICE, SYS_mmap, ALLOW},
	{FOR_DEVICE, SYS_mprotect, ALLOW},
	{FOR_DEVICE, SYS_newfstatat, ALLOW},
	{FOR_DEVICE, SYS_statx, ALLOW},
	{FOR_DEVICE, SYS_faccessat, ALLOW},
	{FOR_DEVICE, SYS_faccessat2, ALLOW},
	{FOR_DEVICE, SYS_readlinkat, ALLOW},
	{FOR_DEVICE, SYS_getdents64, ALLOW},
	{FOR_DEVICE, SYS_getcwd, ALLOW},
	{FOR_DEVICE, SYS_statfs, ALLOW},
	{FOR_DEVICE, SYS_fstatfs, ALLOW},
	{FOR_DEVICE, SYS_kcmp, ALLOW},
	{FOR_DEVICE, SYS_memfd_create, ALLOW},
	{FOR_DEVICE, SYS_ftruncate, ALLOW},
	{FOR_DEVICE, SYS_fallocate, ALLOW},
	{FOR_DEVICE, SYS_sched_getparam, ALLOW},
	{FOR_DEVICE, SYS_mincore, ALLOW},
	{FOR_DEVICE, SYS_msync, ALLOW},
#ifdef __x86_64__
	{FOR_DEVICE, SYS_stat, ALLOW},
	{FOR_DEVICE, SYS_lstat, ALLOW},
	{FOR_DEVICE, SYS_access, ALLOW},
	{FOR_DEVICE, SYS_readlink, ALLOW},
#endif
	{FOR_DEVICE, SYS_openat, ALLOW, 2, OPEN_MAKES, 0}, /* to write: its node */
	{FOR_DEVICE, SYS_ioctl, ALLOW, 1, IOCTL_TYPE, IOCTL_DRM},
	{FOR_DEVICE, SYS_ioctl, ALLOW, 1, IOCTL_TYPE, IOCTL_DMABUF},
	{FOR_DEVICE, SYS_ioctl, ALLOW, 1, IOCTL_TYPE, IOCTL_SYNC},
	{FOR_DEVICE, SYS_sched_setscheduler, ALLOW, 1, EXACTLY, SCHED_BATCH},
	{FOR_DEVICE, SYS_sched_setscheduler, ALLOW, 1, EXACTLY, SCHED_IDLE},
	{FOR_DEVICE, SYS_fcntl, ALLOW, 1, EXACTLY, F_ADD_SEALS},
	{FOR_DEVICE, SYS_prctl, ALLOW, 0, EXACTLY, PR_GET_NAME},

	/* The adapter: the output that it was given. */
	{FOR_STREAM, SYS_ftruncate, ALLOW},
	{FOR_STREAM, SYS_fallocate, ALLOW},
	{FOR_STREAM, SYS_fsync, ALLOW},
	{FOR_STREAM, SYS_fdatasync, ALLOW},
	{FOR_STREAM, SYS_fadvise64, ALLOW},

	{FOR_INSPECT, SYS_readlinkat, ALLOW},
	{FOR_INSPECT, SYS_getdents64, ALLOW},
#ifdef __x86_64__
	{FOR_INSPECT, SYS_readlink, ALLOW},
#endif

	/* With some arguments only: reading, no code, threads, itself. */
	{READERS, SYS_openat, ALLOW, 2, OPEN_WRITES, O_RDONLY},
	{FOR_ALL, SYS_newfstatat, ALLOW, 3, AT_EMPTY_PATH, AT_EMPTY_PATH},
	{FOR_ALL, SYS_mmap, ALLOW, 2, PROT_EXEC, 0},
	{FOR_ALL, SYS_mprotect, ALLOW, 2, PROT_EXEC, 0},
	{THREADED, SYS_clone, ALLOW, 0, CLONE_THREAD, CLONE_THREAD},
	{FOR_ALL, SYS_prlimit64, ALLOW, 0, EXACTLY, 0},
	{FOR_ALL, SYS_prctl, ALLOW, 0, EXACTLY, PR_SET_NAME},
	{FOR_ALL, SYS_prctl, ALLOW, 0, EXACTLY, PR_SET_VMA},
	{FOR_ALL, SYS_ioctl, ALLOW, 1, EXACTLY, FIONREAD},
	{FOR_ALL, SYS_ioctl, ALLOW, 1, EXACTLY, TIOCOUTQ},
	{FOR_ALL, SYS_ioctl, ALLOW, 1, EXACTLY, TCGETS}, /* whether it is a terminal */
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_DUPFD},
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_DUPFD_CLOEXEC},
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_GETFD},
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_SETFD},
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_GETFL},
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_SETFL},
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_GET_SEALS},
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_GETPIPE_SZ},
	{FOR_ALL, SYS_fcntl, ALLOW, 1, EXACTLY, F_SETPIPE_SZ},

	/* What has no business here in any build. */
	{FOR_ALL, SYS_clone3, ABSENT},
	{FOR_ALL, SYS_socket, REFUSE},
	{FOR_ALL, SYS_socketpair, HAS_SANITIZER ? ALLOW : REFUSE},
	{FOR_ALL, SYS_connect, REFUSE},
	{FOR_ALL, SYS_bind, REFUSE},
	{FOR_ALL, SYS_io_uring_setup, REFUSE},
	{FOR_ALL, SYS_keyctl, REFUSE},
	{FOR_ALL, SYS_userfaultfd, REFUSE},
	{FOR_ALL, SYS_perf_event_open, REFUSE},

/* What only an intruder asks for. LeakSanitizer and its like do some of it. */
#if !HAS_SANITIZER
	{FOR_ALL, SYS_execve, END},
	{FOR_ALL, SYS_ptrace, END},
	{FOR_ALL, SYS_process_vm_readv, END},
#endif
	{FOR_ALL, SYS_execveat, END},
	{FOR_ALL, SYS_process_vm_writev, END},
	{FOR_ALL, SYS_pidfd_getfd, END},
	{FOR_ALL, SYS_open_by_handle_at, END},
	{FOR_ALL, SYS_bpf, END},
	{FOR_ALL, SYS_mount, END},
	{FOR_ALL, SYS_umount2, END},
	{FOR_ALL, SYS_move_mount, END},
	{FOR_ALL, SYS_open_tree, END},
	{FOR_ALL, SYS_fsopen, END},
	{FOR_ALL, SYS_pivot_root, END},
	{FOR_ALL, SYS_chroot, END},
	{FOR_ALL, SYS_unshare, END},
	{FOR_ALL, SYS_setns, END},
	{FOR_ALL, SYS_init_module, END},
	{FOR_ALL, SYS_finit_module, END},
	{FOR_ALL, SYS_kexec_load, END},
	{FOR_ALL, SYS_reboot, END},
};

#define ROWS (sizeof(rows) / sizeof(*rows))
#define INSTRUCTIONS_MAX (8 + 6 * (ROWS + 1)) /* with the own pid's row */

struct program {
	struct sock_filter code[INSTRUCTIONS_MAX];
	unsigned short n;
};

static void emit(struct program *p, struct sock_filter instruction)
{
	p->code[p->n++] = instruction;
}

#define LOAD(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define RETURN(verdict) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (verdict))
#define IF(how, k, then, otherwise) \
	(struct sock_filter) BPF_JUMP(BPF_JMP | (how) | BPF_K, (uint32_t)(k), (then), (otherwise))

static size_t low_half(unsigned argument)
{
	size_t offset = offsetof(struct seccomp_data, args) + 8 * argument;

	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? offset + 4 : offset;
}

/* Each row begins and goes on with the call's number loaded. */
static void emit_row(struct program *p, const struct row *row)
{
	if (!row->mask) {
		emit(p, IF(BPF_JEQ, row->call, 0, 1));
		emit(p, RETURN(row->verdict));
		return;
	}
	emit(p, IF(BPF_JEQ, row->call, 0, 5));
	emit(p, LOAD(low_half(row->argument)));
	emit(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, row->mask));
	emit(p, IF(BPF_JEQ, row->value, 0, 1));
	emit(p, RETURN(row->verdict));
	emit(p, LOAD(offsetof(struct seccomp_data, nr)));
}

#ifdef NATIVE_ARCH
static void compile(struct program *p, enum wall_kind kind)
{
	/* To abort, and for a fault's signal: to itself. */
	const struct row self = {FOR_ALL, SYS_tgkill, ALLOW, 0, EXACTLY, (uint32_t)getpid()};

	p->n = 0;
	emit(p, LOAD(offsetof(struct seccomp_data, arch)));
	emit(p, IF(BPF_JEQ, NATIVE_ARCH, 1, 0));
	emit(p, RETURN(END));
	emit(p, LOAD(offsetof(struct seccomp_data, nr)));
	emit(p, IF(BPF_JGT, NEWEST_CALL, 0, 1)); /* those of the x32 ABI as well */
	emit(p, RETURN(ABSENT));
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].kinds & 1u << kind)
			emit_row(p, &rows[i]);
	emit_row(p, &self);
	emit(p, RETURN(OTHERS));
}

int wall_seccomp(enum wall_kind kind)
{
	static struct program program;
	struct sock_fprog filter = {.filter = program.code};

	const uint32_t needed = END;
	long r;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &needed) < 0)
		return errno == ENOSYS || errno == EINVAL ? -EOPNOTSUPP : -errno;
	compile(&program, kind);
	filter.len = program.n;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	return r < 0 ? -errno : r > 0 ? -EBUSY : 0;
}
#else
/* On another architecture the wall is lacking, and said to be. */
int wall_seccomp(enum wall_kind kind)
{
	(void)kind;
	(void)rows;
	(void)emit_row;
	return -EOPNOTSUPP;
}
#endif
