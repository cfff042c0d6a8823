/* SPDX-License-Identifier: MIT */
/* The library that the argument names is loaded by dlopen. glibc keeps some 1660 bytes for the
 * variables of threads in all libraries that are loaded so. Ours must not need more. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

	if (library == NULL) {
		fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "which library?");
#ifdef __GLIBC__
		return 1;
#else
		return 77;
#endif
	}
	return dlsym(library, "semget") != NULL && dlsym(library, "msgget") != NULL ? 0 : 1;
}
