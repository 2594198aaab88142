// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What SVT-AV1 has to say. It says it on stderr, which is not its to write to. From version 4 on it
 * has a callback. Before that, environment variables name a level and a file; the file is a memfd,
 * opened through /proc, and where that cannot be opened the level is one that lets nothing through.
 *
 * The library's logger is one per process and so is this one. Only errors are kept, of which a run
 * makes few, so neither buffer is bounded otherwise than by keeping the last line.
 */

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <EbSvtAv1Enc.h>

#include "fallback/svtav1_log.h"

#define LINE_MAX_BYTES 256

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void strip(char *line)
{
	line[strcspn(line, "\n")] = '\0';
}

#if SVT_AV1_CHECK_VERSION(4, 0, 0)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last[LINE_MAX_BYTES];

static void heard(
	void *context, SvtAv1LogLevel level, const char *tag, const char *format, va_list list)
{
	(void)context;
	(void)tag;
	if (level != SVT_AV1_LOG_ERROR && level != SVT_AV1_LOG_FATAL)
		return;
	pthread_mutex_lock(&lock);
	vsnprintf(last, sizeof(last), format, list);
	strip(last);
	pthread_mutex_unlock(&lock);
}

static void capture(void)
{
	svt_av1_set_log_callback(heard, NULL);
}

void svtav1_log_last(char *ret, size_t size)
{
	pthread_mutex_lock(&lock);
	snprintf(ret, size, "%s", last);
	pthread_mutex_unlock(&lock);
}

#else
#include <sys/mman.h>

/* Below the level of messages that are printed at every level. */
#define LEVEL_NONE "-2"
#define LEVEL_ERROR "1"

static int log_fd = -1;

static bool make_file(void)
{
	char path[32];

	log_fd = memfd_create("svt-av1-log", MFD_CLOEXEC);
	if (log_fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", log_fd);
	return access(path, R_OK | W_OK) == 0 && setenv("SVT_LOG_FILE", path, 1) == 0;
}

static void capture(void)
{
	setenv("SVT_LOG", make_file() ? LEVEL_ERROR : LEVEL_NONE, 1);
}

/* The library writes through a buffered stream that only it knows, so all are flushed. */
void svtav1_log_last(char *ret, size_t size)
{
	char tail[LINE_MAX_BYTES];
	off_t end;
	ssize_t n;
	char *line;

	ret[0] = '\0';
	fflush(NULL);
	end = log_fd >= 0 ? lseek(log_fd, 0, SEEK_END) : -1;
	if (end <= 0)
		return;
	n = pread(log_fd, tail, sizeof(tail) - 1,
		end < (off_t)sizeof(tail) ? 0 : end - (off_t)sizeof(tail) + 1);
	if (n <= 0)
		return;
	tail[n] = '\0';
	while (n > 0 && tail[n - 1] == '\n')
		tail[--n] = '\0';
	line = strrchr(tail, '\n');
	line = line ? line + 1 : tail;
	strip(line);
	snprintf(ret, size, "%s", line);
}

#endif

void svtav1_log_capture(void)
{
	pthread_once(&once, capture);
}
