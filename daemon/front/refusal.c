// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Refusals as named errors. One table has each error's name, its fields beside reason and advice,
 * and what to say where the supervisor left these two empty: every error says what to do.
 */

#include "daemon/front/refusal.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/front/idl.h"
#include "daemon/front/json.h"

typedef int (*fields_fn)(
	sd_json_variant **v, const struct client *client, const struct wire_refused *refused);

static int add_parameter(
	sd_json_variant **v, const struct client *client, const struct wire_refused *refused)
{
	const struct vencd_refusal *why = &refused->refusal;
	int r = text_add(v, "parameter", why->parameter);

	(void)client;
	r = r < 0 ? r : text_add(v, "value", why->value);
	return r < 0 ? r : text_add(v, "alternatives", why->alternatives);
}

static int add_codecs(
	sd_json_variant **v, const struct client *client, const struct wire_refused *refused)
{
	struct vencd_params params = VENCD_PARAMS_INIT;
	sd_json_variant *list = NULL;
	int r = 0;

	(void)refused;
	for (size_t i = 0; i < VENCD_MAX_CODECS && client->asked_codecs[i] && r >= 0; i++) {
		params.codecs[i] = client->asked_codecs[i];
		r = sd_json_variant_append_arrayb(
			&list, SD_JSON_BUILD_STRING(vencd_codec_name(params.codecs[i])));
	}
	if (r >= 0 && list)
		r = sd_json_variant_set_field(v, "codecs", list);
	sd_json_variant_unref(list);
	return r;
}

static int add_limit(
	sd_json_variant **v, const struct client *client, const struct wire_refused *refused)
{
	(void)client;
	return sd_json_variant_merge_objectbo(v, TEXT_PAIR("name", refused->refusal.parameter),
		SD_JSON_BUILD_PAIR_UNSIGNED("limit", refused->limit),
		SD_JSON_BUILD_PAIR_UNSIGNED("used", refused->used),
		SD_JSON_BUILD_PAIR_UNSIGNED("asked", refused->asked),
		TEXT_PAIR("unit", refused->unit));
}

static int add_id(
	sd_json_variant **v, const struct client *client, const struct wire_refused *refused)
{
	(void)refused;
	return sd_json_variant_set_field_unsigned(v, "id", client->asked_id);
}

static int add_nothing(
	sd_json_variant **v, const struct client *client, const struct wire_refused *refused)
{
	(void)v, (void)client, (void)refused;
	return 0;
}

struct error {
	const char *name;
	fields_fn fields;
	const char *reason, *advice;
};

static const struct error errors[WIRE_ERROR_MAX] = {
	[WIRE_ERROR_UNSUPPORTED] = {INTERFACE ".Unsupported", add_parameter,
		"no encoder of this host can do this", "see ListDevices for what there is"},
	[WIRE_ERROR_INVALID] = {INTERFACE ".Invalid", add_parameter, "the request makes no sense",
		"correct the request"},
	[WIRE_ERROR_NO_ENCODER] = {INTERFACE ".NoEncoder", add_codecs, "no encoder is usable now",
		"see ListDevices for what there is and why"},
	[WIRE_ERROR_LIMIT] = {INTERFACE ".LimitReached", add_limit, "the limit is reached",
		"close sessions, or let the operator raise the limit in vencd.conf"},
	[WIRE_ERROR_NO_SESSION] = {INTERFACE ".NoSuchSession", add_id,
		"no session of yours has this id and token", "check id and token"},
	[WIRE_ERROR_NOT_ENDED] = {INTERFACE ".NotEnded", add_id, "the session has not ended",
		"use Wait, which answers when it has"},
	[WIRE_ERROR_STOPPING] = {INTERFACE ".Stopping", add_nothing, "the daemon is stopping",
		"try again when it has been started again"},
	[WIRE_ERROR_NOT_ALLOWED] = {INTERFACE ".NotAllowed", add_nothing,
		"this is for another user", "ask the operator"},
	[WIRE_ERROR_RESOURCES] = {INTERFACE ".OutOfResources", add_nothing,
		"the host is out of something", "close sessions, or try again later"},
};

static int add_text(sd_json_variant **v, const char *field, const char *text, const char *otherwise)
{
	return text_add(v, field, text[0] ? text : otherwise);
}

int refusal_reply(const struct client *client, const struct wire_refused *refused)
{
	const struct error *e = refused->error > 0 && refused->error < WIRE_ERROR_MAX
		? &errors[refused->error]
		: &errors[WIRE_ERROR_RESOURCES];
	sd_json_variant *v = NULL;
	int r = e->fields(&v, client, refused);

	r = r < 0 ? r : add_text(&v, "reason", refused->refusal.reason, e->reason);
	r = r < 0 ? r : add_text(&v, "advice", refused->refusal.advice, e->advice);
	r = r < 0 ? r : sd_varlink_error(client->link, e->name, v);
	sd_json_variant_unref(v);
	return r;
}

int refusal_resources(const struct client *client, const char *reason, const char *advice)
{
	struct wire_refused refused = {.error = WIRE_ERROR_RESOURCES};

	snprintf(refused.refusal.reason, sizeof(refused.refusal.reason), "%s", reason);
	snprintf(refused.refusal.advice, sizeof(refused.refusal.advice), "%s", advice);
	return refusal_reply(client, &refused);
}

int refusal_adapter(const struct client *client, struct adapter_end end, const char *reason)
{
	return sd_varlink_errorbo(client->link, INTERFACE ".AdapterFailed",
		SD_JSON_BUILD_PAIR_CONDITION(
			end.known && end.signal, "signal", SD_JSON_BUILD_UNSIGNED(end.signal)),
		SD_JSON_BUILD_PAIR_CONDITION(
			end.known && !end.signal, "exitCode", SD_JSON_BUILD_UNSIGNED(end.code)),
		SD_JSON_BUILD_PAIR_STRING("reason", reason),
		SD_JSON_BUILD_PAIR_STRING("advice",
			"check the input with another tool; the daemon's log may say more"));
}
