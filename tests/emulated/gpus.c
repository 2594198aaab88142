// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Lists the GPUs of a host twice, as sd-device sees them and as libdrm does, a line each:
 *
 *	sd-device /dev/dri/renderD3 0000:01:00.0 8086:56a0 i915
 *
 * The test of the emulated host compares the two lists with what it asked for.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-device.h>
#include <xf86drm.h>

#define GPUS_MAX 16

static int fail(const char *what, int error)
{
	fprintf(stderr, "gpus: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return -1;
}

static unsigned id_of(sd_device *pci, const char *attribute)
{
	const char *text;

	return sd_device_get_sysattr_value(pci, attribute, &text) < 0
		? 0
		: (unsigned)strtoul(text, NULL, 16);
}

static int print_device(sd_device *device)
{
	const char *node, *slot, *driver;
	sd_device *pci;
	int r = sd_device_get_devname(device, &node);

	if (r >= 0)
		r = sd_device_get_parent_with_subsystem_devtype(device, "pci", NULL, &pci);
	if (r >= 0)
		r = sd_device_get_sysname(pci, &slot);
	if (r >= 0)
		r = sd_device_get_driver(pci, &driver);
	if (r < 0)
		return fail("sd-device", r);
	printf("sd-device %s %s %04x:%04x %s\n", node, slot, id_of(pci, "vendor"),
		id_of(pci, "device"), driver);
	return 0;
}

static int list_by_sd_device(void)
{
	sd_device_enumerator *enumerator = NULL;
	int r = sd_device_enumerator_new(&enumerator);

	if (r >= 0)
		r = sd_device_enumerator_add_match_subsystem(enumerator, "drm", 1);
	if (r < 0)
		return fail("sd_device_enumerator", r);
	for (sd_device *d = sd_device_enumerator_get_device_first(enumerator); d && r >= 0;
		d = sd_device_enumerator_get_device_next(enumerator))
		r = print_device(d);
	sd_device_enumerator_unref(enumerator);
	return r;
}

static void print_drm(const drmDevice *device)
{
	const drmPciBusInfo *bus = device->businfo.pci;
	const drmPciDeviceInfo *info = device->deviceinfo.pci;

	printf("libdrm %s %04x:%02x:%02x.%x %04x:%04x\n", device->nodes[DRM_NODE_RENDER],
		bus->domain, bus->bus, bus->dev, bus->func, info->vendor_id, info->device_id);
}

/* By its number as well: libva knows a device by no more. */
static int find_again(const drmDevice *device)
{
	drmDevice *again;
	struct stat st;
	int r;

	if (stat(device->nodes[DRM_NODE_RENDER], &st) < 0)
		return fail("stat", 1);
	r = drmGetDeviceFromDevId(st.st_rdev, 0, &again);
	if (r)
		return fail("drmGetDeviceFromDevId", r);
	r = drmDevicesEqual((drmDevice *)device, again) ? 0 : fail("drmDevicesEqual", 1);
	drmFreeDevice(&again);
	return r;
}

static int list_by_libdrm(void)
{
	drmDevice *devices[GPUS_MAX];
	int n = drmGetDevices2(0, devices, GPUS_MAX), r = 0;

	if (n < 0)
		return fail("drmGetDevices2", n);
	for (int i = 0; i < n && r >= 0; i++) {
		if (devices[i]->bustype != DRM_BUS_PCI ||
			!(devices[i]->available_nodes & 1 << DRM_NODE_RENDER))
			r = fail("not a render node on PCI", 1);
		else
			r = find_again(devices[i]);
		if (r >= 0)
			print_drm(devices[i]);
	}
	drmFreeDevices(devices, n);
	return r;
}

int main(void)
{
	return list_by_sd_device() < 0 || list_by_libdrm() < 0;
}
