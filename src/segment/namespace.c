/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - opening a namespace, and entering the code behind its lock.
 * Which directory that may be: directory.c.
 *
 * Objects live in a list for as long as the process: an attachment needs its
 * namespace until the end, and fork has to find them all.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/sized.h"
#include "platform/epoch.h"
#include "platform/identity.h"
#include "segment/directory.h"
#include "segment/internal.h"

#define KEPT_FDS_MOST 256u

struct mdg_namespace *_Atomic mdg__namespaces;

void mdg__enter_blocked(struct mdg_namespace *ns)
{
	if (!mdg__epoch_is(ns->epoch))
		mdg__forked(ns);
	mdg__thread_lock(&ns->lock);
	if (ns->doubtful)
		mdg__host_look_again(ns);
	/* A descriptor at hand must not hold on to a segment that is no more. */
	if (ns->idle1 != 0)
		mdg__check_idle(ns);
}

void mdg__leave_blocked(struct mdg_namespace *ns)
{
	mdg__thread_unlock(&ns->lock);
}

void mdg__enter(struct mdg_namespace *ns)
{
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	mdg__enter_blocked(ns);
	ns->mask = mask;
}

void mdg__leave(struct mdg_namespace *ns)
{
	mdg__sigmask mask = ns->mask;
	mdg__thread_unlock(&ns->lock);
	mdg__signals_restore(&mask);
}

void mdg__arrive(struct mdg_namespace *ns)
{
	if (!mdg__epoch_is(ns->epoch)) {
		mdg__enter(ns);
		mdg__leave(ns);
	}
}

void mdg__pause(struct mdg_namespace *ns, mdg__sigmask *ret_mask)
{
	*ret_mask = ns->mask;
	mdg__thread_unlock(&ns->lock);
}

void mdg__resume(struct mdg_namespace *ns, const mdg__sigmask *mask)
{
	mdg__thread_lock(&ns->lock);
	ns->mask = *mask;
}

/* ---- the writer lock, and clearing up ------------------------------------ */

/* Enters the attachments of one segment under this process's slot. -EAGAIN: the
 * table has to grow first. */
static int enter_one_anew(struct mdg_namespace *ns, uint32_t index, uint32_t *ret_made)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__known *known = &ns->known[index];
	int rc = mdg__lock(registry);
	if (rc < 0)
		return rc;
	uint32_t tag = mdg__get32(&registry->segments[index].tag);
	if (tag >> 8 == known->sequence1 - 1 && mdg__tag_state(tag) >= MDG__LIVE) {
		rc = mdg__attachment_make(registry, index, registry->slot1 - 1, ret_made,
		                          &known->generation);
		if (rc == 0) {
			struct mdg__attachment *record = &registry->attachments[*ret_made];
			known->attachment1 = *ret_made + 1;
			known->epoch = ns->epoch;
			(void)mdg__attachment_add(registry, *ret_made, known->generation,
			                          (int32_t)known->pieces);
			atomic_store_explicit(&record->fd, (uint32_t)known->fd + 1,
			                      memory_order_release);
		}
	}
	mdg__unlock(registry);
	return rc;
}

/* A process that lost its slot (taken for dead, or forked unseen) enters its
 * attachments again. What cannot be entered now is tried at the next call. */
static int enter_anew(struct mdg_namespace *ns)
{
	for (uint32_t i = 0; i < ns->piece_count; i++)
		if (!mdg__known_has_record(ns, ns->pieces[i].index))
			ns->known[ns->pieces[i].index].attachment1 = 0;
	for (uint32_t i = 0; i < ns->piece_count;) {
		uint32_t index = ns->pieces[i].index, made = 0;
		int rc = ns->known[index].attachment1 != 0 ? 0 : enter_one_anew(ns, index, &made);
		if (rc == -EAGAIN)
			rc = mdg__attachments_ready(ns, made + 1);
		else if (rc == 0)
			i++;
		if (rc < 0)
			return rc;
	}
	ns->unentered = false;
	return 0;
}

/* They are there; only which, this process does not know yet. Counting finds
 * out for those that it counts again. */
void mdg__adopt_attachments(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	for (uint32_t i = 0; i < ns->piece_count; i++) {
		uint32_t index = ns->pieces[i].index;
		struct mdg__known *known = &ns->known[index];
		uint32_t at = mdg__attachment_of(registry, registry->slot1 - 1, index);
		known->attachment1 = at;
		if (at == 0)
			continue;
		known->generation =
			(uint32_t)(mdg__get64(&registry->attachments[at - 1].word) >> 32);
		known->epoch = mdg__epoch();
	}
}

/* Clears away what the former process of the inherited slot had. */
static int settle(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	const struct mdg__process *process = &registry->processes[registry->slot1 - 1];
	struct mdg__clearing clearing = { 0 };
	int rc = -EAGAIN;
	while (rc == -EAGAIN) {
		rc = mdg__lock(registry);
		if (rc < 0)
			break;
		rc = mdg__slot_reap(registry, registry->slot1 - 1, registry->generation, &clearing);
		mdg__unlock(registry);
		mdg__clear(ns, &clearing);
	}
	if (rc == 0 &&
	    (mdg__get32(&process->attachments) != 0 || mdg__get32(&process->working) != 0))
		rc = MDG_DAMAGED;
	if (rc == 0)
		mdg__slot_settle(registry);
	else
		mdg__slot_leave(registry);
	return rc;
}

int mdg__ensure_slot(struct mdg_namespace *ns)
{
	bool new_slot;
	struct mdg__clearing clearing = { 0 };
	if (ns->registry.look)
		return -EROFS;
	int rc = mdg__slot_ensure(&ns->registry, &new_slot, &clearing);
	if (rc == 0 && mdg__slot_is_inherited(&ns->registry))
		rc = settle(ns);
	if (rc < 0)
		return rc;
	ns->unentered = ns->unentered || (new_slot && ns->piece_count > 0);
	if (ns->unentered)
		rc = enter_anew(ns);
	mdg__clear(ns, &clearing);
	return rc;
}

int mdg__enter_writer(struct mdg_namespace *ns)
{
	int rc = mdg__ensure_slot(ns);
	return rc < 0 ? rc : mdg__lock(&ns->registry);
}

void mdg__clear(struct mdg_namespace *ns, struct mdg__clearing *clearing)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t refused = 0; /* a bit for each */
	_Static_assert(sizeof clearing->index / sizeof clearing->index[0] <= 32, "bits");
	for (uint32_t i = 0; i < clearing->count; i++)
		if (mdg__segment_is_own_work(registry, clearing->index[i]) &&
		    mdg__data_unlink(ns, clearing->index[i]) == -EPERM)
			refused |= UINT32_C(1) << i;
	if (clearing->count == 0 || mdg__lock(registry) < 0)
		return; /* a damaged registry: the entries stay BUSY for the repair */
	for (uint32_t i = 0; i < clearing->count; i++)
		if (refused >> i & 1)
			mdg__segment_leave_clearing(registry, clearing->index[i]);
		else
			mdg__segment_end_clearing(registry, clearing->index[i]);
	mdg__unlock(registry);
	clearing->count = 0;
}

void mdg__reap(struct mdg_namespace *ns, const struct mdg__holder *dead, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct mdg__clearing clearing = { 0 };
		int rc = -EAGAIN;
		while (rc == -EAGAIN) {
			if (mdg__enter_writer(ns) < 0)
				return; /* they stay uncounted all the same */
			rc = mdg__slot_reap(&ns->registry, dead[i].slot, dead[i].generation,
			                    &clearing);
			mdg__unlock(&ns->registry);
			mdg__clear(ns, &clearing);
		}
	}
}

bool mdg__is_worked_on(struct mdg_namespace *ns, uint32_t worker1, uint32_t generation)
{
	struct mdg__registry *registry = &ns->registry;
	return worker1 != 0 && worker1 <= mdg__registry_ready_count(registry, MDG__PROCESSES) &&
	       mdg__slot_at_work(registry, worker1 - 1, generation) &&
	       mdg__slot_may_be_inside(registry, worker1 - 1);
}

void mdg__clear_abandoned(struct mdg_namespace *ns, uint32_t index, uint32_t tag)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__segment *segment = &registry->segments[index];
	struct mdg__clearing clearing = { 0 };
	uint32_t worker1 = mdg__get32(&segment->worker);
	struct mdg__holder worker = { worker1 - 1, mdg__get32(&segment->worker_generation), 0, -1 };
	/* A worker has all signals blocked from before the tag was BUSY until after
	 * it is not: BUSY before this question and after it, and nobody found. */
	if (mdg__get32(&segment->tag) != tag || mdg__is_worked_on(ns, worker1, worker.generation))
		return;
	if (worker1 != 0 && worker1 <= mdg__registry_ready_count(registry, MDG__PROCESSES))
		mdg__reap(ns, &worker, 1); /* nothing happens to one that lives */
	if (mdg__enter_writer(ns) < 0)
		return;
	if (mdg__get32(&segment->tag) == tag && mdg__get32(&segment->worker) == worker1 &&
	    mdg__get32(&segment->worker_generation) == worker.generation) {
		mdg__segment_take_work(registry, index);
		mdg__commit(registry);
		clearing.index[clearing.count++] = index;
	}
	mdg__unlock(registry);
	mdg__clear(ns, &clearing);
}

void mdg__reap_all(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t slot = 0; slot < ready; slot++) {
		uint32_t tag = mdg__get32(&registry->processes[slot].tag);
		struct mdg__holder holder = { slot, tag >> 8, 0, -1 };
		if ((tag & 0xff) != MDG__SLOT_FREE && !mdg__slot_alive(registry, slot, tag >> 8))
			mdg__reap(ns, &holder, 1);
	}
}

/* ---- opening -------------------------------------------------------------- */

/* One with which more can be done than look serves for a look as well. */
static struct mdg_namespace *find_open(const struct stat *directory, bool look)
{
	struct mdg_namespace *ns = atomic_load(&mdg__namespaces);
	while (ns != NULL &&
	       (ns->registry.dir_inode != directory->st_ino ||
	        ns->registry.dir_device != directory->st_dev || (ns->registry.look && !look) ||
	        mdg__registry_has_name(&ns->registry) < 0)) /* a former one */
		ns = ns->next;
	return ns;
}

/* The object, and behind it what it knows of segments: one mapping, because
 * each fork copies them one by one. Memory comes when it is touched. */
static size_t object_size(uint32_t segments)
{
	size_t page = mdg__page_size();
	size_t object = (sizeof(struct mdg_namespace) + page - 1) / page * page;
	return object + segments * sizeof(struct mdg__known);
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
	ns->known = (void *)((char *)memory + object_size(0));
	ns->child_fd = -1;
	ns->epoch = mdg__epoch();
	/* Descriptors are the program's; it shall not run out because of us. */
	uint64_t limit = mdg__sys_limit(RLIMIT_NOFILE);
	ns->most_kept_fds = limit / 4 < KEPT_FDS_MOST ? (uint32_t)limit / 4 : KEPT_FDS_MOST;
	*ret = ns;
	return 0;
}

/* Mode 01777 only now that the registry is there: before, somebody else could
 * have made it in our place. */
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
	mdg__signals_block(&mask);
	mdg__list_lock();
	rc = open_locked(ret_ns, path, options != NULL ? &own : NULL, flags, named);
	mdg__list_unlock();
	mdg__signals_restore(&mask);
	return rc;
}

void mdg_namespace_close(mdg_namespace *ns)
{
	/* The object stays: attachments need it, fork walks the list, and another
	 * thread may be inside. There are as many as directories were opened. */
	if (ns == NULL)
		return;
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	mdg__list_lock();
	if (ns->references > 0)
		ns->references--;
	mdg__list_unlock();
	mdg__signals_restore(&mask);
}
