/* SPDX-License-Identifier: MIT */
/*
 * pack_test.c - packs are read as they were written, and what is not exactly a pack is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "pack/bytes.h"
#include "pack/pack.h"
#include "support/check.h"

static const struct mdg_origin origin = { { 0x0123456789abcdefu, 42 }, 1700000000000000000u };
static unsigned char bytes[4096];
static struct pack pack;
static const char *wrong;

static size_t write_three(void)
{
	static char one[] = "one", long_one[300];
	const struct mdg_message messages[] = {
		{ .data = one, .size = 3, .sequence = 7 },
		{ .data = one, .size = 0, .sequence = 9, .flags = MDG_REDELIVERED | 0x2u },
		{ .data = long_one, .size = sizeof long_one, .sequence = 1000000000000u },
	};

	memset(long_one, 'x', sizeof long_one);
	CHECK(pack_size(messages, 3) <= sizeof bytes);
	return pack_encode(bytes, MDG_TOPIC, &origin, messages, 3);
}

/* After a change of the bytes: right again, so that what is behind the checksum is reached. */
static void set_checksum(size_t size)
{
	bytes_put32(bytes + 44,
	            pack_crc(pack_crc(0, bytes, 44), bytes + PACK_HEAD, size - PACK_HEAD));
}

static int decode(size_t size)
{
	/* In memory of exactly that size, so that a sanitizer sees what is read behind it. */
	unsigned char *copy = malloc(size ? size : 1);
	int rc;

	CHECK(copy != NULL);
	memcpy(copy, bytes, size);
	rc = pack_decode(&pack, copy, size, &wrong);
	free(copy);
	return rc;
}

static void test_mark(void)
{
	size_t size = write_three();

	pack_mark(bytes, size);
	CHECK(decode(size) == 0 && pack.count == 3);
	for (unsigned i = 0; i < pack.count; i++)
		CHECK(pack.messages[i].flags == MDG_REDELIVERED);
}

static void test_there_and_back(void)
{
	size_t size = write_three();

	CHECK(pack_decode(&pack, bytes, size, &wrong) == 0);
	CHECK(pack.kind == MDG_TOPIC && pack.count == 3);
	CHECK(memcmp(&pack.origin, &origin, sizeof origin) == 0);
	CHECK(pack.messages[0].number == 7 && pack.messages[0].size == 3);
	CHECK(memcmp(pack.messages[0].data, "one", 3) == 0);
	CHECK(pack.messages[1].number == 9 && pack.messages[1].size == 0);
	CHECK(pack.messages[0].flags == 0 && pack.messages[1].flags == MDG_REDELIVERED);
	CHECK(pack.messages[2].number == 1000000000000u && pack.messages[2].size == 300);
	CHECK(((const char *)pack.messages[2].data)[299] == 'x');
}

static void test_damage(void)
{
	size_t size = write_three();

	for (size_t n = 0; n < size; n++)
		CHECK(decode(n) != 0);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 1;
		CHECK(decode(size) != 0);
		bytes[i] ^= 1;
	}
	CHECK(decode(size) == 0);
	CHECK(decode(size + 1) != 0);
}

/* Changes one number, with a right checksum. */
static void refuse32(size_t at, uint32_t value)
{
	size_t size = write_three();

	bytes_put32(bytes + at, value);
	set_checksum(size);
	CHECK(decode(size) != 0);
}

static void test_lies(void)
{
	size_t size;

	refuse32(4, 2);        /* version */
	refuse32(8, MDG_CALL); /* kind */
	refuse32(12, 0);       /* count */
	refuse32(12, 1025);
	refuse32(12, 1024); /* more heads than bytes */
	refuse32(12, UINT32_MAX);
	refuse32(12, 2);            /* the head of the third is no data of the second */
	refuse32(PACK_HEAD + 8, 4); /* a size: bytes of the next */
	refuse32(PACK_HEAD + 8, UINT32_MAX);
	refuse32(PACK_HEAD + 12, 2); /* a flag */
	refuse32(PACK_HEAD + 2 * PACK_MESSAGE_HEAD + 8, 301);
	refuse32(PACK_HEAD + 2 * PACK_MESSAGE_HEAD + 8, 299);
	size = write_three();
	bytes_put64(bytes + PACK_HEAD, 9); /* two have the same number */
	set_checksum(size);
	CHECK(decode(size) != 0);
	size = write_three();
	bytes_put64(bytes + PACK_HEAD + 2 * PACK_MESSAGE_HEAD, UINT64_MAX);
	set_checksum(size);
	CHECK(decode(size) != 0);
	write_three();
	CHECK(decode(size) == 0);
}

static void test_fits(void)
{
	struct mdg_message messages[2] = { { .size = 100 }, { .size = 100 } };
	size_t both = PACK_HEAD + 2 * (PACK_MESSAGE_HEAD + 100);

	CHECK(pack_size(messages, 2) == both);
	CHECK(pack_fits(messages, 2, both) == 2);
	CHECK(pack_fits(messages, 2, both - 1) == 1);
	CHECK(pack_fits(messages, 2, PACK_HEAD) == 0);
	messages[1].size = SIZE_MAX;
	CHECK(pack_fits(messages, 2, SIZE_MAX) == 1);
}

static void test_id_and_checksum(void)
{
	char id[PACK_ID_ROOM];
	const struct mdg_origin most = { { UINT64_MAX, UINT64_MAX }, UINT64_MAX };

	pack_id(id, &origin, 5, 5);
	CHECK(strcmp(id, "0123456789abcdef000000000000002a.1700000000000000000.5") == 0);
	pack_id(id, &most, UINT64_MAX - 1, UINT64_MAX);
	CHECK(strcmp(id, "ffffffffffffffffffffffffffffffff.18446744073709551615."
	                 "18446744073709551614-18446744073709551615") == 0);
	/* The known value of CRC-32C, and in pieces. */
	CHECK(pack_crc(0, "123456789", 9) == 0xe3069283u);
	CHECK(pack_crc(pack_crc(0, "1234", 4), "56789", 5) == 0xe3069283u);
}

int main(void)
{
	test_there_and_back();
	test_mark();
	test_damage();
	test_lies();
	test_fits();
	test_id_and_checksum();
	return test_result();
}
