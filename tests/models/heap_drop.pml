/* SPDX-License-Identifier: MIT */
/*
 * heap_drop.pml - src/heap/map_clear.c and map_part.c: the removal of a whole map, with two parts
 * and room for one node in each.
 *
 * Two threads remove the map, and one puts a key into the part that is empty. Up to DEATHS of them
 * are killed at any step. When the root is empty and the head is free, somebody makes another map
 * in the same memory.
 *
 * Who removes the map locks part 0 and keeps that lock. It locks the other part to empty it, takes
 * the head out of the root, unlocks part 0 and retires the head. Who waits for a lock may end its
 * read section at any time, and begin again.
 *
 * As in heap_map.pml, a hand says what is about to be taken, and a sweeper ends it in one step. The
 * kernel gives the locks of a dead thread on, one after the other, before it marks the thread's
 * slot. The head is freed when the read sections have ended that were there when it was retired.
 *
 * Asserted: nobody looks at a head that is free, the kernel and the sweeper neither; no other map
 * is taken out of the root; a node is put only where its map is; who has the lock of part 0 finds
 * the map there until it takes the head out. At the end no node of the removed map is left, and the
 * root has the other map, or nothing with no head; or all who removed it were killed on the way.
 *
 * Left out: tables, readers, what who repairs a part takes out of it, the removal of the other map.
 *
 * holds: -DDEATHS=2
 * holds: long -DDEATHS=3
 * fails: -DDEATHS=0 -DBUG_ONE_BY_ONE
 * fails: -DDEATHS=0 -DBUG_HEAD
 * fails: -DDEATHS=0 -DBUG_LATE
 * fails: -DDEATHS=0 -DBUG_LOOK
 * fails: -DDEATHS=0 -DBUG_FREE
 * fails: -DDEATHS=0 -DBUG_MARK
 * fails: -DDEATHS=1 -DBUG_UNSETTLED
 *
 * BUG_ONE_BY_ONE: the lock of part 0 is given back when that part is empty, and taken again for the
 * head. BUG_HEAD: it is given back before the head is taken. BUG_LATE: it is given back after the
 * head was retired. BUG_LOOK: who gets a lock does not look again whether the map is there.
 * BUG_FREE: the head is freed at once. BUG_MARK: the identity stays while the map is removed.
 * BUG_UNSETTLED: who gets the lock of a dead thread does not wait until it is swept.
 */
#define N      3 /* threads: two remove, the last one puts */
#define PUTS   (N - 1)
#define PARTS  2
#define NOBODY 255
#define MARK   100
#define REF    1
#define OLD    1 /* the identities of the maps */
#define OTHER  2

mtype = { FREE, LIVE, HELD, RETIRED };
/* Of hands. TAKEN: it holds a block, and still names the place. */
mtype = { NOTHING, PUBLISH, TAKE, TAKEN, TAKE_HEAD, HEAD_TAKEN, HAS_HEAD };

byte root = REF, identity = OLD;
byte slot[PARTS], owner[PARTS] = NOBODY, writer[PARTS] = NOBODY; /* writer: as it is written */
bool lock_died[PARTS];
mtype head = LIVE, node[3]; /* 1: was there; 2: of who puts. RETIRED: nobody can find it any more */
mtype op[N] = NOTHING;
byte ref[N], at[N]; /* the node and the part that a hand names */
bool slot_died[N];
byte reading, waits; /* a bit for each thread: in a read section; in one that the head waits for */
byte deaths = DEATHS, ended;
bool was_removed; /* a thread that removes the map has come to its end */

#define MAY_DIE if :: skip :: deaths > 0 -> deaths--; goto dead fi
#define LOOK_AT_HEAD assert(head != FREE)
#define IS_UNSETTLED(t) (t != NOBODY && op[t] != NOTHING && op[t] != HAS_HEAD)

inline begin() { reading = reading | (1 << me) }
inline end_of(t)
{
	reading = reading & ~(1 << t); waits = waits & ~(1 << t);
	if :: head == RETIRED && waits == 0 -> head = FREE :: else fi
}
inline retire_head()
{
	waits = reading;
	if :: waits == 0 -> head = FREE :: else -> head = RETIRED fi
}
inline no_hand(t) { op[t] = NOTHING; ref[t] = 0; at[t] = 0 }

/* Ends what a dead thread had begun. A hand that names a place in the map has a map around it. */
inline sweep(t)
{
	if
	:: op[t] == PUBLISH ->
		LOOK_AT_HEAD;
		if
		:: slot[at[t]] == ref[t] -> node[ref[t]] = LIVE
		:: else -> node[ref[t]] = RETIRED
		fi
	:: op[t] == TAKE ->
		LOOK_AT_HEAD;
		if
		:: slot[at[t]] == MARK + t -> slot[at[t]] = 0; node[ref[t]] = RETIRED
		:: else
		fi
	:: op[t] == TAKEN ->
		LOOK_AT_HEAD; assert(node[ref[t]] == HELD);
		node[ref[t]] = RETIRED;
		if :: slot[at[t]] == MARK + t -> slot[at[t]] = 0 :: else fi
	:: op[t] == TAKE_HEAD ->
		if :: root == MARK + t -> root = 0; retire_head() :: else fi
	:: op[t] == HEAD_TAKEN || op[t] == HAS_HEAD ->
		assert(head == HELD);
		if :: root == MARK + t -> root = 0 :: else fi;
		retire_head()
	:: else
	fi;
	no_hand(t)
}

/* is_there of map_part.c. `removes`: also while the map is being removed. */
inline look_there(removes)
{
	atomic { MAY_DIE; there = (root == REF) }
	if
	:: there ->
		atomic {
			MAY_DIE; LOOK_AT_HEAD;
			there = (identity == OLD || (removes && identity == 0))
		}
	:: else
	fi
}

inline unlock(part)
{
	atomic { MAY_DIE; LOOK_AT_HEAD; writer[part] = NOBODY }
	atomic { MAY_DIE; LOOK_AT_HEAD; owner[part] = NOBODY }
}

/* The lock was a dead thread's. */
inline repair(part)
{
#ifndef BUG_UNSETTLED
	atomic {
		!IS_UNSETTLED(writer[part]) || slot_died[writer[part]] -> MAY_DIE;
		if
		:: IS_UNSETTLED(writer[part]) -> sweep(writer[part])
		:: else
		fi
	}
#endif
	atomic { MAY_DIE; LOOK_AT_HEAD; writer[part] = NOBODY }
	atomic { MAY_DIE; LOOK_AT_HEAD; lock_died[part] = false }
}

/* lock() of map_part.c. Who waits for long ends its section and begins again. */
inline lock(part, removes)
{
	do
	:: atomic { MAY_DIE; begin() }
		look_there(removes);
		if
		:: !there -> break
		:: else
		fi;
		if
		:: atomic { owner[part] == NOBODY -> MAY_DIE; LOOK_AT_HEAD; owner[part] = me }
			break
		:: atomic { owner[part] != NOBODY -> MAY_DIE; LOOK_AT_HEAD; end_of(me) }
			there = false
		fi
	od;
	if
	:: there ->
		if
		:: lock_died[part] -> repair(part)
		:: else
		fi;
#ifndef BUG_LOOK
		look_there(removes);
		if :: !there -> unlock(part) :: else fi
#endif
	:: else
	fi;
	atomic { MAY_DIE; end_of(me) }
	if :: there -> atomic { MAY_DIE; LOOK_AT_HEAD; writer[part] = me } :: else fi
}

proctype thread(byte me)
{
	bool there;
	byte part;

	if
	:: me == PUTS -> goto put
	:: else
	fi;
	/* mark */
	atomic { MAY_DIE; begin() }
	atomic { MAY_DIE; there = (root == REF) }
#ifndef BUG_MARK
	if
	:: there ->
		atomic {
			MAY_DIE; LOOK_AT_HEAD;
			if
			:: identity == OLD -> identity = 0
			:: identity == OTHER -> there = false
			:: else
			fi
		}
	:: else
	fi;
#endif
	atomic { MAY_DIE; end_of(me) }
	if :: !there -> goto gone :: else fi;

	/* remove_parts */
	do
	:: part < PARTS ->
		lock(part, true);
		if :: !there -> goto not_there :: else fi;
		/* remove_part */
		atomic {
			MAY_DIE; LOOK_AT_HEAD;
			at[me] = part; ref[me] = (slot[part] < MARK -> slot[part] : 0)
		}
		if
		:: ref[me] != 0 ->
			atomic { MAY_DIE; op[me] = TAKE }
			atomic {
				MAY_DIE; LOOK_AT_HEAD; assert(slot[part] == ref[me]);
				slot[part] = MARK + me
			}
			atomic { MAY_DIE; node[ref[me]] = HELD; op[me] = TAKEN }
			atomic { MAY_DIE; LOOK_AT_HEAD; slot[part] = 0 }
			atomic { MAY_DIE; node[ref[me]] = RETIRED; no_hand(me) }
		:: else -> at[me] = 0
		fi;
#ifndef BUG_ONE_BY_ONE
		if
		:: part != 0 -> unlock(part)
		:: else
		fi;
#else
		unlock(part);
#endif
		part++
	:: else -> break
	od;
	part = 0;
#ifdef BUG_ONE_BY_ONE
	lock(0, true);
	if :: !there -> goto gone :: else fi;
#endif
#ifdef BUG_HEAD
	unlock(0);
#endif

	/* mdg_take of the head */
	atomic { MAY_DIE; there = (root == REF) }
	if
	:: there ->
		atomic { MAY_DIE; op[me] = TAKE_HEAD }
		atomic {
			MAY_DIE;
			if
			:: root == REF -> assert(identity != OTHER); root = MARK + me
			:: else -> there = false; op[me] = NOTHING
			fi
		}
	:: else
	fi;
	if
	:: there ->
		atomic { MAY_DIE; head = HELD; op[me] = HEAD_TAKEN }
		atomic { MAY_DIE; root = 0 }
		atomic { MAY_DIE; op[me] = HAS_HEAD }
	:: else
	fi;
#ifdef BUG_LATE
	if :: there -> atomic { MAY_DIE; retire_head(); no_hand(me) } :: else fi;
#endif
#ifndef BUG_HEAD
	unlock(0);
#endif
#ifndef BUG_LATE
	if
	:: there ->
#ifdef BUG_FREE
		atomic { MAY_DIE; head = FREE; no_hand(me) }
#else
		atomic { MAY_DIE; retire_head(); no_hand(me) }
#endif
	:: else
	fi;
#endif
	goto gone;

not_there:
#ifndef BUG_ONE_BY_ONE
	assert(part == 0); /* who has that lock is the only one who takes the head out */
#endif
gone:	was_removed = true;
	goto end;

put:	if
	:: slot[1] != 0 -> part = 0
	:: else -> part = 1
	fi;
	lock(part, false);
	if :: !there -> goto end :: else fi;
	atomic { MAY_DIE; node[2] = HELD; at[me] = part; ref[me] = 2; op[me] = PUBLISH }
	atomic {
		MAY_DIE; LOOK_AT_HEAD; assert(identity != OTHER && slot[part] == 0);
		slot[part] = 2
	}
	atomic { MAY_DIE; node[2] = LIVE; no_hand(me) }
	unlock(part);
	goto end;

dead:	/* The kernel, in the order of the thread's list: the last lock first, the slot at the
	 * end. */
	if
	:: atomic { owner[1] == me -> LOOK_AT_HEAD; lock_died[1] = true; owner[1] = NOBODY }
	:: else
	fi;
	if
	:: atomic { owner[0] == me -> LOOK_AT_HEAD; lock_died[0] = true; owner[0] = NOBODY }
	:: else
	fi;
	atomic { slot_died[me] = true; end_of(me) }
end:	ended++
}

#define MAY_SWEEP(t) (slot_died[t] && op[t] != NOTHING)

proctype sweeper()
{
	do
	:: atomic { MAY_SWEEP(0) -> sweep(0) }
	:: atomic { MAY_SWEEP(1) -> sweep(1) }
	:: atomic { MAY_SWEEP(PUTS) -> sweep(PUTS) }
	:: atomic {
			ended == N && op[0] == NOTHING && op[1] == NOTHING && op[PUTS] == NOTHING;
			if
			:: root == REF && identity != OTHER -> assert(!was_removed)
			:: else ->
				assert(root == 0 || identity == OTHER);
				assert(node[1] == RETIRED && node[2] == RETIRED);
				assert(head == FREE || identity == OTHER)
			fi
		}
		break
	od
}

proctype maker()
{
end:	atomic {
		root == 0 && head == FREE ->
		head = HELD; identity = OTHER;
		slot[0] = 0; owner[0] = NOBODY; writer[0] = NOBODY; lock_died[0] = false;
		slot[1] = 0; owner[1] = NOBODY; writer[1] = NOBODY; lock_died[1] = false
	}
	atomic { head = LIVE; root = REF }
}

init {
	atomic {
		node[1] = LIVE; node[2] = RETIRED;
		if :: slot[0] = 1 :: slot[1] = 1 fi;
		run thread(0); run thread(1); run thread(2); run sweeper(); run maker()
	}
}
