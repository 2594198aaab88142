// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Probing. What an encoder claims is not believed: ten drawn frames of a real size go through it,
 * one of them in the middle forced to be a keyframe, it is flushed, and every packet is checked
 * against its frame. The supervisor has the deadline; nothing here bounds a call, only the waits
 * between calls.
 *
 * A probe shows that the encoder works, not all that it can: sizes, formats and rate controls are
 * for the contract tests.
 */

#include "daemon/worker/probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "daemon/worker/bitstream.h"
#include "daemon/worker/chroma.h"
#include "hw/catalogue.h"

#define PROBE_STACK (4u << 20)
#define PROBE_WIDTH 640u
#define PROBE_HEIGHT 368u
#define PROBE_FRAMES 10u
#define PROBE_FORCED 5u /* this frame is to be a keyframe */
#define PROBE_SPEED 10
#define PROBE_THREADS 2u
#define PROBE_WAITS_MAX 20000u /* of 1 ms each, for packets that do not come */

struct proof {
	struct probe *probe;
	const struct encoder_ops *ops;
	const struct encoder_limits *limits;
	struct encoder_reach reach; /* that the device claims */
	struct encoder_host host;
	struct encoder_params params;
	struct encoder *encoder;
	struct plane_layout layout;
	struct chroma chroma;
	uint8_t *pool;
	char text[ENCODER_TEXT_MAX];
	uint32_t sent, received;
	uint32_t seen; /* bits of frames whose packet came */
	uint32_t waits;
};

static void on_done(void *userdata, uint64_t index)
{
	/* Every frame has a slot of its own until the end. */
	(void)userdata;
	(void)index;
}

static enum encoder_status fail(struct proof *p, enum encoder_status status, const char *text)
{
	snprintf(p->text, sizeof(p->text), "%s", text);
	return status;
}

/* --- the picture --- */

/* A diagonal gradient that moves: cheap, and not still. */
static void draw_plane(uint8_t *to, uint32_t stride, uint32_t width, uint32_t rows, uint32_t frame)
{
	for (uint32_t y = 0; y < rows; y++)
		for (uint32_t x = 0; x < width; x++)
			to[(size_t)y * stride + x] = (uint8_t)(16 + (x + y + 4 * frame) % 200);
}

static void draw_frame(const struct proof *p, uint32_t frame)
{
	const struct plane_layout *l = &p->layout;

	for (uint32_t i = 0; i < l->planes; i++)
		draw_plane(p->pool + frame * l->slot_size + l->offset[i], l->stride[i],
			l->row_bytes[i], l->rows[i], frame);
}

/* --- what it is asked --- */

static enum encoder_status narrow(struct proof *p)
{
	struct vencd_params request = VENCD_PARAMS_INIT;
	struct vencd_refusal refusal = {0};

	request.codecs[0] = p->limits->codec ? p->limits->codec : VENCD_CODEC_AV1;
	request.width = PROBE_WIDTH;
	request.height = PROBE_HEIGHT;
	request.format = VENCD_FORMAT_I420;
	request.time_base = (struct vencd_rational){1, 25};
	request.frame_rate = (struct vencd_rational){25, 1};
	request.speed = PROBE_SPEED;
	request.backend = p->limits->backend;
	if (p->limits->backend != VENCD_BACKEND_NULL)
		request.backend = VENCD_BACKEND_ANY;
	if (encoder_narrow(p->limits, &request, &p->params, &refusal) < 0)
		return fail(p, ENCODER_INVALID, refusal.reason);
	p->params.threads = PROBE_THREADS;
	p->params.request.format = chroma_target(p->limits, VENCD_FORMAT_I420);
	return p->params.request.format ? ENCODER_OK
					: fail(p, ENCODER_INVALID, "takes no 8-bit 4:2:0 frames");
}

static enum encoder_status make_pool(struct proof *p)
{
	void *pool;

	if (plane_layout_init(&p->layout, PROBE_WIDTH, PROBE_HEIGHT, VENCD_FORMAT_I420,
		    PROBE_FRAMES, 1) < 0 ||
		chroma_init(&p->chroma, &p->layout, p->params.request.format) < 0)
		return fail(p, ENCODER_NO_MEMORY, "no memory for the probe's frames");
	pool = mmap(NULL, plane_pool_size(&p->layout), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pool == MAP_FAILED)
		return fail(p, ENCODER_NO_MEMORY, "no memory for the probe's frames");
	p->pool = pool;
	return ENCODER_OK;
}

/* --- what it answers --- */

static const char *check_packet(const struct proof *p, const struct encoder_packet *packet)
{
	bool key = packet->flags & VENCD_PACKET_KEYFRAME;
	enum bitstream_kind kind = key ? BITSTREAM_KEYFRAME : BITSTREAM_INTER;

	if (!packet->data || packet->size == 0)
		return "gave an empty packet";
	if (packet->pts < 0 || packet->pts >= p->sent || p->seen & 1u << packet->pts)
		return "gave a packet of no frame";
	if (p->received == 0 && (!key || packet->pts != 0))
		return "did not begin with a keyframe";
	if (packet->pts == PROBE_FORCED && !key)
		return "made no keyframe where it was told to";
	if (p->limits->codec &&
		bitstream_inspect(p->limits->codec, packet->data, packet->size) != kind)
		return "gave a packet whose bitstream is not what it says of it";
	return NULL;
}

static enum encoder_status count_packet(struct proof *p, const struct encoder_packet *packet)
{
	const char *wrong = check_packet(p, packet);

	if (wrong)
		return fail(p, ENCODER_WRONG_OUTPUT, wrong);
	p->seen |= 1u << packet->pts;
	p->received++;
	return ENCODER_OK;
}

/* Takes what there is. AGAIN: more may come; END: no more will. */
static enum encoder_status take_packets(struct proof *p)
{
	for (;;) {
		struct encoder_packet packet = {0};
		enum encoder_status status = p->ops->receive(p->encoder, &packet);

		if (status == ENCODER_OK)
			status = count_packet(p, &packet);
		if (status != ENCODER_OK)
			return status;
	}
}

static enum encoder_status wait_a_little(struct proof *p)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	if (p->waits++ >= PROBE_WAITS_MAX)
		return fail(p, ENCODER_LIBRARY, "neither takes frames nor gives packets");
	nanosleep(&ms, NULL);
	return ENCODER_OK;
}

static enum encoder_status send_frame(struct proof *p)
{
	struct encoder_frame frame = {
		.pts = p->sent,
		.index = p->sent,
		.flags = p->sent == PROBE_FORCED ? VENCD_FRAME_KEYFRAME : 0,
	};

	draw_frame(p, p->sent);
	chroma_frame(&p->chroma, p->pool, p->sent, &frame);
	for (;;) {
		enum encoder_status status = p->ops->send(p->encoder, &frame);

		if (status == ENCODER_OK)
			p->sent++;
		if (status != ENCODER_AGAIN)
			return status;
		status = take_packets(p);
		if (status == ENCODER_AGAIN)
			status = wait_a_little(p);
		if (status != ENCODER_OK)
			return status;
	}
}

static void note_held(struct proof *p)
{
	uint32_t held = p->sent - p->received;

	if (held > p->probe->result.info.needs_frames)
		p->probe->result.info.needs_frames = held;
}

static enum encoder_status send_frames(struct proof *p)
{
	while (p->sent < PROBE_FRAMES) {
		enum encoder_status status = send_frame(p);

		if (status != ENCODER_OK)
			return status;
		note_held(p);
		status = take_packets(p);
		if (status == ENCODER_END)
			return fail(p, ENCODER_WRONG_OUTPUT, "ended before the flush");
		if (status != ENCODER_AGAIN)
			return status;
	}
	return ENCODER_OK;
}

static enum encoder_status drain(struct proof *p)
{
	enum encoder_status status = p->ops->flush(p->encoder);

	if (status != ENCODER_OK)
		return status;
	do {
		status = take_packets(p);
		if (status == ENCODER_AGAIN)
			status = wait_a_little(p);
	} while (status == ENCODER_OK);
	if (status != ENCODER_END)
		return status;
	if (p->received != p->sent)
		return fail(p, ENCODER_WRONG_OUTPUT, "gave fewer packets than it got frames");
	return ENCODER_OK;
}

static enum encoder_status encode(struct proof *p)
{
	struct encoder_info *info = &p->probe->result.info;
	enum encoder_status status = narrow(p);

	if (status == ENCODER_OK)
		status = make_pool(p);
	if (status == ENCODER_OK)
		status = p->ops->open(&p->encoder, &p->params, &p->host, info);
	if (status != ENCODER_OK)
		return status;
	info->needs_frames = 0; /* measured, not claimed */
	status = send_frames(p);
	if (status == ENCODER_OK)
		status = drain(p);
	p->ops->close(p->encoder);
	return status;
}

/* --- the thread --- */

static enum encoder_status prove(struct proof *p)
{
	struct probe *probe = p->probe;
	enum encoder_status status;

	p->ops = encoder_find(probe->request.encoder);
	p->limits = encoder_limits_find(probe->request.encoder);
	if (!p->ops || !p->limits)
		return fail(p, ENCODER_ABSENT, "this worker was built without it");
	p->host = (struct encoder_host){
		.done = on_done,
		.userdata = p,
		.device = probe->request.device,
		.script = probe->request.script,
		.text = p->text,
	};
	p->reach = p->limits->reach;
	status = p->ops->probe(&p->host, &probe->result.info, &p->reach);
	if (status == ENCODER_OK)
		status = encode(p);
	if (p->pool)
		munmap(p->pool, plane_pool_size(&p->layout));
	chroma_clear(&p->chroma);
	return status;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void *probe_thread(void *userdata)
{
	struct probe *probe = userdata;
	struct proof proof = {.probe = probe};
	uint64_t begin = now_ms();
	int wake = probe->wake;

	pthread_setname_np(pthread_self(), "probe");
	probe->result.status = prove(&proof);
	probe->result.ms = (uint32_t)(now_ms() - begin);
	probe->result.frames = proof.received;
	proof.text[sizeof(proof.text) - 1] = '\0';
	memcpy(probe->result.text, proof.text, sizeof(probe->result.text));
	atomic_store_explicit(&probe->done, 1, memory_order_release);
	plane_wake(wake);
	return NULL;
}

int probe_start(struct probe **ret, const struct wire_probe *request, int wake)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (!probe)
		return -ENOMEM;
	probe->request = *request;
	probe->wake = wake;
	probe->result.h.type = WIRE_PROBED;
	probe->result.h.seq = request->h.seq;
	memcpy(probe->result.encoder, request->encoder, sizeof(probe->result.encoder));
	r = pthread_attr_init(&attributes);
	if (r == 0) {
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		pthread_attr_setstacksize(&attributes, PROBE_STACK);
		r = pthread_create(&thread, &attributes, probe_thread, probe);
		pthread_attr_destroy(&attributes);
	}
	if (r != 0) {
		free(probe);
		return -r;
	}
	*ret = probe;
	return 0;
}
