/* SPDX-License-Identifier: MIT */
/*
 * sanitizer.c - programs that are built with AddressSanitizer.
 *
 * Its shared runtime (gcc's usual one) does not start unless it is the first
 * library of all, and a preload comes before it. It can: it only wants to be
 * sure that it stands before the C library, and whoever is between passes on
 * what it has to see. It asks the program for options first, by this name;
 * a program that has such a function itself, and the user's ASAN_OPTIONS, come
 * before it.
 */
#include "sysv/internal.h"

MDG_EXPORT const char *__asan_default_options(void);
MDG_EXPORT const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}
