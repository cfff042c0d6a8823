/* SPDX-License-Identifier: MIT */
/*
 * shmctl64.c - shmctl for 32-bit programs that were compiled with 64-bit times.
 *
 * On glibc such programs call __shmctl64, with a structure of its own. When
 * _TIME_BITS is 64, <sys/shm.h> gives shmctl that name, and the structure that form.
 */
#include <features.h>
#if defined(__GLIBC__) && !defined(__LP64__)
#undef _TIME_BITS
#define _TIME_BITS 64
#undef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#undef _FEATURES_H
#define mdg__sysv_shmctl mdg__sysv_shmctl64
#define mdg__log_shmctl  mdg__log_shmctl64
#define MDG__LOG_CTL_ONLY
#include "sysv/shmctl.c"
#include "sysv/log_shm.c"
#else
typedef int mdg__nothing_here;
#endif
