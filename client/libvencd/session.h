// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_SESSION_H
#define VENCD_SESSION_H

/*
 * A session as the library keeps it: the shared memory, and private copies of everything that the
 * encoder's process must not be able to change under it.
 */

#include "client/libvencd/connection.h"
#include "client/plane/plane.h"
#include "client/vencd.h"

/*
 * Frames that are remembered until their packet came. More than can be on the way at once: the
 * commit log, the pool, and what an encoder holds after it let go of the slots, which is no more
 * than the pool has.
 */
#define SESSION_HISTORY 8192u
_Static_assert(SESSION_HISTORY > PLANE_LOG_ENTRIES + 2 * PLANE_MAX_SLOTS, "see above");

enum session_phase {
	SESSION_OPEN = 1,
	SESSION_FINISHED, /* by vencd_session_finish() */
	SESSION_LOST,     /* the daemon is gone: no cut and no report will come */
	SESSION_BROKEN,   /* the encoder's process broke the protocol; cancelled */
};

enum slot_use {
	SLOT_FREE = 1,
	SLOT_ACQUIRED, /* the program fills it */
	SLOT_SUBMITTED,
};

struct pool_slot {
	enum slot_use use;
	uint64_t frame; /* SUBMITTED: its index */
};

/* A submitted frame. */
struct sent_frame {
	int64_t pts;
	uint64_t packets; /* 0, or 1 once its packet came */
};

enum packet_state {
	PACKET_NONE = 1,
	PACKET_READY, /* read from the log and checked, not yet given to the program */
	PACKET_HELD,  /* given to the program, not released */
};

/* One attempt as seen by its reader. */
struct attempt_reader {
	struct plane_attempt *ring;
	int submit_wake, packet_wake;
	uint64_t limit;                  /* log entries known to be there */
	uint64_t next;                   /* first one not read */
	uint64_t ended;                  /* 1 after PLANE_ENTRY_END */
	uint64_t packets, bytes, digest; /* of those given to the program */
};

struct vencd_session {
	struct vencd *daemon;
	struct vencd_session_info info;
	char token[64];
	enum session_phase phase;

	struct plane_layout layout;
	uint8_t *pool;
	struct plane_submit *submit;
	struct plane_control *control;
	int lease, epoll;
	struct attempt_reader attempts[PLANE_MAX_ATTEMPTS];

	struct pool_slot *slots;
	uint32_t *free_slots; /* a stack: the slot given back last is the warmest */
	uint32_t n_free;
	uint32_t n_present; /* slots from 0 that were acquired before */
	uint32_t starved;   /* 1: the last acquire found no slot, so that one is worth waking for */
	struct sent_frame *history;
	uint64_t head; /* frames submitted */
	int64_t last_pts;

	uint32_t reading; /* attempt being read */
	enum packet_state packet_state;
	struct plane_entry packet; /* the copy that was checked */
	uint64_t packets;          /* read, all attempts */
	int64_t last_dts;
};

/*
 * Reads the log up to the next packet: gives released slots back and goes from attempt to attempt.
 * Returns 1 with a packet in session->packet, 0 where there is none yet, -ENODATA at the end,
 * -ECONNRESET where the daemon is gone, -EPROTO after a violation (see session_break()).
 */
int log_advance(struct vencd_session *session);

/* Tells the worker how far its log was read; a packet not released yet is not part of it. */
void log_consume(struct vencd_session *session);

/* Wakes the worker where it sleeps. */
void session_wake(struct vencd_session *session);

/* The encoder's process wrote what it must not: cancels without waiting. Returns -EPROTO. */
int session_break(struct vencd_session *session, const char *what);

bool session_ended(const struct vencd_session *session);

/*
 * Makes the next look at the indices one that cannot miss a wake-up: empties the sockets, then says
 * that we sleep. session_sleep() polls after that; 1 when something came, 0 on time-out, -errno.
 */
void session_prepare_sleep(struct vencd_session *session);
int session_sleep(struct vencd_session *session, uint64_t deadline_us);
void session_end_sleep(struct vencd_session *session);

/* Adds the sockets and the lease to the epoll descriptor. */
int session_watch(struct vencd_session *session);

/* A call about this session: {id, token}, and on a new connection if the old one is gone. */
int session_call(struct vencd_session *session, const char *method, sd_json_variant *parameters,
	unsigned timeout_ms, struct reply *ret);
int session_parameters(const struct vencd_session *session, sd_json_variant **ret);

/* Frames (frames.c). */
int frames_init(struct vencd_session *session);
void frames_release(struct vencd_session *session, uint32_t slot);
void frames_release_delivered(struct vencd_session *session);

/* The request and the reply of OpenSession as JSON (request.c). */
struct opened {
	uint64_t id;
	const char *token, *codec, *encoder, *backend, *device;
	uint32_t reorder;
	struct plane_layout layout;
};
int request_build(const struct vencd_params *params, sd_json_variant **ret);
int request_read_reply(sd_json_variant *reply, struct opened *ret);

#endif
