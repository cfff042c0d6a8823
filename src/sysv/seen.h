/* SPDX-License-Identifier: MIT */
/*
 * seen.h - makes a System V call visible from outside: probes at both ends of it, and the log.
 *
 * No debugger and no tracer of system calls sees these calls, because they do not reach the
 * kernel. The probes are those of <sys/sdt.h>, where it was present when this was built. Each is
 * one instruction that does nothing until a tracer puts a breakpoint there. Provider `madang`:
 *
 *     shmget__entry(key, size, flags)        shmget__return(result, errno)
 *
 * and so on for each call (man/madang-run.1). The errno is 0 if the call succeeded.
 */
#ifndef MADANG_SYSV_SEEN_H
#define MADANG_SYSV_SEEN_H

#include <errno.h>

#include "sysv/log.h"

#if defined(MDG__PROBES)
#include <sys/sdt.h>
#define MDG__PROBE2(name, a, b)          DTRACE_PROBE2(madang, name, a, b)
#define MDG__PROBE5(name, a, b, c, d, e) DTRACE_PROBE5(madang, name, a, b, c, d, e)
#else
#define MDG__PROBE2(name, a, b)          ((void)(a), (void)(b))
#define MDG__PROBE5(name, a, b, c, d, e) ((void)(a), (void)(b), (void)(c), (void)(d), (void)(e))
#endif

/* The result of `made`, which is the call. `how`: its entry in log.h. Then its arguments. */
#define MDG__SEEN(name, how, made, a, b, c, d, e)                                                  \
	__extension__({                                                                            \
		struct mdg__logged logged_;                                                        \
		bool is_logged_ = mdg__is_logged();                                                \
		MDG__PROBE5(name##__entry, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e)); \
		if (is_logged_)                                                                    \
			mdg__log_begin(&logged_, (how), (long)(a), (long)(b), (long)(c),           \
			               (long)(d), (long)(e));                                      \
		__typeof__(made) result_ = (made);                                                 \
		if (is_logged_)                                                                    \
			(void)mdg__log_end(&logged_, (long)result_);                               \
		MDG__PROBE2(name##__return, (long)result_, (long)result_ == -1 ? errno : 0);       \
		result_;                                                                           \
	})

#endif
