// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * YUV4MPEG2, read straight into the frame pool: a frame is never copied after read(2).
 *
 * Accepted are 4:2:0 with 8 and with 10 bits; anything else is refused with a word on what is. The
 * length of a frame follows from the header, so a header that lies shows at the next frame, which
 * then does not begin with FRAME. An input that ends inside a frame is an error, not an end: that
 * frame is dropped, those before it stand. One tick is one frame; y4m has no other timestamps.
 */

#include "client/stream/y4m.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/stream/console.h"
#include "client/stream/source.h"

#define ACCEPTED "4:2:0 with 8 bits (420, 420jpeg, 420mpeg2, 420paldv) or 10 bits (420p10)"
#define ROWS_AT_ONCE 64

struct source {
	struct descriptor input;
	uint64_t frames;
};

static const struct {
	const char *name;
	enum vencd_pixel_format format;
	uint8_t chroma_location;
} chromas[] = {
	{"420", VENCD_FORMAT_I420, 2},
	{"420jpeg", VENCD_FORMAT_I420, 2},
	{"420mpeg2", VENCD_FORMAT_I420, 1},
	{"420paldv", VENCD_FORMAT_I420, 3},
	{"420p10", VENCD_FORMAT_I010, 0},
};

static int parse_chroma(const char *value, struct vencd_params *params, char *text)
{
	for (size_t i = 0; i < sizeof(chromas) / sizeof(*chromas); i++) {
		if (strcmp(chromas[i].name, value) == 0) {
			params->format = chromas[i].format;
			params->colour.chroma_location = chromas[i].chroma_location;
			return 0;
		}
	}
	snprintf(text, SOURCE_TEXT_MAX,
		"y4m colour space \"%.20s\" is not accepted: only " ACCEPTED, value);
	return -EINVAL;
}

static int parse_size(char tag, const char *value, uint32_t *ret, char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || n < 1 || n > VENCD_SIZE_MAX) {
		snprintf(text, SOURCE_TEXT_MAX, "y4m header says %c%.20s: a size is 1 to %u", tag,
			value, VENCD_SIZE_MAX);
		return -EINVAL;
	}
	*ret = (uint32_t)n;
	return 0;
}

/* "30000:1001"; 0:0 is "unknown". */
static int parse_ratio(char tag, const char *value, struct vencd_rational *ret, char *text)
{
	int num, den, length = 0;

	if (sscanf(value, "%9d:%9d%n", &num, &den, &length) != 2 || value[length] || num < 0 ||
		den < 0 || !num != !den) {
		snprintf(text, SOURCE_TEXT_MAX,
			"y4m header says %c%.20s: expected two positive numbers and a colon", tag,
			value);
		return -EINVAL;
	}
	*ret = (struct vencd_rational){num, den};
	return 0;
}

static int parse_interlace(const char *value, enum y4m_interlace *interlace, char *text)
{
	if (strlen(value) != 1 || !strchr("?ptbm", *value)) {
		snprintf(text, SOURCE_TEXT_MAX, "y4m header says I%.20s: expected p, t, b, m or ?",
			value);
		return -EINVAL;
	}
	*interlace = strchr("tbm", *value) ? Y4M_INTERLACED : Y4M_PROGRESSIVE;
	return 0;
}

/* Extensions other than the range are somebody else's and are passed over, as the format asks. */
static void parse_extension(const char *value, struct vencd_params *params)
{
	if (strcmp(value, "COLORRANGE=FULL") == 0)
		params->colour.full_range = 1;
}

static int parse_tag(
	char *token, struct vencd_params *params, enum y4m_interlace *interlace, char *text)
{
	const char *value = token + 1;

	switch (*token) {
	case 'W':
		return parse_size('W', value, &params->width, text);
	case 'H':
		return parse_size('H', value, &params->height, text);
	case 'F':
		return parse_ratio('F', value, &params->frame_rate, text);
	case 'A':
		return parse_ratio('A', value, &params->sample_aspect, text);
	case 'C':
		return parse_chroma(value, params, text);
	case 'I':
		return parse_interlace(value, interlace, text);
	case 'X':
		parse_extension(value, params);
		return 0;
	default:
		snprintf(text, SOURCE_TEXT_MAX, "y4m header has an unknown field \"%.20s\"", token);
		return -EINVAL;
	}
}

int y4m_parse_header(
	char *line, struct vencd_params *params, enum y4m_interlace *interlace, char *text)
{
	char *save, *token = strtok_r(line, " ", &save);

	*interlace = Y4M_PROGRESSIVE;
	if (!token || strcmp(token, Y4M_MAGIC) != 0) {
		snprintf(text, SOURCE_TEXT_MAX, "not y4m: it does not begin with " Y4M_MAGIC);
		return -EINVAL;
	}
	params->format = VENCD_FORMAT_I420;
	params->colour.chroma_location = 2;
	while ((token = strtok_r(NULL, " ", &save))) {
		int r = parse_tag(token, params, interlace, text);

		if (r < 0)
			return r;
	}
	if (!params->width || !params->height) {
		snprintf(text, SOURCE_TEXT_MAX, "y4m header has no width or no height");
		return -EINVAL;
	}
	if (!params->frame_rate.num)
		params->frame_rate = (struct vencd_rational){25, 1};
	params->time_base = (struct vencd_rational){params->frame_rate.den, params->frame_rate.num};
	return 0;
}

/* Reads a line byte by byte, since what follows it must stay unread. 0 at the end of input. */
static int read_line(const struct descriptor *input, char *line, size_t have, char *text)
{
	for (size_t n = have; n < Y4M_LINE_MAX; n++) {
		ssize_t got = descriptor_read(input, line + n, 1);

		if (got < 0) {
			snprintf(text, SOURCE_TEXT_MAX, "cannot read: %s", strerror((int)-got));
			return (int)got;
		}
		if (got == 0 && n == 0)
			return 0;
		if (got == 0)
			break;
		if (line[n] == '\n') {
			line[n] = '\0';
			return 1;
		}
	}
	snprintf(text, SOURCE_TEXT_MAX, "no y4m: a line has no end");
	return -EINVAL;
}

/* From the size of the file, a header line of "FRAME" alone assumed; 0 for what is no file. */
static double duration_of_file(const struct descriptor *input, const struct vencd_params *params)
{
	uint64_t luma = (uint64_t)params->width * params->height;
	uint64_t chroma = (uint64_t)((params->width + 1) / 2) * ((params->height + 1) / 2);
	uint64_t bytes = (luma + 2 * chroma) << (params->format == VENCD_FORMAT_I010);
	struct stat st;

	if (input->kind != DESCRIPTOR_FILE || fstat(input->fd, &st) < 0)
		return 0;
	return (double)((uint64_t)st.st_size / (bytes + strlen("FRAME\n"))) *
		params->frame_rate.den / params->frame_rate.num;
}

static int y4m_open(
	struct source **ret, const struct source_setup *setup, struct source_info *info, char *text)
{
	char line[Y4M_LINE_MAX];
	enum y4m_interlace interlace;
	struct source *source;
	int r = read_line(&setup->input, line, 0, text);

	if (r == 0) {
		snprintf(text, SOURCE_TEXT_MAX, "it is empty");
		return -ENODATA;
	}
	if (r < 0)
		return r;
	r = y4m_parse_header(line, &info->params, &interlace, text);
	if (r < 0)
		return r;
	if (interlace == Y4M_INTERLACED)
		console_say_once(
			"the input is interlaced: its frames are encoded as progressive ones");
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->input = setup->input;
	info->endless = setup->input.kind != DESCRIPTOR_FILE;
	info->duration_s = duration_of_file(&setup->input, &info->params);
	*ret = source;
	return 0;
}

static int truncated(const struct source *source, char *text)
{
	snprintf(text, SOURCE_TEXT_MAX, "the input ends inside frame %llu",
		(unsigned long long)source->frames);
	return -EIO;
}

/* "FRAME", perhaps with parameters, which change nothing that is accepted. */
static int read_frame_header(struct source *source, char *text)
{
	char line[Y4M_LINE_MAX];
	int r = read_line(&source->input, line, 0, text);

	if (r == 0)
		return SOURCE_END;
	if (r == -ECANCELED)
		return r;
	if (r < 0 || strncmp(line, "FRAME", 5) != 0 || (line[5] && line[5] != ' ')) {
		snprintf(text, SOURCE_TEXT_MAX,
			"frame %llu does not begin with FRAME: "
			"the header's size is wrong or the input is damaged",
			(unsigned long long)source->frames);
		return -EBADMSG;
	}
	return SOURCE_FRAME;
}

/* Rows [first, rows) of a plane as an iovec, the first of them from byte `skip` on. */
static int list_rows(const struct source_frame *frame, int plane, size_t done, struct iovec *iov)
{
	size_t width = frame->row_bytes[plane], row = done / width, skip = done % width;
	int n = 0;

	for (; n < ROWS_AT_ONCE && row < frame->rows[plane]; n++, row++, skip = 0)
		iov[n] = (struct iovec){
			frame->data[plane] + row * frame->stride[plane] + skip, width - skip};
	return n;
}

/* One long read where rows lie without gaps, else a few dozen rows at a time. */
static ssize_t read_some(
	const struct source *source, const struct source_frame *frame, int plane, size_t done)
{
	size_t total = (size_t)frame->row_bytes[plane] * frame->rows[plane];
	struct iovec iov[ROWS_AT_ONCE];

	if (frame->stride[plane] == frame->row_bytes[plane])
		return descriptor_read(&source->input, frame->data[plane] + done, total - done);
	return descriptor_readv(&source->input, iov, list_rows(frame, plane, done, iov));
}

static int read_plane(
	const struct source *source, const struct source_frame *frame, int plane, char *text)
{
	size_t total = (size_t)frame->row_bytes[plane] * frame->rows[plane];

	for (size_t done = 0; done < total;) {
		ssize_t got = read_some(source, frame, plane, done);

		if (got == 0)
			return truncated(source, text);
		if (got < 0) {
			snprintf(text, SOURCE_TEXT_MAX, "cannot read: %s", strerror((int)-got));
			return (int)got;
		}
		done += (size_t)got;
	}
	return 0;
}

static int y4m_fill(struct source *source, struct source_frame *frame, char *text)
{
	int r = read_frame_header(source, text);

	if (r <= 0)
		return r;
	for (int plane = 0; plane < 3; plane++) {
		r = read_plane(source, frame, plane, text);
		if (r < 0)
			return r;
	}
	frame->pts = (int64_t)source->frames++;
	frame->duration = 1;
	return SOURCE_FRAME;
}

static void y4m_close(struct source *source)
{
	free(source);
}

const struct source_ops y4m_source = {.open = y4m_open, .fill = y4m_fill, .close = y4m_close};
