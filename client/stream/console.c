// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What an encode says on stderr.
 *
 * libav* says the same thing a thousand times about a broken file, from several threads. Each of
 * its warnings is shown once, at most CONSOLE_ONCE_MAX different ones, and its informational
 * messages never. The progress line exists on a terminal only, is drawn at most PROGRESS_HZ
 * times a second, and is wiped before any message, so that the two never mix. stdout is not
 * touched.
 */

#include "client/stream/console.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <libavutil/log.h>

#include "client/stream/redact.h"

#define PROGRESS_HZ 5
#define LINE_MAX_BYTES 400

static struct {
	pthread_mutex_t lock;
	const char *name;
	uint64_t said[CONSOLE_ONCE_MAX]; /* hashes */
	size_t n_said;
	uint64_t decoder_errors;
	char decoder_error[LINE_MAX_BYTES];
	bool line_shown;
	double line_at;
} console = {.lock = PTHREAD_MUTEX_INITIALIZER, .name = "vencd"};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void wipe_locked(void)
{
	if (console.line_shown)
		fputs("\r\033[K", stderr);
	console.line_shown = false;
}

static void print_locked(const char *text)
{
	wipe_locked();
	fprintf(stderr, "%s: %s\n", console.name, text);
}

/* FNV-1a; a collision costs one message. */
static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

static void print_once(const char *text)
{
	uint64_t h = hash(text);

	pthread_mutex_lock(&console.lock);
	for (size_t i = 0; i < console.n_said; i++) {
		if (console.said[i] == h)
			goto out;
	}
	if (console.n_said == CONSOLE_ONCE_MAX)
		goto out;
	console.said[console.n_said++] = h;
	print_locked(text);
	if (console.n_said == CONSOLE_ONCE_MAX)
		print_locked("further warnings are not shown");
out:
	pthread_mutex_unlock(&console.lock);
}

/* One line of printable text without secrets: a hostile file must not drive the terminal. */
static void clean(char *text)
{
	size_t length;

	redact(text);
	length = strlen(text);
	while (length && text[length - 1] == '\n')
		text[--length] = '\0';
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

static void count_decoder_error(const char *text)
{
	pthread_mutex_lock(&console.lock);
	console.decoder_errors++;
	snprintf(console.decoder_error, sizeof(console.decoder_error), "%s", text);
	pthread_mutex_unlock(&console.lock);
}

uint64_t console_decoder_errors(char *text, size_t size)
{
	uint64_t n;

	pthread_mutex_lock(&console.lock);
	n = console.decoder_errors;
	snprintf(text, size, "%s", console.decoder_error);
	pthread_mutex_unlock(&console.lock);
	return n;
}

static bool is_decoder(void *context, const AVClass *class)
{
	AVClassCategory category = class ? class->category : AV_CLASS_CATEGORY_NA;

	if (class && class->get_category)
		category = class->get_category(context);
	return category == AV_CLASS_CATEGORY_DECODER;
}

static void libav_log(void *context, int level, const char *format, va_list arguments)
{
	const AVClass *class = context ? *(const AVClass **)context : NULL;
	char text[LINE_MAX_BYTES];
	int n = 0;

	if (level > AV_LOG_WARNING)
		return;
	if (class && class->item_name)
		n = snprintf(text, sizeof(text), "%s: ", class->item_name(context));
	if (n < 0 || (size_t)n >= sizeof(text))
		n = 0;
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, arguments);
	clean(text);
	if (!*text)
		return;
	if (level <= AV_LOG_ERROR && is_decoder(context, class))
		count_decoder_error(text);
	print_once(text);
}

void console_start(const char *name)
{
	console.name = name;
	av_log_set_callback(libav_log);
}

void console_say(const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	clean(text);
	pthread_mutex_lock(&console.lock);
	print_locked(text);
	pthread_mutex_unlock(&console.lock);
}

void console_say_once(const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	clean(text);
	print_once(text);
}

double progress_left_s(const struct stream_progress *progress)
{
	double left = progress->total_s - progress->media_s;

	if (progress->total_s <= 0 || progress->media_s <= 0)
		return -1;
	return left > 0 ? left * progress->elapsed_s / progress->media_s : 0;
}

static void print_size(uint64_t bytes)
{
	if (bytes < 10u << 20)
		fprintf(stderr, "%" PRIu64 " KiB", bytes >> 10);
	else
		fprintf(stderr, "%" PRIu64 " MiB", bytes >> 20);
}

static void draw_locked(const struct stream_progress *progress)
{
	double elapsed = progress->elapsed_s > 0 ? progress->elapsed_s : 1e-9;
	double left = progress_left_s(progress);

	fprintf(stderr, "\r%" PRIu64 " frames  %.1f fps  %.2fx  ", progress->frames_written,
		(double)progress->frames_written / elapsed, progress->media_s / elapsed);
	print_size(progress->bytes);
	if (left >= 0)
		fprintf(stderr, "  %d:%02d left", (int)left / 60, (int)left % 60);
	fputs("\033[K", stderr);
	fflush(stderr);
}

void console_progress(const struct stream_progress *progress)
{
	double now = now_s();

	if (!isatty(STDERR_FILENO))
		return;
	pthread_mutex_lock(&console.lock);
	if (!console.line_shown || now - console.line_at >= 1.0 / PROGRESS_HZ) {
		draw_locked(progress);
		console.line_shown = true;
		console.line_at = now;
	}
	pthread_mutex_unlock(&console.lock);
}

void console_progress_end(void)
{
	pthread_mutex_lock(&console.lock);
	if (console.line_shown)
		fputc('\n', stderr);
	console.line_shown = false;
	pthread_mutex_unlock(&console.lock);
}
