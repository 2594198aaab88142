// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What a row says of a GPU that nothing was tried on: who it is, and what to do where it may not be
 * opened. And the words of all states.
 */

#include <string.h>

#include "daemon/gpu_row.h"
#include "tests/unit/check.h"

static const struct gpu amd = {.id = "pci-0000:03:00.0",
	.node = "/dev/dri/renderD128",
	.driver = "amdgpu",
	.driver_version = "6.12.1",
	.vendor = 0x1002,
	.device = 0x67df,
	.subvendor = 0x1043,
	.subdevice = 0x0517,
	.access = GPU_PERMITTED,
	.mode = 0660,
	.gid = 105,
	.group = "render"};

static struct wire_device admit(enum gpu_access access, uint32_t mode, bool admitted)
{
	struct wire_device row = {.state = DEVICE_PROBING};
	struct gpu gpu = amd;

	gpu.access = access;
	gpu.mode = mode;
	CHECK_EQUAL(gpu_row_admit(&row, &gpu, 998), admitted);
	return row;
}

static void test_fill(void)
{
	struct wire_device row = {0};

	gpu_row_fill(&row, &amd);
	CHECK(strcmp(row.device, "pci-0000:03:00.0") == 0);
	CHECK(strcmp(row.gpu.node, "/dev/dri/renderD128") == 0);
	CHECK(strcmp(row.gpu.driver, "amdgpu") == 0);
	CHECK(strcmp(row.gpu.driver_version, "6.12.1") == 0);
	CHECK_EQUAL(row.gpu.vendor, 0x1002);
	CHECK_EQUAL(row.gpu.device, 0x67df);
	CHECK_EQUAL(row.gpu.subvendor, 0x1043);
	CHECK_EQUAL(row.gpu.subdevice, 0x0517);
}

/* The node, the group and the setting of the unit. */
static void test_admit(void)
{
	struct wire_device row = admit(GPU_PERMITTED, 0660, true);

	CHECK_EQUAL(row.state, DEVICE_PROBING);
	CHECK(row.detail[0] == '\0' && row.advice[0] == '\0');

	row = admit(GPU_WRONG_GROUP, 0660, false);
	CHECK_EQUAL(row.state, DEVICE_NOT_PERMITTED);
	CHECK(strcmp(row.detail,
		      "uid 998 may not open /dev/dri/renderD128, which is of uid 0, "
		      "group render, mode 0660") == 0);
	CHECK(strstr(row.advice, "SupplementaryGroups=render"));

	/* No group would help. */
	row = admit(GPU_WRONG_GROUP, 0600, false);
	CHECK_EQUAL(row.state, DEVICE_NOT_PERMITTED);
	CHECK(!strstr(row.advice, "SupplementaryGroups"));
	CHECK(strstr(row.advice, "MODE=\"0660\""));

	row = admit(GPU_WRONG_UNIT, 0660, false);
	CHECK_EQUAL(row.state, DEVICE_NOT_PERMITTED);
	CHECK(strstr(row.detail, "/dev/dri/renderD128"));
	CHECK(strstr(row.advice, "DeviceAllow=char-drm rw"));

	row = admit(GPU_NO_NODE, 0, false);
	CHECK_EQUAL(row.state, DEVICE_ABSENT);
	CHECK(strstr(row.detail, "/dev/dri/renderD128 is not there"));
	CHECK(strstr(row.advice, "PrivateDevices=no"));
}

/* Nothing is cut, however long the names are. */
static void test_lengths(void)
{
	struct wire_device row = {0};
	struct gpu gpu = amd;

	memset(gpu.node, 'n', sizeof(gpu.node) - 1);
	memset(gpu.group, 'g', sizeof(gpu.group) - 1);
	for (gpu.access = GPU_NO_NODE; gpu.access <= GPU_WRONG_UNIT; gpu.access++)
		for (gpu.mode = 0600; gpu.mode <= 0660; gpu.mode += 060) {
			CHECK(!gpu_row_admit(&row, &gpu, UINT32_MAX));
			CHECK(strlen(row.detail) < sizeof(row.detail) - 1);
			CHECK(strlen(row.advice) < sizeof(row.advice) - 1);
		}
}

/* The reason, where to read it, and how to try it all the same; nothing is cut. */
static void test_deny(void)
{
	for (const struct deny_row *deny = deny_rows; deny->name; deny++) {
		struct wire_device row = {.state = DEVICE_PROBING};

		gpu_row_deny(&row, deny);
		CHECK_EQUAL(row.state, DEVICE_DISABLED);
		CHECK(strstr(row.detail, deny->reason) && strstr(row.detail, deny->link));
		CHECK(strstr(row.advice, "DenyOverride=") && strstr(row.advice, deny->name));
		CHECK(strlen(row.detail) < sizeof(row.detail) - 1);
		CHECK(strstr(row.advice, "all the same"));
	}
}

/* Each state has a word of its own, and all that take no work say what to do. */
static void test_states(void)
{
	for (uint32_t state = 1; state < DEVICE_STATE_MAX; state++) {
		const char *name = device_state_name(state);

		CHECK(strcmp(name, "unknown") != 0);
		for (uint32_t other = 1; other < state; other++)
			CHECK(strcmp(name, device_state_name(other)) != 0);
		CHECK(!device_state_is_usable(state) || !device_state_is_open(state));
		CHECK((device_state_advice(state)[0] != '\0') == (state != DEVICE_PROVEN));
	}
	CHECK(device_state_is_usable(DEVICE_PROVEN) && device_state_is_usable(DEVICE_DEGRADED));
	CHECK(device_state_is_open(DEVICE_PROBING) && device_state_is_open(DEVICE_UNTESTED));
	CHECK(!device_state_is_usable(DEVICE_BROKEN) && !device_state_is_open(DEVICE_BROKEN));
	CHECK(strcmp(device_state_name(DEVICE_STATE_MAX), "unknown") == 0);
	CHECK(strcmp(device_state_name(0), "unknown") == 0);
	CHECK(!device_state_is_usable(UINT32_MAX) && !device_state_is_open(0));
}

int main(void)
{
	test_fill();
	test_admit();
	test_lengths();
	test_deny();
	test_states();
	return 0;
}
