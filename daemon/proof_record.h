// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PROOF_RECORD_H
#define VENCD_PROOF_RECORD_H

/*
 * What one encoder has proved, as it outlives the daemon: of what exactly it is true, when it was
 * seen, and the evidence. And the text that a file has of them. Pure.
 */

#include "daemon/proof.h"

/* It says nothing of an encoder where any of this is different. */
struct proof_key {
	char encoder[32], device[64];                    /* as in the table of encoders */
	uint32_t vendor, product, subvendor, subproduct; /* of PCI; 0: none */
	char driver[32], driver_version[64], kernel[66]; /* the kernel's driver; its release */
	char environment[256];                           /* DriverEnvironment */
	char libraries[48]; /* libva and its drivers: see driver_files.h */
	char vencd[32];     /* its version */
	uint32_t cases;     /* PROOF_CASES_VERSION */
};

struct proof_record {
	struct proof_key key;
	char version[64];   /* of libraries and driver, as the probe has learned them */
	uint64_t proved_us; /* CLOCK_REALTIME, when all of it had been seen */
	uint32_t ms, frames, needs_frames;
	uint64_t pixel_rate;
	struct encoder_reach reach;
	struct proof proof;
};

/* The name of something that is different, for people; NULL: nothing is. */
const char *proof_key_difference(const struct proof_key *a, const struct proof_key *b);

/* *ret is the caller's. -ENOMEM. */
int proof_records_to_text(const struct proof_record *records, unsigned n, char **ret);

/*
 * Takes all records of a text, or none. *ret is the caller's. -EBADMSG for what is no such text,
 * has a number out of its range or more than max records, -EPROTONOSUPPORT for a text of another
 * format, -ENOMEM.
 */
int proof_records_from_text(
	const char *text, unsigned max, struct proof_record **ret, unsigned *ret_n);

#endif
