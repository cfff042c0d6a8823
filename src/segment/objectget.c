/* SPDX-License-Identifier: MIT */
/*
 * objectget.c - finding or making a semaphore set or a message queue: what these two have of
 * their own. The rest is in order.c.
 */
#include <errno.h>

#include "registry/object.h"
#include "segment/datafile.h"
#include "segment/objectfile.h"
#include "segment/objects.h"
#include "segment/order.h"

struct wish {
	struct mdg__order order; /* first, so that it leads back to the wish */
	struct mdg__object_order *given;
};

static struct mdg__object_order *given_of(struct mdg__order *order)
{
	return ((struct wish *)(void *)order)->given;
}

static int accept(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index)
{
	const struct mdg__object_order *given = given_of(order);
	const struct mdg__late *late = mdg__late_at(&ns->registry, order->class, index);
	uint64_t field[MDG__CLASS_FIELDS];
	if (given->accepts == NULL)
		return 0;
	for (int i = 0; i < MDG__CLASS_FIELDS; i++)
		field[i] = mdg__get64(&late->field[i]);
	return given->accepts(given, field);
}

static int prepare(struct mdg_namespace *ns, struct mdg__order *order)
{
	struct mdg__object_order *given = given_of(order);
	int rc = given->prepares != NULL ? given->prepares(given, ns) : 0;
	order->amount = order->class == MDG__SEMAPHORE_SETS ? given->field[0] : 0;
	return rc;
}

static void fill_in(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__late *late = mdg__late_at(registry, order->class, index);
	const struct mdg__object_order *given = given_of(order);
	for (int i = 0; i < MDG__CLASS_FIELDS; i++)
		mdg__put64(registry, &late->field[i], given->field[i]);
	mdg__put32(registry, &late->file,
	           order->make_outside != NULL ? MDG__FILE_BEGUN : MDG__FILE_NONE);
	mdg__put32(registry, &late->new_uid1, 0);
	mdg__put32(registry, &late->setter, 0);
}

static int make_file(struct mdg_namespace *ns, struct mdg__order *order, mdg_id id)
{
	return mdg__late_create(ns, order->class, id, order->mode);
}

int mdg__object_get(mdg_namespace *ns, enum mdg__class class, struct mdg__object_order *order,
                    mdg_id *ret_id)
{
	struct wish wish = {
		.order = { .class = class,
		           .key = (uint32_t)order->key,
		           .mode = order->mode & 0777,
		           .flags = order->flags & (MDG_CREATE | MDG_EXCL),
		           .accept = accept,
		           .prepare = prepare,
		           .fill_in = fill_in,
		           .make_outside = mdg__is_shared(ns) ? make_file : NULL },
		.given = order,
	};
	int rc = order->name != NULL && order->name[0] != '\0'
	                 ? mdg__order_name(&wish.order, order->name)
	                 : 0;
	return rc < 0 ? rc : mdg__order_fill(ns, &wish.order, ret_id);
}
