// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The null encoder: takes frames, gives small packets that say which frame they stand for, and
 * fails as its script says (docs/null-encoder.md). It is there to try the machinery around
 * encoders, so it delays, reorders and holds frames as a real one does.
 *
 * Invariants: nothing is allocated between open and close. A frame waits in `open` until its
 * mini-GOP closes, then in `queue` in decode order; both together never hold more than `hold` +
 * `reorder` + SLACK + 1 frames, since send says AGAIN before that. With keep=1 every frame in them
 * is still the encoder's.
 *
 * It does not touch a frame's bytes. A fault that never returns really never returns: nothing that
 * the process does to the thread ends it.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fallback/null.h"
#include "fallback/script.h"
#include "hw/encoder.h"

#define SLACK 16u      /* packets that may wait for receive before send refuses */
#define ASYNC_POLLS 3u /* with async=1: how often receive says AGAIN before a packet */
#define QUEUE_MAX (SCRIPT_MAX_HOLD + SCRIPT_MAX_REORDER + SLACK + 2u)

struct held {
	uint64_t index;
	int64_t pts;
	uint32_t flags; /* VENCD_PACKET_* */
};

enum null_state {
	NULL_ENCODING,
	NULL_FLUSHED,
	NULL_LOST, /* the device is gone: every call says so */
};

struct encoder {
	struct encoder_host host;
	struct script script;
	uint64_t calls[SCRIPT_CALL_MAX];
	enum null_state state;
	uint32_t width, height, gop;
	uint64_t taken, since_keyframe, given;
	uint32_t polls;
	struct held
		open[SCRIPT_MAX_REORDER + 1]; /* the mini-GOP being filled, in order of display */
	uint32_t n_open;
	struct held queue[QUEUE_MAX]; /* ring, in decode order */
	uint32_t first, n_queue;
	struct held last;
	bool repeat; /* the next packet is the last one again */
	uint8_t *packet, *memory;
};

static void say(const struct encoder_host *host, const char *text)
{
	snprintf(host->text, ENCODER_TEXT_MAX, "null encoder: %s", text);
}

static void sleep_ms(uint64_t ms)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)(ms / 1000);
	end.tv_nsec += (long)(ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
}

static uint64_t thread_cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void spin_ms(uint64_t ms)
{
	uint64_t end = thread_cpu_ms() + ms;

	while (thread_cpu_ms() < end)
		;
}

static void hang(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	for (;;)
		pause();
}

/* The signal's own death, also under a sanitizer and where it is blocked. */
static void crash(void)
{
	sigset_t set;

	signal(SIGSEGV, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGSEGV);
}

/* Where stderr can not be written to at once, this call waits there, as a driver's would. */
static void print(void)
{
	static const char line[] = "null: the script says print\n";

	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		return;
}

/*
 * Does what can be done before the call itself; returns the status it must then fail with, or OK.
 */
static enum encoder_status act(const struct script_fault *f)
{
	switch (f->mode) {
	case SCRIPT_MODE_HANG:
		hang();
		break;
	case SCRIPT_MODE_LATE:
	case SCRIPT_MODE_SLOW:
		sleep_ms(f->arg);
		break;
	case SCRIPT_MODE_SPIN:
		spin_ms(f->arg);
		break;
	case SCRIPT_MODE_CRASH:
		crash();
		break;
	case SCRIPT_MODE_PRINT:
		print();
		break;
	case SCRIPT_MODE_EXIT:
		_exit((int)f->arg);
	case SCRIPT_MODE_ERROR:
		return (enum encoder_status)f->arg;
	case SCRIPT_MODE_LOST:
		return ENCODER_DEVICE_LOST;
	case SCRIPT_MODE_GARBAGE: /* of a packet, not of a call */
	case SCRIPT_MODE_MAX:
		break;
	}
	return ENCODER_OK;
}

/* For probe and open, which happen before there is an instance. */
static enum encoder_status act_alone(
	const struct script *script, enum script_call call, const struct encoder_host *host)
{
	const struct script_fault *f = script_find(script, call, 1);
	enum encoder_status status = f ? act(f) : ENCODER_OK;

	if (status)
		say(host, "failed as its script says");
	return status;
}

/* Counts the call and plays its fault. */
static enum encoder_status enter(struct encoder *e, enum script_call call)
{
	const struct script_fault *f = script_find(&e->script, call, ++e->calls[call]);
	enum encoder_status status = f ? act(f) : ENCODER_OK;

	if (f && f->mode == SCRIPT_MODE_LOST)
		e->state = NULL_LOST;
	if (e->state == NULL_LOST)
		status = ENCODER_DEVICE_LOST;
	if (status)
		say(&e->host, "failed as its script says");
	return status;
}

static enum encoder_status null_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	struct script script;
	enum encoder_status status;

	(void)reach;
	if (script_parse(&script, host->script, host->text, ENCODER_TEXT_MAX))
		return ENCODER_INVALID;
	status = act_alone(&script, SCRIPT_CALL_PROBE, host);
	if (!status)
		snprintf(info->version, sizeof(info->version), "null 1");
	return status;
}

static void null_free(struct encoder *e)
{
	free(e->packet);
	free(e->memory);
	free(e);
}

static bool null_allocate(struct encoder *e)
{
	e->packet = malloc(e->script.size);
	if (e->script.memory)
		e->memory = malloc(e->script.memory);
	if (!e->packet || (e->script.memory && !e->memory))
		return false;
	memset(e->packet, NULL_FILL, e->script.size);
	if (e->memory)
		memset(e->memory, NULL_FILL, e->script.memory);
	return true;
}

static void null_describe(
	const struct encoder *e, const struct encoder_params *params, struct encoder_info *info)
{
	script_plan(&e->script, info);
	info->speed_used = params->request.speed;
	snprintf(info->version, sizeof(info->version), "null 1");
}

static enum encoder_status null_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	struct encoder *e = calloc(1, sizeof(*e));
	enum encoder_status status;

	if (!e)
		return ENCODER_NO_MEMORY;
	e->host = *host;
	e->width = params->request.width;
	e->height = params->request.height;
	e->gop = params->request.gop;
	if (script_parse(&e->script, host->script, host->text, ENCODER_TEXT_MAX))
		status = ENCODER_INVALID;
	else
		status = act_alone(&e->script, SCRIPT_CALL_OPEN, host);
	if (!status && !null_allocate(e))
		status = ENCODER_NO_MEMORY;
	if (status) {
		null_free(e);
		return status;
	}
	null_describe(e, params, info);
	*ret = e;
	return ENCODER_OK;
}

static void queue_push(struct encoder *e, const struct held *h)
{
	e->queue[(e->first + e->n_queue++) % QUEUE_MAX] = *h;
}

/* The last frame of the mini-GOP is decoded first; the others refer to it. */
static void close_mini_gop(struct encoder *e)
{
	if (!e->n_open)
		return;
	queue_push(e, &e->open[e->n_open - 1]);
	for (uint32_t i = 0; i + 1 < e->n_open; i++)
		queue_push(e, &e->open[i]);
	e->n_open = 0;
}

static bool must_be_keyframe(const struct encoder *e, const struct encoder_frame *frame)
{
	return !e->taken || frame->flags & VENCD_FRAME_KEYFRAME ||
		(e->gop && e->since_keyframe >= e->gop);
}

static void take(struct encoder *e, const struct encoder_frame *frame)
{
	struct held h = {.index = frame->index, .pts = frame->pts};

	if (must_be_keyframe(e, frame)) {
		h.flags = VENCD_PACKET_KEYFRAME;
		close_mini_gop(e);
		e->since_keyframe = 0;
	}
	e->taken++;
	e->since_keyframe++;
	e->open[e->n_open++] = h;
	if (h.flags || e->n_open > e->script.reorder)
		close_mini_gop(e);
}

/*
 * Memory that only the end of the process gives back, as a driver loses it. It is kept in a list,
 * so that a leak checker tells of other leaks alone.
 */
static void leak(size_t size)
{
	struct lost {
		_Atomic(struct lost *) next;
	};
	static _Atomic(struct lost *) all;
	struct lost *lost = malloc(size + sizeof(*lost));

	if (!lost)
		return;
	memset(lost + 1, NULL_FILL, size);
	lost->next = atomic_exchange(&all, lost);
}

static enum encoder_status null_send(struct encoder *e, const struct encoder_frame *frame)
{
	enum encoder_status status = enter(e, SCRIPT_CALL_SEND);

	if (status)
		return status;
	if (e->state == NULL_FLUSHED)
		return ENCODER_INVALID;
	if (e->n_queue + e->n_open > e->script.hold + e->script.reorder + SLACK)
		return ENCODER_AGAIN;
	take(e, frame);
	if (e->script.leak)
		leak(e->script.leak);
	if (!e->script.keep)
		e->host.done(e->host.userdata, frame->index);
	return ENCODER_OK;
}

static void write_packet(struct encoder *e, const struct held *h, struct encoder_packet *ret)
{
	struct null_packet head = {
		.version = 1,
		.flags = h->flags & VENCD_PACKET_KEYFRAME ? NULL_PACKET_KEYFRAME : 0,
		.frame = h->index,
		.pts = h->pts,
		.sequence = e->given++,
		.size = e->script.size,
		.width = e->width,
		.height = e->height,
	};

	memcpy(head.magic, NULL_MAGIC, sizeof(head.magic));
	head.digest = plane_digest(
		PLANE_FNV_OFFSET, (const uint8_t *)&head, offsetof(struct null_packet, digest));
	memcpy(e->packet, &head, sizeof(head));
	*ret = (struct encoder_packet){
		.data = e->packet, .size = e->script.size, .pts = h->pts, .flags = h->flags};
}

static void garble(struct encoder *e, enum script_garbage kind, struct encoder_packet *packet)
{
	switch (kind) {
	case SCRIPT_GARBAGE_PTS:
		packet->pts = INT64_MAX - 1;
		break;
	case SCRIPT_GARBAGE_NOKEY:
		packet->flags &= ~VENCD_PACKET_KEYFRAME;
		break;
	case SCRIPT_GARBAGE_EMPTY:
		packet->size = 0;
		break;
	case SCRIPT_GARBAGE_TWICE:
		e->repeat = true;
		break;
	case SCRIPT_GARBAGE_TRUNCATED:
		packet->size = e->script.size / 2;
		break;
	case SCRIPT_GARBAGE_MAX:
		break;
	}
}

static enum encoder_status next_is_ready(struct encoder *e)
{
	bool flushed = e->state == NULL_FLUSHED;

	if (!e->n_queue)
		return flushed ? ENCODER_END : ENCODER_AGAIN;
	if (!flushed && e->n_queue <= e->script.hold)
		return ENCODER_AGAIN;
	if (e->script.async && e->polls++ < ASYNC_POLLS)
		return ENCODER_AGAIN;
	e->polls = 0;
	return ENCODER_OK;
}

static void pop(struct encoder *e)
{
	e->last = e->queue[e->first];
	e->first = (e->first + 1) % QUEUE_MAX;
	e->n_queue--;
	if (e->script.keep)
		e->host.done(e->host.userdata, e->last.index);
}

static enum encoder_status null_receive(struct encoder *e, struct encoder_packet *ret)
{
	enum encoder_status status = enter(e, SCRIPT_CALL_RECEIVE);
	enum script_garbage garbage = script_garbage(&e->script, e->given + 1);

	if (!status && !e->repeat)
		status = next_is_ready(e);
	if (status)
		return status;
	if (!e->repeat)
		pop(e);
	e->repeat = false;
	write_packet(e, &e->last, ret);
	if (garbage)
		garble(e, garbage, ret);
	return ENCODER_OK;
}

static enum encoder_status null_flush(struct encoder *e)
{
	enum encoder_status status = enter(e, SCRIPT_CALL_FLUSH);

	if (status)
		return status;
	close_mini_gop(e);
	e->state = NULL_FLUSHED;
	return ENCODER_OK;
}

/* Frames that never became a packet are let go here. */
static void null_close(struct encoder *e)
{
	enter(e, SCRIPT_CALL_CLOSE);
	if (e->script.keep) {
		while (e->n_queue)
			pop(e);
		for (uint32_t i = 0; i < e->n_open; i++)
			e->host.done(e->host.userdata, e->open[i].index);
	}
	null_free(e);
}

const struct encoder_ops encoder_null = {
	.name = "null",
	.probe = null_probe,
	.open = null_open,
	.send = null_send,
	.receive = null_receive,
	.flush = null_flush,
	.close = null_close,
};
