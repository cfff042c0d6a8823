/* SPDX-License-Identifier: MIT */
/* symbols.c - see symbols.h. The structures are those of <elf.h>. */
#include "sysv/symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <stddef.h>

#if !defined(__GLIBC__)
extern ElfW(Dyn) _DYNAMIC[]; /* our own dynamic section; the linker defines this name */
#endif

enum { HIDDEN_VERSION = 0x8000 };

bool mdg__same_text(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* ---- the objects ----------------------------------------------------------------- */

bool mdg__loaded_is_self(const struct mdg__loaded *loaded)
{
	return loaded->dynamic == _DYNAMIC;
}

#if defined(__GLIBC__)

static bool is_among(const struct link_map *map)
{
	while (map != NULL && map->l_ld != _DYNAMIC)
		map = map->l_next;
	return map != NULL;
}

/* The list of objects that this copy of the library is in. A second copy, loaded by dlmopen, is
 * in another list than the program. */
static const struct link_map *first_object(void)
{
	const struct link_map *map = _r_debug.r_map;
	Dl_info info;
	void *own = NULL;
	if (is_among(map) || dladdr1(_DYNAMIC, &info, &own, RTLD_DL_LINKMAP) == 0 || own == NULL)
		return map;
	map = own;
	while (map->l_prev != NULL)
		map = map->l_prev;
	return map;
}

void mdg__loaded_each(mdg__look_function *look, void *context)
{
	bool more = true;
	for (const struct link_map *map = first_object(); map != NULL && more; map = map->l_next) {
		struct mdg__loaded loaded = { (uintptr_t)map->l_addr, map->l_ld };
		more = loaded.dynamic == NULL || look(&loaded, context);
	}
}

#else

struct each {
	mdg__look_function *look;
	void *context;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
	const struct each *each = context;
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		struct mdg__loaded loaded = { (uintptr_t)info->dlpi_addr, NULL };
		if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		loaded.dynamic = (const void *)(loaded.base + info->dlpi_phdr[i].p_vaddr);
		return !each->look(&loaded, each->context);
	}
	return 0;
}

void mdg__loaded_each(mdg__look_function *look, void *context)
{
	struct each each = { look, context };
	(void)dl_iterate_phdr(look_at, &each);
}

#endif

/* ---- one object's symbols ----------------------------------------------------------- */

/* Some linkers turn the offsets in the dynamic section into addresses, and some do not. */
static const void *entry(const struct mdg__loaded *loaded, int64_t tag)
{
	for (const ElfW(Dyn) *dyn = loaded->dynamic; dyn->d_tag != DT_NULL; dyn++) {
		uintptr_t value = (uintptr_t)dyn->d_un.d_ptr;
		if (dyn->d_tag == tag)
			return (const void *)(value < loaded->base ? loaded->base + value : value);
	}
	return NULL;
}

bool mdg__loaded_is_called(const struct mdg__loaded *loaded, const char *soname)
{
	const char *strings = entry(loaded, DT_STRTAB);
	for (const ElfW(Dyn) *dyn = loaded->dynamic; dyn->d_tag != DT_NULL; dyn++)
		if (dyn->d_tag == DT_SONAME && strings != NULL)
			return mdg__same_text(strings + dyn->d_un.d_val, soname);
	return false;
}

bool mdg__symbols_of(const struct mdg__loaded *loaded, struct mdg__symbols *ret)
{
	*ret = (struct mdg__symbols){
		.base = loaded->base,
		.strings = entry(loaded, DT_STRTAB),
		.symbols = entry(loaded, DT_SYMTAB),
		.versions = entry(loaded, DT_VERSYM),
		.gnu = entry(loaded, DT_GNU_HASH),
		.plain = entry(loaded, DT_HASH),
	};
	return ret->strings != NULL && ret->symbols != NULL;
}

static bool fits(const struct mdg__symbols *symbols, const char *name, uint32_t at)
{
	const ElfW(Sym) *symbol = &symbols->symbols[at];
	unsigned type = symbol->st_info & 15u, binding = symbol->st_info >> 4;
	return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 && type <= STT_FUNC &&
	       (binding == STB_GLOBAL || binding == STB_WEAK) &&
	       (symbols->versions == NULL || (symbols->versions[at] & HIDDEN_VERSION) == 0) &&
	       mdg__same_text(symbols->strings + symbol->st_name, name);
}

uint32_t mdg__symbol_hash(const char *name)
{
	uint32_t hash = 5381;
	for (const char *c = name; *c != '\0'; c++)
		hash = hash * 33 + (unsigned char)*c;
	return hash;
}

/* Two bits of a table of bits, by which most names that the object does not offer are told. */
static bool may_be_there(const uint32_t *table, uint32_t hash)
{
	const ElfW(Addr) *words = (const void *)(table + 4);
	const uint32_t bits = 8 * sizeof(ElfW(Addr));
	ElfW(Addr) word = words[hash / bits & (table[2] - 1)];
	return (word >> hash % bits & word >> (hash >> table[3]) % bits & 1) != 0;
}

static uint32_t find_gnu(const struct mdg__symbols *symbols, const char *name, uint32_t hash)
{
	const uint32_t *table = symbols->gnu;
	uint32_t buckets = table[0], first = table[1];
	const uint32_t *bucket = table + 4 + table[2] * (sizeof(ElfW(Addr)) / sizeof *table);
	const uint32_t *chain = bucket + buckets;
	uint32_t at = buckets == 0 || !may_be_there(table, hash) ? 0 : bucket[hash % buckets];
	if (at < first || at == 0)
		return 0;
	for (;; at++) {
		uint32_t other = chain[at - first];
		if ((other | 1) == (hash | 1) && fits(symbols, name, at))
			return at;
		if (other & 1)
			return 0; /* the last one of its bucket */
	}
}

static uint32_t find_plain(const struct mdg__symbols *symbols, const char *name)
{
	uint32_t at = symbols->plain[1]; /* how many symbols there are */
	while (at > 0 && !fits(symbols, name, at - 1))
		at--;
	return at == 0 ? 0 : at - 1;
}

uintptr_t mdg__symbol_find(const struct mdg__symbols *symbols, const char *name, uint32_t hash)
{
	uint32_t at = 0;
	if (symbols->gnu != NULL)
		at = find_gnu(symbols, name, hash);
	else if (symbols->plain != NULL)
		at = find_plain(symbols, name);
	return at == 0 ? 0 : symbols->base + (uintptr_t)symbols->symbols[at].st_value;
}
