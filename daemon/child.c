// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Child processes. Every child starts with an environment by allow-list, /dev/null as stdin and
 * stdout, a socket to us as stderr (child_stderr.c), its wire, and for an adapter two sockets to
 * the front. The signals sent are SIGKILL, and SIGSTOP and SIGCONT to pause one. A child that does
 * not die in KillGrace is a tombstone: counted by its owner, never waited for.
 *
 * No fd is ever received from a child: wire_receive() is called with no room for any.
 */

#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "vencd-config.h"

#define CHILD_MESSAGES_PER_TURN 64
#define CHILD_SEND_BUFFER (4 << 20)
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#define ENVIRONMENT_MAX 64 /* words: those allowed, and as many as fit DriverEnvironment */

struct child_message {
	STAILQ_ENTRY(child_message) entry;
	union wire_message message;
	unsigned n;
	int fds[WIRE_MAX_FDS];
};

/* What a child may inherit; LD_*, LIBVA_* and VK_* never come from our own environment. */
static const char *const allowed_environment[] = {"LANG", "LC_ALL", "TZ",
#if HAS_SANITIZER
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
#endif
	NULL};

int child_program_path(const char *program, char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		if ((size_t)snprintf(path, size, "%s/%s", self, program) < size &&
			access(path, X_OK) == 0)
			return 0;
	}
	if ((size_t)snprintf(path, size, "%s/%s", VENCD_LIBEXEC_DIR, program) >= size)
		return -ENAMETOOLONG;
	return access(path, X_OK) == 0 ? 0 : -errno;
}

/* Words of NAME=VALUE, each of which becomes one entry. */
static int add_words(char **ret, size_t *n, const char *words)
{
	while (*(words += strspn(words, " \t"))) {
		size_t length = strcspn(words, " \t");

		if (*n + 1 >= ENVIRONMENT_MAX)
			return -E2BIG;
		ret[*n] = strndup(words, length);
		if (!ret[*n])
			return -ENOMEM;
		*n += 1;
		words += length;
	}
	return 0;
}

static int spawn_environment(char **ret, const char *extra)
{
	size_t n = 0;

	for (size_t i = 0; allowed_environment[i]; i++) {
		const char *value = getenv(allowed_environment[i]);

		if (value && asprintf(&ret[n], "%s=%s", allowed_environment[i], value) < 0) {
			ret[n] = NULL;
			return -ENOMEM;
		}
		n += value != NULL;
	}
	return extra ? add_words(ret, &n, extra) : 0;
}

/* What a child is given: its wire, its stderr, and what comes behind the wire. */
struct child_fds {
	int wire, err;
	const struct child_extra *extra;
};

/* The sources are all above the targets (spawn_process() sees to it): no dup clobbers another. */
static int spawn_actions(posix_spawn_file_actions_t *actions, const int *high, int err, unsigned n)
{
	int r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);

	r = r ? r : posix_spawn_file_actions_adddup2(actions, 0, 1);
	r = r ? r : posix_spawn_file_actions_adddup2(actions, err, 2);
	for (unsigned i = 0; i < n; i++)
		r = r ? r : posix_spawn_file_actions_adddup2(actions, high[i], WIRE_FD + (int)i);
	r = r ? r : posix_spawn_file_actions_addclosefrom_np(actions, WIRE_FD + (int)n);
	return -r;
}

static int spawn_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	r = r ? r : posix_spawnattr_setsigmask(attributes, &none);
	return -(r ? r : posix_spawnattr_setsigdefault(attributes, &all));
}

/* Copies above all targets. */
static int raise_fds(const struct child_fds *fds, int *high, unsigned *n)
{
	unsigned wanted = 1 + (fds->extra ? fds->extra->n_fds : 0);

	for (*n = 0; *n < wanted; (*n)++) {
		int fd = *n ? fds->extra->fds[*n - 1] : fds->wire;

		high[*n] = fcntl(fd, F_DUPFD_CLOEXEC, WIRE_FD + 1 + CHILD_EXTRA_FDS_MAX);
		if (high[*n] < 0)
			return -errno;
	}
	return 0;
}

static int spawn_process(
	const char *path, const char *program, const struct child_fds *fds, int *ret_pidfd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *environment[ENVIRONMENT_MAX] = {NULL};
	char *argument = fds->extra ? (char *)fds->extra->argument : NULL;
	char *argv[] = {(char *)program, argument, NULL};
	int high[1 + CHILD_EXTRA_FDS_MAX];
	unsigned n;
	int r = raise_fds(fds, high, &n);

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = r ? r : spawn_actions(&actions, high, fds->err, n);
	r = r ? r : spawn_attributes(&attributes);
	r = r ? r : spawn_environment(environment, fds->extra ? fds->extra->environment : NULL);
	r = r ? r : -pidfd_spawn(ret_pidfd, path, &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; environment[i]; i++)
		free(environment[i]);
	while (n > 0)
		close(high[--n]);
	return r;
}

static void message_free(struct child_message *m)
{
	for (unsigned i = 0; i < m->n; i++)
		close(m->fds[i]);
	free(m);
}

static void queue_clear(struct child *child)
{
	while (!STAILQ_EMPTY(&child->queue)) {
		struct child_message *m = STAILQ_FIRST(&child->queue);

		STAILQ_REMOVE_HEAD(&child->queue, entry);
		message_free(m);
	}
	child->queued = 0;
}

/* Ends all talk with a child that is gone or being killed. */
static void child_hang_up(struct child *child)
{
	child->io = sd_event_source_disable_unref(child->io);
	queue_clear(child);
	if (child->fd >= 0)
		close(child->fd);
	child->fd = -1;
}

static void flush_queue(struct child *child)
{
	while (!STAILQ_EMPTY(&child->queue)) {
		struct child_message *m = STAILQ_FIRST(&child->queue);
		int r = wire_send(child->fd, &m->message, m->fds, m->n);

		if (r == -EAGAIN)
			return;
		STAILQ_REMOVE_HEAD(&child->queue, entry);
		child->queued--;
		message_free(m);
	}
	(void)sd_event_source_set_io_events(child->io, EPOLLIN);
}

static void child_hung_up(struct child *child);

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct child *child = userdata;
	union wire_message message;

	(void)source;
	(void)fd;
	if (events & EPOLLOUT)
		flush_queue(child);
	for (int i = 0; i < CHILD_MESSAGES_PER_TURN && child->state == CHILD_RUNNING; i++) {
		int r = wire_receive(child->fd, &message, NULL, NULL);

		if (r == -EAGAIN)
			return 0;
		if (r == -EPROTO) {
			log_warning("%s[%d] broke the protocol: killed", child->ops->program,
				child->pid);
			child_kill(child);
			return 0;
		}
		if (r <= 0) {
			child_hung_up(child);
			return 0;
		}
		child->ops->message(child, &message);
	}
	return 0;
}

/* What a child said before it died counts: an attempt that ended well has ended well. */
static void hear_last_words(struct child *child)
{
	union wire_message message;

	child->before = child->state;
	child->state = CHILD_DEAD;
	if (child->before != CHILD_RUNNING || child->fd < 0)
		return;
	for (unsigned i = 0; i < CHILD_QUEUE_MAX; i++) {
		if (wire_receive(child->fd, &message, NULL, NULL) != 1)
			return;
		child->ops->message(child, &message);
	}
}

static int on_death(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct child *child = userdata;
	siginfo_t info = {0};

	(void)source;
	(void)events;
	child->final_cpu_ns = child_cpu_ns(child); /* a zombie can still be asked */
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return 0;
	child->death = sd_event_source_disable_unref(child->death);
	hear_last_words(child);
	child_hang_up(child);
	child->ops->dead(child, &info);
	return 0;
}

static int on_grace(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct child *child = userdata;

	(void)source;
	(void)usec;
	child->state = CHILD_TOMBSTONE;
	log_error("%s[%d] does not die from SIGKILL: left as a tombstone", child->ops->program,
		child->pid);
	if (child->ops->tombstone)
		child->ops->tombstone(child);
	return 0;
}

static int child_watch(struct child *child, sd_event *event)
{
	int r = sd_event_add_io(event, &child->death, child->pidfd, EPOLLIN, on_death, child);

	if (r >= 0 && child->fd >= 0)
		r = sd_event_add_io(event, &child->io, child->fd, EPOLLIN, on_io, child);
	return r < 0 ? r : 0;
}

static int wire_pair(int ret[2])
{
	int size = CHILD_SEND_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret) < 0)
		return -errno;
	/*
	 * A child that was taken over by its client could send descriptors. We would take none, but
	 * dropping one can take as long as its client likes. From Linux 6.16 on they are refused.
	 */
	(void)setsockopt(ret[0], SOL_SOCKET, SO_PASSRIGHTS, &(int){0}, sizeof(int));
	/* Best effort: an ordinary user gets what the host allows. */
	(void)setsockopt(ret[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(ret[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

/* Starts the program and what watches it. */
static int child_start(struct child *child, sd_event *event, const struct child_fds *fds)
{
	char path[PATH_MAX];
	int r = child_program_path(child->ops->program, path, sizeof(path));

	r = r < 0 ? r : spawn_process(path, child->ops->program, fds, &child->pidfd);
	if (r < 0)
		return r;
	child->pid = pidfd_getpid(child->pidfd);
	r = child_stderr_watch(&child->err, event, child->ops->program, child->pid);
	return r < 0 ? r : child_watch(child, event);
}

static struct child *child_new(const struct child_ops *ops, void *owner, uint64_t grace_us)
{
	struct child *child = calloc(1, sizeof(*child));

	if (!child)
		return NULL;
	*child = (struct child){.ops = ops,
		.owner = owner,
		.state = CHILD_RUNNING,
		.pidfd = -1,
		.fd = -1,
		.err = {.fd = -1},
		.grace_us = grace_us};
	STAILQ_INIT(&child->queue);
	return child;
}

int child_spawn(struct child **ret, sd_event *event, const struct child_ops *ops, void *owner,
	uint64_t grace_us, const struct child_extra *extra)
{
	struct child_fds fds = {-1, -1, extra};
	int pair[2] = {-1, -1}, r;
	struct child *child = child_new(ops, owner, grace_us);

	if (!child)
		return -ENOMEM;
	r = wire_pair(pair);
	fds.wire = pair[1];
	child->fd = pair[0];
	r = r < 0 ? r : child_stderr_open(&child->err, &fds.err);
	r = r < 0 ? r : child_start(child, event, &fds);
	if (pair[1] >= 0)
		close(pair[1]);
	if (fds.err >= 0)
		close(fds.err);
	if (r < 0) {
		log_error("cannot start %s: %s", ops->program, strerror(-r));
		if (child->pidfd >= 0)
			(void)pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
		child_free(child);
		return r;
	}
	*ret = child;
	return 0;
}

static int queue_message(struct child *child, void *message, const int *fds, unsigned n)
{
	struct child_message *m;

	if (child->queued >= CHILD_QUEUE_MAX)
		return -ENOBUFS;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	memcpy(&m->message, message, ((struct wire_header *)message)->size);
	for (; m->n < n; m->n++) {
		m->fds[m->n] = fcntl(fds[m->n], F_DUPFD_CLOEXEC, 0);
		if (m->fds[m->n] < 0) {
			message_free(m);
			return -errno;
		}
	}
	STAILQ_INSERT_TAIL(&child->queue, m, entry);
	child->queued++;
	return sd_event_source_set_io_events(child->io, EPOLLIN | EPOLLOUT);
}

void child_send(struct child *child, void *message, const int *fds, unsigned n)
{
	int r = -EAGAIN;

	if (child->state != CHILD_RUNNING || child->fd < 0)
		return;
	if (STAILQ_EMPTY(&child->queue))
		r = wire_send(child->fd, message, fds, n);
	if (r == -EAGAIN)
		r = queue_message(child, message, fds, n);
	if (r < 0) {
		log_warning("%s[%d] cannot be spoken to (%s): killed", child->ops->program,
			child->pid, strerror(-r));
		child_kill(child);
	}
}

void child_send_if_idle(struct child *child, void *message)
{
	if (child->state == CHILD_RUNNING && child->fd >= 0 && STAILQ_EMPTY(&child->queue))
		(void)wire_send(child->fd, message, NULL, 0);
}

int child_send_now(struct child *child, void *message, const int *fds, unsigned n)
{
	if (child->state != CHILD_RUNNING || child->fd < 0)
		return -EPIPE;
	return STAILQ_EMPTY(&child->queue) ? wire_send(child->fd, message, fds, n) : -EAGAIN;
}

/* Sends SIGKILL and starts the time after which it is a tombstone. */
static void kill_and_watch(struct child *child, enum child_state state)
{
	int r;

	child->state = state;
	(void)pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
	r = sd_event_add_time_relative(sd_event_source_get_event(child->death), &child->grace,
		CLOCK_MONOTONIC, child->grace_us, 0, on_grace, child);
	if (r < 0)
		log_error("cannot watch %s[%d] die: %s", child->ops->program, child->pid,
			strerror(-r));
	if (child->io)
		(void)sd_event_source_set_enabled(child->io, SD_EVENT_OFF);
}

/* A crash shows here first: how it died is for its pidfd to tell. */
static void child_hung_up(struct child *child)
{
	kill_and_watch(child, CHILD_HUNG_UP);
}

void child_pause(struct child *child)
{
	if (child->state == CHILD_RUNNING)
		(void)pidfd_send_signal(child->pidfd, SIGSTOP, NULL, 0);
}

void child_resume(struct child *child)
{
	if (child->state == CHILD_RUNNING)
		(void)pidfd_send_signal(child->pidfd, SIGCONT, NULL, 0);
}

void child_kill(struct child *child)
{
	if (child->state == CHILD_RUNNING)
		kill_and_watch(child, CHILD_KILLED);
}

bool child_was_killed(const struct child *child)
{
	return child->before == CHILD_KILLED || child->before == CHILD_TOMBSTONE;
}

bool child_was_tombstone(const struct child *child)
{
	return child->before == CHILD_TOMBSTONE;
}

struct child *child_free(struct child *child)
{
	if (!child)
		return NULL;
	child_hang_up(child);
	child_stderr_close(&child->err);
	sd_event_source_disable_unref(child->death);
	sd_event_source_disable_unref(child->grace);
	if (child->pidfd >= 0)
		close(child->pidfd);
	free(child);
	return NULL;
}

uint64_t child_cpu_ns(const struct child *child)
{
	struct timespec t;
	clockid_t clock;

	if (child->state == CHILD_DEAD)
		return child->final_cpu_ns;
	if (clock_getcpuclockid(child->pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool proc_file_has(const struct child *child, const char *file, const char *what)
{
	char path[64], text[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", child->pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, what) != NULL;
}

bool child_is_stopped(const struct child *child)
{
	/* The program's name is ours, so ") T" can only be the state. */
	return proc_file_has(child, "stat", ") T ") || proc_file_has(child, "stat", ") t ") ||
		proc_file_has(child, "wchan", "freez") ||
		proc_file_has(child, "wchan", "refrigerator");
}
