// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The layout of a session's memory, and what wakes a sleeper.
 *
 * A layout is a function of size, format, slots and attempts alone. A receiver therefore checks one
 * by making it again: nothing in it has to be believed, and no bound has to be checked twice.
 *
 * A wake-up is a byte in a socket (or, within a process, a pipe) and carries no meaning; what there
 * is to do stands in the indices. This file maps and makes no memory, and knows no session.
 */

#include "client/plane/plane.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/vencd.h"

#define STRIDE_ALIGN 64u
#define DATA_FRAMES 3u /* raw frames that the packet area holds: the worst packets of a group */
#define DATA_MIN (UINT64_C(4) << 20)
#define DATA_MAX (UINT64_C(256) << 20)
#define DRAIN_ROUNDS 32 /* enough for a full one; a writer without an end cannot hold us */

_Static_assert(sizeof(struct plane_layout) == 104, "compared as bytes: it has no padding");
_Static_assert(sizeof(struct plane_control) <= PLANE_PAGE, "the control page is one page");
_Static_assert(sizeof(struct plane_submit) <= PLANE_PAGE, "the header is one page");
_Static_assert(sizeof(struct plane_attempt) <= PLANE_PAGE, "the header is one page");
_Static_assert((PLANE_LOG_ENTRIES & (PLANE_LOG_ENTRIES - 1)) == 0, "index i is entry i % size");

struct format {
	uint32_t planes;
	uint32_t sample_bytes;
	uint32_t chroma_samples; /* in a chroma plane, for each pair of columns */
};

static const struct format formats[] = {
	[VENCD_FORMAT_I420] = {3, 1, 1},
	[VENCD_FORMAT_NV12] = {2, 1, 2},
	[VENCD_FORMAT_I010] = {3, 2, 1},
	[VENCD_FORMAT_P010] = {2, 2, 2},
};

static const struct format *find_format(uint32_t format)
{
	if (format >= sizeof(formats) / sizeof(formats[0]) || formats[format].planes == 0)
		return NULL;
	return &formats[format];
}

static bool in_range(uint32_t value, uint32_t max)
{
	return value >= 1 && value <= max;
}

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 1;

	while (n < at_least)
		n <<= 1;
	return n;
}

static uint64_t data_size(const struct plane_layout *l)
{
	uint64_t raw = 0, size;

	for (uint32_t i = 0; i < l->planes; i++)
		raw += (uint64_t)l->row_bytes[i] * l->rows[i];
	size = DATA_FRAMES * raw;
	size = size < DATA_MIN ? DATA_MIN : size > DATA_MAX ? DATA_MAX : size;
	return plane_round_up(size, PLANE_PAGE);
}

int plane_layout_init(struct plane_layout *ret, uint32_t width, uint32_t height, uint32_t format,
	uint32_t slots, uint32_t attempts)
{
	const struct format *f = find_format(format);
	struct plane_layout l = {.width = width,
		.height = height,
		.format = format,
		.slots = slots,
		.attempts = attempts};
	uint64_t end = 0;

	if (!f || !in_range(width, VENCD_SIZE_MAX) || !in_range(height, VENCD_SIZE_MAX) ||
		!in_range(slots, PLANE_MAX_SLOTS) || !in_range(attempts, PLANE_MAX_ATTEMPTS))
		return -EINVAL;
	l.planes = f->planes;
	for (uint32_t i = 0; i < f->planes; i++) {
		uint32_t samples = i == 0 ? width : (width + 1) / 2 * f->chroma_samples;

		l.row_bytes[i] = samples * f->sample_bytes;
		l.rows[i] = i == 0 ? height : (height + 1) / 2;
		l.stride[i] = (uint32_t)plane_round_up(l.row_bytes[i], STRIDE_ALIGN);
		l.offset[i] = end;
		end += (uint64_t)l.stride[i] * l.rows[i];
	}
	l.slot_size = plane_round_up(end, PLANE_PAGE);
	l.submit_entries = power_of_two(slots);
	l.data_size = data_size(&l);
	*ret = l;
	return 0;
}

bool plane_layout_valid(const struct plane_layout *l)
{
	struct plane_layout copy = *l, own;

	return plane_layout_init(&own, copy.width, copy.height, copy.format, copy.slots,
		       copy.attempts) == 0 &&
		memcmp(&own, &copy, sizeof(own)) == 0;
}

/*
 * The other end may be gone, and the signal for that is the program's, not ours: it is held back
 * and taken away again, unless one was pending before.
 */
static void write_quietly(int fd)
{
	const struct timespec now = {0};
	sigset_t broken_pipe, before, pending;

	sigemptyset(&broken_pipe);
	sigaddset(&broken_pipe, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
	if (write(fd, "", 1) < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&broken_pipe, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void plane_wake(int fd)
{
	int saved = errno;

	write_quietly(fd);
	errno = saved;
}

bool plane_drain(int fd)
{
	char buffer[2048];

	for (int i = 0; i < DRAIN_ROUNDS; i++) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n == 0)
			return false;
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN;
	}
	return true;
}
