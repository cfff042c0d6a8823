/* SPDX-License-Identifier: MIT */
/* Operations of one process that never sleep: lines S, and what semctl does to values. */
#include "semset/set.h"

static void single(void)
{
	fresh(3);
	CHECK_LINE("G8", value(0) == 0 && last_pid(0) == 0 && ncount(0) == 0 && zcount(0) == 0);
	CHECK_LINE("G8", otime() == 0);
	CHECK_LINE("S4", op1(0, 1, 0) == 0 && value(0) == 1);
	CHECK_LINE("S7", last_pid(0) == getpid() && last_pid(1) == 0);
	CHECK_LINE("S7", otime() >= time(NULL) - 1);
	CHECK_LINE("S4", op1(0, -1, 0) == 0 && value(0) == 0);
	CHECK_LINE("S4", op1(0, 0, 0) == 0);
	CHECK_LINE("S5", op1(0, -1, NOWAIT) == -EAGAIN);
	CHECK(op1(0, 2, 0) == 0);
	CHECK_LINE("S5", op1(0, 0, NOWAIT) == -EAGAIN);
	CHECK_LINE("S6", op1(0, -3, NOWAIT) == -EAGAIN && value(0) == 2);
	CHECK_LINE("S7", op1(1, 0, 0) == 0 && last_pid(1) == getpid());
	CHECK_LINE("S8", op1(0, 1, 0x2 | 0x10) == 0 && value(0) == 3);
	CHECK_LINE("S8", op1(0, -32768, NOWAIT) == -EAGAIN);
}

static void ranges(void)
{
	fresh(2);
	CHECK_LINE("S4", op1(0, 32767, 0) == 0 && value(0) == 32767);
	CHECK_LINE("S4", op1(0, 1, 0) == -ERANGE && value(0) == 32767);
	CHECK_LINE("S5", op1(0, 1, NOWAIT) == -ERANGE);
	CHECK_LINE("S4", op(OPS({ 0, 1, 0 }, { 0, -1, 0 })) == -ERANGE);
	CHECK_LINE("S4", op(OPS({ 0, -1, 0 }, { 0, 1, 0 })) == 0 && value(0) == 32767);
	CHECK_LINE("S8", op1(0, -32768, NOWAIT) == -EAGAIN);
	CHECK_LINE("S4", op1(0, -32767, 0) == 0 && value(0) == 0);
}

static void lists(void)
{
	fresh(3);
	CHECK_LINE("S1", op1(3, 1, 0) == -EFBIG && op1(65535, 1, 0) == -EFBIG);
	CHECK_LINE("S1", op(OPS({ 0, 1, 0 }, { 3, 1, 0 })) == -EFBIG && value(0) == 0);
	CHECK_LINE("S1", op(OPS({ 0, -1, NOWAIT }, { 3, 1, 0 })) == -EFBIG);
	CHECK_LINE("S3", op(OPS({ 0, 1, 0 }, { 1, -1, NOWAIT })) == -EAGAIN && value(0) == 0);
	CHECK_LINE("S6", last_pid(0) == 0 && otime() == 0);
	CHECK_LINE("S3", op(OPS({ 0, 1, 0 }, { 1, 2, 0 }, { 2, 0, 0 })) == 0);
	CHECK_LINE("S3", value(0) == 1 && value(1) == 2 && last_pid(2) == getpid());
	fresh(2);
	CHECK_LINE("S3", op(OPS({ 0, 1, 0 }, { 0, -1, 0 })) == 0);
	CHECK_LINE("S3", op(OPS({ 0, -1, NOWAIT }, { 0, 1, 0 })) == -EAGAIN);
	CHECK_LINE("S3", op(OPS({ 0, 0, 0 }, { 0, 1, 0 })) == 0 && value(0) == 1);
	CHECK_LINE("S3", op(OPS({ 0, 0, NOWAIT }, { 0, 1, 0 })) == -EAGAIN);
	CHECK_LINE("S3", op(OPS({ 0, -1, 0 }, { 0, 0, 0 })) == 0 && value(0) == 0);
	CHECK_LINE("S3", op(OPS({ 0, 1, 0 }, { 0, 0, NOWAIT })) == -EAGAIN && value(0) == 0);
	/* The first that cannot be done decides. */
	CHECK(set_value(1, 32767) == 0);
	CHECK_LINE("S5", op(OPS({ 0, -1, NOWAIT }, { 1, 1, 0 })) == -EAGAIN);
	CHECK_LINE("S5", op(OPS({ 1, 1, 0 }, { 0, -1, NOWAIT })) == -ERANGE);
	CHECK_LINE("S5", op_timed(OPS({ 1, -1, NOWAIT }, { 0, -1, 0 }), 20000000) == -EAGAIN);
}

static void long_lists(void)
{
	static struct sembuf ops[501];
	fresh(600);
	CHECK_LINE("S1", op(ops, 0) == -EINVAL);
	for (unsigned i = 0; i < 501; i++)
		ops[i] = (struct sembuf){ (unsigned short)i, 3, 0 };
	CHECK_LINE("S1", op(ops, 501) == -E2BIG);
	CHECK_LINE("S3", op(ops, 500) == 0);
	CHECK_LINE("S3", value(0) == 3 && value(499) == 3 && value(500) == 0);
	for (unsigned i = 0; i < 500; i++)
		ops[i] = (struct sembuf){ (unsigned short)(i * 7 % 500), -1, UNDO };
	CHECK_LINE("S3", op(ops, 500) == 0 && value(0) == 2 && value(499) == 2);
	ops[499].sem_op = -3;
	ops[499].sem_flg = NOWAIT;
	CHECK_LINE("S3", op(ops, 500) == -EAGAIN && value(0) == 2 && value(499) == 2);
	for (unsigned i = 0; i < 500; i++)
		ops[i] = (struct sembuf){ (unsigned short)(i % 2), i % 2 ? -1 : 1, NOWAIT };
	CHECK_LINE("S3", op(ops, 500) == -EAGAIN && value(0) == 2);
}

static void setting(void)
{
	unsigned short values[3] = { 7, 8, 9 }, seen[3];
	fresh(3);
	CHECK_LINE("C3", set_value(1, 5) == 0 && value(1) == 5 && last_pid(1) == getpid());
	CHECK_LINE("C3", last_pid(0) == 0 && otime() == 0);
	CHECK_LINE("C3", set_value(1, 32768) == -ERANGE && set_value(1, -1) == -ERANGE);
	CHECK_LINE("C3", set_value(3, 1) == -EINVAL && set_value(3, -1) == -ERANGE);
	CHECK_LINE("C3", set_value(0, 32767) == 0 && value(0) == 32767);
	CHECK_LINE("C4", set_all(values) == 0 && value(0) == 7 && value(2) == 9);
	CHECK_LINE("C4", last_pid(0) == getpid() && otime() == 0);
	CHECK_LINE("C5", get_all(seen) == 0 && seen[0] == 7 && seen[1] == 8 && seen[2] == 9);
	values[2] = 32768;
	values[0] = 1;
	CHECK_LINE("C4", set_all(values) == -ERANGE && value(0) == 7);
	CHECK_LINE("C2", value(3) == -EINVAL && last_pid(3) == -EINVAL && ncount(3) == -EINVAL);
	CHECK_LINE("C8", remove_set() == 0);
	CHECK_LINE("C8", op1(0, 1, 0) == -EINVAL && value(0) == -EINVAL && remove_set() == -EINVAL);
	world.id = -1;
}

static void sums(void)
{
	fresh(2);
	CHECK(op1(0, 32767, UNDO) == 0 && op1(0, -32767, 0) == 0);
	CHECK_LINE("U6", op1(0, 1, UNDO) == 0);
	CHECK_LINE("U6", op1(0, 1, UNDO) == -ERANGE && value(0) == 1);
	CHECK_LINE("U9", set_value(0, 1) == 0 && op1(0, 1, UNDO) == 0);
	fresh(1);
	CHECK(set_value(0, 32767) == 0 && op1(0, -32767, UNDO) == 0 && op1(0, 1, 0) == 0);
	CHECK_LINE("U6", op1(0, -1, UNDO) == -ERANGE && value(0) == 1);
	CHECK_LINE("U1", op1(0, -1, 0) == 0);
}

int main(void)
{
	ON_BOTH(single);
	ON_BOTH(ranges);
	ON_BOTH(lists);
	ON_BOTH(long_lists);
	ON_BOTH(setting);
	ON_BOTH(sums);
	return test_result();
}
