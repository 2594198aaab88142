// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_PROGRESS_H
#define VENCD_STREAM_PROGRESS_H

#include <stdint.h>

/* How far an encode is. */
struct stream_progress {
	uint64_t frames_read;    /* submitted */
	uint64_t frames_written; /* stored in the output */
	uint64_t bytes;          /* of the output so far */
	double elapsed_s;        /* since the first frame */
	double media_s;          /* of the input that is stored */
	double total_s;          /* of the input; 0: unknown */
};

/* Seconds to go; negative: unknown. */
double progress_left_s(const struct stream_progress *progress);

#endif
