/* SPDX-License-Identifier: MIT */
/*
 * segment.h - what the rooms above (channel, locks) may use of the segment room beyond the public
 * interface, madang/segment.h. They know nothing of the registry, nor of what a namespace object
 * holds.
 *
 * While a namespace is entered all signals are blocked, and no other thread of this process is
 * inside.
 */
#ifndef MADANG_SEGMENT_SEGMENT_H
#define MADANG_SEGMENT_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "madang/segment.h"

/* ---- entering (enter.c, writer.c, list.c) ---- */
/* Blocks signals and takes the object's lock. Takes no lock of the registry. */
void mdg__enter(struct mdg_namespace *ns);
void mdg__leave(struct mdg_namespace *ns);
/* [entered] This process has a slot after this, by which others see that it lives: 0 or a
 * negative code. Attachments of a process whose slot was lost are entered anew. */
int mdg__ensure_slot(struct mdg_namespace *ns);
/* [entered] This process has a slot and the registry's writer lock after this, or a negative
 * code. */
int mdg__enter_writer(struct mdg_namespace *ns);
void mdg__leave_writer(struct mdg_namespace *ns);
/* The lock of the list of namespaces. The caller has blocked signals. */
void mdg__list_lock(void);
void mdg__list_unlock(void);

/* ---- a segment's entry in the registry (entry.c, lookup.c) ---- */
/* A consistent copy. Users and groups are written as the registry has them. */
struct mdg__entry {
	uint32_t index, tag; /* `tag`: sequence and state, see mdg__tag */
	int32_t key;
	uint32_t mode, uid, gid, cuid, cgid;
	int32_t cpid, lpid;
	uint64_t size, mapped, inode;
	int64_t ctime, atime, dtime;
	uint32_t worker, worker_generation, flags, lock_uid, new_uid1;
	char name[MDG_NAME_MAX + 1];
};
/* -EINVAL: no such segment. Takes no lock, unless the entry changes too fast. `any`: `id` is an
 * index or an id modulo 32768. */
int mdg__entry_read(struct mdg_namespace *ns, mdg_id id, bool any, struct mdg__entry *ret);
/* The same, but -EINVAL also for a removed segment that nobody living has attached any more. It is
 * gone before anybody's permission is asked for. */
int mdg__entry_find(struct mdg_namespace *ns, mdg_id id, bool any, struct mdg__entry *ret);
/* [entered] The segment that this process has attached at `address`, and where in it the address
 * lies. -EINVAL: none. MDG_DAMAGED: the registry knows nothing of it. */
int mdg__entry_at(struct mdg_namespace *ns, uintptr_t address, struct mdg__entry *ret,
                  uint64_t *ret_offset);
/* Whether the segment was removed or freed since the entry was copied. What was found out with
 * such an entry does not count. */
bool mdg__entry_is_old(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* What the copy says: whether the segment was removed, and whether it is of huge pages. */
bool mdg__entry_is_removed(const struct mdg__entry *entry);
bool mdg__entry_is_huge(const struct mdg__entry *entry);

/* ---- permission.c ---- */
/* `ask`: permission bits in any of the three classes. 0 or -EACCES. */
int mdg__permit(struct mdg_namespace *ns, const struct mdg__entry *entry, unsigned ask);

/* ---- fileopen.c ---- */
/* What may follow the segment's pages in its file, and is mapped by nobody: the names of
 * its objects (src/locks/table.h). A file is as long as its pages, or longer by this. */
#define MDG__DATA_TAIL 16384u
/* [entered] A descriptor of the segment's file and its inode, or -errno. */
int mdg__data_open(struct mdg_namespace *ns, const struct mdg__entry *entry, bool writable,
                   uint64_t *ret_inode);

/* ---- detach.c ---- */
/* mdg_segment_detach, also where the calling thread holds a lock there: it is let go. */
int mdg__detach_anyway(struct mdg_namespace *ns, const void *memory);

#endif
