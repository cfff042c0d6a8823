/* SPDX-License-Identifier: MIT */
/*
 * madang/channel.h - messages between processes, through shared memory.
 *
 * A CHANNEL has a name in a namespace, is typed only by bytes, and lies in a segment of that name:
 * permissions and life time are the segment's (it outlives those who use it, until it is removed),
 * and `madang ls` shows it. Whoever comes first makes it:
 *
 *     struct mdg_channel_options options = { .size = sizeof options, .kind = MDG_QUEUE };
 *     mdg_channel *jobs;
 *     int rc = mdg_channel_open(&jobs, ns, "jobs", MDG_TALKER, &options);
 *     if (rc == 0)
 *             rc = mdg_channel_send(jobs, "hello", 5, MDG_FOREVER);
 *
 *     // another process, as MDG_LISTENER:
 *     struct mdg_message m;
 *     while ((rc = mdg_channel_peek(jobs, &m, MDG_FOREVER)) == 0) {
 *             work(m.data, m.size);           // in place; nothing is copied
 *             mdg_channel_release(jobs);
 *     }
 *
 * KINDS. Messages are of any size from 0 bytes to the capacity, and in order per talker.
 *   MDG_STREAM  one talker, one listener. Each message once, in order; kept while nobody listens.
 *   MDG_QUEUE   many talkers and listeners: each message goes to one of the listeners; kept while
 *               nobody listens.
 *   MDG_TOPIC   many talkers and listeners: each message goes to every listener; each has a
 *               position of its own. Nobody listens: the latest messages are kept.
 *   MDG_CALL    many callers (MDG_TALKER) and servers (MDG_LISTENER): a caller sends a request
 *               and receives its reply; a server receives a request and sends its reply.
 *
 * A HANDLE (mdg_channel) is one talker or one listener. It is used by one thread at a time; two
 * threads that talk open two. It belongs to the process that opened it: in a forked child every
 * call says -EPERM, and closing frees the child's memory only. One handle may be opened as
 * neither (role 0) to look.
 *
 * FULL. A talker that finds no room waits until its deadline; with deadline 0 that is -EAGAIN. A
 * topic made with MDG_FULL_OVERWRITE drops its oldest messages instead, and a listener that was
 * overtaken finds in the next message how many it missed; only a message that a listener
 * holds at that moment is waited for, and one that a talker has reserved.
 *
 * DEADLINES are moments, as those of sync.h: mdg_deadline(nanoseconds) from now, MDG_FOREVER, or 0:
 * do not wait (-EAGAIN; up to some 10 ms pass if somebody was stopped or killed in the middle of a
 * call). A wait spins for a moment and then sleeps, or does only one of the two, as
 * the handle's `wait` says. A signal handler that runs while it sleeps ends it with -EINTR, with
 * SA_RESTART too; one that runs just before does not: who waits for a handler's flag has a deadline.
 *
 * DEATH (kill -9, exec, a crash) is noticed within 50 ms by those who wait. Of a talker: what it
 * has committed stays, what it has not never appears. Of a listener: the messages that it held go to
 * the next listener (stream) or another one (queue), marked MDG_REDELIVERED: who works on a message
 * between mdg_channel_peek and mdg_channel_release works on each at least once. (mdg_channel_recv releases before it
 * returns: what dies with its copy is gone.) In a topic its place is freed. Of a server: the
 * callers whose requests it held get MDG_PEER_DIED; of a caller: its server gets MDG_PEER_DIED for
 * the reply. Nothing is lost by a death but what a topic overwrites. Death is that of a process: a
 * thread that ends leaves its handles usable by others.
 *
 * NUMBERS. A channel has an identity of 128 bits, which its name has in its namespace for ever;
 * an epoch, another one with each re-creation, and larger unless the clock was set back; and its
 * messages are numbered from 0. A number is missing for a message whose talker died, or that was
 * cancelled (in a topic; elsewhere only if others were sent meanwhile).
 *
 * ERRORS. As segment.h and sync.h: 0 (or a count), or one negative code. All may say
 *   -EPERM      the handle is not this process's, or its role cannot do that
 *   -EIDRM      the channel was removed. Noticed when waiting
 *   -ESTALE     others took this process for dead, though it lives, and gave its place away: close
 *               and open. Only of one that closed all its descriptors, if nobody can look at it
 *   MDG_BROKEN  the channel's memory holds what no call has put there
 * and errno is never touched.
 *
 * SAFETY. Any thread, a handle by one at a time; not from signal handlers, nor in a child of vfork.
 * No allocation by malloc, no cancellation points, no thread, no signals. One descriptor for a
 * handle that asked for one (mdg_channel_fd).
 *
 * SHARED MEMORY CAN BE WRITTEN BY ALL WHO SHARE IT. Who scribbles in a channel can make others
 * wait, lose messages or see MDG_BROKEN; it cannot make these functions read or write outside of
 * the channel and the memory given to them. A message that is looked at in place can be changed
 * by such a one meanwhile: who does not trust the others receives by copy, and checks the copy.
 */
#ifndef MADANG_CHANNEL_H
#define MADANG_CHANNEL_H

#include <madang/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- opening -------------------------------------------------------------- */

typedef struct mdg_channel mdg_channel; /* opaque, process-local */

enum mdg_channel_kind { MDG_STREAM = 1, MDG_QUEUE, MDG_TOPIC, MDG_CALL };

enum mdg_channel_role {
	MDG_OBSERVER = 0, /* neither: looks at channel and peers, takes no place; needs to read and
	                     write, and makes the channel unless MDG_CHANNEL_EXISTING */
	MDG_TALKER = 1,   /* of MDG_CALL: a caller */
	MDG_LISTENER = 2  /* of MDG_CALL: a server */
};

enum mdg_channel_full { MDG_FULL_WAIT = 1, MDG_FULL_OVERWRITE = 2 };

/* Where a listener of a topic begins. */
enum mdg_channel_from {
	MDG_FROM_NEXT = 0, /* what is sent from now on */
	MDG_FROM_OLDEST,   /* the oldest message that is kept */
	MDG_FROM_LAST      /* the last message that is kept, then what comes */
};

enum mdg_channel_wait {
	MDG_WAIT_DEFAULT =
		0,     /* spin up to 40 microseconds, less when that is in vain; then sleep */
	MDG_WAIT_SPIN, /* never sleep */
	MDG_WAIT_SLEEP /* sleep at once */
};

#define MDG_CHANNEL_EXISTING 0x1u /* do not make it: -ENOENT */
#define MDG_CHANNEL_EXCL     0x2u /* make it: -EEXIST */

#define MDG_CAPACITY_DEFAULT 65536u
#define MDG_CAPACITY_MAX     0x40000000u /* 1 GiB */
#define MDG_PEERS_DEFAULT    32u
#define MDG_PEERS_MAX        240u

/* Zero in a field means "as the channel has it", and when the channel is made, its default. What
 * is not zero has to be what the channel has: else -EINVAL, or the code that names the option. */
struct mdg_channel_options {
	uint32_t size;  /* sizeof(struct mdg_channel_options) */
	uint32_t flags; /* MDG_CHANNEL_* */
	/* of the channel */
	uint32_t kind;     /* enum mdg_channel_kind; default MDG_STREAM; MDG_UNLIKE_KIND */
	uint32_t full;     /* enum mdg_channel_full; default MDG_FULL_WAIT; MDG_FULL_OVERWRITE for
	                       topics only; MDG_UNLIKE_FULL */
	uint64_t capacity; /* bytes of the largest message, and of messages that it holds at
	                       least, with 64 counted for each; rounded up to 64; takes about
	                       twice that, and of MDG_CALL one more for each peer; up to
	                       MDG_CAPACITY_MAX; MDG_UNLIKE_CAPACITY */
	uint32_t peers;    /* most talkers and listeners together; 2 to MDG_PEERS_MAX;
	                       MDG_UNLIKE_PEERS */
	uint32_t mode;     /* permission bits of the segment; default 0600. Peers need to read
	                       and write. Without effect on a channel that exists */
	/* of the handle */
	uint32_t from; /* enum mdg_channel_from */
	uint32_t wait; /* enum mdg_channel_wait */
};

/* Finds or makes the channel, and takes a place in it. `name` as a segment's. `options` may be NULL.
 * Errors: those of mdg_segment_create, _open and _attach; MDG_UNLIKE_*; MDG_NOT_CHANNEL: the
 * segment of that name is none; -EBUSY: a stream's talker or listener is there and lives;
 * -EUSERS: no place is free (what dead listeners of a queue held keeps theirs until another listener
 * comes); -ETIMEDOUT: somebody is stopped in the middle of coming; -ENOENT, -EEXIST. */
MDG_API int mdg_channel_open(mdg_channel **ret_channel, mdg_namespace *ns, const char *name,
                             unsigned role, const struct mdg_channel_options *options);

/* Leaves. A reservation is cancelled; what was held goes to others as after a death, but a server's
 * callers get -ECANCELED. NULL is allowed. */
MDG_API void mdg_channel_close(mdg_channel *channel);

/* Removes the channel from the namespace; those who are in it get -EIDRM when they wait. The errors
 * of mdg_segment_remove; -ENOENT; MDG_NOT_CHANNEL. */
MDG_API int mdg_channel_remove(mdg_namespace *ns, const char *name);

/* ---- messages --------------------------------------------------------------- */

#define MDG_REDELIVERED 0x1u /* a listener died with it, or left: it may have been worked on */

struct mdg_message {
	void *data;        /* in the channel (peek, reserve), or the caller's (recv) */
	size_t size;       /* bytes */
	uint64_t sequence; /* its number in the channel; of a reply: of this caller's calls */
	uint64_t missed;   /* of a topic: numbers that were overwritten since the message before */
	uint32_t flags;    /* MDG_REDELIVERED */
	uint32_t
		talker; /* the place of its talker, mdg_channel_peers says who that is; of a reply: 0 */
};

/* Copies a message into the channel. 0; -EAGAIN, -ETIMEDOUT, -EINTR: no room; -EMSGSIZE: larger
 * than the capacity; -EBUSY: something is reserved.
 * Of MDG_CALL, from a caller: the request; one that has not been answered is given up. From a
 * server: the reply to the request that it holds: MDG_PEER_DIED: its caller died or left;
 * -ECANCELED: its caller does not wait for it any more; both release it. (A death that nobody has
 * noticed yet may go unsaid when the reply comes within 10 ms.) -EINVAL: no request is held. */
MDG_API int mdg_channel_send(mdg_channel *channel, const void *data, size_t size,
                             uint64_t deadline);

/* Copies the next message out, and releases it (of a server: holds it until the reply). Returns
 * its bytes (0 to 2^30), -EAGAIN, -ETIMEDOUT, -EINTR: there is none; -EMSGSIZE: it has more than
 * `room`, and stays: ret_message->size says how many; -EBUSY: messages are held. `ret_message`
 * may be NULL; its `data` becomes `data`.
 * Of a caller: the reply; also MDG_PEER_DIED: the server died; -ECANCELED: it released the
 * request without a reply; -EINVAL: nothing was asked. */
MDG_API int mdg_channel_recv(mdg_channel *channel, void *data, size_t room,
                             struct mdg_message *ret_message, uint64_t deadline);

/* Room for a message of `size` bytes in the channel, aligned to 16, to be written in place; what
 * it holds before is not said. One reservation at a time (-EBUSY). Then mdg_channel_commit with its size,
 * which may be less, or mdg_channel_cancel. While somebody reserves and does not commit, listeners wait for
 * it: what others send afterwards comes after it. Errors as mdg_channel_send. */
MDG_API int mdg_channel_reserve(mdg_channel *channel, size_t size, void **ret_data,
                                uint64_t deadline);
MDG_API int mdg_channel_commit(mdg_channel *channel,
                               size_t size);          /* 0; -EINVAL: nothing reserved, or size */
MDG_API int mdg_channel_cancel(mdg_channel *channel); /* 0; -EINVAL */

/* The next message, in place, until mdg_channel_release; meanwhile -EBUSY. Errors as mdg_channel_recv. */
MDG_API int mdg_channel_peek(mdg_channel *channel, struct mdg_message *ret_message,
                             uint64_t deadline);
/* Gives back all that the last peek gave. 0; -EINVAL: nothing is held. */
MDG_API int mdg_channel_release(mdg_channel *channel);

/* Asks and waits for the reply: mdg_channel_send and mdg_channel_recv of a caller with one deadline. After -ETIMEDOUT
 * and -EINTR mdg_channel_recv goes on waiting (-EINVAL: it was not even sent), and another call gives it up. */
MDG_API int mdg_channel_call(mdg_channel *channel, const void *request, size_t size, void *reply,
                             size_t room, struct mdg_message *ret_message, uint64_t deadline);

/* ---- many at once ------------------------------------------------------------- */

/* Not of MDG_CALL (-EPERM). Each waits for the first, then takes what goes without waiting: returns
 * how many (1 to count), or a negative code and has done nothing. count: 1 to MDG_MANY_MAX. */
#define MDG_MANY_MAX 1024u

/* Of each message data and size are read. One that is too large ends the batch before it; -EMSGSIZE
 * if it is the first. */
MDG_API int mdg_channel_send_many(mdg_channel *channel, const struct mdg_message *messages,
                                  unsigned count, uint64_t deadline);
/* Of each message data and size are the caller's room, and size becomes its bytes. One that has
 * more than its room ends the batch before it; -EMSGSIZE if it is the first; its size says in both
 * cases how much it needs. */
MDG_API int mdg_channel_recv_many(mdg_channel *channel, struct mdg_message *messages,
                                  unsigned count, uint64_t deadline);
/* Of each message size is read, and data filled. mdg_channel_commit_many shows the first `count` of them,
 * with their sizes, which may have become less, and cancels the others; mdg_channel_cancel all. */
MDG_API int mdg_channel_reserve_many(mdg_channel *channel, struct mdg_message *messages,
                                     unsigned count, uint64_t deadline);
MDG_API int mdg_channel_commit_many(mdg_channel *channel, const struct mdg_message *messages,
                                    unsigned count); /* 0; -EINVAL */
/* Until mdg_channel_release, which gives all of them back. */
MDG_API int mdg_channel_peek_many(mdg_channel *channel, struct mdg_message *ret_messages,
                                  unsigned count, uint64_t deadline);

/* ---- poll(2), epoll(7), libuv ---------------------------------------------------- */

/* A descriptor that is readable when and only when there is a message for this listener (or a
 * reply for this caller), for the program's event loop, which must not read from it nor close it: it
 * is closed with the handle. Receiving keeps it right, so receive when it was readable. It is the
 * same each time. Waking a listener costs a talker about seven system calls instead of one,
 * and none while it has something. Of a queue it stays readable after another listener was faster,
 * until this one asks. A talker that is stopped or killed in the middle may leave it readable once
 * in vain, or, at one moment, a message without a sign until the next. And nobody looks for the
 * dead while all sleep in poll: who has to hear of deaths receives with deadline 0, or calls
 * mdg_channel_look, now and then. Returns the descriptor; -EMFILE, -ENOSPC, -EACCES: the named pipe
 * that it is cannot be made in the namespace; -EPERM: a talker's, but of a call. */
MDG_API int mdg_channel_fd(mdg_channel *channel);

/* ---- who is there ------------------------------------------------------------------ */

struct mdg_channel_info {
	uint32_t size; /* sizeof(struct mdg_channel_info), set by the caller */
	mdg_id id;     /* of its segment */
	uint32_t kind, full, peers;
	uint32_t talkers, listeners;
	uint32_t changes; /* how often somebody came, left or died */
	uint64_t capacity;
	uint64_t identity[2];
	uint64_t epoch;      /* nanoseconds since 1970 when it was made */
	uint64_t sequence;   /* of the next message: how many were sent */
	uint64_t bytes;      /* that the ring has moved, heads and padding included */
	uint64_t room, used; /* bytes of the ring, and those that are not free */
	uint64_t waiting;    /* messages that no listener has taken; of a topic: that are kept */
	uint64_t missed;     /* of a topic: by all listeners that are there, together */
	char name[MDG_NAME_MAX + 1];
};

struct mdg_peer {
	uint32_t size;     /* sizeof(struct mdg_peer), set by the caller in the first of an array */
	uint32_t place;    /* mdg_message.talker */
	uint32_t role;     /* MDG_TALKER, MDG_LISTENER */
	int32_t pid;       /* in its own pid namespace */
	uint32_t alive;    /* 0: died or left, and held messages that nobody has taken yet */
	uint32_t asleep;   /* waits in the kernel */
	uint32_t holds;    /* has a message reserved or peeked */
	uint32_t reserved; /* 0 */
	uint64_t count;    /* messages sent or received */
	uint64_t lag;      /* of a listener: messages that it has not received yet */
	uint64_t missed;   /* of a topic's listener */
	int64_t since;     /* seconds since 1970 */
};

/* A moment's view; also buries the dead that it finds. 0; -EIDRM: removed, and filled all the same. */
MDG_API int mdg_channel_look(mdg_channel *channel, struct mdg_channel_info *ret_info);
/* Fills up to `room` peers; returns how many there are. */
MDG_API int mdg_channel_peers(mdg_channel *channel, struct mdg_peer *ret_peers, unsigned room);

/* Walks the channels of a namespace that the caller may read, without entering them; as
 * mdg_segment_next: *cursor is 0 at first; 1, 0 or a negative code. */
MDG_API int mdg_channel_next(mdg_namespace *ns, uint32_t *cursor,
                             struct mdg_channel_info *ret_info);

enum mdg_peer_change { MDG_PEER_CAME = 1, MDG_PEER_LEFT, MDG_PEER_GONE /* died */ };
struct mdg_peer_event {
	uint32_t size;   /* sizeof(struct mdg_peer_event), set by the caller */
	uint32_t change; /* enum mdg_peer_change */
	uint32_t role, place;
	int32_t pid;
	uint32_t reserved; /* 0 */
	uint64_t number;   /* of the event, from 0 */
};
/* Who came, left or died, one after the other, from this handle's own coming on; the last
 * 32 are kept, and `number` tells when some were missed. 0; -EAGAIN, -ETIMEDOUT, -EINTR. */
MDG_API int mdg_channel_event(mdg_channel *channel, struct mdg_peer_event *ret_event,
                              uint64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
