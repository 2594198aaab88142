// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What a device says of itself: profiles, attributes, configurations. All of it comes from its
 * model's table of abilities; what of it is a lie is no business of this file.
 *
 * The HEVC tools and block sizes are those that hevc.c sets x265 up with, so that the parameter
 * sets which a program writes from them fit the slices.
 */

#include <stdbool.h>
#include <stdlib.h>

#include "tests/emulated/va/driver.h"

static const struct ability *ability_of(const struct driver *driver, VAProfile profile)
{
	const struct ability *ability = driver->device.model->abilities;

	for (; ability->profile != VAProfileNone; ability++)
		if (ability->profile == profile)
			return ability;
	return NULL;
}

static VAStatus query_profiles(VADriverContextP va, VAProfile *list, int *n)
{
	struct driver *driver = driver_of(va);
	const struct ability *ability = driver->device.model->abilities;
	VAStatus status = driver_enter(driver, CALL_QueryConfigProfiles);

	if (status)
		return status;
	for (*n = 0; ability->profile != VAProfileNone; ability++)
		list[(*n)++] = ability->profile;
	return VA_STATUS_SUCCESS;
}

static VAStatus query_entrypoints(
	VADriverContextP va, VAProfile profile, VAEntrypoint *list, int *n)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_QueryConfigEntrypoints);

	if (status)
		return status;
	*n = 0;
	if (!ability_of(driver, profile))
		return VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
	list[(*n)++] = VAEntrypointEncSlice;
	return VA_STATUS_SUCCESS;
}

static uint32_t hevc_features(void)
{
	VAConfigAttribValEncHEVCFeatures features = {.bits = {.cu_qp_delta = 1}};

	return features.value;
}

/* Coding units of 16 to 64, transforms of 4 to 32, one level deep. */
static uint32_t hevc_block_sizes(void)
{
	VAConfigAttribValEncHEVCBlockSizes sizes = {
		.bits = {
			.log2_max_coding_tree_block_size_minus3 = 2,
			.log2_min_coding_tree_block_size_minus3 = 2,
			.log2_min_luma_coding_block_size_minus3 = 1,
			.log2_max_luma_transform_block_size_minus2 = 3,
			.log2_min_luma_transform_block_size_minus2 = 0,
		}};

	return sizes.value;
}

static uint32_t av1_tools(void)
{
	VAConfigAttribValEncAV1Ext2 tools = {.bits = {
						     .tile_size_bytes_minus1 = 3,
						     .obu_size_bytes_minus1 = 3,
						     .tx_mode_support = 4,
						     .max_tile_num_minus1 = 0,
					     }};

	return tools.value;
}

static uint32_t rate_controls(enum codec_kind codec)
{
	bool has_icq = codec == CODEC_H264 || codec == CODEC_HEVC;

	return VA_RC_CQP | VA_RC_CBR | VA_RC_VBR | (has_icq ? VA_RC_ICQ : 0);
}

static uint32_t attribute_of_codec(const struct ability *ability, VAConfigAttribType type)
{
	switch (type) {
	case VAConfigAttribEncHEVCFeatures:
		return ability->codec == CODEC_HEVC ? hevc_features() : VA_ATTRIB_NOT_SUPPORTED;
	case VAConfigAttribEncHEVCBlockSizes:
		return ability->codec == CODEC_HEVC ? hevc_block_sizes() : VA_ATTRIB_NOT_SUPPORTED;
	case VAConfigAttribEncAV1:
	case VAConfigAttribEncAV1Ext1:
		return ability->codec == CODEC_AV1 ? 0 : VA_ATTRIB_NOT_SUPPORTED;
	case VAConfigAttribEncAV1Ext2:
		return ability->codec == CODEC_AV1 ? av1_tools() : VA_ATTRIB_NOT_SUPPORTED;
	default:
		return VA_ATTRIB_NOT_SUPPORTED;
	}
}

static uint32_t attribute(const struct ability *ability, VAConfigAttribType type)
{
	switch (type) {
	case VAConfigAttribRTFormat:
		return ability->rt_formats;
	case VAConfigAttribRateControl:
		return rate_controls(ability->codec);
	case VAConfigAttribEncPackedHeaders:
		return ability->packed_headers ? ability->packed_headers : VA_ATTRIB_NOT_SUPPORTED;
	case VAConfigAttribEncMaxRefFrames:
		return ability->max_references;
	case VAConfigAttribEncMaxSlices:
		return 1;
	case VAConfigAttribMaxPictureWidth:
		return ability->max_width;
	case VAConfigAttribMaxPictureHeight:
		return ability->max_height;
	default:
		return attribute_of_codec(ability, type);
	}
}

static VAStatus get_attributes(VADriverContextP va, VAProfile profile, VAEntrypoint entrypoint,
	VAConfigAttrib *list, int n)
{
	struct driver *driver = driver_of(va);
	const struct ability *ability = ability_of(driver, profile);
	VAStatus status = driver_enter(driver, CALL_GetConfigAttributes);

	if (status)
		return status;
	if (!ability)
		return VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
	if (entrypoint != VAEntrypointEncSlice)
		return VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT;
	for (int i = 0; i < n; i++)
		list[i].value = attribute(ability, list[i].type);
	return VA_STATUS_SUCCESS;
}

static VAStatus choose(struct config *config, const VAConfigAttrib *wanted)
{
	const struct ability *ability = config->ability;

	switch (wanted->type) {
	case VAConfigAttribRTFormat:
		config->rt_format = wanted->value;
		return wanted->value & ability->rt_formats ? VA_STATUS_SUCCESS
							   : VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT;
	case VAConfigAttribRateControl:
		config->rate_control = wanted->value;
		return wanted->value & rate_controls(ability->codec)
			? VA_STATUS_SUCCESS
			: VA_STATUS_ERROR_INVALID_CONFIG;
	case VAConfigAttribEncPackedHeaders:
		config->packed_headers = wanted->value;
		return wanted->value & ~ability->packed_headers ? VA_STATUS_ERROR_INVALID_CONFIG
								: VA_STATUS_SUCCESS;
	default:
		return VA_STATUS_SUCCESS;
	}
}

static VAStatus config_fill(struct config *config, const VAConfigAttrib *list, int n)
{
	VAStatus status = VA_STATUS_SUCCESS;

	config->rate_control = VA_RC_CQP;
	config->rt_format = config->ability->rt_formats;
	for (int i = 0; i < n && !status; i++)
		status = choose(config, &list[i]);
	return status;
}

static VAStatus create_config(VADriverContextP va, VAProfile profile, VAEntrypoint entrypoint,
	VAConfigAttrib *list, int n, VAConfigID *ret)
{
	struct driver *driver = driver_of(va);
	const struct ability *ability = ability_of(driver, profile);
	VAStatus status = driver_enter(driver, CALL_CreateConfig);
	struct config *config;

	if (status)
		return status;
	if (!ability)
		return VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
	if (entrypoint != VAEntrypointEncSlice)
		return VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT;
	config = calloc(1, sizeof(*config));
	if (!config)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	*config = (struct config){.profile = profile, .ability = ability};
	status = config_fill(config, list, n);
	*ret = status ? VA_INVALID_ID : object_add(driver, OBJECT_CONFIG, config);
	if (*ret == VA_INVALID_ID)
		free(config);
	return status                   ? status
		: *ret == VA_INVALID_ID ? VA_STATUS_ERROR_ALLOCATION_FAILED
					: VA_STATUS_SUCCESS;
}

static VAStatus destroy_config(VADriverContextP va, VAConfigID id)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_DestroyConfig);
	struct config *config;

	if (status)
		return status;
	config = object_take(driver, OBJECT_CONFIG, id);
	free(config);
	return config ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_CONFIG;
}

static VAStatus query_attributes(VADriverContextP va, VAConfigID id, VAProfile *profile,
	VAEntrypoint *entrypoint, VAConfigAttrib *list, int *n)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_QueryConfigAttributes);
	const struct config *config = object_find(driver, OBJECT_CONFIG, id);

	if (status)
		return status;
	if (!config)
		return VA_STATUS_ERROR_INVALID_CONFIG;
	*profile = config->profile;
	*entrypoint = VAEntrypointEncSlice;
	list[0] = (VAConfigAttrib){VAConfigAttribRTFormat, config->rt_format};
	list[1] = (VAConfigAttrib){VAConfigAttribRateControl, config->rate_control};
	*n = 2;
	return VA_STATUS_SUCCESS;
}

void config_entries(struct VADriverVTable *table)
{
	table->vaQueryConfigProfiles = query_profiles;
	table->vaQueryConfigEntrypoints = query_entrypoints;
	table->vaGetConfigAttributes = get_attributes;
	table->vaCreateConfig = create_config;
	table->vaDestroyConfig = destroy_config;
	table->vaQueryConfigAttributes = query_attributes;
}
