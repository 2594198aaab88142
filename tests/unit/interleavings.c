// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The call slot and the commit word, over all interleavings of a worker, the supervisor and a
 * reading client. daemon/slot.h is compiled as it is, with its accesses to memory redirected to
 * schedules.c.
 *
 * A checker that finds nothing proves nothing. So it is first shown that it visits as many
 * schedules as there are; and the same scenarios are run with the protocol broken in each of the
 * ways in mutants[], which must all be found out.
 *
 * That the accesses order plain memory between threads is left to slot_stress.c and
 * ThreadSanitizer.
 */

#include <string.h>

#include "tests/unit/schedules.h"

#define SLOT_LOAD(p) schedules_load(p)
#define SLOT_STORE(p, v) schedules_store((p), (v))
#define SLOT_CAS(p, expected, desired) schedules_cas((p), (expected), (desired))

#include "client/plane/plane.h"
#include "daemon/slot.h"
#include "tests/unit/check.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define ROUNDS_MAX 2

enum {
	WORKER,
	SUPERVISOR,
	CLIENT
};

struct world {
	struct call_slot slot;
	_Atomic uint64_t entry[ROUNDS_MAX][2]; /* the log: an entry is whole when both halves are */
	_Atomic uint64_t published;
	_Atomic uint64_t cut; /* control page */

	/* Not seen by the threads. */
	unsigned moves;  /* changes of the call word that the worker made, but to LATE */
	unsigned passed; /* changes that it was told to have made */
	bool refused;    /* it was told that it has lost */
	bool abandoned;  /* the supervisor was told that it has won */
};
_Static_assert(sizeof(struct world) <= SCHEDULES_MEMORY, "it is copied at every step");

/* The protocol. In mutants[] one member is not as it should be, and NULL stands for the others. */
struct protocol {
	const char *name;
	bool (*change)(struct call_slot *slot, enum slot_call call, enum slot_state state);
	bool (*abandon)(struct call_slot *slot, uint64_t seen);
	bool (*advance)(struct call_slot *slot, uint64_t index);
	uint64_t (*close)(struct call_slot *slot);
	bool (*deliver)(unsigned round);
	bool never_parks; /* the worker, when it was told that it has lost */
};

static struct protocol protocol;
static struct world world;

/* What the threads do. They keep nothing but locals, since each runs many times. */

static void write_entry(unsigned round)
{
	schedules_store(&world.entry[round][0], round + 1);
	schedules_store(&world.entry[round][1], round + 1);
}

static bool deliver(unsigned round)
{
	write_entry(round);
	if (!protocol.advance(&world.slot, round + 1))
		return false;
	schedules_store(&world.published, round + 1);
	return true;
}

/* Once it was refused the thread parks, which is to return. */
static bool worker_change(unsigned *passed, enum slot_call call, enum slot_state state)
{
	if (protocol.change(&world.slot, call, state)) {
		world.passed = ++*passed;
		return true;
	}
	world.refused = true;
	return protocol.never_parks;
}

static bool worker_round(unsigned *passed, unsigned round, bool *ret_cut)
{
	if (!worker_change(passed, SLOT_CALL_SEND, SLOT_RUNNING) ||
		!worker_change(passed, SLOT_CALL_NONE, SLOT_OWN))
		return false;
	*ret_cut = !protocol.deliver(round);
	return true;
}

static void worker(unsigned rounds)
{
	unsigned passed = 0;
	bool cut = false;

	for (unsigned round = 0; round < rounds && !cut; round++)
		if (!worker_round(&passed, round, &cut))
			return;
	(void)worker_change(&passed, SLOT_CALL_NONE, SLOT_ENDED);
}

static void worker_one_call(void)
{
	worker(1);
}

static void worker_two_calls(void)
{
	worker(2);
}

/* The same call before and after a wait for the client. */
static void worker_idle(void)
{
	unsigned passed = 0;

	(void)(worker_change(&passed, SLOT_CALL_SEND, SLOT_RUNNING) &&
		worker_change(&passed, SLOT_CALL_NONE, SLOT_OWN) &&
		worker_change(&passed, SLOT_CALL_NONE, SLOT_IDLE_CREDIT) &&
		worker_change(&passed, SLOT_CALL_NONE, SLOT_OWN) &&
		worker_change(&passed, SLOT_CALL_SEND, SLOT_RUNNING) &&
		worker_change(&passed, SLOT_CALL_NONE, SLOT_OWN) &&
		worker_change(&passed, SLOT_CALL_NONE, SLOT_ENDED));
}

/* One look at the word, and, any time later, giving up what was seen. */
static bool supervisor_watch(void)
{
	uint64_t seen = SLOT_LOAD(&world.slot.word);
	unsigned moves = schedules_stamp();

	if (slot_state(seen) != SLOT_OWN && slot_state(seen) != SLOT_RUNNING)
		return false;
	if (!protocol.abandon(&world.slot, seen))
		return false;
	schedules_require(
		schedules_stamp() == moves, "a call that was not looked at is never abandoned");
	world.abandoned = true;
	return true;
}

static void supervisor_cut(void)
{
	uint64_t cut = protocol.close(&world.slot);

	schedules_require(
		protocol.close(&world.slot) == cut, "the cut is the same for whoever asks");
	schedules_store(&world.cut, cut);
}

static void supervisor_abandons(void)
{
	if (supervisor_watch())
		supervisor_cut();
}

static void supervisor_abandons_later(void)
{
	if (supervisor_watch() || supervisor_watch())
		supervisor_cut();
}

/* A session that was cancelled, and whose worker is then found wedged. */
static void supervisor_cancels(void)
{
	supervisor_cut();
	(void)supervisor_watch();
}

static void client_reads(void)
{
	uint64_t limit = schedules_load(&world.cut), later;

	if (limit == PLANE_NO_CUT)
		limit = schedules_load(&world.published);
	if (limit == 0)
		return;
	schedules_require(
		schedules_load(&world.entry[limit - 1][1]) == limit, "what may be read is whole");
	later = schedules_load(&world.cut);
	schedules_require(later >= limit, "what was read is below the cut");
}

/* The promises. */

static void check_call(const struct world *before, unsigned thread)
{
	uint64_t old = before->slot.word, new = world.slot.word;
	enum slot_state from = slot_state(old), to = slot_state(new);

	if (old == new)
		return;
	schedules_require(from != SLOT_LATE, "LATE is final");
	schedules_require(from != SLOT_ABANDONED || to == SLOT_LATE,
		"ABANDONED becomes LATE and nothing else");
	schedules_require(
		to != SLOT_LATE || from == SLOT_ABANDONED, "LATE comes after ABANDONED alone");
	if (thread == SUPERVISOR)
		schedules_require(
			to == SLOT_ABANDONED && (from == SLOT_OWN || from == SLOT_RUNNING),
			"the supervisor ends timed calls and does nothing else");
	else if (to != SLOT_LATE)
		world.moves++;
}

static void check_commit(const struct world *before, unsigned thread)
{
	uint64_t old = before->slot.commit, new = world.slot.commit, index = commit_index(new);

	schedules_require(old == new || commit_state(old) == COMMIT_OPEN, "a cut is final");
	schedules_require(index >= commit_index(old), "what was committed stays committed");
	schedules_require(
		thread == WORKER || index == commit_index(old), "only the worker commits");
	schedules_require(
		world.published >= before->published, "what was published stays published");
	schedules_require(world.published <= index, "what is published is committed");
	for (uint64_t i = 0; i < index; i++)
		schedules_require(world.entry[i][0] == i + 1 && world.entry[i][1] == i + 1,
			"what is committed is whole");
	schedules_require(world.cut == PLANE_NO_CUT ||
			(world.cut == index && commit_state(new) == COMMIT_CLOSED),
		"the control page has the cut");
}

static void check_step(const void *memory, unsigned thread)
{
	const struct world *before = memory;

	check_call(before, thread);
	check_commit(before, thread);
	schedules_require(thread != WORKER || slot_state(before->slot.word) != SLOT_LATE ||
			(world.published == before->published &&
				!memcmp(world.entry, before->entry, sizeof(world.entry))),
		"a thread that came back late writes nothing");
}

/* In the model a call always comes back in the end. */
static void check_end(void)
{
	enum slot_state state = slot_state(world.slot.word);

	schedules_require(
		world.abandoned == world.refused, "either side has won, never both and never none");
	schedules_require(state == (world.abandoned ? SLOT_LATE : SLOT_ENDED),
		"the call word says how it ended");
	schedules_require(world.passed == world.moves, "the worker knows what it has changed");
	schedules_require(commit_state(world.slot.commit) == COMMIT_CLOSED || !world.abandoned,
		"what was abandoned is cut");
	schedules_require(commit_state(world.slot.commit) == COMMIT_CLOSED ||
			world.published == commit_index(world.slot.commit),
		"what was committed is published");
}

/* The scenarios. */

struct scenario {
	const char *name;
	void (*thread[SCHEDULES_THREADS])(void);
};

static const struct scenario scenarios[] = {
	{"two calls, watched", {worker_two_calls, supervisor_abandons}},
	{"two calls, cancelled, then watched", {worker_two_calls, supervisor_cancels}},
	{"the same call again, watched twice", {worker_idle, supervisor_abandons_later}},
	{"read while it is cancelled", {worker_one_call, supervisor_cut, client_reads}},
	{"read while it is watched", {worker_one_call, supervisor_abandons, client_reads}},
};

static struct schedules_result explore(const struct scenario *s, const struct protocol *p)
{
	struct schedules_program program = {.memory = &world,
		.size = sizeof(world),
		.stamp = &world.moves,
		.check_step = check_step,
		.check_end = check_end};

	memcpy(program.thread, s->thread, sizeof(program.thread));
	protocol = (struct protocol){
		.change = p->change ?: slot_change,
		.abandon = p->abandon ?: slot_abandon,
		.advance = p->advance ?: commit_advance,
		.close = p->close ?: commit_close,
		.deliver = p->deliver ?: deliver,
		.never_parks = p->never_parks,
	};
	world = (struct world){.slot.word = slot_word(0, SLOT_CALL_NONE, SLOT_OWN),
		.slot.commit = commit_word(0, COMMIT_OPEN),
		.cut = PLANE_NO_CUT};
	return schedules_explore(&program);
}

static void check_protocol(void)
{
	static const struct protocol as_it_is;

	for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
		struct schedules_result r = explore(&scenarios[i], &as_it_is);

		printf("%-36s %9lu schedules\n", scenarios[i].name, r.schedules);
		if (r.violation) {
			fprintf(stderr, "%s: after %s it is not so that %s\n", scenarios[i].name,
				r.trace, r.violation);
			exit(1);
		}
		CHECK(r.schedules > 1000);
	}
}

/* The protocol, broken. */

static bool change_by_store(struct call_slot *slot, enum slot_call call, enum slot_state state)
{
	uint64_t word = SLOT_LOAD(&slot->word);
	bool lost = slot_state(word) == SLOT_ABANDONED || slot_state(word) == SLOT_LATE;

	if (lost)
		state = SLOT_LATE;
	SLOT_STORE(&slot->word, slot_word(slot_sequence(word) + 1, call, state));
	return !lost;
}

static bool change_without_sequence(
	struct call_slot *slot, enum slot_call call, enum slot_state state)
{
	uint64_t word = SLOT_LOAD(&slot->word);

	for (;;) {
		bool lost = slot_state(word) == SLOT_ABANDONED;

		if (SLOT_CAS(&slot->word, &word, slot_word(0, call, lost ? SLOT_LATE : state)))
			return !lost;
	}
}

static bool change_and_tell_nothing(
	struct call_slot *slot, enum slot_call call, enum slot_state state)
{
	(void)slot_change(slot, call, state);
	return true;
}

static bool change_without_late(struct call_slot *slot, enum slot_call call, enum slot_state state)
{
	uint64_t word = SLOT_LOAD(&slot->word);

	return slot_state(word) != SLOT_ABANDONED &&
		SLOT_CAS(&slot->word, &word, slot_word(slot_sequence(word) + 1, call, state));
}

static bool abandon_whatever_runs(struct call_slot *slot, uint64_t seen)
{
	uint64_t word = SLOT_LOAD(&slot->word);

	return slot_state(word) == slot_state(seen) && slot_abandon(slot, word);
}

static bool abandon_by_store(struct call_slot *slot, uint64_t seen)
{
	if (SLOT_LOAD(&slot->word) != seen)
		return false;
	SLOT_STORE(
		&slot->word, slot_word(slot_sequence(seen) + 1, slot_call(seen), SLOT_ABANDONED));
	return true;
}

static bool advance_though_closed(struct call_slot *slot, uint64_t index)
{
	uint64_t word = SLOT_LOAD(&slot->commit);

	while (!SLOT_CAS(&slot->commit, &word, commit_word(index, commit_state(word))))
		;
	return true;
}

static bool advance_by_store(struct call_slot *slot, uint64_t index)
{
	if (commit_state(SLOT_LOAD(&slot->commit)) != COMMIT_OPEN)
		return false;
	SLOT_STORE(&slot->commit, commit_word(index, COMMIT_OPEN));
	return true;
}

static uint64_t close_by_store(struct call_slot *slot)
{
	uint64_t index = commit_index(SLOT_LOAD(&slot->commit));

	SLOT_STORE(&slot->commit, commit_word(index, COMMIT_CLOSED));
	return index;
}

static uint64_t close_by_look(struct call_slot *slot)
{
	uint64_t index = commit_index(SLOT_LOAD(&slot->commit));

	(void)commit_close(slot);
	return index;
}

static bool publish_before_commit(unsigned round)
{
	write_entry(round);
	schedules_store(&world.published, round + 1);
	return protocol.advance(&world.slot, round + 1);
}

static bool publish_though_refused(unsigned round)
{
	bool committed;

	write_entry(round);
	committed = protocol.advance(&world.slot, round + 1);
	schedules_store(&world.published, round + 1);
	return committed;
}

static bool write_after_commit(unsigned round)
{
	bool committed = protocol.advance(&world.slot, round + 1);

	write_entry(round);
	if (committed)
		schedules_store(&world.published, round + 1);
	return committed;
}

static const struct protocol mutants[] = {
	{"change_by_store", .change = change_by_store},
	{"change_without_sequence", .change = change_without_sequence},
	{"change_without_late", .change = change_without_late},
	{"change_and_tell_nothing", .change = change_and_tell_nothing},
	{"never_parks", .never_parks = true},
	{"abandon_whatever_runs", .abandon = abandon_whatever_runs},
	{"abandon_by_store", .abandon = abandon_by_store},
	{"advance_though_closed", .advance = advance_though_closed},
	{"advance_by_store", .advance = advance_by_store},
	{"close_by_store", .close = close_by_store},
	{"close_by_look", .close = close_by_look},
	{"publish_before_commit", .deliver = publish_before_commit},
	{"publish_though_refused", .deliver = publish_though_refused},
	{"write_after_commit", .deliver = write_after_commit},
};

static void check_mutant(const struct protocol *mutant)
{
	for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
		struct schedules_result r = explore(&scenarios[i], mutant);

		if (!r.violation)
			continue;
		printf("%-24s found out: not so that %s (%s)\n", mutant->name, r.violation,
			r.trace);
		return;
	}
	fprintf(stderr, "%s: not found out\n", mutant->name);
	exit(1);
}

/* Threads that do not meet: 4, 3 and 2 steps have 9! / (4! 3! 2!) orders. */

static void store_four(void)
{
	for (unsigned i = 0; i < 4; i++)
		schedules_store(&world.entry[0][0], i);
}

static void store_three(void)
{
	for (unsigned i = 0; i < 3; i++)
		schedules_store(&world.entry[0][1], i);
}

static void store_two(void)
{
	for (unsigned i = 0; i < 2; i++)
		schedules_store(&world.entry[1][0], i);
}

static void accept_step(const void *before, unsigned thread)
{
	(void)before;
	(void)thread;
}

static void accept_end(void)
{
}

static void check_explorer(void)
{
	const struct schedules_program program = {{store_four, store_three, store_two}, &world,
		sizeof(world), &world.moves, accept_step, accept_end};
	struct schedules_result r = schedules_explore(&program);

	CHECK(!r.violation);
	CHECK_EQUAL(r.schedules, 1260);
}

int main(void)
{
	check_explorer();
	check_protocol();
	for (size_t i = 0; i < COUNT_OF(mutants); i++)
		check_mutant(&mutants[i]);
	return 0;
}
