// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * libavcodec behind the encoder contract: what the software encoders that it wraps and the hardware
 * backends that go through it have in common.
 *
 * Frames are not copied: an AVFrame refers to the pool's memory through a read-only buffer whose
 * free callback calls done(). Until libavcodec has accepted the frame the callback is disarmed, so
 * a refused frame stays the caller's. Foreign error codes become a status here and nowhere else.
 *
 * Parameter sets stay in band: the global header flag is never set, so there is no extradata, and a
 * packet is passed on as it comes.
 *
 * It deliberately does not bound any wait: that is the watchdog's.
 */

#include "hw/lavc.h"

#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_MS_FILE 1000u /* the buffer of a limited rate, in time at that rate */
#define BUFFER_MS_LIVE 500u

static const struct {
	int averror;
	enum encoder_status status;
} statuses[] = {
	{0, ENCODER_OK},
	{AVERROR(EAGAIN), ENCODER_AGAIN},
	{AVERROR_EOF, ENCODER_END},
	{AVERROR(EINVAL), ENCODER_INVALID},
	{AVERROR(ERANGE), ENCODER_INVALID},
	{AVERROR_OPTION_NOT_FOUND, ENCODER_INVALID},
	{AVERROR(ENOMEM), ENCODER_NO_MEMORY},
	{AVERROR(EBUSY), ENCODER_BUSY},
	{AVERROR(ENOSYS), ENCODER_ABSENT},
	{AVERROR_ENCODER_NOT_FOUND, ENCODER_ABSENT},
	{AVERROR(ENODEV), ENCODER_DEVICE_LOST},
	{AVERROR(EIO), ENCODER_LIBRARY},
	{AVERROR_EXTERNAL, ENCODER_LIBRARY},
	{AVERROR_UNKNOWN, ENCODER_LIBRARY},
	{AVERROR_BUG, ENCODER_LIBRARY},
};

static const enum AVPixelFormat pixel_formats[] = {
	[VENCD_FORMAT_I420] = AV_PIX_FMT_YUV420P,
	[VENCD_FORMAT_NV12] = AV_PIX_FMT_NV12,
	[VENCD_FORMAT_I010] = AV_PIX_FMT_YUV420P10LE,
	[VENCD_FORMAT_P010] = AV_PIX_FMT_P010LE,
};

enum encoder_status lavc_status(int averror)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].averror == averror)
			return statuses[i].status;
	return ENCODER_LIBRARY;
}

/*
 * What the library said since the last step, the worst of it: one text for the whole process, since
 * libavcodec has one callback and its codecs log from threads of their own. Lines of one level
 * follow each other, since libavcodec names a driver's error in one line and what it did about it
 * in the next; where there is no more room, the oldest go. The lock is never held across a call.
 */
#define BETWEEN_LINES "; "

static struct {
	pthread_mutex_t lock;
	int level;
	char text[ENCODER_TEXT_MAX];
} said = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = AV_LOG_QUIET};

/* Drops the oldest line; false where there is only one. */
static bool forget_oldest(void)
{
	const char *next = strstr(said.text, BETWEEN_LINES);

	if (!next)
		return false;
	next += strlen(BETWEEN_LINES);
	memmove(said.text, next, strlen(next) + 1);
	return true;
}

static void keep_line(int level, const char *line)
{
	size_t used;

	if (said.level != AV_LOG_QUIET && level > said.level)
		return;
	if (level != said.level)
		said.text[0] = '\0';
	said.level = level;
	if (strstr(said.text, line))
		return;
	while (strlen(said.text) + strlen(BETWEEN_LINES) + strlen(line) >= sizeof(said.text))
		if (!forget_oldest())
			said.text[0] = '\0';
	used = strlen(said.text);
	snprintf(said.text + used, sizeof(said.text) - used, "%s%s", used ? BETWEEN_LINES : "",
		line);
}

static void hear(void *context, int level, const char *format, va_list args)
{
	const AVClass *class = context ? *(const AVClass **)context : NULL;
	char line[ENCODER_TEXT_MAX - sizeof(BETWEEN_LINES)];
	int n = 0;

	if (level > AV_LOG_WARNING)
		return;
	if (class)
		n = snprintf(line, sizeof(line),
			"%s: ", class->item_name ? class->item_name(context) : class->class_name);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
	line[strcspn(line, "\n")] = '\0';
	if (level <= AV_LOG_ERROR) /* a call that never returns can tell of it no other way */
		fprintf(stderr, "%s\n", line);
	pthread_mutex_lock(&said.lock);
	keep_line(level, line);
	pthread_mutex_unlock(&said.lock);
}

/* Moves what was said to text; false where nothing was said since the last step. */
static bool take_said(char *text)
{
	bool any;

	pthread_mutex_lock(&said.lock);
	any = said.level != AV_LOG_QUIET;
	if (any)
		memcpy(text, said.text, sizeof(said.text));
	said.level = AV_LOG_QUIET;
	pthread_mutex_unlock(&said.lock);
	return any;
}

static void listen_once(void)
{
	av_log_set_callback(hear);
}

void lavc_listen(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, listen_once);
}

void lavc_step(const struct encoder_host *host, enum encoder_step step)
{
	pthread_mutex_lock(&said.lock);
	said.level = AV_LOG_QUIET;
	pthread_mutex_unlock(&said.lock);
	encoder_host_step(host, step);
}

void lavc_say(const struct encoder_host *host, const char *call, const char *reason)
{
	if (!take_said(host->text))
		snprintf(host->text, ENCODER_TEXT_MAX, "%s: %s", call, reason);
}

enum encoder_status lavc_failed(const struct encoder_host *host, const char *call, int averror)
{
	char error[AV_ERROR_MAX_STRING_SIZE];

	av_strerror(averror, error, sizeof(error));
	lavc_say(host, call, error);
	return lavc_status(averror);
}

/* Files of a shared library carry its version: libx265.so.215. */
struct library {
	const char *prefix;
	char name[32];
};

static int match_library(struct dl_phdr_info *info, size_t size, void *userdata)
{
	struct library *l = userdata;
	const char *slash = strrchr(info->dlpi_name, '/');
	const char *name = slash ? slash + 1 : info->dlpi_name;

	(void)size;
	if (strncmp(name, l->prefix, strlen(l->prefix)))
		return 0;
	snprintf(l->name, sizeof(l->name), "%s", name);
	return 1;
}

static void write_version(const char *prefix, struct encoder_info *info)
{
	struct library l = {.prefix = prefix};
	unsigned v = avcodec_version();

	if (!dl_iterate_phdr(match_library, &l))
		snprintf(l.name, sizeof(l.name), "%s", prefix);
	snprintf(info->version, sizeof(info->version), "%s, libavcodec %u.%u.%u", l.name,
		AV_VERSION_MAJOR(v), AV_VERSION_MINOR(v), AV_VERSION_MICRO(v));
}

enum encoder_status lavc_probe(const char *codec, const char *library,
	const struct encoder_host *host, struct encoder_info *info)
{
	lavc_listen();
	if (!avcodec_find_encoder_by_name(codec)) {
		snprintf(host->text, ENCODER_TEXT_MAX,
			"the installed libavcodec has no encoder \"%s\"", codec);
		return ENCODER_ABSENT;
	}
	write_version(library, info);
	return ENCODER_OK;
}

static void set_picture(AVCodecContext *c, const struct vencd_params *p, uint32_t format)
{
	c->width = (int)p->width;
	c->height = (int)p->height;
	c->pix_fmt = pixel_formats[format];
	c->time_base = (AVRational){p->time_base.num, p->time_base.den};
	c->framerate = (AVRational){25, 1};
	if (p->frame_rate.num > 0 && p->frame_rate.den > 0)
		c->framerate = (AVRational){p->frame_rate.num, p->frame_rate.den};
	if (p->sample_aspect.num > 0 && p->sample_aspect.den > 0)
		c->sample_aspect_ratio = (AVRational){p->sample_aspect.num, p->sample_aspect.den};
	if (p->gop)
		c->gop_size = (int)p->gop;
	c->flags |= AV_CODEC_FLAG_CLOSED_GOP;
}

/* libavutil's enums are the code points of H.273; 0 is a value of none but the matrix. */
static void set_colour(AVCodecContext *c, const struct vencd_colour *colour)
{
	if (colour->primaries)
		c->color_primaries = (enum AVColorPrimaries)colour->primaries;
	if (colour->transfer)
		c->color_trc = (enum AVColorTransferCharacteristic)colour->transfer;
	if (colour->matrix)
		c->colorspace = (enum AVColorSpace)colour->matrix;
	c->color_range = colour->full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
	c->chroma_sample_location = (enum AVChromaLocation)colour->chroma_location;
}

static AVMasteringDisplayMetadata mastering_of(const struct vencd_hdr *hdr)
{
	AVMasteringDisplayMetadata m = {.has_primaries = 1, .has_luminance = 1};

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 2; j++)
			m.display_primaries[i][j] = (AVRational){
				hdr->display_primaries[i][j], 50000};
	for (int j = 0; j < 2; j++)
		m.white_point[j] = (AVRational){hdr->white_point[j], 50000};
	m.max_luminance = (AVRational){(int)hdr->max_luminance, 10000};
	m.min_luminance = (AVRational){(int)hdr->min_luminance, 10000};
	return m;
}

/* One copy for the context, before it is opened, and one that every frame refers to. */
static int add_metadata(struct lavc *l, enum AVFrameSideDataType type, const void *data,
	size_t size, AVBufferRef **ret_for_frames)
{
	AVCodecContext *c = l->context;
	AVFrameSideData *s = av_frame_side_data_new(
		&c->decoded_side_data, &c->nb_decoded_side_data, type, size, 0);

	*ret_for_frames = av_buffer_alloc(size);
	if (!s || !*ret_for_frames)
		return AVERROR(ENOMEM);
	memcpy(s->data, data, size);
	memcpy((*ret_for_frames)->data, data, size);
	return 0;
}

static int set_hdr(struct lavc *l, const struct vencd_hdr *hdr)
{
	AVContentLightMetadata light = {
		.MaxCLL = hdr->max_content_light, .MaxFALL = hdr->max_average_light};
	AVMasteringDisplayMetadata mastering = mastering_of(hdr);
	int e = 0;

	if (hdr->max_luminance)
		e = add_metadata(l, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, &mastering,
			sizeof(mastering), &l->mastering);
	if (!e && hdr->max_content_light)
		e = add_metadata(
			l, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, &light, sizeof(light), &l->light);
	return e;
}

enum encoder_status lavc_init(struct lavc *l, const char *codec,
	const struct encoder_params *params, uint32_t format, const struct encoder_host *host)
{
	const AVCodec *c;
	int e;

	lavc_listen();
	*l = (struct lavc){.host = *host, .format = format};
	c = avcodec_find_encoder_by_name(codec);
	if (!c)
		return lavc_failed(host, codec, AVERROR_ENCODER_NOT_FOUND);
	l->context = avcodec_alloc_context3(c);
	l->frame = av_frame_alloc();
	l->packet = av_packet_alloc();
	if (!l->context || !l->frame || !l->packet)
		return lavc_failed(host, "avcodec_alloc_context3", AVERROR(ENOMEM));
	set_picture(l->context, &params->request, format);
	set_colour(l->context, &params->request.colour);
	e = set_hdr(l, &params->request.hdr);
	if (e < 0)
		return lavc_failed(host, "av_frame_side_data_new", e);
	return ENCODER_OK;
}

void lavc_limit_rate(AVCodecContext *c, uint64_t rate, uint32_t latency)
{
	uint64_t ms = latency == VENCD_LATENCY_LIVE ? BUFFER_MS_LIVE : BUFFER_MS_FILE;
	uint64_t buffer = rate / 1000 * ms;

	c->rc_max_rate = (int64_t)rate;
	c->rc_buffer_size = buffer > INT_MAX ? INT_MAX : (int)buffer;
}

enum encoder_status lavc_open(struct lavc *l, AVDictionary **options)
{
	const AVDictionaryEntry *left;
	enum encoder_status status = ENCODER_OK;
	int e;

	lavc_step(&l->host, ENCODER_STEP_CODEC);
	e = avcodec_open2(l->context, NULL, options);
	left = av_dict_iterate(*options, NULL);
	if (e < 0) {
		status = lavc_failed(&l->host, "avcodec_open2", e);
	} else if (left) {
		snprintf(l->host.text, ENCODER_TEXT_MAX, "the installed library has no option %s",
			left->key);
		status = ENCODER_ABSENT;
	}
	av_dict_free(options);
	return status;
}

struct lavc_hold {
	struct lavc *lavc;
	uint64_t index;
	bool taken;
};

static void let_go(void *opaque, uint8_t *data)
{
	struct lavc_hold *h = opaque;

	(void)data;
	if (h->taken) {
		h->lavc->host.done(h->lavc->host.userdata, h->index);
		atomic_fetch_sub(&h->lavc->held, 1);
	}
	free(h);
}

void lavc_taken(struct lavc_hold *h)
{
	atomic_fetch_add(&h->lavc->held, 1);
	h->taken = true;
}

static int attach(AVFrame *frame, enum AVFrameSideDataType type, AVBufferRef *data)
{
	AVBufferRef *reference;

	if (!data)
		return 0;
	reference = av_buffer_ref(data);
	if (!reference)
		return AVERROR(ENOMEM);
	if (av_frame_new_side_data_from_buf(frame, type, reference))
		return 0;
	av_buffer_unref(&reference);
	return AVERROR(ENOMEM);
}

static void describe_frame(const struct lavc *l, const struct encoder_frame *f, AVFrame *ret)
{
	const AVCodecContext *c = l->context;

	ret->width = c->width;
	ret->height = c->height;
	ret->format = pixel_formats[f->format];
	ret->pts = f->pts;
	ret->sample_aspect_ratio = c->sample_aspect_ratio;
	ret->color_primaries = c->color_primaries;
	ret->color_trc = c->color_trc;
	ret->colorspace = c->colorspace;
	ret->color_range = c->color_range;
	ret->chroma_location = c->chroma_sample_location;
	if (f->flags & VENCD_FRAME_KEYFRAME)
		ret->pict_type = AV_PICTURE_TYPE_I;
	for (int i = 0; i < 3; i++) {
		ret->data[i] = (uint8_t *)f->data[i];
		ret->linesize[i] = (int)f->stride[i];
	}
}

enum encoder_status lavc_wrap(
	struct lavc *l, const struct encoder_frame *f, AVFrame *ret, struct lavc_hold **ret_hold)
{
	struct lavc_hold *h = calloc(1, sizeof(*h));
	int e;

	if (!h)
		return lavc_failed(&l->host, "av_buffer_create", AVERROR(ENOMEM));
	*h = (struct lavc_hold){.lavc = l, .index = f->index};
	describe_frame(l, f, ret);
	ret->buf[0] = av_buffer_create(ret->data[0],
		(size_t)f->stride[0] * (size_t)l->context->height, let_go, h,
		AV_BUFFER_FLAG_READONLY);
	if (!ret->buf[0]) {
		free(h);
		av_frame_unref(ret);
		return lavc_failed(&l->host, "av_buffer_create", AVERROR(ENOMEM));
	}
	*ret_hold = h;
	e = attach(ret, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, l->mastering);
	if (!e)
		e = attach(ret, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, l->light);
	if (!e)
		return ENCODER_OK;
	av_frame_unref(ret);
	return lavc_failed(&l->host, "av_frame_new_side_data_from_buf", e);
}

/*
 * The converted chroma stands in one buffer, so there is one such frame at a time: while libavcodec
 * still keeps the one before, it waits for a packet to be taken.
 */
static enum encoder_status fit(
	struct lavc *l, const struct encoder_frame *frame, struct encoder_frame *ret)
{
	int e;

	*ret = *frame;
	if (frame->format == l->format)
		return ENCODER_OK;
	if (atomic_load(&l->held))
		return ENCODER_AGAIN;
	e = planar_convert(
		&l->planar, frame, (uint32_t)l->context->width, (uint32_t)l->context->height, ret);
	if (!e && ret->format != l->format)
		e = -EINVAL;
	return e ? lavc_failed(&l->host, "frame of another format", e) : ENCODER_OK;
}

enum encoder_status lavc_give(struct lavc *l, const AVFrame *frame, struct lavc_hold *hold)
{
	int e;

	lavc_step(&l->host, ENCODER_STEP_ENCODE);
	e = avcodec_send_frame(l->context, frame);
	if (!e)
		lavc_taken(hold);
	if (!e || e == AVERROR(EAGAIN))
		return lavc_status(e);
	return lavc_failed(&l->host, "avcodec_send_frame", e);
}

void lavc_unwrap(struct lavc *l)
{
	av_frame_unref(l->frame);
}

enum encoder_status lavc_send(struct lavc *l, const struct encoder_frame *frame)
{
	struct encoder_frame fitting;
	struct lavc_hold *hold;
	enum encoder_status status = fit(l, frame, &fitting);

	if (status)
		return status;
	status = lavc_wrap(l, &fitting, l->frame, &hold);
	if (status)
		return status;
	status = lavc_give(l, l->frame, hold);
	lavc_unwrap(l);
	return status;
}

/* An early end or a packet without bytes or pts breaks the contract: no caller can place it. */
static enum encoder_status check_packet(struct lavc *l)
{
	const char *wrong = NULL;

	if (!l->packet->size || !l->packet->data)
		wrong = "an empty packet";
	else if (l->packet->pts == AV_NOPTS_VALUE)
		wrong = "a packet without pts";
	if (!wrong)
		return ENCODER_OK;
	snprintf(l->host.text, ENCODER_TEXT_MAX, "%s gave %s", l->context->codec->name, wrong);
	return ENCODER_WRONG_OUTPUT;
}

static int next_packet(struct lavc *l)
{
	lavc_step(&l->host, ENCODER_STEP_PACKET);
	return avcodec_receive_packet(l->context, l->packet);
}

/* A flush that had to wait for a packet to be taken is made up for here. */
static int receive_packet(struct lavc *l)
{
	int e = next_packet(l);

	if (e != AVERROR(EAGAIN) || l->state != LAVC_FLUSH_DUE)
		return e;
	lavc_step(&l->host, ENCODER_STEP_FLUSH);
	e = avcodec_send_frame(l->context, NULL);
	if (e < 0)
		return e;
	l->state = LAVC_FLUSHED;
	return next_packet(l);
}

enum encoder_status lavc_receive(struct lavc *l, struct encoder_packet *ret)
{
	enum encoder_status status;
	int e = receive_packet(l);

	if (e == AVERROR(EAGAIN) || e == AVERROR_EOF)
		return lavc_status(e);
	if (e < 0)
		return lavc_failed(&l->host, "avcodec_receive_packet", e);
	status = check_packet(l);
	*ret = (struct encoder_packet){
		.data = l->packet->data,
		.size = (size_t)l->packet->size,
		.pts = l->packet->pts,
		.flags = l->packet->flags & AV_PKT_FLAG_KEY ? VENCD_PACKET_KEYFRAME : 0,
	};
	return status;
}

enum encoder_status lavc_flush(struct lavc *l)
{
	int e;

	lavc_step(&l->host, ENCODER_STEP_FLUSH);
	e = avcodec_send_frame(l->context, NULL);
	if (e < 0 && e != AVERROR(EAGAIN))
		return lavc_failed(&l->host, "avcodec_send_frame(NULL)", e);
	l->state = e ? LAVC_FLUSH_DUE : LAVC_FLUSHED;
	return ENCODER_OK;
}

void lavc_finish(struct lavc *l)
{
	av_packet_free(&l->packet);
	if (l->context)
		lavc_step(&l->host, ENCODER_STEP_FREE_CODEC);
	avcodec_free_context(&l->context);
	av_frame_free(&l->frame);
	av_buffer_unref(&l->mastering);
	av_buffer_unref(&l->light);
	planar_buffer_clear(&l->planar);
}
