// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_CHILD_STDERR_H
#define VENCD_CHILD_STDERR_H

/*
 * What a child and the libraries in it write to stderr: a socket that the supervisor drains. The
 * last bytes are kept for reports, lines are passed on to the log.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "daemon/log.h"
#include "daemon/sanitizer.h"

#define STDERR_KEPT 2048u             /* bytes of a child's last messages */
#define STDERR_BYTES_PER_TURN 4096u   /* read at once */
#define STDERR_TURNS_PER_SECOND 32u   /* and so often; then it fills up */
#define STDERR_LINES_PER_SECOND 20u   /* to the log; more are dropped and counted */
#define STDERR_LAST_BYTES (64u << 10) /* read when it is dead or given up, at most */

struct child_stderr {
	const char *program;
	pid_t pid;
	int fd; /* our end; -1: none */
	sd_event_source *source;
	char kept[STDERR_KEPT]; /* byte i is in kept[i % STDERR_KEPT] */
	uint64_t n_kept;
	char line[LOG_LINE_MAX / 2]; /* the one that has no end yet */
	size_t n_line;
	uint64_t second; /* CLOCK_MONOTONIC, in which `lines` were passed on */
	unsigned lines;
	uint64_t dropped;
};

/*
 * Makes the pair. *ret_write is the child's end: above the fds that a child is given, not
 * inherited, the caller's to close. Returns 0 or -errno.
 */
int child_stderr_open(struct child_stderr *s, int *ret_write);

/* Once the child runs: drains it from the event loop. */
int child_stderr_watch(struct child_stderr *s, sd_event *event, const char *program, pid_t pid);

/* Takes what has been written by now, at most STDERR_LAST_BYTES. Never waits. */
void child_stderr_drain(struct child_stderr *s);

/*
 * The last messages, as whole lines if they fit, control characters but line ends made visible.
 * Returns the length, at most size - 1.
 */
size_t child_stderr_last(const struct child_stderr *s, char *ret, size_t size);

/* Drains, says what is left, closes. */
void child_stderr_close(struct child_stderr *s);

#endif
