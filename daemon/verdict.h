// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_VERDICT_H
#define VENCD_VERDICT_H

/*
 * What follows from a failure: the accusation, the probe, the strike or the quarantine, the parole.
 * The policy is blame.c's; this carries it out.
 */

#include "daemon/probing.h"
#include "daemon/report.h"

struct attempt;
struct registry;

/* Takes the policy from the settings. */
void verdict_init(struct registry *registry);

/* The attempt ended like that, and its encoder or its request is to blame. Heard once. */
void verdict_accuse(struct attempt *attempt, enum attempt_end end);

/* Somebody asks for a new probe of all that the encoder claims. */
void verdict_renew(struct encoder_entry *entry);

/* A probe has ended; detail says what was wrong. */
void verdict_probed(struct encoder_entry *entry, enum probing_result result, const char *detail);

/*
 * A case was refused in the last `refused` probes, for want of something that may be there later:
 * where the encoder is usable, all is tried again in a while.
 */
void verdict_try_again(struct encoder_entry *entry, unsigned refused);

/* The probe at the end of its quarantine is not needed any more: another one is under way. */
void verdict_end_parole(struct encoder_entry *entry);

#endif
