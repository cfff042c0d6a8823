/* SPDX-License-Identifier: MIT */
/*
 * draw.h - what the drawer believes of the situation, and how it chooses.
 *
 * Steps drawn blindly would mostly fail, or everybody would soon be asleep. So the
 * drawer keeps a rough idea of the situation. Nothing relies on it being right;
 * one step in a few goes against it on purpose.
 */
#ifndef MADANG_TESTS_DIFFERENTIAL_DRAW_H
#define MADANG_TESTS_DIFFERENTIAL_DRAW_H

#include "differential/program.h"

#include "fuzz/random.h"

enum { BELIEVED_SEMS = 6, BELIEVED_TYPES = 6 };

/* Where an actor sleeps; 0: it does not. */
#define ASLEEP_IN_SET(set)     ((uint8_t)(1 + (set)))
#define ASLEEP_IN_QUEUE(queue) ((uint8_t)(1 + SETS + (queue)))

struct situation {
	struct dice dice;
	struct program *program;
	const struct drawing *drawing;
	int actor;
	bool alive[ACTORS];
	uint8_t asleep[ACTORS];
	uint8_t pages[SLOTS];              /* of the segment; 0: none */
	uint8_t start[ACTORS][AREA_PAGES]; /* pages attached from here on; 0: nothing begins here */
	uint8_t place[ACTORS][PLACES];     /* pages */
	uint8_t sems[SETS];                /* of the set; 0: none */
	int value[SETS][BELIEVED_SEMS];
	bool queue[QUEUES];
	uint32_t hot; /* the set or queue that is used most, so that several sleep there */
	uint8_t messages[QUEUES][BELIEVED_TYPES]; /* of each type; the last: of all others */
};

static inline uint32_t below(struct situation *s, uint32_t many)
{
	return roll_below(&s->dice, many);
}

static inline bool chance(struct situation *s, uint32_t percent)
{
	return below(s, 100) < percent;
}

/* One of a table of numbers. */
#define ONE_OF(s, table) ((table)[below(s, sizeof(table) / sizeof((table)[0]))])

static inline void step(struct situation *s, enum op_kind kind, int64_t a, int64_t b, int64_t c,
                        int64_t d)
{
	struct op op = { (uint8_t)kind, (uint8_t)s->actor, { a, b, c, d } };
	program_add(s->program, op);
}

/* Those that the drawer believes to sleep there may have been woken. */
static inline void wake_some(struct situation *s, uint8_t where, uint32_t percent)
{
	for (int i = 0; i < ACTORS; i++)
		if (s->asleep[i] == where && chance(s, percent))
			s->asleep[i] = 0;
}

/* draw.c */
int64_t some_mode(struct situation *s);
/* Of sets and queues: what their owner may look at, the conductor may look at. */
int64_t some_open_mode(struct situation *s);
void some_owner(struct situation *s, int64_t *uid, int64_t *gid);

/* draw_life.c */
int other_actor(struct situation *s, bool alive); /* -1: there is none; probably awake */
int some_sleeper(struct situation *s);            /* -1: there is none */
void life_draw(struct situation *s);
void signal_draw(struct situation *s);

/* sem.c and msg.c: one step of their class. */
void sem_draw(struct situation *s);
void msg_draw(struct situation *s);

#endif
