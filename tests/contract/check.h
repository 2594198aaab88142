// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TESTS_CHECK_H
#define VENCD_TESTS_CHECK_H

/* Each case runs in a process of its own, so that a broken promise simply ends it. */

#include <stdbool.h>

/* Says what is wrong and exits; the case has failed. */
_Noreturn void broken(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define REQUIRE(condition, ...)                                  \
	do {                                                     \
		if (!(condition))                                \
			broken(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#endif
