/* SPDX-License-Identifier: MIT */
/* See check.h. */
#include "semset/check.h"

#include "platform/fence.h"
#include "platform/text.h"
#include "segment/sign.h"
#include "semset/mend.h"
#include "semset/session.h"

enum { TRIES = 20 };

/* Each function says what is wrong, or NULL. */

static const char *check_values(const struct mdg__semset *set)
{
	for (uint32_t number = 0; number < set->count; number++) {
		uint64_t word = mdg__load64(&mdg__semset_at(set, number)->word);
		/* An express slip writes other bits there for a moment. */
		if ((word & MDG__EXPRESS) == 0 && (mdg__word_value(word) > MDG__VALUE_MAX ||
		                                   (word & MDG__WORD_FLAGS & ~MDG__BUSY) != 0))
			return "a semaphore has an impossible value";
	}
	return NULL;
}

static const char *check_line(const struct mdg__semset *set, const struct mdg__semset_list *list,
                              uint32_t kind, uint32_t *ret_count)
{
	uint32_t block1 = mdg__load32(&list->first1), before1 = 0;
	for (*ret_count = 0; block1 != 0; ++*ret_count) {
		const struct mdg__sleeper *sleeper = mdg__block_at(set, block1, kind);
		if (sleeper == NULL || *ret_count > mdg__block_count(set) ||
		    mdg__load32(&sleeper->previous1) != before1)
			return "a list of sleepers leads to nowhere or in a circle";
		before1 = block1;
		block1 = mdg__load32(&sleeper->next1);
	}
	return before1 == mdg__load32(&list->last1)
	               ? NULL
	               : "the last sleeper is not the last of its list";
}

/* Whether the sleepers name the semaphore as often as it says. [the queue is well] */
static bool is_named_rightly(const struct mdg__semset *set, uint32_t number)
{
	struct mdg__oplist list;
	uint32_t block1 = mdg__load32(&mdg__semset_head(set)->queue.first1), count = 0;
	for (uint32_t left = mdg__block_count(set); left > 0; left--) {
		const struct mdg__sleeper *sleeper = mdg__block_at(set, block1, MDG__SLEEPER);
		if (sleeper == NULL || !mdg__sleeper_ops(set, sleeper, &list))
			break;
		for (uint32_t i = 0; i < list.count; i++)
			count += list.ops[i].number == number;
		block1 = mdg__load32(&sleeper->next1);
	}
	return count == mdg__load32(&mdg__semset_at(set, number)->named);
}

/* Of many semaphores only those are looked at of which that says something. */
static const char *check_names(const struct mdg__semset *set)
{
	struct mdg__oplist list;
	uint32_t block1 = mdg__load32(&mdg__semset_head(set)->queue.first1);
	for (uint32_t left = mdg__block_count(set); block1 != 0 && left > 0; left--) {
		const struct mdg__sleeper *sleeper = mdg__block_at(set, block1, MDG__SLEEPER);
		if (sleeper == NULL || !mdg__sleeper_ops(set, sleeper, &list))
			return "the operations of a sleeper cannot be read";
		block1 = mdg__load32(&sleeper->next1);
	}
	for (uint32_t number = 0; number < set->count; number++) {
		uint32_t named = mdg__load32(&mdg__semset_at(set, number)->named);
		if (named != 0 && !is_named_rightly(set, number))
			return "the sleepers of a semaphore are counted wrongly";
	}
	return NULL;
}

static const char *check_sleepers(const struct mdg__semset *set)
{
	const struct mdg__semset_head *head = mdg__semset_head(set);
	uint32_t asleep, served;
	const char *wrong = check_line(set, &head->queue, MDG__SLEEPER, &asleep);
	if (wrong == NULL && asleep != mdg__load32(&head->sleepers))
		wrong = "the sleepers are counted wrongly";
	if (wrong == NULL)
		wrong = check_names(set);
	return wrong != NULL ? wrong : check_line(set, &head->done, MDG__SERVED, &served);
}

static const char *check_holders(const struct mdg__semset *set)
{
	uint32_t block1 = mdg__load32(&mdg__semset_head(set)->holders1);
	uint32_t left = mdg__block_count(set);
	for (; block1 != 0; left--) {
		const struct mdg__set_holder *holder = mdg__block_at(set, block1, MDG__HOLDER);
		if (holder == NULL || left == 0)
			return "the list of processes with undo leads to nowhere or in a circle";
		uint32_t sums1 = mdg__load32(&holder->sums1);
		for (uint32_t steps = left; sums1 != 0; steps--) {
			const struct mdg__sums *sums = mdg__block_at(set, sums1, MDG__SUMS);
			if (sums == NULL || steps == 0)
				return "the sums of a process lead to nowhere or in a circle";
			sums1 = mdg__load32(&sums->next1);
		}
		block1 = mdg__load32(&holder->next1);
	}
	return NULL;
}

static const char *check_slips(const struct mdg__semset *set)
{
	uint32_t block1 = mdg__load32(&mdg__semset_head(set)->slips1);
	for (uint32_t left = mdg__block_count(set); block1 != 0; left--) {
		const struct mdg__slip *slip = mdg__block_at(set, block1, MDG__SLIP);
		if (slip == NULL || left == 0)
			return "the list of slips leads to nowhere or in a circle";
		block1 = mdg__load32(&slip->next1);
	}
	return NULL;
}

/* The values last: they are what cannot be mended. */
static const char *check_all(const struct mdg__semset *set)
{
	const struct mdg__semset_head *head = mdg__semset_head(set);
	if (mdg__load32(&head->fresh) > mdg__block_count(set))
		return "more memory is used than it has";
	const char *wrong = check_sleepers(set);
	if (wrong == NULL)
		wrong = check_holders(set);
	if (wrong == NULL)
		wrong = check_slips(set);
	return wrong != NULL ? wrong : check_values(set);
}

/* What is wrong, seen at one moment; NULL: nothing, or there was no such moment. *ret_owner is who
 * has had the lock all the time, or 0. */
static const char *check_quietly(const struct mdg__semset *set, uint32_t *ret_owner)
{
	struct mdg__semset_head *head = mdg__semset_head(set);
	mdg__a64 *both = (mdg__a64 *)(uintptr_t)&head->lock;
	uint64_t first = mdg__load64(both);
	*ret_owner = 0;
	for (int i = 0; i < TRIES; i++) {
		uint64_t before = mdg__load64(both);
		uint32_t owner = mdg__load32(&head->lock);
		if (owner == 0) {
			const char *wrong = check_all(set);
			/* Acquire: the look below comes after what was read above. */
			mdg__fence(memory_order_acquire);
			if (mdg__load64(both) == before)
				return wrong;
		} else {
			(void)mdg__sys_futex_wait(&head->lock, owner, true, 1000000u);
		}
	}
	if (mdg__load64(both) == first)
		*ret_owner = mdg__load32(&head->lock);
	return NULL;
}

/* ---- what was found ------------------------------------------------------------------------- */

/* One check: of which set, and to whom it is told. */
struct check {
	struct mdg__semset *set;
	mdg_id id;
	bool repair;
	int (*found)(const struct mdg_finding *finding, void *context);
	void *context;
};

static struct mdg_finding finding_of(const struct check *check, uint32_t kind)
{
	return (struct mdg_finding){ .size = sizeof(struct mdg_finding),
		                     .kind = kind,
		                     .id = check->id };
}

static void tell_damage(const struct check *check, const char *wrong, bool repaired)
{
	struct mdg_finding finding = finding_of(check, MDG_FOUND_DAMAGE);
	finding.repaired = repaired;
	mdg__format(finding.text, sizeof finding.text, "semaphore set %d: %s", (int)check->id,
	            wrong);
	(void)check->found(&finding, check->context);
}

/* What is mended first is told first. What is wrong after that cannot be mended. */
static void damage(const struct check *check, const char *wrong)
{
	uint32_t owner;
	const char *left = wrong;
	if (check->repair && mdg__semset_mend(check->set) == 0)
		left = check_quietly(check->set, &owner);
	if (left != wrong)
		tell_damage(check, wrong, true);
	if (left != NULL)
		tell_damage(check, left, false);
}

/* The owner of the lock does not go on. */
static void kept(const struct check *check, mdg_namespace *ns, uint32_t owner)
{
	struct mdg_finding finding = finding_of(check, MDG_FOUND_LOCK_HELD);
	uint32_t word = owner & ~UINT32_C(0x8000); /* without the mark of a waiter */
	finding.pid = mdg__signature_word_pid(ns, word);
	if (mdg__signature_word_lives(ns, word)) {
		mdg__format(finding.text, sizeof finding.text,
		            "semaphore set %d: process %d holds its lock and does not go on",
		            (int)check->id, (int)finding.pid);
	} else {
		finding.kind = MDG_FOUND_DEAD_OWNER;
		/* Whoever takes the lock sets right what the dead one had begun. */
		finding.repaired = check->repair && mdg__semset_mend(check->set) == 0;
		mdg__format(finding.text, sizeof finding.text,
		            "semaphore set %d: its lock belongs to process %d, which is dead",
		            (int)check->id, (int)finding.pid);
	}
	(void)check->found(&finding, check->context);
}

int mdg__semset_check(mdg_namespace *ns, mdg_id id, bool repair,
                      int (*found)(const struct mdg_finding *finding, void *context), void *context)
{
	struct mdg__session session;
	struct check check = { &session.set, id, repair, found, context };
	uint32_t owner;
	int rc = mdg__session_begin(&session, ns, id, MDG__SESSION_LOOK);
	if (rc < 0)
		return rc;
	rc = mdg__object_may(ns, MDG__SEMAPHORE_SETS, id, 0444);
	if (rc < 0 || session.set.base == NULL ||
	    mdg__load32(&mdg__semset_head(&session.set)->removed) != 0)
		return mdg__session_end(&session, rc);
	const char *wrong = check_quietly(&session.set, &owner);
	if (owner != 0)
		kept(&check, ns, owner);
	else if (wrong != NULL)
		damage(&check, wrong);
	return mdg__session_end(&session, 0);
}
