/* SPDX-License-Identifier: MIT */
/*
 * loaded.c - the library brought in by dlopen(3): threads older than it, threads that end after
 * dlclose(3).
 */
#include <dlfcn.h>

#include "sync/shared.h"

static struct api {
	int (*lock)(mdg_mutex *);
	int (*unlock)(mdg_mutex *);
	int (*repaired)(mdg_mutex *);
} api;
static mdg_mutex *mutex;
static _Atomic uint32_t loaded, unloaded, locked;

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);
	CHECK(found != NULL);
	return found;
}

static void pass(bool died)
{
	CHECK(api.lock(mutex) == (died ? MDG_OWNER_DIED : 0));
	CHECK(api.repaired(mutex) == (died ? 0 : -EINVAL));
	CHECK(api.unlock(mutex) == 0);
}

/* Begins before the library is there, and ends holding it after it has been closed. */
static void *outlive(void *unused)
{
	CHECK(atomic_load(&loaded) == 0);
	atomic_store(&loaded, 1);
	while (atomic_load(&loaded) == 1)
		nap_ms(1);
	CHECK(api.lock(mutex) == 0);
	atomic_store(&locked, 1);
	while (atomic_load(&unloaded) == 0)
		nap_ms(1);
	return unused;
}

static void *just_use(void *holding)
{
	CHECK(api.lock(mutex) == 0);
	if (holding == NULL)
		CHECK(api.unlock(mutex) == 0);
	return NULL;
}

static uint64_t later(uint64_t nanoseconds)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec + nanoseconds;
}

/* shared.h's need the library, which this program is not linked with. */
static bool becomes(_Atomic uint32_t *word, uint32_t value)
{
	uint64_t end = later(UINT64_C(20000000000));
	while (atomic_load(word) != value && later(0) < end)
		nap_ms(1);
	return CHECK(atomic_load(word) == value);
}

int main(int argc, char **argv)
{
	pthread_t older, thread;
	mutex = shared_memory(sizeof(*mutex));
	CHECK(pthread_create(&older, NULL, outlive, NULL) == 0);
	becomes(&loaded, 1);
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	if (library == NULL) {
		printf("%s\n", argc == 2 ? dlerror() : "usage: loaded LIBRARY");
		return 1;
	}
	void *lock = symbol(library, "mdg_mutex_lock"),
	     *unlock = symbol(library, "mdg_mutex_unlock"),
	     *repaired = symbol(library, "mdg_mutex_set_repaired");
	memcpy(&api.lock, &lock, sizeof(lock));
	memcpy(&api.unlock, &unlock, sizeof(unlock));
	memcpy(&api.repaired, &repaired, sizeof(repaired));
	for (int i = 0; i < 40 && check_failures == 0; i++) {
		bool dies = i % 2 != 0;
		CHECK(pthread_create(&thread, NULL, just_use, dies ? &thread : NULL) == 0);
		pthread_join(thread, NULL);
		pass(dies);
	}
	atomic_store(&loaded, 2);
	becomes(&locked, 1);
	CHECK(dlclose(library) == 0);
	atomic_store(&unloaded, 1);
	pthread_join(older, NULL);
	library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	CHECK(library != NULL);
	pass(true);
	return test_result();
}
