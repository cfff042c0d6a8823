/* SPDX-License-Identifier: MIT */
/*
 * talk.pml - the talkers of a queue (and callers) among each other: reserve.c (lay_out,
 * reserve_shown, mdg__commit_records, mdg__cancel_all with take_back, show_at_tail), records.c
 * (mdg__skip_reserved), mdg__clear_behind, mdg__tail_repair, mdg__hold_needed, mdg__talk_lock, and
 * clear_talker of seats.c.
 *
 * Two talkers make up to TRIES attempts in all: to send a message of one line or two with the lock
 * held; or to reserve it, and show it, or one line of it, or cancel. They are killed at any store,
 * DEATHS in all; so is who buries them. A dead one's seat is taken again. One listener takes what
 * there is, as queue.pml says: a step from record to record, and released at once.
 *
 * talk_lock: free, its owner's, or a dead one's; who takes it over repairs the tail, and may die in
 * it. A line is a step of the ring: 16 bytes, where a record may begin. A ring as a channel has it
 * whose largest record is 2 lines; it begins BEFORE lines before its end. A line is EMPTY, RESERVED
 * (by whom), READY or SKIP, with a span, or JUNK: inside of a message. Memory is sequentially
 * consistent.
 *
 * Asserted: no line is stored that is not released, or that a talker has reserved and will be
 * looked at by who buries it; the listener never finds JUNK, nor a message that has not been shown
 * (real), and none twice; who buries goes from record to record; when nobody can go on, all that
 * was shown has been found.
 *
 * holds: depth=100000 -DTRIES=2 -DDEATHS=1
 * fails: depth=100000 -DTRIES=2 -DDEATHS=0 -DBUG_BACK
 * fails: depth=100000 -DTRIES=2 -DDEATHS=1 -DBUG_REPAIR
 * fails: depth=100000 -DTRIES=3 -DDEATHS=1 -DBEFORE=5 -DBUG_FORGET
 *
 * BUG_BACK: a reservation that is cancelled takes back what is skipped before it, too (as it once
 * was). BUG_REPAIR: who takes the lock from a dead one repairs nothing. BUG_RESERVED, by hand
 * (TRIES=4, one death): room is given beyond what another one has reserved. BUG_FORGET (as it once
 * was): who takes the lock over leaves the seats alone that say something beyond the tail, and who
 * takes back empties its seat without the lock. A dies when its seat says what it reserves and the
 * tail has not moved; B cancels its own reservation before that, the tail goes back, and B's next
 * message reaches over where A's was to begin: who buries A takes bytes of that message for a
 * record. The same when A has taken its reservation back and its seat still says so.
 */
#define RING (2 * 2 + 1)
#ifndef BEFORE
#define BEFORE 1
#endif
#define LINE(position) ((position) % RING)
#define NOWHERE 63
#define EMPTY    0
#define RESERVED 2  /* and its span - 1; 2 more for the second talker's */
#define READY    6  /* and its span - 1 */
#define SKIP     8  /* and its span - 1 */
#define JUNK    10
#define SPAN(what) (((what) & 1) + 1)
#define IS_SHOWN(what) ((what) >= READY && (what) < JUNK)
#define OF_THE_DEAD 9
#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; goto dead fi

byte line[RING];
byte tail = RING - BEFORE, taken = RING - BEFORE;
byte from[2] = NOWHERE, to[2];
byte talk_lock;
bool alive[2] = 1, seated[2] = 1;

byte real;          /* a bit for each line: a message begins there that was shown, and not yet found */
byte tries, deaths;

/* What is needed, or could be looked at. */
#define NEEDS(i, position) (seated[i] && from[i] != NOWHERE && from[i] + RING <= (position))
#define STORE(position, what) \
	assert((position) < taken + RING && !NEEDS(0, position) && !NEEDS(1, position)); \
	assert((real & 1 << LINE(position)) == 0); \
	line[LINE(position)] = what

/* mdg__talk_lock; `i`, and `t`, which becomes the tail. */
inline lock()
{
	atomic {
		talk_lock == 0 || talk_lock == OF_THE_DEAD -> MAY_DIE;
		t = tail;
		if
		:: talk_lock == 0 -> talk_lock = me + 1; goto locked
		:: else -> talk_lock = me + 1
		fi;
#ifdef BUG_REPAIR
		goto locked;
#endif
		do
		:: IS_SHOWN(line[LINE(t)]) -> t = t + SPAN(line[LINE(t)])
		:: else -> break
		od
	}
	atomic { MAY_DIE; STORE(t, EMPTY); i = 0 }
#ifndef BUG_FORGET
	/* forget_reserved */
	atomic { MAY_DIE; if :: seated[0] && to[0] > t -> from[0] = NOWHERE :: else fi }
	atomic { MAY_DIE; if :: seated[1] && to[1] > t -> from[1] = NOWHERE :: else fi }
#endif
	atomic { MAY_DIE; tail = t }
locked:	skip
}

proctype Talker(byte me)
{
	byte t, i, at, span, end, first, job;
#define SEND    1
#define RESERVE 2
#define CANCEL  3

end_rest:
	atomic {
		alive[me] && tries < TRIES -> tries++;
		if :: span = 1 :: span = 2 fi;
		if :: job = RESERVE :: job = SEND fi
	}
place:	lock();
	/* lay_out; queue_needed with nothing that goes from one seat to another */
	atomic {
		if
		:: job == CANCEL -> goto cancel
		:: else
		fi;
		first = t; at = t;
		if :: RING - LINE(t) < span -> at = t + RING - LINE(t) :: else fi;
		end = at + span;
		i = taken;
		if :: seated[1 - me] && from[1 - me] < i -> i = from[1 - me] :: else fi;
#ifdef BUG_RESERVED
		i = taken;
#endif
		if :: t < i -> i = t :: else fi;
		if
		:: end + 1 > i + RING -> i = 0; MAY_DIE; talk_lock = 0; goto full_ring
		:: else -> i = 0
		fi
	}
	if
	:: atomic { job == RESERVE -> MAY_DIE; to[me] = end }
		atomic { MAY_DIE; from[me] = first }
	:: job == SEND
	fi;
	/* inside of the message; of one that is reserved a line may be written later, too */
	atomic { MAY_DIE; if :: job == SEND && span == 2 -> STORE(at + 1, JUNK) :: else fi }
	atomic { MAY_DIE; STORE(end, EMPTY) }
	atomic {
		MAY_DIE;
		STORE(at, (job == SEND -> READY : RESERVED + 2 * me) + span - 1);
		if :: job == SEND && at == first -> real = real | 1 << LINE(at) :: else fi
	}
	if
	:: atomic { at != first -> MAY_DIE; STORE(first, SKIP + at - first - 1);
		if :: job == SEND -> real = real | 1 << LINE(at) :: else fi }
	:: at == first
	fi;
	atomic { MAY_DIE; tail = end }
	atomic { MAY_DIE; talk_lock = 0; if :: job == SEND -> goto done :: else fi }
	/* what is reserved is written */
	atomic { MAY_DIE; if :: span == 2 -> STORE(at + 1, JUNK) :: else fi }
	if
	:: atomic { span == 2 -> MAY_DIE; STORE(at + 1, SKIP); span = 1 } /* mdg_channel_commit with less */
	:: skip
	:: job = CANCEL; goto place
	fi;
	atomic { MAY_DIE; line[LINE(at)] = READY + span - 1; real = real | 1 << LINE(at) }
	goto ends;
cancel:	if
#ifdef BUG_BACK
	:: t == end ->
		atomic { MAY_DIE; tail = first }
		atomic { MAY_DIE; STORE(first, EMPTY) }
#else
	:: t == end ->
		atomic { MAY_DIE; tail = at }
		atomic { MAY_DIE; STORE(at, EMPTY) }
#endif
#ifndef BUG_FORGET
		atomic { MAY_DIE; from[me] = NOWHERE }
#endif
		atomic { MAY_DIE; talk_lock = 0; goto ends }
	:: atomic { t != end -> MAY_DIE; talk_lock = 0 }
	fi;
	atomic { MAY_DIE; line[LINE(at)] = SKIP + span - 1 }
ends:	atomic { MAY_DIE; from[me] = NOWHERE }
done:	atomic { t = 0; i = 0; at = 0; span = 0; end = 0; first = 0; job = 0; goto end_rest }
full_ring:
	/* somebody else goes on, or is buried */
	atomic { tries--; goto done }
dead:	atomic {
		alive[me] = 0;
		if :: talk_lock == me + 1 -> talk_lock = OF_THE_DEAD :: else fi;
		t = 0; i = 0; at = 0; span = 0; end = 0; first = 0; job = 0;
		goto end_rest
	}
}

/* Who has the seat lock: buries, and takes the seat again. */
active proctype Keeper()
{
	byte who, me = 2, t, i, upto;

	atomic { run Talker(0); run Talker(1) }
end_rest:
	atomic {
		if
		:: seated[0] && !alive[0] -> who = 0
		:: seated[1] && !alive[1] -> who = 1
		fi
	}
	lock();
	/* mdg__skip_reserved */
	atomic { MAY_DIE; i = from[who]; upto = (to[who] < tail -> to[who] : tail) }
	do
	:: atomic {
		i < upto -> MAY_DIE;
		assert(line[LINE(i)] != JUNK && line[LINE(i)] != EMPTY);
		t = SPAN(line[LINE(i)]);
		if
		:: line[LINE(i)] == RESERVED + 2 * who + t - 1 -> line[LINE(i)] = SKIP + t - 1
		:: else
		fi;
		i = i + t
		}
	:: atomic { i >= upto -> break }
	od;
	atomic { MAY_DIE; from[who] = NOWHERE }
	atomic { MAY_DIE; talk_lock = 0 }
	atomic { MAY_DIE; seated[who] = 0 }
	atomic { MAY_DIE; seated[who] = 1; alive[who] = 1; goto done }
dead:	if :: talk_lock == me + 1 -> talk_lock = OF_THE_DEAD :: else fi;
done:	atomic { who = 0; t = 0; i = 0; upto = 0; goto end_rest }
}

#define NEXT line[LINE(taken)]

active proctype Listener()
{
end_idle:
	do
	:: atomic { IS_SHOWN(NEXT) && NEXT >= SKIP ->
		assert((real & 1 << LINE(taken)) == 0); taken = taken + SPAN(NEXT) }
	:: atomic { IS_SHOWN(NEXT) && NEXT < SKIP ->
		assert((real & 1 << LINE(taken)) != 0);
		real = real & ~(1 << LINE(taken)); taken = taken + SPAN(NEXT) }
	:: NEXT == JUNK -> assert(false)
	od
}

active proctype Watch()
{
	timeout -> assert(real == 0)
}
