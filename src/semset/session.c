/* SPDX-License-Identifier: MIT */
/*
 * session.c - a set's memory and the calling process, for one call. See session.h.
 *
 * To find out who the calling process is takes some system calls. So each thread remembers it for
 * the namespace that it used last, until the process forks or gets another slot.
 */
#include "semset/session.h"

#include "platform/epoch.h"
#include "platform/identity.h"
#include "platform/ofthread.h"
#include "segment/sign.h"
#include "semset/region.h"

/* ---- the host of the engine ---------------------------------------------------------------- */

static struct mdg__session *session_of(const struct mdg__semset *set)
{
	return set->context;
}

static void use_memory(struct mdg__session *session)
{
	const struct mdg__memory *memory = &session->memories[session->count - 1];
	session->set.base = memory->base;
	session->set.length = memory->length;
}

/* The old memory stays taken: somewhere above us there may be pointers into it. */
static int grow(struct mdg__semset *set, uint64_t least)
{
	struct mdg__session *session = session_of(set);
	if (session->count == MDG__SESSION_MEMORIES)
		return -ENOMEM;
	int rc = mdg__memory_get(session->ns, MDG__SEMAPHORE_SETS, session->id, least,
	                         &session->memories[session->count]);
	if (rc < 0)
		return rc;
	session->count++;
	use_memory(session);
	return 0;
}

/* A word that was scribbled over may name a process that lives and has never had the lock. Whoever
 * has it blocks all signals. So after a while the kernel is asked whether that process has such a
 * thread; registry/lock.c does the same. */
static bool sign_is_gone(struct mdg__semset *set, uint32_t sign, uint32_t rounds)
{
	enum { DOUBTED = 4 };
	mdg_namespace *ns = session_of(set)->ns;
	if (!mdg__signature_word_lives(ns, sign))
		return true;
	return rounds >= DOUBTED && (rounds & (rounds - 1)) == 0 &&
	       !mdg__signature_word_is_inside(ns, sign);
}

static bool pair_lives(struct mdg__semset *set, uint32_t slot1, uint32_t generation)
{
	const struct mdg__signature signature = { slot1, generation };
	return mdg__signature_lives(session_of(set)->ns, signature);
}

static bool is_there(struct mdg__semset *set)
{
	struct mdg__session *session = session_of(set);
	return mdg__object_glance(session->ns) == 0 &&
	       mdg__object_is_there(session->ns, MDG__SEMAPHORE_SETS, session->id);
}

/* The memories in which this thread is a witness stay taken until the set is gone and this thread
 * becomes a witness elsewhere; or until the thread has ended, and another one gets its page. */
static void leave_removed(struct mdg__set_region *own)
{
	uint32_t count = 0;
	/* Perhaps a handler has interrupted the unlocking of a lock that the thread holds. */
	if (mdg__this_thread.count > own->kept_count)
		return;
	for (uint32_t i = 0; i < own->kept_count; i++) {
		const struct mdg__semset_head *head =
			(const struct mdg__semset_head *)(const void *)own->kept[i].memory.base;
		if (mdg__load32(&head->removed) != 0) {
			mdg__witness_leave(own->kept[i].witness);
			mdg__memory_leave(&own->kept[i].memory);
		} else {
			own->kept[count++] = own->kept[i];
		}
	}
	own->kept_count = count;
}

static void keep(struct mdg__semset *set, struct mdg__robust *witness)
{
	struct mdg__session *session = session_of(set);
	struct mdg__set_region *own = mdg__set_region_make();
	session->kept = session->count; /* not left at the end of the call */
	if (own == NULL)
		return;
	if (own->epoch == 0 || !mdg__epoch_is(own->epoch)) {
		own->kept_count = 0; /* the parent's, or there were none */
		own->epoch = mdg__epoch();
	}
	leave_removed(own);
	if (own->kept_count < MDG__MEMORIES_KEPT) {
		own->kept[own->kept_count].memory = session->memories[session->count - 1];
		own->kept[own->kept_count++].witness = witness;
	}
}

static void sleeps(struct mdg__semset *set)
{
	(void)set;
	mdg__object_sleeps();
}

static const struct mdg__semset_host host = {
	grow, sign_is_gone, pair_lives, is_there, keep, sleeps
};

/* ---- the calling process --------------------------------------------------------------------- */

static MDG__OF_THREAD struct {
	uint32_t epoch; /* 0: not known */
	const mdg_namespace *ns;
	uint64_t number; /* of the namespace: another one may lie at the same address later */
	struct mdg__semset_self self;
} known;

static __attribute__((noinline)) int find_self(mdg_namespace *ns)
{
	struct mdg__signature own;
	int rc = mdg__sign(ns, &own);
	if (rc < 0)
		return rc;
	known.epoch = 0;
	known.ns = ns;
	known.number = mdg__namespace_number(ns);
	known.self = (struct mdg__semset_self){ .pid = mdg__pid(),
		                                .slot1 = own.slot1,
		                                .generation = own.generation,
		                                .sign = mdg__signature_word(own),
		                                .start = mdg__process_start(),
		                                .pid_namespace = mdg__pid_namespace() };
	known.epoch = mdg__epoch();
	return 0;
}

static int know_self(mdg_namespace *ns, struct mdg__semset_self *ret)
{
	struct mdg__signature own = mdg__signature_own(ns);
	if (known.epoch == 0 || !mdg__epoch_is(known.epoch) || known.ns != ns ||
	    known.number != mdg__namespace_number(ns) || known.self.slot1 != own.slot1 ||
	    known.self.generation != own.generation) {
		int rc = find_self(ns);
		if (rc < 0)
			return rc;
	}
	*ret = known.self;
	return 0;
}

/* ---- beginning and ending ------------------------------------------------------------ */

static int take_memory(struct mdg__session *session, enum mdg__session_kind kind)
{
	struct mdg__semset *set = &session->set;
	struct mdg__memory *memory = &session->memories[0];
	uint64_t least = mdg__semset_heap_at(set->count) + UINT64_C(4) * MDG__BLOCK;
	int rc = 0;
	set->base = NULL;
	set->length = 0;
	if (!mdg__memory_take(session->ns, MDG__SEMAPHORE_SETS, session->id, memory) ||
	    memory->length < least) {
		mdg__memory_leave(memory);
		rc = kind == MDG__SESSION_MAKE ? mdg__memory_get(session->ns, MDG__SEMAPHORE_SETS,
		                                                 session->id, least, memory)
		                               : mdg__memory_look(session->ns, MDG__SEMAPHORE_SETS,
		                                                  session->id, memory);
	}
	if (rc == -ENOENT && kind == MDG__SESSION_LOOK)
		return 0;
	if (rc < 0)
		return rc;
	session->count = 1;
	use_memory(session);
	/* Shorter than it ever is, except in the moment in which it is made. */
	if (set->length < least && kind == MDG__SESSION_LOOK) {
		mdg__memory_leave(memory);
		session->count = 0;
		set->base = NULL;
	}
	return 0;
}

int mdg__session_begin(struct mdg__session *session, mdg_namespace *ns, mdg_id id,
                       enum mdg__session_kind kind)
{
	struct mdg__semset *set = &session->set;
	const _Atomic uint64_t *fields = mdg__object_fields(ns, MDG__SEMAPHORE_SETS, id);
	uint64_t now = mdg__realtime_coarse_nanoseconds();
	int rc = id < 0 ? -EINVAL : mdg__object_glance_at(ns, now);
	if (rc < 0)
		return rc;
	set->now = now / 1000000000;
	if (fields == NULL || !mdg__object_is_there(ns, MDG__SEMAPHORE_SETS, id))
		return -EINVAL;
	uint64_t count = mdg__load64(fields);
	if (count == 0 || count > MDG__SETSIZE_MAX)
		return mdg__object_is_there(ns, MDG__SEMAPHORE_SETS, id) ? MDG_DAMAGED : -EINVAL;
	session->ns = ns;
	session->id = id;
	session->count = session->kept = 0;
	session->memories[0].base = NULL;
	set->count = (uint32_t)count;
	set->host = &host;
	set->context = session;
	if (!mdg__object_is_look(ns)) {
		rc = know_self(ns, &set->self);
		if (rc < 0)
			return rc;
	}
	return take_memory(session, kind);
}

int mdg__session_end(struct mdg__session *session, int rc)
{
	/* Who removes a set marks its memory first, and may have died then. */
	bool half_removed = rc == -EINVAL && session->set.base != NULL &&
	                    mdg__load32(&mdg__semset_head(&session->set)->removed) != 0;
	for (uint32_t i = 0; i < session->count; i++)
		if (i + 1 != session->kept)
			mdg__memory_leave(&session->memories[i]);
	if (half_removed)
		(void)mdg__object_end_removal(session->ns, MDG__SEMAPHORE_SETS, session->id);
	return rc;
}
