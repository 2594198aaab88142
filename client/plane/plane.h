// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PLANE_H
#define VENCD_PLANE_H

/*
 * The data plane: memory that a client, a worker and the supervisor share during a session, fenced
 * by who may write what (docs/protocol.md has the same as text).
 *
 *	memory          supervisor  client  worker
 *	frame pool          -         rw      ro
 *	submit ring         ro        rw      ro
 *	attempt ring n      ro        ro      rw     one per attempt
 *	call slot n         rw        -       rw     (daemon/slot.h)
 *	control page        rw        ro      ro
 *
 * Rules for every reader: copy a field once, check it, use the copy. An index is monotonic and
 * counts from 0; index i lives in entry i % size. Nobody sleeps without the order: set the sleeping
 * word, fence, look at the indices once more, then poll the socket (plane_prepare_sleep()).
 *
 * Everything is little endian, of fixed width, and of this version.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PLANE_MAGIC 0x636e6576u /* "venc" */
#define PLANE_VERSION 1u
#define PLANE_MAX_ATTEMPTS 4u
#define PLANE_PAGE 4096u
#define PLANE_LOG_ENTRIES 2048u /* power of two */
#define PLANE_MAX_SLOTS 1024u   /* frames in a pool at most */
#define PLANE_NO_CUT UINT64_MAX /* control page: attempt not ended (or not begun) */

/* Where the planes of a frame lie within its slot; made by the supervisor (plane_layout_init()). */
struct plane_layout {
	uint32_t width, height; /* visible, pixels */
	uint32_t format;        /* enum vencd_pixel_format */
	uint32_t planes;        /* 2 or 3 */
	uint32_t stride[3];     /* bytes */
	uint32_t rows[3];
	uint32_t row_bytes[3];   /* visible bytes of a row */
	uint32_t slots;          /* frames in the pool */
	uint64_t offset[3];      /* from the start of the slot */
	uint64_t slot_size;      /* bytes from slot to slot, whole pages */
	uint32_t submit_entries; /* power of two, >= slots */
	uint32_t attempts;       /* attempt rings of this session, 1 to PLANE_MAX_ATTEMPTS */
	uint64_t data_size;      /* bytes of packet data in an attempt ring */
};

enum plane_session_state {
	PLANE_SESSION_OPEN = 1, /* an attempt runs or is about to */
	PLANE_SESSION_ENDED,    /* the report is final; drain ring n to its cut and ask for it */
};

/* Control page: the one authority on what was delivered. */
struct plane_control {
	uint32_t magic, version;
	_Atomic uint32_t state;   /* enum plane_session_state */
	_Atomic uint32_t attempt; /* the current one */
	/* Log entries of attempt n that count; PLANE_NO_CUT until it has ended. */
	_Atomic uint64_t cut[PLANE_MAX_ATTEMPTS];
};

/* An entry of the submit ring: frame number i of the session. */
struct plane_frame {
	uint32_t slot;
	uint32_t flags; /* VENCD_FRAME_* */
	int64_t pts;
};

/* Submit ring: this header, then submit_entries of struct plane_frame at PLANE_PAGE. */
struct plane_submit {
	uint32_t magic, version;
	_Atomic uint64_t head;     /* frames submitted */
	_Atomic uint64_t finished; /* 0, or 1 + the number of frames: none follows */
	_Atomic uint32_t
		sleeping; /* the client sleeps on the packet socket of the current attempt */
	uint32_t reserved;
	_Atomic uint64_t consumed[PLANE_MAX_ATTEMPTS]; /* log entries of ring n done with */
};

enum plane_entry_type {
	PLANE_ENTRY_PACKET = 1,
	PLANE_ENTRY_RELEASE, /* slot may be filled again */
	PLANE_ENTRY_END,     /* the attempt has delivered everything up to `finished` */
};

/* An entry of the commit log. The totals are those of the attempt, this entry included. */
struct plane_entry {
	uint32_t type;    /* enum plane_entry_type */
	uint32_t flags;   /* PACKET: VENCD_PACKET_* */
	uint32_t slot;    /* RELEASE */
	uint32_t size;    /* PACKET: bytes */
	uint64_t offset;  /* PACKET: from the start of the data area; no packet wraps */
	int64_t pts, dts; /* PACKET: ticks */
	uint64_t frame;   /* PACKET, RELEASE: index of the submitted frame */
	uint64_t total_frames, total_packets, total_bytes;
	uint64_t total_digest; /* FNV-1a, 64 bit, over the bytes of all packets */
	uint64_t reserved[2];
};
_Static_assert(sizeof(struct plane_entry) == 96, "the commit log is shared with other programs");

/* Attempt ring: this header, the log at PLANE_PAGE, the data after it at plane_data_offset(). */
struct plane_attempt {
	uint32_t magic, version;
	_Atomic uint64_t published; /* log entries committed, at least those; the cut is final */
	_Atomic uint64_t taken;     /* frames taken from the submit ring, first_frame included */
	_Atomic uint32_t sleeping;  /* the worker sleeps on the submit socket */
	uint32_t reserved;
	_Atomic uint64_t first_frame; /* index of the first frame of this attempt */
};

#define PLANE_FNV_OFFSET 0xcbf29ce484222325u
#define PLANE_FNV_PRIME 0x100000001b3u

static inline uint64_t plane_digest(uint64_t digest, const uint8_t *data, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		digest = (digest ^ data[i]) * PLANE_FNV_PRIME;
	return digest;
}

static inline uint64_t plane_round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static inline uint64_t plane_data_offset(void)
{
	return PLANE_PAGE +
		plane_round_up(PLANE_LOG_ENTRIES * sizeof(struct plane_entry), PLANE_PAGE);
}

static inline uint64_t plane_pool_size(const struct plane_layout *l)
{
	return (uint64_t)l->slots * l->slot_size;
}

static inline uint64_t plane_submit_size(const struct plane_layout *l)
{
	return PLANE_PAGE +
		plane_round_up(
			(uint64_t)l->submit_entries * sizeof(struct plane_frame), PLANE_PAGE);
}

static inline uint64_t plane_attempt_size(const struct plane_layout *l)
{
	return plane_data_offset() + l->data_size;
}

static inline struct plane_frame *plane_frames(struct plane_submit *submit)
{
	return (struct plane_frame *)((uint8_t *)submit + PLANE_PAGE);
}

static inline struct plane_entry *plane_log(struct plane_attempt *attempt)
{
	return (struct plane_entry *)((uint8_t *)attempt + PLANE_PAGE);
}

static inline uint8_t *plane_data(struct plane_attempt *attempt)
{
	return (uint8_t *)attempt + plane_data_offset();
}

/*
 * Fills *ret for a size, a format and a number of slots (1 to PLANE_MAX_SLOTS); the caller has
 * checked the size. Strides are multiples of 64 bytes, slots of whole pages. -EINVAL for a format
 * that is none.
 */
int plane_layout_init(struct plane_layout *ret, uint32_t width, uint32_t height, uint32_t format,
	uint32_t slots, uint32_t attempts);

/*
 * Checks a layout that another process sent: what plane_layout_init() would have made. The client
 * library and the worker use it before they map anything.
 */
bool plane_layout_valid(const struct plane_layout *l);

/*
 * Loads from memory that another process may be writing: each word is loaded once, through these.
 * Macros, so that the fuzz targets can change the memory before each load and after each copy.
 */
#ifndef PLANE_LOAD
#define PLANE_LOAD(p) atomic_load_explicit((p), memory_order_acquire)
#define PLANE_READ(object) (*(const volatile __typeof__(object) *)&(object))
#define PLANE_COPY(to, from) memcpy((to), (from), sizeof(*(to)))
#endif

/* Before polling: announces the sleep; the caller then looks at the indices once more. */
static inline void plane_prepare_sleep(_Atomic uint32_t *sleeping)
{
	atomic_store_explicit(sleeping, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static inline void plane_end_sleep(_Atomic uint32_t *sleeping)
{
	atomic_store_explicit(sleeping, 0, memory_order_relaxed);
}

/* After an index was stored: whether the other side must be woken through its socket. */
static inline bool plane_must_wake(_Atomic uint32_t *sleeping)
{
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(sleeping, memory_order_relaxed) != 0;
}

/* Writes one byte to a non-blocking fd; a full one means that a wake-up is already waiting. */
void plane_wake(int fd);

/* Empties a non-blocking fd. Returns false when its other end is gone. */
bool plane_drain(int fd);

#endif
