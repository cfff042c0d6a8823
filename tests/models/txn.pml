/* SPDX-License-Identifier: MIT */
/*
 * txn.pml - txn.c: owners, one at a time, that begin, write, commit or cancel, and are killed
 * wherever they like, also while they carry out what a dead one had committed; again and again.
 *
 * The word lets one in at a time and makes it see all that the dead have stored (mutex.pml), so
 * they are one process that begins again after each death. A transaction stores to two or three
 * of two data words in any order, a word twice included.
 *
 * Asserted: from begin to commit the data are those of the last transaction that was committed,
 * as a whole; a journal that is found is never taken for damaged; what is committed when
 * commit returns is in the data.
 *
 * The order of stores is that of the program, as it is for those who were killed.
 *
 * holds:
 * fails: -DBUG_DATA_FIRST
 * fails: -DBUG_IDLE_FIRST
 * fails: -DBUG_DROP
 * fails: -DBUG_SUM_LAST
 *
 * BUG_DATA_FIRST: data are stored before COMMITTED. BUG_IDLE_FIRST: IDLE before the data.
 * BUG_DROP: what was committed by a dead one is not carried out. BUG_SUM_LAST: the
 * sum is noted after COMMITTED.
 */
#define RECORDS 3
#define VALUES  3

byte data[2], true_data[2];      /* and what was committed */
byte offset[RECORDS], value[RECORDS];
byte used, sum;
bool committed;

#define SUM(n) (n + 4 * (offset[0] + 2 * value[0]) + \
	(n > 1 -> 32 * (offset[1] + 2 * value[1]) : 0) % 251 + (n > 2 -> 7 * (offset[2] + 2 * value[2]) : 0))

#define MAY_DIE if :: skip :: goto dead fi

inline carry_out(n)
{
	i = 0;
	do
	:: i < n -> atomic { MAY_DIE; data[offset[i]] = value[i]; i++ }
	:: i == n -> break
	od;
	i = 0
}

inline idle() { atomic { MAY_DIE; committed = 0 } }

inline commit_point()
{
	atomic {
		MAY_DIE;
		committed = 1;
		true_data[offset[0]] = value[0];
		true_data[offset[1]] = value[1];
		if :: n > 2 -> true_data[offset[2]] = value[2] :: else fi
	}
}

active proctype Owners()
{
	byte n, i, j;

begin:	if
	:: atomic { committed -> MAY_DIE; assert(sum == SUM(used)) }
#ifndef BUG_DROP
		carry_out(used);
#endif
		idle()
	:: atomic { !committed -> used = 0; sum = 0; /* they mean nothing, and nobody looks */
		offset[0] = 0; offset[1] = 0; offset[2] = 0; value[0] = 0; value[1] = 0; value[2] = 0 }
	fi;
	assert(data[0] == true_data[0] && data[1] == true_data[1]);

	/* mdg_txn_write */
	if :: n = 2 :: n = 3 fi;
	do
	:: atomic { j < n -> MAY_DIE; if :: offset[j] = 0 :: offset[j] = 1 fi }
		atomic { MAY_DIE; if :: value[j] = 0 :: value[j] = 1 :: value[j] = 2 fi; j++ }
	:: j == n -> break
	od;
	assert(data[0] == true_data[0] && data[1] == true_data[1]);
	if :: goto dead /* also mdg_txn_cancel */ :: skip fi;

	/* mdg_txn_commit */
	atomic { MAY_DIE; used = n }
#ifndef BUG_SUM_LAST
	atomic { MAY_DIE; sum = SUM(n) }
#endif
#ifdef BUG_DATA_FIRST
	carry_out(n);
	commit_point();
	idle();
#elif defined(BUG_IDLE_FIRST)
	commit_point();
	idle();
	carry_out(n);
#else
	commit_point();
#ifdef BUG_SUM_LAST
	atomic { MAY_DIE; sum = SUM(n) }
#endif
	carry_out(n);
	idle();
#endif
	assert(data[0] == true_data[0] && data[1] == true_data[1]);
dead:	atomic { n = 0; i = 0; j = 0; goto begin }
}
