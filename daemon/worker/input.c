// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Taking frames from the submit ring. Every word of it is loaded once into a copy, the copy is
 * checked and used; what the client does to the ring meanwhile changes nothing.
 */

#include "daemon/worker/input.h"

#include "client/vencd.h"

void input_init(struct input *input, struct plane_submit *submit, const struct plane_layout *layout,
	uint64_t first)
{
	*input = (struct input){
		.submit = submit,
		.slots = layout->slots,
		.entries = layout->submit_entries,
		.first = first,
		.next = first,
	};
}

static enum input_state broken(struct input *input, const char *why)
{
	input->why = why;
	return INPUT_BROKEN;
}

static struct plane_frame copy_entry(const struct input *input)
{
	const struct plane_frame *entry = &plane_frames(
		input->submit)[input->next % input->entries];

	return (struct plane_frame){.slot = PLANE_READ(entry->slot),
		.flags = PLANE_READ(entry->flags),
		.pts = PLANE_READ(entry->pts)};
}

static const char *check_frame(const struct input *input, const struct plane_frame *f)
{
	if (f->slot >= input->slots)
		return "the client's submit ring names a slot that does not exist";
	if (f->flags & ~VENCD_FRAME_KEYFRAME)
		return "the client's submit ring has unknown flags";
	if (f->pts > INPUT_PTS_MAX || f->pts < -INPUT_PTS_MAX)
		return "the client's submit ring has a pts out of range";
	if (input->next > input->first && f->pts <= input->last_pts)
		return "the client's submit ring has a pts that does not increase";
	return NULL;
}

/* No frame is there; says whether one may follow. */
static enum input_state at_head(struct input *input, uint64_t finished)
{
	if (finished == 0 || finished - 1 > input->next)
		return INPUT_EMPTY;
	if (finished - 1 < input->next)
		return broken(input, "the client's submit ring ends before frames that it had");
	return INPUT_FINISHED;
}

enum input_state input_take(struct input *input, struct plane_frame *ret)
{
	/* In this order: the frames that an end counts are all there. */
	uint64_t finished = PLANE_LOAD(&input->submit->finished);
	uint64_t head = PLANE_LOAD(&input->submit->head);

	if (head < input->next)
		return broken(input, "the client's submit ring went back");
	if (head - input->next > input->entries)
		return broken(input, "the client's submit ring has more frames than slots");
	if (head == input->next)
		return at_head(input, finished);
	*ret = copy_entry(input);
	input->why = check_frame(input, ret);
	if (input->why)
		return INPUT_BROKEN;
	input->next++;
	input->last_pts = ret->pts;
	return INPUT_FRAME;
}
