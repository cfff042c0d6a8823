/* SPDX-License-Identifier: MIT */
/*
 * names.c - names for the objects of synchronisation in a segment, and a walk over them.
 *
 * Where the names lie, and who writes them how, is in table.h. Naming goes from
 * the object's address to the attachment it lies in, opens that segment's file
 * anew, and maps the table for the moment. The walk opens the file each time, too: nothing
 * stays open, and nothing is attached or counted.
 *
 * Writers exclude each other by the registry's writer lock, which survives them.
 * The file has been made longer before: inside there are only stores.
 *
 * What it does not do: notice that an object is not one of that kind any more, or never was. The
 * name is the caller's word; what lies there is shown as what it was called.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "locks/table.h"
#include "madang/sync.h"
#include "platform/ownmap.h"
#include "platform/sys.h"

/* How often an entry is read that changes meanwhile. */
enum { LOOKS = 8 };
/* The largest object. */
#define OBJECT_MOST sizeof(mdg_rwlock)

/* Of the processor too: between one pread and the next. Not C11's, which ThreadSanitizer does not
 * know and says so. */
static void fence(void)
{
	__sync_synchronize();
}

/* 0: no such kind. */
static uint32_t size_of(uint32_t kind)
{
	switch (kind) {
	case MDG_SYNC_MUTEX:
		return sizeof(mdg_mutex);
	case MDG_SYNC_RWLOCK:
		return sizeof(mdg_rwlock);
	case MDG_SYNC_COND:
		return sizeof(mdg_cond);
	case MDG_SYNC_SEM:
		return sizeof(mdg_sem);
	case MDG_SYNC_EVENT:
		return sizeof(mdg_event);
	case MDG_SYNC_BARRIER:
		return sizeof(mdg_barrier);
	case MDG_SYNC_ONCE:
		return sizeof(mdg_once);
	case MDG_SYNC_CELL:
		return sizeof(mdg_cell);
	case MDG_SYNC_TXN:
		return sizeof(mdg_txn);
	default:
		return 0;
	}
}

static bool lies_inside(const struct mdg__entry *segment, uint32_t kind, uint64_t offset)
{
	uint32_t size = size_of(kind);
	return size != 0 && offset % 64 == 0 && size <= segment->size &&
	       offset <= segment->size - size;
}

/* Sizes that no segment has would lead anywhere in the file. */
static bool is_believable(const struct mdg__entry *segment)
{
	return segment->size != 0 && segment->size <= segment->mapped &&
	       segment->mapped % mdg__page_size() == 0 &&
	       segment->mapped <= INT64_MAX - MDG__DATA_TAIL;
}

/* Whether the file is long enough to have names. */
static bool has_table(const struct mdg__entry *segment, const struct stat *status)
{
	return (uint64_t)status->st_size >= segment->mapped + MDG__DATA_TAIL;
}

/* ---- writing ----------------------------------------------------------------------- */

/* [lock] A head that was never finished is begun again. */
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
	/* Release: pairs with the fence in read_head(). */
	atomic_store_explicit(&names->head.magic, MDG__NAMES_MAGIC, memory_order_release);
	return 0;
}

/* [lock] The object's entry, else (`free`) a free one, else NULL. */
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

/* [lock] */
static int put(struct mdg__names *names, uint32_t kind, uint64_t offset, const char *text)
{
	int rc = head_ready(names);
	if (rc < 0)
		return rc;
	struct mdg__name *name = entry_for(names, offset, text != NULL);
	if (name == NULL)
		return text != NULL ? -ENOSPC : -ENOENT;
	atomic_store_explicit(&name->kind, 0, memory_order_relaxed);
	fence(); /* who sees any of what follows sees the 0 */
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
	if (rc == 0 && !has_table(segment, &status))
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
	if (rc == 0 && !is_believable(&segment))
		rc = MDG_DAMAGED;
	if (rc == 0 && !lies_inside(&segment, kind, offset))
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
	if (size_of((uint32_t)kind) == 0 || (uintptr_t)object % 64 != 0)
		return -EINVAL;
	if (name != NULL && (name[0] == '\0' || strnlen(name, MDG__NAME_ROOM) == MDG__NAME_ROOM))
		return -EINVAL;
	mdg__enter(ns);
	int rc = name_entered(ns, (uintptr_t)object, (uint32_t)kind, name);
	mdg__leave(ns);
	return rc;
}

/* ---- reading ------------------------------------------------------------------------- */

/* All of it, or false: the file has become shorter, or cannot be read. */
static bool read_all(int fd, void *buffer, size_t size, uint64_t offset)
{
	return mdg__sys_pread(fd, buffer, size, offset) == (int64_t)size;
}

/* 1: there are names; 0: there are none. */
static int read_head(int fd, const struct mdg__entry *segment)
{
	struct mdg__names_head head;
	struct stat status;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc < 0 || !has_table(segment, &status) ||
	    !read_all(fd, &head.magic, sizeof head.magic, segment->mapped) || head.magic == 0)
		return rc;
	fence();
	if (!read_all(fd, &head, sizeof head, segment->mapped))
		return 0;
	return head.magic == MDG__NAMES_MAGIC && head.version == MDG__NAMES_VERSION ? 1
	                                                                            : MDG_DAMAGED;
}

/* An entry of one moment: what is the same twice. False: free, or always changing. */
static bool read_name(int fd, uint64_t place, struct mdg__name *ret)
{
	unsigned char once[sizeof *ret], again[sizeof *ret];
	for (int i = 0; i < LOOKS; i++) {
		if (!read_all(fd, once, sizeof once, place))
			return false;
		memcpy(ret, once, sizeof *ret);
		if (ret->kind == 0)
			return false;
		fence();
		if (!read_all(fd, again, sizeof again, place))
			return false;
		if (memcmp(once, again, sizeof once) == 0)
			return true;
	}
	return false;
}

/* Whether the name at `place` is one, and the object could be read. */
static bool read_entry(int fd, const struct mdg__entry *segment, uint64_t place,
                       struct mdg_name_info *ret)
{
	_Alignas(64) unsigned char object[OBJECT_MOST];
	struct mdg__name name;
	if (!read_name(fd, place, &name) || !lies_inside(segment, name.kind, name.offset) ||
	    name.name[0] == '\0' || memchr(name.name, '\0', sizeof name.name) == NULL ||
	    !read_all(fd, object, size_of(name.kind), name.offset))
		return false;
	ret->offset = name.offset;
	memset(ret->name, 0, sizeof ret->name);
	memcpy(ret->name, name.name, strlen(name.name));
	return mdg_sync_look(object, (enum mdg_sync_kind)name.kind, &ret->state) == 0;
}

static int next_in_file(int fd, const struct mdg__entry *segment, uint32_t *cursor,
                        struct mdg_name_info *ret)
{
	int rc = read_head(fd, segment);
	if (rc <= 0)
		return rc;
	while (*cursor < MDG__NAMES) {
		uint64_t place = segment->mapped + offsetof(struct mdg__names, entry) +
		                 *cursor * sizeof(struct mdg__name);
		++*cursor;
		if (read_entry(fd, segment, place, ret))
			return 1;
	}
	return 0;
}

int mdg_names_next(mdg_namespace *ns, mdg_id id, uint32_t *cursor, struct mdg_name_info *ret_entry)
{
	struct mdg__entry segment;
	uint64_t inode;
	int rc = mdg__entry_find(ns, id, false, &segment);
	if (rc == 0)
		rc = mdg__permit(ns, &segment, 0444);
	if (rc == 0 && !is_believable(&segment))
		rc = MDG_DAMAGED;
	if (rc < 0 || mdg__entry_is_huge(&segment))
		return rc;
	mdg__enter(ns);
	int fd = mdg__data_open(ns, &segment, false, &inode);
	mdg__leave(ns);
	if (fd < 0)
		return fd == -EIDRM && mdg__entry_is_old(ns, &segment) ? -EINVAL : fd;
	rc = next_in_file(fd, &segment, cursor, ret_entry);
	(void)mdg__sys_close(fd);
	return rc;
}
