// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_MODEL_H
#define VENCD_EMULATED_MODEL_H

/* Which devices there are, and what each can do or claims to. */

#include <stdint.h>
#include <sys/types.h>
#include <va/va.h>

#include "tests/emulated/va/fault.h"

enum codec_kind {
	CODEC_H264,
	CODEC_HEVC,
	CODEC_AV1,
	CODEC_VP9,
};

/* What a device claims for one profile. */
struct ability {
	VAProfile profile;
	enum codec_kind codec;
	uint32_t rt_formats;
	uint32_t max_width, max_height;
	uint32_t packed_headers;
	uint32_t max_references; /* as VAConfigAttribEncMaxRefFrames has it: L0, L1 << 16 */
};

/* How a device differs from what it claims. */
enum lie {
	LIE_NONE,
	LIE_IDLE,    /* does no work at all: for measuring what is around it */
	LIE_STILL,   /* codes its first picture, and shows it for ever */
	LIE_GARBAGE, /* HEVC pictures are noise */
	LIE_HANG_P,  /* the first picture with a reference is never ready */
	LIE_SMALL,   /* refuses what is smaller than 145x49 */
	LIE_REORDER, /* shows B pictures in the order in which they are coded */
	LIE_TIRED,   /* hangs at a context's TIRED_PICTURES-th picture */
};

#define TIRED_PICTURES 300u
#define SMALL_WIDTH 145u
#define SMALL_HEIGHT 49u

struct model {
	const char *name;
	enum lie lie;
	const struct ability *abilities; /* ends with VAProfileNone */
};

struct device {
	const struct model *model;
	struct fault_script script;
};

/*
 * What the file beside the driver says of the device that fd is open on. 0, or -errno with a line
 * on stderr.
 */
int device_find(int fd, struct device *ret);

/* The first device with a fault in the library's constructor: its script. */
int device_find_constructor(struct fault_script *ret);

#endif
