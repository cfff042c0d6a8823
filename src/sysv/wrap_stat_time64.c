/* SPDX-License-Identifier: MIT */
/* wrap_stat_time64.c - wrap_stat.c once more, for 64-bit times on 32-bit glibc. */
#include <features.h>
#if defined(__GLIBC__) && __SIZEOF_LONG__ == 4
#undef _FILE_OFFSET_BITS
#undef _FEATURES_H
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS        64
#define MDG__STAT_TIME64
#include "sysv/wrap_stat.c"
#else
typedef int mdg__nothing_here;
#endif
