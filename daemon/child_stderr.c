// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The stderr of children. Drivers say there what they know about a failure, and sometimes say it a
 * million times.
 *
 * The child's end does not block: a child that writes faster than is read here loses messages of
 * its own, and neither its calls nor the supervisor wait. Reading is the last thing that the event
 * loop does, a bounded amount a second. Nothing that is read is believed: it is text, made
 * printable, kept in a ring of a few bytes and passed on as lines of the log, so many a second.
 *
 * A socket and no pipe: the two ends of a pipe share a lock, which a writer holds while its bytes
 * are copied, and whose memory is a wedged driver's would hold for good, with us behind it. A
 * socket can carry descriptors, whose closing may block; the kernel is told to refuse them where it
 * can (Linux 6.16). In builds with a sanitizer the child's end blocks and all is passed on: reports
 * of a sanitizer are for the person who tests.
 */

#include "daemon/child_stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/wire.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static uint64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

/* Our end only reads, and takes no descriptors. */
static void narrow(int fd)
{
	const int no = 0;

	(void)shutdown(fd, SHUT_WR);
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

int child_stderr_open(struct child_stderr *s, int *ret_write)
{
	int fds[2], r;

	*s = (struct child_stderr){.fd = -1};
	*ret_write = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	narrow(fds[0]);
	*ret_write = fcntl(fds[1], F_DUPFD_CLOEXEC, WIRE_FD + 2);
	r = *ret_write < 0 ? -errno : 0;
	close(fds[1]);
	if (r == 0 && HAS_SANITIZER && fcntl(*ret_write, F_SETFL, O_RDWR) < 0) {
		r = -errno;
		close(*ret_write);
		*ret_write = -1;
	}
	if (r < 0) {
		close(fds[0]);
		return r;
	}
	s->fd = fds[0];
	return 0;
}

static void tell_dropped(struct child_stderr *s)
{
	if (s->dropped)
		log_notice("%s[%d]: %lu lines of its messages were dropped", s->program, s->pid,
			(unsigned long)s->dropped);
	s->dropped = 0;
}

static void pass_on(struct child_stderr *s)
{
	uint64_t second = now_s();

	s->line[s->n_line] = '\0';
	s->n_line = 0;
	if (s->line[0] == '\0')
		return;
	if (second != s->second) {
		tell_dropped(s);
		s->second = second;
		s->lines = 0;
	}
	if (s->lines < STDERR_LINES_PER_SECOND || HAS_SANITIZER) {
		s->lines++;
		log_notice("%s[%d]: %s", s->program, s->pid, s->line);
	} else {
		s->dropped++;
	}
}

/* A longer line than the log takes is passed on in pieces. */
static void keep(struct child_stderr *s, char c)
{
	s->kept[s->n_kept++ % STDERR_KEPT] = c;
	if (c != '\n')
		s->line[s->n_line++] = c;
	if (c == '\n' || s->n_line == sizeof(s->line) - 1)
		pass_on(s);
}

/* Control characters become ^X, so that a reader sees them and a terminal does not. */
static void take(struct child_stderr *s, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n' || (c >= ' ' && c != 0x7f)) {
			keep(s, bytes[i]);
		} else {
			keep(s, '^');
			keep(s, (char)(c ^ 0x40));
		}
	}
}

/* Returns how much there was, 0 when there is no more for now or for good. */
static size_t read_some(struct child_stderr *s)
{
	char bytes[STDERR_BYTES_PER_TURN];
	ssize_t n = s->fd >= 0 ? read(s->fd, bytes, sizeof(bytes)) : -1;

	if (n > 0)
		take(s, bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		s->source = sd_event_source_disable_unref(s->source);
	return n > 0 ? (size_t)n : 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)read_some(userdata);
	return 0;
}

int child_stderr_watch(struct child_stderr *s, sd_event *event, const char *program, pid_t pid)
{
	int r;

	s->program = program;
	s->pid = pid;
	r = sd_event_add_io(event, &s->source, s->fd, EPOLLIN, on_readable, s);
	if (r >= 0)
		r = sd_event_source_set_priority(s->source, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0 && !HAS_SANITIZER)
		r = sd_event_source_set_ratelimit(s->source, 1000000, STDERR_TURNS_PER_SECOND);
	return r < 0 ? r : 0;
}

void child_stderr_drain(struct child_stderr *s)
{
	for (size_t n = 0, some = 1; n < STDERR_LAST_BYTES && some; n += some)
		some = read_some(s);
}

size_t child_stderr_last(const struct child_stderr *s, char *ret, size_t size)
{
	uint64_t n = s->n_kept < STDERR_KEPT ? s->n_kept : STDERR_KEPT, from;
	bool cut;

	n = n < size - 1 ? n : size - 1;
	from = s->n_kept - n;
	cut = from > 0 && s->kept[(from - 1) % STDERR_KEPT] != '\n';
	for (uint64_t i = 0; i < n; i++)
		ret[i] = s->kept[(from + i) % STDERR_KEPT];
	ret[n] = '\0';
	if (cut && strchr(ret, '\n')) { /* half a line says less than none */
		char *whole = strchr(ret, '\n') + 1;

		n -= (size_t)(whole - ret);
		memmove(ret, whole, n + 1);
	}
	return n;
}

void child_stderr_close(struct child_stderr *s)
{
	if (s->fd < 0)
		return;
	child_stderr_drain(s);
	pass_on(s);
	tell_dropped(s);
	sd_event_source_disable_unref(s->source);
	close(s->fd);
	s->source = NULL;
	s->fd = -1;
}
