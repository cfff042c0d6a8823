/* SPDX-License-Identifier: MIT */
/*
 * madang/segment.h - segments of memory that processes share, in user space.
 *
 * A NAMESPACE is a directory on a memory file system. Whoever can enter the
 * directory is in the namespace. It holds a registry file and one data file
 * per SEGMENT. A segment is found by a name, by a System V key, or by its id.
 *
 *     mdg_namespace *ns;
 *     mdg_id id;
 *     void *mem;
 *     int rc = mdg_namespace_open(&ns, NULL, NULL);           // the default one
 *     if (rc == 0) rc = mdg_segment_create(ns, "weather", 4096, 0600, 0, &id);
 *     if (rc == -EEXIST) rc = mdg_segment_open(ns, "weather", 0, 0600, &id);
 *     if (rc == 0) rc = mdg_segment_attach(ns, id, NULL, 0, &mem);
 *     if (rc != 0) fprintf(stderr, "weather: %s\n", mdg_strerror(rc));
 *
 * What may surprise:
 *  - A segment outlives the processes that made it, until it is removed.
 *    Removing it while it is attached hides it from new look-ups; its memory
 *    is freed when the last attached process ends, however it ends.
 *  - Memory is promised when it is given: creating a segment reserves its
 *    pages (-ENOMEM when they cannot be had) unless MDG_NORESERVE is given.
 *  - Attachments are inherited over fork and counted, and are gone after exec.
 *  - munmap of an attachment behind the library's back is not noticed, unless
 *    libmadang-sysv is linked or preloaded. Use mdg_segment_detach.
 *
 * ERRORS. Every function that returns int returns 0 (or a count where it says
 * so), or one negative code: the negated errno of the system (-ENOENT,
 * -EACCES, ...) or one of the codes of enum mdg_error. mdg_strerror knows
 * both. errno itself is never touched. On failure, ret_ parameters are left
 * as they were. Any function on a namespace may also return MDG_DAMAGED.
 *
 * SAFETY. Unless it says otherwise each function may be called from any
 * thread and from signal handlers, is not a cancellation point, makes no use
 * of malloc, prints nothing, and never ends the process.
 *
 * The behaviour of the functions marked [SysV] is that of the Linux kernel's
 * System V calls: shmget(2), shmop(2), shmctl(2).
 */
#ifndef MADANG_SEGMENT_H
#define MADANG_SEGMENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MDG_VERSION_MAJOR 0
#define MDG_VERSION_MINOR 1
#define MDG_VERSION_PATCH 0

#if defined(__GNUC__)
#define MDG_API __attribute__((visibility("default")))
#else
#define MDG_API
#endif

/* ---- errors ----------------------------------------------------------- */

/* Codes that no errno expresses. System errors are -errno, above -4096. */
enum mdg_error {
	MDG_DAMAGED = -10001,      /* the registry holds values that cannot be */
	MDG_NOT_REGISTRY = -10002, /* the registry file is not Madang's, or empty beside segments */
	MDG_VERSION_UNLIKE = -10003, /* made by an incompatible version or machine */
	MDG_TRUNCATED = -10004,      /* the registry file is shorter than it says */
	MDG_NS_SYMLINK = -10005,     /* refused: the directory is a symbolic link */
	MDG_NS_NOT_DIR = -10006,     /* refused: the path is not a directory */
	MDG_NS_OWNER = -10007,       /* refused: the directory belongs to another user */
	MDG_NS_WRITABLE = -10008,    /* refused: others may write in the directory and
	                             it was not made as a shared namespace */
	MDG_NS_GONE = -10009,    /* the directory, or the registry in it, was deleted, moved away or
	                             replaced while in use: to be opened again */
	MDG_NO_SLOT = -10010,    /* every process slot of the namespace is taken */
	MDG_OWNER_DIED = -10011, /* <madang/sync.h>: done, but who held it before died */
	MDG_BROKEN = -10012,     /* <madang/sync.h>: not done: left unrepaired, or damaged */
	/* <madang/channel.h> */
	MDG_PEER_DIED = -10013,       /* the other side of a call died */
	MDG_NOT_CHANNEL = -10014,     /* the segment of that name is not a channel */
	MDG_UNLIKE_KIND = -10015,     /* the channel is there, with another kind */
	MDG_UNLIKE_CAPACITY = -10016, /* ... capacity */
	MDG_UNLIKE_PEERS = -10017,    /* ... number of peers */
	MDG_UNLIKE_FULL = -10018      /* ... way of being full */
};

/* A sentence without a full stop for any code a function here returned.
 * Never NULL; the text is constant. */
MDG_API const char *mdg_strerror(int code);

/* The version of the library in use, "0.1.0". */
MDG_API const char *mdg_version(void);

/* ---- namespaces ------------------------------------------------------- */

typedef struct mdg_namespace mdg_namespace; /* opaque, process-local */

#define MDG_NS_EXISTING 0x1u /* do not make it: -ENOENT when it is not there */
#define MDG_NS_EXCL     0x2u /* make it: -EEXIST when its registry is there */
#define MDG_NS_SHARED   0x4u /* made for several users: directory mode 01777 */
#define MDG_NS_LOOK                                                                                \
	0x10u /* look only, with MDG_NS_EXISTING implied: nothing is made,
                                changed or cleared away in the directory, and no process
                                slot taken. Whatever would is refused: -EROFS. So root (of
                                the initial user namespace) may look at any user's. */

/* How a namespace is made. Zero in a field means its default. Without effect
 * on a namespace that exists already. */
struct mdg_namespace_options {
	uint32_t size;      /* sizeof(struct mdg_namespace_options) */
	uint32_t flags;     /* MDG_NS_* */
	uint32_t segments;  /* most segments at once: 64 to 32768; default 4096, with room for
	                       32768: see shmmni in madang(7) */
	uint32_t processes; /* most attached processes: 16 to 32767; default 4096 */
	uint64_t shmmax;    /* largest segment in bytes; default: no limit */
	uint64_t shmall;    /* most pages in all segments; default: no limit */
};

/* Opens the namespace in directory `dir`, making directory (mode 0700) and
 * registry when they are not there. NULL: the default namespace, which is
 * $MADANG_NAMESPACE (ignored in set-user-ID programs), else
 * /dev/shm/madang-<euid>, else $TMPDIR/madang-<euid> (else /tmp/...). In a user
 * namespace <euid> is the number outside; where that is unknown or the directory
 * another's, it is u<16 digits>, and so it is outside for the same user.
 * `options` may be NULL. The same directory opened twice in one process gives
 * the same object; each open is to be closed. When the namespace was deleted
 * meanwhile (MDG_NS_GONE), it is another one: the new one, made if need be.
 * Its memory is not locked by mlockall(MCL_FUTURE), as the program's is.
 * The path must be at most 1023 bytes (-ENAMETOOLONG).
 * Errors: -ENOENT, -EACCES, -EEXIST, -ENOSPC (no room for the registry),
 * -EMFILE, -EINVAL (options), MDG_NOT_REGISTRY, MDG_VERSION_UNLIKE,
 * MDG_TRUNCATED, MDG_NS_*. */
MDG_API int mdg_namespace_open(mdg_namespace **ret_ns, const char *dir,
                               const struct mdg_namespace_options *options);

/* Gives one open back. Attachments stay attached and counted while the
 * process lives; the object stays for them. NULL is allowed. */
MDG_API void mdg_namespace_close(mdg_namespace *ns);

/* What the path of the default namespace is, whether it exists or not.
 * Returns 0 or -ENAMETOOLONG. */
MDG_API int mdg_namespace_default_path(char *ret_path, size_t room);

/* What a namespace is and holds; shmctl's IPC_INFO and SHM_INFO. [SysV] */
struct mdg_namespace_info {
	uint32_t flags;        /* MDG_NS_SHARED */
	uint32_t segments_max; /* SHMMNI; this, shmmax and shmall as they are in force now */
	uint32_t processes_max;
	uint32_t segments_used;  /* used_ids */
	uint32_t processes_used; /* process slots taken; dead ones not yet noticed count */
	int32_t highest_index;   /* highest index in use, 0 when there is none */
	uint64_t shmmax;         /* bytes */
	uint64_t shmall;         /* pages */
	uint64_t pages_total;    /* pages of all segments, each rounded up */
	uint64_t pages_resident; /* of these in memory; 0 unless asked for */
	char path[1024];         /* directory as it was opened */
};
#define MDG_INFO_RESIDENT 0x1u /* ask each data file: costs a system call a segment */
MDG_API int mdg_namespace_info(mdg_namespace *ns, unsigned flags,
                               struct mdg_namespace_info *ret_info);

/* ---- making and finding segments -------------------------------------- */

typedef int32_t mdg_id; /* index + sequence * 32768; never negative; a removed
                           segment's id never means another segment */

#define MDG_NAME_MAX  63u    /* bytes in a name, without its end */
#define MDG_CREATE    01000u /* mdg_segment_get: make it when it is not there */
#define MDG_EXCL      02000u /* ... and fail when it is */
#define MDG_HUGEPAGES 04000u /* pages of the huge size; size bits as shmget(2) */
#define MDG_NORESERVE                                                                              \
	010000u /* do not reserve the memory: a full file system
                                  then kills with SIGBUS at first touch */

/* Makes a segment of `size` bytes (1 to SHMMAX) that reads zero.
 * `name`: 1 to 63 bytes of any kind but NUL, or NULL for one that is known
 * by its id alone. `mode`: the nine permission bits; the umask does not apply.
 * `flags`: 0, MDG_NORESERVE, MDG_HUGEPAGES.
 * Errors: -EEXIST (the name), -EINVAL (size, name, flags), -ENOMEM (memory
 * cannot be had), -ENOSPC (segments or SHMALL used up), -EACCES and -EPERM
 * (namespace, huge pages), -EMFILE, MDG_NO_SLOT, MDG_NS_GONE. */
MDG_API int mdg_segment_create(mdg_namespace *ns, const char *name, uint64_t size, unsigned mode,
                               unsigned flags, mdg_id *ret_id);

/* Finds a segment by name. -EINVAL when it is smaller than `min_size`,
 * -EACCES when the permission bits in `ask` (0400 read, 0200 write, in any
 * class) are not all granted; 0 asks for nothing. -ENOENT. */
MDG_API int mdg_segment_open(mdg_namespace *ns, const char *name, uint64_t min_size, unsigned ask,
                             mdg_id *ret_id);

/* shmget(2): by System V key; key 0 (IPC_PRIVATE) always makes a new one.
 * `flags`: nine mode bits, MDG_CREATE, MDG_EXCL, MDG_NORESERVE,
 * MDG_HUGEPAGES - the same numbers as shmget's. [SysV] */
MDG_API int mdg_segment_get(mdg_namespace *ns, int32_t key, uint64_t size, unsigned flags,
                            mdg_id *ret_id);

/* ---- attaching -------------------------------------------------------- */

#define MDG_RDONLY 010000u /* the same numbers as shmat's flags */
#define MDG_ROUND  020000u /* SHM_RND: round the address down to a page */
#define MDG_REMAP  040000u /* replace what is mapped there */
#define MDG_EXEC   0100000u

/* shmat(2): maps the segment at `address`, or where the system likes (NULL).
 * Needs read and write permission, with MDG_RDONLY read alone, and with
 * MDG_EXEC execute as well. -EINVAL (no such segment; address), -EACCES,
 * -ENOMEM, -EMFILE, -EIDRM (removed, and no longer to be reached),
 * MDG_NO_SLOT, MDG_NS_GONE. What the calling thread holds of sync.h in memory that MDG_REMAP
 * replaces is given up as if the thread had died. [SysV] */
MDG_API int mdg_segment_attach(mdg_namespace *ns, mdg_id id, void *address, unsigned flags,
                               void **ret_memory);

/* shmdt(2): `memory` as mdg_segment_attach returned it. -EINVAL; -EBUSY: the calling thread holds
 * something of sync.h there, or waits for it (a signal handler calls this), and the memory stays.
 * [SysV, but for -EBUSY] */
MDG_API int mdg_segment_detach(mdg_namespace *ns, const void *memory);

/* ---- looking, changing, removing -------------------------------------- */

#define MDG_MODE_REMOVED 01000u /* SHM_DEST: removed, still attached */
#define MDG_MODE_LOCKED  02000u /* SHM_LOCKED */

struct mdg_segment_info {
	mdg_id id;
	int32_t key;                   /* 0: none, or removed */
	uint32_t mode;                 /* nine bits and MDG_MODE_* */
	uint32_t uid, gid, cuid, cgid; /* as the caller's user namespace has them; 65534:
	                                  not at all */
	int32_t cpid, lpid;            /* creator; last to attach, detach or fork */
	uint32_t attached;             /* attachments of living processes, exact */
	uint64_t size;                 /* bytes, as asked for */
	int64_t atime, dtime, ctime;   /* seconds since 1970, 0: never */
	uint64_t resident;             /* bytes in memory; 0 unless MDG_STAT_RESIDENT */
	uint32_t creator_alive;        /* 1 or 0; only with MDG_STAT_CREATOR */
	char name[MDG_NAME_MAX + 1];   /* "" when it has none */
};

#define MDG_STAT_ANY      0x1u /* needs no permission (SHM_STAT_ANY) */
#define MDG_STAT_INDEX    0x2u /* `id` is an index, or an id modulo 32768 (SHM_STAT) */
#define MDG_STAT_RESIDENT 0x4u /* fill `resident`: one system call */
#define MDG_STAT_CREATOR  0x8u /* fill `creator_alive`: up to one system call */

/* shmctl IPC_STAT, SHM_STAT, SHM_STAT_ANY. Needs read permission (-EACCES).
 * -EINVAL: no such segment. [SysV] */
MDG_API int mdg_segment_stat(mdg_namespace *ns, mdg_id id, unsigned flags,
                             struct mdg_segment_info *ret_info);

/* shmctl IPC_SET: owner and the nine mode bits. Owner, creator or privileged,
 * else -EPERM. -EINVAL, also for a number that the caller's user namespace gives
 * to nobody. In a namespace that users share, giving a segment to
 * another user moves its file's owner: -EPERM without that privilege. [SysV] */
MDG_API int mdg_segment_set(mdg_namespace *ns, mdg_id id, uint32_t uid, uint32_t gid,
                            unsigned mode);

/* shmctl SHM_LOCK (1) and SHM_UNLOCK (0). -EPERM, -ENOMEM (RLIMIT_MEMLOCK),
 * -EINVAL. The mark is kept and RLIMIT_MEMLOCK held; pages are not pinned. [SysV] */
MDG_API int mdg_segment_lock(mdg_namespace *ns, mdg_id id, int locked);

/* shmctl IPC_RMID. Owner, creator or privileged, else -EPERM. -EINVAL. [SysV] */
MDG_API int mdg_segment_remove(mdg_namespace *ns, mdg_id id);

/* Walks the segments in the order of their indexes, removed ones that are
 * still attached included; needs no permission. Start with *cursor = 0.
 * Returns 1 and fills ret_info, or 0 at the end, or a negative code.
 * `flags`: MDG_STAT_RESIDENT, MDG_STAT_CREATOR. */
MDG_API int mdg_segment_next(mdg_namespace *ns, uint32_t *cursor, unsigned flags,
                             struct mdg_segment_info *ret_info);

struct mdg_process_info {
	int32_t pid;       /* in the pid namespace of the process itself; 0: not known yet */
	uint32_t uid;      /* effective, when it first used the namespace */
	uint32_t attached; /* attachments of this segment */
	uint32_t same_pid_namespace; /* 1: `pid` means the same to the caller */
};

/* Walks the living processes attached to a segment; as mdg_segment_next. */
MDG_API int mdg_segment_next_process(mdg_namespace *ns, mdg_id id, uint32_t *cursor,
                                     struct mdg_process_info *ret_info);

/* ---- health ----------------------------------------------------------- */

/* One finding of mdg_namespace_check: what is wrong, on what. */
struct mdg_finding {
	uint32_t kind;     /* MDG_FOUND_* */
	uint32_t repaired; /* 1: mended by this call */
	int32_t id;        /* segment id or index, -1: none */
	int32_t pid;       /* process, 0: none */
	char text[160];
};
enum {
	MDG_FOUND_DAMAGE = 1,   /* an invariant of the registry does not hold */
	MDG_FOUND_DEAD_SLOT,    /* a process died and nobody noticed yet */
	MDG_FOUND_DEAD_OWNER,   /* the writer lock is held by a dead process */
	MDG_FOUND_LOCK_HELD,    /* the writer lock is held by a living process */
	MDG_FOUND_ORPHAN_FILE,  /* a data file without a segment */
	MDG_FOUND_MISSING_FILE, /* a segment without its data file */
	MDG_FOUND_HALF_MADE,    /* a segment whose making or removal was cut off */
	MDG_FOUND_HALF_SET      /* a data file with another owner or mode than its segment */
};

#define MDG_CHECK_REPAIR 0x1u /* mend what is safe to mend */

/* Checks every invariant of the registry, then calls `found` for each finding,
 * 512 at most (return non-zero to hear no more). No lock is held meanwhile.
 * Returns the number of findings that remain, or a negative code. Not for
 * signal handlers. */
MDG_API int mdg_namespace_check(mdg_namespace *ns, unsigned flags,
                                int (*found)(const struct mdg_finding *finding, void *context),
                                void *context);

#ifdef __cplusplus
}
#endif
#endif
