// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Messages to and from the supervisor. It is trusted, and its end is ours: at end of file, or when
 * it says what is no message, the process ends, and with it the connections of its clients; their
 * sessions live on.
 *
 * What cannot be sent at once is queued. Requests are refused beyond a bound; the few messages that
 * keep the supervisor's accounts right may go further, and where that does not do either, the
 * process ends, which sets every account right.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/front/front.h"

#define REQUESTS_MAX 256u
#define QUEUE_MAX 8192u
#define MESSAGES_PER_TURN 64

struct outgoing {
	STAILQ_ENTRY(outgoing) entry;
	union {
		struct wire_header h;
		struct wire_open open; /* the largest that a front sends */
		struct wire_request request;
		struct wire_connection connection;
		struct wire_stream stream;
		struct wire_ready ready;
	} message;
};

/* The first end counts. Nothing is torn down here: this may be deep inside a client's callback. */
static void end(struct front *front, enum front_state state, const char *why)
{
	if (front->state != FRONT_SERVING)
		return;
	if (why)
		fprintf(stderr, "vencd-front: %s\n", why);
	front->state = state;
}

static void flush(struct front *front)
{
	while (!STAILQ_EMPTY(&front->outbox)) {
		struct outgoing *first = STAILQ_FIRST(&front->outbox);
		int r = wire_send(WIRE_FD, &first->message, NULL, 0);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			end(front, FRONT_DONE, NULL);
			return;
		}
		STAILQ_REMOVE_HEAD(&front->outbox, entry);
		front->queued--;
		free(first);
	}
	sd_event_source_set_io_events(front->uplink, EPOLLIN);
}

static size_t size_of(const void *message)
{
	switch (((const struct wire_header *)message)->type) {
	case WIRE_OPEN:
		return sizeof(struct wire_open);
	case WIRE_WAIT:
	case WIRE_CANCEL:
	case WIRE_GET_REPORT:
		return sizeof(struct wire_request);
	case WIRE_READY:
		return sizeof(struct wire_ready);
	case WIRE_ENCODE:
		return sizeof(struct wire_stream);
	case WIRE_CONNECTION_GONE:
		return sizeof(struct wire_connection);
	default:
		return sizeof(struct wire_plain);
	}
}

static int enqueue(struct front *front, const void *message, unsigned max)
{
	struct outgoing *o = front->queued < max ? calloc(1, sizeof(*o)) : NULL;

	if (!o)
		return -ENOBUFS;
	memcpy(&o->message, message, size_of(message));
	STAILQ_INSERT_TAIL(&front->outbox, o, entry);
	front->queued++;
	return sd_event_source_set_io_events(front->uplink, EPOLLIN | EPOLLOUT);
}

static int send_or_queue(struct front *front, void *message, unsigned max)
{
	int r = -EAGAIN;

	if (STAILQ_EMPTY(&front->outbox))
		r = wire_send(WIRE_FD, message, NULL, 0);
	if (r == -EPIPE) {
		end(front, FRONT_DONE, NULL);
		return 0;
	}
	return r == -EAGAIN ? enqueue(front, message, max) : r;
}

int uplink_request(struct front *front, void *message)
{
	return send_or_queue(front, message, REQUESTS_MAX);
}

void uplink_tell(struct front *front, void *message)
{
	if (send_or_queue(front, message, QUEUE_MAX) < 0)
		end(front, FRONT_FAILED, "the supervisor does not read");
}

void uplink_tell_plain(struct front *front, enum wire_type type, uint64_t seq)
{
	struct wire_plain m = {.h = {.type = type, .seq = seq}};

	uplink_tell(front, &m);
}

void uplink_tell_connection(struct front *front, enum wire_type type, uint64_t connection)
{
	struct wire_connection m = {.h = {.type = type, .seq = connection}};

	uplink_tell(front, &m);
}

static void receive(struct front *front)
{
	union wire_message message;
	int fds[WIRE_MAX_FDS];

	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		unsigned n = 0;
		int r = wire_receive(WIRE_FD, &message, fds, &n);

		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			end(front, r == 0 ? FRONT_DONE : FRONT_FAILED,
				r == 0 ? NULL : strerror(-r));
			return;
		}
		if (message.h.type == WIRE_EXIT) {
			end(front, FRONT_DONE, NULL);
			return;
		}
		answer_handle(front, &message, fds, n);
	}
}

static int on_uplink(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd;
	if (events & EPOLLOUT)
		flush(userdata);
	receive(userdata);
	return 0;
}

int uplink_init(struct front *front)
{
	STAILQ_INIT(&front->outbox);
	return sd_event_add_io(front->event, &front->uplink, WIRE_FD, EPOLLIN, on_uplink, front);
}

void uplink_clear(struct front *front)
{
	while (!STAILQ_EMPTY(&front->outbox)) {
		struct outgoing *first = STAILQ_FIRST(&front->outbox);

		STAILQ_REMOVE_HEAD(&front->outbox, entry);
		free(first);
	}
	front->uplink = sd_event_source_disable_unref(front->uplink);
}
