/* SPDX-License-Identifier: MIT */
/*
 * store.h - the stream of JetStream that keeps a channel's packs, as one pump uses it.
 *
 *     out:  store_open, then store_publish for each pack
 *     in:   store_open, store_follow, then store_next for each pack, natsMsg_Ack when it is done
 *
 * A call that waits goes on until it is done or the pump is stopped (-EINTR). It says by pump_state
 * what it waits for. PUMP_AGAIN: start afresh; the reason has been said.
 *
 * A server that is full or away is tried again after 10 ms, up to every 250 ms. If the stream has
 * vanished (the server lost its store), it is made again, and the log says what may be lost.
 */
#ifndef BRIDGE_LINK_STORE_H
#define BRIDGE_LINK_STORE_H

#include <inttypes.h>

#include <madang/relay.h>
#include "base/token.h"
#include "link/link.h"

struct pump;

/* What a channel of this kind asks of its stream. */
struct store_shape {
	bool work;         /* WorkQueue: a pack is kept until it is acknowledged; full: refuses */
	int64_t max_bytes; /* else: the latest are kept, and the oldest make room. One that the
	                      server has already is raised to this, and never made smaller */
};

struct store {
	struct pump *pump;
	struct store_shape shape;
	char name[STREAM_ROOM];
	char subjects[SUBJECT_ROOM], own[SUBJECT_ROOM]; /* of all hosts; of ours */
	char durable[TOKEN_ROOM + 8];
	struct mdg_origin origin; /* stands for this stream: its name, and when it was made */
	uint64_t first, last;     /* sequences, when it was opened */
	int64_t max_bytes;        /* that it keeps now; INT64_MAX: no limit */
	int64_t largest;          /* most bytes of one message, since it was opened */
	int64_t refused_bytes;    /* the server did not raise it to this */
	int64_t looked;           /* by store_keep; milliseconds */
	bool compared;            /* its limits, and the log has said so */
	natsSubscription *subscription;
	uint64_t delivered; /* by the consumer */
	uint64_t before;    /* what another channel may have had: up to this sequence */
	bool again;         /* store_next's last pack was delivered before, or may have been */
	uint64_t pending;   /* packs that wait at the server behind the one that came last */
	/* Changes a pack before it is sent again, if nobody knows whether the server has it: then
	 * it may be there twice. NULL: the far side knows repeats. */
	void (*in_doubt)(void *bytes, size_t size);
};

enum {
	STORE_PENDING = 4, /* packs that are with us without an acknowledgement, at most */
	STORE_LEAST_BYTES = 1 << 20, /* of a topic's stream, where the server has little room */
	STORE_WORK_BYTES = 64 << 20, /* that the stream of a stream or queue keeps at most */
	STORE_RECORD_HEAD = 2048, /* bytes that the server keeps with a message: subject, id, own */
};
#define STORE_WINDOW_NS (INT64_C(60) * 1000000000) /* in which the server knows ids again */

/* Finds or makes the stream. *ret has to live as long as the pump runs. 0, -EINTR, PUMP_AGAIN. */
int store_open(struct store *ret, struct pump *pump, const struct store_shape *shape);
/* Asks for the stream once more, and sets `origin`, `first` and `last`. PUMP_AGAIN: no answer, or
 * there is no such stream. */
int store_look(struct store *store);
/* The stream has to keep so many bytes: it is raised if it keeps less, see `max_bytes`. Asks the
 * server at most once a second, and when another size is wanted. */
void store_keep(struct store *store, int64_t max_bytes);
/* Sends a pack under its id until the server has it. 0, -EINTR, PUMP_AGAIN. *ret_sequence (may be
 * NULL) is its place in the stream. */
int store_publish(struct store *store, void *bytes, size_t size, const char *id,
                  uint64_t *ret_sequence);
/* The most bytes of a pack now: what the server takes, without the head that it gets. */
size_t store_limit(const struct store *store);

/* Follows the stream as the consumer `durable`, which is made anew, from `start` on; 0: from the
 * oldest that is kept. */
int store_follow(struct store *store, const char *durable, uint64_t start);
/* The next pack; its sequence. Waits so long at most (-1: for ever). 0, -EINTR, -EAGAIN (none
 * came), PUMP_AGAIN (the connection or the stream are others: open afresh). */
int store_next(struct store *store, natsMsg **ret, uint64_t *ret_sequence, int64_t wait_ms);
/* Whether there are more behind the last one. */
bool store_has_more(const struct store *store);
/* Takes packs from the stream together with other hosts: each goes to one of them, and to another
 * one if it is not acknowledged in PULL_ACK_MS. 0, -EINTR, PUMP_AGAIN. */
int store_share(struct store *store);
/* A pack that was taken. */
struct pulled {
	natsMsg *message;
	uint64_t sequence; /* in the stream */
	uint64_t made;     /* when the stream was made: its origin.epoch */
	uint64_t given;    /* so often to somebody, as far as the server knows */
};
/* The next pack, waiting so long at most (0: not). `made` is left to the caller. 1; 0: there is
 * none; -EINTR; PULL_ENDED: the wait was ended, store_share again. */
enum { PULL_ACK_MS = 10000, PULL_ENDED = 2 };
int store_pull(struct store *store, struct pulled *ret, int64_t wait_ms);
/* Tells the server what becomes of a pack that was pulled. (libnats's own calls for it look at the
 * subscription, which may be gone since.) TELL_LATER is a format,
 * for nanoseconds. */
#define TELL_DONE     "+ACK"
#define TELL_GOES_ON  "+WPI"
#define TELL_NOT_HERE "-NAK"
#define TELL_LATER    "-NAK {\"delay\": %" PRId64 "}"
#define TELL_DROP     "+TERM"
void store_tell(struct store *store, natsMsg *message, const char *word);
/* Ends a wait of store_next or store_pull in another thread: for `wake` of a pump whose `own` is
 * its store. */
void store_wake(struct pump *pump);
void store_close(struct store *store);

/* The token of the host that sent it, in a subject m.CHANNEL.HOST. */
const char *store_sender(natsMsg *message);

#endif
