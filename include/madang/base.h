/* SPDX-License-Identifier: MIT */
/*
 * madang/base.h - what every part of Madang's interface shares: errors, time,
 * ids, names, the version, and structures that can grow.
 *
 *     #include <madang/segment.h>             // includes this header
 *
 *     int rc = mdg_mutex_lock_until(&box->lock, mdg_deadline(500000000)); // half a second
 *     if (rc < 0)
 *             fprintf(stderr, "box: %s\n", mdg_strerror(rc));
 *
 *     struct mdg_segment_info info = { .size = sizeof info };
 *     rc = mdg_segment_stat(ns, id, 0, &info);
 *
 * The other headers are <madang/segment.h> (namespaces and segments),
 * <madang/sync.h> (locks and the like in shared memory), <madang/names.h>
 * (names for these), <madang/channel.h> (messages), <madang/sem.h> and
 * <madang/msg.h> (System V's semaphores and message queues). Each includes this one,
 * and each can be included alone, from C99 or later and from C++11 or later.
 *
 * ERRORS. A function that returns int returns 0, or a count where it says so,
 * or one negative code. The code is a negated errno of the system (-ENOENT,
 * -EACCES, ...; see errno(3)) or a member of enum mdg_error. mdg_strerror has
 * a sentence for both. No function changes errno. A function that fails leaves
 * its ret_ parameters as they were.
 *
 * STRUCTURES THAT GROW. A structure of options, and a structure that a function
 * fills in, begins with `uint32_t size`. The caller sets it to the size of the
 * structure that it was compiled with, before each call:
 *
 *     struct mdg_namespace_options options = { .size = sizeof options, .segments = 100 };
 *     struct mdg_namespace_info info = { .size = sizeof info };
 *
 * A later version of Madang may add fields at the end, and old fields stay where
 * they are. So a program and a library of different versions work together:
 *  - Options that are shorter than the library's: the missing fields are zero,
 *    and zero means the default. Options that are shorter than in Madang 0.1
 *    are refused with -EINVAL.
 *  - Options that are longer than the library's: the rest must be all zeros.
 *    Otherwise the caller wants something that this library does not know, and
 *    the call fails with -E2BIG. (openat2(2) and clone3(2) have this rule too.)
 *  - A structure to fill in that is shorter than the library's: the fields that
 *    lie within its size are filled in, and nothing behind it is touched.
 *  - A structure to fill in that is longer than the library's: the rest is
 *    filled with zeros.
 * The library does not change `size`. A size below MDG_SIZE_LEAST or above
 * MDG_SIZE_MOST is refused with -EINVAL, because it is most likely one that
 * nobody set.
 * Two structures differ. `struct mdg_message` is an array element on the fastest
 * path, has no size, and will not change. `struct mdg_finding` is given by the
 * library to a function of the program: there the library sets `size`.
 */
#ifndef MADANG_BASE_H
#define MADANG_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MDG_API __attribute__((visibility("default")))
#else
#define MDG_API
#endif

/* ---- version ---------------------------------------------------------- */

/* The version of these headers. */
#define MDG_VERSION_MAJOR 0
#define MDG_VERSION_MINOR 1
#define MDG_VERSION_PATCH 0

/* Returns the version of the library that is in use, as "0.1.0". It may differ
 * from that of the headers. The text is constant. Safe in threads and signal
 * handlers. */
MDG_API const char *mdg_version(void);

/* ---- errors ----------------------------------------------------------- */

/* Codes for what no errno expresses. They lie at -10001 and below. Codes of the
 * system are -errno, and lie above -4096. */
enum mdg_error {
	/* A file of the namespace. */
	MDG_DAMAGED = -10001,        /* it holds values that cannot be */
	MDG_NOT_REGISTRY = -10002,   /* the registry file is not one of Madang's, or it
	                                is empty although there are segments */
	MDG_VERSION_UNLIKE = -10003, /* an incompatible version or machine made it */
	MDG_TRUNCATED = -10004,      /* the registry file is shorter than it says */
	/* The directory of a namespace was refused. */
	MDG_NS_SYMLINK = -10005,  /* it is a symbolic link */
	MDG_NS_NOT_DIR = -10006,  /* it is not a directory */
	MDG_NS_OWNER = -10007,    /* it belongs to another user */
	MDG_NS_WRITABLE = -10008, /* others may write in it, and it was not made with
	                             MDG_NS_SHARED */
	MDG_NS_GONE = -10009,     /* the directory, or the registry in it, was deleted, moved
	                             or replaced while it was in use: open it again */
	MDG_NO_SLOT = -10010,     /* every process slot of the namespace is taken */
	/* <madang/sync.h> */
	MDG_OWNER_DIED = -10011, /* not a failure: done, but the owner before has died */
	MDG_BROKEN = -10012,     /* not done: the data were left unrepaired, or are damaged */
	/* <madang/channel.h> */
	MDG_PEER_DIED = -10013,       /* the other side of a call died */
	MDG_NOT_CHANNEL = -10014,     /* the segment of that name is not a channel */
	MDG_UNLIKE_KIND = -10015,     /* the channel exists with another kind, */
	MDG_UNLIKE_CAPACITY = -10016, /* with another capacity, */
	MDG_UNLIKE_PEERS = -10017,    /* with another number of peers, */
	MDG_UNLIKE_FULL = -10018,     /* or does something else when it is full */
	/* <madang/heap.h> */
	MDG_NOT_HEAP = -10019,       /* the segment of that name is not a heap */
	MDG_HOME_TAKEN = -10020,     /* something else lies at the heap's home address */
	MDG_FREED_TWICE = -10021,    /* the block is free already */
	MDG_UNLIKE_MAXIMUM = -10022, /* the heap exists with another maximum, */
	MDG_UNLIKE_FLAGS = -10023,   /* with other flags, */
	MDG_UNLIKE_HOME = -10024,    /* or with another home address */
	MDG_UNLIKE_TYPE = -10025,    /* the root exists with another type, */
	MDG_UNLIKE_VERSION = -10026, /* or with another version */
	MDG_OVERRUN = -10027,        /* somebody has written behind the end of the block */
	/* <madang/replica.h> */
	MDG_DEPOSED = -10028,    /* another host writes this segment now */
	MDG_NOT_REPLICA = -10029 /* the segment of that name is not a replica */
};

/* Returns a sentence, without a full stop, for any code that a function of
 * Madang returned. It is never NULL. The text is constant and in English. Safe
 * in threads and signal handlers. */
MDG_API const char *mdg_strerror(int code);

/* ---- time ------------------------------------------------------------- */

/* A deadline is a moment: nanoseconds of CLOCK_MONOTONIC, see clock_gettime(2).
 * A function that waits until a deadline that has passed still takes what it can
 * have at once. MDG_FOREVER never passes. */
#define MDG_FOREVER UINT64_MAX

/* Returns the moment that lies `nanoseconds` from now, or MDG_FOREVER when the
 * clock cannot express it. Safe in threads and signal handlers. */
MDG_API uint64_t mdg_deadline(uint64_t nanoseconds);

/* ---- structures that grow --------------------------------------------- */

#define MDG_SIZE_LEAST 8u     /* bytes, of a structure that a function fills in */
#define MDG_SIZE_MOST  65536u /* bytes, of any structure with a size */

/* ---- namespaces, ids and names ---------------------------------------- */

/* A namespace that this process has open; see <madang/segment.h>. */
typedef struct mdg_namespace mdg_namespace;

/* Identifies a segment in its namespace: index + sequence * 32768, never
 * negative. The id of a removed segment does not come back before the 65,536
 * sequence numbers have gone round. System V's ids are built in the same way. */
typedef int32_t mdg_id;

/* The longest name of a segment or channel, in bytes, without its final NUL. A
 * name has 1 to MDG_NAME_MAX bytes of any value but NUL. */
#define MDG_NAME_MAX 63u

#ifdef __cplusplus
}
#endif

#endif
