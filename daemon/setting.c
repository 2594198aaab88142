// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Values of settings as text and back. A number is decimal digits and a unit with nothing between;
 * what would be rounded, clamped or guessed is refused. Every printed value parses to itself.
 */

#include "daemon/setting.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Ascending; the name of the first may be empty. Systemd's rule: a bare number is seconds. */
static const struct unit duration_units[] = {{"ms", 1}, {"s", SETTING_SECOND},
	{"min", 60 * SETTING_SECOND}, {"h", SETTING_HOUR}, {"d", 24 * SETTING_HOUR}, {NULL, 0}};
static const struct unit byte_units[] = {{"", 1}, {"K", UINT64_C(1) << 10},
	{"M", UINT64_C(1) << 20}, {"G", UINT64_C(1) << 30}, {"T", UINT64_C(1) << 40}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(const struct setting *s)
{
	if (s->type == SETTING_DURATION)
		return duration_units;
	return s->type == SETTING_BYTES ? byte_units : no_units;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	if (units == duration_units && !*name)
		name = "s";
	for (; units->name; units++)
		if (!strcmp(units->name, name))
			return units;
	return NULL;
}

#define NUMBER_SIZE 32 /* of a number with its unit */

static void print_number(char text[static NUMBER_SIZE], const struct setting *s, uint64_t n)
{
	const struct unit *unit = units_of(s), *best = unit;

	if (s->type == SETTING_OCTAL) {
		snprintf(text, NUMBER_SIZE, "%04lo", (unsigned long)n);
		return;
	}
	for (; unit->name; unit++)
		if (n && n % unit->factor == 0)
			best = unit;
	snprintf(text, NUMBER_SIZE, "%lu%s", (unsigned long)(n / best->factor), best->name);
}

static const char *store_number(const struct setting *s, void *field, uint64_t n)
{
	if (n < s->min || n > s->max)
		return "out of range";
	if (s->size == sizeof(uint64_t))
		*(uint64_t *)field = n;
	else
		*(uint32_t *)field = (uint32_t)n; /* every max of these fits; checked by a test */
	return NULL;
}

static const char *parse_number(const struct setting *s, const char *value, void *field)
{
	const struct unit *unit;
	uint64_t n;
	char *end;

	if (!isdigit((unsigned char)*value))
		return "not a number";
	errno = 0;
	n = strtoull(value, &end, s->type == SETTING_OCTAL ? 8 : 10);
	unit = find_unit(units_of(s), end);
	if (!unit)
		return s->type == SETTING_DURATION ? "not a time in ms, s, min, h or d"
			: s->type == SETTING_BYTES ? "not a number of bytes, K, M, G or T"
						   : "not a number";
	if (errno == ERANGE || __builtin_mul_overflow(n, unit->factor, &n))
		return "out of range";
	return store_number(s, field, n);
}

/* Words and texts. */

/* Copies the next word of *list and moves *list behind it. */
static bool next_word(const char **list, char word[static SETTING_LINE_SIZE])
{
	size_t n;

	*list += strspn(*list, " \t");
	n = strcspn(*list, " \t");
	memcpy(word, *list, n);
	word[n] = '\0';
	*list += n;
	return n > 0;
}

/* The place of a word among words, from 1; 0: it is none. */
static unsigned find_word(const char *words, const char *wanted)
{
	char word[SETTING_LINE_SIZE];

	for (unsigned i = 1; next_word(&words, word); i++)
		if (!strcmp(word, wanted))
			return i;
	return 0;
}

static const char *parse_word(const struct setting *s, const char *value, void *field)
{
	unsigned place = find_word(s->words, value);

	if (!place)
		return "no such word";
	*(uint32_t *)field = place;
	return NULL;
}

/* The field has the words with one space between, each once, as the supervisor looks them up. */
static const char *parse_words(const struct setting *s, const char *value, void *field)
{
	char word[SETTING_LINE_SIZE], *end = field;

	*end = '\0';
	while (next_word(&value, word)) {
		if (!find_word(s->words, word))
			return "has a word that is none of these";
		if (find_word(field, word))
			return "has a word twice";
		end += sprintf(end, "%s%s", end == (char *)field ? "" : " ", word);
	}
	return NULL;
}

static const char *parse_text(const struct setting *s, const char *value, void *field)
{
	if (s->type == SETTING_PATH && *value != '/')
		return "not an absolute path";
	if (strlen(value) >= s->size)
		return "too long";
	strcpy(field, value);
	return NULL;
}

static const char *parse_bool(const struct setting *s, const char *value, void *field)
{
	unsigned place = find_word("no false off 0 yes true on 1", value);

	(void)s;
	if (!place)
		return "neither yes nor no";
	*(bool *)field = place > 4;
	return NULL;
}

const char *setting_parse(const struct setting *s, const char *value, void *config)
{
	void *field = (char *)config + s->offset;

	switch (s->type) {
	case SETTING_COUNT:
	case SETTING_OCTAL:
	case SETTING_DURATION:
	case SETTING_BYTES:
		return parse_number(s, value, field);
	case SETTING_BOOL:
		return parse_bool(s, value, field);
	case SETTING_PATH:
	case SETTING_TEXT:
		return parse_text(s, value, field);
	case SETTING_WORD:
		return parse_word(s, value, field);
	case SETTING_WORDS:
		return parse_words(s, value, field);
	}
	abort(); /* the table is wrong */
}

void setting_print(const struct setting *s, const void *config, char text[static SETTING_TEXT_SIZE])
{
	const void *field = (const char *)config + s->offset;
	const char *words = s->words;
	char word[SETTING_LINE_SIZE] = "";

	switch (s->type) {
	case SETTING_COUNT:
	case SETTING_OCTAL:
	case SETTING_DURATION:
		print_number(text, s, *(const uint32_t *)field);
		break;
	case SETTING_BYTES:
		print_number(text, s, *(const uint64_t *)field);
		break;
	case SETTING_BOOL:
		strcpy(text, *(const bool *)field ? "yes" : "no");
		break;
	case SETTING_PATH:
	case SETTING_TEXT:
	case SETTING_WORDS:
		snprintf(text, SETTING_TEXT_SIZE, "%s", (const char *)field);
		break;
	case SETTING_WORD:
		for (uint32_t i = *(const uint32_t *)field; i > 0; i--)
			next_word(&words, word);
		snprintf(text, SETTING_TEXT_SIZE, "%.*s", SETTING_TEXT_SIZE - 1, word);
		break;
	}
}

const char *setting_describe(const struct setting *s, char text[static SETTING_RANGE_SIZE])
{
	char low[NUMBER_SIZE], high[NUMBER_SIZE];
	int n = 0;

	switch (s->type) {
	case SETTING_COUNT:
	case SETTING_OCTAL:
	case SETTING_DURATION:
	case SETTING_BYTES:
		print_number(low, s, s->min);
		print_number(high, s, s->max);
		n = sprintf(text, "%s to %s", low, high);
		break;
	case SETTING_BOOL:
		n = sprintf(text, "yes or no");
		break;
	case SETTING_PATH:
		n = sprintf(text, "absolute path, at most %zu bytes", s->size - 1);
		break;
	case SETTING_TEXT:
		n = sprintf(text, "text, at most %zu bytes", s->size - 1);
		break;
	case SETTING_WORD:
		n = sprintf(text, "one of %s", s->words);
		break;
	case SETTING_WORDS:
		n = sprintf(text, "none or more of %s", s->words);
		break;
	}
	sprintf(text + n, "; default %s", *s->initial ? s->initial : "empty");
	return text;
}
