// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencctl devices: what can encode here and what it has proved, one row for each encoder, card by
 * card, with what went wrong there and what to do about it below it. What a card is called comes
 * from the host's own database of hardware, where there is one.
 */

#include <poll.h>
#include <string.h>
#include <systemd/sd-hwdb.h>
#include <time.h>

#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

#define PROBE_WAIT_MS 15000 /* a probe's own bound is 10 s */
#define PROBE_STEP_MS 50

/* What a backend is, for those who do not know its word. */
static const struct {
	const char *backend, *note;
} notes[] = {
	{"software", "encodes on the CPU, without a GPU"},
	{"null", "scripted, for tests: encodes nothing, used only where it is named"},
};

static const struct {
	const char *field, *one, *many;
} counters[] = {
	{"abandoned", "call given up", "calls given up"},
	{"late", "of them came back late", "of them came back late"},
	{"reclaimed", "process reclaimed", "processes reclaimed"},
	{"crashed", "process crashed", "processes crashed"},
	{"tainted", "process tainted now", "processes tainted now"},
	{"tombstones", "killed process that does not die", "killed processes that do not die"},
	{"leakedThreads", "thread leaked now", "threads leaked now"},
	{"leakedFds", "descriptor leaked now", "descriptors leaked now"},
	{"leakedBytes", "byte leaked now", "bytes leaked now"},
	{"strikes", "strike", "strikes"},
	{"quarantines", "quarantine", "quarantines"},
	{"recycled", "process recycled", "processes recycled"},
};

/* The words of a list, joined; "-" where there are none. */
static void join(char *ret, size_t size, sd_json_variant *object, const char *name)
{
	size_t n = field_count(object, name), used = 0;

	snprintf(ret, size, "-");
	for (size_t i = 0; i < n && used < size; i++) {
		sd_json_variant *v = field_element(object, name, i);
		const char *word = sd_json_variant_is_string(v) ? sd_json_variant_string(v) : "?";
		int added = snprintf(ret + used, size - used, "%s%s", i ? " " : "", word);

		used += added > 0 ? (size_t)added : 0;
	}
}

static void rate_controls(char *ret, size_t size, sd_json_variant *device)
{
	sd_json_variant *by_latency = sd_json_variant_by_key(device, "rateControls");
	char file[128], live[128];

	join(file, sizeof(file), by_latency, "file");
	join(live, sizeof(live), by_latency, "live");
	if (strcmp(file, live) == 0)
		snprintf(ret, size, "%s", file);
	else
		snprintf(ret, size, "%s; live: %s", file, live);
}

static void sizes(char *ret, size_t size, sd_json_variant *device)
{
	uint64_t multiple = field_number(device, "sizeMultiple");
	int n = snprintf(ret, size, "%llux%llu to %llux%llu",
		(unsigned long long)field_number(device, "minWidth"),
		(unsigned long long)field_number(device, "minHeight"),
		(unsigned long long)field_number(device, "maxWidth"),
		(unsigned long long)field_number(device, "maxHeight"));

	if (multiple > 1 && n > 0 && (size_t)n < size)
		snprintf(ret + n, size - (size_t)n, ", by %llu", (unsigned long long)multiple);
}

static int add_counters(struct table *table, sd_json_variant *device)
{
	char line[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		uint64_t n = field_number(device, counters[i].field);

		if (n > 0 && used < sizeof(line))
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%llu %s",
				used ? ", " : "", (unsigned long long)n,
				n == 1 ? counters[i].one : counters[i].many);
	}
	return used ? table_note(table, line) : 0;
}

/* "TombstonesMax 1 of 16" for each budget that something is taken from; "" for none. */
static void budgets(char *ret, size_t size, sd_json_variant *object)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < field_count(object, "budgets") && used < size; i++) {
		sd_json_variant *budget = field_element(object, "budgets", i);
		uint64_t held = field_number(budget, "used");

		if (held > 0)
			used += (size_t)snprintf(ret + used, size - used, "%s%s %llu of %llu",
				used ? ", " : "", field_text(budget, "setting"),
				(unsigned long long)held,
				(unsigned long long)field_number(budget, "limit"));
	}
}

static int add_budgets(struct table *table, sd_json_variant *device)
{
	char line[512], note[544];

	budgets(line, sizeof(line), device);
	snprintf(note, sizeof(note), "the device holds %s", line);
	return *line ? table_note(table, note) : 0;
}

static int add_parole(struct table *table, sd_json_variant *device)
{
	time_t seconds = (time_t)(field_number(device, "paroleUs") / 1000000);
	char note[64];
	struct tm tm;

	if (seconds == 0 || !localtime_r(&seconds, &tm))
		return 0;
	strftime(note, sizeof(note), "it is probed again at %F %T", &tm);
	return table_note(table, note);
}

/* "Navi 21 [Radeon RX 6800] of Advanced Micro Devices, Inc. [AMD/ATI]"; "" where unknown. */
static void name_card(char *ret, size_t size, sd_json_variant *gpu)
{
	const char *vendor = NULL, *model = NULL;
	char modalias[64];
	sd_hwdb *hwdb = NULL;

	ret[0] = '\0';
	snprintf(modalias, sizeof(modalias), "pci:v%08Xd%08X*",
		(unsigned)field_number(gpu, "vendorId"), (unsigned)field_number(gpu, "deviceId"));
	if (sd_hwdb_new(&hwdb) >= 0) {
		(void)sd_hwdb_get(hwdb, modalias, "ID_VENDOR_FROM_DATABASE", &vendor);
		(void)sd_hwdb_get(hwdb, modalias, "ID_MODEL_FROM_DATABASE", &model);
		if (vendor && model)
			snprintf(ret, size, "%s of %s, ", model, vendor);
	}
	sd_hwdb_unref(hwdb);
}

void devices_describe_card(char *ret, size_t size, sd_json_variant *device)
{
	sd_json_variant *gpu = sd_json_variant_by_key(device, "gpu");
	char name[256], ids[24] = "";

	name_card(name, sizeof(name), gpu);
	if (field_number(gpu, "vendorId"))
		snprintf(ids, sizeof(ids), "%04x:%04x, ", (unsigned)field_number(gpu, "vendorId"),
			(unsigned)field_number(gpu, "deviceId"));
	snprintf(ret, size, "%s%s%s %s, %s", name, ids,
		*field_text(gpu, "driver") ? field_text(gpu, "driver") : "no kernel driver",
		field_text(gpu, "driverVersion"), field_text(gpu, "node"));
}

static int add_card(struct table *table, sd_json_variant *device)
{
	char line[512];

	if (!sd_json_variant_by_key(device, "gpu"))
		return 0;
	devices_describe_card(line, sizeof(line), device);
	return table_note(table, line);
}

static int add_advice(struct table *table, sd_json_variant *device)
{
	char line[512];

	snprintf(line, sizeof(line), "to do: %s", field_text(device, "advice"));
	return *field_text(device, "advice") ? table_note(table, line) : 0;
}

static int add_headers(struct table *table, sd_json_variant *device)
{
	char names[128], line[160];

	if (!sd_json_variant_by_key(device, "packedHeaders"))
		return 0;
	join(names, sizeof(names), device, "packedHeaders");
	if (field_count(device, "packedHeaders") == 0)
		return table_note(table, "its driver writes all headers by itself");
	snprintf(line, sizeof(line), "headers that its driver takes: %s", names);
	return table_note(table, line);
}

static int add_notes(struct table *table, sd_json_variant *device)
{
	const char *backend = field_text(device, "backend");
	int r = 0;

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (r == 0 && strcmp(notes[i].backend, backend) == 0)
			r = table_note(table, notes[i].note);
	if (r == 0 && *field_text(device, "detail"))
		r = table_note(table, field_text(device, "detail"));
	r = r == 0 ? add_headers(table, device) : r;
	r = r == 0 ? add_advice(table, device) : r;
	r = r == 0 ? add_parole(table, device) : r;
	r = r == 0 ? add_counters(table, device) : r;
	return r == 0 ? add_budgets(table, device) : r;
}

static int add_device(struct table *table, sd_json_variant *device, bool first)
{
	const char *codec = field_text(device, "codec");
	char size[96], rates[288], sessions[24];
	char *cells[] = {(char *)field_text(device, "device"),
		(char *)field_text(device, "backend"), (char *)field_text(device, "encoder"),
		(char *)(*codec ? codec : "any"), (char *)field_text(device, "state"), sessions,
		size, rates, (char *)field_text(device, "version")};
	int r;

	snprintf(sessions, sizeof(sessions), "%llu",
		(unsigned long long)field_number(device, "sessions"));
	sizes(size, sizeof(size), device);
	rate_controls(rates, sizeof(rates), device);
	r = table_add(table, cells);
	if (r == 0 && first)
		r = add_card(table, device);
	return r == 0 ? add_notes(table, device) : r;
}

/* Whether a row before this one is of the same device. */
static bool is_known(sd_json_variant *reply, size_t row, const char *name)
{
	for (size_t i = 0; i < row; i++)
		if (!strcmp(field_text(field_element(reply, "devices", i), "device"), name))
			return true;
	return false;
}

/* All rows of the device whose first row this is. */
static int add_rows(struct table *table, sd_json_variant *reply, size_t first)
{
	const char *name = field_text(field_element(reply, "devices", first), "device");
	int r = 0;

	for (size_t i = first; r == 0 && i < field_count(reply, "devices"); i++) {
		sd_json_variant *device = field_element(reply, "devices", i);

		if (!strcmp(field_text(device, "device"), name))
			r = add_device(table, device, i == first);
	}
	return r;
}

/* A probe of what has been proved before keeps nobody from using it, so it is not waited for. */
static bool is_unknown_yet(sd_json_variant *device)
{
	const char *state = field_text(device, "state");

	return field_true(device, "probing") &&
		(!strcmp(state, "probing") || !strcmp(state, "untested"));
}

static bool anything_unknown(sd_json_variant *reply)
{
	for (size_t i = 0; i < field_count(reply, "devices"); i++)
		if (is_unknown_yet(field_element(reply, "devices", i)))
			return true;
	return false;
}

/*
 * A daemon that has just started, such as a private one, is still finding out what it has. Waits
 * for that, within a bound: what has no answer by then is shown as it is.
 */
int devices_ask(struct tool *tool, sd_json_variant **ret)
{
	for (int tries = PROBE_WAIT_MS / PROBE_STEP_MS;; tries--) {
		int r = tool_ask(tool, "ListDevices", NULL, ret);

		if (r || tries == 0 || !anything_unknown(*ret))
			return r;
		*ret = sd_json_variant_unref(*ret);
		poll(NULL, 0, PROBE_STEP_MS);
	}
}

/* "2026-10-01 12:00:00", or the word where there is no such time. */
static const char *name_time(char *ret, size_t size, uint64_t us, const char *word)
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;

	if (seconds == 0 || !localtime_r(&seconds, &tm))
		return word;
	strftime(ret, size, "%F %T", &tm);
	return ret;
}

static int add_evidence(struct table *table, sd_json_variant *e)
{
	sd_json_variant *psnr = sd_json_variant_by_key(e, "psnr");
	char size[48], ms[24], packets[24], decibels[24] = "-", when[32];
	char *cells[] = {(char *)field_text(e, "case"), (char *)field_text(e, "state"), size,
		(char *)field_text(e, "format"), packets, ms, decibels,
		(char *)name_time(when, sizeof(when), field_number(e, "atUs"), "-"),
		(char *)field_text(e, "status")};
	int r;

	snprintf(size, sizeof(size), "%llux%llu", (unsigned long long)field_number(e, "width"),
		(unsigned long long)field_number(e, "height"));
	snprintf(ms, sizeof(ms), "%llu ms", (unsigned long long)field_number(e, "ms"));
	snprintf(packets, sizeof(packets), "%llu of %llu",
		(unsigned long long)field_number(e, "packets"),
		(unsigned long long)field_number(e, "frames"));
	if (psnr)
		snprintf(decibels, sizeof(decibels), "%.1f dB", sd_json_variant_real(psnr));
	r = table_add(table, cells);
	return r == 0 && *field_text(e, "text") ? table_note(table, field_text(e, "text")) : r;
}

/* What the probes of one encoder showed, and when. */
static int print_proof(sd_json_variant *device)
{
	static const char *const heads[] = {
		"CASE", "STATE", "SIZE", "FORMAT", "PACKETS", "TIME", "PSNR", "AT", "STATUS", NULL};
	struct table table = {.heads = heads};
	char at[32];
	const char *when = name_time(at, sizeof(at), field_number(device, "probedUs"), NULL);
	int r = 0;

	if (field_count(device, "proof") == 0)
		return 0;
	printf("\nProof of %s on %s, %s, %s%s%s:\n", field_text(device, "encoder"),
		field_text(device, "device"), field_text(device, "state"),
		when ? "passed at " : "never passed", when ? when : "",
		field_true(device, "probeCached")
			? ", kept from before the daemon's start; its base was tried since"
			: "");
	for (size_t i = 0; r == 0 && i < field_count(device, "proof"); i++)
		r = add_evidence(&table, field_element(device, "proof", i));
	if (r == 0)
		table_print(&table, stdout);
	table_clear(&table);
	return r;
}

int devices_print_proofs(struct tool *tool, sd_json_variant *reply, const char *device)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < field_count(reply, "devices"); i++) {
		sd_json_variant *row = field_element(reply, "devices", i);

		if (!device || strcmp(field_text(row, "device"), device) == 0)
			r = print_proof(row);
	}
	return r ? tool_failed(tool, "cannot list what was proved", r) : TOOL_OK;
}

static int print_devices(struct tool *tool, sd_json_variant *reply)
{
	static const char *const heads[] = {"DEVICE", "BACKEND", "ENCODER", "CODEC", "STATE",
		"RUNNING", "SIZES", "RATE CONTROLS", "VERSION", NULL};
	struct table table = {.heads = heads};
	char line[512];
	int r = 0;

	for (size_t i = 0; r == 0 && i < field_count(reply, "devices"); i++)
		if (!is_known(reply, i, field_text(field_element(reply, "devices", i), "device")))
			r = add_rows(&table, reply, i);
	if (r == 0)
		table_print(&table, stdout);
	table_clear(&table);
	budgets(line, sizeof(line), reply);
	if (r == 0 && *line)
		printf("All devices together hold %s\n", line);
	return r ? tool_failed(tool, "cannot list the devices", r) : TOOL_OK;
}

int command_devices(struct tool *tool, int argc, char **argv)
{
	bool verbose = argc > 1 &&
		(strcmp(argv[1], "--verbose") == 0 || strcmp(argv[1], "-v") == 0);
	sd_json_variant *reply = NULL;
	int r;

	if (argc > 1 + verbose)
		return tool_usage("devices", "devices takes --verbose only: %s", argv[1 + verbose]);
	r = devices_ask(tool, &reply);
	if (r == 0)
		r = tool->json ? tool_print(tool, reply) : print_devices(tool, reply);
	if (r == 0 && verbose && !tool->json)
		r = devices_print_proofs(tool, reply, NULL);
	sd_json_variant_unref(reply);
	return r;
}
