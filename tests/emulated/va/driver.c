// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * An emulated VA-API driver: below the real libva it is what a vendor's driver is, and encodes with
 * x264, x265 and SVT-AV1, which it calls directly. libavcodec it may not touch: a program that
 * encodes through libavcodec may hold its mutex when it comes here.
 *
 * Which device a display is, what that device can do and how it misbehaves stands in a file beside
 * the driver (model.c). It writes no file, makes no process, and needs no GPU.
 *
 * It has one eye on its caller: vencd-worker may enter a driver only from a thread that stands
 * behind a call slot. A call from any other ends the process, so that any test finds it.
 *
 * libva loads drivers with their symbols visible to everybody: all but one are hidden.
 */

#include "tests/emulated/va/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <va/va_drmcommon.h>

/* The name that this version of libva looks for. */
#define INIT_NAME_OF(major, minor) __vaDriverInit_##major##_##minor
#define VISIBLE __attribute__((visibility("default")))

VISIBLE VAStatus __vaDriverInit_1_0(VADriverContextP va);

static void check_thread(const char *vendor)
{
	char name[THREAD_NAME_MAX] = "", line[256];
	int size;

	if (strcmp(program_invocation_short_name, "vencd-worker"))
		return;
	prctl(PR_GET_NAME, name);
	if (!strncmp(name, "run-", 4) || !strncmp(name, "probe", 5))
		return;
	size = snprintf(line, sizeof(line), "%s: called outside of a call slot, by thread \"%s\"\n",
		vendor, name);
	if (write(STDERR_FILENO, line, (size_t)size) >= 0)
		abort();
	abort();
}

VAStatus driver_enter(struct driver *driver, enum call call)
{
	check_thread(driver->vendor);
	return fault_play(&driver->device.script, &driver->counts, call, driver->vendor);
}

/*
 * A library that hangs here holds the dynamic loader's lock. SVT-AV1 tells its story on stderr
 * unless this variable says otherwise, which it reads with its first encoder.
 */
static __attribute__((constructor)) void construct(void)
{
	struct fault_script script;
	static struct fault_counts counts;

	check_thread("vencd emulated driver");
	setenv("SVT_LOG", "-1", 0);
	if (device_find_constructor(&script) == 0)
		fault_play(&script, &counts, CALL_Constructor, "vencd emulated driver");
}

static void driver_free(struct driver *driver)
{
	objects_clear(driver);
	pthread_mutex_destroy(&driver->lock);
	free(driver);
}

static VAStatus terminate(VADriverContextP va)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_Terminate);

	if (status)
		return status;
	driver_free(driver);
	va->pDriverData = NULL;
	return VA_STATUS_SUCCESS;
}

static VAStatus refuse(VADriverContextP va)
{
	VAStatus status = driver_enter(driver_of(va), CALL_Refused);

	return status ? status : VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus query_nothing(VADriverContextP va, void *list, int *n)
{
	(void)list;
	*n = 0;
	return driver_enter(driver_of(va), CALL_Refused);
}

/* The function's own type, for what does not look at its arguments but the first. */
#define REFUSE(entry) (table->entry = (__typeof__(table->entry))(void (*)(void))refuse)

/* libva takes a driver only if all of these are there. */
static void refuse_what_no_encoder_needs(struct VADriverVTable *table)
{
	REFUSE(vaPutSurface);
	REFUSE(vaSetImagePalette);
	REFUSE(vaQuerySubpictureFormats);
	REFUSE(vaCreateSubpicture);
	REFUSE(vaDestroySubpicture);
	REFUSE(vaSetSubpictureImage);
	REFUSE(vaSetSubpictureChromakey);
	REFUSE(vaSetSubpictureGlobalAlpha);
	REFUSE(vaAssociateSubpicture);
	REFUSE(vaDeassociateSubpicture);
	REFUSE(vaGetDisplayAttributes);
	REFUSE(vaSetDisplayAttributes);
	REFUSE(vaLockSurface);
	REFUSE(vaUnlockSurface);
	REFUSE(vaAcquireBufferHandle);
	REFUSE(vaReleaseBufferHandle);
	REFUSE(vaExportSurfaceHandle);
	table->vaQueryDisplayAttributes = (__typeof__(table->vaQueryDisplayAttributes))(void (*)(
		void))query_nothing;
}

static void fill(VADriverContextP va, struct driver *driver)
{
	struct VADriverVTable *table = va->vtable;

	va->version_major = VA_MAJOR_VERSION;
	va->version_minor = VA_MINOR_VERSION;
	va->max_profiles = 16;
	va->max_entrypoints = 2;
	va->max_attributes = VAConfigAttribTypeMax;
	va->max_image_formats = 2;
	va->max_subpic_formats = 1;
	va->max_display_attributes = 1;
	va->str_vendor = driver->vendor;
	table->vaTerminate = terminate;
	refuse_what_no_encoder_needs(table);
	config_entries(table);
	surface_entries(table);
	image_entries(table);
	buffer_entries(table);
	picture_entries(table);
}

VAStatus __vaDriverInit_1_0(VADriverContextP va)
{
	const struct drm_state *drm = va->drm_state;
	struct driver *driver = calloc(1, sizeof(*driver));
	VAStatus status;

	if (!driver)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	pthread_mutex_init(&driver->lock, NULL);
	if (!drm || device_find(drm->fd, &driver->device) < 0) {
		driver_free(driver);
		return VA_STATUS_ERROR_UNKNOWN;
	}
	snprintf(driver->vendor, sizeof(driver->vendor), "vencd emulated driver (model %s)",
		driver->device.model->name);
	status = driver_enter(driver, CALL_Initialize);
	if (status) {
		driver_free(driver);
		return status;
	}
	va->pDriverData = driver;
	fill(va, driver);
	return VA_STATUS_SUCCESS;
}
