/* SPDX-License-Identifier: MIT */
/*
 * registry.h - the shared registry of a namespace, as one process sees it.
 *
 * Here are the structure of an open registry, opening and closing, the writer lock, and
 * reading and changing fields. The rest is in a header for each idea. Together they would be
 * one header of 450 lines, and each file of the rooms above needs two or three of them:
 *
 *   layout.h       the bytes of the file
 *   tag.h          which object or process an entry is of, and in which state it is
 *   descriptor.h   the descriptors of the file and of its directory
 *   current.h      whether the file is still the directory's
 *   users.h        users and groups, between user namespaces
 *   files.h        the names of the files beside it
 *   object.h       making, changing, removing and finding an object
 *   ids.h          taking an id; which ids are in use
 *   tie.h          which process is tied to which object, and how often
 *   alive.h        whether the process of a slot lives
 *   presence.h     the names of processes in shared memory, and whether these live
 *   slot.h         this process's own slot, and the slots of its children
 *   clearing.h     giving back what the dead had
 *   check.h        every invariant, checked and restored
 *   journal.h      a change that happens as a whole or not at all; for other objects too
 *   signed_lock.h  a lock that names its owner; for other objects too
 *
 * The room's own files include internal.h, which draws their floors.
 *
 * The registry knows src/platform and the robust words of src/sync, and nothing above. It does not
 * open data files: the segment room does (see clearing.h).
 *
 * [lock] at a function says that the caller holds the writer lock. [signals] says that
 * all signals are blocked. Functions return 0 or a negative code of segment.h.
 */
#ifndef MADANG_REGISTRY_H
#define MADANG_REGISTRY_H

#include <stdbool.h>
#include <sys/types.h>

#include "madang/segment.h"
#include "platform/userns.h"
#include "registry/journal.h"
#include "registry/layout.h"
#include "registry/signed_lock.h"

/* The directory's owner and group, as this process sees them (users.c). */
struct mdg__anchor {
	const struct mdg__userns *_Atomic seen_in; /* where; stored last; NULL: not looked at yet */
	_Atomic uint32_t id[2]; /* enum mdg__id_kind; MDG__ID_UNKNOWN: not known here */
};

/* The tables whose records get memory when they are needed. The first ones are the entries
 * of the directories, so each enum mdg__class is one of these too. */
enum mdg__table { MDG__PROCESSES = MDG__CLASSES, MDG__TIES, MDG__TABLES };

struct mdg__extent {
	mdg__a32 *watermark; /* records that have memory */
	uint64_t offset;     /* of the table in the file */
	uint32_t record, capacity;
};

/* A directory, as this process sees it. Constant once the registry is open. */
struct mdg__objects {
	struct mdg__directory *directory;
	mdg__a64 *bitmap;
	mdg__a32 *buckets;
	char *entries; /* MDG__ENTRY_SIZE bytes each: mdg__object_at() */
	uint32_t capacity, bucket_count;
	uint32_t part_shift; /* a part of the buckets has 1 << part_shift of them */
};

#define MDG__SEEN_ALIVE 64u

struct mdg__registry {
	/* Set when the registry is opened, and constant from then on. They are checked against the
	 * file's length, so that nothing that is written to the file later can lead outside of the
	 * map. */
	struct mdg__head *head;
	struct mdg__objects objects[MDG__CLASSES];
	struct mdg__extent extent[MDG__TABLES];
	struct mdg__process *processes;
	struct mdg__segment *segments; /* the entries of the first directory */
	struct mdg__tie *ties;
	struct mdg__journal journal;    /* of the change under way */
	struct mdg__signed_lock writer; /* held to make one */
	uint32_t segment_capacity, process_capacity, tie_capacity;
	uint64_t length;
	uint64_t unique; /* of the namespace; in the names of its files */
	char number[17]; /* `unique` as 16 hexadecimal digits */
	uint32_t flags;
	bool look;    /* MDG_NS_LOOK: a private mapping, no slot, nothing is changed */
	dev_t device; /* of the registry file */
	ino_t inode;
	dev_t dir_device;
	ino_t dir_inode;
	struct mdg__anchor anchor;
	uint64_t boot;
	char path[1024]; /* absolute where that could be found out */

	/* The descriptors. Each is checked before it is believed (descriptor.h). They change only
	 * with the namespace object's lock held, or with `opening`. */
	_Atomic int dirfd;
	_Atomic int fd;             /* its description holds this process's byte lock */
	uint64_t dir_mark, fd_mark; /* mdg__fd_mark(); 0: not marked, fstat tells */
	/* The owner and group (enum mdg__id_kind) of the registry file when they were last seen. */
	_Atomic uint32_t seen_owner[2];
	bool owner_is_directorys; /* the registry's owner and group are those of the directory */
	/* At which tick current.c last asked whether the file is the directory's, << 1. Bit 0: it
	 * was not. */
	_Atomic uint32_t glanced;
	_Atomic uint32_t lost;      /* a descriptor was found closed: check them all */
	uint32_t namespace_unknown; /* a fork may have led into another pid namespace */
	_Atomic uint32_t opening;   /* a lock, held by the thread that opens one of them anew */
	_Atomic uint32_t openings;  /* how often fd was opened; its number may be the same again */
	uint32_t locked_in;         /* the opening through which the slot's byte is locked */

	/* This process's slot, idx1; 0: none. It changes as the descriptors do. */
	_Atomic uint32_t slot1;
	uint32_t generation;
	uint64_t pid_namespace;
	/* Which processes were seen to live lately: mdg__slot_lives_on in alive.c. By slot. */
	mdg__a64 seen_alive[MDG__SEEN_ALIVE];
};

/* ---- open.c ---- */

/* Opens the registry in an open directory. On success `dirfd` belongs to the registry.
 * [signals] */
int mdg__registry_open(struct mdg__registry *registry, int dirfd,
                       const struct mdg_namespace_options *options);
void mdg__registry_close(struct mdg__registry *registry);

/* ---- grow.c ---- */

/* Makes sure that the records [0, count) of a table have memory behind them. Without it,
 * touching a hole of a full file system would kill with SIGBUS. `table` is an enum
 * mdg__table, or an enum mdg__class for the entries of its directory. */
int mdg__registry_ready(struct mdg__registry *registry, unsigned table, uint32_t count);
/* Makes sure that the bucket of this hash has memory. */
int mdg__registry_bucket_ready(struct mdg__registry *registry, enum mdg__class class,
                               uint32_t hash);
/* Which part of the buckets the bucket of a hash is in, as a bit. */
static inline uint32_t mdg__bucket_part(const struct mdg__objects *objects, uint32_t hash)
{
	return UINT32_C(1) << ((hash & (objects->bucket_count - 1)) >> objects->part_shift);
}
/* Whether the bucket of a hash may be looked at. Acquire: the memory was there before. */
static inline bool mdg__bucket_is_ready(const struct mdg__objects *objects, uint32_t hash)
{
	uint32_t parts =
		atomic_load_explicit(&objects->directory->bucket_parts, memory_order_acquire);
	return (parts & mdg__bucket_part(objects, hash)) != 0;
}
/* The watermarks may have been scribbled over. Makes sure that all that they say is ready has
 * memory. -ENOMEM: it has not. */
int mdg__registry_make_sure(struct mdg__registry *registry);
/* How many records may be looked at: the watermark, cut at the capacity. */
static inline uint32_t mdg__registry_ready_count(const struct mdg__registry *registry,
                                                 unsigned table)
{
	const struct mdg__extent *extent = &registry->extent[table];
	uint32_t ready = atomic_load_explicit(extent->watermark, memory_order_acquire);
	return ready < extent->capacity ? ready : extent->capacity;
}

/* ---- reading and changing fields: layout.h says who may ---- */

#define mdg__get32(field) atomic_load_explicit((field), memory_order_acquire)
#define mdg__get64(field) atomic_load_explicit((field), memory_order_acquire)

/* The only way to change a field marked [L]. The registry has one journal, and journal.h
 * says what these five do. [lock] */
static inline void mdg__put32(struct mdg__registry *registry, mdg__a32 *field, uint32_t value)
{
	mdg__journal_put32(&registry->journal, field, value);
}
static inline void mdg__put64(struct mdg__registry *registry, mdg__a64 *field, uint64_t value)
{
	mdg__journal_put64(&registry->journal, field, value);
}
static inline void mdg__commit(struct mdg__registry *registry)
{
	mdg__journal_commit(&registry->journal);
}
/* These two need no lock. */
static inline bool mdg__read_begin(const struct mdg__registry *registry, uint32_t *ret_version)
{
	return mdg__journal_read_begin(&registry->journal, ret_version);
}
static inline bool mdg__read_retry(const struct mdg__registry *registry, uint32_t version)
{
	return mdg__journal_read_retry(&registry->journal, version);
}

/* ---- lock.c ---- */

/* Takes the writer lock; the process needs a slot for that. Undoes what a dead owner
 * left half done. One thread of a process at a time may call it: the namespace object's
 * lock in src/segment sees to that. Fails only with MDG_DAMAGED and MDG_NO_SLOT.
 * [signals] */
int mdg__lock(struct mdg__registry *registry);
void mdg__unlock(struct mdg__registry *registry);

#endif
