/* SPDX-License-Identifier: MIT */
/*
 * layout.h - the registry file, format version 2.
 *
 * The file `registry` in a namespace's directory. The same bytes for 32- and
 * 64-bit processes and every C library: fixed-width fields at fixed offsets,
 * indexes and not pointers, native byte order (the mark tells).
 *
 *     head         one page
 *     bitmap       a bit per segment index: in use
 *     buckets      hash heads of the key and name index
 *     processes    a slot per process           } of these three only the part
 *     segments     an entry per segment         } below the watermark in the
 *     attachments  a record per (process,       } head has pages behind it
 *                  segment) pair                }
 *
 * Each table starts on a 4096-byte boundary, in this order; mdg__table_offsets()
 * in file.h computes where from the four capacities in the head.
 *
 * WHO WRITES. Three rules cover every field:
 *   [L] only the holder of the writer lock, through mdg__put32/64, which note
 *       the old value in the journal first. Read by anyone, without the lock,
 *       with acquire loads, and believed only if `version` was even and the
 *       same before and after (mdg__read_begin/mdg__read_retry), or if the
 *       comment at the field says why it needs no such check.
 *   [O] only the process that owns the slot (it holds the slot's byte lock).
 *   [A] anyone, at any time, by one atomic operation.
 *   [C] constant after the file was made.
 * Every store is a release and every load an acquire, on the field itself.
 *
 * A reader trusts nothing: an index read from here is compared with the
 * capacity that was checked when the file was opened, and every walk along
 * links is cut off after as many steps as the table has records.
 *
 * "idx1" below is an index plus one; 0 means none. Users and groups are in the
 * numbers of the initial user namespace, with two exceptions: see users.c.
 */
#ifndef MADANG_REGISTRY_LAYOUT_H
#define MADANG_REGISTRY_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MDG__MAGIC  UINT64_C(0x31474e4144414d01) /* bytes 01 "MADANG1" */
#define MDG__FORMAT 2u

#define MDG__IDS          32768u /* id = index + sequence * MDG__IDS */
#define MDG__SEQUENCE_MAX 65535u /* the id stays below 2^31 */
#define MDG__JOURNAL_MAX  96u    /* stores in one change of the registry */
#define MDG__REBUILDING                                                                            \
	UINT32_MAX /* in the place of their number: not to be undone,
                                      but begun again (check.c) */
#define MDG__TABLE_ALIGN 4096u
/* In the place of a user or group: whoever owns the directory, or its group. And 0xfffffffd
 * (platform/userns.h): somebody whose number is not known. No numbers are that high here. */
#define MDG__ID_OWNER UINT32_C(0xfffffffe)

typedef _Atomic uint32_t mdg__a32;
typedef _Atomic uint64_t mdg__a64;

struct mdg__undo {
	mdg__a32 offset; /* of the field in the file */
	mdg__a32 width;  /* 4 or 8 */
	mdg__a64 old;
};

struct mdg__head {
	/* 0: what the file is [C], covered by fixed_sum */
	mdg__a64 magic; /* stored last when the file is made */
	mdg__a32 format, mark;
	mdg__a32 segment_capacity, process_capacity, attachment_capacity, bucket_count;
	mdg__a64 file_size;
	mdg__a64 unique; /* random number of the namespace, in the names of its files */
	mdg__a64 shmmax, shmall;
	mdg__a32 flags;     /* MDG_NS_SHARED */
	mdg__a32 fixed_sum; /* hash of the bytes before it */
	mdg__a64 unused0[7];

	/* 128: the writer lock and what its death leaves */
	mdg__a32 lock;       /* [A] owner and waiters, see lock.c */
	mdg__a32 turns;      /* [A] how often it was taken; taken together with `lock` */
	mdg__a32 undo_count; /* [L, not journalled] entries of `undo` that count,
	                        or MDG__REBUILDING */
	mdg__a32 version;    /* [L, not journalled] odd while a change is half done */
	mdg__a64 unused2[6];

	/* 192: the allocator of ids [L] */
	mdg__a32 cursor;           /* where the search for a free index starts */
	mdg__a32 last_index;       /* last index given */
	mdg__a32 sequence;         /* of the next id; begins with mdg__first_sequence(unique), grows
	                        when the cursor goes round */
	mdg__a32 in_use;           /* segments, half made and removed ones included */
	mdg__a64 pages;            /* of all of these */
	mdg__a32 free_attachment;  /* idx1, chained through segment_next */
	mdg__a32 used_attachments; /* records ever used: the next fresh one */
	mdg__a64 unused3[4];

	/* 256: how far each table has pages behind it [A] only grows */
	mdg__a32 segments_ready, processes_ready, attachments_ready;
	mdg__a32 slot_hint; /* [A] where a free slot is probably found */

	/* 272: the limits in force; those in the head's first part are of the making */
	mdg__a32 settings;   /* [A] a bit for each enum mdg__setting whose file may have
	                        been written to: to be looked at by whoever needs it; from
	                        bit MDG__SETTINGS on: how often one was opened to be written */
	mdg__a32 shmmni;     /* [L] most segments, at most segment_capacity */
	mdg__a64 shmmax_now; /* [L] bytes */
	mdg__a64 shmall_now; /* [L] pages */
	mdg__a32 next_id1;   /* [L] the id that the next segment is to get, + 1; 0: any */
	mdg__a32 seen[4];    /* [L] of each setting's file: bytes that were looked at */
	mdg__a32 unused4;

	/* 320: the undo journal of the change under way [L, not journalled] */
	struct mdg__undo undo[MDG__JOURNAL_MAX];
};

/* What a program may set as it sets a sysctl: src/segment/settings.c. The file of
 * each lies in the namespace's directory while anybody has ever wanted to write it. */
enum mdg__setting { MDG__SHMMAX, MDG__SHMALL, MDG__SHMMNI, MDG__NEXT_ID, MDG__SETTINGS };

/* Segment states, the low byte of `tag`; the sequence of its id is above. */
enum mdg__segment_state {
	MDG__FREE = 0,
	MDG__BUSY = 1, /* being made, or being cleared away, by process `worker` */
	MDG__LIVE = 2,
	MDG__REMOVED = 3 /* IPC_RMID was called, but somebody is attached */
};

struct mdg__segment {
	mdg__a32 tag;                  /* [L] sequence << 8 | state; readable alone: one load
	                        tells whether an id is (still) this entry's */
	mdg__a32 next;                 /* [L] idx1, next in the hash bucket */
	mdg__a32 key;                  /* [L] System V key, 0 none or removed */
	mdg__a32 mode;                 /* [L] nine bits, MDG_MODE_* */
	mdg__a64 size;                 /* [L] bytes asked for; constant while the tag stays */
	mdg__a64 mapped;               /* [L] bytes of the data file; constant likewise */
	mdg__a32 uid, gid, cuid, cgid; /* [L] */
	mdg__a64 ctime;                /* [L] seconds */
	mdg__a64 atime;                /* [A] seconds */
	mdg__a64 dtime;                /* [A] seconds */
	mdg__a32 cpid;                 /* [L] */
	mdg__a32 lpid;                 /* [A] */
	mdg__a32 worker;               /* [L] slot idx1: who made it; while BUSY: who works on it */
	mdg__a32 worker_generation;    /* [L] of that slot */
	mdg__a32 attachments;          /* [L] idx1 of the first attachment record */
	mdg__a32 flags;                /* [L] MDG__SEG_* */
	mdg__a64 inode;                /* [L] of the data file, 0 not known yet */
	mdg__a32 lock_uid;             /* [L] who pays for SHM_LOCK */
	mdg__a32 name_hash;            /* [L] 0: no name */
	mdg__a64 name[8];              /* [L] text, zero-filled to the end */
	mdg__a32 new_uid1;             /* [L] uid + 1 of who the data file is just being given to */
	mdg__a32 setter; /* [L] slot idx1 of who is just changing owner and mode, file and
	                        entry, in a namespace that users share */
	mdg__a32 setter_generation; /* [L] of that slot */
	mdg__a32 unused0;
};

#define MDG__SEG_NORESERVE  1u
#define MDG__SEG_HUGE_SHIFT 8 /* log2 of the huge page size, 0: ordinary pages */
#define MDG__SEG_HUGE_MASK  0x3fu

/* Process slot states, the low byte of `tag`; the generation is above. */
enum mdg__process_state {
	MDG__SLOT_FREE = 0,
	MDG__SLOT_LIVE = 1,
	MDG__SLOT_FORKING = 2,  /* filled by a parent for the child it is about to make */
	MDG__SLOT_DEAD = 3,     /* known to be dead, not yet given back: nobody asks again */
	MDG__SLOT_INHERITED = 4 /* of a dead process, whose remains a living one, which
	                      holds the slot's byte, is clearing away to use the slot */
};

/* In `forking`: this process and relatives have one description of the registry
 * between them, for good. */
#define MDG__SHARING UINT32_C(0x80000000)

/* The kernel holds an open-file-description lock on the slot's first byte for
 * as long as the process lives; see process.c. */
struct mdg__process {
	mdg__a32 tag;               /* [O] FREE->LIVE/FORKING->LIVE; [L] ->DEAD->FREE, by
	                      compare and swap, because whoever locks the byte of a
	                      dead one may make it INHERITED->LIVE */
	mdg__a32 pid;               /* [O] 0 while FORKING; then also the parent, from 0 [L] */
	mdg__a64 born_before;       /* [O] boot nanoseconds: when the slot was taken */
	mdg__a64 boot;              /* [O] which boot of the machine */
	mdg__a64 pid_namespace;     /* [O] inode */
	mdg__a64 mapped_at;         /* [O] address of the registry in the process */
	mdg__a32 uid;               /* [O] effective */
	mdg__a32 attachments;       /* [L] idx1 of the first attachment record */
	mdg__a32 working;           /* [L] BUSY segments whose worker this is */
	mdg__a32 forking;           /* [A] children that may still hold our description, because
	                      they have not closed it yet: then a locked byte is
	                      no proof of our life; | MDG__SHARING */
	mdg__a32 parent;            /* [O] of a child's slot: idx1 of the slot that forked it */
	mdg__a32 parent_generation; /* [O] */
	mdg__a64 unused[8];
};

/* One process's attachments of one segment. */
struct mdg__attachment {
	mdg__a64 word;    /* generation << 32 | count: [O] changes the count, [L]
	                      the generation, both by compare and swap, so that a
	                      record given to another pair is never counted by
	                      its former owner */
	mdg__a32 segment; /* [L] index */
	mdg__a32 process; /* [L] slot index */
	mdg__a32 segment_next, segment_previous; /* [L] idx1 */
	mdg__a32 process_next, process_previous; /* [L] idx1 */
	mdg__a32 fd;                             /* [O] descriptor of the data file + 1, 0 none */
	mdg__a32 unused0;
	mdg__a64 unused[3];
};

#define MDG__AT(type, field, offset)                                                               \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define MDG__SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

/* Reads otherwise in another byte order, and when a size changes. */
#define MDG__MARK                                                                                  \
	(UINT32_C(0x01020304) ^ (uint32_t)sizeof(struct mdg__segment) << 16 ^                      \
	 (uint32_t)sizeof(struct mdg__process) << 8 ^ (uint32_t)sizeof(struct mdg__attachment))

MDG__AT(mdg__head, magic, 0);
MDG__AT(mdg__head, format, 8);
MDG__AT(mdg__head, mark, 12);
MDG__AT(mdg__head, segment_capacity, 16);
MDG__AT(mdg__head, process_capacity, 20);
MDG__AT(mdg__head, attachment_capacity, 24);
MDG__AT(mdg__head, bucket_count, 28);
MDG__AT(mdg__head, file_size, 32);
MDG__AT(mdg__head, unique, 40);
MDG__AT(mdg__head, shmmax, 48);
MDG__AT(mdg__head, shmall, 56);
MDG__AT(mdg__head, flags, 64);
MDG__AT(mdg__head, fixed_sum, 68);
MDG__AT(mdg__head, lock, 128);
MDG__AT(mdg__head, turns, 132);
MDG__AT(mdg__head, undo_count, 136);
MDG__AT(mdg__head, version, 140);
MDG__AT(mdg__head, cursor, 192);
MDG__AT(mdg__head, last_index, 196);
MDG__AT(mdg__head, sequence, 200);
MDG__AT(mdg__head, in_use, 204);
MDG__AT(mdg__head, pages, 208);
MDG__AT(mdg__head, free_attachment, 216);
MDG__AT(mdg__head, used_attachments, 220);
MDG__AT(mdg__head, segments_ready, 256);
MDG__AT(mdg__head, processes_ready, 260);
MDG__AT(mdg__head, attachments_ready, 264);
MDG__AT(mdg__head, slot_hint, 268);
MDG__AT(mdg__head, settings, 272);
MDG__AT(mdg__head, shmmni, 276);
MDG__AT(mdg__head, shmmax_now, 280);
MDG__AT(mdg__head, shmall_now, 288);
MDG__AT(mdg__head, next_id1, 296);
MDG__AT(mdg__head, seen, 300);
MDG__AT(mdg__head, undo, 320);
MDG__SIZE(mdg__undo, 16);
_Static_assert(MDG__SETTINGS == 4, "a place in `seen` for each");
_Static_assert(sizeof(struct mdg__head) <= MDG__TABLE_ALIGN, "the head fits its page");

MDG__AT(mdg__segment, tag, 0);
MDG__AT(mdg__segment, next, 4);
MDG__AT(mdg__segment, key, 8);
MDG__AT(mdg__segment, mode, 12);
MDG__AT(mdg__segment, size, 16);
MDG__AT(mdg__segment, mapped, 24);
MDG__AT(mdg__segment, uid, 32);
MDG__AT(mdg__segment, gid, 36);
MDG__AT(mdg__segment, cuid, 40);
MDG__AT(mdg__segment, cgid, 44);
MDG__AT(mdg__segment, ctime, 48);
MDG__AT(mdg__segment, atime, 56);
MDG__AT(mdg__segment, dtime, 64);
MDG__AT(mdg__segment, cpid, 72);
MDG__AT(mdg__segment, lpid, 76);
MDG__AT(mdg__segment, worker, 80);
MDG__AT(mdg__segment, worker_generation, 84);
MDG__AT(mdg__segment, attachments, 88);
MDG__AT(mdg__segment, flags, 92);
MDG__AT(mdg__segment, inode, 96);
MDG__AT(mdg__segment, lock_uid, 104);
MDG__AT(mdg__segment, name_hash, 108);
MDG__AT(mdg__segment, name, 112);
MDG__AT(mdg__segment, new_uid1, 176);
MDG__AT(mdg__segment, setter, 180);
MDG__AT(mdg__segment, setter_generation, 184);
MDG__SIZE(mdg__segment, 192);

MDG__AT(mdg__process, tag, 0);
MDG__AT(mdg__process, pid, 4);
MDG__AT(mdg__process, born_before, 8);
MDG__AT(mdg__process, boot, 16);
MDG__AT(mdg__process, pid_namespace, 24);
MDG__AT(mdg__process, mapped_at, 32);
MDG__AT(mdg__process, uid, 40);
MDG__AT(mdg__process, attachments, 44);
MDG__AT(mdg__process, working, 48);
MDG__AT(mdg__process, forking, 52);
MDG__AT(mdg__process, parent, 56);
MDG__AT(mdg__process, parent_generation, 60);
MDG__SIZE(mdg__process, 128);

MDG__AT(mdg__attachment, word, 0);
MDG__AT(mdg__attachment, segment, 8);
MDG__AT(mdg__attachment, process, 12);
MDG__AT(mdg__attachment, segment_next, 16);
MDG__AT(mdg__attachment, segment_previous, 20);
MDG__AT(mdg__attachment, process_next, 24);
MDG__AT(mdg__attachment, process_previous, 28);
MDG__AT(mdg__attachment, fd, 32);
MDG__SIZE(mdg__attachment, 64);

#endif
