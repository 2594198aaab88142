// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_BLAME_H
#define VENCD_BLAME_H

/*
 * Who is to blame when an encoder fails: its device, or the uid and the request that it failed
 * with. Pure: times are passed in, in ns of any clock that does not go back; probes are made by
 * others (probing.c), who say how they ended.
 *
 *	accused ──probe──▶ passed: a strike for (uid, encoder, shape)
 *	                   failed: the encoder is quarantined, nobody gets a strike
 *	                   no answer: nothing, the accusation is dropped
 *
 * What strikes cost, first to last:
 *	StrikesMax of one uid, encoder and shape within StrikeWindow
 *		that uid loses the encoder for that shape, for StrikeTime
 *	StrikesPerEncoder of one uid and encoder over all shapes within StrikeWindow
 *		that uid loses the encoder, for StrikeTime
 *	strikes of QuarantineUsers uids on one encoder within StrikeWindow
 *		the encoder is quarantined
 * A quarantine ends by a probe that passes (parole), tried after a back-off.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/encoder.h"

#define BLAME_ENCODERS_MAX 64u
#define BLAME_ACCUSED_MAX 64u       /* of one encoder, for one probe; more are dropped */
#define BLAME_STRIKES_KEPT 1024u    /* altogether; then the uid with most loses its oldest */
#define BLAME_STRIKES_KEPT_USER 64u /* of one uid; then its oldest goes */
#define BLAME_SHAPE_TEXT 96u

/* Where a count is 0, nothing comes of such strikes. */
struct blame_policy {
	uint32_t strikes_max, strikes_per_encoder, quarantine_users;
	uint64_t window_ns, time_ns, quarantine_min_ns, quarantine_max_ns;
};

/* What a request looks like to an encoder: codec, format, size class, latency, rate control, B. */
typedef uint32_t blame_shape;

struct blame_accused {
	uint32_t uid;
	blame_shape shape;
};

enum blame_loss {
	BLAME_LOSS_NONE,
	BLAME_LOSS_SHAPE,   /* with this strike the uid lost the encoder for this shape */
	BLAME_LOSS_ENCODER, /* and with this one altogether */
};

struct blame_strike {
	uint64_t at_ns;
	uint64_t until_ns; /* of the loss */
	uint32_t uid, encoder;
	blame_shape shape;
	enum blame_loss loss;
};

enum blame_device_state {
	BLAME_FREE,
	BLAME_TRYING, /* a probe runs for the accusations in `tried` */
	BLAME_QUARANTINED,
};

struct blame_device {
	enum blame_device_state state;
	struct blame_accused waiting[BLAME_ACCUSED_MAX]; /* for a probe that begins after them */
	struct blame_accused tried[BLAME_ACCUSED_MAX];
	unsigned n_waiting, n_tried;
	uint64_t since_ns;   /* of the last quarantine; strikes before it count no more for one */
	uint64_t parole_ns;  /* QUARANTINED: when it may be probed again */
	uint64_t freed_ns;   /* when the last quarantine ended */
	uint64_t backoff_ns; /* of the last quarantine; 0: there was none */
};

struct blame {
	struct blame_policy policy;
	struct blame_device device[BLAME_ENCODERS_MAX];
	struct blame_strike strike[BLAME_STRIKES_KEPT]; /* oldest first */
	unsigned strikes;
};

blame_shape blame_shape_of(const struct encoder_params *params);

/* "av1 i420 to 1280x720, file, quality". Returns text. */
const char *blame_shape_text(blame_shape shape, char text[static BLAME_SHAPE_TEXT]);

/*
 * Something went wrong on the encoder with a request of that uid. Returns false when it is not
 * heard: the encoder is quarantined already, or too many are accused.
 */
bool blame_accuse(struct blame *blame, unsigned encoder, uint32_t uid, blame_shape shape);

/* Whether a verdict about the uid is open there: its requests for the encoder wait for it. */
bool blame_is_accused(const struct blame *blame, unsigned encoder, uint32_t uid);

/*
 * Takes up all accusations so far; a probe of the encoder must be started for them now. Returns how
 * many; 0: none, or a probe for earlier ones still runs.
 */
unsigned blame_try(struct blame *blame, unsigned encoder);

enum blame_proof {
	BLAME_PASSED = 1,
	BLAME_FAILED,
	BLAME_UNSETTLED, /* the probe could not be made: it says nothing about the device */
};

enum blame_verdict {
	BLAME_ACQUITTED = 1, /* no strike */
	BLAME_STRUCK,
	BLAME_QUARANTINE_PROBE, /* the probe failed: nobody gets a strike */
	BLAME_QUARANTINE_USERS, /* strikes, and with them those of enough uids */
};

/* How the probe for blame_try()'s accusations ended. The strikes are the last in blame->strike. */
enum blame_verdict blame_judge(
	struct blame *blame, unsigned encoder, enum blame_proof proof, uint64_t now_ns);

/* A first probe failed: the same as if it had been for an accusation. */
void blame_quarantine(struct blame *blame, unsigned encoder, uint64_t now_ns);

/* The probe at the end of a quarantine has ended. Unless it passed, the next back-off begins. */
void blame_parole(struct blame *blame, unsigned encoder, enum blame_proof proof, uint64_t now_ns);

/* Why a uid may not use an encoder. */
struct blame_denial {
	enum blame_loss loss;
	uint32_t strikes; /* that count now, for the shape or for the encoder */
	uint64_t until_ns;
};

/* Whether the uid may use the encoder with that shape. ret is filled where not. */
bool blame_allows(const struct blame *blame, unsigned encoder, struct blame_accused who,
	uint64_t now_ns, struct blame_denial *ret);

/* Strikes of a uid that count now, over all encoders; their limit is policy.strikes_max each. */
uint32_t blame_strikes(const struct blame *blame, uint32_t uid, uint64_t now_ns);

/* Different uids with strikes there that count for a quarantine now. */
uint32_t blame_users(const struct blame *blame, unsigned encoder, uint64_t now_ns);

#endif
