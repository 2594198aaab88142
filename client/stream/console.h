// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_CONSOLE_H
#define VENCD_STREAM_CONSOLE_H

/*
 * What is said on stderr: messages of ours, of libav*, and one progress line. Thread-safe.
 */

#include <stddef.h>

#include "client/stream/progress.h"

/* Takes libav*'s messages, and prefixes every line with name. Once, before any thread. */
void console_start(const char *name);

/* One line, without a line feed at its end. */
void console_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, but never twice the same text; at most CONSOLE_ONCE_MAX different ones in all. */
#define CONSOLE_ONCE_MAX 64
void console_say_once(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Errors that decoders of libavcodec have logged so far, and in text what the latest of them was. A
 * decoder with threads conceals damage without telling its caller, and logs it all the same.
 */
uint64_t console_decoder_errors(char *text, size_t size);

/* Draws the progress line, if stderr is a terminal; more calls than a few a second do nothing. */
void console_progress(const struct stream_progress *progress);

/* Ends the progress line, so that what follows starts on its own. */
void console_progress_end(void);

#endif
