// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Reads the faults of a device. The language is that of the null encoder (docs/null-encoder.md), on
 * the names of the VA functions and with VA's errors:
 *
 *	[THREAD/]CALL:N:MODE[:ARGUMENT]; ...
 *
 * THREAD is how the name of the calling thread begins: "run-/EndPicture:3:hang" lets a probe pass.
 * What is in no table is refused, because a fault that silently never fires makes a test pass that
 * shows nothing.
 *
 * It is a reader of its own, and not the null encoder's with other tables: nothing but the grammar
 * is alike, and a driver that strangers load brings no part of the product with it.
 */

#include "tests/emulated/va/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MS_MAX (24u * 3600u * 1000u)

struct text {
	const char *at;
	size_t size;
};

struct reader {
	struct fault_script *script;
	struct text entry;
	char *error;
	size_t error_size;
};

static const char *const call_names[CALL_MAX] = {
#define X(name) [CALL_##name] = #name,
	CALLS(X)
#undef X
};

enum argument {
	ARGUMENT_NONE,
	ARGUMENT_MS,
	ARGUMENT_CODE,
	ARGUMENT_STATUS, /* may be missing: operation-failed */
	ARGUMENT_GARBAGE,
};

static const struct {
	const char *name;
	enum argument argument;
	bool every; /* `*` makes sense */
} modes[FAULT_MODE_MAX] = {
	[FAULT_HANG] = {"hang", ARGUMENT_NONE, false},
	[FAULT_LATE] = {"late", ARGUMENT_MS, false},
	[FAULT_SLOW] = {"slow", ARGUMENT_MS, true},
	[FAULT_SPIN] = {"spin", ARGUMENT_MS, true},
	[FAULT_CRASH] = {"crash", ARGUMENT_NONE, false},
	[FAULT_EXIT] = {"exit", ARGUMENT_CODE, false},
	[FAULT_ERROR] = {"error", ARGUMENT_STATUS, true},
	[FAULT_LOST] = {"lost", ARGUMENT_NONE, false},
	[FAULT_PRINT] = {"print", ARGUMENT_NONE, true},
	[FAULT_GARBAGE] = {"garbage", ARGUMENT_GARBAGE, true},
};

static const struct {
	const char *name;
	VAStatus status;
} statuses[] = {
	{"operation-failed", VA_STATUS_ERROR_OPERATION_FAILED},
	{"no-memory", VA_STATUS_ERROR_ALLOCATION_FAILED},
	{"invalid", VA_STATUS_ERROR_INVALID_PARAMETER},
	{"busy", VA_STATUS_ERROR_HW_BUSY},
	{"unsupported", VA_STATUS_ERROR_UNSUPPORTED_PROFILE},
	{"resolution", VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED},
	{"encoding", VA_STATUS_ERROR_ENCODING_ERROR},
	{"timed-out", VA_STATUS_ERROR_TIMEDOUT},
	{"unimplemented", VA_STATUS_ERROR_UNIMPLEMENTED},
	{"unknown", VA_STATUS_ERROR_UNKNOWN},
};

#define N_STATUSES (sizeof(statuses) / sizeof(statuses[0]))

static const char *const garbage_names[GARBAGE_MAX] = {
	[GARBAGE_NOISE] = "noise",
	[GARBAGE_EMPTY] = "empty",
	[GARBAGE_TRUNCATED] = "truncated",
	[GARBAGE_SLICES] = "slices",
	[GARBAGE_BLACK] = "black",
};

const char *fault_call_name(enum call call)
{
	return call_names[call];
}

const char *fault_mode_name(enum fault_mode mode)
{
	return modes[mode].name;
}

static int refuse(const struct reader *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct reader *r, const char *format, ...)
{
	char why[128];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	snprintf(r->error, r->error_size, "\"%.*s\": %s", (int)r->entry.size, r->entry.at, why);
	return -EINVAL;
}

static struct text trimmed(struct text t)
{
	while (t.size && t.at[0] == ' ')
		t.at++, t.size--;
	while (t.size && t.at[t.size - 1] == ' ')
		t.size--;
	return t;
}

/* Cuts the part before the separator off *rest; the whole of it where there is none. */
static struct text cut(struct text *rest, char separator)
{
	const char *at = memchr(rest->at, separator, rest->size);
	struct text part = {rest->at, at ? (size_t)(at - rest->at) : rest->size};
	size_t used = part.size + (at ? 1 : 0);

	rest->at += used;
	rest->size -= used;
	return trimmed(part);
}

static bool is(struct text t, const char *name)
{
	return name && strlen(name) == t.size && !memcmp(t.at, name, t.size);
}

static bool parse_number(struct text t, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (!t.size || t.size > 15)
		return false;
	for (size_t i = 0; i < t.size; i++) {
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(t.at[i] - '0');
	}
	*ret = value;
	return value <= max;
}

static int parse_status(const struct reader *r, struct text t, struct fault *f)
{
	if (!t.size)
		t = (struct text){statuses[0].name, strlen(statuses[0].name)};
	for (size_t i = 0; i < N_STATUSES; i++) {
		if (!is(t, statuses[i].name))
			continue;
		f->arg = (uint64_t)statuses[i].status;
		return 0;
	}
	return refuse(r, "no such error; there is no-memory, busy, operation-failed...");
}

static int parse_garbage(const struct reader *r, struct text t, struct fault *f)
{
	for (f->arg = 1; f->arg < GARBAGE_MAX; f->arg++)
		if (is(t, garbage_names[f->arg]))
			return f->call == CALL_EndPicture ? 0 : refuse(r, "only at EndPicture");
	return refuse(r, "garbage is noise, empty, truncated, slices or black");
}

static int parse_argument(const struct reader *r, struct text t, struct fault *f)
{
	switch (modes[f->mode].argument) {
	case ARGUMENT_NONE:
		return t.size ? refuse(r, "%s has no argument", modes[f->mode].name) : 0;
	case ARGUMENT_MS:
		return parse_number(t, MS_MAX, &f->arg) ? 0
							: refuse(r, "milliseconds, a day at most");
	case ARGUMENT_CODE:
		return parse_number(t, 255, &f->arg) ? 0 : refuse(r, "exit needs a code, 0 to 255");
	case ARGUMENT_STATUS:
		return parse_status(r, t, f);
	case ARGUMENT_GARBAGE:
		return parse_garbage(r, t, f);
	}
	return -EINVAL;
}

static int parse_call(const struct reader *r, struct text t, struct fault *f)
{
	if (memchr(t.at, '/', t.size)) {
		struct text thread = cut(&t, '/');

		if (thread.size >= sizeof(f->thread))
			return refuse(r, "a thread's name has at most 15 bytes");
		memcpy(f->thread, thread.at, thread.size);
	}
	for (f->call = 0; f->call < CALL_MAX; f->call++)
		if (is(t, call_names[f->call]))
			return 0;
	return refuse(r, "no such call; it is the name of a VA function without va");
}

static int parse_mode(const struct reader *r, struct text t, struct fault *f)
{
	for (f->mode = 1; f->mode < FAULT_MODE_MAX; f->mode++)
		if (is(t, modes[f->mode].name))
			return 0;
	return refuse(r, "no such fault; it is [thread/]call:n:mode[:argument]");
}

static int parse_count(const struct reader *r, struct text t, struct fault *f)
{
	f->n = FAULT_EVERY;
	if (is(t, "*"))
		return modes[f->mode].every ? 0 : refuse(r, "not for every call: give a number");
	if (!parse_number(t, UINT64_MAX, &f->n) || !f->n)
		return refuse(r, "the second part is which call, from 1, or *");
	return 0;
}

static int parse_fault(const struct reader *r)
{
	struct text rest = r->entry, call, n, mode;
	struct fault f = {.n = 0};
	int e;

	if (!rest.size)
		return 0;
	call = cut(&rest, ':');
	n = cut(&rest, ':');
	mode = cut(&rest, ':');
	e = parse_call(r, call, &f);
	e = e ? e : parse_mode(r, mode, &f);
	e = e ? e : parse_count(r, n, &f);
	e = e ? e : parse_argument(r, trimmed(rest), &f);
	if (!e && r->script->n_faults == FAULTS_MAX)
		e = refuse(r, "more than %u faults", FAULTS_MAX);
	if (!e)
		r->script->faults[r->script->n_faults++] = f;
	return e;
}

int fault_parse(struct fault_script *ret, const char *text, char *error, size_t error_size)
{
	struct reader r = {.script = ret, .error = error, .error_size = error_size};
	struct text rest = {text, strlen(text)};
	int e = 0;

	*ret = (struct fault_script){0};
	while (rest.size && !e) {
		r.entry = cut(&rest, ';');
		e = parse_fault(&r);
	}
	return e;
}
