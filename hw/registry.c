// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Every encoder that this build has, in order of preference within a codec. The names are those of
 * the catalogue. Only workers and tests link it: it draws in the codec libraries.
 */

#include <string.h>

#include "hw/encoder.h"

extern const struct encoder_ops encoder_av1_vaapi, encoder_h264_vaapi, encoder_hevc_vaapi,
	encoder_vp9_vaapi, encoder_svtav1, encoder_libx264, encoder_libx265, encoder_null;

const struct encoder_ops *const encoder_registry[] = {
	&encoder_h264_vaapi,
	&encoder_hevc_vaapi,
	&encoder_vp9_vaapi,
	&encoder_av1_vaapi,
	&encoder_svtav1,
	&encoder_libx264,
	&encoder_libx265,
	&encoder_null,
	NULL,
};

void encoders_warm(void)
{
	for (unsigned i = 0; encoder_registry[i]; i++)
		if (encoder_registry[i]->warm)
			encoder_registry[i]->warm();
}

const struct encoder_ops *encoder_find(const char *name)
{
	for (unsigned i = 0; encoder_registry[i]; i++)
		if (!strcmp(encoder_registry[i]->name, name))
			return encoder_registry[i];
	return NULL;
}
