/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - the main thread: waits for whatever can change what has to cross, and looks again.
 *
 * It sleeps in poll until a signal comes, something is made or removed in the namespace's
 * directory, a peer of a channel or another host has changed (bridge->wake), or the next
 * heartbeat is due.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "keeper.h"
#include "link/link.h"
#include "watch/absent.h"
#include "watch/beat.h"

/* libnats makes its subscriptions anew first, and is left alone while it does. */
enum { SETTLE_MS = 200 };
enum { WALK_AGAIN_MS = 200, WALK_ANYWAY_MS = 60000 };
/* So long a bridge of the same name has to say that the name is taken, before anything moves. */
enum { NAME_MS = 200 };
struct keeper {
	struct bridge *bridge;
	struct entry *entries;
	struct beat beat;
	struct absent absent;
	int signals, directory;
	struct stat was;  /* the directory */
	int64_t wake_at;  /* of pumps, after the connection was made again; 0: never */
	int64_t begin_at; /* before that nothing moves */
	int64_t walk_at;
	int walk_pause; /* to the next walk: longer each time that nothing was made */
	bool ending;
	int trouble; /* an exit code */
};

static struct entry *find(struct keeper *k, const char *name)
{
	for (struct entry *e = k->entries; e; e = e->next)
		if (strcmp(e->name, name) == 0)
			return e;
	return NULL;
}

static bool may_cross(struct bridge *bridge, const char *name)
{
	return rules_allow(bridge->rules, name, BRIDGE_OUT) ||
	       rules_allow(bridge->rules, name, BRIDGE_IN);
}

static void enter(struct keeper *k, const char *name)
{
	struct entry *entry = entry_open(k->bridge, name);

	if (entry) {
		entry->next = k->entries;
		k->entries = entry;
	}
}

/* Somebody has removed all of the namespace. What is there under its name now is another one. */
static bool is_gone(const struct keeper *k)
{
	struct stat now;

	if (stat(k->bridge->directory, &now) == 0)
		return now.st_ino != k->was.st_ino || now.st_dev != k->was.st_dev;
	return errno == ENOENT || errno == ENOTDIR;
}

/* Finds channels that are new here. */
static void walk(struct keeper *k)
{
	struct mdg_channel_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	int rc;

	if (is_gone(k)) {
		if (!k->trouble)
			log_event(LOG_ERROR, "namespace-gone", "namespace=\"%s\"",
			          k->bridge->directory);
		k->trouble = BRIDGE_TROUBLE;
		return;
	}
	while ((rc = mdg_channel_next(k->bridge->ns, &cursor, &info)) == 1)
		if (may_cross(k->bridge, info.name) && !find(k, info.name))
			enter(k, info.name);
	if (rc < 0)
		log_event(LOG_WARN, "no-walk", "error=\"%s\"", mdg_strerror(rc));
}

static bool is_here(void *context, const char *name)
{
	return find(context, name) != NULL;
}

static void enter_made(void *context, const char *name)
{
	enter(context, name);
}

/* A channel that is just made may not be ready yet. On a machine that has much to do that can last,
 * so there are several walks. */
static void walk_soon(struct keeper *k)
{
	k->walk_pause = WALK_AGAIN_MS;
	k->walk_at = bridge_now() + k->walk_pause;
}

/* All pumps are told to end before the first of them is waited for. */
static void close_all(struct entry *entries)
{
	for (struct entry *e = entries; e; e = e->next)
		entry_end(e);
	while (entries) {
		struct entry *entry = entries;

		entries = entry->next;
		entry_close(entry);
	}
}

static void review(struct keeper *k)
{
	struct entry **at = &k->entries, *gone = NULL;

	while (*at) {
		struct entry *entry = *at;

		if (may_cross(k->bridge, entry->name) && entry_review(entry)) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		entry->next = gone;
		gone = entry;
		absent_leave_alone(&k->absent, entry->name);
		walk_soon(k); /* it may have been made again */
	}
	close_all(gone);
}

/* The server may have lost what the group knows, or somebody may have changed it there. */
static void ask_again(struct keeper *k)
{
	absent_retry(&k->absent);
	for (struct entry *e = k->entries; e; e = e->next)
		entry_ask_again(e);
}

/* ---- what happens ----------------------------------------------------------- */

static void reload(struct keeper *k)
{
	struct rules_words words;
	struct rules *rules;

	if (rules_make(&rules, &k->bridge->options->rules, &words) != 0) {
		log_event(LOG_ERROR, "rules-not-read",
		          "error=\"%s; the old rules stay\" advice=\"%s\"", words.wrong,
		          words.advice);
		return;
	}
	rules_free(k->bridge->rules); /* nobody else looks at them */
	k->bridge->rules = rules;
	log_event(LOG_INFO, "rules-read", "rules=%zu", rules_count(rules));
	k->walk_at = 0;
	ask_again(k);
}

static void take_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			reload(k);
			continue;
		}
		log_event(LOG_INFO, "ending", "signal=%s",
		          info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
		k->ending = true;
	}
}

static void take_directory(struct keeper *k)
{
	_Alignas(struct inotify_event) char events[4096];

	while (read(k->directory, events, sizeof events) > 0)
		;
	walk(k);
	walk_soon(k);
}

static int64_t earliest(struct keeper *k, int64_t when)
{
	if (bridge_now() < k->begin_at)
		return k->begin_at;
	if (k->absent.when < when)
		when = k->absent.when;
	if (k->walk_at < when)
		when = k->walk_at;
	if (k->wake_at && k->wake_at < when)
		when = k->wake_at;
	for (struct entry *e = k->entries; e; e = e->next)
		if (entry_when(e) < when)
			when = entry_when(e);
	return when;
}

static void wait_for_news(struct keeper *k, int64_t until)
{
	struct pollfd fds[4] = {
		{ .fd = k->signals, .events = POLLIN },
		{ .fd = k->directory, .events = POLLIN },
		{ .fd = k->bridge->wake, .events = POLLIN },
		{ .fd = k->bridge->server },
	};
	int64_t left = until - bridge_now();
	uint64_t count;

	if (poll(fds, 4, left < 0 ? 0 : (int)left) <= 0)
		return;
	if (fds[0].revents)
		take_signals(k);
	if (fds[1].revents)
		take_directory(k);
	if (fds[2].revents)
		(void)!read(k->bridge->wake, &count, sizeof count);
	if (fds[3].revents) {
		log_event(LOG_ERROR, "server-ended",
		          "why=\"the server that this bridge started has ended\"");
		k->trouble = BRIDGE_TROUBLE;
	}
}

static void tell_of_loss(void *context, const char *host, const char *instance)
{
	struct keeper *k = context;

	for (struct entry *e = k->entries; e; e = e->next)
		entry_lost(e, host, instance);
}

static void look_again(struct keeper *k)
{
	if (atomic_exchange(&k->bridge->reconnected, false)) {
		k->wake_at = bridge_now() + SETTLE_MS;
		ask_again(k);
	}
	if (atomic_exchange(&k->bridge->remade, false))
		ask_again(k);
	if (k->wake_at && bridge_now() >= k->wake_at) {
		k->wake_at = 0;
		for (struct entry *e = k->entries; e; e = e->next)
			entry_wake(e);
	}
	(void)elsewhere_forget(k->bridge->elsewhere, tell_of_loss, k);
	if (bridge_now() >= k->walk_at) {
		k->walk_pause =
			k->walk_pause * 4 < WALK_ANYWAY_MS ? k->walk_pause * 4 : WALK_ANYWAY_MS;
		k->walk_at = bridge_now() + k->walk_pause;
		walk(k);
	}
	absent_make(&k->absent, k->bridge, is_here, enter_made, k);
	review(k);
}

static int open_eyes(struct keeper *k)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	k->directory = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (k->signals >= 0 && k->directory >= 0 && stat(k->bridge->directory, &k->was) == 0 &&
	    inotify_add_watch(k->directory, k->bridge->directory,
	                      IN_CREATE | IN_MOVED_TO | IN_DELETE) >= 0)
		return 0;
	log_event(LOG_ERROR, "no-watch", "directory=\"%s\" error=\"%s\"", k->bridge->directory,
	          strerror(errno));
	return BRIDGE_TROUBLE;
}

static void work(struct keeper *k)
{
	int64_t when = k->begin_at;

	if (bridge_now() >= k->begin_at) {
		look_again(k);
		when = beat_send(&k->beat, k->entries);
	}
	wait_for_news(k, earliest(k, when));
}

int keeper_run(struct bridge *bridge)
{
	struct keeper k = {
		.bridge = bridge, .walk_pause = WALK_AGAIN_MS, .signals = -1, .directory = -1
	};
	int rc = open_eyes(&k), wrong = beat_start(&k.beat, bridge);

	rc = rc ? rc : wrong;
	k.begin_at = bridge_now() + NAME_MS;
	beat_word(bridge, "alive"); /* a bridge of the same name answers */
	while (rc == 0 && !k.ending) {
		work(&k);
		rc = k.trouble ? k.trouble : atomic_load(&bridge->refused);
	}
	status_link(bridge->status, BRIDGE_ENDING, NULL, link_reconnects(bridge->link), NULL);
	close_all(k.entries);
	beat_bye(&k.beat);
	absent_retry(&k.absent);
	(void)close(k.signals);
	(void)close(k.directory);
	return rc;
}
