/* SPDX-License-Identifier: MIT */
/*
 * bytes.c - copying to and from a replica, by atomic words.
 *
 * A slow reader may load what a writer stores. Both use words, so by the letter of C there is no
 * race; the reader throws away what it has loaded. At the edges of a range a store keeps the other
 * bytes of its word. There is one writer at a time, so nobody changes them meanwhile.
 */
#include "replica/handle.h"

#include <string.h>

typedef _Atomic size_t word;

static size_t load(const unsigned char *place)
{
	return atomic_load_explicit((const word *)(const void *)place, memory_order_relaxed);
}

void mdg__bytes_load(void *to, const unsigned char *from, size_t length)
{
	unsigned char *out = to;
	size_t value, edge = (uintptr_t)from % sizeof value;
	if (edge != 0 && length != 0) {
		size_t part = sizeof value - edge < length ? sizeof value - edge : length;
		value = load(from - edge);
		memcpy(out, (unsigned char *)&value + edge, part);
		out += part;
		from += part;
		length -= part;
	}
	for (; length >= sizeof value; length -= sizeof value) {
		value = load(from);
		memcpy(out, &value, sizeof value);
		out += sizeof value;
		from += sizeof value;
	}
	if (length != 0) {
		value = load(from);
		memcpy(out, &value, length);
	}
}

static void store(void *place, size_t value)
{
	atomic_store_explicit((word *)place, value, memory_order_relaxed);
}

void mdg__bytes_store(unsigned char *to, const void *from, size_t length)
{
	const unsigned char *in = from;
	size_t value, edge = (uintptr_t)to % sizeof value;
	if (edge != 0 && length != 0) {
		size_t part = sizeof value - edge < length ? sizeof value - edge : length;
		value = load(to - edge);
		memcpy((unsigned char *)&value + edge, in, part);
		store(to - edge, value);
		in += part;
		to += part;
		length -= part;
	}
	for (; length >= sizeof value; length -= sizeof value) {
		memcpy(&value, in, sizeof value);
		store(to, value);
		in += sizeof value;
		to += sizeof value;
	}
	if (length != 0) {
		value = load(to);
		memcpy(&value, in, length);
		store(to, value);
	}
}
