// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_DRIVER_FILES_H
#define VENCD_DRIVER_FILES_H

#define DRIVER_FILES_TEXT 48

/*
 * How many files of libva and its drivers are in directories, with colons between those, and a
 * digest of each one's name, size and time: "9 files, 0123456789abcdef". Takes as long as the file
 * system does.
 */
void driver_files_identify(const char *paths, char ret[static DRIVER_FILES_TEXT]);

#endif
