// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * A vencd of one's own, for one command: started with one end of a socket pair, which is usable at
 * once, and ended by closing the other. It stands in its own process group, so that ^C reaches the
 * command alone and the daemon still reports. It ends by itself; one that does not is killed after
 * a bound, and one that cannot be killed is left behind and said so.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/vencctl/tool.h"

#define STOP_MS 15000
#define KILL_MS 2000

extern char **environ;

/* vencd beside this program, else "vencd", to be looked for in $PATH. */
static void find_daemon(char ret[PATH_MAX])
{
	static const char name[] = "vencd";
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - sizeof(name));

	if (n > 0) {
		char *slash = memrchr(ret, '/', (size_t)n);

		strcpy(slash ? slash + 1 : ret, name);
		if (access(ret, X_OK) == 0)
			return;
	}
	strcpy(ret, name);
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0);
	return -posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn_daemon(int fd, pid_t *ret)
{
	char path[PATH_MAX], number[16];
	char *argv[] = {"vencd", "--connection", number, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	find_daemon(path);
	snprintf(number, sizeof(number), "%d", fd);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = set_attributes(&attributes);
	if (r == 0)
		r = -posix_spawn_file_actions_addopen(
			&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0) /* onto itself: takes close-on-exec away in the child alone */
		r = -posix_spawn_file_actions_adddup2(&actions, fd, fd);
	if (r == 0)
		r = -posix_spawnp(ret, path, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r;
}

/* With a copy that is none of the three standard ones, should those have been closed. */
static int spawn_with(int fd, pid_t *ret)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int r = copy < 0 ? -errno : spawn_daemon(copy, ret);

	if (copy >= 0)
		close(copy);
	return r;
}

int private_start(struct tool *tool, int *ret_fd)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = spawn_with(pair[1], &tool->child);
	close(pair[1]);
	if (r < 0) {
		tool->child = 0;
		close(pair[0]);
		return r;
	}
	tool->child_fd = pidfd_open(tool->child, 0);
	if (tool->child_fd < 0) {
		r = -errno;
		close(pair[0]);
		return r;
	}
	*ret_fd = pair[0];
	return 0;
}

/* Whether it is gone within the time. */
static bool gone_within(const struct tool *tool, int ms)
{
	struct pollfd poll_fd = {.fd = tool->child_fd, .events = POLLIN};
	int n;

	do
		n = poll(&poll_fd, 1, ms);
	while (n < 0 && errno == EINTR);
	return n > 0 && waitpid(tool->child, NULL, WNOHANG) == tool->child;
}

void private_stop(struct tool *tool)
{
	if (tool->child == 0 || tool->child_fd < 0)
		return;
	if (!gone_within(tool, STOP_MS)) {
		fputs("vencctl: the private vencd does not end; killing it\n", stderr);
		pidfd_send_signal(tool->child_fd, SIGKILL, NULL, 0);
		if (!gone_within(tool, KILL_MS))
			fputs("vencctl: it cannot be killed; it is left behind\n", stderr);
	}
	close(tool->child_fd);
	tool->child_fd = -1;
	tool->child = 0;
}
