// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * VAStatus at the border: translated here, once, by one table.
 *
 * None of them is ENCODER_INVALID, which would fail the session. A request was narrowed to what the
 * device claims before the driver saw it, so whatever the driver refuses is what it does not keep
 * of its claims, or our mistake; another encoder can do it. There is no VAStatus for a device that
 * is gone: what the open of its node says is translated where it is opened.
 */

#include "hw/va_status.h"

#include <stdio.h>
#include <string.h>

const struct va_status_row va_status_rows[] = {
	{VA_STATUS_SUCCESS, ENCODER_OK},
	{VA_STATUS_ERROR_OPERATION_FAILED, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_ALLOCATION_FAILED, ENCODER_NO_MEMORY},
	{VA_STATUS_ERROR_INVALID_DISPLAY, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_INVALID_CONFIG, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_INVALID_CONTEXT, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_INVALID_SURFACE, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_INVALID_BUFFER, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_INVALID_IMAGE, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_INVALID_SUBPICTURE, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_ATTR_NOT_SUPPORTED, ENCODER_ABSENT},
	{VA_STATUS_ERROR_MAX_NUM_EXCEEDED, ENCODER_BUSY},
	{VA_STATUS_ERROR_UNSUPPORTED_PROFILE, ENCODER_ABSENT},
	{VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT, ENCODER_ABSENT},
	{VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT, ENCODER_ABSENT},
	{VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE, ENCODER_ABSENT},
	{VA_STATUS_ERROR_SURFACE_BUSY, ENCODER_BUSY},
	{VA_STATUS_ERROR_FLAG_NOT_SUPPORTED, ENCODER_ABSENT},
	{VA_STATUS_ERROR_INVALID_PARAMETER, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED, ENCODER_ABSENT},
	{VA_STATUS_ERROR_UNIMPLEMENTED, ENCODER_ABSENT},
	{VA_STATUS_ERROR_SURFACE_IN_DISPLAYING, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_INVALID_IMAGE_FORMAT, ENCODER_ABSENT},
	{VA_STATUS_ERROR_DECODING_ERROR, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_ENCODING_ERROR, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_INVALID_VALUE, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_UNSUPPORTED_FILTER, ENCODER_ABSENT},
	{VA_STATUS_ERROR_INVALID_FILTER_CHAIN, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_HW_BUSY, ENCODER_BUSY},
	{VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE, ENCODER_ABSENT},
	{VA_STATUS_ERROR_NOT_ENOUGH_BUFFER, ENCODER_LIBRARY},
	{VA_STATUS_ERROR_TIMEDOUT, ENCODER_LIBRARY},
	{(VAStatus)VA_STATUS_ERROR_UNKNOWN, ENCODER_LIBRARY},
};
const size_t va_status_count = sizeof(va_status_rows) / sizeof(va_status_rows[0]);

enum encoder_status va_status(VAStatus va)
{
	for (size_t i = 0; i < va_status_count; i++)
		if (va_status_rows[i].va == va)
			return va_status_rows[i].status;
	return ENCODER_LIBRARY;
}

/* The last place of `part` in `text`, or NULL. */
static const char *find_last(const char *text, const char *part)
{
	const char *found = NULL;

	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		found = at;
	return found;
}

/* As libavcodec writes it: "23 (internal encoding error)". Number and words have to agree. */
VAStatus va_status_in(const char *text)
{
	VAStatus ret = VA_STATUS_SUCCESS;
	const char *last = text;

	for (size_t i = 1; i < va_status_count; i++) {
		VAStatus va = va_status_rows[i].va;
		char part[96];
		const char *at;

		snprintf(part, sizeof(part), " %d (%s)", va, vaErrorStr(va));
		at = find_last(last, part);
		if (!at)
			continue;
		last = at + 1;
		ret = va;
	}
	return ret;
}
