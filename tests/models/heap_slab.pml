/* SPDX-License-Identifier: MIT */
/*
 * heap_slab.pml - src/heap/slab.c, alloc.c, free.c, refill.c and sweep.c: one slab with two blocks,
 * its owner, others that free, and the sweep of a dead owner.
 *
 * Threads allocate (if they own the slab), free any block that is allocated, merge what others have
 * freed, give the unit back when all is free, take it again, adopt the slab if nobody owns it, and
 * sweep the dead. Each may be killed before each step, also while it sweeps, and its slot is used
 * again when it has been swept. A paused thread is one that spin does not choose.
 *
 * `free` is written by ordinary loads and stores, each a step of its own; `remote` by atomic ones.
 * The model asserts that a block that is allocated was free and that one that is freed was
 * allocated; that one thread at most writes `free`; that each slot is swept by one thread at most.
 * At the end each block is either free or the
 * program's, and each slot is free, a living thread's, or there to be swept.
 *
 * holds: depth=2000000 -DOPS=1
 * holds: depth=2000000 -DN=2 -DOPS=3
 * fails: -DBUG_ORDER -DN=2 -DOPS=2
 * fails: -DBUG_LOST -DN=2 -DOPS=3
 * fails: -DBUG_LIVE -DOPS=1
 * fails: -DBUG_EMPTY -DN=2 -DOPS=2
 * fails: -DBUG_BOTH -DOPS=1
 * fails: -DBUG_WORD -DN=2 -DOPS=4
 * fails: -DBUG_SLOT -DN=2 -DOPS=2
 */
#ifndef N
#define N 3
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef OPS
#define OPS 2 /* of each thread, without sweeps */
#endif

#define ALL    3
#define NOBODY 0

/* The word of a slot: 0; thread + 1, its own or that of its sweeper; or DIED. */
#define DIED  16
#define ID(t) ((t) + 1)

byte free_bits = ALL, remote_bits; /* of block 1 and 2 */
bool is_slab = true;
byte owner = 1; /* thread + 1 */
bool locked;    /* the units; the kernel frees it at a death, and who is next counts anew */

byte word[N];
byte writers, sweepers[N];
bool used[3]; /* the program has block 1, 2 */
bool lost[3]; /* who was about to free it was killed before: it stays allocated */
byte deaths = DEATHS;
byte at_work = N;

#define DIE_HERE if :: skip :: atomic { deaths > 0 -> deaths--; goto death } fi

#if N > 2
#define SOMEBODY_DEAD (word[0] == DIED || word[1] == DIED || word[2] == DIED)
#else
#define SOMEBODY_DEAD (word[0] == DIED || word[1] == DIED)
#endif

proctype thread(byte me; byte left)
{
	byte b, w, r, s;
	bool inside, writes, sweeping, counted;

rest:	atomic { b = 0; w = 0; r = 0; s = N }
	if
	:: left > 0 -> atomic {
			left--;
			if
			:: goto alloc
			:: goto give
			:: goto merge
			:: goto unit
			fi
		}
	:: SOMEBODY_DEAD -> goto sweep
	:: atomic { left == 0 && !counted -> counted = true; at_work--; goto rest }
	:: at_work == 0 -> goto end_last
	fi;

alloc:	if
	:: is_slab && owner == me + 1 -> atomic { assert(!writes); writes = true; writers++; assert(writers == 1) }
	:: else -> goto rest
	fi;
	w = free_bits;
	atomic { if :: w & 1 -> b = 1 :: w & 2 -> b = 2 :: else -> writes = false; writers--; goto rest fi }
	DIE_HERE;
	atomic { free_bits = w & ~b; assert(!used[b]); used[b] = true; writes = false; writers-- }
	goto rest;

give:	/* who frees it has it for itself; killed before the store, it has lost it itself */
	atomic { if :: used[1] -> b = 1 :: used[2] -> b = 2 :: else -> goto rest fi; used[b] = false; lost[b] = true }
	DIE_HERE;
	if
	:: owner == me + 1 ->
		atomic { writes = true; writers++; assert(writers == 1) }
		w = free_bits;
		DIE_HERE;
		atomic { assert(!(w & b)); free_bits = w | b; lost[b] = false; writes = false; writers-- }
	:: else ->
		DIE_HERE;
		atomic { assert(!((free_bits | remote_bits) & b)); remote_bits = remote_bits | b; lost[b] = false }
	fi;
	goto rest;

merge:	if :: is_slab && owner == me + 1 && remote_bits != 0 :: else -> goto rest fi;
	atomic { writes = true; writers++; assert(writers == 1) }
	r = remote_bits;
#ifdef BUG_LOST
	DIE_HERE;
	remote_bits = remote_bits & ~r;
#endif
	DIE_HERE;
	w = free_bits;
	DIE_HERE;
	free_bits = w | r;
	DIE_HERE;
#ifdef BUG_WORD
	r = remote_bits;
#endif
	DIE_HERE;
#ifndef BUG_LOST
	remote_bits = remote_bits & ~r;
#endif
	atomic { writes = false; writers-- }
	goto rest;

unit:	/* the head says what the unit is */
	if
	:: is_slab && owner == me + 1 && free_bits == ALL ->
		DIE_HERE;
		atomic { is_slab = false; owner = NOBODY }
	:: is_slab && owner == NOBODY ->
		DIE_HERE;
		atomic { if :: is_slab && owner == NOBODY -> owner = me + 1 :: else fi }
	:: atomic { !is_slab && !locked -> locked = true; inside = true }
		atomic {
			if :: is_slab -> locked = false; inside = false; goto rest :: else fi;
			free_bits = 1; remote_bits = 1 /* it has had another use */
		}
#ifdef BUG_ORDER
		atomic { is_slab = true; owner = me + 1 }
		DIE_HERE;
#endif
		free_bits = ALL;
		DIE_HERE;
		remote_bits = 0;
		DIE_HERE;
#ifndef BUG_ORDER
		atomic { is_slab = true; owner = me + 1 }
#endif
		DIE_HERE;
		atomic { locked = false; inside = false }
	:: else
	fi;
	goto rest;

sweep:	atomic {
		s = 0;
		do
		:: s == N -> break
		:: s < N && word[s] == DIED -> break
#ifdef BUG_LIVE
		:: s < N && s != me && word[s] == ID(s) -> break
#endif
		:: else -> s++
		od;
		if
		:: s < N -> w = word[s]
		:: else -> goto rest
		fi
	}
	DIE_HERE;
	atomic {
		if
#ifdef BUG_BOTH
		:: true ->
#else
		:: word[s] == w ->
#endif
			word[s] = ID(me); sweeping = true;
			sweepers[s]++; assert(sweepers[s] == 1)
		:: else -> goto rest
		fi
	}
	DIE_HERE;
#ifdef BUG_SLOT
	word[s] = 0;
	DIE_HERE;
#endif
	if
	:: is_slab && owner == s + 1 ->
		atomic { writes = true; writers++; assert(writers == 1) }
		r = remote_bits;
		DIE_HERE;
		w = free_bits;
		DIE_HERE;
		free_bits = w | r;
		DIE_HERE;
		remote_bits = remote_bits & ~r;
		DIE_HERE;
#ifdef BUG_EMPTY
		atomic { writes = false; writers--; is_slab = false; owner = NOBODY }
#else
		if
		:: free_bits == ALL -> DIE_HERE; atomic { is_slab = false; owner = NOBODY; writes = false; writers-- }
		:: else -> DIE_HERE; atomic { owner = NOBODY; writes = false; writers-- }
		fi
#endif
	:: else
	fi;
	DIE_HERE;
	atomic { if :: word[s] == ID(me) -> word[s] = 0 :: else fi; sweepers[s]--; sweeping = false }
	goto rest;

death:	atomic {
		if :: writes -> writes = false; writers-- :: else fi;
		if :: sweeping -> sweeping = false; sweepers[s]-- :: else fi;
		if :: inside -> inside = false; locked = false :: else fi;
		/* The kernel marks its slot, and the slot that it swept. */
		if :: s < N && word[s] == ID(me) -> word[s] = DIED :: else fi;
		word[me] = DIED;
		b = 0; w = 0; r = 0; s = N
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
		do
		:: i == N -> break
		:: i < N -> word[i] = ID(i); run thread(i, OPS); i++
		od
	}
end_wait:
	(at_work == 0);
end_all:
	timeout; /* nobody goes on */
	atomic {
		assert(!is_slab || used[1] + lost[1] + ((free_bits | remote_bits) & 1) == 1);
		assert(!is_slab || used[2] + lost[2] + ((free_bits | remote_bits) >> 1) == 1);
		i = 0;
		do
		:: i == N -> break
		:: i < N -> /* who is not swept is there for the next one */
			assert(word[i] == 0 || word[i] == ID(i) || word[i] == DIED);
			i++
		od
	}
}
