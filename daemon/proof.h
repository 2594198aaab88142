// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PROOF_H
#define VENCD_PROOF_H

/*
 * What a probe shows of an encoder: a list of cases, each one short encode that was decoded and
 * compared with what had been drawn, and what each of them came to. The worker makes the list and
 * runs it; the supervisor keeps the evidence.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/encoder.h"

#define PROOF_CASES_MAX 24u
#define PROOF_FRAMES_MAX 32u /* of a case: they stand in the bits of a word */
#define PROOF_NAME_MAX 32u
#define PROOF_TEXT_MAX 128u
#define PROOF_CASES_VERSION 1u /* another one where cases, or what they ask for, change */

/* How much a probe tries. */
enum proof_depth {
	PROOF_DEPTH_BASE = 1, /* whether it works at all */
	PROOF_DEPTH_ALL,      /* all that it claims */
};

/* What a case is about, which is what is not had where the case fails. */
enum proof_subject {
	PROOF_BASE = 1, /* everything */
	PROOF_RATE,     /* its rate control in its latency */
	PROOF_SMALLER,  /* sizes as small as this one */
	PROOF_LARGER,   /* sizes as large as this one */
	PROOF_B_FRAMES,
	PROOF_DEEP, /* 10 bits a sample */
	PROOF_SUBJECT_MAX,
};

/* One encode. Enums are those of client/vencd.h. */
struct proof_case {
	char name[PROOF_NAME_MAX]; /* "cbr live" */
	uint32_t subject;          /* enum proof_subject */
	uint32_t width, height, format;
	uint32_t rate_control, latency, b_frames;
	uint32_t frames, forced; /* frame `forced` is told to be a keyframe; 0: none is */
};

enum proof_state {
	PROOF_RUNNING = 1,
	PROOF_PASSED,
	PROOF_FAILED,  /* by itself: an error, or wrong output */
	PROOF_HUNG,    /* its deadline passed */
	PROOF_CRASHED, /* its process ended */
	PROOF_STATE_MAX,
};

const char *proof_state_name(uint32_t state); /* "passed"; NULL for what is none */

struct proof_evidence {
	struct proof_case asked;
	uint32_t state;  /* enum proof_state */
	uint64_t at_us;  /* CLOCK_REALTIME of the supervisor, when it was told */
	uint32_t status; /* enum encoder_status, of a failed one */
	uint32_t ms, packets, keyframes;
	uint32_t needs_frames; /* frames that it held at most */
	uint32_t psnr; /* of the worst plane of the worst frame, in 0.01 dB; 0: not decoded */
	uint32_t bytes;
	char text[PROOF_TEXT_MAX]; /* why it failed */
};

/* All the evidence of one encoder, in the order of the probe. */
struct proof {
	uint32_t n;
	struct proof_evidence cases[PROOF_CASES_MAX];
};

/*
 * Takes what a worker tells of a case: that it begins, and how it ended. -EPROTO for what comes in
 * no such order, has no such numbers, or is too much.
 */
int proof_note(struct proof *proof, const struct proof_evidence *evidence);

/* The case that had begun and not ended, now in that state; NULL: there is none. */
const struct proof_evidence *proof_end(struct proof *proof, enum proof_state state);

/* Whether the first case passed, and none is under way. */
bool proof_has_base(const struct proof *proof);

/*
 * The first case that was refused for want of memory or of a free session, which says nothing of
 * what it was about; NULL: there is none.
 */
const struct proof_evidence *proof_refused(const struct proof *proof);

/* Puts what a probe of the base case showed into the evidence of a probe of all. */
void proof_merge(struct proof *proof, const struct proof *base);

/*
 * Whether a case failed, and which, for people: "cbr live (wrong-output), 10 bit (library)". Text
 * is "" where none did.
 */
bool proof_lacks(const struct proof *proof, char *text, size_t size);

/* Narrows *reach to what is in `shown` as well, whatever stands there. */
void proof_narrow(struct encoder_reach *reach, const struct encoder_reach *shown);

#endif
