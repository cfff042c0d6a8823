/* SPDX-License-Identifier: MIT */
/*
 * wrap_dlopen.c - dlopen, for modules that are loaded with RTLD_DEEPBIND.
 *
 * Such a module looks for its functions in itself and in the libraries that it
 * needs, before it looks anywhere else. The C library is one of these. So the
 * module finds the C library's shmget and not ours, although we were loaded
 * first. PHP loads all its extensions like that. We pass the flag on all the
 * same, because the module's other names depend on it. Afterwards rebind.c points
 * at us what the module and its new libraries have bound to the C library.
 *
 * Without the flag, the real dlopen must return to the caller by itself. It looks
 * at its return address to know whose RUNPATH to search, and whose directory
 * $ORIGIN is. So that call has to be compiled to a jump; src/CMakeLists.txt sees
 * to that. With the flag there is something to do afterwards, so this code makes
 * the search on the caller's behalf.
 *
 * musl's dlopen has no such flag and does not look at its return address.
 *
 * Only in the shared library: a program that contains libc has no "next".
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#include "sysv/internal.h"
#include "sysv/names.h"
#include "sysv/rebind.h"

typedef void *dlopen_function(const char *, int);

static dlopen_function *next_dlopen(void)
{
	return (dlopen_function *)mdg__next_ready(MDG__OF_dlopen);
}

#if defined(__GLIBC__) && defined(RTLD_DEEPBIND)
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "platform/sys.h"
#include "platform/text.h"

/* ---- the search, as the caller would make it --------------------------------- */

/* The search path of a program or library, in memory of its own. NULL: the linker
 * does not tell it, or there is no memory. */
static Dl_serinfo *search_path(void *handle)
{
	Dl_serinfo head;
	void *memory;
	if (dlinfo(handle, RTLD_DI_SERINFOSIZE, &head) != 0 ||
	    mdg__map_own(NULL, head.dls_size, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory) < 0)
		return NULL;
	Dl_serinfo *path = memory;
	path->dls_size = head.dls_size;
	path->dls_cnt = head.dls_cnt;
	if (dlinfo(handle, RTLD_DI_SERINFO, path) == 0)
		return path;
	(void)mdg__sys_munmap(memory, head.dls_size);
	return NULL;
}

static void give_back(Dl_serinfo *path)
{
	if (path != NULL)
		(void)mdg__sys_munmap(path, path->dls_size);
}

/* Whether the linker would take the file. It passes over files for other machines. */
static bool fits(const char *path)
{
	static const ElfW(Half) machine =
#if defined(__x86_64__)
		EM_X86_64;
#elif defined(__i386__)
		EM_386;
#elif defined(__aarch64__)
		EM_AARCH64;
#else
		EM_NONE;
#endif
	ElfW(Ehdr) head;
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return false;
	int64_t got = mdg__sys_read(fd, &head, sizeof head);
	(void)mdg__sys_close(fd);
	return got == (int64_t)sizeof head && memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
	       head.e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
	       (machine == EM_NONE || head.e_machine == machine);
}

/* Looks in the directories where the caller's search goes and ours does not. Both lists end with
 * the system's own directories. These are left to the linker, which has a cache of them. */
static bool search(const Dl_serinfo *callers, const Dl_serinfo *ours, const char *name,
                   char room[PATH_MAX])
{
	unsigned count = callers->dls_cnt, other = ours->dls_cnt;
	while (count > 0 && other > 0 &&
	       strcmp(callers->dls_serpath[count - 1].dls_name,
	              ours->dls_serpath[other - 1].dls_name) == 0) {
		count--;
		other--;
	}
	for (unsigned i = 0; i < count; i++)
		if (mdg__format(room, PATH_MAX, "%s/%s", callers->dls_serpath[i].dls_name, name) &&
		    fits(room))
			return true;
	return false;
}

static bool is_loaded(const char *name)
{
	void *handle = next_dlopen()(name, RTLD_LAZY | RTLD_NOLOAD);
	if (handle != NULL)
		(void)dlclose(handle);
	return handle != NULL;
}

/* "$ORIGIN/..." means the caller's directory. */
static const char *from_origin(void *caller, const char *name, char room[PATH_MAX])
{
	char origin[PATH_MAX];
	size_t length = strncmp(name, "$ORIGIN/", 8) == 0      ? 7
	                : strncmp(name, "${ORIGIN}/", 10) == 0 ? 9
	                                                       : 0;
	if (length == 0 || dlinfo(caller, RTLD_DI_ORIGIN, origin) != 0 ||
	    !mdg__format(room, PATH_MAX, "%s%s", origin, name + length))
		return name;
	return room;
}

/* The name by which we find the file that the caller would find by `name`. */
static const char *as_caller(const void *caller, void *self, const char *name, char room[PATH_MAX])
{
	Dl_info info;
	void *handle = NULL;
	if (name == NULL || *name == '\0' ||
	    dladdr1(caller, &info, &handle, RTLD_DL_LINKMAP) == 0 || handle == NULL)
		return name;
	if (strchr(name, '/') != NULL)
		return from_origin(handle, name, room);
	if (is_loaded(name))
		return name;
	Dl_serinfo *callers = search_path(handle), *ours = search_path(self);
	bool found = callers != NULL && ours != NULL && search(callers, ours, name, room);
	give_back(callers);
	give_back(ours);
	return found ? room : name;
}

/* ---- RTLD_DEEPBIND -------------------------------------------------------------- */

/* A handle of this library. It is never closed. */
static void *own_handle(void)
{
	static const char here;
	static void *_Atomic kept;
	void *handle = atomic_load_explicit(&kept, memory_order_relaxed);
	Dl_info info;
	if (handle == NULL && dladdr(&here, &info) != 0) {
		handle = next_dlopen()(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
		atomic_store_explicit(&kept, handle, memory_order_relaxed);
	}
	return handle;
}

static __attribute__((noinline)) void *open_deep(const char *name, int mode, const void *caller)
{
	struct mdg__rebinding rebinding;
	char room[PATH_MAX];
	void *self = own_handle();
	if (self == NULL)
		return next_dlopen()(name, mode);
	mdg__rebind_begin(&rebinding);
	void *handle = next_dlopen()(as_caller(caller, self, name, room), mode);
	mdg__rebind_end(&rebinding, handle);
	if (handle != NULL)
		(void)dlerror(); /* of names that were not found: dlopen succeeded */
	return handle;
}
#endif

MDG_EXPORT void *dlopen(const char *name, int mode)
{
#if defined(__GLIBC__) && defined(RTLD_DEEPBIND)
	if ((mode & RTLD_DEEPBIND) != 0 && name != NULL)
		return open_deep(name, mode, __builtin_return_address(0));
#endif
	return next_dlopen()(name, mode);
}
