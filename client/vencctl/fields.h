// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FIELDS_H
#define VENCD_FIELDS_H

/*
 * Reading replies for printing. A field that is missing or of another type reads as "", 0 or an
 * empty list: a daemon of another version is still shown as far as it is understood.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-json.h>

static inline const char *field_text(sd_json_variant *object, const char *name)
{
	sd_json_variant *v = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_string(v) ? sd_json_variant_string(v) : "";
}

static inline uint64_t field_number(sd_json_variant *object, const char *name)
{
	sd_json_variant *v = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_unsigned(v) ? sd_json_variant_unsigned(v) : 0;
}

static inline bool field_true(sd_json_variant *object, const char *name)
{
	sd_json_variant *v = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_boolean(v) && sd_json_variant_boolean(v);
}

static inline size_t field_count(sd_json_variant *object, const char *name)
{
	sd_json_variant *v = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_array(v) ? sd_json_variant_elements(v) : 0;
}

static inline sd_json_variant *field_element(sd_json_variant *object, const char *name, size_t i)
{
	return sd_json_variant_by_index(sd_json_variant_by_key(object, name), i);
}

/*
 * Copies text that somebody else chose (a label, a library's words) without control characters: it
 * may go to a terminal. It is cut at size. Returns ret.
 */
char *plain_text(char *ret, size_t size, const char *text);

/* "18.3 MB"; "2.0 s"; both into ret, which is returned. */
char *bytes_text(char *ret, size_t size, uint64_t bytes);
char *ms_text(char *ret, size_t size, uint64_t ms);

/*
 * A table of text, printed with columns as wide as their widest cell. The cells are copied. A note
 * is a line of its own below its row.
 */
#define TABLE_COLUMNS 12u

struct table {
	const char *const *heads; /* NULL ends */
	struct table_row *rows;
	size_t n_rows;
};

int table_add(struct table *table, char *const *cells);
int table_note(struct table *table, const char *note);
void table_print(const struct table *table, FILE *out);
void table_clear(struct table *table);

#endif
