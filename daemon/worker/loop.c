// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The loop. It answers for the whole process: while it answers a PING, a thread that does not come
 * back is a call that hangs, and not a process that was stopped. So it waits for nothing but
 * poll(), calls no library, and joins no thread.
 *
 * What there is to say is kept as state (a pong owed, a run that has opened, a run that has ended),
 * not as a queue: a supervisor that does not read makes nothing grow, since requests are not read
 * either until everything owed was sent.
 *
 * The process ends by _exit() alone: destructors may run driver code.
 */

#include "daemon/worker/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/worker/probe.h"
#include "daemon/worker/run.h"

#define LOOP_RUNS_MAX 64u
#define LOOP_MESSAGES_PER_TURN 64u

/* A run, until everything about it was told. */
struct entry {
	struct run *run; /* NULL: free */
	uint32_t told;   /* RUN_* */
};

struct loop {
	int fd;
	int wake; /* read end; the write end is shared.wake */
	struct worker_shared shared;
	bool ready_owed;
	struct walls walls; /* to be told with it */
	bool pong_owed;
	uint64_t pong;
	bool answer_owed; /* answer holds what a request got at once */
	union wire_message answer;
	struct probe *probe; /* running, or not told yet */
	struct entry entries[LOOP_RUNS_MAX];
};

/* --- to the supervisor --- */

/* Returns false when the supervisor does not read at the moment. */
static bool tell(struct loop *loop, void *message)
{
	int r = wire_send(loop->fd, message, NULL, 0);

	if (r == -EAGAIN || r == -ENOBUFS)
		return false;
	if (r < 0)
		_exit(EXIT_FAILURE);
	return true;
}

static bool tell_pong(struct loop *loop)
{
	struct wire_plain m = {.h = {.type = WIRE_PONG, .seq = loop->pong}};

	if (loop->pong_owed && !tell(loop, &m))
		return false;
	loop->pong_owed = false;
	return true;
}

static bool tell_ready(struct loop *loop)
{
	struct wire_ready m = {.h = {.type = WIRE_READY}, .walls = loop->walls};

	if (loop->ready_owed && !tell(loop, &m))
		return false;
	loop->ready_owed = false;
	return true;
}

static bool tell_answer(struct loop *loop)
{
	if (loop->answer_owed && !tell(loop, &loop->answer))
		return false;
	loop->answer_owed = false;
	return true;
}

static bool tell_probe(struct loop *loop)
{
	struct probe *probe = loop->probe;
	uint32_t news = probe ? atomic_load_explicit(&probe->news, memory_order_acquire)
			      : PROBE_NO_NEWS;

	if (news == PROBE_NO_NEWS)
		return true;
	if (!tell(loop,
		    news == PROBE_NEWS_DONE ? (void *)&probe->result : (void *)&probe->evidence))
		return false;
	if (news == PROBE_NEWS_CASE) {
		probe_told(probe);
		return true;
	}
	probe_free(probe);
	loop->probe = NULL;
	return true;
}

static bool tell_opened(struct loop *loop, struct entry *entry)
{
	struct wire_attempt_opened m = {
		.h = {.type = WIRE_ATTEMPT_OPENED, .seq = entry->run->number},
		.info = entry->run->info,
	};

	return tell(loop, &m);
}

static bool tell_ended(struct loop *loop, struct entry *entry, enum wire_type type)
{
	struct wire_attempt_ended m = entry->run->ended;

	m.h = (struct wire_header){.type = type, .seq = entry->run->number};
	return tell(loop, &m);
}

static bool tell_run(struct loop *loop, struct entry *entry)
{
	uint32_t news = atomic_load_explicit(&entry->run->news, memory_order_acquire);

	if (news & RUN_OPENED & ~entry->told) {
		if (!tell_opened(loop, entry))
			return false;
		entry->told |= RUN_OPENED;
	}
	if (news & RUN_FAILED & ~entry->told) {
		if (!tell_ended(loop, entry, WIRE_ATTEMPT_FAILED))
			return false;
		entry->told |= RUN_FAILED;
	}
	if (!(news & RUN_ENDED))
		return true;
	if (!tell_ended(loop, entry, WIRE_ATTEMPT_ENDED))
		return false;
	if (!entry->run->kept)
		run_free(entry->run);
	*entry = (struct entry){0};
	return true;
}

static bool tell_all(struct loop *loop)
{
	if (!tell_ready(loop) || !tell_pong(loop) || !tell_answer(loop) || !tell_probe(loop))
		return false;
	for (unsigned i = 0; i < LOOP_RUNS_MAX; i++)
		if (loop->entries[i].run && !tell_run(loop, &loop->entries[i]))
			return false;
	return true;
}

/* --- from the supervisor --- */

static void on_probe(struct loop *loop, const struct wire_probe *request)
{
	struct wire_probed *answer = &loop->answer.probed;
	int r = -EBUSY;

	if (!loop->probe && !atomic_load_explicit(&loop->shared.tainted, memory_order_relaxed))
		r = probe_start(&loop->probe, request, loop->shared.wake);
	if (r == 0)
		return;
	*answer = (struct wire_probed){
		.h = {.type = WIRE_PROBED, .seq = request->h.seq},
		.status = r == -EBUSY ? ENCODER_BUSY : ENCODER_NO_MEMORY,
	};
	memcpy(answer->encoder, request->encoder, sizeof(answer->encoder));
	snprintf(answer->text, sizeof(answer->text), "%s",
		r == -EBUSY ? "another probe runs, or is given up" : "no thread for the probe");
	loop->answer_owed = true;
}

static struct entry *free_entry(struct loop *loop, uint32_t max)
{
	struct entry *free_one = NULL;
	uint32_t used = 0;

	for (unsigned i = 0; i < LOOP_RUNS_MAX; i++) {
		used += loop->entries[i].run != NULL;
		if (!loop->entries[i].run && !free_one)
			free_one = &loop->entries[i];
	}
	return used < max ? free_one : NULL;
}

static void refuse(struct loop *loop, uint64_t seq, enum encoder_status status, const char *why)
{
	struct wire_attempt_ended *answer = &loop->answer.attempt_ended;

	*answer = (struct wire_attempt_ended){
		.h = {.type = WIRE_ATTEMPT_ENDED, .seq = seq},
		.end = ATTEMPT_ERROR,
		.status = status,
		.call = SLOT_CALL_START,
	};
	snprintf(answer->text, sizeof(answer->text), "%s", why);
	loop->answer_owed = true;
}

static void on_start(struct loop *loop, const struct wire_start *start, const int *fds)
{
	const struct encoder_limits *limits = encoder_limits_find(start->encoder);
	struct entry *entry = free_entry(loop, limits ? limits->sessions_per_worker : 1);
	const char *why = "this worker has as many attempts as it may";
	enum encoder_status status = ENCODER_BUSY;

	if (!entry) {
		for (unsigned i = 0; i < WIRE_START_FDS; i++)
			close(fds[i]);
		refuse(loop, start->h.seq, status, why);
	} else if (run_start(&entry->run, start, fds, &loop->shared, &status, &why) < 0) {
		refuse(loop, start->h.seq, status, why);
	}
}

static void on_stop(struct loop *loop, uint64_t number)
{
	for (unsigned i = 0; i < LOOP_RUNS_MAX; i++)
		if (loop->entries[i].run && loop->entries[i].run->number == number)
			run_stop(loop->entries[i].run);
}

static void on_rate(struct loop *loop, const struct wire_rate *rate)
{
	for (unsigned i = 0; i < LOOP_RUNS_MAX; i++)
		if (loop->entries[i].run && loop->entries[i].run->number == rate->h.seq)
			run_set_rate(loop->entries[i].run, rate->pixel_rate);
}

static void on_message(struct loop *loop, const union wire_message *m, const int *fds)
{
	switch (m->h.type) {
	case WIRE_PING:
		loop->pong_owed = true;
		loop->pong = m->h.seq;
		return;
	case WIRE_PROBE:
		on_probe(loop, &m->probe);
		return;
	case WIRE_START:
		on_start(loop, &m->start, fds);
		return;
	case WIRE_STOP:
		on_stop(loop, m->h.seq);
		return;
	case WIRE_RATE:
		on_rate(loop, &m->rate);
		return;
	case WIRE_TAINT:
		atomic_store_explicit(&loop->shared.tainted, 1, memory_order_release);
		return;
	case WIRE_EXIT:
		_exit(EXIT_SUCCESS);
	}
	_exit(EXIT_FAILURE); /* no message of ours: who sent it is no supervisor */
}

/* Reads requests as long as each one's answer could be sent. */
static bool serve(struct loop *loop)
{
	static union wire_message message;
	int fds[WIRE_MAX_FDS];
	unsigned n;

	for (unsigned i = 0; i < LOOP_MESSAGES_PER_TURN; i++) {
		int r = wire_receive(loop->fd, &message, fds, &n);

		if (r == -EAGAIN)
			return true;
		if (r <= 0)
			_exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
		on_message(loop, &message, fds);
		if (!tell_all(loop))
			return false;
	}
	return true;
}

static void turn(struct loop *loop)
{
	bool all_told = tell_all(loop);
	struct pollfd fds[] = {
		{.fd = loop->fd, .events = all_told ? POLLIN : POLLOUT},
		{.fd = loop->wake, .events = POLLIN},
	};

	if (poll(fds, 2, -1) < 0)
		return; /* EINTR */
	if (fds[1].revents)
		(void)plane_drain(loop->wake); /* both ends are ours */
	if (fds[0].revents & (POLLERR | POLLNVAL))
		_exit(EXIT_FAILURE);
	if (all_told && fds[0].revents)
		(void)serve(loop);
	else if (fds[0].revents & POLLHUP)
		_exit(EXIT_SUCCESS);
}

int worker_loop(int fd, const struct walls *walls)
{
	static struct loop loop;
	int wake[2];

	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	loop.fd = fd;
	loop.wake = wake[0];
	loop.shared.wake = wake[1];
	loop.ready_owed = true;
	loop.walls = *walls;
	for (;;)
		turn(&loop);
}
