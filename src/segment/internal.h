/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the segment room's own view of a namespace.
 *
 *   directory.c   the default path, and which directories are refused
 *   namespace.c   opening, entering and leaving
 *   fork.c        what fork does to it
 *   pieces.c      which addresses of this process are attachments
 *   datafile.c    the files that hold the segments' bytes
 *   fileowner.c   whose those files are
 *   permission.c  who may what
 *   create.c attach.c detach.c stat.c control.c walk.c health.c
 *                 the public functions of segment.h
 *   settings.c    limits that are set through files, as sysctls are
 *   hostcall.c hostmap.c hostremap.c
 *                 what the program does to its mappings by itself
 *   hostheld.c    the locks that its thread holds there
 *   ownlock.c     what of the library's own it has locked
 *   forked.c      the pid of a child, from who called fork
 *
 * Two locks, taken in this order: the namespace object's own (this process's
 * threads; mdg__enter), then the registry's writer lock (all processes). All
 * signals are blocked while either is held. Files are made and unlinked with
 * neither.
 */
#ifndef MADANG_SEGMENT_INTERNAL_H
#define MADANG_SEGMENT_INTERNAL_H

#include <stdbool.h>

#include "madang/segment.h"
#include "platform/ownmap.h"
#include "platform/sys.h"
#include "platform/threadlock.h"
#include "registry/registry.h"

/* What this process knows of the segment at an index. Valid for one sequence. */
struct mdg__known {
	uint32_t sequence1;   /* sequence + 1; 0: nothing known */
	uint32_t pieces;      /* attachments of this process, see pieces.c */
	uint32_t attachment1; /* its record in the registry + 1; 0: not made */
	uint32_t generation;  /* of that record */
	int fd;               /* data file, -1 none; checked before each use */
	uint32_t writable;    /* fd was opened for reading and writing */
	uint64_t inode;
	uint64_t mapped;   /* what was opened is at least as long */
	uint64_t mark;     /* of fd, see mdg__fd_mark; 0: asked by fstat */
	uint32_t detached; /* it has been attached and detached before */
	uint32_t epoch;    /* of the process that attachment1 belongs to: not the parent's */
};

/* Children forked lately, whose slots this process gives back when they are
 * dead: nobody else may ever look. */
#define MDG__CHILDREN 64u
struct mdg__children {
	uint32_t count, next; /* `next`: whom to ask about next */
	struct {
		uint32_t slot, generation;
	} list[MDG__CHILDREN];
};

struct mdg__span {
	_Atomic uintptr_t start, last;
};

/* A stretch of addresses that is (still) mapped to a segment. */
struct mdg__piece {
	uintptr_t start;
	size_t length;   /* page-rounded */
	uint64_t offset; /* of `start` in the segment */
	uint32_t index, sequence;
	uint32_t call; /* the shmat that it comes from: a number of this process */
	uint32_t born; /* when it came to lie there: mdg__pieces_now() */
};

struct mdg_namespace {
	struct mdg_namespace *next; /* all that are open, see mdg__namespaces */
	uint32_t references;
	_Atomic uint32_t lock;  /* 0 free, 1 taken, 2 taken and waited for */
	_Atomic uint32_t epoch; /* of the process for which this was last right, mdg__epoch */
	mdg__sigmask mask;      /* of the thread that holds the lock */
	struct mdg__registry registry;

	struct mdg__known *known;  /* segment_capacity entries, memory on demand */
	struct mdg__piece *pieces; /* sorted by start */
	uint32_t piece_count, piece_room;
	uint32_t calls; /* of shmat so far, see struct mdg__piece */
	/* The same for those who only ask whether addresses are attachments, and
	 * must not wait: a seqlock; arrays that were outgrown stay mapped. */
	_Atomic uint32_t span_version, span_count;
	struct mdg__span *_Atomic spans;
	uint32_t idle1;    /* index + 1 of a segment whose fd is kept though
	                           nothing is attached; one at most */
	uint32_t kept_fds; /* data descriptors open */
	uint32_t most_kept_fds;
	int child_fd;  /* during fork: the child's description, -1 none */
	int parent_fd; /* ... and what the child is to close, -1 nothing */
	uint32_t child_slot, child_generation;
	struct mdg__children children;
	bool unentered; /* there are attachments that could not be entered yet */
	bool doubtful;  /* ... or pieces that may be gone, see mdg__host_look_again */
};

/* ---- namespace.c ---- */
/* Blocks signals and takes the object's lock; notices a fork that no handler
 * saw. No registry lock yet. */
void mdg__enter(struct mdg_namespace *ns);
void mdg__leave(struct mdg_namespace *ns);
/* The same for a caller who has blocked signals himself. */
void mdg__enter_blocked(struct mdg_namespace *ns);
void mdg__leave_blocked(struct mdg_namespace *ns);
/* For those who only read: notices that this is the child of a fork. */
void mdg__arrive(struct mdg_namespace *ns);
/* Gives the object's lock back until mdg__resume, but keeps signals blocked. */
void mdg__pause(struct mdg_namespace *ns, mdg__sigmask *ret_mask);
void mdg__resume(struct mdg_namespace *ns, const mdg__sigmask *mask);
/* With the object's lock held: has a slot and the registry's writer lock after
 * this, or a negative code. May release the writer lock once to clear up. */
int mdg__enter_writer(struct mdg_namespace *ns);
/* The slot alone. Attachments of a process whose slot was lost are entered anew. */
int mdg__ensure_slot(struct mdg_namespace *ns);
/* Unlinks the files of segments this process is BUSY with and frees their
 * entries. Without the writer lock. */
void mdg__clear(struct mdg_namespace *ns, struct mdg__clearing *clearing);
/* Reaps these dead slots (object lock held, writer lock not). */
void mdg__reap(struct mdg_namespace *ns, const struct mdg__holder *dead, uint32_t count);
/* Whether the worker that a BUSY entry names may be at work on it. Slow. */
bool mdg__is_worked_on(struct mdg_namespace *ns, uint32_t worker1, uint32_t generation);
/* Clears away an entry that was BUSY (`tag`) if it is, and nobody works on it:
 * neither a living process nor one whose death will bring it up. */
void mdg__clear_abandoned(struct mdg_namespace *ns, uint32_t index, uint32_t tag);
/* Reaps every dead slot. */
void mdg__reap_all(struct mdg_namespace *ns);
extern struct mdg_namespace *_Atomic mdg__namespaces;
/* In a child: finds the records that were entered for it. */
void mdg__adopt_attachments(struct mdg_namespace *ns);

/* ---- settings.c ---- (no lock held) */
/* Takes over what was written to the files of settings since. Costs one load while
 * nobody has such a file open for writing. */
void mdg__settings_follow(struct mdg_namespace *ns);
/* [object lock] The setting has changed by itself: lets its file say so, if there is one. */
void mdg__settings_show(struct mdg_namespace *ns, enum mdg__setting setting);

/* ---- fork.c ---- */
void mdg__list_lock(void); /* of mdg__namespaces; signals blocked by the caller */
void mdg__list_unlock(void);
void mdg__forked(struct mdg_namespace *ns); /* forget what was the parent's */

/* ---- forked.c ---- */
void mdg__forked_begin(void); /* this thread's fork: nothing is prepared yet; */
void mdg__forked_prepared(struct mdg_namespace *ns); /* ... this namespace's child_slot is */

/* ---- pieces.c ---- (object lock held) */
int mdg__pieces_reserve(struct mdg_namespace *ns, uint32_t more);
void mdg__piece_insert(struct mdg_namespace *ns, struct mdg__piece piece);
/* The first piece that ends above `address`, piece_count for none. */
uint32_t mdg__piece_after(const struct mdg_namespace *ns, uintptr_t address);
/* Takes [start, start+length) out of all pieces; each piece that goes is a
 * detach, each split an attach. Needs room for one more piece. */
void mdg__pieces_cut(struct mdg_namespace *ns, uintptr_t start, size_t length);
/* The same, but only of pieces that were there at that moment. */
void mdg__pieces_cut_since(struct mdg_namespace *ns, uintptr_t start, size_t length,
                           uint32_t moment);
uint32_t mdg__pieces_now(void);
/* Ends this moment, and returns it: what is inserted from now on is younger. */
uint32_t mdg__pieces_end_moment(void);
void mdg__piece_remove(struct mdg_namespace *ns, uint32_t at);
/* Whether [start, start+length) touches a piece of any namespace. No lock: the
 * program's munmap comes here, from below its allocator's locks. */
bool mdg__pieces_touch(uintptr_t start, size_t length);

/* After an attachment of `but` replaced what was mapped there: attachments of
 * other namespaces that it was. No lock held. */
void mdg__others_cut(const struct mdg_namespace *but, uintptr_t start, size_t length);

/* ---- hostheld.c ---- (before the program's call; the last one says with which flags to make it) */
void mdg__before_munmap(uintptr_t start, size_t length);
void mdg__before_mmap(uintptr_t start, size_t length, int protection, int flags, int fd,
                      uint64_t offset);
void mdg__before_move(uintptr_t start, size_t length);
int mdg__before_mremap(uintptr_t start, size_t old_length, size_t length, int flags, uintptr_t to);

/* ---- detach.c ---- */
/* mdg_segment_detach, also where the calling thread holds a lock there: it is let go. */
int mdg__detach_anyway(struct mdg_namespace *ns, const void *memory);

/* ---- hostmap.c ---- */
/* Whether a call that changes the program's map is on its way in some other library. */
bool mdg__host_is_under_way(void);
/* In the child of a fork that happened then: which pieces are mapped. (object lock held) */
void mdg__host_look_again(struct mdg_namespace *ns);

/* ---- attach.c ---- (object lock held) */
/* Changes what is counted for a segment; clears it away if that was the last of
 * a removed one. */
void mdg__count_detached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence);
int mdg__count_attached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence);
/* Time and pid of it. A detach is stamped before it is counted: with the last
 * one the entry of a removed segment is freed. */
void mdg__stamp_attached(struct mdg_namespace *ns, uint32_t index);
void mdg__stamp_detached(struct mdg_namespace *ns, uint32_t index);
void mdg__known_drop_fd(struct mdg_namespace *ns, uint32_t index);
/* Whether this process has a record for the segment at an index. */
bool mdg__known_has_record(const struct mdg_namespace *ns, uint32_t index);
/* Closes the idle descriptor if its segment is gone or removed. */
void mdg__check_idle(struct mdg_namespace *ns);
/* Makes the table of attachments hold `count`; when it is as large as it can be,
 * frees records that count nothing. */
int mdg__attachments_ready(struct mdg_namespace *ns, uint32_t count);

/* ---- datafile.c ---- */
struct mdg__entry;
/* What may follow the segment's pages in its file, and is mapped by nobody: the names of
 * its objects (src/locks/table.h). A file is as long as its pages, or longer by this. */
#define MDG__DATA_TAIL 16384u
/* `size` in whole pages; huge_shift 0: ordinary ones. */
int mdg__data_create(struct mdg_namespace *ns, mdg_id id, uint64_t size, unsigned mode,
                     unsigned flags, unsigned huge_shift);
/* A descriptor of the segment's file and its inode, or -errno. */
int mdg__data_open(struct mdg_namespace *ns, const struct mdg__entry *entry, bool writable,
                   uint64_t *ret_inode);
/* Unlinks. When that is not allowed (-EPERM: the file is another user's), gives
 * back the memory at least, if that is. */
int mdg__data_unlink(struct mdg_namespace *ns, uint32_t index);
/* For a segment that was removed while attached: unlinks its file if it can be
 * reached through an attached process afterwards. */
void mdg__data_hide(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Whether an open file is the segment's, and has all its pages. */
bool mdg__data_is(struct mdg_namespace *ns, const struct mdg__entry *entry,
                  const struct stat *status);
/* A descriptor of O_PATH of what has the file's name. */
int mdg__data_open_path(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Whether the file is there under its name (-ENOENT), and the segment's bytes in memory. */
int mdg__data_stat(struct mdg_namespace *ns, const struct mdg__entry *entry,
                   uint64_t *ret_resident);

/* ---- fileowner.c ---- */
/* Users, groups: as they are written down in the registry. */
int mdg__data_set_owner(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t uid,
                        uint32_t gid, unsigned mode);
/* Whether owner, group and mode of the file are those of the entry: 1, 0 or -errno. */
int mdg__data_owner_is_right(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Whether a file that stat says is `uid`'s can be the segment's. */
bool mdg__file_owner_fits(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t uid);
/* What stat says of the segment's file; false: there is none under its name. */
bool mdg__file_owner(struct mdg_namespace *ns, const struct mdg__entry *entry,
                     struct stat *ret_status);
/* Whether the file belongs to the caller, and whether it may be used so (three bits), as the
 * kernel sees it. False without a file. */
bool mdg__data_is_mine(struct mdg_namespace *ns, const struct mdg__entry *entry);
bool mdg__data_may(struct mdg_namespace *ns, const struct mdg__entry *entry, unsigned bits);

/* ---- control.c ---- */
/* Gives the data file the owner, group and mode of its entry, if they are others. */
int mdg__data_follow_entry(struct mdg_namespace *ns, mdg_id id);

/* ---- stat.c ---- */
/* A consistent copy of a segment's entry. */
struct mdg__entry {
	uint32_t index, tag;
	int32_t key;
	uint32_t mode, uid, gid, cuid, cgid;
	int32_t cpid, lpid;
	uint64_t size, mapped, inode;
	int64_t ctime, atime, dtime;
	uint32_t worker, worker_generation, flags, lock_uid, new_uid1;
	char name[MDG_NAME_MAX + 1];
};
/* -EINVAL: no such segment. Lock-free, with the lock as last resort. `any`:
 * `id` is an index or an id modulo 32768. */
int mdg__entry_read(struct mdg_namespace *ns, mdg_id id, bool any, struct mdg__entry *ret);
/* The same, but -EINVAL also if it is removed and nobody living has it any more: such a one is
 * gone before anybody's permission is asked for. */
int mdg__entry_find(struct mdg_namespace *ns, mdg_id id, bool any, struct mdg__entry *ret);
void mdg__entry_copy(struct mdg_namespace *ns, uint32_t index, struct mdg__entry *ret);
/* Whether the segment was removed or freed since: what was found out about it
 * with this entry does not count. */
bool mdg__entry_is_old(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Living attachments; reaps the dead that it meets. -EINVAL: gone meanwhile.
 * `entered`: the caller holds the object's lock. */
int mdg__entry_attached(struct mdg_namespace *ns, const struct mdg__entry *entry, bool entered,
                        uint32_t *ret);

/* ---- permission.c ---- */
/* `ask`: permission bits in any of the three classes. 0 or -EACCES. */
int mdg__permit(struct mdg_namespace *ns, const struct mdg__entry *entry, unsigned ask);
/* Owner, creator or privileged: 0 or -EPERM. */
int mdg__permit_control(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Owner or creator; `me` as mdg__my_id() gives it. The second asks who that is. */
bool mdg__is_owner(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t me);
bool mdg__is_owner_anew(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Whether the caller has a capability that counts for this segment. */
bool mdg__capable_of(struct mdg_namespace *ns, const struct mdg__entry *entry, int capability);

#endif
