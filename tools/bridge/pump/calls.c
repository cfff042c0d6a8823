/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the two pumps of a channel for calls: requests out, requests in.
 *
 * Both run as long as the rules allow them, because a request that is on its way must come to its
 * end also when there is nothing more to take. What they do follows from who has servers: see
 * call.h. This thread only keeps the figures. It sleeps while nothing moves.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/parts.h"
#include "link/link.h"
#include "pump/pump.h"

enum { FIGURES_MS = 200 };
#define GRACE UINT64_C(1000000000) /* for what is on its way when the pump is stopped */

/* What run, wake and changed share. pump->lock. */
struct own {
	struct call *call; /* of run alone */
	pthread_cond_t change;
	bool counted;         /* call.h has counted something */
	bool news;            /* the two that follow have changed */
	bool here, elsewhere; /* there are servers */
	/* What inboxes of bridges that have ended begin with. Without memory for one, its silence
	 * tells. */
	struct lost {
		struct lost *next;
		char inboxes[SUBJECT_ROOM];
	} * lost;
};

static bool wants_out(const struct situation *situation)
{
	return situation->may[BRIDGE_OUT];
}

static bool wants_in(const struct situation *situation)
{
	return situation->may[BRIDGE_IN];
}

static void counted(void *context)
{
	struct pump *pump = context;
	(void)pthread_mutex_lock(&pump->lock);
	struct own *own = pump->own;
	if (own != NULL) {
		own->counted = true;
		(void)pthread_cond_signal(&own->change);
	}
	(void)pthread_mutex_unlock(&pump->lock);
}

static void wake(struct pump *pump)
{
	(void)pthread_mutex_lock(&pump->lock);
	struct own *own = pump->own;
	if (own != NULL)
		(void)pthread_cond_signal(&own->change);
	(void)pthread_mutex_unlock(&pump->lock);
}

/* The keeper must not wait, so run does the rest. If this comes before `own` is there, run makes
 * the keeper call it again. */
static void changed(struct pump *pump, const struct situation *situation)
{
	bool here = situation->listeners > 0, elsewhere = situation->elsewhere.listeners > 0;
	(void)pthread_mutex_lock(&pump->lock);
	struct own *own = pump->own;
	if (own != NULL && (here != own->here || elsewhere != own->elsewhere)) {
		own->here = here;
		own->elsewhere = elsewhere;
		own->news = true;
		(void)pthread_cond_signal(&own->change);
	}
	(void)pthread_mutex_unlock(&pump->lock);
}

/* As `changed`, from the keeper. */
static void lost(struct pump *pump, const char *host, const char *instance)
{
	(void)pthread_mutex_lock(&pump->lock);
	struct own *own = pump->own;
	struct lost *one = own != NULL ? malloc(sizeof *one) : NULL;
	if (one != NULL) {
		(void)snprintf(one->inboxes, sizeof one->inboxes, "madang.%s.i.%s.c.%s.",
		               pump->bridge->link->group, host, instance);
		one->next = own->lost;
		own->lost = one;
		own->news = true;
		(void)pthread_cond_signal(&own->change);
	}
	(void)pthread_mutex_unlock(&pump->lock);
}

/* ---- what is between here and NATS ------------------------------------------ */

static int begin(struct pump *pump, struct call **ret_call)
{
	static _Atomic uint32_t serial;
	char subject[SUBJECT_ROOM], inbox[SUBJECT_ROOM], inboxes[SUBJECT_ROOM];
	const struct bridge *bridge = pump->bridge;
	link_subject(bridge->link, subject, 'c', pump->token, NULL);
	(void)snprintf(inboxes, sizeof inboxes, "madang.%s.i.", bridge->link->group);
	int length =
		snprintf(inbox, sizeof inbox, "%s%s.c.%s.%" PRIu32 ".%s", inboxes, bridge->host,
	                 bridge->instance, atomic_fetch_add(&serial, 1), pump->token);
	if (length < 0 || length >= (int)sizeof inbox)
		return -ENAMETOOLONG;
	struct call_setup setup = { .connection = bridge->link->connection,
		                    .ns = bridge->ns,
		                    .channel = pump->channel,
		                    .subject = subject,
		                    .inbox = inbox,
		                    .inboxes = inboxes,
		                    .directions =
		                            pump->ops->direction == BRIDGE_IN ? CALL_IN : CALL_OUT,
		                    .counted = counted,
		                    .context = pump };
	return call_start(ret_call, &setup);
}

static void tell(struct pump *pump, const struct call_counts *now, struct call_counts *told)
{
	uint64_t done = now->answered + now->served, before = told->answered + told->served;
	pump_count(pump, done - before, 0, 0);
	pump_in_flight(pump, now->out + now->in);
	if (now->died != told->died || now->given_up != told->given_up)
		log_event(LOG_DEBUG, "calls",
		          "channel=\"%s\" asked=%" PRIu64 " answered=%" PRIu64 " died=%" PRIu64
		          " given-up=%" PRIu64 " again=%" PRIu64,
		          pump->channel, now->asked, now->answered, now->died, now->given_up,
		          now->again);
	*told = *now;
}

static void update(struct pump *pump, const struct own *now)
{
	bool active = pump->ops->direction == BRIDGE_IN ? now->here : now->elsewhere && !now->here;
	for (const struct lost *one = now->lost; one != NULL; one = one->next)
		call_lost(now->call, one->inboxes);
	call_update(now->call, now->here, now->elsewhere);
	pump_state(pump, active ? BRIDGE_MOVING : BRIDGE_IDLE, "");
}

static void free_lost(struct lost *lost)
{
	while (lost != NULL) {
		struct lost *next = lost->next;
		free(lost);
		lost = next;
	}
}

/* Until the pump is stopped, or the channel is of no use. */
static int run_on(struct pump *pump, struct own *own)
{
	struct call_counts now = { .error = 0 }, told = now;
	uint64_t next = 0; /* when figures are due */
	struct own copy = { .call = NULL };
	while (!pump_stopping(pump) && now.error == 0) {
		(void)pthread_mutex_lock(&pump->lock);
		while (!own->news && !pump_stopping(pump) && (!own->counted || call_now() < next))
			call_wait_until(&own->change, &pump->lock,
			                own->counted ? next : MDG_FOREVER);
		copy = *own;
		own->news = own->counted = false;
		own->lost = NULL;
		(void)pthread_mutex_unlock(&pump->lock);
		if (copy.news)
			update(pump, &copy);
		free_lost(copy.lost);
		next = call_now() + FIGURES_MS * CALL_MS;
		call_look(own->call, &now);
		tell(pump, &now, &told);
	}
	return now.error;
}

static int run(struct pump *pump)
{
	struct own own = { .news = true };
	int rc = call_condition(&own.change);
	if (rc < 0)
		return rc;
	rc = begin(pump, &own.call);
	if (rc < 0) {
		(void)pthread_cond_destroy(&own.change);
		return rc;
	}
	(void)pthread_mutex_lock(&pump->lock);
	pump->own = &own;
	(void)pthread_mutex_unlock(&pump->lock);
	bridge_wake(pump->bridge);
	rc = run_on(pump, &own);
	(void)pthread_mutex_lock(&pump->lock);
	pump->own = NULL;
	(void)pthread_mutex_unlock(&pump->lock);
	free_lost(own.lost);
	call_stop(own.call, rc == 0 ? GRACE : 0);
	(void)pthread_cond_destroy(&own.change);
	return rc;
}

const struct pump_ops pump_call_out = { .kind = MDG_CALL,
	                                .direction = BRIDGE_OUT,
	                                .wanted = wants_out,
	                                .run = run,
	                                .wake = wake,
	                                .changed = changed,
	                                .lost = lost };
const struct pump_ops pump_call_in = { .kind = MDG_CALL,
	                               .direction = BRIDGE_IN,
	                               .wanted = wants_in,
	                               .run = run,
	                               .wake = wake,
	                               .changed = changed,
	                               .lost = lost };
