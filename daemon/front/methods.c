// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The methods of io.vencd.Encoder. Each checks its parameters, asks the supervisor, and returns;
 * the answer comes by answers.c. A method that has answered already returns what the answering
 * function gave, which sd-varlink knows how to take.
 *
 * A call that wants no answer ("oneway") is not carried out: nobody could learn what became of it.
 */

#include <stdio.h>
#include <string.h>

#include "daemon/front/front.h"
#include "daemon/front/idl.h"
#include "daemon/front/refusal.h"
#include "daemon/front/request.h"

/* Sends the request that client waits for from here on. */
static int ask(struct client *client, enum request_kind kind, void *message)
{
	struct wire_header *h = message;

	h->seq = client->front->next_seq++;
	if (uplink_request(client->front, message) < 0)
		return refusal_resources(client, "too many requests wait for the daemon",
			"wait for answers before asking for more");
	client->request = kind;
	client->seq = h->seq;
	return 0;
}

static int list_devices(struct client *client, sd_json_variant *parameters)
{
	(void)parameters;
	client->request = REQUEST_DEVICES;
	client->follow = FOLLOW_CURRENT;
	return client->front->devices_known ? devices_reply(client) : 0;
}

static int open_session(struct client *client, sd_json_variant *parameters)
{
	struct wire_open m = {.h.type = WIRE_OPEN, .connection = client->connection};
	int r = request_open(client->link, parameters, &m.params);

	if (r)
		return r;
	memcpy(client->asked_codecs, m.params.codecs, sizeof(client->asked_codecs));
	return ask(client, REQUEST_OPEN, &m);
}

/* WAIT, CANCEL, GET_REPORT */
static int ask_about_session(struct client *client, enum request_kind kind, enum wire_type type,
	const struct session_request *request)
{
	struct wire_request m = {
		.h.type = type, .id = request->id, .cause = request->cause, .more = client->more};

	memcpy(m.token, request->token, sizeof(m.token));
	memcpy(m.text, request->text, sizeof(m.text));
	client->asked_id = request->id;
	return ask(client, kind, &m);
}

static int wait_for_session(struct client *client, sd_json_variant *parameters)
{
	struct session_request request = {0};
	int r = request_session(client->link, parameters, TOKEN_NEEDED, &request);

	return r ? r : ask_about_session(client, REQUEST_WAIT, WIRE_WAIT, &request);
}

static int cancel(struct client *client, sd_json_variant *parameters)
{
	struct session_request request = {0};
	int r = request_cancel(client->link, parameters, &request);

	return r ? r : ask_about_session(client, REQUEST_CANCEL, WIRE_CANCEL, &request);
}

static int get_report(struct client *client, sd_json_variant *parameters)
{
	struct session_request request = {0};
	int r = request_session(client->link, parameters, TOKEN_OPTIONAL, &request);

	return r ? r : ask_about_session(client, REQUEST_REPORT, WIRE_GET_REPORT, &request);
}

static int list_sessions(struct client *client, sd_json_variant *parameters)
{
	struct wire_plain m = {.h.type = WIRE_LIST};

	(void)parameters;
	return ask(client, REQUEST_LIST, &m);
}

static int list_quotas(struct client *client, sd_json_variant *parameters)
{
	struct wire_plain m = {.h.type = WIRE_LIST_QUOTA};

	(void)parameters;
	return ask(client, REQUEST_QUOTA, &m);
}

static int get_walls(struct client *client, sd_json_variant *parameters)
{
	struct wire_plain m = {.h.type = WIRE_GET_WALLS};

	(void)parameters;
	return ask(client, REQUEST_WALLS, &m);
}

static int probe(struct client *client, sd_json_variant *parameters)
{
	struct wire_renew m = {.h.type = WIRE_RENEW};
	int r = request_probe(client->link, parameters, m.device, m.encoder);

	return r ? r : ask(client, REQUEST_PROBE, &m);
}

static int encode(struct client *client, sd_json_variant *parameters)
{
	struct wire_stream m = {.h.type = WIRE_ENCODE, .connection = client->connection};
	struct order order = {0};
	int r;

	/* An adapter reads what strangers made, and is itself what Encode starts. */
	if (client->adapter_of)
		return sd_varlink_error(client->link, SD_VARLINK_ERROR_PERMISSION_DENIED, NULL);
	r = request_encode(client->link, parameters, &order);
	if (r)
		return r;
	memcpy(client->asked_codecs, order.params.codecs, sizeof(client->asked_codecs));
	r = encode_start(client, &order);
	if (r < 0)
		return r;
	r = ask(client, REQUEST_ENCODE, &m);
	if (r < 0)
		encode_drop(client->encode);
	else
		encode_asked(client->encode, client->seq);
	return r;
}

typedef int (*method_fn)(struct client *client, sd_json_variant *parameters);

static int call(struct client *client, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	method_fn method)
{
	if (flags & SD_VARLINK_METHOD_ONEWAY)
		return 0;
	client->more = (flags & SD_VARLINK_METHOD_MORE) != 0;
	return method(client, parameters);
}

#define METHOD(method)                                                        \
	static int on_##method(sd_varlink *link, sd_json_variant *parameters, \
		sd_varlink_method_flags_t flags, void *userdata)              \
	{                                                                     \
		(void)link;                                                   \
		return call(userdata, parameters, flags, method);             \
	}

METHOD(list_devices)
METHOD(open_session)
METHOD(wait_for_session)
METHOD(cancel)
METHOD(list_sessions)
METHOD(list_quotas)
METHOD(get_report)
METHOD(get_walls)
METHOD(probe)
METHOD(encode)

int methods_bind(sd_varlink_server *server)
{
	return sd_varlink_server_bind_method_many(server, INTERFACE ".ListDevices", on_list_devices,
		INTERFACE ".OpenSession", on_open_session, INTERFACE ".Wait", on_wait_for_session,
		INTERFACE ".Cancel", on_cancel, INTERFACE ".ListSessions", on_list_sessions,
		INTERFACE ".ListQuotas", on_list_quotas, INTERFACE ".GetReport", on_get_report,
		INTERFACE ".GetWalls", on_get_walls, INTERFACE ".Probe", on_probe,
		INTERFACE ".Encode", on_encode);
}
