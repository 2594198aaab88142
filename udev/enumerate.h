// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_ENUMERATE_H
#define VENCD_ENUMERATE_H

/*
 * The GPUs of this host, without asking a driver anything. A GPU is who it is by where it sits: its
 * PCI address, or the tail of its path in sysfs where it has none. Numbers of nodes change from
 * boot to boot, and say nothing.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GPUS_MAX 16u

/* Whether this process may open the node. */
enum gpu_access {
	GPU_PERMITTED = 1,
	GPU_NO_NODE,     /* there is no node for it in /dev/dri */
	GPU_WRONG_GROUP, /* its owner, group and mode do not let us */
	GPU_WRONG_UNIT,  /* the device rules of our control group do not let us */
};

struct gpu {
	char id[64];             /* "pci-0000:03:00.0", "path-platform/gpu.0" */
	char node[64];           /* "/dev/dri/renderD128"; where there is none, as it would be */
	char driver[32];         /* of the kernel: "amdgpu"; "": none is bound */
	char driver_version[64]; /* of its module; in the kernel's own tree that is the kernel's */
	uint32_t vendor, device, subvendor, subdevice; /* of PCI; 0: none */
	dev_t number;
	enum gpu_access access;
	uint32_t uid, gid, mode; /* of the node, where there is one */
	char group[32];          /* its group's name, or number */
};

/*
 * Fills at most max of ret, ordered by id, and *ret_n; *ret_left_out is how many more there are.
 * Opens no node. Returns 0, or -errno where sysfs cannot be read at all; a host without a GPU is no
 * error.
 */
int gpus_enumerate(struct gpu *ret, size_t max, size_t *ret_n, size_t *ret_left_out);

/* Looks at the node of a known GPU again: access, owner, group, mode. */
void gpu_look(struct gpu *gpu);

#endif
