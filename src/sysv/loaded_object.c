/* SPDX-License-Identifier: MIT */
/*
 * loaded_object.c - see loaded_object.h. The names and structures are those of <elf.h>.
 *
 * This code ignores the versions of symbols. It also ignores DT_RELR, because such
 * relocations have no symbol.
 */
#include <features.h>
#if defined(__GLIBC__)
#include "sysv/loaded_object.h"

#include <elf.h>
#include <string.h>

bool mdg__object_holds(const struct mdg__object *object, uintptr_t address, size_t length,
                       unsigned rights)
{
	for (unsigned i = 0; i < object->part_count; i++) {
		const ElfW(Phdr) *part = &object->parts[i];
		uintptr_t offset = address - (object->base + part->p_vaddr);
		if (part->p_type == PT_LOAD && (part->p_flags & rights) == rights &&
		    offset <= part->p_memsz && length <= part->p_memsz - offset)
			return true;
	}
	return false;
}

const ElfW(Phdr) * mdg__object_part(const struct mdg__object *object, unsigned type)
{
	for (unsigned i = 0; i < object->part_count; i++)
		if (object->parts[i].p_type == type)
			return &object->parts[i];
	return NULL;
}

void mdg__object_extent(const struct mdg__object *object, uintptr_t *ret_low, uintptr_t *ret_high)
{
	*ret_low = UINTPTR_MAX;
	*ret_high = 0;
	for (unsigned i = 0; i < object->part_count; i++) {
		uintptr_t start = object->base + object->parts[i].p_vaddr;
		uintptr_t end = start + object->parts[i].p_memsz;
		if (object->parts[i].p_type != PT_LOAD)
			continue;
		*ret_low = start < *ret_low ? start : *ret_low;
		*ret_high = end > *ret_high ? end : *ret_high;
	}
}

/* ---- the dynamic section ------------------------------------------------------ */

/* The text at an offset in the string table. NULL if the text does not end within the table. */
static const char *text_at(const struct mdg__object *object, size_t offset)
{
	const struct mdg__table *strings = &object->strings;
	const char *text = (const char *)strings->start + offset;
	if (offset >= strings->size || memchr(text, '\0', strings->size - offset) == NULL)
		return NULL;
	return text;
}

/* The linker has turned most of the offsets in the dynamic section into addresses. On some
 * machines it leaves a few as offsets. */
static bool locate(const struct mdg__object *object, struct mdg__table *table)
{
	bool found = false;
	if (table->start != 0 && table->size != 0) {
		if (!mdg__object_holds(object, table->start, table->size, PF_R))
			table->start += object->base;
		found = mdg__object_holds(object, table->start, table->size, PF_R);
	}
	if (!found)
		table->size = 0;
	return found;
}

static void note_entry(struct mdg__object *object, const ElfW(Dyn) * entry, size_t *ret_soname)
{
	uintptr_t value = (uintptr_t)entry->d_un.d_ptr;
	struct mdg__table *relocations = object->relocations;
	switch (entry->d_tag) {
	case DT_SYMTAB:
		object->symbols.start = value;
		break;
	case DT_STRTAB:
		object->strings.start = value;
		break;
	case DT_STRSZ:
		object->strings.size = value;
		break;
	case DT_JMPREL:
		relocations[0].start = value;
		break;
	case DT_PLTRELSZ:
		relocations[0].size = value;
		break;
	case DT_PLTREL:
		relocations[0].addends = value == DT_RELA;
		break;
	case DT_RELA:
		relocations[1].start = value;
		break;
	case DT_RELASZ:
		relocations[1].size = value;
		break;
	case DT_REL:
		relocations[2].start = value;
		break;
	case DT_RELSZ:
		relocations[2].size = value;
		break;
	case DT_SONAME:
		*ret_soname = value;
		break;
	default:
		break;
	}
}

bool mdg__object_read(const struct dl_phdr_info *info, struct mdg__object *ret)
{
	size_t soname = SIZE_MAX, count = 0;
	*ret = (struct mdg__object){ .base = (uintptr_t)info->dlpi_addr,
		                     .path = info->dlpi_name,
		                     .parts = info->dlpi_phdr,
		                     .part_count = info->dlpi_phnum };
	const ElfW(Phdr) *dynamic = mdg__object_part(ret, PT_DYNAMIC);
	if (dynamic == NULL ||
	    !mdg__object_holds(ret, ret->base + dynamic->p_vaddr, dynamic->p_memsz, PF_R))
		return false;
	ret->dynamic = (const void *)(ret->base + dynamic->p_vaddr);
	while (count < dynamic->p_memsz / sizeof(ElfW(Dyn)) && ret->dynamic[count].d_tag != DT_NULL)
		note_entry(ret, &ret->dynamic[count++], &soname);
	ret->dynamic_count = count;
	ret->symbols.size = sizeof(ElfW(Sym));
	ret->relocations[1].addends = true;
	for (int i = 0; i < 3; i++)
		(void)locate(ret, &ret->relocations[i]);
	if (!locate(ret, &ret->symbols) || !locate(ret, &ret->strings))
		return false;
	ret->soname = text_at(ret, soname);
	return true;
}

const char *mdg__object_symbol_name(const struct mdg__object *object, size_t symbol)
{
	uintptr_t at = object->symbols.start + symbol * sizeof(ElfW(Sym));
	if (symbol == 0 || !mdg__object_holds(object, at, sizeof(ElfW(Sym)), PF_R))
		return NULL;
	return text_at(object, ((const ElfW(Sym) *)at)->st_name);
}

/* ---- who needs whom --------------------------------------------------------------- */

static bool is_called(const struct mdg__object *object, const char *name)
{
	if (object->soname != NULL && strcmp(object->soname, name) == 0)
		return true;
	if (object->path == NULL)
		return false;
	const char *slash = strrchr(object->path, '/');
	return strcmp(object->path, name) == 0 || (slash != NULL && strcmp(slash + 1, name) == 0);
}

bool mdg__object_needs(const struct mdg__object *object, const struct mdg__object *other)
{
	for (size_t i = 0; i < object->dynamic_count; i++) {
		if (object->dynamic[i].d_tag != DT_NEEDED)
			continue;
		const char *name = text_at(object, object->dynamic[i].d_un.d_val);
		if (name != NULL && is_called(other, name))
			return true;
	}
	return false;
}

#else
typedef int mdg__nothing_here;
#endif
