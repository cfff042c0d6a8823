/* SPDX-License-Identifier: MIT */
/*
 * classes.c - the directories of objects in the registry are apart.
 *
 * This makes semaphore sets by the functions of the registry: takes an id, fills in the
 * entry, says that it is made. Keys, ids, limits and the highest index of one class say
 * nothing of another. A death frees what the dead process had in each class. These sets have
 * nothing outside of the registry.
 */
#include "unit.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry/internal.h"
#include "segment/segment.h"
#include "segment/internal.h"

#define KEY  4711
#define SETS MDG__SEMAPHORE_SETS

static mdg_namespace *ns;
static struct mdg__registry *registry;

static void lock(void)
{
	mdg__enter(ns);
	CHECK_RC(0, mdg__enter_writer(ns));
}

static void unlock(void)
{
	mdg__unlock(registry);
	mdg__leave(ns);
}

/* Takes an id and fills in the head: BUSY, committed. Without the lock: it is given back. */
static int begin_set(uint32_t key, uint32_t *ret_index)
{
	static const char no_name[64];
	struct mdg__object_wish wish = {
		.key = key, .mode = 0600, .uid = 1, .gid = 2, .name = no_name
	};
	for (;;) {
		uint32_t sequence;
		mdg__enter(ns);
		CHECK_RC(0, mdg__index_ready(registry, SETS, key, no_name));
		mdg__leave(ns);
		lock();
		int rc = mdg__object_id_take_for(registry, SETS, 3, ret_index, &sequence);
		if (rc == 0) {
			mdg__object_make(registry, SETS, *ret_index, sequence, &wish);
			mdg__put64(registry, &mdg__late_at(registry, SETS, *ret_index)->field[0],
			           3);
			mdg__put32(registry, &mdg__late_at(registry, SETS, *ret_index)->file, 0);
			mdg__commit(registry);
		}
		unlock();
		if (rc != -EAGAIN)
			return rc;
		mdg__enter(ns);
		CHECK_RC(0, mdg__registry_ready(registry, SETS, *ret_index + 1));
		mdg__leave(ns);
	}
}

static int make_set(uint32_t key, uint32_t *ret_index)
{
	int rc = begin_set(key, ret_index);
	if (rc < 0)
		return rc;
	lock();
	mdg__object_live(registry, SETS, *ret_index);
	mdg__commit(registry);
	unlock();
	return 0;
}

/* Whether it is gone at once: nobody is tied to it. */
static bool remove_set(uint32_t index)
{
	struct mdg__clearing clearing = { 0 };
	lock();
	mdg__object_remove(registry, SETS, index);
	bool gone = mdg__object_begin_clearing(registry, SETS, index, &clearing);
	mdg__commit(registry);
	unlock();
	CHECK(clearing.count == 0); /* nothing lies outside of the registry */
	return gone;
}

static void tie_to(uint32_t index)
{
	for (;;) {
		uint32_t tie, generation;
		lock();
		int rc = mdg__tie_make(registry, SETS, index, registry->slot1 - 1, &tie,
		                       &generation);
		if (rc == 0)
			CHECK(mdg__tie_add(registry, tie, generation, 1));
		unlock();
		if (rc == 0)
			return;
		CHECK(rc == -EAGAIN);
		CHECK_RC(0, mdg__registry_ready(registry, MDG__TIES, tie + 1));
	}
}

static enum mdg__object_state state_of(uint32_t index)
{
	return mdg__tag_state(mdg__get32(&mdg__object_at(registry, SETS, index)->tag));
}

static uint32_t in_use(enum mdg__class class)
{
	return mdg__get32(&registry->head->directory[class].in_use);
}

static int report(const struct mdg_finding *finding, void *context)
{
	(void)context;
	fprintf(stderr, "%s\n", finding->text);
	return 0;
}

static void is_sound(void)
{
	lock();
	CHECK(mdg__get64(mdg__object_total(registry, SETS)) == 3 * (uint64_t)in_use(SETS));
	CHECK(mdg__registry_check(registry, report, NULL) == 0);
	unlock();
}

/* ---- the tests ---------------------------------------------------------------- */

static void unused_costs_nothing(void)
{
	uint32_t index, tag;
	for (int class = MDG__SEMAPHORE_SETS; class < MDG__CLASSES; class ++) {
		CHECK(mdg__get32(&registry->head->directory[class].ready) == 0);
		CHECK(mdg__object_highest(registry, (enum mdg__class) class) == -1);
		CHECK_RC(-ENOENT, mdg__object_find(registry, (enum mdg__class) class, KEY, NULL,
		                                   &index, &tag));
		CHECK(mdg__object_next(registry, (enum mdg__class) class, 0) == UINT32_MAX);
	}
}

static void keys_and_ids(void)
{
	mdg_id segment, found;
	uint32_t index, tag, set, other;
	CHECK_RC(0, mdg_segment_get(ns, KEY, 100, MDG_CREATE | 0600, &segment));
	CHECK_RC(-ENOENT, mdg__object_find(registry, SETS, KEY, NULL, &index, &tag));
	CHECK_RC(0, make_set(KEY, &set));
	CHECK_RC(0, make_set(KEY + 1, &other));
	/* Ids are counted apart: the first set has the first index, as the segment has. */
	CHECK(set == 0 && other == 1 && (uint32_t)segment % MDG__IDS == 0);
	CHECK_RC(0, mdg__object_find(registry, SETS, KEY, NULL, &index, &tag));
	CHECK(index == set && mdg__tag_state(tag) == MDG__LIVE);
	CHECK_RC(-ENOENT, mdg_segment_get(ns, KEY + 1, 0, 0, &found));
	CHECK(mdg__object_highest(registry, SETS) == 1);
	CHECK(mdg__object_highest(registry, MDG__SEGMENTS) == 0);
	CHECK(in_use(SETS) == 2 && in_use(MDG__SEGMENTS) == 1 && in_use(MDG__MESSAGE_QUEUES) == 0);
	CHECK(mdg__object_next(registry, SETS, 1) == 1);
	is_sound();
	/* Removal of the one leaves the other. */
	CHECK_RC(0, mdg_segment_remove(ns, segment));
	CHECK(in_use(SETS) == 2 && in_use(MDG__SEGMENTS) == 0);
	CHECK_RC(0, mdg__object_find(registry, SETS, KEY, NULL, &index, &tag));
	CHECK(remove_set(set) && remove_set(other) && in_use(SETS) == 0);
	CHECK_RC(-ENOENT, mdg__object_find(registry, SETS, KEY, NULL, &index, &tag));
	is_sound();
}

static void limits(void)
{
	uint32_t set, more;
	mdg_id segment;
	lock();
	mdg__put32(registry, &registry->head->directory[SETS].most, 1);
	mdg__commit(registry);
	unlock();
	CHECK_RC(0, make_set(0, &set));
	CHECK_RC(-ENOSPC, make_set(0, &more));
	CHECK_RC(0, mdg_segment_get(ns, 0, 1, 0600, &segment));
	CHECK_RC(0, mdg_segment_remove(ns, segment));
	CHECK(remove_set(set));
	lock();
	mdg__put32(registry, &registry->head->directory[SETS].most, 64);
	mdg__commit(registry);
	unlock();
	/* Past the first part of the table, and past 64. */
	for (uint32_t i = 0; i < 64; i++)
		CHECK_RC(0, make_set(0, &more));
	CHECK_RC(-ENOSPC, make_set(0, &more));
	CHECK(mdg__object_highest(registry, SETS) == 63);
	is_sound();
	for (uint32_t at; (at = mdg__object_next(registry, SETS, 0)) != UINT32_MAX;)
		CHECK(remove_set(at));
	CHECK(in_use(SETS) == 0);
}

/* A child leaves one set that is tied to it, one half made, and a segment. What it removed went
 * at once, though it was tied to it. */
static void deaths(void)
{
	uint32_t held, half, kept;
	mdg_id segment;
	CHECK_RC(0, make_set(KEY, &held));
	CHECK_RC(0, make_set(KEY + 1, &kept));
	CHECK_RC(0, mdg_segment_get(ns, KEY, 100, MDG_CREATE | 0600, &segment));
	int pipes[2];
	CHECK(pipe(pipes) == 0);
	pid_t child = fork();
	if (child == 0) {
		void *memory;
		CHECK_RC(0, mdg_segment_attach(ns, segment, NULL, 0, &memory));
		tie_to(held);
		tie_to(kept);
		CHECK(remove_set(held));
		CHECK_RC(0, begin_set(KEY + 2, &half));
		CHECK(write(pipes[1], &half, sizeof half) == sizeof half);
		(void)kill(getpid(), SIGKILL);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	CHECK(read(pipes[0], &half, sizeof half) == sizeof half);
	CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);
	CHECK(state_of(held) == MDG__FREE && state_of(half) == MDG__BUSY);
	mdg__enter(ns);
	mdg__reap_all(ns);
	mdg__leave(ns);
	CHECK(state_of(half) == MDG__FREE);
	CHECK(state_of(kept) == MDG__LIVE);
	CHECK(mdg__get32(&mdg__object_at(registry, SETS, kept)->ties) == 0);
	CHECK(unit_stat(ns, segment).attached == 0 && in_use(SETS) == 1);
	is_sound();
	CHECK(remove_set(kept));
	CHECK_RC(0, mdg_segment_remove(ns, segment));
}

static void rebuilding(void)
{
	uint32_t set, index, tag;
	CHECK_RC(0, make_set(KEY, &set));
	tie_to(set);
	/* A set without semaphores cannot be, and is given up. */
	uint32_t impossible;
	CHECK_RC(0, make_set(KEY + 1, &impossible));
	mdg__late_at(registry, SETS, impossible)->field[0] = 0;
	registry->objects[SETS].bitmap[0] = 0;
	mdg__object_at(registry, SETS, set)->ties = 0;
	for (uint32_t i = 0; i < registry->objects[SETS].bucket_count; i++)
		registry->objects[SETS].buckets[i] = 0;
	registry->head->directory[SETS].in_use = 77;
	registry->head->directory[SETS].total = 99;
	lock();
	CHECK(mdg__registry_check(registry, NULL, NULL) >= 5);
	mdg__registry_rebuild(registry);
	unlock();
	is_sound();
	CHECK_RC(0, mdg__object_find(registry, SETS, KEY, NULL, &index, &tag));
	CHECK(index == set && in_use(SETS) == 1);
	CHECK_RC(-ENOENT, mdg__object_find(registry, SETS, KEY + 1, NULL, &index, &tag));
	CHECK(state_of(impossible) == MDG__FREE);
}

static bool is_of_kind(mdg_id id, enum mdg__segment_kind kind)
{
	struct mdg__entry entry;
	return mdg__entry_read(ns, id, false, &entry) == 0 && entry.kind == (uint32_t)kind;
}

/* What a segment is used for stands in its entry, from its making to its end. */
static void kinds(void)
{
	mdg_id segment, channel;
	CHECK_RC(0, mdg_segment_create(ns, "plain", 100, 0600, 0, &segment));
	CHECK(is_of_kind(segment, MDG__KIND_PLAIN));
	CHECK(!is_of_kind(segment, MDG__KIND_CHANNEL));
	CHECK_RC(0, mdg__segment_create(ns, "kind", 100, 0600, 0, MDG__KIND_CHANNEL, 0, &channel));
	CHECK(is_of_kind(channel, MDG__KIND_CHANNEL));
	CHECK_RC(0, mdg_segment_remove(ns, segment));
	CHECK_RC(0, mdg_segment_remove(ns, channel));
	CHECK(!is_of_kind(channel, MDG__KIND_CHANNEL));
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	options.segments = 64;
	ns = unit_open("classes", &options);
	registry = &ns->registry;
	unused_costs_nothing();
	keys_and_ids();
	limits();
	deaths();
	rebuilding();
	kinds();
	return test_result();
}
