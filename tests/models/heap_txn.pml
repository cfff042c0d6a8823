/* SPDX-License-Identifier: MIT */
/*
 * heap_txn.pml - src/heap/joined.c and src/sync/txn.c: a transaction that changes words and blocks
 * as one.
 *
 * Threads begin transactions on the same mdg_txn, one after the other. A transaction of theirs
 *   - replaces the linked block: holds a new one, writes to the old one, links the new one in two
 *     words, frees the old one;
 *   - or holds a block, writes to it, and frees it again;
 *   - or knows nothing of blocks: it unlinks the block, and frees it by mdg_free when it has ended.
 * It commits or cancels. Threads are killed at some step, which may be any. A sweeper gives back
 * what the dead have in their hands, at any time, also before or while the next owner recovers the
 * journal. The sweeper may be killed too.
 *
 * COMMITTED is the one step that decides. In it the model notes what is true from then on, and
 * asserts:
 *   - what is allocated was free; what is freed was to be freed;
 *   - a record of the journal is never copied into a block that is free, or has another use;
 *   - an owner finds both words as the last commit has them, after it has recovered the journal;
 *   - when all are dead and swept, each block is free or linked, and has no label. (Only a
 *     plain mdg_free may have lost one, and it does without a transaction, too.)
 *
 * The bits of a block are one step here; heap_hand.pml explores how they are freed and merged. The
 * owner is the kernel's word; mutex.pml explores that.
 *
 * holds: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0
 * holds: long depth=100000 -DOPS0=1 -DOPS1=1
 * holds: long depth=100000 -DOPS0=1 -DOPS1=2 -DDEATHS=0
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_EARLY
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_TELL
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_ORDER
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_DONE
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_IDLE
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_LATE
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_LABEL
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_DROP
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_PLAIN
 * fails: depth=100000 -DOPS0=1 -DOPS1=1 -DDEATHS=0 -DBUG_STATE
 *
 * BUG_EARLY: a sweeper frees before the journal is carried out. BUG_TELL: the next one that joins
 * does not tell the hands of the dead one that it has committed. BUG_ORDER: who asks looks first
 * whether the hand was told. BUG_DONE: who recovers the journal does not write down whose it
 * was. BUG_IDLE: it does so after IDLE. BUG_LATE: the hands are emptied after the word was given
 * back. BUG_LABEL: the old block is freed without a label. BUG_DROP: a block that is held and
 * freed in one transaction is freed at once. BUG_PLAIN: COMMITTED does not say whether there are
 * blocks. BUG_STATE: who asks does not distinguish the two.
 */
#ifndef N
#define N 2
#endif
#ifndef DEATHS
#define DEATHS 1 /* of sweepers */
#endif
#define BLOCKS 3

/* The transaction. */
#define IDLE      0
#define COMMITTED 1
#define COMMITTED_BLOCKS 2
byte owner;   /* thread + 1 */
byte state, joined, done;
byte to_link, to_write; /* the journal */
byte word[2];           /* the data */

/* Hands: two a thread. One for the new block, one for the old one. */
#define NONE     0
#define HELD     1
#define FREE     2
#define TXN_HOLD 3
#define TXN_FREE 4
#define TXN_DROP 5
#define HANDS (2 * N)
#define NEW(t) (2 * (t))
#define OLD(t) (2 * (t) + 1)
byte op[HANDS], ref[HANDS], number[HANDS];
bool told[HANDS];

bool is_free[BLOCKS + 1];
byte label[BLOCKS + 1];
bool dead[N], swept[N];
byte deaths = DEATHS;

/* What is true. */
#define IS_FREE  0
#define LINKED   1
#define DOOMED   2 /* a commit has decided that it is freed */
#define LOST     3 /* unlinked by the program, and not freed yet */
#define IS_OF(t) (8 + (t))
byte is[BLOCKS + 1];
byte truth;

/* A number says whose it is. */
#define NUMBER(t, left) (1 + 4 * (t) + (left))
#define THREAD_OF(n)    (((n) - 1) / 4)

#define DIE_HERE if :: skip :: goto death fi
#define CLEAR(b, t) if :: label[b] == (t) + 1 -> label[b] = 0 :: else fi

#define NO   0
#define YES  1
#define WAIT 2 /* yes, but the journal is not carried out */

#ifdef BUG_STATE
#define CARRIED_OUT(s) (s == IDLE)
#else
#define CARRIED_OUT(s) (s != COMMITTED_BLOCKS)
#endif
#ifdef BUG_ORDER
#define TOLD_FIRST(h) if :: told[h] -> answer = YES :: else fi
#define TOLD_LAST(h) skip
#else
#define TOLD_FIRST(h) skip
#define TOLD_LAST(h) if :: told[h] -> answer = YES :: else fi
#endif

/* Has the transaction of hand h committed? `MAY_STOP` stands between all looks. */
#define JUDGE(h, MAY_STOP) \
	n = number[h]; \
	answer = NO; \
	TOLD_FIRST(h); \
	MAY_STOP; \
	s = state; \
	MAY_STOP; \
	if \
	:: !CARRIED_OUT(s) && joined == n -> answer = WAIT \
	:: else -> \
		MAY_STOP; \
		if :: done == n -> answer = YES :: else fi; \
		MAY_STOP; \
		TOLD_LAST(h) \
	fi; \
	s = 0; \
	n = 0

proctype worker(byte me; byte left)
{
	byte new, old, n, s, answer, h, i;
	bool joins, drops;

	do
	:: left == 0 -> goto death
	:: left > 0 ->
	atomic { owner == 0 -> owner = me + 1; left-- }

	/* Recovery, without a look at any block. */
	DIE_HERE;
	if
	:: state != IDLE ->
		DIE_HERE;
		atomic { assert(to_write == 0 || is[to_write] == DOOMED); word[0] = to_link }
		DIE_HERE;
		word[1] = to_link;
		DIE_HERE;
		if
		:: state == COMMITTED_BLOCKS ->
#ifdef BUG_IDLE
			state = IDLE; DIE_HERE;
#endif
#ifndef BUG_DONE
			done = joined
#endif
		:: else
		fi;
		DIE_HERE;
		state = IDLE
	:: else
	fi;
	assert(word[0] == truth && word[1] == truth);
	assert(truth == 0 || is[truth] == LINKED);
	DIE_HERE;
	old = word[0];
	if
	:: joins = true; drops = false
	:: joins = true; drops = true
	:: old != 0 -> joins = false; drops = false
	fi;
	if :: !joins -> goto writes :: else fi;

	/* It joins. Its number ends what could be known of the number before. */
	if
#ifndef BUG_TELL
	:: joined != 0 && joined == done ->
		n = joined;
		i = 0;
		do
		:: i == 2 -> break
		:: i < 2 ->
			h = 2 * THREAD_OF(n) + i;
			atomic {
				if
				:: op[h] >= TXN_HOLD && number[h] == n -> told[h] = true
				:: else
				fi;
				i++
			}
			DIE_HERE
		od
#endif
	:: else
	fi;
	joined = NUMBER(me, left);
	n = 0; h = 0; i = 0;

	/* mdg_txn_hold. How a block becomes held, heap_hand.pml explores. */
	DIE_HERE;
	atomic {
		if
		:: is_free[1] -> new = 1
		:: else -> if :: is_free[2] -> new = 2
			:: else -> if :: is_free[3] -> new = 3 :: else -> goto cancel fi fi
		fi;
		assert(is[new] == IS_FREE);
		is_free[new] = false; is[new] = IS_OF(me); label[new] = me + 1;
		ref[NEW(me)] = new; op[NEW(me)] = HELD
	}
	DIE_HERE;
	atomic { number[NEW(me)] = NUMBER(me, left); op[NEW(me)] = TXN_HOLD; told[NEW(me)] = false }

	/* mdg_txn_free */
	DIE_HERE;
	if
	:: drops ->
#ifdef BUG_DROP
		atomic { is_free[new] = true; label[new] = 0; is[new] = IS_FREE; op[NEW(me)] = NONE }
#else
		op[NEW(me)] = TXN_DROP
#endif
	:: !drops && old != 0 ->
		/* Who has linked it may be dead, and not swept. */
		if
		:: atomic { label[old] != 0 -> i = label[old] - 1 }
			assert(i != me);
			if
			:: op[NEW(i)] == TXN_HOLD && ref[NEW(i)] == old ->
				JUDGE(NEW(i), DIE_HERE);
				/* or the sweeper has gone on */
				assert(answer != NO || op[NEW(i)] != TXN_HOLD)
			:: else
			fi;
			DIE_HERE;
			atomic { CLEAR(old, i) }
		:: else
		fi;
		i = 0; answer = 0;
		DIE_HERE;
		atomic {
			ref[OLD(me)] = old; number[OLD(me)] = NUMBER(me, left);
			op[OLD(me)] = TXN_FREE; told[OLD(me)] = false
		}
	:: else
	fi;

writes:	DIE_HERE;
	if :: joins -> goto cancel :: skip fi;
	atomic {
		if
		:: !joins -> to_link = 0; to_write = 0
		:: joins && drops -> to_link = old; to_write = new
		:: joins && !drops -> to_link = new; to_write = old
		fi
	}
	DIE_HERE;
	atomic {
		truth = to_link;
		if
		:: !joins ->
			is[old] = LOST
		:: joins && drops ->
#ifndef BUG_DROP
			is[new] = DOOMED
#endif
		:: joins && !drops ->
			is[new] = LINKED;
			if :: old != 0 -> is[old] = DOOMED :: else fi
		fi;
#ifdef BUG_PLAIN
		state = COMMITTED
#else
		if :: joins -> state = COMMITTED_BLOCKS :: else -> state = COMMITTED fi
#endif
	}
	DIE_HERE;
	atomic { assert(to_write == 0 || is[to_write] == DOOMED); word[0] = to_link }
	DIE_HERE;
	word[1] = to_link;
	DIE_HERE;
#ifdef BUG_IDLE
	state = IDLE;
	DIE_HERE;
#endif
	if :: joins -> done = NUMBER(me, left); DIE_HERE :: else fi;
	state = IDLE;
	DIE_HERE;
#ifdef BUG_LATE
	if :: joins -> joined = 0; DIE_HERE :: else fi;
	owner = 0;
	DIE_HERE;
#endif
	if
	:: joins && !drops ->
		atomic { CLEAR(new, me) }
		DIE_HERE;
		op[NEW(me)] = NONE;
		DIE_HERE;
		if
		:: old != 0 ->
#ifndef BUG_LABEL
			label[old] = me + 1;
			DIE_HERE;
#endif
			op[OLD(me)] = FREE;
			DIE_HERE;
			atomic {
				assert(is[old] == DOOMED);
				is[old] = IS_FREE; is_free[old] = true; label[old] = 0
			}
			DIE_HERE;
			op[OLD(me)] = NONE
		:: else
		fi
#ifndef BUG_DROP
	:: joins && drops -> goto drop_it
#endif
	:: else
	fi;
	goto end;

cancel:	DIE_HERE;
	if :: op[OLD(me)] == TXN_FREE -> op[OLD(me)] = NONE; DIE_HERE :: else fi;
drop_it:
	if
	:: op[NEW(me)] >= TXN_HOLD ->
		op[NEW(me)] = FREE;
		DIE_HERE;
		atomic {
			assert(is[new] == IS_OF(me) || is[new] == DOOMED);
			is[new] = IS_FREE; is_free[new] = true; label[new] = 0
		}
		DIE_HERE;
		op[NEW(me)] = NONE
	:: else
	fi;
end:	DIE_HERE;
	if :: joins -> atomic { if :: owner == me + 1 -> joined = 0 :: else fi } DIE_HERE :: else fi;
	atomic { if :: owner == me + 1 -> owner = 0 :: else fi }
	/* A plain mdg_free of what was unlinked. */
	if
	:: !joins ->
		DIE_HERE;
		if
		:: atomic { label[old] != 0 -> i = label[old] - 1 }
			assert(i != me);
			if
			:: op[NEW(i)] == TXN_HOLD && ref[NEW(i)] == old ->
				JUDGE(NEW(i), DIE_HERE);
				assert(answer != NO || op[NEW(i)] != TXN_HOLD)
			:: else
			fi;
			DIE_HERE;
			atomic { CLEAR(old, i) }
		:: else
		fi;
		DIE_HERE;
		atomic {
			assert(is[old] == LOST);
			is[old] = IS_FREE; is_free[old] = true
		}
	:: else
	fi;
	atomic { new = 0; old = 0; n = 0; s = 0; answer = 0; h = 0; i = 0; joins = false; drops = false }
	od;

death:	/* The kernel marks one word after the other. */
	if
	:: atomic { if :: owner == me + 1 -> owner = 0 :: else fi }
	   atomic { dead[me] = true; new = 0; old = 0; n = 0; s = 0; answer = 0; h = 0; i = 0 }
	:: dead[me] = true;
	   atomic {
		if :: owner == me + 1 -> owner = 0 :: else fi;
		new = 0; old = 0; n = 0; s = 0; answer = 0; h = 0; i = 0
	   }
	fi
}

#define KILLED if :: skip :: atomic { deaths > 0 -> deaths--; goto next } fi

proctype sweeper()
{
	byte d, h, b, n, s, answer, i;
	bool all;

next:	atomic {
		h = 0; b = 0; n = 0; s = 0; answer = 0; i = 0; all = true;
		if
		:: dead[0] && !swept[0] -> d = 0
		:: dead[1] && !swept[1] -> d = 1
#if N > 2
		:: dead[2] && !swept[2] -> d = 2
		:: swept[0] && swept[1] && swept[2] -> goto end_check
		:: dead[0] && dead[1] && dead[2] && owner == 0 && state != IDLE -> goto recover
#else
		:: swept[0] && swept[1] -> goto end_check
		:: dead[0] && dead[1] && owner == 0 && state != IDLE -> goto recover
#endif
		fi
	}
	do
	:: i == 2 -> break
	:: i < 2 ->
		h = 2 * d + i;
		i++;
		b = ref[h];
		if
		:: op[h] == NONE -> goto over
		:: op[h] == HELD || op[h] == FREE -> goto give
		:: else
		fi;
		JUDGE(h, KILLED);
		KILLED;
		if
		:: op[h] == TXN_HOLD && answer != NO ->
			atomic { CLEAR(b, d) }
			KILLED;
			op[h] = NONE;
			goto over
		:: op[h] == TXN_FREE && answer == NO ->
			op[h] = NONE;
			goto over
#ifndef BUG_EARLY
		:: op[h] != TXN_HOLD && answer == WAIT ->
			all = false;
			goto over
		:: op[h] == TXN_FREE && answer == YES ->
#else
		:: op[h] == TXN_FREE && answer != NO ->
#endif
			label[b] = d + 1;
			KILLED;
			op[h] = HELD
		:: (op[h] == TXN_HOLD && answer == NO) || (op[h] == TXN_DROP
#ifndef BUG_EARLY
			&& answer != WAIT
#endif
			) ->
			op[h] = HELD
		fi;
give:		KILLED;
		if
		:: is_free[b] || label[b] != d + 1 ->
			atomic { if :: is_free[b] -> CLEAR(b, d) :: else fi }
		:: else ->
			KILLED;
			op[h] = FREE;
			KILLED;
			atomic {
				assert(is[b] == IS_OF(d) || is[b] == DOOMED);
				is[b] = IS_FREE; is_free[b] = true; label[b] = 0
			}
		fi;
		KILLED;
		op[h] = NONE;
over:		KILLED
	od;
	if :: all -> swept[d] = true :: else fi;
	goto next;

recover: /* The next owner, after all the others. */
	atomic {
		assert(to_write == 0 || is[to_write] == DOOMED);
		word[0] = to_link; word[1] = to_link;
		if
		:: state == COMMITTED_BLOCKS ->
#ifndef BUG_DONE
			done = joined
#endif
		:: else
		fi;
		state = IDLE;
		goto next
	}

end_check:
	atomic {
		i = 1;
		do
		:: i > BLOCKS -> break
		:: else ->
			assert(is[i] == IS_FREE || is[i] == LINKED || is[i] == LOST);
			assert((is[i] == IS_FREE) == is_free[i]);
			assert((is[i] == LINKED) == (truth == i));
			assert(label[i] == 0 || is[i] == LOST);
			i++
		od
	}
}

init {
	atomic {
		is[1] = LINKED; word[0] = 1; word[1] = 1; truth = 1;
		is_free[2] = true; is_free[3] = true;
		run worker(0, OPS0);
		run worker(1, OPS1);
#if N > 2
		run worker(2, OPS2);
#endif
		run sweeper()
	}
}
