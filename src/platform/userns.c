/* SPDX-License-Identifier: MIT */
/*
 * userns.c - see userns.h.
 *
 * This code runs in signal handlers and in children of threaded programs. So it
 * does not use malloc. A process rarely enters a namespace. What was found out
 * about one stays in memory of its own for ever, so readers need no lock.
 */
#include "platform/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/identity.h"
#include "platform/ownmap.h"
#include "platform/sys.h"
#include "platform/text.h"

#define INITIAL_INODE  UINT64_C(0xeffffffd) /* the kernel's PROC_USER_INIT_INO */
#define EXTENTS_MOST   340u                 /* the kernel's UID_GID_MAP_MAX_EXTENTS */
#define TEXT_ROOM      ((size_t)EXTENTS_MOST * 40)
#define USUAL_OVERFLOW 65534u

struct extent {
	uint32_t inside, outside, count;
};

struct map {
	uint32_t count;
	struct extent extents[EXTENTS_MOST];
};

struct mdg__userns {
	uint64_t inode;
	bool whole;       /* outside and inside numbers are the same for all users */
	bool has_numbers; /* the second column of the maps is taken for outside numbers */
	bool is_nested;   /* its parent is not the initial one; seen when it was entered */
	bool has_root;
	uint32_t root; /* the real root's number inside, if he has one */
	uint32_t overflow[2];
	struct map map[2];
};

static const struct mdg__userns initial = {
	.inode = INITIAL_INODE,
	.whole = true,
	.has_numbers = true,
	.has_root = true,
	.overflow = { USUAL_OVERFLOW, USUAL_OVERFLOW },
};
/* Used without /proc. Other processes cannot know what numbers mean here. */
static const struct mdg__userns blind = { .overflow = { USUAL_OVERFLOW, USUAL_OVERFLOW } };

/* `found` is the namespace that was found last. The other word is 1 << 32 | the effective user for
 * whom `found` holds, or 0: for nobody. `found` is stored first. */
static const struct mdg__userns *_Atomic found;
static _Atomic uint64_t found_for;

/* ---- finding out ------------------------------------------------------------- */

/* Reads a whole file of /proc; its length, or -errno. */
static int64_t read_text(const char *path, char *text, size_t room)
{
	int64_t length = 0, got = 1;
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	while (got > 0 && (size_t)length < room - 1) {
		got = mdg__sys_read(fd, text + length, room - 1 - (size_t)length);
		length += got > 0 ? got : 0;
	}
	(void)mdg__sys_close(fd);
	text[length] = '\0';
	return got < 0 ? got : length;
}

/* Lines of three numbers: inside, outside, count. */
static void parse_map(struct map *map, const char *text)
{
	const char *at = text;
	uint64_t number[3];
	for (map->count = 0; map->count < EXTENTS_MOST; map->count++) {
		for (int i = 0; i < 3; i++) {
			at += strspn(at, " \n");
			if (!mdg__parse_number(&at, 10, &number[i]))
				return;
		}
		map->extents[map->count] =
			(struct extent){ (uint32_t)number[0], (uint32_t)number[1],
			                 (uint32_t)number[2] };
	}
}

static uint32_t read_overflow(const char *path)
{
	char text[32];
	const char *at = text;
	uint64_t number;
	if (read_text(path, text, sizeof text) <= 0 || !mdg__parse_number(&at, 10, &number))
		return USUAL_OVERFLOW;
	return (uint32_t)number;
}

static uint32_t find_outside(const struct map *map, uint32_t inside)
{
	for (uint32_t i = 0; i < map->count; i++)
		if (inside - map->extents[i].inside < map->extents[i].count)
			return map->extents[i].outside + (inside - map->extents[i].inside);
	return MDG__ID_UNKNOWN;
}

static uint32_t find_inside(const struct map *map, uint32_t outside)
{
	for (uint32_t i = 0; i < map->count; i++)
		if (outside - map->extents[i].outside < map->extents[i].count)
			return map->extents[i].inside + (outside - map->extents[i].outside);
	return MDG__ID_UNKNOWN;
}

static bool is_identity(const struct map *map)
{
	return map->count == 1 && map->extents[0].inside == 0 && map->extents[0].outside == 0 &&
	       map->extents[0].count == UINT32_MAX;
}

/* Finds the inside number of the real root by a file that belongs to him, and whether the map gives
 * him the same number. */
static void look_for_root(struct mdg__userns *userns)
{
	struct stat status;
	if (mdg__sys_statat(AT_FDCWD, "/proc/sys", true, &status) < 0)
		return; /* then nothing can be believed */
	const struct map *users = &userns->map[MDG__USER];
	uint32_t said = find_inside(users, 0);
	userns->has_root = status.st_uid != userns->overflow[MDG__USER] || status.st_uid == said;
	userns->root = status.st_uid;
	userns->has_numbers = userns->has_root ? said == status.st_uid : said == MDG__ID_UNKNOWN;
	userns->whole = userns->has_root && userns->root == 0 && is_identity(users) &&
	                is_identity(&userns->map[MDG__GROUP]);
}

static int fill_in(struct mdg__userns *userns, char *text)
{
	int64_t length = read_text("/proc/self/uid_map", text, TEXT_ROOM);
	if (length < 0)
		return (int)length;
	parse_map(&userns->map[MDG__USER], text);
	length = read_text("/proc/self/gid_map", text, TEXT_ROOM);
	if (length < 0)
		return (int)length;
	parse_map(&userns->map[MDG__GROUP], text);
	userns->overflow[MDG__USER] = read_overflow("/proc/sys/kernel/overflowuid");
	userns->overflow[MDG__GROUP] = read_overflow("/proc/sys/kernel/overflowgid");
	look_for_root(userns);
	return 0;
}

static struct mdg__userns *read_maps(uint64_t inode)
{
	void *memory;
	size_t size = sizeof(struct mdg__userns) + TEXT_ROOM;
	if (mdg__map_own(NULL, size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &memory) <
	    0)
		return NULL;
	struct mdg__userns *userns = memory;
	userns->inode = inode;
	if (fill_in(userns, (char *)memory + sizeof *userns) == 0)
		return userns;
	(void)mdg__sys_munmap(memory, size);
	return NULL;
}

/* Each map is written once. Until both are written, they have to be read again. */
static bool is_complete(const struct mdg__userns *userns)
{
	return userns->whole ||
	       (userns->map[MDG__USER].count != 0 && userns->map[MDG__GROUP].count != 0);
}

static bool is_same(const struct mdg__userns *one, const struct mdg__userns *other)
{
	return other != NULL && memcmp(one, other, sizeof *one) == 0;
}

/* NULL: it cannot be told. */
static const struct mdg__userns *look(const struct mdg__userns *before)
{
	struct stat status;
	int rc = mdg__sys_statat(AT_FDCWD, "/proc/self/ns/user", true, &status);
	/* A kernel without user namespaces has all other files, but not this one. */
	if (rc == -ENOENT && mdg__sys_statat(AT_FDCWD, "/proc/self/stat", true, &status) == 0)
		return &initial;
	if (rc < 0)
		return NULL;
	if ((uint64_t)status.st_ino == INITIAL_INODE)
		return &initial;
	if (before != NULL && before->inode == (uint64_t)status.st_ino && is_complete(before))
		return before;
	struct mdg__userns *now = read_maps((uint64_t)status.st_ino);
	if (now == NULL)
		return NULL;
	/* A process that is not in the initial namespace can only enter namespaces within its
	 * own. */
	now->is_nested = before != NULL && !before->whole &&
	                 (before->is_nested || before->inode != now->inode);
	now->has_numbers = now->has_numbers && !now->is_nested;
	if (!is_same(now, before))
		return now;
	(void)mdg__sys_munmap(now, sizeof *now + TEXT_ROOM); /* nobody has seen it */
	return before;
}

const struct mdg__userns *mdg__userns_ask(uint32_t euid)
{
	const struct mdg__userns *now = look(atomic_load_explicit(&found, memory_order_acquire));
	if (now == NULL)
		return NULL;
	atomic_store_explicit(&found, now, memory_order_release);
	atomic_store_explicit(&found_for, UINT64_C(1) << 32 | euid, memory_order_release);
	return now;
}

const struct mdg__userns *mdg__userns(uint32_t euid)
{
	uint64_t known_for = atomic_load_explicit(&found_for, memory_order_acquire);
	if (known_for == (UINT64_C(1) << 32 | euid))
		return atomic_load_explicit(&found, memory_order_acquire);
	const struct mdg__userns *now = mdg__userns_ask(euid);
	if (now != NULL)
		return now;
	/* If /proc is missing now (after a chroot, for example), a child keeps what its parent
	 * knew. */
	const struct mdg__userns *before = atomic_load_explicit(&found, memory_order_acquire);
	return before != NULL && (uint32_t)known_for == euid ? before : &blind;
}

const struct mdg__userns *mdg__userns_known(void)
{
	const struct mdg__userns *known = atomic_load_explicit(&found, memory_order_acquire);
	return known != NULL ? known : mdg__userns(mdg__euid());
}

void mdg__userns_forget(void)
{
	uint64_t known_for = atomic_load_explicit(&found_for, memory_order_relaxed);
	atomic_store_explicit(&found_for, known_for & UINT32_MAX, memory_order_relaxed);
}

/* ---- what it says ------------------------------------------------------------- */

uint64_t mdg__userns_inode(const struct mdg__userns *userns)
{
	return userns->inode;
}

bool mdg__userns_is_whole(const struct mdg__userns *userns)
{
	return userns->whole;
}

bool mdg__userns_has_numbers(const struct mdg__userns *userns)
{
	return userns->has_numbers;
}

bool mdg__userns_root(const struct mdg__userns *userns, uint32_t *ret_inside)
{
	if (userns->has_root)
		*ret_inside = userns->root;
	return userns->has_root;
}

uint32_t mdg__id_overflow(const struct mdg__userns *userns, enum mdg__id_kind kind)
{
	return userns->overflow[kind];
}

bool mdg__id_is_mapped(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside)
{
	if (userns->whole || userns == &blind)
		return inside != UINT32_MAX;
	return find_outside(&userns->map[kind], inside) != MDG__ID_UNKNOWN;
}

bool mdg__id_is_certain(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside)
{
	return userns->whole || inside != userns->overflow[kind];
}

uint32_t mdg__id_outside(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside)
{
	if (!userns->has_numbers)
		return MDG__ID_UNKNOWN;
	uint32_t outside = userns->whole ? inside : find_outside(&userns->map[kind], inside);
	return outside < MDG__ID_END ? outside : MDG__ID_UNKNOWN;
}

uint32_t mdg__id_inside(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t outside)
{
	if (!userns->has_numbers || outside >= MDG__ID_END)
		return MDG__ID_UNKNOWN;
	return userns->whole ? outside : find_inside(&userns->map[kind], outside);
}

/* The owner of a file may open it with O_NOATIME. Otherwise only a process that is privileged over
 * the owner may do so, and nobody is privileged over an owner that is not mapped. */
static bool may_open_as_owner(int dirfd, const char *name, int flags)
{
	int fd = mdg__sys_openat(dirfd, name, O_RDONLY | O_NOATIME | O_NONBLOCK | flags, 0);
	if (fd >= 0)
		(void)mdg__sys_close(fd);
	return fd >= 0;
}

bool mdg__file_is_mine(int dirfd, const char *name, int flags, const struct stat *status)
{
	uint32_t euid = mdg__euid();
	if (status->st_uid != euid)
		return false;
	const struct mdg__userns *userns = mdg__userns(euid);
	return mdg__id_is_certain(userns, MDG__USER, euid) || may_open_as_owner(dirfd, name, flags);
}

bool mdg__capable(int capability)
{
	if (!mdg__has_capability(capability))
		return false;
	uint32_t euid = mdg__euid();
	const struct mdg__userns *userns = mdg__userns_ask(euid);
	return (userns != NULL ? userns : mdg__userns(euid))->whole;
}
