// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Proofs as text: JSON, one object with the number of its format and an array of records. Each part
 * of a record is a table of fields, which is read in both directions, so that what is written is
 * what is taken. Enums stand there as numbers: the key has the version of the program that gives
 * them their meaning.
 *
 * A text is not trusted, though it is our own: each number has its range, each text its size, and
 * one mistake refuses all of it. What a record says of the reach is narrowed by who uses it.
 */

#include "daemon/proof_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-json.h>

#define FORMAT 2

enum field_type {
	FIELD_END,
	FIELD_U32,
	FIELD_U64,
	FIELD_TEXT,
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset, size;
};

#define U32(type, name, member) {name, FIELD_U32, offsetof(struct type, member), 0}
#define U64(type, name, member) {name, FIELD_U64, offsetof(struct type, member), 0}
#define TEXT(type, name, member) \
	{name, FIELD_TEXT, offsetof(struct type, member), sizeof(((struct type *)NULL)->member)}

static const struct field key_fields[] = {
	TEXT(proof_key, "encoder", encoder),
	TEXT(proof_key, "device", device),
	U32(proof_key, "vendorId", vendor),
	U32(proof_key, "deviceId", product),
	U32(proof_key, "subsystemVendorId", subvendor),
	U32(proof_key, "subsystemDeviceId", subproduct),
	TEXT(proof_key, "driver", driver),
	TEXT(proof_key, "driverVersion", driver_version),
	TEXT(proof_key, "kernel", kernel),
	TEXT(proof_key, "driverEnvironment", environment),
	TEXT(proof_key, "driverLibraries", libraries),
	TEXT(proof_key, "vencd", vencd),
	U32(proof_key, "cases", cases),
	{NULL},
};

static const struct field record_fields[] = {
	TEXT(proof_record, "version", version),
	U64(proof_record, "provedUs", proved_us),
	U32(proof_record, "ms", ms),
	U32(proof_record, "frames", frames),
	U32(proof_record, "needsFrames", needs_frames),
	U64(proof_record, "pixelRate", pixel_rate),
	{NULL},
};

static const struct field reach_fields[] = {
	U32(encoder_reach, "minWidth", min_width),
	U32(encoder_reach, "minHeight", min_height),
	U32(encoder_reach, "maxWidth", max_width),
	U32(encoder_reach, "maxHeight", max_height),
	U32(encoder_reach, "sizeMultiple", size_multiple),
	U32(encoder_reach, "formats", formats),
	U32(encoder_reach, "formatsConverted", formats_converted),
	U32(encoder_reach, "rateControlsFile", rate_controls[VENCD_LATENCY_FILE]),
	U32(encoder_reach, "rateControlsLive", rate_controls[VENCD_LATENCY_LIVE]),
	U32(encoder_reach, "bFrames", b_frames),
	U32(encoder_reach, "packedHeaders", packed_headers),
	{NULL},
};

static const struct field evidence_fields[] = {
	TEXT(proof_evidence, "case", asked.name),
	U32(proof_evidence, "subject", asked.subject),
	U32(proof_evidence, "width", asked.width),
	U32(proof_evidence, "height", asked.height),
	U32(proof_evidence, "format", asked.format),
	U32(proof_evidence, "rateControl", asked.rate_control),
	U32(proof_evidence, "latency", asked.latency),
	U32(proof_evidence, "bFrames", asked.b_frames),
	U32(proof_evidence, "frames", asked.frames),
	U32(proof_evidence, "forced", asked.forced),
	U64(proof_evidence, "atUs", at_us),
	U32(proof_evidence, "state", state),
	U32(proof_evidence, "status", status),
	U32(proof_evidence, "ms", ms),
	U32(proof_evidence, "packets", packets),
	U32(proof_evidence, "keyframes", keyframes),
	U32(proof_evidence, "needsFrames", needs_frames),
	U32(proof_evidence, "psnr", psnr),
	U32(proof_evidence, "bytes", bytes),
	TEXT(proof_evidence, "text", text),
	{NULL},
};

const char *proof_key_difference(const struct proof_key *a, const struct proof_key *b)
{
	for (const struct field *f = key_fields; f->name; f++) {
		const char *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;

		if (f->type == FIELD_TEXT ? strcmp(x, y) != 0 : memcmp(x, y, sizeof(uint32_t)) != 0)
			return f->name;
	}
	return NULL;
}

/* --- to text --- */

/* A worker's words may be no text at all; JSON is. */
static int put_text(sd_json_variant **v, const char *name, const char *text, size_t size)
{
	char clean[256];
	size_t n = 0;

	for (; n < size && n + 1 < sizeof(clean) && text[n]; n++)
		clean[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	clean[n] = '\0';
	return sd_json_variant_set_field_string(v, name, clean);
}

/* Adds the fields of an object to *v. */
static int put_fields(sd_json_variant **v, const struct field *f, const void *object)
{
	int r = 0;

	for (; f->name && r >= 0; f++) {
		const char *from = (const char *)object + f->offset;

		if (f->type == FIELD_TEXT)
			r = put_text(v, f->name, from, f->size);
		else
			r = sd_json_variant_set_field_unsigned(v, f->name,
				f->type == FIELD_U32 ? *(const uint32_t *)(const void *)from
						     : *(const uint64_t *)(const void *)from);
	}
	return r;
}

static int put_object(
	sd_json_variant **v, const char *name, const struct field *fields, const void *object)
{
	sd_json_variant *part = NULL;
	int r = put_fields(&part, fields, object);

	r = r < 0 ? r : sd_json_variant_set_field(v, name, part);
	sd_json_variant_unref(part);
	return r;
}

static int put_cases(sd_json_variant **v, const struct proof *proof)
{
	sd_json_variant *cases = NULL;
	int r = 0;

	for (unsigned i = 0; i < proof->n && r >= 0; i++) {
		sd_json_variant *one = NULL;

		r = put_fields(&one, evidence_fields, &proof->cases[i]);
		r = r < 0 ? r : sd_json_variant_append_array(&cases, one);
		sd_json_variant_unref(one);
	}
	r = r < 0 ? r : sd_json_variant_set_field(v, "proof", cases);
	sd_json_variant_unref(cases);
	return r;
}

static int put_record(sd_json_variant **array, const struct proof_record *record)
{
	sd_json_variant *v = NULL;
	int r = put_object(&v, "key", key_fields, &record->key);

	r = r < 0 ? r : put_fields(&v, record_fields, record);
	r = r < 0 ? r : put_object(&v, "reach", reach_fields, &record->reach);
	r = r < 0 ? r : put_cases(&v, &record->proof);
	r = r < 0 ? r : sd_json_variant_append_array(array, v);
	sd_json_variant_unref(v);
	return r;
}

int proof_records_to_text(const struct proof_record *records, unsigned n, char **ret)
{
	sd_json_variant *v = NULL, *array = NULL;
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (unsigned i = 0; i < n && r >= 0; i++)
		r = put_record(&array, &records[i]);
	r = r < 0 ? r : sd_json_variant_set_field_unsigned(&v, "format", FORMAT);
	r = r < 0 ? r : sd_json_variant_set_field(&v, "encoders", array);
	r = r < 0 ? r : sd_json_variant_format(v, SD_JSON_FORMAT_NEWLINE, ret);
	sd_json_variant_unref(array);
	sd_json_variant_unref(v);
	return r < 0 ? r : 0;
}

/* --- from text --- */

static bool take_text(sd_json_variant *v, char *to, size_t size)
{
	const char *text = v && sd_json_variant_is_string(v) ? sd_json_variant_string(v) : NULL;

	if (!text || strlen(text) >= size)
		return false;
	strcpy(to, text);
	return true;
}

static bool take_fields(sd_json_variant *object, const struct field *f, void *ret)
{
	for (; f->name; f++) {
		sd_json_variant *v = sd_json_variant_by_key(object, f->name);
		char *to = (char *)ret + f->offset;
		uint64_t n;

		if (f->type == FIELD_TEXT) {
			if (!take_text(v, to, f->size))
				return false;
			continue;
		}
		if (!v || !sd_json_variant_is_unsigned(v))
			return false;
		n = sd_json_variant_unsigned(v);
		if (f->type == FIELD_U64)
			memcpy(to, &n, sizeof(n));
		else if (n > UINT32_MAX)
			return false;
		else
			memcpy(to, &(uint32_t){(uint32_t)n}, sizeof(uint32_t));
	}
	return true;
}

/* What has passed, or failed by itself: nothing else is kept. */
static bool take_case(sd_json_variant *v, struct proof_evidence *ret)
{
	return take_fields(v, evidence_fields, ret) && ret->asked.subject < PROOF_SUBJECT_MAX &&
		ret->status < ENCODER_STATUS_MAX &&
		(ret->state == PROOF_PASSED || ret->state == PROOF_FAILED);
}

static bool take_cases(sd_json_variant *array, struct proof *ret)
{
	if (!array || !sd_json_variant_is_array(array) ||
		sd_json_variant_elements(array) > PROOF_CASES_MAX)
		return false;
	for (; ret->n < sd_json_variant_elements(array); ret->n++)
		if (!take_case(sd_json_variant_by_index(array, ret->n), &ret->cases[ret->n]))
			return false;
	return ret->n > 0 && ret->cases[0].state == PROOF_PASSED;
}

static bool take_record(sd_json_variant *v, struct proof_record *ret)
{
	const struct encoder_reach *reach = &ret->reach;

	return take_fields(sd_json_variant_by_key(v, "key"), key_fields, &ret->key) &&
		take_fields(v, record_fields, ret) &&
		take_fields(sd_json_variant_by_key(v, "reach"), reach_fields, &ret->reach) &&
		take_cases(sd_json_variant_by_key(v, "proof"), &ret->proof) &&
		reach->min_width <= reach->max_width && reach->min_height <= reach->max_height;
}

static int take_all(sd_json_variant *v, unsigned max, struct proof_record **ret, unsigned *ret_n)
{
	sd_json_variant *format = sd_json_variant_by_key(v, "format");
	sd_json_variant *array = sd_json_variant_by_key(v, "encoders");
	struct proof_record *records;
	unsigned n = 0;

	if (!format || !sd_json_variant_is_unsigned(format))
		return -EBADMSG;
	if (sd_json_variant_unsigned(format) != FORMAT)
		return -EPROTONOSUPPORT;
	if (!array || !sd_json_variant_is_array(array) || sd_json_variant_elements(array) > max)
		return -EBADMSG;
	records = calloc(max, sizeof(*records));
	if (!records)
		return -ENOMEM;
	for (; n < sd_json_variant_elements(array); n++)
		if (!take_record(sd_json_variant_by_index(array, n), &records[n])) {
			free(records);
			return -EBADMSG;
		}
	*ret = records;
	*ret_n = n;
	return 0;
}

int proof_records_from_text(
	const char *text, unsigned max, struct proof_record **ret, unsigned *ret_n)
{
	sd_json_variant *v = NULL;
	int r = sd_json_parse(text, 0, &v, NULL, NULL);

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	r = take_all(v, max, ret, ret_n);
	sd_json_variant_unref(v);
	return r;
}
