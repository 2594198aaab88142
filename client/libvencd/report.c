// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The report of a session. The end is learnt from the control page; only then is the report asked
 * for, so that no call is left waiting on the connection. What the report says was delivered is
 * compared with what this side has received, attempt by attempt, because each attempt's digest is
 * its own: a packet lost or changed between the encoder's process and here cannot pass as complete.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/libvencd/session.h"

static int await_end(struct vencd_session *session, int timeout_ms)
{
	uint64_t deadline = timeout_ms < 0 ? UINT64_MAX : now_us() + (uint64_t)timeout_ms * 1000;

	while (!session_ended(session)) {
		int r;

		if (session->phase == SESSION_LOST)
			return -ECONNRESET;
		session_prepare_sleep(session);
		if (session_ended(session))
			break;
		r = session_sleep(session, deadline);
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0)
			return r;
	}
	session_end_sleep(session);
	return 0;
}

static int read_unsigned(sd_json_variant *object, const char *name, uint64_t *ret)
{
	sd_json_variant *v = sd_json_variant_by_key(object, name);

	if (!sd_json_variant_is_unsigned(v))
		return -EPROTO;
	*ret = sd_json_variant_unsigned(v);
	return 0;
}

static const char *read_string(sd_json_variant *object, const char *name)
{
	sd_json_variant *v = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_string(v) ? sd_json_variant_string(v) : NULL;
}

static int read_report(sd_json_variant *v, struct vencd_report *ret)
{
	const struct {
		const char *name;
		uint64_t *to;
	} counts[] = {
		{"framesSubmitted", &ret->frames_submitted},
		{"framesEncoded", &ret->frames_encoded},
		{"framesLost", &ret->frames_lost},
		{"framesCancelled", &ret->frames_cancelled},
		{"packets", &ret->packets},
		{"bytes", &ret->bytes},
	};

	ret->outcome = vencd_outcome_from_name(read_string(v, "outcome"));
	if (!ret->outcome)
		return -EPROTO;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (read_unsigned(v, counts[i].name, counts[i].to) < 0)
			return -EPROTO;
	return sd_json_variant_format(v, 0, &ret->json) < 0 ? -ENOMEM : 0;
}

/* A digest stands as 16 hexadecimal digits: not every language has whole numbers of 64 bit. */
static int read_digest(sd_json_variant *object, uint64_t *ret)
{
	const char *text = read_string(object, "digest");
	char *end;

	if (!text || strlen(text) != 16)
		return -EPROTO;
	errno = 0;
	*ret = strtoull(text, &end, 16);
	return errno || *end ? -EPROTO : 0;
}

static int compare_attempt(const struct attempt_reader *a, sd_json_variant *v)
{
	uint64_t packets, bytes, digest;

	if (read_unsigned(v, "packets", &packets) < 0 || read_unsigned(v, "bytes", &bytes) < 0 ||
		read_digest(v, &digest) < 0)
		return -EPROTO;
	if (packets != a->packets || bytes != a->bytes)
		return -EBADMSG;
	return packets > 0 && digest != a->digest ? -EBADMSG : 0;
}

static bool received_everything(struct vencd_session *session)
{
	return session->packet_state == PACKET_NONE && log_advance(session) == -ENODATA;
}

static int compare(struct vencd_session *session, sd_json_variant *v, const struct vencd_report *r)
{
	sd_json_variant *list = sd_json_variant_by_key(v, "attempts");
	uint64_t packets = 0, bytes = 0;

	for (uint32_t i = 0; i < session->layout.attempts; i++) {
		const struct attempt_reader *a = &session->attempts[i];
		sd_json_variant *e = i < sd_json_variant_elements(list)
			? sd_json_variant_by_index(list, i)
			: NULL;
		int c = e ? compare_attempt(a, e) : 0;

		if (c < 0)
			return c;
		packets += a->packets;
		bytes += a->bytes;
	}
	return packets == r->packets && bytes == r->bytes ? 0 : -EBADMSG;
}

static int ask(struct vencd_session *session, struct reply *reply)
{
	sd_json_variant *parameters = NULL;
	int r = session_parameters(session, &parameters);

	if (r >= 0)
		r = session_call(session, "GetReport", parameters, CONNECTION_CALL_MS, reply);
	sd_json_variant_unref(parameters);
	return r;
}

int vencd_session_report(struct vencd_session *session, int timeout_ms, struct vencd_report *ret)
{
	struct vencd_report report = {0};
	struct reply reply = {0};
	sd_json_variant *v;
	int r = await_end(session, timeout_ms);

	if (r >= 0)
		r = ask(session, &reply);
	v = sd_json_variant_by_key(reply.parameters, "report");
	if (r >= 0)
		r = read_report(v, &report);
	if (r >= 0 && received_everything(session))
		r = compare(session, v, &report);
	reply_clear(&reply);
	if (r < 0) {
		vencd_report_clear(&report);
		return r;
	}
	*ret = report;
	return 0;
}

void vencd_report_clear(struct vencd_report *report)
{
	free(report->json);
	*report = (struct vencd_report){0};
}
