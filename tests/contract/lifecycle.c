// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* When the functions may be called, and when a frame is let go of. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/contract/cases.h"
#include "tests/contract/check.h"
#include "tests/contract/decode.h"
#include "tests/contract/pool.h"

struct session {
	struct run run;
	struct pool pool;
	struct encoder *encoder;
	struct encoder_host host;
};

/* An encoder and `frames` frames that have been sent, none received. */
static void begin(
	struct session *s, const struct encoder_limits *limits, uint32_t latency, unsigned frames)
{
	enum encoder_status status;

	run_init(&s->run, limits);
	s->run.request.latency = latency;
	run_narrow(&s->run);
	s->host = (struct encoder_host){.done = pool_done,
		.step = s->host.step,
		.userdata = &s->pool,
		.device = run_device(),
		.script = "",
		.text = s->run.text};
	status = s->run.ops->open(&s->encoder, &s->run.params, &s->host, &s->run.info);
	REQUIRE(status == ENCODER_OK, "open: %s", s->run.text);
	pool_init(&s->pool, &s->run.request, s->run.params.request.format, frames + 1, frames + 1);
	for (unsigned i = 0; i < frames; i++) {
		struct encoder_frame frame = {.pts = i};
		struct counter_picture picture;
		int slot = pool_take(&s->pool, i, &picture);

		counter_draw(&picture, i);
		pool_seal(&s->pool, slot, &frame);
		status = s->run.ops->send(s->encoder, &frame);
		REQUIRE(status == ENCODER_OK, "send: %s", s->run.text);
	}
}

static void end(struct session *s, unsigned frames)
{
	s->run.ops->close(s->encoder);
	for (unsigned i = 0; i < frames; i++)
		REQUIRE(s->pool.done[i] == 1, "frame %u was not let go of by close", i);
	pool_clear(&s->pool);
}

static void check_latencies(const struct encoder_limits *limits, unsigned frames)
{
	for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE; latency++) {
		struct session s = {0};

		begin(&s, limits, latency, frames);
		end(&s, frames);
	}
}

static void open_close(const struct encoder_limits *limits)
{
	check_latencies(limits, 0);
}

static void send_close(const struct encoder_limits *limits)
{
	check_latencies(limits, 1);
}

/* A receive before any frame was sent, and one too many, say so and do not block. */
static void nothing_yet(const struct encoder_limits *limits)
{
	for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE; latency++) {
		struct encoder_packet packet;
		struct session s = {0};

		begin(&s, limits, latency, 0);
		for (unsigned i = 0; i < 3; i++)
			REQUIRE(s.run.ops->receive(s.encoder, &packet) == ENCODER_AGAIN,
				"a packet without a frame");
		end(&s, 0);
	}
}

/* Flush, and then close with packets left inside. */
static void flush_close(const struct encoder_limits *limits)
{
	struct session s = {0};

	begin(&s, limits, VENCD_LATENCY_FILE, 1);
	REQUIRE(s.run.ops->flush(s.encoder) == ENCODER_OK, "flush: %s", s.run.text);
	end(&s, 1);
}

/*
 * What the library refuses by itself ends in a status and its own words. Errors stand on stderr as
 * well, from where the supervisor takes a wedged call's last messages; in no other case is a line
 * written there.
 */
static void says_why(const struct encoder_limits *limits)
{
	struct session s = {0};
	enum encoder_status status;

	run_init(&s.run, limits);
	run_narrow(&s.run);
	s.run.params.request.width = 0;
	s.host = (struct encoder_host){.done = pool_done,
		.userdata = &s.pool,
		.device = run_device(),
		.script = "",
		.text = s.run.text};
	if (!limits->codec)
		return;
	status = s.run.ops->open(&s.encoder, &s.run.params, &s.host, &s.run.info);
	REQUIRE(encoder_status_class(status) != ENCODER_CLASS_NONE, "a picture without columns: %s",
		encoder_status_name(status));
	REQUIRE(strlen(s.run.text) > 20, "refused with nothing but \"%s\"", s.run.text);
	REQUIRE(ftruncate(STDERR_FILENO, 0) == 0 && lseek(STDERR_FILENO, 0, SEEK_SET) == 0,
		"what was said cannot be forgotten: %s", strerror(errno));
}

/* One instance after another in one process. */
static void again(const struct encoder_limits *limits)
{
	for (unsigned i = 0; i < 3; i++) {
		struct run run;

		run_init(&run, limits);
		run.frames = 3;
		run.request.latency = i == 1 ? VENCD_LATENCY_LIVE : VENCD_LATENCY_FILE;
		run_encode(&run);
		decode_run(&run, NULL);
		run_clear(&run);
	}
}

/* Small pictures in memory that was used before: where libraries read what they never wrote. */
static void again_small(const struct encoder_limits *limits)
{
	for (unsigned i = 0; i < 8; i++) {
		struct run run;

		run_init(&run, limits);
		run_set_size(&run, 32, 32);
		run.request.b_frames = 0;
		run.frames = 100;
		run_encode(&run);
		decode_run(&run, NULL);
		run_clear(&run);
	}
}

/* A stream that ends at every place around the point where packets begin to come. */
static void lengths(const struct encoder_limits *limits)
{
	static const int around[] = {-1, 0, 1, 2};
	struct run probe;

	run_init(&probe, limits);
	probe.frames = 1;
	run_encode(&probe);
	decode_run(&probe, NULL);
	run_clear(&probe);
	for (unsigned i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		struct run run;
		int frames = (int)probe.info.needs_frames + around[i];

		run_init(&run, limits);
		run.frames = frames > 1 ? (unsigned)frames : 2;
		run_encode(&run);
		decode_run(&run, NULL);
		run_clear(&run);
	}
}

/* --- steps --- */

#define STEP(name) (1u << ENCODER_STEP_##name)

static uint32_t steps; /* bits, since they were last looked at */

static void note_step(void *userdata, enum encoder_step step)
{
	(void)userdata;
	steps |= 1u << step;
}

static void expect_steps(const char *when, uint32_t wanted)
{
	REQUIRE(steps == wanted, "%s: steps %#x instead of %#x", when, steps, wanted);
	steps = 0;
}

/* What can enter a driver is announced, by every function that does. */
static void tells_steps(const struct encoder_limits *limits)
{
	struct encoder_packet packet;
	struct session s = {0};

	if (limits->backend != VENCD_BACKEND_HARDWARE)
		return;
	s.host.step = note_step;
	begin(&s, limits, VENCD_LATENCY_LIVE, 1);
	expect_steps("open, send",
		STEP(DEVICE) | STEP(FRAMES) | STEP(CODEC) | STEP(SURFACE) | STEP(UPLOAD) |
			STEP(ENCODE));
	REQUIRE(s.run.ops->receive(s.encoder, &packet) == ENCODER_OK, "no packet");
	expect_steps("receive", STEP(PACKET));
	REQUIRE(s.run.ops->flush(s.encoder) == ENCODER_OK, "flush: %s", s.run.text);
	expect_steps("flush", STEP(FLUSH));
	end(&s, 1);
	expect_steps("close", STEP(FREE_CODEC) | STEP(FREE_FRAMES) | STEP(FREE_DEVICE));
}

const struct contract_case lifecycle_cases[] = {
	{"open-close", open_close},
	{"send-close", send_close},
	{"nothing-yet", nothing_yet},
	{"flush-close", flush_close},
	{"says-why", says_why},
	{"again", again},
	{"again-small", again_small},
	{"lengths", lengths},
	{"tells-steps", tells_steps},
	{0},
};
