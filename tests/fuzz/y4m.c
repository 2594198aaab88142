// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The y4m parser, from the header to the last frame. The input is the file. What is accepted can be
 * encoded and lies within the limits of the interface; frames are only as many as the input has
 * bytes for, and are written into planes of exactly their size.
 */

#include <errno.h>
#include <sys/mman.h>

#include "client/stream/console.h"
#include "client/stream/source.h"
#include "client/stream/y4m.h"
#include "tests/fuzz/fuzz.h"

#define PIXELS_MAX (256u * 256u) /* larger frames are opened, and not read */

/* What it would say on stderr, a million times. */
void console_say_once(const char *format, ...)
{
	FUZZ_CHECK(*format);
}

static bool never(void *userdata)
{
	(void)userdata;
	return false;
}

static bool is_ratio(struct vencd_rational r)
{
	return r.num > 0 && r.den > 0;
}

static void check_info(const struct source_info *info)
{
	const struct vencd_params *p = &info->params;

	FUZZ_CHECK(p->width >= 1 && p->width <= VENCD_SIZE_MAX);
	FUZZ_CHECK(p->height >= 1 && p->height <= VENCD_SIZE_MAX);
	FUZZ_CHECK(p->format == VENCD_FORMAT_I420 || p->format == VENCD_FORMAT_I010);
	FUZZ_CHECK(is_ratio(p->frame_rate) && is_ratio(p->time_base));
	FUZZ_CHECK(is_ratio(p->sample_aspect) || (!p->sample_aspect.num && !p->sample_aspect.den));
	FUZZ_CHECK(p->colour.chroma_location <= 3 && p->colour.full_range <= 1);
	FUZZ_CHECK(info->duration_s >= 0 && info->duration_s < 1e12);
}

static void check_failure(int r, const char *text)
{
	FUZZ_CHECK(r < 0 && r > -4096);
	FUZZ_CHECK(memchr(text, '\0', SOURCE_TEXT_MAX) && *text);
}

static size_t make_planes(const struct vencd_params *p, struct source_frame *frame)
{
	uint32_t bytes = p->format == VENCD_FORMAT_I010 ? 2 : 1;
	size_t total = 0;

	for (int i = 0; i < 3; i++) {
		frame->row_bytes[i] = (i ? (p->width + 1) / 2 : p->width) * bytes;
		frame->rows[i] = i ? (p->height + 1) / 2 : p->height;
		/* Every other size without gaps, which has a way of its own. */
		frame->stride[i] = frame->row_bytes[i] + (p->width & 1) * 7;
		frame->data[i] = malloc((size_t)frame->stride[i] * frame->rows[i]);
		FUZZ_CHECK(frame->data[i] != NULL);
		total += (size_t)frame->row_bytes[i] * frame->rows[i];
	}
	return total;
}

static void read_frames(struct source *source, const struct vencd_params *params, size_t size)
{
	struct source_frame frame = {0};
	size_t frame_bytes = make_planes(params, &frame), frames = 0;
	char text[SOURCE_TEXT_MAX] = "";
	int r;

	while ((r = y4m_source.fill(source, &frame, text)) == SOURCE_FRAME) {
		FUZZ_CHECK(frame.pts == (int64_t)frames && frame.duration == 1);
		frames++;
		FUZZ_CHECK(frames * frame_bytes < size);
	}
	if (r != SOURCE_END)
		check_failure(r, text);
	for (int i = 0; i < 3; i++)
		free(frame.data[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	struct source_setup setup = {.name = "input"};
	struct source_info info = {0};
	struct source *source = NULL;
	char text[SOURCE_TEXT_MAX] = "";
	int r;

	FUZZ_CHECK(
		fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	FUZZ_CHECK(descriptor_init(&setup.input, fd, -1, never, NULL) == 0);
	r = y4m_source.open(&source, &setup, &info, text);
	if (r < 0) {
		check_failure(r, text);
	} else {
		check_info(&info);
		if (info.params.width * info.params.height <= PIXELS_MAX)
			read_frames(source, &info.params, size);
		y4m_source.close(source);
	}
	close(fd);
	return 0;
}
