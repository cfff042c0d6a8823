/* SPDX-License-Identifier: MIT */
/*
 * layout.h - the registry file, format version 8.
 *
 * The file is `registry` in the directory of a namespace. Its bytes are the same for
 * 32-bit and 64-bit processes and for every C library: it has fields of fixed width at
 * fixed offsets, and indexes instead of pointers. The byte order is the machine's; the
 * mark tells an unlike one.
 *
 *     head         one page
 *     bitmap       of the segments: a bit per index, set while it is in use
 *     buckets      of the segments: the hash table of keys and names
 *     processes    a slot per process                      } only the part below
 *     segments     an entry per segment                    } the watermark in the
 *     ties         a record per pair of process and object } head has memory
 *     bitmap, buckets, entries of the semaphore sets
 *     bitmap, buckets, entries of the message queues
 *
 * Each table starts on a 4096-byte boundary, in this order. mdg__table_offsets() in
 * file.h computes where, from the capacities in the head.
 *
 * DIRECTORIES. System V has three classes of objects: segments, semaphore sets and
 * message queues. Each has its own keys, ids, limits and highest index. So each has a
 * directory: an allocator of ids in the head, a bitmap, buckets, and entries. An entry
 * begins with a common head, struct mdg__object. The directories share the writer
 * lock, the journal, the process slots and the ties. A directory that was never used
 * has no memory: its tables are holes in the file, and its watermark is 0. Nobody
 * looks at a table of a directory whose watermark is 0. The buckets get memory in parts, of
 * which there are at most MDG__BUCKET_PARTS: each when the first key or name needs it. A
 * bucket of a part without memory is empty, and nobody looks at it.
 *
 * WHO WRITES. Four rules cover every field:
 *   [L] Only the holder of the writer lock, through mdg__put32/64, which note the old
 *       value in the journal first. Anyone may read the field without the lock, with
 *       acquire loads. A reader believes several such fields only if `version` was even
 *       and the same before and after (mdg__read_begin/mdg__read_retry), or if the
 *       comment at the field says why it needs no such check. If the writer dies, the
 *       next holder of the lock puts the old values back.
 *   [O] Only the process that owns the slot (it holds the slot's byte lock). If it dies
 *       between two such stores, the slot's tag does not yet say that they count.
 *   [A] Anyone, at any time, by one atomic operation. Each value is whole by itself, so
 *       a death before or after the operation leaves nothing half done.
 *   [C] Constant after the file was made.
 * Every store is a release and every load an acquire, on the field itself.
 *
 * A reader trusts nothing. It compares an index from here with the capacity that was
 * checked when the file was opened, and it ends every walk along links after as many
 * steps as the table has records.
 *
 * "idx1" below is an index plus one; 0 means none. Users and groups are in the
 * numbers of the initial user namespace, with two exceptions: see users.c.
 */
#ifndef MADANG_REGISTRY_LAYOUT_H
#define MADANG_REGISTRY_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/class.h"
#include "sync/robust.h"

#define MDG__MAGIC  UINT64_C(0x31474e4144414d01) /* bytes 01 "MADANG1" */
#define MDG__FORMAT 8u

#define MDG__IDS           32768u     /* id = index + sequence * MDG__IDS */
#define MDG__SEQUENCE_MAX  65535u     /* the id stays below 2^31 */
#define MDG__JOURNAL_MAX   96u        /* stores in one change of the registry */
#define MDG__REBUILDING    UINT32_MAX /* instead of their number: begun again, rebuild.c */
#define MDG__TABLE_ALIGN   4096u
#define MDG__BUCKET_PARTS  32u
#define MDG__SETTINGS_MOST 12u
/* In the place of a user or group: the owner of the directory, or its group. There is also
 * MDG__ID_UNKNOWN, 0xfffffffd (platform/userns.h). No user or group has so high a number. */
#define MDG__ID_OWNER UINT32_C(0xfffffffe)

typedef _Atomic uint32_t mdg__a32;
typedef _Atomic uint64_t mdg__a64;

struct mdg__undo {
	mdg__a32 offset; /* of the field in the file */
	mdg__a32 width;  /* 4 or 8 */
	mdg__a64 old;
};

/* Of a directory: the allocator of its ids, its limit, its watermark. */
struct mdg__directory {
	mdg__a32 cursor;       /* [L] where the search for a free index starts */
	mdg__a32 last_index;   /* [L] the last index that was given */
	mdg__a32 sequence;     /* [L] of the next id; begins with mdg__first_sequence(unique),
	                        grows when the cursor goes round */
	mdg__a32 in_use;       /* [L] objects, half made and removed ones included */
	mdg__a32 most;         /* [L] most objects (SHMMNI), at most the capacity */
	mdg__a32 next_id1;     /* [L] the id that the next object is to get, + 1; 0: any */
	mdg__a32 ready;        /* [A] entries that have memory; only grows. Not 0: the bitmap
	                        has memory too */
	mdg__a32 bucket_parts; /* [A] a bit for each part of the buckets that has memory; set
	                          after it has; none is ever cleared */
	mdg__a64 total;        /* [L] of what the objects take together, as src/registry/total.c
	                        counts it; of segments it is `pages` in the head */
	mdg__a64 total_most;   /* [L] its limit (SEMMNS) */
	mdg__a64 limit[2];     /* [L] further limits of the class: SEMMSL and SEMOPM, or msgmax
	                        and msgmnb */
};

struct mdg__head {
	/* 0: what the file is [C], covered by fixed_sum */
	mdg__a64 magic; /* stored last when the file is made */
	mdg__a32 format, mark;
	mdg__a32 process_capacity, tie_capacity;
	mdg__a32 capacity[MDG__CLASSES], bucket_count[MDG__CLASSES]; /* of each directory */
	mdg__a64 file_size;
	mdg__a64 unique; /* random number of the namespace, in the names of its files */
	mdg__a64 shmmax, shmall;
	mdg__a32 flags;     /* MDG_NS_SHARED */
	mdg__a32 fixed_sum; /* hash of the bytes before it */
	mdg__a64 unused0[5];

	/* 128: the writer lock, and what is needed when its owner dies */
	mdg__a32 lock;       /* [A] owner and waiters, see signed_lock.h */
	mdg__a32 turns;      /* [A] how often it was taken; taken together with `lock` */
	mdg__a32 undo_count; /* [L, not journalled] entries of `undo` that count,
	                        or MDG__REBUILDING */
	mdg__a32 version;    /* [L, not journalled] odd while a change is half done */
	mdg__a64 unused2[6];

	/* 192: what is counted over all objects [L] */
	mdg__a64 pages;     /* of all segments, half made and removed ones included */
	mdg__a32 free_tie;  /* idx1, chained through object_next */
	mdg__a32 used_ties; /* records ever used: the next fresh one */
	mdg__a32 seen[MDG__SETTINGS_MOST]; /* [L] of each setting's file: bytes seen */

	/* 256: how far the shared tables have memory [A] only grows */
	mdg__a32 processes_ready, ties_ready;
	mdg__a32 slot_hint; /* [A] where a free slot is probably found */

	mdg__a32 settings; /* [A] a bit for each enum mdg__setting whose file may have been
	                      written to, so that its value has to be looked for there; from
	                      bit MDG__SETTINGS on: how often one was opened to be written */
	/* 272: the limits in force; those in the head's first part are of the making */
	mdg__a64 shmmax_now; /* [L] bytes */
	mdg__a64 shmall_now; /* [L] pages */
	mdg__a64 unused4[4];

	/* 320: one for each class */
	struct mdg__directory directory[MDG__CLASSES];

	/* 512: the undo journal of the change under way [L, not journalled] */
	struct mdg__undo undo[MDG__JOURNAL_MAX];
};

/* What a program may set as it sets a sysctl: src/segment/settings.c. The file of
 * each lies in the namespace's directory while anybody has ever wanted to write it. */
enum mdg__setting {
	MDG__SHMMAX,
	MDG__SHMALL,
	MDG__SHMMNI,
	MDG__NEXT_ID,
	MDG__SET_SEM, /* four numbers: SEMMSL SEMMNS SEMOPM SEMMNI */
	MDG__SET_MSGMAX,
	MDG__SET_MSGMNB,
	MDG__SET_MSGMNI,
	MDG__SEM_NEXT_ID,
	MDG__MSG_NEXT_ID,
	MDG__SETTINGS
};

/* Object states, the low byte of `tag`; the sequence of its id is above. */
enum mdg__object_state {
	MDG__FREE = 0,
	MDG__BUSY = 1, /* being made, or being cleared away, by process `worker` */
	MDG__LIVE = 2,
	MDG__REMOVED = 3 /* IPC_RMID was called, but somebody is attached */
};

/* The fields with which the entry of every object begins. They are a macro, so that struct
 * mdg__segment can have them both as `object` and by their own names. All are [L].
 *
 *   tag         sequence << 8 | state. One load tells whether an id is (still) this entry's
 *   next        idx1 of the next entry in the hash bucket
 *   key         the System V key; 0: none, or removed
 *   mode        nine permission bits, and MDG_MODE_*
 *   uid ... cgid  owner and maker, as users.c writes them down
 *   ctime       seconds
 *   cpid        the maker's process id
 *   worker      idx1 of the slot of the process that made it; while BUSY, of the process that
 *               works on it
 *   worker_generation  of that slot
 *   ties        idx1 of the first tie
 *   kind        what the object is used for; its class says what the numbers mean. May be read
 *               without the lock, between two loads of the same tag
 *   name_hash   0: no name
 *   name        text, zero-filled to the end
 */
#define MDG__OBJECT_FIELDS                                                                         \
	mdg__a32 tag;                                                                              \
	mdg__a32 next;                                                                             \
	mdg__a32 key;                                                                              \
	mdg__a32 mode;                                                                             \
	mdg__a32 uid, gid, cuid, cgid;                                                             \
	mdg__a64 ctime;                                                                            \
	mdg__a32 cpid;                                                                             \
	mdg__a32 worker;                                                                           \
	mdg__a32 worker_generation;                                                                \
	mdg__a32 ties;                                                                             \
	mdg__a32 kind;                                                                             \
	mdg__a32 name_hash;                                                                        \
	mdg__a64 name[8]

struct mdg__object {
	MDG__OBJECT_FIELDS;
};

/* An entry of any directory: the object, and 128 bytes of its class. */
#define MDG__ENTRY_SIZE 256u

struct mdg__segment {
	union {
		struct mdg__object object;
		struct {
			MDG__OBJECT_FIELDS;
		};
	};
	mdg__a64 size;     /* [L] bytes asked for; constant while the tag stays */
	mdg__a64 mapped;   /* [L] bytes of the data file; constant likewise */
	mdg__a64 atime;    /* [A] seconds */
	mdg__a64 dtime;    /* [A] seconds */
	mdg__a64 inode;    /* [L] of the data file, 0 not known yet */
	mdg__a32 lpid;     /* [A] */
	mdg__a32 flags;    /* [L] MDG__SEG_* */
	mdg__a32 lock_uid; /* [L] who pays for SHM_LOCK */
	mdg__a32 new_uid1; /* [L] uid + 1 of the user to whom the data file is being given */
	mdg__a32 setter;   /* [L] slot idx1 of who is changing owner and mode, where users share */
	mdg__a32 setter_generation; /* [L] of that slot */
	mdg__a64 charged;           /* [L] pages that count in `pages` of the head, if its kind is
	                     MDG__KIND_CHARGED: how many have memory. Others count by `size` */
	mdg__a64 unused[7];
};

/* `kind` of a segment that takes its memory as it grows: mdg__segment_charge. */
#define MDG__KIND_CHARGED 2u

#define MDG__SEG_NORESERVE  1u
#define MDG__SEG_FILE_NONE  2u /* its data file; neither: it was made */
#define MDG__SEG_FILE_BEGUN 4u
#define MDG__SEG_HUGE_SHIFT 8 /* log2 of the huge page size, 0: ordinary pages */
#define MDG__SEG_HUGE_MASK  0x3fu

/* Where the data file of an object stands. A file is made when it is first needed, so an object
 * can live without one. A segment that reserves its memory has one from the start. */
enum mdg__file_state {
	MDG__FILE_NONE = 0,  /* there is none */
	MDG__FILE_BEGUN = 1, /* somebody was about to make it: it may be there, of any length */
	MDG__FILE_MADE = 2   /* it has been there */
};

/* An entry of the other two classes, whose data files are made late. The last fields lie where
 * those of a segment lie. */
struct mdg__late {
	union {
		struct mdg__object object;
		struct {
			MDG__OBJECT_FIELDS;
		};
	};
	mdg__a64 field[MDG__CLASS_FIELDS]; /* [L] or [A]: each class says of each of its fields */
	mdg__a32 file;                     /* [L] enum mdg__file_state */
	mdg__a32 new_uid1, setter, setter_generation; /* [L] as in struct mdg__segment */
	mdg__a64 unused[8];
};

/* Process slot states, the low byte of `tag`; the generation is above. */
enum mdg__process_state {
	MDG__SLOT_FREE = 0,
	MDG__SLOT_LIVE = 1,
	MDG__SLOT_FORKING = 2,  /* filled by a parent for the child it is about to make */
	MDG__SLOT_DEAD = 3,     /* known to be dead, not yet given back: nobody asks again */
	MDG__SLOT_INHERITED = 4 /* of a dead process; a living one holds the slot's byte, clears
	                      away what the dead one left, and then uses the slot */
};

/* In `forking`: this process shares one open file description of the registry with its
 * relatives, for good. */
#define MDG__SHARING UINT32_C(0x80000000)

/* The kernel holds an open-file-description lock on the slot's first byte for
 * as long as the process lives; see alive.c. */
struct mdg__process {
	mdg__a32 tag;               /* [O] FREE->LIVE/FORKING->LIVE; [L] ->DEAD->FREE, by
	                      compare and swap, because a process that locks the byte
	                      of a dead one may make it INHERITED->LIVE */
	mdg__a32 pid;               /* [O] 0 while FORKING; then also the parent, from 0 [L] */
	mdg__a64 born_before;       /* [O] boot nanoseconds: when the slot was taken */
	mdg__a64 boot;              /* [O] which boot of the machine */
	mdg__a64 pid_namespace;     /* [O] inode */
	mdg__a64 mapped_at;         /* [O] address of the registry in the process */
	mdg__a32 uid;               /* [O] effective */
	mdg__a32 ties;              /* [L] idx1 of the first tie */
	mdg__a32 working;           /* [L] BUSY objects whose worker this is */
	mdg__a32 forking;           /* [A] children that may still hold our description: then a
	                      locked byte is no proof of our life; | MDG__SHARING */
	mdg__a32 parent;            /* [O] of a child's slot: idx1 of the slot that forked it */
	mdg__a32 parent_generation; /* [O] */
	/* A thread of the process of that generation says that it lives: alive.c. */
	mdg__a32 witness_generation; /* [O] written after `witness` */
	struct mdg__robust witness;  /* [O], and the kernel at the death of the thread */
	mdg__a32 unused[3];
};

/* A tie of a process to an object: for a segment, how often the process has it
 * attached. What happens to it at the death of the process is the class's affair
 * (reap.c). */
struct mdg__tie {
	mdg__a64 word;    /* generation << 32 | count: [O] changes the count, [L] the
	                     generation, both by compare and swap, so that a record that
	                     was given to another pair is never counted in by its former
	                     owner */
	mdg__a32 object;  /* [L] class << MDG__CLASS_SHIFT | index */
	mdg__a32 process; /* [L] slot index */
	mdg__a32 object_next, object_previous;   /* [L] idx1 */
	mdg__a32 process_next, process_previous; /* [L] idx1 */
	mdg__a32 fd;                             /* [O] descriptor of the data file + 1, 0 none */
	mdg__a32 unused0;
	mdg__a64 unused[3];
};

#define MDG__CLASS_SHIFT 16
#define MDG__FREE_TIE    UINT32_MAX /* in `object` and `process` of one on the free list */

/* Another number in another byte order, and when a size changes. */
#define MDG__MARK                                                                                  \
	(UINT32_C(0x01020304) ^ (uint32_t)sizeof(struct mdg__head) << 20 ^                         \
	 (uint32_t)sizeof(struct mdg__segment) << 16 ^                                             \
	 (uint32_t)sizeof(struct mdg__directory) << 12 ^                                           \
	 (uint32_t)sizeof(struct mdg__process) << 8 ^ (uint32_t)sizeof(struct mdg__undo) << 4 ^    \
	 (uint32_t)sizeof(struct mdg__tie))

#endif
