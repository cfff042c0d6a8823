/* SPDX-License-Identifier: MIT */
/*
 * index.c - finds objects by key or name.
 *
 * In each directory, keys and names share one hash table of chains through the
 * entries. An entry is in a chain from the start of its making until its removal. It is
 * there for its key, or, when that is 0, for its name.
 *
 * A look-up takes no lock. It believes a hit if the entry's tag is the same before and
 * after its key was compared. It believes a miss if the version did not move: otherwise
 * the walk may have followed a link that was just changing.
 */
#include <errno.h>
#include <string.h>

#include "platform/text.h"
#include "registry/internal.h"

#define TRIES 32

uint32_t mdg__key_hash(uint32_t key)
{
	key ^= key >> 16; /* ftok puts the device and the letter high up */
	key *= 0x7feb352du;
	key ^= key >> 15;
	key *= 0x846ca68bu;
	return key ^ key >> 16;
}

uint32_t mdg__name_hash(const char name[64])
{
	uint32_t hash = (uint32_t)(mdg__hash(name, 64) >> 16);
	return hash != 0 ? hash : 1; /* 0 means no name */
}

static bool same_name(const struct mdg__object *object, const char name[64])
{
	for (int i = 0; i < 8; i++) {
		uint64_t word;
		memcpy(&word, name + 8 * (size_t)i, 8);
		if (mdg__get64(&object->name[i]) != word)
			return false;
	}
	return true;
}

static bool is_sought(const struct mdg__object *object, uint32_t key, const char *name,
                      uint32_t hash)
{
	if (key != 0)
		return mdg__get32(&object->key) == key;
	return mdg__get32(&object->key) == 0 && mdg__get32(&object->name_hash) == hash &&
	       same_name(object, name);
}

static mdg__a32 *bucket_of_hash(const struct mdg__registry *registry, enum mdg__class class,
                                uint32_t hash)
{
	const struct mdg__objects *objects = &registry->objects[class];
	return &objects->buckets[hash & (objects->bucket_count - 1)];
}

uint32_t mdg__index_hash(const struct mdg__object *object)
{
	uint32_t key = mdg__get32(&object->key);
	return key != 0 ? mdg__key_hash(key) : mdg__get32(&object->name_hash);
}

mdg__a32 *mdg__index_bucket(const struct mdg__registry *registry, enum mdg__class class,
                            const struct mdg__object *object)
{
	uint32_t hash = mdg__index_hash(object);
	return mdg__bucket_is_ready(&registry->objects[class], hash)
	               ? bucket_of_hash(registry, class, hash)
	               : NULL;
}

int mdg__index_ready(struct mdg__registry *registry, enum mdg__class class, uint32_t key,
                     const char *name)
{
	if (key == 0 && name[0] == '\0')
		return 0;
	return mdg__registry_bucket_ready(registry, class,
	                                  key != 0 ? mdg__key_hash(key) : mdg__name_hash(name));
}

/* One walk along a chain. */
static int walk(struct mdg__registry *registry, enum mdg__class class, uint32_t key,
                const char *name, uint32_t hash, uint32_t *ret_index, uint32_t *ret_tag)
{
	uint32_t ready = mdg__registry_ready_count(registry, class);
	bool is_empty = ready == 0 || !mdg__bucket_is_ready(&registry->objects[class], hash);
	uint32_t index1 = is_empty ? 0 : mdg__get32(bucket_of_hash(registry, class, hash));
	for (uint32_t steps = 0; index1 != 0; steps++) {
		if (index1 > ready || steps > ready)
			return MDG_DAMAGED;
		const struct mdg__object *object = mdg__object_at(registry, class, index1 - 1);
		uint32_t tag = mdg__get32(&object->tag);
		enum mdg__object_state state = mdg__tag_state(tag);
		if ((state == MDG__LIVE || state == MDG__BUSY) &&
		    is_sought(object, key, name, hash) && mdg__get32(&object->tag) == tag) {
			if (mdg__tag_generation(tag) > MDG__SEQUENCE_MAX)
				return MDG_DAMAGED; /* no id would name it */
			*ret_index = index1 - 1;
			*ret_tag = tag;
			return 0;
		}
		index1 = mdg__get32(&object->next);
	}
	return -ENOENT;
}

int mdg__object_find(struct mdg__registry *registry, enum mdg__class class, uint32_t key,
                     const char *name, uint32_t *ret_index, uint32_t *ret_tag)
{
	uint32_t hash = key != 0 ? mdg__key_hash(key) : mdg__name_hash(name);
	for (int i = 0; i < TRIES; i++) {
		uint32_t version;
		if (!mdg__read_begin(registry, &version))
			return -EAGAIN;
		int rc = walk(registry, class, key, name, hash, ret_index, ret_tag);
		if (rc == 0 || !mdg__read_retry(registry, version))
			return rc;
	}
	return -EAGAIN;
}

void mdg__index_link(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	if (!mdg__object_is_indexed(object))
		return;
	mdg__a32 *bucket = mdg__index_bucket(registry, class, object);
	if (bucket == NULL) /* its bit was scribbled over since: the check will find that */
		return;
	mdg__put32(registry, &object->next, mdg__get32(bucket));
	mdg__put32(registry, bucket, index + 1);
}

/* Takes an entry out of its chain. A chain that is damaged stays as it is. */
static void take_out(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	mdg__a32 *link = mdg__index_bucket(registry, class, object);
	uint32_t ready = mdg__registry_ready_count(registry, class);
	for (uint32_t steps = 0; link != NULL && steps <= ready; steps++) {
		uint32_t index1 = mdg__get32(link);
		if (index1 == 0 || index1 > ready)
			return;
		if (index1 == index + 1) {
			/* Its own `next` stays: a reader that stands on it walks on. */
			mdg__put32(registry, link, mdg__get32(&object->next));
			return;
		}
		link = &mdg__object_at(registry, class, index1 - 1)->next;
	}
}

void mdg__index_unlink(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	if (mdg__object_is_indexed(object))
		take_out(registry, class, index);
	mdg__put32(registry, &object->key, 0);
	mdg__put32(registry, &object->name_hash, 0);
}
