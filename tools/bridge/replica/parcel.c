/* SPDX-License-Identifier: MIT */
/*
 * parcel.c - writes and reads the parcels of generations.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pack/bytes.h"
#include "pack/pack.h"
#include "replica/parcel.h"

static const unsigned char magic[4] = { 'M', 'D', 'G', 'S' };

enum { AT_CRC = 68 };

size_t parcel_size(const struct mdg_range *ranges, unsigned count)
{
	size_t size = PARCEL_HEAD + (size_t)count * PARCEL_RANGE_HEAD;

	for (unsigned i = 0; i < count; i++)
		size += (size_t)ranges[i].length;
	return size;
}

static uint32_t checksum(const unsigned char *bytes, size_t size)
{
	uint32_t crc = pack_crc(0, bytes, AT_CRC);

	return pack_crc(crc, bytes + PARCEL_HEAD, size - PARCEL_HEAD);
}

size_t parcel_encode(unsigned char *ret, const struct parcel *parcel,
                     const struct mdg_range *ranges, const unsigned char *image)
{
	size_t size = parcel_size(ranges, parcel->ranges);
	unsigned char *head = ret + PARCEL_HEAD;
	unsigned char *data = head + (size_t)parcel->ranges * PARCEL_RANGE_HEAD;

	memcpy(ret, magic, sizeof magic);
	bytes_put32(ret + 4, PARCEL_VERSION);
	bytes_put32(ret + 8, parcel->whole);
	bytes_put32(ret + 12, parcel->number);
	bytes_put32(ret + 16, parcel->parcels);
	bytes_put32(ret + 20, parcel->ranges);
	bytes_put64(ret + 24, parcel->fence);
	bytes_put64(ret + 32, parcel->base);
	bytes_put64(ret + 40, parcel->generation);
	bytes_put64(ret + 48, parcel->time);
	bytes_put64(ret + 56, parcel->bytes);
	bytes_put32(ret + 64, (uint32_t)size);
	for (uint32_t i = 0; i < parcel->ranges; i++, head += PARCEL_RANGE_HEAD) {
		bytes_put64(head, ranges[i].offset);
		bytes_put64(head + 8, ranges[i].length);
		memcpy(data, image + ranges[i].offset, (size_t)ranges[i].length);
		data += ranges[i].length;
	}
	bytes_put32(ret + AT_CRC, checksum(ret, size));
	return size;
}

static int check_ranges(const struct parcel *p, size_t room, const char **ret_wrong)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < p->ranges; i++) {
		struct mdg_range range = parcel_range(p, i);

		*ret_wrong = "its ranges cannot be";
		if (range.offset < end || range.offset % MDG_REPLICA_BLOCK != 0 ||
		    range.offset >= p->bytes || range.length == 0 ||
		    range.length > p->bytes - range.offset || range.length > room)
			return -1;
		end = range.offset + range.length;
		if (end % MDG_REPLICA_BLOCK != 0 && end != p->bytes)
			return -1;
		room -= (size_t)range.length;
	}
	*ret_wrong = "its length is not that of its ranges";
	return room == 0 ? 0 : -1;
}

int parcel_decode(struct parcel *ret, const void *given, size_t size, const char **ret_wrong)
{
	const unsigned char *bytes = given;
	struct parcel p;

	*ret_wrong = "it is too short";
	if (size < PARCEL_HEAD)
		return -1;
	*ret_wrong = "it is no parcel of a segment";
	if (memcmp(bytes, magic, sizeof magic) != 0)
		return -1;
	*ret_wrong = "another version of Madang sent it";
	if (bytes_get32(bytes + 4) != PARCEL_VERSION)
		return -1;
	*ret_wrong = "its length or checksum is wrong";
	if (bytes_get32(bytes + 64) != size || bytes_get32(bytes + AT_CRC) != checksum(bytes, size))
		return -1;
	p = (struct parcel){ .whole = bytes_get32(bytes + 8),
		             .number = bytes_get32(bytes + 12),
		             .parcels = bytes_get32(bytes + 16),
		             .ranges = bytes_get32(bytes + 20),
		             .fence = bytes_get64(bytes + 24),
		             .base = bytes_get64(bytes + 32),
		             .generation = bytes_get64(bytes + 40),
		             .time = bytes_get64(bytes + 48),
		             .bytes = bytes_get64(bytes + 56) };
	*ret_wrong = "its head cannot be";
	if (p.whole > 1 || p.parcels == 0 || p.number >= p.parcels || p.generation == 0 ||
	    p.generation > PARCEL_GENERATION_MAX || p.bytes == 0 || p.bytes > PARCEL_SEGMENT_MAX ||
	    p.ranges > PARCEL_RANGES_MAX || (size - PARCEL_HEAD) / PARCEL_RANGE_HEAD < p.ranges)
		return -1;
	p.heads = bytes + PARCEL_HEAD;
	p.data = p.heads + (size_t)p.ranges * PARCEL_RANGE_HEAD;
	*ret = p;
	return check_ranges(&p, size - PARCEL_HEAD - (size_t)p.ranges * PARCEL_RANGE_HEAD,
	                    ret_wrong);
}

struct mdg_range parcel_range(const struct parcel *parcel, uint32_t index)
{
	const unsigned char *head = parcel->heads + (size_t)index * PARCEL_RANGE_HEAD;

	return (struct mdg_range){ bytes_get64(head), bytes_get64(head + 8) };
}

/* ---- assembling ----------------------------------------------------------------------------- */

static bool is_due(const struct assembly *a, const struct parcel *p)
{
	const struct parcel *first = &a->first;

	return p->number == a->next && p->fence == first->fence &&
	       p->generation == first->generation && p->parcels == first->parcels &&
	       p->whole == first->whole && p->base == first->base && p->bytes == first->bytes;
}

static int begin(struct assembly *a, const struct parcel *p)
{
	if (a->bytes != p->bytes) {
		free(a->image);
		a->image = NULL;
		a->bytes = 0;
		if (p->bytes > SIZE_MAX / 2)
			return -ENOMEM;
		a->image = malloc((size_t)p->bytes);
		if (!a->image)
			return -ENOMEM;
		a->bytes = p->bytes;
	}
	a->first = *p;
	a->next = 0;
	a->count = 0;
	a->end = 0;
	return 0;
}

static int make_room(struct assembly *a, unsigned more)
{
	struct mdg_part *parts;
	unsigned room = a->room ? a->room : 64;

	while (room - a->count < more)
		room *= 2;
	if (room == a->room)
		return 0;
	parts = realloc(a->parts, room * sizeof *parts);
	if (!parts)
		return -ENOMEM;
	a->parts = parts;
	a->room = room;
	return 0;
}

/* Ranges of all parcels grow, so there are never more than blocks in the segment. */
static int add(struct assembly *a, const struct parcel *p)
{
	const unsigned char *data = p->data;

	if (make_room(a, p->ranges) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->ranges; i++) {
		struct mdg_range range = parcel_range(p, i);

		if (range.offset < a->end)
			return -1;
		memcpy(a->image + range.offset, data, (size_t)range.length);
		a->parts[a->count++] =
			(struct mdg_part){ range.offset, range.length, a->image + range.offset };
		a->end = range.offset + range.length;
		data += range.length;
	}
	return 0;
}

int assembly_take(struct assembly *a, const struct parcel *p, const char **ret_wrong)
{
	int rc = 0;

	*ret_wrong = "the parcels before it are missing";
	if (p->number == 0)
		rc = begin(a, p);
	else if (a->next == 0 || !is_due(a, p))
		rc = -1;
	if (rc == 0) {
		*ret_wrong = "its ranges lie before those of the parcel before";
		rc = add(a, p);
	}
	a->next = rc == 0 ? p->number + 1 : 0;
	if (rc != 0 || a->next < p->parcels)
		return rc;
	a->next = 0;
	return ASSEMBLY_DONE;
}

void assembly_free(struct assembly *a)
{
	free(a->image);
	free(a->parts);
	*a = (struct assembly){ 0 };
}
