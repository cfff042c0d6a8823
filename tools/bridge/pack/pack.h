/* SPDX-License-Identifier: MIT */
/*
 * pack.h - the format of messages on their way: one NATS message holds a pack of 1 to 1024 messages
 * of one origin, in order.
 *
 *     0   magic 'M' 'D' 'G' 'P', then the version as 4 bytes
 *     8   the kind of the channel, then the count of messages, 4 bytes each
 *     16  the origin: identity, 16 bytes; epoch, 8 bytes
 *     40  bytes of the whole pack, 4; checksum of all but itself (CRC-32C), 4
 *     48  a head for each message: number 8, size 4, flags 4
 *     ..  the bytes of the messages, one behind the other
 *
 * All numbers are little-endian. Numbers of messages grow. The decoder takes nothing on trust: what
 * is not exactly so is refused, and nothing outside of the bytes given is read.
 */
#ifndef BRIDGE_PACK_PACK_H
#define BRIDGE_PACK_PACK_H

#include <stddef.h>
#include <stdint.h>

#include <madang/relay.h>

enum { PACK_VERSION = 1, PACK_MESSAGES_MAX = 1024, PACK_HEAD = 48, PACK_MESSAGE_HEAD = 16 };
/* A pack that has several messages has at most so many bytes. */
enum { PACK_BYTES = 256 * 1024 };
/* Room for a message id: identity, epoch, first and last number. */
enum { PACK_ID_ROOM = 32 + 1 + 20 + 1 + 20 + 1 + 20 + 1 };

struct pack {
	uint32_t kind;
	uint32_t count;
	struct mdg_origin origin;
	struct mdg_relayed messages[PACK_MESSAGES_MAX]; /* data points into the bytes */
};

/* How many of the messages fit into `limit` bytes. 0: not even the first does. */
unsigned pack_fits(const struct mdg_message *messages, unsigned count, size_t limit);
/* Bytes of a pack of these. */
size_t pack_size(const struct mdg_message *messages, unsigned count);
/* Writes it; `ret` has pack_size bytes. Returns the size. */
size_t pack_encode(void *ret, uint32_t kind, const struct mdg_origin *origin,
                   const struct mdg_message *messages, unsigned count);
/* Marks all messages of an encoded pack MDG_REDELIVERED. */
void pack_mark(void *bytes, size_t size);
/* Writes the message id under which the server knows repeats of the pack. */
void pack_id(char ret[PACK_ID_ROOM], const struct mdg_origin *origin, uint64_t first,
             uint64_t last);

/* 0, or -1 with *ret_wrong: what is wrong. */
int pack_decode(struct pack *ret, const void *bytes, size_t size, const char **ret_wrong);

uint32_t pack_crc(uint32_t crc, const void *bytes, size_t size);

#endif
