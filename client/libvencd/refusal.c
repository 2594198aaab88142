// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Refusals: a named varlink error and its fields, copied into fixed strings. Errors that are not
 * the daemon's own (those of varlink itself, and errnos carried over it) are put into the same
 * words, so that a program has one place to look. Text is cut at the size of its field, never
 * refused, and control characters are replaced: it may end up on a terminal.
 */

#include <stdio.h>
#include <string.h>

#include "client/libvencd/connection.h"

static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; from[n] && n < size - 1; n++)
		to[n] = (unsigned char)from[n] < ' ' || from[n] == 0x7f ? ' ' : from[n];
	/* Not in the middle of a UTF-8 sequence. */
	if (from[n])
		while (n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
			n--;
	to[n] = '\0';
}

static void copy_field(char *to, size_t size, sd_json_variant *fields, const char *name)
{
	sd_json_variant *v = sd_json_variant_by_key(fields, name);

	if (sd_json_variant_is_string(v))
		copy_text(to, size, sd_json_variant_string(v));
}

/* What errors that are not of io.vencd.Encoder mean here. */
static const struct {
	const char *error, *reason, *advice;
} foreign[] = {
	{SD_VARLINK_ERROR_INVALID_PARAMETER, "the daemon does not take this parameter",
		"check its name, type and range; the daemon may be of another version"},
	{SD_VARLINK_ERROR_METHOD_NOT_FOUND, "the daemon does not know this method",
		"the daemon may be of another version"},
	{SD_VARLINK_ERROR_INTERFACE_NOT_FOUND, "what listens there is not vencd",
		"check the path of the socket"},
	{SD_VARLINK_ERROR_PERMISSION_DENIED, "the daemon does not allow this user to do that",
		"ask the administrator of this host"},
};

static void explain_foreign(struct vencd_refusal *ret)
{
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (strcmp(ret->error, foreign[i].error) != 0)
			continue;
		copy_text(ret->reason, sizeof(ret->reason), foreign[i].reason);
		copy_text(ret->advice, sizeof(ret->advice), foreign[i].advice);
	}
}

static void explain_errno(struct vencd_refusal *ret, sd_json_variant *fields)
{
	sd_json_variant *v = sd_json_variant_by_key(fields, "errno");

	if (strcmp(ret->error, SD_VARLINK_ERROR_SYSTEM) == 0 && sd_json_variant_is_integer(v))
		copy_text(ret->reason, sizeof(ret->reason),
			strerror((int)sd_json_variant_integer(v)));
}

/* A quota has a name and two numbers instead of a parameter and its value. */
static void explain_limit(struct vencd_refusal *ret, sd_json_variant *fields)
{
	sd_json_variant *limit = sd_json_variant_by_key(fields, "limit");
	sd_json_variant *used = sd_json_variant_by_key(fields, "used"), *unit;
	char used_text[28], limit_text[28];
	const char *name = "count";

	if (!sd_json_variant_is_unsigned(limit) || !sd_json_variant_is_unsigned(used))
		return;
	copy_field(ret->parameter, sizeof(ret->parameter), fields, "name");
	unit = sd_json_variant_by_key(fields, "unit");
	if (sd_json_variant_is_string(unit))
		name = sd_json_variant_string(unit);
	vencd_quantity_text(used_text, sizeof(used_text), name, sd_json_variant_unsigned(used));
	vencd_quantity_text(limit_text, sizeof(limit_text), name, sd_json_variant_unsigned(limit));
	snprintf(ret->value, sizeof(ret->value), "%s of %s", used_text, limit_text);
}

void refusal_read(struct vencd_refusal *ret, const char *error, sd_json_variant *fields)
{
	*ret = (struct vencd_refusal){0};
	copy_text(ret->error, sizeof(ret->error), error);
	explain_foreign(ret);
	explain_errno(ret, fields);
	explain_limit(ret, fields);
	copy_field(ret->parameter, sizeof(ret->parameter), fields, "parameter");
	copy_field(ret->value, sizeof(ret->value), fields, "value");
	copy_field(ret->reason, sizeof(ret->reason), fields, "reason");
	copy_field(ret->alternatives, sizeof(ret->alternatives), fields, "alternatives");
	copy_field(ret->advice, sizeof(ret->advice), fields, "advice");
}
