/* SPDX-License-Identifier: MIT */
/*
 * ids.c - which ids are given, against a simple model, and how many at once.
 *
 * Each namespace begins with a sequence of its own, from 1 to 32767. So the ids of
 * one namespace name nothing in another. Then the kernel's rule holds (G11, and G30,
 * G31, S14 of the finer list):
 *   - The index is the lowest free one from a cursor on, below
 *     max(64, segments in use * 3/2), or else from 0 on.
 *   - The sequence grows when the index is not above the last one.
 *   - The id is index + sequence * 32768.
 * An id that was removed is EINVAL from then on. The test tries that for more than a
 * full round of indexes.
 */
#include "unit.h"

enum { CAPACITY = 300, ROUNDS = 6000, CYCLES = 33000, AT_ONCE = 4096 };

static mdg_namespace *ns;

static mdg_id make(void)
{
	mdg_id id = -1;
	CHECK_RC(0, mdg_segment_create(ns, NULL, 1, 0600, MDG_NORESERVE, &id));
	return id;
}

/* ---- the model -------------------------------------------------------------------- */

struct model {
	bool taken[CAPACITY];
	int in_use, cursor, last, sequence; /* sequence: -1 until the first id has told it */
};

static int model_free_from(const struct model *model, int from, int below)
{
	while (from < below && model->taken[from])
		from++;
	return from;
}

static mdg_id model_take(struct model *model, mdg_id told)
{
	int below = model->in_use * 3 / 2 > 64 ? model->in_use * 3 / 2 : 64;
	if (below > CAPACITY)
		below = CAPACITY;
	int index = model_free_from(model, model->cursor, below);
	if (index >= below)
		index = model_free_from(model, 0, below);
	if (model->sequence < 0)
		model->sequence = told / 32768; /* each namespace begins with another one */
	else if (index <= model->last)
		model->sequence++;
	model->taken[index] = true;
	model->in_use++;
	model->last = index;
	model->cursor = index + 1;
	return (mdg_id)(model->sequence * 32768 + index);
}

static void like_the_model(void)
{
	struct model model = { .last = -1, .sequence = -1 };
	struct mdg_namespace_options options = unit_options(0);
	static mdg_id ids[CAPACITY];
	uint64_t state = 20240521;
	int count = 0;
	options.segments = CAPACITY;
	ns = unit_open("model", &options);
	for (int round = 0; round < ROUNDS; round++) {
		/* Tides: towards full, then towards empty. */
		uint32_t chance = round / 700 % 2 == 0 ? 70 : 35;
		bool grows = unit_random(&state) % 100 < chance;
		if (grows && count < CAPACITY) {
			ids[count] = make();
			if (!CHECK(ids[count] == model_take(&model, ids[count])))
				return;
			count++;
		} else if (!grows && count > 0) {
			int which = (int)(unit_random(&state) % (uint32_t)count);
			CHECK_RC(0, mdg_segment_remove(ns, ids[which]));
			model.taken[ids[which] % 32768] = false;
			model.in_use--;
			ids[which] = ids[--count];
		}
	}
	mdg_id none = -5;
	while (count < CAPACITY)
		ids[count++] = make();
	CHECK_RC(-ENOSPC, mdg_segment_create(ns, NULL, 1, 0600, MDG_NORESERVE, &none));
	CHECK(none == -5);
	unit_is_sound(ns);
}

/* ---- stale ids ---------------------------------------------------------------------- */

static bool is_stale(mdg_id id)
{
	struct mdg_segment_info info = { .size = sizeof info };
	void *memory;
	return mdg_segment_stat(ns, id, MDG_STAT_ANY, &info) == -EINVAL &&
	       mdg_segment_attach(ns, id, NULL, 0, &memory) == -EINVAL &&
	       mdg_segment_set(ns, id, 0, 0, 0777) == -EINVAL &&
	       mdg_segment_lock(ns, id, 1) == -EINVAL && mdg_segment_remove(ns, id) == -EINVAL;
}

static void more_than_a_round(void)
{
	static mdg_id given[CYCLES];
	ns = unit_open("cycles", NULL);
	mdg_id kept = make(), kept_keyed;
	CHECK_RC(0, mdg_segment_get(ns, 0x6b657074, 1, MDG_CREATE | 0600, &kept_keyed));
	for (int i = 0; i < CYCLES; i++) {
		given[i] = make();
		/* The sequences grow, so no id can have come back. */
		CHECK(i == 0 || given[i] > given[i - 1]);
		CHECK(given[i] != kept && given[i] != kept_keyed);
		CHECK_RC(0, mdg_segment_remove(ns, given[i]));
	}
	mdg_id standing[64];
	for (int i = 0; i < 60; i++)
		standing[i] = make(); /* so that the stale indexes are in use again */
	for (int i = 0; i < CYCLES; i += i < 200 ? 1 : 61)
		CHECK(is_stale(given[i]));
	for (int i = 0; i < 60; i++)
		CHECK(unit_stat(ns, standing[i]).id == standing[i] &&
		      unit_stat(ns, standing[i]).mode == 0600);
	CHECK(unit_stat(ns, kept).id == kept && unit_stat(ns, kept_keyed).key == 0x6b657074);
	unit_is_sound(ns);
}

/* ---- a place of its own ---------------------------------------------------------------- */

/* Of 40 namespaces, two rarely begin with the same sequence: there are 40 * 39 / 2 pairs, each with
 * a chance of 1 in 32767. Three such pairs are rarer than a broken machine. */
static void ids_of_others(void)
{
	enum { NAMESPACES = 40 };
	mdg_id first[NAMESPACES];
	int alike = 0;
	for (int i = 0; i < NAMESPACES; i++) {
		char name[32];
		struct mdg_namespace_options options = unit_options(0);
		options.segments = 64;
		snprintf(name, sizeof name, "other %d", i);
		ns = unit_open(name, &options);
		first[i] = make();
		CHECK(first[i] % 32768 == 0 && first[i] / 32768 >= 1 && first[i] / 32768 <= 32767);
		for (int before = 0; before < i; before++) {
			alike += first[before] == first[i];
			CHECK(first[before] == first[i] || is_stale(first[before]));
		}
	}
	CHECK(alike < 3);
}

/* ---- many at once -------------------------------------------------------------------- */

static void thousands(void)
{
	static mdg_id ids[AT_ONCE];
	static bool seen[32768];
	char name[32];
	ns = unit_open("thousands", NULL);
	for (int i = 0; i < AT_ONCE; i++) {
		int rc;
		snprintf(name, sizeof name, "number %d", i);
		if (i % 2 == 0)
			rc = mdg_segment_get(ns, i + 1, 1,
			                     MDG_CREATE | MDG_EXCL | MDG_NORESERVE | 0600, &ids[i]);
		else
			rc = mdg_segment_create(ns, name, 1, 0600, MDG_NORESERVE, &ids[i]);
		if (!CHECK_RC(0, rc))
			return;
		CHECK(!seen[ids[i] % 32768]);
		seen[ids[i] % 32768] = true;
	}
	mdg_id id;
	CHECK_RC(-ENOSPC, mdg_segment_create(ns, NULL, 1, 0600, MDG_NORESERVE, &id));
	for (int i = 0; i < AT_ONCE; i++) {
		snprintf(name, sizeof name, "number %d", i);
		int rc = i % 2 == 0 ? mdg_segment_get(ns, i + 1, 0, 0, &id)
		                    : mdg_segment_open(ns, name, 0, 0, &id);
		CHECK(rc == 0 && id == ids[i]);
	}
	struct mdg_namespace_info info = { .size = sizeof info };
	CHECK_RC(0, mdg_namespace_info(ns, 0, &info));
	CHECK(info.segments_used == AT_ONCE && info.pages_total == AT_ONCE &&
	      info.highest_index == AT_ONCE - 1);
	unit_is_sound(ns);
	for (int i = 0; i < AT_ONCE; i++)
		CHECK_RC(0, mdg_segment_remove(ns, ids[i * 1031 % AT_ONCE]));
	CHECK_RC(0, mdg_namespace_info(ns, 0, &info));
	CHECK(info.segments_used == 0 && info.pages_total == 0);
	unit_is_sound(ns);
}

int main(void)
{
	like_the_model();
	more_than_a_round();
	ids_of_others();
	thousands();
	return test_result();
}
