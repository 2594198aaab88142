// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The call slot and the commit word under real threads on one pointer: a worker that makes calls
 * and commits, a supervisor that gives one of them up, a client that reads. The log is plain
 * memory, so that ThreadSanitizer sees whether the accesses of daemon/slot.h order it.
 * interleavings.c has the order of the accesses themselves.
 *
 * Rounds go on until ROUNDS or the deadline; each is an attempt from its start to its cut. In every
 * fourth the worker wedges: it leaves its call no sooner than it was given up.
 */

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/plane/plane.h"
#include "daemon/slot.h"
#include "tests/unit/check.h"

#define ROUNDS 300000u
#define DEADLINE_NS UINT64_C(1500000000)
#define CALLS 24u /* in a round that is not cut short */

static struct {
	struct call_slot slot;
	_Atomic uint64_t published;
	_Atomic uint64_t cut; /* control page */
	uint64_t entry[CALLS][2];
} attempt;

/* What each thread found out; read between rounds. */
static struct {
	bool refused;
	uint64_t passed;
} worker_saw;
static struct {
	bool won;
	uint64_t seen;
} supervisor_saw;

static unsigned number; /* of the round */
static bool over;

/* All three threads come here, or nobody goes on. Rounds are too short for sleeping. */
static void meet(void)
{
	static atomic_uint arrived, generation;
	unsigned here = generation;

	if (atomic_fetch_add(&arrived, 1) == 2) {
		arrived = 0;
		generation++;
		return;
	}
	for (unsigned spins = 1; generation == here; spins++)
		if (spins % 64 == 0)
			sched_yield();
}

static bool wedges(void)
{
	return number % 4 == 3;
}

/* The call that the supervisor looks for, as the sequence of the word when it runs. */
static uint64_t wanted(void)
{
	return number * 7 % CALLS * 2 + 1;
}

static bool pass(bool changed)
{
	worker_saw.passed += changed;
	worker_saw.refused = !changed;
	return changed;
}

/* In the call that is looked for: not at all, for about as long as a look takes, or for good. */
static void linger(struct call_slot *slot)
{
	unsigned yields = number % 4 == 2 ? number / 4 % 4 : 0;

	while (yields--)
		sched_yield();
	while (wedges() && slot_state(SLOT_LOAD(&slot->word)) == SLOT_RUNNING)
		sched_yield();
}

static bool call(struct call_slot *slot)
{
	if (!pass(slot_change(slot, SLOT_CALL_SEND, SLOT_RUNNING)))
		return false;
	if (worker_saw.passed == wanted())
		linger(slot);
	return pass(slot_change(slot, SLOT_CALL_NONE, SLOT_OWN));
}

static void run_worker(void)
{
	struct call_slot *slot = &attempt.slot;

	for (uint64_t i = 0; i < CALLS; i++) {
		if (!call(slot))
			return;
		attempt.entry[i][0] = attempt.entry[i][1] = i + 1;
		if (!commit_advance(slot, i + 1))
			break;
		SLOT_STORE(&attempt.published, i + 1);
	}
	pass(slot_change(slot, SLOT_CALL_NONE, SLOT_ENDED));
}

/* Looks until the worker has come to a call, which differs from round to round. */
static void run_supervisor(void)
{
	struct call_slot *slot = &attempt.slot;
	uint64_t seen, cut;

	for (;;) {
		seen = SLOT_LOAD(&slot->word);
		if (slot_sequence(seen) >= wanted() || slot_state(seen) == SLOT_ENDED)
			break;
		sched_yield();
	}
	supervisor_saw.seen = seen;
	supervisor_saw.won = slot_state(seen) != SLOT_ENDED && slot_abandon(slot, seen);
	cut = commit_close(slot);
	for (uint64_t i = 0; i < cut; i++)
		CHECK(attempt.entry[i][0] == i + 1 && attempt.entry[i][1] == i + 1);
	SLOT_STORE(&attempt.cut, cut);
}

static void run_client(void)
{
	uint64_t next = 0, cut, limit;

	do {
		cut = SLOT_LOAD(&attempt.cut);
		limit = cut == PLANE_NO_CUT ? SLOT_LOAD(&attempt.published) : cut;
		CHECK(limit >= next);
		for (; next < limit; next++)
			CHECK(attempt.entry[next][0] == next + 1 &&
				attempt.entry[next][1] == next + 1);
		sched_yield();
	} while (cut == PLANE_NO_CUT);
}

static void start_round(void)
{
	memset(&attempt, 0, sizeof(attempt));
	memset(&worker_saw, 0, sizeof(worker_saw));
	memset(&supervisor_saw, 0, sizeof(supervisor_saw));
	attempt.slot.word = slot_word(0, SLOT_CALL_NONE, SLOT_OWN);
	attempt.slot.commit = commit_word(0, COMMIT_OPEN);
	attempt.cut = PLANE_NO_CUT;
}

static void check_round(void)
{
	enum slot_state state = slot_state(attempt.slot.word);

	CHECK(supervisor_saw.won == worker_saw.refused);
	CHECK(state == (supervisor_saw.won ? SLOT_LATE : SLOT_ENDED));
	CHECK(!supervisor_saw.won || slot_sequence(supervisor_saw.seen) == worker_saw.passed);
	CHECK(attempt.slot.commit == commit_word(attempt.cut, COMMIT_CLOSED));
	CHECK(attempt.published <= attempt.cut);
}

static void *run_thread(void *body)
{
	for (;;) {
		meet();
		if (over)
			return NULL;
		((void (*)(void))body)();
		meet();
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int main(void)
{
	uint64_t until = now_ns() + DEADLINE_NS;
	unsigned won = 0;
	pthread_t worker, client;

	alarm(60);
	CHECK(pthread_create(&worker, NULL, run_thread, (void *)run_worker) == 0);
	CHECK(pthread_create(&client, NULL, run_thread, (void *)run_client) == 0);
	for (; number < ROUNDS && now_ns() < until; number++) {
		start_round();
		meet();
		run_supervisor();
		meet();
		check_round();
		CHECK(supervisor_saw.won || !wedges());
		won += supervisor_saw.won;
	}
	over = true;
	meet();
	pthread_join(worker, NULL);
	pthread_join(client, NULL);
	printf("%u attempts, %u of them abandoned\n", number, won);
	CHECK(won > 0);
	return 0;
}
