// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_Y4M_H
#define VENCD_STREAM_Y4M_H

#include "client/vencd.h"

#define Y4M_MAGIC "YUV4MPEG2"
#define Y4M_LINE_MAX 512

enum y4m_interlace {
	Y4M_PROGRESSIVE,
	Y4M_INTERLACED,
};

/*
 * Parses the header line (without its line feed; changed on the way) into params: size, format,
 * frame rate, time base, sample aspect, colour. Returns -EINVAL and a text of SOURCE_TEXT_MAX bytes
 * for anything that is not accepted.
 */
int y4m_parse_header(
	char *line, struct vencd_params *params, enum y4m_interlace *interlace, char *text);

#endif
