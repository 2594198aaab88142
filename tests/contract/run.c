// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * One encode under the rules of the contract. Waiting is bounded: an encoder that works by itself
 * (info.async) has PATIENCE_S seconds for its next packet; another one, asked with a full pool and
 * having nothing to give, has starved at once.
 */

#include "tests/contract/run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/contract/bitstream.h"
#include "tests/contract/check.h"
#include "tests/contract/pool.h"

#define PATIENCE_S 60
#define POLL_NS 500000

struct feed {
	struct run *run;
	struct encoder *encoder;
	struct pool pool;
	bool *seen; /* by frame: its packet came */
	unsigned sent;
	uint64_t committed; /* all frames below have their packet */
	unsigned withheld;  /* packets since the first N frames were last complete */
};

static const char *device = "";
static bool is_bare;

void run_use_device(const char *node, bool bare)
{
	device = node;
	is_bare = bare;
}

bool run_is_bare(void)
{
	return is_bare;
}

const char *run_device(void)
{
	return device;
}

static uint32_t most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

void run_set_size(struct run *run, uint32_t width, uint32_t height)
{
	run->request.width = most(width, run->limits->reach.min_width);
	run->request.height = most(height, run->limits->reach.min_height);
}

bool run_has_size(const struct encoder_limits *limits, uint32_t width, uint32_t height)
{
	const struct encoder_reach *r = &limits->reach;

	return width >= r->min_width && height >= r->min_height && width <= r->max_width &&
		height <= r->max_height;
}

uint32_t run_format(const struct encoder_limits *limits, uint32_t wanted)
{
	uint32_t known = limits->reach.formats | limits->reach.formats_converted;

	if (known & 1u << wanted)
		return wanted;
	return known & 1u << VENCD_FORMAT_I420 ? VENCD_FORMAT_I420 : VENCD_FORMAT_I010;
}

static const struct encoder_ops *find_ops(const struct encoder_limits *limits)
{
	const struct encoder_ops *ops = encoder_find(limits->name);

	REQUIRE(ops, "%s is in the catalogue, but not in the registry", limits->name);
	return ops;
}

void run_init(struct run *run, const struct encoder_limits *limits)
{
	*run = (struct run){
		.ops = find_ops(limits),
		.limits = limits,
		.request = VENCD_PARAMS_INIT,
		.threads = 2,
		.frames = 24,
	};
	run->request.codecs[0] = limits->codec ? limits->codec : VENCD_CODEC_AV1;
	run_set_size(run, 160, 128);
	run->request.format = run_format(limits, VENCD_FORMAT_I420);
	run->request.time_base = (struct vencd_rational){1, 50};
	run->request.frame_rate = (struct vencd_rational){25, 1};
	run->request.backend = limits->backend;
	run->request.speed = 8;
}

int64_t run_pts(const struct run *run, unsigned frame)
{
	return run->pts ? run->pts(frame) : 2 * (int64_t)frame + 2;
}

void run_narrow(struct run *run)
{
	struct vencd_refusal refusal;
	int r = encoder_narrow(run->limits, &run->request, &run->params, &refusal);

	REQUIRE(r == 0, "%s %s was refused: %s (%s)", refusal.parameter, refusal.value,
		refusal.reason, refusal.alternatives);
	run->params.threads = run->threads;
	if (run->limits->backend == VENCD_BACKEND_HARDWARE)
		run->params.request.format = chroma_target(run->limits, run->request.format);
}

/* What was promised before it was opened holds after. */
static void check_plan(const struct run *run)
{
	const struct encoder_info *info = &run->info;
	struct encoder_info plan;

	encoder_plan(run->limits, &run->params, &plan);
	REQUIRE(plan.needs_frames >= 1 && plan.group >= 1, "an empty plan");
	REQUIRE(info->needs_frames <= plan.needs_frames, "needs %u frames, planned %u",
		info->needs_frames, plan.needs_frames);
	REQUIRE(info->reorder <= plan.reorder, "reorders by %u, planned %u", info->reorder,
		plan.reorder);
	REQUIRE(info->group <= plan.group, "groups of %u, planned %u", info->group, plan.group);
	REQUIRE(info->speed_used == plan.speed_used, "speed %d, planned %d", info->speed_used,
		plan.speed_used);
	REQUIRE(info->version[0], "no version");
}

static void open_feed(struct feed *f, struct run *run)
{
	struct encoder_host host = {
		.done = pool_done,
		.userdata = &f->pool,
		.device = device,
		.script = run->params.request.null_script,
		.text = run->text,
	};
	enum encoder_status status;

	*f = (struct feed){.run = run};
	status = run->ops->open(&f->encoder, &run->params, &host, &run->info);
	REQUIRE(status == ENCODER_OK, "open: %s: %s", encoder_status_name(status), run->text);
	check_plan(run);
	pool_init(&f->pool, &run->request, run->params.request.format, run->info.needs_frames,
		run->frames);
	f->seen = calloc(run->frames, sizeof(*f->seen));
	run->packets = calloc(run->frames, sizeof(*run->packets));
	REQUIRE(f->seen && run->packets, "no memory");
}

/* --- packets --- */

static unsigned frame_of(const struct feed *f, int64_t pts)
{
	for (unsigned i = 0; i < f->sent; i++)
		if (run_pts(f->run, i) == pts)
			return i;
	REQUIRE(false, "a packet with pts %lld, which no frame had", (long long)pts);
}

static void check_bits(const struct run *run, const struct encoder_packet *p)
{
	bool keyframe = p->flags & VENCD_PACKET_KEYFRAME;
	struct bitstream b;

	bitstream_parse(run->limits->codec, p->data, p->size, &b);
	REQUIRE(b.wellformed, "packet %u (%zu bytes) is malformed", run->n_packets, p->size);
	REQUIRE(b.shown == 1, "packet %u shows %u frames", run->n_packets, b.shown);
	REQUIRE(b.keyframe == keyframe, "packet %u: keyframe is %d in the stream, %d in the flags",
		run->n_packets, b.keyframe, keyframe);
	REQUIRE(!keyframe || b.headers, "packet %u: a keyframe without its parameter sets",
		run->n_packets);
	REQUIRE(keyframe || run->n_packets, "the first packet is no keyframe");
}

static void check_order(struct feed *f, unsigned frame)
{
	const struct run *run = f->run;

	REQUIRE(!f->seen[frame], "frame %u came twice", frame);
	REQUIRE(frame + run->info.reorder >= run->n_packets,
		"packet %u shows frame %u: more than %u places early", run->n_packets, frame,
		run->info.reorder);
	f->seen[frame] = true;
	while (f->committed < f->sent && f->seen[f->committed])
		f->committed++;
	f->withheld++;
	REQUIRE(f->withheld <= run->info.group, "%u packets withheld, groups are of %u",
		f->withheld, run->info.group);
	if (f->committed == run->n_packets + 1u)
		f->withheld = 0;
}

static void keep_packet(struct run *run, const struct encoder_packet *p, unsigned frame)
{
	struct run_packet *kept = &run->packets[run->n_packets++];

	*kept = (struct run_packet){
		.size = p->size, .pts = p->pts, .flags = p->flags, .frame = frame};
	kept->data = malloc(p->size);
	REQUIRE(kept->data, "no memory");
	memcpy(kept->data, p->data, p->size);
	run->bytes += p->size;
}

static enum encoder_status receive(struct feed *f)
{
	struct run *run = f->run;
	struct encoder_packet packet = {0};
	enum encoder_status status = run->ops->receive(f->encoder, &packet);
	unsigned frame;

	if (status == ENCODER_AGAIN || status == ENCODER_END)
		return status;
	REQUIRE(status == ENCODER_OK, "receive: %s: %s", encoder_status_name(status), run->text);
	REQUIRE(run->n_packets < f->sent, "more packets than frames");
	frame = frame_of(f, packet.pts);
	check_bits(run, &packet);
	check_order(f, frame);
	keep_packet(run, &packet, frame);
	pool_release(&f->pool, f->committed);
	return status;
}

static void pause_until_polled(const struct feed *f, const struct timespec *since)
{
	struct timespec now;

	REQUIRE(f->run->info.async,
		"starved: %u frames in, %u packets out, and it wants more than %u", f->sent,
		f->run->n_packets, f->pool.layout.slots);
	clock_gettime(CLOCK_MONOTONIC, &now);
	REQUIRE(now.tv_sec - since->tv_sec < PATIENCE_S,
		"starved: nothing for %d s with %u frames in, %u packets out, %u slots", PATIENCE_S,
		f->sent, f->run->n_packets, f->pool.layout.slots);
	nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

/* Takes packets until a slot is free. */
static void make_room(struct feed *f)
{
	struct timespec since;

	clock_gettime(CLOCK_MONOTONIC, &since);
	for (;;) {
		enum encoder_status status = receive(f);

		REQUIRE(status != ENCODER_END, "the end before flush");
		if (status == ENCODER_OK)
			clock_gettime(CLOCK_MONOTONIC, &since);
		else if (f->pool.live < f->pool.layout.slots)
			return;
		else
			pause_until_polled(f, &since);
	}
}

/* --- frames --- */

static uint32_t flags_of(const struct run *run, unsigned frame)
{
	for (unsigned i = 0; i < RUN_MAX_FORCED && run->forced[i]; i++)
		if (run->forced[i] == frame)
			return VENCD_FRAME_KEYFRAME;
	return 0;
}

static void send_frame(struct feed *f)
{
	struct run *run = f->run;
	struct encoder_frame frame = {
		.pts = run_pts(run, f->sent), .flags = flags_of(run, f->sent)};
	struct counter_picture picture;
	enum encoder_status status;
	int slot = pool_take(&f->pool, f->sent, &picture);

	REQUIRE(slot >= 0, "no slot");
	counter_draw(&picture, run->first_value + f->sent);
	if (run->noise)
		counter_add_noise(&picture, f->sent, run->noise);
	pool_seal(&f->pool, slot, &frame);
	f->sent++;
	while ((status = run->ops->send(f->encoder, &frame)) == ENCODER_AGAIN)
		REQUIRE(receive(f) == ENCODER_OK, "send and receive both want the other first");
	REQUIRE(status == ENCODER_OK, "send: %s: %s", encoder_status_name(status), run->text);
}

static void drain(struct feed *f)
{
	struct run *run = f->run;
	enum encoder_status status = run->ops->flush(f->encoder);
	struct timespec since;

	REQUIRE(status == ENCODER_OK, "flush: %s: %s", encoder_status_name(status), run->text);
	clock_gettime(CLOCK_MONOTONIC, &since);
	while ((status = receive(f)) != ENCODER_END)
		if (status == ENCODER_AGAIN)
			pause_until_polled(f, &since);
	REQUIRE(receive(f) == ENCODER_END, "something after the end");
	REQUIRE(run->n_packets == f->sent, "%u frames in, %u packets out", f->sent, run->n_packets);
}

void run_encode(struct run *run)
{
	struct feed f;

	run_narrow(run);
	open_feed(&f, run);
	while (f.sent < run->frames) {
		send_frame(&f);
		make_room(&f);
	}
	drain(&f);
	run->ops->close(f.encoder);
	pool_release(&f.pool, f.committed);
	REQUIRE(f.pool.live == 0, "%u frames were never let go of", f.pool.live);
	pool_clear(&f.pool);
	free(f.seen);
}

void run_clear(struct run *run)
{
	for (unsigned i = 0; i < run->n_packets; i++)
		free(run->packets[i].data);
	free(run->packets);
	run->packets = NULL;
	run->n_packets = 0;
	run->bytes = 0;
}
