/* SPDX-License-Identifier: MIT */
/*
 * handles.h - what the tests of channels share.
 *
 * These are handles that must open, and messages whose bytes tell which message it is. The tests
 * run under enclose, in a namespace of their own. Each child opens its own handles.
 */
#ifndef MADANG_TESTS_CHANNEL_HANDLES_H
#define MADANG_TESTS_CHANNEL_HANDLES_H

#include <madang/channel.h>
#include <madang/segment.h>

#include "support/slowly.h"
#include "sync/asleep.h"
#include "unit/unit.h"

static mdg_namespace *ns;

static inline void open_namespace(void)
{
	int rc = mdg_namespace_open(&ns, NULL, NULL);
	if (rc != 0) {
		fprintf(stderr, "the namespace: %s\n", mdg_strerror(rc));
		exit(1);
	}
}

static inline struct mdg_channel_options options_of(unsigned kind, uint64_t capacity)
{
	return (struct mdg_channel_options){ .size = sizeof(struct mdg_channel_options),
		                             .kind = kind,
		                             .capacity = capacity };
}

/* Opens, or the test ends. */
static inline mdg_channel *enter_as(const char *name, unsigned role,
                                    const struct mdg_channel_options *options)
{
	mdg_channel *channel = NULL;
	if (!CHECK_RC(0, mdg_channel_open(&channel, ns, name, role, options)))
		_exit(1);
	return channel;
}

static inline mdg_channel *enter(const char *name, unsigned role, unsigned kind, uint64_t capacity)
{
	struct mdg_channel_options options = options_of(kind, capacity);
	return enter_as(name, role, &options);
}

static inline mdg_channel *talker_of(const char *name, unsigned kind, uint64_t capacity)
{
	return enter(name, MDG_TALKER, kind, capacity);
}

static inline mdg_channel *listener_of(const char *name, unsigned kind, uint64_t capacity)
{
	return enter(name, MDG_LISTENER, kind, capacity);
}

static inline void remove_channel(const char *name)
{
	CHECK_RC(0, mdg_channel_remove(ns, name));
}

/* ---- made in part ----------------------------------------------------------------------- */

/* How many bytes the segment of such a channel has. */
static inline uint64_t bytes_of_channel(const char *name, const struct mdg_channel_options *options)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id = -1;
	mdg_channel_close(enter_as(name, MDG_OBSERVER, options));
	CHECK_RC(0, mdg_segment_open(ns, name, 0, 0, &id));
	CHECK_RC(0, mdg_segment_stat(ns, id, 0, &info));
	remove_channel(name);
	return info.bytes;
}

/* Leaves the segment of a channel whose maker died before it had written anything there. */
static inline void make_in_part(const char *name, uint64_t bytes)
{
	pid_t pid = fork();
	if (pid == 0) {
		mdg_id id;
		_exit(mdg_segment_create(ns, name, bytes, 0600, 0, &id) == 0 ? 0 : 1);
	}
	CHECK(ended_well(pid));
}

/* ---- bytes ------------------------------------------------------------------------------ */

static inline unsigned char byte_of(uint64_t number, size_t at)
{
	uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15) + at * UINT64_C(0xd1b54a32d192ed03);
	mixed ^= mixed >> 32;
	return (unsigned char)((mixed * UINT64_C(0xff51afd7ed558ccd)) >> 56);
}

static inline void fill(void *data, size_t size, uint64_t number)
{
	unsigned char *bytes = data;
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_of(number, i);
}

/* Whether these are the bytes of that number. */
static inline bool is_filled(const void *data, size_t size, uint64_t number)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != byte_of(number, i))
			return false;
	return true;
}

/* ---- one message ------------------------------------------------------------------------ */

enum { LETTER_MOST = 1 << 17 };

/* Sends `size` bytes of `number`. */
static inline int says(mdg_channel *channel, size_t size, uint64_t number, uint64_t deadline)
{
	static unsigned char bytes[LETTER_MOST];
	fill(bytes, size, number);
	return mdg_channel_send(channel, bytes, size, deadline);
}

/* Receives one that has to be that. */
static inline bool hears_with(mdg_channel *channel, size_t size, uint64_t number, uint32_t flags)
{
	static unsigned char bytes[LETTER_MOST];
	struct mdg_message message = { .flags = UINT32_MAX };
	int rc = mdg_channel_recv(channel, bytes, sizeof bytes, &message, GRACE);
	return CHECK_RC((int)size, rc) && CHECK(message.size == size && message.data == bytes) &&
	       CHECK(message.flags == flags) && CHECK(is_filled(bytes, size, number));
}

static inline bool hears(mdg_channel *channel, size_t size, uint64_t number)
{
	return hears_with(channel, size, number, 0);
}

static inline bool hears_nothing(mdg_channel *channel)
{
	unsigned char byte;
	struct mdg_message message;
	return CHECK_RC(-EAGAIN, mdg_channel_recv(channel, &byte, 1, NULL, 0)) &&
	       CHECK_RC(-EAGAIN, mdg_channel_peek(channel, &message, 0));
}

/* ---- one of each ------------------------------------------------------------------------ */

struct pair {
	mdg_channel *talker, *listener;
};

static inline struct pair make_pair(unsigned kind, uint64_t capacity)
{
	struct pair pair = { talker_of("pair", kind, capacity), NULL };
	pair.listener = listener_of("pair", kind, capacity);
	return pair;
}

static inline void end_pair(struct pair pair)
{
	mdg_channel_close(pair.talker);
	mdg_channel_close(pair.listener);
	remove_channel("pair");
}

/* ---- looking ---------------------------------------------------------------------------- */

static inline struct mdg_channel_info info_of(mdg_channel *channel)
{
	struct mdg_channel_info info;
	memset(&info, 0xa5, sizeof info);
	info.size = sizeof info;
	CHECK_RC(0, mdg_channel_look(channel, &info));
	return info;
}

/* A child that sets *word to 1 right before it waits is asleep in its wait. */
static inline bool sleeps_after(pid_t pid, _Atomic uint32_t *word)
{
	return CHECK(falls_asleep(pid, word));
}

#endif
