/* SPDX-License-Identifier: MIT */
/*
 * keep.pml - a lock of a channel that a handle keeps: keep.c, lock.c (take, lock_waiting),
 * mdg__lock_straight and mdg__unlock_straight of peers.h, and what seats.c does for the dead (a
 * process that buries takes the lock, and who takes the seat then empties `inside`).
 *
 * Two handles do OPS things in all with the lock. Each takes it, or enters it if it keeps it, and
 * gives it back, or keeps it. They are killed at any store, DEATHS times in all; so is who buries
 * them. Who waits for a keeper that is inside may give up.
 *
 * What is done with the lock are two stores, to `a` and to `b`. Between them a is not b; who
 * repairs makes b what a is.
 *
 * The store of 1 to `inside` may be late: its processor keeps it back, at most until it changes the
 * field again, dies, does something atomic, or is made to pass a fence. All other memory is sequentially
 * consistent. The deaths are known at once.
 *
 * Asserted: nobody enters while a living one is inside; who enters finds a and b equal, or repairs
 * first. Nobody waits for ever.
 *
 * holds: depth=100000 -DOPS=6 -DDEATHS=2
 * fails: depth=100000 -DOPS=4 -DDEATHS=0 -DBUG_FENCE
 * fails: depth=100000 -DOPS=4 -DDEATHS=0 -DBUG_OUT
 * fails: depth=100000 -DOPS=4 -DDEATHS=1 -DBUG_ALL
 * fails: depth=100000 -DOPS=4 -DDEATHS=1 -DBUG_DIED
 * fails: depth=100000 -DOPS=4 -DDEATHS=1 -DBUG_BACK
 * fails: depth=100000 -DOPS=6 -DDEATHS=2 -DBUG_SEAT
 *
 * BUG_FENCE: who ends it makes nobody pass a fence. BUG_OUT: it does not wait until the keeper is
 * outside. BUG_ALL: who takes the lock from a dead owner waits for nobody. BUG_DIED: nobody repairs
 * after a keeper. BUG_BACK: who gives up leaves the lock free, and not kept. BUG_SEAT: who takes a
 * seat leaves `inside` as it is.
 */
#define FREE 0          /* else its owner's place and one */
#define OF_THE_DEAD 9
#define KEPT(i) (10 + 2 * (i) + use[i])
#define IS_KEPT(word) ((word) >= 10)
#define KEEPER(word) (((word) - 10) / 2)
#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; goto dead fi

byte lock;
bool inside[2], late[2];    /* late: a 1 is on its way to `inside` */
bool alive[2] = 1, use[2];
bool a, b;
byte within;                /* who lives and is between the two; its place and one */
byte ops, deaths;

inline drain(i) { if :: late[i] -> inside[i] = 1; late[i] = 0 :: else fi }
inline fence_all()
{
#ifdef BUG_FENCE
	skip
#else
	drain(0); drain(1)
#endif
}

/* take_from a keeper or a dead owner, and mdg__keep_end; `was`. To `locked` with `repairs`, or to
 * `gave_up`. */
inline take_lock()
{
	atomic {
		lock == FREE || lock == OF_THE_DEAD || IS_KEPT(lock) ->
		MAY_DIE;
		if :: me < 2 -> drain(me) :: else fi;
		was = lock; lock = me + 1; repairs = 0;
		if :: was == FREE -> was = 0; goto locked :: else fi
	}
	atomic { MAY_DIE; fence_all() }
#ifndef BUG_OUT
	k = 0;
	do
	:: atomic { k == 2 -> break }
	:: atomic { k < 2 && IS_KEPT(was) && k != KEEPER(was) -> k++ }
#ifdef BUG_ALL
	:: atomic { k < 2 && was == OF_THE_DEAD -> repairs = 1; k++ }
#else
	:: atomic { k < 2 && was == OF_THE_DEAD && !inside[k] -> MAY_DIE; repairs = 1; k++ }
	:: atomic { k < 2 && was == OF_THE_DEAD && inside[k] && !alive[k] -> MAY_DIE; inside[k] = 0; repairs = 1; k++ }
	:: atomic { k < 2 && was == OF_THE_DEAD && inside[k] && alive[k] && k != me -> MAY_DIE; goto give_up }
#endif
	:: atomic { k < 2 && IS_KEPT(was) && k == KEEPER(was) && !inside[k] -> MAY_DIE; k++ }
	:: atomic { k < 2 && IS_KEPT(was) && k == KEEPER(was) && inside[k] && !alive[k] -> MAY_DIE; inside[k] = 0;
#ifndef BUG_DIED
		repairs = 1;
#endif
		k++ }
	:: atomic { k < 2 && IS_KEPT(was) && k == KEEPER(was) && inside[k] && alive[k] && me < 2 -> MAY_DIE; goto give_up }
	od;
#endif
	atomic { k = 0; was = 0; goto locked };
give_up:
	atomic {
		MAY_DIE;
#ifdef BUG_BACK
		lock = FREE;
#else
		lock = was;
#endif
		k = 0; was = 0; goto gave_up
	}
}

inline enter() { assert(within == 0 && (a == b || repairs)); within = me + 1 }

proctype Handle(byte me)
{
	byte was, k;
	bool keeps, repairs;

end_rest:
	atomic { alive[me] && ops < OPS -> ops++ }
	if
	:: atomic { !keeps }
	:: keeps ->
		atomic { MAY_DIE; late[me] = 1 }
		atomic {
			MAY_DIE;
			if :: lock == KEPT(me) -> repairs = 0; enter(); goto work :: else fi
		}
		atomic { MAY_DIE; late[me] = 0; inside[me] = 0; keeps = 0 }
	:: atomic { keeps && lock == KEPT(me) -> MAY_DIE; drain(me); lock = me + 1; keeps = 0; repairs = 0; goto locked }
	fi;
	take_lock();
locked:	atomic { MAY_DIE; enter() }
	if
	:: atomic { repairs -> MAY_DIE; b = a; repairs = 0 }
	:: atomic { !repairs }
	fi;
work:	atomic { MAY_DIE; a = 1 - a }
	atomic { MAY_DIE; b = 1 - b }
	if
	:: atomic { keeps -> MAY_DIE; within = 0; late[me] = 0; inside[me] = 0 }
	:: atomic { !keeps -> MAY_DIE; within = 0; lock = FREE }
	:: atomic { !keeps -> MAY_DIE; within = 0; lock = KEPT(me); keeps = 1 }
	fi;
gave_up:
	atomic { repairs = 0; goto end_rest }
dead:	atomic {
		alive[me] = 0;
		drain(me);
		if :: lock == me + 1 -> lock = OF_THE_DEAD :: else fi;
		if :: within == me + 1 -> within = 0 :: else fi;
		keeps = 0; repairs = 0; was = 0; k = 0;
		goto end_rest
	}
}

/* Who has the seat lock: buries, and takes the seat again. */
active proctype Keeper()
{
	byte who, was, k, me = 2;
	bool repairs;

	atomic { run Handle(0); run Handle(1) }
end_rest:
	atomic { if :: !alive[0] -> who = 0 :: !alive[1] -> who = 1 fi }
	take_lock();
locked:	atomic { MAY_DIE; enter() }
	atomic { MAY_DIE; if :: repairs -> b = a :: else fi }
	atomic { MAY_DIE; within = 0; lock = FREE }
#ifndef BUG_SEAT
	atomic { MAY_DIE; inside[who] = 0 }
#endif
	atomic { MAY_DIE; use[who] = 1 - use[who]; alive[who] = 1 }
gave_up:
	atomic { who = 0; repairs = 0; was = 0; k = 0; goto end_rest }
dead:	atomic {
		if :: lock == me + 1 -> lock = OF_THE_DEAD :: else fi;
		if :: within == me + 1 -> within = 0 :: else fi;
		who = 0; repairs = 0; was = 0; k = 0;
		goto end_rest
	}
}

active proctype Memory()
{
end:	do
	:: atomic { late[0] -> drain(0) }
	:: atomic { late[1] -> drain(1) }
	od
}
