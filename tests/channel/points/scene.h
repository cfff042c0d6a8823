/* SPDX-License-Identifier: MIT */
/*
 * scene.h - what is cut off, who is there meanwhile, and the books.
 *
 * A scene is played again for each point of the victim's operation. In this order:
 *   dying    a process that does this and is killed (may be NULL);
 *   sleeper  one that waits when the victim begins, and sees the end of all (may be NULL);
 *   victim   opens handles of `roles`, prepares, then operates store by store, and is killed;
 *   after    fresh ones, who talk and listen; and all must come to its end.
 *
 * THE BOOKS lie in memory that all share. Messages are numbered; whoever sends, takes or
 * releases notes it before and after, so that at a death it is known of each number what was surely
 * done, and what may have been. Numbers from END on are those of the fresh ones.
 */
#ifndef MADANG_TESTS_CHANNEL_POINTS_SCENE_H
#define MADANG_TESTS_CHANNEL_POINTS_SCENE_H

#include "channel/handles.h"
#include "support/complain.h"

/* BEFORE: the number of those that only go through before. */
enum { CAPACITY = 256, NUMBERS = 64, END = 48, LARGE = 200, BEFORE = 1000 };

struct books {
	mdg_id id;
	char path[UNIT_PATH + 32];      /* of the channel's memory */
	_Atomic uint32_t trying;        /* numbers below may have been sent */
	_Atomic uint32_t sent;          /* ... have been, or never */
	_Atomic uint32_t taking;        /* how many are just being taken; they may be given out */
	_Atomic uint32_t receiving;     /* how many are just being taken and released by one call */
	_Atomic uint32_t peeked;        /* numbers below were given to one that is dead */
	_Atomic uint32_t releasing;     /* ... may have been released */
	_Atomic uint32_t released;      /* ... have been */
	_Atomic uint8_t never[NUMBERS]; /* surely not sent */
	_Atomic uint8_t got[NUMBERS];   /* how often received by those who live */
	_Atomic uint8_t marked[NUMBERS]; /* of these, how often as redelivered */
	_Atomic uint64_t missed;
	_Atomic uint32_t asleep;            /* the sleeper is about to wait */
	_Atomic uint32_t last;              /* the last number that is sent */
	_Atomic uint32_t answered, refused; /* calls: what the caller was told */
	_Atomic uint32_t stop;              /* calls: servers are to leave */
	_Atomic uint32_t relays;            /* this scene relays: numbers from `relayed` on */
	_Atomic uint32_t relayed;           /* the first of them */
	_Atomic uint32_t position; /* what the channel said afterwards: below it all was taken */
};
extern struct books *books;

/* Handles of one process. */
struct actor {
	mdg_channel *talks, *other, *listens;
	struct mdg_message many[3];
	void *place;
	unsigned held;
};
typedef void act(struct actor *me);

/* Of which kinds of channel a scene is. */
enum {
	STREAM = 1,
	QUEUE = 2,
	TOPIC = 4,
	OVERWRITE = 8,
	CALL = 16,
	ALL = STREAM | QUEUE | TOPIC | OVERWRITE,
	SHARED = QUEUE | TOPIC | OVERWRITE
};

struct scene {
	const char *name;
	unsigned families;
	unsigned roles;   /* of the victim: MDG_TALKER | MDG_LISTENER */
	unsigned advance; /* messages that have gone through before: where in the ring it is */
	unsigned before;  /* messages that wait */
	act *dying, *prepare, *operate;
	act *sleeper;   /* NULL: the family's */
	bool zeros;     /* there is the segment, and nothing in it */
	bool gone;      /* it may be gone afterwards */
	unsigned least; /* points: fewer cannot be right */
	/* Put in when it is played. */
	unsigned kind, full;
};
struct family {
	const char *name;
	unsigned bit, kind, full;
	act *sleeper;
};
extern const struct scene *scene; /* that is being played */
extern const struct scene ring_scenes[], kept_scenes[], call_scenes[], relay_scenes[];
extern const struct family families[];

mdg_channel *points_open(unsigned role);
void points_remove(void);
/* The call gives this code. */
#define MUST_RC(wanted, call)                                                                      \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		if (rc_ != (wanted))                                                               \
			complain("%s:%d: %s gave %d (%s)", __FILE__, __LINE__, #call, rc_,         \
			         rc_ < 0 ? mdg_strerror(rc_) : "");                                \
	} while (0)

/* ---- what is done, with the books kept -------------------------------------------------- */

/* One message of `size` bytes with the next number. */
void say_sized(struct actor *me, size_t size);
act say_one, say_large, say_three;
act reserve, reserve_large, cancel;
act take_one, receive_one, receive_two;
/* So many messages pass through a handle that it keeps its lock. */
enum { UNTIL_KEPT = 1100 };
/* What listeners who live receive, until the last number. */
void hear_all(mdg_channel *listens);
/* A message that a living one has got. */
void count_message(const struct mdg_message *message);
size_t write_number(void *data, size_t size, uint32_t number);

/* What a fresh one finds of positions, before and after all was received. */
void after_relay(mdg_channel *talks);
void check_relay(void);
/* The fresh ones of calls. */
void after_call(void);
void check_call(bool ended);

#endif
