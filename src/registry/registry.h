/* SPDX-License-Identifier: MIT */
/*
 * registry.h - the shared registry of a namespace, as one process sees it.
 *
 * This header is for the rooms above. The room's own files include internal.h. They
 * form floors: a file calls files that stand above it in this list, and none below.
 *
 *   layout.h      the bytes of the file
 *   descriptor.c  the descriptors of the file and of its directory
 *   grow.c        memory for the tables
 *   current.c     whether the file is still the directory's
 *   users.c       whose things are, between user namespaces
 *   files.c       the names of the files beside it, and those that nobody finds any more
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
 *   lock.c        the writer lock, taking over from the dead
 *   process.c     process slots: a free one, a child's
 *   reap.c        what the dead leave behind
 *   slot.c        this process's own slot
 *   open.c        checks and maps the file
 *   check.c       every invariant
 *
 * Knows src/platform and nothing above. Does not open data files: the segment
 * room does, and passes a function for clearing them away (reap.c).
 *
 * Functions marked [lock] want the writer lock held; [signals] want all
 * signals blocked. They return 0 or a negative code as segment.h has them.
 */
#ifndef MADANG_REGISTRY_H
#define MADANG_REGISTRY_H

#include <stdbool.h>
#include <sys/types.h>

#include "madang/segment.h"
#include "platform/sys.h"
#include "platform/userns.h"
#include "registry/journal.h"
#include "registry/layout.h"
#include "registry/signed_lock.h"

/* The directory's owner and group as this process sees them: see users.c. */
struct mdg__anchor {
	const struct mdg__userns *_Atomic seen_in; /* stored last; NULL: not looked at yet */
	_Atomic uint32_t id[2]; /* enum mdg__id_kind; MDG__ID_UNKNOWN: not known here */
};

/* Tables whose records get memory when they are needed. The first are the entries of
 * the directories, so an enum mdg__class is one of these too. */
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
};

struct mdg__registry {
	/* Set when opened, constant afterwards; checked against the file's length,
	 * so that nothing written to the file later can lead outside the map. */
	struct mdg__head *head;
	struct mdg__objects objects[MDG__CLASSES];
	struct mdg__extent extent[MDG__TABLES];
	struct mdg__process *processes;
	struct mdg__segment *segments; /* the entries of the first directory */
	struct mdg__tie *ties;
	struct mdg__journal journal;    /* of the change under way */
	struct mdg__signed_lock writer; /* for whoever makes one */
	uint32_t segment_capacity, process_capacity, tie_capacity;
	uint64_t length;
	uint64_t unique; /* of the namespace; in the names of its files */
	char number[17]; /* the same, 16 hexadecimal digits */
	uint32_t flags;
	bool look;    /* MDG_NS_LOOK: a private mapping, no slot, nothing is changed */
	dev_t device; /* of the registry file */
	ino_t inode;
	dev_t dir_device;
	ino_t dir_inode;
	struct mdg__anchor anchor;
	uint64_t boot;
	char path[1024]; /* absolute where that could be found out */

	/* Descriptors, each checked before it is believed (mdg__registry_fd). They
	 * change only with the process's own lock held (namespace.c). */
	_Atomic int dirfd;
	_Atomic int fd;             /* its description holds this process's byte lock */
	uint64_t dir_mark, fd_mark; /* mdg__fd_mark, 0: asked by fstat */
	_Atomic uint32_t
		seen_owner[2];      /* enum mdg__id_kind: the registry's, when it was last asked */
	bool owner_is_directorys;   /* the registry's owner and group are those of the directory */
	_Atomic uint32_t glanced;   /* when it was last asked whether it is the directory's, << 1;
	                             | 1: it was not (current.c) */
	_Atomic uint32_t lost;      /* a descriptor of ours was found closed: check all */
	uint32_t namespace_unknown; /* a fork may have led into another pid namespace */
	_Atomic uint32_t opening;   /* lock of whoever opens one of them anew */
	_Atomic uint32_t openings;  /* how often fd was opened: numbers come back */
	uint32_t locked_in;         /* the opening through which the slot's byte is locked */

	/* This process's slot; 0 in slot1: none. Changes as the descriptors do. */
	_Atomic uint32_t slot1;
	uint32_t generation;
	uint64_t pid_namespace;
};

/* ---- open.c ---- */
/* Opens the registry in an open directory (dirfd is taken over on success).
 * [signals] */
int mdg__registry_open(struct mdg__registry *registry, int dirfd,
                       const struct mdg_namespace_options *options);
void mdg__registry_close(struct mdg__registry *registry);

/* ---- grow.c ---- */
/* `table`: an enum mdg__table, or an enum mdg__class for the entries of its directory.
 * Makes sure that records [0, count) of a table have memory behind them: touching a
 * hole of a full file system would kill with SIGBUS. */
int mdg__registry_ready(struct mdg__registry *registry, unsigned table, uint32_t count);
/* How many records may be looked at: the watermark, cut at the capacity. */
static inline uint32_t mdg__registry_ready_count(const struct mdg__registry *registry,
                                                 unsigned table)
{
	const struct mdg__extent *extent = &registry->extent[table];
	uint32_t ready = atomic_load_explicit(extent->watermark, memory_order_acquire);
	return ready < extent->capacity ? ready : extent->capacity;
}

/* ---- descriptor.c ---- */
/* A descriptor of the registry file that is truly that: reopened when the
 * program closed or replaced it. `fresh`: a new description, not the kept one.
 * Or -errno, MDG_NS_GONE. */
int mdg__registry_fd(struct mdg__registry *registry, bool fresh);
int mdg__registry_dirfd(struct mdg__registry *registry);
/* Whether the kept one is open and still that. */
bool mdg__registry_fd_is_ours(const struct mdg__registry *registry);
/* Moves fd, which is closed, to a number that programs do not expect. */
int mdg__fd_out_of_the_way(int fd);

/* ---- current.c ---- */
/* Whether the registry is still the one of its directory: 0, or MDG_NS_GONE, when it was deleted,
 * replaced, or moved away. Also 0 when that cannot be told. All three async-signal-safe. */
int mdg__registry_has_name(struct mdg__registry *registry);
/* The same; that it was moved away may be told some 10 ms late. One system call, a cheap one. */
int mdg__registry_here(struct mdg__registry *registry);
/* The same as it was some 10 ms ago or later: nearly never a system call. */
int mdg__registry_glance(struct mdg__registry *registry);

/* ---- files.c ---- */
#define MDG__FILE_NAME_ROOM 64
/* The name of an object's data file. */
void mdg__object_file_name(const struct mdg__registry *registry, enum mdg__class class, mdg_id id,
                           char ret_name[MDG__FILE_NAME_ROOM]);
/* The name of a file of this namespace that belongs to an object; `kind`: "bell". */
void mdg__file_name(const struct mdg__registry *registry, const char *kind, mdg_id id,
                    char ret_name[MDG__FILE_NAME_ROOM]);
void mdg__setting_file_name(const struct mdg__registry *registry, const char *setting,
                            char ret_name[MDG__FILE_NAME_ROOM]);
/* What the name of a file in a namespace's directory says. */
struct mdg__file {
	bool whole;      /* it is a name as we give them, now or in format 1 */
	uint64_t unique; /* of its namespace; 0: of format 1 */
	enum mdg__class class;
	mdg_id id; /* of the object that it belongs to; -1: none */
};
/* False: a name of quite another kind. */
bool mdg__file_parse(const char *name, struct mdg__file *ret);
/* Whether it is of another namespace, which was in this directory before. */
bool mdg__file_is_stray(const struct mdg__registry *registry, const struct mdg__file *file);

#define mdg__get32(field) atomic_load_explicit((field), memory_order_acquire)
#define mdg__get64(field) atomic_load_explicit((field), memory_order_acquire)

/* ---- lock.c ---- */
/* Takes the writer lock; needs a slot. Undoes what a dead owner left half done.
 * [signals] One thread of a process at a time: the object's lock in src/segment sees
 * to that. Fails only with MDG_DAMAGED and MDG_NO_SLOT. */
int mdg__lock(struct mdg__registry *registry);
void mdg__unlock(struct mdg__registry *registry);

/* ---- the registry's journal: journal.h says what these do ---- */
/* The only way to change a field marked [L]. [lock] */
static inline void mdg__put32(struct mdg__registry *registry, mdg__a32 *field, uint32_t value)
{
	mdg__journal_put32(&registry->journal, field, value);
}
static inline void mdg__put64(struct mdg__registry *registry, mdg__a64 *field, uint64_t value)
{
	mdg__journal_put64(&registry->journal, field, value);
}
/* [lock] */
static inline void mdg__commit(struct mdg__registry *registry)
{
	mdg__journal_commit(&registry->journal);
}
static inline bool mdg__read_begin(const struct mdg__registry *registry, uint32_t *ret_version)
{
	return mdg__journal_read_begin(&registry->journal, ret_version);
}
static inline bool mdg__read_retry(const struct mdg__registry *registry, uint32_t version)
{
	return mdg__journal_read_retry(&registry->journal, version);
}

/* ---- alive.c (presence.h asks the same of a name that lies in shared memory) ---- */
/* Whether the process of a slot lives. `generation` as its tag had it. */
bool mdg__slot_alive(struct mdg__registry *registry, uint32_t slot, uint32_t generation);
/* Whether that or a process that is inheriting the slot: may it hold the writer
 * lock, or have work to finish? What the slot has attached is another question. */
bool mdg__slot_at_work(struct mdg__registry *registry, uint32_t slot, uint32_t generation);
/* Whether a thread of a slot's living process, other than the caller, may be
 * between taking a lock of ours and giving it back: a question to the kernel,
 * not to shared memory. Slow; true when it cannot be told. */
bool mdg__slot_may_be_inside(struct mdg__registry *registry, uint32_t slot);
bool mdg__slot_is_own(const struct mdg__registry *registry, uint32_t slot);

/* ---- slot.c ---- */
/* Objects whose files are to be cleared away after the lock is released. */
struct mdg__clearing {
	uint32_t count;
	struct {
		enum mdg__class class;
		uint32_t index;
	} list[32];
};
/* Takes a slot for this process if it has none (ret_new says so), reopens and
 * locks again what the program closed. May find remains of the dead to clear.
 * [signals] MDG_NO_SLOT, MDG_NS_GONE, -EMFILE ... */
int mdg__slot_ensure(struct mdg__registry *registry, bool *ret_new, struct mdg__clearing *clearing);
/* The slot that was found is one of a dead process: reap it, clear away what
 * that lists, and then settle in it, or leave it again. */
bool mdg__slot_is_inherited(const struct mdg__registry *registry);
void mdg__slot_settle(struct mdg__registry *registry);
void mdg__slot_leave(struct mdg__registry *registry);
/* In the child, later: makes that slot and descriptor this process's own; -1,
 * the program has closed it. */
void mdg__slot_adopt(struct mdg__registry *registry, int fd, uint32_t slot, uint32_t generation);

/* ---- process.c ---- */
/* Takes a slot for a child about to be forked; its byte is locked by `fd`, which
 * is to be the child's, or stays the parent's as well (`registry->fd`). */
int mdg__slot_for_child(struct mdg__registry *registry, int fd, uint32_t *ret_slot,
                        uint32_t *ret_generation);
/* Gives up the lock on a slot, if `registry->fd` holds it. */
void mdg__slot_unlock(const struct mdg__registry *registry, uint32_t slot);
/* In the child, when it has closed the parent's description, or shares it: the
 * slot has a process now. Touches nothing but the registry. */
void mdg__slot_born(const struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                    bool shares_description);
/* In the parent, when the child shares its description: returns when the child is
 * born, because nobody could tell the death of an unborn one. When it is not within
 * a second, the fork failed, or the child was killed: then the slot is dead. */
void mdg__slot_await_birth(const struct mdg__registry *registry, uint32_t slot,
                           uint32_t generation);

/* ---- reap.c ---- */
/* Frees everything of a dead slot, and the slot unless it is this process's by
 * inheritance. Objects that are removed, and that
 * no living process is tied to any more, become BUSY with this process as worker, and are listed. -EAGAIN: the list
 * is full, clear it and call again. [lock] */
int mdg__slot_reap(struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                   struct mdg__clearing *clearing);
/* Makes a REMOVED object that is not held by a living process BUSY. If it has something
 * outside of the registry it is listed, else it is freed at once. Returns whether it
 * did. [lock] */
bool mdg__object_begin_clearing(struct mdg__registry *registry, enum mdg__class class,
                                uint32_t index, struct mdg__clearing *clearing);
/* Lists an object that this process is the worker of. There has to be room. */
void mdg__clearing_add(struct mdg__clearing *clearing, enum mdg__class class, uint32_t index);
/* Frees the entry of an object this process was BUSY with: the last step of clearing it
 * away, or of a creation that failed. [lock] */
void mdg__object_end_clearing(struct mdg__registry *registry, enum mdg__class class,
                              uint32_t index);
/* Its file could not be cleared away by this process: REMOVED again, for one who may.
 * [lock] */
void mdg__object_leave_clearing(struct mdg__registry *registry, enum mdg__class class,
                                uint32_t index);

/* ---- object.c: its top says how an object lives ---- */
/* Who makes what. `name` is zero-filled to its end; "": none. Users as they are written
 * down. */
struct mdg__object_wish {
	uint32_t key, mode, uid, gid, kind;
	const char *name;
};
/* Fills in the head of an entry whose id was taken: BUSY, with this process as worker,
 * and found by its key or name. The class fills in the rest, and commits. [lock] */
void mdg__object_make(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                      uint32_t sequence, const struct mdg__object_wish *wish);
/* BUSY to LIVE: it is made. Without commit. [lock] */
void mdg__object_live(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* Owner, group and permission bits; ctime is now. Without commit. [lock] */
void mdg__object_set(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                     uint32_t uid, uint32_t gid, uint32_t mode);
/* REMOVED, and no longer found by its key or name. Without commit: the same change may go
 * on with mdg__object_begin_clearing(). [lock] */
void mdg__object_remove(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* The first object in use from an index on; UINT32_MAX: none. */
uint32_t mdg__object_next(const struct mdg__registry *registry, enum mdg__class class,
                          uint32_t from);
/* Makes this process the worker in the place of another. [lock] */
void mdg__object_take_work(struct mdg__registry *registry, enum mdg__class class, uint32_t index);
/* Whether it is BUSY with this process as its worker. */
bool mdg__object_is_own_work(const struct mdg__registry *registry, enum mdg__class class,
                             uint32_t index);

static inline struct mdg__object *mdg__object_at(const struct mdg__registry *registry,
                                                 enum mdg__class class, uint32_t index)
{
	return (struct mdg__object *)(void *)(registry->objects[class].entries +
	                                      (size_t)index * MDG__ENTRY_SIZE);
}

/* Of a class that is not the segments. */
static inline struct mdg__owned *mdg__owned_at(const struct mdg__registry *registry,
                                               enum mdg__class class, uint32_t index)
{
	return (struct mdg__owned *)(void *)mdg__object_at(registry, class, index);
}

/* ---- index.c ---- */
uint32_t mdg__name_hash(const char name[64]);
/* Finds a LIVE or BUSY object by key or (key 0) by name: its tag and index, or -ENOENT.
 * Lock-free; also right with the lock held. MDG_DAMAGED. -EAGAIN: ask again with the
 * lock. */
int mdg__object_find(struct mdg__registry *registry, enum mdg__class class, uint32_t key,
                     const char *name, uint32_t *ret_index, uint32_t *ret_tag);

/* ---- ids.c ---- */
/* Gives an index and a sequence as the kernel does; those of `next_id1` first. -ENOSPC.
 * -EAGAIN: make the entry of *ret_index ready, without the lock, and ask again. [lock] */
int mdg__object_id_take(struct mdg__registry *registry, enum mdg__class class, uint32_t *ret_index,
                        uint32_t *ret_sequence);
/* The same for an object that takes so much of what is limited too: pages of a segment,
 * semaphores of a set. mdg__object_amount() has to say the same once it is filled in. [lock] */
int mdg__object_id_take_for(struct mdg__registry *registry, enum mdg__class class, uint64_t amount,
                            uint32_t *ret_index, uint32_t *ret_sequence);
/* How much of that an object takes, and what all take. */
uint64_t mdg__object_amount(const struct mdg__registry *registry, enum mdg__class class,
                            uint32_t index);
mdg__a64 *mdg__object_total(const struct mdg__registry *registry, enum mdg__class class);
bool mdg__object_in_use(const struct mdg__registry *registry, enum mdg__class class,
                        uint32_t index);
/* The highest index in use, -1 for none. */
int32_t mdg__object_highest(const struct mdg__registry *registry, enum mdg__class class);

static inline uint32_t mdg__tag(uint32_t sequence, enum mdg__object_state state)
{
	return sequence << 8 | (uint32_t)state;
}
static inline enum mdg__object_state mdg__tag_state(uint32_t tag)
{
	return (enum mdg__object_state)(tag & 0xff);
}
/* The sequence or generation in a tag, of whatever kind of entry. */
static inline uint32_t mdg__tag_generation(uint32_t tag)
{
	return tag >> 8;
}
static inline enum mdg__process_state mdg__slot_state(uint32_t tag)
{
	return (enum mdg__process_state)(tag & 0xff);
}
static inline uint32_t mdg__slot_tag(uint32_t generation, enum mdg__process_state state)
{
	return generation << 8 | (uint32_t)state;
}
static inline mdg_id mdg__tag_id(uint32_t tag, uint32_t index)
{
	return (mdg_id)((tag >> 8) * MDG__IDS + index);
}
static inline uint64_t mdg__pages_of(uint64_t bytes)
{
	return bytes / mdg__page_size() + (bytes % mdg__page_size() != 0);
}

/* ---- tie.c ---- */
/* Makes the record of a pair, count 0. -EAGAIN: make *ret_tie + 1 records ready, without
 * the lock, and ask again. [lock] */
int mdg__tie_make(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                  uint32_t slot, uint32_t *ret_tie, uint32_t *ret_generation);
/* Frees all records that count nothing, whoever's they are. Their processes make new ones
 * when they need them. Returns how many. [lock] */
uint32_t mdg__ties_sweep(struct mdg__registry *registry);
/* Adds to the count of a record that this process owns. False: the record was freed
 * meanwhile, because its object is gone. */
bool mdg__tie_add(struct mdg__registry *registry, uint32_t tie, uint32_t generation, int32_t delta);
/* The record (plus one) of a process for an object, 0 for none. Exact for this process;
 * of another process's list, which may change under the walk, a part is seen. */
uint32_t mdg__tie_of(struct mdg__registry *registry, uint32_t slot, enum mdg__class class,
                     uint32_t index);
/* A process that is tied to an object, and how often. */
struct mdg__holder {
	uint32_t slot, generation, count;
	int fd; /* of the data file in that process, -1: none */
};
/* Lists processes with a count above 0: how many, or MDG_DAMAGED, or -EAGAIN (take the
 * lock), -E2BIG (more than room; take the lock and a bigger list). `tag`: what the
 * object's tag has to be throughout, else -EINVAL. */
int mdg__object_holders(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                        uint32_t tag, struct mdg__holder *ret_list, uint32_t room);

/* ---- users.c ---- */
/* Finds out whether the process has come into another user namespace, unnoticed because its
 * effective user has the same number there: before somebody is believed to be an owner for a
 * change, or refused. True: it has. */
bool mdg__users_anew(struct mdg__registry *registry, uint32_t euid);
/* The same, right after mdg__registry_here(), which has seen the registry's owner. */
bool mdg__users_anew_here(struct mdg__registry *registry, uint32_t euid);
/* The same in the child of a fork; the next question about a user finds out more. */
void mdg__users_forked(struct mdg__registry *registry);
/* What is written down for a number that the calling process sees. MDG__ID_UNKNOWN is written
 * where nobody can tell; then the data file's owner is asked. */
uint32_t mdg__id_stored(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t inside);
/* What the calling process sees for what is written down, or MDG__ID_UNKNOWN. */
uint32_t mdg__id_seen(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t stored);
/* The same for who asks about it: the number that stands for all who have none. */
uint32_t mdg__id_shown(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t stored);
/* The same for a user, a group, a user and a group. */
void mdg__ids_shown(struct mdg__registry *registry, const uint32_t stored[4], uint32_t ret[4]);
/* What is written down for the process itself; `euid` as mdg__euid() gives it. */
uint32_t mdg__my_id(struct mdg__registry *registry, uint32_t euid);
uint32_t mdg__my_group(struct mdg__registry *registry);

/* ---- check.c ---- */
typedef int (*mdg__report)(const struct mdg_finding *finding, void *context);
/* Says of every invariant that does not hold which one. With the lock held the
 * answer is exact. Returns how many. */
int mdg__registry_check(struct mdg__registry *registry, mdg__report report, void *context);

/* ---- rebuild.c ---- */
/* Rebuilds what follows from the segment entries and process slots: bitmap,
 * buckets, totals, lists. For a registry that check found damaged. [lock] */
void mdg__registry_rebuild(struct mdg__registry *registry);

#endif
