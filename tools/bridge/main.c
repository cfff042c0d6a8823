/* SPDX-License-Identifier: MIT */
/*
 * main.c - madang-bridge: carries channels and segments of Madang between hosts, through NATS.
 *
 * It opens the namespace, says in a segment that it is there, connects, and lets the keeper work
 * until a signal ends it. What goes wrong is in the log, and the exit code says of what kind it is
 * (base/options.h).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "bridge.h"
#include "keeper.h"
#include "link/link.h"
#include "pump/thread.h"
#include "replica/replica.h"
#include "server/server.h"
#include "status/print.h"
#include "watch/elsewhere.h"

enum { LEAVING_MS = 1000 };

static int complain(const char *what, int rc, const char *advice)
{
	if (advice)
		log_event(LOG_ERROR, what, "error=\"%s\" advice=\"%s\"", mdg_strerror(rc), advice);
	else
		log_event(LOG_ERROR, what, "error=\"%s\"", mdg_strerror(rc));
	return BRIDGE_TROUBLE;
}

static void block_signals(void)
{
	sigset_t set = bridge_ending_signals();

	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	thread_prepare();
}

/* Who we are: a name for this run that nobody else has. */
static int name_ourselves(struct bridge *bridge)
{
	unsigned char random[16];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -errno;
	for (size_t i = 0; i < sizeof random; i++)
		(void)snprintf(bridge->instance + 2 * i, 3, "%02x", random[i]);
	return token_make(bridge->host, sizeof bridge->host, bridge->options->host);
}

/* Why the segment madang-bridge cannot be had. */
static const char *status_advice(int rc)
{
	if (rc == MDG_UNLIKE_TYPE)
		return "other programs use a segment named madang-bridge";
	if (rc == -EACCES || rc == -EPERM)
		return "another user has the segment madang-bridge; one bridge serves a namespace";
	return NULL;
}

/* To a person at a terminal, before there is a log. */
static int say(const char *wrong, const char *advice, int code)
{
	(void)fprintf(stderr, "madang-bridge: %s\n", wrong);
	if (advice[0])
		(void)fprintf(stderr, "  %s\n", advice);
	return code;
}

/* A bridge that was killed a moment ago may not have quite ended yet: so not at the first try. */
static int say_that_we_are_here(struct bridge *bridge)
{
	int rc = -EBUSY;

	for (int i = 0; rc == -EBUSY && i < LEAVING_MS / 50; i++) {
		if (i > 0 && bridge_wait_or_end(bridge, 50))
			break;
		rc = status_open(&bridge->status, bridge->ns, bridge->options->host,
		                 bridge->options->group);
	}
	return rc;
}

static int open_here(struct bridge *bridge)
{
	const char *dir = bridge->options->namespace_dir;
	int rc = name_ourselves(bridge);

	if (rc == 0 && dir)
		(void)snprintf(bridge->directory, sizeof bridge->directory, "%s", dir);
	else if (rc == 0)
		rc = mdg_namespace_default_path(bridge->directory, sizeof bridge->directory);
	if (rc == 0)
		rc = mdg_namespace_open(&bridge->ns, dir, NULL);
	if (rc != 0) {
		log_event(LOG_ERROR, "no-namespace", "namespace=\"%s\" error=\"%s\" advice=\"%s\"",
		          bridge->directory, mdg_strerror(rc),
		          rc == -ENOENT ? "the directory above it has to exist"
		                        : "'madang doctor' says more");
		return BRIDGE_TROUBLE;
	}
	bridge->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bridge->wake < 0)
		return complain("no-eventfd", -errno, NULL);
	rc = say_that_we_are_here(bridge);
	if (rc == -EBUSY) {
		log_event(LOG_ERROR, "other-bridge",
		          "namespace=\"%s\" advice=\"madang-bridge --status "
		          "shows the bridge that runs here\"",
		          bridge->directory);
		return BRIDGE_OTHER;
	}
	return rc == 0 ? 0 : complain("no-status", rc, status_advice(rc));
}

static int run(struct bridge *bridge)
{
	struct replica *replicas = NULL;
	int rc = open_here(bridge);

	if (rc == 0)
		rc = link_open(&bridge->link, bridge);
	if (rc == 0)
		rc = elsewhere_open(&bridge->elsewhere, bridge);
	if (rc == 0 && replicas_start(&replicas, bridge) != 0)
		rc = BRIDGE_TROUBLE;
	if (rc == 0)
		rc = keeper_run(bridge);
	replicas_end(replicas);
	elsewhere_close(bridge->elsewhere);
	link_close(bridge->link);
	status_close(bridge->status);
	mdg_namespace_close(bridge->ns);
	rc = rc < 0 ? BRIDGE_OK : rc; /* it was asked to end before it was connected */
	log_event(LOG_INFO, "ended", "exit=%d", rc);
	return rc;
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct server server;
	struct bridge bridge = {
		.options = &options, .wake = -1, .server = -1, .began = bridge_now()
	};
	struct rules_words words;
	int rc = options_parse(&options, argc, argv);

	if (rc >= 0)
		return rc;
	if (options.status)
		return status_print(options.namespace_dir, options.json);
	if (rules_make(&bridge.rules, &options.rules, &words) != 0)
		return say(words.wrong, words.advice, BRIDGE_USAGE);
	block_signals();
	if (options.with_server) {
		if (server_start(&server, options.store) != 0)
			return say(server.wrong, server.advice, BRIDGE_TROUBLE);
		options.security.url = server.url;
		bridge.server = server.news;
		log_event(LOG_INFO, "server-started",
		          "url=%s store=\"%s\" join=\"madang bridge --url %s\"", server.url,
		          options.store ? options.store : "(gone at the end)", server.url);
	}
	rc = run(&bridge);
	if (options.with_server)
		server_end(&server);
	rules_free(bridge.rules);
	return rc;
}
