// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TESTS_DECODE_H
#define VENCD_TESTS_DECODE_H

/* Runs decoded again by libavcodec and compared with what went in. */

#include "tests/contract/run.h"

/* What the first decoded frame says of itself. */
struct decoded {
	struct vencd_colour colour;
	struct vencd_hdr hdr;
	struct vencd_rational sample_aspect;
	double error; /* mean squared error of the luma, over all frames */
};

/*
 * Decodes the packets of the runs one after another with one decoder, as if they were one stream,
 * and requires exactly the frames that were drawn, in order, each once, at the visible size.
 */
void decode_runs(const struct run *const *runs, unsigned n, struct decoded *ret);

/*
 * The same for one run; ret may be NULL. Does nothing for the null encoder, whose packets are none.
 */
void decode_run(const struct run *run, struct decoded *ret);

#endif
