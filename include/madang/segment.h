/* SPDX-License-Identifier: MIT */
/*
 * madang/segment.h - namespaces, and the segments of shared memory in them.
 *
 *     mdg_namespace *ns;
 *     mdg_id id;
 *     void *memory;
 *     int rc = mdg_namespace_open(&ns, NULL, NULL); // the default one
 *     if (rc == 0)
 *             rc = mdg_segment_create(ns, "weather", 4096, 0600, MDG_OR_OPEN, &id);
 *     if (rc == 0)
 *             rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
 *     if (rc != 0)
 *             fprintf(stderr, "weather: %s\n", mdg_strerror(rc));
 *
 * A NAMESPACE is a directory on a memory file system. A process that may enter
 * the directory can use the namespace. The directory holds a registry file, and
 * one data file for each segment. A SEGMENT is found by its name, by a System V
 * key, or by its id. A process ATTACHES a segment: it maps the segment's memory.
 *
 * What may surprise:
 *  - A segment lives until it is removed, not until its processes end.
 *  - A segment that is removed while processes have it attached can no longer be
 *    found. Its memory is freed when the last of them detaches it or ends,
 *    however it ends.
 *  - Creating a segment reserves its memory, so that no later access fails for
 *    want of memory. With MDG_NORESERVE nothing is reserved.
 *  - fork(2) hands attachments to the child, and they count there too. execve(2)
 *    ends them.
 *  - munmap(2) of an attachment is not noticed, unless libmadang-sysv is linked
 *    or preloaded. Use mdg_segment_detach.
 *
 * ERRORS are those of <madang/base.h>. Every function here that takes a namespace
 * and returns int may also return MDG_DAMAGED and MDG_NS_GONE.
 *
 * SAFETY. Unless it says otherwise, each function here may be called from any
 * thread and from signal handlers, is not a cancellation point, does not use
 * malloc, prints nothing, and never ends the process.
 *
 * ORIGIN. Functions marked [SysV] do what the system calls of the Linux kernel
 * do: shmget(2), shmat(2), shmdt(2) and shmctl(2), with the same errors. POSIX
 * specifies less. docs/divergences.md lists the differences that remain.
 */
#ifndef MADANG_SEGMENT_H
#define MADANG_SEGMENT_H

#include <madang/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- namespaces ------------------------------------------------------- */

#define MDG_NS_EXISTING 0x1u /* do not make the namespace: -ENOENT when it does not exist */
#define MDG_NS_EXCL     0x2u /* make the namespace: -EEXIST when it exists */
#define MDG_NS_SHARED   0x4u /* make it for several users: directory mode 01777 */
/* Only look. This implies MDG_NS_EXISTING. Nothing in the directory is made, changed or
 * cleared away, and no process slot is taken. A call that would do so fails with -EROFS.
 * In this way root of the initial user namespace may look at any user's namespace. */
#define MDG_NS_LOOK 0x10u

/* How a namespace is made. A field that is 0 means its default. All fields but
 * `flags` are without effect on a namespace that exists. */
struct mdg_namespace_options {
	uint32_t size;      /* sizeof(struct mdg_namespace_options) */
	uint32_t flags;     /* MDG_NS_* */
	uint32_t segments;  /* most segments at one time: 64 to 32768. The default is 4096, and
	                       can be raised to 32768 later: see shmmni in madang(7) */
	uint32_t processes; /* most processes at one time: 16 to 32767; default 4096 */
	uint64_t shmmax;    /* bytes of the largest segment; default: no limit */
	uint64_t shmall;    /* pages of all segments together; default: no limit */
};

/* Opens the namespace in the directory `dir`. Makes the directory (mode 0700)
 * and the registry when they do not exist. `dir` is at most 1023 bytes long.
 * `options` may be NULL: all defaults.
 * When `dir` is NULL, this is the default namespace: the first of
 *   $MADANG_NAMESPACE, unless the program is set-user-ID or the like (AT_SECURE in
 *   getauxval(3)), which also ignores $TMPDIR;
 *   /dev/shm/madang-<euid>, when it exists or can be made;
 *   $TMPDIR/madang-<euid>, or /tmp/madang-<euid> when TMPDIR is not set.
 * <euid> is the effective user id. In a user namespace it is the number that
 * the user has outside. Where that is unknown, or where the directory of that
 * name belongs to somebody else, it is u<16 digits>, and the same user outside
 * finds that directory as well.
 * A directory that is opened twice in one process gives the same object; close
 * it as often as it was opened. When the namespace has been deleted since
 * (MDG_NS_GONE), opening it again gives a new one.
 * mlockall(2) with MCL_FUTURE does not lock the memory of the registry.
 * Returns 0, or
 *   -ENOENT, -EACCES, -ENOTDIR, ...  as open(2) and mkdir(2) say
 *   -EEXIST        MDG_NS_EXCL, and it exists
 *   -ENOSPC        the file system has no room for the registry
 *   -EMFILE        the process has no free descriptor
 *   -ENAMETOOLONG  `dir` is longer than 1023 bytes
 *   -EINVAL, -E2BIG  the options; see <madang/base.h> about their size
 *   MDG_NOT_REGISTRY, MDG_VERSION_UNLIKE, MDG_TRUNCATED, MDG_NS_*  enum mdg_error */
MDG_API int mdg_namespace_open(mdg_namespace **ret_ns, const char *dir,
                               const struct mdg_namespace_options *options);

/* Takes one mdg_namespace_open back. Attachments stay attached, and are counted
 * while the process lives. NULL is allowed, and does nothing. */
MDG_API void mdg_namespace_close(mdg_namespace *ns);

/* Writes the path of the default namespace, which need not exist, to `ret_path`,
 * which has room for `room` bytes. 1024 are always enough. Returns 0, or
 * -ENAMETOOLONG. */
MDG_API int mdg_namespace_default_path(char *ret_path, size_t room);

/* What a namespace is and holds. */
struct mdg_namespace_info {
	uint32_t size;           /* sizeof(struct mdg_namespace_info), set by the caller */
	uint32_t flags;          /* MDG_NS_SHARED or 0 */
	uint32_t segments_max;   /* shmmni, as it is in force now */
	uint32_t processes_max;  /* process slots */
	uint32_t segments_used;  /* segments, removed ones that are still attached included */
	uint32_t processes_used; /* process slots that are taken. The slot of a dead process
	                            counts until a call has cleared it */
	int32_t highest_index;   /* of all segments; 0 when there are none */
	uint32_t reserved;       /* 0 */
	uint64_t shmmax;         /* bytes, as it is in force now */
	uint64_t shmall;         /* pages, as it is in force now */
	uint64_t pages_total;    /* pages of all segments, each rounded up */
	uint64_t pages_resident; /* pages that are in memory; 0 without MDG_INFO_RESIDENT */
	char path[1024];         /* of the directory, as it was opened; ends with NUL */
};

#define MDG_INFO_RESIDENT 0x1u /* fill in pages_resident: a few system calls a segment */

/* Fills in *ret_info. `flags` is 0 or MDG_INFO_RESIDENT. Returns 0, or -EINVAL:
 * ret_info->size. This is shmctl's IPC_INFO and SHM_INFO. [SysV] */
MDG_API int mdg_namespace_info(mdg_namespace *ns, unsigned flags,
                               struct mdg_namespace_info *ret_info);

/* ---- making and finding segments -------------------------------------- */

#define MDG_CREATE    01000u /* mdg_segment_get: make the segment when it does not exist */
#define MDG_EXCL      02000u /* ... and fail when it exists */
#define MDG_HUGEPAGES 04000u /* huge pages; bits for their size as in shmget(2) */
#define MDG_NORESERVE                                                                              \
	010000u             /* reserve no memory. When the file system is full, the first
                                 access to a page then raises SIGBUS */
#define MDG_OR_OPEN 020000u /* mdg_segment_create: open the one of this name if there is one */

/* Makes a segment of `bytes` bytes, 1 to shmmax, all zero. `name` is a name (see
 * MDG_NAME_MAX), or NULL for a segment that is known by its id alone. `mode` is
 * the nine permission bits; the umask does not apply. `flags` is 0 or a
 * combination of MDG_NORESERVE, MDG_HUGEPAGES and MDG_OR_OPEN.
 * With MDG_OR_OPEN it is for programs that may come in any order: the first one makes the segment,
 * and the others find it, as mdg_segment_open does with `bytes` and `mode`. None of them can fail
 * because another one makes or removes it at the same moment.
 * Returns 0, or
 *   -EEXIST          a segment has this name, and MDG_OR_OPEN was not given
 *   -EINVAL          `bytes`, `name` or `flags`; or the segment that was found is smaller
 *   -ENOMEM          the memory cannot be had
 *   -ENOSPC          there are as many segments, or pages, as the limits allow
 *   -EACCES, -EPERM  the caller may not write in the namespace, or not use huge pages; or the
 *                    segment that was found does not grant all of `mode`
 *   -EMFILE          the process has no free descriptor
 *   MDG_NO_SLOT      as enum mdg_error says */
MDG_API int mdg_segment_create(mdg_namespace *ns, const char *name, uint64_t bytes, unsigned mode,
                               unsigned flags, mdg_id *ret_id);

/* Finds the segment `name`. `ask` is permission bits that the caller needs: 0400
 * to read, 0200 to write, in any of the three groups of bits; 0 needs nothing.
 * Returns 0, or
 *   -ENOENT  there is none
 *   -EINVAL  it is smaller than `min_bytes`, or `name` is not valid
 *   -EACCES  it does not grant all that is asked for */
MDG_API int mdg_segment_open(mdg_namespace *ns, const char *name, uint64_t min_bytes, unsigned ask,
                             mdg_id *ret_id);

/* Finds or makes a segment by its System V key, as shmget(2). Key 0, IPC_PRIVATE,
 * always makes a new one. `flags` is nine permission bits, MDG_CREATE, MDG_EXCL,
 * MDG_NORESERVE and MDG_HUGEPAGES: the same numbers as shmget's.
 * Returns 0, or the errors of shmget(2) and mdg_segment_create. [SysV] */
MDG_API int mdg_segment_get(mdg_namespace *ns, int32_t key, uint64_t bytes, unsigned flags,
                            mdg_id *ret_id);

/* ---- attaching -------------------------------------------------------- */

/* The same numbers as shmat's flags. */
#define MDG_RDONLY 010000u  /* attach to read only */
#define MDG_ROUND  020000u  /* SHM_RND: round the address down to a page */
#define MDG_REMAP  040000u  /* SHM_REMAP: replace what is mapped there */
#define MDG_EXEC   0100000u /* SHM_EXEC: allow to execute what is there */

/* Attaches the segment at `address`, or with NULL where the system likes, and
 * stores the address in *ret_memory. The caller needs permission to read and to
 * write; with MDG_RDONLY only to read; with MDG_EXEC also to execute.
 * What the calling thread holds of sync.h in memory that MDG_REMAP replaces is
 * given up, as if the thread had died.
 * Returns 0, or
 *   -EINVAL      there is no such segment, or `address` is not usable
 *   -EACCES      permission
 *   -ENOMEM      addresses or memory
 *   -EMFILE      the process has no free descriptor
 *   -EIDRM       the segment is removed, and nobody can be found who still has it
 *   MDG_NO_SLOT  as enum mdg_error says
 * As shmat(2). [SysV] */
MDG_API int mdg_segment_attach(mdg_namespace *ns, mdg_id id, void *address, unsigned flags,
                               void **ret_memory);

/* Detaches what mdg_segment_attach attached at `memory`, as shmdt(2).
 * Returns 0, or
 *   -EINVAL  nothing is attached there
 *   -EBUSY   the calling thread holds something of sync.h there; or it waits for
 *            something there, and a signal handler made this call. The memory stays
 *            attached. shmdt has no such error. [SysV] */
MDG_API int mdg_segment_detach(mdg_namespace *ns, const void *memory);

/* ---- looking, changing, removing -------------------------------------- */

#define MDG_MODE_REMOVED 01000u /* SHM_DEST: removed, and still attached */
#define MDG_MODE_LOCKED  02000u /* SHM_LOCKED: marked by mdg_segment_lock */

/* What a segment is. User and group ids are those of the caller's user
 * namespace, or 65534 when they have no number there. */
struct mdg_segment_info {
	uint32_t size;               /* sizeof(struct mdg_segment_info), set by the caller */
	mdg_id id;                   /* of the segment */
	int32_t key;                 /* 0: it has none, or it is removed */
	uint32_t mode;               /* nine permission bits and MDG_MODE_* */
	uint32_t uid, gid;           /* owner */
	uint32_t cuid, cgid;         /* creator */
	int32_t cpid;                /* process that created it */
	int32_t lpid;                /* process that last attached, detached or forked with it */
	uint32_t attached;           /* attachments of all living processes; exact */
	uint32_t creator_alive;      /* 1 or 0; 0 without MDG_STAT_CREATOR */
	uint64_t bytes;              /* its length, as it was asked for */
	uint64_t resident;           /* bytes in memory; 0 without MDG_STAT_RESIDENT */
	int64_t atime, dtime;        /* last attach and detach: seconds since 1970; 0: never */
	int64_t ctime;               /* creation or last mdg_segment_set: seconds since 1970 */
	char name[MDG_NAME_MAX + 1]; /* ends with NUL; "" when it has none */
	uint32_t kind;               /* enum mdg_segment_kind */
	uint32_t reserved;           /* 0 */
};

/* What a segment is used for. */
enum mdg_segment_kind {
	MDG_SEGMENT_PLAIN = 0,   /* by programs */
	MDG_SEGMENT_CHANNEL = 1, /* madang/channel.h */
	MDG_SEGMENT_HEAP = 2     /* madang/heap.h */
};

#define MDG_STAT_ANY      0x1u /* need no permission: SHM_STAT_ANY */
#define MDG_STAT_INDEX    0x2u /* `id` is an index, or an id modulo 32768: SHM_STAT */
#define MDG_STAT_RESIDENT 0x4u /* fill in `resident`: one system call */
#define MDG_STAT_CREATOR  0x8u /* fill in `creator_alive`: at most one system call */

/* Fills in *ret_info. The caller needs permission to read, or gives MDG_STAT_ANY.
 * Returns 0, or
 *   -EINVAL  there is no such segment; or ret_info->size is not valid
 *   -EACCES  permission
 * This is shmctl's IPC_STAT, SHM_STAT and SHM_STAT_ANY. [SysV] */
MDG_API int mdg_segment_stat(mdg_namespace *ns, mdg_id id, unsigned flags,
                             struct mdg_segment_info *ret_info);

/* Sets the owner and the nine permission bits. In a namespace that users share,
 * another owner means that the data file gets this owner too.
 * Returns 0, or
 *   -EINVAL  there is no such segment; or the caller's user namespace has no such
 *            user or group
 *   -EPERM   the caller is neither owner, nor creator, nor privileged; or may not
 *            give files to other users
 * This is shmctl's IPC_SET. [SysV] */
MDG_API int mdg_segment_set(mdg_namespace *ns, mdg_id id, uint32_t uid, uint32_t gid,
                            unsigned mode);

/* Marks the segment as locked (`locked` is 1), or takes the mark away (0). The
 * mark counts against RLIMIT_MEMLOCK. It does not keep pages in memory.
 * Returns 0, or -EINVAL: no such segment; -EPERM; -ENOMEM: RLIMIT_MEMLOCK.
 * This is shmctl's SHM_LOCK and SHM_UNLOCK. [SysV] */
MDG_API int mdg_segment_lock(mdg_namespace *ns, mdg_id id, int locked);

/* Removes the segment. It disappears at once, or when nobody has it attached.
 * Returns 0, or -EINVAL: no such segment; -EPERM: the caller is neither owner,
 * nor creator, nor privileged. This is shmctl's IPC_RMID. [SysV] */
MDG_API int mdg_segment_remove(mdg_namespace *ns, mdg_id id);

/* Walks over all segments by index, with those that are removed and still
 * attached. It needs no permission. *cursor is 0 before the first call. `flags`
 * is 0 or a combination of MDG_STAT_RESIDENT and MDG_STAT_CREATOR.
 * A walk is not a snapshot: each step is true when it is made.
 * Returns 1 and fills in *ret_info; or 0 at the end; or -EINVAL: ret_info->size. */
MDG_API int mdg_segment_next(mdg_namespace *ns, uint32_t *cursor, unsigned flags,
                             struct mdg_segment_info *ret_info);

/* A process that has a segment attached. */
struct mdg_process_info {
	uint32_t size;               /* sizeof(struct mdg_process_info), set by the caller */
	int32_t pid;                 /* in the pid namespace of that process; 0: not known yet */
	uint32_t uid;                /* its effective user id when it first used the namespace */
	uint32_t attached;           /* how many attachments of this segment it has */
	uint32_t same_pid_namespace; /* 1: the caller's pid namespace is the same; else 0 */
};

/* Walks over the living processes that have the segment `id` attached, as
 * mdg_segment_next walks over segments. It needs no permission.
 * Returns 1 and fills in *ret_info; or 0 at the end; or -EINVAL: there is no such
 * segment, or ret_info->size is not valid. */
MDG_API int mdg_segment_next_process(mdg_namespace *ns, mdg_id id, uint32_t *cursor,
                                     struct mdg_process_info *ret_info);

/* ---- health ----------------------------------------------------------- */

enum mdg_found {
	MDG_FOUND_DAMAGE = 1,   /* an invariant of the registry does not hold */
	MDG_FOUND_DEAD_SLOT,    /* a process died, and no call has noticed it yet */
	MDG_FOUND_DEAD_OWNER,   /* a dead process holds the registry's lock */
	MDG_FOUND_LOCK_HELD,    /* a living process holds the registry's lock */
	MDG_FOUND_ORPHAN_FILE,  /* a data file has no segment */
	MDG_FOUND_MISSING_FILE, /* a segment has no data file */
	MDG_FOUND_HALF_MADE,    /* the making or the removal of a segment was cut off */
	MDG_FOUND_HALF_SET      /* a data file and its segment differ in owner or mode */
};

/* One finding of mdg_namespace_check: what is wrong, and with what. The library
 * fills it in and sets `size`. A program that is newer than the library sees a
 * smaller size, and must not read the fields behind it. */
struct mdg_finding {
	uint32_t size;     /* bytes that the library filled in */
	uint32_t kind;     /* enum mdg_found */
	uint32_t repaired; /* 1: this call has mended it; else 0 */
	int32_t id;        /* id or index of a segment; -1: none */
	int32_t pid;       /* of a process; 0: none */
	char text[160];    /* a sentence in English; ends with NUL */
};

#define MDG_CHECK_REPAIR 0x1u /* mend what can be mended without a loss */

/* Checks every invariant of the registry. Then calls `found`, unless it is NULL,
 * for each finding, at most 512 times, until it returns something other than 0.
 * No lock is held during these calls. `flags` is 0 or MDG_CHECK_REPAIR.
 * Not for signal handlers.
 * Returns the number of findings that remain, or -ENOMEM, or -EROFS: a repair of
 * a namespace that was opened with MDG_NS_LOOK. */
MDG_API int mdg_namespace_check(mdg_namespace *ns, unsigned flags,
                                int (*found)(const struct mdg_finding *finding, void *context),
                                void *context);

#ifdef __cplusplus
}
#endif

#endif
