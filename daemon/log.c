// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The log: a ring of lines behind one mutex, and one thread that writes them. The mutex is held for
 * the copy of a line and never across a system call but futex, so whoever logs waits for no reader
 * of the log. Formatting, too, is done outside.
 *
 *	DIRECT ── log_open ──▶ QUEUED ── log_close ──▶ CLOSING ── writer through ──▶ DIRECT
 *	                                                  │ time over
 *	                                                  ▼
 *	                                               STUCK ── writer through after all ──▶ DIRECT
 *
 * Lines come out in the order in which they were queued. Each carries how many were dropped just
 * before it, so that the gap is told where it is. What the writer could not write (stderr closed, a
 * disk full) counts as dropped, too.
 *
 * Everything is static: a writer that is left behind touches no memory that anyone frees.
 */

#include "daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION /* it would be this file's, always */
#include <systemd/sd-journal.h>

enum log_state {
	LOG_STATE_DIRECT, /* no writer: lines are written at once */
	LOG_STATE_QUEUED,
	LOG_STATE_CLOSING,
	LOG_STATE_STUCK,
};

struct line {
	struct timespec time;
	enum log_level level;
	uint64_t dropped_before;
	char fields[LOG_FIELDS_MAX];
	char text[LOG_LINE_MAX];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work, through;
	pthread_t writer;
	enum log_state state;
	_Atomic int least; /* enum log_level; 0 until it is opened */
	bool to_journal;
	uint64_t head, tail; /* lines queued and taken; line i is in queue[i % LOG_QUEUE_LINES] */
	uint64_t dropped;    /* since the last line was queued */
	struct line queue[LOG_QUEUE_LINES];
} log_ = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
	[LOG_LEVEL_INFO] = {"info", LOG_INFO},
	[LOG_LEVEL_NOTICE] = {"notice", LOG_NOTICE},
	[LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
	[LOG_LEVEL_ERROR] = {"error", LOG_ERR},
};

/* Writing. */

static bool write_all(const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(STDERR_FILENO, text, size);

		if (n >= 0) {
			text += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			/* Whoever made it non-blocking: to wait is what this thread is for. */
			struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

			(void)poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* In UTC: looking the time zone up would open files. */
static bool write_to_stderr(const struct line *line)
{
	char text[LOG_LINE_MAX + 64];
	struct tm tm;
	size_t n;

	gmtime_r(&line->time.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03ldZ %s: %s\n",
		line->time.tv_nsec / 1000000, levels[line->level].name, line->text);
	return write_all(text, n);
}

/* One for each line of the fields. Returns how many. */
static int put_fields(struct iovec *iov, const char *fields)
{
	int n = 0;

	while (*fields && n < (int)LOG_FIELDS) {
		size_t length = strcspn(fields, "\n");

		iov[n++] = (struct iovec){(char *)fields, length};
		fields += length + (fields[length] == '\n');
	}
	return n;
}

static bool write_to_journal(const struct line *line)
{
	char priority[] = "PRIORITY=0", message[LOG_LINE_MAX + 8];
	struct iovec iov[3 + LOG_FIELDS] = {
		{priority, strlen(priority)},
		{"SYSLOG_IDENTIFIER=vencd", strlen("SYSLOG_IDENTIFIER=vencd")},
		{message, 0},
	};

	priority[9] = (char)('0' + levels[line->level].priority);
	iov[2].iov_len = (size_t)sprintf(message, "MESSAGE=%s", line->text);
	return sd_journal_sendv(iov, 3 + put_fields(iov + 3, line->fields)) >= 0;
}

static bool write_line(const struct line *line)
{
	return (log_.to_journal && write_to_journal(line)) || write_to_stderr(line);
}

static bool write_gap(uint64_t dropped)
{
	struct line line = {.level = LOG_LEVEL_WARNING};

	clock_gettime(CLOCK_REALTIME, &line.time);
	snprintf(line.text, sizeof(line.text),
		"%lu lines of the log were dropped: they could not be written in time",
		(unsigned long)dropped);
	return write_line(&line);
}

/* The writer's thread. */

/* Takes the next line, or the gap at the queue's end; false: there will be none any more. */
static bool next_line(struct line *ret)
{
	bool found = true;

	pthread_mutex_lock(&log_.lock);
	while (log_.head == log_.tail && !log_.dropped && log_.state == LOG_STATE_QUEUED)
		pthread_cond_wait(&log_.work, &log_.lock);
	if (log_.head != log_.tail) {
		*ret = log_.queue[log_.tail++ % LOG_QUEUE_LINES];
	} else if (log_.dropped) {
		*ret = (struct line){.dropped_before = log_.dropped};
		log_.dropped = 0;
	} else {
		found = false;
		log_.state = LOG_STATE_DIRECT;
		pthread_cond_signal(&log_.through);
	}
	pthread_mutex_unlock(&log_.lock);
	return found;
}

static void count_dropped(uint64_t n)
{
	pthread_mutex_lock(&log_.lock);
	log_.dropped += n;
	pthread_mutex_unlock(&log_.lock);
}

static void *run_writer(void *unused)
{
	struct line line;
	uint64_t gap = 0;

	while (next_line(&line)) {
		gap += line.dropped_before;
		if (gap && write_gap(gap))
			gap = 0;
		if (line.level && !write_line(&line))
			gap++;
	}
	count_dropped(gap); /* for the next writer to tell */
	return unused;
}

/* Where systemd has connected stderr to the journal it says so, by device and inode. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* The event loop takes signals by a descriptor: no other thread may be there to get them. */
static int start_writer(void)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&log_.writer, NULL, run_writer, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		(void)pthread_setname_np(log_.writer, "vencd-log");
	return -r;
}

static void init_through(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&log_.through, &attr);
	pthread_condattr_destroy(&attr);
}

int log_open(enum log_level least)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int r = 0;

	pthread_once(&once, init_through);
	pthread_mutex_lock(&log_.lock);
	if (log_.state == LOG_STATE_QUEUED) {
		r = -EALREADY;
	} else if (log_.state != LOG_STATE_DIRECT) {
		r = -EBUSY;
	} else {
		log_.to_journal = stderr_is_journal();
		log_.least = least;
		log_.state = LOG_STATE_QUEUED;
		r = start_writer();
		if (r < 0)
			log_.state = LOG_STATE_DIRECT;
	}
	pthread_mutex_unlock(&log_.lock);
	return r;
}

static struct timespec deadline(uint32_t timeout_ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

int log_close(uint32_t timeout_ms)
{
	struct timespec until = deadline(timeout_ms);
	pthread_t writer;
	bool opened;
	int r = 0;

	pthread_mutex_lock(&log_.lock);
	writer = log_.writer;
	opened = log_.state == LOG_STATE_QUEUED;
	if (opened) {
		log_.state = LOG_STATE_CLOSING;
		pthread_cond_signal(&log_.work);
	}
	while (log_.state != LOG_STATE_DIRECT && r == 0)
		r = pthread_cond_timedwait(&log_.through, &log_.lock, &until);
	if (log_.state == LOG_STATE_DIRECT)
		r = 0;
	else
		log_.state = LOG_STATE_STUCK;
	pthread_mutex_unlock(&log_.lock);
	if (opened && r == 0)
		pthread_join(writer, NULL);
	else if (opened)
		pthread_detach(writer);
	return -r;
}

/* Logging. */

/* A text that does not fit ends in "...", behind a whole UTF-8 character. */
static void format_text(char text[static LOG_LINE_MAX], const char *format, va_list ap)
{
	int size = vsnprintf(text, LOG_LINE_MAX, format, ap);

	if (size < 0)
		snprintf(text, LOG_LINE_MAX, "(a line that cannot be formatted: %.200s)", format);
	if (size >= (int)LOG_LINE_MAX) {
		size_t n = LOG_LINE_MAX - sizeof("...");

		while (n && (text[n] & 0xc0) == 0x80)
			n--;
		strcpy(text + n, "...");
	}
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = ' ';
}

/* Queues the line, or drops it. Returns false when there is no queue: then it is to be written. */
static bool queue_line(struct line *line)
{
	bool direct;

	pthread_mutex_lock(&log_.lock);
	direct = log_.state == LOG_STATE_DIRECT;
	if (log_.state == LOG_STATE_STUCK || log_.head - log_.tail == LOG_QUEUE_LINES) {
		log_.dropped++;
	} else if (!direct) {
		line->dropped_before = log_.dropped;
		log_.dropped = 0;
		log_.queue[log_.head++ % LOG_QUEUE_LINES] = *line;
		pthread_cond_signal(&log_.work);
	}
	pthread_mutex_unlock(&log_.lock);
	return !direct;
}

static void log_line(enum log_level level, const char *fields, const char *format, va_list ap)
{
	struct line line = {.level = level};
	int saved = errno;

	if ((int)level < log_.least)
		return;
	clock_gettime(CLOCK_REALTIME, &line.time);
	if (strlen(fields) < sizeof(line.fields))
		strcpy(line.fields, fields);
	format_text(line.text, format, ap);
	if (!queue_line(&line) && !write_to_stderr(&line))
		count_dropped(1);
	errno = saved;
}

void log_message(enum log_level level, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(level, "", format, ap);
	va_end(ap);
}

void log_message_about(enum log_level level, const char *fields, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(level, fields, format, ap);
	va_end(ap);
}
