// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef TEST_FRONT_FAKE_H
#define TEST_FRONT_FAKE_H

/*
 * The real vencd-front between a supervisor and clients that the test plays, step by step and in
 * one thread. Every wait has a deadline; what does not come, and what comes but was not expected,
 * fails the test.
 *
 * Clients speak varlink by hand, as a program without libsystemd would.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-json.h>

#include "daemon/wire.h"
#include "tests/unit/check.h"

#define DEADLINE_MS 30000
#define CLIENT_FDS 64

struct fake {
	int wire; /* the supervisor's end */
	pid_t front;
	uint64_t connections;
};

/* program: path of vencd-front. Returns after its READY. */
void fake_start(struct fake *fake, const char *program);
/* Closes the wire, which must end the front cleanly and in time. */
void fake_stop(struct fake *fake);

/* The next message of the front, which must be of this type. No fds can come. */
void fake_expect(struct fake *fake, enum wire_type type, union wire_message *ret);
/* Answers: message is a struct of wire.h; fds stay the caller's. */
void fake_send(struct fake *fake, void *message, const int *fds, unsigned n);
/* The front has done all that it was told so far, and has nothing more to say. */
void fake_settle(struct fake *fake);
void fake_refuse(struct fake *fake, uint64_t seq, enum wire_error error, const char *parameter,
	const char *reason);

struct client {
	int fd;
	uint64_t connection;
	char *data; /* received, not yet a whole message */
	size_t size;
	int fds[CLIENT_FDS]; /* received with the data */
	unsigned n_fds;
};

/* A connection, handed over and taken. */
void client_connect(struct fake *fake, struct client *ret);
/* Without the supervisor's next word about it. */
void client_close(struct client *client);
/* Closes it and awaits that the front says so. */
void client_leave(struct fake *fake, struct client *client);

/* Sends a call. parameters is JSON; flags is "" or more members, such as ",\"more\":true". */
void client_call_fds(struct client *client, const char *method, const char *parameters,
	const char *flags, const int *fds, unsigned n);
void client_call(struct client *client, const char *method, const char *parameters);
void client_call_more(struct client *client, const char *method, const char *parameters);
void client_send_text(struct client *client, const char *text, size_t size);

struct reply {
	sd_json_variant *whole, *parameters;
	const char *error; /* NULL: none */
	bool continues;
};

void client_receive(struct client *client, struct reply *ret);
void reply_clear(struct reply *reply);
/* Receives a reply that is an error of this name, short ("Invalid") or whole. */
void client_expect_error(struct client *client, const char *name, struct reply *ret);
/* Whether something is there to be received, now. */
bool client_has_reply(const struct client *client);
bool client_is_closed(struct client *client);

/* Members of JSON objects; a missing one fails the test. Paths have dots and indices: "a.0.b". */
sd_json_variant *member(sd_json_variant *v, const char *path);
const char *text_of(sd_json_variant *v, const char *path);
uint64_t number_of(sd_json_variant *v, const char *path);
bool has_member(sd_json_variant *v, const char *path);

#endif
