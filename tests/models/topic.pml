/* SPDX-License-Identifier: MIT */
/*
 * topic.pml - topic.c (topic_needed, topic_join, topic_take, protect, mdg__topic_release) with what
 * reserve.c, tail.c and seats.c do around it: messages sent with talk_lock held, reservations,
 * mdg__tail_repair, and who buries the dead. FULL_WAIT, or with OVERWRITE the other policy.
 *
 * TALKERS talkers make up to TRIES attempts in all, to send a message; the first one also to
 * reserve it, and show it or cancel. Of LISTENERS listeners one is there, the others come when they
 * like, and begin anywhere from `oldest` on. All are killed at any store, or asleep, DEATHS in all;
 * so is the keeper of the seat lock: whoever buries or comes. A dead one's seat is taken again.
 *
 * A ring of RING lines, a message each; the one behind the last is EMPTY. Parts and marks are
 * simplified: a talker moves `oldest` to any record from the needed one on. Talkers remember how
 * far they may go (limit). talk_lock and its repair: as in talk.pml, where records have lengths.
 * Sleeping: bell.pml. Memory is sequentially consistent: both fences of the hold are there.
 *
 * Asserted: what a listener reads is the message of that position, and is still when it is
 * released; what is reserved is there when it is shown, skipped, or buried; no message that was
 * shown is skipped; nobody jumps with FULL_WAIT; what is kept is there; nobody waits for ever for
 * room, and when nobody can go on, each listener has passed all that was shown.
 *
 * holds: depth=100000 -DTALKERS=1 -DLISTENERS=2 -DTRIES=2 -DDEATHS=1
 * holds: depth=100000 -DTALKERS=2 -DLISTENERS=1 -DTRIES=2 -DDEATHS=1 -DOVERWRITE
 * fails: depth=100000 -DTALKERS=1 -DLISTENERS=1 -DTRIES=2 -DDEATHS=0 -DOVERWRITE -DBUG_LOOK
 * fails: depth=100000 -DTALKERS=2 -DLISTENERS=1 -DTRIES=2 -DDEATHS=0 -DOVERWRITE -DBUG_RESERVED
 *
 * BUG_LOOK: a listener looks at `oldest` before it says what it holds. BUG_RESERVED: what talkers
 * have reserved is not counted. By hand: BUG_AGAIN, a talker that has moved `oldest` does not look
 * at the seats again; BUG_JOIN, a listener comes without talk_lock (FULL_WAIT).
 */
#ifndef RING
#define RING 2
#endif
#define LINE(position) ((position) % RING)
#define FIRST RING
#define NOWHERE 63
#define EMPTY    0
#define RESERVED 1  /* and 1 for the second talker's */
#define READY    3
#define SKIP     4
#define IS_WAITING(what) ((what) < READY)
#define OF_THE_DEAD 9
#define SEATS (TALKERS + LISTENERS)
#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; goto dead fi

byte line[RING], what[RING];  /* the state; and of which position it is, or 0: not whole */
byte tail = FIRST, oldest = FIRST, talk_lock;
bool alive[SEATS], seated[SEATS]; /* talkers first */
byte from[SEATS] = NOWHERE, to[TALKERS], next[SEATS];

byte shown;         /* a bit for each message, from FIRST on */
byte tries, deaths;
#define BIT(position) (1 << (position) - FIRST)

/* mdg__talk_lock; `t` becomes the tail. */
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
		:: !IS_WAITING(line[LINE(t)]) -> assert(what[LINE(t)] == t); t++
		:: else -> break
		od
	}
	atomic { MAY_DIE; line[LINE(t)] = EMPTY; what[LINE(t)] = 0 }
	atomic { MAY_DIE; if :: to[0] > t -> from[0] = NOWHERE :: else fi }
#if TALKERS > 1
	atomic { MAY_DIE; if :: to[1] > t -> from[1] = NOWHERE :: else fi }
#endif
	atomic { MAY_DIE; tail = t }
locked:	skip
}

#ifdef BUG_RESERVED
#define FIRST_SEAT TALKERS
#else
#define FIRST_SEAT 0
#endif

inline least_needed()
{
	atomic { k = FIRST_SEAT; least = NOWHERE }
	do
	:: atomic { k == SEATS -> k = 0; break }
	:: atomic { k < SEATS -> if :: seated[k] && from[k] < least -> least = from[k] :: else fi; k++ }
	od
}

#define HOLDS(i) (seated[i] && from[i] + RING < tail + 2)

proctype Talker(byte me)
{
	byte t, k, least, goal, limit;
	bool reserves;

end_rest:
	atomic {
		alive[me] && tries < TRIES -> tries++;
		if :: me == 0 -> reserves = 1 :: reserves = 0 fi
	}
again:	lock();
	if
	:: atomic { t + 2 <= limit -> goto place }
	:: t + 2 > limit
	fi;
	/* topic_needed */
	least_needed();
	atomic {
		goal = t + 2 - RING;
		if
		:: oldest >= goal -> goal = 0; goto bound
		:: else
		fi;
		do :: goal < t -> goal++ :: break od; /* mdg__mark_after */
		if
		:: goal > least -> goal = (least >= t + 2 - RING -> least : 0)
		:: else
		fi;
		if :: goal <= oldest -> goal = 0; goto bound :: else fi
	}
	atomic { MAY_DIE; oldest = goal; goal = 0 }
#ifndef BUG_AGAIN
	least_needed();
#endif
bound:	atomic {
		limit = (oldest < t -> oldest : t);
		limit = (least < limit -> least : limit) + RING;
		least = 0;
		if :: t + 2 <= limit -> goto place :: else fi;
		MAY_DIE;
		talk_lock = 0; t = 0; limit = 0
	}
	/* until it is woken */
	!HOLDS(0) && !HOLDS(1) && !HOLDS(SEATS - 2) && !HOLDS(SEATS - 1);
	goto again;
place:	if
	:: atomic { reserves -> MAY_DIE; to[me] = t + 1 }
		atomic { MAY_DIE; from[me] = t }
	:: atomic { !reserves -> MAY_DIE; what[LINE(t)] = 0 } /* the message */
	fi;
	atomic { MAY_DIE; line[LINE(t + 1)] = EMPTY; what[LINE(t + 1)] = 0 }
	atomic {
		MAY_DIE;
		line[LINE(t)] = (reserves -> RESERVED + me : READY); what[LINE(t)] = t;
		if :: !reserves -> shown = shown | BIT(t) :: else fi
	}
	atomic { MAY_DIE; tail = t + 1 }
	atomic { MAY_DIE; talk_lock = 0; if :: !reserves -> goto done :: else fi }
	atomic {
		MAY_DIE;
		assert(line[LINE(t)] == RESERVED + me && what[LINE(t)] == t);
		if
		:: line[LINE(t)] = READY; shown = shown | BIT(t)
		:: line[LINE(t)] = SKIP
		fi
	}
	atomic { MAY_DIE; from[me] = NOWHERE }
done:	atomic { t = 0; reserves = 0; goto end_rest }
dead:	atomic {
		alive[me] = 0;
		if :: talk_lock == me + 1 -> talk_lock = OF_THE_DEAD :: else fi;
		t = 0; k = 0; least = 0; goal = 0; limit = 0; reserves = 0;
		goto end_rest
	}
}

#define NEXT line[LINE(next[me])]

proctype Listener(byte me)
{
	byte at;

end_rest:
	if
	:: atomic { alive[me] && !IS_WAITING(NEXT) -> MAY_DIE }
#ifdef OVERWRITE
	:: atomic { alive[me] && oldest > next[me] -> MAY_DIE }
#endif
#if DEATHS
	:: atomic { alive[me] && deaths < DEATHS -> deaths++; goto dead }
#endif
	fi;
#ifdef OVERWRITE
	/* protect */
#ifdef BUG_LOOK
	atomic { if :: oldest > next[me] -> next[me] = oldest :: else fi }
	atomic { MAY_DIE; from[me] = next[me] }
#else
hold:	atomic { MAY_DIE; from[me] = next[me] }
	atomic { if :: oldest > next[me] -> next[me] = oldest; goto hold :: else fi }
#endif
#endif
	/* walk */
	at = next[me];
	do
	:: atomic { line[LINE(at)] == SKIP -> assert(what[LINE(at)] == at && (shown & BIT(at)) == 0); at++ }
	:: atomic { line[LINE(at)] == READY -> assert(what[LINE(at)] == at && (shown & BIT(at)) != 0); break }
	:: atomic { IS_WAITING(line[LINE(at)]) -> goto let_go }
	od;
	/* it is read, and released */
	atomic { MAY_DIE; assert(line[LINE(at)] == READY && what[LINE(at)] == at); at++ }
let_go:	atomic {
		MAY_DIE;
		next[me] = at; at = 0;
#ifdef OVERWRITE
		from[me] = NOWHERE;
#else
		from[me] = next[me];
#endif
		goto end_rest
	}
dead:	atomic { alive[me] = 0; at = 0; goto end_rest }
}

/* Who has the seat lock: buries, and comes. */
active proctype Keeper()
{
	byte who, t, k, me = SEATS;

	atomic {
		do
		:: who == SEATS -> who = 0; break
		:: who < TALKERS -> alive[who] = 1; seated[who] = 1; run Talker(who); who++
		:: who == TALKERS ->
			next[who] = FIRST; alive[who] = 1; seated[who] = 1;
#ifndef OVERWRITE
			from[who] = FIRST;
#endif
			run Listener(who); who++
		:: who > TALKERS && who < SEATS -> run Listener(who); who++
		od
	}
end_rest:
	atomic {
		if
		:: !alive[0] -> who = 0
		:: !alive[1] -> who = 1
		:: !alive[SEATS - 2] -> who = SEATS - 2
		:: !alive[SEATS - 1] -> who = SEATS - 1
		fi
	}
	if
	:: atomic { who >= TALKERS && seated[who] -> MAY_DIE; from[who] = NOWHERE }
		atomic { MAY_DIE; seated[who] = 0; goto done }
	:: atomic { who < TALKERS && !seated[who] -> MAY_DIE; seated[who] = 1; alive[who] = 1; goto done }
	:: else
	fi;
#ifdef BUG_JOIN
	if :: who >= TALKERS -> t = tail; goto join :: else fi;
#endif
	lock();
	if :: who >= TALKERS -> goto join :: else fi;
	/* mdg__skip_reserved */
	atomic {
		MAY_DIE;
		if
		:: from[who] < t && from[who] < to[who] ->
			k = LINE(from[who]);
			assert(what[k] == from[who] && line[k] != EMPTY);
			if :: line[k] == RESERVED + who -> line[k] = SKIP :: else fi;
			k = 0
		:: else
		fi
	}
	atomic { MAY_DIE; from[who] = NOWHERE }
	atomic { MAY_DIE; talk_lock = 0 }
	atomic { MAY_DIE; seated[who] = 0; goto done }
join:	atomic {
		k = oldest;
		do
		:: k == t -> break
		:: k < t -> assert(what[LINE(k)] == k && line[LINE(k)] != EMPTY); k++
		od;
		k = oldest
	}
	atomic { do :: k < t -> k++ :: break od }
#ifndef OVERWRITE
	atomic { MAY_DIE; from[who] = k }
#endif
	atomic { MAY_DIE; next[who] = k; seated[who] = 1 }
	atomic { MAY_DIE; alive[who] = 1; if :: talk_lock == me + 1 -> talk_lock = 0 :: else fi }
done:	atomic { who = 0; t = 0; k = 0; goto end_rest }
dead:	if :: talk_lock == me + 1 -> talk_lock = OF_THE_DEAD :: else fi;
	goto done
}

#define IS_BEHIND(i) (i >= TALKERS && alive[i] && shown >> (next[i] - FIRST) != 0)

active proctype Watch()
{
	timeout -> assert(!IS_BEHIND(1) && !IS_BEHIND(SEATS - 2) && !IS_BEHIND(SEATS - 1))
}
