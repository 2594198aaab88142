// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_SCRIPT_H
#define VENCD_SCRIPT_H

/*
 * The null encoder's script: settings and faults, read from text. docs/null-encoder.md is the
 * grammar for people. Pure: the supervisor uses it to refuse a bad script and to plan the delay.
 */

#include <stddef.h>
#include <stdint.h>

#include "hw/encoder.h"

/* The calls a fault can stand on: the functions of struct encoder_ops, in their order. */
enum script_call {
	SCRIPT_CALL_PROBE = 1,
	SCRIPT_CALL_OPEN,
	SCRIPT_CALL_SEND,
	SCRIPT_CALL_RECEIVE,
	SCRIPT_CALL_FLUSH,
	SCRIPT_CALL_CLOSE,
	SCRIPT_CALL_MAX,
};

enum script_mode {
	SCRIPT_MODE_HANG = 1, /* for ever */
	SCRIPT_MODE_LATE,     /* arg: milliseconds asleep, then as if nothing had happened */
	SCRIPT_MODE_CRASH,    /* SIGSEGV */
	SCRIPT_MODE_ERROR,    /* arg: enum encoder_status */
	SCRIPT_MODE_LOST,     /* the device is gone, for this call and all later ones */
	SCRIPT_MODE_GARBAGE,  /* arg: enum script_garbage */
	SCRIPT_MODE_SLOW,     /* arg: milliseconds asleep */
	SCRIPT_MODE_SPIN,     /* arg: milliseconds of CPU time burnt */
	SCRIPT_MODE_EXIT,     /* arg: exit code of the process */
	SCRIPT_MODE_PRINT,    /* a line to stderr, as drivers do */
	SCRIPT_MODE_MAX,
};

/* What is wrong with a packet. */
enum script_garbage {
	SCRIPT_GARBAGE_PTS = 1,   /* a pts that was never submitted */
	SCRIPT_GARBAGE_NOKEY,     /* keyframe flag missing */
	SCRIPT_GARBAGE_EMPTY,     /* no bytes */
	SCRIPT_GARBAGE_TWICE,     /* the same packet comes again */
	SCRIPT_GARBAGE_TRUNCATED, /* half of what its header says */
	SCRIPT_GARBAGE_MAX,
};

#define SCRIPT_EVERY 0u /* fault.n: every call */

struct script_fault {
	enum script_call call;
	uint64_t n; /* which call, or packet (garbage), from 1; SCRIPT_EVERY */
	enum script_mode mode;
	uint64_t arg;
};

#define SCRIPT_MAX_FAULTS 32u
#define SCRIPT_MAX_HOLD 512u
#define SCRIPT_MAX_REORDER 16u
#define SCRIPT_MIN_SIZE 64u /* bytes: the header of a packet */
#define SCRIPT_MAX_SIZE (16u << 20)
#define SCRIPT_MAX_MEMORY (1u << 30)
#define SCRIPT_MAX_LEAK (64u << 20)
#define SCRIPT_MAX_MS (24u * 3600u * 1000u)

struct script {
	uint32_t hold;    /* frames held before the first packet */
	uint32_t reorder; /* B frames in a row */
	uint32_t size;    /* bytes a packet */
	uint32_t async;   /* 1: packets appear some polls late */
	uint32_t keep;    /* 1: a frame is let go with its packet; 0: inside send */
	uint32_t memory;  /* bytes allocated and touched while open */
	uint32_t leak;    /* bytes lost with each frame */
	uint32_t n_faults;
	struct script_fault faults[SCRIPT_MAX_FAULTS];
};

/*
 * Reads text ("" is a script without faults). Returns 0, or -EINVAL with one line in error (NULL:
 * not wanted) that names the entry; *ret then holds the defaults.
 */
int script_parse(struct script *ret, const char *text, char *error, size_t error_size);

/* The fault for the n-th (from 1) such call, or NULL; the first that matches wins. */
const struct script_fault *script_find(
	const struct script *script, enum script_call call, uint64_t n);

/* What is wrong with the n-th packet (from 1), or 0. */
enum script_garbage script_garbage(const struct script *script, uint64_t n);

/* needs_frames, reorder, group and async of a null encoder with this script. */
void script_plan(const struct script *script, struct encoder_info *ret);

#endif
