/* SPDX-License-Identifier: MIT */
/*
 * heap_slab.pml - src/heap/slab.c, alloc.c, release.c, refill.c, tidy.c, sweep.c and bury.c: one unit,
 * which is a slab with two blocks again and again; its owner, others that free, and the sweep of a
 * dead one.
 *
 * Threads allocate and hold blocks (if they own the slab), take what is linked, keep and free what
 * they hold, free what nobody holds, merge what others have freed, give the unit back when all is
 * free, take it again, adopt the slab if nobody owns it, and sweep the dead. Each may be killed
 * before each step, also while it sweeps, and its slot is used again when it has been swept. A
 * paused thread is one that spin does not choose.
 *
 * `free` is written by ordinary loads and stores, each a step of its own; `remote` and the hint by
 * atomic ones. Labels outlive the life of the slab; that they have memory (`labelled`) does not. A
 * label of a slot that was swept is STALE: no thread is that one any more. Taking a block out of its
 * place is one step here, heap_hand.pml has all of them.
 *
 * THE TRUTH about a block changes by one step. In the same step the model notes in `is` what has
 * become of the block, and asserts that it was what the step believed. It asserts too
 *   - that one thread at most writes `free`, and that one at most sweeps a slot;
 *   - that a unit which is given back has no block in use, and no label that says held: it would say
 *     so in the unit's next life;
 *   - that no block is refused to who frees it;
 *   - that who adopts a slab finds all that was free in it.
 * At the end each block is free or somebody's, and what others have freed has a hint, unless who
 * freed it was killed before he said so.
 *
 * START: 1, the blocks are linked; 2, the second thread holds one, the other is free; 3, the
 * owner holds one, the second thread holds the other; 4, as 2, and nobody owns the slab. Otherwise
 * all is free.
 *
 * holds: -DOPS=3 -DSTART=1
 * holds: -DOPS=3 -DSTART=3
 * holds: -DN=3 -DOPS=1 -DSTART=2
 * holds: -DN=3 -DOPS=2 -DOPS1=1 -DOPS2=0 -DSTART=4
 * holds: long -DN=3 -DOPS=2 -DSTART=4
 * holds: long -DN=3 -DOPS=1 -DSTART=3 -DDEATHS=2
 * holds: long -DOPS=4 -DSTART=1
 * holds: long -DOPS=3 -DSTART=3 -DDEATHS=2
 * fails: -DSTART=2 -DBUG_ORDER
 * fails: -DSTART=2 -DBUG_LOST
 * fails: -DN=3 -DOPS=1 -DSTART=2 -DBUG_LIVE
 * fails: -DSTART=2 -DBUG_EMPTY
 * fails: -DN=3 -DOPS=1 -DSTART=2 -DBUG_BOTH
 * fails: -DSTART=1 -DBUG_WORD
 * fails: -DSTART=2 -DBUG_SLOT
 * fails: -DSTART=2 -DBUG_BIT
 * fails: -DSTART=2 -DBUG_EARLY
 * fails: -DSTART=2 -DBUG_LABEL
 * fails: -DSTART=2 -DBUG_HANDS
 * fails: -DSTART=1 -DBUG_HINT
 * fails: -DSTART=1 -DBUG_HINTED
 * fails: -DN=3 -DOPS=1 -DSTART=2 -DBUG_UNMERGED
 * fails: -DSTART=2 -DBUG_TIDY
 * fails: -DN=3 -DOPS=2 -DOPS1=1 -DOPS2=0 -DSTART=4 -DBUG_AGAIN
 *
 * BUG_ORDER: a unit is a slab before its bitmaps are filled. BUG_LOST: the merge clears the one bit
 * before it sets the other. BUG_WORD: it clears more than it has moved. BUG_LABEL: it clears labels
 * after that. BUG_HINT: it clears the hint after it has looked. BUG_HINTED: who adopts or sweeps
 * merges only what a hint names. BUG_LIVE, BUG_BOTH: who lives is swept; two sweep the same one.
 * BUG_SLOT: the slot is free before all is swept. BUG_EMPTY: a sweeper always gives the unit back.
 * BUG_UNMERGED: it counts what was freed after its merge. BUG_HANDS: it looks at the slabs before
 * the hands. BUG_BIT: the block is allocated before its label is written. BUG_EARLY: the label is
 * cleared before the block is free. BUG_TIDY: the slab is given back before that. BUG_AGAIN: who has
 * counted, and then adopts the slab, does not look again.
 */
#ifndef N
#define N 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef OPS
#define OPS 2 /* of each thread, without sweeps */
#endif
#ifndef OPS1
#define OPS1 OPS /* of the second one */
#endif
#ifndef OPS2
#define OPS2 OPS /* of the third one */
#endif
#ifndef START
#define START 0
#endif

#define ALL    3
#define NOBODY 0

/* The word of a slot: 0; thread + 1, its own or that of its sweeper; or DIED. */
#define DIED  16
#define ID(t) ((t) + 1)

/* The operation of a hand. */
#define NONE 0
#define HELD 1
#define FREE 2

/* What has become of a block. */
#define IS_FREE   0
#define IS_LINKED 1 /* the program has it, without a hand */
#define IS_ENDING 2 /* somebody is about to free it, without a hand */
#define IS_OF(t)  (8 + (t))

#define STALE 15

byte free_bits = ALL, remote_bits; /* of block 1 and 2 */
bool hint, unhinted; /* unhinted: somebody was killed before he set the hint */
bool labelled;
byte label[3]; /* thread + 1 */
bool is_slab = true;
byte owner = 1; /* thread + 1 */
bool locked;    /* the units; the kernel frees it at a death, and who is next counts anew */

byte op[N], ref[N]; /* the hands */
byte word[N];
byte writers, sweepers[N];
byte is[3];
byte deaths = DEATHS;
byte at_work = N;

#define MAY_DIE if :: skip :: deaths > 0 -> deaths--; goto death fi
#define OWN (is_slab && owner == me + 1)

#if N > 2
#define SOMEBODY_DEAD (word[0] == DIED || word[1] == DIED || word[2] == DIED)
#else
#define SOMEBODY_DEAD (word[0] == DIED || word[1] == DIED)
#endif

inline begin_writing() { assert(!writes); writes = true; writers++; assert(writers == 1) }
inline end_writing() { writes = false; writers-- }

/* mdg__slab_merge. `all`: also without a hint. */
inline merge(all)
{
#ifdef BUG_HINTED
	atomic { MAY_DIE; r = (hint -> ALL : 0) }
#else
	atomic { MAY_DIE; r = (all || hint -> ALL : 0) }
#endif
	if
	:: r != 0 ->
#ifndef BUG_HINT
		atomic { MAY_DIE; hint = false }
#endif
		atomic { MAY_DIE; r = remote_bits }
#ifdef BUG_HINT
		atomic { MAY_DIE; hint = false }
#endif
	:: else
	fi;
	if
	:: r != 0 ->
#ifdef BUG_LOST
		atomic { MAY_DIE; remote_bits = remote_bits & ~r }
#endif
#ifndef BUG_LABEL
		merge_labels();
#endif
		atomic { MAY_DIE; w = free_bits }
		atomic { MAY_DIE; free_bits = w | r }
#ifdef BUG_WORD
		atomic { MAY_DIE; r = remote_bits }
#endif
#ifndef BUG_LOST
		atomic { MAY_DIE; remote_bits = remote_bits & ~r }
#endif
#ifdef BUG_LABEL
		merge_labels();
#endif
	:: else
	fi
}
inline merge_labels()
{
	if
	:: labelled ->
		if :: r & 1 -> atomic { MAY_DIE; label[1] = 0 } :: else fi;
		if :: r & 2 -> atomic { MAY_DIE; label[2] = 0 } :: else fi
	:: else
	fi
}

/* mdg__held_clear, for the thread that has this slot. */
inline clear_label(t)
{
	if :: labelled && label[b] == ID(t) -> label[b] = 0 :: else fi
}

/* The bit is set already. */
inline set_hint()
{
	atomic { if :: skip :: deaths > 0 -> deaths--; unhinted = true; goto death fi; r = hint }
	if
	:: r == 0 -> atomic { if :: skip :: deaths > 0 -> deaths--; unhinted = true; goto death fi;
			hint = true }
	:: else
	fi
}

/* mdg__units_give of a slab that this slot owns. */
inline give_unit(t)
{
	assert(is_slab && owner == t + 1);
	assert(is[1] == IS_FREE && is[2] == IS_FREE);
	assert(label[1] == 0 && label[2] == 0);
	is_slab = false; owner = NOBODY
}

proctype thread(byte me; byte left)
{
	byte b, w, r, s, o, c;
	bool inside, writes, sweeping, counted;

rest:	atomic {
		b = 0; w = 0; r = 0; s = N; o = 0; c = 0;
		if
		:: left > 0 ->
			left--;
			if
			:: OWN && free_bits != 0 -> goto alloc
			:: OWN && free_bits != 0 && op[me] == NONE -> goto hold
			:: op[me] == HELD -> b = ref[me]; goto keep
			:: op[me] == HELD -> b = ref[me]; goto free_held
			:: is[1] == IS_LINKED -> b = 1; goto free_linked
			:: is[2] == IS_LINKED -> b = 2; goto free_linked
			:: is[1] == IS_LINKED && op[me] == NONE -> b = 1; goto take
			:: OWN && remote_bits != 0 -> goto merging
			:: OWN && free_bits == ALL -> goto tidy
			:: is_slab && owner == NOBODY -> goto adopt
			:: !is_slab && !locked -> goto new_life
			:: else -> goto rest
			fi
		:: !counted && deaths > 0 -> deaths--; goto death
		:: SOMEBODY_DEAD -> goto sweep
		:: left == 0 && !counted -> counted = true; at_work--; goto rest
		:: at_work == 0 && !SOMEBODY_DEAD -> goto end_last
		fi
	}

/* ---- allocating ---- */

alloc:	atomic { MAY_DIE; begin_writing(); w = free_bits; b = (w & 1 -> 1 : 2) }
	atomic { MAY_DIE; free_bits = w & ~b; assert(is[b] == IS_FREE); is[b] = IS_LINKED; end_writing() }
	goto rest;

hold:	atomic { MAY_DIE; labelled = true }
	atomic { MAY_DIE; begin_writing(); w = free_bits; b = (w & 1 -> 1 : 2) }
	atomic { MAY_DIE; op[me] = HELD; ref[me] = b }
#ifdef BUG_BIT
	atomic { MAY_DIE; free_bits = w & ~b; assert(is[b] == IS_FREE); is[b] = IS_OF(me); end_writing() }
	atomic { MAY_DIE; label[b] = ID(me) }
#else
	atomic { MAY_DIE; label[b] = ID(me) }
	atomic { MAY_DIE; free_bits = w & ~b; assert(is[b] == IS_FREE); is[b] = IS_OF(me); end_writing() }
#endif
	goto rest;

take:	atomic { MAY_DIE; labelled = true }
	atomic {
		if
		:: is[b] == IS_LINKED ->
			is[b] = IS_OF(me); op[me] = HELD; ref[me] = b; labelled = true; label[b] = ID(me)
		:: else
		fi
	}
	goto rest;

keep:	atomic { MAY_DIE; assert(is[b] == IS_OF(me)); assert(labelled && label[b] == ID(me));
		label[b] = 0; is[b] = IS_LINKED }
	atomic { MAY_DIE; op[me] = NONE; ref[me] = 0 }
	goto rest;

/* ---- freeing ---- */

free_held:
	atomic { MAY_DIE; op[me] = FREE }
	goto free_it;
free_linked:
	/* who frees it has it for itself; killed before the store, it has lost it itself */
	atomic { if :: is[b] == IS_LINKED -> is[b] = IS_ENDING :: else -> goto rest fi }
	atomic { MAY_DIE; assert(!labelled || label[b] == 0) } /* or it is refused */
free_it:
	atomic { MAY_DIE; assert(is_slab); o = owner }
	if
	:: o == me + 1 ->
#ifdef BUG_EARLY
		atomic { MAY_DIE; clear_label(me) }
#endif
		atomic { MAY_DIE; begin_writing(); w = free_bits }
		atomic { MAY_DIE; assert(!(w & b)); assert(is[b] == IS_OF(me) || is[b] == IS_ENDING);
			free_bits = w | b; is[b] = IS_FREE; end_writing() }
#ifndef BUG_TIDY
		if :: op[me] == FREE -> atomic { MAY_DIE; clear_label(me) } :: else fi;
#endif
		if
		:: (w | b) == ALL -> atomic { MAY_DIE; give_unit(me) }
		:: true
		fi;
#ifdef BUG_TIDY
		if :: op[me] == FREE -> atomic { MAY_DIE; clear_label(me) } :: else fi;
#endif
	:: else ->
		atomic { MAY_DIE; w = free_bits; assert(!(w & b)) }
		atomic { MAY_DIE; c = remote_bits; assert(!(c & b));
			assert(is[b] == IS_OF(me) || is[b] == IS_ENDING);
			remote_bits = c | b; is[b] = IS_FREE }
		set_hint();
		if :: o == NOBODY && (w | c | b) == ALL -> goto give_idle :: else fi
	fi;
freed:	if :: op[me] == FREE -> atomic { MAY_DIE; op[me] = NONE; ref[me] = 0 } :: else fi;
	goto rest;

give_idle:
	atomic { MAY_DIE; if :: is_slab && owner == NOBODY :: else -> goto freed fi }
	atomic { MAY_DIE; c = remote_bits }
	atomic { MAY_DIE; c = c | free_bits; if :: c == ALL :: else -> goto freed fi }
	atomic {
		MAY_DIE;
		if
		:: is_slab && owner == NOBODY -> owner = me + 1; begin_writing()
		:: else -> goto freed
		fi
	}
	merge(true);
	atomic { MAY_DIE; c = free_bits }
#ifdef BUG_AGAIN
	c = ALL;
#endif
	if
	:: c == ALL -> atomic { MAY_DIE; give_unit(me); end_writing() }
	:: else -> atomic { MAY_DIE; owner = NOBODY; end_writing() }
	fi;
	goto freed;

/* ---- slabs ---- */

merging: begin_writing();
	merge(false);
	atomic { end_writing() }
	goto rest;

tidy:	atomic { MAY_DIE; give_unit(me) }
	goto rest;

adopt:	atomic { MAY_DIE; if :: is_slab && owner == NOBODY -> owner = me + 1; begin_writing();
			o = free_bits | remote_bits :: else -> goto rest fi }
	merge(true);
	atomic { assert((free_bits & o) == o); end_writing() }
	goto rest;

new_life:
	atomic { if :: !is_slab && !locked -> locked = true; inside = true :: else -> goto rest fi }
	atomic { MAY_DIE; labelled = false; free_bits = 1; remote_bits = 1 /* it has had another use */ }
#ifdef BUG_ORDER
	atomic { MAY_DIE; is_slab = true; owner = me + 1 }
#endif
	atomic { MAY_DIE; free_bits = ALL }
	atomic { MAY_DIE; remote_bits = 0 }
	atomic { MAY_DIE; hint = false }
#ifndef BUG_ORDER
	atomic { MAY_DIE; is_slab = true; owner = me + 1 }
#endif
	atomic { MAY_DIE; locked = false; inside = false }
	goto rest;

/* ---- the sweep ---- */

sweep:	atomic {
		s = 0;
		do
		:: s == N -> goto rest
		:: s < N && word[s] == DIED -> break
#ifdef BUG_LIVE
		:: s < N && s != me && word[s] == ID(s) -> break
#endif
		:: else -> s++
		od;
		w = word[s]
	}
	atomic {
		MAY_DIE;
		if
#ifdef BUG_BOTH
		:: true ->
#else
		:: word[s] == w ->
#endif
			word[s] = ID(me); sweeping = true; w = 0;
			sweepers[s]++; assert(sweepers[s] == 1)
		:: else -> goto rest
		fi
	}
#ifdef BUG_SLOT
	atomic { MAY_DIE; word[s] = 0 }
#endif
#ifdef BUG_HANDS
	goto units;
hands:
#endif
	/* bury.c */
	if
	:: op[s] != NONE ->
		b = ref[s];
		atomic { MAY_DIE; if :: is_slab -> o = owner :: else -> goto drop fi }
		atomic { MAY_DIE; r = remote_bits }
		atomic { MAY_DIE; r = r | free_bits }
		if
		:: r & b ->
			if
			:: o == s + 1 -> atomic { MAY_DIE; clear_label(s) }
			:: else
			fi
		:: else ->
			atomic { MAY_DIE; if :: labelled && label[b] == ID(s) :: else -> goto drop fi }
			if :: op[s] == HELD -> atomic { MAY_DIE; op[s] = FREE } :: else fi;
			atomic { MAY_DIE; assert(!(free_bits & b)) }
			atomic { MAY_DIE; assert(!(remote_bits & b)); assert(is[b] == IS_OF(s));
				remote_bits = remote_bits | b; is[b] = IS_FREE }
			set_hint()
		fi;
drop:		atomic { MAY_DIE; op[s] = NONE; ref[s] = 0; b = 0; o = 0; r = 0 }
	:: else
	fi;
#ifdef BUG_HANDS
	goto leave;
#endif
units:	atomic { MAY_DIE; o = (is_slab -> owner : NOBODY) }
	if
	:: o == s + 1 ->
		begin_writing();
		merge(true);
#ifdef BUG_UNMERGED
		atomic { MAY_DIE; c = remote_bits }
#endif
		atomic { MAY_DIE; c = c | free_bits }
#ifdef BUG_EMPTY
		c = ALL;
#endif
		if
		:: c == ALL -> atomic { MAY_DIE; give_unit(s); end_writing() }
		:: else -> atomic { MAY_DIE; owner = NOBODY; end_writing() }
		fi
	:: else
	fi;
#ifdef BUG_HANDS
	goto hands;
leave:
#endif
	atomic {
		MAY_DIE;
		if :: word[s] == ID(me) -> word[s] = 0 :: else fi;
		if :: label[1] == ID(s) -> label[1] = STALE :: else fi;
		if :: label[2] == ID(s) -> label[2] = STALE :: else fi;
		sweepers[s]--; sweeping = false
	}
	goto rest;

death:	atomic {
		if :: writes -> end_writing() :: else fi;
		if :: sweeping -> sweeping = false; sweepers[s]-- :: else fi;
		if :: inside -> inside = false; locked = false :: else fi;
		/* The kernel marks its slot, and the slot that it swept. */
		if :: s < N && word[s] == ID(me) -> word[s] = DIED :: else fi;
		word[me] = DIED;
		b = 0; w = 0; r = 0; s = N; o = 0; c = 0
	}
end_dead:
	atomic { word[me] == 0 -> word[me] = ID(me) } /* its slot is used again */
	goto rest;
end_last:
	skip
}

init {
	byte i;

	atomic {
#if START == 1
		free_bits = 0; is[1] = IS_LINKED; is[2] = IS_LINKED;
#elif START == 2
		free_bits = 2; is[1] = IS_OF(1); op[1] = HELD; ref[1] = 1; labelled = true; label[1] = ID(1);
#elif START == 4
		owner = NOBODY;
		free_bits = 2; is[1] = IS_OF(1); op[1] = HELD; ref[1] = 1; labelled = true; label[1] = ID(1);
#elif START == 3
		free_bits = 0; is[1] = IS_OF(0); op[0] = HELD; ref[0] = 1; labelled = true; label[1] = ID(0);
		is[2] = IS_OF(1); op[1] = HELD; ref[1] = 2; label[2] = ID(1);
#endif
		do
		:: i == N -> break
		:: i < N -> word[i] = ID(i); run thread(i, (i == 0 -> OPS : (i == 1 -> OPS1 : OPS2))); i++
		od;
		i = 0
	}
end_wait:
	(at_work == 0);
end_all:
	timeout; /* nobody goes on */
	atomic {
		i = 1;
		do
		:: i == 3 -> break
		:: i < 3 ->
			assert(!is_slab || (is[i] == IS_FREE) == (((free_bits | remote_bits) & i) != 0));
			assert(is_slab || is[i] == IS_FREE);
			if
			:: is[i] >= IS_OF(0) -> /* whoever is dead is there to be swept */
				assert(op[is[i] - IS_OF(0)] != NONE && ref[is[i] - IS_OF(0)] == i);
				assert(labelled && label[i] == ID(is[i] - IS_OF(0)))
			:: else
			fi;
			i++
		od;
		assert(!is_slab || remote_bits == 0 || hint || unhinted);
		i = 0;
		do
		:: i == N -> break
		:: i < N -> /* who is not swept is there for the next one */
			assert(word[i] == 0 || word[i] == ID(i) || word[i] == DIED);
			i++
		od
	}
}
