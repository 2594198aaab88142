// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* What is taken out of a text with URLs in it, and what stays. */

#include "client/stream/redact.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct {
	const char *text, *redacted;
} cases[] = {
	{"", ""},
	{"clip.mp4", "clip.mp4"},
	{"someone@host:clip", "someone@host:clip"},
	{"http://host/a@b", "http://***@b"}, /* rather too much than too little */
	{"http://host:80/clip.mp4", "http://host:80/clip.mp4"},
	{"http://user:secret@host/clip.mp4", "http://***@host/clip.mp4"},
	{"http://user@host/clip.mp4", "http://***@host/clip.mp4"},
	{"http://u@host/", "http://*@host/"},
	{"http://@host/", "http://@host/"},
	{"http://user:sec@ret@host/", "http://***@host/"},
	{"http://user:sec/r?e#t@host/", "http://***@host/"},
	{"cannot open rtsp://user:secret@host/1: no, 'srt://user:secret@host' x@y",
		"cannot open rtsp://***@host/1: no, 'srt://***@host' x@y"},
	{"a://b:c@d://e:f@g", "a://***@g"},
	{"://", "://"},
	{"http://user:secret@", "http://***@"},
};

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128];

		strcpy(text, cases[i].text);
		redact(text);
		if (strcmp(text, cases[i].redacted) != 0)
			fprintf(stderr, "'%s', not '%s'\n", text, cases[i].redacted);
		CHECK(strcmp(text, cases[i].redacted) == 0);
	}
	return 0;
}
