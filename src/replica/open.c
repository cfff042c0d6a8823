/* SPDX-License-Identifier: MIT */
/*
 * open.c - finding or making a replica, and the way in and out.
 *
 * A new segment is all zeros, and zeros are a lock that is free. So whoever wants to write takes
 * the lock, and makes the head if nobody has. A maker that dies has not stored the magic yet, and
 * the next one makes the head again.
 */
#include "replica/handle.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "platform/sized.h"
#include "replica/name.h"
#include "segment/segment.h"

/* Bytes of struct mdg_replica_options in the first release. */
#define FIRST_OPTIONS 32u
#define MAKE_NS       UINT64_C(2000000000)

/* ---- the head ------------------------------------------------------------------------------- */

/* Stores the sizes, which the handle has, if nobody has done that. */
static int head_make(struct mdg_replica *replica)
{
	struct mdg__replica_head *head = replica->head;
	int rc = mdg__making_lock(replica, mdg_deadline(MAKE_NS));
	if (rc < 0)
		return rc;
	if (atomic_load_explicit(&head->magic, memory_order_relaxed) == 0) {
		head->version = MDG__REPLICA_VERSION;
		head->block = MDG__BLOCK;
		head->bytes = replica->bytes;
		/* Release: pairs with the acquire in head_read. */
		atomic_store_explicit(&head->magic, MDG__REPLICA_MAGIC, memory_order_release);
	}
	mdg__making_unlock(replica);
	return 0;
}

/* Takes the sizes over from the head of a segment of `size` bytes. */
static int head_read(const struct mdg__replica_head *head, uint64_t size,
                     struct mdg__replica_parts *ret_parts, uint64_t *ret_bytes)
{
	uint64_t bytes;
	/* Acquire: pairs with the release in head_make. */
	if (atomic_load_explicit(&head->magic, memory_order_acquire) != MDG__REPLICA_MAGIC)
		return MDG_NOT_REPLICA;
	bytes = *(const volatile uint64_t *)&head->bytes;
	if (head->version != MDG__REPLICA_VERSION || head->block != MDG__BLOCK)
		return MDG_VERSION_UNLIKE;
	if (bytes == 0 || bytes > MDG__REPLICA_MOST)
		return MDG_BROKEN;
	mdg__replica_parts(bytes, ret_parts);
	if (ret_parts->end > size)
		return MDG_BROKEN;
	*ret_bytes = bytes;
	return 0;
}

/* ---- the segments --------------------------------------------------------------------------- */

/* What one opening needs to know. */
struct opening {
	const struct mdg_replica_options *options;
	char name[MDG_NAME_MAX + 1]; /* of the segment with the copies */
	uint64_t wanted;             /* bytes of the replicated segment; 0: as it is */
	unsigned mode;
	uint64_t size; /* of the segment with the copies */
};

/* COMMIT: attaches the segment that is to be replicated. */
static int source_attach(struct mdg_replica *replica, struct opening *opening)
{
	struct mdg_segment_info info = { .size = sizeof info };
	void *memory = NULL;
	mdg_id id;
	int rc = mdg_segment_open(replica->ns, replica->name, 0, 0400, &id);
	if (rc == 0)
		rc = mdg_segment_stat(replica->ns, id, 0, &info);
	if (rc == 0)
		rc = mdg_segment_attach(replica->ns, id, NULL, MDG_RDONLY, &memory);
	if (rc < 0)
		return rc;
	replica->segment = memory;
	replica->source = id;
	opening->wanted = info.bytes;
	opening->mode = info.mode & 0777;
	/* What a heap has not used yet has no memory. It is to have some before it is read. */
	return info.kind == MDG_SEGMENT_HEAP ? mdg__segment_promise_read(memory, 0, info.bytes) : 0;
}

static int copies_find(struct mdg_replica *replica, struct opening *opening)
{
	struct mdg__replica_parts parts;
	struct mdg_segment_info info = { .size = sizeof info };
	bool writes = replica->flags != 0 && replica->flags != MDG_REPLICA_HOME;
	unsigned ask = writes ? 0600 : 0400;
	int rc;
	if (opening->wanted > MDG__REPLICA_MOST)
		return -EINVAL;
	if (opening->wanted != 0) {
		mdg__replica_parts(opening->wanted, &parts);
		rc = mdg_segment_create(replica->ns, opening->name, parts.end, opening->mode, 0,
		                        &replica->id);
		if (rc == -EEXIST)
			rc = mdg_segment_open(replica->ns, opening->name, 0, ask, &replica->id);
	} else {
		rc = mdg_segment_open(replica->ns, opening->name, 0, ask, &replica->id);
	}
	if (rc == 0)
		rc = mdg_segment_stat(replica->ns, replica->id, MDG_STAT_ANY, &info);
	if (rc == 0 && info.bytes < sizeof *replica->head)
		rc = MDG_NOT_REPLICA;
	opening->size = info.bytes;
	return rc;
}

static bool is_new(const struct mdg_replica *replica)
{
	return atomic_load_explicit(&replica->head->magic, memory_order_acquire) == 0;
}

static int copies_attach(struct mdg_replica *replica, const struct opening *opening)
{
	struct mdg__replica_parts parts;
	bool writes = (replica->flags & (MDG_REPLICA_COMMIT | MDG_REPLICA_APPLY)) != 0;
	void *memory;
	int rc = mdg_segment_attach(replica->ns, replica->id, NULL, writes ? 0 : MDG_RDONLY,
	                            &memory);
	if (rc < 0)
		return rc;
	replica->head = memory;
	if (opening->wanted != 0) {
		mdg__replica_parts(opening->wanted, &parts);
		replica->bytes = opening->wanted;
		/* Of another size, it is no new one for us. */
		if (is_new(replica) && parts.end == opening->size)
			rc = head_make(replica);
	} else if (is_new(replica)) {
		rc = -ENOENT; /* it is being made */
	}
	if (rc == 0)
		rc = head_read(replica->head, opening->size, &replica->parts, &replica->bytes);
	if (rc == 0 && opening->wanted != 0 && replica->bytes != opening->wanted)
		rc = MDG_UNLIKE_CAPACITY;
	return rc;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void drop(struct mdg_replica *replica)
{
	mdg__home_free(replica);
	if (replica->head != NULL)
		mdg__segment_let_go(replica->ns, replica->head);
	if (replica->segment != NULL)
		mdg__segment_let_go(replica->ns, replica->segment);
	(void)mdg__sys_munmap(replica, sizeof *replica);
}

static int enter(struct mdg_replica *replica, struct opening *opening)
{
	int rc = 0;
	if ((replica->flags & MDG_REPLICA_COMMIT) != 0)
		rc = source_attach(replica, opening);
	if (rc == 0)
		rc = copies_find(replica, opening);
	if (rc == 0)
		rc = copies_attach(replica, opening);
	if (rc == 0 && (replica->flags & MDG_REPLICA_HOME) != 0)
		rc = mdg__home_reserve(replica, opening->options->home);
	return rc;
}

static int options_check(const struct mdg_replica_options *options)
{
	const uint32_t writes = MDG_REPLICA_COMMIT | MDG_REPLICA_APPLY;
	bool commits = (options->flags & MDG_REPLICA_COMMIT) != 0;
	bool applies = (options->flags & MDG_REPLICA_APPLY) != 0;
	bool homed = (options->flags & MDG_REPLICA_HOME) != 0;
	if ((options->flags & ~(writes | MDG_REPLICA_HOME)) != 0 || options->reserved != 0 ||
	    (options->mode & ~0777u) != 0 || (commits && applies))
		return -EINVAL;
	if ((options->bytes != 0 && !applies) || (options->home != 0) != homed ||
	    (homed && (commits || applies)))
		return -EINVAL;
	return 0;
}

int mdg_replica_open(mdg_replica **ret_replica, mdg_namespace *ns, const char *name,
                     const struct mdg_replica_options *given)
{
	struct mdg_replica_options own = { 0 };
	struct opening opening = { .options = &own };
	void *memory;
	int rc = given == NULL ? 0 : mdg__sized_take(&own, sizeof own, FIRST_OPTIONS, given);
	if (rc == 0)
		rc = options_check(&own);
	if (rc == 0)
		rc = mdg__replica_name(name, opening.name);
	if (rc == 0)
		rc = mdg__map_own(NULL, sizeof(struct mdg_replica), MAP_PRIVATE | MAP_ANONYMOUS, -1,
		                  0, &memory);
	if (rc < 0)
		return rc;
	struct mdg_replica *replica = memory;
	replica->ns = ns;
	replica->flags = own.flags;
	memcpy(replica->name, name, strlen(name) + 1); /* mdg__replica_name has measured it */
	opening.wanted = own.bytes;
	opening.mode = own.mode != 0 ? own.mode : 0600;
	rc = enter(replica, &opening);
	if (rc < 0)
		drop(replica);
	else
		*ret_replica = replica;
	return rc;
}

void mdg_replica_close(mdg_replica *replica)
{
	if (replica != NULL)
		drop(replica);
}

/* ---- removing ------------------------------------------------------------------------------- */

/* Also one whose maker died, that another version made, or that is damaged: opening refuses them.
 * Each version has the magic at the beginning. */
static int remove_it(mdg_namespace *ns, mdg_id id, struct mdg_replica *replica)
{
	struct mdg__replica_head *head = replica->head;
	uint64_t magic = atomic_load_explicit(&head->magic, memory_order_acquire);
	if (magic != MDG__REPLICA_MAGIC && magic != 0)
		return MDG_NOT_REPLICA;
	int rc = mdg_segment_remove(ns, id);
	if (rc == 0 && (magic == 0 || head->version == MDG__REPLICA_VERSION)) {
		atomic_store(&head->removed, 1);
		mdg__replica_wake(replica);
	}
	return rc;
}

int mdg_replica_remove(mdg_namespace *ns, const char *name)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_replica replica = { .ns = ns };
	char full[MDG_NAME_MAX + 1];
	void *memory = NULL;
	mdg_id id;
	int rc = mdg__replica_name(name, full);
	if (rc == 0)
		rc = mdg_segment_open(ns, full, 0, 0600, &id);
	if (rc == 0)
		rc = mdg_segment_stat(ns, id, MDG_STAT_ANY, &info);
	if (rc == 0 && info.bytes < sizeof *replica.head)
		rc = MDG_NOT_REPLICA;
	if (rc == 0)
		rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	if (rc < 0 || memory == NULL) /* it is not NULL then, which clang-tidy cannot know */
		return rc;
	replica.head = memory;
	rc = remove_it(ns, id, &replica);
	mdg__segment_let_go(ns, memory);
	return rc;
}
