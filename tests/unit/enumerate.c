// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Finding GPUs, on a host that this test makes up: a mount namespace of its own with a /sys and a
 * /dev of the few files that matter. The nodes have the numbers of devices that every kernel has,
 * so that an open would succeed, and be seen by inotify.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "udev/enumerate.h"

#define SKIPPED 77
#define RENDER_GROUP 44444
#define NOBODY 65534

static const char amd[] = "/sys/devices/pci0000:00/0000:00:01.0/0000:03:00.0";
static const char intel[] = "/sys/devices/pci0000:00/0000:00:02.0";
static const char board[] = "/sys/devices/platform/gpu.0";

static void make_parents(const char *path)
{
	char part[PATH_MAX];

	for (const char *p = path + 1; (p = strchr(p, '/')); p++) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		CHECK(mkdir(part, 0755) == 0 || errno == EEXIST);
	}
}

__attribute__((format(printf, 2, 3))) static void write_file(
	const char *text, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	FILE *file;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	make_parents(path);
	file = fopen(path, "we");
	CHECK(file);
	CHECK(fputs(text, file) >= 0);
	CHECK(fclose(file) == 0);
}

__attribute__((format(printf, 2, 3))) static void make_link(const char *to, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	make_parents(path);
	CHECK(symlink(to, path) == 0);
}

/* What a kernel shows of a device with a render node of that number. */
static void add_device(const char *path, const char *bus, const char *driver, unsigned minor_number,
	const char *node)
{
	char text[PATH_MAX], link[PATH_MAX];

	snprintf(text, sizeof(text), "DRIVER=%s\n", driver);
	write_file(text, "%s/uevent", path);
	snprintf(text, sizeof(text), "/sys/bus/%s", bus);
	make_link(text, "%s/subsystem", path);
	write_file("", "/sys/bus/%s/drivers/%s/bind", bus, driver);
	snprintf(text, sizeof(text), "/sys/bus/%s/drivers/%s", bus, driver);
	make_link(text, "%s/driver", path);
	snprintf(text, sizeof(text), "MAJOR=1\nMINOR=%u\nDEVNAME=dri/%s\nDEVTYPE=drm_minor\n",
		minor_number, node);
	write_file(text, "%s/drm/%s/uevent", path, node);
	snprintf(text, sizeof(text), "1:%u\n", minor_number);
	write_file(text, "%s/drm/%s/dev", path, node);
	make_link("/sys/class/drm", "%s/drm/%s/subsystem", path, node);
	make_link(path, "%s/drm/%s/device", path, node);
	snprintf(link, sizeof(link), "%s/drm/%s", path, node);
	make_link(link, "/sys/class/drm/%s", node);
	make_link(link, "/sys/dev/char/1:%u", minor_number);
	snprintf(link, sizeof(link), "/sys/bus/%s/devices/%s", bus, strrchr(path, '/') + 1);
	make_link(path, "%s", link);
}

static void add_ids(const char *path, const char *vendor, const char *device)
{
	write_file(vendor, "%s/vendor", path);
	write_file(device, "%s/device", path);
	write_file("0x1043\n", "%s/subsystem_vendor", path);
	write_file("0x0517\n", "%s/subsystem_device", path);
}

static void add_node(const char *node, unsigned minor_number, mode_t mode)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/dev/dri/%s", node);
	make_parents(path);
	CHECK(mknod(path, S_IFCHR | mode, makedev(1, minor_number)) == 0);
	CHECK(chmod(path, mode) == 0);
	CHECK(chown(path, 0, RENDER_GROUP) == 0);
}

/* A host with nothing in it. */
static void new_host(void)
{
	(void)umount2("/sys", MNT_DETACH);
	(void)umount2("/dev", MNT_DETACH);
	CHECK(mount("none", "/sys", "tmpfs", 0, NULL) == 0);
	CHECK(mount("none", "/dev", "tmpfs", 0, NULL) == 0);
	CHECK(mkdir("/sys/class", 0755) == 0);
	CHECK(mkdir("/sys/bus", 0755) == 0);
}

/* Two cards on PCI and a GPU of the board, with these names and numbers of nodes. */
static void add_three(const char *const nodes[3], const unsigned numbers[3])
{
	add_device(amd, "pci", "amdgpu", numbers[0], nodes[0]);
	add_ids(amd, "0x1002\n", "0x67df\n");
	write_file("PCI_SLOT_NAME=0000:03:00.0\n", "%s/uevent", amd);
	add_device(intel, "pci", "i915", numbers[1], nodes[1]);
	add_ids(intel, "0x8086\n", "0xa780\n");
	write_file("PCI_SLOT_NAME=0000:00:02.0\n", "%s/uevent", intel);
	add_device(board, "platform", "v3d-x", numbers[2], nodes[2]);
	write_file("550.54.14\n", "/sys/module/v3d_x/version");
}

static void check_gpu(const struct gpu *gpu, const char *id, const char *node, unsigned number)
{
	CHECK(strcmp(gpu->id, id) == 0);
	CHECK(strcmp(gpu->node, node) == 0);
	CHECK_EQUAL(gpu->number, makedev(1, number));
}

static void test_none(void)
{
	struct gpu gpus[GPUS_MAX];
	size_t n = 1, left_out = 1;

	new_host();
	CHECK_EQUAL(gpus_enumerate(gpus, GPUS_MAX, &n, &left_out), 0);
	CHECK_EQUAL(n, 0);
	CHECK_EQUAL(left_out, 0);
}

/* Opens of nodes since the watch began. */
static unsigned opens(int watch)
{
	char events[4096];
	unsigned n = 0;
	ssize_t size;

	while ((size = read(watch, events, sizeof(events))) > 0)
		for (char *p = events; p < events + size;) {
			struct inotify_event event;

			memcpy(&event, p, sizeof(event));
			n += event.len > 0; /* 0: /dev/dri itself, which libdrm lists */
			p += sizeof(event) + event.len;
		}
	return n;
}

static void test_three(void)
{
	struct gpu gpus[GPUS_MAX];
	struct utsname host;
	size_t n, left_out;
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), fd;

	new_host();
	add_three((const char *const[]){"renderD129", "renderD128", "renderD130"},
		(const unsigned[]){5, 3, 7});
	add_node("renderD129", 5, 0660);
	add_node("renderD128", 3, 0666);
	CHECK(watch >= 0 && inotify_add_watch(watch, "/dev/dri", IN_OPEN) >= 0);
	CHECK_EQUAL(gpus_enumerate(gpus, GPUS_MAX, &n, &left_out), 0);
	CHECK_EQUAL(opens(watch), 0);
	fd = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && opens(watch) == 1); /* it would have been seen */
	close(fd);
	close(watch);
	CHECK_EQUAL(n, 3);
	check_gpu(&gpus[0], "path-platform/gpu.0", "/dev/dri/renderD130", 7);
	check_gpu(&gpus[1], "pci-0000:00:02.0", "/dev/dri/renderD128", 3);
	check_gpu(&gpus[2], "pci-0000:03:00.0", "/dev/dri/renderD129", 5);
	CHECK_EQUAL(gpus[0].access, GPU_NO_NODE);
	CHECK_EQUAL(gpus[1].access, GPU_PERMITTED);
	CHECK_EQUAL(gpus[2].access, GPU_PERMITTED);
	CHECK_EQUAL(gpus[0].vendor, 0);
	CHECK_EQUAL(gpus[2].vendor, 0x1002);
	CHECK_EQUAL(gpus[2].device, 0x67df);
	CHECK_EQUAL(gpus[2].subvendor, 0x1043);
	CHECK_EQUAL(gpus[2].subdevice, 0x0517);
	CHECK(strcmp(gpus[2].driver, "amdgpu") == 0);
	CHECK(strcmp(gpus[0].driver_version, "550.54.14") == 0);
	CHECK(uname(&host) == 0 && strcmp(gpus[2].driver_version, host.release) == 0);
	CHECK_EQUAL(left_out, 0);
	CHECK_EQUAL(gpus_enumerate(gpus, 2, &n, &left_out), 0); /* no more than there is room for */
	CHECK_EQUAL(n, 2);
	CHECK_EQUAL(left_out, 1);
}

/* After a reboot the numbers are others, and so are the names: the cards are the same. */
static void test_renumbered(void)
{
	struct gpu gpus[GPUS_MAX];
	size_t n, left_out;

	new_host();
	add_three((const char *const[]){"renderD128", "renderD130", "renderD129"},
		(const unsigned[]){3, 7, 5});
	add_node("renderD128", 3, 0660);
	add_node("renderD201", 7, 0660); /* a container may call it otherwise */
	add_node("renderD129", 9, 0660); /* and this is another device altogether */
	CHECK_EQUAL(gpus_enumerate(gpus, GPUS_MAX, &n, &left_out), 0);
	CHECK_EQUAL(n, 3);
	check_gpu(&gpus[1], "pci-0000:00:02.0", "/dev/dri/renderD201", 7);
	check_gpu(&gpus[2], "pci-0000:03:00.0", "/dev/dri/renderD128", 3);
	CHECK_EQUAL(gpus[0].access, GPU_NO_NODE);
	CHECK_EQUAL(gpus[1].access, GPU_PERMITTED);
}

/* It says who may, and looks again when it is told to. */
static void test_access(void)
{
	struct gpu gpus[GPUS_MAX];
	size_t n, left_out;

	new_host();
	add_three((const char *const[]){"renderD128", "renderD129", "renderD130"},
		(const unsigned[]){3, 5, 7});
	add_node("renderD128", 3, 0660);
	add_node("renderD129", 5, 0666);
	CHECK(seteuid(NOBODY) == 0);
	CHECK_EQUAL(gpus_enumerate(gpus, GPUS_MAX, &n, &left_out), 0);
	CHECK_EQUAL(n, 3);
	CHECK_EQUAL(gpus[1].access, GPU_PERMITTED);
	CHECK_EQUAL(gpus[2].access, GPU_WRONG_GROUP);
	CHECK_EQUAL(gpus[2].gid, RENDER_GROUP);
	CHECK(strcmp(gpus[2].group, "44444") == 0);
	CHECK_EQUAL(gpus[2].mode, 0660);
	CHECK(seteuid(0) == 0);
	CHECK(chown("/dev/dri/renderD128", 0, 0) == 0);
	CHECK(chmod("/dev/dri/renderD128", 0666) == 0);
	CHECK(seteuid(NOBODY) == 0);
	gpu_look(&gpus[2]);
	CHECK_EQUAL(gpus[2].access, GPU_PERMITTED);
	CHECK(strcmp(gpus[2].group, "root") == 0);
	CHECK(seteuid(0) == 0);
}

/* Below a chroot, / may be no mount of its own. */
static bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
		(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ||
			(mount(NULL, "/sys", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
				mount(NULL, "/dev", NULL, MS_REC | MS_PRIVATE, NULL) == 0));
}

int main(void)
{
	if (geteuid() != 0 || !own_mounts())
		return SKIPPED;
	CHECK(setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1) == 0);
	test_none();
	test_three();
	test_renumbered();
	test_access();
	return 0;
}
