/* SPDX-License-Identifier: MIT */
/*
 * queueout.c - gives messages of a queue to other hosts.
 *
 * It gives while no program here listens, or while more wait than those here manage, and somebody
 * elsewhere listens. It is a listener of the queue, and releases what it has peeked when the server
 * has it. What other hosts' bridges have brought, and nobody here took, goes back like this too.
 */
#include <errno.h>
#include <string.h>

#include "pump/pump.h"
#include "pump/queue.h"
#include "pump/thread.h"

enum { LOOK_MS = 500 };

const struct store_shape queue_shape = { .work = true, .max_bytes = STORE_WORK_BYTES };

/* ---- giving ----------------------------------------------------------------- */

static bool same_origin(const struct mdg_relayed *a, const struct mdg_relayed *b)
{
	return memcmp(&a->origin, &b->origin, sizeof a->origin) == 0;
}

/* From where a message comes, and its number there. */
static int first_sent(const struct carry *carry, const struct mdg_message *message,
                      struct mdg_relayed *ret)
{
	if (message->flags & MDG_RELAYED)
		return mdg_channel_relayed(carry->channel, message, ret);
	*ret = (struct mdg_relayed){ .origin = carry->origin, .number = message->sequence };
	return 0;
}

/* Lays out the next pack in `ret`, with the numbers at the origin: how many messages it has. */
static int lay_out(const struct carry *carry, const struct mdg_message *messages, unsigned count,
                   struct mdg_message ret[QUEUE_PACK], struct mdg_origin *ret_origin)
{
	struct mdg_relayed first, one;
	unsigned n = 0;
	int rc = first_sent(carry, messages, &first);

	for (one = first; rc == 0; n++) {
		ret[n] = messages[n];
		ret[n].sequence = one.number;
		if (messages[n].flags & MDG_RELAYED)
			ret[n].flags |= MDG_REDELIVERED;
		if (n + 1 == count || n + 1 == QUEUE_PACK)
			break;
		rc = first_sent(carry, &messages[n + 1], &one);
		if (!same_origin(&first, &one) || one.number <= ret[n].sequence)
			break;
	}
	*ret_origin = first.origin;
	return rc == 0 ? (int)n + 1 : rc;
}

/* A pack's id is that of its place in this queue: what comes back here is not what was sent
 * before. */
int queue_give(struct carry *carry, const struct mdg_message *messages, unsigned count)
{
	while (count) {
		struct mdg_message laid[QUEUE_PACK];
		struct mdg_origin origin;
		int rc = lay_out(carry, messages, count, laid, &origin);
		unsigned n;

		if (rc < 0)
			return rc;
		n = carry_fits(carry, laid, (unsigned)rc);
		if (n != 0) {
			rc = carry_publish(carry, &origin, laid, n, messages[0].sequence,
			                   messages[n - 1].sequence);
			if (rc != 0)
				return rc;
		} else {
			carry_drop_first(carry, messages);
			n = 1;
		}
		messages += n;
		count -= n;
	}
	return 0;
}

/* ---- the pump --------------------------------------------------------------- */

static bool out_wanted(const struct situation *s)
{
	uint64_t least = s->runs[BRIDGE_OUT] ? QUEUE_BACKLOG / 2 : QUEUE_BACKLOG;

	if (s->elsewhere.listeners == 0)
		return false;
	return s->listeners == 0 || s->info->waiting > least;
}

static void out_changed(struct pump *pump, const struct situation *s)
{
	atomic_store(&pump->listeners, s->listeners);
}

/* While programs here listen, they have what is left of the backlog. */
static int may_give(struct carry *carry)
{
	struct mdg_channel_info info = { .size = sizeof info };
	int rc;

	if (atomic_load(&carry->pump->listeners) == 0)
		return 1;
	rc = mdg_channel_look(carry->channel, &info);
	return rc < 0 ? rc : info.waiting > QUEUE_BACKLOG / 2;
}

static int give_some(struct carry *carry)
{
	int count, rc = may_give(carry);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		pump_sleep(carry->pump, LOOK_MS);
		return pump_stopping(carry->pump) ? -EINTR : 0;
	}
	count = carry_peek(carry, QUEUE_PACK);
	if (count < 0)
		return count;
	pump_in_flight(carry->pump, (uint64_t)count);
	rc = queue_give(carry, carry->messages, (unsigned)count);
	pump_in_flight(carry->pump, 0);
	if (rc == 0)
		pump_next(carry->pump, carry->messages[count - 1].sequence + 1);
	return rc == 0 ? mdg_channel_release(carry->channel) : rc;
}

static int out_run(struct pump *pump)
{
	struct carry carry;
	int rc = carry_open(&carry, pump, MDG_LISTENER, &queue_shape, 0, 0);

	carry.store.in_doubt = pack_mark;
	while (rc == 0)
		rc = give_some(&carry);
	carry_close(&carry);
	return rc;
}

const struct pump_ops pump_queue_out = {
	.kind = MDG_QUEUE,
	.direction = BRIDGE_OUT,
	.wanted = out_wanted,
	.run = out_run,
	.changed = out_changed,
};
