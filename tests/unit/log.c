// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The log, read from outside: stderr is a real pipe, which is read, left full or closed. Nothing
 * waits for time to pass but log_close(), whose bound is looked at. A call of log_message() that
 * blocked would end the test by its alarm.
 *
 * With the argument "journal" the log is sent to a socket that stands where journald's does, in a
 * mount namespace of the test's own; where that may not be made the test is skipped.
 */

#include "daemon/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/check.h"

#define SKIPPED 77
#define PIPE_BYTES 4096
#define FLOOD 3000u /* lines: more than the queue and the pipe hold */

static int read_end = -1;

static void make_pipe(void)
{
	int fds[2];

	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	CHECK(fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES) == PIPE_BYTES);
	CHECK(dup2(fds[1], 2) == 2);
	close(fds[1]);
	if (read_end >= 0)
		close(read_end);
	read_end = fds[0];
}

/* Reads one line, without its end; the empty line at the end of the pipe. */
static const char *read_line(void)
{
	static char line[1024];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(read_end, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	return line;
}

/* The line behind its time, which must look like one. */
static const char *read_text(void)
{
	const char *line = read_line();
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		CHECK(form[i] == 'd' ? line[i] >= '0' && line[i] <= '9' : line[i] == form[i]);
	return line + sizeof(form) - 1;
}

static void check_next(const char *expected)
{
	const char *text = read_text();

	if (strcmp(text, expected) != 0)
		fprintf(stderr, "'%s', not '%s'\n", text, expected);
	CHECK(!strcmp(text, expected));
}

static void check_lines(void)
{
	char many[600];

	make_pipe();
	log_debug("before %s", "opening");
	check_next("debug: before opening");
	CHECK(log_open(LOG_LEVEL_NOTICE) == 0);
	CHECK(log_open(LOG_LEVEL_NOTICE) == -EALREADY);
	errno = ENOTTY;
	log_info("not seen");
	log_notice("one %d", 1);
	log_warning("two\n2026-01-01T00:00:00.000Z error: forged\x1b[2J\x7f");
	log_message_about(LOG_LEVEL_ERROR, "VENCD_SESSION=7", "three");
	CHECK(errno == ENOTTY);
	memset(many, 'x', sizeof(many));
	memcpy(many + 507, "\xc3\xa4", 2); /* where it is cut */
	log_error("%.599s", many);
	CHECK(log_close(10000) == 0);
	log_warning("after closing");
	check_next("notice: one 1");
	check_next("warning: two 2026-01-01T00:00:00.000Z error: forged [2J ");
	check_next("error: three");
	strcpy(many + 507, "...");
	memmove(many + 7, many, 511);
	memcpy(many, "error: ", 7);
	check_next(many);
	check_next("warning: after closing");
}

/* What a reader finds: numbered lines in order, and gaps of the told lengths between them. */
static unsigned read_flood(unsigned from, unsigned to)
{
	unsigned next = from, n, gaps = 0;

	while (next < to) {
		const char *text = read_text();

		if (sscanf(text, "info: line %u", &n) == 1) {
			CHECK(n == next);
			next++;
		} else {
			CHECK(sscanf(text, "warning: %u lines of the log were dropped", &n) == 1);
			CHECK(n > 0);
			gaps++;
			next += n;
		}
	}
	CHECK(next == to);
	return gaps;
}

static void flood(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		log_info("line %u", i);
}

/* Nobody reads: whoever logs goes on, closing is bounded, and the gap is told later. */
static void check_full_pipe(int flags)
{
	make_pipe();
	CHECK(fcntl(2, F_SETFL, O_WRONLY | flags) == 0);
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	flood(0, FLOOD);
	CHECK(log_close(20) == -ETIMEDOUT);
	CHECK(log_open(LOG_LEVEL_INFO) == -EBUSY);
	flood(FLOOD, FLOOD + 3); /* dropped, and counted */
	CHECK(read_flood(0, FLOOD + 3) > 0);
	CHECK(log_close(10000) == 0);
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	flood(0, 1);
	CHECK(log_close(10000) == 0);
	check_next("info: line 0");
}

/* The gap stands where it was: before the first line that found room again. */
static void check_gap(void)
{
	make_pipe();
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	flood(0, FLOOD);
	CHECK(read_flood(0, 500) == 0);
	flood(FLOOD, FLOOD + 100);
	CHECK(read_flood(500, FLOOD) > 0);
	CHECK(read_flood(FLOOD, FLOOD + 100) == 0);
	CHECK(log_close(10000) == 0);
}

/* A closed stderr costs lines, not the daemon; what was lost is told once it can be. */
static void check_closed_pipe(void)
{
	make_pipe();
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	close(read_end);
	read_end = -1;
	flood(0, 3);
	CHECK(log_close(10000) == 0); /* and no SIGPIPE */
	signal(SIGPIPE, SIG_IGN);     /* as vencd does */
	errno = ENOTTY;
	flood(3, 5); /* not by the writer */
	CHECK_EQUAL(errno, ENOTTY);
	make_pipe();
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	flood(5, 6);
	CHECK(log_close(10000) == 0);
	CHECK(read_flood(0, 6) == 1);
}

static void *run_flood(void *unused)
{
	flood(0, FLOOD);
	return unused;
}

static void *run_reader(void *ret)
{
	unsigned seen = 0, n;

	while (seen < 3 * FLOOD)
		seen += sscanf(read_text(), "warning: %u lines", &n) == 1 ? n : 1;
	*(unsigned *)ret = seen;
	return NULL;
}

/* Several threads log while one reads: each line is whole, and written or counted. */
static void check_threads(void)
{
	pthread_t reader, writers[3];
	unsigned seen;

	make_pipe();
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	CHECK(pthread_create(&reader, NULL, run_reader, &seen) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&writers[i], NULL, run_flood, NULL) == 0);
	for (int i = 0; i < 3; i++)
		pthread_join(writers[i], NULL);
	CHECK(log_close(10000) == 0);
	pthread_join(reader, NULL);
	CHECK(seen == 3 * FLOOD);
}

/* The value of a field of a thread's status, hexadecimal. */
static unsigned long thread_status(const char *tid, const char *field, const char *name)
{
	char path[64], line[256];
	unsigned long value = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/status", tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		found = found || (!strncmp(line, "Name:\t", 6) && strstr(line, name));
		if (found && !strncmp(line, field, strlen(field)))
			value = strtoul(line + strlen(field), NULL, 16);
	}
	if (file)
		fclose(file);
	return value;
}

/* No signal may go to the writer: the event loop has them blocked, and waits for them. */
static void check_signals(void)
{
	unsigned long blocked = 0;
	struct dirent *entry;
	DIR *tasks;

	make_pipe();
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	tasks = opendir("/proc/self/task");
	while (tasks && (entry = readdir(tasks)))
		blocked |= thread_status(entry->d_name, "SigBlk:", "vencd-log");
	closedir(tasks);
	CHECK(log_close(10000) == 0);
	for (int signal = 1; signal < 31; signal++)
		CHECK(signal == 9 || signal == 19 || blocked >> (signal - 1) & 1);
}

/* Maps the user, or the group, to 0: unmapped ones can make no file. */
static bool map_id(const char *path, unsigned id)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && dprintf(fd, "0 %u 1", id) > 0 && close(fd) == 0;
}

static bool deny_setgroups(void)
{
	int fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && dprintf(fd, "deny") > 0 && close(fd) == 0;
}

/* A mount namespace whose mounts stay in it. Returns false where it cannot be had. */
static bool enter_namespace(void)
{
	unsigned user = getuid(), group = getgid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
		return deny_setgroups() && map_id("/proc/self/uid_map", user) &&
			map_id("/proc/self/gid_map", group);
	/* In a chroot / may be no mount point, and no user namespace can be had. */
	return unshare(CLONE_NEWNS) == 0 &&
		(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ||
			mount(NULL, "/run", NULL, MS_PRIVATE, NULL) == 0);
}

/* A socket where journald's would be, seen by this process alone. */
static int make_journal(void)
{
	struct sockaddr_un address = {AF_UNIX, "/run/systemd/journal/socket"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!enter_namespace() ||
		mount("test", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")) {
		fprintf(stderr, "no mount namespace to put a journal into\n");
		exit(SKIPPED);
	}
	CHECK(mkdir("/run/systemd", 0755) == 0 && mkdir("/run/systemd/journal", 0755) == 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static void check_entry(int journal, const char *expected)
{
	char entry[1024];
	ssize_t n = recv(journal, entry, sizeof(entry) - 1, MSG_DONTWAIT);

	CHECK(n > 0);
	entry[n] = '\0';
	if (strcmp(entry, expected) != 0)
		fprintf(stderr, "'%s', not '%s'\n", entry, expected);
	CHECK(!strcmp(entry, expected));
}

static void check_journal(void)
{
	int journal = make_journal();
	char stream[64], many[LOG_FIELDS_MAX + 1] = "", byte;
	struct stat st;

	make_pipe();
	CHECK(fstat(2, &st) == 0);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
		(unsigned long)st.st_ino);
	CHECK(setenv("JOURNAL_STREAM", stream, 1) == 0);
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	log_error("first\nline");
	log_message_about(LOG_LEVEL_INFO, "VENCD_SESSION=7", "second");
	log_message_about(LOG_LEVEL_INFO, "A=1\nB=2 3\nC=", "several");
	memset(many, 'x', sizeof(many) - 1);
	log_message_about(LOG_LEVEL_INFO, many, "too much");
	CHECK(log_close(10000) == 0);
	check_entry(journal, "PRIORITY=3\nSYSLOG_IDENTIFIER=vencd\nMESSAGE=first line\n");
	check_entry(
		journal, "PRIORITY=6\nSYSLOG_IDENTIFIER=vencd\nMESSAGE=second\nVENCD_SESSION=7\n");
	check_entry(
		journal, "PRIORITY=6\nSYSLOG_IDENTIFIER=vencd\nMESSAGE=several\nA=1\nB=2 3\nC=\n");
	check_entry(journal, "PRIORITY=6\nSYSLOG_IDENTIFIER=vencd\nMESSAGE=too much\n");
	CHECK(fcntl(read_end, F_SETFL, O_NONBLOCK) == 0);
	CHECK(read(read_end, &byte, 1) < 0 && errno == EAGAIN);

	/* Another stderr than the one that the variable is about. */
	make_pipe();
	CHECK(log_open(LOG_LEVEL_INFO) == 0);
	log_info("third");
	CHECK(log_close(10000) == 0);
	check_next("info: third");
}

int main(int argc, char **argv)
{
	alarm(60);
	stderr = fdopen(fcntl(2, F_DUPFD_CLOEXEC, 10), "w"); /* fd 2 will be a pipe */
	CHECK(stderr && setvbuf(stderr, NULL, _IONBF, 0) == 0);
	unsetenv("JOURNAL_STREAM");
	if (argc > 1 && !strcmp(argv[1], "journal")) {
		check_journal();
	} else {
		check_lines();
		check_full_pipe(0);
		check_full_pipe(O_NONBLOCK);
		check_gap();
		check_threads();
		check_signals();
		check_closed_pipe();
	}
	return 0;
}
