// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Decoding beside the stream: the two threads, and what is between them. The run thread takes a
 * signature of each frame before it is sent, and puts a copy of each packet, with the signature of
 * its frame, into a queue; the check's thread takes them out, and has them decoded and looked at
 * (pictures.c).
 *
 * The queue has one writer and one reader and no lock: the reader has a low priority, and who waits
 * for a lock that it holds would wait for everything else on the host. When the queue is full,
 * packets are left out up to the next keyframe; the decoder is then drained, so that each packet
 * that was given has shown its picture, and begins anew.
 *
 * After the first frames the thread's own CPU time is held to a share of the time that passes. It
 * sleeps what it has used beyond; the queue fills, and so it is a sample that is looked at where
 * frames come faster than it may decode them. At the end there is no such limit.
 *
 * What was found stands still: the thread says so once, and ends. Nothing is judged here, and no
 * driver is called.
 */

#include "daemon/worker/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client/plane/plane.h"
#include "daemon/flow.h"
#include "daemon/worker/frames.h"
#include "daemon/worker/pictures.h"
#include "daemon/worker/signature.h"
#include "daemon/worker/thread.h"

#define CHECK_FIRST 32u          /* frames of the attempt that are always decoded */
#define CHECK_QUEUE 64u          /* packets, at least CHECK_FIRST */
#define CHECK_BYTES (32u << 20)  /* of packets in the queue */
#define CHECK_AHEAD 3u           /* frames behind a B picture that it may be predicted from */
#define CHECK_SHARE_NS 250000000 /* of CPU time, in a second */
#define CHECK_BURST_NS 250000000 /* of CPU time that may be saved up */
#define CHECK_NICE 10
#define CHECK_STACK (2u << 20)

#define SECOND_NS UINT64_C(1000000000)

enum check_order {
	CHECK_GO,
	CHECK_HURRY, /* to the end of the queue, whatever it costs */
	CHECK_STOP,
};

enum check_state {
	CHECK_AT_WORK,
	CHECK_DONE,
	CHECK_FOUND, /* what is wrong stands in the pictures */
};

/* A packet and what it is to show. */
struct queued {
	AVPacket *packet;
	struct picture shown;
	bool restarts; /* packets before it were left out */
};

struct check {
	struct check_about about;
	_Atomic uint32_t references; /* the run's and the thread's */

	/* The queue: counts of what was put in and taken out */
	_Atomic uint64_t in, out, bytes;
	struct queued queue[CHECK_QUEUE];
	sem_t more;  /* once for each packet, and for each order */
	sem_t order; /* for each order: ends a sleep */
	sem_t ended;
	_Atomic uint32_t order_is; /* enum check_order */

	/* What the thread says */
	_Atomic uint32_t state; /* enum check_state */

	/* The run thread's own */
	struct signature *sources; /* of the frames in flight, by index */
	uint64_t sources_end;      /* one more than the last of them */
	bool leaving_out;

	/* The thread's own */
	struct pictures pictures; /* but for what it has found, and its counts */
	struct flow_bucket share;
	uint64_t cpu_ns;
};

/* --- lifetime --- */

static void clear(struct check *c)
{
	while (c->out != c->in)
		av_packet_free(&c->queue[c->out++ % CHECK_QUEUE].packet);
	pictures_close(&c->pictures);
	sem_destroy(&c->more);
	sem_destroy(&c->order);
	sem_destroy(&c->ended);
	close(c->about.wake);
	free(c->sources);
	free(c);
}

static void let_go(struct check *c)
{
	if (atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) == 1)
		clear(c);
}

static void give_order(struct check *c, enum check_order order)
{
	atomic_store_explicit(&c->order_is, order, memory_order_release);
	sem_post(&c->order);
	sem_post(&c->more);
}

static enum check_order order_of(struct check *c)
{
	return (enum check_order)atomic_load_explicit(&c->order_is, memory_order_acquire);
}

void check_free(struct check *c)
{
	if (!c)
		return;
	give_order(c, CHECK_STOP);
	let_go(c);
}

/* --- the run's side --- */

static bool is_deep(uint32_t format)
{
	return format == VENCD_FORMAT_I010 || format == VENCD_FORMAT_P010;
}

static enum signature_depth depth_of(uint32_t format)
{
	if (!is_deep(format))
		return SIGNATURE_8;
	return format == VENCD_FORMAT_P010 ? SIGNATURE_10_HIGH : SIGNATURE_10_LOW;
}

void check_frame(struct check *c, const struct encoder_frame *frame)
{
	struct signature_plane luma = {
		.data = frame->data[0],
		.stride = frame->stride[0],
		.width = c->about.width,
		.height = c->about.height,
		.depth = depth_of(frame->format),
	};

	signature_take(&c->sources[frame->index % FRAMES_TABLE], &luma);
	c->sources_end = frame->index + 1;
}

static bool has_room(struct check *c, size_t size)
{
	uint64_t in = atomic_load_explicit(&c->in, memory_order_relaxed);
	uint64_t out = atomic_load_explicit(&c->out, memory_order_acquire);

	return in - out < CHECK_QUEUE &&
		atomic_load_explicit(&c->bytes, memory_order_relaxed) + size <= CHECK_BYTES;
}

static void want(struct check *c, uint64_t frame, struct signature_wanted *ret)
{
	const struct signature *source = &c->sources[frame % FRAMES_TABLE];
	uint64_t end = c->about.b_frames ? frame + 1 + CHECK_AHEAD : frame + 1;

	ret->source = *source;
	signature_range_begin(&ret->near, source);
	for (uint64_t i = frame + 1; i < end && i < c->sources_end; i++)
		signature_range_widen(&ret->near, &c->sources[i % FRAMES_TABLE]);
}

static AVPacket *copy(const struct encoder_packet *p, uint64_t frame)
{
	AVPacket *packet = av_packet_alloc();

	if (!packet || av_new_packet(packet, (int)p->size) < 0) {
		av_packet_free(&packet);
		return NULL;
	}
	memcpy(packet->data, p->data, p->size);
	packet->pts = (int64_t)frame;
	return packet;
}

void check_packet(struct check *c, const struct encoder_packet *p, uint64_t frame)
{
	uint64_t in = atomic_load_explicit(&c->in, memory_order_relaxed);
	struct queued *q = &c->queue[in % CHECK_QUEUE];
	AVPacket *packet = NULL;

	if (c->leaving_out && !(p->flags & VENCD_PACKET_KEYFRAME))
		return;
	if (has_room(c, p->size))
		packet = copy(p, frame);
	if (!packet) {
		c->leaving_out = true;
		return;
	}
	q->packet = packet;
	q->shown.frame = frame;
	want(c, frame, &q->shown.wanted);
	q->shown.keyframe = p->flags & VENCD_PACKET_KEYFRAME;
	q->restarts = c->leaving_out;
	c->leaving_out = false;
	atomic_fetch_add_explicit(&c->bytes, p->size, memory_order_relaxed);
	atomic_store_explicit(&c->in, in + 1, memory_order_release);
	sem_post(&c->more);
}

void check_finish(struct check *c)
{
	give_order(c, CHECK_HURRY);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* False: not within ns. */
static bool await(sem_t *semaphore, uint64_t ns)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + ns;
	struct timespec t = {(time_t)(end / SECOND_NS), (long)(end % SECOND_NS)};

	while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &t) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

bool check_wait(struct check *c, int ms)
{
	return await(&c->ended, (uint64_t)ms * 1000000);
}

bool check_found(struct check *c)
{
	return atomic_load_explicit(&c->state, memory_order_acquire) == CHECK_FOUND;
}

void check_look(struct check *c, struct check_result *ret)
{
	*ret = (struct check_result){
		.checked = atomic_load_explicit(&c->pictures.good, memory_order_acquire),
		.good_end = atomic_load_explicit(&c->pictures.good_end, memory_order_acquire),
	};
	if (!check_found(c))
		return;
	ret->frame = c->pictures.wrong_frame;
	memcpy(ret->text, c->pictures.wrong, sizeof(ret->text));
}

/* --- the thread's side --- */

static bool decode(struct check *c, struct queued *q)
{
	bool good = (!q->restarts || pictures_restart(&c->pictures)) &&
		pictures_give(&c->pictures, q->packet, &q->shown);

	av_packet_free(&q->packet);
	return good;
}

/* Sleeps what was used beyond the share. */
static void keep_share(struct check *c)
{
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), now = now_ns(CLOCK_MONOTONIC), ns;

	flow_bucket_take(&c->share, cpu - c->cpu_ns, now);
	c->cpu_ns = cpu;
	ns = flow_bucket_wait_ns(&c->share, now);
	if (c->pictures.given >= CHECK_FIRST && ns > 0 && order_of(c) == CHECK_GO)
		(void)await(&c->order, ns);
}

/* The next packet is copied out, so that its place in the queue is free. */
static bool take_packet(struct check *c, struct queued *ret)
{
	uint64_t out = atomic_load_explicit(&c->out, memory_order_relaxed);

	if (out == atomic_load_explicit(&c->in, memory_order_acquire))
		return false;
	*ret = c->queue[out % CHECK_QUEUE];
	atomic_fetch_sub_explicit(&c->bytes, (uint64_t)ret->packet->size, memory_order_relaxed);
	atomic_store_explicit(&c->out, out + 1, memory_order_release);
	return true;
}

/* Until there is no more, or it is not wanted any more; false: something is wrong. */
static bool work(struct check *c)
{
	struct queued next;

	for (;;) {
		while (sem_wait(&c->more) < 0)
			;
		if (order_of(c) == CHECK_STOP)
			return true;
		if (take_packet(c, &next)) {
			if (!decode(c, &next))
				return false;
			keep_share(c);
		} else if (order_of(c) == CHECK_HURRY) {
			return pictures_drain(&c->pictures);
		}
	}
}

static void settle_in(const struct check *c)
{
	char name[16]; /* what the kernel keeps */

	snprintf(name, sizeof(name), "check-%" PRIu64, c->about.number);
	pthread_setname_np(pthread_self(), name);
	/* Of this thread alone, as Linux has it. Where that fails it only competes harder. */
	(void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + CHECK_NICE);
}

static void *check_thread(void *userdata)
{
	struct check *c = userdata;
	bool good;

	settle_in(c);
	flow_bucket_init(&c->share, CHECK_SHARE_NS, SECOND_NS, CHECK_BURST_NS, CHECK_BURST_NS,
		now_ns(CLOCK_MONOTONIC));
	good = work(c);
	atomic_store_explicit(&c->state, good ? CHECK_DONE : CHECK_FOUND, memory_order_release);
	if (!good)
		plane_wake(c->about.wake);
	sem_post(&c->ended);
	let_go(c);
	return NULL;
}

/* --- the beginning --- */

static int make(struct check *c)
{
	int r = pictures_open(&c->pictures, c->about.codec, c->about.width, c->about.height,
		is_deep(c->about.format));

	if (r < 0)
		return r;
	c->sources = calloc(FRAMES_TABLE, sizeof(*c->sources));
	if (!c->sources)
		return -ENOMEM;
	atomic_store_explicit(&c->references, 2, memory_order_relaxed);
	return thread_start(CHECK_STACK, check_thread, c);
}

int check_start(struct check **ret, const struct check_about *about)
{
	struct check *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->about = *about;
	c->about.wake = fcntl(about->wake, F_DUPFD_CLOEXEC, 0);
	sem_init(&c->more, 0, 0);
	sem_init(&c->order, 0, 0);
	sem_init(&c->ended, 0, 0);
	r = c->about.wake < 0 ? -errno : make(c);
	if (r < 0) {
		clear(c);
		return r;
	}
	*ret = c;
	return 0;
}
