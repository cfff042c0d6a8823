/* SPDX-License-Identifier: MIT */
/*
 * memlock.h - a real-time program, whose memory the kernel locks as it is mapped.
 */
#ifndef MADANG_TESTS_MEMLOCK_H
#define MADANG_TESTS_MEMLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CAP_IPC_LOCK_ = 14 };

/* Without it, root has a limit of locked memory too. */
static inline bool memlock_drop_capability(void)
{
	struct {
		uint32_t version;
		int pid;
	} head = { 0x20080522, 0 };
	struct {
		uint32_t effective, permitted, inheritable;
	} data[2];
	if (syscall(SYS_capget, &head, data) != 0)
		return false;
	data[0].effective &= ~(UINT32_C(1) << CAP_IPC_LOCK_);
	data[0].permitted &= ~(UINT32_C(1) << CAP_IPC_LOCK_);
	return syscall(SYS_capset, &head, data) == 0;
}

static inline bool memlock_limit(uint64_t bytes)
{
	const struct rlimit limit = { (rlim_t)bytes, (rlim_t)bytes };
	return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && memlock_drop_capability();
}

/* From now on all that is mapped is locked, up to so many bytes; 0: without limit. False: that is
 * not possible here. */
static inline bool memlock_all(uint64_t limit)
{
	return (limit == 0 || memlock_limit(limit)) && mlockall(MCL_FUTURE) == 0;
}

#endif
