// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * y4m: what a header may say, and frames through the input thread, with the test in the place of
 * the pump and heap memory in that of the pool.
 */

#include "client/stream/y4m.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/stream/input.h"
#include "tests/unit/check.h"

#define WIDTH 6
#define HEIGHT 4
#define STRIDE 16 /* more than a row: what lies between must stay */
#define FRAME_BYTES (WIDTH * HEIGHT * 3 / 2)
#define FRAMES 20
#define WAIT_MS 20000

static int parse(const char *header, struct vencd_params *params)
{
	enum y4m_interlace interlace;
	char line[Y4M_LINE_MAX], text[SOURCE_TEXT_MAX] = "";
	int r;

	*params = (struct vencd_params){0};
	snprintf(line, sizeof(line), "%s", header);
	r = y4m_parse_header(line, params, &interlace, text);
	CHECK((r < 0) == (*text != '\0'));
	return r;
}

static void test_headers(void)
{
	static const char *const bad[] = {"", "YUV4MPEG", "YUV4MPEG2", "YUV4MPEG2 W8",
		"YUV4MPEG2 H8", "YUV4MPEG2 W8 H8 F", "YUV4MPEG2 W8 H8 F25", "YUV4MPEG2 W8 H8 F25:0",
		"YUV4MPEG2 W8 H8 F0:1", "YUV4MPEG2 W8 H8 F-25:1", "YUV4MPEG2 W8 H8 F25:1x",
		"YUV4MPEG2 W8 H8 A1", "YUV4MPEG2 W8 H8 C422", "YUV4MPEG2 W8 H8 C420p12",
		"YUV4MPEG2 W8 H8 Cmono", "YUV4MPEG2 W8 H8 Ix", "YUV4MPEG2 W0 H8",
		"YUV4MPEG2 W8 H8193", "YUV4MPEG2 W-8 H8", "YUV4MPEG2 W+8 H8", "YUV4MPEG2 W8x H8",
		"YUV4MPEG2 W99999999999999999999 H8", "YUV4MPEG2 W8 H8 Z"};
	struct vencd_params params;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_EQUAL(parse(bad[i], &params), -EINVAL);

	CHECK_EQUAL(parse("YUV4MPEG2 W854 H480 F30000:1001 Ip A4:3 C420mpeg2 "
			  "XYSCSS=420MPEG2 XCOLORRANGE=FULL",
			    &params),
		0);
	CHECK(params.width == 854 && params.height == 480);
	CHECK(params.format == VENCD_FORMAT_I420);
	CHECK(params.frame_rate.num == 30000 && params.frame_rate.den == 1001);
	CHECK(params.time_base.num == 1001 && params.time_base.den == 30000);
	CHECK(params.sample_aspect.num == 4 && params.sample_aspect.den == 3);
	CHECK(params.colour.full_range == 1 && params.colour.chroma_location == 1);

	CHECK_EQUAL(parse("YUV4MPEG2 W8192 H8192 F0:0 A0:0 C420p10", &params), 0);
	CHECK(params.format == VENCD_FORMAT_I010 && params.frame_rate.num == 25);
}

/* --- the input thread --- */

struct pool {
	uint8_t slots[INPUT_SLOTS][3][STRIDE * HEIGHT];
	struct input *input;
	int wake_fd, pipe[2];
};

static void lend(struct pool *pool, uint32_t slot)
{
	struct vencd_frame frame = {.slot = slot, .planes = 3};

	for (int i = 0; i < 3; i++) {
		frame.data[i] = pool->slots[slot][i];
		frame.stride[i] = STRIDE;
		frame.rows[i] = i ? HEIGHT / 2 : HEIGHT;
		frame.row_bytes[i] = i ? WIDTH / 2 : WIDTH;
		memset(frame.data[i], 0xee, STRIDE * HEIGHT);
	}
	input_give(pool->input, &frame);
}

static void await(struct pool *pool, struct input_event *event)
{
	struct pollfd fd = {.fd = pool->wake_fd, .events = POLLIN};
	eventfd_t count;

	for (;;) {
		input_next(pool->input, event);
		if (event->type != INPUT_NOTHING)
			return;
		CHECK_EQUAL(poll(&fd, 1, WAIT_MS), 1);
		(void)eventfd_read(pool->wake_fd, &count);
	}
}

static void start(struct pool *pool, enum input_format format)
{
	struct input_setup setup = {
		.name = "test", .format = format, .container = container_find("mkv")};

	CHECK(pipe(pool->pipe) == 0);
	pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	setup.fd = pool->pipe[0];
	CHECK_EQUAL(input_start(&pool->input, &setup, pool->wake_fd), 0);
}

static void stop(struct pool *pool)
{
	CHECK_EQUAL(input_stop(pool->input), 0);
	close(pool->pipe[0]);
	close(pool->wake_fd);
}

static void put(int fd, const void *data, size_t size)
{
	CHECK_EQUAL(write(fd, data, size), size);
}

/* Frame n is filled with n, and comes in pieces that fit nothing. */
static void *write_frames(void *userdata)
{
	const struct pool *pool = userdata;
	uint8_t frame[FRAME_BYTES];

	put(pool->pipe[1], "YUV4MPEG2 W6 H4 F25:1\n", 22);
	for (int n = 0; n < FRAMES; n++) {
		memset(frame, n, sizeof(frame));
		put(pool->pipe[1], n % 2 ? "FRAME Ip\n" : "FRAME\n", n % 2 ? 9 : 6);
		for (size_t done = 0; done < sizeof(frame); done += 7)
			put(pool->pipe[1], frame + done,
				sizeof(frame) - done < 7 ? sizeof(frame) - done : 7);
	}
	close(pool->pipe[1]);
	return NULL;
}

static void check_plane(const uint8_t *plane, size_t width, size_t rows, uint8_t value)
{
	for (size_t i = 0; i < (size_t)STRIDE * rows; i++)
		CHECK_EQUAL(plane[i], i % STRIDE < width ? value : 0xee);
}

static void test_frames(void)
{
	struct pool pool;
	struct input_event event;
	pthread_t writer;

	start(&pool, INPUT_FORMAT_Y4M);
	CHECK(pthread_create(&writer, NULL, write_frames, &pool) == 0);
	await(&pool, &event);
	CHECK_EQUAL(event.type, INPUT_READY);
	CHECK(input_info(pool.input)->endless);
	for (uint32_t slot = 0; slot < INPUT_SLOTS; slot++)
		lend(&pool, slot);
	for (int n = 0; n < FRAMES; n++) {
		await(&pool, &event);
		CHECK_EQUAL(event.type, INPUT_FRAME);
		CHECK_EQUAL(event.pts, n);
		CHECK_EQUAL(event.slot, (uint32_t)n % INPUT_SLOTS);
		check_plane(pool.slots[event.slot][0], WIDTH, HEIGHT, (uint8_t)n);
		check_plane(pool.slots[event.slot][1], WIDTH / 2, HEIGHT / 2, (uint8_t)n);
		check_plane(pool.slots[event.slot][2], WIDTH / 2, HEIGHT / 2, (uint8_t)n);
		lend(&pool, event.slot);
	}
	await(&pool, &event);
	CHECK_EQUAL(event.type, INPUT_END);
	pthread_join(writer, NULL);
	stop(&pool);
}

/* A thread that waits for bytes, for a slot, or in libavformat is called back at once. */
static void test_stalls(void)
{
	struct pool pool;
	struct input_event event;

	start(&pool, INPUT_FORMAT_Y4M);
	stop(&pool);
	close(pool.pipe[1]);

	start(&pool, INPUT_FORMAT_ANY);
	put(pool.pipe[1], "RIFF", 4);
	stop(&pool);
	close(pool.pipe[1]);

	start(&pool, INPUT_FORMAT_Y4M);
	put(pool.pipe[1], "YUV4MPEG2 W6 H4 F25:1\nFRAME\n1234", 32);
	await(&pool, &event);
	CHECK_EQUAL(event.type, INPUT_READY);
	stop(&pool);
	close(pool.pipe[1]);

	start(&pool, INPUT_FORMAT_Y4M);
	put(pool.pipe[1], "YUV4MPEG2 W6 H4 F25:1\nFRAME\n1234", 32);
	await(&pool, &event);
	lend(&pool, 0);
	input_halt(pool.input);
	await(&pool, &event);
	CHECK_EQUAL(event.type, INPUT_FAILED);
	CHECK_EQUAL(event.error, -ECANCELED);
	stop(&pool);
	close(pool.pipe[1]);
}

static void test_cut(void)
{
	struct pool pool;
	struct input_event event;

	start(&pool, INPUT_FORMAT_Y4M);
	put(pool.pipe[1], "YUV4MPEG2 W6 H4 F25:1\nFRAME\n1234", 32);
	close(pool.pipe[1]);
	await(&pool, &event);
	lend(&pool, 0);
	await(&pool, &event);
	CHECK_EQUAL(event.type, INPUT_FAILED);
	CHECK(strstr(event.text, "ends inside frame 0"));
	stop(&pool);
}

int main(void)
{
	test_headers();
	test_frames();
	test_stalls();
	test_cut();
	return 0;
}
