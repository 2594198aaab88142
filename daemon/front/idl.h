// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FRONT_IDL_H
#define VENCD_FRONT_IDL_H

#include <systemd/sd-varlink-idl.h>

#define INTERFACE "io.vencd.Encoder"

extern const sd_varlink_interface vl_interface_io_vencd_Encoder;

#endif
