/* SPDX-License-Identifier: MIT */
/*
 * queue.pml - the listeners of a queue: recv_kept of listen.c, hold.c (mdg__hold_take, adopt, take_next, take_kept,
 * mdg__hold_release, mdg__hold_orphan, mdg__hold_inherit, mdg__hold_repair), the room that a talker
 * computes beside them without a lock (mdg__hold_needed), and what seats.c does for the dead
 * and for those that come (bury, mdg__seat_take, inherit). Talkers among each other: talk.pml.
 *
 * A talker sends M messages of one line each. The ring has RING lines, and the one behind the last
 * message is EMPTY. SEATS listeners take one message or two, give out all of them or only the first
 * (give_less), and release them. Listeners are killed at any step, DEATHS times in all. So is the
 * keeper of the seat lock, which buries the dead or lets a new listener in; the next keeper begins
 * anew. A listener that leaves is one that dies between two steps. New listeners come at any time.
 * Each takes a free seat or, if there is none, the seat of an orphan.
 *
 * take_lock is free, held, or held by a dead listener. In the last case the listener that takes the
 * lock over repairs, and may die in the repair. Positions, numbers and `moves` never have the same
 * value again. Memory is sequentially consistent.
 *
 * Asserted: no line is written to before its message has been released. A message that is given out
 * again is marked. A message is marked only after a death, and never after it was released. When
 * nobody can go on, all messages have been given out and released.
 *
 * holds: depth=100000 -DSEATS=2 -DM=2 -DDEATHS=2
 * fails: depth=100000 -DSEATS=2 -DM=3 -DDEATHS=1 -DBUG_ORDER
 * fails: depth=100000 -DSEATS=2 -DM=3 -DDEATHS=1 -DRING=2 -DBUG_MOVES
 * fails: depth=100000 -DSEATS=2 -DM=2 -DDEATHS=2 -DBUG_DOUBLE
 * fails: depth=100000 -DSEATS=2 -DM=3 -DDEATHS=0 -DRING=2 -DBUG_COPY
 *
 * BUG_ORDER: `taken` moves before the seat says what is held. BUG_MOVES: nobody looks at `moves`.
 * BUG_DOUBLE: a repair does not look for what is held twice. BUG_COPY: who keeps the lock copies
 * after it has taken. BUG_LATE, by hand (-DM=3 -DDEATHS=2): a repair lets `moves` grow at its end
 * only (as it once was).
 */
#ifndef RING
#define RING 3
#endif
#define LINE(position) ((position) % RING)
#define NOWHERE 15
#define FREE     0
#define LISTENER 1
#define ORPHAN   2
#define UNLOCKED 0  /* else its owner's place and one */
#define OF_THE_DEAD 9
#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; goto dead fi

byte there;         /* the first position that is not READY */
byte taken, moves, orphans, take_lock;
byte state[SEATS], from[SEATS], to[SEATS];
bool alive[SEATS];  /* its process */

byte deaths;
byte out, released; /* a bit for each message */

/* orphan_shrink */
inline shrink(orphan, less)
{
	if
	:: atomic { less < to[orphan] -> MAY_DIE; from[orphan] = less }
	:: atomic { less >= to[orphan] -> MAY_DIE; from[orphan] = NOWHERE }
		atomic { MAY_DIE; state[orphan] = FREE }
		atomic { MAY_DIE; orphans = (orphans > 0 -> orphans - 1 : 0) }
	fi
}

/* Takes the lock, and sets right what a dead owner has begun: mdg__hold_repair. */
inline lock()
{
	atomic {
		take_lock == UNLOCKED || take_lock == OF_THE_DEAD ->
		MAY_DIE;
		if
		:: take_lock == UNLOCKED -> take_lock = me + 1; goto locked
		:: else -> take_lock = me + 1
		fi
	}
#ifndef BUG_LATE
	atomic { MAY_DIE; moves++ }
#endif
	k = 0;
	do
	:: atomic { k == SEATS -> k = 0; break }
	:: atomic { k < SEATS && (state[k] != LISTENER || from[k] == NOWHERE) -> k++ }
	:: atomic { k < SEATS && state[k] == LISTENER && from[k] != NOWHERE ->
		MAY_DIE;
		if
		:: from[k] == taken -> from[k] = NOWHERE; k++; goto repaired
		:: else
		fi
		}
#ifndef BUG_DOUBLE
		/* drop_double; with 3 seats only the first other one that is an orphan's */
		atomic {
			what = 0;
			do
			:: what == SEATS -> break
			:: what < SEATS && what != k && state[what] == ORPHAN && from[what] == from[k] -> break
			:: else -> what++
			od
		}
		if
		:: what < SEATS -> shrink(what, to[k])
		:: else
		fi;
#endif
		atomic { what = 0; k++ }
repaired:	skip
	od;
#ifdef BUG_LATE
	moves++;
#endif
	atomic {
		MAY_DIE;
		orphans = (state[0] == ORPHAN -> 1 : 0) + (state[SEATS - 1] == ORPHAN -> 1 : 0)
	}
locked:	skip
}

#define TAKEN_IS_THERE (taken < there)

proctype Listener(byte me)
{
	byte f, upto, t, k, what;   /* held.from, held.upto, held.to */
	bool again, adopts;

end_rest:
	atomic {
		alive[me];
		f = from[me]; t = to[me]; upto = f;
		again = 1; /* inherited, if there is something */
		if :: f == NOWHERE -> t = f :: else fi
	}
take:	if
	:: atomic { f < t -> goto kept }
	:: f >= t
	fi;
end_idle:
	atomic { (orphans != 0 || TAKEN_IS_THERE) -> MAY_DIE; adopts = orphans != 0 }
	lock();
	if
	:: !adopts
	:: adopts ->
		k = 0;
		do
		:: atomic { k == SEATS -> break }
		:: atomic { k < SEATS && state[k] != ORPHAN -> k++ }
		:: atomic {
			k < SEATS && state[k] == ORPHAN ->
			f = from[k]; again = 1;
			if :: f < to[k] -> upto = f + 1 :: else -> upto = f fi;
			if :: upto < to[k] -> upto++ :: skip fi
			}
			if
			:: upto > f ->
				atomic { MAY_DIE; to[me] = upto }
				atomic { MAY_DIE; from[me] = f }
				atomic { MAY_DIE; moves++; t = upto }
			:: upto == f
			fi;
			what = (upto > f -> t : 255);
			shrink(k, what);
			what = 0;
			if
			:: atomic { upto > f -> k = 0; goto unlock }
			:: upto == f
			fi
		od
	fi;
	/* recv_kept: copies one, and has it once it is taken */
	if
	:: atomic {
		f >= t && TAKEN_IS_THERE -> MAY_DIE;
		assert((out & 1 << taken) == 0 && (released & 1 << taken) == 0);
		f = taken;
#ifdef BUG_COPY
		taken++
		}
		atomic {
#endif
		assert(f + RING > there);
		out = out | 1 << f; released = released | 1 << f;
#ifndef BUG_COPY
		taken++;
#endif
		f = 0; t = 0; upto = 0; again = 0; k = 0;
		goto unlock
		}
	:: skip
	fi;
	/* take_next */
	atomic {
		MAY_DIE;
		k = 0; f = taken; again = 0; upto = f;
		if :: upto < there -> upto++ :: else fi;
		if :: upto < there -> upto++ :: skip fi;
		t = upto;
		if :: upto == f -> goto unlock :: else fi
	}
#ifdef BUG_ORDER
	atomic { MAY_DIE; taken = upto }
#endif
	atomic { MAY_DIE; to[me] = upto }
	atomic { MAY_DIE; from[me] = f }
#ifndef BUG_ORDER
	atomic { MAY_DIE; taken = upto }
#endif
unlock:	atomic { MAY_DIE; adopts = 0; take_lock = UNLOCKED }
	if
	:: upto == f -> goto take
	:: upto != f -> goto give
	fi;
kept:	atomic { upto = f + 1; if :: upto < t -> upto = t :: skip fi }
give:	atomic {
		if :: upto - f == 2 -> if :: upto = f + 1 :: skip fi :: else fi;
		what = f;
		do
		:: what < upto ->
			assert((out & 1 << what) == 0 || again);
			assert((released & 1 << what) == 0);
			assert(!again || deaths > 0);
			out = out | 1 << what;
			what++
		:: else -> break
		od;
		what = 0
	}
	/* release */
	atomic {
		MAY_DIE;
		released = released | 1 << f | 1 << (upto - 1);
		from[me] = (upto < t -> upto : NOWHERE);
		f = upto;
		goto take
	}
dead:	atomic {
		alive[me] = 0;
		if :: take_lock == me + 1 -> take_lock = OF_THE_DEAD :: else fi;
		f = 0; upto = 0; t = 0; k = 0; what = 0; again = 0; adopts = 0;
		goto end_rest
	}
}

#define HAS_DIED(i) (state[i] == LISTENER && !alive[i])
#define BURY 1
#define COME 2
#define INHERIT 3

/* Who has the seat lock. */
active proctype Keeper()
{
	byte job, place, k, what, me = SEATS;

	atomic {
		do
		:: k < SEATS -> state[k] = LISTENER; from[k] = NOWHERE; alive[k] = 1; run Listener(k); k++
		:: else -> k = 0; break
		od
	}
end_rest:
	atomic {
		if
		:: HAS_DIED(0) -> job = BURY; place = 0
		:: HAS_DIED(SEATS - 1) -> job = BURY; place = SEATS - 1
		:: state[0] == FREE -> job = COME; place = 0
		:: state[SEATS - 1] == FREE -> job = COME; place = SEATS - 1
		:: state[0] == ORPHAN && state[SEATS - 1] != FREE -> job = INHERIT; place = 0
		:: state[SEATS - 1] == ORPHAN && state[0] == ORPHAN -> job = INHERIT; place = SEATS - 1
		fi
	}
	if
	:: job == COME ->
		atomic { MAY_DIE; from[place] = NOWHERE; to[place] = 0 }
		goto seated
	:: else
	fi;
	lock();
	if
	:: atomic { job == BURY && from[place] == NOWHERE -> MAY_DIE; take_lock = UNLOCKED }
		atomic { MAY_DIE; state[place] = FREE; goto done }
	:: atomic { job == BURY && from[place] != NOWHERE -> MAY_DIE; orphans++ }
		atomic { MAY_DIE; state[place] = ORPHAN }
		atomic { MAY_DIE; take_lock = UNLOCKED; goto done }
	:: atomic { job == INHERIT && state[place] == ORPHAN -> MAY_DIE; state[place] = LISTENER }
		atomic { MAY_DIE; orphans = (orphans > 0 -> orphans - 1 : 0) }
		atomic { MAY_DIE; take_lock = UNLOCKED }
	:: atomic { job == INHERIT && state[place] != ORPHAN -> MAY_DIE; take_lock = UNLOCKED; goto done }
	fi;
seated:	atomic { MAY_DIE; state[place] = LISTENER }
	atomic { MAY_DIE; alive[place] = 1 }
done:	atomic { job = 0; place = 0; goto end_rest }
dead:	atomic {
		if :: take_lock == me + 1 -> take_lock = OF_THE_DEAD :: else fi;
		job = 0; place = 0; k = 0; what = 0;
		goto end_rest
	}
}

#define HAS_HOLD(i) (state[i] != FREE && from[i] + RING < place + 2)
#define HAS_ROOM (taken + RING >= place + 2 && !HAS_HOLD(0) && !HAS_HOLD(SEATS - 1))

active proctype Talker()
{
	byte place, seen, needed, limit, k;
	bool waits;

	do
	:: place == M -> break
	:: place < M ->
		do
		:: atomic { place + 2 <= limit -> break }
		:: atomic {
			place + 2 > limit && (!waits || HAS_ROOM) ->
			waits = 1; /* next time; it looks again when it is woken */
			seen = moves
			}
			needed = taken;
			k = 0;
			do
			:: atomic { k == SEATS -> k = 0; break }
			:: atomic { k < SEATS && state[k] == FREE -> k++ }
			:: atomic { k < SEATS && state[k] != FREE -> skip }
				atomic { if :: from[k] < needed -> needed = from[k] :: else fi; k++ }
			od;
			atomic {
#ifndef BUG_MOVES
				if :: moves == seen -> limit = needed + RING :: else fi;
#else
				limit = needed + RING;
#endif
				seen = 0; needed = 0
			}
		od;
		atomic {
			/* of the line behind */
			assert(place + 1 < RING || (released & 1 << (place + 1 - RING)) != 0);
			place++; there = place; waits = 0
		}
	od
}

active proctype Watch()
{
	timeout -> assert(out == (1 << M) - 1 && released == out)
}
