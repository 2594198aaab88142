// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_PROOF_ENCODE_H
#define VENCD_WORKER_PROOF_ENCODE_H

/* One case of a probe, encoded: every promise of hw/encoder.h that packets show is checked. */

#include "daemon/proof.h"
#include "hw/catalogue.h"

struct proof_packet {
	size_t offset, size;
	int64_t pts;
};

/* What came out. */
struct proof_stream {
	uint32_t codec; /* enum vencd_codec; 0: of none */
	uint8_t *data;
	size_t size, capacity;
	unsigned n;
	struct proof_packet packet[PROOF_FRAMES_MAX];
	struct encoder_info info; /* of the encoder's open */
	uint64_t encode_ns;       /* in the encoder's calls, and waiting for packets */
};

/* What is encoded with. host.text gets why it failed. */
struct proof_encoder {
	const struct encoder_ops *ops;
	const struct encoder_limits *limits; /* with the reach that the device claims */
	const char *device, *script;
	char *text; /* ENCODER_TEXT_MAX bytes */
};

/* Fills *ret, also where it fails, and what the evidence has of an encode. */
enum encoder_status proof_encode(const struct proof_encoder *encoder,
	const struct proof_case *asked, struct proof_stream *ret, struct proof_evidence *evidence);
void proof_stream_clear(struct proof_stream *stream);

/* One line to text. Returns status. */
enum encoder_status proof_fail(char *text, enum encoder_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
