// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_H264_SLICE_H
#define VENCD_EMULATED_H264_SLICE_H

#include <stdint.h>

#include "tests/emulated/va/bits.h"

/* What of the parameter sets decides how a slice header is read and written. */
struct h264_format {
	unsigned frame_num_bits;
	unsigned poc_type; /* 0 or 2 */
	unsigned poc_bits; /* of type 0 */
	int init_qp;
	bool cabac;
	bool deblocking_control;
	unsigned max_references;
};

/* What a slice says of its picture. */
struct h264_slice {
	bool idr, intra;
	uint32_t frame_num, idr_pic_id, poc;
	uint32_t cabac_init_idc;
	int qp;
	uint32_t deblocking_idc;
	int alpha, beta;
};

/* Reads the format from a stream's own parameter sets; false where it is none of the above. */
bool h264_format_read(const uint8_t *data, size_t size, struct h264_format *ret);

/* Reads a slice that x264 wrote: leaves *r where its data begins. */
bool h264_slice_read(
	struct bit_reader *r, const struct h264_format *format, struct h264_slice *ret);

/* Writes the header, NAL header included, up to where its data begins. */
void h264_slice_write(
	struct bit_writer *w, const struct h264_format *format, const struct h264_slice *slice);

#endif
