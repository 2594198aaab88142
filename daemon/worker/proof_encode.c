// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * One case encoded. The frames stand in a pool of the encoder's own format, with as many slots as
 * its plan says that it needs: an encoder that holds more does not go on, and one that reads a
 * frame after it has let go of it reads another one.
 *
 * Packets are kept until the encoder is closed, and decoded after that: what a decoder makes of
 * them does not disturb the encoder, nor does it count in its time. The supervisor has the
 * deadline; nothing here bounds a call, only the waits between calls.
 */

#include "daemon/worker/proof_encode.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "daemon/worker/bitstream.h"
#include "daemon/worker/proof_cases.h"
#include "daemon/worker/proof_picture.h"

#define PROBE_THREADS 2u
#define PROBE_WAITS_MAX 20000u /* of 1 ms each, for packets that do not come */
#define BYTES_SPARE (1u << 20) /* beyond the size of the frames: more is no packet of theirs */

struct encoding {
	const struct proof_encoder *with;
	const struct proof_case *asked;
	struct proof_stream *stream;
	struct proof_evidence *evidence;
	struct encoder_params params;
	struct encoder_info plan;
	struct encoder *encoder;
	struct plane_layout layout;
	uint8_t *pool;
	uint32_t slot_frame[PROOF_FRAMES_MAX]; /* the frame that was drawn into each slot */
	uint32_t sent, received;
	uint32_t seen;         /* bits of frames whose packet came */
	_Atomic uint32_t done; /* bits of frames that it has let go of */
	uint32_t waits;
	uint64_t draw_ns;
};

enum encoder_status proof_fail(char *text, enum encoder_status status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(text, ENCODER_TEXT_MAX, format, list);
	va_end(list);
	return status;
}

#define FAIL(e, status, ...) proof_fail((e)->with->text, status, __VA_ARGS__)
#define WRONG(e, ...) FAIL(e, ENCODER_WRONG_OUTPUT, __VA_ARGS__)

static void on_done(void *userdata, uint64_t index)
{
	struct encoding *e = userdata;

	if (index < PROOF_FRAMES_MAX)
		atomic_fetch_or(&e->done, 1u << index);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- what it is asked --- */

static enum encoder_status prepare(struct encoding *e)
{
	const struct proof_case *c = e->asked;
	struct vencd_params *request = &e->params.request;
	uint32_t slots;
	void *pool;

	if (!proof_case_params(e->with->limits, c, &e->params))
		return FAIL(e, ENCODER_INVALID, "it cannot express the case at all");
	e->params.threads = PROBE_THREADS;
	snprintf(request->null_script, sizeof(request->null_script), "%s", e->with->script);
	encoder_plan(e->with->limits, &e->params, &e->plan);
	if (e->plan.needs_frames == 0)
		e->plan.needs_frames = 1;
	slots = e->plan.needs_frames < c->frames ? e->plan.needs_frames : c->frames;
	if (plane_layout_init(&e->layout, c->width, c->height, c->format, slots, 1) < 0)
		return FAIL(e, ENCODER_INVALID, "no frames of this size");
	pool = mmap(NULL, plane_pool_size(&e->layout), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool == MAP_FAILED)
		return FAIL(e, ENCODER_NO_MEMORY, "no memory for the probe's frames");
	e->pool = pool;
	return ENCODER_OK;
}

/* --- what it answers --- */

static bool is_of_a_frame(const struct encoding *e, int64_t pts)
{
	return pts >= 0 && pts < e->sent && !(e->seen & 1u << pts);
}

static enum encoder_status check_packet(struct encoding *e, const struct encoder_packet *packet)
{
	bool key = packet->flags & VENCD_PACKET_KEYFRAME;
	enum bitstream_kind kind = key ? BITSTREAM_KEYFRAME : BITSTREAM_INTER;

	if (!packet->data || packet->size == 0)
		return WRONG(e, "gave an empty packet");
	if (!is_of_a_frame(e, packet->pts))
		return WRONG(e, "gave a packet of no frame");
	if (e->received == 0 && (!key || packet->pts != 0))
		return WRONG(e, "did not begin with a keyframe");
	if (packet->pts == e->asked->forced && !key)
		return WRONG(e, "made no keyframe where it was told to");
	if (packet->pts + e->plan.reorder < e->received)
		return WRONG(e, "reordered by more than %u frames", e->plan.reorder);
	if (e->stream->codec &&
		bitstream_inspect(e->stream->codec, packet->data, packet->size) != kind)
		return WRONG(e, "gave a packet whose bitstream is not what it says of it");
	e->evidence->keyframes += key;
	return ENCODER_OK;
}

static enum encoder_status keep_packet(struct encoding *e, const struct encoder_packet *packet)
{
	struct proof_stream *s = e->stream;
	uint64_t most = e->layout.slot_size * e->asked->frames + BYTES_SPARE;

	if (packet->size > most - s->size)
		return WRONG(e, "gave more bytes than the frames had");
	if (packet->size > s->capacity - s->size) {
		size_t capacity = 2 * (s->size + packet->size);
		uint8_t *data = realloc(s->data, capacity);

		if (!data)
			return FAIL(e, ENCODER_NO_MEMORY, "no memory for the probe's packets");
		s->data = data;
		s->capacity = capacity;
	}
	memcpy(s->data + s->size, packet->data, packet->size);
	s->packet[s->n++] = (struct proof_packet){s->size, packet->size, packet->pts};
	s->size += packet->size;
	return ENCODER_OK;
}

static enum encoder_status take_packet(struct encoding *e, const struct encoder_packet *packet)
{
	enum encoder_status status = check_packet(e, packet);

	if (status == ENCODER_OK)
		status = keep_packet(e, packet);
	if (status != ENCODER_OK)
		return status;
	e->seen |= 1u << packet->pts;
	e->received++;
	return ENCODER_OK;
}

/* Takes what there is. AGAIN: more may come; END: no more will. */
static enum encoder_status take_packets(struct encoding *e)
{
	for (;;) {
		struct encoder_packet packet = {0};
		enum encoder_status status = e->with->ops->receive(e->encoder, &packet);

		if (status == ENCODER_OK)
			status = take_packet(e, &packet);
		if (status != ENCODER_OK)
			return status;
	}
}

static enum encoder_status wait_a_little(struct encoding *e)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	if (e->waits++ >= PROBE_WAITS_MAX)
		return FAIL(e, ENCODER_LIBRARY, "neither takes frames nor gives packets");
	nanosleep(&ms, NULL);
	return ENCODER_OK;
}

/* Takes packets, and waits where none came. OK: go on. */
static enum encoder_status take_or_wait(struct encoding *e)
{
	enum encoder_status status = take_packets(e);

	if (status == ENCODER_END)
		return WRONG(e, "ended before the flush");
	return status == ENCODER_AGAIN ? wait_a_little(e) : status;
}

/* Frames whose slot a session could not use again. */
static uint32_t held(const struct encoding *e)
{
	uint32_t over = e->seen & atomic_load(&e->done);

	return e->sent - (uint32_t)__builtin_popcount(over);
}

/* One that works by itself needs time; another one would never give a packet. */
static enum encoder_status make_room(struct encoding *e)
{
	while (held(e) >= e->plan.needs_frames) {
		uint32_t before = held(e);
		enum encoder_status status = take_or_wait(e);

		if (status != ENCODER_OK)
			return status;
		if (!e->plan.async && held(e) == before)
			return WRONG(e, "held more than the %u frames that it needs",
				e->plan.needs_frames);
	}
	return ENCODER_OK;
}

/* There is a slot: fewer frames are held than there are slots, or the case has. */
static uint32_t free_slot(const struct encoding *e)
{
	uint32_t over = e->seen & atomic_load(&e->done), slot = 0;

	if (e->sent < e->layout.slots)
		return e->sent;
	while (!(over & 1u << e->slot_frame[slot]))
		slot++;
	return slot;
}

static uint8_t *draw_next(struct encoding *e)
{
	uint64_t begin = now_ns();
	uint32_t slot = free_slot(e);
	uint8_t *memory = e->pool + slot * e->layout.slot_size;

	e->slot_frame[slot] = e->sent;
	proof_picture_draw(&e->layout, memory, e->sent);
	e->draw_ns += now_ns() - begin;
	return memory;
}

static enum encoder_status send_frame(struct encoding *e)
{
	struct encoder_frame frame = {
		.format = e->layout.format,
		.pts = e->sent,
		.index = e->sent,
		.flags = e->sent && e->sent == e->asked->forced ? VENCD_FRAME_KEYFRAME : 0,
	};
	const uint8_t *slot = draw_next(e);

	for (uint32_t i = 0; i < e->layout.planes; i++) {
		frame.data[i] = slot + e->layout.offset[i];
		frame.stride[i] = e->layout.stride[i];
	}
	for (;;) {
		enum encoder_status status = e->with->ops->send(e->encoder, &frame);

		if (status == ENCODER_OK)
			e->sent++;
		if (status != ENCODER_AGAIN)
			return status;
		status = take_or_wait(e);
		if (status != ENCODER_OK)
			return status;
	}
}

static enum encoder_status send_frames(struct encoding *e)
{
	while (e->sent < e->asked->frames) {
		enum encoder_status status;

		status = make_room(e);
		if (status == ENCODER_OK)
			status = send_frame(e);
		if (status != ENCODER_OK)
			return status;
		if (held(e) > e->evidence->needs_frames)
			e->evidence->needs_frames = held(e);
		status = take_packets(e);
		if (status == ENCODER_END)
			return WRONG(e, "ended before the flush");
		if (status != ENCODER_AGAIN)
			return status;
	}
	return ENCODER_OK;
}

static enum encoder_status drain(struct encoding *e)
{
	enum encoder_status status = e->with->ops->flush(e->encoder);

	if (status != ENCODER_OK)
		return status;
	do {
		status = take_packets(e);
		if (status == ENCODER_AGAIN)
			status = wait_a_little(e);
	} while (status == ENCODER_OK);
	if (status != ENCODER_END)
		return status;
	if (e->received != e->sent)
		return WRONG(e, "gave %u packets for %u frames", e->received, e->sent);
	return ENCODER_OK;
}

static enum encoder_status run(struct encoding *e)
{
	const struct encoder_host host = {
		.done = on_done,
		.userdata = e,
		.device = e->with->device,
		.script = e->with->script,
		.text = e->with->text,
	};
	enum encoder_status status = prepare(e);
	uint64_t begin;

	if (status != ENCODER_OK)
		return status;
	status = e->with->ops->open(&e->encoder, &e->params, &host, &e->stream->info);
	if (status != ENCODER_OK)
		return status;
	begin = now_ns();
	status = send_frames(e);
	if (status == ENCODER_OK)
		status = drain(e);
	e->stream->encode_ns = now_ns() - begin - e->draw_ns;
	e->with->ops->close(e->encoder);
	if (status == ENCODER_OK && (uint32_t)__builtin_popcount(atomic_load(&e->done)) != e->sent)
		status = WRONG(e, "did not let go of every frame");
	return status;
}

enum encoder_status proof_encode(const struct proof_encoder *encoder,
	const struct proof_case *asked, struct proof_stream *ret, struct proof_evidence *evidence)
{
	struct encoding e = {.with = encoder, .asked = asked, .stream = ret, .evidence = evidence};
	enum encoder_status status;

	*ret = (struct proof_stream){.codec = encoder->limits->codec};
	status = run(&e);
	evidence->packets = e.received;
	evidence->bytes = ret->size > UINT32_MAX ? UINT32_MAX : (uint32_t)ret->size;
	if (e.pool)
		munmap(e.pool, plane_pool_size(&e.layout));
	return status;
}

void proof_stream_clear(struct proof_stream *stream)
{
	free(stream->data);
	*stream = (struct proof_stream){0};
}
