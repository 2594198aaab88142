// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_PROOF_DECODE_H
#define VENCD_WORKER_PROOF_DECODE_H

/* The way back: what a case gave is decoded in software and compared with what was drawn. */

#include "daemon/worker/proof_encode.h"

/* Fills evidence->psnr, and text (ENCODER_TEXT_MAX) where it fails. */
enum encoder_status proof_decode(const struct proof_stream *stream, const struct proof_case *asked,
	struct proof_evidence *evidence, char *text);

#endif
