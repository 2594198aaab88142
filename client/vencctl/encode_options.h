// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_ENCODE_OPTIONS_H
#define VENCD_ENCODE_OPTIONS_H

#include "client/stream/container.h"
#include "client/stream/input.h"

struct encode_options {
	const char *input, *output; /* "-": stdin, stdout */
	const char *report;         /* file for the result as JSON; NULL: none */
	enum input_format input_format;
	const struct container *container;
	struct vencd_params params;
};

/*
 * Reads the words of `vencctl encode`. Returns 0, or an exit code after it has said what is wrong.
 */
int encode_options_parse(struct encode_options *ret, int argc, char **argv);

#endif
