// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The report as JSON, as docs/report.schema.json says. Digests are hexadecimal text, since not
 * every language has whole numbers of 64 bit; counts are numbers.
 */

#include "daemon/front/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/front/parameters.h"
#include "daemon/slot.h"

#define UNSIGNED(name, value) SD_JSON_BUILD_PAIR_UNSIGNED(name, value)
#define STRING(name, value) TEXT_PAIR(name, value)
#define IF_UNSIGNED(given, name, value) \
	SD_JSON_BUILD_PAIR_CONDITION(given, name, SD_JSON_BUILD_UNSIGNED(value))

struct digest_text {
	char text[17];
};

static struct digest_text digest_text(uint64_t digest)
{
	struct digest_text t;

	snprintf(t.text, sizeof(t.text), "%016" PRIx64, digest);
	return t;
}

static int add_rejected(sd_json_variant **v, const struct attempt_report *a)
{
	sd_json_variant *list = NULL, *text = NULL;
	int r = 0;

	for (size_t i = 0; i < REPORT_REJECTED_MAX && a->rejected[i][0] && r >= 0; i++) {
		r = text_new(a->rejected[i], &text);
		if (r >= 0)
			r = sd_json_variant_append_array(&list, text);
		text = sd_json_variant_unref(text);
	}
	if (r >= 0 && list)
		r = sd_json_variant_set_field(v, "rejected", list);
	sd_json_variant_unref(list);
	return r;
}

/* The call in progress means something where the attempt ended in one. */
static int add_end(sd_json_variant **v, const struct attempt_report *a)
{
	bool in_call = a->call > SLOT_CALL_NONE && a->call < SLOT_CALL_MAX &&
		a->end != ATTEMPT_RUNNING && a->end != ATTEMPT_FINISHED;

	return sd_json_variant_merge_objectbo(v,
		STRING("end", name_or_unknown(attempt_end_name(a->end))),
		SD_JSON_BUILD_PAIR_CONDITION(
			in_call, "call", SD_JSON_BUILD_STRING(slot_call_name(a->call))),
		IF_UNSIGNED(in_call, "callFrame", a->call_frame),
		IF_UNSIGNED(in_call && a->budget_ms, "waitedMs", a->waited_ms),
		IF_UNSIGNED(in_call && a->budget_ms, "budgetMs", a->budget_ms),
		IF_UNSIGNED(a->end == ATTEMPT_CRASHED, "signal", a->signal),
		IF_UNSIGNED(a->end == ATTEMPT_EXITED, "exitCode", a->exit_code));
}

static int add_leaked(sd_json_variant **v, const struct attempt_report *a)
{
	if (a->leaked_threads == 0 && a->leaked_fds == 0 && a->leaked_bytes == 0)
		return 0;
	return sd_json_variant_set_fieldbo(v, "leaked", UNSIGNED("threads", a->leaked_threads),
		UNSIGNED("fds", a->leaked_fds), UNSIGNED("bytes", a->leaked_bytes));
}

/* Lines of text as an array of them. */
static int add_lines(sd_json_variant **v, const char *field, const char *lines)
{
	char line[REPORT_MESSAGES_MAX];
	sd_json_variant *list = NULL, *text = NULL;
	int r = 0;

	for (size_t n; *lines && r >= 0; lines += n + (lines[n] == '\n')) {
		n = strcspn(lines, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)n, lines);
		r = line[0] ? text_new(line, &text) : 0;
		if (r >= 0 && text)
			r = sd_json_variant_append_array(&list, text);
		text = sd_json_variant_unref(text);
	}
	if (r >= 0 && list)
		r = sd_json_variant_set_field(v, field, list);
	sd_json_variant_unref(list);
	return r;
}

static int add_stack(sd_json_variant **v, const struct thread_view *view)
{
	char lines[REPORT_MESSAGES_MAX] = "";
	size_t n = 0;

	for (size_t i = 0; i < REPORT_STACK_MAX && view->stack[i][0] && n < sizeof(lines); i++)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s\n", view->stack[i]);
	return add_lines(v, "stack", lines);
}

static int add_view(sd_json_variant **v, const struct thread_view *view)
{
	int r;

	if (view->tid == 0)
		return 0;
	r = text_add(v, "thread", view->comm);
	r = r < 0 ? r : text_add(v, "state", view->state);
	r = r < 0 ? r : text_add(v, "syscall", view->syscall);
	r = r < 0 ? r : text_add(v, "wchan", view->wchan);
	r = r < 0 ? r : add_stack(v, view);
	return r < 0 ? r : sd_json_variant_merge_objectbo(v, UNSIGNED("cpuMs", view->cpu_ms));
}

static int add_arguments(sd_json_variant **v, const struct attempt_report *a)
{
	const struct forensics *f = &a->forensics;

	if (f->bytes == 0)
		return 0;
	return sd_json_variant_set_fieldbo(v, "arguments", UNSIGNED("frame", a->call_frame),
		SD_JSON_BUILD_PAIR_INTEGER("pts", f->pts), UNSIGNED("bytes", f->bytes),
		SD_JSON_BUILD_PAIR_BOOLEAN("keyframe", f->flags & VENCD_FRAME_KEYFRAME));
}

static int add_forensics(sd_json_variant **v, const struct attempt_report *a)
{
	const struct forensics *f = &a->forensics;
	sd_json_variant *object = NULL;
	int r = text_add(&object, "inspected", f->inspected);

	if (r >= 0 && f->tid)
		r = sd_json_variant_merge_objectbo(&object, UNSIGNED("tid", f->tid));
	r = r < 0 ? r : add_view(&object, &f->thread);
	r = r < 0 ? r : add_arguments(&object, a);
	r = r < 0 ? r : add_lines(&object, "messages", f->messages);
	if (r >= 0 && object)
		r = sd_json_variant_set_field(v, "forensics", object);
	sd_json_variant_unref(object);
	return r;
}

/* Only where there was a check, which nothing but a hardware encoder has. */
static int add_check(sd_json_variant **v, const struct attempt_report *a)
{
	int r = 0;

	if (a->checking)
		r = sd_json_variant_merge_objectbo(v, UNSIGNED("framesChecked", a->frames_checked));
	if (r < 0 || a->suspect_frames == 0)
		return r;
	return sd_json_variant_set_fieldbo(v, "suspect", UNSIGNED("first", a->suspect_first),
		UNSIGNED("last", a->suspect_first + a->suspect_frames - 1));
}

static int add_accounts(sd_json_variant **v, const struct attempt_report *a)
{
	return sd_json_variant_merge_objectbo(v, STRING("device", a->device),
		STRING("backend", a->backend), STRING("encoder", a->encoder),
		UNSIGNED("firstFrame", a->first_frame), UNSIGNED("frames", a->frames),
		UNSIGNED("packets", a->packets), UNSIGNED("bytes", a->bytes),
		STRING("digest", digest_text(a->digest).text),
		UNSIGNED("discardedPackets", a->discarded_packets),
		IF_UNSIGNED(
			a->packets && a->speed_used <= VENCD_SPEED_MAX, "speedUsed", a->speed_used),
		UNSIGNED("needsFrames", a->needs_frames), UNSIGNED("reorder", a->reorder),
		IF_UNSIGNED(a->pid != 0, "pid", a->pid));
}

static int attempt_to_json(const struct attempt_report *a, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	int r = add_accounts(&v, a);

	r = r < 0 ? r : text_add(&v, "version", a->version);
	r = r < 0 ? r : text_add(&v, "picked", a->picked);
	r = r < 0 ? r : add_rejected(&v, a);
	r = r < 0 ? r : add_end(&v, a);
	r = r < 0 ? r : add_check(&v, a);
	r = r < 0 ? r : add_leaked(&v, a);
	if (r >= 0 && a->walls)
		r = wall_names_add(&v, "walls", a->walls);
	r = r < 0 ? r : text_add(&v, "text", a->text);
	r = r < 0 ? r : add_forensics(&v, a);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

static int add_attempts(sd_json_variant **v, const struct session_report *report)
{
	sd_json_variant *list[PLANE_MAX_ATTEMPTS] = {0}, *array = NULL;
	size_t n = 0;
	int r = 0;

	if (report->attempts > PLANE_MAX_ATTEMPTS)
		return -EPROTO;
	for (; n < report->attempts && r >= 0; n++)
		r = attempt_to_json(&report->attempt[n], &list[n]);
	if (r >= 0)
		r = sd_json_variant_new_array(&array, list, n);
	if (r >= 0)
		r = sd_json_variant_set_field(v, "attempts", array);
	sd_json_variant_unref(array);
	for (size_t i = 0; i < PLANE_MAX_ATTEMPTS; i++)
		sd_json_variant_unref(list[i]);
	return r;
}

static int add_identity(sd_json_variant **v, const struct session_report *p)
{
	const char *cause = vencd_cancel_cause_name(p->cancel_cause);

	return sd_json_variant_merge_objectbo(v, UNSIGNED("version", p->version),
		UNSIGNED("id", p->id), UNSIGNED("uid", p->uid),
		STRING("outcome", name_or_unknown(vencd_outcome_name(p->outcome))),
		STRING("codec", name_or_unknown(vencd_codec_name(p->codec))),
		UNSIGNED("createdUs", p->created_us),
		IF_UNSIGNED(p->ended_us != 0, "endedUs", p->ended_us),
		IF_UNSIGNED(p->first_packet_us != 0, "firstPacketUs", p->first_packet_us),
		SD_JSON_BUILD_PAIR_CONDITION(
			cause != NULL, "cancelCause", SD_JSON_BUILD_STRING(cause)),
		STRING("onFailure", name_or_unknown(vencd_on_failure_name(p->on_failure))));
}

static int add_totals(sd_json_variant **v, const struct session_report *p)
{
	return sd_json_variant_merge_objectbo(v, UNSIGNED("framesSubmitted", p->frames_submitted),
		UNSIGNED("framesEncoded", p->frames_encoded),
		UNSIGNED("framesLost", p->frames_lost),
		UNSIGNED("framesCancelled", p->frames_cancelled), UNSIGNED("packets", p->packets),
		UNSIGNED("bytes", p->bytes), STRING("digest", digest_text(p->digest).text),
		UNSIGNED("discardedPackets", p->discarded_packets));
}

static int add_params(sd_json_variant **v, const struct session_report *report)
{
	sd_json_variant *params = NULL;
	int r = parameters_to_json(&report->params, &params);

	if (r >= 0)
		r = sd_json_variant_set_field(v, "params", params);
	sd_json_variant_unref(params);
	return r;
}

int report_to_json(const struct session_report *report, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	int r = add_identity(&v, report);

	r = r < 0 ? r : add_totals(&v, report);
	r = r < 0 ? r : text_add(&v, "cause", report->cause);
	r = r < 0 ? r : add_params(&v, report);
	r = r < 0 ? r : add_attempts(&v, report);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}
