/* SPDX-License-Identifier: MIT */
/*
 * cond.c - a queue with little room. One condition means "there is something in it", the other one
 * "there is room again".
 *
 * Each wait stands in a loop that checks what it waits for. The queue changes in one store, the
 * last one. So if a process dies with the mutex, the queue is right, and the next owner only has to
 * say so.
 */
#include "place.h"

enum { ROOM = 4, ITEMS = 200, LAST = -1 };

static struct {
	mdg_mutex lock;
	mdg_cond filled, emptied;
	unsigned in, out; /* guarded by lock; how many went in and out */
	int item[ROOM];
} * queue;

static void fine(int rc)
{
	if (rc == MDG_OWNER_DIED)
		rc = mdg_mutex_set_repaired(&queue->lock); /* nothing is ever half done */
	must(rc, "queue");
}

static void put(int item)
{
	fine(mdg_mutex_lock(&queue->lock));
	while (queue->in - queue->out == ROOM)
		fine(mdg_cond_wait(&queue->emptied, &queue->lock));
	queue->item[queue->in % ROOM] = item;
	queue->in++;
	fine(mdg_cond_signal(&queue->filled));
	fine(mdg_mutex_unlock(&queue->lock));
}

static int get(void)
{
	fine(mdg_mutex_lock(&queue->lock));
	while (queue->in == queue->out)
		fine(mdg_cond_wait(&queue->filled, &queue->lock));
	int item = queue->item[queue->out % ROOM];
	queue->out++;
	fine(mdg_cond_signal(&queue->emptied));
	fine(mdg_mutex_unlock(&queue->lock));
	return item;
}

static void consume(void)
{
	int count = 0;

	while (get() != LAST)
		count++;
	printf("process %d: got %d items\n", (int)getpid(), count);
}

int main(void)
{
	queue = shared_place(sizeof(*queue));
	pid_t killed = child(consume), first = child(consume), second = child(consume);
	for (int i = 0; i < ITEMS; i++) {
		put(i);
		if (i == ITEMS / 2) {
			printf("process %d is killed, with whatever it is doing\n", (int)killed);
			kill(killed, SIGKILL);
			went_well(killed);
		}
	}
	put(LAST);
	put(LAST);
	int well = went_well(first);
	well = went_well(second) && well;
	printf("%u went in, %u came out\n", queue->in, queue->out);
	return well && queue->in == queue->out ? EXIT_SUCCESS : EXIT_FAILURE;
}
