// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_CHILD_H
#define VENCD_CHILD_H

/*
 * A child process of the supervisor: spawned, spoken to over a wire pair, killed, buried. Nothing
 * here waits: death is told by the pidfd, output that does not fit is queued with a bound.
 */

#include <signal.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "daemon/child_stderr.h"
#include "daemon/wire.h"

enum child_state {
	CHILD_RUNNING = 1,
	CHILD_HUNG_UP,   /* it closed its end: dead or dying, by no doing of ours */
	CHILD_KILLED,    /* SIGKILL was sent */
	CHILD_TOMBSTONE, /* and it did not die in KillGrace */
	CHILD_DEAD,      /* waited for; ops->dead is next */
};

struct child;
struct child_message;

struct child_ops {
	const char *program; /* "vencd-worker" */
	/* A checked message. The child may be killed from here, never freed. */
	void (*message)(struct child *child, const union wire_message *message);
	/* A tombstone came to be. May be NULL. */
	void (*tombstone)(struct child *child);
	/* It is dead; info as waitid() gave it. The owner must call child_free(). */
	void (*dead)(struct child *child, const siginfo_t *info);
};

struct child {
	const struct child_ops *ops;
	void *owner;
	enum child_state state;
	enum child_state before; /* DEAD: the state before */
	pid_t pid;
	int pidfd, fd;
	struct child_stderr err;
	uint64_t grace_us;     /* from SIGKILL to tombstone */
	uint64_t final_cpu_ns; /* DEAD */
	sd_event_source *io, *death, *grace;
	STAILQ_HEAD(, child_message) queue;
	unsigned queued;
};

#define CHILD_QUEUE_MAX 1024u /* messages that wait for a child to read; more kills it */

#define CHILD_EXTRA_FDS_MAX 2

/* What some children get beside the wire. */
struct child_extra {
	int fds[CHILD_EXTRA_FDS_MAX]; /* become its fds from WIRE_FD + 1 up; stay the caller's */
	unsigned n_fds;
	const char *environment; /* words of NAME=VALUE; NULL: none */
	const char *argument;    /* its only one; NULL: none */
};

/*
 * Spawns the program of ops (beside our own executable, else in the libexec directory), with one
 * end of a new wire pair as WIRE_FD. extra may be NULL. *ret belongs to the caller until ops->dead.
 */
int child_spawn(struct child **ret, sd_event *event, const struct child_ops *ops, void *owner,
	uint64_t grace_us, const struct child_extra *extra);

/* Sends or queues a message with copies of n fds. A child that does not read is killed. */
void child_send(struct child *child, void *message, const int *fds, unsigned n);

/* Sends only if nothing is queued before it: for progress, which may be skipped. */
void child_send_if_idle(struct child *child, void *message);

/* SIGSTOP and SIGCONT, for a child that has used up its share of the CPU. */
void child_pause(struct child *child);
void child_resume(struct child *child);

/*
 * Sends it now or not at all: where what is queued must not be closed here. Returns 0, -EAGAIN
 * where the child does not keep up, -EPIPE where it is gone, or what sending met.
 */
int child_send_now(struct child *child, void *message, const int *fds, unsigned n);

/* SIGKILL, once. */
void child_kill(struct child *child);

/* In ops->dead: whether it died because we killed it, and whether it had become a tombstone. */
bool child_was_killed(const struct child *child);
bool child_was_tombstone(const struct child *child);

/* After ops->dead, or at the daemon's own end. NULL is allowed. */
struct child *child_free(struct child *child);

/* CPU time that the process has used, ns; 0 when it cannot be told. */
uint64_t child_cpu_ns(const struct child *child);

/* Whether the process is stopped or frozen, so that its silence says nothing. */
bool child_is_stopped(const struct child *child);

/* Directory of the programs; fills path with at most size bytes. */
int child_program_path(const char *program, char *path, size_t size);

#endif
