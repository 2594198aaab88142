// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * URLs with a password in them. People paste such where a file name belongs, and what is said about
 * an input goes to terminals, results and the daemon's reports. Every name of an input or an output
 * passes through here before it is put into any text, and every line on stderr once more.
 *
 * A password may hold any character that its owner did not know to escape, so all from :// to the
 * last @ of the word counts, where the standard stops at the first slash. That hides a host name
 * too much now and then, and no password.
 */

#include "client/stream/redact.h"

#include <string.h>

#define STARS "***"

static char *last_at(char *from)
{
	char *found = NULL;

	for (char *p = from; *p && !strchr(" \t\r\n\"'<>", *p); p++)
		if (*p == '@')
			found = p;
	return found;
}

void redact(char *text)
{
	while ((text = strstr(text, "://"))) {
		char *at = last_at(text += strlen("://"));
		size_t n = strlen(STARS);

		if (!at)
			continue;
		if ((size_t)(at - text) < n)
			n = (size_t)(at - text);
		memcpy(text, STARS, n);
		memmove(text + n, at, strlen(at) + 1);
		text += n;
	}
}
