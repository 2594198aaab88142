// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Stands in the place of a child program (walls.py puts it there under that name), goes behind the
 * same walls, and tries what a child must not do. For each attempt a process of its own is made
 * before the walls, since some attempts end it. The first intruder of a directory tries, further
 * ones are its siblings: they wait.
 *
 * Writes a line for each attempt to the file "attempts" beside itself: its name, and "done", an
 * errno's name, or "ended" with the signal. Where there is a file "bare" beside it, no wall is
 * built: then nearly everything is done, which shows that the attempts are ones.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/wall/wall.h"

#define WIRE 3
#define DRM_COMMAND _IO('d', 0)

static pid_t supervisor, sibling;
static int kept = -1;   /* what prepare made */
static char device[64]; /* the node of a device's worker */

static int failed(long r)
{
	return r < 0 ? -errno : 0;
}

static int open_it(const char *path, int flags)
{
	return failed(open(path, flags | O_CLOEXEC, 0600));
}

static int read_memory(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", sibling);
	return open_it(path, O_RDONLY);
}

/* Where it may look, it finds nothing at this address. */
static int read_memory_by_call(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)1, 1};
	int r = failed(process_vm_readv(sibling, &here, 1, &there, 1, 0));

	return r == -EFAULT ? 0 : r;
}

static int trace(void)
{
	int r = failed(ptrace(PTRACE_SEIZE, sibling, NULL, NULL));

	if (r == 0)
		ptrace(PTRACE_DETACH, sibling, NULL, NULL);
	return r;
}

static int take_descriptor(void)
{
	return failed(syscall(SYS_pidfd_getfd, kept, WIRE, 0));
}

static void open_sibling(void)
{
	kept = (int)syscall(SYS_pidfd_open, sibling, 0);
}

static int signal_sibling(void)
{
	return failed(kill(sibling, SIGCONT));
}

static int signal_supervisor(void)
{
	return failed(kill(supervisor, SIGCONT));
}

static int signal_by_pidfd(void)
{
	return failed(syscall(SYS_pidfd_send_signal, kept, SIGCONT, NULL, 0));
}

static int open_device(void)
{
	return open_it("/dev/full", O_RDONLY);
}

static int open_device_to_write(void)
{
	return open_it("/dev/full", O_WRONLY);
}

/* That of a device's worker; for the others, a device. */
static const char *node(void)
{
	return device[0] ? device : "/dev/zero";
}

static int open_node(void)
{
	return open_it(node(), O_RDWR);
}

static void open_node_before(void)
{
	kept = open(node(), O_RDWR | O_CLOEXEC);
}

/* It is none that DRM knows: to be told so, it must have been asked. */
static int ask_node(void)
{
	int r = failed(ioctl(kept, DRM_COMMAND, NULL));

	return r == -ENOTTY ? 0 : r;
}

static int truncate_node(void)
{
	return open_it(node(), O_RDWR | O_TRUNC);
}

static int list_home(void)
{
	return open_it("/root", O_RDONLY | O_DIRECTORY);
}

/* In sysfs, but of no device. */
static int look_at_kernel(void)
{
	return open_it("/sys/kernel", O_RDONLY | O_DIRECTORY);
}

static int read_users(void)
{
	return open_it("/etc/passwd", O_RDONLY);
}

static int read_own_program(void)
{
	return open_it("/proc/self/exe", O_RDONLY);
}

static int write_file(void)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/tmp/vencd-intruder-%d", getpid());
	r = open_it(path, O_WRONLY | O_CREAT | O_EXCL);
	if (r == 0)
		unlink(path);
	return r;
}

static int make_directory(void)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/tmp/vencd-intruder-%d", getpid());
	r = failed(mkdir(path, 0700));
	if (r == 0)
		rmdir(path);
	return r;
}

static int local_socket(void)
{
	return failed(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int internet_socket(void)
{
	return failed(socket(AF_INET, SOCK_STREAM, 0));
}

static int internet_socket_6(void)
{
	return failed(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int netlink_socket(void)
{
	return failed(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int packet_socket(void)
{
	return failed(socket(AF_PACKET, SOCK_RAW, 0));
}

static void make_socket(void)
{
	kept = socket(AF_INET, SOCK_STREAM, 0);
}

/* Nobody listens there; to be told so, it must have been allowed to ask. */
static int connect_out(void)
{
	const struct sockaddr_in to = {AF_INET, htons(1), {htonl(INADDR_LOOPBACK)}, {0}};
	int r = failed(connect(kept, (const struct sockaddr *)&to, sizeof(to)));

	return r == -ECONNREFUSED ? 0 : r;
}

static int bind_port(void)
{
	const struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};

	return failed(bind(kept, (const struct sockaddr *)&at, sizeof(at)));
}

/* /bin/true ends the process well without a word, which counts as done. */
static int execute(void)
{
	char *argv[] = {"true", NULL}, *environment[] = {NULL};

	return failed(execve("/bin/true", argv, environment));
}

static void open_program(void)
{
	kept = open("/bin/true", O_RDONLY | O_CLOEXEC);
}

static int execute_descriptor(void)
{
	char *argv[] = {"true", NULL}, *environment[] = {NULL};

	return failed(syscall(SYS_execveat, kept, "", argv, environment, AT_EMPTY_PATH));
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return failed(pid);
}

static int make_program(void)
{
	return failed(memfd_create("program", 0));
}

static void open_for_reading(void)
{
	char path[64];
	int fd = memfd_create("pool", MFD_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	kept = open(path, O_RDONLY | O_CLOEXEC);
	if (fchmod(fd, 0400) < 0) /* as the supervisor makes it */
		_exit(1);
	close(fd);
}

/* As a worker could with the frame pool, which it gets for reading. */
static int open_again_for_writing(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", kept);
	return open_it(path, O_RDWR);
}

static int change_mode(void)
{
	return failed(fchmod(kept, 0666));
}

static int map_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static void *written;

static void write_code(void)
{
	written = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int make_code(void)
{
	return failed(mprotect(written, 4096, PROT_READ | PROT_EXEC));
}

static int raise_core_limit(void)
{
	const struct rlimit limit = {4096, 4096};

	return failed(setrlimit(RLIMIT_CORE, &limit));
}

static int become_dumpable(void)
{
	return failed(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int survive_supervisor(void)
{
	return failed(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
}

static int become_another(void)
{
	return failed(setresuid(12345, 12345, 12345));
}

static int go_first(void)
{
	const struct sched_param first = {.sched_priority = 10};

	return failed(sched_setscheduler(0, SCHED_FIFO, &first));
}

static void own_mounts(void)
{
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int mount_something(void)
{
	return failed(mount("none", "/tmp", "tmpfs", 0, NULL));
}

static int change_root(void)
{
	return failed(chroot("/tmp"));
}

static int own_namespace(void)
{
	return failed(unshare(CLONE_NEWNET));
}

static int use_ring(void)
{
	char parameters[256] = {0};

	return failed(syscall(SYS_io_uring_setup, 1, parameters));
}

static int handle_faults(void)
{
	return failed(syscall(SYS_userfaultfd, O_CLOEXEC | 1));
}

static int use_keys(void)
{
	return failed(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
}

static int shared_segment(void)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600), r = failed(id);

	if (r == 0)
		shmctl(id, IPC_RMID, NULL);
	return r;
}

static int type_at_terminal(void)
{
	int r = failed(ioctl(kept, TIOCSTI, "x"));

	return r == -ENOTTY ? 0 : r; /* it was asked whether it is one */
}

static const struct attempt {
	const char *name;
	int (*try)(void);
	void (*prepare)(void); /* before the walls */
} attempts[] = {
	{"read_memory", read_memory},
	{"read_memory_by_call", read_memory_by_call},
	{"trace", trace},
	{"take_descriptor", take_descriptor, open_sibling},
	{"signal_sibling", signal_sibling},
	{"signal_supervisor", signal_supervisor},
	{"signal_by_pidfd", signal_by_pidfd, open_sibling},
	{"open_device", open_device},
	{"open_device_to_write", open_device_to_write},
	{"open_node", open_node},
	{"ask_node", ask_node, open_node_before},
	{"truncate_node", truncate_node},
	{"list_home", list_home},
	{"look_at_kernel", look_at_kernel},
	{"read_users", read_users},
	{"read_own_program", read_own_program},
	{"write_file", write_file},
	{"make_directory", make_directory},
	{"local_socket", local_socket},
	{"internet_socket", internet_socket},
	{"internet_socket_6", internet_socket_6},
	{"netlink_socket", netlink_socket},
	{"packet_socket", packet_socket},
	{"connect_out", connect_out, make_socket},
	{"bind_port", bind_port, make_socket},
	{"execute", execute},
	{"execute_descriptor", execute_descriptor, open_program},
	{"make_process", make_process},
	{"make_program", make_program},
	{"open_again_for_writing", open_again_for_writing, open_for_reading},
	{"change_mode", change_mode, open_for_reading},
	{"map_code", map_code},
	{"make_code", make_code, write_code},
	{"raise_core_limit", raise_core_limit},
	{"become_dumpable", become_dumpable},
	{"survive_supervisor", survive_supervisor},
	{"become_another", become_another},
	{"go_first", go_first},
	{"mount_something", mount_something, own_mounts},
	{"change_root", change_root},
	{"own_namespace", own_namespace},
	{"use_ring", use_ring},
	{"handle_faults", handle_faults},
	{"use_keys", use_keys},
	{"shared_segment", shared_segment},
	{"type_at_terminal", type_at_terminal, open_for_reading},
};

static enum wall_kind own_kind(const char *name)
{
	for (uint32_t kind = 1; kind < WALL_KIND_MAX; kind++)
		if (strcmp(name, wall_kind_name(kind)) == 0)
			return (enum wall_kind)kind;
	return WALL_KIND_MAX;
}

static void attempt(const struct attempt *a, enum wall_kind kind, bool bare, int answer)
{
	struct walls walls;
	int r = 0;

	if (a->prepare)
		a->prepare();
	if (!bare)
		r = wall_enter(kind, device[0] ? device : NULL, WIRE, &walls);
	r = r < 0 ? r - 1000 : a->try();
	if (write(answer, &r, sizeof(r)) != sizeof(r))
		_exit(1);
	_exit(0);
}

static void run(FILE *to, const struct attempt *a, enum wall_kind kind, bool bare)
{
	int answer[2], status = 0, r = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(answer, O_CLOEXEC) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0)
		attempt(a, kind, bare, answer[1]);
	close(answer[1]);
	n = read(answer[0], &r, sizeof(r));
	close(answer[0]);
	waitpid(pid, &status, 0);
	if (n == sizeof(r) && r != 0)
		fprintf(to, "%s %s\n", a->name, r < -999 ? "WALL" : strerrorname_np(-r));
	else if (WIFSIGNALED(status))
		fprintf(to, "%s ended %d\n", a->name, WTERMSIG(status));
	else
		fprintf(to, "%s done\n", a->name);
	fflush(to);
}

/* Another child of the supervisor, once there is one; 0: none came within a minute. */
static pid_t find_sibling(void)
{
	for (int i = 0; i < 600; i++) {
		DIR *proc = opendir("/proc");
		struct dirent *d;

		while (proc && (d = readdir(proc))) {
			char path[PATH_MAX], state = 0;
			int pid = atoi(d->d_name), parent = 0;
			FILE *stat;

			snprintf(path, sizeof(path), "/proc/%d/stat", pid);
			stat = pid > 0 && pid != getpid() ? fopen(path, "re") : NULL;
			if (!stat)
				continue;
			if (fscanf(stat, "%*d (%*[^)]) %c %d", &state, &parent) != 2)
				parent = 0;
			fclose(stat);
			if (parent == supervisor && state != 'Z') {
				closedir(proc);
				return pid;
			}
		}
		if (proc)
			closedir(proc);
		poll(NULL, 0, 100);
	}
	return 0;
}

/* With a file of that name beside it, it is the worker of the device that the file names. */
static bool is_given_device(const char *self)
{
	char path[PATH_MAX + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/device", self);
	file = fopen(path, "re");
	if (file && fgets(device, sizeof(device), file))
		device[strcspn(device, "\n")] = '\0';
	if (file)
		fclose(file);
	return device[0] != '\0';
}

int main(int argc, char **argv)
{
	char self[PATH_MAX] = "", path[PATH_MAX + 16];
	enum wall_kind kind = own_kind(argc ? basename(argv[0]) : "");
	FILE *to;
	int fd;

	if (kind == WALL_KIND_MAX || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 2;
	dirname(self);
	if (is_given_device(self))
		kind = WALL_DEVICE_WORKER;
	supervisor = getppid();
	snprintf(path, sizeof(path), "%s/attempts", self);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	to = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (to) {
		sibling = find_sibling();
		snprintf(path, sizeof(path), "%s/bare", self);
		for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
			run(to, &attempts[i], kind, access(path, F_OK) == 0);
		fputs("end\n", to);
		fflush(to);
	}
	for (;;)
		pause();
}
