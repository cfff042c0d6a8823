/* SPDX-License-Identifier: MIT */
/* See check.h. */
#include "msgqueue/check.h"

#include "msgqueue/internal.h"
#include "msgqueue/open.h"
#include "platform/text.h"

enum { TRIES = 20 };

/* A message is a chain of cells. NULL: well; else what is wrong. */
static const char *check_message(const struct mdg__queue *queue, uint32_t cell)
{
	const struct mdg__message *message = mdg__message(queue, cell);
	uint32_t length = MDG__GET(message->length);
	if (MDG__GET(message->type) < 1)
		return "a message has an impossible type";
	if (length > mdg__units(queue) * (uint64_t)MDG__UNIT)
		return "a message has an impossible length";
	for (uint32_t left = mdg__cells_for(length); left > 0; left--) {
		if (!mdg__is_cell(queue, cell))
			return "the text of a message leads to nowhere";
		cell = MDG__GET(*mdg__link_of(queue, cell));
	}
	return NULL;
}

/* The messages, compared with what is counted. A claim of a dead receiver counts as one still. */
static const char *check_messages(const struct mdg__queue *queue, const struct mdg__snapshot *now)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	uint64_t most = mdg__units(queue), count = 0;
	uint32_t cell = now->first, last = 0;
	for (; cell != 0; count++) {
		if (!mdg__is_cell(queue, cell) || count > most)
			return "the list of messages leads to nowhere or in a circle";
		const char *wrong = check_message(queue, cell);
		if (wrong != NULL)
			return wrong;
		last = cell;
		cell = mdg__next(queue, cell);
		if (cell == 0 && last == now->before_last)
			cell = now->last; /* the link may not have been made yet */
	}
	if (count != (uint64_t)now->qnum + MDG__GET(head->claims))
		return "the messages are counted wrongly";
	if (count != 0 && last != now->last)
		return "the last message is not the last of the list";
	return NULL;
}

static const char *check_free(const struct mdg__queue *queue)
{
	uint32_t cell = MDG__GET(mdg__head(queue)->free);
	for (uint64_t left = mdg__units(queue); cell != 0; left--) {
		if (!mdg__is_cell(queue, cell) || left == 0)
			return "the free cells lead to nowhere or in a circle";
		cell = MDG__GET(*mdg__link_of(queue, cell));
	}
	return NULL;
}

static const char *check_all(const struct mdg__queue *queue, const struct mdg__snapshot *now)
{
	if (mdg__used(queue) > mdg__units(queue))
		return "more memory is used than it has";
	const char *wrong = check_messages(queue, now);
	return wrong != NULL ? wrong : check_free(queue);
}

/* What is wrong, seen at one moment; NULL: nothing, or there was no such moment. */
static const char *check_quietly(const struct mdg__queue *queue)
{
	struct mdg__snapshot now;
	for (int i = 0; i < TRIES; i++) {
		if (!mdg__snapshot_read(queue, &now)) {
			/* Nobody wakes this word: a millisecond. */
			_Atomic uint32_t *word = &mdg__head(queue)->not_given;
			(void)mdg__sys_futex_wait(word, MDG__GET(*word), true, 1000000u);
			continue;
		}
		const char *wrong = check_all(queue, &now);
		if (mdg__snapshot_is_now(queue, &now))
			return wrong;
	}
	return NULL;
}

static bool mend(struct mdg__queue *queue)
{
	struct mdg__visit visit;
	if (mdg__visit_begin(&visit, queue) < 0)
		return false;
	int rc = mdg__queue_repair(&visit);
	mdg__visit_unlock(&visit);
	mdg__visit_end(&visit);
	return rc == 0 && check_quietly(queue) == NULL;
}

int mdg__msgqueue_check(mdg_namespace *ns, mdg_id id, bool repair,
                        int (*found)(const struct mdg_finding *finding, void *context),
                        void *context)
{
	struct mdg_finding finding = { .size = sizeof finding, .kind = MDG_FOUND_DAMAGE, .id = id };
	struct mdg__open open;
	int rc = mdg__object_may(ns, MDG__MESSAGE_QUEUES, id, 0444);
	if (rc == 0)
		rc = mdg__open_look(&open, ns, id);
	if (rc != 0)
		return rc == -ENOENT ? 0 : rc; /* nobody has used it */
	const char *wrong = mdg__queue_is_removed(&open.queue) ? NULL : check_quietly(&open.queue);
	if (wrong != NULL) {
		mdg__format(finding.text, sizeof finding.text, "message queue %d: %s", (int)id,
		            wrong);
		finding.repaired = repair && mend(&open.queue);
		(void)found(&finding, context);
	}
	return mdg__open_done(&open, 0);
}
