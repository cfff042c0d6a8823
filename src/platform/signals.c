/* SPDX-License-Identifier: MIT */
/* See signals.h. */
#include "platform/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/machine.h"
#include "platform/raw.h"

/* The kernel's set is _NSIG bits: 8 bytes nearly everywhere, 16 on MIPS. */
#define KERNEL_SIGSET_SIZE ((size_t)(_NSIG > 65 ? 16 : 8))

void mdg__signals_block(mdg__sigmask *ret_old)
{
	static const mdg__sigmask all = { { UINT64_MAX, UINT64_MAX } };
	(void)(int)MDG__RAW(SYS_rt_sigprocmask, SIG_SETMASK, &all, ret_old, KERNEL_SIGSET_SIZE);
}

void mdg__signals_restore(const mdg__sigmask *old)
{
	(void)(int)MDG__RAW(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, KERNEL_SIGSET_SIZE);
}

/* Whether the program has a handler. The kernel's structure differs from machine to machine,
 * but the handler is its first word, or its second one on MIPS. */
static bool is_handled(int number)
{
	uintptr_t action[32] = { 0 };
#if defined(__mips__)
	const size_t handler = 1;
#else
	const size_t handler = 0;
#endif
	return (int)MDG__RAW(SYS_rt_sigaction, number, NULL, action, KERNEL_SIGSET_SIZE) == 0 &&
	       action[handler] != (uintptr_t)SIG_DFL && action[handler] != (uintptr_t)SIG_IGN;
}

bool mdg__signals_are_due(const mdg__sigmask *old)
{
	enum {
		BITS = 8 * sizeof(unsigned long),
		WORDS = sizeof(mdg__sigmask) / sizeof(unsigned long)
	};
	unsigned long waiting[WORDS] = { 0 }, blocked[WORDS];
	memcpy(blocked, old, sizeof blocked);
	if ((int)MDG__RAW(SYS_rt_sigpending, waiting, KERNEL_SIGSET_SIZE) < 0)
		return false;
	for (int i = 0; i < (int)(8 * KERNEL_SIGSET_SIZE); i++)
		if ((waiting[i / BITS] & ~blocked[i / BITS]) >> i % BITS & 1 && is_handled(i + 1))
			return true;
	return false;
}

int mdg__take_back_sigxfsz(int rc)
{
	enum { BITS = 8 * sizeof(long) };
	const unsigned long set[16 / sizeof(long)] = { [(SIGXFSZ - 1) / BITS] =
		                                               1UL << (SIGXFSZ - 1) % BITS };
	siginfo_t info = { 0 };
	if (rc != -EFBIG)
		return rc;
	if (mdg__raw_take_signal(set, &info, KERNEL_SIGSET_SIZE) == SIGXFSZ &&
	    info.si_code == SI_TKILL)
		(void)MDG__RAW(SYS_tgkill, MDG__RAW(SYS_getpid), MDG__RAW(SYS_gettid), SIGXFSZ);
	return rc;
}

bool mdg__sys_process_exists(int32_t pid)
{
	return (int)MDG__RAW(SYS_kill, pid, 0) != -ESRCH;
}
