/* SPDX-License-Identifier: MIT */
/*
 * encode.c - writes packs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pack/bytes.h"
#include "pack/pack.h"

unsigned pack_fits(const struct mdg_message *messages, unsigned count, size_t limit)
{
	size_t size = PACK_HEAD;
	unsigned n = 0;

	while (n < count && n < PACK_MESSAGES_MAX) {
		if (messages[n].size > UINT32_MAX / 2)
			break;
		size += PACK_MESSAGE_HEAD + messages[n].size;
		if (size > limit)
			break;
		n++;
	}
	return n;
}

size_t pack_size(const struct mdg_message *messages, unsigned count)
{
	size_t size = PACK_HEAD + (size_t)count * PACK_MESSAGE_HEAD;

	for (unsigned i = 0; i < count; i++)
		size += messages[i].size;
	return size;
}

static void put_checksum(unsigned char *start, size_t size)
{
	bytes_put32(start + 44,
	            pack_crc(pack_crc(0, start, 44), start + PACK_HEAD, size - PACK_HEAD));
}

size_t pack_encode(void *ret, uint32_t kind, const struct mdg_origin *origin,
                   const struct mdg_message *messages, unsigned count)
{
	static const unsigned char magic[] = { 'M', 'D', 'G', 'P' };
	unsigned char *start = ret, *head = start + PACK_HEAD;
	unsigned char *data = head + (size_t)count * PACK_MESSAGE_HEAD;
	size_t size = pack_size(messages, count);

	memcpy(start, magic, sizeof magic);
	bytes_put32(start + 4, PACK_VERSION);
	bytes_put32(start + 8, kind);
	bytes_put32(start + 12, count);
	bytes_put64(start + 16, origin->identity[0]);
	bytes_put64(start + 24, origin->identity[1]);
	bytes_put64(start + 32, origin->epoch);
	bytes_put32(start + 40, (uint32_t)size);
	for (unsigned i = 0; i < count; i++) {
		bytes_put64(head, messages[i].sequence);
		bytes_put32(head + 8, (uint32_t)messages[i].size);
		bytes_put32(head + 12, messages[i].flags & MDG_REDELIVERED);
		head += PACK_MESSAGE_HEAD;
		if (messages[i].size)
			memcpy(data, messages[i].data, messages[i].size);
		data += messages[i].size;
	}
	put_checksum(start, size);
	return size;
}

void pack_mark(void *bytes, size_t size)
{
	unsigned char *start = bytes, *head = start + PACK_HEAD;
	uint32_t count = bytes_get32(start + 12);

	for (uint32_t i = 0; i < count; i++, head += PACK_MESSAGE_HEAD)
		bytes_put32(head + 12, MDG_REDELIVERED);
	put_checksum(start, size);
}

void pack_id(char ret[PACK_ID_ROOM], const struct mdg_origin *origin, uint64_t first, uint64_t last)
{
	int n = snprintf(ret, PACK_ID_ROOM, "%016" PRIx64 "%016" PRIx64 ".%" PRIu64 ".%" PRIu64,
	                 origin->identity[0], origin->identity[1], origin->epoch, first);

	if (last != first && n > 0)
		(void)snprintf(ret + n, PACK_ID_ROOM - (size_t)n, "-%" PRIu64, last);
}
