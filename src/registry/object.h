/* SPDX-License-Identifier: MIT */
/*
 * object.h - what is done alike with objects of all classes; finding one by key or name.
 *
 * The top of object.c says how an object lives. "Without commit" means that the caller
 * may put more into the same change of the registry, and then commits it.
 */
#ifndef MADANG_REGISTRY_OBJECT_H
#define MADANG_REGISTRY_OBJECT_H

#include "registry/registry.h"

/* ---- object.c ---- */

/* An object that is to be made. `name` is filled with zeros to its end; "": no name.
 * Users and groups as mdg__id_stored() gives them. */
struct mdg__object_wish {
	uint32_t key, mode, uid, gid, kind;
	const char *name;
};
/* Fills in the head of an entry whose id was taken. The entry is BUSY then, with this
 * process as worker, and is found by its key or name. The class fills in the rest.
 * Without commit. [lock] */
void mdg__object_make(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                      uint32_t sequence, const struct mdg__object_wish *wish);
/* BUSY to LIVE: the object is made. Without commit. [lock] */
void mdg__object_live(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* Sets owner, group and permission bits; ctime is now. Without commit. [lock] */
void mdg__object_set(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                     uint32_t uid, uint32_t gid, uint32_t mode);
/* To REMOVED, and no longer found by key or name. Without commit: the same change may go
 * on with mdg__object_begin_clearing(). [lock] */
void mdg__object_remove(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* Makes this process the worker in the place of another process. [lock] */
void mdg__object_take_work(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* Whether the object is BUSY with this process as its worker. */
bool mdg__object_is_own_work(const struct mdg__registry *registry, enum mdg__class class,
                             uint32_t index);

/* How the data file of a segment stands, from the segment's flags. */
static inline enum mdg__file_state mdg__segment_file(uint32_t flags)
{
	if (flags & MDG__SEG_FILE_NONE)
		return MDG__FILE_NONE;
	return flags & MDG__SEG_FILE_BEGUN ? MDG__FILE_BEGUN : MDG__FILE_MADE;
}
/* The same of any object. The second function is without commit. [lock] */
enum mdg__file_state mdg__object_file(const struct mdg__registry *registry, enum mdg__class class,
                                      uint32_t index);
void mdg__object_set_file(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                          enum mdg__file_state state);

/* The first object in use from an index on; UINT32_MAX: none. */
uint32_t mdg__object_next(const struct mdg__registry *registry, enum mdg__class class,
                          uint32_t from);

/* The entry of an object. */
static inline struct mdg__object *mdg__object_at(const struct mdg__registry *registry,
                                                 enum mdg__class class, uint32_t index)
{
	return (struct mdg__object *)(void *)(registry->objects[class].entries +
	                                      (size_t)index * MDG__ENTRY_SIZE);
}

/* The same, of a class that is not the segments. */
static inline struct mdg__late *mdg__late_at(const struct mdg__registry *registry,
                                             enum mdg__class class, uint32_t index)
{
	return (struct mdg__late *)(void *)mdg__object_at(registry, class, index);
}

/* ---- index.c ---- */

/* An object of this key, or of this name if `key` is 0, can be entered after this. */
int mdg__index_ready(struct mdg__registry *registry, enum mdg__class class, uint32_t key,
                     const char *name);

/* Finds a LIVE or BUSY object by its key, or by its name if `key` is 0: tag and index.
 * Takes no lock, and is right with the lock held too. Fails with -ENOENT, MDG_DAMAGED,
 * or -EAGAIN: ask again with the lock. */
int mdg__object_find(struct mdg__registry *registry, enum mdg__class class, uint32_t key,
                     const char *name, uint32_t *ret_index, uint32_t *ret_tag);

#endif
