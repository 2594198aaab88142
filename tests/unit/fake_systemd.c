// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * A bus with a systemd on it that knows one unit, for connections to the socket that is its stdin,
 * one after the other.
 *
 * usage: fake-systemd 'INTERFACE PROPERTY SIGNATURE [WORD...]'...
 *
 * "Unit LoadState s loaded"; "Service SystemCallFilter (bas) 1 ioctl read" is an allow-list of two.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "tests/unit/check.h"

struct description {
	int n;
	char **properties;
};

static const char *next(char **rest)
{
	const char *word = strtok_r(NULL, " ", rest);

	CHECK(word);
	return word;
}

static void append_list(sd_bus_message *m, char **rest)
{
	const char *word;

	CHECK(sd_bus_message_open_container(m, 'a', "s") >= 0);
	while ((word = strtok_r(NULL, " ", rest)))
		CHECK(sd_bus_message_append(m, "s", word) >= 0);
	CHECK(sd_bus_message_close_container(m) >= 0);
}

static void append_filter(sd_bus_message *m, char **rest)
{
	CHECK(sd_bus_message_open_container(m, 'r', "bas") >= 0);
	CHECK(sd_bus_message_append(m, "b", atoi(next(rest))) >= 0);
	append_list(m, rest);
	CHECK(sd_bus_message_close_container(m) >= 0);
}

static void append_pairs(sd_bus_message *m, char **rest)
{
	const char *word;

	CHECK(sd_bus_message_open_container(m, 'a', "(ss)") >= 0);
	while ((word = strtok_r(NULL, " ", rest)))
		CHECK(sd_bus_message_append(m, "(ss)", word, next(rest)) >= 0);
	CHECK(sd_bus_message_close_container(m) >= 0);
}

static void append_value(sd_bus_message *m, const char *signature, char **rest)
{
	if (strcmp(signature, "b") == 0) {
		CHECK(sd_bus_message_append(m, "b", atoi(next(rest))) >= 0);
	} else if (strcmp(signature, "t") == 0) {
		CHECK(sd_bus_message_append(m, "t", strtoull(next(rest), NULL, 10)) >= 0);
	} else if (strcmp(signature, "s") == 0) {
		const char *word = strtok_r(NULL, " ", rest);

		CHECK(sd_bus_message_append(m, "s", word ? word : "") >= 0);
	} else if (strcmp(signature, "as") == 0) {
		append_list(m, rest);
	} else if (strcmp(signature, "(bas)") == 0) {
		append_filter(m, rest);
	} else {
		CHECK(strcmp(signature, "a(ss)") == 0);
		append_pairs(m, rest);
	}
}

/* One entry of the dictionary, if it is of the interface. */
static void append_property(sd_bus_message *m, const char *interface, const char *property)
{
	char *copy = strdup(property), *rest;
	const char *kind = strtok_r(copy, " ", &rest), *dot = strrchr(interface, '.'), *signature;

	CHECK(copy && kind && dot);
	if (strcmp(dot + 1, kind) == 0) {
		CHECK(sd_bus_message_open_container(m, 'e', "sv") >= 0);
		CHECK(sd_bus_message_append(m, "s", next(&rest)) >= 0);
		signature = next(&rest);
		CHECK(sd_bus_message_open_container(m, 'v', signature) >= 0);
		append_value(m, signature, &rest);
		CHECK(sd_bus_message_close_container(m) >= 0);
		CHECK(sd_bus_message_close_container(m) >= 0);
	}
	free(copy);
}

static int reply_properties(sd_bus_message *call, const struct description *unit)
{
	const char *interface, *path = sd_bus_message_get_path(call);
	sd_bus_message *reply = NULL;

	CHECK(strcmp(path, "/org/freedesktop/systemd1/unit/vencd_2eservice") == 0);
	CHECK(sd_bus_message_read(call, "s", &interface) > 0);
	CHECK(sd_bus_message_new_method_return(call, &reply) >= 0);
	CHECK(sd_bus_message_open_container(reply, 'a', "{sv}") >= 0);
	for (int i = 0; i < unit->n; i++)
		append_property(reply, interface, unit->properties[i]);
	CHECK(sd_bus_message_close_container(reply) >= 0);
	CHECK(sd_bus_send(NULL, reply, NULL) >= 0);
	sd_bus_message_unref(reply);
	return 1;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "Hello"))
		return sd_bus_reply_method_return(m, "s", ":1.1");
	if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "GetAll"))
		return reply_properties(m, userdata);
	return 0;
}

static void serve(int fd, struct description *unit)
{
	sd_bus *bus = NULL;
	int r = 0;

	CHECK(sd_bus_new(&bus) >= 0);
	CHECK(sd_bus_set_fd(bus, fd, fd) >= 0);
	CHECK(sd_bus_set_server(bus, 1,
		      SD_ID128_MAKE(00, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee,
			      ff)) >= 0);
	CHECK(sd_bus_start(bus) >= 0);
	CHECK(sd_bus_add_filter(bus, NULL, on_message, unit) >= 0);
	while (r >= 0) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	}
	sd_bus_unref(bus);
}

int main(int argc, char **argv)
{
	struct description unit = {argc - 1, argv + 1};
	int fd;

	while ((fd = accept(STDIN_FILENO, NULL, NULL)) >= 0)
		serve(fd, &unit);
	return 1;
}
