/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the files of the registry have from each other, and nobody else.
 *
 * The files form floors. A file calls files that stand above it in this list, and none
 * below.
 *
 *   descriptor.c  the descriptors of the file and of its directory
 *   grow.c        memory for the tables
 *   current.c     whether the file is still the directory's
 *   users.c       whose things are, between user namespaces
 *   files.c       the names of the files beside it, and the files of former namespaces
 *   make.c        makes the file
 *   journal.c     a change happens as a whole, or not at all
 *   index.c       finds objects by key or name
 *   ids.c         gives ids, and takes them back
 *   tie.c         which process is tied to which object, and how often
 *   alive.c       whether the process of a slot lives
 *   presence.c    the names of processes in shared memory, and whether these live
 *   object.c      what is done alike with objects of all classes
 *   rebuild.c     the repair of a damaged registry
 *   signed_lock.c a lock that names its owner
 *   lock.c        the writer lock, taken over from a dead owner
 *   process.c     process slots: a free one, a child's
 *   reap.c        what the dead leave behind
 *   slot.c        this process's own slot
 *   open.c        checks and maps the file
 *   check.c       every invariant
 */
#ifndef MADANG_REGISTRY_INTERNAL_H
#define MADANG_REGISTRY_INTERNAL_H

#include "platform/sys.h"
#include "registry/alive.h"
#include "registry/check.h"
#include "registry/clearing.h"
#include "registry/current.h"
#include "registry/descriptor.h"
#include "registry/files.h"
#include "registry/ids.h"
#include "registry/object.h"
#include "registry/presence.h"
#include "registry/registry.h"
#include "registry/slot.h"
#include "registry/tag.h"
#include "registry/tie.h"
#include "registry/users.h"

/* ---- descriptor.c ---- */
/* Keeps a fresh descriptor of the registry file, in the place of the one kept before. */
void mdg__registry_keep_fd(struct mdg__registry *registry, int fd);

/* ---- files.c ---- */
/* Unlinks the files of former namespaces, as far as this process may. [signals] */
void mdg__remove_strays(struct mdg__registry *registry);
/* Whether there are data files, of this namespace or a former one. */
bool mdg__has_data_files(int dirfd);

/* ---- index.c ---- */
/* What the key or name of an object is found by. */
uint32_t mdg__index_hash(const struct mdg__object *object);
/* The bucket of an object, by its key or name. NULL: it has no memory. */
mdg__a32 *mdg__index_bucket(const struct mdg__registry *registry, enum mdg__class class,
                            const struct mdg__object *object);
/* Puts an entry in its chain, if it has a key or a name. [lock] */
void mdg__index_link(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* Takes it out, and its key and name away. [lock] */
void mdg__index_unlink(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
static inline bool mdg__object_is_indexed(const struct mdg__object *object)
{
	return mdg__get32(&object->key) != 0 || mdg__get32(&object->name_hash) != 0;
}
uint32_t mdg__key_hash(uint32_t key);
uint32_t mdg__name_hash(const char name[64]);

/* ---- ids.c ---- */
/* Marks an index as free. [lock] */
void mdg__object_id_give_back(struct mdg__registry *registry, enum mdg__class class,
                              uint32_t index);
/* The sequence with which the ids of a namespace begin: never 0, and hardly ever that of
 * another namespace. It is in the lower half, so ids grow for a long time before they come
 * round. */
static inline uint32_t mdg__first_sequence(uint64_t unique)
{
	return 1 + (uint32_t)(unique % (MDG__SEQUENCE_MAX / 2));
}

/* ---- tie.c ---- */
/* What `object` of a tie is. */
static inline uint32_t mdg__tied(enum mdg__class class, uint32_t index)
{
	return (uint32_t) class << MDG__CLASS_SHIFT | index;
}
/* The entry that a tie names, its class and index (both pointers, or neither). NULL: no
 * entry that may be looked at. */
struct mdg__object *mdg__tie_object(const struct mdg__registry *registry,
                                    const struct mdg__tie *record, enum mdg__class *ret_class,
                                    uint32_t *ret_index);
/* Takes a record out of both its lists and frees it: a change of its own. [lock] */
int mdg__tie_free(struct mdg__registry *registry, uint32_t tie);

/* ---- object.c ---- */
/* Frees the ties and the entry of an object. Each tie is a change of its own. So if there are
 * ties, the caller must not have put anything before. The change of the entry is without
 * commit. [lock] */
void mdg__object_free(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* Enters this process as the worker of an object, and counts it there. [lock] */
void mdg__object_set_worker(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* This process works on one object less. The entry still says which process made it. [lock] */
void mdg__object_worker_done(struct mdg__registry *registry);
void mdg__process_add_work(struct mdg__registry *registry, struct mdg__process *process, int delta);

/* ---- lock.c ---- */
/* Says where the writer lock and the journal lie, once the file is mapped. */
void mdg__lock_set_up(struct mdg__registry *registry);

/* ---- alive.c ---- */
/* The byte of the registry file whose lock says that a slot's process lives. */
uint64_t mdg__slot_byte(const struct mdg__registry *registry, uint32_t slot);

/* ---- process.c ---- */
/* Finds and locks a free slot. MDG_NO_SLOT when there is none. */
int mdg__slot_find(struct mdg__registry *registry, int fd, uint32_t *ret_slot);
/* Fills in a slot whose byte is locked for us; the tag last, which makes the rest
 * count. Returns the generation. `pid` 0: of a child that is not yet there. */
uint32_t mdg__slot_fill_in(struct mdg__registry *registry, uint32_t slot, int32_t pid,
                           enum mdg__process_state state);
/* The child for which `slot` was taken is born, or was never born. From now on the byte of the
 * parent proves again that the parent lives. */
void mdg__slot_forked(const struct mdg__registry *registry, uint32_t slot);

#endif
