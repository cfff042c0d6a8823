/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - messages of every size through channels of small capacities.
 *
 * In such a channel one record takes most of the free room. The messages go through one after the
 * other, and once more with a talker that follows close behind the listener.
 */
#include <pthread.h>

#include "support/check.h"
#include "madang/channel.h"
#include "madang/segment.h"

enum { CAPACITY_MOST = 512, CHASED = 20000 };

static mdg_namespace *ns;

static mdg_channel *enter(unsigned role, uint32_t kind, uint64_t capacity)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .kind = kind,
		                               .capacity = capacity };
	mdg_channel *channel = NULL;
	CHECK(mdg_channel_open(&channel, ns, "sizes", role, &options) == 0);
	return channel;
}

static void fill(unsigned char *bytes, size_t size, unsigned salt)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(salt + i * 7 +
		                           2); /* 2: what a record that is READY begins with */
}

static bool is_filled(const unsigned char *bytes, size_t size, unsigned salt)
{
	unsigned char wanted[CAPACITY_MOST];
	fill(wanted, size, salt);
	return memcmp(bytes, wanted, size) == 0;
}

static void every_size(uint32_t kind, size_t capacity)
{
	unsigned char out[CAPACITY_MOST], in[CAPACITY_MOST];
	mdg_channel *talker = enter(MDG_TALKER, kind, capacity);
	mdg_channel *listener = enter(MDG_LISTENER, kind, capacity);
	unsigned wrong = 0;
	for (unsigned round = 0; round < 4; round++) {
		for (size_t size = 0; size <= capacity; size++) {
			fill(out, size, (unsigned)size + round);
			wrong += mdg_channel_send(talker, out, size, 0) != 0;
			wrong += mdg_channel_recv(listener, in, sizeof in, NULL, 0) != (int)size;
			wrong += !is_filled(in, size, (unsigned)size + round);
		}
	}
	CHECK(wrong == 0);
	CHECK(mdg_channel_recv(listener, in, sizeof in, NULL, 0) == -EAGAIN);
	mdg_channel_close(talker);
	mdg_channel_close(listener);
	CHECK(mdg_channel_remove(ns, "sizes") == 0);
}

static void *talk(void *argument)
{
	mdg_channel *talker = argument;
	unsigned char bytes[CAPACITY_MOST];
	for (unsigned i = 0; i < CHASED; i++) {
		fill(bytes, 40 + i % 60, i);
		if (mdg_channel_send(talker, bytes, 40 + i % 60, MDG_FOREVER) != 0)
			return NULL;
	}
	return talker;
}

static void chase(uint32_t kind, size_t capacity)
{
	mdg_channel *listener = enter(MDG_LISTENER, kind, capacity);
	mdg_channel *talker = enter(MDG_TALKER, kind, capacity);
	unsigned char bytes[CAPACITY_MOST];
	struct mdg_message message;
	pthread_t thread;
	void *result = NULL;
	unsigned wrong = 0;
	CHECK(pthread_create(&thread, NULL, talk, talker) == 0);
	for (unsigned i = 0; i < CHASED && wrong == 0; i++) {
		int size = mdg_channel_recv(listener, bytes, sizeof bytes, &message,
		                            mdg_deadline(20000000000u));
		wrong += size != (int)(40 + i % 60) || message.sequence != i ||
		         !is_filled(bytes, 40 + i % 60, i);
	}
	CHECK(wrong == 0);
	mdg_channel_close(listener); /* a talker that was not heard to the end has room, or not */
	CHECK(mdg_channel_remove(ns, "sizes") == 0);
	CHECK(pthread_join(thread, &result) == 0 && (wrong != 0 || result == talker));
	mdg_channel_close(talker);
}

int main(void)
{
	CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0);
	for (uint32_t kind = MDG_STREAM; kind <= MDG_TOPIC; kind++) {
		for (size_t capacity = 64; capacity <= CAPACITY_MOST; capacity += 64)
			every_size(kind, capacity);
		for (size_t capacity = 128; capacity <= CAPACITY_MOST; capacity += 128)
			chase(kind, capacity);
	}
	return test_result();
}
