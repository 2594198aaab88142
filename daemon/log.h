// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_LOG_H
#define VENCD_LOG_H

/*
 * The supervisor's log. Lines go through a bounded queue to one writer thread, so that a journal or
 * a terminal that nobody reads stops that thread alone. A line that finds the queue full is dropped
 * and counted, and the count is written when the writer catches up.
 *
 * Lines go to the journal where $JOURNAL_STREAM says that stderr is connected to it, else to stderr
 * as "<time> <level>: <text>".
 *
 * Any thread may log. Between fork and exec nobody may.
 */

#include <stdint.h>

#define LOG_LINE_MAX 512u   /* bytes of a text with its end; a longer one is cut, with "..." */
#define LOG_FIELDS_MAX 512u /* bytes of further journal fields with their end */
#define LOG_QUEUE_LINES 1024u

/* The order of the words of LogLevel in config.c. */
enum log_level {
	LOG_LEVEL_DEBUG = 1,
	LOG_LEVEL_INFO,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
};

/*
 * Starts the writer, with all signals blocked in it; what is below `least` is not logged. Until
 * then lines are written to stderr at once. Returns 0, -EALREADY when it runs, -EBUSY when a
 * writer that log_close() left behind is still stuck, or what pthread_create() says.
 */
int log_open(enum log_level least);

/*
 * Queues a line. Never blocks, allocates nothing, keeps errno. Control characters in the text
 * become spaces: what a client sent cannot forge a line.
 */
void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The same with further journal fields, one a line: "VENCD_SESSION=7\nVENCD_UID=1000". Of those
 * that do not fit into LOG_FIELDS_MAX none is kept, and at most LOG_FIELDS are written.
 */
#define LOG_FIELDS 16u
void log_message_about(enum log_level level, const char *fields, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Writes what is queued and ends the writer. Returns 0, or -ETIMEDOUT when it was not through in
 * time; it is then left behind with what it has, lines logged from now on are dropped, and a second
 * call waits for it once more.
 */
int log_close(uint32_t timeout_ms);

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
