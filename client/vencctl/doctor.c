// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencctl doctor: whether all is as it should be, and what to do where it is not. Findings are made
 * from what the daemon says of itself; nothing is tried or changed here. What is a matter of taste
 * or of another kernel is a note; what costs safety or encoders is bad, and makes the exit code 1.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "client/vencctl/doctor.h"
#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

#define ABI_OF_SCOPES 6u /* Linux 6.12 */

static const struct {
	const char *name, *mark;
	enum colour colour;
} states[] = {
	[STATE_GOOD] = {"good", "ok", COLOUR_GOOD},
	[STATE_NOTE] = {"note", "--", COLOUR_WARNING},
	[STATE_BAD] = {"bad", "!!", COLOUR_BAD},
};

/* What a kernel may lack; the other walls stand on every kernel, or the child ends. */
static const struct {
	const char *wall, *advice;
} wall_advice[] = {
	{"landlock", "use a kernel with CONFIG_SECURITY_LANDLOCK and landlock in its lsm= list"},
	{"seccomp", "use a kernel with CONFIG_SECCOMP_FILTER, on x86-64, arm64 or riscv64"},
};

static const char *const always_there[] = {"vencd-front", "vencd-worker", "vencd-stream"};

void findings_add(struct findings *f, enum finding_state state, const char *subject,
	const char *advice, const char *format, ...)
{
	struct finding *finding;
	va_list ap;

	if (state > f->worst)
		f->worst = state;
	if (f->n == FINDINGS_MAX)
		return;
	finding = &f->finding[f->n++];
	finding->state = state;
	snprintf(finding->advice, sizeof(finding->advice), "%s", advice);
	snprintf(finding->subject, sizeof(finding->subject), "%s", subject);
	va_start(ap, format);
	vsnprintf(finding->text, sizeof(finding->text), format, ap);
	va_end(ap);
}

/* Walls */

static void join(char ret[static TEXT_MAX], sd_json_variant *object, const char *name)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < field_count(object, name) && used < TEXT_MAX; i++) {
		sd_json_variant *v = field_element(object, name, i);

		used += (size_t)snprintf(ret + used, TEXT_MAX - used, "%s%s", i ? " " : "",
			sd_json_variant_is_string(v) ? sd_json_variant_string(v) : "?");
	}
}

static const char *advice_of(const char *missing)
{
	for (size_t i = 0; i < sizeof(wall_advice) / sizeof(wall_advice[0]); i++)
		if (strstr(missing, wall_advice[i].wall))
			return wall_advice[i].advice;
	return "this vencctl knows nothing of it; use one of the daemon's version";
}

static void check_kind(struct findings *f, sd_json_variant *row)
{
	char standing[TEXT_MAX], missing[TEXT_MAX];
	const char *kind = field_text(row, "kind");
	uint64_t abi = field_number(row, "landlockAbi");

	join(standing, row, "standing");
	join(missing, row, "missing");
	if (*missing)
		findings_add(f, STATE_BAD, kind, advice_of(missing),
			"lacks a wall: %s; behind: %.150s", missing, standing);
	else
		findings_add(f, STATE_GOOD, kind, "", "behind: %.200s (Landlock ABI %llu)",
			standing, (unsigned long long)abi);
	if (abi > 0 && abi < ABI_OF_SCOPES)
		findings_add(f, STATE_NOTE, kind, "Linux 6.12 has all of it",
			"Landlock is of ABI %llu and holds back no signals",
			(unsigned long long)abi);
}

static bool has_kind(sd_json_variant *reply, const char *kind)
{
	for (size_t i = 0; i < field_count(reply, "walls"); i++)
		if (strcmp(field_text(field_element(reply, "walls", i), "kind"), kind) == 0)
			return true;
	return false;
}

static void check_walls(struct findings *f, sd_json_variant *reply)
{
	char required[TEXT_MAX];

	for (size_t i = 0; i < field_count(reply, "walls"); i++)
		check_kind(f, field_element(reply, "walls", i));
	for (size_t i = 0; i < sizeof(always_there) / sizeof(always_there[0]); i++)
		if (!has_kind(reply, always_there[i]))
			findings_add(f, STATE_NOTE, always_there[i], "ask again in a moment",
				"none has been started yet");
	join(required, reply, "required");
	findings_add(f, STATE_GOOD, "RequireWalls", "", "%s",
		*required ? required : "empty: children go on without a wall that is lacking");
}

/* Encoders */

static bool is_for_tests(sd_json_variant *device)
{
	return strcmp(field_text(device, "backend"), "null") == 0;
}

/* Of an encoder that takes no work: whether that is as it should be. */
static bool is_of_no_concern(const char *state)
{
	static const char *const words[] = {"absent", "disabled", "unsupported"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], state) == 0)
			return true;
	return false;
}

static bool is_usable(const char *state)
{
	return strcmp(state, "proven") == 0 || strcmp(state, "degraded") == 0;
}

static void check_device(struct findings *f, sd_json_variant *device)
{
	const char *encoder = field_text(device, "encoder"), *state = field_text(device, "state");
	bool proven = strcmp(state, "proven") == 0;
	enum finding_state unproven = is_of_no_concern(state) || is_usable(state) ? STATE_NOTE
										  : STATE_BAD;
	const char *more = field_text(device, proven ? "version" : "detail");

	if (is_for_tests(device))
		return;
	findings_add(f, proven ? STATE_GOOD : unproven, encoder, field_text(device, "advice"),
		"%s on %s%s%.180s", state, field_text(device, "device"), *more ? ": " : "", more);
}

/* A host may do well without hardware; that it has none, the exit code says. */
static void check_any(struct findings *f, size_t usable, size_t hardware)
{
	if (usable == 0)
		findings_add(f, STATE_BAD, "encoders", "see SoftwareEncoders in vencd.conf(5)",
			"none is usable: every request is refused");
	if (hardware == 0)
		findings_add(f, STATE_BAD, "hardware", "see the findings about GPUs",
			"no hardware encoder is usable%s",
			usable ? ": what is encoded, is encoded on the CPU" : "");
	else
		findings_add(f, STATE_GOOD, "hardware", "", "%zu hardware encoders are usable",
			hardware);
}

static void check_devices(struct findings *f, sd_json_variant *reply)
{
	size_t usable = 0, hardware = 0;

	for (size_t i = 0; i < field_count(reply, "devices"); i++) {
		sd_json_variant *device = field_element(reply, "devices", i);

		check_device(f, device);
		if (is_for_tests(device) || !is_usable(field_text(device, "state")))
			continue;
		usable++;
		hardware += sd_json_variant_by_key(device, "gpu") != NULL;
	}
	check_any(f, usable, hardware);
}

/* All of it */

static void check_daemon(struct findings *f, struct tool *tool)
{
	const char *socket = tool->socket ? tool->socket : getenv("VENCD_SOCKET");
	sd_json_variant *walls = NULL, *devices = NULL;
	int r = devices_ask(tool, &devices);

	/* Those of the worker are known when something was probed. */
	r = r ? r : tool_ask(tool, "GetWalls", NULL, &walls);
	doctor_check_host(f, devices, walls);
	if (!tool->private)
		doctor_check_unit(f);
	if (r) {
		findings_add(f, STATE_BAD, "daemon", "start it, or give the right --socket",
			"does not answer as it should");
	} else {
		findings_add(f, STATE_GOOD, "daemon", "",
			"vencd %s answers at %.100s, runs as uid %llu",
			field_text(walls, "version"),
			tool->private    ? "a private connection"
				: socket ? socket
					 : "its socket",
			(unsigned long long)field_number(walls, "uid"));
		check_walls(f, walls);
		check_devices(f, devices);
	}
	sd_json_variant_unref(walls);
	sd_json_variant_unref(devices);
}

static void check_kernel(struct findings *f)
{
	struct utsname host;

	if (uname(&host) == 0)
		findings_add(f, STATE_GOOD, "kernel", "", "%s %s on %s", host.sysname, host.release,
			host.machine);
}

static void print_findings(const struct findings *f)
{
	char text[TEXT_MAX];

	for (size_t i = 0; i < f->n; i++) {
		const struct finding *finding = &f->finding[i];

		printf("%s%s%s %-13s %s\n", colour_of(stdout, states[finding->state].colour),
			states[finding->state].mark, colour_of(stdout, COLOUR_NONE),
			finding->subject, plain_text(text, sizeof(text), finding->text));
		if (*finding->advice)
			printf("   %-13s to do: %s\n", "", finding->advice);
	}
	puts(f->worst == STATE_BAD ? "\nNot all is well." : "\nAll is well.");
}

static int print_json(const struct tool *tool, const struct findings *f)
{
	sd_json_variant *rows = NULL, *v = NULL;
	int r = sd_json_variant_new_array(&rows, NULL, 0);

	for (size_t i = 0; i < f->n && r >= 0; i++) {
		const struct finding *finding = &f->finding[i];

		r = sd_json_variant_append_arraybo(&rows,
			SD_JSON_BUILD_PAIR_STRING("subject", finding->subject),
			SD_JSON_BUILD_PAIR_STRING("state", states[finding->state].name),
			SD_JSON_BUILD_PAIR_STRING("text", finding->text),
			SD_JSON_BUILD_PAIR_CONDITION(*finding->advice != '\0', "advice",
				SD_JSON_BUILD_STRING(finding->advice)));
	}
	r = r < 0 ? r
		  : sd_json_buildo(&v, SD_JSON_BUILD_PAIR_BOOLEAN("healthy", f->worst != STATE_BAD),
			    SD_JSON_BUILD_PAIR_VARIANT("findings", rows));
	r = r < 0 ? tool_failed(tool, "cannot make the list of findings", r) : tool_print(tool, v);
	sd_json_variant_unref(rows);
	sd_json_variant_unref(v);
	return r;
}

int command_doctor(struct tool *tool, int argc, char **argv)
{
	static struct findings findings;
	int r = TOOL_OK;

	if (argc > 1)
		return tool_usage("doctor", "doctor takes no arguments: %s", argv[1]);
	check_kernel(&findings);
	check_daemon(&findings, tool);
	if (tool->json)
		r = print_json(tool, &findings);
	else
		print_findings(&findings);
	return r ? r : findings.worst == STATE_BAD ? TOOL_ERROR : TOOL_OK;
}
