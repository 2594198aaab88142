// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The questions to a driver: which profile and entrypoint there are for a codec, and their
 * attributes. The choice is libavcodec's (vaapi_encode.c of FFmpeg 7.1), since it is libavcodec
 * that encodes: the first of its profiles that the driver has, the first of the driver's
 * entrypoints that encodes.
 */

#include <stdio.h>
#include <stdlib.h>
#include <va/va_str.h>

#include "hw/lavc.h"
#include "hw/va_reach.h"

#define PROFILES_MAX 3

static const struct {
	uint32_t codec;
	enum va_depth depth;
	VAProfile profiles[PROFILES_MAX]; /* ends with 0, which none of them is */
} choices[] = {
	{VENCD_CODEC_H264, VA_DEPTH_8,
		{VAProfileH264High, VAProfileH264Main, VAProfileH264ConstrainedBaseline}},
	{VENCD_CODEC_H264, VA_DEPTH_10, {VAProfileH264High10}},
	{VENCD_CODEC_HEVC, VA_DEPTH_8, {VAProfileHEVCMain}},
	{VENCD_CODEC_HEVC, VA_DEPTH_10, {VAProfileHEVCMain10}},
	{VENCD_CODEC_AV1, VA_DEPTH_8, {VAProfileAV1Profile0}},
	{VENCD_CODEC_AV1, VA_DEPTH_10, {VAProfileAV1Profile0}},
	{VENCD_CODEC_VP9, VA_DEPTH_8, {VAProfileVP9Profile0}},
	{VENCD_CODEC_VP9, VA_DEPTH_10, {VAProfileVP9Profile2}},
};

static const VAEntrypoint encoding[] = {
	VAEntrypointEncSlice, VAEntrypointEncPicture, VAEntrypointEncSliceLP};

static const VAProfile *profiles_of(uint32_t codec, enum va_depth depth)
{
	for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (choices[i].codec == codec && choices[i].depth == depth)
			return choices[i].profiles;
	return NULL;
}

static bool is_encoding(VAEntrypoint entrypoint)
{
	for (unsigned i = 0; i < sizeof(encoding) / sizeof(encoding[0]); i++)
		if (encoding[i] == entrypoint)
			return true;
	return false;
}

static enum encoder_status absent(const struct va_device *d, const char *what)
{
	snprintf(
		d->host.text, ENCODER_TEXT_MAX, "%s does not encode %s", va_device_vendor(d), what);
	return ENCODER_ABSENT;
}

/* The first of the wanted profiles that is in the driver's list. */
static enum encoder_status choose_profile(
	const struct va_device *d, const VAProfile *wanted, VAProfile *ret)
{
	int max = vaMaxNumProfiles(d->display), n = 0;
	VAProfile *list = calloc(max > 0 ? (size_t)max : 1, sizeof(*list));
	VAStatus status;

	*ret = VAProfileNone;
	if (!list)
		return lavc_failed(&d->host, "vaQueryConfigProfiles", AVERROR(ENOMEM));
	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	status = vaQueryConfigProfiles(d->display, list, &n);
	for (int i = 0; i < PROFILES_MAX && wanted[i] && *ret == VAProfileNone; i++)
		for (int j = 0; j < n && j < max && status == VA_STATUS_SUCCESS; j++)
			if (list[j] == wanted[i])
				*ret = wanted[i];
	free(list);
	if (status != VA_STATUS_SUCCESS)
		return va_device_failed(d, "vaQueryConfigProfiles", status);
	return *ret == VAProfileNone ? absent(d, "any profile of this codec and depth")
				     : ENCODER_OK;
}

static enum encoder_status choose_entrypoint(
	const struct va_device *d, VAProfile profile, VAEntrypoint *ret)
{
	int max = vaMaxNumEntrypoints(d->display), n = 0, chosen = -1;
	VAEntrypoint *list = calloc(max > 0 ? (size_t)max : 1, sizeof(*list));
	VAStatus status;

	if (!list)
		return lavc_failed(&d->host, "vaQueryConfigEntrypoints", AVERROR(ENOMEM));
	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	status = vaQueryConfigEntrypoints(d->display, profile, list, &n);
	for (int i = 0; i < n && i < max && status == VA_STATUS_SUCCESS && chosen < 0; i++)
		if (is_encoding(list[i]))
			chosen = i;
	if (chosen >= 0)
		*ret = list[chosen];
	free(list);
	if (status != VA_STATUS_SUCCESS)
		return va_device_failed(d, "vaQueryConfigEntrypoints", status);
	return chosen < 0 ? absent(d, vaProfileStr(profile)) : ENCODER_OK;
}

static enum encoder_status query_attributes(
	const struct va_device *d, VAProfile profile, VAEntrypoint entrypoint, struct va_claim *ret)
{
	VAConfigAttrib a[] = {
		{.type = VAConfigAttribRTFormat},
		{.type = VAConfigAttribRateControl},
		{.type = VAConfigAttribEncMaxRefFrames},
		{.type = VAConfigAttribPredictionDirection},
		{.type = VAConfigAttribEncQualityRange},
		{.type = VAConfigAttribMaxPictureWidth},
		{.type = VAConfigAttribMaxPictureHeight},
		{.type = VAConfigAttribEncPackedHeaders},
	};
	uint32_t *const values[] = {&ret->rt_formats, &ret->rate_controls, &ret->references,
		&ret->directions, &ret->qualities, &ret->max_width, &ret->max_height,
		&ret->packed_headers};
	int n = (int)(sizeof(a) / sizeof(a[0]));
	VAStatus status;

	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	status = vaGetConfigAttributes(d->display, profile, entrypoint, a, n);
	if (status != VA_STATUS_SUCCESS)
		return va_device_failed(d, "vaGetConfigAttributes", status);
	for (int i = 0; i < n; i++)
		*values[i] = a[i].value;
	return ENCODER_OK;
}

static void note_limit(const VASurfaceAttrib *attribute, struct va_claim *ret)
{
	uint32_t value = attribute->value.value.i > 0 ? (uint32_t)attribute->value.value.i : 0;

	switch ((int)attribute->type) {
	case VASurfaceAttribMinWidth:
		ret->surface_min_width = value;
		break;
	case VASurfaceAttribMinHeight:
		ret->surface_min_height = value;
		break;
	case VASurfaceAttribMaxWidth:
		ret->surface_max_width = value;
		break;
	case VASurfaceAttribMaxHeight:
		ret->surface_max_height = value;
		break;
	}
}

static VAStatus query_surfaces(const struct va_device *d, VAConfigID config, struct va_claim *ret)
{
	VASurfaceAttrib *list;
	unsigned n = 0;
	VAStatus status;

	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	status = vaQuerySurfaceAttributes(d->display, config, NULL, &n);
	if (status != VA_STATUS_SUCCESS)
		return status;
	list = calloc(n ? n : 1, sizeof(*list));
	if (!list)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	status = vaQuerySurfaceAttributes(d->display, config, list, &n);
	for (unsigned i = 0; i < n && status == VA_STATUS_SUCCESS; i++)
		note_limit(&list[i], ret);
	free(list);
	return status;
}

/* Surfaces have limits of their own, which belong to a configuration. */
static enum encoder_status query_limits(
	const struct va_device *d, VAProfile profile, VAEntrypoint entrypoint, struct va_claim *ret)
{
	enum encoder_status ended = ENCODER_OK;
	VAConfigID config;
	VAStatus status;

	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	status = vaCreateConfig(d->display, profile, entrypoint, NULL, 0, &config);
	if (status != VA_STATUS_SUCCESS)
		return va_device_failed(d, "vaCreateConfig", status);
	status = query_surfaces(d, config, ret);
	if (status != VA_STATUS_SUCCESS)
		ended = va_device_failed(d, "vaQuerySurfaceAttributes", status);
	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	vaDestroyConfig(d->display, config);
	return ended;
}

enum encoder_status va_query(
	const struct va_device *d, uint32_t codec, enum va_depth depth, struct va_claim *ret)
{
	const VAProfile *wanted = profiles_of(codec, depth);
	VAEntrypoint entrypoint = VAEntrypointEncSlice;
	VAProfile profile;
	enum encoder_status status;

	*ret = (struct va_claim){0};
	if (!wanted)
		return absent(d, "this codec");
	status = choose_profile(d, wanted, &profile);
	if (!status)
		status = choose_entrypoint(d, profile, &entrypoint);
	if (!status)
		status = query_attributes(d, profile, entrypoint, ret);
	return status ? status : query_limits(d, profile, entrypoint, ret);
}
