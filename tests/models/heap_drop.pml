/* SPDX-License-Identifier: MIT */
/*
 * heap_drop.pml - src/heap/map_clear.c and map_part.c: the removal of a whole map, with one part and
 * room for one node.
 *
 * Two threads remove the map, and one puts a key. Up to DEATHS of them are killed at any step. When
 * the root is empty and the head is free, somebody makes another map in the same memory.
 *
 * As in heap_map.pml, a hand says what is about to be taken, a sweeper ends it in one step, and the
 * kernel gives the lock of a dead thread on before it marks the thread's slot. What is retired is
 * freed when nobody is in a read section.
 *
 * Asserted: nobody looks at a head that is free; no other map is taken out of the root; a node is
 * put only where its map is. At the end no node of the removed map is left, and the root has the
 * other map, or nothing with no head; or all who removed it were killed on the way.
 *
 * holds: -DDEATHS=0
 * holds: -DDEATHS=2
 * fails: -DDEATHS=0 -DBUG_LOOK
 * fails: -DDEATHS=0 -DBUG_HEAD
 * fails: -DDEATHS=0 -DBUG_FREE
 * fails: -DDEATHS=0 -DBUG_MARK
 * fails: -DDEATHS=1 -DBUG_UNSETTLED
 *
 * BUG_LOOK: who gets the lock does not look again whether the map is there. BUG_HEAD: the head is
 * taken without the lock. BUG_FREE: it is freed at once. BUG_MARK: the identity stays while the map
 * is removed. BUG_UNSETTLED: who gets the lock of a dead thread does not wait until it is swept.
 */
#define N      3 /* threads: two remove, the last one puts */
#define NOBODY 255
#define MARK   100
#define REF    1
#define OLD    1 /* the identities of the maps */
#define OTHER  2

mtype = { FREE, LIVE, HELD, RETIRED };
mtype = { NOTHING, HOLD, PUBLISH, TAKE_NODE, TAKE_HEAD };

byte root = REF, identity = OLD, slot = 1, writer = NOBODY; /* of the part: who has the lock, as it is written */
mtype head = LIVE, node[3]; /* 1: was there; 2: of who puts */
byte owner = NOBODY;
bool lock_died, slot_died[N], swept[N];
mtype op[N];
byte ref[N];
byte sections, deaths = DEATHS, ended, killed;

#define MAY_DIE if :: skip :: deaths > 0 -> deaths--; goto dead fi
#define LOOK_AT_HEAD assert(head != FREE)

inline leave() /* the end of a read section */
{
	sections--; inside = false;
	tidy()
}
inline tidy()
{
	if
	:: sections == 0 ->
		if :: head == RETIRED -> head = FREE :: else fi;
		if :: node[1] == RETIRED -> node[1] = FREE :: else fi;
		if :: node[2] == RETIRED -> node[2] = FREE :: else fi
	:: else
	fi
}

inline sweep(t)
{
	if
	:: op[t] == HOLD && ref[t] != 0 -> assert(node[ref[t]] == HELD); node[ref[t]] = RETIRED;
		if :: head != FREE && slot == MARK + t -> slot = 0 :: else fi
	:: op[t] == HOLD && ref[t] == 0 -> assert(head == HELD); head = RETIRED;
		if :: root == MARK + t -> root = 0 :: else fi
	:: op[t] == PUBLISH ->
		if
		:: head != FREE && slot == ref[t] -> node[ref[t]] = LIVE
		:: else -> node[ref[t]] = RETIRED
		fi
	:: op[t] == TAKE_NODE && head != FREE && slot == MARK + t -> slot = 0; node[ref[t]] = RETIRED
	:: op[t] == TAKE_HEAD && root == MARK + t -> root = 0; head = RETIRED
	:: else
	fi;
	op[t] = NOTHING; ref[t] = 0; swept[t] = true;
	tidy()
}

/* mdg__map_is_there, or the same for who removes the map. Two looks. */
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

/* lock() of map_part.c. */
inline lock(removes)
{
	atomic { MAY_DIE; sections++; inside = true }
	look_there(removes);
	if
	:: there ->
		atomic { owner == NOBODY -> MAY_DIE; LOOK_AT_HEAD; owner = me; repairs = lock_died }
		if
		:: repairs ->
#ifndef BUG_UNSETTLED
			atomic {
				(writer == NOBODY || swept[writer] || slot_died[writer]) -> MAY_DIE;
				if :: writer != NOBODY && !swept[writer] -> sweep(writer) :: else fi
			}
#endif
			atomic { MAY_DIE; writer = NOBODY }
			atomic { MAY_DIE; lock_died = false; repairs = false }
		:: else
		fi;
#ifndef BUG_LOOK
		look_there(removes);
		if :: !there -> unlock() :: else fi
#endif
	:: else
	fi;
	atomic { MAY_DIE; leave() }
	if :: there -> atomic { MAY_DIE; LOOK_AT_HEAD; writer = me } :: else fi
}
inline unlock()
{
	atomic { MAY_DIE; LOOK_AT_HEAD; writer = NOBODY }
	atomic { MAY_DIE; LOOK_AT_HEAD; owner = NOBODY }
}

proctype thread(byte me)
{
	bool there, inside, repairs;

	if
	:: me == N - 1 -> goto put
	:: else
	fi;
	/* mark */
	atomic { MAY_DIE; sections++; inside = true }
	atomic { MAY_DIE; there = (root == REF) }
#ifndef BUG_MARK
	if
	:: there -> atomic { MAY_DIE; LOOK_AT_HEAD;
			if :: identity == OLD -> identity = 0 :: identity == OTHER -> there = false :: else fi }
	:: else
	fi;
#endif
	atomic { MAY_DIE; leave() }
	if :: !there -> goto end :: else fi;

	/* remove_part */
	lock(true);
	if :: !there -> goto end :: else fi;
	atomic { MAY_DIE; LOOK_AT_HEAD; ref[me] = (slot < MARK -> slot : 0) }
	if
	:: ref[me] != 0 ->
		atomic { MAY_DIE; op[me] = TAKE_NODE }
		atomic { MAY_DIE; LOOK_AT_HEAD; assert(slot == ref[me]); slot = MARK + me }
		atomic { MAY_DIE; node[ref[me]] = HELD; op[me] = HOLD }
		atomic { MAY_DIE; LOOK_AT_HEAD; slot = 0 }
		atomic { MAY_DIE; node[ref[me]] = RETIRED; op[me] = NOTHING; ref[me] = 0; tidy() }
	:: else
	fi;
	unlock();

	/* remove_head */
#ifdef BUG_HEAD
	look_there(true);
#else
	lock(true);
#endif
	if :: !there -> goto end :: else fi;
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
		atomic { MAY_DIE; head = HELD; op[me] = HOLD; ref[me] = 0 }
		atomic { MAY_DIE; root = 0 }
	:: else
	fi;
#ifndef BUG_HEAD
	unlock();
#endif
	if
	:: there ->
#ifdef BUG_FREE
		atomic { MAY_DIE; head = FREE; op[me] = NOTHING }
#else
		atomic { MAY_DIE; head = RETIRED; op[me] = NOTHING; tidy() }
#endif
	:: else
	fi;
	goto end;

put:	lock(false);
	if :: !there -> goto end :: else fi;
	atomic { MAY_DIE; LOOK_AT_HEAD; there = (slot == 0) }
	if
	:: there ->
		atomic { MAY_DIE; node[2] = HELD; op[me] = HOLD; ref[me] = 2 }
		atomic { MAY_DIE; op[me] = PUBLISH }
		atomic { MAY_DIE; LOOK_AT_HEAD; assert(identity != OTHER && slot == 0); slot = 2 }
		atomic { MAY_DIE; node[2] = LIVE; op[me] = NOTHING; ref[me] = 0 }
	:: else
	fi;
	unlock();
	goto end;

dead:	/* The kernel, in the order of the thread's list. Its section ends with it. */
	atomic {
		if :: owner == me -> owner = NOBODY; lock_died = true :: else fi;
		if :: inside -> leave() :: else fi;
		killed++
	}
	slot_died[me] = true;
end:	ended++
}

proctype sweeper()
{
	byte t;
	for (t : 0 .. N - 1) {
		if
		:: atomic { slot_died[t] -> if :: !swept[t] -> sweep(t) :: else fi }
		:: ended == N && !slot_died[t]
		fi
	}
	atomic {
		ended == N;
		if
		:: root == REF && identity != OTHER -> assert(killed > 1)
		:: else ->
			assert(root == 0 || identity == OTHER);
			assert(node[1] == FREE && node[2] == FREE);
			assert(head == FREE || identity == OTHER)
		fi
	}
}

proctype maker()
{
end:	atomic {
		root == 0 && head == FREE ->
		head = HELD; identity = OTHER; slot = 0; owner = NOBODY; writer = NOBODY; lock_died = false
	}
	atomic { head = LIVE; root = REF }
}

init {
	atomic {
		byte i;
		for (i : 0 .. N - 1) { op[i] = NOTHING }
		node[1] = LIVE; node[2] = FREE;
		run thread(0); run thread(1); run thread(2); run sweeper(); run maker()
	}
}
