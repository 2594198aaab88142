// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_SETTING_H
#define VENCD_SETTING_H

/*
 * One setting of vencd.conf: where its value lies in struct config, what it may be, and how it is
 * read and written as text. The table of all settings is in config.c.
 */

#include <stddef.h>
#include <stdint.h>

#define SETTING_LINE_SIZE 1024 /* a line with its terminating zero; no value is longer */
#define SETTING_TEXT_SIZE 320  /* of a value as text, with its end */
#define SETTING_RANGE_SIZE 640

#define SETTING_SECOND UINT64_C(1000)
#define SETTING_HOUR (3600 * SETTING_SECOND)

enum setting_type {
	SETTING_COUNT = 1, /* uint32_t */
	SETTING_OCTAL,     /* uint32_t */
	SETTING_DURATION,  /* uint32_t, milliseconds */
	SETTING_BYTES,     /* uint64_t */
	SETTING_BOOL,      /* bool */
	SETTING_PATH,      /* array of char, as the next */
	SETTING_TEXT,
	SETTING_WORD,  /* uint32_t: 1 + its place among the words */
	SETTING_WORDS, /* array of char: a subset, in any order, one space between */
};

struct setting {
	const char *key;
	enum setting_type type;
	size_t offset, size; /* of the field in its struct */
	const char *initial; /* the default, as in the file and as it is printed */
	uint64_t min, max;   /* of numbers */
	const char *words;
	const char *meaning;
};

/* Stores a value in the setting's field of *config; returns NULL, or what is wrong with it. */
const char *setting_parse(const struct setting *s, const char *value, void *config);

/* The value as setting_parse() takes it. */
void setting_print(
	const struct setting *s, const void *config, char text[static SETTING_TEXT_SIZE]);

/* What the setting may be and is by default, "1 to 4096; default 256". Returns text. */
const char *setting_describe(const struct setting *s, char text[static SETTING_RANGE_SIZE]);

#endif
