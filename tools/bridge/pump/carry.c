/* SPDX-License-Identifier: MIT */
/*
 * carry.c - opens the two ends of a pump, and carries out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pump/carry.h"
#include "pump/pump.h"
#include "status/read.h"

static int get_memory(struct carry *carry, unsigned role)
{
	if (role == MDG_LISTENER) {
		carry->messages = calloc(MDG_MANY_MAX, sizeof carry->messages[0]);
		carry->bytes = malloc(PACK_BYTES);
		carry->room = PACK_BYTES;
		return carry->messages && carry->bytes ? 0 : -ENOMEM;
	}
	carry->pack = malloc(sizeof *carry->pack);
	return carry->pack ? 0 : -ENOMEM;
}

/* The channel may have been made again since the keeper looked. */
static int same_channel(struct carry *carry)
{
	struct mdg_channel_info info = { .size = sizeof info };
	int rc = mdg_channel_look(carry->channel, &info);

	if (rc == 0 && info.epoch != carry->pump->info.epoch)
		rc = -EIDRM;
	carry->origin = (struct mdg_origin){ .identity = { info.identity[0], info.identity[1] },
		                             .epoch = info.epoch };
	if (rc == 0 && carry->pump->ops->direction == BRIDGE_OUT)
		pump_next(carry->pump, info.sequence - info.waiting);
	return rc;
}

int carry_begin(struct carry *ret, struct pump *pump, unsigned role,
                const struct store_shape *shape)
{
	int rc;

	*ret = (struct carry){ .pump = pump };
	rc = get_memory(ret, role);
	return rc == 0 ? store_open(&ret->store, pump, shape) : rc;
}

int carry_enter(struct carry *carry, unsigned role, uint32_t from, uint64_t number)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .flags = MDG_CHANNEL_EXISTING,
		                               .wait = MDG_WAIT_NEAR,
		                               .from = from,
		                               .number = number };
	struct pump *pump = carry->pump;
	int rc = mdg_channel_open(&carry->channel, pump->bridge->ns, pump->channel, role, &options);

	if (rc == -EBUSY) {
		pump_state(pump, BRIDGE_HELD,
		           role == MDG_TALKER ? "a program here is the talker"
		                              : "a program here is the listener");
		return PUMP_AGAIN;
	}
	return rc == 0 ? same_channel(carry) : rc;
}

void carry_leave(struct carry *carry)
{
	mdg_channel_close(carry->channel);
	carry->channel = NULL;
}

int carry_open(struct carry *ret, struct pump *pump, unsigned role, const struct store_shape *shape,
               uint32_t from, uint64_t number)
{
	int rc = carry_begin(ret, pump, role, shape);

	return rc == 0 ? carry_enter(ret, role, from, number) : rc;
}

void carry_close(struct carry *carry)
{
	store_close(&carry->store);
	mdg_channel_close(carry->channel);
	natsMsg_Destroy(carry->message);
	free(carry->messages);
	free(carry->bytes);
	free(carry->pack);
}

int carry_peek(struct carry *carry, unsigned most)
{
	for (;;) {
		int rc = mdg_channel_peek_many(carry->channel, carry->messages, most, MDG_FOREVER);

		if (rc != -EINTR || pump_stopping(carry->pump))
			return rc;
	}
}

/* A message of its own may need more room than a pack usually has. */
static int make_room(struct carry *carry, size_t size)
{
	unsigned char *more;

	if (size <= carry->room)
		return 0;
	more = realloc(carry->bytes, size);
	if (!more)
		return -ENOMEM;
	carry->bytes = more;
	carry->room = size;
	return 0;
}

void carry_drop(struct carry *carry, uint64_t number, size_t size, uint64_t limit,
                const char *advice)
{
	struct pump *pump = carry->pump;

	log_event(LOG_ERROR, "message-dropped",
	          "channel=\"%s\" direction=%s number=%" PRIu64 " bytes=%zu limit=%" PRIu64
	          " advice=\"%s\"",
	          pump->channel, bridge_direction_word(pump->ops->direction), number, size, limit,
	          advice);
	pump_dropped(pump);
}

unsigned carry_fits(const struct carry *carry, const struct mdg_message *messages, unsigned count)
{
	size_t limit = store_limit(&carry->store);
	unsigned n = pack_fits(messages, count, limit < PACK_BYTES ? limit : PACK_BYTES);

	return n ? n : pack_fits(messages, 1, limit);
}

void carry_drop_first(struct carry *carry, const struct mdg_message *message)
{
	size_t limit = store_limit(&carry->store), head = PACK_HEAD + PACK_MESSAGE_HEAD;

	carry_drop(carry, message->sequence, message->size, limit > head ? limit - head : 0,
	           "raise max_payload of the server, or send it in parts");
}

int carry_publish(struct carry *carry, const struct mdg_origin *origin,
                  const struct mdg_message *messages, unsigned count, uint64_t first, uint64_t last)
{
	size_t size = pack_size(messages, count);
	char id[PACK_ID_ROOM];
	int rc = make_room(carry, size);

	if (rc != 0)
		return rc;
	(void)pack_encode(carry->bytes, carry->pump->info.kind, origin, messages, count);
	pack_id(id, &carry->origin, first, last);
	rc = store_publish(&carry->store, carry->bytes, size, id, &carry->store.last);
	if (rc == 0)
		pump_count(carry->pump, count, 0, size);
	return rc;
}

int carry_send(struct carry *carry, unsigned count, int (*before)(struct carry *carry))
{
	const struct mdg_message *at = carry->messages;

	while (count) {
		unsigned n = carry_fits(carry, at, count);
		int rc = 0;

		if (n == 0) {
			carry_drop_first(carry, at++);
			count--;
			continue;
		}
		if (before)
			rc = before(carry);
		if (rc != 0)
			return rc;
		pump_in_flight(carry->pump, n);
		rc = carry_publish(carry, &carry->origin, at, n, at[0].sequence,
		                   at[n - 1].sequence);
		if (rc != 0)
			return rc;
		pump_next(carry->pump, at[n - 1].sequence + 1);
		at += n;
		count -= n;
	}
	return 0;
}
