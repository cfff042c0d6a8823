/* SPDX-License-Identifier: MIT */
/*
 * stream.pml - the talker and the listener of a stream: reserve.c (lay_out, show_records,
 * show_at_tail, mdg__commit_records, mdg__cancel_all), tail.c (mdg__tail_store, mdg__tail_repair),
 * mdg__clear_behind, records.c (mdg__find_ready), stream.c (stream_join, stream_take,
 * stream_release), listen.c (give_less).
 *
 * The talker sends up to M messages: one, or two at once, each of one line or two, copied or
 * reserved, with what is reserved shown in part or cancelled. It is killed at any store, and the
 * next one goes on. So is the listener (DEATHS in all); it takes one or two, and gives out all,
 * one, or none (too little room). That only one of each is there is up to seats.c.
 *
 * A line is a step of the ring: 16 bytes, where a record may begin. A ring as a channel has it whose
 * largest record is 2 lines; it begins at line FIRST or later. A line is EMPTY, READY or SKIP with a
 * span, or JUNK: inside of a message.
 * Positions and numbers are never the same again. Memory is sequentially consistent.
 *
 * Asserted: no line is stored that the listener has not given back; the listener never takes JUNK
 * for a record; what it finds has been shown (real), and comes in order; what is given out again is
 * marked, and marked is only what was handed to one that died; at the end all that was shown has
 * been given out.
 *
 * holds: depth=100000 -DM=2 -DDEATHS=1
 * fails: depth=100000 -DM=2 -DDEATHS=1 -DBUG_FIRST
 * fails: depth=100000 -DM=2 -DDEATHS=1 -DBUG_REPAIR
 * fails: depth=100000 -DM=2 -DDEATHS=0 -DBUG_LATE
 * fails: depth=100000 -DM=3 -DDEATHS=0 -DBUG_ROOM
 * fails: depth=100000 -DM=2 -DDEATHS=2 -DBUG_HANDED
 *
 * BUG_FIRST: of two records the first is shown first. BUG_REPAIR: the next talker goes on at `tail`,
 * and does not look what was shown there. BUG_LATE: the line behind is made EMPTY after the records
 * were shown. BUG_ROOM: room for the line behind is not asked for. BUG_HANDED: `handed` goes back,
 * when the next listener takes less (as it once was).
 */
#define RING (2 * 2 + 1)
#ifndef FIRST
#define FIRST (RING - 2)
#endif
#define LINE(position) ((position) % RING)
#define EMPTY  0
#define READY  2    /* and its span - 1 */
#define SKIP   4    /* and its span - 1; up to 2 */
#define JUNK   8
#define SPAN(what) (((what) & 1) + 1)
#define IS_SKIP(what) ((what) >= SKIP && (what) < JUNK)
#define IS_READY(what) ((what) == READY || (what) == READY + 1)

byte line[RING];
byte number[RING];
byte tail, sequence, taken, handed;

byte real;          /* a bit for each line: a record begins there that has been shown */
byte showns;        /* how many messages were shown */
byte freed_number;  /* the number of the first that is not given back */
byte out;           /* a bit for each number: given out */
byte deaths;
bool listener_died;
bool begun, ended;

#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; goto born fi
#define STORE(position, what) assert((position) < taken + RING); \
	real = real & ~(1 << LINE(position)); line[LINE(position)] = what
#define SHOWN real = real | 1 << LINE(at[0]) | 1 << LINE(at[n - 1]); showns = s + n


active proctype Talker()
{
	byte t, s, limit, i, n, at[2], span[2], to, end;
	bool reserved;

	atomic { select(t : FIRST .. RING - 1); tail = t; taken = t; handed = t; begun = 1 }

born:	atomic { /* mdg__tail_repair; what it reads it alone writes */
		limit = 0; n = 0; reserved = 0; to = 0; end = 0; at[0] = 0; at[1] = 0; span[0] = 0; span[1] = 0;
		t = tail; s = sequence;
#ifndef BUG_REPAIR
		do
		:: IS_READY(line[LINE(t)]) -> s = number[LINE(t)] + 1; t = t + SPAN(line[LINE(t)])
		:: IS_SKIP(line[LINE(t)]) -> t = t + SPAN(line[LINE(t)])
		:: else -> break
		od
#endif
	}
	atomic { MAY_DIE; STORE(t, EMPTY) }
	atomic { MAY_DIE; sequence = s }
	atomic { MAY_DIE; tail = t }

next:	atomic {
		n = 0; reserved = 0; i = 0; end = 0; at[0] = 0; at[1] = 0; span[0] = 0; span[1] = 0;
		if
		:: s < M -> n = 1
		:: s + 1 < M -> n = 2
		:: goto end_talker
		fi;
		if :: span[0] = 1 :: span[0] = 2 fi;
		if :: n == 2 -> if :: span[1] = 1 :: span[1] = 2 fi :: else fi;
		if :: reserved = 1 :: skip fi
	}
	/* lay_out */
	atomic {
		to = t; i = 0;
		do
		:: i < n ->
			at[i] = to;
			if :: RING - LINE(to) < span[i] -> at[i] = to + RING - LINE(to) :: else fi;
#ifdef BUG_ROOM
#define NEED (at[i] + span[i])
#else
#define NEED (at[i] + span[i] + 1)
#endif
			if
			:: NEED > limit -> limit = (taken < t -> taken : t) + RING;
				if :: NEED > limit -> break :: else fi
			:: else
			fi;
			to = at[i] + span[i];
			i++
		:: i == n -> break
		od;
		n = i;
		if
		:: n == 0 -> /* waits for room */
			if :: taken + RING > limit -> goto next :: else -> goto full_ring fi
		:: else
		fi;
		i = 0
	}
	/* what is inside of a message */
	atomic { MAY_DIE; if :: span[0] == 2 -> STORE(at[0] + 1, JUNK) :: else fi }
	atomic { MAY_DIE; if :: n == 2 && span[1] == 2 -> STORE(at[1] + 1, JUNK) :: else fi }
	end = to;
	if
	:: reserved ->
		if
		:: skip -> /* mdg_channel_commit with less, or one of two */
			atomic {
				if :: n == 2 -> n = 1 :: skip fi;
				if :: span[n - 1] == 2 -> span[n - 1] = 1 :: skip fi;
				end = at[n - 1] + span[n - 1]
			}
		:: skip -> /* mdg_channel_cancel */
			goto next
		fi
	:: !reserved
	fi;
	/* show_at_tail */
#ifndef BUG_LATE
	atomic { MAY_DIE; STORE(end, EMPTY) }
#endif
	atomic { i = n; to = end }
	do
	:: atomic {
		i > 0 -> MAY_DIE; i--;
#ifdef BUG_FIRST
		i = n - 1 - i;
#endif
		number[LINE(at[i])] = s + i;
		STORE(at[i], READY + span[i] - 1);
		if :: i == 0 && at[0] == t -> SHOWN :: else fi;
#ifdef BUG_FIRST
		i = n - 1 - i
#endif
		}
		if /* what is skipped before it; of records one after the other nothing */
		:: atomic {
#ifdef BUG_FIRST
			i == n - 1 && at[0] != t -> MAY_DIE;
#else
			i == 0 && at[0] != t -> MAY_DIE;
#endif
			STORE(t, SKIP + at[0] - t - 1); SHOWN
			}
		:: atomic { i == 1 && at[1] != at[0] + span[0] -> MAY_DIE; STORE(at[0] + span[0], SKIP + at[1] - at[0] - span[0] - 1) }
		:: else
		fi
	:: atomic { i == 0 -> s = s + n; t = to; break }
	od;
#ifdef BUG_LATE
	atomic { MAY_DIE; STORE(end, EMPTY) }
#endif
	atomic { MAY_DIE; sequence = s }
	atomic { MAY_DIE; tail = t }
	goto next;
full_ring:
	taken + RING > limit;
	goto next;
end_talker:
	ended = 1
}

#undef MAY_DIE
#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; listener_died = 1; goto born fi

active proctype Listener()
{
	byte next, before, at, n, want, what, upto[2], expected;

	begun;
born:	atomic {
		next = taken; before = handed; expected = freed_number;
		n = 0; want = 0; at = 0; what = 0; upto[0] = 0; upto[1] = 0
	}
look:	atomic { at = next; n = 0; if :: want = 1 :: want = 2 fi }
	do
	:: n == want -> break
	:: atomic {
		n < want -> MAY_DIE;
		what = line[LINE(at)];
		assert(what != JUNK);
		if
		:: what == EMPTY -> break
		:: IS_SKIP(what) -> at = at + SPAN(what)
		:: IS_READY(what) ->
			assert(number[LINE(at)] == expected + n);
			assert((real & 1 << LINE(at)) != 0);
			at = at + SPAN(what);
			upto[n] = at; n++
		fi
		}
	od;
	if
	:: atomic { n == 0 && at != next -> MAY_DIE; next = at; taken = at; goto look }
	:: atomic { n == 0 && at == next ->
		if
		:: ended && line[LINE(at)] == EMPTY -> goto all
		:: else -> goto sleep
		fi
		}
	:: n > 0
	fi;
#ifdef BUG_HANDED
	atomic { MAY_DIE; handed = upto[n - 1] }
#else
	atomic { MAY_DIE; handed = (before > upto[n - 1] -> before : upto[n - 1]) }
#endif
	/* give_less */
	if
	:: atomic { n == 2 -> MAY_DIE; n = 1; handed = (before > upto[0] -> before : upto[0]) }
	:: atomic { MAY_DIE; handed = (before > next -> before : next); goto look }
	:: skip
	fi;
	atomic { /* given out: `before` says whether they are marked */
		what = 0;
		do
		:: what < n ->
			at = (what == 0 -> next : upto[0]);
			/* the record begins before its end */
			if
			:: (out & (1 << (expected + what))) != 0 -> assert(at < before)
			:: else
			fi;
			assert(at >= before || listener_died);
			out = out | (1 << (expected + what));
			what++
		:: what == n -> break
		od;
		at = 0; what = 0
	}
	atomic { MAY_DIE; next = upto[n - 1]; taken = next; expected = expected + n; freed_number = expected }
	goto look;
sleep:	(line[LINE(at)] != EMPTY || ended);
	goto look;
all:	assert(expected == showns)
}
