// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_SLOT_H
#define VENCD_SLOT_H

/*
 * The call slot: what the run thread of one attempt is doing, and how much of its output counts.
 * Two words, each changed by compare-and-swap only, in a page that only the supervisor and the
 * worker map. There is one winner of every race, and no lock.
 *
 * The call word {sequence:48, call:8, state:8}:
 *
 *	             enter                    leave
 *	   OWN ────────────────▶ RUNNING ────────────────▶ OWN
 *	    │ ▲                     │ supervisor, budget over
 *	idle│ │resume               ▼
 *	    ▼ │                 ABANDONED ──────▶ LATE
 *	IDLE_INPUT, IDLE_CREDIT, IDLE_RATE the worker's leave, enter or resume finds it: park
 *
 * The supervisor may abandon from OWN, too. Each successful change by the worker adds 1 to the
 * sequence, so that the supervisor's swap, which compares the whole word, can only hit the call
 * that it has watched.
 *
 * The commit word {state:2, index:62}: the worker moves index forward while OPEN; the supervisor
 * ends the attempt by swapping OPEN to CLOSED, and the index it found is the cut. A late thread's
 * advance fails, for good.
 *
 * SLOT_* macros stand for the atomic accesses, so that the interleavings test can put a scheduling
 * point before each one.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef SLOT_LOAD
#define SLOT_LOAD(p) atomic_load_explicit((p), memory_order_acquire)
#define SLOT_STORE(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define SLOT_CAS(p, expected, desired)           \
	atomic_compare_exchange_strong_explicit( \
		(p), (expected), (desired), memory_order_acq_rel, memory_order_acquire)
#endif

enum slot_state {
	SLOT_OWN = 1,     /* our own code: timed */
	SLOT_IDLE_INPUT,  /* waits for a frame: no limit */
	SLOT_IDLE_CREDIT, /* waits for the client to take packets: no limit */
	SLOT_IDLE_RATE,   /* waits since its user may encode only so much a second: no limit */
	SLOT_RUNNING,     /* inside a library or driver: timed by the call's class */
	SLOT_ABANDONED,   /* given up by the supervisor */
	SLOT_LATE,        /* came back after that, and parked */
	SLOT_ENDED,       /* the run thread is through, handles freed */
};

/* Every call that can block. The names stand in reports. */
enum slot_call {
	SLOT_CALL_NONE,
	SLOT_CALL_START, /* worker started, attempt handed over, thread running */
	SLOT_CALL_PROBE,
	SLOT_CALL_OPEN, /* what comes before the first step of an open */
	SLOT_CALL_SEND,
	SLOT_CALL_RECEIVE,
	SLOT_CALL_FLUSH, /* flush, and every receive after it */
	SLOT_CALL_CLOSE,
	/* Steps of open, send and close, of encoders that have such: enum encoder_step. */
	SLOT_CALL_DEVICE,
	SLOT_CALL_FRAMES,
	SLOT_CALL_CODEC,
	SLOT_CALL_SURFACE,
	SLOT_CALL_UPLOAD,
	SLOT_CALL_FREE_CODEC,
	SLOT_CALL_FREE_FRAMES,
	SLOT_CALL_FREE_DEVICE,
	SLOT_CALL_MAX,
};

struct call_slot {
	_Atomic uint64_t word;
	_Atomic uint64_t commit;
	/* The flight recorder: information only, written by the worker. */
	_Atomic uint64_t since_ns; /* CLOCK_MONOTONIC, when the call began */
	_Atomic uint64_t frame;    /* index of the frame in the call */
	_Atomic uint64_t progress; /* frames taken and packets received, together */
	_Atomic uint64_t packets;  /* packets received from the library, committed or not */
	_Atomic uint64_t first_ns; /* CLOCK_MONOTONIC, of the first commit that holds a packet */
	_Atomic uint64_t tid;      /* of the run thread */
	_Atomic uint64_t pts;      /* of the frame that was sent last, its size and its flags */
	_Atomic uint64_t bytes;
	_Atomic uint64_t flags;
};

static inline uint64_t slot_word(uint64_t sequence, enum slot_call call, enum slot_state state)
{
	return sequence << 16 | (uint64_t)call << 8 | (uint64_t)state;
}

static inline enum slot_state slot_state(uint64_t word)
{
	return (enum slot_state)(word & 0xff);
}

static inline enum slot_call slot_call(uint64_t word)
{
	return (enum slot_call)(word >> 8 & 0xff);
}

static inline uint64_t slot_sequence(uint64_t word)
{
	return word >> 16;
}

/*
 * The worker's only way to change the word: from whatever state it set last to the next one.
 * Returns false when the supervisor has abandoned the call; the word is then LATE and the thread
 * must park without touching the encoder, the attempt ring or the client's memory again.
 */
static inline bool slot_change(struct call_slot *slot, enum slot_call call, enum slot_state state)
{
	uint64_t word = SLOT_LOAD(&slot->word);

	for (;;) {
		uint64_t next = slot_word(slot_sequence(word) + 1, call, state);

		if (slot_state(word) == SLOT_LATE)
			return false;
		if (slot_state(word) == SLOT_ABANDONED)
			next = slot_word(slot_sequence(word) + 1, slot_call(word), SLOT_LATE);
		if (SLOT_CAS(&slot->word, &word, next))
			return slot_state(next) != SLOT_LATE;
	}
}

/*
 * The supervisor's abandoning swap: gives up exactly the call that `seen` shows. Returns false when
 * the worker has moved on since.
 */
static inline bool slot_abandon(struct call_slot *slot, uint64_t seen)
{
	return SLOT_CAS(&slot->word, &seen,
		slot_word(slot_sequence(seen) + 1, slot_call(seen), SLOT_ABANDONED));
}

#define COMMIT_OPEN 1u
#define COMMIT_CLOSED 2u

static inline uint64_t commit_word(uint64_t index, uint64_t state)
{
	return index << 2 | state;
}

static inline uint64_t commit_index(uint64_t word)
{
	return word >> 2;
}

static inline uint64_t commit_state(uint64_t word)
{
	return word & 3;
}

/*
 * The worker: makes all log entries below index count. Everything they describe has been written
 * before. Returns false when the attempt was cut; nothing after the cut counts, ever.
 */
static inline bool commit_advance(struct call_slot *slot, uint64_t index)
{
	uint64_t word = SLOT_LOAD(&slot->commit);

	while (commit_state(word) == COMMIT_OPEN)
		if (SLOT_CAS(&slot->commit, &word, commit_word(index, COMMIT_OPEN)))
			return true;
	return false;
}

/* The supervisor: ends the attempt. Returns the cut; a second call returns the same one. */
static inline uint64_t commit_close(struct call_slot *slot)
{
	uint64_t word = SLOT_LOAD(&slot->commit);

	while (commit_state(word) != COMMIT_CLOSED)
		if (SLOT_CAS(&slot->commit, &word, commit_word(commit_index(word), COMMIT_CLOSED)))
			break;
	return commit_index(word);
}

/* The name of a call as it stands in reports, "send"; the budget table is in watchdog.c. */
const char *slot_call_name(enum slot_call call);
const char *slot_state_name(enum slot_state state);

#endif
