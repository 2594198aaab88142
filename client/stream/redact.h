// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_REDACT_H
#define VENCD_REDACT_H

/*
 * Takes the user and the password out of every URL in a text, in place: three stars stand for
 * "user:secret" in "http://user:secret@host/clip.mp4". The text never grows.
 */
void redact(char *text);

#endif
