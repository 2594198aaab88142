// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* Colours, for terminals whose owner did not say no (NO_COLOR, see no-color.org). */

#include <stdlib.h>
#include <unistd.h>

#include "client/vencctl/tool.h"

const char *colour_of(FILE *out, enum colour colour)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "\033[0m",
		[COLOUR_BOLD] = "\033[1m",
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_WARNING] = "\033[33m",
		[COLOUR_BAD] = "\033[31m",
	};
	const char *no_colour = getenv("NO_COLOR");

	if ((no_colour && *no_colour) || !isatty(fileno(out)))
		return "";
	return codes[colour];
}
