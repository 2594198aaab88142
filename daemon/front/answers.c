// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What the supervisor says. An answer whose connection is gone, or that is not of the kind which
 * the connection waits for, is dropped, and its fds closed: closing the lease among them is what
 * ends a session that nobody took.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/front/front.h"
#include "daemon/front/json.h"
#include "daemon/front/refusal.h"

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* Replies with v, and takes over the reference. A negative r is the error that making it met. */
static void reply(struct client *client, sd_json_variant *v, int r)
{
	client_done(client);
	if (r >= 0)
		r = sd_varlink_reply(client->link, v);
	sd_json_variant_unref(v);
	client_replied(client, r);
}

/* Gives the fds to the next message of this connection; those that it did not take are closed. */
static int push_fds(struct client *client, const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int r = sd_varlink_push_fd(client->link, fds[i]);

		if (r < 0) {
			close_all(fds + i, n - i);
			return r;
		}
	}
	return 0;
}

static void on_opened(
	struct client *client, const struct wire_opened *opened, const int *fds, unsigned n)
{
	sd_json_variant *v = NULL;
	int r = opened_to_json(opened, &v);

	if (r < 0)
		close_all(fds, n);
	else
		r = push_fds(client, fds, n);
	if (client->adapter_of)
		encode_adapter_opened(client->adapter_of, opened);
	reply(client, v, r);
}

static void on_refused(struct client *client, const struct wire_refused *refused)
{
	struct encode *encode = client->request == REQUEST_OPEN ? client->adapter_of : NULL;
	int r;

	if (encode)
		encode_adapter_refused(encode, client, refused);
	client_done(client);
	r = refusal_reply(client, refused);
	client_replied(client, r);
}

static void on_progress(struct client *client, const struct wire_session *session)
{
	sd_json_variant *row = NULL;
	int r;

	if (!client->more || !client_keeps_up(client))
		return;
	r = session_to_json(session, &row);
	if (r >= 0)
		r = sd_varlink_notifybo(client->link, SD_JSON_BUILD_PAIR_VARIANT("progress", row));
	sd_json_variant_unref(row);
	client_replied(client, r);
}

static int row_to_json(const union wire_message *message, sd_json_variant **ret)
{
	return message->h.type == WIRE_QUOTA ? quota_to_json(&message->quota, ret)
					     : session_to_json(&message->session, ret);
}

static void on_row(struct client *client, const union wire_message *message)
{
	size_t n = client->n_rows;

	/* Room grows by powers of two. */
	if ((n & (n - 1)) == 0) {
		sd_json_variant **more = reallocarray(
			client->rows, n ? 2 * n : 1, sizeof(*client->rows));

		if (!more || n >= LIST_ROWS_MAX) {
			client->rows = more ? more : client->rows;
			client_done(client);
			client_replied(client,
				refusal_resources(
					client, "the list is too long", "ask for one session"));
			return;
		}
		client->rows = more;
	}
	if (row_to_json(message, &client->rows[n]) >= 0)
		client->n_rows++;
}

static void on_done(struct client *client)
{
	sd_json_variant *v = NULL;
	int r = 0;

	if (client->request == REQUEST_LIST || client->request == REQUEST_QUOTA)
		r = sd_json_buildo(&v,
			SD_JSON_BUILD_PAIR_VARIANT_ARRAY(
				client->request == REQUEST_QUOTA ? "quotas" : "sessions",
				client->rows, client->n_rows));
	reply(client, v, r);
}

static void on_report(struct client *client, const struct session_report *report)
{
	sd_json_variant *json = NULL, *v = NULL;
	int r = report_to_json(report, &json);

	if (r >= 0)
		r = sd_json_buildo(&v, SD_JSON_BUILD_PAIR_VARIANT("report", json));
	sd_json_variant_unref(json);
	reply(client, v, r);
}

static void on_walls(struct client *client, const struct wire_walls *walls)
{
	sd_json_variant *v = NULL;
	int r = walls_to_json(walls, &v);

	reply(client, v, r);
}

/* What may answer a request of each kind. */
static const uint64_t expected[] = {
	[REQUEST_NONE] = 0,
	[REQUEST_DEVICES] = 0,
	[REQUEST_OPEN] = UINT64_C(1) << WIRE_OPENED,
	[REQUEST_WAIT] = UINT64_C(1) << WIRE_REPORT | UINT64_C(1) << WIRE_SESSION,
	[REQUEST_CANCEL] = UINT64_C(1) << WIRE_DONE,
	[REQUEST_LIST] = UINT64_C(1) << WIRE_SESSION | UINT64_C(1) << WIRE_DONE,
	[REQUEST_QUOTA] = UINT64_C(1) << WIRE_QUOTA | UINT64_C(1) << WIRE_DONE,
	[REQUEST_REPORT] = UINT64_C(1) << WIRE_REPORT,
	[REQUEST_PROBE] = UINT64_C(1) << WIRE_DONE,
	[REQUEST_WALLS] = UINT64_C(1) << WIRE_WALLS,
	[REQUEST_ENCODE] = 0, /* encode.c takes it */
};
_Static_assert(WIRE_TYPE_MAX < 64, "a bit for every type");

static bool is_expected(const struct client *client, uint32_t type)
{
	return type == WIRE_REFUSED ? client->request != REQUEST_DEVICES
				    : (expected[client->request] >> type & 1) != 0;
}

static void answer_request(
	struct front *front, const union wire_message *message, const int *fds, unsigned n)
{
	struct client *client = client_find(front, message->h.seq);

	if (!client || !is_expected(client, message->h.type)) {
		close_all(fds, n);
		return;
	}
	if (message->h.type == WIRE_OPENED)
		on_opened(client, &message->opened, fds, n);
	else if (message->h.type == WIRE_REFUSED)
		on_refused(client, &message->refused);
	else if (message->h.type == WIRE_REPORT)
		on_report(client, &message->report.report);
	else if (message->h.type == WIRE_WALLS)
		on_walls(client, &message->walls);
	else if (message->h.type == WIRE_DONE)
		on_done(client);
	else if (client->request == REQUEST_LIST || client->request == REQUEST_QUOTA)
		on_row(client, message);
	else
		on_progress(client, &message->session);
}

/* What the keeper holds, one at a time. Closing it may take for ever, which is what it is for. */
static void keep(struct front *front, int fd)
{
	if (front->kept >= 0)
		close(front->kept);
	front->kept = fd;
}

void answer_handle(
	struct front *front, const union wire_message *message, const int *fds, unsigned n)
{
	switch (message->h.type) {
	case WIRE_PING:
		uplink_tell_plain(front, WIRE_PONG, message->h.seq);
		return;
	case WIRE_CONNECTION:
		(void)client_add(front, message->h.seq, fds[0]);
		return;
	case WIRE_KEEP:
		keep(front, fds[0]);
		return;
	case WIRE_LET_GO:
		keep(front, -1);
		return;
	case WIRE_PROOF:
		devices_take_proof(front, &message->proof);
		return;
	case WIRE_DEVICE:
		devices_take(front, &message->device);
		return;
	default:
		if (!encode_handle(front, message, fds))
			answer_request(front, message, fds, n);
	}
}
