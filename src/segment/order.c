/* SPDX-License-Identifier: MIT */
/*
 * order.c - finding or making an object of any class.
 *
 * An object is made in three steps:
 *   1. With the writer lock, an id is taken and the entry becomes BUSY. It can be
 *      found by its key or name from now on.
 *   2. Without the lock, the file is made and its memory reserved. That can take
 *      long.
 *   3. With the lock, the entry becomes LIVE.
 * If there is nothing to do in the second step, the entry becomes LIVE in the first.
 * Whoever looks for the key in between waits. A maker that dies leaves a BUSY
 * entry. The next process that comes across the entry clears it away (dead.c).
 */
#include "segment/order.h"

#include <errno.h>
#include <string.h>

#include "platform/identity.h"
#include "registry/clearing.h"
#include "registry/current.h"
#include "registry/ids.h"
#include "registry/object.h"
#include "registry/presence.h"
#include "registry/users.h"
#include "segment/datafile.h"
#include "segment/objects.h"

#define SQUATTED_MOST 64
#define BUSY_PAUSE_NS 200000u

/* ---- finding ---------------------------------------------------------------- */

static int find(struct mdg_namespace *ns, const struct mdg__order *order, uint32_t *ret_index,
                uint32_t *ret_tag)
{
	const char *name = order->key == 0 ? order->name : NULL;
	int rc =
		mdg__object_find(&ns->registry, order->class, order->key, name, ret_index, ret_tag);
	if (rc != -EAGAIN)
		return rc;
	mdg__enter(ns);
	rc = mdg__enter_writer(ns);
	if (rc == 0) {
		rc = mdg__object_find(&ns->registry, order->class, order->key, name, ret_index,
		                      ret_tag);
		mdg__unlock(&ns->registry);
	}
	mdg__leave(ns);
	return rc;
}

/* Waits for the maker of a BUSY object. The maker may be dead, or what the entry says of it
 * nonsense. Then the entry is cleared away. `round` counts the calls. */
static void wait_while_busy(struct mdg_namespace *ns, enum mdg__class class, uint32_t index,
                            uint32_t tag, uint32_t round)
{
	struct mdg__object *object = mdg__object_at(&ns->registry, class, index);
	uint32_t worker1 = mdg__get32(&object->worker);
	bool alive =
		mdg__pair_lives(&ns->registry, worker1, mdg__get32(&object->worker_generation));
	/* A maker that seemed to live is looked at more closely after 16, 32, 64 ... pauses. */
	if (!alive || (round >= 16 && (round & (round - 1)) == 0)) {
		mdg__enter(ns);
		mdg__clear_abandoned(ns, class, index, tag);
		mdg__leave(ns);
	}
	if (mdg__get32(&object->tag) == tag)
		(void)mdg__sys_futex_wait(&object->tag, tag, true, BUSY_PAUSE_NS);
}

/* -EINVAL: it is gone. A segment may be removed and still be there. */
static int may(struct mdg_namespace *ns, const struct mdg__order *order, mdg_id id)
{
	struct mdg__entry entry;
	if (order->class != MDG__SEGMENTS)
		return mdg__object_may(ns, order->class, id, order->mode);
	int rc = mdg__object_entry(ns, order->class, id, false, &entry);
	return rc < 0 ? rc : mdg__permit(ns, &entry, order->mode);
}

/* What shmget says of an object that is there. The checks have the kernel's order. -EAGAIN: it
 * was removed just now. */
static int accept(struct mdg_namespace *ns, uint32_t index, uint32_t tag, struct mdg__order *order,
                  mdg_id *ret_id)
{
	const struct mdg__object *object = mdg__object_at(&ns->registry, order->class, index);
	mdg_id id = mdg__tag_id(tag, index);
	if ((order->flags & MDG_CREATE) && (order->flags & MDG_EXCL))
		return -EEXIST;
	int rc = order->accept(ns, order, index);
	if (rc < 0)
		return mdg__get32(&object->tag) == tag ? rc : -EAGAIN;
	if ((order->mode & 0777) != 0)
		rc = may(ns, order, id);
	if (rc < 0)
		return rc == -EINVAL ? -EAGAIN : rc;
	*ret_id = id;
	return 0;
}

/* ---- making ----------------------------------------------------------------- */

/* The fields of the registry's head that say which id comes next. */
struct turn {
	uint32_t cursor, last_index, sequence, next_id1;
};

static struct turn turn_of(const struct mdg__directory *directory)
{
	return (struct turn){ mdg__get32(&directory->cursor), mdg__get32(&directory->last_index),
		              mdg__get32(&directory->sequence), mdg__get32(&directory->next_id1) };
}

/* [writer lock] Gives back the id of an object that could not be made. Nobody was told this id.
 * If others have taken ids since, it is lost. */
static void turn_back(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                      uint32_t sequence, const struct turn *before)
{
	struct mdg__directory *directory = &registry->head->directory[class];
	struct turn now = turn_of(directory);
	if (before->next_id1 != 0 && now.next_id1 == 0) {
		mdg__put32(registry, &directory->next_id1, before->next_id1);
		return;
	}
	if (now.cursor != index + 1 || now.last_index != index || now.sequence != sequence)
		return;
	mdg__put32(registry, &directory->cursor, before->cursor);
	mdg__put32(registry, &directory->last_index, before->last_index);
	mdg__put32(registry, &directory->sequence, before->sequence);
}

static bool has_outside(const struct mdg__order *order)
{
	return order->make_outside != NULL && !order->late;
}

/* [writer lock] Fills in the whole entry. */
static void fill_in(struct mdg_namespace *ns, uint32_t index, uint32_t sequence,
                    struct mdg__order *order)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__object_wish object = { .key = order->key,
		                           .mode = order->mode,
		                           .uid = mdg__my_id(registry, order->euid),
		                           .gid = mdg__my_group(registry),
		                           .kind = order->kind,
		                           .name = order->name };
	mdg__object_make(registry, order->class, index, sequence, &object);
	order->fill_in(ns, order, index);
	if (!has_outside(order))
		mdg__object_live(registry, order->class, index);
	mdg__commit(registry);
}

/* [writer lock] -EEXIST: there is such an object. */
static int check_missing(struct mdg_namespace *ns, const struct mdg__order *order)
{
	uint32_t index, tag;
	if (order->key == 0 && order->name[0] == '\0')
		return 0;
	int rc = mdg__object_find(&ns->registry, order->class, order->key, order->name, &index,
	                          &tag);
	return rc == 0 ? -EEXIST : rc == -ENOENT ? 0 : rc;
}

/* The first step. -EAGAIN: somebody else has made such an object meanwhile. */
static int begin(struct mdg_namespace *ns, struct mdg__order *order, uint32_t *ret_index,
                 uint32_t *ret_sequence, struct turn *ret_before)
{
	struct mdg__registry *registry = &ns->registry;
	const struct mdg__directory *directory = &registry->head->directory[order->class];
	bool reaped = false;
	for (;;) {
		int rc = mdg__index_ready(registry, order->class, order->key, order->name);
		if (rc == 0)
			rc = mdg__enter_writer(ns);
		if (rc < 0)
			return rc;
		rc = check_missing(ns, order);
		if (rc < 0) {
			mdg__unlock(registry);
			return rc == -EEXIST ? -EAGAIN : rc;
		}
		*ret_before = turn_of(directory);
		rc = mdg__object_id_take_for(registry, order->class, order->amount, ret_index,
		                             ret_sequence);
		if (rc == 0)
			fill_in(ns, *ret_index, *ret_sequence, order);
		mdg__unlock(registry);
		if (rc == -EAGAIN) {
			rc = mdg__registry_ready(registry, order->class, *ret_index + 1);
			if (rc == 0)
				continue;
		}
		bool used = ret_before->next_id1 != 0 && turn_of(directory).next_id1 == 0;
		if (rc != -ENOSPC || reaped || used)
			return rc;
		mdg__reap_all(ns); /* the dead may hold what is missing */
		reaped = true;
	}
}

/* The third step. `made` is what came of the second one: if there is a file the object becomes
 * LIVE, and if there is none the entry is freed. */
static int finish(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index,
                  uint32_t sequence, const struct turn *before, int made)
{
	struct mdg__registry *registry = &ns->registry;
	const enum mdg__class class = order->class;
	struct mdg__object *object = mdg__object_at(registry, class, index);
	int rc = mdg__enter_writer(ns);
	if (rc < 0)
		return rc;
	if (mdg__get32(&object->tag) != mdg__tag(sequence, MDG__BUSY)) {
		made = MDG_DAMAGED;
	} else if (made < 0) {
		if (made != -EEXIST) /* then the next one is tried */
			turn_back(registry, class, index, sequence, before);
		mdg__object_end_clearing(registry, class, index);
	} else {
		mdg__object_set_file(registry, class, index, MDG__FILE_MADE);
		if (order->note_outside != NULL)
			order->note_outside(ns, order, index);
		mdg__object_live(registry, class, index);
		mdg__commit(registry);
	}
	mdg__unlock(registry);
	return made;
}

/* [object lock] If the object has used up the id that somebody asked for, the setting's file is
 * to show that. */
static void note_used(struct mdg_namespace *ns, enum mdg__class class, const struct turn *before)
{
	static const enum mdg__setting next_id[MDG__CLASSES] = { MDG__NEXT_ID, MDG__SEM_NEXT_ID,
		                                                 MDG__MSG_NEXT_ID };
	if (before->next_id1 != 0 && mdg__get32(&ns->registry.head->directory[class].next_id1) == 0)
		mdg__settings_show(ns, next_id[class]);
}

/* [object lock] The three steps, for one id. */
static int make_once(struct mdg_namespace *ns, struct mdg__order *order, mdg_id *ret_id)
{
	uint32_t index = 0, sequence = 0;
	struct turn before = { 0 };
	mdg__sigmask mask;
	int rc = begin(ns, order, &index, &sequence, &before);
	mdg_id id = (mdg_id)(sequence * MDG__IDS + index);
	if (rc == 0 && has_outside(order)) {
		/* Other threads may go on. Signals stay blocked: fallocate starts over after
		 * each one, and the signals of a timer would keep it from ever ending. */
		mdg__pause(ns, &mask);
		rc = order->make_outside(ns, order, id);
		mdg__resume(ns, &mask);
		rc = finish(ns, order, index, sequence, &before, rc);
		if (order->end_outside != NULL)
			order->end_outside(ns, order, id, rc);
	}
	note_used(ns, order->class, &before);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

/* Whether the file can wait until somebody needs it. Where users share, the file would belong to
 * that user. And where the registry cannot say whose the object is, its file does. */
static bool may_be_late(struct mdg_namespace *ns, uint32_t euid)
{
	return !mdg__is_shared(ns) && !mdg__is_guest(ns) &&
	       mdg__my_id(&ns->registry, euid) != MDG__ID_UNKNOWN;
}

static int make(struct mdg_namespace *ns, struct mdg__order *order, mdg_id *ret_id)
{
	mdg__settings_follow(ns);
	int rc = order->prepare(ns, order);
	if (rc < 0)
		return rc;
	rc = mdg__registry_here(&ns->registry);
	if (rc < 0)
		return rc;
	/* Where users share, the file belongs to whom the kernel says. */
	order->euid =
		(ns->registry.flags & MDG_NS_SHARED) != 0 ? mdg__euid() : mdg__euid_remembered();
	(void)mdg__users_anew_here(&ns->registry, order->euid); /* whose it is, is written down */
	order->late = order->may_be_late && may_be_late(ns, order->euid);
	mdg__enter(ns);
	rc = -EEXIST;
	/* In a shared namespace somebody else may have put a file of that name there. We may
	 * not unlink it. The next id has another name. */
	for (int tries = 0; rc == -EEXIST && tries < SQUATTED_MOST; tries++)
		rc = make_once(ns, order, ret_id);
	if (rc == -ENOMEM) { /* dead processes may still hold memory: clear up and try again */
		mdg__reap_all(ns);
		rc = make_once(ns, order, ret_id);
	}
	mdg__leave(ns);
	return rc == -EEXIST ? -EACCES : rc;
}

/* ---- both --------------------------------------------------------------------- */

static int find_or_make(struct mdg_namespace *ns, struct mdg__order *order, mdg_id *ret_id)
{
	mdg__arrive(ns);
	if (order->key == 0 && order->name[0] == '\0')
		return make(ns, order, ret_id); /* which asks whether the registry is still there */
	int gone = mdg__registry_glance(&ns->registry);
	if (gone < 0)
		return gone;
	for (uint32_t busy = 0;;) {
		uint32_t index, tag;
		int rc = find(ns, order, &index, &tag);
		/* Whoever only looks waits for nobody: its maker may be dead, and only a process
		 * that may change something can clear it away then. */
		if (rc == 0 && mdg__tag_state(tag) == MDG__BUSY && ns->registry.look)
			rc = -ENOENT;
		if (rc == 0 && mdg__tag_state(tag) == MDG__BUSY) {
			wait_while_busy(ns, order->class, index, tag, ++busy);
			continue;
		}
		if (rc == 0)
			rc = accept(ns, index, tag, order, ret_id);
		else if (rc == -ENOENT && (order->flags & MDG_CREATE))
			rc = make(ns, order, ret_id);
		if (rc != -EAGAIN)
			return rc;
	}
}

/* The caller's pointer may lead nowhere, so nothing is held when it is used. */
int mdg__order_fill(struct mdg_namespace *ns, struct mdg__order *order, mdg_id *ret_id)
{
	mdg_id id = 0;
	int rc = find_or_make(ns, order, &id);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

int mdg__order_name(struct mdg__order *order, const char *name)
{
	if (name == NULL)
		return 0;
	size_t length = strnlen(name, MDG_NAME_MAX + 1);
	if (length == 0 || length > MDG_NAME_MAX)
		return -EINVAL;
	memcpy(order->name, name, length);
	return 0;
}
