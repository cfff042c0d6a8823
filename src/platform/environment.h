/* SPDX-License-Identifier: MIT */
/*
 * environment.h - a variable of the environment.
 */
#ifndef MADANG_PLATFORM_ENVIRONMENT_H
#define MADANG_PLATFORM_ENVIRONMENT_H

/* Does what getenv(3) does, also in programs that have a getenv of their own (shells). */
const char *mdg__environment(const char *name);

#endif
