/* SPDX-License-Identifier: MIT */
/*
 * heap_hand.pml - src/heap/hand.c, settle.c and bury.c: blocks between
 * "allocated" and "linked".
 *
 * Threads hold, publish, take, swap, keep and free blocks, all in one place. Each of them is killed
 * at some step, which may be any (the end of a thread is its death). A sweeper gives back what the
 * dead held. It may be killed too; then the next sweeper begins again. A thread that is paused is
 * one that spin does not choose.
 *
 * THE TRUTH about a block changes by one step. In the same step the model notes in `is` what has
 * become of the block, and asserts that it was what the step believed:
 *   - a block that is allocated was free (so none is given twice, nor while it is held or linked);
 *   - a block that is freed was held by who frees it, or by the dead one for whom it is freed.
 * At the end, when all are dead and swept, nobody holds anything (nothing is lost), the place has
 * what was published in it, and no free block has a label.
 *
 * Each block has a slab of its own. Its owner allocates it and merges what others have freed.
 * A hand is looked at in one step: in C it counts its operations, and is read again.
 *
 * One thing is not exact, and is not explored (it needs OVER and more operations). A thread
 * publishes over a block, and is paused before it tells. Meanwhile the block is taken from where the
 * program has linked it, and its new holder is about to publish it in the same place, and is killed.
 * The block then stays allocated.
 *
 * CHAIN: one thread publishes, and two others swap in the same place.
 *
 * holds: depth=200000 -DOPS0=2 -DOPS1=2
 * holds: depth=200000 -DOPS0=2 -DOPS1=2 -DOVER -DDEATHS=0
 * holds: depth=200000 -DN=3 -DOPS0=1 -DOPS1=1 -DOPS2=1 -DCHAIN -DDEATHS=0
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_BIT
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_LABEL
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_NONE
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_ZERO
 * fails: -DOPS0=3 -DOPS1=2 -DBUG_MERGE
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_LINK
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_MARK
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_OLD
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_WINDOW
 * fails: -DOPS0=2 -DOPS1=2 -DBUG_WHOSE
 * fails: -DOPS0=2 -DOPS1=2 -DOVER -DBUG_SETTLE
 * fails: -DOPS0=2 -DOPS1=2 -DOVER -DBUG_TELL
 */
#ifndef N
#define N 2
#endif
#ifndef DEATHS
#define DEATHS 1 /* of sweepers */
#endif

#define NONE     0
#define HELD     1
#define PUBLISH  2
#define TAKE     3
#define FREE     4
#define SWAP     5
#define MARK(t)  (16 + (t))
#define IS_MARK  16

/* What has become of a block. */
#define IS_FREE   0
#define IN_PLACE  1
#define IS_KEPT   2 /* or the program's in another way */
#define IS_OF(t)  (8 + (t))

byte op[N], ref[N], old[N], count[N]; /* the hands */
bool done[N], at[N];
byte label[N + 1]; /* of block t + 1, whose first owner is t: 0 or thread + 1 */
bool mine_free[N + 1], remote[N + 1];
byte owner[N + 1]; /* thread + 1; 0: nobody */
byte place;
bool dead[N], swept[N];
byte is[N + 1];
byte deaths = DEATHS;

#define DIE_HERE if :: skip :: goto death fi
#define SET(what) op[me] = what; count[me]++; done[me] = false
#define ABOUT_TO(t) (op[t] == PUBLISH || op[t] == SWAP)

proctype worker(byte me; byte left)
{
	byte r, o, v, l, c;
	bool held, ours;

#ifdef CHAIN
	held = true; r = me + 1; /* it begins so */
#endif
	do
	:: left == 0 -> goto death
	:: left > 0 && !held ->
		left--;
		if
#ifndef CHAIN
		:: goto hold
		:: goto merge
#endif
		:: goto take
		fi
	:: left > 0 && held ->
		left--;
		if
#ifdef CHAIN
		:: me == 0 -> o = 0; goto publish
		:: me != 0 -> goto swap
#else
		:: o = 0; goto publish
		:: goto give
#ifndef TAKE_ONLY
		:: goto keep
		:: goto swap
#endif
#endif
#ifdef OVER
		:: atomic { o = place; if :: o >= IS_MARK -> o = 0 :: else fi }
		   goto publish
#endif
		fi
rest:	atomic { o = 0; v = 0; l = 0; c = 0; ours = false; if :: held :: else -> r = 0 fi }
	od;

hold:	DIE_HERE;
	atomic {
		r = 0;
		if
		:: owner[1] == me + 1 && mine_free[1] -> r = 1
		:: owner[2] == me + 1 && mine_free[2] -> r = 2
#if N > 2
		:: owner[3] == me + 1 && mine_free[3] -> r = 3
#endif
		:: else -> goto rest
		fi
	}
#ifdef BUG_BIT
	atomic { mine_free[r] = false; assert(is[r] == IS_FREE); is[r] = IS_OF(me) }
	DIE_HERE;
#endif
	atomic { ref[me] = r; at[me] = false }
	DIE_HERE;
	atomic { SET(HELD) }
	DIE_HERE;
	label[r] = me + 1;
#ifndef BUG_BIT
	DIE_HERE;
	atomic { mine_free[r] = false; assert(is[r] == IS_FREE); is[r] = IS_OF(me) }
#endif
	held = true;
	goto rest;

merge:	atomic {
		if
		:: owner[1] == me + 1 && remote[1] -> r = 1
		:: owner[2] == me + 1 && remote[2] -> r = 2
#if N > 2
		:: owner[3] == me + 1 && remote[3] -> r = 3
#endif
		:: owner[1] == 0 -> owner[1] = me + 1; goto rest /* adopted */
		:: owner[2] == 0 -> owner[2] = me + 1; goto rest
		:: else -> goto rest
		fi
	}
#ifndef BUG_MERGE
	DIE_HERE;
	label[r] = 0;
#endif
	DIE_HERE;
	mine_free[r] = true;
	DIE_HERE;
	remote[r] = false;
#ifdef BUG_MERGE
	DIE_HERE;
	label[r] = 0;
#endif
	goto rest;

publish: /* over `o` */
	DIE_HERE;
	atomic { old[me] = o; at[me] = true }
	DIE_HERE;
	atomic { SET(PUBLISH) }
#ifdef BUG_LABEL
	DIE_HERE;
	atomic { if :: label[r] == me + 1 -> label[r] = 0 :: else fi }
#endif
	DIE_HERE;
	atomic {
		if
		:: place == o ->
			place = r;
			assert(is[r] == IS_OF(me));
			is[r] = IN_PLACE;
			ours = true;
			if :: o != 0 -> assert(is[o] == IN_PLACE); is[o] = IS_KEPT :: else fi
		:: else -> ours = false
		fi
	}
	DIE_HERE;
	if
	:: !ours -> atomic { SET(HELD) } goto rest
	:: else
	fi;
#if defined(OVER) && !defined(BUG_SETTLE)
	if
	:: o != 0 ->
		atomic {
			l = label[o];
			if :: l != 0 && l != me + 1 -> l--; c = count[l] :: else -> goto settled fi
			if :: ABOUT_TO(l) && ref[l] == o :: else -> goto settled fi
		}
		DIE_HERE;
		atomic { if :: count[l] == c -> done[l] = true :: else fi }
	:: else
	fi;
settled:
	DIE_HERE;
#endif
	atomic { if :: label[r] == me + 1 -> label[r] = 0 :: else fi }
	DIE_HERE;
	atomic { SET(NONE); held = false }
#ifdef OVER
	if
	:: o != 0 -> goto plain /* whoever has unlinked it frees it */
	:: skip
	fi;
#endif
	goto rest;

keep:	DIE_HERE;
	atomic { label[r] = 0; is[r] = IS_KEPT }
	DIE_HERE;
	atomic { SET(NONE); held = false }
	goto rest;

give:	DIE_HERE;
#ifdef BUG_NONE
	atomic { SET(NONE) }
#else
	atomic { SET(FREE) }
#endif
	DIE_HERE;
	if
	:: owner[r] == me + 1 ->
		atomic { mine_free[r] = true; assert(is[r] == IS_OF(me)); is[r] = IS_FREE }
		DIE_HERE;
		atomic { if :: label[r] == me + 1 -> label[r] = 0 :: else fi }
	:: else ->
		atomic { remote[r] = true; assert(is[r] == IS_OF(me)); is[r] = IS_FREE }
	fi;
	DIE_HERE;
	atomic { SET(NONE); held = false }
	goto rest;

#ifdef OVER
plain:	/* free without a hand. Who dies here has lost it by himself: it is the program's */
	DIE_HERE;
	atomic {
		l = label[o];
		if :: l == 0 -> goto unheld :: else -> l--; c = count[l] fi
		assert(!(op[l] == HELD && ref[l] == o && !dead[l]))
	}
	DIE_HERE;
	atomic { if :: label[o] == l + 1 -> label[o] = 0 :: else fi }
unheld:
	DIE_HERE;
	if
	:: owner[o] == me + 1 ->
		atomic { mine_free[o] = true; assert(is[o] == IS_KEPT); is[o] = IS_FREE }
	:: else ->
		atomic { remote[o] = true; assert(is[o] == IS_KEPT); is[o] = IS_FREE }
	fi;
	goto rest;
#endif

take:	DIE_HERE;
	r = place;
	if :: r == 0 || r >= IS_MARK -> goto rest :: else fi;
	DIE_HERE;
	atomic { ref[me] = r; at[me] = true }
	DIE_HERE;
	atomic { SET(TAKE) }
	DIE_HERE;
	atomic {
		if
		:: place == r ->
			place = MARK(me);
			assert(is[r] == IN_PLACE);
			is[r] = IS_OF(me);
			ours = true
		:: else -> ours = false
		fi
	}
	DIE_HERE;
	if :: !ours -> atomic { SET(NONE) } goto rest :: else fi;
#ifdef BUG_ZERO
	place = 0;
	DIE_HERE;
#endif
	label[r] = me + 1;
	DIE_HERE;
	atomic { SET(HELD) }
#ifndef BUG_ZERO
	DIE_HERE;
	place = 0;
#endif
	DIE_HERE;
	at[me] = false;
	held = true;
	goto rest;

swap:	DIE_HERE;
	o = place;
	if :: o >= IS_MARK -> goto rest :: else fi;
	DIE_HERE;
	atomic { old[me] = o; at[me] = true }
	DIE_HERE;
	atomic { SET(SWAP) }
	DIE_HERE;
	atomic {
		if
		:: place == o ->
			place = r;
			assert(is[r] == IS_OF(me));
			is[r] = IN_PLACE;
			ours = true;
			if :: o != 0 -> assert(is[o] == IN_PLACE); is[o] = IS_OF(me) :: else fi
		:: else -> ours = false
		fi
	}
	DIE_HERE;
	if :: !ours -> atomic { SET(HELD) } goto rest :: else fi;
#ifndef BUG_OLD
	if :: o != 0 -> label[o] = me + 1; DIE_HERE :: else fi;
#endif
	atomic { if :: label[r] == me + 1 -> label[r] = 0 :: else fi }
	DIE_HERE;
	if
	:: o == 0 -> atomic { SET(NONE); held = false }
	:: else ->
		ref[me] = o;
		DIE_HERE;
#ifdef BUG_OLD
		label[o] = me + 1;
		DIE_HERE;
#endif
		atomic { SET(HELD) }
		r = o
	fi;
	goto rest;

death:	atomic { dead[me] = true; r = 0; o = 0; v = 0; l = 0; c = 0; held = false; ours = false }
}

/* Whoever sweeps; and the next one, if that is killed. */
#define KILLED if :: skip :: atomic { deaths > 0 -> deaths--; goto next } fi
#define NEW_OP(what) op[d] = what; count[d]++; done[d] = false

proctype sweeper()
{
	byte d, r, v, t, taken, i;
	byte c_count[N], c_ref[N], c_old[N];
	bool yes[N];
	bool some;

next:	atomic {
		d = 0; r = 0; v = 0; t = 0; taken = 0; i = 0; some = false;
		c_count[0] = 0; c_count[1] = 0; c_ref[0] = 0; c_ref[1] = 0;
		c_old[0] = 0; c_old[1] = 0; yes[0] = false; yes[1] = false;
#if N > 2
		c_count[2] = 0; c_ref[2] = 0; c_old[2] = 0; yes[2] = false;
#endif
		if
		:: dead[0] && !swept[0] -> d = 0
		:: dead[1] && !swept[1] -> d = 1
#if N > 2
		:: dead[2] && !swept[2] -> d = 2
		:: swept[0] && swept[1] && swept[2] -> goto end_check
#else
		:: swept[0] && swept[1] -> goto end_check
#endif
		fi;
		r = ref[d]
	}
look:	if
	:: op[d] == NONE -> goto slabs
	:: op[d] == HELD -> goto held
	:: op[d] == FREE -> goto freed
	:: op[d] == TAKE ->
		KILLED;
		if
		:: place == MARK(d) ->
			KILLED;
			label[r] = d + 1;
			KILLED;
			atomic { NEW_OP(HELD) }
			goto held
		:: else -> goto drop
		fi
	:: op[d] == SWAP && ref[d] == old[d] -> goto holds
	:: else
	fi;

	/* Was it published? First the place, then who takes from it; then whose operation removed
	 * something from it; then the labels; then the hands again. */
#ifdef BUG_LINK
	goto holds;
#endif
judge:	KILLED;
	v = place;
	KILLED;
	taken = 0;
#ifndef BUG_MARK
	atomic {
		if
		:: v >= IS_MARK && op[v - IS_MARK] == TAKE -> taken = ref[v - IS_MARK]
		:: else
		fi
	}
	KILLED;
#endif
#ifndef BUG_WINDOW
	i = 0;
	do
	:: i == N -> break
	:: i < N -> atomic {
			yes[i] = false;
			if
			:: i != d && ABOUT_TO(i) && old[i] != 0 && old[i] != ref[i] ->
				c_ref[i] = ref[i]; c_old[i] = old[i]; c_count[i] = count[i]
			:: else -> c_ref[i] = 0; c_old[i] = 0; c_count[i] = 0
			fi;
			i++
		}
	od;
	KILLED;
	i = 0;
	do
	:: i == N -> break
	:: i < N -> atomic {
			yes[i] = c_ref[i] != 0 && (v == c_ref[i] || taken == c_ref[i] ||
			         label[c_ref[i]] != i + 1 || done[i]);
			i++
		}
	od;
	KILLED;
	i = 0;
	do
	:: i == N -> break
	:: i < N -> atomic {
			if :: c_ref[i] != 0 && count[i] != c_count[i] -> goto judge :: else fi;
			i++
		}
	od;
	/* Whoever removed what was published has published. Each round finds one more. */
	atomic {
		i = 0;
		do
		:: i == N * N -> break
		:: i < N * N ->
			if
			:: yes[i % N] && c_ref[i / N] != 0 && c_old[i % N] == c_ref[i / N] ->
				yes[i / N] = true
			:: else
			fi;
			if
			:: yes[i % N] && c_ref[i % N] != 0 && c_old[i % N] == r -> some = true
			:: else
			fi;
			i++
		od;
		i = 0;
		do
		:: i == N * N -> break
		:: i < N * N ->
			if
			:: yes[i % N] && c_ref[i / N] != 0 && c_old[i % N] == c_ref[i / N] ->
				yes[i / N] = true
			:: else
			fi;
			if
			:: yes[i % N] && c_ref[i % N] != 0 && c_old[i % N] == r -> some = true
			:: else
			fi;
			i++
		od;
		c_count[0] = 0; c_count[1] = 0; c_ref[0] = 0; c_ref[1] = 0;
		c_old[0] = 0; c_old[1] = 0; yes[0] = false; yes[1] = false;
#if N > 2
		c_count[2] = 0; c_ref[2] = 0; c_old[2] = 0; yes[2] = false;
#endif
		i = 0
	}
#endif
	KILLED;
	some = some || v == r || taken == r || label[r] != d + 1;
	KILLED;
	atomic { some = some || done[d]; v = 0; taken = 0 }
	KILLED;
	if
	:: !some -> goto holds
	:: some && op[d] == SWAP && old[d] != 0 ->
		label[old[d]] = d + 1;
		KILLED;
		atomic { if :: label[r] == d + 1 -> label[r] = 0 :: else fi }
		KILLED;
		ref[d] = old[d];
		goto holds
	:: some && op[d] == PUBLISH && old[d] != 0 -> /* it tells what it has seen */
#ifndef BUG_TELL
		atomic {
			t = label[old[d]];
			if
			:: t != 0 && t != d + 1 && ABOUT_TO(t - 1) && ref[t - 1] == old[d] ->
				t--;
				i = count[t]
			:: else -> t = N
			fi
		}
		KILLED;
		atomic { if :: t < N && count[t] == i -> done[t] = true :: else fi }
		KILLED;
#endif
		atomic { if :: label[r] == d + 1 -> label[r] = 0 :: else fi }
		goto drop
	:: else ->
		atomic { if :: label[r] == d + 1 -> label[r] = 0 :: else fi }
		goto drop
	fi;

holds:	KILLED;
	atomic { NEW_OP(HELD) }
held:	r = ref[d];
	KILLED;
	atomic { if :: at[d] && place == MARK(d) -> place = 0 :: else fi }
	KILLED;
	at[d] = false;
freed:	KILLED;
	some = mine_free[r];
	KILLED;
	some = some || remote[r];
	KILLED;
	if
	:: some ->
		if
		:: owner[r] == d + 1 -> atomic { if :: label[r] == d + 1 -> label[r] = 0 :: else fi }
		:: else
		fi;
		goto drop
#ifndef BUG_WHOSE
	:: !some && label[r] != d + 1 -> goto drop
#endif
	:: else
	fi;
	KILLED;
	if :: op[d] != FREE -> atomic { NEW_OP(FREE) } KILLED :: else fi;
	atomic { remote[r] = true; assert(is[r] == IS_OF(d)); is[r] = IS_FREE }
drop:	KILLED;
	atomic { NEW_OP(NONE); some = false; t = 0; i = 0; r = 0 }

slabs:	i = 1;
	do
	:: i == N + 1 -> break
	:: i <= N && owner[i] != d + 1 -> i++
	:: i <= N && owner[i] == d + 1 ->
		if
		:: remote[i] ->
			KILLED;
			label[i] = 0;
			KILLED;
			mine_free[i] = true;
			KILLED;
			remote[i] = false
		:: else
		fi;
		KILLED;
		owner[i] = 0
	od;
	KILLED;
	swept[d] = true;
	goto next;

end_check:
	atomic {
		i = 1;
		do
		:: i == N + 1 -> break
		:: i <= N ->
			assert(is[i] == IS_FREE || is[i] == IN_PLACE || is[i] == IS_KEPT);
			assert((is[i] == IS_FREE) == (mine_free[i] || remote[i]));
			assert((is[i] == IN_PLACE) == (place == i));
			assert(label[i] == 0 || remote[i]);
			i++
		od;
		assert(place < IS_MARK)
	}
}

init {
	atomic {
		mine_free[1] = true; owner[1] = 1;
		mine_free[2] = true; owner[2] = 2;
		run worker(0, OPS0);
		run worker(1, OPS1);
#if N > 2
		mine_free[3] = true; owner[3] = 3;
		run worker(2, OPS2);
#endif
#ifdef CHAIN
		label[1] = 1; label[2] = 2; label[3] = 3;
		ref[0] = 1; ref[1] = 2; ref[2] = 3;
		op[0] = HELD; op[1] = HELD; op[2] = HELD;
		is[1] = IS_OF(0); is[2] = IS_OF(1); is[3] = IS_OF(2);
		mine_free[1] = false; mine_free[2] = false; mine_free[3] = false;
#endif
		run sweeper()
	}
}
