// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_FAULT_H
#define VENCD_EMULATED_FAULT_H

/* The faults of a device: read from text, played at the driver's entry points. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <va/va.h>

/* Where a fault can stand: the name after `va`, and the two that libva has no function for. */
#define CALLS(X)                                       \
	X(Constructor) /* of the library, at dlopen */ \
	X(Initialize)                                  \
	X(Terminate)                                   \
	X(QueryConfigProfiles)                         \
	X(QueryConfigEntrypoints)                      \
	X(GetConfigAttributes)                         \
	X(CreateConfig)                                \
	X(DestroyConfig)                               \
	X(QueryConfigAttributes)                       \
	X(QuerySurfaceAttributes)                      \
	X(CreateSurfaces)                              \
	X(DestroySurfaces)                             \
	X(CreateContext)                               \
	X(DestroyContext)                              \
	X(CreateBuffer)                                \
	X(BufferSetNumElements)                        \
	X(BufferInfo)                                  \
	X(MapBuffer)                                   \
	X(UnmapBuffer)                                 \
	X(DestroyBuffer)                               \
	X(BeginPicture)                                \
	X(RenderPicture)                               \
	X(EndPicture)                                  \
	X(SyncSurface)                                 \
	X(SyncBuffer)                                  \
	X(QuerySurfaceStatus)                          \
	X(QuerySurfaceError)                           \
	X(QueryImageFormats)                           \
	X(CreateImage)                                 \
	X(DeriveImage)                                 \
	X(DestroyImage)                                \
	X(GetImage)                                    \
	X(PutImage)                                    \
	X(Refused) /* all that this driver does not have */

enum call {
#define X(name) CALL_##name,
	CALLS(X)
#undef X
	CALL_MAX,
};

enum fault_mode {
	FAULT_NONE,
	FAULT_HANG,    /* for ever */
	FAULT_LATE,    /* arg: milliseconds asleep, then as if nothing had happened */
	FAULT_SLOW,    /* the same, and at every call where it says so */
	FAULT_SPIN,    /* arg: milliseconds of CPU time burnt */
	FAULT_CRASH,   /* SIGSEGV */
	FAULT_EXIT,    /* arg: exit code of the process */
	FAULT_ERROR,   /* arg: VAStatus */
	FAULT_LOST,    /* that call fails, and all later ones on this display */
	FAULT_PRINT,   /* a line to stderr, and nothing else */
	FAULT_GARBAGE, /* arg: enum garbage; of EndPicture alone */
	FAULT_MODE_MAX,
};

/* What is wrong with a coded picture. */
enum garbage {
	GARBAGE_NONE,
	GARBAGE_NOISE,     /* as many bytes, none of them right */
	GARBAGE_EMPTY,     /* no bytes */
	GARBAGE_TRUNCATED, /* the first half of them */
	GARBAGE_SLICES,    /* headers that are right, and noise behind them */
	GARBAGE_BLACK,     /* a good one, of a black picture */
	GARBAGE_MAX,
};

#define FAULTS_MAX 32u
#define FAULT_EVERY 0u
#define THREAD_NAME_MAX 16u

struct fault {
	char thread[THREAD_NAME_MAX]; /* how the caller's name begins; "": any */
	enum call call;
	uint64_t n; /* which such call on its display, from 1; FAULT_EVERY */
	enum fault_mode mode;
	uint64_t arg;
};

struct fault_script {
	uint32_t n_faults;
	struct fault faults[FAULTS_MAX];
};

struct fault_counts {
	_Atomic uint64_t calls[CALL_MAX];
	_Atomic int lost;
};

/* Reads a script; 0, or -EINVAL with one line in error. */
int fault_parse(struct fault_script *ret, const char *text, char *error, size_t error_size);

const char *fault_call_name(enum call call);
const char *fault_mode_name(enum fault_mode mode);

/* Counts the call and plays its fault: returns what the entry point must fail with, or success. */
VAStatus fault_play(const struct fault_script *script, struct fault_counts *counts, enum call call,
	const char *vendor);

/* What is wrong with the picture of the EndPicture that was counted last. */
enum garbage fault_garbage(const struct fault_script *script, const struct fault_counts *counts);

/* Never returns. What is about to happen is said first, on stderr. */
_Noreturn void fault_hang(const char *vendor, const char *where);

#endif
