/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the calls on a set by its id. What is checked comes in the order of semop(2) and
 * semctl(2).
 *
 * The program's memory is only touched while no lock is held: what it gives is copied before, and
 * what it gets is copied after. So a bad pointer ends in SIGSEGV and nothing else. If another
 * thread changes the operations meanwhile, they count as they were when they were copied.
 */
#include <string.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "semset/session.h"

enum { LOOK = 0444, ALTER = 0222 };

static int may(const struct mdg__session *session, unsigned ask)
{
	return mdg__object_may(session->ns, MDG__SEMAPHORE_SETS, session->id, ask);
}

/* ---- operations -------------------------------------------------------------------------- */

/* -EFBIG, or which permission is needed. */
static int check_ops(const struct mdg__session *session, const struct mdg_semset_op *ops,
                     size_t count)
{
	int ask = LOOK;
	for (size_t i = 0; i < count; i++) {
		if (ops[i].number >= session->set.count)
			return -EFBIG;
		if (ops[i].change != 0)
			ask = ALTER;
	}
	return ask;
}

int mdg_semset_op(mdg_namespace *ns, mdg_id id, const struct mdg_semset_op *given, size_t count,
                  uint64_t deadline)
{
	struct mdg__session session;
	struct mdg_semset_op ops[MDG__OPS_MAX];
	uint64_t most = mdg__object_limit(ns, MDG__SEMOPM);
	if (count > most || count > MDG__OPS_MAX)
		return -E2BIG;
	if (count == 0)
		return -EINVAL;
	if (mdg__object_is_look(ns))
		return -EROFS;
	if (given == NULL)
		return -EINVAL;
	if (count == 1)
		ops[0] = given[0];
	else
		memcpy(ops, given, count * sizeof ops[0]);
	int rc = mdg__session_begin(&session, ns, id, MDG__SESSION_MAKE);
	if (rc == -EACCES) { /* its memory is closed to the caller; -EFBIG comes first */
		int checked = check_ops(&session, ops, count);
		return checked < 0 ? checked : rc;
	}
	if (rc < 0)
		return rc;
	rc = check_ops(&session, ops, count);
	if (rc > 0)
		rc = may(&session, (unsigned)rc);
	if (rc == 0)
		rc = mdg__semset_op(&session.set, ops, (uint32_t)count, deadline);
	return mdg__session_end(&session, rc);
}

/* ---- looking ------------------------------------------------------------------------------- */

/* Begins a call that needs permission to look, and then the number of a semaphore. */
static int begin_look(struct mdg__session *session, mdg_namespace *ns, mdg_id id, uint32_t number)
{
	int rc = mdg__session_begin(session, ns, id, MDG__SESSION_LOOK);
	if (rc < 0)
		return rc;
	rc = may(session, LOOK);
	if (rc == 0 && number >= session->set.count)
		rc = -EINVAL;
	return rc < 0 ? mdg__session_end(session, rc) : 0;
}

/* A namespace that is only looked at: nothing can be settled there. */
static uint64_t word_as_it_is(const struct mdg__session *session, uint32_t number)
{
	return session->set.base == NULL
	               ? 0
	               : mdg__load64(&mdg__semset_at(&session->set, number)->word);
}

static bool is_plain(const struct mdg__session *session)
{
	return session->set.base == NULL || mdg__object_is_look(session->ns);
}

int mdg_semset_value(mdg_namespace *ns, mdg_id id, uint32_t number)
{
	struct mdg__session session;
	int rc = begin_look(&session, ns, id, number);
	if (rc < 0)
		return rc;
	rc = is_plain(&session) ? mdg__word_value(word_as_it_is(&session, number))
	                        : mdg__semset_value(&session.set, number);
	return mdg__session_end(&session, rc);
}

int mdg_semset_pid(mdg_namespace *ns, mdg_id id, uint32_t number, int32_t *ret_pid)
{
	struct mdg__session session;
	int32_t pid = 0;
	int rc = begin_look(&session, ns, id, number);
	if (rc < 0)
		return rc;
	if (is_plain(&session))
		pid = mdg__word_pid(word_as_it_is(&session, number));
	else
		rc = mdg__semset_pid(&session.set, number, &pid);
	rc = mdg__session_end(&session, rc);
	if (rc == 0)
		*ret_pid = pid;
	return rc;
}

int mdg_semset_waiting(mdg_namespace *ns, mdg_id id, uint32_t number, int for_zero)
{
	struct mdg__session session;
	int rc = begin_look(&session, ns, id, number);
	if (rc < 0)
		return rc;
	if (!is_plain(&session))
		rc = mdg__semset_waiting(&session.set, number, for_zero != 0);
	return mdg__session_end(&session, rc);
}

/* Private room for the values of a set. */
struct values {
	uint16_t few[512];
	uint16_t *all; /* `few`, or a mapping */
	size_t size;   /* bytes */
};

static int values_make(struct values *values, uint32_t count)
{
	void *memory;
	values->all = values->few;
	values->size = count * sizeof values->few[0];
	if (values->size <= sizeof values->few)
		return 0;
	int rc = mdg__map_own(NULL, values->size, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory);
	if (rc == 0)
		values->all = memory;
	return rc;
}

static void values_end(const struct values *values)
{
	if (values->all != values->few)
		(void)mdg__sys_munmap(values->all, values->size);
}

static int get_values(struct mdg__session *session, uint16_t *ret_values)
{
	if (!is_plain(session))
		return mdg__semset_all(&session->set, ret_values);
	for (uint32_t number = 0; number < session->set.count; number++)
		ret_values[number] = (uint16_t)mdg__word_value(word_as_it_is(session, number));
	return 0;
}

int mdg_semset_all(mdg_namespace *ns, mdg_id id, uint16_t *ret_values, uint32_t count)
{
	struct mdg__session session;
	struct values values = { .all = values.few };
	int rc = begin_look(&session, ns, id, 0);
	if (rc < 0)
		return rc;
	rc = session.set.count > count ? -EINVAL : values_make(&values, session.set.count);
	if (rc == 0)
		rc = get_values(&session, values.all);
	rc = mdg__session_end(&session, rc);
	if (rc == 0)
		memcpy(ret_values, values.all, values.size);
	values_end(&values);
	return rc;
}

/* ---- setting -------------------------------------------------------------------------------- */

int mdg_semset_set_value(mdg_namespace *ns, mdg_id id, uint32_t number, int value)
{
	struct mdg__session session;
	if (value < 0 || value > MDG_SEM_VALUE_MAX)
		return -ERANGE;
	if (mdg__object_is_look(ns))
		return -EROFS;
	int rc = mdg__session_begin(&session, ns, id, MDG__SESSION_MAKE);
	if (rc == -EACCES && number >= session.set.count)
		return -EINVAL; /* comes first, also if its memory is closed to the caller */
	if (rc < 0)
		return rc;
	rc = number >= session.set.count ? -EINVAL : may(&session, ALTER);
	if (rc == 0)
		rc = mdg__semset_set_value(&session.set, number, value);
	if (rc == 0)
		mdg__object_changed(ns, MDG__SEMAPHORE_SETS, id);
	return mdg__session_end(&session, rc);
}

int mdg_semset_set_all(mdg_namespace *ns, mdg_id id, const uint16_t *values, uint32_t count)
{
	struct mdg__session session;
	struct values own = { .all = own.few };
	if (mdg__object_is_look(ns))
		return -EROFS;
	int rc = mdg__session_begin(&session, ns, id, MDG__SESSION_MAKE);
	if (rc < 0)
		return rc;
	rc = may(&session, ALTER);
	if (rc == 0 && count != session.set.count)
		rc = -EINVAL;
	if (rc == 0)
		rc = values_make(&own, count);
	if (rc == 0) {
		memcpy(own.all, values, own.size);
		rc = mdg__semset_set_all(&session.set, own.all);
	}
	if (rc == 0)
		mdg__object_changed(ns, MDG__SEMAPHORE_SETS, id);
	values_end(&own);
	return mdg__session_end(&session, rc);
}
