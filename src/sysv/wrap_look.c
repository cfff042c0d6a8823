/* SPDX-License-Identifier: MIT */
/*
 * wrap_look.c - dlsym and dlvsym, for programs that look for a name in the C library.
 *
 * Not every program refers to shmget by its name and leaves the search to the dynamic linker:
 *   - Python's ctypes and Ruby's Fiddle ask a handle of libc.so.6.
 *   - dlvsym wants a version, which only the C library's symbols have.
 *   - A library that is loaded behind us and asks for the next definition gets the C library's.
 * All of them mean the call, and get our definition.
 *
 * They get it only where the search would find the C library's own definition, in its default
 * version. If the search finds another library's definition, or an older version with other
 * structures, they get that.
 *
 * No call may run in a circle. When we pass a call on to another library that wraps the same name,
 * that library has to find the C library's definition. So we answer a name that we pass on with
 * ours only where the C library comes next behind us, and we leave RTLD_NEXT alone.
 *
 * All other look-ups are passed on by a jump. So the C library sees the caller's return address,
 * which decides what RTLD_NEXT and RTLD_DEFAULT mean. This file is compiled so that the last call
 * is a jump (src/CMakeLists.txt). It is compiled without sanitizers, because a sanitizer comes here
 * while it starts, before its own code can run.
 */
#include <dlfcn.h>

#include "sysv/internal.h"
#include "sysv/names.h"
#include "sysv/symbols.h"

typedef void *dlsym_function(void *, const char *);

static uintptr_t get(const _Atomic uintptr_t *address)
{
	return atomic_load_explicit(address, memory_order_relaxed);
}

/* Whether our definition, as an answer, leads to the C library and not back to the caller. */
static bool may_answer(const struct mdg__name *name)
{
	return get(&name->ours) != 0 && get(&name->libc) != 0 &&
	       (!name->passes || get(&name->next) == get(&name->libc));
}

struct behind {
	uintptr_t base;
	bool is_past_us, found;
};

static bool look(const struct mdg__loaded *loaded, void *context)
{
	struct behind *behind = context;
	behind->found = behind->is_past_us && loaded->base == behind->base;
	behind->is_past_us |= mdg__loaded_is_self(loaded);
	return !behind->found;
}

/* Whether the linker searches the object of this code after us. */
static bool is_behind(const void *code)
{
	struct behind behind = { 0, false, false };
	void *map;
	if (!mdg__object_of(code, &behind.base, &map))
		return false;
	mdg__loaded_each(look, &behind);
	return behind.found;
}

/* RTLD_DEFAULT finds our definition by itself, except for a module that was loaded with
 * RTLD_DEEPBIND. For such a module the search begins with the libraries that it needs. */
static bool finds_libc_first(const struct mdg__name *name, const void *caller)
{
#if defined(__GLIBC__)
	uintptr_t base;
	void *module;
	return (uintptr_t)mdg__real_dlsym(RTLD_DEFAULT, name->name) == get(&name->ours) &&
	       mdg__object_of(caller, &base, &module) && module != NULL &&
	       (uintptr_t)mdg__real_dlsym(module, name->name) == get(&name->libc);
#else
	(void)name;
	(void)caller;
	return false;
#endif
}

static __attribute__((noinline)) void *answer(const char *asked, void *handle, const void *caller)
{
	const struct mdg__name *name = mdg__name_find(asked);
	bool is_ours;
	if (name == NULL || !may_answer(name))
		return NULL;
	if (handle == RTLD_NEXT)
		is_ours =
			!name->passes && get(&name->next) == get(&name->libc) && is_behind(caller);
	else if (handle == RTLD_DEFAULT)
		is_ours = finds_libc_first(name, caller);
	else
		is_ours = (uintptr_t)mdg__real_dlsym(handle, name->name) == get(&name->libc);
	return is_ours ? (void *)get(&name->ours) : NULL;
}

MDG_EXPORT void *dlsym(void *handle, const char *name)
{
	if (__builtin_expect(mdg__next(MDG__OF_dlsym) == 0, 0))
		mdg__names_prepare();
	if (__builtin_expect(mdg__name_may_be_ours(name), 0)) {
		void *ours = answer(name, handle, __builtin_return_address(0));
		if (ours != NULL)
			return ours;
	}
	return ((dlsym_function *)mdg__next(MDG__OF_dlsym))(handle, name);
}

#if defined(__GLIBC__)

typedef void *dlvsym_function(void *, const char *, const char *);

/* dlvsym looks only at libraries that have versions. We have none. So the search from RTLD_DEFAULT,
 * and from RTLD_NEXT for any caller, passes us and ends in the C library. */
static __attribute__((noinline)) void *answer_version(const char *asked, void *handle,
                                                      const char *version, const void *caller)
{
	const struct mdg__name *name = mdg__name_find(asked);
	dlvsym_function *real = (dlvsym_function *)mdg__next(MDG__OF_dlvsym);
	if (name == NULL || !may_answer(name) ||
	    (name->passes && handle == RTLD_NEXT && is_behind(caller)))
		return NULL;
	return (uintptr_t)real(handle, name->name, version) == get(&name->libc)
	               ? (void *)get(&name->ours)
	               : NULL;
}

MDG_EXPORT void *dlvsym(void *handle, const char *name, const char *version)
{
	if (__builtin_expect(mdg__next(MDG__OF_dlvsym) == 0, 0))
		mdg__names_prepare();
	if (__builtin_expect(mdg__name_may_be_ours(name), 0)) {
		void *ours = answer_version(name, handle, version, __builtin_return_address(0));
		if (ours != NULL)
			return ours;
	}
	return ((dlvsym_function *)mdg__next(MDG__OF_dlvsym))(handle, name, version);
}

#endif
