// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Slice headers of H.264 (7.3.3), as far as they occur here: one slice a frame, progressive, one
 * reference, no weights. x264 writes them for its own parameter sets; where the program brings
 * others the headers are written anew for those, with the frame number, order and marking that the
 * program's picture has. The slice's data does not depend on any of that, and stays.
 *
 * Each picture but an IDR refers to the one coded before it, and is the only one that is kept: so a
 * decoder needs the memory that the program's sequence parameters promise, also where pictures are
 * shown in another order than they are coded in.
 */

#include "tests/emulated/va/h264_slice.h"

enum {
	NAL_SLICE = 1,
	NAL_IDR = 5,
	NAL_SPS = 7,
	NAL_PPS = 8,
};

enum {
	PROFILE_HIGH = 100,
};

static bool read_sps(struct bit_reader *r, struct h264_format *ret)
{
	uint32_t profile = bits_get(r, 8);

	bits_get(r, 16); /* constraints, level */
	bits_get_ue(r);
	if (profile >= PROFILE_HIGH) {
		bits_get_ue(r); /* chroma format */
		bits_get_ue(r);
		bits_get_ue(r); /* depths */
		bits_get(r, 1);
		if (bits_get(r, 1)) /* scaling matrices */
			return false;
	}
	ret->frame_num_bits = bits_get_ue(r) + 4;
	ret->poc_type = bits_get_ue(r);
	ret->poc_bits = ret->poc_type == 0 ? bits_get_ue(r) + 4 : 0;
	ret->max_references = bits_get_ue(r);
	return !r->overrun && ret->poc_type != 1;
}

static bool read_pps(struct bit_reader *r, struct h264_format *ret)
{
	bits_get_ue(r);
	bits_get_ue(r);
	ret->cabac = bits_get(r, 1);
	bits_get(r, 1);
	if (bits_get_ue(r) || bits_get_ue(r)) /* slice groups; more than one reference */
		return false;
	bits_get_ue(r);
	if (bits_get(r, 3)) /* weights */
		return false;
	ret->init_qp = 26 + bits_get_se(r);
	bits_get_se(r);
	if (bits_get_se(r)) /* chroma */
		return false;
	ret->deblocking_control = bits_get(r, 1);
	return !r->overrun;
}

static bool read_set(const struct nal *nal, struct h264_format *ret)
{
	unsigned type = nal->data[0] & 31;
	struct bytes payload = {0};
	struct bit_reader r;
	bool ok = true;

	nal_unescape(nal, &payload);
	r = (struct bit_reader){.data = payload.data, .size = payload.size, .at = 8};
	if (type == NAL_SPS)
		ok = read_sps(&r, ret);
	else if (type == NAL_PPS)
		ok = read_pps(&r, ret);
	bytes_clear(&payload);
	return ok;
}

bool h264_format_read(const uint8_t *data, size_t size, struct h264_format *ret)
{
	struct nal nal;
	size_t at = 0;
	bool ok = true;

	while (ok && nal_next(data, size, &at, &nal))
		ok = read_set(&nal, ret);
	return ok && ret->frame_num_bits;
}

/* No list may be modified: there is one reference, and it is the right one. */
static bool read_references(struct bit_reader *r)
{
	if (bits_get(r, 1) && bits_get_ue(r) != 0)
		return false;
	return !bits_get(r, 1);
}

static void read_marking(struct bit_reader *r, bool idr)
{
	if (idr) {
		bits_get(r, 2);
		return;
	}
	if (bits_get(r, 1))
		while (!r->overrun && bits_get_ue(r))
			bits_get_ue(r);
}

bool h264_slice_read(struct bit_reader *r, const struct h264_format *format, struct h264_slice *ret)
{
	unsigned nal_type = (bits_get(r, 1), bits_get(r, 2), bits_get(r, 5));
	unsigned type;

	*ret = (struct h264_slice){.idr = nal_type == NAL_IDR};
	if (bits_get_ue(r)) /* the first macroblock: there is one slice */
		return false;
	type = bits_get_ue(r) % 5;
	ret->intra = type == 2;
	bits_get_ue(r);
	ret->frame_num = bits_get(r, format->frame_num_bits);
	if (ret->idr)
		ret->idr_pic_id = bits_get_ue(r);
	if (format->poc_type == 0)
		ret->poc = bits_get(r, format->poc_bits);
	if ((type != 0 && type != 2) || (type == 0 && !read_references(r)))
		return false;
	read_marking(r, ret->idr);
	if (format->cabac && !ret->intra)
		ret->cabac_init_idc = bits_get_ue(r);
	ret->qp = format->init_qp + bits_get_se(r);
	if (format->deblocking_control)
		ret->deblocking_idc = bits_get_ue(r);
	if (format->deblocking_control && ret->deblocking_idc != 1) {
		ret->alpha = bits_get_se(r);
		ret->beta = bits_get_se(r);
	}
	while (format->cabac && r->at % 8)
		bits_get(r, 1);
	return !r->overrun;
}

/* The picture before this one is of no more use; where there is room for it that must be said. */
static void write_marking(struct bit_writer *w, const struct h264_format *format, bool idr)
{
	if (idr) {
		bits_put(w, 2, 0);
		return;
	}
	bits_put(w, 1, format->max_references > 1);
	if (format->max_references > 1) {
		bits_put_ue(w, 1); /* a short-term picture... */
		bits_put_ue(w, 0); /* ...the last */
		bits_put_ue(w, 0);
	}
}

void h264_slice_write(
	struct bit_writer *w, const struct h264_format *format, const struct h264_slice *slice)
{
	bits_put(w, 8, slice->idr ? 3 << 5 | NAL_IDR : 1 << 5 | NAL_SLICE);
	bits_put_ue(w, 0);
	bits_put_ue(w, slice->intra ? 7 : 5);
	bits_put_ue(w, 0);
	bits_put(w, format->frame_num_bits, slice->frame_num);
	if (slice->idr)
		bits_put_ue(w, slice->idr_pic_id);
	if (format->poc_type == 0)
		bits_put(w, format->poc_bits, slice->poc);
	if (!slice->intra)
		bits_put(w, 2, 0); /* the number of references and their order are the usual */
	write_marking(w, format, slice->idr);
	if (format->cabac && !slice->intra)
		bits_put_ue(w, slice->cabac_init_idc);
	bits_put_se(w, slice->qp - format->init_qp);
	if (format->deblocking_control)
		bits_put_ue(w, slice->deblocking_idc);
	if (format->deblocking_control && slice->deblocking_idc != 1) {
		bits_put_se(w, slice->alpha);
		bits_put_se(w, slice->beta);
	}
	if (format->cabac)
		bits_align(w, 1);
}
