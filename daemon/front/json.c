// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Text, and the smaller structs, as JSON.
 */

#include "daemon/front/json.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/slot.h"
#include "vencd-config.h"

const char *name_or_unknown(const char *name)
{
	return name ? name : "unknown";
}

/* Bytes of the UTF-8 sequence that begins here; 0 where none does. */
static size_t sequence(const uint8_t *s)
{
	static const struct {
		uint8_t mask, lead, size;
		uint32_t min;
	} forms[] = {
		{0x80, 0x00, 1, 0},
		{0xe0, 0xc0, 2, 0x80},
		{0xf0, 0xe0, 3, 0x800},
		{0xf8, 0xf0, 4, 0x10000},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		uint32_t c = s[0] & (uint8_t)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t j = 1; j < forms[i].size; j++) {
			if ((s[j] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[j] & 0x3f);
		}
		return c < forms[i].min || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)
			? 0
			: forms[i].size;
	}
	return 0;
}

#define DELETE 0x7f /* sd-json writes it as it is, and refuses to read it */

int text_build(sd_json_variant **ret, const char *name, void *userdata)
{
	(void)name;
	return userdata ? text_new(userdata, ret) : sd_json_variant_new_null(ret);
}

int text_new(const char *text, sd_json_variant **ret)
{
	char *copy = strdup(text);
	int r;

	if (!copy)
		return -ENOMEM;
	for (uint8_t *s = (uint8_t *)copy; *s;) {
		size_t n = sequence(s);

		/* Some code points are no characters; sd-json refuses those, too. */
		if (n == 0 || *s == DELETE || (n == 1 && *s < ' ' && *s != '\n' && *s != '\t')) {
			*s = '?';
			n = 1;
		}
		s += n;
	}
	r = sd_json_variant_new_string(ret, copy);
	free(copy);
	return r;
}

int text_add(sd_json_variant **v, const char *field, const char *text)
{
	sd_json_variant *string = NULL;
	int r;

	if (!text[0])
		return 0;
	r = text_new(text, &string);
	if (r >= 0)
		r = sd_json_variant_set_field(v, field, string);
	sd_json_variant_unref(string);
	return r;
}

#define UNSIGNED(name, value) SD_JSON_BUILD_PAIR_UNSIGNED(name, value)
#define STRING(name, value) TEXT_PAIR(name, value)

int session_to_json(const struct wire_session *s, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	int r = sd_json_buildo(&v, UNSIGNED("id", s->id), UNSIGNED("uid", s->uid),
		STRING("outcome", name_or_unknown(vencd_outcome_name(s->outcome))),
		STRING("codec", name_or_unknown(vencd_codec_name(s->codec))),
		UNSIGNED("width", s->width), UNSIGNED("height", s->height),
		UNSIGNED("attempt", s->attempt), STRING("encoder", s->encoder),
		STRING("device", s->device), UNSIGNED("framesSubmitted", s->frames_submitted),
		UNSIGNED("framesEncoded", s->frames_encoded), UNSIGNED("bytes", s->bytes),
		UNSIGNED("createdUs", s->created_us), STRING("call", slot_call_name(s->call)),
		STRING("callState", slot_state_name(s->call_state)),
		UNSIGNED("callMs", s->call_ms));

	if (r >= 0)
		r = text_add(&v, "label", s->label);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

int quota_to_json(const struct wire_quota *q, sd_json_variant **ret)
{
	return sd_json_buildo(ret,
		SD_JSON_BUILD_PAIR_CONDITION(!q->whole, "uid", SD_JSON_BUILD_UNSIGNED(q->uid)),
		STRING("kind", q->kind), STRING("setting", q->setting), STRING("unit", q->unit),
		UNSIGNED("used", q->used), UNSIGNED("limit", q->limit),
		UNSIGNED("refused", q->refused));
}

typedef const char *(*name_fn)(uint32_t value);

static const char *format_name(uint32_t value)
{
	return vencd_pixel_format_name((enum vencd_pixel_format)value);
}

static const char *rate_control_name(uint32_t value)
{
	return vencd_rate_control_name((enum vencd_rate_control)value);
}

static const char *header_name(uint32_t value)
{
	static const char *const names[ENCODER_HEADER_MAX] = {
		[ENCODER_HEADER_SEQUENCE] = "sequence",
		[ENCODER_HEADER_PICTURE] = "picture",
		[ENCODER_HEADER_SLICE] = "slice",
		[ENCODER_HEADER_MISC] = "misc",
		[ENCODER_HEADER_RAW] = "raw",
	};

	return value < ENCODER_HEADER_MAX ? names[value] : NULL;
}

/* A set of bits, 1u << value, as an array of names. */
static int set_to_json(uint32_t bits, name_fn name, sd_json_variant **ret)
{
	char *names[32] = {0};
	size_t n = 0;

	for (uint32_t value = 1; value < 31; value++)
		if (bits & 1u << value && name(value))
			names[n++] = (char *)name(value);
	return sd_json_variant_new_array_strv(ret, names);
}

static int add_sets(sd_json_variant **v, const struct wire_device *d)
{
	sd_json_variant *formats = NULL, *file = NULL, *live = NULL;
	int r = set_to_json(d->formats, format_name, &formats);

	if (r >= 0)
		r = set_to_json(d->rate_controls[VENCD_LATENCY_FILE], rate_control_name, &file);
	if (r >= 0)
		r = set_to_json(d->rate_controls[VENCD_LATENCY_LIVE], rate_control_name, &live);
	if (r >= 0)
		r = sd_json_variant_merge_objectbo(v,
			SD_JSON_BUILD_PAIR_VARIANT("formats", formats),
			SD_JSON_BUILD_PAIR_OBJECT("rateControls",
				SD_JSON_BUILD_PAIR_VARIANT("file", file),
				SD_JSON_BUILD_PAIR_VARIANT("live", live)));
	sd_json_variant_unref(formats);
	sd_json_variant_unref(file);
	sd_json_variant_unref(live);
	return r;
}

/* Only a driver takes any, and only its probe knows which. */
static int add_headers(sd_json_variant **v, const struct wire_device *d)
{
	sd_json_variant *names = NULL;
	int r;

	if (!d->gpu.node[0] || d->probed_us == 0)
		return 0;
	r = set_to_json(d->packed_headers, header_name, &names);
	if (r >= 0)
		r = sd_json_variant_set_field(v, "packedHeaders", names);
	sd_json_variant_unref(names);
	return r;
}

static int add_probe(sd_json_variant **v, const struct wire_device *d)
{
	if (d->probed_us == 0)
		return 0;
	return sd_json_variant_merge_objectbo(v, UNSIGNED("probedUs", d->probed_us),
		UNSIGNED("probeMs", d->probe_ms), UNSIGNED("probeFrames", d->probe_frames),
		UNSIGNED("probeNeedsFrames", d->probe_needs_frames),
		UNSIGNED("pixelRate", d->pixel_rate),
		SD_JSON_BUILD_PAIR_BOOLEAN("probeCached", d->cached != 0));
}

static int add_limits(sd_json_variant **v, const struct wire_device *d)
{
	return sd_json_variant_merge_objectbo(v, UNSIGNED("minWidth", d->min_width),
		UNSIGNED("minHeight", d->min_height), UNSIGNED("maxWidth", d->max_width),
		UNSIGNED("maxHeight", d->max_height), UNSIGNED("sizeMultiple", d->size_multiple),
		SD_JSON_BUILD_PAIR_INTEGER("qualityMin", d->quality_min),
		SD_JSON_BUILD_PAIR_INTEGER("qualityMax", d->quality_max));
}

static int add_counters(sd_json_variant **v, const struct wire_device *d)
{
	return sd_json_variant_merge_objectbo(v,
		SD_JSON_BUILD_PAIR_BOOLEAN("probing", d->probing != 0),
		UNSIGNED("sessions", d->sessions), UNSIGNED("abandoned", d->abandoned),
		UNSIGNED("late", d->late), UNSIGNED("reclaimed", d->reclaimed),
		UNSIGNED("crashed", d->crashed), UNSIGNED("tainted", d->tainted),
		UNSIGNED("tombstones", d->tombstones), UNSIGNED("leakedThreads", d->leaked_threads),
		UNSIGNED("leakedFds", d->leaked_fds), UNSIGNED("leakedBytes", d->leaked_bytes),
		UNSIGNED("strikes", d->strikes), UNSIGNED("quarantines", d->quarantines),
		UNSIGNED("recycled", d->recycled));
}

int budgets_to_json(const struct wire_budget budgets[WIRE_BUDGETS], sd_json_variant **ret)
{
	sd_json_variant *list = NULL;
	int r = 0;

	for (size_t i = 0; i < WIRE_BUDGETS && r >= 0; i++)
		r = sd_json_variant_append_arraybo(&list, STRING("setting", budgets[i].setting),
			UNSIGNED("used", budgets[i].used), UNSIGNED("limit", budgets[i].limit));
	if (r < 0) {
		sd_json_variant_unref(list);
		return r;
	}
	*ret = list;
	return 0;
}

static int add_budgets(sd_json_variant **v, const struct wire_device *d)
{
	sd_json_variant *list = NULL;
	int r = budgets_to_json(d->budget, &list);

	if (r >= 0)
		r = sd_json_variant_set_field(v, "budgets", list);
	if (r >= 0 && d->parole_us)
		r = sd_json_variant_set_field_unsigned(v, "paroleUs", d->parole_us);
	sd_json_variant_unref(list);
	return r;
}

static int add_gpu(sd_json_variant **v, const struct wire_device *d)
{
	const struct wire_gpu *g = &d->gpu;
	sd_json_variant *gpu = NULL;
	int r;

	if (!g->node[0])
		return 0;
	r = sd_json_buildo(&gpu, STRING("node", g->node), STRING("driver", g->driver),
		STRING("driverVersion", g->driver_version), UNSIGNED("vendorId", g->vendor),
		UNSIGNED("deviceId", g->device), UNSIGNED("subsystemVendorId", g->subvendor),
		UNSIGNED("subsystemDeviceId", g->subdevice));
	if (r >= 0)
		r = sd_json_variant_set_field(v, "gpu", gpu);
	sd_json_variant_unref(gpu);
	return r;
}

int device_to_json(const struct wire_device *d, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	const char *codec = vencd_codec_name(d->codec);
	int r = sd_json_buildo(&v, STRING("device", d->device), STRING("backend", d->backend),
		STRING("encoder", d->encoder),
		SD_JSON_BUILD_PAIR_CONDITION(codec != NULL, "codec", SD_JSON_BUILD_STRING(codec)),
		STRING("state", device_state_name(d->state)));

	r = r < 0 ? r : text_add(&v, "version", d->version);
	r = r < 0 ? r : text_add(&v, "detail", d->detail);
	r = r < 0
		? r
		: text_add(&v, "advice", d->advice[0] ? d->advice : device_state_advice(d->state));
	r = r < 0 ? r : add_gpu(&v, d);
	r = r < 0 ? r : add_limits(&v, d);
	r = r < 0 ? r : add_sets(&v, d);
	r = r < 0 ? r : add_headers(&v, d);
	r = r < 0 ? r : add_probe(&v, d);
	r = r < 0 ? r : add_budgets(&v, d);
	r = r < 0 ? r : add_counters(&v, d);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

int wall_names_add(sd_json_variant **v, const char *field, uint32_t walls)
{
	sd_json_variant *list = NULL;
	int r = sd_json_variant_new_array(&list, NULL, 0);

	for (uint32_t wall = 1; wall < WALL_MAX && r >= 0; wall++)
		if (walls & WALL_BIT(wall))
			r = sd_json_variant_append_arrayb(
				&list, SD_JSON_BUILD_STRING(wall_name(wall)));
	if (r >= 0)
		r = sd_json_variant_set_field(v, field, list);
	sd_json_variant_unref(list);
	return r;
}

static int kind_to_json(const struct wire_walls *m, uint32_t kind, sd_json_variant **ret)
{
	const struct walls *walls = &m->kinds[kind];
	sd_json_variant *v = NULL;
	int r = sd_json_buildo(&v, STRING("kind", wall_kind_name(kind)),
		SD_JSON_BUILD_PAIR_CONDITION(walls->landlock_abi != 0, "landlockAbi",
			SD_JSON_BUILD_UNSIGNED(walls->landlock_abi)));

	r = r < 0 ? r : wall_names_add(&v, "standing", walls->standing);
	r = r < 0 ? r : wall_names_add(&v, "missing", walls_of_kind(kind) & ~walls->standing);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

int walls_to_json(const struct wire_walls *m, sd_json_variant **ret)
{
	sd_json_variant *v = NULL, *rows = NULL, *row = NULL;
	int r = sd_json_variant_new_array(&rows, NULL, 0);

	for (uint32_t kind = 1; kind < WALL_KIND_MAX && r >= 0; kind++) {
		if (!(m->seen >> kind & 1))
			continue;
		r = kind_to_json(m, kind, &row);
		r = r < 0 ? r : sd_json_variant_append_array(&rows, row);
		row = sd_json_variant_unref(row);
	}
	r = r < 0 ? r
		  : sd_json_buildo(&v, SD_JSON_BUILD_PAIR_VARIANT("walls", rows),
			    UNSIGNED("uid", m->uid), STRING("version", VENCD_VERSION),
			    SD_JSON_BUILD_PAIR_BOOLEAN("hardware", m->hardware != 0),
			    UNSIGNED("descriptors", m->descriptors));
	r = r < 0 ? r : text_add(&v, "driversPath", m->drivers_path);
	r = r < 0 ? r : text_add(&v, "driverName", m->driver_name);
	sd_json_variant_unref(rows);
	r = r < 0 ? r : wall_names_add(&v, "required", m->required);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

static int numbers_to_json(const uint64_t *numbers, size_t n, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = sd_json_variant_append_arrayb(&v, SD_JSON_BUILD_UNSIGNED(numbers[i]));
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

static int add_plane_numbers(sd_json_variant **v, const char *field, const uint32_t *numbers,
	const struct plane_layout *l)
{
	uint64_t wide[3] = {numbers[0], numbers[1], numbers[2]};
	sd_json_variant *array = NULL;
	int r = numbers_to_json(wide, l->planes, &array);

	if (r >= 0)
		r = sd_json_variant_set_field(v, field, array);
	sd_json_variant_unref(array);
	return r;
}

static int layout_to_json(const struct plane_layout *l, sd_json_variant **ret)
{
	sd_json_variant *v = NULL, *offsets = NULL;
	int r = numbers_to_json(l->offset, l->planes, &offsets);

	r = r < 0 ? r
		  : sd_json_buildo(&v, UNSIGNED("width", l->width), UNSIGNED("height", l->height),
			    STRING("format", name_or_unknown(format_name(l->format))),
			    UNSIGNED("planes", l->planes),
			    SD_JSON_BUILD_PAIR_VARIANT("offset", offsets),
			    UNSIGNED("slots", l->slots), UNSIGNED("slotSize", l->slot_size),
			    UNSIGNED("submitEntries", l->submit_entries),
			    UNSIGNED("attempts", l->attempts), UNSIGNED("dataSize", l->data_size));
	r = r < 0 ? r : add_plane_numbers(&v, "stride", l->stride, l);
	r = r < 0 ? r : add_plane_numbers(&v, "rows", l->rows, l);
	r = r < 0 ? r : add_plane_numbers(&v, "rowBytes", l->row_bytes, l);
	sd_json_variant_unref(offsets);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

int opened_to_json(const struct wire_opened *o, sd_json_variant **ret)
{
	sd_json_variant *layout = NULL;
	int r;

	if (o->layout.planes > 3)
		return -EPROTO;
	r = layout_to_json(&o->layout, &layout);
	if (r >= 0)
		r = sd_json_buildo(ret, UNSIGNED("id", o->id),
			SD_JSON_BUILD_PAIR_HEX("token", o->token, sizeof(o->token)),
			STRING("codec", name_or_unknown(vencd_codec_name(o->codec))),
			STRING("encoder", o->encoder), STRING("backend", o->backend),
			STRING("device", o->device), UNSIGNED("reorder", o->reorder),
			SD_JSON_BUILD_PAIR_VARIANT("layout", layout));
	sd_json_variant_unref(layout);
	return r;
}
