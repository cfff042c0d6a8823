/* SPDX-License-Identifier: MIT */
/*
 * module.c - a module that shares memory and knows nothing of Madang.
 *
 * Built with its slots filled in at load and made read-only (-z now -z relro),
 * with slots that are filled in at the first call (-z lazy), and with calls
 * that go through data instead (-fno-plt). Its library calls the same ones.
 */
#include "module.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern const struct module_calls module_calls;
extern const char *dependency_use(void);
extern key_t dependency_key(void);
module_function module_use, module_use_table, module_use_files, module_use_mappings,
	module_use_dependency;
void *module_open(const char *name, int mode);
void *module_find(void *handle, const char *name);
key_t module_key(const char *path);

const struct module_calls module_calls = { shmget, shmat, shmdt, shmctl };

const char *module_use(void)
{
	struct shmid_ds stat;
	int id = shmget(IPC_PRIVATE, 100, IPC_CREAT | 0600);
	if (id < 0)
		return "shmget";
	void *memory = shmat(id, NULL, 0);
	if (memory == (void *)-1)
		return "shmat";
	memset(memory, 1, 100);
	if (shmctl(id, IPC_STAT, &stat) != 0 || stat.shm_nattch != 1)
		return "shmctl";
	if (shmdt(memory) != 0)
		return "shmdt";
	return shmctl(id, IPC_RMID, NULL) == 0 ? NULL : "shmctl to remove";
}

const char *module_use_table(void)
{
	int id = module_calls.get(IPC_PRIVATE, 100, IPC_CREAT | 0600);
	if (id < 0)
		return "shmget by its address";
	void *memory = module_calls.at(id, NULL, 0);
	if (memory == (void *)-1)
		return "shmat by its address";
	if (module_calls.dt(memory) != 0)
		return "shmdt by its address";
	return module_calls.ctl(id, IPC_RMID, NULL) == 0 ? NULL : "shmctl by its address";
}

/* Whether the table that opens by this call lists the segment. */
static int is_listed(FILE *table, int id)
{
	char line[400];
	int key, found = 0, other;
	while (table != NULL && fgets(line, sizeof line, table) != NULL)
		found |= sscanf(line, "%d %d", &key, &other) == 2 && other == id;
	if (table != NULL)
		fclose(table);
	return found;
}

const char *module_use_files(void)
{
	const char *wrong = NULL;
	int id = shmget(IPC_PRIVATE, 100, IPC_CREAT | 0600);
	if (!is_listed(fopen("/proc/sysvipc/shm", "r"), id))
		wrong = "fopen of the table";
	int fd = open("/proc/sysvipc/shm", O_RDONLY);
	if (fd < 0 || !is_listed(fdopen(fd, "r"), id))
		wrong = "open of the table";
	shmctl(id, IPC_RMID, NULL);
	return wrong;
}

const char *module_use_mappings(void)
{
	struct shmid_ds stat = { .shm_nattch = 9 };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int id = shmget(IPC_PRIVATE, page, IPC_CREAT | 0600);
	void *memory = shmat(id, NULL, 0);
	int done = munmap(memory, page);
	shmctl(id, IPC_STAT, &stat);
	shmctl(id, IPC_RMID, NULL);
	return done == 0 && stat.shm_nattch == 0 ? NULL : "munmap as a detach";
}

const char *module_use_dependency(void)
{
	return dependency_use();
}

void *module_find(void *handle, const char *name)
{
	void *volatile found = dlsym(handle, name); /* called, not jumped to: it is we who ask */
	return found;
}

void *module_open(const char *name, int mode)
{
	return dlopen(name, mode);
}

/* dependency-own.c defines an ftok of its own; else it is the C library's, or ours. */
key_t module_key(const char *path)
{
	return ftok(path, 'm');
}
