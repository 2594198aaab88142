// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_DENY_H
#define VENCD_DENY_H

/*
 * Hardware and drivers that are known to be bad: what no driver is loaded for to find out. Data,
 * and pure. An entry may have several rows of one name; the operator can have them passed over by
 * that name (DenyOverride).
 */

#include <stdbool.h>
#include <stdint.h>

/* What is matched; nothing of it was asked of a driver. */
struct deny_subject {
	uint32_t vendor, device;    /* of PCI */
	const char *driver;         /* of the kernel */
	const char *driver_version; /* of its module */
	const char *kernel;         /* release: "6.12.9-amd64" */
	uint32_t codec;             /* enum vencd_codec */
	const char *api;            /* "vaapi" */
};

/* Where a field is 0 or NULL, it matches all; ranges include both ends. */
struct deny_row {
	const char *name; /* "amd-polaris-vce" */
	uint32_t vendor, device_min, device_max;
	const char *driver;
	const char *version_min, *version_max;
	const char *kernel_min, *kernel_max;
	uint32_t codec;
	const char *api;
	const char *reason; /* a sentence without an end */
	const char *link;   /* where it was reported */
};

extern const struct deny_row deny_rows[]; /* NULL-terminated by name */

/* The first of the rows that matches, but for those that `but` names (words); NULL: none. */
const struct deny_row *deny_find(
	const struct deny_row *rows, const struct deny_subject *subject, const char *but);

/*
 * Compares dotted numbers as far as both go: 6.12 and 6.12.9 are equal, so that a range that ends
 * with 6.12 ends with the last 6.12. What follows the numbers counts for nothing.
 */
int deny_compare(const char *a, const char *b);

#endif
