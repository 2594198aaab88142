// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_HEVC_SLICE_H
#define VENCD_EMULATED_HEVC_SLICE_H

#include <stdint.h>

#include "tests/emulated/va/bits.h"

enum {
	HEVC_TRAIL_R = 1,
	HEVC_IDR_W_RADL = 19,
	HEVC_IDR_N_LP = 20,
	HEVC_SPS = 33,
	HEVC_PPS = 34,
};

/* What of the parameter sets decides how a slice header is read and written. */
struct hevc_format {
	unsigned poc_bits;
	int init_qp;
	bool sao, temporal_mvp;
	bool output_flag, lists_modification, cabac_init, weighted, chroma_offsets;
	bool deblocking_override, deblocking_disabled, across_slices;
};

/* What a slice says of its picture. */
struct hevc_slice {
	unsigned nal_type;
	bool intra;
	uint32_t poc;
	int32_t reference; /* the picture order count of what it refers to, less its own */
	uint32_t five_minus_merge_candidates;
	int qp;
};

static inline bool hevc_is_idr(unsigned nal_type)
{
	return nal_type == HEVC_IDR_W_RADL || nal_type == HEVC_IDR_N_LP;
}

/* Reads the format from a stream's own parameter sets; false where it is none of the above. */
bool hevc_format_read(const uint8_t *data, size_t size, struct hevc_format *ret);

/* Reads a slice that x265 wrote: leaves *r where its data begins. */
bool hevc_slice_read(
	struct bit_reader *r, const struct hevc_format *format, struct hevc_slice *ret);

/* Writes the header, NAL header included, up to where its data begins. */
void hevc_slice_write(
	struct bit_writer *w, const struct hevc_format *format, const struct hevc_slice *slice);

#endif
