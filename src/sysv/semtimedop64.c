/* SPDX-License-Identifier: MIT */
/*
 * semtimedop64.c - semtimedop for 32-bit programs that were compiled with 64-bit times.
 *
 * On glibc such programs call __semtimedop64. See shmctl64.c.
 */
#include <features.h>
#if defined(__GLIBC__) && !defined(__LP64__)
#undef _TIME_BITS
#define _TIME_BITS 64
#undef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#undef _FEATURES_H
#define MDG__TIMED_ONLY
#define mdg__sysv_semtimedop mdg__sysv_semtimedop64
#define mdg__log_semtimedop  mdg__log_semtimedop64
#include "sysv/semcalls.c"
#include "sysv/log_sem.c"
#else
typedef int mdg__nothing_here;
#endif
