/* SPDX-License-Identifier: MIT */
/*
 * decode.c - reads packs that came from the network, and refuses what is not exactly a pack.
 */
#include <string.h>

#include "madang/channel.h"
#include "pack/bytes.h"
#include "pack/pack.h"

/* The head but the checksum. NULL, or what is wrong. */
static const char *head(struct pack *ret, const unsigned char *at, size_t size)
{
	if (size < PACK_HEAD)
		return "it is shorter than its head";
	if (memcmp(at, "MDGP", 4) != 0)
		return "it is no pack";
	if (bytes_get32(at + 4) != PACK_VERSION)
		return "it has another version";
	ret->kind = bytes_get32(at + 8);
	ret->count = bytes_get32(at + 12);
	ret->origin.identity[0] = bytes_get64(at + 16);
	ret->origin.identity[1] = bytes_get64(at + 24);
	ret->origin.epoch = bytes_get64(at + 32);
	if (ret->kind < MDG_STREAM || ret->kind > MDG_TOPIC)
		return "its kind is unknown";
	if (ret->count == 0 || ret->count > PACK_MESSAGES_MAX)
		return "its count is out of range";
	if (bytes_get32(at + 40) != size)
		return "its length is another";
	if (size - PACK_HEAD < (size_t)ret->count * PACK_MESSAGE_HEAD)
		return "it is shorter than the heads of its messages";
	if (pack_crc(pack_crc(0, at, 44), at + PACK_HEAD, size - PACK_HEAD) != bytes_get32(at + 44))
		return "its checksum is wrong";
	return NULL;
}

static const char *messages(struct pack *ret, const unsigned char *at, size_t size)
{
	const unsigned char *data = at + PACK_HEAD + (size_t)ret->count * PACK_MESSAGE_HEAD;
	size_t left = size - (size_t)(data - at);
	uint64_t next = 0;

	for (uint32_t i = 0; i < ret->count; i++) {
		const unsigned char *one = at + PACK_HEAD + (size_t)i * PACK_MESSAGE_HEAD;
		struct mdg_relayed *m = &ret->messages[i];

		*m = (struct mdg_relayed){
			.data = data,
			.size = bytes_get32(one + 8),
			.origin = ret->origin,
			.number = bytes_get64(one),
			.flags = bytes_get32(one + 12),
		};
		if (m->size > left)
			return "a message is longer than the pack";
		if (m->number < next || m->number == UINT64_MAX)
			return "its numbers do not grow";
		if (m->flags & ~MDG_REDELIVERED)
			return "a flag is unknown";
		next = m->number + 1;
		data += m->size;
		left -= m->size;
	}
	return left ? "it has bytes left over" : NULL;
}

int pack_decode(struct pack *ret, const void *bytes, size_t size, const char **ret_wrong)
{
	const char *wrong = head(ret, bytes, size);

	if (!wrong)
		wrong = messages(ret, bytes, size);
	*ret_wrong = wrong;
	return wrong ? -1 : 0;
}
