// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Bits in the order of H.264 and HEVC, Exp-Golomb numbers, and NAL units in Annex B. Reading never
 * goes beyond the data, writing never ends a program: both remember that they failed.
 */

#include "tests/emulated/va/bits.h"

#include <stdlib.h>
#include <string.h>

static bool bytes_reserve(struct bytes *b, size_t more)
{
	size_t room = b->room ? b->room : 4096;
	uint8_t *data;

	while (room < b->size + more)
		room *= 2;
	if (room == b->room)
		return true;
	data = realloc(b->data, room);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->room = room;
	return true;
}

void bytes_append(struct bytes *to, const void *data, size_t size)
{
	if (to->failed || !bytes_reserve(to, size))
		return;
	if (size)
		memcpy(to->data + to->size, data, size);
	to->size += size;
}

void bytes_append_byte(struct bytes *to, uint8_t byte)
{
	bytes_append(to, &byte, 1);
}

void bytes_clear(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

static unsigned get_bit(struct bit_reader *r)
{
	unsigned bit;

	if (r->at >= r->size * 8) {
		r->overrun = true;
		return 0;
	}
	bit = r->data[r->at / 8] >> (7 - r->at % 8) & 1;
	r->at++;
	return bit;
}

uint32_t bits_get(struct bit_reader *r, unsigned n)
{
	uint32_t value = 0;

	while (n--)
		value = value << 1 | get_bit(r);
	return value;
}

uint32_t bits_get_ue(struct bit_reader *r)
{
	unsigned zeros = 0;

	while (!r->overrun && zeros < 32 && !get_bit(r))
		zeros++;
	return zeros < 32 ? ((1u << zeros) - 1) + bits_get(r, zeros) : 0;
}

int32_t bits_get_se(struct bit_reader *r)
{
	uint32_t k = bits_get_ue(r);

	return k & 1 ? (int32_t)(k / 2 + 1) : -(int32_t)(k / 2);
}

void bits_put(struct bit_writer *w, unsigned n, uint32_t value)
{
	while (n--) {
		w->byte = (uint8_t)(w->byte << 1 | (value >> n & 1));
		if (++w->n < 8)
			continue;
		bytes_append_byte(w->to, w->byte);
		w->byte = 0;
		w->n = 0;
	}
}

void bits_put_ue(struct bit_writer *w, uint32_t value)
{
	unsigned bits = 0;

	while ((value + 1) >> (bits + 1))
		bits++;
	bits_put(w, bits, 0);
	bits_put(w, bits + 1, value + 1);
}

void bits_put_se(struct bit_writer *w, int32_t value)
{
	bits_put_ue(w, value > 0 ? (uint32_t)value * 2 - 1 : (uint32_t)-value * 2);
}

void bits_align(struct bit_writer *w, unsigned bit)
{
	while (w->n)
		bits_put(w, 1, bit);
}

void bits_copy(struct bit_writer *w, struct bit_reader *r)
{
	if (!w->n && r->at % 8 == 0) {
		bytes_append(w->to, r->data + r->at / 8, r->size - r->at / 8);
		r->at = r->size * 8;
	}
	while (r->at < r->size * 8)
		bits_put(w, 1, get_bit(r));
}

/* Where the next 00 00 01 begins, or size. */
static size_t find_start(const uint8_t *data, size_t size, size_t at)
{
	for (; at + 3 <= size; at++)
		if (!data[at] && !data[at + 1] && data[at + 2] == 1)
			return at;
	return size;
}

bool nal_next(const uint8_t *data, size_t size, size_t *at, struct nal *ret)
{
	size_t start = find_start(data, size, *at), end;

	if (start == size)
		return false;
	start += 3;
	end = find_start(data, size, start);
	*at = end;
	while (end > start && !data[end - 1]) /* zeros before the next start code */
		end--;
	*ret = (struct nal){data + start, end - start};
	return true;
}

void nal_unescape(const struct nal *nal, struct bytes *ret)
{
	unsigned zeros = 0;

	for (size_t i = 0; i < nal->size; i++) {
		if (zeros >= 2 && nal->data[i] == 3) {
			zeros = 0;
			continue;
		}
		zeros = nal->data[i] ? 0 : zeros + 1;
		bytes_append_byte(ret, nal->data[i]);
	}
}

void nal_append(struct bytes *to, const struct bytes *payload)
{
	static const uint8_t start[] = {0, 0, 0, 1};
	unsigned zeros = 0;

	bytes_append(to, start, sizeof(start));
	for (size_t i = 0; i < payload->size; i++) {
		uint8_t byte = payload->data[i];

		if (zeros >= 2 && byte <= 3) {
			bytes_append_byte(to, 3);
			zeros = 0;
		}
		zeros = byte ? 0 : zeros + 1;
		bytes_append_byte(to, byte);
	}
	to->failed |= payload->failed;
}
