/* SPDX-License-Identifier: MIT */
/*
 * rebind.c - points the references of loaded objects at this library.
 *
 * A reference to a function of another object goes through a slot that the
 * dynamic linker fills in: at load, or (a lazy one leads back into the object
 * until then) at the first call. The object's relocations say which slot is
 * for which name. Those for the names we define are set to our functions.
 *
 * Only what would reach the C library: an object, or a library it brings
 * along, that defines `open` itself keeps its own. So a filled slot has to
 * point into the object that holds the next definition behind ours, and for a
 * lazy one a look-up by the object's own rules has to lead there.
 *
 * New objects are found by number: the linker appends them to its list and
 * counts every load. dl_iterate_phdr() holds the linker's lock meanwhile: no
 * object goes away under us, and no two threads lift the same protection.
 * Nothing is asked of the linker in there; that would be a lock too many.
 *
 * Every table is believed only inside the object's own segments, and a slot
 * only inside a writable one. Slots that were made read-only after they had
 * been filled in (PT_GNU_RELRO) are made writable for the moment.
 *
 * What it cannot do: be there before the object's constructors, which run
 * within dlopen; and reach an address that one has copied elsewhere.
 */
#include "sysv/rebind.h"

#include <dlfcn.h>

#if defined(__GLIBC__) && defined(RTLD_DEEPBIND)
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/sys.h"

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT, ABSOLUTE = R_X86_64_64 };
#elif defined(__i386__)
enum { JUMP_SLOT = R_386_JMP_SLOT, GLOB_DAT = R_386_GLOB_DAT, ABSOLUTE = R_386_32 };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT, ABSOLUTE = R_AARCH64_ABS64 };
#else /* nothing is rebound there */
enum { JUMP_SLOT = -1, GLOB_DAT = -2, ABSOLUTE = -3 };
#endif

#if __SIZEOF_POINTER__ == 8
#define RELOCATION_SYMBOL(info) ELF64_R_SYM(info)
#define RELOCATION_TYPE(info) ELF64_R_TYPE(info)
#else
#define RELOCATION_SYMBOL(info) ELF32_R_SYM(info)
#define RELOCATION_TYPE(info) ELF32_R_TYPE(info)
#endif

/* What libmadang-sysv.map exports. */
static const char *const rebound_names[] = {
	"shmget", "shmat", "shmdt", "shmctl", "__shmctl64", "ftok",
	"munmap", "mmap", "mmap64", "mremap",
	"open", "open64", "openat", "openat64",
	"__open_2", "__open64_2", "__openat_2", "__openat64_2",
	"fopen", "fopen64", "dlopen",
};
_Static_assert(sizeof rebound_names / sizeof rebound_names[0] <= MDG__REBOUND_MAX, "room");

/* ---- an object ------------------------------------------------------------ */

/* Whether the object has [address, address+length) in one segment that grants
 * all of `rights` (PF_R, PF_W). */
static bool holds(const struct dl_phdr_info *object, uintptr_t address, size_t length, unsigned rights)
{
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t offset = address - ((uintptr_t)object->dlpi_addr + segment->p_vaddr);
		if (segment->p_type == PT_LOAD && (segment->p_flags & rights) == rights &&
		    offset <= segment->p_memsz && length <= segment->p_memsz - offset)
			return true;
	}
	return false;
}

static const ElfW(Phdr) *part(const struct dl_phdr_info *object, unsigned type)
{
	for (int i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == type)
			return &object->dlpi_phdr[i];
	return NULL;
}

struct table {
	uintptr_t start;
	size_t size;
	bool addends; /* of RELA entries, not REL */
};

struct tables {
	struct table symbols, strings, jumps, others[2];
};

/* The linker has made addresses of most of the offsets in the dynamic section,
 * not of all on every machine. */
static bool locate(const struct dl_phdr_info *object, struct table *table)
{
	if (table->start == 0 || table->size == 0)
		return false;
	if (!holds(object, table->start, table->size, PF_R))
		table->start += (uintptr_t)object->dlpi_addr;
	return holds(object, table->start, table->size, PF_R);
}

static void note_entry(struct tables *tables, const ElfW(Dyn) *entry)
{
	uintptr_t value = (uintptr_t)entry->d_un.d_ptr;
	switch (entry->d_tag) {
	case DT_SYMTAB: tables->symbols.start = value; break;
	case DT_STRTAB: tables->strings.start = value; break;
	case DT_STRSZ: tables->strings.size = value; break;
	case DT_JMPREL: tables->jumps.start = value; break;
	case DT_PLTRELSZ: tables->jumps.size = value; break;
	case DT_PLTREL: tables->jumps.addends = value == DT_RELA; break;
	case DT_RELA: tables->others[0].start = value; break;
	case DT_RELASZ: tables->others[0].size = value; break;
	case DT_REL: tables->others[1].start = value; break;
	case DT_RELSZ: tables->others[1].size = value; break;
	default: break;
	}
}

static bool read_dynamic(const struct dl_phdr_info *object, struct tables *ret)
{
	const ElfW(Phdr) *dynamic = part(object, PT_DYNAMIC);
	if (dynamic == NULL)
		return false;
	uintptr_t at = (uintptr_t)object->dlpi_addr + dynamic->p_vaddr;
	if (!holds(object, at, dynamic->p_memsz, PF_R))
		return false;
	const ElfW(Dyn) *entries = (const void *)at;
	for (size_t i = 0; i < dynamic->p_memsz / sizeof *entries && entries[i].d_tag != DT_NULL; i++)
		note_entry(ret, &entries[i]);
	ret->others[0].addends = true;
	ret->symbols.size = sizeof(ElfW(Sym)); /* how many is not said: each is checked */
	return locate(object, &ret->symbols) && locate(object, &ret->strings);
}

/* ---- its slots -------------------------------------------------------------- */

struct patch {
	const struct mdg__rebinding *rebinding;
	const struct dl_phdr_info *object;
	struct tables tables;
	uintptr_t relro, relro_end; /* pages that are read-only by now */
	bool lifted;                /* ... but for us, at this moment */
};

/* The one of our names that a relocation is for, or NULL. */
static const struct mdg__rebound *name_of(const struct patch *patch, size_t symbol_index)
{
	const struct table *strings = &patch->tables.strings;
	uintptr_t at = patch->tables.symbols.start + symbol_index * sizeof(ElfW(Sym));
	if (symbol_index == 0 || !holds(patch->object, at, sizeof(ElfW(Sym)), PF_R))
		return NULL;
	const ElfW(Sym) *symbol = (const void *)at;
	if (symbol->st_name >= strings->size)
		return NULL;
	const char *name = (const char *)strings->start + symbol->st_name;
	size_t room = strings->size - symbol->st_name;
	for (size_t i = 0; i < patch->rebinding->count; i++) {
		const struct mdg__rebound *rebound = &patch->rebinding->names[i];
		size_t length = strlen(rebound->name) + 1;
		if (length <= room && memcmp(name, rebound->name, length) == 0)
			return rebound;
	}
	return NULL;
}

static bool is_next(const struct mdg__rebound *rebound, uintptr_t function)
{
	return function >= rebound->low && function < rebound->high;
}

static bool protect(const struct patch *patch, int protection)
{
	int before = errno;
	bool done = mprotect((void *)patch->relro, patch->relro_end - patch->relro, protection) == 0;
	errno = before;
	return done;
}

static void set_slot(struct patch *patch, uintptr_t slot, const struct mdg__rebound *rebound)
{
	if (slot % sizeof(uintptr_t) != 0 || !holds(patch->object, slot, sizeof(uintptr_t), PF_R | PF_W))
		return;
	uintptr_t *function = (uintptr_t *)slot;
	uintptr_t now = __atomic_load_n(function, __ATOMIC_RELAXED);
	/* One that leads into the object itself waits for its first call. */
	if (!is_next(rebound, now) &&
	    !(holds(patch->object, now, 1, PF_R) && is_next(rebound, rebound->reached)))
		return;
	if (slot >= patch->relro && slot < patch->relro_end && !patch->lifted) {
		patch->lifted = protect(patch, PROT_READ | PROT_WRITE);
		if (!patch->lifted)
			return;
	}
	__atomic_store_n(function, rebound->ours, __ATOMIC_RELEASE);
}

static void rebind_table(struct patch *patch, struct table *table)
{
	size_t entry = table->addends ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
	if (!locate(patch->object, table))
		return;
	for (size_t at = 0; entry <= table->size - at; at += entry) {
		const ElfW(Rel) *relocation = (const void *)(table->start + at);
		int type = (int)RELOCATION_TYPE(relocation->r_info);
		if (type != JUMP_SLOT && type != GLOB_DAT && type != ABSOLUTE)
			continue;
		if (table->addends && ((const ElfW(Rela) *)(const void *)relocation)->r_addend != 0)
			continue;
		const struct mdg__rebound *rebound =
			name_of(patch, (size_t)RELOCATION_SYMBOL(relocation->r_info));
		if (rebound != NULL)
			set_slot(patch, (uintptr_t)patch->object->dlpi_addr + relocation->r_offset,
			         rebound);
	}
}

static void rebind_object(const struct mdg__rebinding *rebinding, const struct dl_phdr_info *object)
{
	struct patch patch = { .rebinding = rebinding, .object = object };
	const ElfW(Phdr) *relro = part(object, PT_GNU_RELRO);
	if (!read_dynamic(object, &patch.tables))
		return;
	if (relro != NULL) { /* the whole pages of it, as the linker protects them */
		uintptr_t page = mdg__page_size(), start = (uintptr_t)object->dlpi_addr + relro->p_vaddr;
		patch.relro = start / page * page;
		patch.relro_end = (start + relro->p_memsz) / page * page;
	}
	rebind_table(&patch, &patch.tables.jumps);
	rebind_table(&patch, &patch.tables.others[0]);
	rebind_table(&patch, &patch.tables.others[1]);
	if (patch.lifted)
		(void)protect(&patch, PROT_READ);
}

/* ---- all objects ------------------------------------------------------------ */

static uintptr_t look_up(void *handle, const char *name)
{
	return (uintptr_t)dlsym(handle, name);
}

/* Notes where the C library lies, and how many loads there were. */
static int survey(struct dl_phdr_info *object, size_t size, void *context)
{
	struct mdg__rebinding *rebinding = context;
	(void)size; /* every glibc with our symbols has dlpi_adds */
	rebinding->loads = object->dlpi_adds;
	for (size_t n = 0; n < rebinding->count; n++) {
		struct mdg__rebound *rebound = &rebinding->names[n];
		if (rebound->high != 0 || !holds(object, rebound->next, 1, PF_R))
			continue;
		rebound->low = UINTPTR_MAX;
		for (int i = 0; i < object->dlpi_phnum; i++) {
			const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
			uintptr_t start = (uintptr_t)object->dlpi_addr + segment->p_vaddr;
			if (segment->p_type != PT_LOAD)
				continue;
			rebound->low = start < rebound->low ? start : rebound->low;
			rebound->high = start + segment->p_memsz > rebound->high
			                        ? start + segment->p_memsz
			                        : rebound->high;
		}
	}
	return 0;
}

void mdg__rebind_begin(struct mdg__rebinding *rebinding, void *self)
{
	memset(rebinding, 0, sizeof *rebinding);
	for (size_t i = 0; i < sizeof rebound_names / sizeof rebound_names[0]; i++) {
		struct mdg__rebound *rebound = &rebinding->names[rebinding->count];
		rebound->name = rebound_names[i];
		rebound->ours = look_up(self, rebound->name);
		rebound->next = look_up(RTLD_NEXT, rebound->name);
		if (rebound->ours != 0 && rebound->next != 0 && rebound->ours != rebound->next)
			rebinding->count++;
	}
	(void)dl_iterate_phdr(survey, rebinding);
}

struct walk {
	const struct mdg__rebinding *rebinding;
	unsigned long long objects, seen; /* how many there are, and were passed */
	unsigned long long adds, subs;    /* ... with so many loads and unloads */
};

static int count(struct dl_phdr_info *object, size_t size, void *context)
{
	struct walk *walk = context;
	(void)size;
	walk->objects++;
	walk->adds = object->dlpi_adds;
	walk->subs = object->dlpi_subs;
	return 0;
}

/* The last ones of the list are the ones that came last. */
static int rebind_if_new(struct dl_phdr_info *object, size_t size, void *context)
{
	struct walk *walk = context;
	(void)size;
	if (object->dlpi_adds != walk->adds || object->dlpi_subs != walk->subs)
		return 1; /* another thread loads or unloads: count again */
	if (++walk->seen + (walk->adds - walk->rebinding->loads) > walk->objects)
		rebind_object(walk->rebinding, object);
	return 0;
}

void mdg__rebind_new(struct mdg__rebinding *rebinding, void *handle)
{
	struct walk walk;
	for (size_t i = 0; i < rebinding->count; i++)
		rebinding->names[i].reached = look_up(handle, rebinding->names[i].name);
	do {
		walk = (struct walk){ .rebinding = rebinding };
		(void)dl_iterate_phdr(count, &walk);
	} while (dl_iterate_phdr(rebind_if_new, &walk) != 0);
}

#else
typedef int mdg__nothing_here;
#endif
