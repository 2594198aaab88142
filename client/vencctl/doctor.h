// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_DOCTOR_H
#define VENCD_DOCTOR_H

/* What doctor has found, and who looks for it. */

#include <stddef.h>
#include <systemd/sd-json.h>

#define FINDINGS_MAX 128u /* further ones are left out */
#define TEXT_MAX 256u
#define ADVICE_MAX 256u

#define DESCRIPTORS_WANTED 4096u /* what sessions of one user may hold (FdsPerUser) */

enum finding_state {
	STATE_GOOD,
	STATE_NOTE,
	STATE_BAD,
};

struct finding {
	char subject[48], text[TEXT_MAX];
	char advice[ADVICE_MAX]; /* "" where there is nothing to do */
	enum finding_state state;
};

struct findings {
	struct finding finding[FINDINGS_MAX];
	size_t n;
	enum finding_state worst;
};

__attribute__((format(printf, 5, 6))) void findings_add(struct findings *f,
	enum finding_state state, const char *subject, const char *advice, const char *format, ...);

/*
 * doctor_host.c: the host's render nodes, drivers and libraries, beside what the daemon says of its
 * GPUs (the reply of ListDevices) and of itself (that of GetWalls). Either may be NULL.
 */
void doctor_check_host(struct findings *f, sd_json_variant *devices, sd_json_variant *walls);

/* doctor_unit.c: what the settings of the daemon's unit keep it from. */
void doctor_check_unit(struct findings *f);

#endif
