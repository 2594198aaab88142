// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The row of an encoder on a GPU. What keeps the daemon from the GPU's node is told with the node,
 * the group and the setting of its unit that would change it: a driver is not loaded to find that
 * out, and would say less.
 */

#include "daemon/gpu_row.h"

#include <stdio.h>

void gpu_row_fill(struct wire_device *row, const struct gpu *gpu)
{
	struct wire_gpu *to = &row->gpu;

	snprintf(row->device, sizeof(row->device), "%s", gpu->id);
	snprintf(to->node, sizeof(to->node), "%s", gpu->node);
	snprintf(to->driver, sizeof(to->driver), "%s", gpu->driver);
	snprintf(to->driver_version, sizeof(to->driver_version), "%s", gpu->driver_version);
	to->vendor = gpu->vendor;
	to->device = gpu->device;
	to->subvendor = gpu->subvendor;
	to->subdevice = gpu->subdevice;
}

static void say_no_node(struct wire_device *row, const struct gpu *gpu)
{
	row->state = DEVICE_ABSENT;
	snprintf(row->detail, sizeof(row->detail), "the kernel has it, but %s is not there",
		gpu->node);
	snprintf(row->advice, sizeof(row->advice),
		"set PrivateDevices=no in the unit, or give the container its /dev/dri; then "
		"start vencd again");
}

static void say_wrong_unit(struct wire_device *row, const struct gpu *gpu)
{
	row->state = DEVICE_NOT_PERMITTED;
	snprintf(row->detail, sizeof(row->detail),
		"the device rules of the daemon's control group do not let it open %s", gpu->node);
	snprintf(row->advice, sizeof(row->advice),
		"set DeviceAllow=char-drm rw in the unit, or allow the device in the container; "
		"then start vencd again");
}

static void say_wrong_group(struct wire_device *row, const struct gpu *gpu, uint32_t uid)
{
	row->state = DEVICE_NOT_PERMITTED;
	snprintf(row->detail, sizeof(row->detail),
		"uid %u may not open %s, which is of uid %u, group %s, mode %04o", uid, gpu->node,
		gpu->uid, gpu->group, gpu->mode);
	if ((gpu->mode & 0060) == 0060)
		snprintf(row->advice, sizeof(row->advice),
			"set SupplementaryGroups=%s in the unit, then start vencd again",
			gpu->group);
	else
		snprintf(row->advice, sizeof(row->advice),
			"give %s a group that may open it (a udev rule: GROUP=\"render\", "
			"MODE=\"0660\")",
			gpu->node);
}

bool gpu_row_admit(struct wire_device *row, const struct gpu *gpu, uint32_t uid)
{
	switch (gpu->access) {
	case GPU_PERMITTED:
		return true;
	case GPU_NO_NODE:
		say_no_node(row, gpu);
		break;
	case GPU_WRONG_UNIT:
		say_wrong_unit(row, gpu);
		break;
	case GPU_WRONG_GROUP:
		say_wrong_group(row, gpu, uid);
		break;
	}
	return false;
}

void gpu_row_deny(struct wire_device *row, const struct deny_row *deny)
{
	row->state = DEVICE_DISABLED;
	snprintf(row->detail, sizeof(row->detail), "on the deny-list (%s): %s; see %s", deny->name,
		deny->reason, deny->link);
	snprintf(row->advice, sizeof(row->advice),
		"use another encoder; DenyOverride=%s in vencd.conf has it tried all the same",
		deny->name);
}
