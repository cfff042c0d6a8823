/* SPDX-License-Identifier: MIT */
/*
 * express.pml - src/semset/express.c and slips.c: operations on two semaphores with UNDO, without
 * the lock, and a holder of the lock that claims words meanwhile.
 *
 * The first process makes a call on both semaphores. HANDLERS signal handlers interrupt it, one
 * after the other, at any step, and make calls of their own. With LEAVE so many of them do not
 * come to their end, because another handler has left them by longjmp.
 * Whatever has been interrupted may go on, or not: then it is as if the call had been left. With
 * OTHER a second process makes a call beside it, with a slip of its own; with REUSE it waits until
 * the first is dead and its block was given back, and gets that. Up to DEATHS processes are killed
 * at any step, the holder of the lock too. TRIES: how often a call begins. OPS: which calls the
 * handlers and the second process may make.
 *
 * The holder of the lock settles what the dead have left, claims a word or both, and gives them
 * back, again and again. A commit of the journal is one step. So is writing down an entry, or
 * reading one. If the slow way would come next, a call ends.
 *
 * Asserted, when a word is claimed: the value and its sums together are what they were. Each sum is
 * what the operations that were DONE have made of it. So an operation on two semaphores happens on
 * both or on none, once. What a dead process had comes back once, and nothing comes later. When all
 * calls have ended, it takes few steps to claim a word.
 *
 * Left out: who changed a semaphore last, clamping, changes without UNDO, three semaphores, numbers
 * that begin again (after 2^26 uses), exec, a slip that another thread of the process gets.
 *
 * holds: -DHANDLERS=1 -DDEATHS=1 -DOPS=2
 * holds: -DHANDLERS=1 -DDEATHS=0 -DLEAVE=1 -DOPS=1
 * holds: long -DHANDLERS=1 -DOTHER -DREUSE -DDEATHS=1 -DOPS=2
 * holds: -DOTHER -DREUSE -DDEATHS=1 -DOPS=1
 * holds: -DOTHER -DREUSE -DDEATHS=1 -DOPS=2
 * holds: -DHANDLERS=1 -DOTHER -DREUSE -DDEATHS=0 -DOPS=1
 * fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_NUMBER
 * fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_SUM
 * fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_OLDER
 * fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_ABORT
 * fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_LATE
 * fails: -DHANDLERS=1 -DDEATHS=0 -DLEAVE=1 -DBUG_WRITING
 *
 * By hand, because it takes minutes to compile them all:
 *     holds: -DHANDLERS=1 -DDEATHS=0 -DTRIES=2 -DOPS=2
 *     holds: -DOTHER -DDEATHS=1 -DOPS=2
 *     fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_COUNTER
 *     fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_DONE
 *     fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_UNDO
 *     fails: -DHANDLERS=1 -DDEATHS=1 -DBUG_CHECK
 *     fails: -DHANDLERS=1 -DOTHER -DREUSE -DDEATHS=1 -DOPS=2 -DBUG_WRITING -DBUG_NAMES
 *
 * BUG_NUMBER: the words do not say the number. BUG_SUM: a sum is added to, whatever it is by now.
 * BUG_COUNTER: a sum does not count its changes. BUG_OLDER: a handler takes the slip without ending
 * the older use. BUG_DONE: the state becomes DONE before all words are claimed. BUG_UNDO: the sums
 * of the dead are given back before their slips are ended. BUG_ABORT: a word is taken from a use
 * that is TRIED, and the use is not ABORTED. BUG_CHECK: the state is not looked at again after the
 * entry was read. BUG_LATE: a call ends with stores to the words. BUG_WRITING: a handler uses a
 * slip to which the call below it writes. BUG_NAMES: and if no entry names the semaphore, the first
 * one counts. Found by hand, because it takes a minute and a half (-DHANDLERS=2 -DDEATHS=0
 * -DLEAVE=2 -DTRIES=2 -DOPS=1): BUG_MOVE: who has ended an older use moves whatever use it finds
 * then to the next number.
 */
#ifndef HANDLERS
#define HANDLERS 0
#endif
#ifndef TRIES
#define TRIES 1
#endif
#ifndef CHANGES
#define CHANGES 0
#endif

/* Who runs. */
#define FIRST  0 /* the process with a handler */
#define SECOND 1
#define KEEPER 2 /* of the lock */

/* A semaphore's word: the value, flags, and what an EXPRESS word says. */
#define VALUE(w) ((w) & 7)
#define BUSY     8
#define EXPRESS  16
#define SLIP(w)  (((w) >> 5) & 1)
#ifdef BUG_NUMBER
#define NAMES(slip, said) (EXPRESS | (slip) << 5)
#else
#define NAMES(slip, said) (EXPRESS | (slip) << 5 | ((said) >> 2) << 6)
#endif

/* A slip's state: 4 * number + one of these. */
#define IDLE    0
#define TRIED   1
#define DONE    2
#define ABORTED 3
#define PHASE(said) ((said) & 3)
#define NUMBER 4

/* A sum: 4 + the sum, and 8 * how often it has changed. */
#define SUM(process, n) sum[2 * (process) + (n)]
#define AMOUNT(s) (((s) & 7) - 4)
#ifdef BUG_COUNTER
#define CHANGED(s, by) ((s) + (by))
#else
#define CHANGED(s, by) ((s) + (by) + 8)
#endif

short word[2];
byte sum[4];
byte state[2];              /* of two slips */
byte count[2];
bool is_slip[2];
bool writing[2];
byte owner[2];
byte number_of[4], value_of[4], old_of[4], sum_of[4], change_of[4]; /* two entries each */
bool listed[2];             /* as a holder */
bool locked;
bool dead[3];
bool inside;                /* the handler runs */
byte left;                  /* calls that have not ended */
byte deaths = DEATHS, changes = CHANGES;
#ifdef LEAVE
byte leaves = LEAVE;
#endif
/* What nobody in the code knows: */
byte base[2];               /* each value and its sums */
byte net[4];                /* 4 + each sum, from what is DONE */

/* Before each step. */
#ifdef LEAVE
#define GO \
	(dead[me] || me != FIRST || is_handler || !inside); \
	if \
	:: dead[me] -> goto gone \
	:: !dead[me] && is_handler && leaves > 0 -> leaves--; goto gone \
	:: !dead[me] \
	fi
#else
#define GO \
	(dead[me] || me != FIRST || is_handler || !inside); \
	if :: dead[me] -> goto gone :: !dead[me] fi
#endif

/* ---- step 4, and resolve() ------------------------------------------------------------------- */

/* [atomic] */
inline change_sum(process, n, from, by)
{
	if
#ifdef BUG_SUM
	:: by != 4 -> SUM(process, n) = CHANGED(SUM(process, n), by - 4)
#else
	:: by != 4 && SUM(process, n) == from -> SUM(process, n) = CHANGED(from, by - 4)
#endif
	:: else
	fi
}

/* [atomic] */
#define SWAP(where, from, to) if :: (where) == (from) -> where = (to) :: else fi

inline find_entry(slip, n)
{
	at = 2 * slip;
	if
	:: count[slip] > 0 && number_of[at] == n
	:: count[slip] > 1 && number_of[at] != n && number_of[at + 1] == n -> at++
#ifdef BUG_NAMES
	:: else -> at = (count[slip] > 0 -> at : 4)
#else
	:: else -> at = 4
#endif
	fi
}

#define RESET said = 0; at = 0; was = 0; becomes = 0; from = 0; by = 0

inline resolve(slip, n, seen)
{
	atomic { GO; said = state[slip] }
	atomic {
		GO;
		find_entry(slip, n);
		if
		:: at == 4 || (VALUE(seen) | NAMES(slip, said)) != seen -> at = 4
		:: else ->
			was = old_of[at]; becomes = value_of[at]; from = sum_of[at]; by = change_of[at];
			at = 0
		fi
	}
#ifdef BUG_CHECK
	if :: at == 4 -> atomic { GO; if :: state[slip] == said :: else -> said = 255 fi } :: at < 4 fi;
#else
	atomic { GO; if :: state[slip] == said :: else -> said = 255 fi }
#endif
	if
	:: said == 255 -> atomic { RESET }
	:: said != 255 && at == 4 -> /* gone on */
		atomic { GO; SWAP(word[n], seen, VALUE(seen)); RESET }
	:: said != 255 && at != 4 && PHASE(said) == TRIED ->
#ifdef BUG_ABORT
		atomic { GO; SWAP(word[n], seen, was); RESET }
#else
		atomic { GO; SWAP(state[slip], said, said - TRIED + ABORTED); RESET }
#endif
	:: said != 255 && at != 4 && PHASE(said) == DONE ->
		atomic { GO; change_sum(owner[slip], n, from, by) }
		atomic { GO; SWAP(word[n], seen, becomes); RESET }
	:: said != 255 && at != 4 && (PHASE(said) == IDLE || PHASE(said) == ABORTED) ->
		atomic { GO; SWAP(word[n], seen, was); RESET }
	fi
}

/* ---- a call ---------------------------------------------------------------------------------- */

/* The operations: on the first semaphore, then on the second, with the change + 4. */
#ifndef OPS
#define OPS 7
#endif
#define WHICH(bit) (OPS & (bit))
inline choose()
{
	if
	:: !is_handler && me == FIRST -> num[0] = 0; chg[0] = 3; num[1] = 1; chg[1] = 5; steps = 2
	:: (is_handler || me == SECOND) && WHICH(1) -> 
		num[0] = 1; chg[0] = 3; num[1] = 0; chg[1] = 5; steps = 2
	:: (is_handler || me == SECOND) && WHICH(2) -> num[0] = 1; chg[0] = 5; chg[1] = 4; steps = 1
	:: (is_handler || me == SECOND) && WHICH(4) -> num[0] = 0; chg[0] = 3; chg[1] = 4; steps = 1
	fi
}

/* [atomic] */
inline look(k)
{
	old[k] = word[num[k]];
	if
	:: old[k] > 7 || VALUE(old[k]) + chg[k] < 4 -> goto slow
	:: else -> new[k] = old[k] + chg[k] - 4
	fi
}

inline end_older()
{
#ifdef BUG_OLDER
	atomic { GO; now = state[slip]; state[slip] = now - PHASE(now) + NUMBER; now = 0 }
#else
	atomic { GO; mine = state[slip] }
	if
	:: PHASE(mine) == TRIED -> atomic { GO; SWAP(state[slip], mine, mine - TRIED + ABORTED) }
	:: PHASE(mine) != TRIED
	fi;
	i = 0;
	do
	:: atomic { i < 2 && i < count[slip] ->
		GO; seen = word[number_of[2 * slip + i]]; named = number_of[2 * slip + i] }
		if
		:: (seen & EXPRESS) && SLIP(seen) == slip -> resolve(slip, named, seen)
		:: !((seen & EXPRESS) && SLIP(seen) == slip)
		fi;
		i++
	:: atomic { i >= 2 || i >= count[slip] -> break }
	od;
	atomic { i = 0; seen = 0; named = 0 }
#ifdef BUG_MOVE
	atomic { GO; mine = state[slip] }
	atomic { GO; SWAP(state[slip], mine, mine - PHASE(mine) + NUMBER) }
#else
	atomic { GO; now = state[slip] }
	if
	:: now >> 2 == mine >> 2 -> atomic { GO; SWAP(state[slip], now, now - PHASE(now) + NUMBER) }
	:: now >> 2 != mine >> 2
	fi;
	now = 0
#endif
#endif
}

/* [atomic] */
inline fill(k)
{
	old_of[2 * slip + k] = old[k]; number_of[2 * slip + k] = num[k];
	value_of[2 * slip + k] = new[k]; change_of[2 * slip + k] = 8 - chg[k]
}

/* [atomic] */
inline claim_word(k)
{
	if
	:: claimed == k && word[num[k]] == old[k] ->
		word[num[k]] = old[k] | NAMES(slip, mine); claimed++
	:: else
	fi
}

/* [atomic] */
inline read_sum(k)
{
	sums[k] = SUM(me, num[k]); sum_of[2 * slip + k] = sums[k]
}

inline end_one_step(k)
{
	atomic { GO; if :: done -> change_sum(me, num[k], sums[k], 8 - chg[k]) :: else fi }
	atomic {
		GO;
#ifdef BUG_LATE
		word[num[k]] = (done -> new[k] : old[k])
#else
		SWAP(word[num[k]], old[k] | NAMES(slip, mine), (done -> new[k] : old[k]))
#endif
	}
}

/* [atomic] The moment at which it happens. */
inline happen()
{
	if
	:: state[slip] == mine ->
		state[slip] = mine - TRIED + DONE; done = 1;
		net[2 * me + num[0]] = net[2 * me + num[0]] + 4 - chg[0];
		net[2 * me + num[1]] = net[2 * me + num[1]] + 4 - chg[1];
	:: else
	fi
}

inline forget()
{
	atomic {
		mine = 0; now = 0; done = 0; claimed = 0; steps = 0; named = 0;
		num[0] = 0; num[1] = 0; chg[0] = 4; chg[1] = 4;
		old[0] = 0; old[1] = 0; new[0] = 0; new[1] = 0; sums[0] = 0; sums[1] = 0;
		i = 0; seen = 0; said = 0; at = 0; was = 0; becomes = 0; from = 0; by = 0
	}
}

#ifdef BUG_WRITING
#define STOP_WRITING skip
#else
#define STOP_WRITING atomic { GO; writing[slip] = 0 }
#endif

#ifdef BUG_DONE
#define ALL_CLAIMED (claimed >= 1)
#else
#define ALL_CLAIMED (claimed == steps)
#endif

inline call()
{
	choose();
	tries = TRIES;
	do
	:: tries > 0 ->
		tries--;
		atomic { GO; mine = state[slip] }
		if
		:: PHASE(mine) != IDLE -> end_older()
		:: PHASE(mine) == IDLE
		fi;
		atomic { GO; mine = state[slip]; mine = mine - PHASE(mine) }
		atomic { GO; look(0) }
		atomic { GO; if :: steps == 2 -> look(1) :: else fi }
#ifndef BUG_WRITING
		atomic { GO; writing[slip] = 1 }
		atomic { GO; if :: state[slip] == mine :: else -> mine = 255 fi }
#endif
		if
		:: mine != 255 ->
			atomic { GO; fill(0) }
			atomic { GO; if :: steps == 2 -> fill(1) :: else fi; count[slip] = steps }
			atomic {
				GO;
				if
				:: state[slip] == mine -> mine = mine + NUMBER + TRIED; state[slip] = mine
				:: else -> mine = 255
				fi
			}
		:: mine == 255
		fi;
		if
		:: mine != 255 ->
			atomic { GO; claim_word(0) }
#ifdef BUG_DONE
			/* The second comes below. */
#else
			atomic { GO; if :: steps == 2 && claimed == 1 -> claim_word(1) :: else fi }
#endif
			atomic { GO; if :: ALL_CLAIMED -> read_sum(0) :: else fi }
			atomic { GO; if :: ALL_CLAIMED && steps == 2 -> read_sum(1) :: else fi }
			STOP_WRITING;
			atomic {
				GO;
				if :: ALL_CLAIMED -> happen() :: else fi;
				if :: !done -> SWAP(state[slip], mine, mine - TRIED + ABORTED) :: else fi
			}
#ifdef BUG_DONE
			atomic { GO; if :: steps == 2 && claimed == 1 -> claim_word(1) :: else fi }
#endif
			if :: claimed > 0 -> end_one_step(0) :: claimed == 0 fi;
			if :: claimed > 1 -> end_one_step(1) :: claimed < 2 fi;
			atomic { GO; SWAP(state[slip], mine - TRIED + (done -> DONE : ABORTED), mine - TRIED) }
			if :: done -> break :: !done fi;
			claimed = 0
		:: mine == 255 -> STOP_WRITING
		fi
	:: tries == 0 -> break
	od
}

proctype Call(byte me; bool is_handler)
{
	byte slip, tries, steps, mine, now, claimed, i, named;
	byte num[2], chg[2], old[2], new[2], sums[2];
	bool done;
	short seen;
	byte said, at, was, becomes, from, by;

	if
	:: me == SECOND ->
end_waiting:	atomic {
			/* mdg__slip_prepare, under the lock */
#ifdef REUSE
			!locked && !is_slip[0]; slip = 0;
#else
			!locked; slip = 1;
#endif
			is_slip[slip] = 1; state[slip] = NUMBER; owner[slip] = SECOND;
			count[slip] = 0; writing[slip] = 0;
			listed[SECOND] = 1
		}
	:: me == FIRST && is_handler ->
end_handler:	atomic {
			!inside || dead[me];
			GO;
			inside = 1;
#ifdef OTHER
			if :: writing[0] -> goto slow :: else fi
#else
			slip = writing[0]
#endif
		}
	:: me == FIRST && !is_handler
	fi;
	chg[0] = 4; chg[1] = 4;
	call();
slow:
gone:	tries = 0;
	forget();
	atomic { if :: is_handler -> inside = 0 :: !is_handler fi; slip = 0; left-- }
}

/* ---- under the lock -------------------------------------------------------------------------- */

inline claim(n)
{
	atomic { GO; seen = word[n]; touched = touched | (1 << n) }
	turns = 0;
	do
	:: seen & BUSY -> break
	:: !(seen & BUSY) && (seen & EXPRESS) ->
		if
		:: is_slip[SLIP(seen)] -> resolve(SLIP(seen), n, seen)
		:: !is_slip[SLIP(seen)] -> atomic { GO; SWAP(word[n], seen, VALUE(seen)) }
		fi;
		atomic {
			GO;
			seen = word[n];
			if :: left == 0 -> turns++; assert(turns < 4) :: left > 0 fi
		}
	:: !(seen & BUSY) && !(seen & EXPRESS) ->
		atomic {
			GO;
			if
			:: word[n] == seen -> word[n] = seen | BUSY; seen = 0; break
			:: else -> seen = word[n]
			fi
		}
	od;
	turns = 0; seen = 0
}

inline end_slip(slip)
{
	j = 0;
	do
	:: j < count[slip] -> claim(number_of[2 * slip + j]); j++
	:: j >= count[slip] -> break
	od;
	j = 0;
	atomic { GO; is_slip[slip] = 0 }
}

inline end_slips(process)
{
	if
	:: is_slip[0] && owner[0] == process -> end_slip(0)
	:: !(is_slip[0] && owner[0] == process)
	fi;
	if
	:: is_slip[1] && owner[1] == process -> end_slip(1)
	:: !(is_slip[1] && owner[1] == process)
	fi
}

inline undo(process, n)
{
	if
	:: AMOUNT(SUM(process, n)) != 0 ->
		claim(n);
		atomic {
			GO;
			assert((SUM(process, n) & 7) == net[2 * (process) + n]);
			word[n] = word[n] + AMOUNT(SUM(process, n));
			SUM(process, n) = SUM(process, n) - AMOUNT(SUM(process, n));
			net[2 * (process) + n] = 4
		}
	:: AMOUNT(SUM(process, n)) == 0
	fi
}

inline settle(process)
{
	if
	:: dead[process] && listed[process] ->
#ifndef BUG_UNDO
		end_slips(process);
#endif
		undo(process, 0);
		undo(process, 1);
		atomic {
			GO;
			assert(net[2 * process] == 4 && net[2 * process + 1] == 4);
			listed[process] = 0
		}
#ifdef BUG_UNDO
		end_slips(process);
#endif
	:: !(dead[process] && listed[process])
	fi
}

#define IS_RIGHT(n) \
	(VALUE(word[n]) + AMOUNT(sum[n]) + AMOUNT(sum[2 + n]) == base[n] && \
	 (sum[n] & 7) == net[n] && (sum[2 + n] & 7) == net[2 + n])

/* [atomic] The slow way changes a value. */
inline change(n)
{
	if
	:: touched & (1 << n) && changes > 0 -> word[n] = word[n] + 1; base[n]++; changes--
	:: skip
	fi
}

/* [atomic] */
inline give_back(n)
{
	if
	:: touched & (1 << n) ->
		assert(word[n] & BUSY);
		assert(IS_RIGHT(n));
		change(n);
		word[n] = VALUE(word[n])
	:: !(touched & (1 << n))
	fi
}

proctype Keeper(byte me)
{
	byte touched, turns, j;
	short seen;
	byte said, at, was, becomes, from, by;
	bool is_handler;

	do
	::
		atomic { GO; locked = 1 }
		settle(FIRST);
		settle(SECOND);
		if
		:: claim(0)
		:: claim(1)
		:: claim(0); claim(1)
		fi;
		atomic { GO; give_back(0); give_back(1); touched = 0; locked = 0 }
		goto more;
gone:		atomic {
			touched = 0; turns = 0; j = 0; seen = 0; dead[me] = 0;
			said = 0; at = 0; was = 0; becomes = 0; from = 0; by = 0
		}
more:		skip
	od
}

active proctype Killer()
{
end:	do
	:: atomic { deaths > 0 && !dead[FIRST] -> dead[FIRST] = 1; deaths-- }
	:: atomic { deaths > 0 && !dead[SECOND] && listed[SECOND] -> dead[SECOND] = 1; deaths-- }
	:: atomic { deaths > 0 && !dead[KEEPER] -> dead[KEEPER] = 1; deaths-- }
	:: deaths == 0 -> break
	od
}

init {
	atomic {
		word[0] = 1; word[1] = 1; base[0] = 1; base[1] = 1;
		sum[0] = 4; sum[1] = 4; sum[2] = 4; sum[3] = 4;
		net[0] = 4; net[1] = 4; net[2] = 4; net[3] = 4;
		is_slip[0] = 1; state[0] = NUMBER; listed[FIRST] = 1;
#ifndef OTHER
		is_slip[1] = 1; state[1] = NUMBER;
#endif
		run Call(FIRST, 0); left++;
#if HANDLERS > 0
		run Call(FIRST, 1); left++;
#endif
#if HANDLERS > 1
		run Call(FIRST, 1); left++;
#endif
#ifdef OTHER
		run Call(SECOND, 0); left++;
#endif
		run Keeper(KEEPER)
	}
}
