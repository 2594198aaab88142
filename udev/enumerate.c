// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Finding GPUs: sd-device says which render nodes the kernel has and what they belong to, libdrm
 * which file of /dev/dri is the node of a device number, whatever it is called there.
 *
 * The supervisor calls this, so nothing here may reach a driver. No node is opened: libdrm is asked
 * with a device number, and access is a question to the file system (faccessat), which the device
 * rules of a control group answer too. What is read below /sys is answered by the PCI core and by
 * the core of modules. No udev is needed: devices that no udevd has looked at count as well, as in
 * a container that has /sys and /dev/dri and nothing more.
 *
 * Groups are looked up in /etc/group alone: a name service could take as long as it likes.
 */

#include "udev/enumerate.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <systemd/sd-device.h>
#include <unistd.h>
#include <xf86drm.h>

/* The name of a group that is known here, else its number. */
static void name_group(gid_t gid, char *ret, size_t size)
{
	FILE *file = fopen("/etc/group", "re");
	struct group entry, *found;
	char line[4096];
	int r = 0;

	snprintf(ret, size, "%u", (unsigned)gid);
	while (file &&
		(r == 0 || r == ERANGE)) { /* one with more members than that is passed over */
		r = fgetgrent_r(file, &entry, line, sizeof(line), &found);
		if (r == 0 && entry.gr_gid == gid) {
			snprintf(ret, size, "%s", entry.gr_name);
			break;
		}
	}
	if (file)
		fclose(file);
}

static enum gpu_access access_of(const char *node)
{
	if (faccessat(AT_FDCWD, node, R_OK | W_OK, AT_EACCESS) == 0)
		return GPU_PERMITTED;
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return GPU_NO_NODE;
	case EPERM:
		return GPU_WRONG_UNIT;
	default:
		return GPU_WRONG_GROUP;
	}
}

/* The file of /dev/dri with that number, as libdrm finds it. */
static int find_node(dev_t number, char *ret, size_t size)
{
	drmDevicePtr device = NULL;
	int r = drmGetDeviceFromDevId(number, 0, &device);

	if (r < 0)
		return r;
	if (device->available_nodes & 1 << DRM_NODE_RENDER)
		snprintf(ret, size, "%s", device->nodes[DRM_NODE_RENDER]);
	else
		r = -ENOENT;
	drmFreeDevice(&device);
	return r;
}

/* libdrm knows few kinds of buses: of other devices the node is where the kernel says. */
void gpu_look(struct gpu *gpu)
{
	struct stat st;

	(void)find_node(gpu->number, gpu->node, sizeof(gpu->node));
	gpu->access = access_of(gpu->node);
	gpu->group[0] = '\0';
	if (stat(gpu->node, &st) < 0)
		return;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != gpu->number) {
		gpu->access = GPU_NO_NODE; /* a stranger stands in its place */
		return;
	}
	gpu->uid = st.st_uid;
	gpu->gid = st.st_gid;
	gpu->mode = st.st_mode & 07777;
	name_group(st.st_gid, gpu->group, sizeof(gpu->group));
}

static uint32_t read_id(sd_device *device, const char *attribute)
{
	const char *text;

	return sd_device_get_sysattr_value(device, attribute, &text) < 0
		? 0
		: (uint32_t)strtoul(text, NULL, 16);
}

/* The last two parts of a path: "platform/gpu.0". */
static const char *tail_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	while (slash && slash > path && *--slash != '/')
		;
	return slash && *slash == '/' ? slash + 1 : path;
}

static int identify(struct gpu *gpu, sd_device *parent)
{
	const char *subsystem = "", *name, *path;
	int r = sd_device_get_sysname(parent, &name);

	r = r < 0 ? r : sd_device_get_devpath(parent, &path);
	if (r < 0)
		return r;
	(void)sd_device_get_subsystem(parent, &subsystem);
	if (strcmp(subsystem, "pci") != 0) {
		snprintf(gpu->id, sizeof(gpu->id), "path-%.58s", tail_of(path));
		return 0;
	}
	snprintf(gpu->id, sizeof(gpu->id), "pci-%.59s", name);
	gpu->vendor = read_id(parent, "vendor");
	gpu->device = read_id(parent, "device");
	gpu->subvendor = read_id(parent, "subsystem_vendor");
	gpu->subdevice = read_id(parent, "subsystem_device");
	return 0;
}

/* A module from outside the kernel's tree states its version; the others are of the kernel's. */
static void find_version(struct gpu *gpu)
{
	struct utsname host;
	char path[96], text[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/%s/version", gpu->driver);
	for (char *p = path; (p = strchr(p, '-'));)
		*p = '_';
	file = fopen(path, "re");
	if (file && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(gpu->driver_version, sizeof(gpu->driver_version), "%s", text);
	} else if (uname(&host) == 0) {
		snprintf(gpu->driver_version, sizeof(gpu->driver_version), "%.63s", host.release);
	}
	if (file)
		fclose(file);
}

static void find_driver(struct gpu *gpu, sd_device *parent)
{
	const char *driver;

	if (sd_device_get_driver(parent, &driver) < 0)
		return;
	snprintf(gpu->driver, sizeof(gpu->driver), "%s", driver);
	find_version(gpu);
}

static int describe(struct gpu *gpu, sd_device *device)
{
	sd_device *parent;
	const char *node;
	int r = sd_device_get_devnum(device, &gpu->number);

	r = r < 0 ? r : sd_device_get_devname(device, &node);
	r = r < 0 ? r : sd_device_get_parent(device, &parent);
	r = r < 0 ? r : identify(gpu, parent);
	if (r < 0)
		return r;
	snprintf(gpu->node, sizeof(gpu->node), "%s", node);
	find_driver(gpu, parent);
	gpu_look(gpu);
	return 0;
}

static bool is_known(const struct gpu *gpus, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(gpus[i].id, id) == 0)
			return true;
	return false;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct gpu *)a)->id, ((const struct gpu *)b)->id);
}

/* A device that goes while it is looked at is passed over, and so is a second node of one. */
static void collect(
	sd_device_enumerator *all, struct gpu *ret, size_t max, size_t *ret_n, size_t *ret_left_out)
{
	sd_device *device;

	for (device = sd_device_enumerator_get_device_first(all); device;
		device = sd_device_enumerator_get_device_next(all)) {
		struct gpu gpu = {0};

		if (describe(&gpu, device) < 0 || is_known(ret, *ret_n, gpu.id))
			continue;
		if (*ret_n < max)
			ret[(*ret_n)++] = gpu;
		else
			(*ret_left_out)++;
	}
	qsort(ret, *ret_n, sizeof(*ret), by_id);
}

int gpus_enumerate(struct gpu *ret, size_t max, size_t *ret_n, size_t *ret_left_out)
{
	sd_device_enumerator *all = NULL;
	int r = sd_device_enumerator_new(&all);

	*ret_n = *ret_left_out = 0;
	r = r < 0 ? r : sd_device_enumerator_allow_uninitialized(all);
	r = r < 0 ? r : sd_device_enumerator_add_match_subsystem(all, "drm", 1);
	r = r < 0 ? r : sd_device_enumerator_add_match_sysname(all, "renderD*");
	if (r >= 0)
		collect(all, ret, max, ret_n, ret_left_out);
	sd_device_enumerator_unref(all);
	return r < 0 ? r : 0;
}
