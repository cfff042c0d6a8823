/* SPDX-License-Identifier: MIT */
/*
 * rebind.c - points the references of loaded objects at this library.
 *
 * A reference to a function of another object goes through a slot. The dynamic
 * linker fills the slot in when it loads the object, or at the first call. Until
 * the first call, such a lazy slot leads back into the object. The object's
 * relocations say which slot belongs to which name. This code sets the slots of
 * the names that we define to our functions.
 *
 * It sets only slots that would reach the C library. If a module, or a library
 * that came with it, defines `open` itself, it keeps its own. So a slot that is
 * filled in must point into the C library. For a lazy slot, the search that the
 * module makes must lead there.
 *
 * It looks at the objects that the module needs, by the names in their dynamic
 * sections, if they were not loaded before. The linker appends objects to its
 * list and counts all loads. So the new objects are among the last ones, and
 * the counts before and after tell how many. If another thread is loading the
 * same module, both threads look at it.
 *
 * dl_iterate_phdr() holds the linker's lock meanwhile. So no object is unloaded
 * while we read it, and no two threads change the same protection. This code
 * asks the linker nothing meanwhile, because that would take the linker's locks
 * in the wrong order.
 *
 * There are two limits. A module's constructors run within dlopen, and so
 * before this code. And an address that a constructor has copied elsewhere
 * stays what it is.
 */
#include "sysv/rebind.h"

#include <dlfcn.h>

#if defined(__GLIBC__) && defined(RTLD_DEEPBIND)
#include <elf.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/sys.h"
#include "sysv/loaded_object.h"

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT, ABSOLUTE = R_X86_64_64 };
#elif defined(__i386__)
enum { JUMP_SLOT = R_386_JMP_SLOT, GLOB_DAT = R_386_GLOB_DAT, ABSOLUTE = R_386_32 };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT, ABSOLUTE = R_AARCH64_ABS64 };
#elif defined(__arm__)
enum { JUMP_SLOT = R_ARM_JUMP_SLOT, GLOB_DAT = R_ARM_GLOB_DAT, ABSOLUTE = R_ARM_ABS32 };
#elif defined(__s390x__)
enum { JUMP_SLOT = R_390_JMP_SLOT, GLOB_DAT = R_390_GLOB_DAT, ABSOLUTE = R_390_64 };
#elif defined(__riscv) && __riscv_xlen == 64 /* which fills in the others as addresses */
enum { JUMP_SLOT = R_RISCV_JUMP_SLOT, GLOB_DAT = R_RISCV_64, ABSOLUTE = R_RISCV_64 };
#else                                        /* nothing is rebound there */
enum { JUMP_SLOT = -1, GLOB_DAT = -2, ABSOLUTE = -3 };
#endif

#if __SIZEOF_POINTER__ == 8
#define RELOCATION_SYMBOL(info) ELF64_R_SYM(info)
#define RELOCATION_TYPE(info)   ELF64_R_TYPE(info)
#else
#define RELOCATION_SYMBOL(info) ELF32_R_SYM(info)
#define RELOCATION_TYPE(info)   ELF32_R_TYPE(info)
#endif

enum { OBJECTS_MAX = 128 }; /* new ones at once; the rest is left as it is */

/* ---- the slots of one object -------------------------------------------------- */

struct patch {
	const struct mdg__rebinding *rebinding;
	const struct mdg__object *object;
	uintptr_t relro, relro_end; /* pages that are read-only by now */
	bool lifted;                /* ... but for us, at this moment */
};

static const struct mdg__rebound *rebound_called(const struct mdg__rebinding *rebinding,
                                                 const char *name)
{
	for (size_t i = 0; name != NULL && i < rebinding->count; i++)
		if (strcmp(rebinding->names[i].name, name) == 0)
			return &rebinding->names[i];
	return NULL;
}

static bool is_libcs(const struct mdg__rebound *rebound, uintptr_t function)
{
	return function >= rebound->low && function < rebound->high;
}

static bool protect(const struct patch *patch, int protection)
{
	int before = errno;
	bool done = mdg__sys_mprotect((void *)patch->relro, patch->relro_end - patch->relro,
	                              protection) == 0;
	errno = before;
	return done;
}

static void set_slot(struct patch *patch, uintptr_t slot, const struct mdg__rebound *rebound)
{
	if (slot % sizeof(uintptr_t) != 0 ||
	    !mdg__object_holds(patch->object, slot, sizeof(uintptr_t), PF_R | PF_W))
		return;
	uintptr_t *function = (uintptr_t *)slot;
	uintptr_t now = __atomic_load_n(function, __ATOMIC_RELAXED);
	/* A slot that leads into the object itself waits for its first call. */
	bool is_lazy = mdg__object_holds(patch->object, now, 1, PF_R);
	if (!is_libcs(rebound, now) && !(is_lazy && is_libcs(rebound, rebound->reached)))
		return;
	if (slot >= patch->relro && slot < patch->relro_end && !patch->lifted) {
		patch->lifted = protect(patch, PROT_READ | PROT_WRITE);
		if (!patch->lifted)
			return;
	}
	__atomic_store_n(function, rebound->ours, __ATOMIC_RELEASE);
}

static void rebind_table(struct patch *patch, const struct mdg__table *table)
{
	size_t entry = table->addends ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
	for (size_t at = 0; entry <= table->size - at; at += entry) {
		const ElfW(Rela) *relocation = (const void *)(table->start + at);
		int type = (int)RELOCATION_TYPE(relocation->r_info);
		if ((type != JUMP_SLOT && type != GLOB_DAT && type != ABSOLUTE) ||
		    (table->addends && relocation->r_addend != 0))
			continue;
		const char *name = mdg__object_symbol_name(
			patch->object, (size_t)RELOCATION_SYMBOL(relocation->r_info));
		const struct mdg__rebound *rebound = rebound_called(patch->rebinding, name);
		if (rebound != NULL)
			set_slot(patch, patch->object->base + relocation->r_offset, rebound);
	}
}

static void rebind_object(const struct mdg__rebinding *rebinding, const struct mdg__object *object)
{
	struct patch patch = { .rebinding = rebinding, .object = object };
	const ElfW(Phdr) *relro = mdg__object_part(object, PT_GNU_RELRO);
	if (relro != NULL) { /* only whole pages, as the linker protects them */
		uintptr_t page = mdg__page_size(), start = object->base + relro->p_vaddr;
		patch.relro = start / page * page;
		patch.relro_end = (start + relro->p_memsz) / page * page;
	}
	for (int i = 0; i < 3; i++)
		rebind_table(&patch, &object->relocations[i]);
	if (patch.lifted)
		(void)protect(&patch, PROT_READ);
}

/* ---- loads under way --------------------------------------------------------------- */

/* The low 16 bits say how many loads are under way. The other bits hold the linker's count
 * of loads when the first of these began. While a load is under way, another load may find the
 * same module in memory. It must not rely on the module's having been rebound. */
static _Atomic uint64_t under_way;

static void enter(uint64_t loads)
{
	uint64_t seen = atomic_load(&under_way), entered;
	do
		entered = (seen & 0xffff) == 0 ? loads << 16 | 1 : seen + 1;
	while (!atomic_compare_exchange_weak(&under_way, &seen, entered));
}

static uint64_t earliest(uint64_t loads)
{
	uint64_t first = atomic_load(&under_way) >> 16;
	return first < loads ? first : loads;
}

/* ---- the objects ----------------------------------------------------------------- */

static uintptr_t look_up(void *handle, const char *name)
{
	return (uintptr_t)mdg__real_dlsym(handle, name);
}

/* Notes where the C library lies, and the linker's count of loads. */
static int survey(struct dl_phdr_info *info, size_t size, void *context)
{
	struct mdg__rebinding *rebinding = context;
	struct mdg__object object;
	(void)size; /* dlpi_adds and dlpi_subs have been there since glibc 2.4 */
	rebinding->loads = info->dlpi_adds;
	if (!mdg__object_read(info, &object))
		return 0;
	for (size_t i = 0; i < rebinding->count; i++) {
		struct mdg__rebound *rebound = &rebinding->names[i];
		if (mdg__object_holds(&object, rebound->libc, 1, PF_R))
			mdg__object_extent(&object, &rebound->low, &rebound->high);
	}
	return 0;
}

void mdg__rebind_begin(struct mdg__rebinding *rebinding)
{
	memset(rebinding, 0, sizeof *rebinding);
	mdg__names_prepare();
	for (size_t i = 0; i < MDG__NAMES_COUNT; i++) {
		struct mdg__rebound *rebound = &rebinding->names[rebinding->count];
		rebound->name = mdg__names[i].name;
		rebound->ours = mdg__names[i].ours;
		rebound->libc = mdg__names[i].libc;
		if (rebound->ours != 0 && rebound->libc != 0)
			rebinding->count++;
	}
	(void)dl_iterate_phdr(survey, rebinding);
	enter(rebinding->loads);
}

struct walk {
	const struct mdg__rebinding *rebinding;
	const struct link_map *module;
	uint64_t since;                /* loads after this one are new */
	uint64_t objects, seen;        /* how many there are, and were passed */
	unsigned long long adds, subs; /* ... with so many loads and unloads */
	struct mdg__object new[OBJECTS_MAX];
	bool is_family[OBJECTS_MAX];
	size_t new_count;
};

static int count(struct dl_phdr_info *info, size_t size, void *context)
{
	struct walk *walk = context;
	(void)size;
	walk->objects++;
	walk->adds = info->dlpi_adds;
	walk->subs = info->dlpi_subs;
	return 0;
}

/* Marks the objects that marked objects need, until no more are found. */
static void find_family(struct walk *walk)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < walk->new_count; i++) {
			for (size_t j = 0; walk->is_family[i] && j < walk->new_count; j++) {
				if (!walk->is_family[j] &&
				    mdg__object_needs(&walk->new[i], &walk->new[j])) {
					walk->is_family[j] = true;
					more = true;
				}
			}
		}
	}
}

static int rebind_when_last(struct dl_phdr_info *info, size_t size, void *context)
{
	struct walk *walk = context;
	(void)size;
	if (info->dlpi_adds != walk->adds || info->dlpi_subs != walk->subs)
		return 1; /* another thread has loaded or unloaded: count again */
	bool is_new = ++walk->seen + (walk->adds - walk->since) > walk->objects;
	if (is_new && walk->new_count < OBJECTS_MAX &&
	    mdg__object_read(info, &walk->new[walk->new_count]))
		walk->is_family[walk->new_count++] =
			info->dlpi_addr == walk->module->l_addr &&
			strcmp(info->dlpi_name, walk->module->l_name) == 0;
	if (walk->seen < walk->objects)
		return 0;
	find_family(walk);
	for (size_t i = 0; i < walk->new_count; i++)
		if (walk->is_family[i])
			rebind_object(walk->rebinding, &walk->new[i]);
	return 0;
}

void mdg__rebind_end(struct mdg__rebinding *rebinding, void *handle)
{
	struct walk walk;
	struct link_map *module = NULL;
	uint64_t since = earliest(rebinding->loads);
	if (handle != NULL && dlinfo(handle, RTLD_DI_LINKMAP, &module) == 0) {
		for (size_t i = 0; i < rebinding->count; i++)
			rebinding->names[i].reached = look_up(handle, rebinding->names[i].name);
		do {
			memset(&walk, 0, sizeof walk);
			walk.rebinding = rebinding;
			walk.module = module;
			walk.since = since;
			(void)dl_iterate_phdr(count, &walk);
		} while (dl_iterate_phdr(rebind_when_last, &walk) != 0);
	}
	(void)atomic_fetch_sub(&under_way, 1);
}

#else
typedef int mdg__nothing_here;
#endif
