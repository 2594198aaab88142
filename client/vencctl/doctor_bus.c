// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Properties of the daemon's unit, asked of systemd over the system's bus. Two calls of GetAll, of
 * which what the table names is kept. Nothing is started or loaded for good: systemd reads the unit
 * file, if it has not, and forgets it again.
 *
 * All of it has one deadline. sd-bus waits longer for a bus that accepts and says nothing, so the
 * connection is driven by hand until it is ready.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/vencctl/doctor_unit.h"

#define UNIT_ASK_MS 2000u
#define UNIT_PATH "/org/freedesktop/systemd1/unit/vencd_2eservice"
#define USEC_PER_MS 1000u

static const struct {
	const char *name, *signature;
} properties[UNIT_PROPERTIES] = {
	[UNIT_LOAD_STATE] = {"LoadState", "s"},
	[UNIT_ACTIVE_STATE] = {"ActiveState", "s"},
	[UNIT_USER] = {"User", "s"},
	[UNIT_GROUP] = {"Group", "s"},
	[UNIT_SUPPLEMENTARY_GROUPS] = {"SupplementaryGroups", "as"},
	[UNIT_PRIVATE_DEVICES] = {"PrivateDevices", "b"},
	[UNIT_DEVICE_POLICY] = {"DevicePolicy", "s"},
	[UNIT_DEVICE_ALLOW] = {"DeviceAllow", "a(ss)"},
	[UNIT_MEMORY_DENY_WRITE_EXECUTE] = {"MemoryDenyWriteExecute", "b"},
	[UNIT_RESTRICT_ADDRESS_FAMILIES] = {"RestrictAddressFamilies", "(bas)"},
	[UNIT_SYSTEM_CALL_FILTER] = {"SystemCallFilter", "(bas)"},
	[UNIT_PROC_SUBSET] = {"ProcSubset", "s"},
	[UNIT_PROTECT_PROC] = {"ProtectProc", "s"},
	[UNIT_LIMIT_NOFILE] = {"LimitNOFILE", "t"},
	[UNIT_TASKS_MAX] = {"TasksMax", "t"},
	[UNIT_MEMORY_MAX] = {"MemoryMax", "t"},
};

const char *unit_property_name(enum unit_property property)
{
	return properties[property].name;
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void unit_clear(struct unit *unit)
{
	for (int i = 0; i < UNIT_PROPERTIES; i++) {
		free(unit->value[i].text);
		free_list(unit->value[i].list);
	}
	*unit = (struct unit){0};
}

/* --- values, by their signature --- */

static int read_truth(sd_bus_message *m, struct unit_value *ret)
{
	int truth = 0, r = sd_bus_message_read(m, "b", &truth);

	ret->truth = truth;
	return r;
}

static int read_number(sd_bus_message *m, struct unit_value *ret)
{
	return sd_bus_message_read(m, "t", &ret->number);
}

static int read_text(sd_bus_message *m, struct unit_value *ret)
{
	const char *text;
	int r = sd_bus_message_read(m, "s", &text);

	if (r < 0)
		return r;
	ret->text = strdup(text);
	return ret->text ? 0 : -ENOMEM;
}

static int read_list(sd_bus_message *m, struct unit_value *ret)
{
	return sd_bus_message_read_strv(m, &ret->list);
}

static int read_filter(sd_bus_message *m, struct unit_value *ret)
{
	int r = sd_bus_message_enter_container(m, 'r', "bas");

	if (r >= 0)
		r = read_truth(m, ret);
	if (r >= 0)
		r = read_list(m, ret);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int append(char ***list, size_t n, const char *first, const char *second)
{
	char **grown = realloc(*list, (n + 2) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[n + 1] = NULL;
	if (asprintf(&grown[n], "%s %s", first, second) >= 0)
		return 0;
	grown[n] = NULL;
	return -ENOMEM;
}

static int read_pairs(sd_bus_message *m, struct unit_value *ret)
{
	const char *first, *second;
	size_t n = 0;
	int r = sd_bus_message_enter_container(m, 'a', "(ss)");

	while (r >= 0 && (r = sd_bus_message_read(m, "(ss)", &first, &second)) > 0)
		r = append(&ret->list, n++, first, second);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static const struct {
	const char *signature;
	int (*read)(sd_bus_message *m, struct unit_value *ret);
} readers[] = {
	{"b", read_truth},
	{"t", read_number},
	{"s", read_text},
	{"as", read_list},
	{"(bas)", read_filter},
	{"a(ss)", read_pairs},
};

static int read_value(sd_bus_message *m, const char *signature, struct unit_value *ret)
{
	int r = -EBADMSG;

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (strcmp(readers[i].signature, signature) == 0)
			r = readers[i].read(m, ret);
	ret->known = r >= 0;
	return r;
}

/* The rest of a dictionary's entry. A property of another type than it has today is not known. */
static int read_property(sd_bus_message *m, const char *name, struct unit *unit)
{
	const char *signature;
	char type;
	int r = sd_bus_message_peek_type(m, &type, &signature);

	if (r < 0)
		return r;
	for (int i = 0; i < UNIT_PROPERTIES && type == 'v'; i++) {
		if (strcmp(properties[i].name, name) != 0 || unit->value[i].known ||
			strcmp(properties[i].signature, signature) != 0)
			continue;
		r = sd_bus_message_enter_container(m, 'v', signature);
		if (r >= 0)
			r = read_value(m, properties[i].signature, &unit->value[i]);
		return r < 0 ? r : sd_bus_message_exit_container(m);
	}
	return sd_bus_message_skip(m, "v");
}

static int read_properties(sd_bus_message *m, struct unit *unit)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *name;

		r = sd_bus_message_read(m, "s", &name);
		if (r >= 0)
			r = read_property(m, name, unit);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : 0;
}

/* --- the bus --- */

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int wait_ready(sd_bus *bus, uint64_t deadline)
{
	for (;;) {
		uint64_t now = now_us();
		int r = sd_bus_is_ready(bus);

		if (r != 0)
			return r < 0 ? r : 0;
		if (now >= deadline)
			return -ETIMEDOUT;
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, deadline - now);
		if (r < 0 && r != -EINTR)
			return r;
	}
}

static int get_all(sd_bus *bus, const char *interface, uint64_t deadline, struct unit *unit,
	sd_bus_error *error)
{
	sd_bus_message *call = NULL, *reply = NULL;
	uint64_t now = now_us();
	int r = now < deadline ? 0 : -ETIMEDOUT;

	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, &call, "org.freedesktop.systemd1",
			UNIT_PATH, "org.freedesktop.DBus.Properties", "GetAll");
	if (r >= 0)
		r = sd_bus_message_append(call, "s", interface);
	if (r >= 0)
		r = sd_bus_call(bus, call, deadline - now, error, &reply);
	if (r >= 0)
		r = read_properties(reply, unit);
	sd_bus_message_unref(call);
	sd_bus_message_unref(reply);
	return r;
}

int unit_ask(struct unit *ret, char *text, size_t size)
{
	uint64_t deadline = now_us() + (uint64_t)UNIT_ASK_MS * USEC_PER_MS;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	*ret = (struct unit){0};
	if (r >= 0)
		r = wait_ready(bus, deadline);
	if (r >= 0)
		r = get_all(bus, "org.freedesktop.systemd1.Unit", deadline, ret, &error);
	if (r >= 0)
		r = get_all(bus, "org.freedesktop.systemd1.Service", deadline, ret, &error);
	if (r < 0)
		snprintf(text, size, "%s", error.message ? error.message : strerror(-r));
	sd_bus_error_free(&error);
	sd_bus_close_unref(bus);
	return r < 0 ? r : 0;
}
