/* SPDX-License-Identifier: MIT */
/*
 * cell.pml - cell.c: writers, one at a time and each killed wherever it likes, write values of one
 * or two words, or destroy the cell; a reader reads, of one size or the other.
 *
 * The word lets one writer in at a time, dead ones too (mutex.pml), so they are one process that
 * begins again where the one before was killed. WRITES calls in all: enough to overtake a
 * reader. What each call stores is its number, so a value is whole if all
 * its words are the number of the call that published its version, or zero if none did.
 *
 * Asserted: a read that says 0 gives the value of the version that it says, whole, in the
 * size that was recorded with it.
 *
 * The fences F1 and F2 are as strong here as everything else: that they are needed, and
 * enough, on weaker memory is not shown.
 *
 * holds: -DWRITES=5
 * holds: -DWRITES=5 -DSIZE_ONCE
 * fails: -DWRITES=5 -DBUG_WHOLE
 * fails: -DWRITES=5 -DBUG_BUFFERS
 * fails: -DWRITES=2 -DBUG_EARLY
 * fails: -DWRITES=4 -DBUG_DESTROY
 * fails: -DWRITES=5 -DBUG_RECORD
 *
 * BUG_WHOLE: three versions may be published meanwhile. BUG_BUFFERS: three buffers.
 * BUG_EARLY: published before it is stored. BUG_DESTROY: the version stays. BUG_RECORD: the
 * version does not rise when the size is recorded, and readers take the size first (as it once
 * was). SIZE_ONCE: the reader does not look at the size again, which is a second safeguard.
 */
#ifdef BUG_BUFFERS
#define BUFFERS 3
#else
#define BUFFERS 4
#endif
#ifdef BUG_WHOLE
#define STILL_WHOLE 3
#else
#define STILL_WHOLE 2
#endif
#define PLACE(version, words, i) ((version) % BUFFERS * (words) + (i))

byte memory[8];
byte version, size;
byte truth[60];     /* which call published this version; after a destroy, 0 */
byte before[60];    /* and before the size was taken back */
#define IS(what) (value[0] == what[seen] && (words == 1 || value[1] == what[seen]))

active proctype Writers()
{
	byte call, words, i;

	do
	:: call == WRITES -> break
	:: else ->
begin:		atomic {
			call++;
			if :: words = 1 :: words = 2 :: goto destroy fi
		}
		if
		:: atomic { size != 0 && size != words -> goto next }
		:: size == words
		:: size == 0 -> /* size_record */
#ifndef BUG_RECORD
			if
			:: version == 0
			:: atomic { version != 0 -> version = version + 4; truth[version] = 0 }
			:: goto next
			fi;
#endif
			i = 0;
			do
			:: i < words -> if :: memory[PLACE(version, words, i)] = 0 :: goto next /* killed */ fi; i++
			:: i == words -> break
			od;
			if :: size = words :: goto next fi
		fi;
#ifdef BUG_EARLY
		atomic { truth[version + 1] = call; version = version + 1 }
		version--; version++;
#endif
		i = 0;
		do
		:: i < words -> if
#ifdef BUG_EARLY
			:: memory[PLACE(version, words, i)] = call
#else
			:: memory[PLACE(version + 1, words, i)] = call
#endif
			:: goto next
			fi;
			i++
		:: i == words -> break
		od;
#ifndef BUG_EARLY
		if :: atomic { truth[version + 1] = call; version = version + 1 } :: skip fi;
#endif
		goto next;
destroy:
#ifndef BUG_DESTROY
		if :: atomic { truth[version + 4] = truth[version]; version = version + 4 } :: goto next fi;
#endif
		if :: atomic { size = 0; before[version] = truth[version]; truth[version] = 0 } :: skip fi;
next:		atomic { words = 0; i = 0 }
	od
}

active proctype Reader()
{
	byte words, recorded, seen, i, value[2];

	if :: words = 1 :: words = 2 fi;
again:
#ifdef BUG_RECORD
	recorded = size;
	seen = version;
#else
	seen = version;
	recorded = size;
#endif
	i = 0;
	if
	:: recorded == words ->
		do
		:: i < words -> atomic { value[i] = memory[PLACE(seen, words, i)]; i++ }
		:: i == words -> break
		od
	:: recorded == 0 -> value[0] = 0; value[1] = 0
	:: else -> goto end /* -EINVAL */
	fi;
#ifndef SIZE_ONCE
	if :: size != recorded -> goto again :: else fi;
#endif
	atomic {
		if
		:: version - seen > (recorded == 0 -> 0 : STILL_WHOLE) -> goto again
		:: else
		fi;
		if
		:: recorded != 0 -> assert(IS(truth) || IS(before))
		:: else -> assert(truth[seen] == 0)
		fi
	}
end:	skip
}
