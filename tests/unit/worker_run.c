// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The run thread alone, in this process, with an encoder of the test's own: one whose frames are
 * let go of by another thread, at any time, as hardware does; and, with frames enough at hand, a
 * thread that makes no system call at all.
 */

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "daemon/worker/run.h"
#include "tests/unit/worker_rig.h"

#define HELD_MAX 64u
#define STEADY_FRAMES 1000u /* two log entries each: fewer than the log has */

/*
 * While this is BLOCK, a system call of the thread that asked for it is a signal that ends the
 * test. ALLOW without having asked.
 */
static volatile char system_calls = SYSCALL_DISPATCH_FILTER_ALLOW;

enum fake_marks {
	MARKS_LATER,  /* frames are let go of by another thread */
	MARKS_STEADY, /* in send; no system call is allowed between the first frame and the last */
};

static enum fake_marks marks;
static bool dispatch_works;

struct encoder {
	struct encoder_host host;
	pthread_t thread;
	pthread_mutex_t lock;
	int64_t pts[HELD_MAX];
	unsigned n; /* frames sent and not yet received */
	uint64_t let_go[HELD_MAX];
	unsigned n_let_go; /* indices for the thread to mark */
	bool first_done, flushed, closing;
	uint64_t received;
};

static enum encoder_status fake_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	(void)reach;
	(void)host;
	(void)info;
	return ENCODER_OK;
}

static bool mark_one(struct encoder *e)
{
	uint64_t index = 0;
	bool closing, any;

	pthread_mutex_lock(&e->lock);
	any = e->n_let_go > 0;
	if (any)
		index = e->let_go[--e->n_let_go];
	closing = e->closing;
	pthread_mutex_unlock(&e->lock);
	if (any)
		e->host.done(e->host.userdata, index);
	return any || !closing;
}

static void *mark_frames(void *userdata)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	while (mark_one(userdata))
		nanosleep(&pause, NULL);
	return NULL;
}

static enum encoder_status fake_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	struct encoder *e = calloc(1, sizeof(*e));

	(void)params;
	CHECK(e);
	e->host = *host;
	pthread_mutex_init(&e->lock, NULL);
	CHECK_EQUAL(pthread_create(&e->thread, NULL, mark_frames, e), 0);
	info->needs_frames = 1;
	*ret = e;
	return ENCODER_OK;
}

static void watch_system_calls(uint64_t index)
{
	if (index == 1)
		dispatch_works = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0,
					 &system_calls) == 0;
	if (index == 1)
		system_calls = SYSCALL_DISPATCH_FILTER_BLOCK;
	if (index == STEADY_FRAMES - 1)
		system_calls = SYSCALL_DISPATCH_FILTER_ALLOW;
}

static enum encoder_status send_steadily(struct encoder *e, const struct encoder_frame *frame)
{
	watch_system_calls(frame->index);
	e->pts[e->n++] = frame->pts;
	e->host.done(e->host.userdata, frame->index);
	return ENCODER_OK;
}

static enum encoder_status fake_send(struct encoder *e, const struct encoder_frame *frame)
{
	enum encoder_status status = ENCODER_AGAIN;

	if (marks == MARKS_STEADY)
		return send_steadily(e, frame);
	pthread_mutex_lock(&e->lock);
	if (e->n < HELD_MAX && e->n_let_go < HELD_MAX) {
		e->pts[e->n++] = frame->pts;
		e->let_go[e->n_let_go++] = frame->index;
		status = ENCODER_OK;
	}
	pthread_mutex_unlock(&e->lock);
	return status;
}

static enum encoder_status fake_receive(struct encoder *e, struct encoder_packet *ret)
{
	if (e->n == 0)
		return e->flushed ? ENCODER_END : ENCODER_AGAIN;
	*ret = (struct encoder_packet){.data = (const uint8_t *)"packet",
		.size = 6,
		.pts = e->pts[0],
		.flags = e->received++ ? 0 : VENCD_PACKET_KEYFRAME};
	memmove(e->pts, e->pts + 1, --e->n * sizeof(e->pts[0]));
	return ENCODER_OK;
}

static enum encoder_status fake_flush(struct encoder *e)
{
	e->flushed = true;
	return ENCODER_OK;
}

static void fake_close(struct encoder *e)
{
	pthread_mutex_lock(&e->lock);
	e->closing = true;
	pthread_mutex_unlock(&e->lock);
	CHECK_EQUAL(pthread_join(e->thread, NULL), 0);
	free(e);
}

static const struct encoder_ops fake = {.name = "null",
	.probe = fake_probe,
	.open = fake_open,
	.send = fake_send,
	.receive = fake_receive,
	.flush = fake_flush,
	.close = fake_close};

const struct encoder_ops *encoder_find(const char *name)
{
	return strcmp(name, fake.name) == 0 ? &fake : NULL;
}

/* --- the attempt --- */

static struct rig rig; /* no process: only the numbers */
static struct session s;
static struct worker_shared shared;
static struct run *run;
static int loop_wake;

static void start(void)
{
	enum encoder_status status;
	int fds[WIRE_START_FDS], pipe_fds[2];
	const char *why;

	CHECK_EQUAL(pipe(pipe_fds), 0);
	loop_wake = pipe_fds[0];
	shared.wake = pipe_fds[1];
	for (int i = 0; i < WIRE_START_FDS; i++)
		CHECK((fds[i] = dup(s.fds[i])) >= 0);
	CHECK_EQUAL(run_start(&run, &s.start, fds, &shared, &status, &why), 0);
}

static void await(uint32_t news)
{
	char byte;

	while (!(atomic_load(&run->news) & news))
		CHECK_EQUAL(read(loop_wake, &byte, 1), 1);
}

static void end(void)
{
	await(RUN_ENDED);
	CHECK_EQUAL(run->ended.end, ATTEMPT_FINISHED);
	CHECK(!run->kept);
	CHECK_EQUAL(slot_state(SLOT_LOAD(&s.slot->word)), SLOT_ENDED);
	run_free(run);
	session_close(&s);
	close(loop_wake);
	close(shared.wake);
}

/* Packets as they come; the fake's are not the null encoder's, so the rig does not read them. */
static unsigned count_entries(enum plane_entry_type type)
{
	uint64_t n = atomic_load(&s.ring->published);
	unsigned found = 0;

	for (uint64_t i = 0; i < n; i++)
		found += plane_log(s.ring)[i].type == type;
	return found;
}

/* Nothing but the mark happens: the thread wakes for it and gives the slot back. */
static void check_marks(uint32_t on_failure)
{
	marks = MARKS_LATER;
	session_make(&s, &rig, &(struct session_options){.slots = 8, .on_failure = on_failure});
	start();
	for (int i = 0; i < 8; i++)
		session_submit(&s, 0);
	session_await_published(&s, 16);
	CHECK_EQUAL(count_entries(PLANE_ENTRY_PACKET), 8);
	CHECK_EQUAL(count_entries(PLANE_ENTRY_RELEASE), 8);
	session_await(&s, SLOT_CALL_NONE, SLOT_IDLE_INPUT);
	session_finish(&s);
	end();
}

/* All frames are there, and the client does not sleep: nobody has to be woken or waited for. */
static void check_steady(void)
{
	marks = MARKS_STEADY;
	session_make(&s, &rig, &(struct session_options){.slots = STEADY_FRAMES});
	for (unsigned i = 0; i < STEADY_FRAMES; i++)
		session_submit(&s, 0);
	session_finish(&s);
	start();
	end();
	if (dispatch_works)
		return;
	fprintf(stderr, "this kernel has no user dispatch of system calls\n");
	exit(77); /* skipped */
}

int main(int argc, char **argv)
{
	check_marks(VENCD_ON_FAILURE_FAILOVER);
	check_marks(VENCD_ON_FAILURE_FAIL);
	if (argc > 1 && strcmp(argv[1], "steady") == 0)
		check_steady();
	return 0;
}
