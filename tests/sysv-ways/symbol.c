/* SPDX-License-Identifier: MIT */
/*
 * symbol.c - what dlsym says: to who asks the C library itself, and to who asks
 * for the next definition.
 *
 * A bridge from another language opens "libc.so.6" and looks shmget up in it. What
 * it gets has to be Madang's, from whichever handle; all other names have to be
 * what they are without it. RTLD_NEXT and RTLD_DEFAULT count from who asks: the
 * definition of getppid here must not be found as its own next one.
 */
#include <dlfcn.h>

#include <sys/shm.h>

#include "support/check.h"

typedef int get_function(key_t, size_t, int);
typedef int control_function(int, int, struct shmid_ds *);
typedef pid_t pid_function(void);

static int calls;

/* Ours; the next one is the C library's. */
__attribute__((visibility("default"))) pid_t getppid(void);
pid_t getppid(void)
{
	pid_function *next;
	void *found = dlsym(RTLD_NEXT, "getppid");
	memcpy(&next, &found, sizeof next);
	calls++;
	return calls < 5 && next != NULL ? next() : -1;
}

static void use(void *get_found, void *control_found)
{
	get_function *get;
	control_function *control;
	if (!CHECK(get_found != NULL) || !CHECK(control_found != NULL))
		return;
	memcpy(&get, &get_found, sizeof get);
	memcpy(&control, &control_found, sizeof control);
	int id = get(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	CHECK(id >= 0);
	struct shmid_ds about;
	CHECK(shmctl(id, IPC_STAT, &about) == 0 && about.shm_segsz == 4096);
	CHECK(control(id, IPC_RMID, NULL) == 0);
}

int main(void)
{
#if !defined(__GLIBC__)
	SKIP("in musl dlsym is left alone");
#endif
	void *libc = dlopen("libc.so.6", RTLD_LAZY), *program = dlopen(NULL, RTLD_LAZY);
	if (!CHECK(libc != NULL && program != NULL))
		return test_result();
	use(dlsym(libc, "shmget"), dlsym(libc, "shmctl"));
	use(dlsym(program, "shmget"), dlsym(program, "shmctl"));
	use(dlsym(RTLD_DEFAULT, "shmget"), dlsym(RTLD_DEFAULT, "shmctl"));
	CHECK(dlsym(libc, "shmat") != NULL && dlsym(libc, "shmdt") != NULL);

	/* The C library's own, where that was asked for. */
	void *real = dlsym(libc, "getppid");
	CHECK(real != NULL && real != dlsym(RTLD_DEFAULT, "getppid"));
	CHECK(real == dlsym(RTLD_NEXT, "getppid"));
	CHECK(getppid() > 0 && calls == 1);

	dlerror();
	CHECK(dlsym(libc, "shmgets") == NULL && dlerror() != NULL);
	CHECK(dlsym(libc, "shmget") != NULL && dlerror() == NULL);
	return test_result();
}
