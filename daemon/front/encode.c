// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * One-shot requests. Each has an adapter, a process that opens an ordinary session over a
 * connection to us, reads the client's input and writes its output.
 *
 *	                STREAM            result or end of file         report, end
 *	   ASKED ───────────────▶ RUNNING ────────────────────▶ SETTLING ─────────▶ answered
 *
 * The reply's report comes from the supervisor, never from the adapter, which parses whatever the
 * client feeds it; the adapter only says what became of the output. Whatever is missing when
 * SETTLE_US are over is done without: an adapter that ended without a result has failed, and an
 * outcome is never better than the worse of what is known.
 *
 * When the client goes, the order socket is closed, which tells the adapter to end.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/front/delivery.h"
#include "daemon/front/front.h"
#include "daemon/front/json.h"
#include "daemon/front/parameters.h"
#include "daemon/front/refusal.h"
#include "daemon/front/request.h"

#define SETTLE_US (5 * UINT64_C(1000000))
#define RESULT_MAX (256u << 10)
#define MESSAGES_PER_TURN 16

enum encode_state {
	ENCODE_ASKED = 1,
	ENCODE_RUNNING,
	ENCODE_SETTLING,
};

enum report_state {
	REPORT_NONE = 1, /* no session was opened */
	REPORT_OPEN,     /* a session was opened */
	REPORT_ASKED,
	REPORT_KNOWN,
	REPORT_MISSING, /* the supervisor has none, or gave none in time */
};

struct encode {
	LIST_ENTRY(encode) entry;
	struct front *front;
	struct client *client;
	uint64_t seq; /* of the request, once it was sent */
	enum encode_state state;

	int fds[2];             /* until they were sent */
	sd_json_variant *order; /* likewise */
	int socket;
	sd_event_source *io, *timer;
	struct client *adapter; /* NULL before it is there and after it is gone */

	enum report_state report;
	uint64_t session, report_seq;
	uint8_t token[16];
	enum vencd_outcome report_outcome;
	sd_json_variant *report_json;

	struct wire_refused refused; /* the last refusal of its OpenSession; error 0: none */
	struct delivery delivery;
	struct adapter_end end;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void encode_free(struct encode *e)
{
	if (e->adapter)
		e->adapter->adapter_of = NULL;
	if (e->report == REPORT_ASKED)
		uplink_tell_plain(e->front, WIRE_WAIT_END, e->report_seq);
	/*
	 * The closed order socket tells the adapter to end; should it not, the supervisor sees to
	 * it.
	 */
	if (e->seq && !e->end.known)
		uplink_tell_plain(e->front, WIRE_ENCODE_END, e->seq);
	sd_event_source_disable_unref(e->io);
	sd_event_source_disable_unref(e->timer);
	close_fd(&e->fds[0]);
	close_fd(&e->fds[1]);
	close_fd(&e->socket);
	sd_json_variant_unref(e->order);
	sd_json_variant_unref(e->report_json);
	LIST_REMOVE(e, entry);
	free(e);
}

void encode_drop(struct encode *encode)
{
	if (encode->client->seq)
		uplink_tell_plain(encode->front, WIRE_WAIT_END, encode->client->seq);
	encode->client->encode = NULL;
	encode_free(encode);
}

/* The order for the adapter: the request without what the fds say, in the interface's words. */
static int build_order(const struct order *order, sd_json_variant **ret)
{
	int r = parameters_to_json(&order->params, ret);

	r = r < 0 ? r : sd_json_variant_set_field_string(ret, "container", order->container);
	if (r >= 0 && order->input_format)
		r = sd_json_variant_set_field_string(ret, "inputFormat", order->input_format);
	return r;
}

int encode_start(struct client *client, const struct order *order)
{
	struct encode *e = calloc(1, sizeof(*e));

	if (!e) {
		close(order->fds[0]);
		close(order->fds[1]);
		return -ENOMEM;
	}
	*e = (struct encode){.front = client->front,
		.client = client,
		.state = ENCODE_ASKED,
		.fds = {order->fds[0], order->fds[1]},
		.socket = -1,
		.report = REPORT_NONE};
	LIST_INSERT_HEAD(&client->front->encodes, e, entry);
	client->encode = e;
	if (build_order(order, &e->order) < 0) {
		encode_drop(e);
		return -ENOMEM;
	}
	return 0;
}

void encode_asked(struct encode *encode, uint64_t seq)
{
	encode->seq = seq;
}

/* Answering */

static int reply_result(struct encode *e, const struct client *client)
{
	enum vencd_outcome worse = outcome_worse(
		e->delivery.outcome, e->report_json ? e->report_outcome : e->delivery.outcome);
	sd_json_variant *delivery = NULL;
	int r = delivery_to_json(&e->delivery, &delivery);

	if (r >= 0)
		r = sd_varlink_replybo(client->link,
			SD_JSON_BUILD_PAIR_STRING("outcome", vencd_outcome_name(worse)),
			SD_JSON_BUILD_PAIR_CONDITION(e->report_json != NULL, "report",
				SD_JSON_BUILD_VARIANT(e->report_json)),
			SD_JSON_BUILD_PAIR_VARIANT("delivery", delivery));
	sd_json_variant_unref(delivery);
	return r;
}

/* Nothing was encoded, and the supervisor has said why. */
static bool was_refused(const struct encode *e)
{
	return e->report == REPORT_NONE && e->refused.error != 0;
}

/* The one answer. */
static void answer(struct encode *e)
{
	struct client *client = e->client;
	int r;

	client_done(client);
	if (was_refused(e))
		r = refusal_reply(client, &e->refused);
	else if (e->report == REPORT_MISSING)
		r = refusal_adapter(client, e->end, "the report of its session did not come");
	else if (e->delivery.outcome == 0 && e->report == REPORT_NONE)
		r = refusal_adapter(client, e->end, "it ended before it had opened a session");
	else {
		if (e->delivery.outcome == 0)
			delivery_failed(&e->delivery, &e->end);
		r = reply_result(e, client);
	}
	encode_free(e);
	client_replied(client, r);
}

/* Answers once all is there that will come. */
static void settle(struct encode *e)
{
	if (e->report == REPORT_OPEN || e->report == REPORT_ASKED)
		return;
	if (e->delivery.outcome == 0 && !e->end.known)
		return;
	answer(e);
}

static int on_settle_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct encode *e = userdata;

	(void)source, (void)usec;
	if (e->report == REPORT_ASKED)
		uplink_tell_plain(e->front, WIRE_WAIT_END, e->report_seq);
	if (e->report == REPORT_OPEN || e->report == REPORT_ASKED)
		e->report = REPORT_MISSING;
	answer(e);
	return 0;
}

static void ask_for_report(struct encode *e)
{
	struct wire_request m = {
		.h = {.type = WIRE_WAIT, .seq = e->front->next_seq++}, .id = e->session};

	memcpy(m.token, e->token, sizeof(m.token));
	e->report = uplink_request(e->front, &m) < 0 ? REPORT_MISSING : REPORT_ASKED;
	e->report_seq = m.h.seq;
}

/* There is a result, or there will be none. */
static void begin_settling(struct encode *e)
{
	if (e->state == ENCODE_SETTLING)
		return;
	e->state = ENCODE_SETTLING;
	e->io = sd_event_source_disable_unref(e->io);
	if (sd_event_add_time_relative(e->front->event, &e->timer, CLOCK_MONOTONIC, SETTLE_US, 0,
		    on_settle_timer, e) < 0) {
		e->report = REPORT_MISSING;
		answer(e);
		return;
	}
	if (e->report == REPORT_OPEN)
		ask_for_report(e);
	settle(e);
}

/* The order socket */

static void on_progress(struct encode *e, sd_json_variant *progress)
{
	sd_json_variant *v = NULL;
	int r;

	if (!e->client->more || !client_keeps_up(e->client))
		return;
	r = progress_to_json(progress, &v);
	if (r >= 0)
		r = sd_varlink_notifybo(e->client->link, SD_JSON_BUILD_PAIR_VARIANT("progress", v));
	sd_json_variant_unref(v);
	client_replied(e->client, r);
}

enum heard {
	HEARD_NOTHING, /* nothing more for now */
	HEARD_PROGRESS,
	HEARD_END, /* a result, or nothing more ever */
};

static enum heard hear_text(struct encode *e, const char *text)
{
	sd_json_variant *v = NULL, *progress;
	enum heard heard = HEARD_END;

	if (sd_json_parse(text, 0, &v, NULL, NULL) < 0)
		return HEARD_END;
	progress = sd_json_variant_by_key(v, "progress");
	if (progress) {
		heard = HEARD_PROGRESS;
		on_progress(e, progress);
	} else {
		delivery_from_json(sd_json_variant_by_key(v, "delivery"), &e->delivery);
	}
	sd_json_variant_unref(v);
	return heard;
}

/* One message of the adapter. It is not trusted: what is no message is the end. */
static enum heard hear(struct encode *e)
{
	char *text = malloc(RESULT_MAX + 1);
	enum heard heard = HEARD_END;
	ssize_t n;

	if (!text)
		return HEARD_END;
	n = recv(e->socket, text, RESULT_MAX, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		heard = HEARD_NOTHING;
	else if (n > 0 && n <= (ssize_t)RESULT_MAX) {
		text[n] = '\0';
		heard = hear_text(e, text);
	}
	free(text);
	return heard;
}

/* Whether the encode still exists: a notification may have found the client gone. */
static bool exists(const struct front *front, const struct encode *e)
{
	const struct encode *each;

	LIST_FOREACH(each, &front->encodes, entry)
	if (each == e)
		return true;
	return false;
}

static void hear_all(struct encode *e)
{
	struct front *front = e->front;

	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		enum heard heard = hear(e);

		if (heard == HEARD_NOTHING || !exists(front, e))
			return;
		if (heard == HEARD_END) {
			begin_settling(e);
			return;
		}
	}
}

static int on_order_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd, (void)events;
	hear_all(userdata);
	return 0;
}

static int send_order(struct encode *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	char *text = NULL;
	struct iovec iov;
	struct msghdr h = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	int r = sd_json_variant_format(e->order, 0, &text);

	if (r < 0)
		return r;
	iov = (struct iovec){.iov_base = text, .iov_len = strlen(text)};
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), e->fds, 2 * sizeof(int));
	r = sendmsg(e->socket, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
	free(text);
	close_fd(&e->fds[0]);
	close_fd(&e->fds[1]);
	return r;
}

/* The supervisor's messages */

static void on_stream(struct encode *e, uint64_t connection, const int fds[2])
{
	e->state = ENCODE_RUNNING;
	e->socket = fds[1];
	e->adapter = client_add(e->front, connection, fds[0]);
	if (e->adapter)
		e->adapter->adapter_of = e;
	if (!e->adapter || send_order(e) < 0 ||
		sd_event_add_io(e->front->event, &e->io, e->socket, EPOLLIN, on_order_socket, e) <
			0)
		begin_settling(e);
}

static void on_ended(struct encode *e, const struct wire_stream *ended)
{
	e->end = (struct adapter_end){
		.known = true, .signal = ended->ended_signal, .code = ended->ended_code};
	/* What it said before it ended may still be in the socket. */
	if (e->state == ENCODE_RUNNING) {
		struct front *front = e->front;

		hear_all(e);
		if (!exists(front, e))
			return;
	}
	if (e->state == ENCODE_SETTLING)
		settle(e);
	else
		begin_settling(e);
}

static void on_report(struct encode *e, const union wire_message *message)
{
	const struct session_report *report = &message->report.report;

	if (message->h.type == WIRE_SESSION)
		return;
	e->report = REPORT_MISSING;
	e->report_outcome = (enum vencd_outcome)report->outcome;
	if (message->h.type == WIRE_REPORT && report_to_json(report, &e->report_json) >= 0)
		e->report = REPORT_KNOWN;
	settle(e);
}

static void on_refused(struct encode *e, const struct wire_refused *refused)
{
	e->refused = *refused;
	answer(e);
}

static struct encode *find(struct front *front, uint64_t seq)
{
	struct encode *e;

	LIST_FOREACH(e, &front->encodes, entry)
	if (e->client->seq == seq || (e->report == REPORT_ASKED && e->report_seq == seq))
		return e;
	return NULL;
}

/* Nobody asks any more: the adapter finds its sockets closed, and the connection was never ours. */
static void refuse_stream(struct front *front, const struct wire_stream *stream, const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
	uplink_tell_connection(front, WIRE_CONNECTION_GONE, stream->connection);
}

bool encode_handle(struct front *front, const union wire_message *message, const int *fds)
{
	struct encode *e = find(front, message->h.seq);

	if (message->h.type == WIRE_STREAM && (!e || e->state != ENCODE_ASKED)) {
		refuse_stream(front, &message->stream, fds);
		return true;
	}
	if (!e)
		return message->h.type == WIRE_STREAM_ENDED;
	if (message->h.type == WIRE_STREAM)
		on_stream(e, message->stream.connection, fds);
	else if (message->h.type == WIRE_STREAM_ENDED)
		on_ended(e, &message->stream);
	else if (e->report == REPORT_ASKED && e->report_seq == message->h.seq)
		on_report(e, message);
	else if (message->h.type == WIRE_REFUSED)
		on_refused(e, &message->refused);
	else
		return false;
	return true;
}

/* The adapter's connection */

void encode_adapter_opened(struct encode *encode, const struct wire_opened *opened)
{
	encode->session = opened->id;
	memcpy(encode->token, opened->token, sizeof(encode->token));
	if (encode->report == REPORT_NONE)
		encode->report = REPORT_OPEN;
}

void encode_adapter_refused(
	struct encode *encode, const struct client *adapter, const struct wire_refused *refused)
{
	encode->refused = *refused;
	memcpy(encode->client->asked_codecs, adapter->asked_codecs,
		sizeof(encode->client->asked_codecs));
}

void encode_adapter_gone(struct encode *encode)
{
	encode->adapter = NULL;
}
