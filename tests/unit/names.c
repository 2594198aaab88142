// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The names of the public enums: every value has the name that the protocol documents, comes back
 * from it, and nothing else does.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/vencd.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                        \
		}                                                                       \
	} while (0)

/* Checks an enum whose values 1 to n have the given names, in order. */
#define CHECK_ENUM(what, ...)                                                                      \
	do {                                                                                       \
		static const char *const names[] = {__VA_ARGS__};                                  \
		unsigned n = sizeof(names) / sizeof(names[0]);                                     \
		for (unsigned i = 0; i < n; i++) {                                                 \
			CHECK(strcmp(vencd_##what##_name((enum vencd_##what)(i + 1)), names[i]) == \
				0);                                                                \
			CHECK(vencd_##what##_from_name(names[i]) == i + 1);                        \
		}                                                                                  \
		CHECK(vencd_##what##_name((enum vencd_##what)0) == NULL);                          \
		CHECK(vencd_##what##_name((enum vencd_##what)(n + 1)) == NULL);                    \
		CHECK(vencd_##what##_name((enum vencd_##what)0xffffffffu) == NULL);                \
		CHECK(vencd_##what##_from_name(NULL) == 0);                                        \
		CHECK(vencd_##what##_from_name("") == 0);                                          \
		CHECK(vencd_##what##_from_name("nonsense") == 0);                                  \
	} while (0)

static void check_quantity(const char *unit, uint64_t n, const char *text)
{
	char ret[32];

	CHECK(strcmp(vencd_quantity_text(ret, sizeof(ret), unit, n), text) == 0);
}

static void check_quantities(void)
{
	check_quantity("count", 7, "7");
	check_quantity("", 0, "0");
	check_quantity(NULL, UINT64_MAX, "18446744073709551615");
	check_quantity("bytes", 0, "0 B");
	check_quantity("bytes", 1023, "1023 B");
	check_quantity("bytes", 1024, "1 KiB");
	check_quantity("bytes", UINT64_C(1048575), "1 MiB");
	check_quantity("bytes", UINT64_C(16) << 30, "16 GiB");
	check_quantity("bytes", UINT64_C(4509715660), "4.2 GiB");
	check_quantity("bytes", UINT64_C(1) << 60, "1048576 TiB");
	check_quantity("pixels/s", 999, "999 pixels/s");
	check_quantity("pixels/s", 124416000, "124.4 Mpixels/s");
	check_quantity("ms/min", 12500, "12.5 s/min");
	check_quantity("ms/min", 60000, "60 s/min");
}

static void check_exit_codes(void)
{
	CHECK(vencd_outcome_exit_code(VENCD_OUTCOME_COMPLETE) == 0);
	CHECK(vencd_outcome_exit_code(VENCD_OUTCOME_DEGRADED) == 10);
	CHECK(vencd_outcome_exit_code(VENCD_OUTCOME_TRUNCATED) == 11);
	CHECK(vencd_outcome_exit_code(VENCD_OUTCOME_FAILED) == 12);
	CHECK(vencd_outcome_exit_code(VENCD_OUTCOME_INCOMPLETE) == 12);
	CHECK(vencd_outcome_exit_code(VENCD_OUTCOME_CANCELLED) == 13);
	CHECK(vencd_outcome_exit_code((enum vencd_outcome)0) == 12);
	CHECK(vencd_outcome_exit_code((enum vencd_outcome)77) == 12);
}

int main(void)
{
	CHECK_ENUM(codec, "av1", "hevc", "h264", "vp9");
	CHECK_ENUM(pixel_format, "i420", "nv12", "i010", "p010");
	CHECK_ENUM(latency, "file", "live");
	CHECK_ENUM(rate_control, "quality", "vbr", "capped_vbr", "cbr");
	CHECK_ENUM(backend, "any", "hardware", "software", "null");
	CHECK_ENUM(on_failure, "failover", "fail");
	CHECK_ENUM(
		outcome, "incomplete", "complete", "degraded", "truncated", "failed", "cancelled");
	CHECK_ENUM(cancel_cause, "asked", "input_failed", "output_failed");
	check_quantities();
	check_exit_codes();
	return 0;
}
