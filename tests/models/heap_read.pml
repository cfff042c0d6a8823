/* SPDX-License-Identifier: MIT */
/*
 * heap_read.pml - src/heap/read.c, readers.c, retire.c and bags.c: what is retired is freed when no
 * reader can be in it any more.
 *
 * Readers read a block in a place. A thread takes the block out, retires it, publishes another one,
 * and retires that too. Another thread may count the epoch up (TURNS). The thread frees what it has
 * retired when it may. Each of them is killed at some step, which may be any. Then a sweeper does
 * what the dead thread would have done. It may be killed as well, and the next one begins again. A
 * thread that is paused is one that spin does not choose.
 *
 * MEMORY. The store of a reader's number waits in a buffer until it goes to memory by itself, or
 * until somebody makes all processors pass a fence. Everything else is sequentially consistent.
 * That a block moves from a hand to a place and back in one step, is what heap_hand.pml shows.
 *
 * Asserted: a reader is never in a block that is free, and no block is freed twice. At the end all
 * blocks are free, and nobody waits for a dead reader (invalid end state).
 *
 * holds: -DREADERS=2 -DSECTIONS=1 -DBLOCKS=1
 * holds: -DREADERS=1 -DSECTIONS=2
 * holds: -DREADERS=1 -DSECTIONS=1 -DTURNS=1
 * fails: -DREADERS=1 -DSECTIONS=1 -DBUG_FENCE
 * fails: -DREADERS=1 -DSECTIONS=1 -DBUG_EQUAL
 * fails: -DREADERS=1 -DSECTIONS=1 -DTURNS=1 -DBUG_EARLY
 * fails: -DREADERS=1 -DSECTIONS=1 -DBUG_LATE
 * fails: -DREADERS=1 -DSECTIONS=1 -DBUG_DEAD
 * fails: -DREADERS=1 -DSECTIONS=1 -DBUG_AT_ONCE
 * fails: -DREADERS=1 -DSECTIONS=1 -DBUG_OPEN
 * fails: -DREADERS=1 -DSECTIONS=1 -DBUG_TWICE
 *
 * BUG_FENCE: nobody makes the others pass a fence. BUG_EQUAL: readers of the epoch that ended are
 * overlooked. BUG_EARLY: the epoch of a bag is read before the block is taken. BUG_LATE: a reader
 * stores its number after it has read the place. BUG_DEAD: dead readers count. BUG_AT_ONCE: what a
 * dead thread had taken is freed at once. BUG_OPEN: the sweeper takes the open bag of a dead thread
 * for one that was closed long ago. BUG_TWICE: a block is freed, and then taken out of its bag.
 */
#ifndef TURNS
#define TURNS 0
#endif
#ifndef BLOCKS
#define BLOCKS 2
#endif
#define OPEN   100 /* in the place of a bag's epoch: the bag is open */
#define NOBODY 200

byte epoch = 1;
byte place = 1;                 /* the block that is public */
bool live[BLOCKS + 1] = true;   /* it is allocated */
byte bag[BLOCKS + 1];           /* 0: the block is not retired; else the epoch of its bag */
byte hand;                      /* what the thread has taken and not retired yet */
byte freeing;                   /* what was taken out of a bag to be freed */
byte left;                      /* the epoch in which the sweeper found the thread dead */
bool dead;                      /* the thread */
bool sweeper_dies = true;

byte number[READERS];           /* in the slots */
byte buffer[READERS];           /* stored, and not in memory yet */
bool reader_dead[READERS];

active [READERS] proctype Reader()
{
	byte seen, sections = SECTIONS;
	byte now;

	do
	:: sections == 0 -> break
	:: else ->
		if :: skip :: goto died fi;
		now = epoch;
#ifndef BUG_LATE
		buffer[_pid] = now;
#endif
		seen = place;
#ifdef BUG_LATE
		buffer[_pid] = now;
#endif
		if :: skip :: goto died fi;
		assert(live[seen]); /* in it */
		if :: skip :: goto died fi;
		assert(live[seen]); /* and still */
		atomic { buffer[_pid] = 0; number[_pid] = 0; now = 0; seen = 0; sections-- }
	od;
died:	atomic {
		if :: buffer[_pid] != 0 -> number[_pid] = buffer[_pid]; buffer[_pid] = 0 :: else fi;
		reader_dead[_pid] = true;
		seen = 0; now = 0
	}
}

/* What was stored comes to memory. */
active proctype Memory()
{
	byte i;
end:	do
	:: atomic { buffer[0] != 0 -> number[0] = buffer[0]; buffer[0] = 0 }
#if READERS > 1
	:: atomic { buffer[1] != 0 -> number[1] = buffer[1]; buffer[1] = 0 }
#endif
	od
}

/* Another thread closes a bag. */
active proctype Other()
{
#if TURNS > 0
	epoch++
#else
	skip
#endif
}

/* Nobody who lives is in a section. Whoever could not free everything waits for that. */
#ifdef BUG_DEAD
#define NO_READER(i) (number[i] == 0 && buffer[i] == 0)
#else
#define NO_READER(i) (reader_dead[i] || (number[i] == 0 && buffer[i] == 0))
#endif
#if READERS > 1
#define ALL_PASSED (NO_READER(0) && NO_READER(1))
#else
#define ALL_PASSED NO_READER(0)
#endif

/* All processors pass a fence. Then all numbers are looked at, one after the other. */
inline look(oldest, i)
{
#ifndef BUG_FENCE
	atomic {
		i = 0;
		do
		:: i == READERS -> break
		:: i < READERS ->
			if :: buffer[i] != 0 -> number[i] = buffer[i]; buffer[i] = 0 :: else fi;
			i++
		od;
		i = 0
	}
#endif
	oldest = NOBODY;
	i = 0;
	do
	:: i == READERS -> break
	:: i < READERS ->
		atomic {
			if
#ifdef BUG_DEAD
			:: number[i] != 0 && number[i] < oldest -> oldest = number[i]
#else
			:: !reader_dead[i] && number[i] != 0 && number[i] < oldest ->
				oldest = number[i]
#endif
			:: else
			fi;
			i++
		}
	od;
	i = 0
}

#ifdef BUG_EQUAL
#define PASSED(since, oldest) ((since) <= (oldest))
#else
#define PASSED(since, oldest) ((since) < (oldest))
#endif

inline free(block)
{
	atomic { assert(live[block]); live[block] = false }
}

/* Frees the blocks of closed bags that may be freed. `killed`: where the caller goes if it dies. */
inline free_bags(oldest, b, may_die)
{
	b = 1;
	do
	:: b > BLOCKS -> break
	:: b <= BLOCKS ->
		if
		:: bag[b] != 0 && bag[b] != OPEN && PASSED(bag[b], oldest) ->
			if :: skip :: may_die -> goto died fi;
#ifdef BUG_TWICE
			free(b);
			if :: skip :: may_die -> goto died fi;
			bag[b] = 0
#else
			atomic { freeing = b; bag[b] = 0 }
			if :: skip :: may_die -> goto died fi;
			atomic { assert(live[freeing]); live[freeing] = false; freeing = 0 }
#endif
		:: else
		fi;
		b++
	od;
	b = 0
}

active proctype Thread()
{
	byte block = 1, since, oldest, i, b;

	do
	:: block > BLOCKS -> break
	:: else ->
#ifdef BUG_EARLY
		since = epoch;
#endif
		if :: skip :: goto died fi;
		atomic { hand = place; place = 0 }
		if :: skip :: goto died fi;
		atomic { bag[block] = OPEN; hand = 0 }
		if :: skip :: goto died fi;
#ifdef BUG_EARLY
		epoch++;
#else
		atomic { since = epoch; epoch++ }
#endif
		if :: skip :: goto died fi;
		bag[block] = since;
		look(oldest, i);
		free_bags(oldest, b, true);
		block++;
		if
		:: block <= BLOCKS -> place = block
		:: else
		fi
	od;
	/* It frees the rest, or dies. */
	do
	:: bag[1] == 0 && bag[BLOCKS] == 0 -> break
	:: else ->
		ALL_PASSED;
		look(oldest, i);
		free_bags(oldest, b, true)
	:: goto died
	od;
died:	atomic { dead = true; block = 0; since = 0; oldest = 0; i = 0; b = 0 }
}

active proctype Sweeper()
{
	byte oldest, i, b;

	dead;
again:	if
	:: freeing != 0 -> /* no reader is in that */
		if :: skip :: sweeper_dies -> goto died fi;
		atomic { assert(live[freeing]); live[freeing] = false; freeing = 0 }
	:: else
	fi;
#ifdef BUG_AT_ONCE
	if
	:: hand != 0 -> atomic { free(hand); hand = 0 }
	:: else
	fi;
#endif
	if
	:: left == 0 ->
		atomic { b = epoch; epoch++ }
		if :: skip :: sweeper_dies -> goto died fi;
		left = b
	:: else
	fi;
	b = 0;
	look(oldest, i);
	if
#ifndef BUG_OPEN
	:: !PASSED(left, oldest) -> ALL_PASSED; goto again
#endif
	:: else
	fi;
	if
	:: hand != 0 ->
		if :: skip :: sweeper_dies -> goto died fi;
		atomic { free(hand); hand = 0 }
	:: else
	fi;
	b = 1;
	do
	:: b > BLOCKS -> break
	:: b <= BLOCKS && bag[b] == OPEN -> bag[b] = left; b++
	:: b <= BLOCKS && bag[b] != OPEN -> b++
	od;
	free_bags(NOBODY, b, sweeper_dies);
	/* What is public stays; what was never public is the thread's own hand, heap_hand.pml. */
	atomic {
		assert(hand == 0 && freeing == 0 && bag[1] == 0 && bag[BLOCKS] == 0);
		assert(live[1] == (place == 1));
	}
	goto finished;
died:	atomic { sweeper_dies = false; oldest = 0; i = 0; b = 0 }
	goto again;
finished: skip
}
