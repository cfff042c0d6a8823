/* SPDX-License-Identifier: MIT */
/*
 * guard.h - blocks of a checked heap: what lies behind their content, and in those that are free.
 *
 * A block has 16 bytes more than were asked for, at least. All of it but the last 8 bytes that is
 * not content contains MDG__FILL. So does the whole of a block that is free. The last 8 bytes are
 * the GUARD WORD: how many bytes were asked for, what became of the block, and a check of both and
 * of where the block is.
 *
 *     | content: as many bytes as were asked for | fill: 8 bytes or more | guard word |
 *
 * THE TRUTH about a block is where it is in every heap: in its bit, or in the word of its unit. The
 * guard word is written before that, and each change is one store. So a thread may be killed
 * anywhere. These are the stores:
 *   alloc          the guard word, LIVE | the truth
 *   free           the guard word, FREED | fill over the content | the truth
 *   smaller        fill over what is given up | the guard word
 *   larger         the guard word
 * An allocated block with the word FREED is one whose freeing thread was killed, or is at it. A
 * free block with the word LIVE is one whose allocating thread was. Neither is damage.
 *
 * A free block with the word OVERRUN was set aside once, and a repair has made it free.
 *
 * DAMAGE. A block that was written to behind its end stays allocated when somebody frees it, with
 * the word OVERRUN. One that was written to while it was free, is not given out: it becomes
 * allocated, with the word WRITTEN. Nobody has such a block, it is SET ASIDE. mdg_heap_check names
 * it, and makes it free when it repairs.
 */
#ifndef MADANG_HEAP_GUARD_H
#define MADANG_HEAP_GUARD_H

#include "heap/internal.h"

enum {
	MDG__FILL = 0xa5,
	MDG__GUARD_BYTES = 16,
	/* A larger span is not filled when it is freed, and its thread does not keep it. */
	MDG__FILLED_UNITS = 32
};

enum mdg__guard_state {
	MDG__GUARD_NONE = 0, /* the word makes no sense */
	MDG__GUARD_LIVE,
	MDG__GUARD_FREED,
	MDG__GUARD_OVERRUN, /* set aside */
	MDG__GUARD_WRITTEN, /* set aside */
	MDG__GUARD_FRESH    /* fill: the block was never given out */
};

/* What a guard word says. `size` is what was asked for. */
struct mdg__guard {
	uint64_t word;
	enum mdg__guard_state state;
	uint64_t size;
};

static inline bool mdg__is_checked(const struct mdg__heap *heap)
{
	return (heap->flags & MDG_HEAP_CHECKED) != 0;
}

/* Bytes that a block needs for `size` bytes of content. */
static inline size_t mdg__guarded(const struct mdg__heap *heap, size_t size)
{
	return !mdg__is_checked(heap) || size > PTRDIFF_MAX ? size : size + MDG__GUARD_BYTES;
}

/* Where the block at `index` of this slab begins; of a span: 0. */
static inline uint64_t mdg__ref_of_index(const struct mdg__heap *heap, uint64_t unit,
                                         uint64_t index, uint64_t size)
{
	return heap->parts.data + (unit << MDG__UNIT_SHIFT) + index * size;
}
static inline uint64_t mdg__ref_of_block(const struct mdg__heap *heap,
                                         const struct mdg__block *block)
{
	return mdg__ref_of_index(heap, block->unit, block->index, block->size);
}

/* ---- guard.c: for checked heaps alone, unless it says something else ------------------------- */

/* `room`: bytes of the block as its class or its units have it. */
struct mdg__guard mdg__guard_read(const struct mdg__heap *heap, uint64_t ref, uint64_t room);
void mdg__guard_write(struct mdg__heap *heap, uint64_t ref, uint64_t room,
                      enum mdg__guard_state state, uint64_t size);
/* If it is still this word. */
bool mdg__guard_change(struct mdg__heap *heap, uint64_t ref, uint64_t room,
                       const struct mdg__guard *from, enum mdg__guard_state state, uint64_t size);
/* Offset in the block of the first byte from `from` to `to` that is not fill. `to`: all is. */
uint64_t mdg__fill_broken(const struct mdg__heap *heap, uint64_t ref, uint64_t from, uint64_t to);
void mdg__fill(struct mdg__heap *heap, uint64_t ref, uint64_t from, uint64_t to);
/* Whether a word of a free block is one that is left by calls. */
static inline bool mdg__guard_is_free(const struct mdg__guard *guard)
{
	return guard->state == MDG__GUARD_FREED || guard->state == MDG__GUARD_LIVE ||
	       guard->state == MDG__GUARD_OVERRUN || guard->state == MDG__GUARD_FRESH;
}
/* Whether the block lies in memory that the heap has. */
bool mdg__guard_is_there(struct mdg__heap *heap, const struct mdg__block *block);

/* Any heap: the bytes of an allocated block that may be used. 0: it is set aside, or nobody
 * knows. */
uint64_t mdg__usable(struct mdg__heap *heap, const struct mdg__block *block);
/* Any heap: 0, or MDG_OVERRUN: this allocated block was written to behind its end. */
int mdg__guard_judge(struct mdg__heap *heap, uint64_t ref);
/* Any heap: before this block is freed. 0: go on; MDG_OVERRUN: it is set aside now, or was before;
 * MDG_FREED_TWICE. */
int mdg__guard_free(struct mdg__heap *heap, const struct mdg__block *block);
/* Gives an allocated block another size, where it is. [there is room] */
void mdg__guard_resize(struct mdg__heap *heap, const struct mdg__block *block, uint64_t size);

/* ---- guard_free.c: free blocks --------------------------------------------------------------- */

/* [the caller owns the slab, or sweeps its owner; the block is free] Whether nobody has written to
 * it. If somebody has, it says so in its word; then the caller allocates it to nobody. */
bool mdg__free_is_whole(struct mdg__heap *heap, uint64_t ref, uint64_t room);
/* Any heap. [so] Sets the free blocks of the slab aside that somebody has written to. True: there
 * were none. */
bool mdg__slab_is_whole(struct mdg__heap *heap, uint64_t unit, uint32_t class);
/* Any heap. [the caller keeps the span, or sweeps who does] The same for a span that is kept: if
 * somebody has written to it, it becomes a block that is set aside. */
bool mdg__kept_is_whole(struct mdg__heap *heap, uint64_t unit, uint64_t head);
/* [lock] Fills the units of a new slab, and its labels say nothing. 0 or -ENOMEM. */
int mdg__guard_slab(struct mdg__heap *heap, uint64_t unit, uint32_t class);
/* [lock] The fill and the guard word behind so many bytes of content of a new span. */
void mdg__guard_span(struct mdg__heap *heap, uint64_t unit, uint64_t units, uint64_t size);

#endif
