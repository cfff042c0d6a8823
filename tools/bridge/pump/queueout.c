/* SPDX-License-Identifier: MIT */
/*
 * queueout.c - gives messages of a queue to other hosts.
 *
 * It gives while no program here listens, or while more wait than those here manage, and somebody
 * elsewhere listens. It is a listener of the queue, and releases what it has peeked when the server
 * has it. What other hosts' bridges have brought, and nobody here took, goes back like this too.
 *
 * A message that the server does not take, because it is too large, goes aside (queueaside.c). A
 * handle can hold several messages only as a whole. So if one of those that it holds is such a one,
 * the handle is closed, and a new one takes those before it, then it alone, then those behind it.
 * They count as handed out before, and are marked.
 */
#include <errno.h>
#include <string.h>

#include "pump/pump.h"
#include "pump/queue.h"
#include "pump/queueaside.h"
#include "pump/thread.h"

enum { LOOK_MS = 500 };
#define GLANCE_NS (UINT64_C(200) * 1000000) /* while something is aside */

struct queue_out {
	struct carry carry;
	struct aside aside;
	unsigned most; /* that are taken at once */
};

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

int queue_listen(const struct carry *carry, mdg_channel **ret)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .flags = MDG_CHANNEL_EXISTING,
		                               .wait = MDG_WAIT_NEAR };
	struct mdg_channel_info info = { .size = sizeof info };
	const struct pump *pump = carry->pump;
	int rc = mdg_channel_open(ret, pump->bridge->ns, pump->channel, MDG_LISTENER, &options);

	if (rc != 0)
		return rc;
	rc = mdg_channel_look(*ret, &info);
	if (rc == 0 && info.epoch == pump->info.epoch)
		return 0;
	mdg_channel_close(*ret);
	*ret = NULL;
	return rc == 0 ? -EIDRM : rc;
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

/* Up to `most` messages. 0: there are none at present. */
static int peek(struct queue_out *out)
{
	struct carry *carry = &out->carry;
	uint64_t deadline = out->aside.count ? mdg_deadline(GLANCE_NS) : MDG_FOREVER;
	int rc;

	if (!out->aside.count)
		return carry_peek(carry, out->most);
	rc = mdg_channel_peek_many(carry->channel, carry->messages, out->most, deadline);
	if (rc == -EINTR && pump_stopping(carry->pump))
		return rc;
	return rc == -ETIMEDOUT || rc == -EAGAIN || rc == -EINTR ? 0 : rc;
}

/* How many cross before the first that is too large for the server. */
static unsigned before_too_large(const struct carry *carry, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (carry_fits(carry, &carry->messages[i], 1) == 0)
			return i;
	return count;
}

/* Gives back what the handle holds, and takes the first `most` of it. */
static int take_fewer(struct queue_out *out, unsigned most)
{
	mdg_channel_close(out->carry.channel);
	out->carry.channel = NULL;
	out->most = most;
	return queue_listen(&out->carry, &out->carry.channel);
}

static int give_all(struct queue_out *out, unsigned count)
{
	struct carry *carry = &out->carry;
	int rc;

	pump_in_flight(carry->pump, count);
	rc = queue_give(carry, carry->messages, count);
	pump_in_flight(carry->pump, 0);
	if (rc != 0)
		return rc;
	pump_next(carry->pump, carry->messages[count - 1].sequence + 1);
	out->most = QUEUE_PACK;
	return mdg_channel_release(carry->channel);
}

static int give_some(struct queue_out *out)
{
	struct carry *carry = &out->carry;
	unsigned before;
	int count, rc;

	aside_share(&out->aside);
	rc = may_give(carry);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		pump_sleep(carry->pump, LOOK_MS);
		return pump_stopping(carry->pump) ? -EINTR : 0;
	}
	count = peek(out);
	if (count <= 0)
		return count < 0 ? count : aside_make_room(&out->aside);
	before = before_too_large(carry, (unsigned)count);
	if (before == (unsigned)count)
		return give_all(out, before);
	if (count > 1)
		return take_fewer(out, before ? before : 1);
	out->most = QUEUE_PACK;
	return aside_put(&out->aside, carry->messages);
}

static int out_run(struct pump *pump)
{
	struct queue_out out;
	int rc = carry_open(&out.carry, pump, MDG_LISTENER, &queue_shape, 0, 0);

	out.carry.store.in_doubt = pack_mark;
	out.aside = (struct aside){ .carry = &out.carry };
	out.most = QUEUE_PACK;
	while (rc == 0)
		rc = give_some(&out);
	aside_let_go(&out.aside);
	carry_close(&out.carry);
	return rc;
}

const struct pump_ops pump_queue_out = {
	.kind = MDG_QUEUE,
	.direction = BRIDGE_OUT,
	.wanted = out_wanted,
	.run = out_run,
	.changed = out_changed,
};
