/* SPDX-License-Identifier: MIT */
/*
 * bell.pml - sleep.c and wake.c: listeners that sleep until there is a message, and talkers that
 * wake them.
 *
 * LISTENERS listeners sleep. TALKERS talkers send up to M messages each, and wake them. The
 * functions are mdg__alert_some, announce, doze, mdg__wait_end and mdg__wake_talkers. The channel
 * is a queue. With ALL it is a stream or a topic, in which each listener has to see each message.
 * With ROOM there is room for so many messages, and talkers sleep until there is room again.
 *
 * A talker publishes with a store that its processor may keep back (late). The store becomes
 * visible at any moment, and at the latest when the talker does something atomic, or when a
 * listener makes all processors pass a fence. All other memory is sequentially consistent.
 * queue.pml shows how a message is taken.
 *
 * A bell is a number. A thread compares it with what it was before. `same` and `room_same` have a
 * bit for each thread that has looked at the bell and would still find the same number.
 *
 * A deadline may pass at any moment until the model is quiet. With QUIET none passes. When no
 * thread can go on, the sleepers look by themselves, as they do every 25 ms: once after a death,
 * when the dead are buried and all are woken. Talkers may wait for that moment before they go on.
 * After it nobody may be asleep for whom there is a message, or room. So a death costs one such
 * look and nothing afterwards. Without a death there is no such look.
 *
 * FENCE: the last listener sleeps at once (MDG_WAIT_SLEEP). When it comes, it tells talkers to make
 * the fence themselves, and makes all processors pass one. Only this listener goes to sleep without
 * another fence.
 *
 * NEAR: the listeners have MDG_WAIT_NEAR in a topic, and talkers may relay. That wakes nobody, so a
 * listener may sleep while it has a message. But nobody sleeps for its room then: who finds no room
 * wakes it before each step of the wait (mdg__alert_near).
 *
 * holds: depth=20000 -DLISTENERS=2 -DTALKERS=2 -DM=1 -DQUIET
 * holds: depth=20000 -DLISTENERS=2 -DTALKERS=1 -DM=2 -DDEATHS=1 -DQUIET
 * holds: depth=20000 -DLISTENERS=2 -DTALKERS=1 -DM=2 -DALL -DQUIET -DFENCE
 * holds: depth=20000 -DLISTENERS=1 -DTALKERS=1 -DM=3 -DROOM=1
 * holds: depth=20000 -DLISTENERS=1 -DTALKERS=2 -DM=2 -DALL -DROOM=1 -DNEAR -DQUIET
 * fails: depth=20000 -DLISTENERS=1 -DTALKERS=2 -DM=2 -DALL -DROOM=1 -DNEAR -DQUIET -DBUG_NEAR
 * fails: depth=20000 -DLISTENERS=2 -DTALKERS=2 -DM=2 -DBUG_GOT
 * fails: depth=20000 -DLISTENERS=1 -DTALKERS=1 -DM=2 -DBUG_BARRIER
 * fails: depth=20000 -DLISTENERS=1 -DTALKERS=1 -DM=2 -DDEATHS=1 -DBUG_LOOK
 * fails: depth=20000 -DLISTENERS=1 -DTALKERS=1 -DM=2 -DROOM=1 -DBUG_ROOM
 * fails: depth=20000 -DLISTENERS=1 -DTALKERS=1 -DM=1 -DFENCE -DBUG_FENCE
 *
 * BUG_GOT: a listener that has got a message does not look whether there is another one (as it once
 * was). BUG_BARRIER: no membarrier(2). BUG_LOOK: nobody looks by itself. BUG_ROOM: a listener that
 * falls asleep wakes no talker. BUG_FENCE (as it once was): a listener that comes makes nobody pass
 * a fence, and no listener does so once talkers are told to. So a talker that has looked before
 * wakes nobody, though its message is on its way. BUG_NEAR: a talker wakes a listener once, when it
 * finds no room, and not again before it sleeps. Meanwhile another talker may have relayed.
 */
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef ROOM
#define ROOM 100
#endif
#define ME (1 << me)
#define FENCED 8    /* MDG__ALERT_FENCE */
#ifdef BUG_FENCE
#define SLEEPS_AT_ONCE true
#else
#define SLEEPS_AT_ONCE (me == LISTENERS - 1)
#endif
#define MAY_DIE if :: skip :: deaths < DEATHS -> deaths++; looks = 1; goto dead fi

byte deaths;
bool looks;         /* since the last death nobody has looked by himself */
#ifdef QUIET
#define quiet true
#else
bool quiet;         /* no deadline passes any more */
#endif
bool second = DEATHS == 0; /* that moment has been */

byte late;          /* a bit for each talker: its message is not seen yet */
byte sent;          /* messages that are seen */
byte placed, freed; /* and room for them: how often it was taken, and given back */
#ifdef ALL
byte next[LISTENERS];
#define HAS(i) (next[i] < sent)
#define TAKE next[me]++
#else
byte taken;
#define HAS(i) (taken < sent)
#define TAKE taken++
#endif
#define HAS_ROOM (placed - freed < ROOM)

byte alert, same, asleep;
bool full_waits;
byte room_same, room_asleep;

inline drain(its) { if :: (late & its) != 0 -> late = late & ~its; sent++ :: else fi }
inline drain_all()
{
	if :: (late & 1) != 0 -> sent++ :: else fi;
	if :: (late & 2) != 0 -> sent++ :: else fi;
	late = 0
}

/* mdg__alert_others(1). `its`: the bit in `late`; a listener has none. */
inline alert_others(its)
{
	atomic { MAY_DIE; seen = alert }
#ifdef FENCE
	if
	:: atomic { (seen & FENCED) != 0 -> MAY_DIE; drain(its); seen = alert & ~FENCED }
	:: (seen & FENCED) == 0
	fi;
#endif
	do
	:: atomic { seen == 0 && bits == 0 -> break }
	:: atomic {
		seen != 0 && bits == 0 -> MAY_DIE;
#ifdef ALL
		bits = seen;
#else
		if :: (seen & 1) != 0 -> bits = 1 :: else -> bits = 2 fi;
#endif
		drain(its);
		seen = alert & ~FENCED; alert = alert & ~bits; bits = bits & seen
		}
	:: atomic { bits != 0 -> MAY_DIE; same = 0; break }
	od;
	if
	:: atomic { bits != 0 -> MAY_DIE; asleep = asleep & ~bits; bits = 0; seen = 0 }
	:: bits == 0
	fi
}

inline wake_talkers()
{
	if
	:: full_waits ->
		atomic { full_waits = 0; room_same = 0 } /* the bell does not matter to who has not set it */
		room_asleep = 0
	:: !full_waits
	fi
}

proctype Listener(byte me)
{
	byte bits, seen;
	bool got, passed;

#ifdef FENCE
	/* mdg__ask_for_fences */
	if
	:: me == LISTENERS - 1 ->
		alert = alert | FENCED;
#ifndef BUG_FENCE
		atomic { drain_all() }
#endif
	:: else
	fi;
#endif
rest:	if
#if ROOM == 100
	:: goto end
#endif
	:: atomic { HAS(me) -> MAY_DIE; TAKE; got = 1; goto told }
	:: atomic { !HAS(me) -> MAY_DIE }
	fi;
awake:	atomic { MAY_DIE; same = same | ME }
	atomic { MAY_DIE; bits = alert & FENCED; alert = alert | ME }
#ifndef BUG_BARRIER
	atomic { MAY_DIE; if :: bits == 0 || !SLEEPS_AT_ONCE -> drain_all() :: else fi; bits = 0 }
#endif
#if ROOM != 100 && !defined(BUG_ROOM)
	wake_talkers();
#endif
	if
	:: atomic { HAS(me) -> MAY_DIE; TAKE; got = 1; goto leave }
	:: atomic { !HAS(me) -> MAY_DIE }
	fi;
	atomic {
		MAY_DIE;
		if :: (same & ME) != 0 -> asleep = asleep | ME :: else fi;
		same = same & ~ME
	}
end_asleep:
	if
	:: (asleep & ME) == 0
	:: atomic { !quiet && (asleep & ME) != 0 -> asleep = asleep & ~ME; passed = 1 }
#if DEATHS
	:: atomic { !quiet && (asleep & ME) != 0 && deaths < DEATHS -> deaths++; looks = 1; goto dead }
#endif
	fi;
	atomic {
		MAY_DIE;
		if
		:: passed -> goto leave
		:: !passed && HAS(me) -> TAKE; got = 1; goto leave
		:: !passed && !HAS(me) -> goto awake
		fi
	}
leave:	/* mdg__wait_end */
#ifndef NEAR
	atomic { MAY_DIE; if :: (alert & ME) != 0 -> skip :: else -> goto pass fi }
	atomic { MAY_DIE; alert = alert & ~ME }
#endif
pass:
#ifndef ALL
	atomic {
		MAY_DIE;
#ifdef BUG_GOT
		if :: got -> goto told :: else fi;
#endif
		if :: HAS(me) -> skip :: else -> goto told fi
	}
	alert_others(0);
#endif
told:
#if ROOM != 100
	if :: atomic { got -> got = 0; freed++ } :: !got fi;
	/* now and then, see mdg__made_room */
	if :: wake_talkers() :: skip fi;
#endif
	atomic { same = same & ~ME; got = 0; passed = 0; goto rest }
dead:	atomic { same = same & ~ME; asleep = asleep & ~ME; bits = 0; seen = 0; got = 0; passed = 0 }
end:	skip

}

proctype Talker(byte me)
{
	byte n, bits, seen;

	do
	:: n == M -> break
	:: n < M ->
#if DEATHS
		if :: second :: skip fi;
#endif
#if ROOM != 100
again:		if
		:: atomic { HAS_ROOM -> placed++ }
		:: !HAS_ROOM ->
#ifdef NEAR
			alert_others(ME);
#endif
			room_same = room_same | ME;
			full_waits = 1;
			if
			:: atomic { HAS_ROOM -> placed++; goto place }
			:: !HAS_ROOM
			fi;
#if defined(NEAR) && !defined(BUG_NEAR)
			alert_others(ME);
#endif
			atomic {
				if :: (room_same & ME) != 0 -> room_asleep = room_asleep | ME :: else fi;
				room_same = room_same & ~ME
			}
end_asleep:		(room_asleep & ME) == 0;
			goto again
		fi;
place:
#endif
		atomic { MAY_DIE; drain(ME); late = late | ME; n++ }
#ifdef NEAR
		if :: goto told :: skip fi;
#endif
		alert_others(ME);
told:		skip
	:: break
	od;
dead:	atomic { n = 0; bits = 0; seen = 0 }
}

active proctype Memory()
{
end:	do
	:: atomic { (late & 1) != 0 -> late = late & ~1; sent++ }
	:: atomic { (late & 2) != 0 -> late = late & ~2; sent++ }
	od
}

active proctype Clock()
{
#ifndef QUIET
	quiet = 1;
#endif
	do
	:: timeout ->
		atomic {
			if
			:: looks || !second ->
#ifndef BUG_LOOK
				if
				:: looks -> alert = alert & FENCED; same = 0; asleep = 0; full_waits = 0; room_asleep = 0
				:: else
				fi;
#endif
				looks = 0;
				second = 1
			:: else -> break
			fi
		}
	od;
#ifdef NEAR
	assert((asleep & 1) == 0 || !HAS(0) || room_asleep == 0);
#else
	assert((asleep & 1) == 0 || !HAS(0));
#endif
#if LISTENERS > 1
	assert((asleep & 2) == 0 || !HAS(1));
#endif
	assert(room_asleep == 0 || !HAS_ROOM)
}

init
{
	atomic {
		run Listener(0);
#if LISTENERS > 1
		run Listener(1);
#endif
		run Talker(0);
#if TALKERS > 1
		run Talker(1);
#endif
	}
}
