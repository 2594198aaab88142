// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_VA_DEVICE_H
#define VENCD_VA_DEVICE_H

/*
 * A render node, opened: our own descriptor, our own VADisplay with our own callbacks for its
 * messages, and libavutil's device context around it. Every function may block for as long as the
 * driver likes, and steps before each call that enters it.
 */

#include <libavutil/buffer.h>
#include <stdbool.h>
#include <va/va.h>

#include "hw/encoder.h"

struct va_device {
	struct encoder_host host;
	int fd;
	VADisplay display;
	AVBufferRef *context; /* libavutil's, of this display */
	/* While libva looks for a driver. */
	bool looking, tried, found; /* for its library; one was tried; one is there */
	char path[104];             /* that was tried last */
	char said[104];             /* libva's last error */
};

/*
 * Opens host->device, whose text says why where it fails: NOT_PERMITTED, DEVICE_LOST where the node
 * is gone, NO_LIBRARY, ABSENT where it is no render node, or what the driver says. After a failure
 * too, va_device_close() is to be called. lavc_listen() comes before.
 */
enum encoder_status va_device_open(struct va_device *device, const struct encoder_host *host);

/* Wraps the display for libavcodec: device->context. */
enum encoder_status va_device_wrap(struct va_device *device);

/* All that refers to device->context is gone before. */
void va_device_close(struct va_device *device);

/* What the driver calls itself. */
const char *va_device_vendor(const struct va_device *device);

/* A driver's call failed: fills host.text, with libva's own words if there are any. */
enum encoder_status va_device_failed(
	const struct va_device *device, const char *call, VAStatus status);

#endif
