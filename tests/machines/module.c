/* SPDX-License-Identifier: MIT */
/*
 * module.c - asks for a segment by its key.
 *
 * The program loads it with RTLD_DEEPBIND. The loader then looks for the module's names first in
 * the module itself and in the libraries that the module needs.
 */
#include <sys/ipc.h>
#include <sys/shm.h>

int module_gets(int key);

int module_gets(int key)
{
	return shmget(key, 0, 0);
}
