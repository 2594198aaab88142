// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Opening a device for VA-API. libavutil could do it by itself, but then the messages of libva
 * would go to stderr, and nobody could tell a missing driver library from one that fails: libva
 * has one status for both, and says the difference in its messages only.
 *
 * The display is ours, not libavutil's: its context never terminates it, so the order at the end
 * is plain to see here.
 */

#include "hw/va_device.h"

#include <errno.h>
#include <fcntl.h>
#include <libavutil/hwcontext.h>
#include <libavutil/hwcontext_vaapi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <va/va_drm.h>

#include "hw/lavc.h"
#include "hw/va_status.h"

static void copy_line(char *ret, size_t size, const char *message)
{
	snprintf(ret, size, "%s", message);
	ret[strcspn(ret, "\n")] = '\0';
}

/* One driver that does not fit, of several that libva tries, is no error yet. */
static void on_error(void *userdata, const char *message)
{
	struct va_device *d = userdata;

	if (d->looking)
		copy_line(d->said, sizeof(d->said), message);
	else
		av_log(NULL, AV_LOG_ERROR, "libva: %s", message);
}

/* What libva 2.22 says while it looks for a driver library. */
static void on_info(void *userdata, const char *message)
{
	static const char trying[] = "Trying to open ", found[] = "Found init function";
	struct va_device *d = userdata;

	if (!strncmp(message, found, strlen(found)))
		d->found = true;
	if (strncmp(message, trying, strlen(trying)) != 0)
		return;
	d->tried = true;
	copy_line(d->path, sizeof(d->path), message + strlen(trying));
}

static enum encoder_status open_node(struct va_device *d)
{
	const char *path = d->host.device;

	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	d->fd = open(path, O_RDWR | O_CLOEXEC);
	if (d->fd >= 0)
		return ENCODER_OK;
	snprintf(d->host.text, ENCODER_TEXT_MAX, "%s: %s", path, strerror(errno));
	switch (errno) {
	case EACCES:
	case EPERM:
		return ENCODER_NOT_PERMITTED;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return ENCODER_DEVICE_LOST;
	}
	return lavc_status(AVERROR(errno));
}

enum encoder_status va_device_failed(const struct va_device *d, const char *call, VAStatus status)
{
	lavc_say(&d->host, call, vaErrorStr(status));
	return va_status(status);
}

static enum encoder_status initialize(struct va_device *d)
{
	int major, minor;
	VAStatus status;

	vaSetErrorCallback(d->display, on_error, d);
	vaSetInfoCallback(d->display, on_info, d);
	d->looking = true;
	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	status = vaInitialize(d->display, &major, &minor);
	d->looking = false;
	if (status == VA_STATUS_SUCCESS)
		return ENCODER_OK;
	if (d->said[0])
		av_log(NULL, AV_LOG_ERROR, "libva: %s", d->said);
	if (!d->tried || d->found)
		return va_device_failed(d, "vaInitialize", status);
	snprintf(d->host.text, ENCODER_TEXT_MAX, "no VA-API driver for this device, tried %s: %s",
		d->path, d->said);
	return ENCODER_NO_LIBRARY;
}

enum encoder_status va_device_open(struct va_device *d, const struct encoder_host *host)
{
	enum encoder_status status;

	*d = (struct va_device){.host = *host, .fd = -1};
	if (!host->device || !host->device[0]) {
		snprintf(host->text, ENCODER_TEXT_MAX, "VA-API needs a device, and none was named");
		return ENCODER_ABSENT;
	}
	status = open_node(d);
	if (status)
		return status;
	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	d->display = vaGetDisplayDRM(d->fd);
	if (d->display)
		return initialize(d);
	snprintf(host->text, ENCODER_TEXT_MAX, "%s is no render node, says libva", host->device);
	return ENCODER_ABSENT;
}

enum encoder_status va_device_wrap(struct va_device *d)
{
	AVHWDeviceContext *context;
	int e;

	d->context = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_VAAPI);
	if (!d->context)
		return lavc_failed(&d->host, "av_hwdevice_ctx_alloc", AVERROR(ENOMEM));
	context = (AVHWDeviceContext *)(void *)d->context->data;
	((AVVAAPIDeviceContext *)context->hwctx)->display = d->display;
	lavc_step(&d->host, ENCODER_STEP_DEVICE);
	e = av_hwdevice_ctx_init(d->context);
	return e < 0 ? lavc_failed(&d->host, "av_hwdevice_ctx_init", e) : ENCODER_OK;
}

void va_device_close(struct va_device *d)
{
	if (d->context) {
		lavc_step(&d->host, ENCODER_STEP_FREE_DEVICE);
		av_buffer_unref(&d->context);
	}
	if (d->display) {
		lavc_step(&d->host, ENCODER_STEP_FREE_DEVICE);
		vaTerminate(d->display);
		d->display = NULL;
	}
	if (d->fd >= 0) {
		lavc_step(&d->host, ENCODER_STEP_FREE_DEVICE);
		close(d->fd);
		d->fd = -1;
	}
}

const char *va_device_vendor(const struct va_device *d)
{
	const char *vendor = vaQueryVendorString(d->display); /* kept since vaInitialize */

	return vendor ? vendor : "an unknown driver";
}
