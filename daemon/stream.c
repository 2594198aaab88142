// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Stream adapters: a process for each one-shot request. It gets a connection to the asking uid's
 * front, as if it had connected itself, and the order socket; both lead to the front, so that
 * nothing a client sent passes through here. The front gets its ends when the adapter has said that
 * it is behind its walls. That is all that an adapter ever says to us.
 *
 * At its start the daemon tries one without a request, to know the walls of adapters as well.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/sanitizer.h"
#include "daemon/supervisor.h"

#define LAST_NS (20 * UINT64_C(1000000000)) /* left to an adapter that nobody waits for */
#define RESUME_SHARE 20 /* of a minute's CPU time has come, and a paused adapter goes on */

enum stream_state {
	STREAM_RUNNING = 1,
	STREAM_PAUSED,   /* its user has used up AdapterCpuPerUser */
	STREAM_FORSAKEN, /* its client has gone: it is about to end, and never paused */
};

/* [0] the front's, [1] the adapter's; -1 where they are given away. */
struct stream_sockets {
	int connection[2], order[2];
};

struct stream {
	LIST_ENTRY(stream) entry;
	struct supervisor *supervisor;
	struct front *front; /* NULL when it has died, and for the trial */
	struct child *child;
	bool charged;
	bool handed; /* the front has its ends: the connection is its to account for */
	struct stream_sockets sockets;
	sd_event_source *deadline; /* until it is ready */
	uint32_t uid;              /* of who asked */
	uint64_t seq;              /* of the request */
	enum stream_state state;
	uint64_t cpu_ns; /* charged so far */
	uint64_t end_ns; /* CLOCK_MONOTONIC when it is killed; 0: somebody waits for it */
};

static int sockets_create(struct stream_sockets *s)
{
	*s = (struct stream_sockets){{-1, -1}, {-1, -1}};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->connection) < 0)
		return -errno;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->order) < 0
		? -errno
		: 0;
}

static void sockets_close(struct stream_sockets *s, unsigned end)
{
	if (s->connection[end] >= 0)
		close(s->connection[end]);
	if (s->order[end] >= 0)
		close(s->order[end]);
	s->connection[end] = s->order[end] = -1;
}

static void stream_free(struct stream *stream)
{
	sd_event_source_disable_unref(stream->deadline);
	sockets_close(&stream->sockets, 0);
	sockets_close(&stream->sockets, 1);
	free(stream);
}

static void refuse(struct stream *stream, const char *reason, const char *advice)
{
	struct vencd_refusal why = {0};

	snprintf(why.reason, sizeof(why.reason), "%s", reason);
	snprintf(why.advice, sizeof(why.advice), "%s", advice);
	if (stream->front)
		front_refuse(stream->front, stream->seq, WIRE_ERROR_RESOURCES, &why);
	stream->front = NULL;
}

static void hand_over(struct stream *stream)
{
	struct wire_stream message = {.h = {WIRE_STREAM, sizeof(message), stream->seq}};
	int fds[] = {stream->sockets.connection[0], stream->sockets.order[0]};

	stream->handed = true;
	stream->front->connections++; /* its end comes as WIRE_CONNECTION_GONE, as for any other */
	message.connection = ++stream->supervisor->next_number;
	child_send(stream->front->child, &message, fds, 2);
	sockets_close(&stream->sockets, 0);
}

static void stream_message(struct child *child, const union wire_message *message)
{
	struct stream *stream = child->owner;
	char why[STANDING_WHY_MAX];
	int r;

	if (message->h.type != WIRE_READY || !stream->deadline) {
		child_kill(child);
		return;
	}
	stream->deadline = sd_event_source_disable_unref(stream->deadline);
	r = standing_note(stream->supervisor, WALL_STREAM, &message->ready.walls);
	if (r < 0 && standing_refuses(stream->supervisor, WALL_STREAM, why) < 0)
		refuse(stream, why, STANDING_ADVICE);
	if (stream->front)
		hand_over(stream);
	else
		child_kill(child);
}

static void stream_tombstone(struct child *child)
{
	struct stream *stream = child->owner;

	stream->supervisor->n_tombstones++;
	supervisor_check_done(stream->supervisor);
}

static void charge_cpu(struct stream *stream)
{
	uint64_t cpu_ns = child_cpu_ns(stream->child);

	if (cpu_ns <= stream->cpu_ns)
		return;
	quota_use(&stream->supervisor->quota, stream->uid, QUOTA_ADAPTER_CPU,
		cpu_ns - stream->cpu_ns);
	stream->cpu_ns = cpu_ns;
}

/*
 * An adapter whose user has used up its CPU time is stopped until there is some again, and not
 * killed: its client gets all of its file, later.
 */
static void pace_cpu(struct stream *stream)
{
	struct quota *quota = &stream->supervisor->quota;
	int64_t left = quota_left(quota, stream->uid, QUOTA_ADAPTER_CPU);
	uint64_t enough = quota_limit(quota, QUOTA_ADAPTER_CPU) * 1000000 / RESUME_SHARE;

	if (stream->state == STREAM_FORSAKEN && left <= 0) {
		child_kill(stream->child);
	} else if (stream->state == STREAM_RUNNING && left <= 0) {
		log_notice("vencd-stream[%d] of uid %u is paused: AdapterCpuPerUser is used up",
			stream->child->pid, stream->uid);
		quota_note_refused(quota, stream->uid, QUOTA_ADAPTER_CPU);
		child_pause(stream->child);
		stream->state = STREAM_PAUSED;
	} else if (stream->state == STREAM_PAUSED && left > 0 && (uint64_t)left >= enough) {
		child_resume(stream->child);
		stream->state = STREAM_RUNNING;
	}
}

/*
 * The client has gone: the adapter finds its order socket closed, and ends. One that is paused
 * finds nothing, and nobody is left to whom its file would be worth waiting for.
 */
void stream_forsake(struct supervisor *supervisor, const struct front *front, uint64_t seq)
{
	struct stream *stream;

	LIST_FOREACH(stream, &supervisor->streams, entry)
	if (stream->front == front && stream->seq == seq) {
		if (stream->state == STREAM_PAUSED)
			child_kill(stream->child);
		stream->state = STREAM_FORSAKEN;
		return;
	}
}

void stream_tick(struct supervisor *supervisor)
{
	struct stream *stream;

	LIST_FOREACH(stream, &supervisor->streams, entry)
	if (stream->charged)
		charge_cpu(stream);
	LIST_FOREACH(stream, &supervisor->streams, entry)
	if (stream->charged)
		pace_cpu(stream);
	LIST_FOREACH(stream, &supervisor->streams, entry)
	if (stream->end_ns && supervisor_now_ns() > stream->end_ns)
		child_kill(stream->child);
}

static void tell_ended(struct stream *stream, const siginfo_t *info)
{
	struct wire_stream message = {.h = {WIRE_STREAM_ENDED, sizeof(message), stream->seq}};

	if (info->si_code == CLD_EXITED)
		message.ended_code = (uint32_t)info->si_status;
	else
		message.ended_signal = (uint32_t)info->si_status;
	if (!stream->handed)
		refuse(stream, "the adapter process ended before it was ready", "see the log");
	else if (stream->front)
		child_send(stream->front->child, &message, NULL, 0);
}

static void stream_dead(struct child *child, const siginfo_t *info)
{
	struct stream *stream = child->owner;
	struct supervisor *sv = stream->supervisor;

	tell_ended(stream, info);
	if (child_was_tombstone(child))
		sv->n_tombstones--;
	if (stream->charged) {
		charge_cpu(stream);
		quota_give(&sv->quota, stream->uid, &quota_adapter);
	}
	if (stream->charged && !stream->handed)
		quota_give(&sv->quota, stream->uid, &quota_connection);
	LIST_REMOVE(stream, entry);
	sv->n_streams--;
	stream_free(stream);
	child_free(child);
	supervisor_check_done(sv);
}

static const struct child_ops stream_ops = {
	.program = "vencd-stream",
	.message = stream_message,
	.tombstone = stream_tombstone,
	.dead = stream_dead,
};

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct stream *stream = userdata;

	(void)source;
	(void)usec;
	log_warning("vencd-stream[%d] does not get ready within StartBudget: killed",
		stream->child->pid);
	child_kill(stream->child);
	return 0;
}

static int stream_spawn(struct stream *stream)
{
	struct supervisor *sv = stream->supervisor;
	struct child_extra extra = {.n_fds = 2};
	int r = sockets_create(&stream->sockets);

	if (r == 0)
		r = sd_event_add_time_relative(sv->event, &stream->deadline, CLOCK_MONOTONIC,
			sv->config.start_budget_ms * UINT64_C(1000), 0, on_deadline, stream);
	if (r < 0)
		return r;
	extra.fds[0] = stream->sockets.connection[1];
	extra.fds[1] = stream->sockets.order[1];
	r = child_spawn(&stream->child, sv->event, &stream_ops, stream,
		sv->config.kill_grace_ms * UINT64_C(1000), &extra);
	sockets_close(&stream->sockets, 1);
	return r;
}

/*
 * It has not been told what to read yet, so the limit is there before it can be met, and nothing
 * that it becomes can raise it. The frame pool is shared memory and no part of it. A sanitizer's
 * own memory would not fit: such a build has no limit.
 */
static void limit_memory(struct child *child, uint64_t bytes)
{
	const struct rlimit limit = {bytes, bytes};

	if (!HAS_SANITIZER && prlimit(child->pid, RLIMIT_DATA, &limit, NULL) < 0) {
		log_error("vencd-stream[%d] cannot be limited: %s: killed", child->pid,
			strerror(errno));
		child_kill(child);
	}
}

/* Without a front and a request: a trial. */
static int start(struct supervisor *sv, struct front *front, const struct wire_stream *request)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int r;

	if (!stream)
		return -ENOMEM;
	*stream = (struct stream){.supervisor = sv, .front = front, .state = STREAM_RUNNING};
	if (front) {
		stream->uid = front->uid;
		stream->seq = request->h.seq;
		stream->charged = true;
	}
	r = stream_spawn(stream);
	if (r < 0) {
		stream_free(stream);
		return r;
	}
	limit_memory(stream->child, sv->config.adapter_memory);
	LIST_INSERT_HEAD(&sv->streams, stream, entry);
	sv->n_streams++;
	return 0;
}

void stream_try(struct supervisor *supervisor)
{
	int r = start(supervisor, NULL, NULL);

	if (r < 0)
		log_warning("cannot try an adapter: %s", strerror(-r));
}

/* An adapter, and the connection that it will have. */
static int stream_charge(struct front *front, struct quota_refusal *refusal)
{
	struct supervisor *sv = front->supervisor;
	int r = quota_check_whole(&sv->quota, QUOTA_ALL_ADAPTERS, sv->n_streams, refusal);

	if (r == 0)
		r = quota_check_flow(&sv->quota, front->uid, QUOTA_ADAPTER_CPU, refusal);
	if (r == 0)
		r = quota_take(&sv->quota, front->uid, &quota_adapter, refusal);
	if (r < 0)
		return r;
	r = quota_take(&sv->quota, front->uid, &quota_connection, refusal);
	if (r < 0)
		quota_give(&sv->quota, front->uid, &quota_adapter);
	return r;
}

void stream_start(struct front *front, const struct wire_stream *request)
{
	struct supervisor *sv = front->supervisor;
	struct vencd_refusal why = {0};
	struct quota_refusal refusal = {0};
	int r;

	if (sv->state != SUPERVISOR_SERVING) {
		snprintf(why.reason, sizeof(why.reason), "the daemon is stopping");
		front_refuse(front, request->h.seq, WIRE_ERROR_STOPPING, &why);
		return;
	}
	if (standing_refuses(sv, WALL_FRONT, why.reason) < 0) {
		snprintf(why.advice, sizeof(why.advice), "%s", STANDING_ADVICE);
		front_refuse(front, request->h.seq, WIRE_ERROR_RESOURCES, &why);
		return;
	}
	r = stream_charge(front, &refusal);
	if (r == 0) {
		r = start(sv, front, request);
		if (r < 0) {
			quota_give(&sv->quota, front->uid, &quota_adapter);
			quota_give(&sv->quota, front->uid, &quota_connection);
		}
	}
	if (r < 0)
		front_refuse_limit(front, request->h.seq, &refusal, "the adapter process", r);
}

void stream_drop_front(struct supervisor *supervisor, const struct front *front)
{
	struct stream *stream;

	LIST_FOREACH(stream, &supervisor->streams, entry)
	if (stream->front == front) {
		stream->front = NULL;
		child_kill(stream->child);
	}
}

void stream_end(struct front *front, uint64_t seq)
{
	struct stream *stream;

	LIST_FOREACH(stream, &front->supervisor->streams, entry)
	if (stream->front == front && stream->seq == seq)
		stream->end_ns = supervisor_now_ns() + LAST_NS;
}

void stream_kill_all(struct supervisor *supervisor)
{
	struct stream *stream;

	LIST_FOREACH(stream, &supervisor->streams, entry)
	child_kill(stream->child);
}
