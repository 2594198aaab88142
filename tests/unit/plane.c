// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The layout of shared memory: planes lie within their slot without touching each other, for every
 * format and for awkward sizes, and a layout that differs anywhere from what it should be is
 * refused. Waking: a reader that is gone costs the caller no signal, a full pipe no wait.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/plane/plane.h"
#include "client/vencd.h"
#include "tests/unit/check.h"

static void check_planes(const struct plane_layout *l)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < l->planes; i++) {
		CHECK_EQUAL(l->offset[i], end);
		CHECK_EQUAL(l->stride[i] % 64, 0);
		CHECK(l->row_bytes[i] <= l->stride[i] && l->stride[i] < l->row_bytes[i] + 64);
		end += (uint64_t)l->stride[i] * l->rows[i];
	}
	CHECK(end <= l->slot_size && l->slot_size < end + PLANE_PAGE);
	CHECK_EQUAL(l->slot_size % PLANE_PAGE, 0);
}

static void check_size(uint32_t width, uint32_t height, uint32_t format)
{
	uint32_t bytes = format == VENCD_FORMAT_I420 || format == VENCD_FORMAT_NV12 ? 1 : 2;
	uint32_t planes = format == VENCD_FORMAT_I420 || format == VENCD_FORMAT_I010 ? 3 : 2;
	uint32_t chroma = (width + 1) / 2 * bytes * (planes == 2 ? 2 : 1);
	struct plane_layout l;

	CHECK_EQUAL(plane_layout_init(&l, width, height, format, 5, 2), 0);
	CHECK_EQUAL(l.planes, planes);
	CHECK_EQUAL(l.row_bytes[0], width * bytes);
	CHECK_EQUAL(l.row_bytes[1], chroma);
	CHECK_EQUAL(l.rows[1], (height + 1) / 2);
	CHECK_EQUAL(l.submit_entries, 8);
	CHECK(l.data_size >= 4u << 20 && l.data_size <= 256u << 20);
	check_planes(&l);
	CHECK(plane_layout_valid(&l));
}

static void check_sizes(void)
{
	static const uint32_t sizes[] = {1, 2, 3, 63, 64, 65, 640, 1080, 1920, 8191, 8192};
	unsigned n = sizeof(sizes) / sizeof(sizes[0]);

	for (unsigned w = 0; w < n; w++)
		for (unsigned h = 0; h < n; h++)
			for (uint32_t f = VENCD_FORMAT_I420; f <= VENCD_FORMAT_P010; f++)
				check_size(sizes[w], sizes[h], f);
}

static void check_data_size(void)
{
	struct plane_layout l;

	CHECK_EQUAL(plane_layout_init(&l, 1920, 1080, VENCD_FORMAT_I420, 1, 1), 0);
	CHECK_EQUAL(l.data_size, plane_round_up(3 * 1920 * 1080 * 3 / 2, PLANE_PAGE));
	CHECK_EQUAL(plane_layout_init(&l, 64, 64, VENCD_FORMAT_I420, 1, 1), 0);
	CHECK_EQUAL(l.data_size, 4 << 20);
	CHECK_EQUAL(plane_layout_init(&l, 8192, 8192, VENCD_FORMAT_P010, 1, 1), 0);
	CHECK_EQUAL(l.data_size, 256 << 20);
}

static void check_refusals(void)
{
	static const uint32_t wrong[][5] = {
		{0, 64, VENCD_FORMAT_I420, 4, 1},
		{64, 0, VENCD_FORMAT_I420, 4, 1},
		{8193, 64, VENCD_FORMAT_I420, 4, 1},
		{64, UINT32_MAX, VENCD_FORMAT_I420, 4, 1},
		{64, 64, 0, 4, 1},
		{64, 64, VENCD_FORMAT_P010 + 1, 4, 1},
		{64, 64, UINT32_MAX, 4, 1},
		{64, 64, VENCD_FORMAT_I420, 0, 1},
		{64, 64, VENCD_FORMAT_I420, PLANE_MAX_SLOTS + 1, 1},
		{64, 64, VENCD_FORMAT_I420, 4, 0},
		{64, 64, VENCD_FORMAT_I420, 4, PLANE_MAX_ATTEMPTS + 1},
	};
	struct plane_layout l;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_EQUAL(plane_layout_init(&l, wrong[i][0], wrong[i][1], wrong[i][2],
				    wrong[i][3], wrong[i][4]),
			-EINVAL);
}

static bool same_inputs(const struct plane_layout *x, const struct plane_layout *y)
{
	return x->width == y->width && x->height == y->height && x->format == y->format &&
		x->slots == y->slots && x->attempts == y->attempts;
}

/* No byte of what follows from the inputs may differ. */
static void check_every_byte(void)
{
	struct plane_layout good, bad;

	CHECK_EQUAL(plane_layout_init(&good, 1918, 1078, VENCD_FORMAT_I010, 60, 2), 0);
	for (size_t i = 0; i < sizeof(good); i++) {
		bad = good;
		((uint8_t *)&bad)[i] ^= 0x10;
		if (same_inputs(&good, &bad))
			CHECK(!plane_layout_valid(&bad));
	}
}

static void make_pipe(int fds[2])
{
	CHECK_EQUAL(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void check_wake(void)
{
	int fds[2];
	char byte;

	make_pipe(fds);
	CHECK(plane_drain(fds[0]));
	plane_wake(fds[1]);
	plane_wake(fds[1]);
	CHECK(plane_drain(fds[0]));
	CHECK(read(fds[0], &byte, 1) < 0 && errno == EAGAIN);
	plane_wake(fds[1]);
	close(fds[1]);
	CHECK(!plane_drain(fds[0]));
	close(fds[0]);
}

/* A full pipe: waking returns, one drain empties it. */
static void check_full_pipe(void)
{
	int fds[2];
	char byte;

	make_pipe(fds);
	while (write(fds[1], "", 1) == 1)
		;
	plane_wake(fds[1]);
	CHECK(plane_drain(fds[0]));
	CHECK(read(fds[0], &byte, 1) < 0 && errno == EAGAIN);
	close(fds[0]);
	close(fds[1]);
}

static bool is_pending(int signal)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, signal);
}

/* SIGPIPE has its default action here: were it delivered, the test would die. */
static void check_broken_pipe(void)
{
	const struct timespec now = {0};
	sigset_t set, before;
	int fds[2];

	make_pipe(fds);
	close(fds[0]);
	errno = 7;
	plane_wake(fds[1]);
	CHECK_EQUAL(errno, 7);

	/* One that the program had pending is still there after, and only then. */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, &before);
	plane_wake(fds[1]);
	CHECK(!is_pending(SIGPIPE));
	raise(SIGPIPE);
	plane_wake(fds[1]);
	CHECK(is_pending(SIGPIPE));
	CHECK_EQUAL(sigtimedwait(&set, NULL, &now), SIGPIPE);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
}

static void check_sleep(void)
{
	_Atomic uint32_t sleeping = 0;

	CHECK(!plane_must_wake(&sleeping));
	plane_prepare_sleep(&sleeping);
	CHECK(plane_must_wake(&sleeping));
	plane_end_sleep(&sleeping);
	CHECK(!plane_must_wake(&sleeping));
}

int main(void)
{
	check_sizes();
	check_data_size();
	check_refusals();
	check_every_byte();
	check_wake();
	check_full_pipe();
	check_broken_pipe();
	check_sleep();
	return 0;
}
