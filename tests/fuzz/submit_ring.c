// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The submit ring as its readers see it, with a client that writes whatever it likes, whenever it
 * likes. The input is a program for that client: steps that set indexes and entries, steps at which
 * the worker takes a frame or the supervisor makes its accounts, and writes that happen in the
 * middle of the worker's reading.
 *
 * A frame that is taken is within bounds and after the one before it, each word is looked at once,
 * and what is broken is named.
 */

#include "tests/fuzz/scribble.h"

#include "client/vencd.h"
#include "daemon/report.h"
#include "daemon/worker/input.c"
#include "tests/fuzz/fuzz.h"

#define SLOTS_MAX 16u
#define LOOKS_MAX 8u

/* The ring's header and its one page of entries. */
static _Alignas(PLANE_PAGE) uint8_t memory[2 * PLANE_PAGE];
static struct plane_submit *const ring = (struct plane_submit *)memory;

static struct fuzz_input program;
static const volatile void *looked_at[LOOKS_MAX];
static unsigned looks;
static unsigned writes_at; /* bit n: the client writes before the n-th look */

static void write_entry(void)
{
	uint8_t at = fuzz_byte(&program);
	struct plane_frame *entry = &plane_frames(ring)[at % SLOTS_MAX];

	entry->slot = (uint32_t)fuzz_index(&program);
	entry->flags = at & 0x80 ? fuzz_byte(&program) : at >> 6 & 1;
	entry->pts = (int64_t)fuzz_index(&program);
}

static void client_writes(void)
{
	switch (fuzz_byte(&program) % 4) {
	case 0:
		atomic_store(&ring->head, fuzz_index(&program));
		return;
	case 1:
		atomic_store(&ring->finished, fuzz_index(&program));
		return;
	case 2:
		/* As a client does that means well. */
		atomic_fetch_add(&ring->head, fuzz_byte(&program) % 3);
		return;
	default:
		write_entry();
	}
}

void scribble(const volatile void *at, size_t size)
{
	(void)size;
	for (unsigned i = 0; i < looks; i++)
		FUZZ_CHECK(looked_at[i] != at);
	FUZZ_CHECK(looks < LOOKS_MAX);
	if (writes_at >> looks & 1)
		client_writes();
	looked_at[looks++] = at;
}

static void check_taken(
	const struct input *before, const struct input *after, const struct plane_frame *frame)
{
	FUZZ_CHECK(after->next == before->next + 1);
	FUZZ_CHECK(frame->slot < after->slots);
	FUZZ_CHECK(!(frame->flags & ~VENCD_FRAME_KEYFRAME));
	FUZZ_CHECK(frame->pts <= INPUT_PTS_MAX && frame->pts >= -INPUT_PTS_MAX);
	FUZZ_CHECK(before->next == before->first || frame->pts > before->last_pts);
	FUZZ_CHECK(after->last_pts == frame->pts);
}

static enum input_state take(struct input *input)
{
	struct input before = *input;
	struct plane_frame frame = {.slot = UINT32_MAX};
	enum input_state state;

	looks = 0;
	writes_at = fuzz_byte(&program);
	state = input_take(input, &frame);
	writes_at = 0;
	if (state == INPUT_FRAME)
		check_taken(&before, input, &frame);
	else
		FUZZ_CHECK(input->next == before.next && input->last_pts == before.last_pts);
	FUZZ_CHECK((state == INPUT_BROKEN) == (input->why != NULL));
	return state;
}

/* What the supervisor makes of the same head, with a worker that lies as well. */
static void make_accounts(uint32_t slots)
{
	uint64_t head = atomic_load(&ring->head);
	uint64_t taken = fuzz_index(&program), encoded = fuzz_index(&program);
	uint64_t submitted = report_submitted(head, taken, encoded, slots);

	FUZZ_CHECK(submitted >= encoded);
	FUZZ_CHECK(submitted <= (head > encoded ? head : encoded));
	if (head >= encoded && head >= taken && head - taken <= slots)
		FUZZ_CHECK(submitted == head);
	if (taken >= encoded && head > taken)
		FUZZ_CHECK(submitted >= taken && submitted - taken <= slots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plane_layout layout;
	struct input input;
	enum input_state state = INPUT_EMPTY;

	program = (struct fuzz_input){data, size};
	memset(memory, 0, sizeof(memory));
	FUZZ_CHECK(plane_layout_init(&layout, 64, 64, VENCD_FORMAT_I420,
			   1 + fuzz_byte(&program) % SLOTS_MAX, 1) == 0);
	input_init(&input, ring, &layout, fuzz_byte(&program));
	while (program.size > 0 && state != INPUT_BROKEN) {
		switch (fuzz_byte(&program) % 4) {
		case 0:
		case 1:
			client_writes();
			break;
		case 2:
			state = take(&input);
			break;
		default:
			make_accounts(layout.slots);
		}
	}
	return 0;
}
