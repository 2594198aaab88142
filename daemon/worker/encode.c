// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Between open and close: take packets, give slots back, send a frame, and so on until the client
 * has finished and the encoder is flushed. Functions return false once the attempt is to end; how
 * then stands in run->ended.
 *
 * In the steady state, with neither side asleep, nothing here makes a system call for a frame; of a
 * hardware encoder one, at most, wakes the check.
 *
 * Whatever a library returns is checked before a byte of it can be committed: a packet that breaks
 * the encoder contract ends the attempt as wrong output, with everything before it intact. What can
 * only be seen by decoding is found later, by the check (check.c), and ends the attempt then.
 */

#include <errno.h>
#include <stddef.h>

#include "daemon/worker/bitstream.h"
#include "daemon/worker/run.h"

#define ASYNC_POLLS 200 /* so many of 1 ms without a packet, then slower ones */
#define ASYNC_SLOW_MS 20
#define BLOCKED_POLL_MS 100

/* The frame that a packet call is about: the next one in decode order. */
static uint64_t next_packet(const struct run *run)
{
	return run->frames.first + run->frames.received;
}

static bool wrong_output(struct run *run, enum slot_call call, const char *text)
{
	return run_end(
		run, ATTEMPT_WRONG_OUTPUT, ENCODER_WRONG_OUTPUT, call, next_packet(run), text);
}

static bool blame_client(struct run *run, const char *text)
{
	return run_end(run, ATTEMPT_ERROR, ENCODER_INVALID, SLOT_CALL_NONE, run->input.next, text);
}

static bool commit(struct run *run)
{
	if (output_commit(&run->output))
		return true;
	return run_end(run, ATTEMPT_CANCELLED, ENCODER_OK, SLOT_CALL_NONE, next_packet(run), NULL);
}

static void note_progress(struct run *run)
{
	atomic_store_explicit(&run->map.slot->progress,
		run->frames.taken - run->frames.first + run->frames.received, memory_order_relaxed);
	atomic_store_explicit(&run->map.slot->packets, run->frames.received, memory_order_relaxed);
}

/* --- slots go back to the client --- */

/* Frames below this index may be released as soon as the encoder has let go of them. */
static uint64_t releasable(const struct run *run)
{
	if (run->start.on_failure == VENCD_ON_FAILURE_FAIL)
		return UINT64_MAX;
	return run->frames.first + run->output.logged.frames;
}

static bool releases_wait(const struct run *run)
{
	return run->released_done != run->view.done || run->released_end != releasable(run);
}

/* Writes what releases there are, as far as the log has room; commits nothing. */
static bool write_releases(struct run *run)
{
	uint64_t end = releasable(run), index;
	enum output_room room = OUTPUT_ROOM;
	uint32_t slot;

	while (releases_wait(run)) {
		room = output_room(&run->output, 1, 0);
		if (room != OUTPUT_ROOM)
			break;
		if (!frames_release(&run->frames, end, &index, &slot)) {
			run->released_done = run->view.done;
			run->released_end = end;
			break;
		}
		output_release(&run->output, index, slot);
	}
	if (room == OUTPUT_BROKEN)
		return blame_client(run, "the client's consumption index is impossible");
	return true;
}

static bool give_slots_back(struct run *run)
{
	return write_releases(run) && commit(run);
}

/* --- packets --- */

static bool wait_for_room(struct run *run, enum slot_call call, uint32_t entries, uint64_t bytes)
{
	for (;;) {
		run_look(run);
		switch (output_room(&run->output, entries, bytes)) {
		case OUTPUT_ROOM:
			return true;
		case OUTPUT_BROKEN:
			return blame_client(run, "the client's consumption index is impossible");
		case OUTPUT_NEVER:
			return wrong_output(
				run, call, "the packets of one group do not fit into the ring");
		case OUTPUT_FULL:
			break;
		}
		if (!run_sleep(run, SLOT_IDLE_CREDIT, -1))
			return false;
	}
}

/* Ticks that a frame lasts nominally, at least 1. */
static int64_t frame_ticks(const struct vencd_params *p)
{
	bool known = p->frame_rate.num > 0 && p->frame_rate.den > 0;
	int64_t num = known ? p->frame_rate.num : 25, den = known ? p->frame_rate.den : 1;
	int64_t ticks = den * p->time_base.den / (num * p->time_base.num);

	return ticks > 0 ? ticks : 1;
}

/* The dts of the next packet: the pts of the frame R before it, or as if there had been such. */
static int64_t next_dts(const struct run *run)
{
	uint64_t i = run->frames.received - 1, reorder = run->start.plan.reorder;

	if (i >= reorder)
		return frames_pts(&run->frames, run->frames.first + i - reorder);
	return frames_pts(&run->frames, run->frames.first) -
		(int64_t)(reorder - i) * frame_ticks(&run->start.params.request);
}

static const char *check_kind(const struct run *run, const struct encoder_packet *p)
{
	enum bitstream_kind kind = p->flags & VENCD_PACKET_KEYFRAME ? BITSTREAM_KEYFRAME
								    : BITSTREAM_INTER;

	if (run->frames.received == 0 && kind != BITSTREAM_KEYFRAME)
		return "the first packet is no keyframe";
	if (run->limits->codec == 0) /* the null encoder's packets are of no codec */
		return NULL;
	if (bitstream_inspect(run->limits->codec, p->data, p->size) != kind)
		return "a packet's bitstream is not what the encoder says of it";
	return NULL;
}

static const char *inspect_packet(const struct run *run, const struct encoder_packet *p)
{
	if (!p->data || p->size == 0)
		return "an empty packet";
	if (p->size > run->output.data_size / 2 || p->size > UINT32_MAX)
		return "a packet that is larger than raw frames";
	if (p->flags & ~VENCD_PACKET_KEYFRAME)
		return "a packet with unknown flags";
	return check_kind(run, p);
}

/* Which frame a packet shows, and its dts. */
static const char *place_packet(
	struct run *run, const struct encoder_packet *p, struct output_packet *ret)
{
	int r = frames_receive(&run->frames, p->pts, &ret->frame);

	if (r == -ENOENT)
		return "a packet with a pts of no frame in flight";
	if (r == -EEXIST)
		return "two packets with the same pts";
	note_progress(run);
	ret->dts = next_dts(run);
	return ret->dts > p->pts ? "packets reordered more deeply than promised" : NULL;
}

static bool close_group(struct run *run)
{
	output_close_group(&run->output);
	return give_slots_back(run);
}

static bool take_packet(struct run *run, enum slot_call call, const struct encoder_packet *p)
{
	struct output_packet out = {
		.data = p->data, .size = p->size, .pts = p->pts, .flags = p->flags};
	const char *wrong = inspect_packet(run, p);

	if (!wrong)
		wrong = place_packet(run, p, &out);
	if (wrong)
		return wrong_output(run, call, wrong);
	/* Room for the whole group: if this packet closes it, all can be written at once. */
	if (run->output.n_withheld == run->output.max_withheld)
		return wrong_output(run, call, "more packets withheld than promised");
	if (!wait_for_room(run, call, run->output.n_withheld + 1, p->size))
		return false;
	output_packet(&run->output, &out);
	if (run->check)
		check_packet(run->check, p, out.frame);
	run->idle_polls = 0;
	switch (group_add(&run->group, out.frame - run->frames.first)) {
	case GROUP_OPEN:
		return true;
	case GROUP_CLOSED:
		return close_group(run);
	case GROUP_TOO_LONG:
		break;
	}
	return wrong_output(run, call, "more packets withheld than promised");
}

static enum encoder_status receive(struct run *run, enum slot_call call, struct encoder_packet *ret)
{
	enum encoder_status status;

	run_enter(run, call, next_packet(run));
	status = run->ops->receive(run->encoder, ret);
	run_leave(run);
	return status;
}

static bool take_packets(struct run *run)
{
	struct encoder_packet packet = {0};

	while (run->frames.received < run->sent) {
		enum encoder_status status = receive(run, SLOT_CALL_RECEIVE, &packet);

		if (status == ENCODER_AGAIN)
			return true;
		if (status == ENCODER_END)
			return wrong_output(run, SLOT_CALL_RECEIVE, "an end before the flush");
		if (status != ENCODER_OK)
			return run_fail(run, status, SLOT_CALL_RECEIVE, next_packet(run));
		if (!take_packet(run, SLOT_CALL_RECEIVE, &packet))
			return false;
	}
	return true;
}

/* --- frames --- */

/* Of the client's frame, without padding. */
static uint64_t frame_bytes(const struct plane_layout *l)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < l->planes; i++)
		n += (uint64_t)l->row_bytes[i] * l->rows[i];
	return n;
}

/* For whoever wants to know later what the call was given. */
static void note_frame(struct run *run, const struct encoder_frame *frame)
{
	struct call_slot *slot = run->map.slot;

	atomic_store_explicit(&slot->pts, (uint64_t)frame->pts, memory_order_relaxed);
	atomic_store_explicit(&slot->flags, frame->flags, memory_order_relaxed);
	atomic_store_explicit(&slot->bytes, frame_bytes(&run->start.layout), memory_order_relaxed);
}

/* Sends a frame; where the encoder wants to be rid of packets first, takes them. */
static bool send_frame(struct run *run, const struct encoder_frame *frame)
{
	note_frame(run, frame);
	for (;;) {
		uint64_t received = run->frames.received;
		enum encoder_status status;

		run_enter(run, SLOT_CALL_SEND, frame->index);
		status = run->ops->send(run->encoder, frame);
		run_leave(run);
		if (status == ENCODER_OK)
			break;
		if (status != ENCODER_AGAIN)
			return run_fail(run, status, SLOT_CALL_SEND, frame->index);
		if (!take_packets(run))
			return false;
		if (run->frames.received == received && !run_pause(run))
			return false;
	}
	run->sent++;
	run->idle_polls = 0;
	return true;
}

static bool take_frame(struct run *run, const struct plane_frame *f)
{
	struct encoder_frame frame = {.pts = f->pts, .flags = f->flags, .index = run->frames.taken};
	int r = frames_take(&run->frames, f->slot, f->pts);

	if (r == -EBUSY)
		return blame_client(run, "the client's submit ring names a slot that is in use");
	if (r < 0)
		return wrong_output(run, SLOT_CALL_SEND, "more frames held than any encoder may");
	run_rate_take(run);
	atomic_store_explicit(&run->map.ring->taken, run->frames.taken, memory_order_release);
	note_progress(run);
	chroma_frame(&run->chroma, run->map.pool, f->slot, &frame);
	if (run->check)
		check_frame(run->check, &frame);
	return send_frame(run, &frame);
}

/* Nobody but the encoder can go on: it has all of the client's slots. */
static bool encoder_has_all(const struct run *run)
{
	return run->frames.received < run->sent && !releases_wait(run) &&
		run->frames.taken - run->frames.first - run->frames.released ==
		run->start.layout.slots;
}

/* An encoder with threads of its own may have a packet before anybody wakes us. */
static int async_timeout_ms(struct run *run, int otherwise_ms)
{
	if (!run->info.async || run->frames.received == run->sent)
		return otherwise_ms;
	return run->idle_polls++ < ASYNC_POLLS ? 1 : ASYNC_SLOW_MS;
}

static bool wait_for_frame(struct run *run)
{
	bool blocked = encoder_has_all(run);
	int timeout_ms = blocked ? BLOCKED_POLL_MS : -1;

	if (blocked && run_stalled(run))
		return false;
	return run_sleep(run, releases_wait(run) ? SLOT_IDLE_CREDIT : SLOT_IDLE_INPUT,
		async_timeout_ms(run, timeout_ms));
}

/* There is a frame, but its user has encoded as much as it may for now. */
static bool wait_for_rate(struct run *run, int timeout_ms)
{
	int async_ms = async_timeout_ms(run, timeout_ms);

	return run_sleep(run, SLOT_IDLE_RATE, async_ms < timeout_ms ? async_ms : timeout_ms);
}

/* --- the end --- */

static bool flush(struct run *run)
{
	enum encoder_status status;

	run_enter(run, SLOT_CALL_FLUSH, next_packet(run));
	status = run->ops->flush(run->encoder);
	run_leave(run);
	if (status != ENCODER_OK)
		return run_fail(run, status, SLOT_CALL_FLUSH, next_packet(run));
	return true;
}

static bool drain(struct run *run)
{
	struct encoder_packet packet = {0};

	while (!run_stopped(run)) {
		enum encoder_status status = receive(run, SLOT_CALL_FLUSH, &packet);

		if (status == ENCODER_END)
			return true;
		if (status == ENCODER_AGAIN) {
			if (!run_pause(run))
				return false;
			continue;
		}
		if (status != ENCODER_OK)
			return run_fail(run, status, SLOT_CALL_FLUSH, next_packet(run));
		if (!take_packet(run, SLOT_CALL_FLUSH, &packet))
			return false;
	}
	return false;
}

static bool finish(struct run *run)
{
	/* An encoder that got no frame is not flushed: some crash. */
	if (run->sent > 0 && (!flush(run) || !drain(run)))
		return false;
	if (run->frames.received != run->sent)
		return wrong_output(
			run, SLOT_CALL_FLUSH, "fewer packets than frames after the flush");
	run_look(run);
	if (!give_slots_back(run) || !wait_for_room(run, SLOT_CALL_NONE, 1, 0))
		return false;
	output_end(&run->output);
	if (!commit(run) || !run_await_check(run))
		return false;
	return run_end(run, ATTEMPT_FINISHED, ENCODER_OK, SLOT_CALL_NONE, next_packet(run), NULL);
}

static bool step(struct run *run)
{
	int rate_ms = run->view.head > run->input.next ? run_rate_wait_ms(run) : 0;
	struct plane_frame frame;

	if (rate_ms > 0)
		return wait_for_rate(run, rate_ms);
	switch (input_take(&run->input, &frame)) {
	case INPUT_EMPTY:
		return wait_for_frame(run);
	case INPUT_FRAME:
		return take_frame(run, &frame);
	case INPUT_FINISHED:
		return finish(run);
	case INPUT_BROKEN:
		break;
	}
	return blame_client(run, run->input.why);
}

void run_encode(struct run *run)
{
	do
		run_look(run);
	while (!run_stopped(run) && take_packets(run) && give_slots_back(run) && step(run));
}
