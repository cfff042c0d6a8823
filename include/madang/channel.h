/* SPDX-License-Identifier: MIT */
/*
 * madang/channel.h - messages between processes, through shared memory.
 *
 *     // One process puts jobs into a queue:
 *     struct mdg_channel_options options = { .size = sizeof options, .kind = MDG_QUEUE };
 *     mdg_channel *jobs;
 *     int rc = mdg_channel_open(&jobs, ns, "jobs", MDG_TALKER, &options);
 *     if (rc == 0)
 *             rc = mdg_channel_send(jobs, "hello", 5, MDG_FOREVER);
 *
 *     // Another process has opened it as MDG_LISTENER, and works on them:
 *     struct mdg_message m;
 *     while ((rc = mdg_channel_peek(jobs, &m, MDG_FOREVER)) == 0) {
 *             work(m.data, m.size);           // in place; nothing is copied
 *             mdg_channel_release(jobs);
 *     }
 *
 * A CHANNEL has a name in a namespace. It carries bytes, and knows no other types. It lies in a
 * segment of the same name: the segment's permissions are the channel's, and the channel outlives
 * those who use it until it is removed. `madang ls` shows it. Whoever opens it first makes it.
 *
 * KINDS. A message has any size from 0 bytes to the capacity. The messages of one talker stay in
 * order.
 *   MDG_STREAM  One talker, one listener. Each message comes once, in order. Messages are kept
 *               while nobody listens.
 *   MDG_QUEUE   Many talkers and listeners. Each message goes to one of the listeners. Messages are
 *               kept while nobody listens.
 *   MDG_TOPIC   Many talkers and listeners. Each message goes to every listener, and each listener
 *               has a position of its own. While nobody listens, the latest messages are kept.
 *   MDG_CALL    Many callers (MDG_TALKER) and servers (MDG_LISTENER). A caller sends a request and
 *               receives its reply. A server receives a request and sends its reply.
 *
 * A HANDLE (mdg_channel) is one talker or one listener. One thread uses it at a time; two threads
 * that talk open two handles. A handle belongs to the process that opened it. In a forked child
 * every call on it gives -EPERM, and closing it frees the child's memory only. A handle that was
 * opened with role 0 is neither talker nor listener. It only looks.
 *
 * FULL. A talker that finds no room waits until its deadline. With deadline 0 it gets -EAGAIN
 * instead. A topic that was made with MDG_FULL_OVERWRITE drops its oldest messages. A listener that
 * was overtaken learns from its next message how many it missed. Even then a talker waits for a
 * message that a listener holds at that moment, and for one that another talker has reserved.
 *
 * DEADLINES are moments, as those of sync.h: mdg_deadline(nanoseconds) from now, or MDG_FOREVER, or
 * 0. 0 means: do not wait, -EAGAIN. (Some 10 ms may pass if somebody was stopped or killed in the
 * middle of a call.) A wait spins for a moment and then sleeps. The handle's `wait` can ask for
 * only one of the two. A signal handler that runs during the sleep ends it with -EINTR, with
 * SA_RESTART too. One that runs just before does not, so a program that waits for a handler's flag
 * needs a deadline.
 *
 * DEATH (kill -9, exec, a crash) is noticed within 50 ms by those who wait. It is the death of a
 * process: if only a thread ends, others can go on with its handles. This is what a death leaves:
 *   Of a talker: what it has committed stays. What it has not committed never appears.
 *   Of a listener of a stream or a queue: the messages that it held go to the next listener
 *     (stream) or to another one (queue), and are marked MDG_REDELIVERED. So a listener that works
 *     on a message between mdg_channel_peek and mdg_channel_release works on each at least once.
 *     mdg_channel_recv releases the message before it returns: if the listener dies then, the
 *     message is gone with its copy.
 *   Of a listener of a topic: its place is free.
 *   Of a server: the callers whose requests it held get MDG_PEER_DIED.
 *   Of a caller: its server gets MDG_PEER_DIED when it sends the reply.
 * A death loses nothing else. Only a topic that overwrites loses messages.
 *
 * NUMBERS. A channel has an identity of 128 bits, which this name has in this namespace for ever.
 * It has an epoch, which differs each time the channel is made again, and is larger unless the
 * clock was set back. Its messages are numbered from 0. A number is missing if the talker of a
 * message died, or cancelled it (in a topic; elsewhere only if others sent messages meanwhile).
 *
 * ERRORS are as in segment.h and sync.h: a call returns 0 or a count, or one negative code. Every
 * call may return
 *   -EPERM      The handle is not this process's, or its role cannot do that.
 *   -EIDRM      The channel was removed. A call notices that when it waits.
 *   -ESTALE     Others took this process for dead, though it lives, and gave its place away. Close
 *               the handle and open a new one. This happens only to a process that has closed all
 *               its descriptors, if nobody can look at it.
 *   MDG_BROKEN  The memory of the channel holds what no call has put there.
 * errno is never touched.
 *
 * SAFETY. Any thread may make these calls, on one handle one thread at a time. Signal handlers may
 * not, nor may a child of vfork. The calls do not use malloc, are not cancellation points, start no
 * thread, and raise no signals. A handle has one descriptor if it asked for it (mdg_channel_fd).
 *
 * ALL WHO SHARE THE MEMORY CAN WRITE TO IT. A process that scribbles in a channel can make others
 * wait, lose messages or see MDG_BROKEN. It cannot make these functions read or write outside of
 * the channel and the memory given to them. It can change a message while another process looks at
 * it in place. So a process that does not trust the others receives by copy, and checks the copy.
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
	/* Only looks at the channel and its peers, and takes no place. All the same it needs the
	 * permission to read and to write. It makes the channel if there is none, unless
	 * MDG_CHANNEL_EXISTING is given. */
	MDG_OBSERVER = 0,
	MDG_TALKER = 1,  /* in MDG_CALL: a caller */
	MDG_LISTENER = 2 /* in MDG_CALL: a server */
};

enum mdg_channel_full { MDG_FULL_WAIT = 1, MDG_FULL_OVERWRITE = 2 };

/* Where a listener of a topic begins. */
enum mdg_channel_from {
	MDG_FROM_NEXT = 0, /* what is sent from now on */
	MDG_FROM_OLDEST,   /* the oldest message that is kept */
	MDG_FROM_LAST,     /* the last message that is kept, then what comes */
	/* The first message that is kept of the number in `number` or later. If it was overwritten,
	 * the next one's `missed` says how many were. */
	MDG_FROM_NUMBER
};

enum mdg_channel_wait {
	/* Spin for up to 40 microseconds, less if that was in vain before; then sleep. */
	MDG_WAIT_DEFAULT = 0,
	MDG_WAIT_SPIN,  /* never sleep; give way to others that share the processor */
	MDG_WAIT_SLEEP, /* sleep at once */
	/* As MDG_WAIT_DEFAULT, for a program that waits for long and is to cost nothing meanwhile.
	 * A wait for a message or for an event that has lasted for a second looks for the dead, and
	 * for what a talker that was killed told nobody, once a second, and not every 25 ms. */
	MDG_WAIT_LONG,
	/* As MDG_WAIT_LONG, for a listener of a topic that carries messages to other hosts: what
	 * mdg_channel_relay puts in does not wake it. It sees such messages when it is woken by
	 * others, when a quarter of the ring has filled with them, when a talker needs their room,
	 * and otherwise within a second. In the other kinds it is MDG_WAIT_LONG. */
	MDG_WAIT_NEAR
};

#define MDG_CHANNEL_EXISTING 0x1u /* do not make it: -ENOENT */
#define MDG_CHANNEL_EXCL     0x2u /* make it: -EEXIST */

#define MDG_CAPACITY_DEFAULT 65536u
#define MDG_CAPACITY_MAX     0x40000000u /* 1 GiB */
#define MDG_PEERS_DEFAULT    32u
#define MDG_PEERS_MAX        240u

/* Zero in a field means: as the channel has it; and if the channel is made, the default. A field
 * that is not zero has to be as the channel has it. Else mdg_channel_open returns -EINVAL, or the
 * code that is named at the field. */
struct mdg_channel_options {
	uint32_t size;  /* sizeof(struct mdg_channel_options) */
	uint32_t flags; /* MDG_CHANNEL_* */
	/* of the channel */
	uint32_t kind;     /* enum mdg_channel_kind; default MDG_STREAM; MDG_UNLIKE_KIND */
	uint32_t full;     /* enum mdg_channel_full; default MDG_FULL_WAIT; MDG_FULL_OVERWRITE for
	                       topics only; MDG_UNLIKE_FULL */
	uint64_t capacity; /* bytes of the largest message, up to MDG_CAPACITY_MAX; rounded up to a
	                       multiple of 64. The channel also holds at least so many bytes of
	                       messages, with 48 more counted for each message. A topic keeps
	                       so many of the latest if none is larger than three quarters of
	                       the capacity. The channel takes about twice that memory, and in
	                       MDG_CALL once more for each caller that was there at one time.
	                       MDG_UNLIKE_CAPACITY */
	uint32_t peers;    /* the most talkers and listeners together; 2 to MDG_PEERS_MAX;
	                       MDG_UNLIKE_PEERS */
	uint32_t mode;     /* permission bits of the segment; default 0600. Peers have to be allowed
	                       to read and to write. Without effect on a channel that exists */
	/* of the handle */
	uint32_t from;   /* enum mdg_channel_from */
	uint32_t wait;   /* enum mdg_channel_wait */
	uint64_t number; /* with MDG_FROM_NUMBER */
};

/* Finds or makes the channel, and takes a place in it. `name` is as a segment's. `options` may be
 * NULL. Errors: those of mdg_segment_create, mdg_segment_open and mdg_segment_attach, and
 *   MDG_UNLIKE_*      The channel is not what the options ask for.
 *   MDG_NOT_CHANNEL   The segment of that name is no channel.
 *   -EBUSY            A stream has a talker, or a listener, already, which lives.
 *   -EUSERS           No place is free. (A dead listener of a queue that held messages keeps its
 *                     place until another listener comes.)
 *   -ENOMEM           In MDG_CALL also: there is no memory for the replies to this caller.
 *   -ETIMEDOUT        A process is stopped in the middle of coming.
 *   -ENOENT, -EEXIST  See MDG_CHANNEL_EXISTING and MDG_CHANNEL_EXCL. */
MDG_API int mdg_channel_open(mdg_channel **ret_channel, mdg_namespace *ns, const char *name,
                             unsigned role, const struct mdg_channel_options *options);

/* Leaves the channel. A reservation is cancelled. What the handle held goes to others as after a
 * death, but the callers of a server get -ECANCELED. NULL is allowed. */
MDG_API void mdg_channel_close(mdg_channel *channel);

/* Removes the channel from the namespace. Those who are in it get -EIDRM when they wait. Errors:
 * those of mdg_segment_remove; -ENOENT; MDG_NOT_CHANNEL. */
MDG_API int mdg_channel_remove(mdg_namespace *ns, const char *name);

/* ---- messages --------------------------------------------------------------- */

/* A listener died while it held the message, or left. It may have worked on the message. */
#define MDG_REDELIVERED 0x1u
/* It was first sent on another host, and a bridge has put it here (relay.h). */
#define MDG_RELAYED 0x2u

struct mdg_message {
	void *data;        /* lies in the channel (peek, reserve), or is the caller's (recv) */
	size_t size;       /* bytes */
	uint64_t sequence; /* its number in the channel; of a reply: among this caller's calls */
	uint64_t missed;   /* in a topic: numbers that were overwritten since the message before */
	uint32_t flags;    /* MDG_REDELIVERED, MDG_RELAYED */
	uint32_t talker;   /* the place of its talker: see mdg_channel_peers; of a reply: 0 */
};

/* Copies a message into the channel. Returns 0, or
 *   -EAGAIN, -ETIMEDOUT, -EINTR  There is no room.
 *   -EMSGSIZE                    The message is larger than the capacity.
 *   -EBUSY                       This handle has something reserved.
 * In MDG_CALL a caller sends a request. If its last request has not been answered, it gives that
 * up. A server sends the reply to the request that it holds. It also gets
 *   MDG_PEER_DIED                The caller died or left.
 *   -ECANCELED                   The caller does not wait for the reply any more.
 *   -EINVAL                      No request is held.
 * The first two release the request. (If nobody has noticed the death yet, a reply within 10 ms may
 * not tell of it.) */
MDG_API int mdg_channel_send(mdg_channel *channel, const void *data, size_t size,
                             uint64_t deadline);

/* Copies the next message out, and releases it. (A server holds it until the reply.) Returns how
 * many bytes it has, 0 to 2^30, or
 *   -EAGAIN, -ETIMEDOUT, -EINTR  There is no message.
 *   -EMSGSIZE                    The message has more bytes than `room`, and stays;
 *                                ret_message->size says how many.
 *   -EBUSY                       This handle holds messages.
 * `ret_message` may be NULL. Its `data` becomes `data`.
 * A caller receives the reply. It also gets
 *   MDG_PEER_DIED                The server died.
 *   -ECANCELED                   The server released the request without a reply.
 *   -EINVAL                      Nothing was asked. */
MDG_API int mdg_channel_recv(mdg_channel *channel, void *data, size_t room,
                             struct mdg_message *ret_message, uint64_t deadline);

/* Makes room for a message of `size` bytes in the channel, to be written in place. The room is
 * aligned to 16. What it holds at first is not specified. A handle has one reservation at a time
 * (-EBUSY). It ends with mdg_channel_commit, with the size of the message, which may be less; or
 * with mdg_channel_cancel. Until then listeners wait for it: what others send afterwards comes
 * after it. Errors as mdg_channel_send. */
MDG_API int mdg_channel_reserve(mdg_channel *channel, size_t size, void **ret_data,
                                uint64_t deadline);
/* 0; -EINVAL: nothing is reserved, or `size` is more than was reserved. */
MDG_API int mdg_channel_commit(mdg_channel *channel, size_t size);
/* 0; -EINVAL: nothing is reserved. */
MDG_API int mdg_channel_cancel(mdg_channel *channel);

/* Gives the next message in place. The handle holds it until mdg_channel_release; another peek
 * before that gives -EBUSY. Errors as mdg_channel_recv. */
MDG_API int mdg_channel_peek(mdg_channel *channel, struct mdg_message *ret_message,
                             uint64_t deadline);
/* Gives back all messages that the last peek gave. 0; -EINVAL: nothing is held. */
MDG_API int mdg_channel_release(mdg_channel *channel);

/* Asks and waits for the reply: mdg_channel_send and mdg_channel_recv of a caller, with one
 * deadline. After -ETIMEDOUT and -EINTR mdg_channel_recv goes on waiting for the reply. (It returns
 * -EINVAL if the request was not even sent.) Another call gives the reply up. */
MDG_API int mdg_channel_call(mdg_channel *channel, const void *request, size_t size, void *reply,
                             size_t room, struct mdg_message *ret_message, uint64_t deadline);

/* ---- many at once ------------------------------------------------------------- */

/* These are not for MDG_CALL (-EPERM). Each waits for the first message, and then takes as many as
 * it can without waiting. It returns how many, 1 to `count`; or a negative code, and has done
 * nothing. `count` is 1 to MDG_MANY_MAX. */
#define MDG_MANY_MAX 1024u

/* Sends the `data` and `size` of each message. A message that is too large ends the batch before
 * it; if it is the first, the call returns -EMSGSIZE. */
MDG_API int mdg_channel_send_many(mdg_channel *channel, const struct mdg_message *messages,
                                  unsigned count, uint64_t deadline);
/* Receives into the room that `data` and `size` of each message give, and sets `size` to the bytes
 * of the message. A message that has more bytes than its room ends the batch before it; if it is
 * the first, the call returns -EMSGSIZE. In both cases its `size` says how many bytes it has. */
MDG_API int mdg_channel_recv_many(mdg_channel *channel, struct mdg_message *messages,
                                  unsigned count, uint64_t deadline);
/* Reserves room for messages of these sizes, and sets `data` of each. mdg_channel_commit_many sends
 * the first `count` of them, with their sizes, which may have become less, and cancels the others.
 * mdg_channel_cancel cancels all. */
MDG_API int mdg_channel_reserve_many(mdg_channel *channel, struct mdg_message *messages,
                                     unsigned count, uint64_t deadline);
MDG_API int mdg_channel_commit_many(mdg_channel *channel, const struct mdg_message *messages,
                                    unsigned count); /* 0; -EINVAL */
/* The handle holds the messages until mdg_channel_release, which gives all of them back. */
MDG_API int mdg_channel_peek_many(mdg_channel *channel, struct mdg_message *ret_messages,
                                  unsigned count, uint64_t deadline);

/* ---- poll(2), epoll(7), libuv ---------------------------------------------------- */

/* Returns a descriptor that is readable when and only when there is a message for this listener, or
 * a reply for this caller. It is for the program's event loop, which must not read from it nor
 * close it. It is the same descriptor each time, and is closed with the handle.
 *   - Receiving keeps it right. So receive when it was readable.
 *   - In a queue it stays readable after another listener was faster, until this one asks.
 *   - A talker that is stopped or killed in the middle may leave it readable once in vain. At one
 *     moment it may instead leave a message without a sign, until the next message.
 *   - Nobody looks for the dead while all sleep in poll. A program that has to hear of deaths
 *     receives with deadline 0 now and then, or calls mdg_channel_look.
 *   - To wake this listener costs a talker about seven system calls instead of one. While the
 *     listener has something to receive, it costs none.
 * Errors: -EMFILE, -ENOSPC, -EACCES: the named pipe that this is cannot be made in the namespace.
 * -EPERM: the handle is a talker's, and the channel is not MDG_CALL. */
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
	uint64_t bytes;      /* that went through the ring, with heads and padding */
	uint64_t room, used; /* bytes of the ring, and how many of them are not free */
	uint64_t waiting;    /* messages that no listener has taken; in a topic: that are kept */
	uint64_t missed;     /* in a topic: by all listeners that are there, together */
	char name[MDG_NAME_MAX + 1];
};

struct mdg_peer {
	uint32_t size;     /* sizeof(struct mdg_peer). Set it in the first element of the array */
	uint32_t place;    /* mdg_message.talker */
	uint32_t role;     /* MDG_TALKER, MDG_LISTENER */
	int32_t pid;       /* in its own pid namespace */
	uint32_t alive;    /* 0: it died or left, and held messages that nobody has taken yet */
	uint32_t asleep;   /* 1: it waits in the kernel */
	uint32_t holds;    /* 1: it has a message reserved or peeked */
	uint32_t reserved; /* 0 */
	uint64_t count;    /* messages that it has sent or received */
	uint64_t lag;      /* of a listener: messages that it has not received yet */
	uint64_t missed;   /* of a listener of a topic */
	int64_t since;     /* seconds since 1970 */
};

/* Shows the channel as it is now. Also takes the dead that it finds out of the channel. 0; -EIDRM:
 * the channel was removed; *ret_info is filled all the same. */
MDG_API int mdg_channel_look(mdg_channel *channel, struct mdg_channel_info *ret_info);
/* Fills up to `room` peers. Returns how many there are. */
MDG_API int mdg_channel_peers(mdg_channel *channel, struct mdg_peer *ret_peers, unsigned room);

/* Walks over the channels of a namespace that the caller may read, without entering them. As with
 * mdg_segment_next, *cursor is 0 at first, and the call returns 1, 0 at the end, or a negative
 * code. */
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
/* Tells who came, left or died, one event after the other, beginning with this handle's own coming.
 * The last 32 events are kept. If some were missed, `number` tells. 0; -EAGAIN, -ETIMEDOUT,
 * -EINTR. */
MDG_API int mdg_channel_event(mdg_channel *channel, struct mdg_peer_event *ret_event,
                              uint64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
