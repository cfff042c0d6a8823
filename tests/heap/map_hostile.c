/* SPDX-License-Identifier: MIT */
/*
 * map_hostile.c - calls on a map whose memory contains nonsense end, and read nothing outside.
 *
 *     map_hostile [ROUNDS [SEED]]
 *
 * In each round a child makes a map in a heap of its own, writes at random over its head, tables
 * and nodes, and makes every call. It has to end by itself. In the first rounds single words are
 * chosen that look right: references to other blocks, to the middle of one, to free ones, marks,
 * and lengths that are nearly true.
 *
 * In every third round another process writes as well, at any moment of a call.
 */
#include "heap/maps.h"

enum { ROUNDS = 150, KEYS = 60, CALLS = 300 };

/* A word that is wrong in an interesting way. */
static uint64_t nonsense(uint64_t *random, const uint64_t *refs, unsigned count)
{
	uint64_t ref = refs[draw(random, count)];
	switch (draw(random, 9)) {
	case 0:
		return 0;
	case 1:
		return ref;
	case 2:
		return ref + draw(random, 64);
	case 3:
		return ref + (uint64_t)draw(random, 1 << 20) * 16;
	case 4:
		return heap->extent - draw(random, 256);
	case 5:
		return draw(random, 100);
	case 6:
		return (uint64_t)draw(random, 0x7fffffff) << 33 | draw(random, 0x7fffffff);
	case 7:
		return draw(random, 70000) | (uint64_t)draw(random, 70000) << 32;
	default:
		return UINT64_MAX - draw(random, 16);
	}
}

static void scribble(uint64_t *random, uint64_t ref, uint64_t bytes, const uint64_t *refs,
                     unsigned count)
{
	uint64_t *words = mdg_at(heap, ref & ~UINT64_C(7));
	for (unsigned i = 0, n = 1 + draw(random, 6); i < n; i++)
		words[draw(random, (uint32_t)(bytes / 8))] = nonsense(random, refs, count);
}

/* What is shown lies in the heap. Its bytes are read, as far as they are few. */
static void look_at(const struct mdg_map_entry *entry)
{
	volatile unsigned sum = 0;
	uint64_t key = mdg_ref_of(heap, entry->key), value = mdg_ref_of(heap, entry->value);
	CHECK(key != 0 && heap->extent - key >= entry->key_length);
	CHECK(value != 0 && heap->extent - value >= entry->length);
	for (uint64_t i = 0; i < entry->length && i < 100; i++)
		sum += ((const unsigned char *)entry->value)[i];
	(void)sum;
}

static void call(uint64_t *random, mdg_map *map, bool of_blocks)
{
	char key[KEY_ROOM];
	struct value value;
	void *old = NULL;
	size_t length, key_length = key_of(draw(random, KEYS), key);
	struct mdg_map_cursor cursor = { { 0, 0 } };
	struct mdg_map_entry entry = { .size = sizeof entry };
	mdg_ref ref;
	switch (draw(random, 12)) {
	case 0:
		(void)mdg_map_remove(map, key, key_length);
		break;
	case 1:
		if (mdg_map_take(map, key, key_length, &old) == 0)
			(void)mdg_retire(heap, old);
		break;
	case 2:
		(void)mdg_map_intern(map, key, key_length, &ref);
		break;
	case 3:
		if (draw(random, 20) == 0)
			(void)mdg_map_clear(map);
		break;
	case 4:
		(void)mdg_read_begin(heap);
		for (int i = 0; i < 10000 && mdg_map_next(map, &cursor, &entry) == 1; i++)
			look_at(&entry);
		(void)mdg_read_end(heap);
		break;
	case 5:
		(void)mdg_read_begin(heap);
		if (mdg_map_see(map, key, key_length, &entry) == 0)
			look_at(&entry);
		(void)mdg_read_end(heap);
		break;
	case 6:
		(void)mdg_map_get(map, key, key_length, &value, sizeof value, &length, NULL);
		(void)mdg_map_count(map);
		break;
	default:
		if (!of_blocks) {
			(void)mdg_map_put(map, key, key_length, &value, draw(random, 100), NULL);
			break;
		}
		old = mdg_hold(heap, 16);
		if (old != NULL && mdg_map_put_ref(map, key, key_length, old, &old) != 0)
			(void)mdg_free(heap, old);
		else if (old != NULL)
			(void)mdg_retire(heap, old);
	}
}

static unsigned collect(const mdg_map *map, uint64_t *refs, uint64_t *sizes, unsigned most)
{
	unsigned count = 0;
	for (int i = 0; i < MDG__MAP_PARTS && count + 1 < most; i++) {
		struct mdg__map_view view;
		refs[count] = map->head->part[i].table;
		if (mdg__map_table_at(map, refs[count], &view) != 0 || view.buckets == NULL)
			continue;
		sizes[count++] = mdg__map_table_bytes(view.bits);
		for (uint32_t at = 0; at < (view.mask + 1) * 7 && count + 1 < most; at++) {
			struct mdg__map_seen seen;
			uint64_t ref = view.buckets[at / 7].slot[at % 7];
			if (!mdg__map_node_at(map, ref, &seen))
				continue;
			refs[count] = ref;
			sizes[count++] = mdg__map_value_offset(seen.key_length) + seen.length;
		}
	}
	return count;
}

/* Another process, until it is killed. A word is wrong and right again many times. So one that is
 * read twice in a call is different at the second time. */
static pid_t start_writing(uint64_t random, const mdg_map *map)
{
	static uint64_t refs[4096], sizes[4096];
	unsigned count = 0;
	pid_t writer = fork();
	if (writer != 0)
		return writer;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t i = 0;; i++) {
		if (i % 16 == 0) /* what is there now */
			count = collect(map, refs, sizes, 4096);
		if (count == 0)
			continue;
		unsigned which = draw(&random, count);
		_Atomic uint64_t *words = mdg_at(heap, refs[which] & ~UINT64_C(7));
		_Atomic uint64_t *word = &words[draw(&random, (uint32_t)(sizes[which] / 8))];
		uint64_t before = atomic_load(word), value = nonsense(&random, refs, count);
		for (uint32_t times = draw(&random, 2000); times > 0; times--) {
			atomic_store(word, value);
			atomic_store(word, before);
		}
	}
}

static void stop_writing(pid_t writer)
{
	int status;
	(void)kill(writer, SIGKILL);
	CHECK(waitpid(writer, &status, 0) == writer && WIFSIGNALED(status));
	CHECK(WTERMSIG(status) == SIGKILL);
}

static void round_of(uint64_t random, bool meanwhile)
{
	static uint64_t refs[4096], sizes[4096];
	bool of_blocks = draw(&random, 3) == 0;
	mdg_map *map = map_of(of_blocks ? "blocks" : "bytes", of_blocks ? MDG_MAP_REFS : 0);
	struct value value;
	char key[KEY_ROOM];
	for (uint32_t i = 0; i < KEYS; i++) {
		void *old;
		if (of_blocks)
			(void)mdg_map_put_ref(map, key, key_of(i, key), mdg_hold(heap, 16), &old);
		else
			(void)mdg_map_put(map, key, key_of(i, key), &value, value_of(i, i, &value),
			                  NULL);
	}
	unsigned count = collect(map, refs, sizes, 4096);
	pid_t writer = meanwhile ? start_writing(random, map) : 0;
	uint64_t until = now_ns() + 100000000; /* the writer has to have its turn */
	for (uint32_t i = 0; meanwhile ? now_ns() < until : i < CALLS; i++) {
		if (i % (meanwhile ? 2000 : 10) == 0) {
			unsigned which = draw(&random, count);
			scribble(&random, refs[which], sizes[which], refs, count);
		}
		if (i % (meanwhile ? 20000 : 100) == 50) { /* the words of a part behind its lock */
			struct mdg__map_part *part =
				&map->head->part[draw(&random, MDG__MAP_PARTS)];
			_Atomic uint64_t *words[] = { &part->table, &part->count, &part->version,
				                      &part->bits };
			atomic_store(words[draw(&random, 4)], nonsense(&random, refs, count));
		}
		call(&random, map, of_blocks);
	}
	if (meanwhile)
		stop_writing(writer);
	mdg_map_close(map);
	(void)mdg_map_open(&map, heap, of_blocks ? "blocks" : "bytes", NULL);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ROUNDS;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : now_ns() % 1000000;
	for (unsigned i = 0; i < rounds && check_failures == 0; i++) {
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			alarm(60);
			open_heap_of(UINT64_C(0x1000000), 0);
			(void)mdg_heap_remove(ns, "maps"); /* nobody else opens it */
			check_failures = 0;
			round_of(seed + i, (seed + i) % 3 == 0);
			_exit(test_result());
		}
		int status = -1;
		waitpid(pid, &status, 0);
		if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0))
			fprintf(stderr, "map_hostile 1 %llu: status %x\n",
			        (unsigned long long)seed + i, (unsigned)status);
	}
	return test_result();
}
