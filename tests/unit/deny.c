// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The deny-list: each field of a row holds back what it says and nothing else, and the list that is
 * shipped holds back what is known.
 */

#include <string.h>

#include "client/vencd.h"
#include "hw/deny.h"
#include "tests/unit/check.h"

static const struct deny_row rows[] = {
	{
		.name = "all-fields",
		.vendor = 0x1002,
		.device_min = 0x100,
		.device_max = 0x1ff,
		.driver = "amdgpu",
		.version_min = "1.2",
		.version_max = "1.4",
		.kernel_min = "6.6",
		.kernel_max = "6.12",
		.codec = VENCD_CODEC_H264,
		.api = "vaapi",
	},
	{.name = "second", .vendor = 0x8086},
	{0},
};

static const struct deny_subject denied = {
	0x1002, 0x150, "amdgpu", "1.3", "6.8.1-amd64", VENCD_CODEC_H264, "vaapi"};

static bool is_denied(const struct deny_subject *subject)
{
	return deny_find(rows, subject, "") != NULL;
}

#define CHECK_FIELD(field, value, result)         \
	do {                                      \
		struct deny_subject s = denied;   \
		s.field = (value);                \
		CHECK(is_denied(&s) == (result)); \
	} while (0)

static void test_fields(void)
{
	CHECK(is_denied(&denied));
	CHECK_FIELD(vendor, 0x1003, false);
	CHECK_FIELD(device, 0xff, false);
	CHECK_FIELD(device, 0x100, true);
	CHECK_FIELD(device, 0x1ff, true);
	CHECK_FIELD(device, 0x200, false);
	CHECK_FIELD(driver, "radeon", false);
	CHECK_FIELD(driver, NULL, false);
	CHECK_FIELD(driver_version, "1.1.9", false);
	CHECK_FIELD(driver_version, "1.2", true);
	CHECK_FIELD(driver_version, "1.4.99", true);
	CHECK_FIELD(driver_version, "1.5", false);
	CHECK_FIELD(driver_version, "", false); /* not known to be in the range */
	CHECK_FIELD(kernel, "6.5.13", false);
	CHECK_FIELD(kernel, "6.6.0-rc1", true);
	CHECK_FIELD(kernel, "6.12.77-generic", true);
	CHECK_FIELD(kernel, "6.13.0", false);
	CHECK_FIELD(kernel, "10.0", false);
	CHECK_FIELD(codec, VENCD_CODEC_HEVC, false);
	CHECK_FIELD(api, "vulkan", false);
}

static void test_override(void)
{
	struct deny_subject intel = {.vendor = 0x8086, .device = 0xa780};

	CHECK(strcmp(deny_find(rows, &denied, "")->name, "all-fields") == 0);
	CHECK(deny_find(rows, &denied, "second"));
	CHECK(deny_find(rows, &denied, "all-field"));
	CHECK(deny_find(rows, &denied, "all-fields-too"));
	CHECK(!deny_find(rows, &denied, "all-fields"));
	CHECK(!deny_find(rows, &denied, "second all-fields"));
	CHECK(strcmp(deny_find(rows, &intel, "all-fields")->name, "second") == 0);
}

static void test_compare(void)
{
	CHECK(deny_compare("6.12", "6.12.9") == 0);
	CHECK(deny_compare("6.9", "6.12") < 0);
	CHECK(deny_compare("550.54.14", "550.54.9") > 0);
	CHECK(deny_compare("7.1.9-arch1-2", "7.1.9") == 0);
	CHECK(deny_compare("", "1") == 0);
}

static const struct deny_row *shipped(
	uint32_t vendor, uint32_t device, const char *driver, uint32_t codec, const char *kernel)
{
	struct deny_subject s = {vendor, device, driver, kernel, kernel, codec, "vaapi"};

	return deny_find(deny_rows, &s, "");
}

/* Each has a reason and a place where it can be read; neither too wide nor too narrow. */
static void test_shipped(void)
{
	for (const struct deny_row *row = deny_rows; row->name; row++) {
		CHECK(row->vendor && row->api && *row->reason);
		CHECK(strncmp(row->link, "https://", 8) == 0);
		CHECK(strlen(row->name) + strlen(row->reason) + strlen(row->link) < 200);
		CHECK(!strchr(row->name, ' '));
	}
	CHECK(shipped(0x1002, 0x67df, "amdgpu", VENCD_CODEC_H264, "7.1.9-arch1-2"));
	CHECK(shipped(0x1002, 0x67ef, "amdgpu", VENCD_CODEC_H264, "7.0"));
	CHECK(shipped(0x1002, 0x6fdf, "amdgpu", VENCD_CODEC_H264, "7.0"));
	CHECK(!shipped(0x1002, 0x67df, "amdgpu", VENCD_CODEC_H264, "6.5.2-zen1-1-zen"));
	CHECK(!shipped(0x1002, 0x67df, "amdgpu", VENCD_CODEC_HEVC, "7.1.9"));
	CHECK(!shipped(0x1002, 0x73bf, "amdgpu", VENCD_CODEC_H264, "7.1.9"));
	CHECK(!shipped(0x8086, 0x67df, "i915", VENCD_CODEC_H264, "7.1.9"));
	CHECK(shipped(0x10de, 0x2684, "nvidia", VENCD_CODEC_AV1, "6.12"));
	CHECK(!shipped(0x10de, 0x2684, "nouveau", VENCD_CODEC_AV1, "6.12"));
}

int main(void)
{
	test_fields();
	test_override();
	test_compare();
	test_shipped();
	return 0;
}
