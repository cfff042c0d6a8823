/* SPDX-License-Identifier: MIT */
/* module.c - asks for a segment by its key; the loader is told to look in it, and behind it, first. */
#include <sys/ipc.h>
#include <sys/shm.h>

int module_gets(int key);

int module_gets(int key)
{
	return shmget(key, 0, 0);
}
