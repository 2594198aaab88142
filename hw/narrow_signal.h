// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_NARROW_SIGNAL_H
#define VENCD_NARROW_SIGNAL_H

#include "client/vencd.h"

/*
 * What is wrong with a colour description, or with HDR metadata, for every encoder: a sentence,
 * with *parameter naming the field, or NULL.
 */
const char *colour_fault(const struct vencd_colour *colour, const char **parameter);
const char *hdr_fault(const struct vencd_hdr *hdr, const char **parameter);

#endif
