// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef TEST_WORKER_RIG_H
#define TEST_WORKER_RIG_H

/*
 * A real vencd-worker process with the test as its supervisor, and sessions with the test as their
 * client: one thread does both. Everything that waits fails the test after RIG_PATIENCE_S.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/slot.h"
#include "daemon/wire.h"
#include "tests/unit/check.h"

#define RIG_PATIENCE_S 300

struct rig {
	pid_t pid; /* 0: none */
	int fd;
	uint64_t next_number;
};

/* Starts the program and waits for READY. */
void rig_start(struct rig *rig, const char *program);
void rig_send(struct rig *rig, enum wire_type type, uint64_t seq);

/* Waits for the next message. */
const union wire_message *rig_next(struct rig *rig);

/* The same, which must be of that type. */
const union wire_message *rig_expect(struct rig *rig, enum wire_type type);

/* PING and PONG. */
void rig_ping(struct rig *rig);

/* Waits for the process's end and returns its wait status; there is none then. */
int rig_wait(struct rig *rig);

/* EXIT, and that it ends well. */
void rig_stop(struct rig *rig);

struct rig_case {
	const char *name; /* NULL: no more */
	void (*run)(void);
};

/*
 * Runs the cases that are named in the arguments after the program, or all, each in a worker of its
 * own. A case that ends the worker itself calls rig_wait().
 */
int rig_main(struct rig *rig, const struct rig_case *cases, int argc, char **argv);

struct session {
	struct rig *rig;
	struct wire_start start; /* a test may spoil it before it is sent */
	struct plane_layout layout;
	int fds[WIRE_START_FDS];
	int submit_wake, packet_wake; /* the client's ends */
	uint8_t *pool;
	struct plane_submit *submit;
	struct plane_attempt *ring;
	struct call_slot *slot;

	uint64_t head; /* frames submitted */
	uint64_t read; /* log entries read */
	uint32_t free[PLANE_MAX_SLOTS];
	uint32_t n_free;
	bool ended; /* the END entry was read */
	uint64_t packets, bytes, digest, releases;
	uint64_t seen; /* frames whose packet came: the first `seen` where they are in order */
	int64_t last_dts;
	struct plane_entry entry; /* the last one read */
	uint8_t got[4096];        /* by frame: 1 when its packet came */
};

/* What a test wants different from the usual. */
struct session_options {
	const char *encoder; /* "null" */
	const char *script;  /* "" */
	uint32_t slots;      /* what the plan needs, and two */
	uint32_t on_failure; /* failover */
	uint32_t format;     /* I420 */
	uint64_t first_frame;
};

/* Makes the memory and fills the WIRE_START; sends nothing. */
void session_make(struct session *s, struct rig *rig, const struct session_options *options);

/* Sends the start. The fds stay the session's. */
void session_send_start(struct session *s);

/* Both, and waits for ATTEMPT_OPENED. */
void session_open(struct session *s, struct rig *rig, const struct session_options *options);
void session_close(struct session *s);

/* Index n has pts 1000 + 40 n. */
int64_t session_pts(uint64_t index);

/* Submits a frame in a free slot; there must be one. */
void session_submit(struct session *s, uint32_t flags);

/* Writes a raw entry and moves the head. */
void session_submit_raw(struct session *s, uint32_t slot, uint32_t flags, int64_t pts);
void session_finish(struct session *s);
void session_wake(struct session *s);

/*
 * Reads the next log entry, if there is one, and checks it against everything that is known.
 * consume: tell the worker.
 */
bool session_read(struct session *s, bool consume);
void session_consume(struct session *s);

/* Submits until `frames` are in and reads everything until the END entry. */
void session_run(struct session *s, uint64_t frames);

/* Waits until the call word shows that call and state, and returns it. */
uint64_t session_await(struct session *s, enum slot_call call, enum slot_state state);

/* Waits until at least so many entries are published. */
void session_await_published(struct session *s, uint64_t entries);

/* Waits for ATTEMPT_ENDED of this session. */
const struct wire_attempt_ended *session_expect_end(struct session *s, enum attempt_end end);

#endif
