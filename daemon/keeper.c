// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The keeper: a front without clients, which is the last to close what clients connected to.
 *
 * Who closes the last descriptor of a connection also closes what is still unread in it, and a
 * client can make that take as long as it likes (a socket with SO_LINGER and unsent data, sent as
 * a descriptor). The front that a connection is handed to may die or close it at any moment, so
 * the supervisor's own copy could always be the last. Therefore the keeper gets a copy before
 * anybody else does, and is told to close it when ours is closed.
 *
 * A keeper that is stuck in such a close is not waited for: when it takes nothing more it is
 * killed, which closes all that it has, and another one is started.
 *
 * Nothing is read from a connection here, and the keeper reads nothing either.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/supervisor.h"

#define KEEPERS_MAX 2 /* tried for one connection: one that takes nothing more, and its successor */

static void keeper_message(struct child *child, const union wire_message *message)
{
	if (message->h.type != WIRE_READY)
		child_kill(child);
}

static void keeper_dead(struct child *child, const siginfo_t *info)
{
	struct supervisor *sv = child->owner;

	(void)info;
	if (sv->keeper == child)
		sv->keeper = NULL;
	child_free(child);
}

static const struct child_ops keeper_ops = {
	.program = "vencd-front",
	.message = keeper_message,
	.dead = keeper_dead,
};

static void give_up(struct supervisor *sv)
{
	uint64_t n = ++sv->keepers_given_up;

	/* A client that goes on with this must not fill the log: said at 1, 2, 4, 8, ... */
	if ((n & (n - 1)) == 0)
		log_notice("vencd-front[%d], the keeper, takes nothing more: replaced (%lu so far)",
			sv->keeper->pid, (unsigned long)n);
	child_kill(sv->keeper);
	sv->keeper = NULL;
}

static int tell(struct supervisor *sv, enum wire_type type, const int *fd)
{
	struct wire_plain message = {.h = {.type = type, .size = sizeof(message)}};
	int r = child_send_now(sv->keeper, &message, fd, fd ? 1 : 0);

	if (r < 0)
		give_up(sv);
	return r;
}

int keeper_hold(struct supervisor *sv, int fd)
{
	int r = -EAGAIN;

	for (int i = 0; i < KEEPERS_MAX && r < 0; i++) {
		r = 0;
		if (!sv->keeper)
			r = child_spawn(&sv->keeper, sv->event, &keeper_ops, sv,
				sv->config.kill_grace_ms * UINT64_C(1000), NULL);
		if (r == 0)
			r = tell(sv, WIRE_KEEP, &fd);
	}
	return r;
}

void keeper_let_go(struct supervisor *sv, int fd)
{
	close(fd);
	/* One that has died or was killed since then has let go already. */
	if (sv->keeper)
		(void)tell(sv, WIRE_LET_GO, NULL);
}

void keeper_close(struct supervisor *sv, int fd)
{
	int r = keeper_hold(sv, fd);

	if (r == 0) {
		keeper_let_go(sv, fd);
		return;
	}
	/* Better a descriptor lost than the daemon: its client at least learns that it is over. */
	log_error("no process to close a connection in (%s): it is left open", strerror(-r));
	(void)shutdown(fd, SHUT_RDWR);
}

void keeper_stop(struct supervisor *sv)
{
	sv->keeper = child_free(sv->keeper);
}
