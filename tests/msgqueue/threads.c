/* SPDX-License-Identifier: MIT */
/*
 * threads.c - threads of one process on one queue, which is what ThreadSanitizer can see; they run
 * in every preset.
 */
#include "msgqueue/queue.h"

enum { SENDERS = 2, RECEIVERS = 2, EACH = 3000 };

static struct world *world;
static _Atomic uint64_t sum_sent, sum_received;
static _Atomic uint32_t received;

static void *send_each(void *argument)
{
	uint32_t me = *(const uint32_t *)argument;
	char text[900];
	for (uint32_t i = 0; i < EACH; i++) {
		uint32_t size = (i * 7 + me) % 800;
		memset(text, (int)(i % 250), sizeof(text));
		CHECK(snd_bytes(world, 1 + i % 3, text, size, FAR) == 0);
		atomic_fetch_add(&sum_sent, size);
	}
	return NULL;
}

static void *receive_each(void *argument)
{
	struct mdg__queue queue = queue_of(world);
	char text[900];
	(void)argument;
	for (;;) {
		int64_t type;
		uint64_t length;
		int rc = mdg__queue_receive(&queue, 0, 0, text, sizeof(text), FAR, &type, &length);
		if (!CHECK(rc == 0) || type == 99)
			return NULL;
		atomic_fetch_add(&sum_received, length);
		atomic_fetch_add(&received, 1);
	}
}

static void *look_all_the_time(void *argument)
{
	_Atomic uint32_t *done = argument;
	struct mdg__queue queue = queue_of(world);
	while (atomic_load(done) == 0) {
		struct mdg__queue_figures figures;
		CHECK(mdg__queue_look(&queue, &figures) == 0);
		CHECK(figures.cbytes <= 2000 && figures.qnum <= 2000);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[SENDERS + RECEIVERS], looker;
	static uint32_t names[SENDERS + RECEIVERS];
	_Atomic uint32_t done = 0;
	world = world_make(2000);
	CHECK(pthread_create(&looker, NULL, look_all_the_time, &done) == 0);
	for (uint32_t i = 0; i < SENDERS + RECEIVERS; i++) {
		names[i] = i;
		CHECK(pthread_create(&threads[i], NULL, i < SENDERS ? send_each : receive_each,
		                     &names[i]) == 0);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < RECEIVERS; i++)
		CHECK(snd_bytes(world, 99, "", 0, FAR) == 0);
	for (int i = SENDERS; i < SENDERS + RECEIVERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&done, 1);
	pthread_join(looker, NULL);
	CHECK(received == SENDERS * EACH && sum_sent == sum_received);
	CHECK(holds(world, 0, 0));
	return test_result();
}
