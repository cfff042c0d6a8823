/* SPDX-License-Identifier: MIT */
/*
 * index.c - keys and names that lie in the same hash chains, against a list.
 *
 * All keys here fall into three buckets of the smallest table, so that chains
 * are long; makes, look-ups and removals in random order have to give what a
 * plain list gives. Names that differ late, and a key with the hash of a name.
 */
#include "unit.h"

#include "registry/internal.h"
#include "segment/internal.h"

enum { KEYS = 40, NAMES = 24, ROUNDS = 8000, NONE = -1 };

static mdg_namespace *ns;
static int32_t keys[KEYS];
static char names[NAMES][MDG_NAME_MAX + 1];
static mdg_id by_key[KEYS], by_name[NAMES];
static uint64_t state = 99;

static uint32_t bucket_of(uint32_t hash)
{
	return hash & (ns->registry.objects[MDG__SEGMENTS].bucket_count - 1);
}

static void choose_keys(void)
{
	uint32_t key = 1;
	for (int found = 0; found < KEYS; key++)
		if (bucket_of(mdg__key_hash(key)) < 3)
			keys[found++] = (int32_t)key;
	uint32_t number = 0;
	for (int found = 0; found < NAMES; number++) {
		char padded[64] = "";
		/* 62 bytes that are the same: they differ at the end only. */
		memset(padded, 'n', 52);
		snprintf(padded + 52, sizeof padded - 52, "%010u", number);
		if (bucket_of(mdg__name_hash(padded)) < 3)
			memcpy(names[found++], padded, sizeof padded);
	}
	for (int i = 0; i < KEYS; i++)
		by_key[i] = NONE;
	for (int i = 0; i < NAMES; i++)
		by_name[i] = NONE;
}

static void step(void)
{
	uint32_t random = unit_random(&state);
	bool is_key = random % 2 == 0;
	int which = (int)(random / 8 % (is_key ? KEYS : NAMES));
	mdg_id *known = is_key ? &by_key[which] : &by_name[which], id = NONE;
	int rc;
	switch (random / 2 % 4) {
	case 0:
		rc = is_key ? mdg_segment_get(ns, keys[which], 1,
		                              MDG_CREATE | MDG_EXCL | MDG_NORESERVE | 0600, &id)
		            : mdg_segment_create(ns, names[which], 1, 0600, MDG_NORESERVE, &id);
		CHECK_RC(*known == NONE ? 0 : -EEXIST, rc);
		if (rc == 0)
			*known = id;
		break;
	case 1:
		if (*known != NONE)
			CHECK_RC(0, mdg_segment_remove(ns, *known));
		*known = NONE;
		break;
	default:
		rc = is_key ? mdg_segment_get(ns, keys[which], 0, 0, &id)
		            : mdg_segment_open(ns, names[which], 0, 0, &id);
		CHECK_RC(*known == NONE ? -ENOENT : 0, rc);
		CHECK(id == *known);
	}
}

/* The inner function says the same, and the entry is that of the id. */
static void look_inside(void)
{
	for (int i = 0; i < KEYS + NAMES; i++) {
		uint32_t index = 0, tag = 0;
		mdg_id wanted = i < KEYS ? by_key[i] : by_name[i - KEYS];
		int rc = mdg__object_find(&ns->registry, MDG__SEGMENTS,
		                          i < KEYS ? (uint32_t)keys[i] : 0,
		                          i < KEYS ? NULL : names[i - KEYS], &index, &tag);
		CHECK_RC(wanted == NONE ? -ENOENT : 0, rc);
		CHECK(rc != 0 || mdg__tag_id(tag, index) == wanted);
		CHECK(rc != 0 || mdg__object_in_use(&ns->registry, MDG__SEGMENTS, index));
	}
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	options.segments = 64;
	ns = unit_open("index", &options);
	choose_keys();
	for (int round = 0; round < ROUNDS; round++) {
		step();
		if (round % 500 == 0) {
			look_inside();
			unit_is_sound(ns);
		}
	}
	look_inside();
	unit_is_sound(ns);
	return test_result();
}
