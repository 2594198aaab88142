// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Orders, progress and results of the stream adapter, as JSON.
 *
 * The front has checked the request against its interface already; here a field that is absent or
 * of another kind is a default, and only what the adapter alone knows is refused: a container that
 * takes none of the codecs.
 */

#include "client/stream/order.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ORDER_BYTES_MAX (64 << 10)

/* --- the fields --- */

static const char *text_of(sd_json_variant *order, const char *name)
{
	sd_json_variant *v = sd_json_variant_by_key(order, name);

	return sd_json_variant_is_string(v) ? sd_json_variant_string(v) : "";
}

static int64_t number_of(sd_json_variant *order, const char *name, int64_t absent)
{
	sd_json_variant *v = sd_json_variant_by_key(order, name);

	return sd_json_variant_is_integer(v) ? sd_json_variant_integer(v) : absent;
}

static void read_codecs(sd_json_variant *order, uint32_t codecs[VENCD_MAX_CODECS])
{
	sd_json_variant *list = sd_json_variant_by_key(order, "codecs");
	size_t n = sd_json_variant_is_array(list) ? sd_json_variant_elements(list) : 0;
	size_t kept = 0;

	for (size_t i = 0; i < n && kept < VENCD_MAX_CODECS; i++) {
		sd_json_variant *v = sd_json_variant_by_index(list, i);
		uint32_t codec = sd_json_variant_is_string(v)
			? vencd_codec_from_name(sd_json_variant_string(v))
			: 0;

		if (codec)
			codecs[kept++] = codec;
	}
}

static void read_params(sd_json_variant *order, struct vencd_params *params)
{
	sd_json_variant *b_frames = sd_json_variant_by_key(order, "bFrames");

	*params = (struct vencd_params)VENCD_PARAMS_INIT;
	read_codecs(order, params->codecs);
	params->backend = vencd_backend_from_name(text_of(order, "backend"));
	params->on_failure = vencd_on_failure_from_name(text_of(order, "onFailure"));
	params->rate_control = vencd_rate_control_from_name(text_of(order, "rateControl"));
	params->latency = vencd_latency_from_name(text_of(order, "latency"));
	params->quality = (int32_t)number_of(order, "quality", -1);
	params->bitrate = (uint64_t)number_of(order, "bitrate", 0);
	params->max_bitrate = (uint64_t)number_of(order, "maxBitrate", 0);
	params->speed = (int32_t)number_of(order, "speed", -1);
	params->gop = (uint32_t)number_of(order, "gop", 0);
	if (sd_json_variant_is_boolean(b_frames))
		params->b_frames = sd_json_variant_boolean(b_frames);
	snprintf(params->label, sizeof(params->label), "%s", text_of(order, "label"));
	snprintf(params->null_script, sizeof(params->null_script), "%s",
		text_of(order, "nullScript"));
}

static int read_order(sd_json_variant *json, struct order *ret, char *text)
{
	const char *name = text_of(json, "container");
	char list[ORDER_TEXT_MAX - 64];

	container_list(list, sizeof(list));
	read_params(json, &ret->params);
	ret->input_format = strcmp(text_of(json, "inputFormat"), "y4m") == 0 ? INPUT_FORMAT_Y4M
									     : INPUT_FORMAT_ANY;
	ret->container = container_find(name);
	if (!ret->container) {
		snprintf(text, ORDER_TEXT_MAX, "there is no container %.20s: %s", name, list);
		return -EINVAL;
	}
	if (container_narrow(ret->container, &ret->params) < 0) {
		snprintf(text, ORDER_TEXT_MAX, "%s takes none of the codecs: %s",
			ret->container->name, list);
		return -EINVAL;
	}
	return 0;
}

/* --- the socket --- */

static void take_fds(struct msghdr *message, struct order *ret)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	if (c->cmsg_len >= CMSG_LEN(sizeof(int)))
		memcpy(&ret->input_fd, CMSG_DATA(c), sizeof(int));
	if (c->cmsg_len >= CMSG_LEN(2 * sizeof(int)))
		memcpy(&ret->output_fd, CMSG_DATA(c) + sizeof(int), sizeof(int));
}

static ssize_t receive(int socket, char *text, size_t size, struct order *ret)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct iovec iov = {text, size};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	take_fds(&message, ret);
	return message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EMSGSIZE : n;
}

static int wait_for(int socket, short events, int timeout_ms)
{
	struct pollfd fd = {.fd = socket, .events = events};
	int r;

	do
		r = poll(&fd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : r < 0 ? -errno : -ETIMEDOUT;
}

int order_receive(int socket, int timeout_ms, struct order *ret, char *text)
{
	char *buffer = malloc(ORDER_BYTES_MAX + 1);
	sd_json_variant *json = NULL;
	ssize_t n;
	int r = buffer ? wait_for(socket, POLLIN, timeout_ms) : -ENOMEM;

	*text = '\0';
	*ret = (struct order){.input_fd = -1, .output_fd = -1};
	n = r < 0 ? r : receive(socket, buffer, ORDER_BYTES_MAX, ret);
	if (n > 0) {
		buffer[n] = '\0';
		r = sd_json_parse(buffer, 0, &json, NULL, NULL);
		r = r < 0 ? -EPROTO : read_order(json, ret, text);
	} else {
		r = n < 0 ? (int)n : -ECONNRESET;
	}
	if (r == 0 && ret->output_fd < 0)
		r = -EPROTO;
	sd_json_variant_unref(json);
	free(buffer);
	return r;
}

void order_clear(struct order *order)
{
	if (order->input_fd >= 0)
		close(order->input_fd);
	if (order->output_fd >= 0)
		close(order->output_fd);
	*order = (struct order){.input_fd = -1, .output_fd = -1};
}

static int send_json(int socket, sd_json_variant *json)
{
	char *text = NULL;
	int r = sd_json_variant_format(json, 0, &text);

	if (r >= 0)
		r = send(socket, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
	free(text);
	return r;
}

void order_send_progress(int socket, const struct stream_progress *progress)
{
	sd_json_variant *json = NULL;

	if (sd_json_buildo(&json,
		    SD_JSON_BUILD_PAIR("progress",
			    SD_JSON_BUILD_OBJECT(SD_JSON_BUILD_PAIR_UNSIGNED(
							 "framesSubmitted", progress->frames_read),
				    SD_JSON_BUILD_PAIR_UNSIGNED(
					    "framesEncoded", progress->frames_written),
				    SD_JSON_BUILD_PAIR_UNSIGNED("bytes", progress->bytes)))) >= 0)
		(void)send_json(socket, json);
	sd_json_variant_unref(json);
}

int order_send_result(int socket, int timeout_ms, const struct stream_result *result)
{
	sd_json_variant *json = NULL;
	int r = stream_result_json(result, &json);

	if (r >= 0)
		r = wait_for(socket, POLLOUT, timeout_ms);
	if (r >= 0)
		r = send_json(socket, json);
	sd_json_variant_unref(json);
	return r;
}
