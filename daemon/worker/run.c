// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The life of a run thread: open, encode, close, end. Every call into the library stands between
 * run_enter() and run_leave(); a call that the supervisor gave up in the meantime never gets past
 * run_leave().
 *
 * In a tainted worker nothing is opened or closed: it would wait for the wedge, or free under it.
 * An attempt that ends there keeps its encoder, its memory and its thread until the process is
 * killed.
 */

#include "daemon/worker/run.h"
#include "daemon/worker/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN_STACK (4u << 20)

_Noreturn void run_park(void)
{
	for (;;)
		pause();
}

void run_enter(struct run *run, enum slot_call call, uint64_t frame)
{
	struct call_slot *slot = run->map.slot;

	atomic_store_explicit(&slot->since_ns, run_now_ns(), memory_order_relaxed);
	atomic_store_explicit(&slot->frame, frame, memory_order_relaxed);
	run->call = call;
	if (!slot_change(slot, call, SLOT_RUNNING))
		run_park();
}

static void run_step(struct run *run, enum slot_call call)
{
	struct call_slot *slot = run->map.slot;

	atomic_store_explicit(&slot->since_ns, run_now_ns(), memory_order_relaxed);
	if (!slot_change(slot, call, SLOT_RUNNING))
		run_park();
}

void run_leave(struct run *run)
{
	if (!slot_change(run->map.slot, SLOT_CALL_NONE, SLOT_OWN))
		run_park();
}

/* The other steps are the function of the contract that they are in. */
static const enum slot_call call_of_step[ENCODER_STEP_MAX] = {
	[ENCODER_STEP_DEVICE] = SLOT_CALL_DEVICE,
	[ENCODER_STEP_FRAMES] = SLOT_CALL_FRAMES,
	[ENCODER_STEP_CODEC] = SLOT_CALL_CODEC,
	[ENCODER_STEP_SURFACE] = SLOT_CALL_SURFACE,
	[ENCODER_STEP_UPLOAD] = SLOT_CALL_UPLOAD,
	[ENCODER_STEP_FREE_CODEC] = SLOT_CALL_FREE_CODEC,
	[ENCODER_STEP_FREE_FRAMES] = SLOT_CALL_FREE_FRAMES,
	[ENCODER_STEP_FREE_DEVICE] = SLOT_CALL_FREE_DEVICE,
};

/* The run thread, inside a function of the contract. */
static void on_step(void *userdata, enum encoder_step step)
{
	struct run *run = userdata;
	enum slot_call call = call_of_step[step];

	run_step(run, call ? call : run->call);
}

bool run_end(struct run *run, enum attempt_end end, enum encoder_status status, enum slot_call call,
	uint64_t frame, const char *text)
{
	struct wire_attempt_ended *e = &run->ended;

	if (e->end)
		return false;
	e->end = end;
	e->status = status;
	e->call = call;
	e->frame = frame;
	snprintf(e->text, sizeof(e->text), "%s", text ? text : "");
	return false;
}

bool run_fail(struct run *run, enum encoder_status status, enum slot_call call, uint64_t frame)
{
	enum attempt_end end = status == ENCODER_WRONG_OUTPUT ? ATTEMPT_WRONG_OUTPUT
							      : ATTEMPT_ERROR;

	run->text[sizeof(run->text) - 1] = '\0';
	return run_end(run, end, status, call, frame, run->text);
}

static bool is_tainted(const struct run *run)
{
	return atomic_load_explicit(&run->shared->tainted, memory_order_acquire) != 0;
}

/* Tells the loop. After RUN_ENDED the run may be gone at once. */
static void tell(struct run *run, uint32_t news)
{
	int wake = run->shared->wake;

	atomic_fetch_or_explicit(&run->news, news, memory_order_release);
	plane_wake(wake);
}

/* Any thread of the library's. */
static void on_done(void *userdata, uint64_t index)
{
	struct run *run = userdata;

	frames_done(&run->frames, index);
	if (plane_must_wake(&run->asleep))
		plane_wake(run->wake[1]);
}

/* What opening found must be within what the client was promised. */
static bool check_info(struct run *run)
{
	const struct encoder_info *info = &run->info, *plan = &run->start.plan;
	char text[ENCODER_TEXT_MAX];

	if (info->needs_frames <= run->start.layout.slots && info->reorder <= plan->reorder)
		return true;
	snprintf(text, sizeof(text),
		"holds %u frames and reorders by %u, planned were %u in the pool and %u",
		info->needs_frames, info->reorder, run->start.layout.slots, plan->reorder);
	return run_end(
		run, ATTEMPT_ERROR, ENCODER_INVALID, SLOT_CALL_OPEN, run->frames.first, text);
}

static bool open_encoder(struct run *run)
{
	enum encoder_status status;

	if (run_stopped(run))
		return false;
	if (is_tainted(run))
		return run_end(run, ATTEMPT_ERROR, ENCODER_BUSY, SLOT_CALL_OPEN, run->frames.first,
			"another call of this process was abandoned: it opens nothing any more");
	run_enter(run, SLOT_CALL_OPEN, run->frames.first);
	status = run->ops->open(&run->encoder, &run->start.params, &run->host, &run->info);
	run_leave(run);
	if (status != ENCODER_OK) {
		run->encoder = NULL;
		return run_fail(run, status, SLOT_CALL_OPEN, run->frames.first);
	}
	return check_info(run);
}

static void close_encoder(struct run *run)
{
	if (!run->encoder)
		return;
	run->kept = is_tainted(run);
	if (run->kept)
		return;
	run_enter(run, SLOT_CALL_CLOSE, run->frames.first + run->frames.received);
	run->ops->close(run->encoder);
	run_leave(run);
	run->encoder = NULL;
}

/* An attempt goes on without: its report says that nothing was checked. */
static void start_check(struct run *run)
{
	const struct vencd_params *p = &run->start.params.request;
	struct check_about about = {
		.number = run->number,
		.codec = run->limits->codec,
		.width = p->width,
		.height = p->height,
		.format = p->format,
		.b_frames = p->b_frames != 0,
		.wake = run->wake[1],
	};
	int r;

	if (run->limits->backend != VENCD_BACKEND_HARDWARE)
		return;
	run->ended.checking = 1;
	r = check_start(&run->check, &about);
	if (r < 0)
		fprintf(stderr, "the output is not checked: %s\n", strerror(-r));
}

static void announce(struct run *run)
{
	struct plane_attempt *ring = run->map.ring;

	atomic_store_explicit(&ring->first_frame, run->start.first_frame, memory_order_release);
	atomic_store_explicit(&ring->taken, run->start.first_frame, memory_order_release);
}

/* What was delivered behind the last picture that was good is suspect, and nothing else. */
static void note_check(struct run *run)
{
	uint64_t end = run->frames.first + run->output.committed_packets, from;
	struct wire_attempt_ended *e = &run->ended;
	struct check_result result;

	if (!run->check)
		return;
	check_look(run->check, &result);
	e->frames_checked = result.checked;
	if (!check_found(run->check))
		return;
	from = result.good_end < result.frame ? result.good_end : result.frame;
	e->suspect_first = from > run->frames.first ? from : run->frames.first;
	e->suspect_frames = end > e->suspect_first ? end - e->suspect_first : 0;
}

/* A close that hangs must not hide what went wrong before: that is told first. */
static void conclude(struct run *run)
{
	note_check(run);
	check_free(run->check);
	run->check = NULL;
	run->ended.discarded_packets = run->frames.received - run->output.committed_packets;
	if (run->encoder && run->ended.end != ATTEMPT_FINISHED &&
		run->ended.end != ATTEMPT_CANCELLED)
		tell(run, RUN_FAILED);
}

static void give_memory_back(struct run *run)
{
	if (run->kept)
		return;
	session_map_close(&run->map);
	chroma_clear(&run->chroma);
	output_clear(&run->output);
}

static void name_thread(const struct run *run)
{
	char name[16]; /* what the kernel keeps */

	snprintf(name, sizeof(name), "run-%" PRIu64, run->number);
	pthread_setname_np(pthread_self(), name);
}

static void *run_thread(void *userdata)
{
	struct run *run = userdata;
	bool kept;

	name_thread(run);
	atomic_store_explicit(&run->map.slot->tid, (uint64_t)gettid(), memory_order_relaxed);
	run_leave(run); /* of the call that began with WIRE_START */
	announce(run);
	if (open_encoder(run)) {
		tell(run, RUN_OPENED);
		start_check(run);
		run_encode(run);
	}
	conclude(run);
	close_encoder(run);
	give_memory_back(run);
	if (!slot_change(run->map.slot, SLOT_CALL_NONE, SLOT_ENDED))
		run_park();
	kept = run->kept;
	tell(run, RUN_ENDED);
	if (kept)
		run_park(); /* a thread's end may run the library's destructors */
	return NULL;
}

/* --- the loop's side --- */

static const char *inspect_start(const struct wire_start *s)
{
	const struct vencd_params *p = &s->params.request;

	if (!plane_layout_valid(&s->layout))
		return "its memory has an impossible layout";
	if (s->attempt >= s->layout.attempts || p->width != s->layout.width ||
		p->height != s->layout.height)
		return "its layout is not that of its parameters";
	if (p->time_base.num <= 0 || p->time_base.den <= 0)
		return "its time base is none";
	if (s->plan.group > PLANE_MAX_SLOTS || s->plan.reorder > FRAMES_REORDER)
		return "its plan withholds more than a pool holds";
	return NULL;
}

static const char *find_encoder(struct run *run)
{
	uint32_t format;

	run->ops = encoder_find(run->start.encoder);
	run->limits = encoder_limits_find(run->start.encoder);
	if (!run->ops || !run->limits)
		return "this worker has no such encoder";
	format = chroma_target(run->limits, run->start.layout.format);
	if (format == 0)
		return "the encoder takes no frames of this format";
	run->start.params.request.format = format;
	return NULL;
}

static int prepare(struct run *run)
{
	uint32_t group = run->start.plan.group ? run->start.plan.group : 1;

	frames_init(&run->frames, run->start.first_frame);
	atomic_store_explicit(&run->rate, run->start.pixel_rate, memory_order_relaxed);
	flow_bucket_init(&run->pixels, run->start.pixel_rate, UINT64_C(1000000000),
		-(int64_t)(run->start.pixel_debt & INT64_MAX), (int64_t)run->start.pixel_rate,
		run_now_ns());
	input_init(&run->input, run->map.submit, &run->start.layout, run->start.first_frame);
	run->group.limit = group;
	run->host = (struct encoder_host){
		.done = on_done,
		.step = on_step,
		.userdata = run,
		.device = run->start.device,
		.script = run->limits->backend == VENCD_BACKEND_NULL
			? run->start.params.request.null_script
			: "",
		.text = run->text,
	};
	run->output.ring = run->map.ring;
	run->output.submit = run->map.submit;
	run->output.slot = run->map.slot;
	run->output.packet_wake = run->map.packet_wake;
	run->output.attempt = run->start.attempt;
	run->output.data_size = run->start.layout.data_size;
	if (output_init(&run->output, group) < 0)
		return -ENOMEM;
	return chroma_init(&run->chroma, &run->start.layout, run->start.params.request.format);
}

static int start_mapped(struct run *run)
{
	int r = prepare(run);

	if (r == 0 && pipe2(run->wake, O_CLOEXEC | O_NONBLOCK) < 0)
		r = -errno;
	if (r == 0)
		r = thread_start(RUN_STACK, run_thread, run);
	if (r < 0) {
		output_clear(&run->output);
		chroma_clear(&run->chroma);
		session_map_close(&run->map);
	}
	return r;
}

static void close_fds(const int fds[WIRE_START_FDS])
{
	for (int i = 0; i < WIRE_START_FDS; i++)
		close(fds[i]);
}

static int refuse(struct run *run, enum encoder_status *ret_status, enum encoder_status status)
{
	*ret_status = status;
	run_free(run);
	return -EINVAL;
}

int run_start(struct run **ret, const struct wire_start *start, const int fds[WIRE_START_FDS],
	struct worker_shared *shared, enum encoder_status *ret_status, const char **ret_why)
{
	struct run *run = calloc(1, sizeof(*run));

	*ret_why = "no memory for the attempt";
	*ret_status = ENCODER_NO_MEMORY;
	if (!run) {
		close_fds(fds);
		return -ENOMEM;
	}
	run->number = start->h.seq;
	run->shared = shared;
	run->start = *start;
	run->wake[0] = run->wake[1] = -1;
	*ret_why = inspect_start(start);
	if (!*ret_why)
		*ret_why = find_encoder(run);
	if (*ret_why) {
		close_fds(fds);
		return refuse(run, ret_status, ENCODER_INVALID);
	}
	if (session_map_open(&run->map, &start->layout, fds, ret_why) < 0)
		return refuse(run, ret_status, ENCODER_INVALID);
	*ret_why = "no memory, fd or thread for the attempt";
	if (start_mapped(run) < 0)
		return refuse(run, ret_status, ENCODER_NO_MEMORY);
	*ret = run;
	return 0;
}

void run_stop(struct run *run)
{
	atomic_store_explicit(&run->stop, 1, memory_order_release);
	plane_wake(run->wake[1]);
}

void run_set_rate(struct run *run, uint64_t pixel_rate)
{
	atomic_store_explicit(&run->rate, pixel_rate, memory_order_release);
	plane_wake(run->wake[1]);
}

void run_free(struct run *run)
{
	session_map_close_slot(&run->map);
	for (int i = 0; i < 2; i++)
		if (run->wake[i] >= 0)
			close(run->wake[i]);
	free(run);
}
