/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - opening and closing a namespace. Which directory it may be:
 * directory.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/sized.h"
#include "platform/epoch.h"
#include "platform/identity.h"
#include "registry/current.h"
#include "segment/directory.h"
#include "segment/internal.h"

#define KEPT_FDS_MOST 256u

/* Finds an open namespace object for a directory. An object that may change the namespace serves
 * for a look as well. */
static struct mdg_namespace *find_open(const struct stat *directory, bool look)
{
	struct mdg_namespace *ns = atomic_load(&mdg__namespaces);
	while (ns != NULL &&
	       (ns->registry.dir_inode != directory->st_ino ||
	        ns->registry.dir_device != directory->st_dev || (ns->registry.look && !look) ||
	        mdg__registry_has_name(&ns->registry) < 0)) /* of a former namespace */
		ns = ns->next;
	return ns;
}

/* The object, and behind it what this process knows of each segment. They are one mapping, because
 * a fork copies mappings one by one. The kernel gives memory only to what is touched. */
static size_t object_size(uint32_t segments)
{
	size_t page = mdg__page_size();
	size_t object = (sizeof(struct mdg_namespace) + page - 1) / page * page;
	return object + segments * sizeof(struct mdg__segment_cache);
}

static int make_object(struct mdg_namespace **ret, int dirfd, const char *path,
                       const struct stat *directory, const struct mdg_namespace_options *options)
{
	void *memory;
	size_t size = object_size(MDG__IDS);
	int rc = mdg__map_own(NULL, size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
	                      &memory);
	if (rc < 0)
		return rc;
	struct mdg_namespace *ns = memory;
	ns->registry.dir_device = directory->st_dev;
	ns->registry.dir_inode = directory->st_ino;
	memcpy(ns->registry.path, path, strlen(path) + 1);
	rc = mdg__registry_open(&ns->registry, dirfd, options);
	if (rc < 0) {
		(void)mdg__sys_munmap(memory, size);
		return rc;
	}
	size_t used = (object_size(ns->registry.segment_capacity) + mdg__page_size() - 1) /
	              mdg__page_size() * mdg__page_size();
	if (used < size)
		(void)mdg__sys_munmap((char *)memory + used, size - used);
	ns->caches = (void *)((char *)memory + object_size(0));
	ns->child_fd = -1;
	ns->epoch = mdg__epoch();
	ns->pid = mdg__pid();
	/* The program must not run out of descriptors because this library keeps some. */
	uint64_t limit = mdg__sys_limit(RLIMIT_NOFILE);
	ns->most_kept_fds = limit / 4 < KEPT_FDS_MOST ? (uint32_t)limit / 4 : KEPT_FDS_MOST;
	*ret = ns;
	return 0;
}

/* Gives a shared directory mode 01777. That happens only after the registry is made: before,
 * another user could have made a registry there. */
static int open_to_others(const struct mdg_namespace *ns, const struct stat *directory)
{
	if (!(ns->registry.flags & MDG_NS_SHARED) || (directory->st_mode & 07777) == 01777 ||
	    !mdg__directory_is_mine(ns->registry.dirfd, directory))
		return 0;
	return mdg__sys_fchmod(ns->registry.dirfd, 01777);
}

static int open_locked(struct mdg_namespace **ret_ns, const char *path,
                       const struct mdg_namespace_options *options, uint32_t flags, bool named)
{
	struct stat directory;
	int dirfd =
		mdg__directory_open(path, !(flags & (MDG_NS_EXISTING | MDG_NS_LOOK)), &directory);
	if (dirfd < 0)
		return dirfd;
	struct mdg_namespace *ns = find_open(&directory, (flags & MDG_NS_LOOK) != 0);
	if (ns != NULL) {
		(void)mdg__sys_close(dirfd);
		if (flags & MDG_NS_EXCL)
			return -EEXIST;
		ns->references++;
		*ret_ns = ns;
		return 0;
	}
	int rc = mdg__directory_check(dirfd, &directory, named, (flags & MDG_NS_LOOK) != 0);
	if (rc == 0)
		rc = make_object(&ns, dirfd, path, &directory, options);
	if (rc < 0 || ns == NULL) {
		(void)mdg__sys_close(dirfd);
		return rc;
	}
	rc = ns->registry.look ? 0 : open_to_others(ns, &directory);
	mdg__fork_is_linked();
	ns->references = 1;
	ns->next = atomic_load(&mdg__namespaces);
	atomic_store(&mdg__namespaces, ns);
	if (rc == 0)
		*ret_ns = ns;
	return rc;
}

/* Bytes of struct mdg_namespace_options in the first release. */
#define FIRST_OPTIONS 32u

int mdg_namespace_open(mdg_namespace **ret_ns, const char *dir,
                       const struct mdg_namespace_options *options)
{
	char path[1024], default_path[1024];
	struct mdg_namespace_options own = { 0 };
	int rc = options == NULL ? 0 : mdg__sized_take(&own, sizeof own, FIRST_OPTIONS, options);
	if (rc < 0)
		return rc;
	uint32_t flags = own.flags;
	if ((flags & ~(MDG_NS_EXISTING | MDG_NS_EXCL | MDG_NS_SHARED | MDG_NS_LOOK)) != 0 ||
	    ((flags & MDG_NS_LOOK) && (flags & (MDG_NS_EXCL | MDG_NS_SHARED))))
		return -EINVAL;
	bool named = dir != NULL || mdg__caller_wish("MADANG_NAMESPACE") != NULL;
	if (dir == NULL) {
		rc = mdg_namespace_default_path(default_path, sizeof default_path);
		dir = default_path;
	}
	if (rc == 0)
		rc = mdg__directory_path(path, dir);
	if (rc < 0)
		return rc;
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	rc = open_locked(ret_ns, path, options != NULL ? &own : NULL, flags, named);
	mdg__lists_leave(&mask);
	return rc;
}

void mdg_namespace_close(mdg_namespace *ns)
{
	/* The object stays: attachments need it, fork walks the list, and another thread may be
	 * inside. So there is one object for each directory that was ever opened. */
	if (ns == NULL)
		return;
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	if (ns->references > 0)
		ns->references--;
	mdg__lists_leave(&mask);
}
