/* SPDX-License-Identifier: MIT */
/*
 * users.c - to which user an object belongs, between user namespaces.
 *
 * Processes of several user namespaces read the registry, and one user has another number
 * in each. The registry holds the outside numbers of platform/userns.h, and two values that
 * are not numbers of users:
 *
 *     MDG__ID_OWNER    the owner of the directory, or its group. It is always written
 *                      instead of that user's number. Each process learns by stat who
 *                      that is, in its own numbers, at any depth of namespaces, because
 *                      the kernel translates. In a private namespace nearly everything
 *                      belongs to this user.
 *     MDG__ID_UNKNOWN  another user, whose outside number cannot be told. The owner of
 *                      the data file, as stat shows it, tells who that is
 *                      (src/segment/fileowner.c). By the registry alone no user is the
 *                      same as this one.
 */
#include <fcntl.h>

#include "platform/identity.h"
#include "registry/internal.h"

/* Looks at the directory if the process has come into another user namespace. Only a process with
 * a single thread can do that. At other times two threads may look at once, and see the same. */
static const struct mdg__userns *drop_anchor(struct mdg__registry *registry)
{
	struct mdg__anchor *anchor = &registry->anchor;
	const struct mdg__userns *userns = mdg__userns_known();
	if (atomic_load_explicit(&anchor->seen_in, memory_order_acquire) == userns)
		return userns;
	struct stat status;
	uint32_t id[2] = { MDG__ID_UNKNOWN, MDG__ID_UNKNOWN };
	int dirfd = mdg__registry_dirfd(registry);
	if (dirfd >= 0 && mdg__sys_fstat(dirfd, &status) == 0) {
		if (mdg__id_is_certain(userns, MDG__USER, status.st_uid))
			id[MDG__USER] = status.st_uid;
		if (mdg__id_is_certain(userns, MDG__GROUP, status.st_gid))
			id[MDG__GROUP] = status.st_gid;
	}
	for (int kind = 0; kind < 2; kind++)
		atomic_store_explicit(&anchor->id[kind], id[kind], memory_order_relaxed);
	atomic_store_explicit(&anchor->seen_in, userns, memory_order_release);
	return userns;
}

/* Whether stat shows the directory's owner and group as before. Then their numbers mean the same
 * users as before. This costs a tenth of asking /proc. */
static bool is_anchor_fast(const struct mdg__registry *registry, const struct mdg__userns *userns)
{
	const struct mdg__anchor *anchor = &registry->anchor;
	struct stat status;
	return mdg__userns_is_whole(userns) &&
	       atomic_load_explicit(&anchor->seen_in, memory_order_acquire) == userns &&
	       mdg__sys_fstat(registry->dirfd, &status) == 0 &&
	       status.st_ino == registry->dir_inode && status.st_dev == registry->dir_device &&
	       status.st_uid ==
	               atomic_load_explicit(&anchor->id[MDG__USER], memory_order_relaxed) &&
	       status.st_gid == atomic_load_explicit(&anchor->id[MDG__GROUP], memory_order_relaxed);
}

bool mdg__users_anew(struct mdg__registry *registry, uint32_t euid)
{
	const struct mdg__userns *before = mdg__userns_known();
	if (!is_anchor_fast(registry, mdg__userns(euid)))
		(void)mdg__userns_ask(euid);
	return mdg__userns_known() != before;
}

/* The same as is_anchor_fast(), without fstat of the directory: by what the last look at the
 * registry has shown. */
static bool is_anchor_seen(const struct mdg__registry *registry, const struct mdg__userns *userns)
{
	const struct mdg__anchor *anchor = &registry->anchor;
	if (!registry->owner_is_directorys || !mdg__userns_is_whole(userns) ||
	    atomic_load_explicit(&anchor->seen_in, memory_order_acquire) != userns)
		return false;
	for (int kind = 0; kind < 2; kind++)
		if (atomic_load_explicit(&registry->seen_owner[kind], memory_order_relaxed) !=
		    atomic_load_explicit(&anchor->id[kind], memory_order_relaxed))
			return false;
	return true;
}

bool mdg__users_anew_here(struct mdg__registry *registry, uint32_t euid)
{
	return !is_anchor_seen(registry, mdg__userns(euid)) && mdg__users_anew(registry, euid);
}

void mdg__users_forked(struct mdg__registry *registry)
{
	if (!is_anchor_fast(registry, mdg__userns_known()))
		mdg__userns_forget();
}

uint32_t mdg__id_stored(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t inside)
{
	const struct mdg__userns *userns = drop_anchor(registry);
	uint32_t owner = atomic_load_explicit(&registry->anchor.id[kind], memory_order_relaxed);
	if (inside == owner && owner != MDG__ID_UNKNOWN)
		return MDG__ID_OWNER;
	return mdg__id_outside(userns, kind, inside);
}

uint32_t mdg__id_seen(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t stored)
{
	const struct mdg__userns *userns = drop_anchor(registry);
	if (stored == MDG__ID_OWNER)
		return atomic_load_explicit(&registry->anchor.id[kind], memory_order_relaxed);
	return mdg__id_inside(userns, kind, stored);
}

uint32_t mdg__id_shown(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t stored)
{
	uint32_t inside = mdg__id_seen(registry, kind, stored);
	return inside != MDG__ID_UNKNOWN ? inside : mdg__id_overflow(mdg__userns_known(), kind);
}

void mdg__ids_shown(struct mdg__registry *registry, const uint32_t stored[4], uint32_t ret[4])
{
	const struct mdg__userns *userns = drop_anchor(registry);
	bool whole = mdg__userns_is_whole(userns);
	for (int i = 0; i < 4; i++) {
		enum mdg__id_kind kind = (enum mdg__id_kind)(i & 1);
		uint32_t seen = stored[i] == MDG__ID_OWNER
		                        ? atomic_load_explicit(&registry->anchor.id[kind],
		                                               memory_order_relaxed)
		                        : stored[i];
		/* In such a user namespace each user has the same number as outside. */
		ret[i] = whole && seen < MDG__ID_END ? seen
		                                     : mdg__id_shown(registry, kind, stored[i]);
	}
}

uint32_t mdg__my_id(struct mdg__registry *registry, uint32_t euid)
{
	struct stat status;
	if (mdg__id_is_certain(mdg__userns(euid), MDG__USER, euid))
		return mdg__id_stored(registry, MDG__USER, euid);
	/* This is the number that all users without a number in here have. Perhaps the directory
	 * is this user's own. */
	int dirfd = mdg__registry_dirfd(registry);
	if (dirfd >= 0 && mdg__sys_fstat(dirfd, &status) == 0 &&
	    mdg__file_is_mine(dirfd, ".", O_DIRECTORY, &status))
		return MDG__ID_OWNER;
	return MDG__ID_UNKNOWN;
}

uint32_t mdg__my_group(struct mdg__registry *registry)
{
	uint32_t egid = registry->flags & MDG_NS_SHARED ? mdg__egid() : mdg__egid_remembered();
	if (mdg__id_is_certain(mdg__userns_known(), MDG__GROUP, egid))
		return mdg__id_stored(registry, MDG__GROUP, egid);
	return MDG__ID_UNKNOWN;
}
