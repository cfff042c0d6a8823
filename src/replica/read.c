/* SPDX-License-Identifier: MIT */
/*
 * read.c - the reader's side: a view in place, a copy, and which blocks have changed. layout.h says
 * why what is read is whole.
 */
#include "replica/handle.h"

#include <errno.h>

#include "platform/fence.h"
#include "platform/sized.h"

enum { TRIES = 1000 };

static uint64_t relaxed(const mdg__stamp *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* ---- views ---------------------------------------------------------------------------------- */

static int check(const struct mdg_replica *replica, unsigned copy, uint64_t generation)
{
	/* F2: pairs with F1 in mdg__making_begin. */
	mdg__fence(memory_order_acquire);
	/* A copy that was never written has number 0, as generation 0 has. */
	return relaxed(&replica->head->copy[copy & 1].number) == generation ? 0 : -EAGAIN;
}

/* The views of a handle without a home need no more than this. */
static void look(const struct mdg_replica *replica, struct mdg_view *ret)
{
	/* Acquire: pairs with P in mdg__making_show. */
	uint64_t shown = atomic_load_explicit(&replica->head->shown, memory_order_acquire);
	const struct mdg__replica_copy *copy = &replica->head->copy[shown & 1];
	*ret = (struct mdg_view){ .size = sizeof *ret,
		                  .copy = shown & 1,
		                  .data = mdg__copy(replica, shown & 1),
		                  .bytes = replica->bytes,
		                  .generation = shown >> 1,
		                  .time = relaxed(&copy->time),
		                  .fence = relaxed(&copy->fence),
		                  .cursor = relaxed(&copy->cursor) };
}

static int begin_at_home(mdg_replica *replica, struct mdg_view *view)
{
	if (atomic_exchange(&replica->homed, 1) != 0)
		return -EBUSY;
	int rc = mdg__home_show(replica, view->copy);
	if (rc == 0)
		rc = check(replica, view->copy, view->generation);
	if (rc < 0)
		atomic_store(&replica->homed, 0);
	view->data = replica->home;
	return rc;
}

int mdg_replica_begin(mdg_replica *replica, struct mdg_view *ret_view)
{
	struct mdg_view view;
	if (!mdg__sized_is_valid(ret_view->size))
		return -EINVAL;
	if (relaxed((mdg__stamp *)&replica->head->magic) != MDG__REPLICA_MAGIC)
		return MDG_BROKEN;
	if (atomic_load_explicit(&replica->head->removed, memory_order_relaxed) != 0)
		return -EIDRM;
	look(replica, &view);
	int rc = replica->home != NULL ? begin_at_home(replica, &view)
	                               : check(replica, view.copy, view.generation);
	if (rc == 0)
		mdg__sized_give(ret_view, &view, sizeof view);
	return rc;
}

int mdg_replica_check(mdg_replica *replica, const struct mdg_view *view)
{
	return check(replica, view->copy, view->generation);
}

int mdg_replica_end(mdg_replica *replica, const struct mdg_view *view)
{
	int rc = check(replica, view->copy, view->generation);
	if (replica->home != NULL)
		atomic_store(&replica->homed, 0);
	return rc;
}

int mdg_replica_read(mdg_replica *replica, uint64_t offset, void *data, size_t length,
                     uint64_t *ret_generation)
{
	struct mdg_view view;
	if (offset > replica->bytes || length > replica->bytes - offset)
		return -EINVAL;
	if (atomic_load_explicit(&replica->head->removed, memory_order_relaxed) != 0)
		return -EIDRM;
	for (int i = 0; i < TRIES; i++) {
		look(replica, &view);
		mdg__bytes_load(data, mdg__copy(replica, view.copy) + (size_t)offset, length);
		if (check(replica, view.copy, view.generation) == 0) {
			if (ret_generation != NULL)
				*ret_generation = view.generation;
			return 0;
		}
	}
	return -EAGAIN;
}

/* ---- what has changed ----------------------------------------------------------------------- */

/* The first block from `block` on that changed after `since`. */
static uint64_t changed_from(const struct mdg_replica *replica, uint64_t block, uint64_t since)
{
	const mdg__stamp *groups = mdg__groups(replica), *stamps = mdg__stamps(replica);
	while (block < replica->parts.blocks) {
		if (relaxed(&groups[block / MDG__GROUP]) <= since)
			block = (block / MDG__GROUP + 1) * MDG__GROUP;
		else if (relaxed(&stamps[block]) <= since)
			block++;
		else
			return block;
	}
	return replica->parts.blocks;
}

int mdg_replica_changes(mdg_replica *replica, const struct mdg_view *view, uint64_t since,
                        uint64_t *cursor, struct mdg_range *ret_ranges, unsigned room)
{
	const mdg__stamp *stamps = mdg__stamps(replica);
	uint64_t blocks = replica->parts.blocks, block = *cursor;
	unsigned count = 0;
	(void)view;
	while (count < room && count < INT32_MAX && block < blocks) {
		uint64_t first = changed_from(replica, block, since);
		for (block = first; block < blocks && relaxed(&stamps[block]) > since;)
			block++;
		if (first == blocks)
			break;
		uint64_t end = block * MDG__BLOCK;
		if (end > replica->bytes)
			end = replica->bytes;
		ret_ranges[count++] =
			(struct mdg_range){ first * MDG__BLOCK, end - first * MDG__BLOCK };
	}
	*cursor = block;
	return (int)count;
}
