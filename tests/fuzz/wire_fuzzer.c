/* SPDX-License-Identifier: MIT */
/*
 * wire_fuzzer - what comes to the bridge from the network: each parser, one input at a time.
 *
 * The first byte of the input chooses the parser, and the rest is what it reads. A pack is read as
 * it is, and again with the right length, or checksum, or both, which no fuzzer would find. The
 * input lies at the end of its memory, so that a sanitizer sees a byte read too many. What a
 * parser accepts is written again, and has to give the same bytes: then nothing in the input was
 * ignored, and nothing was taken for something else. Wrong answers end the process as a crash
 * does.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "base/token.h"
#include "bridge.h"
#include "call/parts.h"
#include "link/shape.h"
#include "madang/channel.h"
#include "pack/bytes.h"
#include "pack/pack.h"
#include "replica/parcel.h"
#include "watch/elsewhere.h"
#include "watch/heard.h"

#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
			        #condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* What main.c has of the bridge. Nothing here waits or is woken. */
void bridge_wake(struct bridge *bridge)
{
	(void)bridge;
}

bool bridge_wait_or_end(struct bridge *bridge, int ms)
{
	(void)bridge;
	(void)ms;
	return true;
}

int64_t bridge_now(void)
{
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* ---- packs -------------------------------------------------------------------------- */

static void check_pack(const struct pack *pack, const unsigned char *bytes, size_t size)
{
	static struct mdg_message messages[PACK_MESSAGES_MAX];
	const unsigned char *end = bytes + size;
	unsigned char *again;

	HOLDS(pack->count >= 1 && pack->count <= PACK_MESSAGES_MAX);
	for (uint32_t i = 0; i < pack->count; i++) {
		const struct mdg_relayed *one = &pack->messages[i];

		HOLDS((const unsigned char *)one->data >= bytes + PACK_HEAD);
		HOLDS((const unsigned char *)one->data <= end);
		HOLDS(one->size <= (size_t)(end - (const unsigned char *)one->data));
		HOLDS(i == 0 || one->number > pack->messages[i - 1].number);
		HOLDS(memcmp(&one->origin, &pack->origin, sizeof one->origin) == 0);
		messages[i] = (struct mdg_message){
			.data = (void *)(uintptr_t)one->data,
			.size = one->size,
			.sequence = one->number,
			.flags = one->flags,
		};
	}
	HOLDS(pack_size(messages, pack->count) == size);
	HOLDS(pack_fits(messages, pack->count, size) == pack->count);
	HOLDS(pack_fits(messages, pack->count, size - 1) < pack->count);
	again = malloc(size);
	HOLDS(again);
	HOLDS(pack_encode(again, pack->kind, &pack->origin, messages, pack->count) == size);
	HOLDS(memcmp(again, bytes, size) == 0);
	free(again);
}

static void read_pack(unsigned char *bytes, size_t size)
{
	static struct pack pack;
	const char *wrong = NULL;

	for (int mended = 0; mended < 4; mended++) {
		if (pack_decode(&pack, bytes, size, &wrong) == 0)
			check_pack(&pack, bytes, size);
		else
			HOLDS(wrong && wrong[0]);
		if (size < PACK_HEAD)
			return;
		memcpy(bytes, "MDGP", 4);
		bytes_put32(bytes + 4, PACK_VERSION);
		if (mended == 1)
			bytes_put32(bytes + 40, (uint32_t)size);
		else
			bytes_put32(bytes + 44, pack_crc(pack_crc(0, bytes, 44), bytes + PACK_HEAD,
			                                 size - PACK_HEAD));
	}
}

/* ---- names -------------------------------------------------------------------------- */

static void read_token(unsigned char *bytes, size_t size)
{
	char name[64], token[TOKEN_ROOM];

	memset(name, 'x', sizeof name);
	if (token_name(name, sizeof name, (const char *)bytes, size) != 0)
		return;
	HOLDS(memchr(name, '\0', sizeof name) && name[0] != '\0');
	HOLDS(token_make(token, sizeof token, name) == 0);
	HOLDS(strlen(token) == size && memcmp(token, bytes, size) == 0);
}

/* ---- heartbeats ------------------------------------------------------------------------ */

static void read_heartbeat(unsigned char *bytes, size_t size)
{
	struct heard heard;
	char name[MDG_NAME_MAX + 1];
	uint64_t number;

	(void)heard_number((const char *)bytes, size, &number);
	if (!heard_parse(&heard, (const char *)bytes, size))
		return;
	HOLDS(strspn(heard.instance, "0123456789abcdef") == INSTANCE_ROOM - 1);
	HOLDS(heard.instance[INSTANCE_ROOM - 1] == '\0');
	HOLDS(heard.count <= BEAT_CHANNELS_MAX && heard.count < size);
	for (size_t i = 0; i < heard.count; i++) {
		const struct heard_channel *one = &heard.channels[i];

		HOLDS(token_name(name, sizeof name, one->token, strlen(one->token)) == 0);
		HOLDS(one->kind >= MDG_STREAM && one->kind <= MDG_CALL);
		HOLDS(one->talkers <= MDG_PEERS_MAX && one->listeners <= MDG_PEERS_MAX);
		HOLDS(one->directions <= (BEAT_OUT | BEAT_IN));
	}
	free(heard.channels);
}

/* ---- shapes, and words about calls ------------------------------------------------------ */

/* Texts end with a zero byte, as libnats and shape.c see to. */
static char *as_text(const unsigned char *bytes, size_t size)
{
	char *text = malloc(size + 1);

	HOLDS(text);
	if (size > 0)
		memcpy(text, bytes, size);
	text[size] = '\0';
	return text;
}

static void read_shape(unsigned char *bytes, size_t size)
{
	char *text = as_text(bytes, size);
	struct mdg_channel_options shape;

	if (shape_parse(&shape, text)) {
		HOLDS(shape.kind >= MDG_STREAM && shape.kind <= MDG_CALL);
		HOLDS(shape.full == MDG_FULL_WAIT || shape.kind == MDG_TOPIC);
		HOLDS(shape.capacity >= 1 && shape.capacity <= MDG_CAPACITY_MAX);
		HOLDS(shape.peers >= 2 && shape.peers <= MDG_PEERS_MAX);
	}
	free(text);
}

static void read_call(unsigned char *bytes, size_t size)
{
	char *text = as_text(bytes, size);
	const struct call_setup setup = { .inboxes = "madang.g.i." };
	enum call_word word = CALL_UNKNOWN;
	uint64_t number = 0;

	if (call_parse("madang.g.i.a.c.x", text, &number, &word))
		HOLDS(word <= CALL_UNKNOWN && strncmp(text, "madang.g.i.a.c.x.", 17) == 0);
	if (call_may_answer(&setup, text)) {
		HOLDS(strlen(text) + 16 < CALL_SUBJECT_MAX);
		HOLDS(strncmp(text, setup.inboxes, strlen(setup.inboxes)) == 0);
		HOLDS(!strpbrk(text, "*> "));
	}
	free(text);
}

/* ---- generations of segments ------------------------------------------------------------ */

enum { AT_BYTES = 56, AT_SIZE = 64, AT_CRC = 68, SEGMENT_MOST = 1 << 20 };

/* The input is cut into parcels: two bytes say how long each is. */
static unsigned char *next_parcel(unsigned char **at, size_t *left, size_t *ret_size)
{
	unsigned char *parcel = *at + 2;
	size_t size;

	if (*left < 2)
		return NULL;
	size = (size_t)(*at)[0] | (size_t)(*at)[1] << 8;
	size = size < *left - 2 ? size : *left - 2;
	*at = parcel + size;
	*left -= 2 + size;
	*ret_size = size;
	return parcel;
}

static void mend_parcel(unsigned char *bytes, size_t size)
{
	static const unsigned char magic[] = { 'M', 'D', 'G', 'S' };
	uint32_t crc;

	if (size < PARCEL_HEAD)
		return;
	memcpy(bytes, magic, sizeof magic);
	bytes_put32(bytes + 4, PARCEL_VERSION);
	bytes_put32(bytes + AT_SIZE, (uint32_t)size);
	/* An image of this size is made. */
	if (bytes_get64(bytes + AT_BYTES) > SEGMENT_MOST)
		bytes_put64(bytes + AT_BYTES, bytes_get64(bytes + AT_BYTES) % SEGMENT_MOST);
	crc = pack_crc(0, bytes, AT_CRC);
	bytes_put32(bytes + AT_CRC, pack_crc(crc, bytes + PARCEL_HEAD, size - PARCEL_HEAD));
}

static void check_generation(const struct assembly *assembly)
{
	uint64_t end = 0;

	HOLDS(assembly->first.generation > 0 && assembly->first.bytes <= SEGMENT_MOST);
	for (unsigned i = 0; i < assembly->count; i++) {
		const struct mdg_part *part = &assembly->parts[i];

		HOLDS(part->offset >= end && part->length > 0);
		HOLDS(part->length <= assembly->first.bytes - part->offset);
		HOLDS((const unsigned char *)part->data == assembly->image + part->offset);
		end = part->offset + part->length;
	}
}

static void read_parcels(unsigned char *bytes, size_t size)
{
	struct assembly assembly = { .next = 0 };
	unsigned char *parcel;
	size_t length;

	while ((parcel = next_parcel(&bytes, &size, &length)) != NULL) {
		struct parcel decoded;
		const char *wrong = NULL;

		(void)parcel_decode(&decoded, parcel, length, &wrong);
		mend_parcel(parcel, length);
		wrong = NULL;
		if (parcel_decode(&decoded, parcel, length, &wrong) != 0)
			HOLDS(wrong && wrong[0]);
		else if (assembly_take(&assembly, &decoded, &wrong) == ASSEMBLY_DONE)
			check_generation(&assembly);
	}
	assembly_free(&assembly);
}

/* ---- choosing ----------------------------------------------------------------------- */

static void (*const parsers[])(unsigned char *bytes, size_t size) = {
	read_pack, read_token, read_heartbeat, read_shape, read_call, read_parcels,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *bytes;

	if (size == 0)
		return 0;
	bytes = malloc(size);
	HOLDS(bytes);
	memcpy(bytes, data + 1, size - 1);
	/* Shrunk, so that the memory ends where the input does. */
	if (size > 1) {
		unsigned char *exact = realloc(bytes, size - 1);

		bytes = exact ? exact : bytes;
	}
	parsers[data[0] % (sizeof parsers / sizeof parsers[0])](bytes, size - 1);
	free(bytes);
	return 0;
}
