// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The frame pool. An encoder that writes to a frame, or reads behind the last one, crashes the
 * case.
 */

#include "tests/contract/pool.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "tests/contract/check.h"

void pool_init(struct pool *pool, const struct vencd_params *params, uint32_t taken, unsigned slots,
	unsigned frames)
{
	*pool = (struct pool){.frames = frames};
	REQUIRE(plane_layout_init(&pool->layout, params->width, params->height, params->format,
			slots, 1) == 0,
		"no layout for %u slots", slots);
	pool->size = (size_t)plane_pool_size(&pool->layout);
	pool->memory = mmap(NULL, pool->size + PLANE_PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(pool->memory != MAP_FAILED, "no memory for %u slots", slots);
	REQUIRE(mprotect(pool->memory + pool->size, PLANE_PAGE, PROT_NONE) == 0, "mprotect");
	REQUIRE(chroma_init(&pool->chroma, &pool->layout, taken) == 0, "no memory");
	pool->frame = calloc(slots, sizeof(*pool->frame));
	pool->done = calloc(frames, sizeof(*pool->done));
	REQUIRE(pool->frame && pool->done, "no memory");
}

static uint8_t *slot_memory(const struct pool *pool, int slot)
{
	return pool->memory + (size_t)slot * pool->layout.slot_size;
}

static void protect(const struct pool *pool, int slot, int protection)
{
	REQUIRE(mprotect(slot_memory(pool, slot), pool->layout.slot_size, protection) == 0,
		"mprotect");
}

int pool_take(struct pool *pool, uint64_t frame, struct counter_picture *ret)
{
	const struct plane_layout *l = &pool->layout;
	int slot = 0;

	while ((uint32_t)slot < l->slots && pool->frame[slot])
		slot++;
	if ((uint32_t)slot == l->slots)
		return -1;
	pool->frame[slot] = frame + 1;
	pool->live++;
	*ret = (struct counter_picture){
		.width = l->width, .height = l->height, .format = l->format};
	for (unsigned i = 0; i < l->planes; i++) {
		ret->data[i] = slot_memory(pool, slot) + l->offset[i];
		ret->stride[i] = l->stride[i];
	}
	return slot;
}

void pool_seal(struct pool *pool, int slot, struct encoder_frame *ret)
{
	protect(pool, slot, PROT_READ);
	chroma_frame(&pool->chroma, pool->memory, (uint32_t)slot, ret);
	ret->index = pool->frame[slot] - 1;
}

void pool_release(struct pool *pool, uint64_t committed)
{
	for (uint32_t slot = 0; slot < pool->layout.slots; slot++) {
		uint64_t frame = pool->frame[slot];

		if (!frame || frame > committed || !atomic_load(&pool->done[frame - 1]))
			continue;
		protect(pool, (int)slot, PROT_READ | PROT_WRITE);
		pool->frame[slot] = 0;
		pool->live--;
	}
}

void pool_done(void *userdata, uint64_t index)
{
	struct pool *pool = userdata;

	REQUIRE(index < pool->frames, "done() for frame %llu of %u", (unsigned long long)index,
		pool->frames);
	REQUIRE(atomic_fetch_add(&pool->done[index], 1) == 0, "done() twice for frame %llu",
		(unsigned long long)index);
}

void pool_clear(struct pool *pool)
{
	chroma_clear(&pool->chroma);
	munmap(pool->memory, pool->size + PLANE_PAGE);
	free(pool->frame);
	free((void *)pool->done);
	*pool = (struct pool){0};
}
