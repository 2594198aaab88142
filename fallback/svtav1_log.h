// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_SVTAV1_LOG_H
#define VENCD_SVTAV1_LOG_H

#include <stddef.h>

/* Sends SVT-AV1's messages to a buffer of ours from now on; before its first handle is made. */
void svtav1_log_capture(void);

/* The library's last line, without its newline; "" if it said nothing. */
void svtav1_log_last(char *ret, size_t size);

#endif
