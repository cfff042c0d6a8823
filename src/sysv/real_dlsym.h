/* SPDX-License-Identifier: MIT */
/* real_dlsym.h - the C library's dlsym, for our own use, where ours stands before it. */
#ifndef MADANG_SYSV_REAL_DLSYM_H
#define MADANG_SYSV_REAL_DLSYM_H

#include <dlfcn.h>

#if defined(__GLIBC__)
#define MDG__WRAPS_DLSYM
/* As if this library asked. */
void *mdg__real_dlsym(void *handle, const char *name);
#else
#define mdg__real_dlsym dlsym
#endif

#endif
