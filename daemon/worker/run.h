// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_RUN_H
#define VENCD_WORKER_RUN_H

/*
 * One attempt: the thread that makes every call into an encoder library, and what it works on.
 *
 *	run.c     the thread's life: open, encode, close, end; the loop's handle on it
 *	encode.c  between open and close: frames in, packets out
 *	check.c   beside it: is what comes out of a device what went in
 *	wait.c    sleeping, and being told to stop
 *
 * Once the supervisor has abandoned a call, the thread parks for ever and nothing of its struct run
 * is ever touched by it or freed by anybody: the library may still call frames_done().
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/flow.h"
#include "daemon/slot.h"
#include "daemon/wire.h"
#include "daemon/worker/check.h"
#include "daemon/worker/chroma.h"
#include "daemon/worker/frames.h"
#include "daemon/worker/group.h"
#include "daemon/worker/input.h"
#include "daemon/worker/map.h"
#include "daemon/worker/output.h"
#include "daemon/worker/stall.h"
#include "hw/catalogue.h"
#include "hw/encoder.h"

/* What every run of a worker shares. */
struct worker_shared {
	int wake;                 /* write end of the loop's pipe */
	_Atomic uint32_t tainted; /* nothing is opened, closed or destroyed any more */
};

/* Bits of run->news, for the loop. */
#define RUN_OPENED 1u /* info is valid */
#define RUN_FAILED 2u /* ended is valid; the encoder is about to be closed */
#define RUN_ENDED 4u  /* ended is valid; the thread touches nothing any more */

/* What the thread had seen of the others when it last looked. */
struct run_view {
	uint64_t head, finished, consumed, done;
};

struct run {
	uint64_t number; /* of the attempt */
	struct worker_shared *shared;
	const struct encoder_ops *ops;
	const struct encoder_limits *limits;
	struct wire_start start;
	struct session_map map;
	int wake[2]; /* a private pipe: the loop and the library's threads wake us */

	/* Between threads */
	_Atomic uint32_t stop;   /* set by the loop */
	_Atomic uint32_t asleep; /* the thread sleeps on wake[0] */
	_Atomic uint32_t news;   /* RUN_* */
	_Atomic uint64_t rate;   /* pixels a second, set by the loop; 0: no limit */

	/* The run thread's own */
	struct encoder *encoder;
	enum slot_call call; /* the function of the contract that it is in, or was */
	struct encoder_host host;
	struct encoder_info info;
	struct chroma chroma;
	struct input input;
	struct frames frames;
	struct group group;
	struct output output;
	struct stall stall;
	struct check *check;       /* of a hardware encoder's output, or NULL */
	struct flow_bucket pixels; /* filled at the rate, emptied by each frame */
	struct run_view view;
	uint64_t sent;                   /* frames that the encoder took */
	uint64_t released_done;          /* frames.done_count when releases were last written */
	uint64_t released_end;           /* and the frames committed then */
	uint32_t idle_polls;             /* of an asynchronous encoder, without a packet */
	bool client_gone;                /* the submit socket hung up: it is not polled any more */
	bool kept;                       /* ended without close: nothing may be freed */
	char text[ENCODER_TEXT_MAX];     /* the library's */
	struct wire_attempt_ended ended; /* .end is 0 until decided */
};

/*
 * For the loop. run_start() takes the fds in any case; where it fails, *ret_why says why the
 * attempt is refused, and *ret_status what that means.
 */
int run_start(struct run **ret, const struct wire_start *start, const int fds[WIRE_START_FDS],
	struct worker_shared *shared, enum encoder_status *ret_status, const char **ret_why);
void run_stop(struct run *run);
void run_set_rate(struct run *run, uint64_t pixel_rate);
void run_free(struct run *run); /* after RUN_ENDED, unless kept */

/* run.c, for the thread: around every call. run_leave() does not return for an abandoned call. */
void run_enter(struct run *run, enum slot_call call, uint64_t frame);
void run_leave(struct run *run);
_Noreturn void run_park(void);

/* Decides how the attempt ends; the first decision stands. text may be NULL. Returns false. */
bool run_end(struct run *run, enum attempt_end end, enum encoder_status status, enum slot_call call,
	uint64_t frame, const char *text);

/* The same for what a call returned, with the library's own words. */
bool run_fail(struct run *run, enum encoder_status status, enum slot_call call, uint64_t frame);

/* encode.c: until the attempt has ended (run->ended.end). */
void run_encode(struct run *run);

/*
 * wait.c: whether the loop said stop or the check found something, or the progress rule is broken;
 * the attempt is ended then.
 */
bool run_stopped(struct run *run);
bool run_stalled(struct run *run);

/* How long the next frame must wait for the user's pixels a second, in ms, a second at most. */
int run_rate_wait_ms(struct run *run);
/* A frame was taken. */
void run_rate_take(struct run *run);

/* Updates run->view; to be done before acting on it, and then sleeping. */
void run_look(struct run *run);

/* Sleep until the view changes; a millisecond, timed by the progress rule. False: to end. */
bool run_sleep(struct run *run, enum slot_state state, int timeout_ms);
bool run_pause(struct run *run);

/* At the end: until the check is through, as long as that may take. False: to end. */
bool run_await_check(struct run *run);
uint64_t run_now_ns(void);

#endif
