// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Waking and being woken. The worker and the supervisor write a byte to the attempt's packet
 * socket only while we say that we sleep, so the order is: empty the sockets, say so, look once
 * more, poll. All packet sockets and the lease stand in one epoll descriptor. The lease hangs up
 * when the supervisor is gone, whatever still holds the others.
 */

#include <errno.h>
#include <sys/epoll.h>

#include "client/libvencd/session.h"

#define WATCH_LEASE UINT32_MAX /* epoll data; the sockets have their attempt's number */

void session_wake(struct vencd_session *session)
{
	uint32_t current = atomic_load_explicit(&session->control->attempt, memory_order_acquire);
	const struct attempt_reader *a;

	if (current >= session->layout.attempts)
		return;
	a = &session->attempts[current];
	if (plane_must_wake(&a->ring->sleeping))
		plane_wake(a->submit_wake);
}

static int watch_fd(struct vencd_session *session, int fd, uint32_t what, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u32 = what};

	return epoll_ctl(session->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int session_watch(struct vencd_session *session)
{
	int r;

	session->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (session->epoll < 0)
		return -errno;
	r = watch_fd(session, session->lease, WATCH_LEASE, 0);
	for (uint32_t i = 0; r == 0 && i < session->layout.attempts; i++)
		r = watch_fd(session, session->attempts[i].packet_wake, i, EPOLLIN);
	return r;
}

/* A descriptor whose other end is gone would be ready for ever. */
static void unwatch_fd(struct vencd_session *session, int fd)
{
	epoll_ctl(session->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void on_lease_gone(struct vencd_session *session)
{
	unwatch_fd(session, session->lease);
	if (!session_ended(session) && session->phase != SESSION_BROKEN)
		session->phase = SESSION_LOST;
}

static void on_event(struct vencd_session *session, uint32_t what)
{
	if (what == WATCH_LEASE)
		on_lease_gone(session);
	else if (!plane_drain(session->attempts[what].packet_wake))
		unwatch_fd(session, session->attempts[what].packet_wake);
}

/* Polls for up to timeout_ms and empties what has something. */
static int take_events(struct vencd_session *session, int timeout_ms)
{
	struct epoll_event events[PLANE_MAX_ATTEMPTS + 1];
	int n = epoll_wait(session->epoll, events, sizeof(events) / sizeof(events[0]), timeout_ms);

	for (int i = 0; i < n; i++)
		on_event(session, events[i].data.u32);
	return n < 0 ? -errno : n;
}

void session_prepare_sleep(struct vencd_session *session)
{
	take_events(session, 0);
	plane_prepare_sleep(&session->submit->sleeping);
}

void session_end_sleep(struct vencd_session *session)
{
	if (atomic_load_explicit(&session->submit->sleeping, memory_order_relaxed))
		plane_end_sleep(&session->submit->sleeping);
}

/* Milliseconds left, rounded up so that a time-out is never early; -1: no limit. */
static int left_ms(uint64_t deadline_us)
{
	uint64_t now = now_us();
	uint64_t ms;

	if (deadline_us == UINT64_MAX)
		return -1;
	if (now >= deadline_us)
		return 0;
	ms = (deadline_us - now + 999) / 1000;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int session_sleep(struct vencd_session *session, uint64_t deadline_us)
{
	int n = take_events(session, left_ms(deadline_us));

	session_end_sleep(session);
	return n > 0 ? 1 : n;
}

/* Whether acquire or receive have something to say that they have not said. */
static bool something_to_do(struct vencd_session *session)
{
	return log_advance(session) != 0 || (session->starved && session->n_free > 0);
}

int vencd_session_arm(struct vencd_session *session)
{
	if (something_to_do(session))
		return 1;
	session_prepare_sleep(session);
	if (!something_to_do(session))
		return 0;
	session_end_sleep(session);
	return 1;
}

int vencd_session_wait(struct vencd_session *session, int timeout_ms)
{
	uint64_t deadline = timeout_ms < 0 ? UINT64_MAX : now_us() + (uint64_t)timeout_ms * 1000;

	for (;;) {
		int r;

		if (vencd_session_arm(session))
			return 1;
		r = session_sleep(session, deadline);
		if (r <= 0)
			return r;
	}
}

int vencd_session_fd(const struct vencd_session *session)
{
	return session->epoll;
}
