/* SPDX-License-Identifier: MIT */
/*
 * mapping.c - which objects' memory this process has mapped, and who uses it.
 *
 * Each class has a table: a pointer to a mapping for each index. Memory is taken without a lock:
 *
 *     T1  read the mapping from the table
 *     T2  count oneself among its users
 *     T3  read the table again. If it still has this mapping, the memory stays.
 *
 * Whoever wants to unmap the memory holds the object lock:
 *
 *     U1  take the mapping out of the table
 *     U2  read the number of users. If it is 0, unmap; otherwise the mapping is retired, and
 *         looked at again later.
 *
 * All four are sequentially consistent. If U2 has not seen the count of T2, then U1 came before
 * T3, and T3 finds another mapping, or none. A structure is never given back to the system: T2
 * may count in one that was retired, or used again, since T1. That does no harm, it only delays
 * an unmapping.
 *
 * A thread that is killed alone does not exist. A thread that leaves by longjmp while it has
 * memory taken, and a fork in that moment, leave the memory mapped for good.
 */
#include "segment/mapping.h"

#include <errno.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "registry/object.h"

#define MAPPINGS_AT_ONCE 64u /* structures that are made together: a page */
#define LOOKED_AT        8u  /* mappings, in one sweep */

/* ---- taking and leaving -------------------------------------------------------------- */

bool mdg__memory_take(mdg_namespace *ns, enum mdg__class class, mdg_id id, struct mdg__memory *ret)
{
	struct mdg__mapping *_Atomic *table =
		atomic_load_explicit(&ns->mapped[class], memory_order_acquire);
	uint32_t index = (uint32_t)id % MDG__IDS;
	ret->base = NULL;
	if (table == NULL || id < 0 || index >= ns->registry.objects[class].capacity)
		return false;
	struct mdg__mapping *mapping =
		atomic_load_explicit(&table[index], memory_order_acquire); /* T1 */
	if (mapping == NULL)
		return false;
	(void)atomic_fetch_add(&mapping->users, 1);  /* T2 */
	if (atomic_load(&table[index]) != mapping || /* T3 */
	    mapping->tag != mdg__tag((uint32_t)id / MDG__IDS, MDG__LIVE) ||
	    mdg__get32(&mdg__object_at(&ns->registry, class, index)->tag) != mapping->tag) {
		(void)atomic_fetch_sub(&mapping->users, 1);
		return false;
	}
	ret->base = mapping->base;
	ret->length = atomic_load_explicit(&mapping->length, memory_order_acquire);
	ret->mapping = mapping;
	return true;
}

void mdg__memory_leave(struct mdg__memory *memory)
{
	if (memory->base == NULL)
		return;
	(void)atomic_fetch_sub(&memory->mapping->users, 1);
	memory->base = NULL;
}

void mdg__mapping_take(struct mdg__mapping *mapping, struct mdg__memory *ret)
{
	(void)atomic_fetch_add(&mapping->users, 1);
	ret->base = mapping->base;
	ret->length = atomic_load(&mapping->length);
	ret->mapping = mapping;
}

/* ---- retiring ------------------------------------------------------------------------- */

static bool is_kept(const struct mdg__mapping *mapping)
{
	return mapping->fd >= 0 && mdg__fd_is(mapping->fd, mapping->device, mapping->inode);
}

static void unmap(struct mdg_namespace *ns, struct mdg__mapping *mapping)
{
	if (is_kept(mapping))
		(void)mdg__sys_close(mapping->fd);
	ns->kept_files -= mapping->fd >= 0;
	(void)mdg__sys_munmap(mapping->base, atomic_load(&mapping->length));
	mapping->next = ns->free_mappings;
	ns->free_mappings = mapping;
}

/* It has been taken out of the table. */
static void retire(struct mdg_namespace *ns, struct mdg__mapping *mapping)
{
	if (atomic_load(&mapping->users) == 0) { /* U2 */
		unmap(ns, mapping);
		return;
	}
	mapping->next = ns->retired_mappings;
	ns->retired_mappings = mapping;
}

void mdg__mapping_drop(struct mdg_namespace *ns, enum mdg__class class, uint32_t index)
{
	struct mdg__mapping *_Atomic *table = atomic_load(&ns->mapped[class]);
	if (table == NULL)
		return;
	struct mdg__mapping *mapping = atomic_exchange(&table[index], NULL); /* U1 */
	if (mapping != NULL)
		retire(ns, mapping);
}

static void sweep_retired(struct mdg_namespace *ns)
{
	struct mdg__mapping *list = ns->retired_mappings, *next;
	ns->retired_mappings = NULL;
	for (; list != NULL; list = next) {
		next = list->next;
		retire(ns, list);
	}
}

/* Objects may have been removed by others. Their memory is given back when the last process
 * unmaps it. */
static void look_at_some(struct mdg_namespace *ns, enum mdg__class class)
{
	struct mdg__mapping *_Atomic *table = atomic_load(&ns->mapped[class]);
	uint32_t ready = mdg__registry_ready_count(&ns->registry, class);
	uint32_t steps = ready < 64 * LOOKED_AT ? ready : 64 * LOOKED_AT;
	for (uint32_t looked = 0; table != NULL && steps > 0 && looked < LOOKED_AT; steps--) {
		uint32_t index = ns->mapping_cursor++ % ready;
		const struct mdg__mapping *mapping = atomic_load(&table[index]);
		if (mapping == NULL)
			continue;
		looked++;
		if (mdg__get32(&mdg__object_at(&ns->registry, class, index)->tag) != mapping->tag)
			mdg__mapping_drop(ns, class, index);
	}
}

void mdg__mappings_sweep(struct mdg_namespace *ns)
{
	if (ns->retired_mappings != NULL)
		sweep_retired(ns);
	for (uint32_t class = MDG__SEGMENTS + 1; class < MDG__CLASSES; class ++)
		look_at_some(ns, (enum mdg__class) class);
}

/* ---- installing ------------------------------------------------------------------------ */

static int make_table(struct mdg_namespace *ns, enum mdg__class class)
{
	void *memory;
	if (atomic_load(&ns->mapped[class]) != NULL)
		return 0;
	int rc =
		mdg__map_own(NULL, ns->registry.objects[class].capacity * sizeof *ns->mapped[class],
	                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &memory);
	if (rc == 0)
		atomic_store_explicit(&ns->mapped[class], memory, memory_order_release);
	return rc;
}

/* NULL: there is no memory. */
static struct mdg__mapping *new_mapping(struct mdg_namespace *ns)
{
	void *memory;
	if (ns->free_mappings == NULL &&
	    mdg__map_own(NULL, MAPPINGS_AT_ONCE * sizeof(struct mdg__mapping),
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory) == 0) {
		struct mdg__mapping *several = memory;
		for (uint32_t i = 0; i < MAPPINGS_AT_ONCE; i++) {
			several[i].next = ns->free_mappings;
			ns->free_mappings = &several[i];
		}
	}
	struct mdg__mapping *mapping = ns->free_mappings;
	if (mapping != NULL)
		ns->free_mappings = mapping->next;
	return mapping;
}

void mdg__mappings_unlock(struct mdg_namespace *ns)
{
	for (uint32_t class = MDG__SEGMENTS + 1; class < MDG__CLASSES; class ++) {
		struct mdg__mapping *_Atomic *table = atomic_load(&ns->mapped[class]);
		uint32_t ready = mdg__registry_ready_count(&ns->registry, class);
		if (table == NULL)
			continue;
		for (uint32_t index = 0; index < ready; index++) {
			const struct mdg__mapping *mapping = atomic_load(&table[index]);
			if (mapping != NULL)
				mdg__unlock_own(mapping->base, atomic_load(&mapping->length));
		}
		mdg__unlock_own((void *)(uintptr_t)table,
		                ns->registry.objects[class].capacity * sizeof *table);
	}
}

struct mdg__mapping *mdg__mapping_find(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__mapping *_Atomic *table = atomic_load(&ns->mapped[entry->class]);
	struct mdg__mapping *mapping = table != NULL ? atomic_load(&table[entry->index]) : NULL;
	return mapping != NULL && mapping->tag == entry->tag ? mapping : NULL;
}

int mdg__mapping_install(struct mdg_namespace *ns, const struct mdg__entry *entry, char *base,
                         size_t length, struct mdg__memory *ret)
{
	int rc = make_table(ns, entry->class);
	if (rc < 0)
		return rc;
	struct mdg__mapping *mapping = new_mapping(ns);
	if (mapping == NULL)
		return -ENOMEM;
	struct mdg__mapping *_Atomic *table = atomic_load(&ns->mapped[entry->class]);
	mapping->tag = entry->tag;
	mapping->index = entry->index;
	mapping->class = entry->class;
	mapping->base = base;
	atomic_store(&mapping->length, length);
	mapping->fd = -1;
	mdg__mapping_take(mapping, ret);
	struct mdg__mapping *before = atomic_exchange(&table[entry->index], mapping);
	if (before != NULL && before->tag == entry->tag) { /* the file is kept as before */
		mapping->fd = before->fd;
		mapping->device = before->device;
		mapping->inode = before->inode;
		before->fd = -1;
	}
	if (before != NULL)
		retire(ns, before);
	return 0;
}

/* ---- files that are kept open ------------------------------------------------------------ */

void mdg__mapping_keep(struct mdg_namespace *ns, struct mdg__mapping *mapping, int fd)
{
	struct stat status;
	ns->kept_files -= mapping->fd >= 0;
	if (is_kept(mapping))
		(void)mdg__sys_close(mapping->fd);
	mapping->fd = -1;
	fd = mdg__fd_out_of_the_way(fd);
	int rc = fd < 0 ? fd : mdg__sys_fstat(fd, &status);
	if (rc < 0 || ns->kept_files >= ns->most_kept_fds) {
		if (fd >= 0)
			(void)mdg__sys_close(fd);
		return;
	}
	mapping->fd = fd;
	mapping->device = status.st_dev;
	mapping->inode = status.st_ino;
	ns->kept_files++;
}

int mdg__mapping_file(const struct mdg__mapping *mapping)
{
	return is_kept(mapping) ? mdg__sys_dup_above(mapping->fd, 3) : -EACCES;
}
