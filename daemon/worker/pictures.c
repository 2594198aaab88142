// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What is decoded beside the stream, picture by picture. Each packet must decode, without an error,
 * to one picture of the right size and depth, which may look like its source or, for a while, like
 * what it was predicted from.
 *
 * Nothing is repaired here, and nothing goes on behind what is wrong: the first finding stands.
 * Which packets come, when, and who is told of a finding, is for the caller (check.c).
 */

#include "daemon/worker/pictures.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define PICTURES_STALE 100u /* in a row that may show what was before them */

int pictures_open(struct pictures *ret, uint32_t codec, uint32_t width, uint32_t height, bool deep)
{
	int r = decoder_open(&ret->decoder, codec);

	ret->width = width;
	ret->height = height;
	ret->deep = deep;
	if (r < 0)
		return r == AVERROR_DECODER_NOT_FOUND ? -ENOENT : -ENOMEM;
	return 0;
}

void pictures_close(struct pictures *p)
{
	decoder_close(&p->decoder);
}

/* Returns 1, as take_picture() does for what is wrong. */
static int found(struct pictures *p, uint64_t frame, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int found(struct pictures *p, uint64_t frame, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->wrong, sizeof(p->wrong), format, args);
	va_end(args);
	p->wrong_frame = frame;
	return 1;
}

/* The oldest frame that the decoder owes, or else the one behind all that were good. */
static uint64_t next_owed(const struct pictures *p)
{
	uint64_t oldest = p->n_held ? p->held[0].frame : p->good_end;

	for (unsigned i = 1; i < p->n_held; i++)
		if (p->held[i].frame < oldest)
			oldest = p->held[i].frame;
	return oldest;
}

static struct picture *find(struct pictures *p, int64_t frame)
{
	for (unsigned i = 0; i < p->n_held; i++)
		if ((int64_t)p->held[i].frame == frame)
			return &p->held[i];
	return NULL;
}

static void note_good(struct pictures *p, const struct picture *e)
{
	p->n_stale = 0;
	if (p->good_end <= e->frame)
		atomic_store_explicit(&p->good_end, e->frame + 1, memory_order_release);
	atomic_fetch_add_explicit(&p->good, 1, memory_order_release);
}

/*
 * What is stale is neither good nor wrong: an encoder that is short of bits may do so for a while,
 * and one that has died on the inside does for ever. A keyframe has nothing of what was before it.
 */
static bool looks_right(struct pictures *p, const AVFrame *picture, struct picture *e)
{
	struct signature_plane luma = {
		.data = picture->data[0],
		.stride = picture->linesize[0],
		.width = p->width,
		.height = p->height,
		.depth = p->deep ? SIGNATURE_10_LOW : SIGNATURE_8,
	};
	enum signature_likeness likeness;
	struct signature signature;
	double db;

	signature_take(&signature, &luma);
	if (!e->keyframe) {
		signature_range_widen(&e->wanted.near, &p->previous);
		signature_range_widen(&e->wanted.near, &p->older);
	}
	e->wanted.before_db = e->keyframe ? 0 : p->previous_db;
	likeness = signature_compare(&e->wanted, &signature, &db);
	p->older = e->keyframe ? signature : p->previous;
	p->previous = signature;
	p->previous_db = db;
	if (likeness == SIGNATURE_ALIKE)
		note_good(p, e);
	if (likeness == SIGNATURE_ALIKE ||
		(likeness == SIGNATURE_STALE && ++p->n_stale <= PICTURES_STALE))
		return true;
	found(p, e->frame, "decoded picture %" PRIu64 " does not look like its source (%.1f dB)",
		e->frame, db);
	return false;
}

static int take_picture(void *userdata, const AVFrame *picture)
{
	struct pictures *p = userdata;
	const char *fault = decoder_fault(picture, p->deep);
	struct picture *e = find(p, picture->pts);

	if (!e)
		return found(p, next_owed(p), "decodes to a picture more than there are frames");
	if ((uint32_t)picture->width != p->width || (uint32_t)picture->height != p->height)
		return found(p, e->frame, "picture %" PRIu64 " decodes to %dx%d", e->frame,
			picture->width, picture->height);
	if (fault)
		return found(p, e->frame, "picture %" PRIu64 " decodes to %s", e->frame, fault);
	if (!looks_right(p, picture, e))
		return 1;
	*e = p->held[--p->n_held];
	return 0;
}

/* NULL: the end. */
static bool give(struct pictures *p, const AVPacket *packet)
{
	int r = decoder_give(&p->decoder, packet, take_picture, p);
	uint64_t frame = packet ? (uint64_t)packet->pts : next_owed(p);

	if (r < 0)
		found(p, frame, "picture %" PRIu64 " does not decode: %s", frame, av_err2str(r));
	return r == 0;
}

bool pictures_drain(struct pictures *p)
{
	if (p->given == 0)
		return true;
	if (!give(p, NULL))
		return false;
	if (p->n_held == 0)
		return true;
	found(p, next_owed(p), "picture %" PRIu64 " does not come out of the decoder",
		next_owed(p));
	return false;
}

bool pictures_restart(struct pictures *p)
{
	if (!pictures_drain(p))
		return false;
	decoder_restart(&p->decoder);
	return true;
}

bool pictures_give(struct pictures *p, const AVPacket *packet, const struct picture *shown)
{
	if (p->n_held == PICTURES_HELD) {
		found(p, next_owed(p), "picture %" PRIu64 " does not come out of the decoder",
			next_owed(p));
		return false;
	}
	p->held[p->n_held++] = *shown;
	p->given++;
	return give(p, packet);
}
