/* SPDX-License-Identifier: MIT */
/*
 * sanitizer.c - programs that are built with AddressSanitizer.
 *
 * The shared runtime of AddressSanitizer (gcc uses that one) refuses to start unless it is the
 * first library of all, and a preload comes before it. The refusal is too strict: the runtime only
 * has to stand before the C library, and we pass on every call that it has to see. The runtime
 * asks the program for options first, by the name below, and gets the option that ends the refusal.
 * If the program has such a function itself, the program's is used. The user's ASAN_OPTIONS win
 * over both.
 */
#include "sysv/internal.h"

MDG_EXPORT const char *__asan_default_options(void);
MDG_EXPORT const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}
