// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What the kernel tells of a thread that does not come back: its state, the function and the system
 * call that it sleeps in, its kernel stack. Workers are not dumpable, so that all but the state is
 * for root and for holders of CAP_SYS_PTRACE; the stack wants CAP_SYS_ADMIN. Not to be permitted is
 * an answer.
 *
 * Of a system call's arguments only the request of an ioctl is told, since it names the driver's
 * function. The others may be addresses, which are nobody's business.
 */

#include "daemon/inspect/look.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_BYTES 4096 /* of a file of /proc that are looked at */

static const char *const syscall_names[] = {
#include "syscalls.inc"
};

static const char *error_text(int error)
{
	return error == EACCES || error == EPERM ? THREAD_NOT_PERMITTED : strerror(error);
}

/* Returns the bytes read, text with its end, or -errno. */
static ssize_t read_file(pid_t pid, pid_t tid, const char *name, char text[static FILE_BYTES])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, FILE_BYTES - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

#define COPY(to, text) snprintf((to), sizeof(to), "%.*s", (int)sizeof(to) - 1, (text))

static void look_at_status(struct thread_view *view, pid_t pid, pid_t tid)
{
	char text[FILE_BYTES], *state;
	ssize_t n = read_file(pid, tid, "status", text);

	state = n > 0 ? strstr(text, "\nState:\t") : NULL;
	if (!state) {
		COPY(view->state, n < 0 ? error_text((int)-n) : "unknown");
		return;
	}
	state += strlen("\nState:\t");
	state[strcspn(state, "\n")] = '\0';
	COPY(view->state, state);
	n = read_file(pid, tid, "comm", text);
	text[strcspn(text, "\n")] = '\0';
	COPY(view->comm, n < 0 ? "" : text);
}

/* The time on a CPU is the first number of schedstat, in ns; kernels may lack the file. */
static void look_at_cpu(struct thread_view *view, pid_t pid, pid_t tid)
{
	char text[FILE_BYTES];

	if (read_file(pid, tid, "schedstat", text) > 0)
		view->cpu_ms = strtoull(text, NULL, 10) / 1000000;
}

static void name_syscall(struct thread_view *view, const char *text)
{
	unsigned long long number, first, second;
	int n = sscanf(text, "%llu %llx %llx", &number, &first, &second);
	size_t known = sizeof(syscall_names) / sizeof(syscall_names[0]);

	if (n < 3) /* "running", or a "-1" with two registers: blocked outside of any call */
		COPY(view->syscall, strncmp(text, "running", 7) == 0 ? "running" : "none");
	else if (number == SYS_ioctl)
		snprintf(view->syscall, sizeof(view->syscall), "ioctl (request 0x%llx)", second);
	else if (number < known && syscall_names[number])
		COPY(view->syscall, syscall_names[number]);
	else
		snprintf(view->syscall, sizeof(view->syscall), "number %llu", number);
}

static void look_at_syscall(struct thread_view *view, pid_t pid, pid_t tid)
{
	char text[FILE_BYTES];
	ssize_t n = read_file(pid, tid, "syscall", text);

	view->permitted = n >= 0;
	if (n < 0)
		COPY(view->syscall, error_text((int)-n));
	else if (text[0] == '-')
		COPY(view->syscall, "none");
	else
		name_syscall(view, text);
}

/* A thread that sleeps nowhere has "0" here, and so has every thread for those not permitted. */
static void look_at_wchan(struct thread_view *view, pid_t pid, pid_t tid)
{
	char text[FILE_BYTES];
	ssize_t n = read_file(pid, tid, "wchan", text);

	if (n < 0)
		COPY(view->wchan, error_text((int)-n));
	else if (strcmp(text, "0") != 0)
		COPY(view->wchan, text);
	else
		COPY(view->wchan, view->permitted ? "none" : THREAD_NOT_PERMITTED);
}

/* Lines of "[<0>] do_sys_poll+0x1a/0x2b0". */
static void look_at_stack(struct thread_view *view, pid_t pid, pid_t tid)
{
	char text[FILE_BYTES], *save = NULL;
	ssize_t n = read_file(pid, tid, "stack", text);
	unsigned i = 0;

	if (n < 0) {
		COPY(view->stack[0], error_text((int)-n));
		return;
	}
	for (char *line = strtok_r(text, "\n", &save); line && i < REPORT_STACK_MAX;
		line = strtok_r(NULL, "\n", &save)) {
		char *name = strstr(line, "] ");

		COPY(view->stack[i], name ? name + 2 : line);
		i++;
	}
}

void look_at(pid_t pid, pid_t tid, struct thread_view *ret)
{
	*ret = (struct thread_view){.pid = (uint32_t)pid, .tid = (uint32_t)tid};
	look_at_status(ret, pid, tid);
	look_at_cpu(ret, pid, tid);
	look_at_syscall(ret, pid, tid);
	look_at_wchan(ret, pid, tid);
	look_at_stack(ret, pid, tid);
}
