// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * A report for people: how it ended first, then what became of the frames, then each attempt, with
 * the call that it died in. Nothing is computed that the report does not say.
 */

#include <string.h>

#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

#define MESSAGES_SHOWN 4 /* the report has more */

static void print_line(FILE *out, const char *head, const char *text)
{
	fprintf(out, "  %-10s %s\n", head, text);
}

static enum colour outcome_colour(const char *name)
{
	switch (vencd_outcome_from_name(name)) {
	case VENCD_OUTCOME_COMPLETE:
		return COLOUR_GOOD;
	case VENCD_OUTCOME_DEGRADED:
	case VENCD_OUTCOME_CANCELLED:
		return COLOUR_WARNING;
	case VENCD_OUTCOME_INCOMPLETE:
	case VENCD_OUTCOME_TRUNCATED:
	case VENCD_OUTCOME_FAILED:
		break;
	}
	return COLOUR_BAD;
}

static void print_outcome(FILE *out, sd_json_variant *report)
{
	const char *outcome = field_text(report, "outcome");
	char word[32], cause[300];

	plain_text(word, sizeof(word), outcome);
	plain_text(cause, sizeof(cause), field_text(report, "cause"));
	fprintf(out, "session %llu: %s%s%s%s%s%s\n", (unsigned long long)field_number(report, "id"),
		colour_of(out, COLOUR_BOLD), colour_of(out, outcome_colour(outcome)), word,
		colour_of(out, COLOUR_NONE), *cause ? ": " : "", cause);
}

static void print_frames(FILE *out, sd_json_variant *report)
{
	static const struct {
		const char *field, *text;
	} counts[] = {
		{"framesEncoded", "encoded"},
		{"framesLost", "lost"},
		{"framesCancelled", "cancelled"},
	};

	fprintf(out, "  %-10s %llu submitted", "frames",
		(unsigned long long)field_number(report, "framesSubmitted"));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint64_t n = field_number(report, counts[i].field);

		if (n > 0 || i == 0)
			fprintf(out, ", %llu %s", (unsigned long long)n, counts[i].text);
	}
	fputc('\n', out);
}

static void print_output(FILE *out, sd_json_variant *report)
{
	uint64_t first = field_number(report, "firstPacketUs");
	uint64_t from = field_number(report, "createdUs"), to = field_number(report, "endedUs");
	char bytes[32], time[32];

	fprintf(out, "  %-10s %s, %llu packets, %s", "output", field_text(report, "codec"),
		(unsigned long long)field_number(report, "packets"),
		bytes_text(bytes, sizeof(bytes), field_number(report, "bytes")));
	if (first)
		fprintf(out, ", the first after %s", ms_text(time, sizeof(time), first / 1000));
	if (to > from)
		fprintf(out, ", all within %s", ms_text(time, sizeof(time), (to - from) / 1000));
	fputc('\n', out);
}

/* "abandoned in send of frame 80 after 2.0 s (budget 2.0 s)" */
static void print_end(FILE *out, sd_json_variant *attempt)
{
	const char *call = field_text(attempt, "call");
	char waited[32], budget[32];

	fprintf(out, "  %-10s %s", "", field_text(attempt, "end"));
	if (*call)
		fprintf(out, " in %s", call);
	if (*call && sd_json_variant_by_key(attempt, "callFrame"))
		fprintf(out, " of frame %llu",
			(unsigned long long)field_number(attempt, "callFrame"));
	if (field_number(attempt, "waitedMs"))
		fprintf(out, " after %s",
			ms_text(waited, sizeof(waited), field_number(attempt, "waitedMs")));
	if (field_number(attempt, "budgetMs"))
		fprintf(out, " (budget %s)",
			ms_text(budget, sizeof(budget), field_number(attempt, "budgetMs")));
	if (field_number(attempt, "signal"))
		fprintf(out, ", signal %llu", (unsigned long long)field_number(attempt, "signal"));
	if (field_number(attempt, "exitCode"))
		fprintf(out, ", exit code %llu",
			(unsigned long long)field_number(attempt, "exitCode"));
	fputc('\n', out);
}

static void print_leaked(FILE *out, sd_json_variant *attempt)
{
	sd_json_variant *leaked = sd_json_variant_by_key(attempt, "leaked");
	uint64_t threads = field_number(leaked, "threads"), fds = field_number(leaked, "fds");
	uint64_t bytes = field_number(leaked, "bytes");
	char memory[32];

	if (threads == 0 && fds == 0 && bytes == 0)
		return;
	fprintf(out, "  %-10s leaked %llu thread%s, %llu fd%s, about %s\n", "",
		(unsigned long long)threads, threads == 1 ? "" : "s", (unsigned long long)fds,
		fds == 1 ? "" : "s", bytes_text(memory, sizeof(memory), bytes));
}

static void print_words(FILE *out, const char *head, const char *text)
{
	char plain[300];

	if (*text)
		fprintf(out, "  %-10s %s%s\n", "", head, plain_text(plain, sizeof(plain), text));
}

static void print_choice(FILE *out, sd_json_variant *attempt)
{
	print_words(out, "picked: ", field_text(attempt, "picked"));
	for (size_t i = 0; i < field_count(attempt, "rejected"); i++) {
		sd_json_variant *v = field_element(attempt, "rejected", i);

		if (sd_json_variant_is_string(v))
			print_words(out, "not: ", sd_json_variant_string(v));
	}
}

static void print_range(FILE *out, sd_json_variant *attempt)
{
	uint64_t first = field_number(attempt, "firstFrame"), n = field_number(attempt, "frames");
	uint64_t discarded = field_number(attempt, "discardedPackets");
	char bytes[32];

	if (n == 0)
		fprintf(out, "  %-10s no frame", "");
	else
		fprintf(out, "  %-10s frames %llu to %llu, %s", "", (unsigned long long)first,
			(unsigned long long)(first + n - 1),
			bytes_text(bytes, sizeof(bytes), field_number(attempt, "bytes")));
	if (discarded)
		fprintf(out, ", %llu packets discarded", (unsigned long long)discarded);
	fputc('\n', out);
}

static void print_check(FILE *out, sd_json_variant *attempt)
{
	sd_json_variant *suspect = sd_json_variant_by_key(attempt, "suspect");

	if (sd_json_variant_by_key(attempt, "framesChecked"))
		fprintf(out, "  %-10s %llu of its frames were decoded and found good\n", "",
			(unsigned long long)field_number(attempt, "framesChecked"));
	if (suspect)
		fprintf(out, "  %-10s %sframes %llu to %llu are suspect: they may be wrong%s\n", "",
			colour_of(out, COLOUR_BAD),
			(unsigned long long)field_number(suspect, "first"),
			(unsigned long long)field_number(suspect, "last"),
			colour_of(out, COLOUR_NONE));
}

/* "thread 4713 (run-7), S (sleeping): system call ppoll, waiting in do_sys_poll" */
static void print_thread(FILE *out, sd_json_variant *forensics)
{
	char name[32], state[32], syscall[80], wchan[80];

	if (!*field_text(forensics, "state"))
		return;
	fprintf(out, "  %-10s thread %llu (%s), %s: system call %s, waiting in %s\n", "",
		(unsigned long long)field_number(forensics, "tid"),
		plain_text(name, sizeof(name), field_text(forensics, "thread")),
		plain_text(state, sizeof(state), field_text(forensics, "state")),
		plain_text(syscall, sizeof(syscall), field_text(forensics, "syscall")),
		plain_text(wchan, sizeof(wchan), field_text(forensics, "wchan")));
}

static void print_frame(FILE *out, sd_json_variant *forensics)
{
	sd_json_variant *a = sd_json_variant_by_key(forensics, "arguments");
	sd_json_variant *pts = sd_json_variant_by_key(a, "pts");
	char bytes[32];

	if (!a)
		return;
	fprintf(out, "  %-10s given frame %llu, pts %lld, %s%s\n", "",
		(unsigned long long)field_number(a, "frame"),
		pts ? (long long)sd_json_variant_integer(pts) : 0,
		bytes_text(bytes, sizeof(bytes), field_number(a, "bytes")),
		sd_json_variant_boolean(sd_json_variant_by_key(a, "keyframe")) ? ", keyframe" : "");
}

static void print_forensics(FILE *out, sd_json_variant *attempt)
{
	sd_json_variant *forensics = sd_json_variant_by_key(attempt, "forensics");
	size_t n = field_count(forensics, "messages");

	if (!forensics)
		return;
	print_frame(out, forensics);
	print_thread(out, forensics);
	if (!*field_text(forensics, "state"))
		print_words(out, "", field_text(forensics, "inspected"));
	for (size_t i = n > MESSAGES_SHOWN ? n - MESSAGES_SHOWN : 0; i < n; i++) {
		sd_json_variant *v = field_element(forensics, "messages", i);

		if (sd_json_variant_is_string(v))
			print_words(out, "stderr: ", sd_json_variant_string(v));
	}
}

static void print_attempt(FILE *out, sd_json_variant *attempt, size_t number)
{
	char head[32], line[300], version[80];

	plain_text(version, sizeof(version), field_text(attempt, "version"));
	snprintf(head, sizeof(head), "attempt %zu", number);
	snprintf(line, sizeof(line), "%s on %s (%s)%s%s", field_text(attempt, "encoder"),
		field_text(attempt, "device"), field_text(attempt, "backend"), *version ? ", " : "",
		version);
	print_line(out, head, line);
	print_choice(out, attempt);
	print_range(out, attempt);
	print_check(out, attempt);
	print_end(out, attempt);
	print_words(out, "it said: ", field_text(attempt, "text"));
	print_leaked(out, attempt);
	print_forensics(out, attempt);
}

void print_report(FILE *out, const char *json)
{
	sd_json_variant *report = NULL;

	if (sd_json_parse(json, 0, &report, NULL, NULL) < 0) {
		fprintf(out, "%s\n", json);
		return;
	}
	print_outcome(out, report);
	print_frames(out, report);
	print_output(out, report);
	for (size_t i = 0; i < field_count(report, "attempts"); i++)
		print_attempt(out, field_element(report, "attempts", i), i + 1);
	sd_json_variant_unref(report);
}
