/* SPDX-License-Identifier: MIT */
/*
 * observer.h - a library (observer.c) that wants to see what a program maps, as
 * profilers and caches of registered memory want to.
 */
#ifndef MADANG_TESTS_OBSERVER_H
#define MADANG_TESTS_OBSERVER_H

struct observer {
	int maps, unmaps, remaps, gets; /* calls seen */
	/* Called before and after each munmap, mmap with MAP_FIXED and mremap is passed on;
	 * before, another answer than 0 is an errno to refuse the call with. */
	int (*hook)(int is_after);
};

#endif
