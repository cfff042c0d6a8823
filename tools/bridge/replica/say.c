/* SPDX-License-Identifier: MIT */
/*
 * say.c - what the thread of a replica says of itself: in the log, and in the status of the bridge.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "replica/replica.h"

enum { QUIET_MS = 2000 }; /* no two lines of one kind come faster */
#define TELL_NS UINT64_C(1000000000)

void replica_state(struct replica *r, enum bridge_replica_state state, const char *why)
{
	struct bridge_replica_row *row = status_replica_write(r->row);

	row->state = (uint32_t)state;
	(void)snprintf(row->error, sizeof row->error, "%s", why);
	status_replica_written(r->row);
}

/* Where what was said last of this kind is kept. `what` is a literal. */
static struct said *place_of(struct replica *r, const char *what)
{
	struct said *oldest = &r->said[0];

	for (size_t i = 0; i < sizeof r->said / sizeof *r->said; i++) {
		struct said *said = &r->said[i];

		if (said->what && strcmp(said->what, what) == 0)
			return said;
		if (!said->what || (oldest->what && said->at < oldest->at))
			oldest = said;
	}
	*oldest = (struct said){ .what = what, .at = -QUIET_MS };
	return oldest;
}

void replica_say(struct replica *r, const char *what, const char *why, const char *advice)
{
	struct said *said = place_of(r, what);
	int64_t now = bridge_now();

	if (strncmp(said->why, why, sizeof said->why - 1) == 0 || now - said->at < QUIET_MS)
		return;
	(void)snprintf(said->why, sizeof said->why, "%s", why);
	said->at = now;
	log_event(LOG_WARN, what, "segment=\"%s\" error=\"%s\" advice=\"%s\"", r->name, why,
	          advice);
}

void replica_trouble(struct replica *r, const char *what, const char *why)
{
	char text[BRIDGE_ERROR_ROOM];

	replica_say(r, what, why, "it tries again");
	(void)snprintf(text, sizeof text, "%s: %s", what, why);
	replica_state(r, BRIDGE_REPLICA_HELD, text);
}

void replica_fine(struct replica *r)
{
	for (size_t i = 0; i < sizeof r->said / sizeof *r->said; i++)
		r->said[i].why[0] = '\0';
	replica_state(r, BRIDGE_REPLICA_MOVING, "");
}

void replica_sleep(struct replica *r, int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	/* The signal that ends a thread ends the pause. */
	if (!atomic_load(&r->stop))
		(void)nanosleep(&pause, NULL);
}

bool replica_is_gone(struct replica *r)
{
	struct mdg_replica_info info = { .size = sizeof info };
	struct mdg_segment_info segment = { .size = sizeof segment };
	int rc;

	if (mdg_replica_wait(r->handle, UINT64_MAX, 0, NULL) == -EIDRM)
		return true;
	if (mdg_replica_look(r->handle, &info) != 0)
		return false;
	rc = mdg_segment_stat(r->bridge->ns, info.id, MDG_STAT_ANY, &segment);
	if (rc == 0 ? (segment.mode & MDG_MODE_REMOVED) == 0 : rc != -EINVAL && rc != -EIDRM)
		return false;
	/* Who removes the segment itself tells nobody. So we tell all who have it open. */
	return mdg_replica_set_role(r->handle, MDG_REPLICA_ALONE, 0, 0, mdg_deadline(TELL_NS)) ==
	       -EIDRM;
}
