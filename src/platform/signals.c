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

/* Sets of signals as the kernel has them. */
enum { SET_WORDS = 16 / sizeof(long), SET_BITS = 8 * sizeof(long) };

static bool is_in(const unsigned long set[SET_WORDS], int number)
{
	return (set[(number - 1) / SET_BITS] >> (number - 1) % SET_BITS & 1) != 0;
}

bool mdg__handler_waits(const mdg__sigmask *mask)
{
	unsigned long pending[SET_WORDS] = { 0 }, blocked[SET_WORDS];
	memcpy(blocked, mask, sizeof(blocked));
	if ((int)MDG__RAW(SYS_rt_sigpending, pending, KERNEL_SIGSET_SIZE) < 0)
		return false;
	for (int number = 1; number < (int)(8 * KERNEL_SIGSET_SIZE); number++)
		if (is_in(pending, number) && !is_in(blocked, number) && ends_sleep(number))
			return true;
	return false;
}

/* Takes one signal of this number that is pending: the number, or an error. */
static long take(int number, siginfo_t *ret_info)
{
	unsigned long set[SET_WORDS] = { 0 };
	set[(number - 1) / SET_BITS] = 1UL << (number - 1) % SET_BITS;
	return mdg__raw_take_signal(set, ret_info, KERNEL_SIGSET_SIZE);
}

int mdg__take_back_sigxfsz(int rc)
{
	siginfo_t info = { 0 };
	if (rc != -EFBIG)
		return rc;
	if (take(SIGXFSZ, &info) == SIGXFSZ && info.si_code == SI_TKILL)
		(void)MDG__RAW(SYS_tgkill, MDG__RAW(SYS_getpid), MDG__RAW(SYS_gettid), SIGXFSZ);
	return rc;
}

bool mdg__signal_is_pending(int number)
{
	unsigned long pending[SET_WORDS] = { 0 };
	return (int)MDG__RAW(SYS_rt_sigpending, pending, KERNEL_SIGSET_SIZE) >= 0 &&
	       is_in(pending, number);
}

void mdg__signal_drop(int number)
{
	siginfo_t info;
	(void)take(number, &info);
}

bool mdg__sys_process_exists(int32_t pid)
{
	return (int)MDG__RAW(SYS_kill, pid, 0) != -ESRCH;
}

bool mdg__sys_thread_exists(int32_t tid)
{
	return (int)MDG__RAW(SYS_tgkill, MDG__RAW(SYS_getpid), tid, 0) != -ESRCH;
}
