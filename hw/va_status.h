// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_VA_STATUS_H
#define VENCD_VA_STATUS_H

/* What a VAStatus means for the attempt: one table. Calls no driver. */

#include <va/va.h>

#include "hw/encoder.h"

struct va_status_row {
	VAStatus va;
	enum encoder_status status;
};

/* Every status that libva knows. */
extern const struct va_status_row va_status_rows[];
extern const size_t va_status_count;

/* What is in none of the rows is ENCODER_LIBRARY. */
enum encoder_status va_status(VAStatus va);

/*
 * libavcodec gives its own error for whatever a driver's call returned, and the VAStatus in a line
 * of its log only. Finds the last one in such a text; VA_STATUS_SUCCESS where there is none.
 */
VAStatus va_status_in(const char *text);

#endif
