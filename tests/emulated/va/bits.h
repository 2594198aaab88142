// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_BITS_H
#define VENCD_EMULATED_BITS_H

/* Bits and NAL units: what it takes to read a slice's header and to write another. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow. Once there is no memory they stay as they are, and `failed`. */
struct bytes {
	uint8_t *data;
	size_t size, room;
	bool failed;
};

void bytes_append(struct bytes *to, const void *data, size_t size);
void bytes_append_byte(struct bytes *to, uint8_t byte);
void bytes_clear(struct bytes *bytes);

/* Behind the last byte every bit is 0, and `overrun`. */
struct bit_reader {
	const uint8_t *data;
	size_t size, at; /* bytes; bits */
	bool overrun;
};

uint32_t bits_get(struct bit_reader *r, unsigned n); /* at most 32 */
uint32_t bits_get_ue(struct bit_reader *r);
int32_t bits_get_se(struct bit_reader *r);

/* Bits that do not fill a byte yet wait in `byte`. */
struct bit_writer {
	struct bytes *to;
	uint8_t byte;
	unsigned n;
};

void bits_put(struct bit_writer *w, unsigned n, uint32_t value);
void bits_put_ue(struct bit_writer *w, uint32_t value);
void bits_put_se(struct bit_writer *w, int32_t value);
/* Fills the byte with that bit. */
void bits_align(struct bit_writer *w, unsigned bit);
/* The rest of r, bit by bit where the two do not stand alike. */
void bits_copy(struct bit_writer *w, struct bit_reader *r);

struct nal {
	const uint8_t *data; /* from its header on */
	size_t size;
};

/* The next NAL unit of an Annex B stream, from *at on; false at its end. */
bool nal_next(const uint8_t *data, size_t size, size_t *at, struct nal *ret);
/* Without the bytes that prevent start codes. */
void nal_unescape(const struct nal *nal, struct bytes *ret);
/* A start code, and the payload with such bytes. */
void nal_append(struct bytes *to, const struct bytes *payload);

#endif
