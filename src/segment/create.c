/* SPDX-License-Identifier: MIT */
/*
 * create.c - making and finding segments: what is a segment's own of it. The rest is in order.c.
 */
#include <errno.h>

#include "registry/ids.h"
#include "segment/hugepage.h"
#include "segment/order.h"

#define HUGE_SIZE_BITS (0x3fu << 26) /* as shmget(2) has them */

/* What the caller wants to find or to make. */
struct wish {
	struct mdg__order order; /* first, so that it leads back to the wish */
	uint64_t size, mapped;
	uint64_t first;      /* with MDG_NORESERVE: so many bytes get memory all the same */
	unsigned huge_shift; /* 0: ordinary pages */
	struct mdg__made made;
};

static struct wish *wish_of(struct mdg__order *order)
{
	return (struct wish *)(void *)order;
}

/* ---- the steps --------------------------------------------------------------- */

static int accept(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index)
{
	return wish_of(order)->size > mdg__get64(&ns->registry.segments[index].size) ? -EINVAL : 0;
}

/* Chooses the size of the pages, and with it the size of the mapping. */
static int prepare(struct mdg_namespace *ns, struct mdg__order *order)
{
	struct wish *wish = wish_of(order);
	uint64_t unit = mdg__page_size();
	if (wish->size == 0 || wish->size > mdg__get64(&ns->registry.head->shmmax_now) ||
	    wish->size > (uint64_t)INT64_MAX - unit)
		return -EINVAL;
	if (order->flags & MDG_HUGEPAGES) {
		int rc = mdg__huge_choose(order->flags, &wish->huge_shift);
		if (rc < 0)
			return rc;
		unit = UINT64_C(1) << wish->huge_shift;
	}
	wish->mapped = (wish->size + unit - 1) / unit * unit;
	/* The file of a segment that reserves no memory is made at its first attachment. Many
	 * segments are never attached, and those that are need one look at the directory less. */
	order->may_be_late = (order->flags & MDG_NORESERVE) && wish->huge_shift == 0 &&
	                     order->kind == MDG__KIND_PLAIN;
	/* A segment that takes its memory as it grows has none yet: charge.c. */
	order->amount = order->kind == MDG__KIND_CHARGED ? 0 : mdg__pages_of(wish->size);
	return 0;
}

static void fill_in(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__segment *segment = &registry->segments[index];
	const struct wish *wish = wish_of(order);
	mdg__put64(registry, &segment->size, wish->size);
	mdg__put64(registry, &segment->mapped, wish->mapped);
	mdg__put64(registry, &segment->atime, 0);
	mdg__put64(registry, &segment->dtime, 0);
	mdg__put32(registry, &segment->lpid, 0);
	mdg__put32(registry, &segment->flags,
	           (order->flags & MDG_NORESERVE ? MDG__SEG_NORESERVE : 0) |
	                   (order->late ? MDG__SEG_FILE_NONE : 0) |
	                   wish->huge_shift << MDG__SEG_HUGE_SHIFT);
	mdg__put64(registry, &segment->inode, 0);
	mdg__put32(registry, &segment->new_uid1, 0);
	mdg__put32(registry, &segment->setter, 0);
	mdg__put64(registry, &segment->charged, 0);
}

static int make_file(struct mdg_namespace *ns, struct mdg__order *order, mdg_id id)
{
	struct wish *wish = wish_of(order);
	bool whole = (order->flags & MDG_NORESERVE) == 0 || wish->huge_shift != 0;
	wish->made = (struct mdg__made){
		.wanted = wish->huge_shift == 0 && mdg__made_is_wanted(ns, wish->mapped), .fd = -1
	};
	return mdg__data_create(ns, id, wish->mapped, whole ? wish->mapped : wish->first,
	                        order->mode, wish->huge_shift, &wish->made);
}

/* Whoever opens a file first notes its inode. Here that is its maker. */
static void note_file(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index)
{
	const struct mdg__made *made = &wish_of(order)->made;
	if (made->fd >= 0)
		mdg__put64(&ns->registry, &ns->registry.segments[index].inode, made->inode);
}

static void keep_file(struct mdg_namespace *ns, struct mdg__order *order, mdg_id id, int rc)
{
	const struct wish *wish = wish_of(order);
	mdg__made_end(ns, id, wish->mapped, &wish->made, rc);
}

static struct wish new_wish(uint64_t size, unsigned mode, unsigned flags)
{
	return (struct wish){
		.order = { .class = MDG__SEGMENTS,
		           .mode = mode & 0777,
		           .flags = flags,
		           .accept = accept,
		           .prepare = prepare,
		           .fill_in = fill_in,
		           .make_outside = make_file,
		           .note_outside = note_file,
		           .end_outside = keep_file },
		.size = size,
		.made = { .fd = -1 },
	};
}

/* ---- the public functions --------------------------------------------------- */

int mdg__segment_create(mdg_namespace *ns, const char *name, uint64_t size, unsigned mode,
                        unsigned flags, enum mdg__segment_kind kind, uint64_t first, mdg_id *ret_id)
{
	unsigned exclusive = flags & MDG_OR_OPEN ? 0 : MDG_EXCL;
	struct wish wish = new_wish(size, mode, flags | MDG_CREATE | exclusive);
	wish.order.kind = (uint32_t)kind;
	wish.first = first;
	int rc = mdg__order_name(&wish.order, name);
	if ((flags & ~(MDG_NORESERVE | MDG_HUGEPAGES | MDG_OR_OPEN | HUGE_SIZE_BITS)) != 0)
		rc = -EINVAL;
	return rc < 0 ? rc : mdg__order_fill(ns, &wish.order, ret_id);
}

int mdg_segment_create(mdg_namespace *ns, const char *name, uint64_t size, unsigned mode,
                       unsigned flags, mdg_id *ret_id)
{
	return mdg__segment_create(ns, name, size, mode, flags, MDG__KIND_PLAIN, 0, ret_id);
}

int mdg_segment_open(mdg_namespace *ns, const char *name, uint64_t min_size, unsigned ask,
                     mdg_id *ret_id)
{
	struct wish wish = new_wish(min_size, ask, 0);
	int rc = name == NULL ? -EINVAL : mdg__order_name(&wish.order, name);
	return rc < 0 ? rc : mdg__order_fill(ns, &wish.order, ret_id);
}

int mdg_segment_get(mdg_namespace *ns, int32_t key, uint64_t size, unsigned flags, mdg_id *ret_id)
{
	struct wish wish = new_wish(size, flags, flags);
	wish.order.key = (uint32_t)key;
	return mdg__order_fill(ns, &wish.order, ret_id);
}
