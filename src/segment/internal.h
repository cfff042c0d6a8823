/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the segment room's own view of a namespace. What the rooms above may use of it:
 * segment.h. What libmadang-sysv may use: hostcalls.h.
 *
 * The files form floors. A file calls only files of floors below its own. Within a floor, the lines
 * are floors too: a file calls files of lower lines, and none of a higher line.
 *
 *   the public functions
 *     walk.c health.c           all segments and totals; check and repair
 *     stat.c create.c attach.c detach.c set.c memlock.c remove.c
 *                               one segment each
 *     inspect.c beside.c sign.c for the rooms above: questions about a segment; files of theirs;
 *                               whether a process lives
 *     charge.c                  what a segment counts that takes its memory as it grows
 *     aligned.c                 attaching at an aligned address
 *     objectget.c objectlimit.c, over order.c
 *                               sets and queues: making and finding; limits and totals
 *     settings.c, over settingvalue.c
 *                               limits that are set through files, as sysctls are
 *     namespace.c               opening and closing
 *   what the program does by itself
 *     hostidentity.c            what is opened before the program becomes another user
 *     fork.c, over forked.c     fork; and the child's pid, as the caller of fork learns it
 *     hostmap.c hostremap.c     munmap, mmap and mremap of the program
 *     hostcall.c                ... what they have in common
 *     ownlock.c                 ... and what mlockall has locked of the library's own
 *   looking at a segment
 *     objectmemory.c            the memory of sets and queues, as this process has it mapped
 *     change.c                  beginning and ending a change of an entry
 *     permission.c              who may what
 *     fileowner.c               owner and mode of the data files
 *     lookup.c                  finding a segment, and who has it attached
 *     objectread.c              a consistent copy of any object's entry
 *   entering
 *     enter.c                   the namespace's lock; what a forked child does first
 *     recheck.c                 ... which attachments such a child still has
 *     cut.c                     attachments of which a part is unmapped
 *     count.c                   counting what is attached and detached
 *   the registry's writer lock
 *     made.c                    the descriptor of a file that this process has just made
 *     objectfile.c              making and growing the files of sets and queues
 *     fileopen.c dead.c         opening a data file; giving back what the dead had
 *     writer.c                  the process's slot and the lock
 *     clear.c                   segments that nobody has any more
 *   tables and files
 *     datafile.c                the files that hold the segments' bytes
 *     fileidentity.c            where they lie, and how they are recognised
 *     entry.c cache.c           copies of entries; what this process knows of each segment
 *     mapping.c                 which memory of sets and queues it has mapped
 *     pieces.c                  which addresses of this process are attachments
 *     list.c                    all open namespaces
 *   without a namespace
 *     directory.c               the default path, and which directories are refused
 *     hugepage.c                which huge pages, and where their files go
 *     hostheld.c                locks that a thread holds where memory goes
 *     error.c                   a sentence for every code
 *
 * Two locks, taken in this order: the namespace object's own (this process's
 * threads; mdg__enter), then the registry's writer lock (all processes). All
 * signals are blocked while either is held. Files are made and unlinked without
 * the writer lock. [object lock] below says that the caller holds the first.
 */
#ifndef MADANG_SEGMENT_INTERNAL_H
#define MADANG_SEGMENT_INTERNAL_H

#include <stdbool.h>

#include "madang/segment.h"
#include "platform/ownmap.h"
#include "platform/sys.h"
#include "platform/threadlock.h"
#include "registry/registry.h"
#include "registry/tag.h"
#include "segment/segment.h"

struct mdg__clearing; /* registry/clearing.h */
struct mdg__holder;   /* registry/tie.h */

/* What this process knows of the segment at an index. Valid for one sequence. */
struct mdg__segment_cache {
	uint32_t sequence1;   /* sequence + 1; 0: nothing known */
	uint32_t pieces;      /* how many this process has of the segment, see pieces.c */
	uint32_t attachment1; /* index + 1 of its record in the registry; 0: not made */
	uint32_t generation;  /* of that record */
	int fd;               /* of the data file, -1 none; checked before each use */
	uint32_t writable;    /* fd was opened for reading and writing */
	uint64_t inode;
	uint64_t mapped;   /* the file that fd stands for is at least as long */
	uint64_t mark;     /* of fd, see mdg__fd_mark; 0: fstat tells whether fd is ours */
	uint32_t detached; /* it has been attached and detached before */
	uint32_t epoch;    /* of the process that attachment1 belongs to */
};

/* Children forked lately. This process gives their slots back when they are dead, because perhaps
 * nobody else ever looks. */
#define MDG__CHILDREN 64u
struct mdg__children {
	uint32_t count, next; /* `next`: which child to ask about next */
	struct {
		uint32_t slot, generation;
	} list[MDG__CHILDREN];
};

/* A child whose pid is not known yet to who has forked it: forked.c. [object lock] */
#define MDG__NEWBORN 8u
struct mdg__newborn {
	_Atomic uint32_t
		forker; /* the thread's id; 0: nobody. Read by that thread without a lock */
	uint32_t slot, generation;
};

/* The first and the last address of a piece, for those who read without a lock. */
struct mdg__span {
	_Atomic uintptr_t start, last;
};

/* A stretch of addresses that is (still) mapped to a segment. */
struct mdg__piece {
	uintptr_t start;
	size_t length;   /* page-rounded */
	uint64_t offset; /* of `start` in the segment */
	uint32_t index, sequence;
	uint32_t call; /* which shmat of this process it comes from, counted by `calls` */
	uint32_t born; /* when it came to lie there: mdg__pieces_now() */
};

struct mdg_namespace {
	struct mdg_namespace *next; /* in the list of all that are open, see mdg__namespaces */
	uint32_t references;
	_Atomic uint32_t lock;  /* 0 free, 1 taken, 2 taken and waited for */
	_Atomic uint32_t epoch; /* of the process that the object is right for, see mdg__epoch */
	mdg__sigmask mask;      /* of the thread that holds the lock */
	struct mdg__registry registry;

	struct mdg__segment_cache *caches; /* segment_capacity entries, memory on demand */
	struct mdg__piece *pieces;         /* sorted by start */
	uint32_t piece_count, piece_room;
	uint32_t calls; /* of shmat so far, see struct mdg__piece */
	/* The addresses of the pieces, for those who only ask whether something is attached there,
	 * and must not wait. A seqlock. An array that was outgrown stays mapped. */
	_Atomic uint32_t span_version, span_count;
	struct mdg__span *_Atomic spans;
	uint32_t kept_detached1; /* index + 1 of a segment whose fd is kept though
	                           nothing is attached; one at most */
	_Atomic uint32_t made1;  /* index + 1 of the segment made last: made.c */
	uint32_t kept_fds;       /* data descriptors open */
	uint32_t most_kept_fds;
	int child_fd;  /* during fork: the child's description, -1 none */
	int parent_fd; /* ... and what the child is to close, -1 nothing */
	uint32_t child_slot, child_generation;
	struct mdg__children children;
	struct mdg__newborn newborn[MDG__NEWBORN];
	uint32_t newborn_next; /* which of them to forget next */
	/* Mappings of the memory of semaphore sets and message queues: mapping.c. The tables are
	 * made when they are first needed. */
	struct mdg__mapping *_Atomic *_Atomic mapped[MDG__CLASSES]; /* by index */
	struct mdg__mapping *retired_mappings, *free_mappings;
	uint32_t mapping_cursor; /* which to look at next */
	uint32_t kept_files;     /* of them, whose file is kept open: hostidentity.c */
	int32_t pid;             /* this process's number when the object became its own */
	bool may_leave;          /* the process may be another user by now, so that its children
	                            cannot open the registry themselves */
	bool unentered;          /* there are attachments that could not be entered yet */
	bool doubtful;           /* ... or pieces that may be gone, see mdg__host_look_again */
};

/* The length in whole pages. */
static inline size_t mdg__whole_pages(size_t length)
{
	size_t page = mdg__page_size();
	return (length + page - 1) / page * page;
}

/* ---- list.c ---- */
/* Grows at its head, with the list's lock held. Nothing is ever taken out. */
extern struct mdg_namespace *_Atomic mdg__namespaces;

/* ---- enter.c ---- */
/* mdg__enter for a caller who has blocked signals himself. */
void mdg__enter_blocked(struct mdg_namespace *ns);
void mdg__leave_blocked(struct mdg_namespace *ns);
/* For those who only read: notices that this is the child of a fork. */
void mdg__arrive(struct mdg_namespace *ns);
/* Gives the object's lock back until mdg__resume, but keeps signals blocked. */
void mdg__pause(struct mdg_namespace *ns, mdg__sigmask *ret_mask);
void mdg__resume(struct mdg_namespace *ns, const mdg__sigmask *mask);

/* ---- recheck.c ---- */
/* Around a call that changes the program's map and is made by another library. */
void mdg__host_way_begin(void);
void mdg__host_way_end(void);
/* Whether such a call is on its way in some thread. */
bool mdg__host_is_under_way(void);
/* [object lock] In the child of a fork that happened then: which pieces are mapped. */
void mdg__host_look_again(struct mdg_namespace *ns);
/* Whether anything is mapped there: an mremap that changes nothing tells. */
bool mdg__host_is_mapped(uintptr_t address);

/* ---- writer.c ---- */
/* [entered] This process has a slot after this, by which others see that it lives: 0 or a
 * negative code. Attachments of a process whose slot was lost are entered anew. */
int mdg__ensure_slot(struct mdg_namespace *ns);
/* A thread of this process says that it lives, to those who count: registry/alive.c. [has a slot,
 * signals] */
void mdg__bear_witness(struct mdg_namespace *ns);

/* ---- clear.c ---- */
/* [object lock] Unlinks the files of objects this process is BUSY with and frees their
 * entries. Without the writer lock. */
void mdg__clear(struct mdg_namespace *ns, struct mdg__clearing *clearing);

/* ---- dead.c ---- [object lock, and not the writer lock] */
/* Reaps those of these slots that are dead. */
void mdg__reap(struct mdg_namespace *ns, const struct mdg__holder *dead, uint32_t count);
/* Reaps every dead slot. */
void mdg__reap_all(struct mdg_namespace *ns);
/* Whether the worker that a BUSY entry names may be at work on it. Slow. */
bool mdg__is_worked_on(struct mdg_namespace *ns, uint32_t worker1, uint32_t generation);
/* Clears away an entry that was BUSY when it had this `tag`, if it still is and nobody works on it:
 * neither a living process, nor a dead one whose slot leads to it. */
void mdg__clear_abandoned(struct mdg_namespace *ns, enum mdg__class class, uint32_t index,
                          uint32_t tag);

/* ---- settings.c ---- */
/* Takes over what was written to the files of settings since the last time. Costs one load while
 * nobody has such a file open for writing. The caller holds no lock. */
void mdg__settings_follow(struct mdg_namespace *ns);
/* [object lock] A setting has changed by itself. If it has a file, the file is to say so. */
void mdg__settings_show(struct mdg_namespace *ns, enum mdg__setting setting);

/* ---- fork.c ---- */
/* Does nothing. The handlers of fork register themselves when the program is loaded, so no other
 * file needs anything of fork.c, and a linker would leave it out of a program that is linked with
 * libmadang.a. Whoever opens a namespace calls this, and so has it linked in. */
void mdg__fork_is_linked(void);

/* ---- forked.c ---- */
/* [object lock] This thread has forked. It has prepared child_slot for the child, or nothing. */
void mdg__forked_note(struct mdg_namespace *ns, uint32_t thread, bool prepared);

/* ---- pieces.c ---- [object lock] */
/* Makes room for so many more. */
int mdg__pieces_reserve(struct mdg_namespace *ns, uint32_t more);
void mdg__piece_insert(struct mdg_namespace *ns, struct mdg__piece piece);
void mdg__piece_remove(struct mdg_namespace *ns, uint32_t at);
/* The piece has become another, at the same place of the order. */
void mdg__piece_change(struct mdg_namespace *ns, uint32_t at, struct mdg__piece piece);
/* The first piece that ends above `address`, piece_count for none. */
uint32_t mdg__piece_after(const struct mdg_namespace *ns, uintptr_t address);
uint32_t mdg__pieces_now(void);
/* Ends this moment, and returns it. A piece that is inserted from now on is younger. */
uint32_t mdg__pieces_end_moment(void);
/* Whether [start, start+length) touches a piece of any namespace. No lock: the
 * program's munmap comes here, from below its allocator's locks. */
bool mdg__pieces_touch(uintptr_t start, size_t length);

/* ---- cut.c ---- [object lock] */
/* Takes [start, start+length) out of all pieces. Each piece that goes is a detach, and each split
 * is an attach. The caller has reserved room for one more piece. */
void mdg__pieces_cut(struct mdg_namespace *ns, uintptr_t start, size_t length);
/* The same, but only of pieces that were there at that moment. */
void mdg__pieces_cut_since(struct mdg_namespace *ns, uintptr_t start, size_t length,
                           uint32_t moment);

/* ---- hostmap.c ---- */
/* An attachment of the namespace `but` has replaced what was mapped there. If that was attachments
 * of other namespaces, they are cut. The caller holds no lock. */
void mdg__others_cut(const struct mdg_namespace *but, uintptr_t start, size_t length);

/* ---- hostheld.c ---- */
/* To be called before the program's call. mdg__before_mremap returns the flags to make it with. */
void mdg__before_munmap(uintptr_t start, size_t length);
void mdg__before_mmap(uintptr_t start, size_t length, int protection, int flags, int fd,
                      uint64_t offset);
void mdg__before_move(uintptr_t start, size_t length);
int mdg__before_mremap(uintptr_t start, size_t old_length, size_t length, int flags, uintptr_t to);

/* ---- count.c ---- [object lock] */
/* Change what is counted for a segment. A removed segment is cleared away with the last detach. */
void mdg__count_detached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence);
int mdg__count_attached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence);
/* Note time and pid. A detach has to be stamped before it is counted, because the last one frees
 * the entry of a removed segment. */
void mdg__stamp_attached(struct mdg_namespace *ns, uint32_t index);
void mdg__stamp_detached(struct mdg_namespace *ns, uint32_t index);

/* ---- cache.c ---- [object lock] */
/* What is known of this very segment; what was known of a former one at the index is forgotten. */
int mdg__cache_find(struct mdg_namespace *ns, uint32_t index, uint32_t sequence,
                    struct mdg__segment_cache **ret);
/* Whether `attachment1` is a record of this process: not of the one that
 * forked it, and not given to somebody else since. */
bool mdg__cache_has_record(const struct mdg_namespace *ns, const struct mdg__segment_cache *cache);
/* In a child: finds the records that were entered for it. */
void mdg__adopt_attachments(struct mdg_namespace *ns);
/* Makes room for `count` records in the table of attachments. When the table cannot grow any more,
 * records that count nothing are freed. */
int mdg__attachments_ready(struct mdg_namespace *ns, uint32_t count);
/* Whether the program has left the descriptor alone. */
bool mdg__cache_fd_is_ours(const struct mdg_namespace *ns, const struct mdg__segment_cache *cache);
bool mdg__data_fd_is_ours(const struct mdg_namespace *ns, int fd, uint64_t inode, uint64_t mark);
/* Keeps `fd` instead of the one before. `mark`: as mdg__fd_mark gave it. */
void mdg__cache_keep_fd(struct mdg_namespace *ns, struct mdg__segment_cache *cache, uint32_t index,
                        int fd, bool writable, uint64_t inode, uint64_t mark);
void mdg__cache_drop_fd(struct mdg_namespace *ns, uint32_t index);
/* Tells others which descriptor they can reach the file through. */
void mdg__cache_note_fd(struct mdg_namespace *ns, const struct mdg__segment_cache *cache);
/* Closes the kept descriptor of which nothing is attached, if its segment is gone or removed. */
void mdg__cache_check_kept(struct mdg_namespace *ns);

/* ---- made.c ---- */
/* A file that this process makes for a segment. */
struct mdg__made {
	bool wanted; /* its descriptor is to be kept */
	int fd;      /* -1: it is not */
	uint64_t inode;
	uint64_t mark; /* of fd, see mdg__fd_mark */
};
/* Whether the descriptor of a new file of this length is worth keeping. */
bool mdg__made_is_wanted(struct mdg_namespace *ns, uint64_t length);
/* [object lock] The segment has been made, or not: `rc`. Keeps the descriptor or closes it. */
void mdg__made_end(struct mdg_namespace *ns, mdg_id id, uint64_t length,
                   const struct mdg__made *made, int rc);
/* [object lock] This process has attached the segment. */
void mdg__made_attached(struct mdg_namespace *ns, uint32_t index);

/* ---- datafile.c ---- */
/* `size` in whole pages; huge_shift 0: ordinary ones. The first `reserve` bytes get memory. */
int mdg__data_create(struct mdg_namespace *ns, mdg_id id, uint64_t size, uint64_t reserve,
                     unsigned mode, unsigned huge_shift, struct mdg__made *made);
/* Unlinks the file. -EPERM: that is for another process. The file is another user's; then at least
 * the memory is given back, if that is allowed. Or this process cannot reach the directory. */
int mdg__data_unlink(struct mdg_namespace *ns, enum mdg__class class, uint32_t index);
/* Whether the file is there under its name (-ENOENT), and the segment's bytes in memory. */
int mdg__data_stat(struct mdg_namespace *ns, const struct mdg__entry *entry,
                   uint64_t *ret_resident);

/* ---- fileopen.c ---- */
/* For a segment that was removed while attached: unlinks its file if it can be
 * reached through an attached process afterwards. */
void mdg__data_hide(struct mdg_namespace *ns, const struct mdg__entry *entry);

/* ---- fileidentity.c ---- */
/* Whether an open file is the segment's, and has all its pages. */
bool mdg__data_is(struct mdg_namespace *ns, const struct mdg__entry *entry,
                  const struct stat *status);
/* A descriptor of O_PATH of what has the file's name. */
int mdg__data_open_path(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Whether a file that stat says is `uid`'s can be the segment's. */
bool mdg__file_owner_fits(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t uid);

/* ---- fileowner.c ---- */
/* Users, groups: as they are written down in the registry. */
int mdg__data_set_owner(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t uid,
                        uint32_t gid, unsigned mode);
/* Whether owner, group and mode of the file are those of the entry: 1, 0 or -errno. */
int mdg__data_owner_is_right(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* What stat says of the segment's file; false: there is none under its name. */
bool mdg__file_owner(struct mdg_namespace *ns, const struct mdg__entry *entry,
                     struct stat *ret_status);
/* Whether the file belongs to the caller, and whether the caller may use it so (three bits), as the
 * kernel sees it. False if there is no file. */
bool mdg__data_is_mine(struct mdg_namespace *ns, const struct mdg__entry *entry);
bool mdg__data_may(struct mdg_namespace *ns, const struct mdg__entry *entry, unsigned bits);

/* Owner, group, creator and creator's group in the caller's numbers. Where the registry cannot say
 * whose an object is, its data file can. */
void mdg__entry_users(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t ret[4]);

/* ---- set.c ---- */
/* Gives the data file the owner, group and mode of its entry, if they are others. */
int mdg__data_follow_entry(struct mdg_namespace *ns, enum mdg__class class, mdg_id id);

/* ---- mapping.c ---- [object lock] */
/* After mlockall: see ownlock.c. */
void mdg__mappings_unlock(struct mdg_namespace *ns);

/* ---- objectread.c ---- */
int mdg__object_entry(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, bool any,
                      struct mdg__entry *ret);

/* ---- entry.c ---- */
mdg_id mdg__entry_id(const struct mdg__entry *entry);
/* Consistent only if nothing is changed meanwhile: with the writer lock held, say. The second
 * function copies that of a segment. */
void mdg__object_copy(struct mdg_namespace *ns, enum mdg__class class, uint32_t index,
                      struct mdg__entry *ret);
void mdg__entry_copy(struct mdg_namespace *ns, uint32_t index, struct mdg__entry *ret);

/* ---- lookup.c ---- */
/* Counts the attachments of living processes, and reaps the dead that it comes across. -EINVAL: the
 * segment is gone meanwhile. `entered`: the caller holds the object lock. */
int mdg__entry_attached(struct mdg_namespace *ns, const struct mdg__entry *entry, bool entered,
                        uint32_t *ret);

/* An object of any class, before it is changed: -EINVAL, there is none. */
int mdg__object_find_entry(struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                           struct mdg__entry *ret);

/* ---- permission.c ---- */
/* Owner, creator or privileged: 0 or -EPERM. */
int mdg__permit_control(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Whether the caller is the owner or the creator. `me` is what mdg__my_id() returns; the second
 * function asks the kernel anew who the caller is. */
bool mdg__is_owner(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t me);
bool mdg__is_owner_anew(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* Whether the caller has a capability that counts for this segment. */
bool mdg__capable_of(struct mdg_namespace *ns, const struct mdg__entry *entry, int capability);

#endif
