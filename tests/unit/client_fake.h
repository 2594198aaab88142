// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef TEST_CLIENT_FAKE_H
#define TEST_CLIENT_FAKE_H

/*
 * A daemon for tests of the library: a thread answers varlink calls on a real socket, the test
 * itself plays the worker and the supervisor by writing the shared memory, step by step. It can be
 * told to answer or to write wrongly.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-event.h>
#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

#include "client/plane/plane.h"
#include "client/vencd.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

/* Checks that two numbers are equal, and shows them if not. */
#define CHECK_EQUAL(a, b)                                                                        \
	do {                                                                                     \
		long long a_ = (long long)(a), b_ = (long long)(b);                              \
		if (a_ != b_) {                                                                  \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #a, \
				a_, b_);                                                         \
			abort();                                                                 \
		}                                                                                \
	} while (0)

/* How an answer of the daemon is wrong. */
enum fake_fault {
	FAULT_NONE,
	FAULT_REFUSE,     /* OpenSession is refused by name */
	FAULT_STRIDE,     /* a layout that is not the one of its size */
	FAULT_WIDTH,      /* a valid layout of another size than asked for */
	FAULT_NO_TOKEN,   /* a field is missing */
	FAULT_FEW_FDS,    /* a descriptor is missing */
	FAULT_MANY_FDS,   /* there is one too many */
	FAULT_SMALL_POOL, /* a memory is smaller than the layout says */
	FAULT_UNSEALED,   /* a memory can be shrunk later */
	FAULT_NO_PIPE,    /* a descriptor is of another kind */
	FAULT_MAGIC,      /* a ring without its magic */
	FAULT_DROP,       /* the connection is closed instead of an answer, once */
	FAULT_LIE,        /* the report has another digest */
	FAULT_SLOW,       /* Cancel is answered when slow_pipe has a byte */
};

struct fake_attempt {
	int ring_fd, submit_wake[2], packet_wake[2];
	struct plane_attempt *ring;
	uint64_t written; /* log entries, published or not */
	uint64_t data;    /* bytes of packet data written */
	uint64_t packets, bytes, digest;
};

struct fake {
	/* To be set before fake_start(). */
	enum fake_fault fault;
	uint32_t slots, attempts;

	char path[108];
	pthread_t thread;
	sd_event *event;
	sd_varlink_server *server;
	int stop_pipe[2], slow_pipe[2];
	pthread_mutex_t lock; /* of what follows: the thread fills it */
	unsigned opened, cancels;
	sd_json_variant *request; /* the last OpenSession */
	char cancel_cause[32], cancel_text[512];
	const char *outcome; /* for the report */
	uint64_t frames_lost;

	struct plane_layout layout;
	int pool_fd, submit_fd, control_fd, lease[2];
	uint8_t *pool;
	struct plane_submit *submit;
	struct plane_control *control;
	struct fake_attempt attempt[PLANE_MAX_ATTEMPTS];
};

void fake_start(struct fake *fake);
void fake_stop(struct fake *fake);

/* A connection and a session of 64x48 I420 on it. */
void fake_open(struct fake *fake, struct vencd **daemon, struct vencd_session **session);
struct vencd_params fake_params(void);

/* The worker of attempt n: entries count from fake_publish() on, which wakes a sleeping client. */
void fake_append(struct fake *fake, unsigned n, const struct plane_entry *entry);
void fake_packet(struct fake *fake, unsigned n, uint64_t frame, int64_t dts, uint32_t flags,
	const char *text);
void fake_release(struct fake *fake, unsigned n, uint64_t frame);
void fake_end(struct fake *fake, unsigned n);
void fake_publish(struct fake *fake, unsigned n);
const struct plane_frame *fake_frame(const struct fake *fake, uint64_t frame);

/* The supervisor. */
void fake_cut(struct fake *fake, unsigned n, uint64_t cut);
void fake_next_attempt(struct fake *fake, unsigned n);
void fake_end_session(struct fake *fake);

/* The daemon dies: its end of the lease is closed, and its ends of the pipes. */
void fake_die(struct fake *fake);

#endif
