// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PROBING_H
#define VENCD_PROBING_H

/*
 * Probes of encoders, each in a process of its own. What follows from how one ended is
 * verdict.c's.
 */

struct encoder_entry;

enum probing_result {
	PROBING_PASSED = 1,
	PROBING_FAILED,
	PROBING_ABSENT,        /* the library or the engine is not there */
	PROBING_UNSUPPORTED,   /* the GPU or its driver does not have this codec */
	PROBING_NO_LIBRARY,    /* there is no driver library for the GPU */
	PROBING_NOT_PERMITTED, /* the GPU's node may not be opened */
	PROBING_UNSETTLED,     /* not started, or refused for want of memory or of a free session */
};

/* Starts the encoder's probe; verdict_probed() tells its end, at once where it cannot start. */
void probing_start(struct encoder_entry *entry);

/* The same for a probe of all that it claims; where one is under way, after that. */
void probing_renew(struct encoder_entry *entry);

/* At the daemon's end: kills what runs. */
void probing_stop(struct encoder_entry *entry);

#endif
