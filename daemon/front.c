// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Fronts: one process per client uid that reads what clients write. A connection is accepted here,
 * its peer's uid taken, and the unread socket handed on; keeper.c sees to it that our copy is never
 * the last that is closed. A front that does not answer in WorkerAnswer is killed, which costs its
 * own uid its connections; sessions live on, their clients hold the memory.
 *
 * A front can be made unkillable by what it was sent (a file of a FUSE that does not answer), and
 * is replaced all the same: FRONTS_PER_USER times, so that no user takes the places of the others.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/leak.h"
#include "daemon/log.h"
#include "daemon/supervisor.h"

#define FRONTS_PER_USER 4u               /* dying ones and tombstones included */
#define IDLE_US (30 * UINT64_C(1000000)) /* a front without connections lives on this long */

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct front *front = userdata;
	struct wire_plain message = {.h = {WIRE_EXIT, sizeof(message), 0}};

	(void)source;
	(void)usec;
	child_send(front->child, &message, NULL, 0);
	return 0;
}

static void set_idle(struct front *front, bool idle)
{
	if (!idle) {
		(void)sd_event_source_set_enabled(front->idle, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time_relative(front->idle, IDLE_US);
	(void)sd_event_source_set_enabled(front->idle, SD_EVENT_ONESHOT);
}

static void connection_gone(struct front *front, uint64_t connection)
{
	struct supervisor *sv = front->supervisor;

	if (front->connections > 0) {
		quota_give(&sv->quota, front->uid, &quota_connection);
		if (--front->connections == 0)
			set_idle(front, true);
	}
	if (sv->exit_with_connection && connection == sv->private_connection)
		supervisor_stop(sv);
}

/* Evidence is large and seldom changes. */
static void push_proofs(struct front *front)
{
	struct registry *registry = &front->supervisor->registry;
	struct wire_proof message = {.h = {WIRE_PROOF, sizeof(message), 0}};

	for (unsigned i = 0; i < registry->entries; i++) {
		if (registry->entry[i].proof_stamp <= front->proofs_told)
			continue;
		message.row = i;
		message.proof = registry->entry[i].proof;
		child_send(front->child, &message, NULL, 0);
	}
	front->proofs_told = registry->proofs;
}

void front_push_devices(struct front *front)
{
	struct registry *registry = &front->supervisor->registry;
	struct wire_device none = {.h = {WIRE_DEVICE, sizeof(none), 0}, .last = 1};

	push_proofs(front);
	if (registry->entries == 0)
		child_send(front->child, &none, NULL, 0);
	for (unsigned i = 0; i < registry->entries; i++) {
		struct wire_device row = registry->entry[i].row;

		row.last = i + 1 == registry->entries;
		row.probing = registry->entry[i].probing || registry->entry[i].wanted;
		leak_fill(&registry->entry[i], &row);
		child_send(front->child, &row, NULL, 0);
	}
}

static void front_ready(struct front *front)
{
	front->ready = true;
	front->silent_ns = 0;
	front_push_devices(front);
}

static void front_message(struct child *child, const union wire_message *message)
{
	struct front *front = child->owner;

	switch (message->h.type) {
	case WIRE_READY:
		/* One that lacks a required wall still serves: to say so (request.c). */
		(void)standing_note(front->supervisor, WALL_FRONT, &message->ready.walls);
		if (!front->ready)
			front_ready(front);
		break;
	case WIRE_PONG:
		front->answered = message->h.seq;
		front->silent_ns = 0;
		break;
	case WIRE_CONNECTION_GONE:
		connection_gone(front, message->h.seq);
		break;
	default:
		request_handle(front, message);
	}
}

static void front_tombstone(struct child *child)
{
	struct front *front = child->owner;

	front->supervisor->n_tombstones++;
	supervisor_check_done(front->supervisor);
}

static void front_free(struct front *front)
{
	sd_event_source_disable_unref(front->idle);
	free(front);
}

static void front_dead(struct child *child, const siginfo_t *info)
{
	struct front *front = child->owner;
	struct supervisor *sv = front->supervisor;

	if (info->si_code != CLD_EXITED && !child_was_killed(child))
		log_warning("the front of uid %u was killed by signal %d (%s)", front->uid,
			info->si_status, strsignal(info->si_status));
	if (child_was_tombstone(child))
		sv->n_tombstones--;
	session_drop_waiters(sv, front, 0);
	request_drop_pending(sv, front);
	stream_drop_front(sv, front);
	for (; front->connections > 0; front->connections--)
		quota_give(&sv->quota, front->uid, &quota_connection);
	quota_give(&sv->quota, front->uid, &quota_front);
	LIST_REMOVE(front, entry);
	sv->n_fronts--;
	front_free(front);
	child_free(child);
	if (sv->exit_with_connection)
		supervisor_stop(sv);
	supervisor_check_done(sv);
}

static const struct child_ops front_ops = {
	.program = "vencd-front",
	.message = front_message,
	.tombstone = front_tombstone,
	.dead = front_dead,
};

static int front_start(struct supervisor *sv, uint32_t uid, struct front **ret)
{
	struct front *front = calloc(1, sizeof(*front));
	int r;

	if (!front)
		return -ENOMEM;
	front->supervisor = sv;
	front->uid = uid;
	r = sd_event_add_time_relative(
		sv->event, &front->idle, CLOCK_MONOTONIC, IDLE_US, 0, on_idle, front);
	if (r >= 0)
		r = child_spawn(&front->child, sv->event, &front_ops, front,
			sv->config.kill_grace_ms * UINT64_C(1000), NULL);
	if (r < 0) {
		front_free(front);
		return r;
	}
	LIST_INSERT_HEAD(&sv->fronts, front, entry);
	sv->n_fronts++;
	*ret = front;
	return 0;
}

static int front_create(
	struct supervisor *sv, uint32_t uid, struct front **ret, struct quota_refusal *refusal)
{
	int r = quota_check_whole(&sv->quota, QUOTA_ALL_FRONTS, sv->n_fronts, refusal);

	if (r == 0)
		r = quota_take(&sv->quota, uid, &quota_front, refusal);
	if (r < 0)
		return r;
	r = front_start(sv, uid, ret);
	if (r < 0)
		quota_give(&sv->quota, uid, &quota_front);
	return r;
}

static int front_of(
	struct supervisor *sv, uint32_t uid, struct front **ret, struct quota_refusal *refusal)
{
	struct front *front;
	unsigned n = 0;

	LIST_FOREACH(front, &sv->fronts, entry)
	if (front->uid == uid) {
		if (front->child->state == CHILD_RUNNING) {
			*ret = front;
			return 0;
		}
		n++;
	}
	return n < FRONTS_PER_USER ? front_create(sv, uid, ret, refusal) : -EUSERS;
}

/* A client that goes on connecting must not fill the log: said at 1, 2, 4, 8, ... refusals. */
static void log_refused(uint32_t uid, const struct quota_refusal *refusal)
{
	struct vencd_refusal why;

	if (!refusal->setting || (refusal->count & (refusal->count - 1)) != 0)
		return;
	quota_describe(refusal, &why);
	log_warning("connections of uid %u are refused (%lu so far): %s", uid,
		(unsigned long)refusal->count, why.reason);
}

/* The front that the connection is for, with the connection charged. */
static int front_for_connection(struct supervisor *sv, uint32_t uid, struct front **ret)
{
	struct quota_refusal refusal = {0};
	int r = front_of(sv, uid, ret, &refusal);

	if (r == 0)
		r = quota_take(&sv->quota, uid, &quota_connection, &refusal);
	if (r < 0)
		log_refused(uid, &refusal);
	return r;
}

/* To the front, which need not be ready: it finds it when it is. */
static int hand_over(struct front *front, int fd, uint32_t pid, uint64_t number)
{
	struct wire_connection message = {
		.h = {WIRE_CONNECTION, sizeof(message), number}, .uid = front->uid, .pid = pid};
	int r = keeper_hold(front->supervisor, fd);

	if (r < 0) {
		keeper_close(front->supervisor, fd);
		return r;
	}
	r = child_send_now(front->child, &message, &fd, 1);
	keeper_let_go(front->supervisor, fd);
	return r;
}

static int accept_for(struct front *front, int fd, uint32_t pid, uint64_t *ret_connection)
{
	struct supervisor *sv = front->supervisor;
	uint64_t number = ++sv->next_number;
	int r;

	front->connections++;
	set_idle(front, false);
	*ret_connection = number;
	watch_wake(sv);
	r = hand_over(front, fd, pid, number);
	if (r < 0)
		connection_gone(front, number);
	return r;
}

int front_accept(struct supervisor *supervisor, int fd, uint64_t *ret_connection)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct front *front = NULL;
	int r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? -errno : 0;

	if (r == 0)
		r = front_for_connection(supervisor, peer.uid, &front);
	if (r < 0) {
		keeper_close(supervisor, fd);
		return r;
	}
	return accept_for(front, fd, (uint32_t)peer.pid, ret_connection);
}

/* A silent front: its uid's clients are held up by it, and by nobody else. */
void front_tick(struct front *front, uint64_t elapsed_ns)
{
	struct wire_plain ping = {.h = {WIRE_PING, sizeof(ping), 0}};
	struct config *config = &front->supervisor->config;

	if (front->child->state != CHILD_RUNNING)
		return;
	if (front->ready && front->answered == front->asked) {
		ping.h.seq = ++front->asked;
		child_send(front->child, &ping, NULL, 0);
		return;
	}
	front->silent_ns += elapsed_ns;
	if (front->silent_ns <=
		(front->ready ? config->answer_budget_ms : config->start_budget_ms) *
			UINT64_C(1000000))
		return;
	front->silent_ns = 0;
	if (child_is_stopped(front->child))
		return;
	log_warning("the front of uid %u does not answer: killed", front->uid);
	child_kill(front->child);
	/* It may not die for long, and says no more for whom its adapters work. */
	stream_drop_front(front->supervisor, front);
}

void front_refuse(
	struct front *front, uint64_t seq, enum wire_error error, const struct vencd_refusal *why)
{
	struct wire_refused refused = {
		.h = {WIRE_REFUSED, sizeof(refused), seq}, .error = error, .refusal = *why};

	child_send(front->child, &refused, NULL, 0);
}

void front_refuse_limit(struct front *front, uint64_t seq, const struct quota_refusal *refusal,
	const char *what, int error)
{
	struct wire_refused refused = {.h = {WIRE_REFUSED, sizeof(refused), seq},
		.error = refusal->setting ? WIRE_ERROR_LIMIT : WIRE_ERROR_RESOURCES,
		.limit = refusal->limit,
		.used = refusal->used,
		.asked = refusal->asked};
	struct vencd_refusal *why = &refused.refusal;

	if (refusal->setting) {
		quota_describe(refusal, why);
		snprintf(refused.unit, sizeof(refused.unit), "%s", refusal->unit);
	} else {
		snprintf(why->reason, sizeof(why->reason), "%s: %s", what, strerror(-error));
		snprintf(why->advice, sizeof(why->advice),
			"the host is out of this for now: close sessions, or try again later");
	}
	child_send(front->child, &refused, NULL, 0);
}
