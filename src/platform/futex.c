/* SPDX-License-Identifier: MIT */
/* See futex.h. */
#include "platform/futex.h"

#include <sys/syscall.h>

#include "platform/machine.h"
#include "platform/raw.h"

/* From <linux/futex.h>, which not every C library comes with (musl does not). */
enum {
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE = 4,
	FUTEX_WAKE_OP = 5, /* with 0 as the operation: stores 0 */
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_PRIVATE = 128
};

int mdg__sys_futex_wait(_Atomic uint32_t *word, uint32_t value, bool shared, uint64_t nanoseconds)
{
	return (int)mdg__raw_futex(word, shared ? FUTEX_WAIT : FUTEX_WAIT | FUTEX_PRIVATE, value,
	                           &nanoseconds, 0);
}

int mdg__sys_futex_wake(_Atomic uint32_t *word, int count, bool shared)
{
	return (int)mdg__raw_futex(word, shared ? FUTEX_WAKE : FUTEX_WAKE | FUTEX_PRIVATE,
	                           (uint32_t)count, NULL, 0);
}

int mdg__sys_futex_wait_until(_Atomic uint32_t *word, uint32_t value, uint64_t deadline,
                              uint32_t bits)
{
	return (int)mdg__raw_futex(word, FUTEX_WAIT_BITSET, value,
	                           deadline == UINT64_MAX ? NULL : &deadline, bits);
}

int mdg__sys_futex_wake_bits(_Atomic uint32_t *word, int count, uint32_t bits)
{
	return (int)mdg__raw_futex(word, FUTEX_WAKE_BITSET, (uint32_t)count, NULL, bits);
}

int mdg__sys_futex_move(_Atomic uint32_t *word, uint32_t value, _Atomic uint32_t *other)
{
	return (int)mdg__raw_futex_count(word, FUTEX_CMP_REQUEUE, 0, 1, other, value);
}

int mdg__sys_futex_requeue(_Atomic uint32_t *word, int count, _Atomic uint32_t *other)
{
	return (int)mdg__raw_futex_count(word, FUTEX_REQUEUE, 0, count, other, 0);
}

int mdg__sys_futex_free(_Atomic uint32_t *word)
{
	return (int)mdg__raw_futex_count(word, FUTEX_WAKE_OP, INT32_MAX, 0, word, 0);
}

/* Asks the kernel to wake no sleeper, and to move one sleeper from the word to the same word. The
 * result counts the sleepers that were moved. */
bool mdg__sys_futex_has_sleepers(_Atomic uint32_t *word)
{
	return mdg__raw_futex_count(word, FUTEX_REQUEUE, 0, 1, word, 0) != 0;
}

int mdg__sys_set_robust_list(void *head, size_t size)
{
	return (int)MDG__RAW(SYS_set_robust_list, head, size);
}

int mdg__sys_get_robust_list(void **ret_head, size_t *ret_size)
{
	return (int)MDG__RAW(SYS_get_robust_list, 0, ret_head, ret_size);
}

bool mdg__sys_thread_has_robust_list(int32_t tid)
{
	void *head = NULL;
	size_t size;
	int rc = (int)MDG__RAW(SYS_get_robust_list, tid, &head, &size);
	return rc == 0 ? head != NULL : rc != -ESRCH;
}
