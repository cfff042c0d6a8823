/* SPDX-License-Identifier: MIT */
/*
 * call.pml - box.c, caller.c, server.c: a caller's seat with its box, and two servers: mdg__box_take,
 * new_call, abandon, await_end, mdg__box_drop; accept_request, mdg__box_change, mdg__server_commit,
 * mdg__server_cancel, mdg__server_release, mdg__box_tell; what seats.c does for the dead.
 *
 * CALLS requests in all, of one caller at a time. It asks, and waits for the reply, or asks
 * something else before. It may leave out a number, as one does that takes a reservation back. It
 * is killed at any step, also while it comes, and another one takes the seat when it is free. The
 * servers take each request once (queue.pml), and answer, release it without an answer, or begin
 * and cancel, and are killed at any step, DEATHS in all with the callers; so is who buries the
 * dead. A server may be slow: nothing is taken for granted of when it writes.
 *
 * The box is the number of a call and a state, changed as one. A call waits while the number in the
 * box is less. What is in the ring: the number of each request, and how often its seat had been
 * taken. A reply says in two words to which request it is. How a caller sleeps: the `waits` of its
 * box is as full_waits in bell.pml; here it waits until its box has changed. Memory is sequentially
 * consistent.
 *
 * Asserted: who writes a reply has the box; what a caller reads is the reply to its last call,
 * whole, also while it is reading; nobody takes the seat while a reply is written; a caller is told
 * that a server died only if one did, and refused only if one released its request; when nobody can
 * go on, no caller waits.
 *
 * holds: depth=100000 -DCALLS=2 -DDEATHS=1
 * fails: depth=100000 -DCALLS=2 -DDEATHS=0 -DBUG_ABANDON
 * fails: depth=100000 -DCALLS=2 -DDEATHS=1 -DBUG_DROP
 * fails: depth=100000 -DCALLS=2 -DDEATHS=1 -DBUG_TELL
 * fails: depth=100000 -DCALLS=1 -DDEATHS=0 -DBUG_TWICE
 * fails: depth=100000 -DCALLS=2 -DDEATHS=1 -DBUG_GONE
 * fails: depth=100000 -DCALLS=2 -DDEATHS=1 -DBUG_ORDER
 *
 * BUG_ABANDON: a caller that asks anew sets its box without a look at what it was a moment ago (as
 * it once was). BUG_DROP: a dead caller's seat is free while a server writes. BUG_TELL: who buries
 * a server tells only callers to which nothing is being written. BUG_TWICE: a caller looks at the
 * number in its box and then at the state (it once was so for two states), and a server takes its
 * reply back in between. BUG_GONE: a box whose caller is gone is as one that is idle. BUG_ORDER: a
 * server looks whether the caller is there, and reads the box then.
 */
#define IDLE    0
#define WRITING 1
#define DONE    2
#define DIED    3
#define REFUSED 4
#define GONE    5
#define BOX(number, what) ((number) << 3 | (what))
#define STATE(word) ((word) & 7)
#define NUMBER(word) ((word) >> 3)
#define NOTHING 255
#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; goto dead fi

byte box, use;
bool seat_free = 1, caller_lives;
byte word[2] = NOTHING; /* the reply */
byte sent, taken;       /* the ring */
byte number_of[CALLS], use_of[CALLS];
byte held[2] = NOTHING; /* by each server: which request, so that it is told if it dies */
bool server_lives[2] = 1, server_seat[2] = 1;

byte calls, deaths;
bool server_died, refused;
byte writer;            /* who writes, and one */

#define IS_THERE(i) (!seat_free && use == use_of[i])
#ifdef BUG_GONE
#define IS_CLOSED(word) (STATE(word) == WRITING)
#else
#define IS_CLOSED(word) (STATE(word) == WRITING || STATE(word) == GONE)
#endif
#define IS_OPEN(word, i) (NUMBER(word) < number_of[i] && !IS_CLOSED(word))

active proctype Caller()
{
	byte number, state, mine, seen;

come:	/* mdg__seat_take, with the seat lock: `use`, the box, the state. Its process is there from here on */
end_rest:
	atomic { seat_free && !caller_lives && calls < CALLS -> assert(writer == 0); caller_lives = 1; use++ }
	atomic { MAY_DIE; number = NUMBER(box); box = BOX(number, IDLE) }
	atomic { MAY_DIE; assert(writer == 0); seat_free = 0 }
ask:	atomic {
		if
		:: calls < CALLS -> calls++; number++
		:: calls < CALLS -> calls++; number = number + 2
		:: calls == CALLS -> goto leave
		fi
	}
	atomic { MAY_DIE; number_of[sent] = number; use_of[sent] = use; mine = sent; sent++ }
	if
	:: goto abandon
	:: skip
	fi;
	/* await_end; mdg__caller_has */
#ifdef BUG_TWICE
	NUMBER(box) == number;
	atomic { STATE(box) != WRITING -> MAY_DIE; state = STATE(box) }
#else
	atomic { (NUMBER(box) == number && STATE(box) != WRITING) -> MAY_DIE; state = STATE(box) }
#endif
	if
	:: atomic { state == DONE -> assert(word[0] == mine && writer == 0) }
		atomic { MAY_DIE; assert(word[1] == mine && writer == 0) }
	:: atomic { state != DONE ->
		assert(state == DIED && server_died || state == REFUSED && refused)
		}
	fi;
	atomic { state = 0; mine = 0; goto ask }
abandon:
	atomic { STATE(box) != WRITING -> MAY_DIE; seen = box }
	atomic {
		MAY_DIE;
		if
		:: NUMBER(seen) == number -> seen = 0; mine = 0; goto ask
#ifdef BUG_ABANDON
		:: else -> box = BOX(number, IDLE); seen = 0; mine = 0; goto ask
#else
		:: NUMBER(seen) != number && box == seen -> box = BOX(number, IDLE); seen = 0; mine = 0; goto ask
		:: else -> seen = 0; goto abandon
#endif
		fi
	}
leave:	/* as death: somebody empties the seat */
dead:	atomic { caller_lives = 0; state = 0; number = 0; mine = 0; seen = 0; goto come }
}

proctype Server(byte me)
{
	byte it = NOTHING, seen;

end_idle:
	atomic { taken < sent -> MAY_DIE; held[me] = taken; it = taken; taken++ }
	/* accept_request */
	atomic { MAY_DIE; seen = box }
	atomic { MAY_DIE; if :: IS_OPEN(seen, it) && IS_THERE(it) -> skip :: else -> goto release fi }
again:	if
	:: goto refuse
	:: skip
	fi;
	/* mdg__box_change */
#ifdef BUG_ORDER
	atomic { MAY_DIE; if :: IS_THERE(it) -> skip :: else -> goto release fi }
	atomic { MAY_DIE; seen = box; if :: IS_OPEN(seen, it) -> skip :: else -> goto release fi }
#else
	atomic { MAY_DIE; seen = box; if :: IS_OPEN(seen, it) -> skip :: else -> goto release fi }
	atomic { MAY_DIE; if :: IS_THERE(it) -> skip :: else -> goto release fi }
#endif
	atomic {
		MAY_DIE;
		if
		:: box == seen -> box = BOX(number_of[it], WRITING); assert(writer == 0); writer = me + 1; seen = 0
		:: else -> goto release
		fi
	}
	atomic { MAY_DIE; assert(box == BOX(number_of[it], WRITING)); word[0] = it }
	atomic { MAY_DIE; assert(box == BOX(number_of[it], WRITING)); word[1] = it }
	if
	:: atomic { MAY_DIE; writer = 0; assert(box == BOX(number_of[it], WRITING)); box = BOX(number_of[it], DONE); goto release }
	:: atomic { MAY_DIE; writer = 0; assert(box == BOX(number_of[it], WRITING)); box = BOX(number_of[it] - 1, IDLE); goto again }
	fi;
refuse:	atomic { MAY_DIE; seen = box; if :: IS_OPEN(seen, it) -> skip :: else -> goto release fi }
	atomic { MAY_DIE; if :: IS_THERE(it) -> skip :: else -> goto release fi }
	atomic { MAY_DIE; if :: box == seen -> box = BOX(number_of[it], REFUSED); refused = 1 :: else fi }
release:
	atomic { MAY_DIE; held[me] = NOTHING; it = NOTHING; seen = 0; goto end_idle }
dead:	atomic { server_lives[me] = 0; server_died = 1; it = NOTHING; seen = 0; if :: writer == me + 1 -> writer = 0 :: else fi }
	/* another one comes */
	atomic { !server_seat[me] -> server_seat[me] = 1; server_lives[me] = 1; goto end_idle }
}

#define TELLS(i) (!server_lives[i] && server_seat[i])

/* Who has the seat lock. */
active proctype Keeper()
{
	byte who, seen, it;

	atomic { run Server(0); run Server(1) }
end_rest:
	if
	:: atomic { !caller_lives && !seat_free -> who = 2 }
	:: atomic { TELLS(0) -> who = 0 }
	:: atomic { TELLS(1) -> who = 1 }
	fi;
	if
	:: who == 2 -> /* mdg__box_drop */
drop:		atomic {
			MAY_DIE; seen = box;
#ifndef BUG_DROP
			if
			:: STATE(seen) == WRITING ->
				/* it is asked again later: by then others have gone on */
				STATE(box) != WRITING || TELLS(0) || TELLS(1); goto done
			:: else
			fi
#endif
		}
		atomic { MAY_DIE; if :: box == seen -> box = BOX(NUMBER(seen) + 1, GONE) :: else -> goto drop fi }
		atomic { MAY_DIE; use++ }
		atomic { MAY_DIE; seat_free = 1 }
	:: who < 2 -> /* mdg__box_tell */
		atomic { MAY_DIE; it = held[who] }
		if
		:: atomic { it != NOTHING -> MAY_DIE; if :: IS_THERE(it) -> skip :: else -> goto told fi }
#ifndef BUG_TELL
			atomic { MAY_DIE; if :: box == BOX(number_of[it], WRITING) -> box = BOX(number_of[it], DIED); goto told :: else fi }
#endif
			atomic { MAY_DIE; seen = box; if :: IS_OPEN(seen, it) -> skip :: else -> goto told fi }
			atomic { MAY_DIE; if :: IS_THERE(it) -> skip :: else -> goto told fi }
			atomic { MAY_DIE; if :: box == seen -> box = BOX(number_of[it], DIED) :: else fi }
		:: it == NOTHING
		fi;
told:		atomic { MAY_DIE; held[who] = NOTHING }
		atomic { MAY_DIE; server_seat[who] = 0 }
	fi;
dead:
done:	atomic { who = 0; seen = 0; it = 0; goto end_rest }
}
