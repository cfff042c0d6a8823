/* SPDX-License-Identifier: MIT */
/*
 * deepbind.c - modules loaded with RTLD_DEEPBIND reach Madang.
 *
 *     deepbind OWN MODULE...
 *
 * Runs where the kernel's calls are forbidden, so that whatever works works
 * through Madang. Every module is loaded in every way, each time in a process
 * of its own, and every call in it is made. OWN is a module whose library has
 * an ftok of its own, which must be left alone. (musl has no RTLD_DEEPBIND:
 * there this is what it is with any module.)
 */
#include "support/check.h"
#include "module.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0
#endif

enum { THREADS = 4, ROUNDS = 40 };

static const int modes[] = { RTLD_NOW | RTLD_DEEPBIND, RTLD_LAZY | RTLD_DEEPBIND, RTLD_NOW,
	                     RTLD_LAZY, RTLD_NOW | RTLD_DEEPBIND | RTLD_GLOBAL };

struct load {
	const char *path;
	int mode;
};

/* dlsym gives data; a function's address is copied out of it. */
static void find(void *handle, const char *name, void *ret_function, size_t size)
{
	void *found = dlsym(handle, name);
	CHECK(found != NULL);
	memcpy(ret_function, &found, size);
}

static void call(void *handle, const char *name)
{
	module_function *function = NULL;
	find(handle, name, &function, sizeof function);
	errno = 0;
	const char *wrong = function != NULL ? function() : "nothing";
	if (!CHECK(wrong == NULL))
		fprintf(stderr, "%s: %s\n", name, wrong);
}

static void *load(const struct load *what)
{
	void *handle = dlopen(what->path, what->mode);
	if (!CHECK(handle != NULL))
		fprintf(stderr, "%s\n", dlerror());
	CHECK(dlerror() == NULL);
	return handle;
}

/* The rights of the mapping that holds an address, as in "r--p". */
static void rights_at(const void *address, char rights[5])
{
	char line[400];
	FILE *maps = fopen("/proc/self/maps", "r");
	strcpy(rights, "none");
	while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
		unsigned long long start, end;
		char found[5];
		if (sscanf(line, "%llx-%llx %4s", &start, &end, found) == 3 &&
		    start <= (uintptr_t)address && (uintptr_t)address < end)
			strcpy(rights, found);
	}
	if (maps != NULL)
		fclose(maps);
}

/* What the linker had made read-only is read-only again. */
static void check_protection(void *handle, const char *path)
{
	char rights[5];
	const void *calls = dlsym(handle, "module_calls");
	rights_at(calls, rights);
	CHECK(strstr(path, "norelro") != NULL || strcmp(rights, "r--p") == 0);
}

static void use(void *arg)
{
	const struct load *what = arg;
	void *handle = load(what);
	if (handle == NULL)
		return;
	call(handle, "module_use");
	call(handle, "module_use_table");
	call(handle, "module_use_files");
	call(handle, "module_use_mappings");
	call(handle, "module_use_dependency");
	check_protection(handle, what->path);
	CHECK(dlclose(handle) == 0);
	handle = load(what); /* at another address, or the same: it is done again */
	call(handle, "module_use");
	call(handle, "module_use_dependency");
}

static void use_own(void *arg)
{
	const struct load *what = arg;
	key_t (*key)(const char *) = NULL;
	struct stat status;
	void *handle = load(what);
	find(handle, "module_key", &key, sizeof key);
	CHECK(stat("/", &status) == 0);
	key_t usual = (key_t)((status.st_ino & 0xffff) | (status.st_dev & 0xff) << 16 | 'm' << 24);
	bool deep = (what->mode & RTLD_DEEPBIND) != 0;
	CHECK(key("/") == (deep ? 4242 + 'm' : usual));
	call(handle, "module_use");
}

/* A module that loads another one in this way goes through us, too. */
static void use_nested(void *arg)
{
	const struct load *what = arg;
	void *(*open)(const char *, int) = NULL;
	void *outer = load(&what[0]);
	find(outer, "module_open", &open, sizeof open);
	void *inner = open(what[1].path, what[1].mode);
	if (CHECK(inner != NULL)) {
		call(inner, "module_use");
		call(inner, "module_use_dependency");
	}
}

/* ---- threads ------------------------------------------------------------------ */

static void *load_and_use(void *arg)
{
	const struct load *what = arg;
	intptr_t wrong = 0;
	for (int i = 0; i < ROUNDS; i++) {
		module_function *function = NULL;
		void *handle = dlopen(what->path, what->mode), *found;
		if (handle == NULL || (found = dlsym(handle, "module_use")) == NULL) {
			wrong++;
			continue;
		}
		memcpy(&function, &found, sizeof function);
		wrong += function() != NULL;
		dlclose(handle);
	}
	return (void *)wrong;
}

static void use_in_threads(void *arg)
{
	const struct load *what = arg;
	pthread_t threads[THREADS];
	struct load each[THREADS];
	for (int i = 0; i < THREADS; i++) {
		each[i] = (struct load){ what[i % 2].path, modes[i % 2] };
		CHECK(pthread_create(&threads[i], NULL, load_and_use, &each[i]) == 0);
	}
	for (int i = 0; i < THREADS; i++) {
		void *wrong = NULL;
		CHECK(pthread_join(threads[i], &wrong) == 0 && wrong == NULL);
	}
}

/* ---- failures ------------------------------------------------------------------ */

static void fail(void *arg)
{
	(void)arg;
	CHECK(dlopen("/no/such/module.so", RTLD_NOW | RTLD_DEEPBIND) == NULL);
	CHECK(dlerror() != NULL && dlerror() == NULL);
	CHECK(dlopen("no-such-module.so", RTLD_LAZY | RTLD_DEEPBIND) == NULL);
	CHECK(dlerror() != NULL && dlerror() == NULL);
	void *program = dlopen(NULL, RTLD_NOW | RTLD_DEEPBIND);
	CHECK(program != NULL && dlerror() == NULL);
	CHECK(program == NULL || dlsym(program, "shmget") != NULL);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
		struct load what = { argv[1], modes[m] };
		CHECK(in_child(use_own, &what));
		for (int i = 2; i < argc; i++) {
			what.path = argv[i];
			if (!CHECK(in_child(use, &what)))
				fprintf(stderr, "... %s with mode %#x\n", what.path,
				        (unsigned)what.mode);
		}
	}
	for (int i = 2; i < argc; i++) {
		struct load both[] = { { argv[i], modes[i % 2] },
			               { argv[i == 2 ? 3 : 2], modes[0] } };
		CHECK(in_child(use_nested, both));
		CHECK(in_child(use_in_threads, both));
	}
	CHECK(in_child(fail, NULL));
	return test_result();
}
