// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_CONNECTION_H
#define VENCD_CONNECTION_H

/*
 * A connection: one varlink socket, on which one call is made at a time. A call that was not
 * answered in time is given up, and its late answer is told from later ones by its place in line.
 */

#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

#include "client/vencd.h"

#define CONNECTION_INTERFACE "io.vencd.Encoder"
#define CONNECTION_MAX_FDS 16u /* of one reply: 4 and 3 for each of 4 attempts */
#define CONNECTION_CALL_MS 30000u

enum reply_state {
	REPLY_PENDING = 1,
	REPLY_OK,
	REPLY_REFUSED, /* the refusal is kept by the connection */
	REPLY_LOST,    /* the connection broke: error says how */
};

/* The answer to one call; reply_clear() frees it. */
struct reply {
	enum reply_state state;
	sd_json_variant *parameters;
	int fds[CONNECTION_MAX_FDS]; /* close-on-exec; those taken are replaced by -1 */
	unsigned n_fds;
	int error;
};

struct vencd {
	sd_varlink *link;
	char *path; /* where it was connected to; NULL: an fd was given, it is not renewed */
	struct vencd_refusal refusal;
	struct reply *waiting; /* where the answer to the call in progress goes */
	unsigned given_up;     /* answers that arrive first and that nobody waits for */
};

/*
 * Calls a method of io.vencd.Encoder and waits up to timeout_ms. Returns 0 with *ret filled,
 * -EREMOTEIO where the daemon refused, -ETIMEDOUT, -ECONNRESET where the connection broke.
 */
int connection_call(struct vencd *daemon, const char *method, sd_json_variant *parameters,
	unsigned timeout_ms, struct reply *ret);

/* Sends a call whose answer nobody needs. Does not wait. */
int connection_send(struct vencd *daemon, const char *method, sd_json_variant *parameters);

/*
 * Connects once more after -ECONNRESET; -ENOTCONN where that cannot be done. Sessions are not tied
 * to a connection, so theirs can be asked for on the new one.
 */
int connection_renew(struct vencd *daemon);

void reply_clear(struct reply *reply);

/* Fills *ret from a named error and its fields (any of which may be missing). */
void refusal_read(struct vencd_refusal *ret, const char *error, sd_json_variant *fields);

/* CLOCK_MONOTONIC in microseconds. */
uint64_t now_us(void);

#endif
