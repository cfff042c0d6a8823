/* SPDX-License-Identifier: MIT */
/*
 * scene.h - one operation that is cut off, and the processes that are there meanwhile.
 *
 * All processes use one piece of shared memory, the stage. They begin in this order:
 *
 *     arrange   runs to its end before all others. It may die.
 *     holder    runs to hold_on(). It goes on when the victim sleeps, has died or has ended.
 *     victim    prepares, and then operates, step by step.
 *     sleeper   `before` of them sleep when the victim begins, and `after` more when it sleeps.
 *     supply    helps those that sleep rightly. Before that, settled() looks who sleeps.
 *     finally   runs to its end after all others. The object must work, and be as new.
 *
 * A process complains of what it finds wrong. It notes what it is told, and judge() looks at that.
 */
#ifndef MADANG_TESTS_SYNC_POINTS_SCENE_H
#define MADANG_TESTS_SYNC_POINTS_SCENE_H

#include <semaphore.h>

#include "support/complain.h"
#include "sync/shared.h"

enum { CELL_VALUE = 24, SAID_MOST = 8, ACTORS = 8, SLEEPERS_FIRST = 2 };

struct objects {
	mdg_mutex mutex, second, third;
	mdg_cond cond;
	mdg_sem sem;
	mdg_event event;
	mdg_once once;
	_Alignas(64) unsigned char cell[MDG_CELL_SIZE(CELL_VALUE)];
	mdg_rwlock rwlock;
	mdg_barrier barrier;
	uint32_t ready; /* guarded by mutex: what cond is about */
};

struct actor {
	pid_t pid;
	_Atomic uint32_t stage; /* 1: about to sleep, or holding */
	uint32_t said_count;
	int said[SAID_MOST];
	uint64_t through; /* when it first said something */
};

extern struct stage {
	struct objects objects;
	struct actor actor[ACTORS]; /* 0 who arranges and comes last, 1 the holder, then sleepers */
	sem_t go;
	_Atomic uint32_t inside; /* who is in what only one may be in */
	_Atomic uint32_t complaints;
	_Atomic uint32_t paused; /* the victim goes on by itself */
	int result;              /* of the victim's operation */
	char context[120];
} * stage;
#define ON (&stage->objects)

struct outcome {
	struct objects then; /* as they were at the death or the pause */
	pid_t victim;
	unsigned sleepers; /* that there were */
	unsigned through;  /* of them, when nobody was about to wake up any more */
	unsigned told;     /* MDG_OWNER_DIED, to others than the victim */
	bool paused;       /* it was stopped for a moment; else killed */
	bool ended;        /* the operation had returned */
	bool held;         /* scenario's held(), at the death */
	bool released;     /* the holder had gone on, or there is none */
};

typedef void role(struct actor *me);

struct scenario {
	const char *name;
	unsigned least; /* points: fewer cannot be right */
	bool keeps;     /* the holder goes on only when the victim is dead or has ended */
	bool cold;      /* the victim's first use of locks */
	role *arrange, *holder, *sleeper, *supply, *finally;
	int (*prepare)(void), (*operate)(void), (*undo)(void);
	unsigned before, after;
	bool (*held)(const struct outcome *outcome);
	void (*judge)(const struct outcome *outcome); /* NULL: judge_told */
	void (*settled)(const struct outcome *outcome);
	role *beside; /* while the victim is stopped: what must not harm; may be NULL */
};

extern const struct scenario *const scene_lists[];

void hold_on(struct actor *me);
static inline void about_to_sleep(struct actor *me)
{
	atomic_store(&me->stage, 1);
}
void say(struct actor *me, int rc);
/* Alone in what only one may be in, for a moment. */
void be_alone(void);
/* How often somebody said that. */
unsigned heard(int what);

/* A death while it held is told once, and none else. */
void judge_told(const struct outcome *outcome);

#endif
