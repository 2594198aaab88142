// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORDS_H
#define VENCD_WORDS_H

/* Settings that are lists of words, with blanks between them. */

#include <stdbool.h>
#include <string.h>

#define WORDS_BLANKS " \t"

static inline bool words_have(const char *words, const char *word)
{
	size_t n = strlen(word), length;

	for (; *words; words += length) {
		words += strspn(words, WORDS_BLANKS);
		length = strcspn(words, WORDS_BLANKS);
		if (length == n && strncmp(words, word, n) == 0)
			return n > 0;
	}
	return false;
}

#endif
