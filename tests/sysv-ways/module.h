/* SPDX-License-Identifier: MIT */
/*
 * module.h - what deepbind.c asks of a module (module.c) and of the library that
 * comes with it (dependency.c). Neither knows of Madang.
 */
#ifndef MADANG_TESTS_MODULE_H
#define MADANG_TESTS_MODULE_H

#include <stddef.h>
#include <sys/ipc.h>
#include <sys/shm.h>

/* Makes, attaches, looks at, detaches and removes a segment by direct calls.
 * NULL, or what went wrong first, with errno. */
typedef const char *module_function(void);

/* The addresses of functions as constants: filled in by relocations of data. */
struct module_calls {
	int (*get)(key_t, size_t, int);
	void *(*at)(int, const void *, int);
	int (*dt)(const void *);
	int (*ctl)(int, int, struct shmid_ds *);
};

#endif
