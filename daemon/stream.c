// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Stream adapters: a process for each one-shot request. It gets a connection to the asking uid's
 * front, as if it had connected itself, and the order socket; both lead to the front, so that
 * nothing a client sent passes through here.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/supervisor.h"

#define RESUME_SHARE 20 /* of a minute's CPU time has come, and a paused adapter goes on */

enum stream_state {
	STREAM_RUNNING = 1,
	STREAM_PAUSED, /* its user has used up AdapterCpuPerUser */
};

struct stream {
	LIST_ENTRY(stream) entry;
	struct supervisor *supervisor;
	struct front *front; /* NULL when it has died */
	struct child *child;
	uint32_t uid; /* of who asked */
	uint64_t seq; /* of the request */
	enum stream_state state;
	uint64_t cpu_ns; /* charged so far */
};

/* It has no wire to us: its fd 3 leads to the front. */
static void stream_message(struct child *child, const union wire_message *message)
{
	(void)message;
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

	if (stream->state == STREAM_RUNNING && left <= 0) {
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

void stream_tick(struct supervisor *supervisor)
{
	struct stream *stream;

	LIST_FOREACH(stream, &supervisor->streams, entry)
	charge_cpu(stream);
	LIST_FOREACH(stream, &supervisor->streams, entry)
	pace_cpu(stream);
}

static void stream_dead(struct child *child, const siginfo_t *info)
{
	struct stream *stream = child->owner;
	struct supervisor *sv = stream->supervisor;
	struct wire_stream message = {.h = {WIRE_STREAM_ENDED, sizeof(message), stream->seq}};

	if (info->si_code == CLD_EXITED)
		message.ended_code = (uint32_t)info->si_status;
	else
		message.ended_signal = (uint32_t)info->si_status;
	if (stream->front)
		child_send(stream->front->child, &message, NULL, 0);
	if (child_was_tombstone(child))
		sv->n_tombstones--;
	charge_cpu(stream);
	quota_give(&sv->quota, stream->uid, &quota_adapter);
	LIST_REMOVE(stream, entry);
	sv->n_streams--;
	free(stream);
	child_free(child);
	supervisor_check_done(sv);
}

static const struct child_ops stream_ops = {
	.program = "vencd-stream",
	.message = stream_message,
	.tombstone = stream_tombstone,
	.dead = stream_dead,
};

struct stream_sockets {
	int connection[2], order[2]; /* [0] the front's, [1] the adapter's */
};

static int sockets_create(struct stream_sockets *s)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->connection) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->order) < 0) {
		int r = -errno;

		close(s->connection[0]);
		close(s->connection[1]);
		return r;
	}
	return 0;
}

static void sockets_close(struct stream_sockets *s)
{
	for (int i = 0; i < 2; i++) {
		close(s->connection[i]);
		close(s->order[i]);
	}
}

/*
 * It has not been told what to read yet, so the limit is there before it can be met, and nothing
 * that it becomes can raise it. The frame pool is shared memory and no part of it.
 */
static void limit_memory(struct child *child, uint64_t bytes)
{
	const struct rlimit limit = {bytes, bytes};

	if (prlimit(child->pid, RLIMIT_DATA, &limit, NULL) < 0) {
		log_error("vencd-stream[%d] cannot be limited: %s: killed", child->pid,
			strerror(errno));
		child_kill(child);
	}
}

static int start(struct front *front, const struct wire_stream *request)
{
	struct supervisor *sv = front->supervisor;
	struct wire_stream message = {.h = {WIRE_STREAM, sizeof(message), request->h.seq}};
	struct stream *stream = calloc(1, sizeof(*stream));
	struct stream_sockets s;
	int r = stream ? sockets_create(&s) : -ENOMEM;

	if (r < 0) {
		free(stream);
		return r;
	}
	*stream = (struct stream){.supervisor = sv,
		.front = front,
		.uid = front->uid,
		.seq = request->h.seq,
		.state = STREAM_RUNNING};
	r = child_spawn(&stream->child, sv->event, &stream_ops, stream,
		sv->config.kill_grace_ms * UINT64_C(1000), s.connection[1], s.order[1]);
	if (r < 0) {
		free(stream);
	} else {
		int fds[] = {s.connection[0], s.order[0]};

		limit_memory(stream->child, sv->config.adapter_memory);
		LIST_INSERT_HEAD(&sv->streams, stream, entry);
		sv->n_streams++;
		front->connections++; /* its end comes as WIRE_CONNECTION_GONE, as for any other */
		message.connection = ++sv->next_number;
		child_send(front->child, &message, fds, 2);
	}
	sockets_close(&s);
	return r;
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
	struct quota_refusal refusal;
	int r;

	if (sv->state != SUPERVISOR_SERVING) {
		snprintf(why.reason, sizeof(why.reason), "the daemon is stopping");
		front_refuse(front, request->h.seq, WIRE_ERROR_STOPPING, &why);
		return;
	}
	r = stream_charge(front, &refusal);
	if (r == 0) {
		r = start(front, request);
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

void stream_kill_all(struct supervisor *supervisor)
{
	struct stream *stream;

	LIST_FOREACH(stream, &supervisor->streams, entry)
	child_kill(stream->child);
}
