// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * One packet looked at: AV1 OBUs of the low-overhead format, NAL units of H.264 and HEVC in Annex
 * B, a VP9 frame's first byte, and the header of the null encoder. Emulation prevention does not
 * reach the few bits read here.
 */

#include "tests/contract/bitstream.h"

#include <string.h>

#include "client/plane/plane.h"
#include "client/vencd.h"
#include "fallback/null.h"

/* --- AV1 (5.3, 5.9) --- */

enum {
	OBU_SEQUENCE_HEADER = 1,
	OBU_TEMPORAL_DELIMITER = 2,
	OBU_FRAME_HEADER = 3,
	OBU_FRAME = 6,
};

static bool read_leb128(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < 8 && *at < end; i++) {
		uint8_t byte = *(*at)++;

		*ret |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* show_existing_frame, frame_type (2), show_frame: streams of still pictures are not made here. */
static void see_frame(uint8_t first, bool headers, struct bitstream *b)
{
	if (first & 0x80) {
		b->shown++;
		return;
	}
	if (first & 0x10)
		b->shown++;
	if ((first >> 5 & 3) == 0 && first & 0x10) {
		b->keyframe = true;
		b->headers = headers;
	}
}

static void parse_av1(const uint8_t *data, size_t size, struct bitstream *b)
{
	const uint8_t *at = data, *end = data + size;
	bool headers = false;

	for (unsigned n = 0; at < end; n++) {
		unsigned type = *at >> 3 & 15, extension = *at >> 2 & 1, has_size = *at >> 1 & 1;
		uint64_t length;

		at += 1 + extension;
		if (!has_size || !read_leb128(&at, end, &length) || length > (uint64_t)(end - at))
			return;
		if ((type == OBU_TEMPORAL_DELIMITER) != (n == 0))
			return;
		if (type == OBU_SEQUENCE_HEADER)
			headers = true;
		if ((type == OBU_FRAME || type == OBU_FRAME_HEADER) && length)
			see_frame(*at, headers, b);
		at += length;
	}
	b->wellformed = size > 0;
}

/* --- H.264 and HEVC --- */

struct nal_rules {
	unsigned header_bytes, type_shift, type_mask;
	unsigned parameter_sets[3];       /* 0 ends */
	unsigned first_slice, last_slice; /* types that are coded slices */
	unsigned first_idr, last_idr;
};

static const struct nal_rules h264_rules = {
	1,
	0,
	0x1f,
	{7, 8},
	1,
	5,
	5,
	5,
};
static const struct nal_rules hevc_rules = {
	2,
	1,
	0x3f,
	{32, 33, 34},
	0,
	21,
	19,
	20,
};

/* The first bit behind the header says, in both, that a picture begins (ue(v) 0, or a flag). */
static void see_nal(const struct nal_rules *rules, const uint8_t *nal, size_t size, uint64_t *sets,
	struct bitstream *b)
{
	unsigned type = nal[0] >> rules->type_shift & rules->type_mask;
	uint64_t wanted = 0;

	for (unsigned i = 0; i < 3 && rules->parameter_sets[i]; i++)
		wanted |= UINT64_C(1) << rules->parameter_sets[i];
	*sets |= UINT64_C(1) << type & wanted;
	if (type < rules->first_slice || type > rules->last_slice || size <= rules->header_bytes)
		return;
	if (!(nal[rules->header_bytes] & 0x80))
		return;
	b->shown++;
	if (type >= rules->first_idr && type <= rules->last_idr) {
		b->keyframe = true;
		b->headers = *sets == wanted;
	}
}

static const uint8_t *find_start_code(const uint8_t *at, const uint8_t *end)
{
	for (; end - at >= 3; at++)
		if (at[0] == 0 && at[1] == 0 && at[2] == 1)
			return at;
	return NULL;
}

static void parse_nals(
	const struct nal_rules *rules, const uint8_t *data, size_t size, struct bitstream *b)
{
	const uint8_t *end = data + size, *code = find_start_code(data, end);
	uint64_t sets = 0;

	/* Before the first start code there may be zero bytes, one here. */
	b->wellformed = code && code - data <= 1;
	while (code) {
		const uint8_t *nal = code + 3, *next = find_start_code(nal, end);

		if (nal < (next ? next : end))
			see_nal(rules, nal, (size_t)((next ? next : end) - nal), &sets, b);
		code = next;
	}
}

/* --- VP9 (6.2): no superframes are made here --- */

static void parse_vp9(const uint8_t *data, size_t size, struct bitstream *b)
{
	static const uint8_t sync[] = {0x49, 0x83, 0x42};
	bool existing = size && data[0] & 0x08, key = size && !existing && !(data[0] & 0x04);

	b->wellformed = size > 0 && data[0] >> 6 == 2;
	if (key)
		b->wellformed &= size > sizeof(sync) && !memcmp(data + 1, sync, sizeof(sync));
	b->shown = existing || (size && data[0] & 0x02);
	b->keyframe = b->headers = key && b->shown;
}

/* --- the null encoder --- */

static void parse_null(const uint8_t *data, size_t size, struct bitstream *b)
{
	struct null_packet head;

	if (size < sizeof(head))
		return;
	memcpy(&head, data, sizeof(head));
	b->wellformed = !memcmp(head.magic, NULL_MAGIC, sizeof(head.magic)) && head.size == size;
	b->shown = 1;
	b->keyframe = b->headers = head.flags & NULL_PACKET_KEYFRAME;
}

void bitstream_parse(uint32_t codec, const uint8_t *data, size_t size, struct bitstream *ret)
{
	*ret = (struct bitstream){0};
	switch (codec) {
	case VENCD_CODEC_AV1:
		parse_av1(data, size, ret);
		break;
	case VENCD_CODEC_H264:
		parse_nals(&h264_rules, data, size, ret);
		break;
	case VENCD_CODEC_HEVC:
		parse_nals(&hevc_rules, data, size, ret);
		break;
	case VENCD_CODEC_VP9:
		parse_vp9(data, size, ret);
		break;
	default:
		parse_null(data, size, ret);
	}
}
