// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The settings: real files go through config_load(), and each mistake is refused with its line and
 * what would be right. What config_print() says of each setting (range, default) is what the man
 * page and the example file say. Usage: test-config VENCD.CONF.5 VENCD.CONF
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "hw/catalogue.h"
#include "hw/deny.h"
#include "tests/unit/check.h"

static char path[] = "/tmp/vencd-test-config-XXXXXX";
static struct config config;
static struct config_error error;

static int load_bytes(const char *text, size_t size)
{
	FILE *file = fopen(path, "we");

	CHECK(file && fwrite(text, 1, size, file) == size);
	CHECK(fclose(file) == 0);
	return config_load(&config, path, true, &error);
}

static int load(const char *text)
{
	return load_bytes(text, strlen(text));
}

/* The text, whatever the file's name, is "FILE:line: what"; line 0: "FILE: what". */
static void check_refused(const char *text, unsigned line, const char *what)
{
	char expected[sizeof(error.text)];
	int r = load(text);

	if (line)
		snprintf(expected, sizeof(expected), "%s:%u: %s", path, line, what);
	else
		snprintf(expected, sizeof(expected), "%s: %s", path, what);
	if (r == -EINVAL && error.line == line && !strcmp(error.text, expected))
		return;
	fprintf(stderr, "%s\ngave %d, line %u, \"%s\",\nnot \"%s\"\n", text, r, error.line,
		r ? error.text : "", expected);
	exit(1);
}

static void check_defaults(const struct config *c)
{
	CHECK(!strcmp(c->socket, "/run/vencd/io.vencd.Encoder"));
	CHECK_EQUAL(c->socket_mode, 0666);
	CHECK_EQUAL(c->log_level, LOG_LEVEL_INFO);
	CHECK_EQUAL(c->sessions_max, 256);
	CHECK_EQUAL(c->sessions_per_user, 64);
	CHECK_EQUAL(c->memory_per_user, 16ll << 30);
	CHECK_EQUAL(c->connections_per_user, 128);
	CHECK_EQUAL(c->fronts_max, 64);
	CHECK_EQUAL(c->workers_max, 320);
	CHECK_EQUAL(c->warm_workers, 1);
	CHECK_EQUAL(c->sessions_per_worker, 4);
	CHECK_EQUAL(c->reports_kept, 256);
	CHECK_EQUAL(c->encoder_threads, 0);
	CHECK(!strcmp(c->software, "svtav1 libx264 libx265"));
	CHECK(!c->null_encoder && !c->null_probe_script[0]);
	CHECK_EQUAL(c->tombstones_max, 16);
	CHECK_EQUAL(c->leaked_threads_max, 64);
	CHECK_EQUAL(c->leaked_bytes_max, 8ll << 30);
	CHECK_EQUAL(c->daemon_leaked_bytes_max, 16ll << 30);
	CHECK_EQUAL(c->worker_growth, 1ll << 30);
	CHECK_EQUAL(c->strikes_max, 3);
	CHECK_EQUAL(c->strikes_per_encoder, 6);
	CHECK_EQUAL(c->quarantine_users, 2);
}

static void check_default_times(const struct config *c)
{
	CHECK_EQUAL(c->start_budget_ms, 10000);
	CHECK_EQUAL(c->own_budget_ms, 2000);
	CHECK_EQUAL(c->probe_budget_ms, 10000);
	CHECK_EQUAL(c->open_budget_ms, 10000);
	CHECK_EQUAL(c->encode_budget_ms, 2000);
	CHECK_EQUAL(c->flush_budget_ms, 5000);
	CHECK_EQUAL(c->close_budget_ms, 5000);
	CHECK_EQUAL(c->software_cap_ms, 600000);
	CHECK_EQUAL(c->answer_budget_ms, 2000);
	CHECK_EQUAL(c->drain_ms, 60000);
	CHECK_EQUAL(c->stop_ms, 20000);
	CHECK_EQUAL(c->kill_grace_ms, 2000);
	CHECK_EQUAL(c->tick_ms, 100);
}

static void check_missing_file(void)
{
	char missing[sizeof(path) + 8];

	snprintf(missing, sizeof(missing), "%s.none", path);
	CHECK(config_load(&config, missing, false, &error) == 0);
	check_defaults(&config);
	check_default_times(&config);
	CHECK(config_load(&config, missing, true, &error) == -EINVAL);
	CHECK(error.line == 0 && strstr(error.text, "cannot be opened: No such file or directory"));
	CHECK(config_load(&config, "/", false, &error) == -EINVAL);
	CHECK(strstr(error.text, "cannot be read: Is a directory"));
}

static void check_forms(void)
{
	CHECK(load("") == 0);
	check_defaults(&config);
	CHECK(load("# a comment\n; another\n\n [vencd] \r\n\tSessionsMax =  7 \r\n"
		   "SessionsPerUser=7") == 0);
	CHECK_EQUAL(config.sessions_max, 7);
	CHECK(load("EncodeBudget=500ms\nOpenBudget=3\nProbeBudget=2min\nFlushBudget=1h\n"
		   "CloseBudget=200ms\nMemoryPerUser=67108865\n"
		   "SocketMode=0600\nNullEncoder=on\n") == 0);
	CHECK_EQUAL(config.encode_budget_ms, 500);
	CHECK_EQUAL(config.open_budget_ms, 3000);
	CHECK_EQUAL(config.probe_budget_ms, 120000);
	CHECK_EQUAL(config.flush_budget_ms, 3600000);
	CHECK_EQUAL(config.close_budget_ms, 200);
	CHECK_EQUAL(config.memory_per_user, 67108865);
	CHECK_EQUAL(config.socket_mode, 0600);
	CHECK(config.null_encoder);
	CHECK(load("MemoryPerUser=1T\nLogLevel=error\nNullEncoder=no\n"
		   "NullProbeScript=send 3 = hang # this too\n") == 0);
	CHECK_EQUAL(config.memory_per_user, 1ll << 40);
	CHECK_EQUAL(config.log_level, LOG_LEVEL_ERROR);
	CHECK(!config.null_encoder);
	CHECK(!strcmp(config.null_probe_script, "send 3 = hang # this too"));
	CHECK(load("LogLevel=debug\nSoftwareEncoders= libx265   svtav1\n") == 0);
	CHECK_EQUAL(config.log_level, LOG_LEVEL_DEBUG);
	CHECK(!strcmp(config.software, "libx265 svtav1"));
	CHECK(load("SoftwareEncoders=\n") == 0);
	CHECK(!config.software[0]);
}

static void check_wrong_numbers(void)
{
	static const char *const not_numbers[] = {
		"banana", "", "-1", "+1", " ", "1 0", "1.5", "0x10", "1K", "1s"};
	char text[128], what[128];

	check_refused("[vencd]\n\nSessionsMax=banana\n", 3,
		"SessionsMax=banana: not a number; 1 to 4096; default 256");
	for (size_t i = 0; i < sizeof(not_numbers) / sizeof(not_numbers[0]); i++) {
		snprintf(text, sizeof(text), "WorkersMax=%s\n", not_numbers[i]);
		snprintf(what, sizeof(what), "WorkersMax=%s: not a number; 1 to 4096; default 320",
			strcmp(not_numbers[i], " ") ? not_numbers[i] : "");
		check_refused(text, 1, what);
	}
	check_refused("SessionsMax=0", 1, "SessionsMax=0: out of range; 1 to 4096; default 256");
	check_refused(
		"SessionsMax=4097", 1, "SessionsMax=4097: out of range; 1 to 4096; default 256");
	check_refused("SessionsMax=4294967297", 1,
		"SessionsMax=4294967297: out of range; 1 to 4096; default 256");
	check_refused("SessionsMax=99999999999999999999", 1,
		"SessionsMax=99999999999999999999: out of range; 1 to 4096; default 256");
	check_refused(
		"SocketMode=0888", 1, "SocketMode=0888: not a number; 0000 to 0777; default 0666");
	check_refused("SocketMode=01000", 1,
		"SocketMode=01000: out of range; 0000 to 0777; default 0666");
}

static void check_wrong_units(void)
{
	check_refused("OwnBudget=2 s", 1,
		"OwnBudget=2 s: not a time in ms, s, min, h or d; 100ms to 1min; default 2s");
	check_refused("OwnBudget=2K", 1,
		"OwnBudget=2K: not a time in ms, s, min, h or d; 100ms to 1min; default 2s");
	check_refused("OwnBudget=18446744073709551615h", 1,
		"OwnBudget=18446744073709551615h: out of range; 100ms to 1min; default 2s");
	check_refused(
		"OwnBudget=99ms", 1, "OwnBudget=99ms: out of range; 100ms to 1min; default 2s");
	check_refused("MemoryPerUser=2GB", 1,
		"MemoryPerUser=2GB: not a number of bytes, K, M, G or T; 64M to 1T; default 16G");
	check_refused(
		"MemoryPerUser=2T", 1, "MemoryPerUser=2T: out of range; 64M to 1T; default 16G");
}

static void check_wrong_words(void)
{
	check_refused("LogLevel=verbose", 1,
		"LogLevel=verbose: no such word; "
		"one of debug info notice warning error; default info");
	check_refused("LogLevel=", 1,
		"LogLevel=: no such word; one of debug info notice warning error; default info");
	check_refused("NullEncoder=maybe", 1,
		"NullEncoder=maybe: neither yes nor no; yes or no; default no");
	check_refused("SoftwareEncoders=libx264 vp9", 1,
		"SoftwareEncoders=libx264 vp9: has a word that is none of these; "
		"none or more of svtav1 libx264 libx265; default svtav1 libx264 libx265");
	check_refused("SoftwareEncoders=libx264 libx264", 1,
		"SoftwareEncoders=libx264 libx264: has a word twice; "
		"none or more of svtav1 libx264 libx265; default svtav1 libx264 libx265");
	check_refused("DenyOverride=amd-polaris", 1,
		"DenyOverride=amd-polaris: has a word that is none of these; "
		"none or more of amd-polaris-vce nvidia-vaapi-decodes-only; default empty");
	check_refused("Socket=here", 1,
		"Socket=here: not an absolute path; "
		"absolute path, at most 107 bytes; default /run/vencd/io.vencd.Encoder");
}

/* Each entry of the deny-list can be named. */
static void check_deny_list(void)
{
	char text[128];

	for (const struct deny_row *row = deny_rows; row->name; row++) {
		snprintf(text, sizeof(text), "DenyOverride=%s", row->name);
		CHECK_EQUAL(load(text), 0);
		CHECK(!strcmp(config.deny_override, row->name));
	}
}

static void check_lengths(void)
{
	char text[2048] = "Socket=/";

	memset(text + 8, 'x', 106);
	CHECK(load(text) == 0);
	CHECK_EQUAL(strlen(config.socket), 107);
	strcat(text, "y");
	CHECK(load(text) == -EINVAL && strstr(error.text, ": too long; "));
	memset(text, '#', sizeof(text) - 1);
	check_refused(text, 1, "longer than 1023 bytes, or not text");
	text[1023] = '\n';
	text[1024] = '\0';
	CHECK(load(text) == 0);
	CHECK(load_bytes("SessionsMax=3\n\0\n", 16) == -EINVAL);
	CHECK_EQUAL(error.line, 2);
	CHECK(load_bytes("SessionsMax=3\0", 14) == -EINVAL);
	CHECK(config_load(&config, "/dev/zero", true, &error) == -EINVAL);
}

static void check_wrong_lines(void)
{
	check_refused(
		"SessionMax=3\n", 1, "SessionMax: no such setting; the nearest is SessionsMax");
	check_refused("\nencodebudget=3\n", 2,
		"encodebudget: no such setting; the nearest is EncodeBudget");
	check_refused("Tick=1s\n", 1, "Tick: no such setting; the nearest is Socket");
	check_refused("=1\n", 1, ": no such setting; the nearest is Socket");
	check_refused("FrontsMax=3\n#\nFrontsMax=3\n", 3, "FrontsMax: given in line 1 already");
	check_refused("[vencd]\n[other]\n", 2, "[other]: no such section; there is [vencd] alone");
	check_refused("FrontsMax 3\n", 1, "FrontsMax 3: not Key=Value");
}

static void check_endless(void)
{
	size_t size = 2 * 10001;
	char *text = malloc(size);

	for (size_t i = 0; i < size; i += 2)
		memcpy(text + i, "#\n", 2);
	CHECK(load_bytes(text, size) == -EINVAL);
	CHECK_EQUAL(error.line, 10001);
	CHECK(load_bytes(text, size - 2) == 0);
	free(text);
}

static void check_contradictions(void)
{
	static const char *const budgets[] = {"OwnBudget", "ProbeBudget", "OpenBudget",
		"EncodeBudget", "FlushBudget", "CloseBudget", "WorkerAnswer"};
	char text[128], what[128];

	check_refused("\nSessionsMax=63\n", 2,
		"SessionsPerUser=64 (its default): more than SessionsMax=63");
	check_refused("SessionsPerUser=257\n", 1,
		"SessionsPerUser=257: more than SessionsMax=256 (its default)");
	CHECK(load("SessionsMax=64\n") == 0);
	check_refused("QuarantineMax=29s\n", 1, "QuarantineMin=30s: more than QuarantineMax=29s");
	CHECK(load("QuarantineMax=30s\n") == 0);
	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
		snprintf(text, sizeof(text), "\n%s=199ms\n", budgets[i]);
		snprintf(what, sizeof(what), "WatchdogTick=100ms: more than half of %s=199ms",
			budgets[i]);
		check_refused(text, 2, what);
		strcat(text, "WatchdogTick=99ms\n");
		CHECK(load(text) == 0);
	}
	check_refused("StartBudget=1s\nWatchdogTick=501ms\n", 2,
		"WatchdogTick=501ms: more than half of StartBudget=1s");
}

/* A whole file or output as text; the caller frees it. */
static char *slurp(const char *name)
{
	FILE *file = fopen(name, "re");
	char *text = calloc(1, 1 << 20);

	CHECK(file && text && fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

static char *print(void)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	CHECK(file);
	config_print(file, &config);
	CHECK(fclose(file) == 0);
	return text;
}

/* What is printed reads back as the same, and prints the same. */
static void check_print(void)
{
	struct config before;
	char *text, *again;

	CHECK(load("SessionsPerUser=3\nEncodeBudget=1500ms\nMemoryPerUser=100M\nSocketMode=0640\n"
		   "LogLevel=warning\nNullEncoder=yes\nNullProbeScript=open 1 hang\n"
		   "SoftwareEncoders=libx264\nEncoderThreads=0\nStopTimeout=90\n") == 0);
	before = config;
	text = print();
	CHECK(strstr(text, "\nEncodeBudget=1500ms\n") && strstr(text, "\nMemoryPerUser=100M\n"));
	CHECK(strstr(text, "\nSocketMode=0640\n") && strstr(text, "\nLogLevel=warning\n"));
	CHECK(strstr(text, "\nEncoderThreads=0\n") && strstr(text, "\nStopTimeout=90s\n"));
	CHECK(load(text) == 0);
	CHECK(memcmp(&before, &config, sizeof(config)) == 0);
	again = print();
	CHECK(!strcmp(text, again));
	free(again);
	free(text);
}

/* The man page has the settings in the table's order, each with its range and default. */
static void check_man_page(const char *name)
{
	char *page = slurp(name), *text = NULL, *line, *rest, *at = page;
	char range[700] = "", item[128];
	unsigned settings = 0, items = 0;

	CHECK(load("") == 0);
	text = print();
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!strncmp(line, "# (", 3))
			snprintf(range, sizeof(range), "\n%s\n", line + 2);
		if (line[0] == '#' || line[0] == '[')
			continue;
		snprintf(item, sizeof(item), "\n.It Ic %.*s Ns = Ns Ar ", (int)strcspn(line, "="),
			line);
		settings++;
		at = strstr(at, item);
		if (!at || !strstr(at, range)) {
			fprintf(stderr, "%s: no%sor not with%s", name, item, range);
			exit(1);
		}
		CHECK(!strstr(at + 1, "\n.It Ic ") ||
			strstr(at, range) < strstr(at + 1, "\n.It Ic "));
	}
	for (at = page; (at = strstr(at, "\n.It Ic ")); at++)
		items++;
	CHECK_EQUAL(items, settings);
	free(text);
	free(page);
}

static void check_man_example(const char *name)
{
	char *page = slurp(name), *begin = strstr(page, "\n[vencd]\n"), *end;

	CHECK(begin && (end = strstr(begin, "\n.Ed\n")));
	*end = '\0';
	CHECK(load(begin) == 0);
	CHECK_EQUAL(config.encode_budget_ms, 500);
	free(page);
}

/* The example file is what is printed of the defaults, each commented out. */
static void check_example(const char *name)
{
	char *file = slurp(name), *at = strstr(file, "\n[vencd]\n"), *text, *line, *rest;

	CHECK(at++ && load(file) == 0);
	check_defaults(&config);
	text = print();
	for (line = text; *line; line = rest + 1) {
		size_t n = strcspn(line, "\n");

		rest = line + n;
		if (n && *line != '#' && *line != '[')
			CHECK(*at++ == '#');
		CHECK(!strncmp(at, line, n + 1));
		at += n + 1;
	}
	CHECK(!*at);
	free(text);
	free(file);
}

/* SoftwareEncoders lists by default what the catalogue has. */
static void check_catalogue(void)
{
	unsigned known = 0, words = 1;

	CHECK(load("") == 0);
	for (const struct encoder_limits *l = encoder_catalogue; l->name; l++) {
		if (l->backend != VENCD_BACKEND_SOFTWARE)
			continue;
		CHECK(strstr(config.software, l->name));
		known++;
	}
	for (const char *p = config.software; *p; p++)
		words += *p == ' ';
	CHECK_EQUAL(words, known);
}

int main(int argc, char **argv)
{
	int fd;

	CHECK(argc == 3);
	fd = mkstemp(path);
	CHECK(fd >= 0 && close(fd) == 0);
	check_missing_file();
	check_forms();
	check_wrong_numbers();
	check_wrong_units();
	check_wrong_words();
	check_deny_list();
	check_lengths();
	check_wrong_lines();
	check_endless();
	check_contradictions();
	check_print();
	check_man_page(argv[1]);
	check_man_example(argv[1]);
	check_example(argv[2]);
	check_catalogue();
	unlink(path);
	return 0;
}
