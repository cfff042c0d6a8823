/* SPDX-License-Identifier: MIT */
/*
 * runpath.c - dlopen still looks where its caller has it look.
 *
 *     runpath FILE
 *
 * libways-hidden.so lies in a directory that only this program's RUNPATH names,
 * and libways-aside.so in one that only the RUNPATH of its library (caller.c)
 * names. The C library knows the caller by its return address, which a wrapper
 * must not replace. FILE is hidden's full path.
 */
#include "support/check.h"

#include <dlfcn.h>

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0
#endif

extern void *caller_open(const char *name, int mode);

static int mode;

static bool opens(void *handle)
{
	if (handle == NULL) {
		fprintf(stderr, "mode %#x: %s\n", (unsigned)mode, dlerror());
		return false;
	}
	bool is_it = dlsym(handle, "hidden_here") != NULL;
	dlclose(handle);
	return is_it;
}

static void look(void *arg)
{
	const char *file = arg;
	CHECK(opens(dlopen(file, mode)));
	CHECK(opens(dlopen("libways-hidden.so", mode)));
	CHECK(dlopen("libways-lost.so", mode) == NULL && dlerror() != NULL);
#ifdef __GLIBC__ /* musl asks neither for the caller nor for $ORIGIN here */
	CHECK(dlopen("libways-aside.so", mode) == NULL && dlerror() != NULL);
	CHECK(opens(caller_open("libways-aside.so", mode)));
	CHECK(caller_open("libways-hidden.so", mode) == NULL && dlerror() != NULL);
	CHECK(opens(dlopen("$ORIGIN/ways-hidden/libways-hidden.so", mode)));
	CHECK(opens(dlopen("${ORIGIN}/ways-hidden/libways-hidden.so", mode)));
	CHECK(opens(caller_open("$ORIGIN/ways-aside/libways-aside.so", mode)));
	/* One that is there already is found by its name from anywhere. */
	void *handle = dlopen(file, mode);
	CHECK(opens(caller_open("libways-hidden.so", mode)));
	CHECK(handle != NULL && dlclose(handle) == 0);
#endif
}

int main(int argc, char **argv)
{
	static const int modes[] = { RTLD_NOW, RTLD_LAZY, RTLD_NOW | RTLD_DEEPBIND,
		                     RTLD_LAZY | RTLD_DEEPBIND };
	if (argc != 2)
		return 2;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		mode = modes[i];
		CHECK(in_child(look, argv[1]));
	}
	return test_result();
}
