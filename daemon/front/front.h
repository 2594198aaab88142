// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FRONT_H
#define VENCD_FRONT_H

/*
 * The front's state: one struct, one thread, one event loop. The parts:
 *
 *	uplink.c   messages to and from the supervisor
 *	client.c   connections of clients, and what each waits for
 *	methods.c  the methods: request in, message to the supervisor out
 *	answers.c  the supervisor's answers: message in, reply out
 *	devices.c  the device table and those who follow it
 *	encode.c   one-shot requests and their adapters
 *
 * varlink answers the calls of a connection one after the other, so a connection waits for one
 * thing at a time, and no table of requests in flight is needed: a request is found by the seq of
 * its connection, and an answer to a connection that is gone finds none.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>
#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

#include "daemon/wire.h"

#define DEVICES_MAX 256u
#define LIST_ROWS_MAX 65536u

/* What a connection waits for. */
enum request_kind {
	REQUEST_NONE = 1,
	REQUEST_DEVICES, /* the first snapshot, or with `more` every later one */
	REQUEST_OPEN,
	REQUEST_WAIT,
	REQUEST_CANCEL,
	REQUEST_LIST,
	REQUEST_QUOTA,
	REQUEST_REPORT,
	REQUEST_WALLS,
	REQUEST_PROBE,
	REQUEST_ENCODE,
};

enum follow_state {
	FOLLOW_CURRENT = 1, /* has been sent the newest snapshot */
	FOLLOW_BEHIND,
};

struct encode;

struct client {
	LIST_ENTRY(client) entry;
	struct front *front;
	uint64_t connection; /* the supervisor's number for it */
	sd_varlink *link;

	enum request_kind request;
	uint64_t seq;      /* of the request to the supervisor */
	bool more;         /* the client wants progress */
	uint64_t asked_id; /* for refusals: the session asked for, and the codecs */
	uint32_t asked_codecs[VENCD_MAX_CODECS];
	enum follow_state follow; /* DEVICES */
	sd_json_variant **rows;   /* LIST, QUOTA: what has come so far */
	size_t n_rows;
	struct encode *encode; /* ENCODE: its own one-shot request */

	struct encode *adapter_of; /* the one-shot request that this connection's process serves */
};

LIST_HEAD(client_list, client);
LIST_HEAD(encode_list, encode);
STAILQ_HEAD(outbox, outgoing);

/* The event loop runs while SERVING. */
enum front_state {
	FRONT_SERVING = 1,
	FRONT_DONE,
	FRONT_FAILED,
};

struct front {
	enum front_state state;
	sd_event *event;
	sd_varlink_server *server;
	sd_event_source *uplink;
	struct outbox outbox;
	unsigned queued;
	uint64_t next_seq;
	struct client_list clients;
	struct encode_list encodes;

	struct wire_device *devices, *incoming; /* DEVICES_MAX rows each */
	struct proof *proofs;                   /* of these rows */
	unsigned n_devices, n_incoming;
	bool devices_known;
	sd_event_source *follow_timer;

	int kept; /* of the keeper: a connection that it must not close yet; -1: none */
};

/* uplink.c */
int uplink_init(struct front *front);
void uplink_clear(struct front *front);
/*
 * Sends a message that asks for something. -ENOBUFS when too many are queued already. message is
 * one of wire.h's structs.
 */
int uplink_request(struct front *front, void *message);
/* Sends what the supervisor must learn; ends the process when even that cannot be queued. */
void uplink_tell(struct front *front, void *message);
void uplink_tell_plain(struct front *front, enum wire_type type, uint64_t seq);
void uplink_tell_connection(struct front *front, enum wire_type type, uint64_t connection);

/* client.c */
int client_server_init(struct front *front);
/* Serves fd, whose ownership passes in every case. NULL when that failed. */
struct client *client_add(struct front *front, uint64_t connection, int fd);
struct client *client_find(struct front *front, uint64_t seq);
/* Writes what the sockets take at once, and closes all. */
void client_close_all(struct front *front);
/* The request was answered, or is about to be. */
void client_done(struct client *client);
/*
 * Whether the client has read everything that it was sent. Progress is sent then only, so that who
 * does not read costs a message and no more.
 */
bool client_keeps_up(const struct client *client);
/*
 * Takes the result of a reply that was sent outside of a method: a connection that cannot be
 * answered is closed, and must not be used afterwards.
 */
void client_replied(struct client *client, int r);

/* methods.c */
int methods_bind(sd_varlink_server *server);

/* answers.c: takes over the fds. */
void answer_handle(
	struct front *front, const union wire_message *message, const int *fds, unsigned n);

/* devices.c */
int devices_init(struct front *front);
void devices_clear(struct front *front);
void devices_take(struct front *front, const struct wire_device *row);
void devices_take_proof(struct front *front, const struct wire_proof *proof);
int devices_reply(struct client *client);

/* encode.c */
struct order;
int encode_start(struct client *client, const struct order *order);
/* The supervisor was asked for its adapter. */
void encode_asked(struct encode *encode, uint64_t seq);
bool encode_handle(struct front *front, const union wire_message *message, const int *fds);
/* The asking connection is gone. */
void encode_drop(struct encode *encode);
/* The adapter's connection did something. */
void encode_adapter_opened(struct encode *encode, const struct wire_opened *opened);
void encode_adapter_refused(
	struct encode *encode, const struct client *adapter, const struct wire_refused *refused);
void encode_adapter_gone(struct encode *encode);

#endif
