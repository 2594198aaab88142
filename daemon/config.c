// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd.conf: lines of Key=Value, comments with # or ;, an optional [vencd] header. One table
 * describes every setting; parsing, checking, printing and the man page's test all go by it. A
 * setting that is unknown, out of range or given twice is an error that names file and line: a
 * daemon that ignores what it was told is worse than one that does not start.
 */

#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

#define CONFIG_TEXT_MAX 256u

enum setting_type {
	TYPE_COUNT = 1,
	TYPE_TIME,  /* ms; "2s", "500ms", "10min" */
	TYPE_BYTES, /* "16G" */
	TYPE_OCTAL,
	TYPE_BOOL,
	TYPE_TEXT,
	TYPE_LEVEL,
};

struct setting {
	const char *key;
	enum setting_type type;
	size_t offset, size;
	const char *fallback; /* the default, as it would be written */
	uint64_t min, max;    /* in the setting's unit */
	const char *meaning;
};

#define AT(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define GIB (UINT64_C(1) << 30)

static const struct setting settings[] = {
	{"Socket", TYPE_TEXT, AT(socket), "/run/vencd/io.vencd.Encoder", 1, 107,
		"path of the listening socket"},
	{"SocketMode", TYPE_OCTAL, AT(socket_mode), "0666", 0, 0777,
		"its mode: who may write to it may encode"},
	{"SessionsMax", TYPE_COUNT, AT(sessions_max), "256", 1, 4096, "open sessions"},
	{"SessionsPerUser", TYPE_COUNT, AT(sessions_per_user), "64", 1, 4096,
		"open sessions of one user"},
	{"MemoryPerUser", TYPE_BYTES, AT(memory_per_user), "16G", 64 << 20, 1024 * GIB,
		"session memory of one user, charged by its full size"},
	{"ConnectionsPerUser", TYPE_COUNT, AT(connections_per_user), "128", 1, 4096,
		"open connections of one user"},
	{"FrontsMax", TYPE_COUNT, AT(fronts_max), "64", 1, 1024,
		"users served at once, a process each"},
	{"WorkersMax", TYPE_COUNT, AT(workers_max), "320", 1, 8192, "encoder processes"},
	{"WarmWorkers", TYPE_COUNT, AT(warm_workers), "1", 0, 16,
		"encoder processes kept ready for the next session"},
	{"SessionsPerWorker", TYPE_COUNT, AT(sessions_per_worker), "4", 1, 16,
		"sessions of one user in one process, where the encoder allows it"},
	{"ReportsKept", TYPE_COUNT, AT(reports_kept), "256", 1, 4096, "reports of ended sessions"},
	{"EncoderThreads", TYPE_COUNT, AT(encoder_threads), "0", 0, 256,
		"threads of a software encoder; 0: one for each core"},
	{"SoftwareEncoders", TYPE_TEXT, AT(software), "svtav1 libx264 libx265", 0, 63,
	  "software encoders to use, separated by spaces"},
	{"NullEncoder", TYPE_BOOL, AT(null_encoder), "no", 0, 1,
		"offer the scripted null encoder, for tests: it can be told to hang"},
	{"NullProbeScript", TYPE_TEXT, AT(null_probe_script), "", 0, CONFIG_TEXT_MAX - 1,
		"script of the null encoder's probe"},
	{"StartBudget", TYPE_TIME, AT(start_budget_ms), "10s", 100, HOUR,
		"time for a process to start and take an attempt"},
	{"OwnBudget", TYPE_TIME, AT(own_budget_ms), "2s", 100, HOUR,
		"time for our own code between two calls"},
	{"ProbeBudget", TYPE_TIME, AT(probe_budget_ms), "10s", 100, HOUR,
		"time for the probe of one encoder"},
	{"OpenBudget", TYPE_TIME, AT(open_budget_ms), "10s", 100, HOUR,
		"time for opening an encoder"},
	{"EncodeBudget", TYPE_TIME, AT(encode_budget_ms), "2s", 100, HOUR,
		"time for one call that sends a frame or receives a packet"},
	{"FlushBudget", TYPE_TIME, AT(flush_budget_ms), "5s", 100, HOUR,
		"time for each packet after the last frame"},
	{"CloseBudget", TYPE_TIME, AT(close_budget_ms), "5s", 100, HOUR,
		"time for closing an encoder"},
	{"SoftwareCallCap", TYPE_TIME, AT(software_cap_ms), "10min", 1000, 24 * HOUR,
		"time for one call of a software encoder that burns CPU all the while"},
	{"WorkerAnswer", TYPE_TIME, AT(answer_budget_ms), "2s", 100, HOUR,
		"time for a child process to answer a ping"},
	{"TaintedDrain", TYPE_TIME, AT(drain_ms), "60s", 100, HOUR,
		"time that healthy sessions have in a process where a call was abandoned"},
	{"StopTimeout", TYPE_TIME, AT(stop_ms), "20s", 100, HOUR,
		"time that open sessions have after SIGTERM"},
	{"KillGrace", TYPE_TIME, AT(kill_grace_ms), "2s", 100, HOUR,
		"time after SIGKILL until a process counts as a tombstone"},
	{"WatchdogTick", TYPE_TIME, AT(tick_ms), "100ms", 20, 1000,
		"how often calls are looked at"},
	{"LogLevel", TYPE_LEVEL, AT(log_level), "info", 0, 0,
		"debug, info, notice, warning or error"},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit time_units[] = {
	{"ms", 1}, {"s", SECOND}, {"min", 60 * SECOND}, {"h", HOUR}, {"", SECOND}, {NULL, 0}};
static const struct unit byte_units[] = {
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", GIB}, {"", 1}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(const struct setting *setting)
{
	return setting->type == TYPE_TIME     ? time_units
		: setting->type == TYPE_BYTES ? byte_units
					      : no_units;
}

/* Writes a number as it would stand in the file: in the largest unit that divides it. */
static void number_text(const struct setting *setting, uint64_t value, char *text, size_t size)
{
	const struct unit *best = NULL;

	for (const struct unit *u = units_of(setting); u->suffix; u++)
		if (value % u->factor == 0 && u->suffix[0] && value >= u->factor &&
			(!best || u->factor > best->factor))
			best = u;
	if (setting->type == TYPE_OCTAL)
		snprintf(text, size, "%04lo", (unsigned long)value);
	else if (best)
		snprintf(text, size, "%lu%s", (unsigned long)(value / best->factor), best->suffix);
	else
		snprintf(text, size, "%lu%s", (unsigned long)value,
			setting->type == TYPE_TIME ? "ms" : "");
}

static int parse_number(const struct setting *setting, const char *text, uint64_t *ret)
{
	char *end;
	uint64_t value;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, setting->type == TYPE_OCTAL ? 8 : 10);
	if (errno)
		return -ERANGE;
	for (const struct unit *u = units_of(setting); u->suffix; u++)
		if (strcmp(end, u->suffix) == 0) {
			if (value > UINT64_MAX / u->factor)
				return -ERANGE;
			*ret = value * u->factor;
			return *ret >= setting->min && *ret <= setting->max ? 0 : -ERANGE;
		}
	return -EINVAL;
}

static int parse_bool(const char *text, uint64_t *ret)
{
	static const char *const words[2][4] = {
		{"no", "false", "off", "0"}, {"yes", "true", "on", "1"}};

	for (unsigned value = 0; value < 2; value++)
		for (unsigned i = 0; i < 4; i++)
			if (strcasecmp(text, words[value][i]) == 0) {
				*ret = value;
				return 0;
			}
	return -EINVAL;
}

static int parse_level(const char *text, uint64_t *ret)
{
	for (unsigned level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++)
		if (strcasecmp(text, level_names[level]) == 0) {
			*ret = level;
			return 0;
		}
	return -EINVAL;
}

static void store(struct config *config, const struct setting *setting, uint64_t value)
{
	char *at = (char *)config + setting->offset;

	if (setting->size == sizeof(uint64_t))
		*(uint64_t *)at = value;
	else if (setting->size == sizeof(uint32_t))
		*(uint32_t *)at = (uint32_t)value;
	else
		*(bool *)at = value != 0;
}

static uint64_t fetch(const struct config *config, const struct setting *setting)
{
	const char *at = (const char *)config + setting->offset;

	if (setting->size == sizeof(uint64_t))
		return *(const uint64_t *)at;
	if (setting->size == sizeof(uint32_t))
		return *(const uint32_t *)at;
	return *(const bool *)at;
}

static int set(struct config *config, const struct setting *setting, const char *text)
{
	uint64_t value = 0;
	size_t n = strlen(text);
	int r;

	switch (setting->type) {
	case TYPE_TEXT:
		if (n < setting->min || n > setting->max)
			return -ERANGE;
		memcpy((char *)config + setting->offset, text, n + 1);
		return 0;
	case TYPE_BOOL:
		r = parse_bool(text, &value);
		break;
	case TYPE_LEVEL:
		r = parse_level(text, &value);
		break;
	case TYPE_COUNT:
	case TYPE_TIME:
	case TYPE_BYTES:
	case TYPE_OCTAL:
	default:
		r = parse_number(setting, text, &value);
	}
	if (r == 0)
		store(config, setting, value);
	return r;
}

/* What would be accepted: "1 to 4096", "yes or no". */
static void range_text(const struct setting *setting, char *text, size_t size)
{
	char low[32], high[32];

	number_text(setting, setting->min, low, sizeof(low));
	number_text(setting, setting->max, high, sizeof(high));
	if (setting->type == TYPE_BOOL)
		snprintf(text, size, "yes or no");
	else if (setting->type == TYPE_LEVEL)
		snprintf(text, size, "%s", setting->meaning);
	else if (setting->type == TYPE_TEXT)
		snprintf(text, size, "%s to %s characters", low, high);
	else
		snprintf(text, size, "%s to %s", low, high);
}

struct parser {
	struct config *config;
	struct config_error *error;
	const char *path;
	unsigned line;
	unsigned seen[SETTINGS]; /* line where it was given */
};

static int __attribute__((format(printf, 2, 3))) fail(
	struct parser *parser, const char *format, ...)
{
	int n = parser->line
		? snprintf(parser->error->text, CONFIG_TEXT_MAX, "%.200s:%u: ", parser->path,
			  parser->line)
		: snprintf(parser->error->text, CONFIG_TEXT_MAX, "%.200s: ", parser->path);
	va_list args;

	va_start(args, format);
	vsnprintf(parser->error->text + n, sizeof(parser->error->text) - (size_t)n, format, args);
	va_end(args);
	parser->error->line = parser->line;
	return -EINVAL;
}

/* The known key that shares the longest beginning or is contained: a hint, no more. */
static const char *nearest_key(const char *key)
{
	const char *best = settings[0].key;
	size_t most = 0;

	for (size_t i = 0; i < SETTINGS; i++) {
		size_t n = 0;

		while (key[n] &&
			tolower((unsigned char)key[n]) ==
				tolower((unsigned char)settings[i].key[n]))
			n++;
		if (n > most) {
			most = n;
			best = settings[i].key;
		}
	}
	return best;
}

static int parse_setting(struct parser *parser, const char *key, const char *value)
{
	char range[512];
	int r;

	for (size_t i = 0; i < SETTINGS; i++) {
		if (strcmp(settings[i].key, key) != 0)
			continue;
		if (parser->seen[i])
			return fail(
				parser, "%s was given in line %u already", key, parser->seen[i]);
		parser->seen[i] = parser->line;
		r = set(parser->config, &settings[i], value);
		if (r == 0)
			return 0;
		range_text(&settings[i], range, sizeof(range));
		return fail(parser, "%s=%.60s: %s; %s, default %s", key, value,
			r == -ERANGE ? "out of range" : "cannot be understood", range,
			settings[i].fallback);
	}
	return fail(parser, "unknown setting '%.60s'; did you mean %s?", key, nearest_key(key));
}

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static int parse_line(struct parser *parser, char *line)
{
	char *text = trim(line), *equals = strchr(text, '=');

	if (*text == '\0' || *text == '#' || *text == ';' || strcmp(text, "[vencd]") == 0)
		return 0;
	if (!equals)
		return fail(parser, "'%.60s': expected Key=Value", text);
	*equals = '\0';
	return parse_setting(parser, trim(text), trim(equals + 1));
}

static int parse_file(struct parser *parser, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	int r = 0;

	while (r == 0 && getline(&line, &size, file) >= 0) {
		parser->line++;
		r = parse_line(parser, line);
	}
	free(line);
	if (r == 0 && ferror(file)) {
		parser->line = 0;
		r = fail(parser, "%s", strerror(errno));
	}
	return r;
}

/* Settings that bound each other. */
static int cross_check(struct parser *parser)
{
	const struct config *c = parser->config;
	const uint32_t budgets[] = {c->start_budget_ms, c->own_budget_ms, c->probe_budget_ms,
		c->open_budget_ms, c->encode_budget_ms, c->flush_budget_ms, c->close_budget_ms,
		c->answer_budget_ms};

	parser->line = 0;
	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++)
		if (c->tick_ms > budgets[i] / 2)
			return fail(parser,
				"WatchdogTick=%ums is more than half of the shortest budget, %ums",
				c->tick_ms, budgets[i]);
	return 0;
}

int config_load(struct config *ret, const char *path, bool must_exist, struct config_error *error)
{
	struct parser parser = {.config = ret, .error = error, .path = path};
	FILE *file;
	int r;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < SETTINGS; i++)
		(void)set(ret, &settings[i], settings[i].fallback);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT && !must_exist ? 0 : fail(&parser, "%s", strerror(errno));
	r = parse_file(&parser, file);
	fclose(file);
	return r ? r : cross_check(&parser);
}

static void value_text(
	const struct config *config, const struct setting *setting, char *text, size_t size)
{
	uint64_t value;

	if (setting->type == TYPE_TEXT) {
		snprintf(text, size, "%s", (const char *)config + setting->offset);
		return;
	}
	value = fetch(config, setting);
	if (setting->type == TYPE_BOOL)
		snprintf(text, size, "%s", value ? "yes" : "no");
	else if (setting->type == TYPE_LEVEL)
		snprintf(text, size, "%s", level_names[value]);
	else
		number_text(setting, value, text, size);
}

void config_print(FILE *to, const struct config *config)
{
	char text[512];

	for (size_t i = 0; i < SETTINGS; i++) {
		range_text(&settings[i], text, sizeof(text));
		fprintf(to, "# %s%s%s%s; default %s\n", settings[i].meaning,
			settings[i].type == TYPE_LEVEL ? "" : " (",
			settings[i].type == TYPE_LEVEL ? "" : text,
			settings[i].type == TYPE_LEVEL ? "" : ")",
			settings[i].fallback[0] ? settings[i].fallback : "empty");
		value_text(config, &settings[i], text, sizeof(text));
		fprintf(to, "%s=%s\n", settings[i].key, text);
	}
}
