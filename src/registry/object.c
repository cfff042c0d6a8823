/* SPDX-License-Identifier: MIT */
/*
 * object.c - what is done alike with objects of all classes: make, set, remove, free.
 *
 * The life of an object, by the state in its tag:
 *
 *     FREE -> BUSY      its id is taken and its head filled in, in one change. Its key
 *                       leads to it from now on, so that nobody makes a second one.
 *     BUSY -> LIVE      what it needs outside of the registry is there.
 *     LIVE -> REMOVED   its key is free again. A segment stays so while a living process
 *                       is tied to it.
 *     REMOVED -> BUSY   nobody holds it any more: its worker clears away what lies outside
 *                       of the registry.
 *     BUSY -> FREE      its ties are freed, and its id is given back.
 *
 * Each arrow is one change of the registry, so a death leaves the state before it or
 * the state after it. reap.c goes on with an object that is BUSY with a dead process.
 */
#include <string.h>

#include "registry/internal.h"

void mdg__object_make(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                      uint32_t sequence, const struct mdg__object_wish *wish)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	mdg__put32(registry, &object->tag, mdg__tag(sequence, MDG__BUSY));
	mdg__put32(registry, &object->key, wish->key);
	mdg__put32(registry, &object->mode, wish->mode & 0777);
	mdg__put32(registry, &object->uid, wish->uid);
	mdg__put32(registry, &object->gid, wish->gid);
	mdg__put32(registry, &object->cuid, wish->uid);
	mdg__put32(registry, &object->cgid, wish->gid);
	mdg__put32(registry, &object->cpid,
	           mdg__get32(&registry->processes[registry->slot1 - 1].pid));
	mdg__put32(registry, &object->ties, 0);
	mdg__put32(registry, &object->kind, wish->kind);
	mdg__put32(registry, &object->name_hash,
	           wish->name[0] != '\0' ? mdg__name_hash(wish->name) : 0);
	for (size_t i = 0; i < 8; i++) {
		uint64_t word;
		memcpy(&word, wish->name + 8 * i, 8);
		mdg__put64(registry, &object->name[i], word);
	}
	mdg__object_set_worker(registry, class, index);
	mdg__index_link(registry, class, index);
}

void mdg__object_set(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                     uint32_t uid, uint32_t gid, uint32_t mode)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	uint32_t before = mdg__get32(&object->mode);
	mdg__put32(registry, &object->uid, uid);
	mdg__put32(registry, &object->gid, gid);
	mdg__put32(registry, &object->mode, (before & ~0777u) | mode);
	mdg__put64(registry, &object->ctime, (uint64_t)mdg__now_seconds());
}

void mdg__object_live(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	uint32_t sequence = mdg__tag_generation(mdg__get32(&object->tag));
	mdg__put64(registry, &object->ctime, (uint64_t)mdg__now_seconds());
	mdg__put32(registry, &object->tag, mdg__tag(sequence, MDG__LIVE));
	mdg__object_worker_done(registry);
}

/* ---- its file ---------------------------------------------------------------- */

#define FILE_BITS (MDG__SEG_FILE_NONE | MDG__SEG_FILE_BEGUN)

enum mdg__file_state mdg__object_file(const struct mdg__registry *registry, enum mdg__class class,
                                      uint32_t index)
{
	if (class != MDG__SEGMENTS)
		return (enum mdg__file_state)mdg__get32(
			&mdg__late_at(registry, class, index)->file);
	return mdg__segment_file(mdg__get32(&registry->segments[index].flags));
}

void mdg__object_set_file(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                          enum mdg__file_state state)
{
	if (class != MDG__SEGMENTS) {
		mdg__put32(registry, &mdg__late_at(registry, class, index)->file, state);
		return;
	}
	mdg__a32 *flags = &registry->segments[index].flags;
	uint32_t bits = state == MDG__FILE_NONE    ? MDG__SEG_FILE_NONE
	                : state == MDG__FILE_BEGUN ? MDG__SEG_FILE_BEGUN
	                                           : 0;
	mdg__put32(registry, flags, (mdg__get32(flags) & ~FILE_BITS) | bits);
}

/* ---- the end of its life ----------------------------------------------------- */

void mdg__object_remove(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	uint32_t sequence = mdg__tag_generation(mdg__get32(&object->tag));
	mdg__index_unlink(registry, class, index);
	mdg__put32(registry, &object->mode, mdg__get32(&object->mode) | MDG_MODE_REMOVED);
	mdg__put32(registry, &object->tag, mdg__tag(sequence, MDG__REMOVED));
}

void mdg__object_free(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	uint32_t sequence = mdg__tag_generation(mdg__get32(&object->tag));
	uint64_t amount = mdg__object_amount(registry, class, index);
	mdg__a64 *total = mdg__object_total(registry, class);
	uint32_t at, records = mdg__registry_ready_count(registry, MDG__TIES);
	for (uint32_t steps = 0; (at = mdg__get32(&object->ties)) != 0; steps++)
		if (at > records || steps > records || mdg__tie_free(registry, at - 1) < 0)
			break; /* damaged: the check will find the records without owner */
	mdg__index_unlink(registry, class, index);
	mdg__put32(registry, &object->ties, 0);
	mdg__put32(registry, &object->worker, 0);
	if (amount != 0)
		mdg__put64(registry, total, mdg__get64(total) - amount);
	mdg__put32(registry, &object->tag, mdg__tag(sequence, MDG__FREE));
	mdg__object_id_give_back(registry, class, index);
}

uint32_t mdg__object_next(const struct mdg__registry *registry, enum mdg__class class,
                          uint32_t from)
{
	uint32_t ready = mdg__registry_ready_count(registry, class);
	while (from < ready && !mdg__object_in_use(registry, class, from))
		from++;
	return from < ready ? from : UINT32_MAX;
}

/* ---- who works on it --------------------------------------------------------- */

static struct mdg__process *own(const struct mdg__registry *registry)
{
	return &registry->processes[registry->slot1 - 1];
}

void mdg__process_add_work(struct mdg__registry *registry, struct mdg__process *process, int delta)
{
	mdg__put32(registry, &process->working, mdg__get32(&process->working) + (uint32_t)delta);
}

void mdg__object_set_worker(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	mdg__put32(registry, &object->worker, registry->slot1);
	mdg__put32(registry, &object->worker_generation, registry->generation);
	mdg__process_add_work(registry, own(registry), 1);
}

void mdg__object_worker_done(struct mdg__registry *registry)
{
	if (mdg__get32(&own(registry)->working) > 0)
		mdg__process_add_work(registry, own(registry), -1);
}

void mdg__object_take_work(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	const struct mdg__object *object = mdg__object_at(registry, class, index);
	uint32_t worker1 = mdg__get32(&object->worker);
	if (mdg__is_slot1(registry, worker1)) {
		struct mdg__process *process = &registry->processes[worker1 - 1];
		if (mdg__tag_generation(mdg__get32(&process->tag)) ==
		            mdg__get32(&object->worker_generation) &&
		    mdg__get32(&process->working) > 0)
			mdg__process_add_work(registry, process, -1);
	}
	mdg__object_set_worker(registry, class, index);
}

bool mdg__object_is_own_work(const struct mdg__registry *registry, enum mdg__class class,
                             uint32_t index)
{
	const struct mdg__object *object = mdg__object_at(registry, class, index);
	return registry->slot1 != 0 && mdg__tag_state(mdg__get32(&object->tag)) == MDG__BUSY &&
	       mdg__get32(&object->worker) == registry->slot1;
}
