// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Keyframes by the bitstream: NAL unit types of H.264 (ITU-T H.264 table 7-1) and HEVC (H.265 table
 * 7-1) up to the first slice; OBUs of AV1 (sections 5.3 and 5.9) to the end of the temporal unit,
 * and the frames of VP9 (section 6.2, annex B), either of which must show exactly one frame.
 */

#include "daemon/worker/bitstream.h"

#include <stdbool.h>
#include <stddef.h>

#include "client/vencd.h"

enum nal_role {
	NAL_OTHER,
	NAL_PARAMETERS, /* a parameter set; `set` says which */
	NAL_INTER,
	NAL_KEYFRAME,
};

struct nal {
	enum nal_role role;
	uint32_t set; /* bits of the sets that a keyframe needs */
};

#define H264_SETS 3u
#define HEVC_SETS 7u

static struct nal h264_nal(uint8_t header)
{
	switch (header & 0x1f) {
	case 1 ... 4:
		return (struct nal){NAL_INTER, 0};
	case 5:
		return (struct nal){NAL_KEYFRAME, 0};
	case 7:
		return (struct nal){NAL_PARAMETERS, 1};
	case 8:
		return (struct nal){NAL_PARAMETERS, 2};
	}
	return (struct nal){NAL_OTHER, 0};
}

static struct nal hevc_nal(uint8_t header)
{
	unsigned type = header >> 1 & 0x3f;

	if (type <= 9)
		return (struct nal){NAL_INTER, 0};
	if (type >= 16 && type <= 21)
		return (struct nal){NAL_KEYFRAME, 0};
	if (type >= 32 && type <= 34)
		return (struct nal){NAL_PARAMETERS, 1u << (type - 32)};
	return (struct nal){NAL_OTHER, 0};
}

/* Up to the first slice: start codes, and the byte after each. */
static enum bitstream_kind inspect_nals(
	struct nal (*classify)(uint8_t), uint32_t needed, const uint8_t *data, uint64_t size)
{
	uint32_t sets = 0;

	for (uint64_t i = 0; i + 3 < size; i++) {
		struct nal nal;

		if (data[i] != 0 || data[i + 1] != 0 || data[i + 2] != 1)
			continue;
		nal = classify(data[i + 3]);
		sets |= nal.set;
		if (nal.role == NAL_INTER)
			return BITSTREAM_INTER;
		if (nal.role == NAL_KEYFRAME)
			return sets == needed ? BITSTREAM_KEYFRAME : BITSTREAM_BROKEN;
		i += 2;
	}
	return BITSTREAM_BROKEN;
}

enum obu_type {
	OBU_SEQUENCE_HEADER = 1,
	OBU_FRAME_HEADER = 3,
	OBU_FRAME = 6,
};

struct obu {
	unsigned type;
	const uint8_t *payload;
	uint64_t size;
};

/* Bytes used, or 0 for a number that is none. */
static unsigned read_leb128(const uint8_t *data, uint64_t size, uint64_t *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < 8 && i < size; i++) {
		*ret |= (uint64_t)(data[i] & 0x7f) << (7 * i);
		if (!(data[i] & 0x80))
			return i + 1;
	}
	return 0;
}

/* The OBU at *pos; moves past it. False at anything that is none. */
static bool next_obu(const uint8_t *data, uint64_t size, uint64_t *pos, struct obu *ret)
{
	uint8_t header = data[*pos];
	uint64_t at = *pos + 1 + (header >> 2 & 1);
	unsigned n;

	ret->type = header >> 3 & 0xf;
	if (header & 0x80 || !(header & 2) || at >= size)
		return false;
	n = read_leb128(data + at, size - at, &ret->size);
	at += n;
	if (n == 0 || ret->size > size - at)
		return false;
	ret->payload = data + at;
	*pos = at + ret->size;
	return true;
}

static enum bitstream_kind inspect_av1(const uint8_t *data, uint64_t size)
{
	enum bitstream_kind kind = BITSTREAM_INTER;
	bool sequence = false;
	unsigned shown = 0;
	struct obu obu;

	for (uint64_t pos = 0; pos < size;) {
		if (!next_obu(data, size, &pos, &obu))
			return BITSTREAM_BROKEN;
		if (obu.type == OBU_SEQUENCE_HEADER)
			sequence = true;
		if ((obu.type != OBU_FRAME && obu.type != OBU_FRAME_HEADER) || obu.size == 0)
			continue;
		/* show_existing_frame, frame_type (2 bits, 0: key), show_frame */
		if ((obu.payload[0] & 0xe0) == 0)
			kind = sequence ? BITSTREAM_KEYFRAME : BITSTREAM_BROKEN;
		shown += (obu.payload[0] & 0x90) != 0;
	}
	return shown == 1 ? kind : BITSTREAM_BROKEN;
}

/* The first byte of a VP9 frame. Profile 3 has a bit more in it, and nobody here asks for that. */
enum vp9_bits {
	VP9_MARKER = 0xc0, /* 2 */
	VP9_PROFILE_LOW = 0x20,
	VP9_PROFILE_HIGH = 0x10,
	VP9_SHOW_EXISTING = 0x08,
	VP9_INTER = 0x04,
	VP9_SHOWN = 0x02,
};

#define VP9_INDEX_MARKER 0xc0u /* and the three highest bits are it: of a superframe's index */
#define VP9_FRAMES_MAX 8u

/* One frame. A keyframe has its sync code (6.2.1) in the bytes behind these flags. */
static bool inspect_vp9_frame(
	const uint8_t *data, uint64_t size, unsigned *shown, enum bitstream_kind *kind)
{
	unsigned deep = VP9_PROFILE_LOW | VP9_PROFILE_HIGH;

	if (size == 0 || (data[0] & VP9_MARKER) != 0x80 || (data[0] & deep) == deep)
		return false;
	*shown += (data[0] & (VP9_SHOW_EXISTING | VP9_SHOWN)) != 0;
	if (data[0] & (VP9_SHOW_EXISTING | VP9_INTER))
		return true;
	*kind = BITSTREAM_KEYFRAME;
	return size > 3 && data[1] == 0x49 && data[2] == 0x83 && data[3] == 0x42;
}

/* The sizes of a superframe's frames, or the one of a packet without an index; 0: broken. */
static unsigned split_vp9(const uint8_t *data, uint64_t size, uint64_t sizes[VP9_FRAMES_MAX])
{
	unsigned last = data[size - 1], frames = (last & 7) + 1, bytes = (last >> 3 & 3) + 1;
	uint64_t index = 2 + (uint64_t)bytes * frames, sum = 0;

	sizes[0] = size;
	if ((last & 0xe0) != VP9_INDEX_MARKER || size < index || data[size - index] != last)
		return 1;
	for (unsigned i = 0; i < frames; i++) {
		const uint8_t *number = data + size - index + 1 + (uint64_t)i * bytes;

		sizes[i] = 0;
		for (unsigned j = 0; j < bytes; j++)
			sizes[i] |= (uint64_t)number[j] << (8 * j);
		sum += sizes[i];
	}
	return sum == size - index ? frames : 0;
}

static enum bitstream_kind inspect_vp9(const uint8_t *data, uint64_t size)
{
	enum bitstream_kind kind = BITSTREAM_INTER;
	uint64_t sizes[VP9_FRAMES_MAX];
	unsigned shown = 0, frames = size ? split_vp9(data, size, sizes) : 0;

	for (unsigned i = 0; i < frames; i++) {
		enum bitstream_kind of_frame = BITSTREAM_INTER;

		if (!inspect_vp9_frame(data, sizes[i], &shown, &of_frame))
			return BITSTREAM_BROKEN;
		if (i == 0)
			kind = of_frame;
		data += sizes[i];
	}
	return shown == 1 ? kind : BITSTREAM_BROKEN;
}

enum bitstream_kind bitstream_inspect(uint32_t codec, const uint8_t *data, uint64_t size)
{
	switch (codec) {
	case VENCD_CODEC_AV1:
		return inspect_av1(data, size);
	case VENCD_CODEC_HEVC:
		return inspect_nals(hevc_nal, HEVC_SETS, data, size);
	case VENCD_CODEC_H264:
		return inspect_nals(h264_nal, H264_SETS, data, size);
	case VENCD_CODEC_VP9:
		return inspect_vp9(data, size);
	}
	return BITSTREAM_BROKEN;
}
