/* SPDX-License-Identifier: MIT */
/*
 * threads.c - threads that commit and read by one handle each, on one mapping: for
 * ThreadSanitizer. In every preset what is read is whole.
 */
#include "replica/replicas.h"

#include <pthread.h>

enum { COMMITS_EACH = SLOWLY ? 500 : 3000, WRITERS = 2, LOOKERS = 2 };

static mdg_replica *replica; /* of a bridge: it can apply, and can be read */
static _Atomic uint32_t writing = WRITERS;
static _Atomic uint64_t next;

static void *write_on(void *unused)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	uint64_t bytes[WORDS];
	(void)unused;
	for (int i = 0; i < COMMITS_EACH; i++) {
		pthread_mutex_lock(&mutex);
		uint64_t number = ++next;
		pthread_mutex_unlock(&mutex);
		for (int j = 0; j < WORDS; j++)
			bytes[j] = number;
		struct mdg_generation generation = { .size = sizeof generation,
			                             .whole = 1,
			                             .generation = number };
		const struct mdg_part part = { 0, BYTES, bytes };
		int rc = mdg_replica_apply(replica, &generation, &part, 1, MDG_FOREVER);
		CHECK(rc == 0 || rc == -EALREADY);
	}
	writing--;
	return NULL;
}

static void *read_on(void *unused)
{
	uint64_t last = 0;
	(void)unused;
	while (writing != 0) {
		uint64_t generation = 0, number = read_number(replica, &generation);
		CHECK(number == generation && generation >= last);
		last = generation;
		(void)mdg_replica_wait(replica, last, mdg_deadline(1000000), NULL);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[WRITERS + LOOKERS];
	ns = unit_open("threads", NULL);
	replica = open_as("threads", MDG_REPLICA_APPLY, BYTES);
	for (int i = 0; i < WRITERS + LOOKERS; i++)
		if (pthread_create(&threads[i], NULL, i < WRITERS ? write_on : read_on, NULL) != 0)
			return 1;
	for (int i = 0; i < WRITERS + LOOKERS; i++)
		pthread_join(threads[i], NULL);
	CHECK(info_of(replica).generation == 2 * COMMITS_EACH);
	mdg_replica_close(replica);
	return test_result();
}
