// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The device table, as the supervisor pushed it last, and the connections that follow it. A
 * follower gets whole tables, and only while it reads: one that lags behind is looked at again now
 * and then, and gets the newest table once it has caught up.
 */

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/front/front.h"
#include "daemon/front/json.h"

#define RETRY_US (200 * UINT64_C(1000))

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

int devices_init(struct front *front)
{
	int r = sd_event_add_time(
		front->event, &front->follow_timer, CLOCK_MONOTONIC, 0, 0, on_timer, front);

	if (r < 0)
		return r;
	front->devices = calloc(DEVICES_MAX, sizeof(*front->devices));
	front->incoming = calloc(DEVICES_MAX, sizeof(*front->incoming));
	front->proofs = calloc(DEVICES_MAX, sizeof(*front->proofs));
	if (!front->devices || !front->incoming || !front->proofs)
		return -ENOMEM;
	return sd_event_source_set_enabled(front->follow_timer, SD_EVENT_OFF);
}

void devices_clear(struct front *front)
{
	front->follow_timer = sd_event_source_disable_unref(front->follow_timer);
	free(front->devices);
	free(front->incoming);
	free(front->proofs);
}

static int row_to_json(const struct front *front, size_t i, sd_json_variant **ret)
{
	int r = device_to_json(&front->devices[i], ret);

	if (r < 0)
		return r;
	r = proof_add(ret, &front->proofs[i]);
	if (r < 0)
		sd_json_variant_unref(*ret);
	return r;
}

static int build(const struct front *front, sd_json_variant **ret)
{
	sd_json_variant *rows[DEVICES_MAX], *budgets = NULL;
	size_t n = 0;
	int r = 0;

	/* Those of the daemon stand in every row. */
	if (front->n_devices)
		r = budgets_to_json(front->devices[0].daemon_budget, &budgets);
	if (r < 0)
		return r;

	for (; n < front->n_devices; n++) {
		r = row_to_json(front, n, &rows[n]);
		if (r < 0)
			break;
	}
	if (r >= 0)
		r = sd_json_buildo(ret, SD_JSON_BUILD_PAIR_VARIANT_ARRAY("devices", rows, n),
			SD_JSON_BUILD_PAIR_CONDITION(
				budgets != NULL, "budgets", SD_JSON_BUILD_VARIANT(budgets)));
	sd_json_variant_unref(budgets);
	for (size_t i = 0; i < n; i++)
		sd_json_variant_unref(rows[i]);
	return r;
}

int devices_reply(struct client *client)
{
	sd_json_variant *v = NULL;
	int r = build(client->front, &v);

	if (r >= 0 && client->more) {
		r = sd_varlink_notify(client->link, v);
		client->follow = FOLLOW_CURRENT;
	} else if (r >= 0) {
		client_done(client);
		r = sd_varlink_reply(client->link, v);
	}
	sd_json_variant_unref(v);
	return r;
}

/* Sends the table to all that lag behind and can take it. */
static void serve_followers(struct front *front)
{
	struct client *client, *next;
	bool again = false;

	for (client = LIST_FIRST(&front->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		if (client->request != REQUEST_DEVICES || client->follow == FOLLOW_CURRENT)
			continue;
		if (client_keeps_up(client))
			client_replied(client, devices_reply(client));
		else
			again = true;
	}
	if (again) {
		sd_event_source_set_time_relative(front->follow_timer, RETRY_US);
		sd_event_source_set_enabled(front->follow_timer, SD_EVENT_ONESHOT);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec;
	serve_followers(userdata);
	return 0;
}

static void use_incoming(struct front *front)
{
	struct wire_device *old = front->devices;
	struct client *client;

	front->devices = front->incoming;
	front->n_devices = front->n_incoming;
	front->incoming = old;
	front->n_incoming = 0;
	front->devices_known = true;
	LIST_FOREACH(client, &front->clients, entry)
	if (client->request == REQUEST_DEVICES)
		client->follow = FOLLOW_BEHIND;
	serve_followers(front);
}

void devices_take_proof(struct front *front, const struct wire_proof *message)
{
	if (message->row < DEVICES_MAX && message->proof.n <= PROOF_CASES_MAX)
		front->proofs[message->row] = message->proof;
}

void devices_take(struct front *front, const struct wire_device *row)
{
	if (row->encoder[0] && front->n_incoming < DEVICES_MAX)
		front->incoming[front->n_incoming++] = *row;
	if (row->last)
		use_incoming(front);
}
