/* SPDX-License-Identifier: MIT */
/*
 * objectmemory.c - the memory of a semaphore set or a message queue: made when it is first
 * needed, mapped by each process once, and longer when somebody asks.
 *
 * What a process has mapped is in mapping.c, the file in objectfile.c. Usually no descriptor is
 * kept: a process opens the file to map it and to make it longer, and closes it again. A process
 * that becomes another user keeps the file open (hostidentity.c).
 */
#include <errno.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "segment/mapping.h"
#include "segment/objectfile.h"

/* What is to be done with the memory: see mdg__memory_get and mdg__memory_look. */
struct need {
	bool make;
	bool all; /* as long as the file is by now, though less is mapped here already */
	uint64_t least;
};

static bool is_enough(const struct need *need, uint64_t length)
{
	return !need->all && length >= need->least;
}

static int map(struct mdg_namespace *ns, int fd, size_t length, void **ret)
{
	if (ns->registry.look)
		return mdg__sys_mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0, ret);
	return mdg__map_own(NULL, length, MAP_SHARED, fd, 0, ret);
}

/* Makes the mapping longer where it is, if there is room behind it. */
static bool stretch(struct mdg__mapping *mapping, size_t length)
{
	void *same;
	size_t before = atomic_load(&mapping->length);
	if (before >= length)
		return true;
	if (mdg__sys_mremap(mapping->base, before, length, 0, NULL, &same) < 0)
		return false;
	atomic_store_explicit(&mapping->length, length, memory_order_release);
	return true;
}

/* [entered] Maps the open file. */
static int map_file(struct mdg_namespace *ns, const struct mdg__entry *entry, int fd,
                    const struct need *need, struct mdg__memory *ret)
{
	struct mdg__mapping *mapping = mdg__mapping_find(ns, entry);
	uint64_t length;
	void *base;
	int rc = mdg__late_grow(fd, need->least, &length);
	if (rc == 0 && length == 0)
		rc = -ENOENT;
	if (rc == 0 && length > SIZE_MAX / 2)
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	if (mapping != NULL && stretch(mapping, (size_t)length)) {
		mdg__mapping_take(mapping, ret);
		return 0;
	}
	rc = map(ns, fd, (size_t)length, &base);
	if (rc < 0)
		return rc;
	rc = mdg__mapping_install(ns, entry, base, (size_t)length, ret);
	if (rc < 0)
		(void)mdg__sys_munmap(base, (size_t)length);
	return rc;
}

/* [entered] A descriptor of the file, to be closed again. */
static int open_file(struct mdg_namespace *ns, const struct mdg__entry *entry, bool make)
{
	int fd = mdg__late_open(ns, entry, make);
	if (fd != -EACCES)
		return fd;
	const struct mdg__mapping *mapping = mdg__mapping_find(ns, entry);
	return mapping != NULL ? mdg__mapping_file(mapping) : -EACCES;
}

/* [entered] */
static int get_entered(struct mdg_namespace *ns, const struct mdg__entry *entry,
                       const struct need *need, struct mdg__memory *ret)
{
	mdg__mappings_sweep(ns);
	if (mdg__entry_is_old(ns, entry))
		return -EINVAL;
	struct mdg__mapping *mapping = mdg__mapping_find(ns, entry);
	if (mapping != NULL && is_enough(need, atomic_load(&mapping->length))) {
		mdg__mapping_take(mapping, ret);
		return 0;
	}
	int fd = open_file(ns, entry, need->make);
	if (fd < 0)
		return fd;
	int rc = map_file(ns, entry, fd, need, ret);
	(void)mdg__sys_close(fd);
	if (rc == 0 && mdg__entry_is_old(ns, entry)) {
		mdg__memory_leave(ret);
		mdg__mapping_drop(ns, entry->class, entry->index);
		rc = -EINVAL;
	}
	return rc;
}

static int get(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, const struct need *need,
               struct mdg__memory *ret)
{
	struct mdg__entry entry;
	if (mdg__memory_take(ns, class, id, ret)) {
		if (is_enough(need, ret->length))
			return 0;
		mdg__memory_leave(ret);
	}
	int rc = mdg__object_entry(ns, class, id, false, &entry);
	if (rc == 0 && !need->make && entry.file != MDG__FILE_MADE)
		rc = -ENOENT; /* there is nothing to enter the namespace for */
	if (rc < 0)
		return rc;
	mdg__enter(ns);
	rc = get_entered(ns, &entry, need, ret);
	mdg__leave(ns);
	return rc;
}

int mdg__memory_get(mdg_namespace *ns, enum mdg__class class, mdg_id id, uint64_t least,
                    struct mdg__memory *ret)
{
	const struct need need = { !ns->registry.look, least == 0, least == 0 ? 1 : least };
	if (ns->registry.look)
		return mdg__memory_look(ns, class, id, ret);
	return get(ns, class, id, &need, ret);
}

int mdg__memory_look(mdg_namespace *ns, enum mdg__class class, mdg_id id, struct mdg__memory *ret)
{
	const struct need need = { false, false, 0 };
	return get(ns, class, id, &need, ret);
}

int mdg__memory_keep(mdg_namespace *ns, const struct mdg__entry *entry)
{
	const struct need need = { true, false, 1 };
	struct mdg__memory memory;
	mdg__enter(ns);
	int rc = get_entered(ns, entry, &need, &memory);
	struct mdg__mapping *mapping = rc == 0 ? mdg__mapping_find(ns, entry) : NULL;
	int fd = mapping != NULL ? open_file(ns, entry, true) : -EINVAL;
	if (fd >= 0)
		mdg__mapping_keep(ns, mapping, fd);
	if (rc == 0)
		mdg__memory_leave(&memory);
	mdg__leave(ns);
	return rc == -EINVAL ? 0 : rc; /* it was removed meanwhile */
}

/* ---- pages that are given back ------------------------------------------------------- */

/* [signals] Does it to the file of an object. */
typedef int file_work(int fd, uint64_t from, uint64_t size);

static int with_file(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, file_work *work,
                     uint64_t from, uint64_t size)
{
	struct mdg__entry entry;
	if (ns->registry.look)
		return -EROFS;
	int rc = mdg__object_entry(ns, class, id, false, &entry);
	if (rc < 0)
		return rc;
	mdg__enter(ns);
	int fd = open_file(ns, &entry, false);
	rc = fd < 0 ? fd : work(fd, from, size);
	if (fd >= 0)
		(void)mdg__sys_close(fd);
	mdg__leave(ns);
	return rc;
}

static int punch(int fd, uint64_t from, uint64_t size)
{
	struct stat status;
	int rc = mdg__sys_fstat(fd, &status);
	(void)size;
	if (rc < 0 || (uint64_t)status.st_size <= from)
		return rc;
	return mdg__sys_punch_part(fd, from, (uint64_t)status.st_size - from);
}

static int promise(int fd, uint64_t from, uint64_t size)
{
	struct stat status;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc < 0)
		return rc;
	if (size > (uint64_t)INT64_MAX - from || from + size > (uint64_t)status.st_size)
		return -EINVAL;
	rc = mdg__sys_extend(fd, from, size);
	return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG ? -ENOMEM : rc;
}

int mdg__memory_punch(mdg_namespace *ns, enum mdg__class class, mdg_id id, uint64_t from)
{
	return with_file(ns, class, id, punch, from, 0);
}

int mdg__memory_promise(mdg_namespace *ns, enum mdg__class class, mdg_id id, uint64_t from,
                        uint64_t size)
{
	return with_file(ns, class, id, promise, from, size);
}
