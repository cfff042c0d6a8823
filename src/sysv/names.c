/* SPDX-License-Identifier: MIT */
/*
 * names.c - finds what is behind each exported name. See names.h.
 *
 * "Behind" means what RTLD_NEXT means: the first object after this library, in
 * the linker's order, that defines the name. This may be a library that
 * somebody else has preloaded. That library passes the call on to the C
 * library, as we do.
 *
 * The C library is the object that defines __libc_start_main. In older C
 * libraries, dlsym and dlvsym are in libdl.so.2.
 */
#include "sysv/names.h"

#include <dlfcn.h>
#include <stddef.h>

#include "sysv/symbols.h"

#define MDG__ENDS_ENTRY(name)   { #name, false, 0, 0, 0 },
#define MDG__PASSES_ENTRY(name) { #name, true, 0, 0, 0 },
struct mdg__name mdg__names[MDG__NAMES_COUNT] = { MDG__NAMES(MDG__ENDS_ENTRY, MDG__PASSES_ENTRY) };

_Atomic uint32_t mdg__first_letters[32];
static _Atomic uintptr_t libc_dladdr;
static _Atomic int is_prepared;

static void note(_Atomic uintptr_t *place, uintptr_t address)
{
	if (address != 0 && atomic_load_explicit(place, memory_order_relaxed) == 0)
		atomic_store_explicit(place, address, memory_order_relaxed);
}

struct looking {
	bool is_behind;                    /* the objects that come now are behind this library */
	uint32_t hashes[MDG__NAMES_COUNT]; /* of the names */
};

static uintptr_t find(const struct mdg__symbols *symbols, const char *name)
{
	return mdg__symbol_find(symbols, name, mdg__symbol_hash(name));
}

static bool look(const struct mdg__loaded *loaded, void *context)
{
	struct looking *looking = context;
	struct mdg__symbols symbols;
#if defined(__GLIBC__)
	const char *dladdr_name = "dladdr1";
#else
	const char *dladdr_name = "dladdr";
#endif
	bool is_self = mdg__loaded_is_self(loaded);
	if (!mdg__symbols_of(loaded, &symbols))
		return true;
	bool is_libc = find(&symbols, "__libc_start_main") != 0 ||
	               mdg__loaded_is_called(loaded, "libdl.so.2");
	if (is_libc)
		note(&libc_dladdr, find(&symbols, dladdr_name));
	for (size_t i = 0; (is_self || is_libc || looking->is_behind) && i < MDG__NAMES_COUNT;
	     i++) {
		struct mdg__name *name = &mdg__names[i];
		uintptr_t address = mdg__symbol_find(&symbols, name->name, looking->hashes[i]);
		if (is_self)
			note(&name->ours, address);
		else if (looking->is_behind)
			note(&name->next, address);
		if (is_libc)
			note(&name->libc, address);
	}
	looking->is_behind |= is_self;
	return true;
}

void mdg__names_prepare(void)
{
	struct looking looking = { .is_behind = false };
	/* Acquire: pairs with the release below. Two threads that do it at once find the same. */
	if (atomic_load_explicit(&is_prepared, memory_order_acquire))
		return;
	for (size_t i = 0; i < MDG__NAMES_COUNT; i++)
		looking.hashes[i] = mdg__symbol_hash(mdg__names[i].name);
	mdg__loaded_each(look, &looking);
	for (size_t i = 0; i < MDG__NAMES_COUNT; i++) {
		struct mdg__name *name = &mdg__names[i];
		unsigned letters = mdg__letters_of(name->name);
		/* This library was loaded after the C library, as part of a module. */
		note(&name->next, atomic_load_explicit(&name->libc, memory_order_relaxed));
		(void)atomic_fetch_or_explicit(&mdg__first_letters[letters / 32],
		                               UINT32_C(1) << letters % 32, memory_order_relaxed);
	}
	atomic_store_explicit(&is_prepared, 1, memory_order_release);
}

const struct mdg__name *mdg__name_find(const char *name)
{
	for (size_t i = 0; i < MDG__NAMES_COUNT; i++)
		if (mdg__same_text(mdg__names[i].name, name))
			return &mdg__names[i];
	return NULL;
}

uintptr_t mdg__next_ready(enum mdg__name_index which)
{
	uintptr_t next = mdg__next(which);
	if (next != 0)
		return next;
	mdg__names_prepare();
	return mdg__next(which);
}

typedef void *dlsym_function(void *, const char *);

void *mdg__real_dlsym(void *handle, const char *name)
{
	dlsym_function *real = (dlsym_function *)mdg__next_ready(MDG__OF_dlsym);
	return real(handle, name);
}

bool mdg__object_of(const void *code, uintptr_t *ret_base, void **ret_map)
{
	uintptr_t function = atomic_load_explicit(&libc_dladdr, memory_order_relaxed);
	Dl_info info = { 0 };
	*ret_map = NULL;
#if defined(__GLIBC__)
	typedef int dladdr1_function(const void *, Dl_info *, void **, int);
	if (function == 0 ||
	    ((dladdr1_function *)function)(code, &info, ret_map, RTLD_DL_LINKMAP) == 0)
		return false;
#else
	typedef int dladdr_function(const void *, Dl_info *);
	if (function == 0 || ((dladdr_function *)function)(code, &info) == 0)
		return false;
#endif
	*ret_base = (uintptr_t)info.dli_fbase;
	return true;
}

/* Runs as early as possible: before the other constructors of this library. */
__attribute__((constructor(101))) static void prepare(void)
{
	mdg__names_prepare();
}
