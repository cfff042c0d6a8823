/* SPDX-License-Identifier: MIT */
/*
 * dependency.c - a library that a module brings along, and that shares memory.
 *
 * With OWN_FTOK it defines one of the names of System V itself: those who are
 * loaded with RTLD_DEEPBIND beside it mean this one, and keep it.
 */
#include "module.h"

module_function dependency_use;

const char *dependency_use(void)
{
	int id = shmget(IPC_PRIVATE, 100, IPC_CREAT | 0600);
	if (id < 0)
		return "shmget in the dependency";
	void *memory = shmat(id, NULL, 0);
	if (memory == (void *)-1)
		return "shmat in the dependency";
	if (shmdt(memory) != 0)
		return "shmdt in the dependency";
	return shmctl(id, IPC_RMID, NULL) == 0 ? NULL : "shmctl in the dependency";
}

#ifdef OWN_FTOK
key_t ftok(const char *path, int id)
{
	(void)path;
	return 4242 + id;
}
#endif
