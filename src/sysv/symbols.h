/* SPDX-License-Identifier: MIT */
/*
 * symbols.h - which objects are loaded, and where one of them defines a name.
 *
 * This code reads the objects themselves. It cannot use dlsym, which is one of
 * our own names, takes the dynamic linker's lock, and may call malloc. It takes
 * no lock and calls nothing that another library may have replaced. So it works
 * from the first moment on, even while another library starts.
 */
#ifndef MADANG_SYSV_SYMBOLS_H
#define MADANG_SYSV_SYMBOLS_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

struct mdg__loaded {
	uintptr_t base;
	const ElfW(Dyn) * dynamic;
};

/* Calls `look` for each object, in the order in which the linker searches them, until `look`
 * returns false. */
typedef bool mdg__look_function(const struct mdg__loaded *loaded, void *context);
void mdg__loaded_each(mdg__look_function *look, void *context);
/* Whether `object` is the one that this code is part of. */
bool mdg__loaded_is_self(const struct mdg__loaded *loaded);
bool mdg__loaded_is_called(const struct mdg__loaded *loaded, const char *soname);
/* An object's symbols, found once for many look-ups. */
struct mdg__symbols {
	uintptr_t base;
	const char *strings;
	const ElfW(Sym) * symbols;
	const ElfW(Half) * versions; /* NULL: none */
	const uint32_t *gnu, *plain; /* tables of hashes; NULL: none */
};
/* False: it offers nothing. */
bool mdg__symbols_of(const struct mdg__loaded *loaded, struct mdg__symbols *ret);

/* What stands for a name in the newer tables of hashes. It is the same for all objects. */
uint32_t mdg__symbol_hash(const char *name);
/* The address of the function that the object offers by this name, in its default
 * version; 0: it offers none. */
uintptr_t mdg__symbol_find(const struct mdg__symbols *symbols, const char *name, uint32_t hash);

/* strcmp(a, b) == 0. A sanitizer's strcmp cannot run while the sanitizer starts. */
bool mdg__same_text(const char *a, const char *b);

#endif
