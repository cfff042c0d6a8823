/* SPDX-License-Identifier: MIT */
/*
 * serve.pml - src/semset: one semaphore, N processes that take a unit with UNDO, and give it back
 * or end with it; and with SETTER one more that sets the value (SETVAL). Up to DEATHS are killed at
 * any step. With POSTER a process adds and takes a unit by compare-and-swap (the fast way).
 *
 * A COMMIT of the journal is one step here: a change happens as a whole, or not at all. The lock is
 * taken from a process that has ended, by the next one, which repairs.
 *
 * A sleeper looks from time to time whether something is to be looked at (sleep.c). So a wake-up
 * that does not come costs time, and no more. What would be lost is a sleeper that could go while
 * its look finds nothing to do. That is asserted when nobody can go on.
 *
 * Asserted, whenever the lock is free: the value and the sums together are what was set. A served
 * sleeper finds its unit in its sum, and one that was interrupted does not. Nobody is served before
 * an older one. Who gives the lock back leaves nobody asleep who could go. At the end nobody's sum
 * is left, and nobody sleeps who could go. A sleeper's block is given back once, and nobody but the
 * sleeper gives back the block of one that has left and lives.
 *
 * Left out: several semaphores, lists of operations, waiting for zero, the express way, threads,
 * exec, which sleeper sleeps on which witness.
 *
 * holds: -DN=3 -DDEATHS=1
 * holds: -DN=2 -DDEATHS=2 -DPOSTER
 * holds: -DN=2 -DDEATHS=1 -DSETTER
 * fails: -DN=3 -DDEATHS=1 -DBUG_SERVING
 * fails: -DN=3 -DDEATHS=1 -DBUG_DEAD
 * fails: -DN=3 -DDEATHS=1 -DBUG_UNDO
 * fails: -DN=2 -DDEATHS=1 -DPOSTER -DBUG_UNSERVED
 * fails: -DN=3 -DDEATHS=1 -DBUG_LEAVE
 * fails: -DN=2 -DDEATHS=1 -DSETTER -DBUG_SET
 * fails: -DN=2 -DDEATHS=1 -DPOSTER -DBUG_BUSY
 * fails: -DN=2 -DDEATHS=0 -DBUG_WITNESS
 * fails: -DN=2 -DDEATHS=0 -DBUG_FREE
 *
 * BUG_SERVING: nobody notes who is being served. BUG_DEAD: a sleeper's word is not swapped but
 * stored, also if it is dead or has left. BUG_UNDO: the value of a dead process changes in one
 * commit, and its sum in the next. BUG_UNSERVED: that a value has changed is not in the same commit
 * as the value. BUG_LEAVE: who is interrupted does not look whether it was served. BUG_SET: the
 * sums are cleared, but who comes after a death does not go on with that. BUG_BUSY: the word is not
 * BUSY while somebody sleeps. BUG_WITNESS: a sleeper does not look at the witnesses. BUG_FREE: the
 * block of a sleeper that has left is given back by whoever serves, and by itself again.
 */
#define MAY_DIE if :: skip :: deaths > 0 -> deaths--; goto dead fi
#define ID (me + 1)

/* A sleeper's word. */
#define NONE   0 /* there is none */
#define ASLEEP 1
#define DONE   2
#define LEFT   3
#define MARKED 4 /* by the kernel */

#if defined(SETTER) || defined(POSTER)
#define ALL (N + 1)
#else
#define ALL N
#endif

byte deaths = DEATHS;
bool quiet;
byte value = 1;
bool busy;
byte lock;             /* the id of its owner, or 0 */
byte state[N];         /* the sleepers' words */
bool given[N];         /* their blocks are given back */
byte line[N], length;  /* the queue */
byte serving;          /* an id */
bool unserved, setting;
byte sum[N];
bool holds[N];         /* in the list of holders */
bool ended[ALL];
/* What nobody in the code knows: */
byte base = 1;         /* what was set, and added since */
bool was_set;          /* sums may have been cleared */

#if N > 2
#define SUMS (sum[0] + sum[1] + sum[2])
#define IS_DUE (holds[0] && ended[0] || holds[1] && ended[1] || holds[2] && ended[2])
#else
#define SUMS (sum[0] + sum[1])
#define IS_DUE (holds[0] && ended[0] || holds[1] && ended[1])
#endif
#ifdef BUG_WITNESS
#define IS_TO_BE_LOOKED_AT (lock != 0 || unserved || serving != 0 || setting)
#else
#define IS_TO_BE_LOOKED_AT (lock != 0 || unserved || serving != 0 || setting || IS_DUE)
#endif

/* ---- under the lock -------------------------------------------------------------------------- */

/* Out of the queue. [atomic] */
inline retire(t)
{
	k = 0;
	do :: line[k] != t && k < length - 1 -> k++ :: else -> break od;
	do :: k < length - 1 -> line[k] = line[k + 1]; k++ :: else -> break od;
	length--; line[length] = 0; k = 0
}

/* One that does not sleep any more. [atomic] */
inline take_away(t)
{
#ifndef BUG_FREE
	if :: state[t] == MARKED -> given[t] = 1 :: else fi;
#else
	given[t] = 1;
#endif
	retire(t)
}

/* Step 3. [atomic] */
inline complete(t)
{
	value--; sum[t]++; retire(t); serving = 0; unserved = (length != 0)
}

inline serve()
{
	do
	:: unserved && at < length ->
		i = line[at];
		if
		:: state[i] != ASLEEP -> atomic { MAY_DIE; take_away(i) }
		:: state[i] == ASLEEP && value == 0 -> at++
		:: state[i] == ASLEEP && value > 0 ->
			atomic { MAY_DIE; assert(at == 0 || state[line[0]] != ASLEEP);
#ifndef BUG_SERVING
				serving = i + 1
#endif
			}
			atomic {
				MAY_DIE;
				if
#ifdef BUG_DEAD
				:: true -> state[i] = DONE
#else
				:: state[i] == ASLEEP -> state[i] = DONE
				:: else -> serving = 0
#endif
				fi
			}
			if
			:: state[i] == DONE -> atomic { MAY_DIE; complete(i) }
			:: state[i] != DONE -> atomic { MAY_DIE; take_away(i) }
			fi
		fi
	:: else -> break
	od;
	atomic { MAY_DIE; unserved = 0; at = 0; i = 0 }
}

/* `staged` becomes the value. */
inline set_again()
{
	if
	:: setting ->
		atomic { MAY_DIE; busy = 1; value = 1; unserved = (length != 0) }
		i = 0;
		do
		:: i < N -> atomic { MAY_DIE; sum[i] = 0; i++ }
		:: i == N -> break
		od;
		atomic { MAY_DIE; base = 1; was_set = 1; setting = 0; i = 0 }
	:: !setting
	fi
}

/* mdg__semset_enter */
inline enter()
{
	if
	:: atomic { lock == 0 -> MAY_DIE; lock = ID }
	:: atomic { lock != 0 && ended[lock - 1] -> MAY_DIE; lock = ID; todo = 1 }
	fi;
	if
	:: todo ->
		atomic {
			MAY_DIE;
			if
			:: serving != 0 && state[serving - 1] == DONE -> i = serving - 1; complete(i)
			:: else -> serving = 0
			fi;
			i = 0
		}
#ifdef BUG_SET
		atomic { MAY_DIE; if :: setting -> base = 1; was_set = 1 :: else fi; setting = 0 }
#endif
	:: !todo
	fi
}

/* What holders have left that have ended. */
inline settle()
{
	h = 0;
	do
	:: h < N && holds[h] && ended[h] && h != me ->
		atomic {
			MAY_DIE;
			busy = 1;
			value = value + sum[h];
#ifdef BUG_UNDO
			if :: length != 0 -> unserved = 1 :: else fi
		}
		atomic {
			MAY_DIE;
#endif
			sum[h] = 0;
			if :: length != 0 -> unserved = 1 :: else fi
		}
		atomic { MAY_DIE; holds[h] = 0; h++ }
	:: h < N && !(holds[h] && ended[h] && h != me) -> h++
	:: h == N -> break
	od;
	h = 0
}

inline leave()
{
#ifdef BUG_BUSY
	atomic { MAY_DIE; busy = 0 }
#else
	atomic { MAY_DIE; busy = (length != 0) }
#endif
	atomic {
		MAY_DIE;
		assert(value + SUMS == base);
		assert(value == 0 || length == 0 || state[line[0]] != ASLEEP);
		lock = 0
	}
}

/* ---- the processes --------------------------------------------------------------------------- */

proctype Process(byte me)
{
	byte i, k, h, at, todo;
	byte goal; /* what to do when all is settled */
#define TAKE 1
#define GIVE 2
#define BACK 3
#define LOOK 4
	goal = TAKE;

begin:	enter();
	if
	:: todo -> todo = 0; set_again(); serve()
	:: !todo
	fi;
	settle();
	serve();
	atomic { MAY_DIE; busy = 1 } /* nobody else changes the word from here on */
	if
	:: goal == TAKE && value > 0 ->
		atomic { MAY_DIE; holds[me] = 1; value--; sum[me]++ }
		leave();
		goto inside
	:: goal == TAKE && value == 0 ->
		atomic {
			MAY_DIE;
			holds[me] = 1; state[me] = ASLEEP; line[length] = me; length++
		}
		leave();
		goto sleep
	:: goal == GIVE ->
		assert(sum[me] == 1 || was_set);
		if
		:: sum[me] == 1 ->
			atomic {
				MAY_DIE;
				value++; sum[me]--;
				if :: length != 0 -> unserved = 1 :: else fi
			}
			serve()
		:: sum[me] != 1
		fi;
		leave();
		goto gone
	:: goal == BACK ->
		atomic {
			MAY_DIE;
			assert(sum[me] == 0);
			i = 0;
			do :: i < length && line[i] != me -> i++ :: else -> break od;
			if :: i < length -> retire(me) :: else fi;
			i = 0; state[me] = NONE;
			assert(!given[me]); given[me] = 1
		}
		leave();
		goto gone
	:: goal == LOOK -> leave(); goto sleep
	fi;

end_asleep:
sleep:	if
	:: atomic { state[me] == DONE -> goto inside }
	:: atomic { state[me] == ASLEEP && IS_TO_BE_LOOKED_AT &&
		(lock == 0 || ended[lock - 1]) -> goal = LOOK; goto begin }
	:: atomic { !quiet -> MAY_DIE;
#ifdef BUG_LEAVE
		state[me] = LEFT; goal = BACK; goto begin
#else
		if
		:: state[me] == ASLEEP -> state[me] = LEFT; goal = BACK; goto begin
		:: else -> goto inside
		fi
#endif
		}
	:: atomic { !quiet && deaths > 0 -> deaths--; goto dead }
	fi;

inside:	if
	:: goal = GIVE; goto begin
	:: goto gone
	fi;

gone:
dead:	/* The kernel: first the words in the robust list, and then the process has ended. */
	atomic {
		i = 0; k = 0; h = 0; at = 0; todo = 0; goal = 0;
		if :: state[me] == ASLEEP -> state[me] = MARKED :: else fi
	}
	ended[me] = 1
}

#ifdef SETTER
proctype Setter(byte me)
{
	byte i, k, h, at, todo;

	enter();
	if
	:: todo -> todo = 0; set_again(); serve()
	:: !todo
	fi;
	settle();
	serve();
	atomic { MAY_DIE; setting = 1 }
	set_again();
	serve();
	leave();
dead:	atomic { i = 0; k = 0; h = 0; at = 0; todo = 0; ended[me] = 1 }
}
#endif

#ifdef POSTER
/* The fast way, twice. If the word is BUSY, it goes the slow way. */
proctype Poster(byte me)
{
	byte i, k, h, at, todo;

	if
	:: atomic { !busy -> MAY_DIE; value++; base++ }
	:: busy ->
		enter();
		if
		:: todo -> todo = 0; set_again(); serve()
		:: !todo
		fi;
		settle();
		serve();
		atomic {
			MAY_DIE;
			busy = 1; value++; base++;
#ifdef BUG_UNSERVED
			MAY_DIE;
#endif
			if :: length != 0 -> unserved = 1 :: else fi
		}
		serve();
		leave()
	fi;
	if
	:: atomic { !busy && value > 0 -> value--; base-- }
	:: skip
	fi;
dead:	atomic { i = 0; k = 0; h = 0; at = 0; todo = 0; ended[me] = 1 }
}
#endif

init {
	byte i;
	atomic {
		for (i : 0 .. N - 1) { run Process(i) }
#ifdef SETTER
		run Setter(N);
#endif
#ifdef POSTER
		run Poster(N);
#endif
	}
	quiet = 1;
	/* Nobody can go on: they have ended, or sleep. */
end:	timeout ->
	atomic {
		for (i : 0 .. N - 1) {
			assert(state[i] != ASLEEP || (value == 0 && !(holds[0] && ended[0]) &&
				!(holds[1] && ended[1])))
		}
	}
}
