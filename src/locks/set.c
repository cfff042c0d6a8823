/* SPDX-License-Identifier: MIT */
/*
 * set.c - gives an object in a segment a name, or takes its name away.
 *
 * mdg_names_set finds the attachment in which the object's address lies. It opens the data file of
 * that segment and maps the table for a moment. So no file stays open, and nothing is attached or
 * counted.
 *
 * Writers exclude each other by the registry's writer lock, which survives their death. The file is
 * made longer before the lock is taken, so there are only stores under the lock.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "locks/table.h"
#include "madang/names.h"
#include "platform/ownmap.h"
#include "platform/sys.h"

/* Makes the head valid. If a writer died before it finished the head, this begins again. [lock] */
static int head_ready(struct mdg__names *names)
{
	uint64_t magic = atomic_load_explicit(&names->head.magic, memory_order_relaxed);
	if (magic == MDG__NAMES_MAGIC)
		return atomic_load_explicit(&names->head.version, memory_order_relaxed) ==
		                       MDG__NAMES_VERSION
		               ? 0
		               : MDG_DAMAGED;
	if (magic != 0)
		return MDG_DAMAGED;
	atomic_store_explicit(&names->head.version, MDG__NAMES_VERSION, memory_order_relaxed);
	/* Release: pairs with the fence in read_head() of walk.c. */
	atomic_store_explicit(&names->head.magic, MDG__NAMES_MAGIC, memory_order_release);
	return 0;
}

/* Returns the entry of the object; if it has none and `or_free`, a free entry; otherwise NULL.
 * [lock] */
static struct mdg__name *entry_for(struct mdg__names *names, uint64_t offset, bool or_free)
{
	struct mdg__name *found = NULL;
	for (uint32_t i = 0; i < MDG__NAMES; i++) {
		struct mdg__name *name = &names->entry[i];
		uint32_t kind = atomic_load_explicit(&name->kind, memory_order_relaxed);
		if (kind != 0 && name->offset == offset)
			return name;
		if (kind == 0 && or_free && found == NULL)
			found = name;
	}
	return found;
}

/* Stores the name `text`, or takes the name away if that is NULL. [lock] */
static int put(struct mdg__names *names, uint32_t kind, uint64_t offset, const char *text)
{
	int rc = head_ready(names);
	if (rc < 0)
		return rc;
	struct mdg__name *name = entry_for(names, offset, text != NULL);
	if (name == NULL)
		return text != NULL ? -ENOSPC : -ENOENT;
	atomic_store_explicit(&name->kind, 0, memory_order_relaxed);
	mdg__names_fence(); /* a reader that sees any of the following stores sees the 0 */
	if (text == NULL)
		return 0;
	name->offset = offset;
	memset(name->name, 0, sizeof name->name);
	memcpy(name->name, text, strlen(text));
	atomic_store_explicit(&name->kind, kind, memory_order_release);
	return 0;
}

static int put_in_file(struct mdg_namespace *ns, const struct mdg__entry *segment, int fd,
                       uint32_t kind, uint64_t offset, const char *text)
{
	struct stat status;
	void *memory = NULL;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc == 0 && !mdg__names_has_table(segment, &status))
		rc = mdg__sys_extend(fd, segment->mapped, MDG__DATA_TAIL);
	if (rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG)
		return -ENOMEM;
	if (rc == 0)
		rc = mdg__map_own(NULL, MDG__DATA_TAIL, MAP_SHARED, fd, segment->mapped, &memory);
	if (rc < 0 || memory == NULL)
		return rc;
	rc = mdg__enter_writer(ns);
	if (rc == 0) {
		rc = put(memory, kind, offset, text);
		mdg__leave_writer(ns);
	}
	(void)mdg__sys_munmap(memory, MDG__DATA_TAIL);
	return rc;
}

static int name_entered(struct mdg_namespace *ns, uintptr_t address, uint32_t kind,
                        const char *text)
{
	struct mdg__entry segment;
	uint64_t offset = 0, inode;
	int rc = mdg__entry_at(ns, address, &segment, &offset);
	if (rc == 0 && !mdg__names_segment_is_possible(&segment))
		rc = MDG_DAMAGED;
	if (rc == 0 && !mdg__names_lies_inside(&segment, kind, offset))
		rc = -EINVAL;
	if (rc == 0 && mdg__entry_is_huge(&segment))
		rc = -EOPNOTSUPP;
	if (rc == 0)
		rc = mdg__permit(ns, &segment, 0222);
	if (rc < 0)
		return rc;
	int fd = mdg__data_open(ns, &segment, true, &inode);
	if (fd < 0)
		return fd;
	rc = put_in_file(ns, &segment, fd, kind, offset, text);
	(void)mdg__sys_close(fd);
	return rc;
}

int mdg_names_set(mdg_namespace *ns, const void *object, enum mdg_sync_kind kind, const char *name)
{
	if (mdg__names_object_size((uint32_t)kind) == 0 || (uintptr_t)object % 64 != 0)
		return -EINVAL;
	if (name != NULL && (name[0] == '\0' || strnlen(name, MDG__NAME_ROOM) == MDG__NAME_ROOM))
		return -EINVAL;
	mdg__enter(ns);
	int rc = name_entered(ns, (uintptr_t)object, (uint32_t)kind, name);
	mdg__leave(ns);
	return rc;
}
