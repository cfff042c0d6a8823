/* SPDX-License-Identifier: MIT */
/*
 * msgctl64.c - msgctl for 32-bit programs that were compiled with 64-bit times.
 *
 * On glibc such programs call __msgctl64, with a structure of its own. See shmctl64.c.
 */
#include <features.h>
#if defined(__GLIBC__) && !defined(__LP64__)
#undef _TIME_BITS
#define _TIME_BITS 64
#undef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#undef _FEATURES_H
#define mdg__sysv_msgctl mdg__sysv_msgctl64
#define mdg__log_msgctl  mdg__log_msgctl64
#define MDG__LOG_CTL_ONLY
#include "sysv/msgctl.c"
#include "sysv/log_msg.c"
#else
typedef int mdg__nothing_here;
#endif
