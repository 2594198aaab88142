// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Reads the script of the null encoder: entries between semicolons, each a setting (name=value) or
 * a fault (call:n:mode[:arg]). What a setting or a mode may be is in two tables; everything that is
 * not in them is refused with the entry's text, because a fault that silently never fires makes a
 * test pass that shows nothing.
 *
 * Pure and without allocation; it does not know what the faults do.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fallback/script.h"

struct text {
	const char *at;
	size_t size;
};

struct reader {
	struct script *script;
	struct text entry;
	char *error;
	size_t error_size;
};

static const char *const call_names[SCRIPT_CALL_MAX] = {
	[SCRIPT_CALL_PROBE] = "probe",
	[SCRIPT_CALL_OPEN] = "open",
	[SCRIPT_CALL_SEND] = "send",
	[SCRIPT_CALL_RECEIVE] = "receive",
	[SCRIPT_CALL_FLUSH] = "flush",
	[SCRIPT_CALL_CLOSE] = "close",
};

static const char *const garbage_names[SCRIPT_GARBAGE_MAX] = {
	[SCRIPT_GARBAGE_PTS] = "pts",
	[SCRIPT_GARBAGE_NOKEY] = "nokey",
	[SCRIPT_GARBAGE_EMPTY] = "empty",
	[SCRIPT_GARBAGE_TWICE] = "twice",
	[SCRIPT_GARBAGE_TRUNCATED] = "truncated",
};

enum argument {
	ARGUMENT_NONE,
	ARGUMENT_MS,
	ARGUMENT_STATUS, /* may be missing: library */
	ARGUMENT_GARBAGE,
	ARGUMENT_CODE,
};

#define CALL(name) (1u << SCRIPT_CALL_##name)
#define CALLS_ALL \
	(CALL(PROBE) | CALL(OPEN) | CALL(SEND) | CALL(RECEIVE) | CALL(FLUSH) | CALL(CLOSE))
#define CALLS_THAT_FAIL (CALLS_ALL & ~CALL(CLOSE))

static const struct {
	const char *name;
	enum argument argument;
	uint32_t calls;
	uint32_t every; /* 1: `*` makes sense */
} modes[SCRIPT_MODE_MAX] = {
	[SCRIPT_MODE_HANG] = {"hang", ARGUMENT_NONE, CALLS_ALL, 0},
	[SCRIPT_MODE_LATE] = {"late", ARGUMENT_MS, CALLS_ALL, 0},
	[SCRIPT_MODE_CRASH] = {"crash", ARGUMENT_NONE, CALLS_ALL, 0},
	[SCRIPT_MODE_ERROR] = {"error", ARGUMENT_STATUS, CALLS_THAT_FAIL, 1},
	[SCRIPT_MODE_LOST] = {"lost", ARGUMENT_NONE, CALLS_THAT_FAIL, 0},
	[SCRIPT_MODE_GARBAGE] = {"garbage", ARGUMENT_GARBAGE, CALL(RECEIVE), 1},
	[SCRIPT_MODE_SLOW] = {"slow", ARGUMENT_MS, CALLS_ALL, 1},
	[SCRIPT_MODE_SPIN] = {"spin", ARGUMENT_MS, CALLS_ALL, 1},
	[SCRIPT_MODE_EXIT] = {"exit", ARGUMENT_CODE, CALLS_ALL, 0},
	[SCRIPT_MODE_PRINT] = {"print", ARGUMENT_NONE, CALLS_ALL, 1},
};

static int refuse(const struct reader *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct reader *r, const char *format, ...)
{
	char why[128];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	if (r->error)
		snprintf(r->error, r->error_size, "null script: \"%.*s\": %s", (int)r->entry.size,
			r->entry.at, why);
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

static unsigned find(const char *const *names, unsigned n, struct text t)
{
	for (unsigned i = 1; i < n; i++)
		if (is(t, names[i]))
			return i;
	return 0;
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

static int parse_setting(const struct reader *r, struct text name, struct text text)
{
	struct script *s = r->script;
	const struct {
		const char *name;
		uint64_t min, max;
		uint32_t *value;
	} settings[] = {
		{"hold", 0, SCRIPT_MAX_HOLD, &s->hold},
		{"reorder", 0, SCRIPT_MAX_REORDER, &s->reorder},
		{"size", SCRIPT_MIN_SIZE, SCRIPT_MAX_SIZE, &s->size},
		{"async", 0, 1, &s->async},
		{"keep", 0, 1, &s->keep},
		{"memory", 0, SCRIPT_MAX_MEMORY, &s->memory},
		{"leak", 0, SCRIPT_MAX_LEAK, &s->leak},
	};
	uint64_t value;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (!is(name, settings[i].name))
			continue;
		if (!parse_number(text, settings[i].max, &value) || value < settings[i].min)
			return refuse(r, "%s is %llu to %llu", settings[i].name,
				(unsigned long long)settings[i].min,
				(unsigned long long)settings[i].max);
		*settings[i].value = (uint32_t)value;
		return 0;
	}
	return refuse(
		r, "no such setting; there are hold, reorder, size, async, keep, memory, leak");
}

static int parse_status(const struct reader *r, struct text text, uint64_t *ret)
{
	*ret = ENCODER_LIBRARY;
	if (!text.at)
		return 0;
	for (*ret = ENCODER_OK + 1; *ret < ENCODER_STATUS_MAX; (*ret)++)
		if (is(text, encoder_status_name((enum encoder_status) * ret)))
			return 0;
	return refuse(r, "error's argument is a status, such as no-memory");
}

static int parse_argument(const struct reader *r, struct text text, struct script_fault *f)
{
	switch (modes[f->mode].argument) {
	case ARGUMENT_NONE:
		return text.at ? refuse(r, "%s has no argument", modes[f->mode].name) : 0;
	case ARGUMENT_MS:
		if (text.at && parse_number(text, SCRIPT_MAX_MS, &f->arg))
			return 0;
		return refuse(
			r, "%s needs milliseconds, at most %u", modes[f->mode].name, SCRIPT_MAX_MS);
	case ARGUMENT_STATUS:
		return parse_status(r, text, &f->arg);
	case ARGUMENT_GARBAGE:
		f->arg = text.at ? find(garbage_names, SCRIPT_GARBAGE_MAX, text) : 0;
		return f->arg ? 0 : refuse(r, "garbage is pts, nokey, empty, twice or truncated");
	case ARGUMENT_CODE:
		if (text.at && parse_number(text, 255, &f->arg))
			return 0;
		return refuse(r, "exit needs a code, 0 to 255");
	}
	return -EINVAL;
}

/* A call that happens once an attempt has no second time: such a fault would never fire. */
static int parse_count(const struct reader *r, struct text text, struct script_fault *f)
{
	bool once = f->call != SCRIPT_CALL_SEND && f->call != SCRIPT_CALL_RECEIVE;

	if (is(text, "*"))
		return modes[f->mode].every ? 0 : refuse(r, "not for every call: give a number");
	if (!parse_number(text, UINT64_MAX, &f->n) || !f->n)
		return refuse(r, "the second part is which call, from 1, or *");
	if (once && f->n > 1)
		return refuse(r, "%s is called once: say 1", call_names[f->call]);
	return 0;
}

static int parse_fault(const struct reader *r, struct text rest)
{
	struct script_fault f = {.n = SCRIPT_EVERY};
	struct text call = cut(&rest, ':'), n = cut(&rest, ':'), mode = cut(&rest, ':');
	struct text argument = {0};
	int ret;

	if (rest.size || (mode.size && rest.at[-1] == ':'))
		argument = trimmed(rest);
	f.call = (enum script_call)find(call_names, SCRIPT_CALL_MAX, call);
	if (!f.call)
		return refuse(
			r, "no such call; there are probe, open, send, receive, flush, close");
	for (unsigned i = 1; i < SCRIPT_MODE_MAX && !f.mode; i++)
		if (is(mode, modes[i].name))
			f.mode = (enum script_mode)i;
	if (!f.mode)
		return refuse(r, "no such fault; it is call:n:mode[:argument]");
	if (!(modes[f.mode].calls & 1u << f.call))
		return refuse(r, "%s cannot be at %s", modes[f.mode].name, call_names[f.call]);
	ret = parse_count(r, n, &f);
	if (!ret)
		ret = parse_argument(r, argument, &f);
	if (!ret && r->script->n_faults == SCRIPT_MAX_FAULTS)
		ret = refuse(r, "more than %u faults", SCRIPT_MAX_FAULTS);
	if (!ret)
		r->script->faults[r->script->n_faults++] = f;
	return ret;
}

static int parse_entry(const struct reader *r)
{
	struct text rest = r->entry;

	if (!r->entry.size)
		return 0;
	if (memchr(rest.at, '=', rest.size)) {
		struct text name = cut(&rest, '=');

		return parse_setting(r, name, trimmed(rest));
	}
	return parse_fault(r, rest);
}

static const struct script defaults = {.size = SCRIPT_MIN_SIZE, .keep = 1};

int script_parse(struct script *ret, const char *text, char *error, size_t error_size)
{
	struct reader r = {.script = ret, .error = error, .error_size = error_size};
	struct text rest = {text, strlen(text)};
	int e = 0;

	*ret = defaults;
	while (rest.size && !e) {
		r.entry = cut(&rest, ';');
		e = parse_entry(&r);
	}
	if (e)
		*ret = defaults;
	return e;
}

static bool covers(const struct script_fault *f, uint64_t n)
{
	return f->n == n || f->n == SCRIPT_EVERY;
}

const struct script_fault *script_find(
	const struct script *script, enum script_call call, uint64_t n)
{
	for (uint32_t i = 0; i < script->n_faults; i++) {
		const struct script_fault *f = &script->faults[i];

		if (f->mode != SCRIPT_MODE_GARBAGE && f->call == call && covers(f, n))
			return f;
	}
	return NULL;
}

enum script_garbage script_garbage(const struct script *script, uint64_t n)
{
	for (uint32_t i = 0; i < script->n_faults; i++) {
		const struct script_fault *f = &script->faults[i];

		if (f->mode == SCRIPT_MODE_GARBAGE && covers(f, n))
			return (enum script_garbage)f->arg;
	}
	return (enum script_garbage)0;
}

/*
 * Uncommitted frames, at most: `hold` in the queue, `reorder` waiting for their mini-GOP to close,
 * and of the mini-GOP that is being handed out all but the last. One more makes it move.
 */
void script_plan(const struct script *script, struct encoder_info *ret)
{
	ret->needs_frames = script->hold + 2 * script->reorder + 1;
	ret->reorder = script->reorder ? 1 : 0;
	ret->group = script->reorder + 1;
	ret->async = script->async;
}
