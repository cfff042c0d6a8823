/* SPDX-License-Identifier: MIT */
/*
 * madang/msg.h - message queues by type, as System V has them.
 *
 *     mdg_id id;
 *     int rc = mdg_msgqueue_create(ns, "orders", 0600, &id);
 *     if (rc == -EEXIST)
 *             rc = mdg_msgqueue_open(ns, "orders", 0600, &id);
 *     if (rc == 0)
 *             rc = mdg_msgqueue_send(ns, id, 7, "hello", 5, MDG_FOREVER);
 *
 *     // Another process waits for a message of type 7:
 *     char text[100];
 *     int64_t type;
 *     size_t length;
 *     rc = mdg_msgqueue_receive(ns, id, 7, text, sizeof text, 0, MDG_FOREVER, &type, &length);
 *
 * A QUEUE has an id, an owner, nine permission bits, and perhaps a System V key or a name, as a
 * segment has. Keys, names and ids of queues are apart from those of segments and semaphore sets.
 * A queue and its messages live until mdg_msgqueue_remove, not until their processes end.
 *
 * A MESSAGE has a type, which is a number from 1 on, and a text of 0 or more bytes. A receiver says
 * which types it wants. Of those, the message that was sent first comes first. <madang/channel.h>
 * is for messages without types, and is faster.
 *
 * FULL. A message fits while the texts of all messages have at most `bytes_max` bytes together, and
 * there are at most `bytes_max` messages. A sender that finds no room sleeps. It holds no place: a
 * shorter message of somebody else may pass.
 *
 * WAITING. A message that is sent while receivers sleep belongs to the first of them that wants its
 * type, in the order in which they fell asleep. When mdg_msgqueue_send returns, nobody else can get
 * it. A receiver is not in that order while it is stopped (SIGSTOP), or in a signal handler.
 * `deadline` is a moment (see <madang/base.h>). 0 means: do not wait.
 *
 * DEATH. A process may be killed at any moment. Its message was sent or not, and it has received a
 * message or not; no message comes twice. A message that belongs to a receiver which is killed
 * before its call has returned may be lost with it, or be in the queue again.
 *
 * SIGNALS. A handler that runs while a call sleeps ends the sleep: -EINTR, with SA_RESTART too.
 * Then nothing was sent or received. The handler may make these calls, and may leave by siglongjmp.
 * If it leaves mdg_msgqueue_receive, a message may have been taken and be lost. A call that would
 * have to wait may spin for a moment first; a handler that runs in that time does not end it.
 *
 * ERRORS are those of <madang/base.h>. Every function here may also return
 *   -EINVAL   there is no such queue, or it was removed
 *   -ENOMEM   no memory, or no room in the file system; -EMFILE: no free descriptor
 *   -ENOSYS   the kernel has no robust futexes
 *   MDG_DAMAGED, MDG_NS_GONE, MDG_NO_SLOT
 *   -EROFS    the namespace was opened with MDG_NS_LOOK, and the call would change something
 *
 * SAFETY. Each function may be called from any thread and from signal handlers, is not a
 * cancellation point, does not use malloc, prints nothing, and never ends the process. A buffer
 * that is not memory of the caller raises SIGSEGV. Then nothing was sent; a message that was to be
 * received is lost.
 *
 * A process that was stopped (SIGSTOP) in the middle of a call may hold up others.
 *
 * ORIGIN. Functions marked [SysV] do what msgget(2), msgsnd(2), msgrcv(2) and msgctl(2) do, with
 * the same errors. docs/divergences.md lists the differences.
 */
#ifndef MADANG_MSG_H
#define MADANG_MSG_H

#include <madang/base.h>
#include <madang/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- making and finding queues ----------------------------------------- */

/* Makes a queue, with `bytes_max` as the sysctl msgmnb says (16384 bytes, if nobody has changed
 * it). `name` is a name (see MDG_NAME_MAX), or NULL for a queue that is known by its id alone.
 * `mode` is the nine permission bits; the umask does not apply. No file is made yet.
 * Returns 0, or
 *   -EEXIST  a queue has this name
 *   -EINVAL  the name
 *   -ENOSPC  there are as many queues as the sysctl msgmni allows (32000) */
MDG_API int mdg_msgqueue_create(mdg_namespace *ns, const char *name, unsigned mode, mdg_id *ret_id);

/* Finds the queue `name`. `ask` is permission bits that the caller needs: 0400 to receive, 0200 to
 * send, in any of the three groups of bits; 0 needs nothing.
 * Returns 0, or -ENOENT: there is none; -EACCES: it does not grant all that is asked for. */
MDG_API int mdg_msgqueue_open(mdg_namespace *ns, const char *name, unsigned ask, mdg_id *ret_id);

/* Finds or makes a queue by its System V key. Key 0, IPC_PRIVATE, always makes a new one. `flags`
 * is nine permission bits, MDG_CREATE and MDG_EXCL, the same numbers as msgget's; other bits do not
 * matter.
 * Returns 0, or -ENOENT, -EEXIST, -EACCES, -ENOSPC as msgget(2). [SysV] */
MDG_API int mdg_msgqueue_get(mdg_namespace *ns, int32_t key, unsigned flags, mdg_id *ret_id);

/* ---- sending and receiving ---------------------------------------------- */

/* Sends `size` bytes at `text` as a message of `type`. The caller needs permission to write.
 * Returns 0, or
 *   -EINVAL     `type` is less than 1, or `size` more than the sysctl msgmax (8192)
 *   -EACCES     permission
 *   -EAGAIN     no room, and `deadline` is 0
 *   -ETIMEDOUT  no room until the deadline
 *   -EINTR      a signal handler ran during the sleep
 *   -EIDRM      the queue was removed meanwhile
 * This is msgsnd; IPC_NOWAIT is deadline 0. [SysV] */
MDG_API int mdg_msgqueue_send(mdg_namespace *ns, mdg_id id, int64_t type, const void *text,
                              size_t size, uint64_t deadline);

/* The same numbers as msgrcv's flags. */
#define MDG_MSG_NOERROR 010000u /* a longer message is cut off, and the rest is lost */
#define MDG_MSG_EXCEPT  020000u /* with a positive type: any other type */
#define MDG_MSG_COPY    040000u /* `wanted` is a position, and the message stays */

/* Receives a message into `buffer`, which has room for `size` bytes. The caller needs permission to
 * read. `wanted` says which:
 *    0         the first of all
 *   > 0        the first of this type; with MDG_MSG_EXCEPT the first of another type
 *   < 0        of the types up to -wanted the lowest, and of that the first
 *   with MDG_MSG_COPY: the one at this position, from 0. `deadline` has to be 0. Neither the queue
 *              nor its stamps change
 * *ret_type and *ret_length say what came. Nothing behind *ret_length bytes is written.
 * Returns 0, or
 *   -E2BIG      that message is longer than `size`, and stays in the queue
 *   -ENOMSG     there is none, and `deadline` is 0
 *   -ETIMEDOUT  there was none until the deadline
 *   -EACCES, -EINTR, -EIDRM  as above
 *   -EINVAL     MDG_MSG_COPY with a deadline or with MDG_MSG_EXCEPT; or with MDG_MSG_NOERROR, and
 *               the message is longer than `size`
 * This is msgrcv; IPC_NOWAIT is deadline 0. [SysV] */
MDG_API int mdg_msgqueue_receive(mdg_namespace *ns, mdg_id id, int64_t wanted, void *buffer,
                                 size_t size, unsigned flags, uint64_t deadline, int64_t *ret_type,
                                 size_t *ret_length);

/* ---- looking at queues --------------------------------------------------- */

/* What a queue is and holds. */
struct mdg_msgqueue_info {
	uint32_t size;               /* sizeof(struct mdg_msgqueue_info), set by the caller */
	mdg_id id;                   /* of the queue */
	int32_t key;                 /* 0: it has none */
	uint32_t mode;               /* nine permission bits */
	uint32_t uid, gid;           /* owner */
	uint32_t cuid, cgid;         /* creator */
	int32_t lspid, lrpid;        /* process that last sent, received; 0: none */
	uint64_t messages;           /* in the queue */
	uint64_t bytes;              /* of their texts */
	uint64_t bytes_max;          /* bytes and messages for which there is room */
	int64_t stime, rtime;        /* last send, receive: seconds since 1970; 0: never */
	int64_t ctime;               /* creation or last mdg_msgqueue_set: seconds since 1970 */
	char name[MDG_NAME_MAX + 1]; /* ends with NUL; "" when it has none */
};

/* Fills in *ret_info. The caller needs permission to read, or gives MDG_STAT_ANY. With
 * MDG_STAT_INDEX, `id` is an index, or an id modulo 32768.
 * Returns 0, or -EACCES; or -EINVAL, also: ret_info->size.
 * This is msgctl's IPC_STAT, MSG_STAT and MSG_STAT_ANY. [SysV] */
MDG_API int mdg_msgqueue_stat(mdg_namespace *ns, mdg_id id, unsigned flags,
                              struct mdg_msgqueue_info *ret_info);

/* Walks over all queues by index. It needs no permission. *cursor is 0 before the first call. A
 * walk is not a snapshot: each step is true when it is made.
 * Returns 1 and fills in *ret_info; or 0 at the end; or -EINVAL: ret_info->size. */
MDG_API int mdg_msgqueue_next(mdg_namespace *ns, uint32_t *cursor,
                              struct mdg_msgqueue_info *ret_info);

/* ---- changing and removing ------------------------------------------------ */

/* Sets owner, permission bits and limit. Whoever sleeps in the queue looks again.
 * Returns 0, or
 *   -EINVAL  no such queue; or the caller's user namespace has no such user or group
 *   -EPERM   the caller is neither owner, nor creator, nor privileged; or `bytes_max` is above the
 *            sysctl msgmnb
 * This is msgctl's IPC_SET. [SysV] */
MDG_API int mdg_msgqueue_set(mdg_namespace *ns, mdg_id id, uint32_t uid, uint32_t gid,
                             unsigned mode, uint64_t bytes_max);

/* Removes the queue with its messages. Whoever sleeps in it gets -EIDRM.
 * Returns 0, or -EPERM: the caller is neither owner, nor creator, nor privileged.
 * This is msgctl's IPC_RMID. [SysV] */
MDG_API int mdg_msgqueue_remove(mdg_namespace *ns, mdg_id id);

#ifdef __cplusplus
}
#endif

#endif
