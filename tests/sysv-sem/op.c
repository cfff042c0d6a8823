/* SPDX-License-Identifier: MIT */
/* op.c - semop and semtimedop: groups S and T of docs/semantics-sem.md. */
#include "support/sets.h"

#include <limits.h>

static int set;

static int timed(struct sembuf op, time_t seconds, long nanoseconds)
{
	struct timespec timeout = { seconds, nanoseconds };
	int rc = semtimedop(set, &op, 1, &timeout);
	CHECK_LINE("T2", timeout.tv_sec == seconds && timeout.tv_nsec == nanoseconds);
	return rc;
}

static void test_order(void)
{
	static struct sembuf many[501];
	int gone = private_set(1);
	CHECK(semctl(gone, 0, IPC_RMID) == 0);
	CHECK_ERRNO("S1", E2BIG, semop(-1, many, 501));
	CHECK_ERRNO("S1", E2BIG, semop(set, NULL, 501));
	CHECK_ERRNO("S1", EINVAL, semop(set, NULL, 0));
	CHECK_ERRNO("S1", EFAULT, semop(-1, NULL, 1));
	CHECK_ERRNO("S1", EINVAL, OPS(-1, OP(0, 0, 0)));
	CHECK_ERRNO("S1", EINVAL, OPS(gone, OP(9, 0, 0)));
	CHECK_ERRNO("S1", EFBIG, OPS(set, OP(0, -1, IPC_NOWAIT), OP(3, 1, 0)));
	CHECK_LINE("S1", semop(set, many, 500) == 0);
#if SIZE_MAX > UINT32_MAX
	CHECK_ERRNO("S1", EINVAL, semop(set, many, (size_t)1 << 32));
	CHECK_LINE("S1", semop(set, many, ((size_t)1 << 32) + 1) == 0);
	CHECK_ERRNO("S1", E2BIG, semop(set, many, ((size_t)1 << 32) + 501));
#endif
}

static void test_array(void)
{
	CHECK_LINE("S3", OPS(set, OP(0, 1, 0), OP(0, -1, 0)) == 0);
	CHECK_ERRNO("S3", EAGAIN, OPS(set, OP(0, -1, IPC_NOWAIT), OP(0, 1, 0)));
	CHECK_LINE("S3", OPS(set, OP(0, 0, 0), OP(0, 1, 0)) == 0 && value_of(set, 0) == 1);
	CHECK_ERRNO("S3", EAGAIN, OPS(set, OP(0, 0, IPC_NOWAIT), OP(0, 1, 0)));
	CHECK_LINE("S3", OPS(set, OP(0, -1, 0), OP(0, 0, 0)) == 0);
	CHECK_LINE("S4", OPS(set, OP(1, 32767, 0)) == 0 && value_of(set, 1) == 32767);
	CHECK_ERRNO("S4", ERANGE, OPS(set, OP(1, 1, 0), OP(1, -1, 0)));
	CHECK_LINE("S4", OPS(set, OP(1, -1, 0), OP(1, 1, 0)) == 0);
	CHECK_ERRNO("S5", EAGAIN, OPS(set, OP(0, -1, IPC_NOWAIT), OP(1, 1, 0)));
	CHECK_ERRNO("S5", ERANGE, OPS(set, OP(1, 1, 0), OP(0, -1, IPC_NOWAIT)));
	CHECK_ERRNO("S8", EAGAIN, OPS(set, OP(1, -32768, IPC_NOWAIT)));
	CHECK_LINE("S8", OPS(set, OP(1, -32767, 0x40)) == 0);
	pid_t child = SLEEPER(set, 0, 1, OP(2, 1, IPC_NOWAIT), OP(0, -1, 0));
	CHECK_LINE("S5", value_of(set, 2) == 0);
	CHECK(OPS(set, OP(0, 1, 0)) == 0);
	CHECK_LINE("S5", result_of(child) == 0 && value_of(set, 2) == 1);
}

static void test_stamps(void)
{
	int id = private_set(3);
	struct semid_ds before = set_stat(id);
	CHECK_ERRNO("S6", EAGAIN, OPS(id, OP(1, 5, 0), OP(0, -1, IPC_NOWAIT)));
	CHECK_LINE("S6", set_stat(id).sem_otime == 0 && value_of(id, 1) == 0);
	CHECK_LINE("S6", semctl(id, 1, GETPID) == 0);
	time_t now = clock_before();
	CHECK(OPS(id, OP(1, 5, 0), OP(0, 0, 0)) == 0);
	struct semid_ds after = set_stat(id);
	CHECK_LINE("S7", after.sem_otime >= now && after.sem_otime <= clock_after());
	CHECK_LINE("S7", after.sem_ctime == before.sem_ctime);
	CHECK_LINE("S7", semctl(id, 0, GETPID) == getpid() && semctl(id, 1, GETPID) == getpid());
	CHECK_LINE("S7", semctl(id, 2, GETPID) == 0);
}

static long milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_time(void)
{
	static struct sembuf many[501];
	const struct timespec bad = { 0, 1000000000 };
	int value = value_of(set, 0);
	CHECK_LINE("T1", semtimedop(set, &OP(0, 1, 0), 1, NULL) == 0);
	CHECK_ERRNO("T1", EINVAL, timed(OP(0, 1, 0), 0, 1000000000));
	CHECK_ERRNO("T1", EINVAL, timed(OP(0, 1, 0), 0, -1));
	CHECK_ERRNO("T1", EINVAL, timed(OP(0, 1, 0), -1, 0));
	CHECK_ERRNO("T1: E2BIG first", E2BIG, semtimedop(set, many, 501, &bad));
	CHECK_ERRNO("T1: EFAULT of the operations first", EFAULT, semtimedop(set, NULL, 1, &bad));
	CHECK_ERRNO("T1: EFAULT of the operations first", EFAULT, semtimedop(set, NULL, 300, &bad));
	/* As many as there may be: nobody reads beyond what there is. */
	CHECK_ERRNO("T1", EINVAL, semtimedop(set, many, 300, &bad));
	CHECK_ERRNO("T1: before EFBIG", EINVAL, semtimedop(set, &OP(7, 0, 0), 1, &bad));
	CHECK_LINE("T1", value_of(set, 0) == value + 1);
	CHECK_LINE("T2", timed(OP(0, 1, 0), 0, 0) == 0);
	CHECK_ERRNO("T2", EAGAIN, timed(OP(0, -9, 0), 0, 0));
	CHECK_LINE("T2", timed(OP(0, 1, 0), LONG_MAX, 0) == 0);
	long start = milliseconds();
	CHECK_ERRNO("T2", EAGAIN, timed(OP(0, -9, 0), 0, 40000000));
	CHECK_LINE("T3", milliseconds() - start >= 40 && milliseconds() - start < 5000);
	CHECK_LINE("T2", up_waiters(set, 0) == 0);
}

int main(void)
{
	begin_sets();
	set = private_set(3);
	test_order();
	test_array();
	test_stamps();
	test_time();
	return test_result();
}
