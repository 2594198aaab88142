// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Tables and text for people. All text in a table has been through plain_text() when it was added,
 * so that nothing that a daemon or another user wrote reaches the terminal as a command to it.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

struct table_row {
	char *cells[TABLE_COLUMNS];
	char *note; /* instead of cells */
};

/* Bytes of a control character at p, 0 for another one. Some terminals obey C1, too. */
static size_t control_length(const unsigned char *p)
{
	if (p[0] < ' ' || p[0] == 0x7f)
		return 1;
	return p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0 ? 2 : 0;
}

char *plain_text(char *ret, size_t size, const char *text)
{
	size_t n = 0;

	while (*text && n < size - 1) {
		size_t control = control_length((const unsigned char *)text);

		ret[n++] = control ? ' ' : *text;
		text += control ? control : 1;
	}
	if (((unsigned char)*text & 0xc0) == 0x80) { /* whole characters only */
		while (n > 0 && ((unsigned char)ret[n - 1] & 0xc0) == 0x80)
			n--;
		n -= n > 0;
	}
	ret[n] = '\0';
	return ret;
}

char *bytes_text(char *ret, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	snprintf(ret, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return ret;
}

char *ms_text(char *ret, size_t size, uint64_t ms)
{
	if (ms < 1000)
		snprintf(ret, size, "%llu ms", (unsigned long long)ms);
	else
		snprintf(ret, size, "%.1f s", (double)ms / 1000);
	return ret;
}

static struct table_row *add_row(struct table *table)
{
	struct table_row *rows = reallocarray(table->rows, table->n_rows + 1, sizeof(*table->rows));

	if (!rows)
		return NULL;
	table->rows = rows;
	rows[table->n_rows] = (struct table_row){0};
	return &rows[table->n_rows++];
}

static char *copy_plain(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	return copy ? plain_text(copy, size, text) : NULL;
}

int table_add(struct table *table, char *const *cells)
{
	struct table_row *row = add_row(table);

	if (!row)
		return -ENOMEM;
	for (unsigned i = 0; i < TABLE_COLUMNS && table->heads[i]; i++) {
		row->cells[i] = copy_plain(cells[i]);
		if (!row->cells[i])
			return -ENOMEM;
	}
	return 0;
}

int table_note(struct table *table, const char *note)
{
	struct table_row *row = add_row(table);

	if (row)
		row->note = copy_plain(note);
	return row && row->note ? 0 : -ENOMEM;
}

/* Characters, not bytes. */
static int width_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static int column_width(const struct table *table, unsigned column)
{
	int width = width_of(table->heads[column]);

	for (size_t i = 0; i < table->n_rows; i++) {
		const char *cell = table->rows[i].cells[column];
		int n = cell ? width_of(cell) : 0;

		width = n > width ? n : width;
	}
	return width;
}

static void print_cells(const struct table *table, const char *const *cells, FILE *out)
{
	for (unsigned i = 0; i < TABLE_COLUMNS && table->heads[i]; i++) {
		bool last = i + 1 == TABLE_COLUMNS || !table->heads[i + 1];
		int pad = column_width(table, i) - width_of(cells[i]);

		fprintf(out, "%s%*s", cells[i], last ? 0 : pad + 2, "");
	}
	fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
	fputs(colour_of(out, COLOUR_BOLD), out);
	print_cells(table, table->heads, out);
	fputs(colour_of(out, COLOUR_NONE), out);
	for (size_t i = 0; i < table->n_rows; i++) {
		const struct table_row *row = &table->rows[i];

		if (row->note)
			fprintf(out, "    %s\n", row->note);
		else
			print_cells(table, (const char *const *)row->cells, out);
	}
}

void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->n_rows; i++) {
		for (unsigned c = 0; c < TABLE_COLUMNS; c++)
			free(table->rows[i].cells[c]);
		free(table->rows[i].note);
	}
	free(table->rows);
	*table = (struct table){0};
}
