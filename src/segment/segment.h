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
#include "platform/sys.h"
#include "registry/class.h"

/* ---- entering (enter.c, writer.c) ---- */
/* Blocks signals and takes the object's lock. Takes no lock of the registry. */
void mdg__enter(struct mdg_namespace *ns);
void mdg__leave(struct mdg_namespace *ns);
/* [entered] This process has a slot and the registry's writer lock after this, or a negative
 * code. */
int mdg__enter_writer(struct mdg_namespace *ns);
void mdg__leave_writer(struct mdg_namespace *ns);

/* ---- an object's entry in the registry (entry.c, lookup.c) ---- */
/* A consistent copy. Users and groups are written as the registry has them. */
struct mdg__entry {
	enum mdg__class class;
	uint32_t index, tag; /* `tag`: sequence and state, see mdg__tag */
	int32_t key;
	uint32_t mode, uid, gid, cuid, cgid;
	int32_t cpid;
	int64_t ctime;
	uint32_t worker, worker_generation, new_uid1;
	char name[MDG_NAME_MAX + 1];
	/* Of a segment; otherwise 0. */
	uint32_t kind; /* enum mdg__segment_kind */
	int32_t lpid;
	uint64_t size, mapped, inode;
	int64_t atime, dtime;
	uint32_t flags, lock_uid;
	/* Of another object; otherwise not set. */
	uint64_t field[MDG__CLASS_FIELDS];
	uint32_t file; /* enum mdg__file_state; of any object */
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
/* What the copy says: whether the segment is of huge pages. */
bool mdg__entry_is_huge(const struct mdg__entry *entry);
/* ... and whether nobody has ever opened it, so that there is no file yet. */
bool mdg__entry_is_fileless(const struct mdg__entry *entry);

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

/* ---- cache.c ---- */
/* [entered] The descriptor of the segment's file that this process keeps, if it is for writing and
 * still the file's. Nobody but the namespace closes it. -EBADF: there is none. */
int mdg__data_at_hand(struct mdg_namespace *ns, const struct mdg__entry *entry);

/* ---- one segment (create.c, charge.c, aligned.c, inspect.c, detach.c) ---- */
/* What a segment is used for. It says so in the registry, so the segments of a kind are found
 * without a look at their bytes. It is a hint: whoever uses the bytes checks them. */
enum mdg__segment_kind { MDG__KIND_PLAIN = 0, MDG__KIND_CHANNEL = 1, MDG__KIND_HEAP = 2 };
/* As mdg_segment_create, of that kind. With MDG_NORESERVE the `first` bytes get memory all the
 * same, and the others by mdg__segment_promise. */
int mdg__segment_create(mdg_namespace *ns, const char *name, uint64_t size, unsigned mode,
                        unsigned flags, enum mdg__segment_kind kind, uint64_t first,
                        mdg_id *ret_id);
/* Says how many bytes of a segment of kind MDG__KIND_HEAP have memory. So many count in the totals
 * of the namespace, until it is said again or the segment is gone. It is said before the memory is
 * taken, and after it was given back. -ENOSPC: the limit of all segments does not allow it; then
 * nothing has changed. -EINVAL: there is no such segment, or it is smaller. */
int mdg__segment_charge(mdg_namespace *ns, mdg_id id, uint64_t bytes);
/* This part of a segment that is attached to write at `memory` has memory after this, and may be
 * touched: 0 or -ENOMEM. With any length, also of parts that have it already. (promise.c) */
int mdg__segment_promise(mdg_namespace *ns, mdg_id id, void *memory, uint64_t offset,
                         uint64_t length);
/* The same for reading. Without MADV_POPULATE_READ nobody can say that beforehand: then it is 0. */
int mdg__segment_promise_read(void *memory, uint64_t offset, uint64_t length);
/* As mdg_segment_attach, at an address that is a multiple of `alignment`, a power of two. */
int mdg__segment_attach_aligned(mdg_namespace *ns, mdg_id id, size_t alignment, unsigned flags,
                                void **ret_memory);
/* Whether the segment was removed, or is gone. */
bool mdg__segment_is_removed(mdg_namespace *ns, mdg_id id);
/* Its name and its permission bits. False: there is no such segment; then both stay as they are. */
bool mdg__segment_label(mdg_namespace *ns, mdg_id id, char ret_name[MDG_NAME_MAX + 1],
                        unsigned *ret_mode);
/* A descriptor for reading the bytes of a segment of that kind that has a name and at least so many
 * bytes, and its name. The segment is not attached. Negative: there is none, or the caller may not
 * read it. */
int mdg__segment_open_file(mdg_namespace *ns, mdg_id id, enum mdg__segment_kind kind,
                           uint64_t least_size, char ret_name[MDG_NAME_MAX + 1]);
/* As mdg_segment_detach. If the calling thread holds a lock in the segment, the lock is let go;
 * mdg_segment_detach would refuse. */
void mdg__segment_let_go(mdg_namespace *ns, const void *memory);

/* ---- files beside the segments, in the directory of the namespace (beside.c) ---- */
#define MDG__BESIDE_NAME_ROOM 64
/* The names of such files begin with this. */
void mdg__beside_name(const mdg_namespace *ns, const char *kind, mdg_id id,
                      char ret_name[MDG__BESIDE_NAME_ROOM]);
/* Enters the namespace, also on failure: mdg__leave has to be called in any case. Returns the
 * descriptor of that directory, which may be used until then. `to_make`: also makes sure that the
 * namespace is still the directory's. Negative: it is not, or the directory cannot be opened. */
int mdg__beside_enter(mdg_namespace *ns, bool to_make);

/* ---- lists (list.c) ---- */
/* The lock that a process holds while it changes its list of namespaces, and lists of what belongs
 * to them. It is also held during fork, so that the child finds the lists whole. Signals are
 * blocked while it is held. It is taken before any namespace is entered. */
void mdg__lists_enter(mdg__sigmask *ret_mask);
void mdg__lists_leave(const mdg__sigmask *mask);

#endif
