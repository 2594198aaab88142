// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PROOF_STORE_H
#define VENCD_PROOF_STORE_H

/*
 * What encoders proved in earlier starts, and what they prove now for later ones. An entry's kept
 * proof (entry->kept) is what stands on disk of it.
 */

#include <stdbool.h>

struct encoder_entry;
struct registry;

/* Reads what is there; where there is nothing to keep proofs in, the others do nothing. */
void proof_store_open(struct registry *registry);

/* Takes what was read of the entry, if it is of just this encoder and not too old. */
void proof_store_find(struct encoder_entry *entry);

/* All entries have looked. */
void proof_store_found(void);

/*
 * The entry's base has passed, and its row says by which version. Puts what is kept into the entry,
 * as proved; or false: it is of another version, and was dropped.
 */
bool proof_store_confirm(struct encoder_entry *entry);

/* All that the entry claims was tried, and it works. */
void proof_store_keep(struct encoder_entry *entry);

/* There is doubt about it. */
void proof_store_drop(struct encoder_entry *entry);

#endif
