/* SPDX-License-Identifier: MIT */
/*
 * pump.c - the thread of a pump, its state, and its figures.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "pump/pump.h"
#include "pump/thread.h"
#include "status/read.h"

const struct pump_ops *pump_find(uint32_t kind, enum bridge_direction direction)
{
#define PUMP(name) &pump_##name,
	static const struct pump_ops *const all[] = { PUMPS(PUMP) NULL };
#undef PUMP

	for (size_t i = 0; all[i]; i++)
		if (all[i]->kind == kind && all[i]->direction == direction)
			return all[i];
	return NULL;
}

void pump_sleep(struct pump *pump, unsigned ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	if (!pump_stopping(pump))
		(void)nanosleep(&pause, NULL); /* the signal that stops pumps ends it */
}

static bool says_something_new(struct bridge_row *figures, enum bridge_row_state state,
                               const char *why)
{
	return figures->state != (uint32_t)state ||
	       (why && why[0] && strncmp(figures->error, why, sizeof figures->error - 1) != 0);
}

static void say_state(const struct pump *pump, enum bridge_row_state state, const char *why)
{
	enum log_level level = state == BRIDGE_FAILED ? LOG_ERROR
	                       : state == BRIDGE_HELD ? LOG_WARN
	                                              : LOG_INFO;
	const char *direction = bridge_direction_word(pump->ops->direction);
	char event[32];

	(void)snprintf(event, sizeof event, "pump-%s", bridge_row_word(state));
	if (why[0])
		log_event(level, event, "channel=\"%s\" direction=%s why=\"%s\"", pump->channel,
		          direction, why);
	else
		log_event(level, event, "channel=\"%s\" direction=%s", pump->channel, direction);
}

void pump_state(struct pump *pump, enum bridge_row_state state, const char *why)
{
	struct bridge_row *figures = status_write(pump->row);
	bool news = says_something_new(figures, state, why);

	figures->state = state;
	figures->retries += state == BRIDGE_HELD;
	if (why)
		(void)snprintf(figures->error, sizeof figures->error, "%s", why);
	status_written(pump->row);
	if (news)
		say_state(pump, state, why ? why : "");
}

void pump_count(struct pump *pump, uint64_t messages, uint64_t repeats, uint64_t bytes)
{
	struct bridge_row *figures = status_write(pump->row);

	if (pump->ops->direction == BRIDGE_OUT)
		figures->sent += messages;
	else
		figures->received += messages;
	figures->repeats += repeats;
	figures->bytes += bytes;
	figures->in_flight = 0;
	status_written(pump->row);
}

void pump_dropped(struct pump *pump)
{
	status_write(pump->row)->dropped++;
	status_written(pump->row);
}

void pump_missed(struct pump *pump, uint64_t packs)
{
	status_write(pump->row)->missed += packs;
	status_written(pump->row);
}

void pump_in_flight(struct pump *pump, uint64_t messages)
{
	struct bridge_row *figures = status_write(pump->row);

	figures->in_flight = messages;
	status_written(pump->row);
}

void pump_next(struct pump *pump, uint64_t next)
{
	status_write(pump->row)->next = next;
	status_written(pump->row);
}

void pump_lag(struct pump *pump, uint64_t messages)
{
	status_write(pump->row)->lag = messages;
	status_written(pump->row);
}

static void *body(void *argument)
{
	struct pump *pump = argument;
	int rc;

	pump_state(pump, BRIDGE_MOVING, "");
	rc = pump->ops->run(pump);
	if (rc < 0 && !pump_stopping(pump))
		pump_state(pump, rc == -EIDRM ? BRIDGE_IDLE : BRIDGE_FAILED, mdg_strerror(rc));
	atomic_store(&pump->result, rc);
	atomic_store(&pump->ended, true);
	bridge_wake(pump->bridge);
	return NULL;
}

int pump_start(struct pump **ret, struct bridge *bridge, const struct pump_ops *ops,
               const struct mdg_channel_info *info, const char *token, struct status_row *row,
               _Atomic uint64_t *stream, struct pump_turn *turn)
{
	struct pump *pump = calloc(1, sizeof *pump);
	int rc;

	if (!pump)
		return -ENOMEM;
	pump->bridge = bridge;
	pump->ops = ops;
	atomic_store(&pump->waits, ops->waits);
	pump->info = *info;
	(void)snprintf(pump->channel, sizeof pump->channel, "%s", info->name);
	(void)snprintf(pump->token, sizeof pump->token, "%s", token);
	(void)pthread_mutex_init(&pump->lock, NULL);
	pump->row = row;
	pump->stream = stream;
	pump->turn = turn;
	rc = thread_start(&pump->thread, body, pump);
	if (rc != 0) {
		(void)pthread_mutex_destroy(&pump->lock);
		free(pump);
		return rc;
	}
	*ret = pump;
	return 0;
}

bool pump_end(struct pump *pump)
{
	atomic_store(&pump->stop, true);
	if (atomic_load(&pump->ended))
		return true;
	if (pump->ops->wake)
		pump->ops->wake(pump);
	(void)pthread_kill(pump->thread, THREAD_SIGNAL);
	return false;
}

void pump_stop(struct pump *pump)
{
	const struct timespec pause = { .tv_nsec = 2 * 1000000L };

	if (!pump)
		return;
	/* Again and again: one that is about to begin a wait would miss the first call. */
	while (!pump_end(pump))
		(void)nanosleep(&pause, NULL);
	(void)pthread_join(pump->thread, NULL);
	(void)pthread_mutex_destroy(&pump->lock);
	free(pump);
}
