// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Slice headers of HEVC (7.3.6), as far as they occur here: one slice a picture, no tiles, no
 * wavefront, one reference. As with H.264 (h264_slice.c) x265's are read and others written, for
 * the program's parameter sets and with the order of display that it asked for. Which pictures are
 * kept stands in each of them: it is always the last one alone.
 */

#include "tests/emulated/va/hevc_slice.h"

static bool read_sps(struct bit_reader *r, struct hevc_format *ret)
{
	bits_get(r, 4);
	if (bits_get(r, 3)) /* sub-layers */
		return false;
	bits_get(r, 1);
	for (unsigned i = 0; i < 3; i++)
		bits_get(r, 32); /* profile, tier, level */
	bits_get_ue(r);
	if (bits_get_ue(r) != 1) /* 4:2:0 */
		return false;
	bits_get_ue(r);
	bits_get_ue(r);
	if (bits_get(r, 1)) /* window */
		for (unsigned i = 0; i < 4; i++)
			bits_get_ue(r);
	bits_get_ue(r);
	bits_get_ue(r);
	ret->poc_bits = bits_get_ue(r) + 4;
	return !r->overrun;
}

/* From the quantiser on; false for what makes slice headers of a kind that is not read here. */
static bool read_pps_tools(struct bit_reader *r, struct hevc_format *ret)
{
	ret->init_qp = 26 + bits_get_se(r);
	bits_get(r, 2); /* constrained prediction, transform skip */
	if (bits_get(r, 1))
		bits_get_ue(r);
	bits_get_se(r);
	bits_get_se(r);
	ret->chroma_offsets = bits_get(r, 1);
	ret->weighted = bits_get(r, 1);
	bits_get(r, 2);     /* bi-prediction's weights, bypass */
	if (bits_get(r, 2)) /* tiles, wavefront: slices would have entry points */
		return false;
	ret->across_slices = bits_get(r, 1);
	if (bits_get(r, 1)) {
		ret->deblocking_override = bits_get(r, 1);
		ret->deblocking_disabled = bits_get(r, 1);
		if (!ret->deblocking_disabled) {
			bits_get_se(r);
			bits_get_se(r);
		}
	}
	if (bits_get(r, 1)) /* scaling lists */
		return false;
	ret->lists_modification = bits_get(r, 1);
	return !r->overrun;
}

static bool read_pps(struct bit_reader *r, struct hevc_format *ret)
{
	bits_get_ue(r);
	bits_get_ue(r);
	if (bits_get(r, 1)) /* dependent slices */
		return false;
	ret->output_flag = bits_get(r, 1);
	if (bits_get(r, 3)) /* extra bits */
		return false;
	bits_get(r, 1);
	ret->cabac_init = bits_get(r, 1);
	if (bits_get_ue(r)) /* more than one reference */
		return false;
	bits_get_ue(r);
	return read_pps_tools(r, ret);
}

static bool read_set(const struct nal *nal, struct hevc_format *ret)
{
	unsigned type = nal->data[0] >> 1 & 63;
	struct bytes payload = {0};
	struct bit_reader r;
	bool ok = true;

	nal_unescape(nal, &payload);
	r = (struct bit_reader){.data = payload.data, .size = payload.size, .at = 16};
	if (type == HEVC_SPS)
		ok = read_sps(&r, ret);
	else if (type == HEVC_PPS)
		ok = read_pps(&r, ret);
	bytes_clear(&payload);
	return ok;
}

bool hevc_format_read(const uint8_t *data, size_t size, struct hevc_format *ret)
{
	struct nal nal;
	size_t at = 0;
	bool ok = true;

	while (ok && nal_next(data, size, &at, &nal))
		ok = read_set(&nal, ret);
	return ok && ret->poc_bits;
}

static bool read_order(struct bit_reader *r, const struct hevc_format *format, uint32_t *poc)
{
	uint32_t pictures;

	*poc = bits_get(r, format->poc_bits);
	if (bits_get(r, 1)) /* a set of the sequence's: it has none */
		return false;
	pictures = bits_get_ue(r);
	pictures += bits_get_ue(r);
	for (uint32_t i = 0; i < pictures && !r->overrun; i++) {
		bits_get_ue(r);
		bits_get(r, 1);
	}
	if (format->temporal_mvp)
		bits_get(r, 1);
	return !r->overrun;
}

/* No more than one reference, and nothing that would need another word in the header. */
static bool read_prediction(
	struct bit_reader *r, const struct hevc_format *format, struct hevc_slice *ret)
{
	if (bits_get(r, 1) && bits_get_ue(r))
		return false;
	if (format->cabac_init && bits_get(r, 1))
		return false;
	if (format->temporal_mvp || format->weighted)
		return false;
	ret->five_minus_merge_candidates = bits_get_ue(r);
	return true;
}

static bool read_filter(struct bit_reader *r, const struct hevc_format *format)
{
	if (format->chroma_offsets && (bits_get_se(r) || bits_get_se(r)))
		return false;
	if (format->deblocking_override && bits_get(r, 1))
		return false;
	if (format->across_slices && !format->deblocking_disabled)
		bits_get(r, 1);
	return true;
}

bool hevc_slice_read(struct bit_reader *r, const struct hevc_format *format, struct hevc_slice *ret)
{
	unsigned type;

	*ret = (struct hevc_slice){.nal_type = bits_get(r, 7)};
	bits_get(r, 9);
	if (!bits_get(r, 1)) /* not the first slice */
		return false;
	if (ret->nal_type >= 16 && ret->nal_type <= 23)
		bits_get(r, 1);
	bits_get_ue(r);
	type = bits_get_ue(r);
	ret->intra = type == 2;
	if (type == 0 || format->sao)
		return false;
	if (format->output_flag)
		bits_get(r, 1);
	if (!hevc_is_idr(ret->nal_type) && !read_order(r, format, &ret->poc))
		return false;
	if (!ret->intra && !read_prediction(r, format, ret))
		return false;
	ret->qp = format->init_qp + bits_get_se(r);
	if (!read_filter(r, format))
		return false;
	bits_get(r, 1);
	while (r->at % 8)
		bits_get(r, 1);
	return !r->overrun;
}

static void write_order(
	struct bit_writer *w, const struct hevc_format *format, const struct hevc_slice *slice)
{
	bool before = !slice->intra && slice->reference < 0;
	bool after = !slice->intra && slice->reference > 0;
	uint32_t distance = (uint32_t)(before ? -slice->reference : slice->reference);

	bits_put(w, format->poc_bits, slice->poc);
	bits_put(w, 1, 0);
	bits_put_ue(w, before);
	bits_put_ue(w, after);
	if (before || after) {
		bits_put_ue(w, distance - 1);
		bits_put(w, 1, 1);
	}
	if (format->temporal_mvp)
		bits_put(w, 1, 0);
}

static void write_prediction(
	struct bit_writer *w, const struct hevc_format *format, const struct hevc_slice *slice)
{
	bits_put(w, 1, 0);
	if (format->cabac_init)
		bits_put(w, 1, 0);
	bits_put_ue(w, slice->five_minus_merge_candidates);
}

void hevc_slice_write(
	struct bit_writer *w, const struct hevc_format *format, const struct hevc_slice *slice)
{
	bits_put(w, 7, slice->nal_type);
	bits_put(w, 9, 1);
	bits_put(w, 1, 1);
	if (hevc_is_idr(slice->nal_type))
		bits_put(w, 1, 0);
	bits_put_ue(w, 0);
	bits_put_ue(w, slice->intra ? 2 : 1);
	if (!hevc_is_idr(slice->nal_type))
		write_order(w, format, slice);
	if (!slice->intra)
		write_prediction(w, format, slice);
	bits_put_se(w, slice->qp - format->init_qp);
	if (format->across_slices)
		bits_put(w, 1, 1);
	bits_put(w, 1, 1);
	bits_align(w, 0);
}
