/* SPDX-License-Identifier: MIT */
/*
 * static.c - a program without a loader, which `madang run` must refuse. It needs no C library, so
 * that it can be linked everywhere, and is never meant to run.
 */
void _start(void);

void _start(void)
{
	__builtin_trap();
}
