/* SPDX-License-Identifier: MIT */
/*
 * objects.h - what objects of all classes have in common: the door for the rooms of semaphore
 * sets and message queues. They need no structure of the registry, and no file of their own.
 *
 * AN OBJECT has two parts.
 *
 *   - Its entry lies in the registry, which every process has mapped. The entry has the key or
 *     name, the owner, the mode, ctime, and six 64-bit fields of the class (a set: how many
 *     semaphores; a queue: qbytes). Making, finding, asking and removing touch only the entry.
 *   - Its memory lies in a file of its own. In a private namespace the file is made at the first
 *     call of mdg__memory_get, whoever calls it. So an object that is made and removed unused
 *     never has a file. In a namespace that users share, the file is made with the object,
 *     because the kernel then knows whose it is.
 *
 * A CALL on an object that exists looks like this:
 *
 *     struct mdg__memory memory;
 *     if (!mdg__memory_take(ns, class, id, &memory)) {         // not mapped here yet, or gone
 *             int rc = mdg__memory_get(ns, class, id, bytes, &memory);
 *             if (rc < 0)
 *                     return rc;                               // -EINVAL: no such object
 *     }
 *     rc = mdg__object_may(ns, class, id, 0222);               // -EACCES
 *     ... use memory.base[0 .. memory.length) ...
 *     mdg__memory_leave(&memory);
 *
 * mdg__memory_take makes no system call, takes no lock and blocks no signal: two atomic
 * additions in private memory, and a few loads. Keep the memory taken while a thread may touch
 * it, also while the thread sleeps on a word in it. Memory that is taken stays mapped at its
 * address, even if the object is removed meanwhile.
 *
 * Rules that may surprise:
 *   - New memory is zeros. Zeros have to be a valid state for the class: the process that made
 *     the file may have died before it wrote anything.
 *   - Memory only grows. Another process may have grown it: memory.length is what this process
 *     has mapped. Call mdg__memory_get with a larger size to map more. The base may then be
 *     another address. Pointers into the old base stay valid until that is left.
 *   - What is taken was promised by the file system. Touching it is never SIGBUS.
 *   - Nothing in the memory may be trusted. Whoever may use the object at all may write to it.
 *   - In the child of a fork, what was mapped is mapped. A child that was forked while another
 *     thread had memory taken keeps that memory mapped for good.
 *   - A namespace that was opened with MDG_NS_LOOK gives memory that may only be read, and that
 *     is never made longer: mdg__memory_get does there what mdg__memory_look does.
 *     mdg__object_is_look() tells.
 *
 * Errors: 0 or negative, as in madang/segment.h. In addition to what is said at each function,
 * all may return MDG_NS_GONE (the directory has another registry now), MDG_DAMAGED and, if they
 * change something, MDG_NO_SLOT and -EROFS (MDG_NS_LOOK).
 *
 * Unless it is said, the caller holds no lock of the namespace, and may have signals blocked or
 * not. None of these functions is a cancellation point.
 */
#ifndef MADANG_SEGMENT_OBJECTS_H
#define MADANG_SEGMENT_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "madang/segment.h"
#include "registry/class.h"
#include "segment/segment.h"

/* ---- finding and making (objectget.c) ------------------------------------------------------ */

/* What is to be found or made. */
struct mdg__object_order {
	int32_t key;      /* 0: none (IPC_PRIVATE, or by name) */
	const char *name; /* NULL or "": none. Not both */
	unsigned flags;   /* MDG_CREATE, MDG_EXCL; other bits do not matter */
	unsigned mode;    /* nine bits: of the new one; or what is asked of the one found */

	/* Of a new one: the class's fields. For a semaphore set field[0] is the number of its
	 * semaphores, which counts for SEMMNS (MDG__SEMMNS). */
	uint64_t field[MDG__CLASS_FIELDS];

	/* Says whether an object that was found will do, by its fields: 0 or a code (a set with
	 * fewer semaphores than wanted: -EINVAL). Asked after EEXIST, and before the permission.
	 * NULL: any will do. */
	int (*accepts)(const struct mdg__object_order *order,
	               const uint64_t field[MDG__CLASS_FIELDS]);
	/* Says whether a new one can be made: 0 or a code (no semaphores: -EINVAL). Asked when
	 * it is known that one has to be made, and before ENOSPC. May change `field` (qbytes =
	 * msgmnb as it is now). NULL: yes. */
	int (*prepares)(struct mdg__object_order *order, mdg_namespace *ns);
};

/* semget, msgget and their native sisters. In this order:
 *   with no key and no name, one is made, whatever the flags;
 *   unknown, without MDG_CREATE: -ENOENT;
 *   known, with both flags: -EEXIST;
 *   known: what `accepts` says, then -EACCES if the mode asks for what the caller may not do;
 *   unknown: what `prepares` says, then -ENOSPC (the class's most objects, or its total), then
 *   it is made.
 * A key that somebody is just making is waited for. -EINVAL: the name is too long. */
int mdg__object_get(mdg_namespace *ns, enum mdg__class class, struct mdg__object_order *order,
                    mdg_id *ret_id);

/* ---- looking (objectread.c) ---------------------------------------------------------------- */

/* A consistent copy of the entry: see struct mdg__entry. Lock-free. -EINVAL: no such object.
 * `any`: `id` is an index or an id modulo 32768 (SEM_STAT); the copy's id is
 * mdg__entry_id(&entry). Asks no permission. */
int mdg__object_entry(mdg_namespace *ns, enum mdg__class class, mdg_id id, bool any,
                      struct mdg__entry *ret);
mdg_id mdg__entry_id(const struct mdg__entry *entry);
/* Whether there is such an object at this moment. One load. */
bool mdg__object_is_there(mdg_namespace *ns, enum mdg__class class, mdg_id id);
/* Whether the registry is (nearly) surely still the directory's: 0 or MDG_NS_GONE. To be asked
 * once in each public call. Nearly never a system call. */
int mdg__object_glance(mdg_namespace *ns);
/* The same for a caller that has just read the clock: mdg__realtime_coarse_nanoseconds. */
int mdg__object_glance_at(mdg_namespace *ns, uint64_t realtime);
/* Whether the namespace was opened for a look only. */
bool mdg__object_is_look(const mdg_namespace *ns);
/* Whether users share the namespace. */
bool mdg__object_is_shared(const mdg_namespace *ns);

/* The class's fields as they lie in the entry, to be read without a copy, or to be changed by
 * one atomic operation each (figures that everybody shows: qnum of a queue). Valid as long as
 * the namespace; of another object when this one is gone. NULL: the index of the id is none.
 * Fields that have to change together, or with the owner, are changed by mdg__object_change. */
_Atomic uint64_t *mdg__object_fields(mdg_namespace *ns, enum mdg__class class, mdg_id id);

/* Owner, group, creator and creator's group as the caller's user namespace numbers them. */
void mdg__entry_users(mdg_namespace *ns, const struct mdg__entry *entry, uint32_t ret[4]);

/* The next object from an index on, in the order of indexes, as a copy. 1: there is one, and
 * *cursor is the next index to look at. 0: no more. Begin with *cursor 0. */
int mdg__object_next_entry(mdg_namespace *ns, enum mdg__class class, uint32_t *cursor,
                           struct mdg__entry *ret);

struct mdg__object_totals {
	uint32_t used;   /* objects */
	int32_t highest; /* index in use, -1: none */
	uint64_t total;  /* sets: all semaphores; queues: 0 */
};
/* What the dead have left is cleared away first. */
int mdg__object_totals(mdg_namespace *ns, enum mdg__class class, struct mdg__object_totals *ret);

/* ---- permission (permission.c) ------------------------------------------------------------- */

/* mdg__permit(ns, entry, ask), in segment.h, asks for a copy. `ask`: 0444 to look, 0222 to
 * alter. This asks for the object as it is now, without a copy if everybody may: 0, -EACCES, or
 * -EINVAL (gone). Costs no system call if the mode gives the right to all three classes. */
int mdg__object_may(mdg_namespace *ns, enum mdg__class class, mdg_id id, unsigned ask);

/* ---- changing and removing (set.c, remove.c) ---------------------------------------------- */

/* Before IPC_SET and IPC_RMID: owner, creator or privileged, else -EPERM. -EINVAL: no such
 * object. `ret` is the copy that was judged by. */
int mdg__object_control(mdg_namespace *ns, enum mdg__class class, mdg_id id,
                        struct mdg__entry *ret);

struct mdg__object_change {
	uint32_t uid, gid; /* as the caller numbers users. -EINVAL: such a number means nobody */
	unsigned mode;     /* nine bits */
	uint32_t fields;   /* bit i: field[i] changes too, in the same moment */
	uint64_t field[MDG__CLASS_FIELDS];
};
/* IPC_SET; asks the permission itself (-EPERM). ctime is now. In a shared namespace the file
 * follows. */
int mdg__object_change(mdg_namespace *ns, enum mdg__class class, mdg_id id,
                       const struct mdg__object_change *change);
/* ctime is now (SETVAL, SETALL). No lock, no permission. */
void mdg__object_changed(mdg_namespace *ns, enum mdg__class class, mdg_id id);

/* In a namespace that users share, the mode may deny the owner to open the object's own file. Here
 * the owner gets that right (true), or goes back to what the mode says (false): before a removal,
 * and around a change, whose sleepers have to be called. 0 or a code. */
int mdg__object_open_up(mdg_namespace *ns, enum mdg__class class, mdg_id id, bool open);

/* IPC_RMID; asks the permission itself (-EPERM). The key is free and the id means nothing from
 * now on, and the file is unlinked. The class has woken its sleepers, or wakes them now: whoever
 * has memory taken keeps it. -EINVAL: no such object (any more). */
int mdg__object_rmid(mdg_namespace *ns, enum mdg__class class, mdg_id id);
/* The same for an object without a file, so that nobody can sleep in its memory. -EBUSY: it has
 * one, and nothing was done. */
int mdg__object_rmid_unused(mdg_namespace *ns, enum mdg__class class, mdg_id id);
/* The same, asking no permission: for whoever finds in the memory that another process has
 * begun to remove the object, and died. */
int mdg__object_end_removal(mdg_namespace *ns, enum mdg__class class, mdg_id id);

/* ---- memory (objectmemory.c) --------------------------------------------------------------- */

struct mdg__memory {
	char *base;                   /* page-aligned; NULL: nothing is taken */
	uint64_t length;              /* bytes that are mapped here and promised; whole pages */
	struct mdg__mapping *mapping; /* for mdg__memory_leave */
};
/* The memory if this process has it mapped and the object is there. False: neither says anything
 * of the other; mdg__memory_get tells. */
bool mdg__memory_take(mdg_namespace *ns, enum mdg__class class, mdg_id id, struct mdg__memory *ret);
/* Maps the memory of the object, and keeps its file open as long as it is mapped: for a process
 * that will not be able to open it. See hostidentity.c. */
int mdg__memory_keep(mdg_namespace *ns, const struct mdg__entry *entry);
/* As mdg__memory_take, and makes the file, promises memory up to `least` bytes and maps it, as far
 * as that has not been done. `least` 0: as long as it is by now, but at least a page.
 * -EINVAL: no such object. -ENOMEM: no memory, also in the file system. -EMFILE: no descriptor
 * (one is needed to map and to grow, and is closed again). -EACCES: the file is closed to the
 * caller. MDG_DAMAGED: the file was deleted, or is not what the registry says. */
int mdg__memory_get(mdg_namespace *ns, enum mdg__class class, mdg_id id, uint64_t least,
                    struct mdg__memory *ret);
/* The same, but never makes or grows anything: -ENOENT, there is no file yet, and so nothing
 * but zeros. For IPC_STAT and for the tool. */
int mdg__memory_look(mdg_namespace *ns, enum mdg__class class, mdg_id id, struct mdg__memory *ret);
/* Every memory that was taken is left once. `memory->base` is NULL after it. */
void mdg__memory_leave(struct mdg__memory *memory);
/* Gives the pages behind `from` back to the system; the length stays, and they are zeros from
 * now on, for all processes. They are NOT promised any more: mdg__memory_promise before they are
 * touched again. The caller makes sure that nobody uses them. */
int mdg__memory_punch(mdg_namespace *ns, enum mdg__class class, mdg_id id, uint64_t from);
/* Promises the pages in [from, from + size) again: 0 or -ENOMEM ... */
int mdg__memory_promise(mdg_namespace *ns, enum mdg__class class, mdg_id id, uint64_t from,
                        uint64_t size);

/* ---- limits (objectlimit.c) ---------------------------------------------------------------- */

/* As the sysctls have them. They can be raised and lowered while the namespace is in use. */
enum mdg__object_limit {
	MDG__SEMMSL, /* semaphores in a set */
	MDG__SEMMNS, /* ... in all sets: mdg__object_get asks it */
	MDG__SEMOPM, /* operations in a call */
	MDG__SEMMNI, /* sets: mdg__object_get asks it */
	MDG__MSGMAX, /* bytes in a message */
	MDG__MSGMNB, /* bytes in a queue, when it is made */
	MDG__MSGMNI, /* queues: mdg__object_get asks it */
	MDG__OBJECT_LIMITS
};
/* The limit in force. One load, unless somebody has its file open for writing. */
uint64_t mdg__object_limit(mdg_namespace *ns, enum mdg__object_limit limit);

/* ---- sleeping (hostobject.c) --------------------------------------------------------------- */

/* The calling thread is about to sleep in an object, with no lock held. */
void mdg__object_sleeps(void);

#endif
