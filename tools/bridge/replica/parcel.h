/* SPDX-License-Identifier: MIT */
/*
 * parcel.h - the format of a segment's generations on their way. A generation is sent as 1 or more
 * parcels, each one NATS message:
 *
 *     0   magic 'M' 'D' 'G' 'S', then the version as 4 bytes
 *     8   1: a snapshot, what is in no range is zeros; then the number of this parcel, 4 bytes each
 *     16  parcels of the generation; ranges in this one, 4 each
 *     24  fence, base, generation, time, bytes of the segment: 8 each
 *     64  bytes of the whole parcel; checksum of all but itself (CRC-32C), 4 each
 *     72  for each range: offset 8, length 4, zeros 4
 *     ..  the bytes of the ranges, one behind the other
 *
 * All numbers are little-endian. Ranges are blocks of MDG_REPLICA_BLOCK bytes, in order. The
 * decoder takes nothing on trust.
 *
 * An ASSEMBLY collects the parcels of one generation. Parcels of another fence, generation or
 * number than the one that is due drop what was collected: the writer was killed in the middle.
 */
#ifndef BRIDGE_REPLICA_PARCEL_H
#define BRIDGE_REPLICA_PARCEL_H

#include <madang/replica.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARCEL_VERSION = 1, PARCEL_HEAD = 72, PARCEL_RANGE_HEAD = 16, PARCEL_RANGES_MAX = 4096 };
#define PARCEL_SEGMENT_MAX    (UINT64_C(1) << 40)
#define PARCEL_GENERATION_MAX (UINT64_C(1) << 60)

struct parcel {
	uint32_t whole, number, parcels, ranges;
	uint64_t fence, base, generation, time, bytes;
	const unsigned char *heads, *data; /* of a decoded one */
};

/* Writes the parcel. `image` is the segment's memory, from which the ranges are taken. `ret` has
 * room for parcel_size bytes. Returns the size. */
size_t parcel_encode(unsigned char *ret, const struct parcel *parcel,
                     const struct mdg_range *ranges, const unsigned char *image);
size_t parcel_size(const struct mdg_range *ranges, unsigned count);

/* 0, or -1 with *ret_wrong: what is wrong. */
int parcel_decode(struct parcel *ret, const void *bytes, size_t size, const char **ret_wrong);
/* A range of a decoded parcel, and where its bytes are. Called in order, from *cursor 0 on. */
struct mdg_range parcel_range(const struct parcel *parcel, uint32_t index);

struct assembly {
	struct parcel first; /* of the generation that is being collected */
	uint32_t next;       /* number of the parcel that is due; 0: none was taken */
	uint64_t end;        /* where the last range ended */
	uint64_t bytes;      /* of image */
	unsigned char *image;
	struct mdg_part *parts;
	unsigned count, room;
};

enum { ASSEMBLY_MORE = 0, ASSEMBLY_DONE = 1 };

/* Takes a decoded parcel. ASSEMBLY_DONE: `first`, `parts` and `count` are the generation. -1: it
 * was dropped, *ret_wrong says why. -ENOMEM. */
int assembly_take(struct assembly *assembly, const struct parcel *parcel, const char **ret_wrong);
void assembly_free(struct assembly *assembly);

#endif
