/* SPDX-License-Identifier: MIT */
/* signals.c - see signals.h. */
#include "platform/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/machine.h"
#include "platform/ofthread.h"
#include "platform/raw.h"

/* The kernel's set is _NSIG bits: 8 bytes nearly everywhere, 16 on MIPS. */
#define KERNEL_SIGSET_SIZE ((size_t)(_NSIG > 65 ? 16 : 8))

void mdg__signals_block(mdg__sigmask *ret_old)
{
	static const mdg__sigmask all = { { UINT64_MAX, UINT64_MAX } };
	(void)(int)MDG__RAW(SYS_rt_sigprocmask, SIG_SETMASK, &all, ret_old, KERNEL_SIGSET_SIZE);
}

MDG__AT_FORK void mdg__signals_restore(const mdg__sigmask *old)
{
	(void)(int)MDG__RAW(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, KERNEL_SIGSET_SIZE);
}

/* The word of the kernel's struct sigaction that is the handler. */
#if defined(__mips__)
enum { HANDLER = 1 };
#else
enum { HANDLER = 0 };
#endif

/* Whether the signal would end a sleep: it has a handler, or its default is to end the process. */
static bool ends_sleep(int number)
{
	uintptr_t action[24] = { 0 };
	if ((int)MDG__RAW(SYS_rt_sigaction, number, NULL, action, KERNEL_SIGSET_SIZE) < 0)
		return false;
	if (action[HANDLER] != (uintptr_t)SIG_DFL)
		return action[HANDLER] != (uintptr_t)SIG_IGN;
	return number != SIGCHLD && number != SIGURG && number != SIGWINCH && number != SIGCONT &&
	       number != SIGSTOP && number != SIGTSTP && number != SIGTTIN && number != SIGTTOU;
}

bool mdg__handler_waits(const mdg__sigmask *mask)
{
	enum { BITS = 8 * sizeof(long) };
	unsigned long pending[16 / sizeof(long)] = { 0 }, blocked[16 / sizeof(long)];
	memcpy(blocked, mask, sizeof(blocked));
	if ((int)MDG__RAW(SYS_rt_sigpending, pending, KERNEL_SIGSET_SIZE) < 0)
		return false;
	for (int number = 1; number < (int)(8 * KERNEL_SIGSET_SIZE); number++) {
		unsigned long bit = 1UL << (number - 1) % BITS;
		size_t at = (size_t)(number - 1) / BITS;
		if ((pending[at] & ~blocked[at] & bit) != 0 && ends_sleep(number))
			return true;
	}
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

enum { SET_BITS = 8 * sizeof(long) };

bool mdg__signal_is_pending(int number)
{
	unsigned long pending[16 / sizeof(long)] = { 0 };
	unsigned at = (unsigned)(number - 1);
	return (int)MDG__RAW(SYS_rt_sigpending, pending, KERNEL_SIGSET_SIZE) >= 0 &&
	       (pending[at / SET_BITS] >> at % SET_BITS & 1) != 0;
}

void mdg__signal_drop(int number)
{
	unsigned at = (unsigned)(number - 1);
	unsigned long set[16 / sizeof(long)] = { 0 };
	siginfo_t info;
	set[at / SET_BITS] = 1UL << at % SET_BITS;
	(void)mdg__raw_take_signal(set, &info, KERNEL_SIGSET_SIZE);
}

bool mdg__sys_process_exists(int32_t pid)
{
	return (int)MDG__RAW(SYS_kill, pid, 0) != -ESRCH;
}

bool mdg__sys_thread_exists(int32_t tid)
{
	return (int)MDG__RAW(SYS_tgkill, MDG__RAW(SYS_getpid), tid, 0) != -ESRCH;
}
