/* SPDX-License-Identifier: MIT */
/*
 * heap_map.pml - src/heap/map_*.c: one part of a map, WRITERS writers with CALLS calls each, and a
 * reader that looks keys up LOOKS times. Up to DEATHS writers are killed at any step.
 *
 * There are two keys with the same home, and tables with two buckets of one slot each, so that the
 * reach counts. The first key is always there and gets new values; the second one is put and
 * removed. A writer may also make another table. Blocks that are free are used again at once, and
 * their contents are gone.
 *
 * Of the heap, hands are here as far as they matter: what a writer is about to do is written down
 * before it does it; a block has a label while it is held; a sweeper looks at the place, and frees
 * nothing that has another's label. What was linked is freed when the reader is outside. The kernel
 * gives the lock of a dead writer on before it marks the writer's slot.
 *
 * Asserted: the reader never looks at memory that is free; it always finds the first key; if it
 * misses the second one, there was a moment since it began in which that was absent. No block is
 * freed twice. At the end, what is in the table is not free, and everything else is.
 *
 * Left out: the memory model (all steps are sequentially consistent), versions, counting. With
 * SECOND_ALONE nobody changes the first key; with ONE_START that lies in its second bucket at first,
 * and the second key is absent. Without these two all is well too, and takes longer.
 *
 * holds: -DWRITERS=2 -DCALLS=1 -DDEATHS=1 -DLOOKS=1 -DONE_START
 * holds: -DWRITERS=2 -DCALLS=2 -DDEATHS=1 -DLOOKS=0 -DSECOND_ALONE
 * holds: -DWRITERS=1 -DCALLS=2 -DDEATHS=0 -DLOOKS=1
 * fails: -DWRITERS=2 -DCALLS=3 -DDEATHS=1 -DLOOKS=0 -DBUG_UNSETTLED
 * fails: -DWRITERS=2 -DCALLS=2 -DDEATHS=1 -DLOOKS=0 -DSECOND_ALONE -DBUG_MARK
 * fails: -DWRITERS=1 -DCALLS=2 -DDEATHS=0 -DLOOKS=1 -DBUG_FREE
 * fails: -DWRITERS=1 -DCALLS=1 -DDEATHS=0 -DLOOKS=1 -DBUG_TWO_STEPS
 * fails: -DWRITERS=1 -DCALLS=2 -DDEATHS=0 -DLOOKS=1 -DBUG_REACH
 * fails: -DWRITERS=1 -DCALLS=2 -DDEATHS=0 -DLOOKS=1 -DBUG_TAG
 * fails: -DWRITERS=1 -DCALLS=1 -DDEATHS=1 -DLOOKS=1 -DBUG_SWEEP_FREES
 *
 * BUG_UNSETTLED: who gets the lock of a dead writer does not wait until that one is swept.
 * BUG_MARK: who gets it takes a hand that holds a block for one that names no place, though the mark
 * of the taker is still there. BUG_FREE: what was replaced is freed at once. BUG_TWO_STEPS: a new value is a removal and an
 * insertion. BUG_REACH: the reach is stored after the slot. BUG_TAG: so is the tag. BUG_SWEEP_FREES:
 * the sweeper frees at once what the dead one had unlinked.
 */
#define NODES  (2 + WRITERS * CALLS)
#define TABLES (1 + WRITERS * CALLS)
#define NONE   0
#define ROOT   255 /* the place of the table; others: 2 * table + bucket */
#define NOBODY 255
#define MARK   100
#define FIRST  1
#define SECOND 2

mtype = { FREE, HELD, LIVE, RETIRED };
mtype = { NOTHING, HOLD, PUBLISH, TAKE, SWAP };

/* The map. */
mtype node_state[NODES + 1], table_state[TABLES + 1];
byte key[NODES + 1];
byte root, slot[2 * TABLES + 2], tag[2 * TABLES + 2], reach[TABLES + 1];
/* Labels: who holds it, + 1. */
byte node_label[NODES + 1], table_label[TABLES + 1];
/* Two hands for each writer: one for nodes, one for tables. */
mtype op[WRITERS * 2];
byte ref[WRITERS * 2], place[WRITERS * 2], old[WRITERS * 2];
#define N (2 * me)
#define T (2 * me + 1)

/* The lock and the slots. */
byte owner = NOBODY;
bool owner_died, slot_died[WRITERS], swept[WRITERS];
byte dead_writer = NOBODY;
byte deaths = DEATHS, ended;
/* The reader. */
bool reading, second_was_absent;

/* ---- the heap ---------------------------------------------------------------------------------- */

inline node_free(n)
{
	assert(node_state[n] != FREE);
	node_state[n] = FREE; key[n] = NONE; node_label[n] = 0;
}
inline table_free(t)
{
	assert(table_state[t] != FREE);
	table_state[t] = FREE; table_label[t] = 0; reach[t] = 0;
	slot[2 * t] = 0; slot[2 * t + 1] = 0; tag[2 * t] = 0; tag[2 * t + 1] = 0;
}
inline node_retire(n)
{
	assert(node_state[n] != FREE && node_state[n] != RETIRED);
#ifndef BUG_FREE
	if
	:: reading -> node_state[n] = RETIRED; node_label[n] = 0
	:: else -> node_free(n)
	fi
#else
	node_free(n)
#endif
}
inline table_retire(t)
{
	assert(table_state[t] != FREE && table_state[t] != RETIRED);
	if
	:: reading -> table_state[t] = RETIRED; table_label[t] = 0
	:: else -> table_free(t)
	fi
}

/* What the sweeper makes of a dead writer's hands. In one step: that it may die itself, and that
 * others may come in between, is the subject of other models. */
inline sweep(w)
{
	if /* killed behind a take, before the place was emptied */
	:: op[2 * w] == HOLD && place[2 * w] != 0 && slot[place[2 * w]] == MARK + w ->
		slot[place[2 * w]] = 0
	:: else
	fi;
	if
	:: op[2 * w] == HOLD && old[2 * w] == 0 && node_label[ref[2 * w]] == w + 1 ->
		node_free(ref[2 * w])
	:: op[2 * w] == HOLD && old[2 * w] != 0 && node_label[ref[2 * w]] == w + 1 ->
#ifdef BUG_SWEEP_FREES
		node_free(ref[2 * w])
#else
		node_retire(ref[2 * w])
#endif
	:: op[2 * w] == PUBLISH ->
		if
		:: slot[place[2 * w]] == ref[2 * w] -> node_label[ref[2 * w]] = 0;
			node_state[ref[2 * w]] = LIVE
		:: slot[place[2 * w]] != ref[2 * w] && node_label[ref[2 * w]] == w + 1 ->
			node_free(ref[2 * w])
		:: else
		fi
	:: op[2 * w] == SWAP ->
		if
		:: slot[place[2 * w]] == ref[2 * w] -> node_label[ref[2 * w]] = 0;
			node_state[ref[2 * w]] = LIVE;
#ifdef BUG_SWEEP_FREES
			node_free(old[2 * w])
#else
			node_retire(old[2 * w])
#endif
		:: slot[place[2 * w]] != ref[2 * w] && node_label[ref[2 * w]] == w + 1 ->
			node_free(ref[2 * w])
		:: else
		fi
	:: op[2 * w] == TAKE ->
		if
		:: slot[place[2 * w]] == MARK + w -> slot[place[2 * w]] = 0;
			if :: key[ref[2 * w]] == SECOND -> second_was_absent = 1 :: else fi;
			node_retire(ref[2 * w])
		:: else
		fi
	:: else
	fi;
	if
	:: op[2 * w + 1] == HOLD && old[2 * w + 1] == 0 && table_label[ref[2 * w + 1]] == w + 1 ->
		table_free(ref[2 * w + 1])
	:: op[2 * w + 1] == HOLD && old[2 * w + 1] != 0 && table_label[ref[2 * w + 1]] == w + 1 ->
		table_retire(ref[2 * w + 1])
	:: op[2 * w + 1] == SWAP ->
		if
		:: root == ref[2 * w + 1] -> table_label[root] = 0; table_state[root] = LIVE;
			table_retire(old[2 * w + 1])
		:: root != ref[2 * w + 1] && table_label[ref[2 * w + 1]] == w + 1 ->
			table_free(ref[2 * w + 1])
		:: else
		fi
	:: else
	fi;
	op[2 * w] = NOTHING; op[2 * w + 1] = NOTHING;
	ref[2 * w] = 0; ref[2 * w + 1] = 0; place[2 * w] = 0; place[2 * w + 1] = 0;
	old[2 * w] = 0; old[2 * w + 1] = 0;
	swept[w] = 1
}

/* ---- a writer ------------------------------------------------------------------------------------- */

#ifdef SECOND_ALONE
#define PUT_WHICH other = SECOND
#else
#define PUT_WHICH if :: other = FIRST :: other = SECOND fi
#endif
#ifdef BUG_MARK
#define NAMES_PLACE(hand) (op[hand] == PUBLISH || op[hand] == TAKE || op[hand] == SWAP)
#else
#define NAMES_PLACE(hand) (op[hand] == PUBLISH || op[hand] == TAKE || op[hand] == SWAP ||          \
                           (op[hand] == HOLD && place[hand] != 0))
#endif
#define IS_UNSETTLED(w) (NAMES_PLACE(2 * (w)) || NAMES_PLACE(2 * (w) + 1))
#define MAY_DIE if :: skip :: deaths > 0 -> deaths--; goto dead fi

inline hold_node(which)
{
	atomic {
		MAY_DIE;
		i = 1;
		do
		:: node_state[i] != FREE -> i++
		:: else -> break
		od;
		node_state[i] = HELD; node_label[i] = me + 1; key[i] = which;
		op[N] = HOLD; ref[N] = i; old[N] = 0; i = 0
	}
}

inline retire_node()
{
	atomic { MAY_DIE; node_retire(ref[N]); op[N] = NOTHING; ref[N] = 0; old[N] = 0 }
}

/* [lock] Where the key is: at = 0 or 1, or 2: nowhere. */
inline find(which)
{
	if
	:: slot[2 * root] > 0 && slot[2 * root] < MARK && key[slot[2 * root]] == which -> at = 0
	:: slot[2 * root + 1] > 0 && slot[2 * root + 1] < MARK &&
	   key[slot[2 * root + 1]] == which -> at = 1
	:: else -> at = 2
	fi
}

/* mdg__map_room and mdg_publish. */
inline insert(which)
{
	if
	:: slot[2 * root] == 0 -> at = 0
	:: slot[2 * root] != 0 && slot[2 * root + 1] == 0 -> at = 1
	:: else -> at = 2; assert(false)
	fi;
#ifndef BUG_REACH
	atomic { MAY_DIE; if :: at == 1 -> reach[root] = 1 :: else fi }
#endif
#ifndef BUG_TAG
	atomic { MAY_DIE; tag[2 * root + at] = which }
#endif
	atomic { MAY_DIE; op[N] = PUBLISH; place[N] = 2 * root + at }
	atomic { MAY_DIE; slot[place[N]] = ref[N] }
	atomic { MAY_DIE; node_label[ref[N]] = 0; node_state[ref[N]] = LIVE; op[N] = NOTHING;
		ref[N] = 0; place[N] = 0 }
#ifdef BUG_REACH
	atomic { MAY_DIE; if :: at == 1 -> reach[root] = 1 :: else fi }
#endif
#ifdef BUG_TAG
	atomic { MAY_DIE; tag[2 * root + at] = which }
#endif
}

/* mdg_swap */
inline replace()
{
	atomic { MAY_DIE; op[N] = SWAP; place[N] = 2 * root + at; old[N] = slot[place[N]] }
	atomic { MAY_DIE; slot[place[N]] = ref[N] }
	atomic { MAY_DIE; node_label[ref[N]] = 0; node_state[ref[N]] = LIVE; ref[N] = old[N];
		node_label[ref[N]] = me + 1; node_state[ref[N]] = HELD; op[N] = HOLD;
		place[N] = 0 }
}

/* mdg_take and mdg__map_gone */
inline take()
{
	atomic { MAY_DIE; op[N] = TAKE; place[N] = 2 * root + at; ref[N] = slot[place[N]] }
	atomic { MAY_DIE; slot[place[N]] = MARK + me;
		if :: key[ref[N]] == SECOND -> second_was_absent = 1 :: else fi }
	atomic { MAY_DIE; node_label[ref[N]] = me + 1; node_state[ref[N]] = HELD;
		op[N] = HOLD; old[N] = ref[N] }
	atomic { MAY_DIE; slot[place[N]] = 0; place[N] = 0 }
	atomic { MAY_DIE; if :: at == 1 -> reach[root] = 0 :: else fi }
}

/* rebuild: each node goes to the other bucket, so that positions change. */
inline grow()
{
	atomic {
		MAY_DIE;
		i = 1;
		do
		:: table_state[i] != FREE -> i++
		:: else -> break
		od;
		table_state[i] = HELD; table_label[i] = me + 1;
		op[T] = HOLD; ref[T] = i; old[T] = 0;
		/* Nobody else sees it, so it is filled in one step. */
		if
		:: slot[2 * root + 1] != 0 || slot[2 * root] == 0 ->
			slot[2 * i] = slot[2 * root + 1]; tag[2 * i] = tag[2 * root + 1];
			slot[2 * i + 1] = slot[2 * root]; tag[2 * i + 1] = tag[2 * root]
		:: else -> /* alone, it may stay or go */
			if
			:: slot[2 * i] = slot[2 * root]; tag[2 * i] = tag[2 * root]
			:: slot[2 * i + 1] = slot[2 * root]; tag[2 * i + 1] = tag[2 * root]
			fi
		fi;
		reach[i] = (slot[2 * i + 1] != 0 -> 1 : 0);
		i = 0
	}
	atomic { MAY_DIE; op[T] = SWAP; place[T] = ROOT; old[T] = root }
	atomic { MAY_DIE; root = ref[T] }
	atomic { MAY_DIE; table_label[root] = 0; table_state[root] = LIVE; ref[T] = old[T];
		table_label[ref[T]] = me + 1; table_state[ref[T]] = HELD; op[T] = HOLD;
		place[T] = 0 }
	atomic { MAY_DIE; table_retire(ref[T]); op[T] = NOTHING; ref[T] = 0; old[T] = 0 }
}

proctype Writer(byte me)
{
	byte calls, call, at, i, other;

	do
	:: calls == CALLS -> break
	:: else ->
		calls++;
		if :: call = 0 :: call = 1 :: call = 2 fi; /* put, remove, make another table */
		if
		:: call == 0 -> PUT_WHICH; hold_node(other)
		:: else -> other = SECOND
		fi;
		/* mdg__map_lock */
		atomic {
			owner == NOBODY -> MAY_DIE; owner = me;
			if :: owner_died -> i = 1 :: else fi;
		}
		if
		:: i ->
#ifndef BUG_UNSETTLED
			/* settle */
			atomic {
				(slot_died[dead_writer] || !IS_UNSETTLED(dead_writer)) -> MAY_DIE;
				if
				:: IS_UNSETTLED(dead_writer) -> sweep(dead_writer)
				:: else
				fi;
			}
#endif
			atomic { MAY_DIE; owner_died = 0; i = 0 }
		:: else
		fi;
		if
		:: call == 2 -> grow()
		:: else ->
			find(other);
			if
			:: call == 0 && at == 2 -> insert(other)
#ifdef BUG_TWO_STEPS
			:: call == 0 && at != 2 -> slot[2 * root + at] = 0;
				atomic { slot[2 * root + at] = ref[N]; ref[N] = 0; op[N] = NOTHING }
#else
			:: call == 0 && at != 2 -> replace()
#endif
			:: call == 1 && at != 2 -> take()
			:: else
			fi
		fi;
		atomic { MAY_DIE; owner = NOBODY }
		if :: op[N] == HOLD -> retire_node() :: else fi;
		atomic { call = 0; at = 0; other = 0 }
	od;
	goto end;
dead:
	/* The kernel, in the order of the thread's list. */
	atomic {
		if
		:: owner == me -> owner = NOBODY; owner_died = 1; dead_writer = me
		:: else
		fi
	}
	slot_died[me] = 1;
	calls = 0; call = 0; at = 0; i = 0; other = 0;
end:	ended++
}

/* Others who sweep, at any time. */
proctype Sweeper()
{
	byte w;
	for (w : 0 .. WRITERS - 1) {
		if
		:: atomic { slot_died[w] -> if :: !swept[w] -> sweep(w) :: else fi }
		:: ended == WRITERS && !slot_died[w] -> skip
		fi
	}
	atomic {
		ended == WRITERS && !reading ->
		for (w : 1 .. NODES) {
			assert((node_state[w] == FREE) ==
			       (slot[2 * root] != w && slot[2 * root + 1] != w))
		}
		for (w : 1 .. TABLES) {
			assert((table_state[w] == FREE) == (root != w))
		}
		assert(slot[2 * root] < MARK && slot[2 * root + 1] < MARK)
	}
}

inline find_absent()
{
	second_was_absent =
		!((slot[2 * root] < MARK && slot[2 * root] > 0 && key[slot[2 * root]] == SECOND) ||
		  (slot[2 * root + 1] < MARK && slot[2 * root + 1] > 0 &&
		   key[slot[2 * root + 1]] == SECOND))
}

proctype Reader()
{
	byte looks, which, table, i, far, seen, found;

	do
	:: looks == LOOKS -> break
	:: else ->
		looks++;
		if :: which = FIRST :: which = SECOND fi;
		/* mdg_read_begin */
		atomic {
			reading = 1;
			find_absent()
		}
		table = root;
		i = 0; found = 0;
		do
		:: atomic {
			assert(table_state[table] != FREE);
			seen = tag[2 * table + i];
			if :: i == 0 -> far = reach[table] :: else fi
		   }
			if
			:: seen == which ->
				atomic { assert(table_state[table] != FREE); seen = slot[2 * table + i] }
				if
				:: seen > 0 && seen < MARK ->
					atomic {
						assert(node_state[seen] != FREE);
						if :: key[seen] == which -> found = 1; break :: else fi
					}
				:: else
				fi
			:: else
			fi;
			if :: i == far -> break :: else -> i++ fi
		od;
		atomic {
			assert(found || (which == SECOND && second_was_absent));
			/* mdg_read_end: what was retired is free */
			reading = 0;
			for (i : 1 .. NODES) {
				if :: node_state[i] == RETIRED -> node_free(i) :: else fi
			}
			for (i : 1 .. TABLES) {
				if :: table_state[i] == RETIRED -> table_free(i) :: else fi
			}
			which = 0; table = 0; i = 0; far = 0; seen = 0; found = 0
		}
	od
}

init {
	atomic {
		byte i;
		for (i : 0 .. NODES) { node_state[i] = FREE }
		for (i : 0 .. TABLES) { table_state[i] = FREE }
		for (i : 0 .. 2 * WRITERS - 1) { op[i] = NOTHING }
		/* The first key is there, in either bucket, and perhaps the second. */
		node_state[1] = LIVE; key[1] = FIRST; table_state[1] = LIVE; root = 1;
		if
#ifndef ONE_START
		:: slot[2] = 1; tag[2] = FIRST
#endif
		:: slot[3] = 1; tag[3] = FIRST; reach[1] = 1
		fi;
		if
		:: skip
#ifndef ONE_START
		:: node_state[2] = LIVE; key[2] = SECOND; reach[1] = 1;
			if
			:: slot[2] == 0 -> slot[2] = 2; tag[2] = SECOND
			:: else -> slot[3] = 2; tag[3] = SECOND
			fi
#endif
		fi;
		for (i : 0 .. WRITERS - 1) { run Writer(i) }
		run Sweeper();
#if LOOKS > 0
		run Reader()
#endif
	}
}
