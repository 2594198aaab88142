// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd.conf: lines of Key=Value below an optional [vencd], comments after # or ;. One table has
 * every setting, and its default is text that goes through the same parser as the file's.
 *
 * A mistake is never guessed around: an unknown key, a key given twice, a value with the wrong unit
 * or out of its range all refuse the file, with the line and what would be right. There are no
 * quotes, no escapes, no continued lines and no included files, and nothing is read again later.
 */

#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/setting.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define LINES_MAX 10000u /* a file that never ends is none */

#define SECOND SETTING_SECOND
#define HOUR SETTING_HOUR
#define FIELD(f) offsetof(struct config, f), sizeof(((struct config *)NULL)->f)
#define COUNT(key, f, initial, min, max, meaning) \
	{key, SETTING_COUNT, FIELD(f), initial, min, max, NULL, meaning}
#define DURATION(key, f, initial, min, max, meaning) \
	{key, SETTING_DURATION, FIELD(f), initial, min, max, NULL, meaning}

static const struct setting settings[] = {
	{"Socket", SETTING_PATH, FIELD(socket), "/run/vencd/io.vencd.Encoder",
		.meaning = "Where clients connect, unless systemd passes a socket."},
	{"SocketMode", SETTING_OCTAL, FIELD(socket_mode), "0666", 0, 0777,
		.meaning = "Permissions of the socket."},
	{"LogLevel", SETTING_WORD, FIELD(log_level), "info",
		.words = "debug info notice warning error",
		.meaning = "What is logged: this and what is more severe."},

	COUNT("SessionsMax", sessions_max, "256", 1, 4096, "Sessions open at once."),
	COUNT("SessionsPerUser", sessions_per_user, "64", 1, 4096,
		"Sessions of one user open at once; at most SessionsMax."),
	{"MemoryPerUser", SETTING_BYTES, FIELD(memory_per_user), "16G", UINT64_C(64) << 20,
		UINT64_C(1) << 40, .meaning = "Shared memory of one user's sessions, in bytes."},
	COUNT("ConnectionsPerUser", connections_per_user, "128", 1, 4096,
		"Connections of one user."),
	COUNT("FdsPerUser", fds_per_user, "4096", 64, 1048576,
		"Descriptors that vencd and its processes hold for one user."),
	COUNT("RequestsPerUser", requests_per_user, "256", 1, 65536,
		"Requests of one user that wait: for a probe, for an end, or one-shot."),
	COUNT("ChildrenPerUser", children_per_user, "160", 2, 8192,
		"Processes for one user: its front, workers, one-shot adapters."),
	COUNT("PixelsPerUser", pixels_per_user, "0", 0, 4000000000,
		"Pixels a second that one user's sessions may encode; 0 means no limit."),
	DURATION("AdapterCpuPerUser", adapter_cpu_per_user_ms, "0ms", 0, 4 * HOUR,
		"CPU time in a minute of one user's one-shot adapters; 0 means no limit."),
	COUNT("FrontsMax", fronts_max, "64", 1, 1024,
		"Processes that talk to clients: users connected at once."),
	COUNT("WorkersMax", workers_max, "320", 1, 4096, "Processes that encode."),
	COUNT("WarmWorkers", warm_workers, "1", 0, 16,
		"Workers started ahead, with their libraries loaded."),
	COUNT("SessionsPerWorker", sessions_per_worker, "4", 1, 16,
		"Sessions of one user in one worker, where an encoder can share one."),
	COUNT("WorkerSessions", worker_sessions, "64", 1, 4096,
		"Sessions that a shared worker is given in its life."),
	{"WorkerGrowth", SETTING_BYTES, FIELD(worker_growth), "1G", UINT64_C(1) << 20,
		UINT64_C(1) << 40,
		.meaning = "Memory that a shared worker may gain before it gets no new session."},
	{"AdapterMemory", SETTING_BYTES, FIELD(adapter_memory), "2G", UINT64_C(128) << 20,
		UINT64_C(1) << 40,
		.meaning = "Memory of one one-shot request's adapter, its frame pool apart."},
	COUNT("ReportsKept", reports_kept, "256", 1, 4096, "Reports of ended sessions kept."),

	COUNT("EncoderThreads", encoder_threads, "0", 0, 256,
		"Cores for each software encoder; 0 means all."),
	{"Hardware", SETTING_BOOL, FIELD(hardware), "yes", .meaning = "Encode on GPUs."},
	{"DenyOverride", SETTING_WORDS, FIELD(deny_override), "",
		.words = "amd-polaris-vce nvidia-vaapi-decodes-only",
		.meaning = "Entries of the deny-list, by name, that are tried all the same."},
	{"SoftwareEncoders", SETTING_WORDS, FIELD(software), "svtav1 libx264 libx265",
		.words = "svtav1 libx264 libx265", .meaning = "Software encoders in use."},
	{"NullEncoder", SETTING_BOOL, FIELD(null_encoder), "no",
		.meaning = "Offer the scripted null encoder, which is for tests."},
	{"NullProbeScript", SETTING_TEXT, FIELD(null_probe_script), "",
		.meaning = "Script of the null encoder for its own probe."},

	COUNT("ProbesAtOnce", probes_at_once, "2", 1, 64,
		"Probes at once that try all that an encoder claims."),
	{"FullProof", SETTING_WORDS, FIELD(full_proof), "hardware",
		.words = "hardware software null",
		.meaning = "Encoders that are tried at all that they claim; others, if they work."},
	{"StateDirectory", SETTING_TEXT, FIELD(state_directory), CONFIG_STATE_DIRECTORY,
		.meaning = "Where proofs are kept from start to start, if it is there; or empty."},
	DURATION("ProofAge", proof_age_ms, "7d", SECOND, 42 * 24 * HOUR,
		"How old a kept proof may be before all of it is asked for anew."),
	{"DriverEnvironment", SETTING_TEXT, FIELD(driver_environment), "",
		.meaning = "Environment of workers alone: NAME=VALUE words, separated by blanks."},
	{"RequireWalls", SETTING_WORDS, FIELD(require_walls), "",
		.words = "no_new_privs no_capabilities not_dumpable no_core limits landlock "
			 "seccomp",
		.meaning = "Walls without which a child process is not used."},

	DURATION("StartBudget", start_budget_ms, "10s", SECOND, 120 * SECOND,
		"From handing a session to a worker to its first call."),
	DURATION("OwnBudget", own_budget_ms, "2s", 100, 60 * SECOND,
		"The worker's own work between two calls."),
	DURATION("ProbeBudget", probe_budget_ms, "10s", 100, HOUR,
		"A case of the probe of an encoder."),
	DURATION("ProbeWait", probe_wait_ms, "30s", 100, HOUR,
		"How long a request waits for probes before it goes on without them."),
	DURATION("OpenBudget", open_budget_ms, "10s", 100, HOUR, "Opening an encoder."),
	DURATION("EncodeBudget", encode_budget_ms, "2s", 100, HOUR,
		"A call that sends a frame or receives a packet."),
	DURATION("FlushBudget", flush_budget_ms, "5s", 100, HOUR, "A flush, for each packet."),
	DURATION("CloseBudget", close_budget_ms, "5s", 100, HOUR, "Closing an encoder."),
	DURATION("SoftwareCallCap", software_cap_ms, "10min", 100, HOUR,
		"A call of a software encoder, however busy its process is."),
	DURATION("WorkerAnswer", answer_budget_ms, "2s", 100, HOUR,
		"The answer of a worker's or a front's event loop."),
	DURATION("TaintedDrain", drain_ms, "1min", 100, HOUR,
		"The time left to the other sessions of a worker that has abandoned a call."),
	DURATION("StopTimeout", stop_ms, "20s", 100, HOUR,
		"The time left to open sessions when vencd is told to stop."),
	DURATION("KillGrace", kill_grace_ms, "2s", 100, HOUR,
		"From SIGKILL until a process that is still there is left as a tombstone."),
	DURATION("InspectBudget", inspect_budget_ms, "1s", 10, 60 * SECOND,
		"The look of an inspector at a call that seems not to return."),
	DURATION("WatchdogTick", tick_ms, "100ms", 20, SECOND,
		"How often calls are looked at; at most half of every budget."),

	COUNT("InspectorsMax", inspectors_max, "4", 0, 64,
		"Inspectors at work at once; one user's calls get half of them, rounded up."),
	COUNT("TaintedMax", tainted_max, "64", 1, 4096,
		"Workers of one device with an abandoned call, before it takes no more work."),
	COUNT("TombstonesMax", tombstones_max, "16", 1, 1024,
		"Processes of one device that SIGKILL did not end, before it takes no more work."),
	COUNT("LeakedThreadsMax", leaked_threads_max, "64", 1, 4096,
		"Threads of one device left in abandoned calls, before it takes no more work."),
	COUNT("LeakedFdsMax", leaked_fds_max, "512", 1, 65536,
		"Descriptors that went with them, before the device takes no more work."),
	{"LeakedBytesMax", SETTING_BYTES, FIELD(leaked_bytes_max), "8G", UINT64_C(1) << 20,
		UINT64_C(1) << 40,
		.meaning = "Bytes that went with them, before the device takes no more work."},
	COUNT("DaemonTaintedMax", daemon_tainted_max, "128", 1, 4096,
		"TaintedMax for all devices together."),
	COUNT("DaemonTombstonesMax", daemon_tombstones_max, "32", 1, 1024,
		"TombstonesMax for all devices, fronts and adapters together."),
	COUNT("DaemonLeakedThreadsMax", daemon_leaked_threads_max, "128", 1, 4096,
		"LeakedThreadsMax for all devices together."),
	COUNT("DaemonLeakedFdsMax", daemon_leaked_fds_max, "1024", 1, 65536,
		"LeakedFdsMax for all devices together."),
	{"DaemonLeakedBytesMax", SETTING_BYTES, FIELD(daemon_leaked_bytes_max), "16G",
		UINT64_C(1) << 20, UINT64_C(1) << 40,
		.meaning = "LeakedBytesMax for all devices together."},

	COUNT("StrikesMax", strikes_max, "3", 0, 32,
		"Strikes of one user with one shape of request that cost the encoder; 0: never."),
	COUNT("StrikesPerEncoder", strikes_per_encoder, "6", 0, 32,
		"Strikes of one user with any requests that cost the encoder; 0: never."),
	DURATION("StrikeWindow", strike_window_ms, "10min", 100, 24 * HOUR,
		"How long a strike counts."),
	DURATION("StrikeTime", strike_ms, "10min", 100, 24 * HOUR,
		"How long an encoder is lost to a user."),
	COUNT("QuarantineUsers", quarantine_users, "2", 0, 32,
		"Users with strikes on one encoder that put it into quarantine; 0: never."),
	DURATION("QuarantineMin", quarantine_min_ms, "30s", 100, 24 * HOUR,
		"From the first quarantine of an encoder to its next probe; it doubles."),
	DURATION("QuarantineMax", quarantine_max_ms, "1h", 100, 24 * HOUR,
		"The longest such time; so long in order, and it begins again at the shortest."),
};

struct reader {
	const char *path;
	struct config *config;
	struct config_error *error;
	unsigned line;
	unsigned given[ARRAY_SIZE(settings)]; /* the line that has the setting; 0: none */
};

/* The whole message is the path, the line where there is one, and what was found. */
static int fail(struct reader *reader, unsigned line, const char *format, ...)
{
	struct config_error *e = reader->error;
	va_list ap;
	int n;

	e->line = line;
	if (line)
		n = snprintf(e->text, sizeof(e->text), "%.200s:%u: ", reader->path, line);
	else
		n = snprintf(e->text, sizeof(e->text), "%.200s: ", reader->path);
	va_start(ap, format);
	vsnprintf(e->text + n, sizeof(e->text) - (size_t)n, format, ap);
	va_end(ap);
	return -EINVAL;
}

/* Keys. */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance, letters of either case alike; what is far too long is far away. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64], n = (unsigned)strlen(b);

	if (n >= ARRAY_SIZE(row) || strlen(a) >= ARRAY_SIZE(row))
		return UINT32_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (; *a; a++) {
		unsigned diagonal = row[0]++;

		for (unsigned j = 1; j <= n; j++) {
			unsigned same = tolower((unsigned char)*a) ==
				tolower((unsigned char)b[j - 1]);
			unsigned cost = min3(row[j] + 1, row[j - 1] + 1, diagonal + !same);

			diagonal = row[j];
			row[j] = cost;
		}
	}
	return row[n];
}

static const struct setting *find_key(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].key, key))
			return &settings[i];
	return NULL;
}

static const char *nearest_key(const char *key)
{
	const struct setting *nearest = settings;

	for (size_t i = 1; i < ARRAY_SIZE(settings); i++)
		if (distance(settings[i].key, key) < distance(nearest->key, key))
			nearest = &settings[i];
	return nearest->key;
}

/* Lines. */

static char *trim(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	for (n = strlen(text); n && isspace((unsigned char)text[n - 1]);)
		n--;
	text[n] = '\0';
	return text;
}

static int take_setting(struct reader *reader, const char *key, const char *value)
{
	const struct setting *s = find_key(key);
	char range[SETTING_RANGE_SIZE];
	const char *wrong;
	unsigned *given;

	if (!s)
		return fail(reader, reader->line, "%.64s: no such setting; the nearest is %s", key,
			nearest_key(key));
	given = &reader->given[s - settings];
	if (*given)
		return fail(reader, reader->line, "%s: given in line %u already", key, *given);
	*given = reader->line;
	wrong = setting_parse(s, value, reader->config);
	if (wrong)
		return fail(reader, reader->line, "%s=%.64s: %s; %s", key, value, wrong,
			setting_describe(s, range));
	return 0;
}

static int take_line(struct reader *reader, char *line)
{
	char *text = trim(line), *equals;

	if (!*text || *text == '#' || *text == ';')
		return 0;
	if (*text == '[')
		return !strcmp(text, "[vencd]")
			? 0
			: fail(reader, reader->line,
				  "%.64s: no such section; there is [vencd] alone", text);
	equals = strchr(text, '=');
	if (!equals)
		return fail(reader, reader->line, "%.64s: not Key=Value", text);
	*equals = '\0';
	return take_setting(reader, trim(text), trim(equals + 1));
}

/* 1: a line, without its end; 0: there is none any more. */
static int read_line(struct reader *reader, FILE *file, char line[static SETTING_LINE_SIZE])
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(file)) != EOF && c != '\n') {
		if (c == '\0' || n == SETTING_LINE_SIZE - 1)
			return fail(reader, reader->line + 1, "longer than %u bytes, or not text",
				SETTING_LINE_SIZE - 1);
		line[n++] = (char)c;
	}
	line[n] = '\0';
	if (ferror(file))
		return fail(reader, 0, "cannot be read: %s", strerror(errno));
	if (c == EOF && !n)
		return 0;
	if (++reader->line > LINES_MAX)
		return fail(reader, reader->line, "more than %u lines", LINES_MAX);
	return 1;
}

static int read_lines(struct reader *reader, FILE *file)
{
	char line[SETTING_LINE_SIZE];
	int r;

	while ((r = read_line(reader, file, line)) == 1) {
		r = take_line(reader, line);
		if (r < 0)
			break;
	}
	return r;
}

static int read_file(struct reader *reader, bool must_exist)
{
	FILE *file = fopen(reader->path, "re");
	int r;

	if (!file && errno == ENOENT && !must_exist)
		return 0;
	if (!file)
		return fail(reader, 0, "cannot be opened: %s", strerror(errno));
	r = read_lines(reader, file);
	fclose(file);
	return r;
}

/* What holds between settings. */

static int check_tick(struct reader *reader)
{
	static const char *const keys[] = {"StartBudget", "OwnBudget", "ProbeBudget", "OpenBudget",
		"EncodeBudget", "FlushBudget", "CloseBudget", "WorkerAnswer"};
	const struct setting *tick = find_key("WatchdogTick");
	char t[SETTING_TEXT_SIZE], b[SETTING_TEXT_SIZE];

	setting_print(tick, reader->config, t);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct setting *s = find_key(keys[i]);
		const char *field = (const char *)reader->config + s->offset;

		if (reader->config->tick_ms <= *(const uint32_t *)field / 2)
			continue;
		setting_print(s, reader->config, b);
		return fail(reader, reader->given[tick - settings] ?: reader->given[s - settings],
			"WatchdogTick=%s: more than half of %s=%s", t, keys[i], b);
	}
	return 0;
}

static int check_sessions(struct reader *reader)
{
	const struct config *c = reader->config;
	unsigned user = reader->given[find_key("SessionsPerUser") - settings];
	unsigned all = reader->given[find_key("SessionsMax") - settings];

	if (c->sessions_per_user <= c->sessions_max)
		return 0;
	return fail(reader, user ?: all, "SessionsPerUser=%u%s: more than SessionsMax=%u%s",
		c->sessions_per_user, user ? "" : " (its default)", c->sessions_max,
		all ? "" : " (its default)");
}

static int check_quarantine(struct reader *reader)
{
	const struct setting *min = find_key("QuarantineMin"), *max = find_key("QuarantineMax");
	char shorter[SETTING_TEXT_SIZE], longer[SETTING_TEXT_SIZE];

	if (reader->config->quarantine_min_ms <= reader->config->quarantine_max_ms)
		return 0;
	setting_print(min, reader->config, shorter);
	setting_print(max, reader->config, longer);
	return fail(reader, reader->given[min - settings] ?: reader->given[max - settings],
		"QuarantineMin=%s: more than QuarantineMax=%s", shorter, longer);
}

/* Names in capitals, as drivers and the loader have them; a value is anything without blanks. */
static int check_environment(struct reader *reader)
{
	const struct setting *s = find_key("DriverEnvironment");
	const char *p = reader->config->driver_environment;

	while (*(p += strspn(p, " \t"))) {
		size_t n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

		if (n == 0 || p[n] != '=' || isdigit((unsigned char)*p))
			return fail(reader, reader->given[s - settings],
				"DriverEnvironment: %.64s: not NAME=VALUE", p);
		p += strcspn(p, " \t");
	}
	return 0;
}

static int check_state_directory(struct reader *reader)
{
	const char *path = reader->config->state_directory;

	if (!*path || *path == '/')
		return 0;
	return fail(reader, reader->given[find_key("StateDirectory") - settings],
		"StateDirectory=%.64s: neither an absolute path nor empty", path);
}

void config_driver_variable(const struct config *config, const char *name, char *ret, size_t size)
{
	const char *words = config->driver_environment, *p = words - 1;

	ret[0] = '\0';
	while ((p = strstr(p + 1, name)))
		if (p == words || p[-1] == ' ' || p[-1] == '\t') {
			p += strlen(name);
			snprintf(ret, size, "%.*s", (int)strcspn(p, " \t"), p);
			return;
		}
}

static void set_defaults(struct config *config)
{
	*config = (struct config){0};
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (setting_parse(&settings[i], settings[i].initial, config))
			abort(); /* the table is wrong */
}

int config_load(struct config *ret, const char *path, bool must_exist, struct config_error *error)
{
	struct reader reader = {.path = path, .config = ret, .error = error};
	int r;

	set_defaults(ret);
	r = read_file(&reader, must_exist);
	r = r ? r : check_sessions(&reader);
	r = r ? r : check_quarantine(&reader);
	r = r ? r : check_environment(&reader);
	r = r ? r : check_state_directory(&reader);
	return r ? r : check_tick(&reader);
}

void config_print(FILE *file, const struct config *config)
{
	char text[SETTING_RANGE_SIZE];

	fprintf(file, "[vencd]\n");
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];

		fprintf(file, "\n# %s\n# (%s)\n", s->meaning, setting_describe(s, text));
		setting_print(s, config, text);
		fprintf(file, "%s=%s\n", s->key, text);
	}
}
