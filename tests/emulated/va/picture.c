// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Contexts and the way of a picture: BeginPicture, RenderPicture as often as it takes, EndPicture.
 * The work is done in EndPicture, in the caller's thread; when it returns the coded buffer is full.
 * Each picture gives one coded picture, whatever its type: nothing is ever held back.
 *
 * This is also where a device breaks the promises that it breaks of its own accord.
 */

#include "tests/emulated/va/picture.h"

#include <stdlib.h>
#include <string.h>

static const struct codec *const codecs[] = {
	[CODEC_H264] = &codec_h264,
	[CODEC_HEVC] = &codec_hevc,
	[CODEC_AV1] = &codec_av1,
	[CODEC_VP9] = &codec_vp9,
};

void context_free(struct context *context)
{
	if (context->encoder)
		context->codec->close(context->encoder);
	bytes_clear(&context->headers);
	bytes_clear(&context->bytes);
	free(context);
}

static VAStatus check_size(
	const struct driver *driver, const struct ability *ability, int width, int height)
{
	bool small = width < (int)SMALL_WIDTH || height < (int)SMALL_HEIGHT;

	if (width <= 0 || height <= 0 || width > (int)ability->max_width ||
		height > (int)ability->max_height)
		return VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED;
	return driver->device.model->lie == LIE_SMALL && small
		? VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED
		: VA_STATUS_SUCCESS;
}

static struct context *context_make(
	struct driver *driver, const struct config *config, int width, int height)
{
	struct context *context = calloc(1, sizeof(*context));

	if (!context)
		return NULL;
	context->driver = driver;
	context->config = *config;
	context->width = (uint32_t)width;
	context->height = (uint32_t)height;
	context->codec = codecs[config->ability->codec];
	context->rates = (struct rates){.mode = config->rate_control, .fps_num = 30, .fps_den = 1};
	return context;
}

static VAStatus create_context(VADriverContextP va, VAConfigID config_id, int width, int height,
	int flag, VASurfaceID *targets, int n_targets, VAContextID *ret)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_CreateContext);
	const struct config *config = object_find(driver, OBJECT_CONFIG, config_id);
	struct context *context;

	(void)flag;
	(void)targets;
	(void)n_targets;
	if (status)
		return status;
	if (!config)
		return VA_STATUS_ERROR_INVALID_CONFIG;
	status = check_size(driver, config->ability, width, height);
	if (status)
		return status;
	context = context_make(driver, config, width, height);
	*ret = context ? object_add(driver, OBJECT_CONTEXT, context) : VA_INVALID_ID;
	if (*ret != VA_INVALID_ID)
		return VA_STATUS_SUCCESS;
	free(context);
	return VA_STATUS_ERROR_ALLOCATION_FAILED;
}

static VAStatus destroy_context(VADriverContextP va, VAContextID id)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_DestroyContext);
	struct context *context;

	if (status)
		return status;
	context = object_take(driver, OBJECT_CONTEXT, id);
	if (!context)
		return VA_STATUS_ERROR_INVALID_CONTEXT;
	context_free(context);
	return VA_STATUS_SUCCESS;
}

static VAStatus begin_picture(VADriverContextP va, VAContextID id, VASurfaceID source)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_BeginPicture);
	struct context *context = object_find(driver, OBJECT_CONTEXT, id);

	if (status)
		return status;
	if (!context)
		return VA_STATUS_ERROR_INVALID_CONTEXT;
	if (!object_find(driver, OBJECT_SURFACE, source))
		return VA_STATUS_ERROR_INVALID_SURFACE;
	context->source = source;
	context->headers.size = 0;
	context->bytes.size = 0;
	return VA_STATUS_SUCCESS;
}

static void take_rate_control(struct context *c, const VAEncMiscParameterRateControl *p)
{
	c->rates.peak = p->bits_per_second;
	c->rates.target = (uint32_t)((uint64_t)p->bits_per_second *
		(p->target_percentage ? p->target_percentage : 100) / 100);
	c->rates.quality = p->ICQ_quality_factor;
}

static void take_frame_rate(struct context *c, const VAEncMiscParameterFrameRate *p)
{
	uint32_t num = p->framerate & 0xffff, den = p->framerate >> 16;

	if (!num)
		return;
	c->rates.fps_num = num;
	c->rates.fps_den = den ? den : 1;
}

/* Sizes are checked against the type that is read; what is not known is of no use here. */
static void take_misc(struct context *c, const struct buffer *buffer)
{
	const VAEncMiscParameterBuffer *misc = (const void *)buffer->data;
	size_t size = buffer->size - sizeof(*misc);
	const VAEncMiscParameterHRD *hrd = (const void *)misc->data;

	if (buffer->size < sizeof(*misc))
		return;
	if (misc->type == VAEncMiscParameterTypeRateControl &&
		size >= sizeof(VAEncMiscParameterRateControl))
		take_rate_control(c, (const void *)misc->data);
	else if (misc->type == VAEncMiscParameterTypeFrameRate &&
		size >= sizeof(VAEncMiscParameterFrameRate))
		take_frame_rate(c, (const void *)misc->data);
	else if (misc->type == VAEncMiscParameterTypeHRD && size >= sizeof(*hrd))
		c->rates.buffer = hrd->buffer_size;
}

/* Of a packed slice header the NAL units before the slice's own: a delimiter, if any. */
static size_t before_slice(const uint8_t *data, size_t size)
{
	size_t at = size;

	while (at >= 3) {
		at--;
		if (at >= 2 && data[at] == 1 && !data[at - 1] && !data[at - 2])
			break;
	}
	at = at >= 2 ? at - 2 : 0;
	return at && !data[at - 1] ? at - 1 : at;
}

static VAStatus take_header_data(struct context *c, const struct buffer *buffer)
{
	size_t size = (size_t)buffer->size * buffer->n_elements;

	if (c->header_type == VAEncPackedHeaderSlice)
		size = before_slice(buffer->data, size);
	/* Of AV1's frame header SVT-AV1 writes its own. */
	if (c->header_type == VAEncPackedHeaderPicture && c->driver->device.model->lie != LIE_IDLE)
		return VA_STATUS_SUCCESS;
	bytes_append(&c->headers, buffer->data, size);
	return c->headers.failed ? VA_STATUS_ERROR_ALLOCATION_FAILED : VA_STATUS_SUCCESS;
}

static VAStatus take_header_parameters(struct context *c, const struct buffer *buffer)
{
	const VAEncPackedHeaderParameterBuffer *p = (const void *)buffer->data;

	if (buffer->size < sizeof(*p))
		return VA_STATUS_ERROR_INVALID_BUFFER;
	if (!p->has_emulation_bytes && c->config.ability->codec != CODEC_AV1)
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	c->header_type = p->type;
	return VA_STATUS_SUCCESS;
}

static VAStatus take_copy(void *to, size_t wanted, const struct buffer *buffer)
{
	if (buffer->size < wanted)
		return VA_STATUS_ERROR_INVALID_BUFFER;
	memcpy(to, buffer->data, wanted);
	return VA_STATUS_SUCCESS;
}

static VAStatus take_buffer(struct context *c, const struct buffer *buffer)
{
	switch (buffer->type) {
	case VAEncSequenceParameterBufferType:
		return take_copy(&c->sequence, c->codec->sequence_size, buffer);
	case VAEncPictureParameterBufferType:
		return take_copy(&c->picture, c->codec->picture_size, buffer);
	case VAEncSliceParameterBufferType:
		return take_copy(&c->slice, c->codec->slice_size, buffer);
	case VAEncMiscParameterBufferType:
		take_misc(c, buffer);
		return VA_STATUS_SUCCESS;
	case VAEncPackedHeaderParameterBufferType:
		return take_header_parameters(c, buffer);
	case VAEncPackedHeaderDataBufferType:
		return take_header_data(c, buffer);
	default:
		return VA_STATUS_SUCCESS;
	}
}

static VAStatus render_picture(VADriverContextP va, VAContextID id, VABufferID *list, int n)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_RenderPicture);
	struct context *context = object_find(driver, OBJECT_CONTEXT, id);

	if (!status && !context)
		status = VA_STATUS_ERROR_INVALID_CONTEXT;
	for (int i = 0; i < n && !status; i++) {
		const struct buffer *buffer = object_find(driver, OBJECT_BUFFER, list[i]);

		status = buffer ? take_buffer(context, buffer) : VA_STATUS_ERROR_INVALID_BUFFER;
	}
	return status;
}

/* Bytes that look like nothing; the same ones each time. */
static void make_noise(struct bytes *bytes)
{
	uint32_t state = 1;

	for (size_t i = 0; i < bytes->size; i++) {
		state = state * 1664525 + 1013904223;
		bytes->data[i] = (uint8_t)(state >> 24);
	}
}

/* What is left of the picture's headers makes it look right from outside. */
static void spoil_slices(struct context *c)
{
	struct bytes tail = {.data = c->bytes.data + c->headers.size + 8};

	if (c->bytes.size < c->headers.size + 8)
		return;
	tail.size = c->bytes.size - c->headers.size - 8;
	make_noise(&tail);
}

static void play_lie(struct context *c, enum picture_type type)
{
	enum lie lie = c->driver->device.model->lie;

	if (lie == LIE_GARBAGE && c->config.ability->codec == CODEC_HEVC)
		spoil_slices(c);
	if (lie == LIE_HANG_P && type == PICTURE_P)
		fault_hang(c->driver->vendor, "the first P picture");
	if (lie == LIE_TIRED && c->n_pictures == TIRED_PICTURES)
		fault_hang(c->driver->vendor, "tired");
}

static void play_garbage(struct context *c, enum garbage garbage)
{
	switch (garbage) {
	case GARBAGE_NOISE:
		make_noise(&c->bytes);
		break;
	case GARBAGE_EMPTY:
		c->bytes.size = 0;
		break;
	case GARBAGE_TRUNCATED:
		c->bytes.size /= 2;
		break;
	case GARBAGE_SLICES:
		spoil_slices(c);
		break;
	case GARBAGE_BLACK: /* it was coded so */
	case GARBAGE_NONE:
	case GARBAGE_MAX:
		break;
	}
}

/* The buffer's own memory takes the picture; one that is too small is said to be. */
static VAStatus deliver(struct context *c)
{
	struct buffer *buffer = object_find(c->driver, OBJECT_BUFFER, c->codec->coded_buffer(c));
	size_t room = buffer ? (size_t)buffer->size * buffer->n_elements : 0;

	if (!buffer || buffer->type != VAEncCodedBufferType)
		return VA_STATUS_ERROR_INVALID_BUFFER;
	if (c->bytes.failed)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	buffer->segment = (VACodedBufferSegment){.buf = buffer->data};
	if (c->bytes.size > room)
		buffer->segment.status = VA_CODED_BUF_STATUS_SLICE_OVERFLOW_MASK;
	buffer->segment.size = (uint32_t)(c->bytes.size > room ? room : c->bytes.size);
	memcpy(buffer->data, c->bytes.data, buffer->segment.size);
	return VA_STATUS_SUCCESS;
}

/* In place of the one that was given. */
static VAStatus encode_black(
	struct context *c, const struct surface *source, enum picture_type type)
{
	struct surface black;
	VAStatus status = surface_make(&black, source->fourcc, source->width, source->height);

	if (status)
		return status;
	status = c->codec->encode(c, &black, type);
	free(black.data);
	return status;
}

static VAStatus encode(struct context *c, const struct surface *source, enum picture_type type,
	enum garbage garbage)
{
	switch (c->driver->device.model->lie) {
	case LIE_IDLE:
		c->codec->pretend(c, type);
		return VA_STATUS_SUCCESS;
	case LIE_STILL:
		return c->codec->repeat(c, source, type);
	default:
		break;
	}
	return garbage == GARBAGE_BLACK ? encode_black(c, source, type)
					: c->codec->encode(c, source, type);
}

static VAStatus code(struct context *c)
{
	enum garbage garbage = fault_garbage(&c->driver->device.script, &c->driver->counts);
	const struct surface *source = object_find(c->driver, OBJECT_SURFACE, c->source);
	enum picture_type type = c->codec->type(c);
	VAStatus status;

	if (!source)
		return VA_STATUS_ERROR_INVALID_SURFACE;
	status = encode(c, source, type, garbage);
	if (status)
		return status;
	c->n_pictures++;
	play_lie(c, type);
	play_garbage(c, garbage);
	return deliver(c);
}

static VAStatus end_picture(VADriverContextP va, VAContextID id)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_EndPicture);
	struct context *context = object_find(driver, OBJECT_CONTEXT, id);

	if (status)
		return status;
	return context ? code(context) : VA_STATUS_ERROR_INVALID_CONTEXT;
}

void picture_entries(struct VADriverVTable *table)
{
	table->vaCreateContext = create_context;
	table->vaDestroyContext = destroy_context;
	table->vaBeginPicture = begin_picture;
	table->vaRenderPicture = render_picture;
	table->vaEndPicture = end_picture;
}
