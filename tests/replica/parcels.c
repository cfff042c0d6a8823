/* SPDX-License-Identifier: MIT */
/*
 * parcels.c - what comes from the network as parts of generations: what is exactly so is taken, in
 * order; anything else is refused, and nothing outside is read or written.
 */
#include "pack/bytes.h"
#include "pack/pack.h"
#include "replica/parcel.h"
#include "support/check.h"
#include "support/slowly.h"

enum { SEGMENT = 5000, ROOM = 16384, ROUNDS = SLOWLY ? 20000 : 200000 };

static unsigned char image[SEGMENT];
static uint64_t state = 1;

static uint32_t any(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % below;
}

/* In memory of exactly that size, so that a sanitizer sees what lies behind. */
static unsigned char *make(const struct parcel *parcel, const struct mdg_range *ranges,
                           size_t *ret_size)
{
	unsigned char *bytes = malloc(parcel_size(ranges, parcel->ranges));
	if (bytes == NULL)
		exit(1);
	*ret_size = parcel_encode(bytes, parcel, ranges, image);
	return bytes;
}

static const struct mdg_range first[] = { { 0, 512 }, { 1024, 1024 } };
static const struct mdg_range second[] = { { 2048, 512 }, { 4608, SEGMENT - 4608 } };
static const struct parcel head = { .parcels = 2,
	                            .ranges = 2,
	                            .fence = 3,
	                            .base = 6,
	                            .generation = 7,
	                            .time = 1,
	                            .bytes = SEGMENT };

static int take(struct assembly *assembly, const struct parcel *parcel,
                const struct mdg_range *ranges)
{
	struct parcel decoded;
	const char *wrong = NULL;
	size_t size;
	unsigned char *bytes = make(parcel, ranges, &size);
	int rc = parcel_decode(&decoded, bytes, size, &wrong);
	CHECK(rc == 0);
	if (rc == 0)
		rc = assembly_take(assembly, &decoded, &wrong);
	free(bytes);
	return rc;
}

static void in_order(void)
{
	struct assembly assembly = { 0 };
	struct parcel next = head, other = head;
	next.number = 1;
	other.number = 1;
	other.fence = 4;
	CHECK(take(&assembly, &next, second) == -1); /* without the one before */
	CHECK(take(&assembly, &head, first) == ASSEMBLY_MORE);
	CHECK(take(&assembly, &other, second) == -1); /* another writer's */
	CHECK(take(&assembly, &next, second) == -1);
	CHECK(take(&assembly, &head, first) == ASSEMBLY_MORE);
	CHECK(take(&assembly, &next, first) == -1); /* ranges that go back */
	CHECK(take(&assembly, &head, first) == ASSEMBLY_MORE);
	CHECK(take(&assembly, &head, first) == ASSEMBLY_MORE); /* from the beginning */
	CHECK(take(&assembly, &next, second) == ASSEMBLY_DONE);
	CHECK(assembly.count == 4 && assembly.first.generation == 7);
	for (unsigned i = 0; i < assembly.count; i++)
		CHECK(memcmp(assembly.parts[i].data, image + assembly.parts[i].offset,
		             assembly.parts[i].length) == 0);
	assembly_free(&assembly);
}

static void each_byte(void)
{
	struct parcel decoded;
	const char *wrong;
	size_t size;
	unsigned char *bytes = make(&head, first, &size);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 1;
		CHECK(parcel_decode(&decoded, bytes, size, &wrong) == -1);
		bytes[i] ^= 1;
	}
	for (size_t i = 0; i < size; i++)
		CHECK(parcel_decode(&decoded, bytes, i, &wrong) == -1);
	free(bytes);
}

/* Heads that cannot be, with a checksum that is right. */
static void heads(void)
{
	static const uint32_t values[] = { 0, 1, 2, 511, 512, 4096, 4097, INT32_MAX, UINT32_MAX };
	struct assembly assembly = { 0 };
	unsigned taken = 0;
	for (int i = 0; i < ROUNDS; i++) {
		struct parcel decoded, given = head;
		const char *wrong;
		size_t size;
		given.number = any(2);
		unsigned char *bytes = make(&given, given.number == 0 ? first : second, &size);
		for (uint32_t j = any(3); j > 0; j--)
			bytes_put32(bytes + 8 + 4 * any(24), values[any(9)]);
		bytes_put32(bytes + 64, (uint32_t)size);
		bytes_put32(bytes + 68, pack_crc(pack_crc(0, bytes, 68), bytes + 72, size - 72));
		/* A sender may say any size up to PARCEL_SEGMENT_MAX. The replica is made first,
		 * and fails if there is no memory; here, none is asked for. */
		if (parcel_decode(&decoded, bytes, size, &wrong) == 0 && decoded.bytes <= 1u << 20)
			taken += assembly_take(&assembly, &decoded, &wrong) >= 0;
		uint64_t end = 0;
		for (unsigned j = 0; assembly.next != 0 && j < assembly.count; j++) {
			CHECK(assembly.parts[j].offset >= end);
			end = assembly.parts[j].offset + assembly.parts[j].length;
			CHECK(end <= assembly.bytes);
		}
		free(bytes);
	}
	CHECK(taken > 100);
	assembly_free(&assembly);
}

int main(void)
{
	for (unsigned i = 0; i < SEGMENT; i++)
		image[i] = (unsigned char)any(256);
	in_order();
	each_byte();
	heads();
	return test_result();
}
