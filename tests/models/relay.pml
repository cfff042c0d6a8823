/* SPDX-License-Identifier: MIT */
/*
 * relay.pml - messages that a bridge brings, and the number after the last of them: relay.c
 * (put_placed, count_repeats), origins.c (mdg__origin_set, mdg__redo_begin, mdg__redo_end),
 * mdg__tail_store, mdg__tail_repair.
 *
 * Two bridges bring the messages 0 to M - 1 of one origin, in order, each from where the channel
 * says it is; and each may bring again what it has brought. Another talker sends a message of its
 * own now and then (OTHERS in all). All of them are killed at any store (DEATHS in all), and come
 * again. The lock is free, its owner's, or a dead one's. Who takes it over repairs the tail, and
 * may die in that. One entry, which is not in use at first.
 *
 * The ring is as long as all that is sent. That nothing is written over is up to the other models.
 * A record has one line: EMPTY, OWN, or MESSAGE + its number. Memory is sequentially consistent.
 *
 * Asserted: whenever somebody has just taken the lock, and repaired what was to be repaired, the
 * entry says the number after the last message that is shown, or is not in use if there is none. No
 * message is shown twice, and none is left out.
 *
 * holds: depth=100000 -DM=3 -DOTHERS=2 -DDEATHS=3
 * fails: depth=100000 -DM=2 -DDEATHS=1 -DBUG_LATE
 * fails: depth=100000 -DM=2 -DDEATHS=1 -DBUG_EARLY
 * fails: depth=100000 -DM=2 -DDEATHS=1 -DBUG_REPAIR
 * fails: depth=100000 -DM=2 -DDEATHS=1 -DBUG_ALWAYS
 * fails: depth=100000 -DM=2 -DDEATHS=2 -DBUG_ORDER
 * fails: depth=100000 -DM=2 -DDEATHS=0 -DBUG_LOOK
 *
 * BUG_LATE: the note is written after the record is shown. BUG_EARLY: the entry is changed before
 * the record is shown, without a note. BUG_REPAIR: who takes the lock over lets the note go.
 * BUG_ALWAYS: it does what the note says, whether the record was shown or not. BUG_ORDER: the note
 * counts before all of it is written. BUG_LOOK: the position is not looked at again with the lock.
 */
#define EMPTY   0
#define OWN     1
#define MESSAGE 2
#ifndef OTHERS
#define OTHERS 1
#endif
#define LINES (M + OTHERS + 3)
#define OF_THE_DEAD 9
#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; goto dead fi

byte line[LINES];
byte tail;
byte talk_lock;
bool used;
byte next;
byte redo_at, redo_next;
bool redo;
byte deaths, others;

/* What is shown, if nobody is in the middle of anything. */
inline check()
{
	i = 0; count = 0;
	do
	:: i == LINES -> break
	:: i < LINES ->
		if
		:: line[i] >= MESSAGE -> assert(line[i] == MESSAGE + count); count++
		:: else
		fi;
		i++
	od;
	assert(count == (used -> next : 0));
	assert(line[tail] == EMPTY && !redo);
	i = 0; count = 0
}

inline lock()
{
	atomic {
		talk_lock == 0 || talk_lock == OF_THE_DEAD -> MAY_DIE;
		t = tail;
		if
		:: talk_lock == 0 -> talk_lock = me + 1; goto locked
		:: else -> talk_lock = me + 1
		fi;
		do
		:: line[t] != EMPTY -> t++
		:: else -> break
		od
	}
	/* mdg__redo_end */
	if
	:: atomic { !redo -> goto repaired }
#ifdef BUG_REPAIR
	:: atomic { redo -> goto no_redo }
#endif
#ifdef BUG_ALWAYS
	:: atomic { redo -> MAY_DIE; next = redo_next }
#else
	:: atomic { redo && t <= redo_at -> goto no_redo }
	:: atomic { redo && t > redo_at -> MAY_DIE; next = redo_next }
#endif
	fi;
	atomic { MAY_DIE; used = 1 }
no_redo:
	atomic { MAY_DIE; redo = 0 }
repaired:
	atomic { MAY_DIE; tail = t }
locked:	atomic { check() }
}

proctype Bridge(byte me)
{
	byte t, n, i, count;

end_rest:
	/* count_repeats, without the lock */
	atomic {
		n = (used -> next : 0);
		if
		:: n < M
		:: n == M -> goto end_all
		fi
	}
	lock();
#ifndef BUG_LOOK
	if :: atomic { used && n < next -> goto unlock } :: else fi;
#endif
	goto put;
unlock:	atomic { MAY_DIE; talk_lock = 0; t = 0; goto end_rest }
put:
#ifdef BUG_EARLY
	atomic { MAY_DIE; next = n + 1 }
	atomic { MAY_DIE; used = 1 }
	atomic { MAY_DIE; line[t] = MESSAGE + n }
#else
#ifdef BUG_LATE
	atomic { MAY_DIE; line[t] = MESSAGE + n }
#endif
#ifdef BUG_ORDER
	atomic { MAY_DIE; redo = 1 }
#endif
	atomic { MAY_DIE; redo_at = t }
	atomic { MAY_DIE; redo_next = n + 1 }
#ifndef BUG_ORDER
	atomic { MAY_DIE; redo = 1 }
#endif
#ifndef BUG_LATE
	atomic { MAY_DIE; line[t] = MESSAGE + n }
#endif
	atomic { MAY_DIE; next = redo_next }
	atomic { MAY_DIE; used = 1 }
	atomic { MAY_DIE; redo = 0 }
#endif
	atomic { MAY_DIE; tail = t + 1 }
	goto unlock;
dead:	atomic {
		if :: talk_lock == me + 1 -> talk_lock = OF_THE_DEAD :: else fi;
		t = 0; n = 0; i = 0; count = 0;
		goto end_rest
	}
end_all:
	skip
}

proctype Other(byte me)
{
	byte t, i, count;

end_rest:
	atomic { others < OTHERS -> others++ }
	lock();
	atomic { MAY_DIE; line[t] = OWN }
	atomic { MAY_DIE; tail = t + 1 }
	atomic { MAY_DIE; talk_lock = 0; t = 0; goto end_rest }
dead:	atomic {
		if :: talk_lock == me + 1 -> talk_lock = OF_THE_DEAD :: else fi;
		t = 0; i = 0; count = 0;
		goto end_rest
	}
}

init
{
	atomic { run Bridge(0); run Bridge(1); run Other(2) }
}

active proctype Watch()
{
	byte i, count;

	timeout ->
	/* A dead one's lock is taken by nobody when there is nothing to send. */
	if
	:: talk_lock == 0 -> check(); assert(used && next == M)
	:: else -> assert(talk_lock == OF_THE_DEAD)
	fi
}
