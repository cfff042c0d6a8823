/* SPDX-License-Identifier: MIT */
/*
 * flood.pml - tools/bridge/pump/topic.c with src/channel/claim.c: a topic that waits, on HOSTS
 * hosts, on each of which a program sends whenever there is room.
 *
 * Each host has a ring of RING messages. The pump out reads it, sends what is the host's own, and
 * passes over what was relayed. The server keeps the packs (a message each) that a host has not
 * taken; a place of `packs` says who sent it. The pump in puts them into the ring. A host sends
 * if its last pack is at most WINDOW beyond what the slowest host has taken, and it is a host, too;
 * or BEYOND more while its pump in is blocked and no host is slower.
 *
 * blocked[h] is turn->blocked, FAR turn->far. While the pump in waits for room (`claims`), and
 * then until it has taken all if the host is far ahead, the program adds nothing.
 *
 * Asserted: the server has room for all that the slowest host has not taken, WINDOW + BEYOND +
 * HOSTS packs. And spin finds by itself whether all can only wait.
 *
 * holds: depth=1000000 -DHOSTS=2 -DRING=2
 * holds: depth=1000000 -DHOSTS=3 -DRING=1
 * fails: depth=1000000 -DHOSTS=2 -DRING=2 -DBUG_CLAIM
 * fails: depth=1000000 -DHOSTS=2 -DRING=2 -DBUG_BEYOND
 * fails: depth=1000000 -DHOSTS=2 -DRING=2 -DBUG_OWN
 * fails: depth=1000000 -DHOSTS=3 -DRING=2 -DBUG_ANY
 *
 * BUG_CLAIM: programs take the room that becomes free, as any talker (as it once was). BUG_BEYOND: a
 * host that is blocked waits like any other (as it once was). BUG_OWN: a host asks only how far the
 * others are, and not its own pump in (as it once was). BUG_ANY: also a host that is not the slowest
 * uses BEYOND, so two of them may leave nothing of it to a third.
 *
 * By hand it also holds with -DHOSTS=3 -DRING=2: 9,700,000 states, 2.6 GB, a minute.
 */
#define WINDOW 1
#ifdef BUG_BEYOND
#define BEYOND 0
#else
#define BEYOND (HOSTS * RING)
#endif
#define MOST (WINDOW + BEYOND + HOSTS)

byte packs[MOST + 1]; /* the server's, oldest first: who sent them */
byte kept;
byte taken[HOSTS];    /* of these */
byte used[HOSTS];     /* messages in a ring */
byte own[HOSTS];      /* a bit for each: it is this host's own; the oldest is bit 0 */
bool claims[HOSTS], blocked[HOSTS];

/* How many packs the slowest host has not taken. What all have taken the server forgets. */
#ifdef BUG_OWN
#define AHEAD (kept - taken[1 - me])
#else
#define AHEAD kept
#endif
#define FAR (AHEAD > WINDOW)
#ifdef BUG_ANY
#define SLOWEST(h) true
#else
#define SLOWEST(h) (taken[h] == 0)
#endif
#define MAY_SEND(h) (!FAR || (blocked[h] && SLOWEST(h) && AHEAD <= WINDOW + BEYOND))

proctype Program(byte me)
{
	do
	:: atomic {
#ifdef BUG_CLAIM
		used[me] < RING ->
#else
		used[me] < RING && !claims[me] ->
#endif
		own[me] = own[me] | (1 << used[me]);
		used[me]++
		}
	od
}

proctype Out(byte me)
{
	do
	:: atomic {
		used[me] > 0 && (own[me] & 1) == 0 -> /* relayed */
		own[me] = own[me] >> 1;
		used[me]--
		}
	:: atomic {
		used[me] > 0 && (own[me] & 1) == 1 && MAY_SEND(me) ->
		assert(kept < MOST);
		packs[kept] = me;
		kept++;
		own[me] = own[me] >> 1;
		used[me]--
		}
	od
}

/* One more is taken. The server forgets what all have taken. */
inline took()
{
	taken[me]++;
	i = 0;
	do
	:: i < HOSTS && taken[i] > 0 -> i++
	:: else -> break
	od;
	if
	:: i == HOSTS ->
		i = 0;
		do
		:: i < MOST -> packs[i] = packs[i + 1]; i++
		:: else -> break
		od;
		kept--;
		i = 0;
		do
		:: i < HOSTS -> taken[i]--; i++
		:: else -> break
		od
	:: else
	fi;
	i = 0
}

proctype In(byte me)
{
	byte i;

	do
	:: atomic { taken[me] < kept && packs[taken[me]] == me -> took() }
	:: atomic {
		taken[me] < kept && packs[taken[me]] != me && used[me] < RING ->
		used[me]++; /* its bit in `own` is 0 */
		took();
		if
		:: FAR && taken[me] < kept -> skip /* MDG_RELAY_MORE */
		:: else -> claims[me] = 0; blocked[me] = 0
		fi
		}
	:: atomic {
		taken[me] < kept && packs[taken[me]] != me && used[me] == RING && !claims[me] ->
		claims[me] = 1
		}
	:: atomic { claims[me] && !blocked[me] -> blocked[me] = 1 } /* it has waited for a while */
	od
}

init
{
	byte h;

	atomic {
		do
		:: h < HOSTS -> run Program(h); run Out(h); run In(h); h++
		:: else -> break
		od
	}
}
