// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_CATALOGUE_ROW_H
#define VENCD_CATALOGUE_ROW_H

/* What hw/catalogue.c and hw/narrow.c know about an encoder beside its public limits. */

#include "hw/catalogue.h"

struct catalogue_row {
	uint32_t reordering;     /* rate controls that exist with B frames, 1u << rate control */
	uint32_t low_delay;      /* and without */
	uint64_t max_bitrate;    /* bits a second; 0: no bound */
	uint32_t max_frame_rate; /* where a bitrate is asked for; at least 1 then. 0: no bound */
	uint32_t long_side;      /* where a picture is longer than this... */
	uint32_t long_side_min;  /* ...its other side has at least so much. 0: no such rule */
	void (*plan)(const struct encoder_params *params, struct encoder_info *ret);
};

const struct catalogue_row *catalogue_row_of(const struct encoder_limits *limits);

#endif
