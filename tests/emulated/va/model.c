// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The models of device that there are, and which one a render node is.
 *
 * The file `devices` beside the driver has a line for each: the node's device number, the model,
 * and the script of its faults (fault.c), which may be empty:
 *
 *	1:3 full
 *	1:5 small CreateContext:1:hang
 *
 * It is read at each opening of a display, so that what it says can change under a running program:
 * it is then replaced by rename. A node that has no line is no device of this driver.
 */

#include "tests/emulated/va/model.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define REFERENCES(l0, l1) ((l0) | (l1) << 16)
#define PACKED                                                                                    \
	(VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_SLICE | VA_ENC_PACKED_HEADER_MISC | \
		VA_ENC_PACKED_HEADER_RAW_DATA)
#define PACKED_AV1 \
	(VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_PICTURE | VA_ENC_PACKED_HEADER_MISC)
#define TEN_BIT (VA_RT_FORMAT_YUV420 | VA_RT_FORMAT_YUV420_10)
#define EIGHT_BIT VA_RT_FORMAT_YUV420

#define H264(profile, packed, l1) \
	{VAProfileH264##profile, CODEC_H264, EIGHT_BIT, 4096, 2304, packed, REFERENCES(1, l1)}
#define HEVC(profile, format, l1) \
	{VAProfileHEVC##profile, CODEC_HEVC, format, 4096, 2304, PACKED, REFERENCES(1, l1)}
#define AV1 {VAProfileAV1Profile0, CODEC_AV1, TEN_BIT, 4096, 2304, PACKED_AV1, REFERENCES(1, 0)}
#define VP9(profile, format) \
	{VAProfileVP9##profile, CODEC_VP9, format, 4096, 2304, 0, REFERENCES(1, 0)}

static const struct ability everything[] = {
	H264(ConstrainedBaseline, PACKED, 0),
	H264(Main, PACKED, 1),
	H264(High, PACKED, 1),
	HEVC(Main, EIGHT_BIT, 1),
	HEVC(Main10, VA_RT_FORMAT_YUV420_10, 1),
	AV1,
	VP9(Profile0, EIGHT_BIT),
	VP9(Profile2, VA_RT_FORMAT_YUV420_10),
	{VAProfileNone},
};

/* As little as the lie needs: all that is claimed is proved. */
static const struct ability two_codecs[] = {
	H264(Main, PACKED, 1),
	H264(High, PACKED, 1),
	HEVC(Main, EIGHT_BIT, 1),
	{VAProfileNone},
};

static const struct ability h264_plain[] = {
	H264(ConstrainedBaseline, 0, 0),
	H264(Main, 0, 0),
	H264(High, 0, 0),
	{VAProfileNone},
};

static const struct model models[] = {
	{"full", LIE_NONE, everything},
	{"h264-only", LIE_NONE, h264_plain},
	{"idle", LIE_IDLE, everything},
	{"still", LIE_STILL, h264_plain},
	{"garbage", LIE_GARBAGE, everything},
	{"hang-p", LIE_HANG_P, everything},
	{"small", LIE_SMALL, two_codecs},
	{"bad-b", LIE_REORDER, two_codecs},
	{"tired", LIE_TIRED, everything},
};

static const struct model *find_model(const char *name)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (!strcmp(models[i].name, name))
			return &models[i];
	return NULL;
}

/* `devices` in the directory that this very library was loaded from. */
static FILE *open_devices(char *path, size_t size)
{
	Dl_info info;
	const char *slash;

	if (!dladdr((void *)open_devices, &info) || !info.dli_fname)
		return NULL;
	slash = strrchr(info.dli_fname, '/');
	snprintf(path, size, "%.*sdevices", slash ? (int)(slash + 1 - info.dli_fname) : 0,
		info.dli_fname);
	return fopen(path, "re");
}

static int complain(const char *path, const char *line, const char *why)
{
	fprintf(stderr, "vencd emulated driver: %s: %s: %s\n", path, line, why);
	return -EINVAL;
}

/* Takes a line apart; 1 where it says nothing. */
static int parse_line(const char *path, char *line, dev_t *number, struct device *ret)
{
	unsigned major, minor;
	char name[32], error[256];
	int used = 0;

	line[strcspn(line, "\n")] = '\0';
	if (!line[0] || line[0] == '#')
		return 1;
	if (sscanf(line, "%u:%u %31s%n", &major, &minor, name, &used) != 3)
		return complain(path, line, "is no MAJOR:MINOR MODEL [SCRIPT]");
	*number = makedev(major, minor);
	ret->model = find_model(name);
	if (!ret->model)
		return complain(path, line, "there is no such model");
	if (fault_parse(&ret->script, line + used, error, sizeof(error)) < 0)
		return complain(path, line, error);
	return 0;
}

/* Calls use for each line until it returns a number above 0; that, 0 or -errno is returned. */
static int each_device(
	int (*use)(dev_t number, const struct device *device, void *userdata), void *userdata)
{
	char path[4096], *line = NULL;
	FILE *file = open_devices(path, sizeof(path));
	size_t size = 0;
	int r = 0;

	if (!file)
		return complain(path, "devices", strerror(errno));
	while (r == 0 && getline(&line, &size, file) >= 0) {
		struct device device;
		dev_t number;

		r = parse_line(path, line, &number, &device);
		r = r < 0 ? r : r > 0 ? 0 : use(number, &device, userdata);
	}
	free(line);
	fclose(file);
	return r;
}

struct wanted {
	dev_t number;
	struct device *device;
};

static int use_if_wanted(dev_t number, const struct device *device, void *userdata)
{
	struct wanted *wanted = userdata;

	if (number != wanted->number)
		return 0;
	*wanted->device = *device;
	return 1;
}

int device_find(int fd, struct device *ret)
{
	struct stat st;
	struct wanted wanted = {.device = ret};
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	wanted.number = st.st_rdev;
	r = each_device(use_if_wanted, &wanted);
	return r > 0 ? 0 : r < 0 ? r : -ENODEV;
}

static int use_if_constructor(dev_t number, const struct device *device, void *userdata)
{
	(void)number;
	for (uint32_t i = 0; i < device->script.n_faults; i++) {
		if (device->script.faults[i].call != CALL_Constructor)
			continue;
		*(struct fault_script *)userdata = device->script;
		return 1;
	}
	return 0;
}

int device_find_constructor(struct fault_script *ret)
{
	int r = each_device(use_if_constructor, ret);

	return r > 0 ? 0 : r < 0 ? r : -ENODEV;
}
