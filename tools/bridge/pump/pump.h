/* SPDX-License-Identifier: MIT */
/*
 * pump.h - what moves the messages of one channel in one direction.
 *
 * A kind of channel and a direction have a constant, struct pump_ops, named pump_stream_out and so
 * on; the list of them is PUMPS below. The keeper asks `wanted` whenever something has changed here
 * or elsewhere. If so, it starts a thread with `run`, and ends it when it is not wanted any more.
 *
 * `run` opens handles of its own, and moves messages until pump_stopping(). It returns 0 when it
 * was stopped, or a code of the library, or PUMP_AGAIN after it has said why by pump_state. The
 * keeper then starts it again after a while (0.1 s, and twice as long each time up to 5 s), if it
 * still is wanted. So a pump need not mend what is broken: it returns, and is started afresh.
 *
 * HOW IT IS STOPPED. pump->stop is set; `wake` is called (may be NULL: to end a wait in libnats);
 * a signal ends waits of the library with -EINTR, again and again. So waits in the library may be
 * for ever, and waits in libnats that `wake` cannot end take at most about 2 s.
 * `wake` is also called when the connection was made again.
 */
#ifndef BRIDGE_PUMP_PUMP_H
#define BRIDGE_PUMP_PUMP_H

#include <pthread.h>

#include "bridge.h"
#include "watch/elsewhere.h"

enum { PUMP_AGAIN = 1 };

/* What `wanted` decides on. "Here" counts local programs, and not the bridge itself. */
struct situation {
	const struct mdg_channel_info *info; /* of the channel here */
	unsigned talkers, listeners;         /* here; of a call: callers, servers */
	struct elsewhere_sum elsewhere;      /* in the group, other hosts; see elsewhere.h */
	bool may[BRIDGE_DIRECTIONS];         /* the rules */
	bool runs[BRIDGE_DIRECTIONS];        /* is running now */
	const char *host;                    /* our token, to compare with others' */
};

/* What the two pumps of a topic tell each other. Each is written by one of them. */
struct pump_turn {
	atomic_bool blocked; /* the pump in finds no room here */
	/* The sequence up to which the pump in has taken all; it stays when that ends. UINT64_MAX:
	 * it has not begun. */
	_Atomic uint64_t taken;
	_Atomic int64_t left; /* since when the pump in has not followed; 0: it does */
	/* The pump out is further ahead of the slowest host than it should be. */
	atomic_bool far;
};

struct pump {
	struct bridge *bridge;
	const struct pump_ops *ops;
	char channel[MDG_NAME_MAX + 1];
	char token[TOKEN_ROOM]; /* of the channel */
	struct mdg_channel_info
		info;           /* when it was started: kind, full, capacity, identity, epoch */
	struct status_row *row; /* the keeper's; it outlives the pump */
	atomic_bool stop, ended;
	atomic_int result;
	atomic_bool waits; /* for its turn: other hosts do not hear that it runs. It clears it */
	_Atomic uint32_t listeners; /* of a queue: programs here, as `changed` was told */
	_Atomic uint32_t others;    /* of a queue: listeners on other hosts, as it was told */
	_Atomic uint32_t talking;   /* of a topic: hosts elsewhere that carry out; of a stream:
	                               talkers on other hosts */
	atomic_bool gives;          /* of a queue: a pump out takes what nobody here wants */
	struct pump_turn *turn;     /* the entry's */
	_Atomic uint64_t *stream;   /* the entry's: when the server's stream was made */
	_Atomic uint64_t position;  /* what the heartbeat says of it; see elsewhere.h */
	pthread_mutex_t lock;       /* of `own`, where `wake` needs it */
	void *own;                  /* what `run` and `wake` share */
	pthread_t thread;
};

struct pump_ops {
	uint32_t kind; /* enum mdg_channel_kind */
	bool waits;    /* it may have to wait for its turn first: see `waits` of a pump */
	enum bridge_direction direction;
	bool (*wanted)(const struct situation *);
	int (*run)(struct pump *);
	void (*wake)(struct pump *);
	/* Something has changed here or elsewhere while it runs; from the keeper. May be NULL. */
	void (*changed)(struct pump *, const struct situation *);
	/* That run (instance) of another host's bridge has ended; from the keeper. May be
	 * NULL. */
	void (*lost)(struct pump *, const char *host, const char *instance);
};

#define PUMPS(PUMP)                                                                                \
	PUMP(stream_out)                                                                           \
	PUMP(stream_in)                                                                            \
	PUMP(queue_out) PUMP(queue_in) PUMP(topic_out) PUMP(topic_in) PUMP(call_out) PUMP(call_in)
#define PUMP(name) extern const struct pump_ops pump_##name;
PUMPS(PUMP)
#undef PUMP

/* NULL: there is none. */
const struct pump_ops *pump_find(uint32_t kind, enum bridge_direction direction);

static inline bool pump_stopping(struct pump *pump)
{
	return atomic_load_explicit(&pump->stop, memory_order_acquire);
}
/* Sleeps so long, or less if it is stopped. */
void pump_sleep(struct pump *pump, unsigned ms);
/* Says a state, and why (NULL: as before; "": nothing is wrong). A new reason also goes to the log,
 * as the event pump-STATE. */
void pump_state(struct pump *pump, enum bridge_row_state state, const char *why);
/* Adds to the figures. */
void pump_count(struct pump *pump, uint64_t messages, uint64_t repeats, uint64_t bytes);
/* A message was left out: it can never cross. */
void pump_dropped(struct pump *pump);
/* So many packs were not there any more. */
void pump_missed(struct pump *pump, uint64_t packs);
void pump_in_flight(struct pump *pump, uint64_t messages);
/* Of one that carries out: the number of the next message here that has not crossed. */
void pump_next(struct pump *pump, uint64_t next);
/* Of one that carries in: how many messages (or packs) wait elsewhere, as the server said last. */
void pump_lag(struct pump *pump, uint64_t messages);

/* For the keeper. 0, or a negated errno. */
int pump_start(struct pump **ret, struct bridge *bridge, const struct pump_ops *ops,
               const struct mdg_channel_info *info, const char *token, struct status_row *row,
               _Atomic uint64_t *stream, struct pump_turn *turn);
/* Tells it to end, and wakes it. Returns whether it has ended: if not, call it again a little
 * later. So many pumps end at the same time. */
bool pump_end(struct pump *pump);
/* Tells it to end, waits until it has, and frees it. NULL is allowed. */
void pump_stop(struct pump *pump);

#endif
