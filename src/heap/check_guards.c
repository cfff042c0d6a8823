/* SPDX-License-Identifier: MIT */
/*
 * check_guards.c - blocks of a checked heap: those that were overrun, and those that somebody has
 * written to while they were free. See guard.h.
 *
 * A slab is looked at under the heap's lock, so that its memory is not given back meanwhile. Its
 * blocks are allocated and freed nevertheless. So each doubt is looked at again.
 *
 * A block that is set aside is made free under the lock, and only there: so nobody else does that
 * at the same time. Its word says OVERRUN until it is free, and then still does. Of a free block
 * that means nothing. So whoever dies in between leaves it set aside.
 *
 * A block that is free is mended only if no other thread can allocate it, that is, if its slab has
 * no owner. The owner sets it aside when it comes across it.
 */
#include "heap/check.h"
#include "heap/guard.h"

#include "platform/clock.h"
#include "platform/fence.h"
#include "platform/text.h"

enum damage { DAMAGE_NONE, DAMAGE_WORD, DAMAGE_BEHIND, DAMAGE_ASIDE, DAMAGE_WRITTEN, DAMAGE_FREE };

/* ---- one block ------------------------------------------------------------------------------- */

static bool is_kept(const struct mdg__block *block)
{
	return MDG__HEAD_STATE(block->head) == MDG__UNIT_KEPT;
}

/* *ret_at: where in the block it is seen. */
static enum damage judge_allocated(const struct mdg__heap *heap, const struct mdg__block *block,
                                   uint64_t *ret_at)
{
	uint64_t ref = mdg__ref_of_block(heap, block), room = block->size;
	struct mdg__guard guard = mdg__guard_read(heap, ref, room);
	*ret_at = room - 8;
	switch (guard.state) {
	case MDG__GUARD_LIVE:
		*ret_at = mdg__fill_broken(heap, ref, guard.size, room - 8);
		mdg__fence(memory_order_acquire);
		return *ret_at == room - 8 || mdg__guard_read(heap, ref, room).word != guard.word
		               ? DAMAGE_NONE
		               : DAMAGE_BEHIND;
	case MDG__GUARD_FREED: /* somebody is at it, or was killed then */
		return DAMAGE_NONE;
	case MDG__GUARD_OVERRUN:
		return DAMAGE_ASIDE;
	case MDG__GUARD_WRITTEN:
		return DAMAGE_WRITTEN;
	default:
		return DAMAGE_WORD;
	}
}

static enum damage judge_free(const struct mdg__heap *heap, const struct mdg__block *block,
                              uint64_t *ret_at)
{
	uint64_t ref = mdg__ref_of_block(heap, block), end = block->size - 8;
	struct mdg__guard guard = mdg__guard_read(heap, ref, block->size);
	*ret_at = mdg__fill_broken(heap, ref, 0, end);
	return *ret_at == end && mdg__guard_is_free(&guard) ? DAMAGE_NONE : DAMAGE_FREE;
}

/* A block that becomes free, or allocated, meanwhile is right. */
static enum damage judge(const struct mdg__heap *heap, const struct mdg__block *block,
                         uint64_t *ret_at)
{
	bool was_free = is_kept(block) || mdg__block_is_free(heap, block);
	enum damage damage =
		was_free ? judge_free(heap, block, ret_at) : judge_allocated(heap, block, ret_at);
	mdg__fence(memory_order_acquire);
	bool is_free = is_kept(block) || mdg__block_is_free(heap, block);
	return is_free != was_free ? DAMAGE_NONE : damage;
}

static struct mdg__block block_of(const struct mdg__thing *thing, uint32_t index)
{
	return (struct mdg__block){ thing->unit, thing->head, thing->class, index,
		                    mdg__thing_block(thing) };
}

/* ---- with the lock --------------------------------------------------------------------------- */

/* What begins at a unit cannot be given back while this is true. */
static bool enter(struct mdg__heap_check *check, const struct mdg__thing *thing, mdg__sigmask *mask)
{
	struct mdg__heap *heap = check->heap;
	const struct mdg__block block = block_of(thing, 0);
	if (check->lockable && mdg__heap_lock(heap, mask) < 0)
		return false;
	uint64_t head = atomic_load_explicit(&heap->heads[thing->unit], memory_order_acquire);
	if (((head ^ thing->head) & ~(UINT64_C(0xffff) << 16)) == 0 &&
	    mdg__guard_is_there(heap, &block))
		return true;
	if (check->lockable)
		mdg__heap_unlock(heap, mask);
	return false;
}

static void leave(struct mdg__heap_check *check, const mdg__sigmask *mask)
{
	if (check->lockable)
		mdg__heap_unlock(check->heap, mask);
}

/* A block that seems to be damaged. */
struct suspect {
	struct mdg__doubt doubt; /* first */
	struct mdg__thing thing;
	enum damage damage;
	uint64_t at; /* in the block */
};

static bool is_still_damaged(const struct mdg__doubt *doubt)
{
	const struct suspect *suspect = (const struct suspect *)(const void *)doubt;
	struct mdg__block block = block_of(&suspect->thing, doubt->index);
	mdg__sigmask mask;
	uint64_t at;
	if (!enter(doubt->check, &suspect->thing, &mask))
		return false;
	enum damage damage = judge(doubt->check->heap, &block, &at);
	leave(doubt->check, &mask);
	return damage == suspect->damage && at == suspect->at;
}

/* ---- mending --------------------------------------------------------------------------------- */

/* [lock] Frees a block that is set aside. */
static bool free_locked(struct mdg__heap *heap, const struct mdg__block *block)
{
	uint64_t ref = mdg__ref_of_block(heap, block);
	struct mdg__guard guard = mdg__guard_read(heap, ref, block->size);
	bool written = guard.state == MDG__GUARD_WRITTEN;
	if (is_kept(block) || mdg__block_is_free(heap, block) ||
	    (!written && guard.state != MDG__GUARD_OVERRUN))
		return false;
	if (written)
		mdg__guard_write(heap, ref, block->size, MDG__GUARD_OVERRUN, guard.size);
	if (MDG__HEAD_STATE(block->head) == MDG__UNIT_SPAN)
		return mdg__units_give_locked(heap, block->unit, block->head) == 0;
	mdg__fill(heap, ref, 0, block->size - 8);
	return mdg__slab_free_remote(heap, block, 0) == 0;
}

/* The slab has no owner now, or is the caller's for a moment. */
static bool mend_free(struct mdg__heap *heap, const struct mdg__block *block)
{
	uint64_t ref = mdg__ref_of_block(heap, block);
	int rc;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return false;
	/* Who was told of something else may have given the slab back since. */
	bool mine = MDG__HEAD_OWNER(block->head) == MDG__LOAD(own->slot1) &&
	            MDG__LOAD(heap->heads[block->unit]) == block->head;
	bool mended = false;
	bool adopted = !is_kept(block) && !mine &&
	               mdg__slab_adopt(heap, block->unit, block->head, own->slot1);
	if ((mine || adopted) && (is_kept(block) || mdg__block_is_free(heap, block))) {
		mdg__fill(heap, ref, 0, block->size - 8);
		mdg__guard_write(heap, ref, block->size, MDG__GUARD_FREED, 0);
		mended = true;
	}
	if (adopted)
		mdg__slab_abandon(heap, block->unit, MDG__LOAD(heap->heads[block->unit]));
	mdg__own_end(own);
	return mended;
}

/* [lock] The content stays. If nobody knows how large it was, all is content. What shows the
 * damage, the byte at `at` or the word, is stored last. Until then the owner is refused to resize
 * or to publish the block, and who frees it sets it aside. From then on nothing is written
 * there. */
static bool mend_behind(struct mdg__heap *heap, const struct mdg__block *block, uint64_t at)
{
	uint64_t ref = mdg__ref_of_block(heap, block), end = block->size - 8;
	struct mdg__guard guard = mdg__guard_read(heap, ref, block->size);
	if (guard.state == MDG__GUARD_NONE || guard.state == MDG__GUARD_FRESH) {
		mdg__fill(heap, ref, end - 8, end);
		return mdg__guard_change(heap, ref, block->size, &guard, MDG__GUARD_LIVE, end - 8);
	}
	if (guard.state != MDG__GUARD_LIVE || guard.size > at || at >= end)
		return false;
	mdg__fill(heap, ref, guard.size, at);
	mdg__fill(heap, ref, at + 1, end);
	/* Release: behind the fill. */
	atomic_store_explicit(
		(_Atomic unsigned char *)(void *)(heap->view.base + (size_t)(ref + at)), MDG__FILL,
		memory_order_release);
	return true;
}

/* [lock] The damage may be another one by now, or none. */
static bool mend_allocated(struct mdg__heap *heap, const struct mdg__block *block,
                           enum damage damage)
{
	uint64_t at;
	if (damage == DAMAGE_ASIDE || damage == DAMAGE_WRITTEN)
		return free_locked(heap, block);
	return judge(heap, block, &at) == damage && mend_behind(heap, block, at);
}

static bool mend_with_lock(const struct suspect *suspect, const struct mdg__block *block)
{
	struct mdg__heap_check *check = suspect->doubt.check;
	bool aside = suspect->damage == DAMAGE_ASIDE || suspect->damage == DAMAGE_WRITTEN;
	mdg__sigmask mask;
	if (!check->lockable || !enter(check, &suspect->thing, &mask))
		return false;
	bool mended = mend_allocated(check->heap, block, suspect->damage);
	leave(check, &mask);
	check->freed |= mended && aside;
	return mended;
}

static bool mend(const struct suspect *suspect)
{
	struct mdg__heap *heap = suspect->doubt.check->heap;
	struct mdg__block block = block_of(&suspect->thing, suspect->doubt.index);
	if (!suspect->doubt.check->repair)
		return false;
	return suspect->damage == DAMAGE_FREE ? mend_free(heap, &block)
	                                      : mend_with_lock(suspect, &block);
}

/* ---- the sentence ---------------------------------------------------------------------------- */

/* "process 12, tag 7, 3 minutes ago" */
static void tell_maker(const struct mdg_block_info *info, char *out, size_t room)
{
	int64_t now = (int64_t)(mdg__realtime_nanoseconds() / 1000000000u), age = now - info->time;
	uint32_t minutes = age < 0 ? 0 : (uint32_t)(age / 60);
	const char *many = minutes == 1 ? "" : "s";
	if (info->time == 0)
		mdg__format(out, room, "never allocated");
	else if (info->pid == 0)
		mdg__format(out, room, "of a process that is gone, tag %u, %u minute%s ago",
		            info->tag, minutes, many);
	else
		mdg__format(out, room, "of process %d%s, tag %u, %u minute%s ago", info->pid,
		            info->alive ? "" : " (dead)", info->tag, minutes, many);
}

static const char *const texts[] = {
	[DAMAGE_WORD] = "was written to behind its end, and its size is lost",
	[DAMAGE_BEHIND] = "was written to behind its end",
	[DAMAGE_ASIDE] = "was written to behind its end; it is set aside",
	[DAMAGE_WRITTEN] = "was written to while it was free; it is set aside",
	[DAMAGE_FREE] = "was written to while it was free",
};

static void report(const struct suspect *suspect)
{
	struct mdg__heap_check *check = suspect->doubt.check;
	struct mdg__heap *heap = check->heap;
	struct mdg__block block = block_of(&suspect->thing, suspect->doubt.index);
	struct mdg_block_info info = { .size = sizeof info };
	char maker[72], text[160];
	uint64_t ref = mdg__ref_of_block(heap, &block);
	struct mdg__guard guard = mdg__guard_read(heap, ref, block.size);
	bool known = guard.state != MDG__GUARD_NONE && guard.state != MDG__GUARD_FRESH;
	uint64_t size = known ? guard.size : block.size - MDG__GUARD_BYTES;
	bool large = size >> 32 != 0;
	bool after = suspect->damage == DAMAGE_FREE || suspect->damage == DAMAGE_WRITTEN;
	mdg__describe_block(heap, &suspect->thing, suspect->doubt.index, &info);
	tell_maker(&info, maker, sizeof maker);
	mdg__format(text, sizeof text, "block 0x%x%x of %s%u %s, %s: %s", (uint32_t)(ref >> 32),
	            (uint32_t)ref, known ? "" : "up to ", (uint32_t)(large ? size >> 10 : size),
	            large ? "KiB" : "bytes", maker, texts[suspect->damage]);
	mdg__found(check, after ? MDG_HEAP_FOUND_AFTER_FREE : MDG_HEAP_FOUND_OVERRUN, ref,
	           mend(suspect), (struct mdg__spot){ NULL, 0 }, text);
}

/* ---- all blocks ------------------------------------------------------------------------------ */

static void check_block(struct mdg__heap_check *check, const struct mdg__thing *thing,
                        uint32_t index)
{
	struct suspect suspect = { { check, thing->unit, 0, index }, *thing, DAMAGE_NONE, 0 };
	struct mdg__block block = block_of(thing, index);
	mdg__sigmask mask;
	if (!enter(check, thing, &mask))
		return;
	suspect.damage = judge(check->heap, &block, &suspect.at);
	leave(check, &mask);
	if (suspect.damage != DAMAGE_NONE && mdg__is_still_wrong(&suspect.doubt, is_still_damaged))
		report(&suspect);
}

/* Which blocks seem to be damaged: a bit each. */
static void look(struct mdg__heap_check *check, const struct mdg__thing *thing, uint32_t blocks,
                 uint64_t *ret)
{
	mdg__sigmask mask;
	uint64_t at;
	memset(ret, 0, MDG__SLAB_WORDS * sizeof *ret);
	if (!enter(check, thing, &mask))
		return;
	for (uint32_t index = 0; index < blocks; index++) {
		struct mdg__block block = block_of(thing, index);
		if (judge(check->heap, &block, &at) != DAMAGE_NONE)
			ret[index / 64] |= UINT64_C(1) << (index % 64);
	}
	leave(check, &mask);
}

/* What was freed may have been the last of a slab without an owner. This is done at the end: for it
 * the thread takes a slot, and then nobody knows any more which dead process had that slot. */
static void give_orphans(struct mdg__heap *heap)
{
	uint64_t high = mdg__units_high(heap);
	struct mdg__thing thing;
	int rc;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return;
	for (uint64_t at = 0; at < high; at += thing.units) {
		mdg__thing_at(heap, at, high, &thing);
		if (thing.valid && thing.state == MDG__UNIT_SLAB)
			mdg__slab_give_orphan(heap, at, thing.class, own->slot1);
	}
	mdg__own_end(own);
}

void mdg__check_guards(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	uint64_t high = mdg__units_high(heap), seem[MDG__SLAB_WORDS];
	struct mdg__thing thing;
	if (!mdg__is_checked(heap))
		return;
	for (uint64_t at = 0; at < high && !check->stopped; at += thing.units) {
		mdg__thing_at(heap, at, high, &thing);
		if (!thing.valid)
			continue;
		uint32_t blocks =
			thing.state == MDG__UNIT_SLAB ? mdg__heap_classes[thing.class].blocks : 1;
		look(check, &thing, blocks, seem);
		for (uint32_t i = 0; i < blocks && !check->stopped; i++)
			if ((seem[i / 64] >> (i % 64) & 1) != 0)
				check_block(check, &thing, i);
	}
	if (check->freed)
		give_orphans(heap);
}
