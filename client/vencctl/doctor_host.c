// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What hardware encoding takes from the host: a render node, leave to open it, a kernel driver, and
 * the library in user space that fits it. Names and versions are read from files and their names;
 * no library is loaded and no node is opened, since that is what hangs.
 *
 * What the daemon may do is its own word: it has another user, other groups and a unit around it.
 */

#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "client/vencctl/doctor.h"
#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

/* Which VA-API library a kernel's driver goes with, and where a distribution has it. */
static const struct {
	const char *driver, *library, *package;
} libraries[] = {
	{"i915", "iHD", "install intel-media-va-driver, or its non-free variant"},
	{"xe", "iHD", "install intel-media-va-driver, or its non-free variant"},
	{"amdgpu", "radeonsi",
		"install mesa-va-drivers; some distributions leave H.264 and HEVC out"},
	{"radeon", "r600", "install mesa-va-drivers"},
	{"nouveau", "nouveau", "install mesa-va-drivers"},
	{"virtio-pci", "virtio_gpu", "install mesa-va-drivers"},
};

static const char *const library_directories[] = {
	"/usr/lib/*/dri", "/usr/lib/dri", "/usr/lib64/dri", "/usr/local/lib/dri"};

/* The first file that matches; "" for none. */
static bool find_file(char *ret, size_t size, const char *pattern)
{
	glob_t found;
	bool any = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;

	snprintf(ret, size, "%s", any ? found.gl_pathv[0] : "");
	if (any)
		globfree(&found);
	return any;
}

/* Nodes */

static void check_node(struct findings *f, const char *path)
{
	struct stat st;
	const struct group *group;

	if (stat(path, &st) < 0)
		return;
	group = getgrgid(st.st_gid);
	findings_add(f, STATE_GOOD, "render node", "", "%s is of group %s, mode %04o", path,
		group ? group->gr_name : "?", st.st_mode & 07777);
}

static size_t check_nodes(struct findings *f)
{
	glob_t found;
	size_t n;

	if (glob("/dev/dri/renderD*", 0, NULL, &found) != 0) {
		findings_add(f, STATE_BAD, "render node",
			"load the kernel driver of the GPU; give a container its /dev/dri",
			"no render node: /dev/dri has none, so nothing can encode in hardware");
		return 0;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_node(f, found.gl_pathv[i]);
	n = found.gl_pathc;
	globfree(&found);
	return n;
}

/* Libraries */

/* The libraries' directories: those that the operator gave the daemon, else the usual ones. */
static bool find_library(char *ret, size_t size, const char *name, const char *path)
{
	char pattern[PATH_MAX];

	while (*path) {
		size_t n = strcspn(path, ":");

		snprintf(pattern, sizeof(pattern), "%.*s/%s_drv_video.so", (int)n, path, name);
		if (find_file(ret, size, pattern))
			return true;
		path += n + (path[n] == ':');
		if (!*path)
			return false;
	}
	for (size_t i = 0; i < sizeof(library_directories) / sizeof(library_directories[0]); i++) {
		snprintf(pattern, sizeof(pattern), "%s/%s_drv_video.so", library_directories[i],
			name);
		if (find_file(ret, size, pattern))
			return true;
	}
	return false;
}

static void check_library(struct findings *f, const char *driver, sd_json_variant *walls)
{
	const char *name = field_text(walls, "driverName"), *package = "see the vendor's packages";
	char found[PATH_MAX];

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (strcmp(libraries[i].driver, driver) == 0) {
			package = libraries[i].package;
			name = *name ? name : libraries[i].library;
		}
	name = *name ? name : driver;
	if (find_library(found, sizeof(found), name, field_text(walls, "driversPath")))
		findings_add(f, STATE_GOOD, "driver library", "", "%s: %.200s", driver, found);
	else
		findings_add(f, STATE_BAD, "driver library", package,
			"there is no %s_drv_video.so, which goes with the kernel's %s", name,
			driver);
}

/* "libva.so.2.2200.0" is that of 2.22. */
static void check_libva(struct findings *f)
{
	static const char *const patterns[] = {
		"/usr/lib/*/libva.so.2.*", "/usr/lib64/libva.so.2.*", "/usr/lib/libva.so.2.*"};
	char path[PATH_MAX] = "";

	for (size_t i = 0; !*path && i < sizeof(patterns) / sizeof(patterns[0]); i++)
		(void)find_file(path, sizeof(path), patterns[i]);
	if (*path)
		findings_add(f, STATE_GOOD, "libva", "", "%.200s", path);
	else
		findings_add(f, STATE_NOTE, "libva", "", "not found where libraries usually are");
}

static bool has_library(const char *name, const char *version)
{
	static const char *const directories[] = {"/usr/lib/*", "/usr/lib64"};
	char pattern[PATH_MAX], found[PATH_MAX];

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(pattern, sizeof(pattern), "%s/%s.%s", directories[i], name, version);
		if (find_file(found, sizeof(found), pattern))
			return true;
	}
	return false;
}

/* NVIDIA's libraries and kernel module are of one version, or do not work at all. */
static void check_nvidia(struct findings *f, const char *version)
{
	if (has_library("libcuda.so", "*.*") && !has_library("libcuda.so", version))
		findings_add(f, STATE_BAD, "driver versions",
			"install the libraries of the module's version; after an update boot again",
			"the kernel's nvidia is %s, and libcuda is another version", version);
}

/* GPUs, as the daemon has them */

static bool is_first(sd_json_variant *devices, size_t row)
{
	const char *name = field_text(field_element(devices, "devices", row), "device");

	for (size_t i = 0; i < row; i++)
		if (!strcmp(field_text(field_element(devices, "devices", i), "device"), name))
			return false;
	return true;
}

static void check_gpu(struct findings *f, sd_json_variant *device, sd_json_variant *walls)
{
	sd_json_variant *gpu = sd_json_variant_by_key(device, "gpu");
	const char *driver = field_text(gpu, "driver");
	char line[512];

	devices_describe_card(line, sizeof(line), device);
	if (!*driver) {
		findings_add(f, STATE_BAD, "GPU", "load the kernel driver of this GPU",
			"%s: %.180s", field_text(device, "device"), line);
		return;
	}
	findings_add(f, STATE_GOOD, "GPU", "", "%s: %.180s", field_text(device, "device"), line);
	if (strcmp(driver, "nvidia") == 0)
		check_nvidia(f, field_text(gpu, "driverVersion"));
	else
		check_library(f, driver, walls);
}

static void check_gpus(
	struct findings *f, sd_json_variant *devices, sd_json_variant *walls, size_t nodes)
{
	size_t n = 0;

	for (size_t i = 0; i < field_count(devices, "devices"); i++) {
		sd_json_variant *device = field_element(devices, "devices", i);

		if (!sd_json_variant_by_key(device, "gpu") || !is_first(devices, i))
			continue;
		check_gpu(f, device, walls);
		n++;
	}
	if (n > 0 || nodes == 0)
		return;
	if (!sd_json_variant_boolean(sd_json_variant_by_key(walls, "hardware")))
		findings_add(f, STATE_BAD, "GPU", "set Hardware=yes in vencd.conf",
			"the daemon looks for none: Hardware=no");
	else
		findings_add(f, STATE_BAD, "GPU",
			"set PrivateDevices=no and DeviceAllow=char-drm rw in the unit",
			"this host has render nodes, but the daemon sees no GPU");
}

/* After an update of the kernel its modules are gone, and none can be loaded any more. */
static void check_modules(struct findings *f)
{
	char path[sizeof(((struct utsname *)0)->release) + 32];
	struct utsname host;

	if (uname(&host) < 0)
		return;
	snprintf(path, sizeof(path), "/lib/modules/%s", host.release);
	if (access("/lib/modules", F_OK) == 0 && access(path, F_OK) < 0)
		findings_add(f, STATE_NOTE, "kernel modules",
			"boot again after an update of the kernel; in a container all is well",
			"%s is not there: no driver can be loaded for the running kernel", path);
}

static void check_limits(struct findings *f, sd_json_variant *walls)
{
	uint64_t nofile = field_number(walls, "descriptors");

	if (nofile > 0 && nofile < DESCRIPTORS_WANTED)
		findings_add(f, STATE_NOTE, "limits", "set LimitNOFILE=65536 in the unit",
			"the daemon may hold %llu descriptors, fewer than FdsPerUser is",
			(unsigned long long)nofile);
	else if (nofile > 0)
		findings_add(f, STATE_GOOD, "limits", "", "the daemon may hold %llu descriptors",
			(unsigned long long)nofile);
}

void doctor_check_host(struct findings *f, sd_json_variant *devices, sd_json_variant *walls)
{
	size_t nodes = check_nodes(f);

	check_modules(f);
	check_libva(f);
	if (walls)
		check_limits(f, walls);
	if (devices && walls)
		check_gpus(f, devices, walls, nodes);
}
