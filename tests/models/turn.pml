/* SPDX-License-Identifier: MIT */
/*
 * turn.pml - src/msgqueue/turn.c, express.c, slips.c and sweep.c: N threads send and receive
 * without the lock. If that cannot be, or if they like, they go by the lock. Each makes CALLS
 * calls: MAY0 to MAY2 say which ones a thread may make, a sum of SENDS, RECEIVES, AT_ONCE (does not
 * sleep), LOCKS (goes by the lock as it likes) and NO_SLIP (has none at first). At the
 * beginning OLD messages are in the queue, SPARE cells are in each slip, and EXTRA cells are free.
 * Up to DEATHS threads are killed at any step. A cell that was received is the first to be used
 * again.
 *
 * What only the holder of the lock reads changes in one step here, in which the holder may die
 * between any two stores. A receiver or a sender sleeps on its own word. To be called makes it
 * wait for the lock (hand.pml has the way there, and the line). A death is only tried before
 * stores: a thread that is killed before a load has done what one did that was killed before the
 * next store.
 *
 * Asserted, all the time: nobody writes to a cell that is not its own, nor to the state that the
 * turn names; a cell is made free only if it is nobody's, or of a thread that has died. A
 * message is received once, and only after those that were sent before it. Who finds the queue
 * empty leaves no message behind that is nobody's. When nobody can go on: the messages that
 * were sent and not received are in the list, in their order; no receiver sleeps beside a message
 * that is nobody's, and no sender beside room; and a sweep would make free each cell that is
 * neither in the list nor in the slip of its owner.
 *
 * Left out: texts of several cells, types, E2BIG, stamps and what turn_show shows, removal, cells
 * that a slip gives back, memory that is given back, longjmp, handlers, versions that begin again.
 *
 * holds: -DMAY0=3 -DMAY1=3 -DCALLS=2 -DOLD=1
 * holds: -DMAY0=1 -DMAY1=2 -DMAY2=3 -DCALLS=1
 * holds: -DMAY0=3 -DMAY1=17 -DCALLS=2 -DOLD=1
 * holds: -DMAY0=2 -DMAY1=1 -DMAY2=6 -DCALLS=1 -DEXTRA=1
 * holds: -DMAY0=1 -DMAY1=11 -DCALLS=2 -DSPARE=2 -DDEATHS=0
 * fails: -DMAY0=3 -DMAY1=3 -DCALLS=2 -DOLD=1 -DBUG_VERSION
 * fails: -DMAY0=3 -DMAY1=3 -DCALLS=2 -DOLD=1 -DBUG_LATE
 * fails: -DMAY0=3 -DMAY1=3 -DCALLS=2 -DOLD=1 -DBUG_COPY
 * fails: -DMAY0=3 -DMAY1=17 -DCALLS=2 -DOLD=1 -DBUG_LEFT
 * fails: -DMAY0=1 -DMAY1=2 -DMAY2=3 -DCALLS=1 -DBUG_RECEIVERS
 * fails: -DMAY0=2 -DMAY1=1 -DMAY2=6 -DCALLS=1 -DEXTRA=1 -DDEATHS=0 -DBUG_CLAIM
 * fails: -DMAY0=3 -DMAY1=3 -DCALLS=2 -DOLD=1 -DBUG_STALE
 * fails: -DMAY0=3 -DMAY1=3 -DCALLS=2 -DOLD=1 -DBUG_ORDER
 *
 * By hand, because compiling them takes longer than finding them:
 *     fails: -DMAY0=3 -DMAY1=3 -DCALLS=2 -DOLD=1, and each of BUG_LINK, BUG_ONE, BUG_BEFORE,
 *            BUG_SENDERS, BUG_LOCKED, BUG_COPIED_LINK, BUG_TAKING
 *     fails: -DMAY0=1 -DMAY1=11 -DCALLS=2 -DSPARE=2 -DDEATHS=0 -DBUG_REST
 *
 * BUG_VERSION: `next` does not contain the version. BUG_LATE: who makes the last link does not
 * look again whether the state is still the queue's. BUG_LINK: only the holder of the lock makes
 * it. BUG_ONE: a slip has one state. BUG_BEFORE: who receives the message before the last leaves
 * it in the state. BUG_RECEIVERS, BUG_SENDERS: who sends or receives without the lock does not
 * ask who sleeps. BUG_CLAIM: who receives without the lock takes claimed messages. BUG_LOCKED:
 * the holder of the lock does not make the turn LOCKED first. BUG_COPY: the turn names the head
 * before the state is there. BUG_COPIED_LINK: the last link is not made then. BUG_REST: a sender
 * does not write down what is left over. BUG_TAKING: a receiver forgets `taking` before the cell
 * is a spare one. BUG_ORDER: a sweep reads `spare` first. BUG_STALE: it reads `taking` and
 * `rest` also between calls (as it once did). BUG_LEFT: the slip of a thread that was killed in
 * a call is given to another one as it is.
 */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef MAY2
#define MAY2 0
#define N 2
#else
#define N 3
#endif
#ifndef OLD
#define OLD 0
#endif
#ifndef SPARE
#define SPARE 1
#endif
#ifndef EXTRA
#define EXTRA 0
#endif
#ifndef ROOM
#define ROOM 3
#endif

#define SENDS    1
#define RECEIVES 2
#define AT_ONCE  4
#define LOCKS    8
#define NO_SLIP  16

#define SLIPS (N - (MAY0) / NO_SLIP - (MAY1) / NO_SLIP - (MAY2) / NO_SLIP)
#define CELLS (OLD + SPARE * SLIPS + EXTRA)
#define MESSAGES (N * CALLS + OLD)
#define STATES (1 + 2 * SLIPS)
#define NONE 7

/* The turn: 16 * version + 2 * state + LOCKED. State 0 is the head. `next`: 8 * version + cell. */
#define LOCKED      1
#define VERSION(t)  ((t) >> 4)
#define STATE(t)    (((t) >> 1) & 7)
#define AFTER(t, state, kind) ((VERSION(t) + 1) << 4 | (state) << 1 | (kind))
#define CELL(n)     ((n) & 7)
#ifdef BUG_VERSION
#define FIRST_NEXT(t) 0
#else
#define FIRST_NEXT(t) (VERSION(t) << 3)
#endif

/* What a thread's own word says. */
#define ASLEEP 1
#define CALLED 2

short turn;
byte first[STATES], last[STATES], before_last[STATES], qnum[STATES];
byte claims, receivers, senders, free;
bool held, marked, unrepaired; /* the lock; marked by the kernel; its state */
short next[CELLS + 1];
byte link[CELLS + 1], claim[CELLS + 1], text[CELLS + 1];
/* Slips. */
byte spare[SLIPS], count[SLIPS], rest[SLIPS], rest_count[SLIPS], taking[SLIPS], owner[SLIPS];
bool busy[SLIPS];
/* Threads, and their records in the line. */
bool died[N], asleep[N];
byte word[N], kind[N];
byte deaths = DEATHS;
/* What nobody in the code knows: whose each cell is (0: free; IN_LIST; thread + 1); of each message
 * its place in the order, whether it was received, and for whom it is. */
#define IN_LIST 7
byte whose[CELLS + 1], sent, place[MESSAGES + 1], whom[MESSAGES + 1];
bool received[MESSAGES + 1];

#define MAY_DIE if :: true :: deaths > 0 -> deaths--; goto dead fi
#define IS_WAITER(i, what) (kind[i] == (what) && !died[i])
#define IS_IN_LINE(i, what) (word[i] == ASLEEP && IS_WAITER(i, what))
#define COUNTS(c) (claim[c] != 0 && IS_WAITER(claim[c] - 1, RECEIVES))

/* ---- what is asserted. [atomic] -------------------------------------------------------------- */

inline happens_send(c)
{
	assert(whose[c] == me + 1 && place[text[c]] == 0);
	sent++; place[text[c]] = sent; whose[c] = IN_LIST
}

inline no_message_before(limit)
{
	for (g : 1 .. MESSAGES) {
		assert(place[g] == 0 || received[g] || whom[g] != 0 || place[g] >= limit)
	}
	g = 0
}

inline happens_receive(c)
{
	assert(whose[c] == IN_LIST && place[text[c]] != 0 && !received[text[c]]);
	assert(whom[text[c]] == 0 || whom[text[c]] == me + 1);
	if :: whom[text[c]] == 0 -> no_message_before(place[text[c]]) :: else fi;
	received[text[c]] = 1; whose[c] = me + 1
}

/* ---- the state without the lock -------------------------------------------------------------- */

/* mdg__snapshot_read and mdg__snapshot_link_last */
inline read_snapshot()
{
	now = turn;
	if :: (now & LOCKED) != 0 -> goto slow :: else fi;
	atomic { now_first = first[STATE(now)]; now_qnum = qnum[STATE(now)] }
	atomic { now_last = last[STATE(now)]; now_before = before_last[STATE(now)] }
	if :: turn != now -> goto again :: else fi;
#ifndef BUG_LINK
	if
	:: now_before != 0 ->
		seen = next[now_before];
		if
		:: CELL(seen) == 0 ->
#ifndef BUG_LATE
			if :: turn != now -> goto again :: else fi;
#endif
			atomic {
				MAY_DIE;
				if
				:: next[now_before] == seen -> next[now_before] = seen | now_last
				:: else
				fi
			}
		:: else
		fi;
		seen = 0
	:: else
	fi;
#endif
}

#ifdef BUG_ONE
#define OTHER_STATE (1 + 2 * slip)
#else
#define OTHER_STATE (STATE(now) == 1 + 2 * slip -> 2 + 2 * slip : 1 + 2 * slip)
#endif

/* Two steps: somebody may read meanwhile. */
inline write_state()
{
	atomic {
		MAY_DIE;
		at = OTHER_STATE;
		assert(STATE(turn) != at);
		first[at] = now_first; qnum[at] = now_qnum
	}
	atomic {
		MAY_DIE;
		assert(STATE(turn) != at);
		last[at] = now_last; before_last[at] = now_before
	}
}

#define FORGET now = 0; now_first = 0; now_last = 0; now_before = 0; now_qnum = 0; seen = 0; at = 0

/* The swap, if the turn is still the same. */
inline swap()
{
	atomic {
		MAY_DIE;
		if
		:: turn == now && sends -> happens_send(c); turn = AFTER(now, at, 0)
		:: turn == now && !sends -> happens_receive(c); turn = AFTER(now, at, 0)
		:: else -> goto again
		fi;
		FORGET
	}
}

/* ---- the lock -------------------------------------------------------------------------------- */

/* mdg__visit_lock, but for the repair */
inline take_lock()
{
	atomic {
		!held -> MAY_DIE;
		held = 1; has_lock = 1;
		if :: marked -> marked = 0; unrepaired = 1 :: else fi
	}
#ifndef BUG_LOCKED
	atomic {
		MAY_DIE;
		if
		:: (turn & LOCKED) == 0 -> turn = AFTER(turn, STATE(turn), LOCKED)
		:: else
		fi
	}
#endif
}

/* mdg__turn_copy */
inline copy_state()
{
	if
	:: STATE(turn) != 0 ->
#ifdef BUG_COPY
		atomic { at = STATE(turn); MAY_DIE; turn = AFTER(turn, 0, LOCKED) }
#endif
		atomic {
			MAY_DIE;
#ifndef BUG_COPY
			at = STATE(turn);
#endif
			first[0] = first[at];
			MAY_DIE;
			last[0] = last[at];
			MAY_DIE;
			qnum[0] = qnum[at]; before = before_last[at]; at = 0
		}
#ifndef BUG_COPIED_LINK
		if
		:: before != 0 && CELL(next[before]) == 0 ->
			atomic { MAY_DIE; next[before] = FIRST_NEXT(turn) | last[0] }
		:: else
		fi;
#endif
#ifndef BUG_COPY
		atomic { MAY_DIE; turn = AFTER(turn, 0, LOCKED); before = 0 }
#endif
	:: else
	fi
}

inline give_lock()
{
	atomic { MAY_DIE; turn = AFTER(turn, STATE(turn), 0) }
	atomic { MAY_DIE; held = 0; has_lock = 0 }
}

/* ---- under the lock: cells ------------------------------------------------------------------- */

/* The chains of a slip whose owner may go on meanwhile, and the links of its own cells with it. */
inline mark_chain(cell, cells)
{
	atomic { i = cell; n = cells }
	atomic {
		do
		:: n > 0 && i != 0 -> marks = marks | 1 << i; i = link[i]; n--
		:: else -> break
		od;
		i = 0; n = 0
	}
}

/* [atomic] */
inline mark_list()
{
	marks = 0; i = first[0];
	do
	:: i != 0 ->
		assert(whose[i] == IN_LIST && (marks & 1 << i) == 0);
		marks = marks | 1 << i; i = CELL(next[i])
	:: else -> break
	od
}

/* Whether `taking` and `rest` count. */
#ifdef BUG_STALE
#define IS_READ(s) true
#else
#define IS_READ(s) busy[s]
#endif

/* mdg__sweep */
inline sweep()
{
	s = 0;
	do
	:: s < SLIPS && !died[owner[s] - 1] ->
#ifdef BUG_ORDER
		mark_chain(spare[s], count[s]);
#endif
		if
		:: IS_READ(s) ->
			mark_chain(taking[s], taking[s] != 0);
			mark_chain(rest[s], rest_count[s])
		:: else
		fi;
#ifndef BUG_ORDER
		mark_chain(spare[s], count[s]);
#endif
		s++
	:: atomic { s < SLIPS && died[owner[s] - 1] ->
		MAY_DIE;
		taking[s] = 0; rest[s] = 0; rest_count[s] = 0; spare[s] = 0; count[s] = 0; s++ }
	:: s == SLIPS -> break
	od;
	/* free_others */
	atomic {
		MAY_DIE;
		s = 0; free = 0;
		for (i : 1 .. CELLS) {
			if
			:: (marks & 1 << i) == 0 ->
				assert(whose[i] == 0 ||
				       (whose[i] != IN_LIST && died[whose[i] - 1]));
				whose[i] = 0; link[i] = free; free = i
			:: else
			fi
		}
		marks = 0; i = 0
	}
}

/* mdg__queue_slip_prepare: a slip, and a cell in it for the next send. */
inline prepare()
{
	if
	:: slip == NONE ->
		s = 0;
		do
		:: s < SLIPS && !died[owner[s] - 1] -> s++
		:: else -> break
		od;
		at = s;
#ifndef BUG_LEFT
		if
		:: s < SLIPS && busy[s] -> atomic { mark_list() } sweep()
		:: else
		fi;
#endif
		atomic {
			s = at; at = 0;
			if
			:: s < SLIPS ->
				MAY_DIE;
				owner[s] = me + 1; slip = s; busy[s] = 0;
				i = spare[s]; n = count[s];
				do
				:: n > 0 -> whose[i] = me + 1; i = link[i]; n--
				:: else -> break
				od;
				i = 0
			:: else
			fi;
			s = 0
		}
	:: else
	fi;
	atomic {
		if
		:: slip != NONE && sends && count[slip] == 0 && free != 0 ->
			MAY_DIE;
			i = free; free = link[i];
			assert(whose[i] == 0);
			whose[i] = me + 1;
			MAY_DIE;
			link[i] = spare[slip]; spare[slip] = i; count[slip] = 1; i = 0
		:: else
		fi
	}
}

/* ---- under the lock: the line ---------------------------------------------------------------- */

/* [atomic] */
inline leave_line(i, what)
{
	if
	:: word[i] == ASLEEP && kind[i] == RECEIVES && receivers > 0 -> receivers--
	:: word[i] == ASLEEP && kind[i] == SENDS && senders > 0 -> senders--
	:: else
	fi;
	MAY_DIE;
	word[i] = what
}

/* mdg__call. `ok`: it was asleep. */
inline call(i)
{
	atomic { MAY_DIE; leave_line(i, CALLED) }
	atomic { MAY_DIE; ok = asleep[i]; asleep[i] = 0 }
}

/* One in the line, any, or N. */
inline any_in_line(what)
{
	atomic {
		if
		:: IS_IN_LINE(0, what) -> i = 0
		:: IS_IN_LINE(1, what) -> i = 1
#if N > 2
		:: IS_IN_LINE(2, what) -> i = 2
#endif
		:: else -> i = N
		fi
	}
}

/* mdg__queue_repair */
inline repair()
{
	atomic {
		MAY_DIE;
		mark_list();
		last[0] = 0; qnum[0] = 0; claims = 0; i = first[0];
		do
		:: i != 0 ->
			if
			:: COUNTS(i) -> claims++
			:: else -> qnum[0]++; claim[i] = 0; whom[text[i]] = 0
			fi;
			last[0] = i; i = CELL(next[i])
		:: else -> break
		od
	}
	sweep();
	do
	:: i < N && word[i] != 0 && kind[i] != 0 && !died[i] -> call(i); i++
	:: i < N && !(word[i] != 0 && kind[i] != 0 && !died[i]) -> i++
	:: i == N -> break
	od;
	atomic { MAY_DIE; unrepaired = 0; i = 0; ok = 0 }
}

/* Lines up, gives the lock back, and sleeps. */
inline wait_once(what, count_of)
{
	atomic {
		if :: kind[me] == 0 -> MAY_DIE; kind[me] = what :: else fi;
		if :: word[me] != ASLEEP -> MAY_DIE; count_of++; MAY_DIE; word[me] = ASLEEP :: else fi
	}
	give_lock();
	atomic { MAY_DIE; if :: word[me] == ASLEEP -> asleep[me] = 1 :: else fi }
}

/* ---- the threads ----------------------------------------------------------------------------- */

proctype Thread(byte me; byte may; byte slip)
{
	byte calls, id, c, i, n, s, marks, at, before, waiter;
	byte now_first, now_last, now_before, now_qnum;
	short now, seen;
	bool sends, has_lock, ok;
	byte g;

start:	atomic {
		if
		:: calls == CALLS -> goto end
		:: else -> calls++; id = me * CALLS + calls
		fi;
		if
		:: (may & SENDS) != 0 -> sends = 1
		:: (may & RECEIVES) != 0 -> sends = 0
		fi;
		if
		:: slip != NONE
		:: slip == NONE || (may & LOCKS) != 0 -> goto lock
		fi
	}

	/* Without the lock. */
	atomic { MAY_DIE; busy[slip] = 1; c = spare[slip] }
	if
	:: sends ->
		if :: count[slip] == 0 -> goto slow :: else fi;
		atomic { MAY_DIE; assert(whose[c] == me + 1); text[c] = id; claim[c] = 0; n = link[c] }
#ifndef BUG_REST
		atomic { MAY_DIE; rest[slip] = n; rest_count[slip] = count[slip] - 1 }
#endif
	:: else
	fi;
again:	read_snapshot();
	if
	:: sends ->
#ifndef BUG_RECEIVERS
		if :: receivers != 0 -> goto slow :: else fi;
#endif
		if
		:: now_qnum >= ROOM ->
			if
			:: turn != now -> goto again
			:: turn == now && (may & AT_ONCE) != 0 -> goto done
			:: turn == now && (may & AT_ONCE) == 0 -> goto slow
			fi
		:: else
		fi;
		atomic { MAY_DIE; assert(whose[c] == me + 1); next[c] = FIRST_NEXT(now);
			now_before = (now_first != 0 -> now_last : 0);
			now_first = (now_first != 0 -> now_first : c);
			now_last = c;
			now_qnum++
		}
	:: else ->
#ifndef BUG_SENDERS
		if :: senders != 0 -> goto slow :: else fi;
#endif
		c = now_first;
		if
		:: c == 0 ->
			if
			:: turn != now -> goto again
			:: atomic { turn == now ->
				no_message_before(255);
				if
				:: (may & AT_ONCE) != 0 -> goto done
				:: (may & AT_ONCE) == 0 -> goto slow
				fi }
			fi
		:: else
		fi;
#ifndef BUG_CLAIM
		if :: claim[c] != 0 -> goto slow :: else fi;
#endif
		now_first = CELL(next[c]);
		atomic {
			MAY_DIE;
			taking[slip] = c;
#ifndef BUG_BEFORE
			if :: now_before == c -> now_before = 0 :: else fi;
#endif
			if :: now_first == 0 -> now_last = 0 :: else fi;
			now_qnum--
		}
	fi;
	write_state();
	swap();
	if
	:: sends -> atomic { MAY_DIE; spare[slip] = n; count[slip]-- }
	:: else ->
		/* keep_cells */
		atomic { MAY_DIE; assert(whose[c] == me + 1); link[c] = spare[slip] }
#ifdef BUG_TAKING
		atomic { MAY_DIE; taking[slip] = 0 }
#endif
		atomic { MAY_DIE; spare[slip] = c; count[slip]++ }
		atomic { MAY_DIE; taking[slip] = 0 }
	fi;
done:	atomic { MAY_DIE; busy[slip] = 0; FORGET; c = 0; n = 0; sends = 0; goto start }

slow:	atomic { MAY_DIE; busy[slip] = 0; FORGET; c = 0; n = 0 }
lock:	take_lock();
	copy_state();
	if :: unrepaired -> repair() :: else fi;
	if :: sends -> goto send :: else fi;

	/* receive(): what was handed over to this thread, or the first that is nobody's */
	atomic {
		c = first[0]; before = 0;
		do
		:: c != 0 && COUNTS(c) && claim[c] != me + 1 -> before = c; c = CELL(next[c])
		:: else -> break
		od
	}
	if
	:: c == 0 && (may & AT_ONCE) != 0 -> goto leave
	:: c == 0 && (may & AT_ONCE) == 0 ->
		no_message_before(255);
		wait_once(RECEIVES, receivers);
end_empty:	!asleep[me];
		goto lock
	:: else
	fi;
	atomic {
		if
		:: claim[c] != 0 && claim[c] != me + 1 ->
			MAY_DIE; claim[c] = 0; whom[text[c]] = 0; MAY_DIE; claims--; MAY_DIE; qnum[0]++
		:: else
		fi
	}
	do
	:: claim[c] == 0 && senders != 0 && qnum[0] - 1 < ROOM ->
		any_in_line(SENDS);
		if :: i < N -> call(i) :: else -> senders = 0; break fi
	:: else -> break
	od;
	atomic {
		MAY_DIE;
		i = CELL(next[c]);
		happens_receive(c);
		if :: before == 0 -> first[0] = i :: else -> next[before] = FIRST_NEXT(turn) | i fi;
		MAY_DIE;
		if :: i == 0 -> last[0] = before :: else fi;
		MAY_DIE;
		if :: claim[c] == 0 -> qnum[0]-- :: else -> claims-- fi;
		MAY_DIE;
		link[c] = free;
		MAY_DIE;
		free = c; whose[c] = 0; c = 0; before = 0; i = 0; ok = 0
	}
	prepare();
	goto leave;

send:	if
	:: qnum[0] >= ROOM && (may & AT_ONCE) != 0 -> goto leave
	:: qnum[0] >= ROOM && (may & AT_ONCE) == 0 ->
		wait_once(SENDS, senders);
end_full:	!asleep[me];
		goto lock
	:: else
	fi;
	/* mdg__cells_find_lost */
	if :: free == 0 -> atomic { mark_list() } sweep() :: else fi;
	atomic {
		if :: free == 0 -> goto leave :: else fi;
		MAY_DIE;
		c = free; free = link[c];
		assert(whose[c] == 0);
		whose[c] = me + 1;
		MAY_DIE;
		text[c] = id; claim[c] = 0; next[c] = FIRST_NEXT(turn); waiter = N
	}
	do
	:: receivers != 0 ->
		any_in_line(RECEIVES);
		if
		:: i < N -> call(i); if :: ok -> waiter = i; break :: else fi
		:: else -> receivers = 0; break
		fi
	:: else -> break
	od;
	atomic {
		MAY_DIE;
		happens_send(c);
		if
		:: first[0] == 0 -> first[0] = c
		:: else ->
			assert(CELL(next[last[0]]) == 0);
			next[last[0]] = FIRST_NEXT(turn) | c
		fi;
		MAY_DIE;
		last[0] = c;
		MAY_DIE;
		qnum[0]++;
		if
		:: waiter < N ->
			MAY_DIE; claim[c] = waiter + 1; whom[id] = waiter + 1;
			MAY_DIE; claims++;
			MAY_DIE; qnum[0]--
		:: else
		fi;
		c = 0; i = 0; ok = 0; waiter = 0
	}
	prepare();

leave:	atomic {
		if :: kind[me] != 0 -> MAY_DIE; leave_line(me, 0); MAY_DIE; kind[me] = 0 :: else fi
	}
	give_lock();
	atomic { c = 0; i = 0; before = 0; sends = 0; goto start }

dead:	atomic {
		died[me] = 1; asleep[me] = 0;
		if :: has_lock -> held = 0; marked = 1; has_lock = 0 :: else fi;
		FORGET; calls = 0; id = 0; c = 0; i = 0; n = 0; s = 0; marks = 0; before = 0;
		waiter = 0; sends = 0; ok = 0
	}
end:	skip
}

/* When nobody can go on. [atomic] */
inline look_at_all()
{
	/* The list. */
	s = STATE(turn); c = before_last[s];
	if :: s != 0 && c != 0 && CELL(next[c]) == 0 -> next[c] = last[s] :: else fi;
	c = first[s];
	do
	:: c != 0 ->
		assert(whose[c] == IN_LIST && (marks & 1 << c) == 0);
		marks = marks | 1 << c; n++;
		assert(!received[text[c]] && place[text[c]] > at);
		at = place[text[c]]; received[text[c]] = 1;
		for (i : 0 .. N - 1) {
			assert(claim[c] != 0 || !(asleep[i] && kind[i] == RECEIVES))
		}
		c = CELL(next[c])
	:: else -> break
	od;
	for (i : 1 .. MESSAGES) { assert(place[i] == 0 || received[i]) }
	for (i : 0 .. N - 1) { assert(n >= ROOM || !(asleep[i] && kind[i] == SENDS)) }
	/* The cells, as a sweep would mark them. */
	for (s : 0 .. SLIPS - 1) {
		if
		:: !died[owner[s] - 1] ->
			assert(!busy[s]);
			c = spare[s];
			for (i : 1 .. count[s]) {
				assert(whose[c] == owner[s] && (marks & 1 << c) == 0);
				marks = marks | 1 << c; c = link[c]
			}
		:: else
		fi
	}
	for (c : 1 .. CELLS) {
		assert((marks & 1 << c) != 0 || whose[c] == 0 || died[whose[c] - 1]);
		for (s : 0 .. SLIPS - 1) {
			assert((marks & 1 << c) != 0 || died[owner[s] - 1] ||
			       !(IS_READ(s) && (taking[s] == c || rest_count[s] > 0 && rest[s] == c)))
		}
	}
}

#define HAS_SLIP(may) (((may) & NO_SLIP) == 0)

init {
	byte c, i, s, n, at, marks;
	atomic {
		turn = 16;
#if OLD
		for (i : 1 .. OLD) {
			c++; text[c] = N * CALLS + i; whose[c] = IN_LIST; sent++;
			place[text[c]] = sent; next[c] = (i < OLD -> c + 1 : 0)
		}
#endif
		first[0] = (OLD > 0 -> 1 : 0); last[0] = OLD; qnum[0] = OLD;
		for (s : 0 .. SLIPS - 1) {
			for (i : 1 .. SPARE) {
				c++; link[c] = spare[s]; spare[s] = c; count[s]++; whose[c] = s + 1
			}
		}
#if EXTRA
		for (i : 1 .. EXTRA) { c++; link[c] = free; free = c }
#endif
		c = 0; s = 0; i = 0;
		if
		:: HAS_SLIP(MAY0) -> owner[s] = 1; run Thread(0, MAY0, s); s++
		:: else -> run Thread(0, MAY0, NONE) fi;
		if
		:: HAS_SLIP(MAY1) -> owner[s] = 2; run Thread(1, MAY1, s); s++
		:: else -> run Thread(1, MAY1, NONE) fi;
#if N > 2
		if
		:: HAS_SLIP(MAY2) -> owner[s] = 3; run Thread(2, MAY2, s); s++
		:: else -> run Thread(2, MAY2, NONE) fi;
#endif
		s = 0
	}
end:	timeout -> atomic { look_at_all() }
}
