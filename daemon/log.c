// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The log's queue and its writer thread. The lock is held for a copy of one line, never across a
 * write. The thread is detached: when it hangs in a write at the end, log_close() gives up on it and
 * the process ends without it.
 */

#include "daemon/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#define LINES_MAX 1024u
#define LINE_MAX_BYTES 512u

struct line {
	enum log_level level;
	struct timespec time;
	char text[LINE_MAX_BYTES];
};

enum log_state {
	LOG_CLOSED,
	LOG_OPEN,
	LOG_CLOSING
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	enum log_state state;
	enum log_level level;
	bool journal;
	unsigned first, count;
	unsigned long dropped;
	struct line lines[LINES_MAX];
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const struct {
	const char *name;
	int priority; /* syslog's */
} levels[LOG_LEVEL_ERROR + 1] = {
	[LOG_LEVEL_DEBUG] = {"debug", 7},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_NOTICE] = {"notice", 5},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_ERROR] = {"error", 3},
};

static void write_line(const struct line *line)
{
	struct tm tm;
	char text[LINE_MAX_BYTES + 64];
	int n;

	if (queue.journal) {
		(void)sd_journal_send("PRIORITY=%d", levels[line->level].priority, "MESSAGE=%s",
			line->text, NULL);
		return;
	}
	localtime_r(&line->time.tv_sec, &tm);
	n = snprintf(text, sizeof(text), "%02d:%02d:%02d.%03ld %s: %s\n", tm.tm_hour, tm.tm_min,
		tm.tm_sec, line->time.tv_nsec / 1000000, levels[line->level].name, line->text);
	/* Nobody is left to tell of a log that cannot be written. */
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return;
}

static void fill_line(struct line *line, enum log_level level, const char *format, va_list args)
{
	line->level = level;
	clock_gettime(CLOCK_REALTIME, &line->time);
	(void)vsnprintf(line->text, sizeof(line->text), format, args);
}

static void __attribute__((format(printf, 3, 4))) fill_own_line(
	struct line *line, enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill_line(line, level, format, args);
	va_end(args);
}

/* With the lock held: the next line to write, or the word that some were dropped. */
static bool next_line(struct line *ret)
{
	if (queue.count > 0) {
		*ret = queue.lines[queue.first];
		queue.first = (queue.first + 1) % LINES_MAX;
		queue.count--;
		return true;
	}
	if (queue.dropped == 0)
		return false;
	fill_own_line(ret, LOG_LEVEL_WARNING, "%lu log lines were dropped here", queue.dropped);
	queue.dropped = 0;
	return true;
}

static void *writer(void *unused)
{
	struct line line;

	(void)unused;
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		if (next_line(&line)) {
			pthread_mutex_unlock(&queue.lock);
			write_line(&line);
			pthread_mutex_lock(&queue.lock);
			continue;
		}
		if (queue.state == LOG_CLOSING)
			break;
		pthread_cond_wait(&queue.change, &queue.lock);
	}
	queue.state = LOG_CLOSED;
	pthread_cond_broadcast(&queue.change);
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

/* Whether stderr is the journal's stream, as systemd says in $JOURNAL_STREAM. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat st;

	return text && sscanf(text, "%lu:%lu", &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

int log_open(enum log_level level)
{
	pthread_condattr_t attributes;
	pthread_t thread;
	int r;

	queue.level = level;
	queue.journal = stderr_is_journal();
	queue.state = LOG_OPEN;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&queue.change, &attributes);
	pthread_condattr_destroy(&attributes);
	r = pthread_create(&thread, NULL, writer, NULL);
	if (r != 0) {
		queue.state = LOG_CLOSED;
		return -r;
	}
	pthread_setname_np(thread, "log");
	pthread_detach(thread);
	return 0;
}

void log_message(enum log_level level, const char *format, ...)
{
	va_list args;

	if (level < queue.level)
		return;
	pthread_mutex_lock(&queue.lock);
	if (queue.state != LOG_OPEN || queue.count == LINES_MAX) {
		queue.dropped++;
	} else {
		va_start(args, format);
		fill_line(
			&queue.lines[(queue.first + queue.count) % LINES_MAX], level, format, args);
		va_end(args);
		queue.count++;
		pthread_cond_signal(&queue.change);
	}
	pthread_mutex_unlock(&queue.lock);
}

int log_close(uint32_t timeout_ms)
{
	struct timespec end;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&queue.lock);
	if (queue.state == LOG_OPEN)
		queue.state = LOG_CLOSING;
	pthread_cond_broadcast(&queue.change);
	while (queue.state == LOG_CLOSING)
		if (pthread_cond_timedwait(&queue.change, &queue.lock, &end) == ETIMEDOUT)
			break;
	r = queue.state == LOG_CLOSING ? -ETIMEDOUT : 0;
	pthread_mutex_unlock(&queue.lock);
	return r;
}
