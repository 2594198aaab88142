// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The parts of the worker that touch shared memory or packets, each against memory of the test's
 * own: the attempt ring, the submit ring, the chroma pass, and keyframes by the bitstream.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/worker/bitstream.h"
#include "daemon/worker/chroma.h"
#include "daemon/worker/input.h"
#include "daemon/worker/output.h"
#include "tests/unit/check.h"

static struct plane_layout layout;
static struct plane_submit *submit;
static struct plane_attempt *ring;
static struct call_slot slot;
static struct output out;

static void *fresh(uint64_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(map != MAP_FAILED);
	return map;
}

static void begin(uint32_t withheld)
{
	CHECK_EQUAL(plane_layout_init(&layout, 64, 64, VENCD_FORMAT_I420, 5, 2), 0);
	submit = fresh(plane_submit_size(&layout));
	ring = fresh(plane_attempt_size(&layout));
	slot = (struct call_slot){.commit = commit_word(0, COMMIT_OPEN)};
	memset(&out, 0, sizeof(out));
	out.ring = ring;
	out.submit = submit;
	out.slot = &slot;
	out.attempt = 1;
	out.packet_wake = -1;
	out.data_size = layout.data_size;
	CHECK_EQUAL(output_init(&out, withheld), 0);
}

static void end(void)
{
	output_clear(&out);
	munmap(submit, plane_submit_size(&layout));
	munmap(ring, plane_attempt_size(&layout));
}

/* --- the attempt ring --- */

static uint8_t bytes[4 << 20];

static void put(uint64_t size, uint64_t frame)
{
	memset(bytes, (int)frame, size);
	CHECK_EQUAL(output_room(&out, out.n_withheld + 1, size), OUTPUT_ROOM);
	output_packet(&out,
		&(struct output_packet){.data = bytes,
			.size = size,
			.pts = (int64_t)frame,
			.dts = (int64_t)frame - 1,
			.frame = frame});
}

static const struct plane_entry *entry(uint64_t index)
{
	return &plane_log(ring)[index % PLANE_LOG_ENTRIES];
}

static void consume(uint64_t index)
{
	atomic_store(&submit->consumed[1], index);
}

static void check_withheld(void)
{
	begin(4);
	put(100, 0);
	put(200, 1);
	/* A release passes them: its totals do not count what is withheld. */
	output_release(&out, 7, 3);
	CHECK(output_commit(&out));
	CHECK_EQUAL(atomic_load(&ring->published), 1);
	CHECK_EQUAL(commit_index(slot.commit), 1);
	CHECK_EQUAL(entry(0)->type, PLANE_ENTRY_RELEASE);
	CHECK_EQUAL(entry(0)->slot, 3);
	CHECK_EQUAL(entry(0)->total_packets, 0);
	CHECK(entry(0)->total_digest == PLANE_FNV_OFFSET);
	output_close_group(&out);
	CHECK_EQUAL(atomic_load(&ring->published), 1);
	output_end(&out);
	CHECK(output_commit(&out));
	CHECK_EQUAL(atomic_load(&ring->published), 4);
	CHECK_EQUAL(entry(1)->total_bytes, 100);
	CHECK_EQUAL(entry(2)->total_bytes, 300);
	CHECK_EQUAL(entry(2)->offset, 100);
	CHECK_EQUAL(entry(3)->type, PLANE_ENTRY_END);
	CHECK_EQUAL(entry(3)->total_packets, 2);
	CHECK(entry(3)->total_digest == entry(2)->total_digest);
	CHECK_EQUAL(plane_data(ring)[100], 1);
	end();
}

static void check_cut(void)
{
	begin(2);
	put(10, 0);
	output_close_group(&out);
	CHECK(output_commit(&out));
	put(10, 1);
	output_close_group(&out);
	CHECK_EQUAL(commit_close(&slot), 1);
	CHECK(!output_commit(&out));
	CHECK_EQUAL(atomic_load(&ring->published), 1);
	CHECK_EQUAL(out.committed_packets, 1);
	end();
}

static void put_alone(uint64_t size, uint64_t frame)
{
	put(size, frame);
	output_close_group(&out);
	CHECK(output_commit(&out));
}

/* Data wraps without splitting a packet, and never over one that is still read. */
static void check_data(void)
{
	uint64_t third;

	begin(4);
	third = layout.data_size / 3 + 1;
	put_alone(third, 0);
	put_alone(third, 1);
	CHECK_EQUAL(output_room(&out, 1, third), OUTPUT_FULL);
	CHECK_EQUAL(output_room(&out, 1, layout.data_size - 2 * third), OUTPUT_ROOM);
	consume(1); /* room at the beginning: exactly one third */
	CHECK_EQUAL(output_room(&out, 1, third + 1), OUTPUT_FULL);
	put_alone(third, 2);
	CHECK_EQUAL(entry(2)->offset, 0);
	CHECK_EQUAL(output_room(&out, 1, 1), OUTPUT_FULL);
	consume(2);
	put_alone(third, 3);
	CHECK_EQUAL(entry(3)->offset, third);
	CHECK_EQUAL(plane_data(ring)[0], 2);
	CHECK_EQUAL(plane_data(ring)[third], 3);
	end();
}

/* A group that alone fills the ring can never be committed: waiting would be for ever. */
static void check_never(void)
{
	begin(4);
	put_alone(10, 0);
	put(layout.data_size / 2, 1);
	put(layout.data_size / 2 - 10, 2);
	CHECK_EQUAL(output_room(&out, 3, 20), OUTPUT_FULL);
	consume(1);
	CHECK_EQUAL(output_room(&out, 3, 20), OUTPUT_NEVER);
	end();
}

static void check_log_full(void)
{
	begin(1);
	for (uint64_t i = 0; i < PLANE_LOG_ENTRIES; i++)
		put_alone(1, i);
	CHECK_EQUAL(output_room(&out, 1, 0), OUTPUT_FULL);
	consume(1);
	CHECK_EQUAL(output_room(&out, 1, 0), OUTPUT_ROOM);
	CHECK_EQUAL(output_room(&out, 2, 0), OUTPUT_FULL);
	consume(PLANE_LOG_ENTRIES);
	CHECK_EQUAL(output_room(&out, PLANE_LOG_ENTRIES, 1), OUTPUT_ROOM);
	end();
}

static void check_hostile_consumption(void)
{
	begin(1);
	put_alone(1, 0);
	put_alone(1, 1);
	consume(3);
	CHECK_EQUAL(output_room(&out, 1, 1), OUTPUT_BROKEN);
	consume(UINT64_MAX);
	CHECK_EQUAL(output_room(&out, 1, 1), OUTPUT_BROKEN);
	consume(2);
	CHECK_EQUAL(output_room(&out, 1, 1), OUTPUT_ROOM);
	consume(1);
	CHECK_EQUAL(output_room(&out, 1, 1), OUTPUT_BROKEN);
	end();
}

/* --- the submit ring --- */

static struct input in;

static enum input_state take(uint32_t s, uint32_t flags, int64_t pts)
{
	struct plane_frame frame;

	plane_frames(submit)[in.next % layout.submit_entries] = (struct plane_frame){
		.slot = s, .flags = flags, .pts = pts};
	atomic_store(&submit->head, in.next + 1);
	return input_take(&in, &frame);
}

static void begin_input(uint64_t first)
{
	begin(1);
	atomic_store(&submit->head, first);
	input_init(&in, submit, &layout, first);
}

static void check_input(void)
{
	struct plane_frame frame;

	begin_input(9);
	CHECK_EQUAL(input_take(&in, &frame), INPUT_EMPTY);
	CHECK_EQUAL(take(4, VENCD_FRAME_KEYFRAME, -5), INPUT_FRAME);
	CHECK_EQUAL(take(0, 0, -4), INPUT_FRAME);
	CHECK_EQUAL(input_take(&in, &frame), INPUT_EMPTY);
	atomic_store(&submit->finished, 13);
	CHECK_EQUAL(input_take(&in, &frame), INPUT_EMPTY); /* one is still to come */
	CHECK_EQUAL(take(0, 0, 0), INPUT_FRAME);
	CHECK_EQUAL(input_take(&in, &frame), INPUT_FINISHED);
	atomic_store(&submit->finished, 12);
	CHECK_EQUAL(input_take(&in, &frame), INPUT_BROKEN);
	end();
}

static void check_hostile_input(void)
{
	struct plane_frame frame;

	begin_input(0);
	CHECK_EQUAL(take(5, 0, 0), INPUT_BROKEN);
	CHECK_EQUAL(take(UINT32_MAX, 0, 0), INPUT_BROKEN);
	CHECK_EQUAL(take(0, 2, 0), INPUT_BROKEN);
	CHECK_EQUAL(take(0, 0, INT64_MAX), INPUT_BROKEN);
	CHECK_EQUAL(take(0, 0, INT64_MIN), INPUT_BROKEN);
	CHECK_EQUAL(take(0, 0, 3), INPUT_FRAME);
	CHECK_EQUAL(take(1, 0, 3), INPUT_BROKEN);
	CHECK_EQUAL(take(1, 0, 2), INPUT_BROKEN);
	CHECK(strstr(in.why, "client"));
	atomic_store(&submit->head, 0);
	CHECK_EQUAL(input_take(&in, &frame), INPUT_BROKEN);
	atomic_store(&submit->head, 1 + layout.submit_entries + 1);
	CHECK_EQUAL(input_take(&in, &frame), INPUT_BROKEN);
	atomic_store(&submit->head, UINT64_MAX);
	CHECK_EQUAL(input_take(&in, &frame), INPUT_BROKEN);
	end();
}

/* --- chroma --- */

static const struct encoder_limits planar = {
	.reach.formats = 1u << VENCD_FORMAT_I420 | 1u << VENCD_FORMAT_I010};
static const struct encoder_limits semi = {
	.reach.formats = 1u << VENCD_FORMAT_NV12 | 1u << VENCD_FORMAT_P010};

static void check_targets(void)
{
	CHECK_EQUAL(chroma_target(&planar, VENCD_FORMAT_I420), VENCD_FORMAT_I420);
	CHECK_EQUAL(chroma_target(&planar, VENCD_FORMAT_NV12), VENCD_FORMAT_I420);
	CHECK_EQUAL(chroma_target(&semi, VENCD_FORMAT_I010), VENCD_FORMAT_P010);
	CHECK_EQUAL(chroma_target(&semi, VENCD_FORMAT_P010), VENCD_FORMAT_P010);
	CHECK_EQUAL(chroma_target(&semi, 0), 0);
	CHECK_EQUAL(chroma_target(&semi, 99), 0);
	CHECK_EQUAL(
		chroma_target(&(struct encoder_limits){.reach.formats = 0}, VENCD_FORMAT_I420), 0);
}

/* The value of a sample, whatever the format: 8 bits, or 10. */
static unsigned sample(const struct encoder_frame *f, unsigned component, uint32_t x, uint32_t y)
{
	bool wide = f->format == VENCD_FORMAT_I010 || f->format == VENCD_FORMAT_P010;
	bool pairs = f->format == VENCD_FORMAT_NV12 || f->format == VENCD_FORMAT_P010;
	unsigned plane = pairs && component == 2 ? 1 : component;
	uint32_t column = pairs && component ? 2 * x + component - 1 : x;
	const uint8_t *row = f->data[plane] + (size_t)y * f->stride[plane];

	if (!wide)
		return row[column];
	if (f->format == VENCD_FORMAT_P010)
		return ((const uint16_t *)row)[column] >> 6;
	return ((const uint16_t *)row)[column];
}

static void draw(uint8_t *pool, const struct plane_layout *l)
{
	bool wide = l->row_bytes[0] != l->width;

	for (uint64_t i = 0; i < plane_pool_size(l); i++)
		pool[i] = (uint8_t)(i * 2654435761u >> 13);
	for (uint64_t i = 0; wide && i < plane_pool_size(l) / 2; i++) {
		uint16_t *s = (uint16_t *)pool + i;

		*s = l->format == VENCD_FORMAT_I010 ? *s & 0x3ff : *s & 0xffc0;
	}
}

static void check_pass(uint32_t format, const struct encoder_limits *limits, uint32_t w, uint32_t h)
{
	struct plane_layout l;
	struct encoder_frame direct = {0}, passed = {0};
	struct chroma none, pass;
	uint8_t *pool;

	CHECK_EQUAL(plane_layout_init(&l, w, h, format, 3, 1), 0);
	pool = fresh(plane_pool_size(&l));
	draw(pool, &l);
	mprotect(pool, plane_pool_size(&l), PROT_READ);
	CHECK_EQUAL(chroma_init(&none, &l, format), 0);
	CHECK_EQUAL(chroma_init(&pass, &l, chroma_target(limits, format)), 0);
	chroma_frame(&none, pool, 2, &direct);
	chroma_frame(&pass, pool, 1, &passed);
	chroma_frame(&pass, pool, 2, &passed);
	CHECK(direct.data[0] == pool + 2 * l.slot_size);
	CHECK_EQUAL(passed.format, chroma_target(limits, format));
	for (unsigned c = 0; c < 3; c++)
		for (uint32_t y = 0; y < (c ? (h + 1) / 2 : h); y++)
			for (uint32_t x = 0; x < (c ? (w + 1) / 2 : w); x++)
				CHECK_EQUAL(sample(&passed, c, x, y), sample(&direct, c, x, y));
	chroma_clear(&pass);
	chroma_clear(&none);
	munmap(pool, plane_pool_size(&l));
}

static void check_passes(void)
{
	static const uint32_t sizes[][2] = {{64, 32}, {1, 1}, {67, 35}};

	for (unsigned i = 0; i < 3; i++)
		for (uint32_t f = VENCD_FORMAT_I420; f <= VENCD_FORMAT_P010; f++) {
			check_pass(f, &planar, sizes[i][0], sizes[i][1]);
			check_pass(f, &semi, sizes[i][0], sizes[i][1]);
		}
}

/* --- bitstreams --- */

#define EXPECT(codec, kind, ...)                                                        \
	do {                                                                            \
		static const uint8_t data[] = {__VA_ARGS__};                            \
		CHECK_EQUAL(bitstream_inspect(VENCD_CODEC_##codec, data, sizeof(data)), \
			BITSTREAM_##kind);                                              \
	} while (0)

#define NAL(header) 0, 0, 1, (header), 0x80

static void check_nals(void)
{
	EXPECT(H264, KEYFRAME, 0, NAL(0x09), NAL(0x67), NAL(0x68), NAL(0x06), NAL(0x65));
	EXPECT(H264, INTER, NAL(0x06), NAL(0x41));
	EXPECT(H264, INTER, NAL(0x67), NAL(0x68), NAL(0x41), NAL(0x65));
	EXPECT(H264, BROKEN, NAL(0x67), NAL(0x65));            /* without its PPS */
	EXPECT(H264, BROKEN, NAL(0x65), NAL(0x67), NAL(0x68)); /* sets after it */
	EXPECT(H264, BROKEN, NAL(0x67), NAL(0x68));
	EXPECT(H264, BROKEN, 0, 0, 1);
	EXPECT(HEVC, KEYFRAME, NAL(0x40), NAL(0x42), NAL(0x44), NAL(19 << 1));
	EXPECT(HEVC, KEYFRAME, NAL(0x40), NAL(0x42), NAL(0x44), NAL(21 << 1));
	EXPECT(HEVC, BROKEN, NAL(0x42), NAL(0x44), NAL(19 << 1));
	EXPECT(HEVC, INTER, NAL(1 << 1));
	EXPECT(HEVC, BROKEN, 1, 2, 3, 4, 5);
}

/* A frame of VP9, and a superframe's index of two sizes of a byte. */
#define VP9_KEY(shown) 0x80 | (shown) << 1, 0x49, 0x83, 0x42, 7
#define VP9_INTER(shown) 0x84 | (shown) << 1, 7, 7
#define VP9_EXISTING 0x88
#define VP9_INDEX(first, second) 0xc1, (first), (second), 0xc1

static void check_vp9(void)
{
	EXPECT(VP9, KEYFRAME, VP9_KEY(1));
	EXPECT(VP9, KEYFRAME, 0x92, 0x49, 0x83, 0x42); /* profile 2 */
	EXPECT(VP9, INTER, VP9_INTER(1));
	EXPECT(VP9, INTER, VP9_EXISTING);
	EXPECT(VP9, INTER, VP9_INTER(0), VP9_INTER(1), VP9_INDEX(3, 3));
	EXPECT(VP9, KEYFRAME, VP9_KEY(1), VP9_INTER(0), VP9_INDEX(5, 3));
	EXPECT(VP9, INTER, VP9_INTER(0), VP9_EXISTING, VP9_INDEX(3, 1));
	EXPECT(VP9, BROKEN, VP9_INTER(0)); /* nothing is shown */
	EXPECT(VP9, BROKEN, VP9_INTER(1), VP9_INTER(1), VP9_INDEX(3, 3));
	EXPECT(VP9, BROKEN, VP9_INTER(0), VP9_INTER(1), VP9_INDEX(3, 2)); /* sizes do not add up */
	EXPECT(VP9, BROKEN, VP9_INTER(0), VP9_INTER(1), VP9_INDEX(6, 0));
	EXPECT(VP9, BROKEN, 0x82, 0x49, 0x83, 0x43); /* no sync code */
	EXPECT(VP9, BROKEN, 0x82, 0x49, 0x83);
	EXPECT(VP9, BROKEN, 0xb2, 0x49, 0x83, 0x42); /* profile 3 */
	EXPECT(VP9, BROKEN, 0x42, 0x49, 0x83, 0x42);
	CHECK_EQUAL(bitstream_inspect(VENCD_CODEC_VP9, NULL, 0), BITSTREAM_BROKEN);
}

#define OBU(type, ...) ((type) << 3 | 2), sizeof((uint8_t[]){__VA_ARGS__}), __VA_ARGS__
#define DELIMITER 0x12, 0
#define SEQUENCE OBU(1, 0, 0, 0)
#define KEY OBU(6, 0x10, 1, 2)
#define INTER OBU(6, 0x30, 1, 2)
#define HIDDEN OBU(6, 0x20, 1, 2)
#define EXISTING OBU(3, 0x80)

static void check_obus(void)
{
	EXPECT(AV1, KEYFRAME, DELIMITER, SEQUENCE, KEY);
	EXPECT(AV1, INTER, DELIMITER, INTER);
	EXPECT(AV1, INTER, DELIMITER, HIDDEN, HIDDEN, INTER);
	EXPECT(AV1, INTER, DELIMITER, EXISTING);
	EXPECT(AV1, BROKEN, DELIMITER, KEY);           /* without its sequence header */
	EXPECT(AV1, BROKEN, DELIMITER, INTER, INTER);  /* shows two */
	EXPECT(AV1, BROKEN, DELIMITER, HIDDEN);        /* shows none */
	EXPECT(AV1, BROKEN, DELIMITER, 6 << 3 | 2, 9); /* longer than the packet */
	EXPECT(AV1, BROKEN, 0x10, 0);                  /* no size field */
	EXPECT(AV1, BROKEN, 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	EXPECT(AV1, BROKEN, 0x92, 0);
}

int main(void)
{
	check_withheld();
	check_cut();
	check_data();
	check_never();
	check_log_full();
	check_hostile_consumption();
	check_input();
	check_hostile_input();
	check_targets();
	check_passes();
	check_nals();
	check_vp9();
	check_obus();
	return 0;
}
