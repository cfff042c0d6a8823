/* SPDX-License-Identifier: MIT */
/*
 * loaded_object.h - what a program or library in memory says of itself: its
 * segments, relocations, symbols, and the libraries it needs.
 *
 * This code reads only what lies inside the object's own segments. Call it
 * within a callback of dl_iterate_phdr(), so that the object stays loaded.
 */
#ifndef MADANG_SYSV_LOADED_OBJECT_H
#define MADANG_SYSV_LOADED_OBJECT_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mdg__table {
	uintptr_t start;
	size_t size;
	bool addends; /* relocations: of RELA entries, not REL */
};

struct mdg__object {
	uintptr_t base;
	const char *path;
	const ElfW(Phdr) * parts;
	unsigned part_count;
	const ElfW(Dyn) * dynamic;
	size_t dynamic_count;
	struct mdg__table strings;
	struct mdg__table symbols;        /* the first one: how many is not said */
	struct mdg__table relocations[3]; /* of size 0: none */
	const char *soname;               /* NULL: none */
};

/* False when the object cannot be read. */
bool mdg__object_read(const struct dl_phdr_info *info, struct mdg__object *ret);
/* Whether [address, address+length) lies in one segment that grants all of
 * `rights` (PF_R, PF_W). */
bool mdg__object_holds(const struct mdg__object *object, uintptr_t address, size_t length,
                       unsigned rights);
const ElfW(Phdr) * mdg__object_part(const struct mdg__object *object, unsigned type);
/* From the first byte of the first segment to the end of the last segment. */
void mdg__object_extent(const struct mdg__object *object, uintptr_t *ret_low, uintptr_t *ret_high);
/* The name of a symbol; NULL: there is no such symbol. */
const char *mdg__object_symbol_name(const struct mdg__object *object, size_t symbol);
/* Whether `object` names `other` as a library that it needs. */
bool mdg__object_needs(const struct mdg__object *object, const struct mdg__object *other);

#endif
