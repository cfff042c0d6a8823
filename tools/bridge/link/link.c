/* SPDX-License-Identifier: MIT */
/*
 * link.c - makes the connection, and tells log, status and keeper when it is lost or regained.
 *
 * The bridge tries for ever: a server that is away for a day finds the bridge again. Nothing is
 * buffered by libnats while there is no connection (a publish fails, and is tried again by its
 * pump), so memory stays bounded and no message is sent twice by two layers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "bridge.h"
#include "link/link.h"
#include "link/retire.h"

enum { RETRY_MS = 1000, PING_MS = 5000, PINGS_OUT = 2, JETSTREAM_MS = 2000 };
enum { UNSURE_MAX = 4, UNSURE_MS = 250 };

void link_subject(const struct link *link, char ret[SUBJECT_ROOM], char kind, const char *name,
                  const char *host)
{
	(void)snprintf(ret, SUBJECT_ROOM, "madang.%s.%c.%s%s%s", link->group, kind, name,
	               host ? "." : "", host ? host : "");
}

const char *link_words(natsStatus status)
{
	const char *last = nats_GetLastError(NULL);

	return last && last[0] ? last : natsStatus_GetText(status);
}

bool link_is_up(const struct link *link)
{
	return natsConnection_Status(link->connection) == NATS_CONN_STATUS_CONNECTED;
}

int64_t link_max_payload(const struct link *link)
{
	return natsConnection_GetMaxPayload(link->connection);
}

static uint64_t reconnects_of(natsConnection *connection)
{
	uint64_t reconnects = 0;
	natsStatistics *statistics = NULL;

	if (natsStatistics_Create(&statistics) == NATS_OK) {
		if (natsConnection_GetStats(connection, statistics) == NATS_OK)
			(void)natsStatistics_GetCounts(statistics, NULL, NULL, NULL, NULL,
			                               &reconnects);
		natsStatistics_Destroy(statistics);
	}
	return reconnects;
}

uint64_t link_reconnects(const struct link *link)
{
	return reconnects_of(link->connection);
}

/* From callbacks, too: what libnats brings is the connection. */
static void note(struct link *link, natsConnection *connection, enum bridge_state state)
{
	char url[BRIDGE_URL_ROOM] = "";
	const char *last = "";

	if (state == BRIDGE_CONNECTED)
		(void)natsConnection_GetConnectedUrl(connection, url, sizeof url);
	else
		(void)natsConnection_GetLastError(connection, &last);
	if (state == BRIDGE_CONNECTED)
		log_event(LOG_INFO, "connected", "url=%s reconnects=%" PRIu64, url,
		          reconnects_of(connection));
	else if (last && last[0])
		log_event(LOG_WARN, "cut-off", "error=\"%s\"", last);
	else
		log_event(LOG_WARN, "cut-off", "error=\"%s\"",
		          last = "the server closed the connection");
	status_link(link->bridge->status, state, state == BRIDGE_CONNECTED ? url : NULL,
	            reconnects_of(connection), state == BRIDGE_CONNECTED ? "" : last);
}

static void on_disconnected(natsConnection *connection, void *closure)
{
	struct link *link = closure;

	if (atomic_load(&link->open) && !atomic_load(&link->closing)) {
		note(link, connection, BRIDGE_CUT_OFF);
		bridge_wake(link->bridge);
	}
}

static void on_reconnected(natsConnection *connection, void *closure)
{
	struct link *link = closure;

	note(link, connection, BRIDGE_CONNECTED);
	atomic_store(&link->bridge->reconnected, true);
	bridge_wake(link->bridge);
}

/* The rights are too few. The bridge goes on with what it may do: a member of the group must not be
 * able to end it by a reply subject that is denied. At most one line a second. */
static void say_denied(struct link *link, const char *last)
{
	int64_t now = bridge_now();

	if (now - link->denied_said < 1000)
		return;
	link->denied_said = now;
	log_event(LOG_ERROR, "denied",
	          "words=\"%s\" advice=\"the server gives this user too few rights for it; "
	          "contrib/nats/madang.conf has those that a bridge needs\"",
	          last);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *closure)
{
	const char *last = "";

	(void)subscription;
	(void)natsConnection_GetLastError(connection, &last);
	if (status == NATS_NOT_PERMITTED)
		say_denied(closure, last ? last : "");
	else
		log_event(LOG_WARN, "server-error", "status=\"%s\" words=\"%s\"",
		          natsStatus_GetText(status), last ? last : "");
}

static int say(const struct security_words *words, int code);

/* libnats gives up for good when the server refuses us as it did before: our user was taken away,
 * or its password was changed. What comes after would wait for ever, so the bridge ends. It is the
 * last callback. */
static void on_closed(natsConnection *connection, void *closure)
{
	struct link *link = closure;
	struct security_words words = { .wrong = "" };
	const char *last = "";

	if (!atomic_load(&link->closing)) {
		natsStatus status = natsConnection_GetLastError(connection, &last);
		int code = security_explain(&link->bridge->options->security, status, last, &words);

		atomic_store(&link->bridge->refused, say(&words, code));
		bridge_wake(link->bridge);
	}
	(void)sem_post(&link->closed);
}

static int say(const struct security_words *words, int code)
{
	if (words->advice[0])
		log_event(LOG_ERROR, "no-connection", "error=\"%s\" advice=\"%s\"", words->wrong,
		          words->advice);
	else
		log_event(LOG_ERROR, "no-connection", "error=\"%s\"", words->wrong);
	return code;
}

static natsStatus set_options(struct link *l)
{
	natsOptions *o = l->options;
	natsStatus s = NATS_OK;

#define SET(call)                                                                                  \
	do {                                                                                       \
		if (s == NATS_OK)                                                                  \
			s = (call);                                                                \
	} while (0)
	SET(natsOptions_SetName(o, "madang-bridge"));
	SET(natsOptions_SetSendAsap(o, true));
	SET(natsOptions_SetMaxReconnect(o, -1));
	SET(natsOptions_SetReconnectWait(o, 250));
	SET(natsOptions_SetReconnectJitter(o, 100, 100));
	SET(natsOptions_SetReconnectBufSize(o, 1)); /* nothing is kept: see above */
	SET(natsOptions_SetPingInterval(o, PING_MS));
	SET(natsOptions_SetMaxPingsOut(o, PINGS_OUT));
	SET(natsOptions_SetTimeout(o, 5000));
	SET(natsOptions_SetFailRequestsOnDisconnect(o, true));
	SET(natsOptions_SetCustomInboxPrefix(o, l->inboxes));
	SET(natsOptions_SetDisconnectedCB(o, on_disconnected, l));
	SET(natsOptions_SetReconnectedCB(o, on_reconnected, l));
	SET(natsOptions_SetClosedCB(o, on_closed, l));
	SET(natsOptions_SetErrorHandler(o, on_error, l));
#undef SET
	return s;
}

static bool say_away(struct link *l, const char *wrong)
{
	log_event(LOG_WARN, "no-server", "error=\"%s\" next=\"trying again\"", wrong);
	status_link(l->bridge->status, BRIDGE_CUT_OFF, NULL, 0, wrong);
	return true;
}

/* Tries until somebody is there. A server that comes or goes just then may seem to be one that does
 * not want us: what may be either has to be so several times in a row. */
static int connect_at_last(struct link *l)
{
	const struct security *security = &l->bridge->options->security;
	struct security_words words = { .wrong = "" };
	unsigned unsure = 0;
	bool said = false;
	natsStatus s;

	while ((s = natsConnection_Connect(&l->connection, l->options)) != NATS_OK) {
		const char *last = nats_GetLastError(NULL);
		int code = security_explain(security, s, last, &words);
		bool is_unsure = security_is_unsure(s, last);

		unsure = is_unsure ? unsure + 1 : 0;
		if (!security_may_pass(s) && (!is_unsure || unsure >= UNSURE_MAX))
			return say(&words, code);
		said = said || say_away(l, words.wrong);
		if (bridge_wait_or_end(l->bridge, is_unsure ? UNSURE_MS : RETRY_MS))
			return -1;
	}
	atomic_store(&l->open, true);
	return 0;
}

/* A question to a JetStream that does not answer (three servers without a leader) ends soon: the
 * keeper asks some itself, and has other things to do. */
static natsStatus open_jetstream(struct link *l)
{
	jsOptions options;
	natsStatus s = jsOptions_Init(&options);

	options.Wait = JETSTREAM_MS;
	return s == NATS_OK ? natsConnection_JetStream(&l->js, l->connection, &options) : s;
}

int link_open(struct link **ret, struct bridge *bridge)
{
	struct link *l = calloc(1, sizeof *l);
	struct security_words words = { .wrong = "" };
	natsStatus s;
	int code;

	if (!l)
		return say(&(struct security_words){ .wrong = "no memory" }, BRIDGE_TROUBLE);
	l->bridge = bridge;
	(void)sem_init(&l->closed, 0, 0);
	l->group = bridge->options->group;
	/* Calls have inboxes of their own, `c`, into which other hosts may publish. */
	(void)snprintf(l->inboxes, sizeof l->inboxes, "madang.%s.i.%s.j", l->group, bridge->host);
	s = natsOptions_Create(&l->options);
	code = s == NATS_OK ? security_apply(l->options, &bridge->options->security, &words) : 0;
	if (code == 0 && words.warning[0])
		log_event(LOG_WARN, "security", "words=\"%s\"", words.warning);
	if (s == NATS_OK && code == 0)
		s = set_options(l);
	if (s != NATS_OK) {
		(void)snprintf(words.wrong, sizeof words.wrong, "%s", link_words(s));
		code = BRIDGE_TROUBLE;
	}
	code = code ? say(&words, code) : connect_at_last(l);
	if (code == 0 && (s = open_jetstream(l)) != NATS_OK) {
		(void)snprintf(words.wrong, sizeof words.wrong, "JetStream: %s", link_words(s));
		code = say(&words, BRIDGE_TROUBLE);
	}
	if (code != 0) {
		link_close(l);
		return code;
	}
	note(l, l->connection, BRIDGE_CONNECTED);
	*ret = l;
	return 0;
}

void link_close(struct link *link)
{
	if (!link)
		return;
	atomic_store(&link->closing, true);
	if (link->connection) {
		(void)natsConnection_FlushTimeout(link->connection, 500);
		natsConnection_Close(link->connection);
		/* Callbacks have the link: it goes after the last of them. */
		while (sem_wait(&link->closed) != 0 && errno == EINTR)
			continue;
		subscriptions_free();
	}
	(void)sem_destroy(&link->closed);
	jsCtx_Destroy(link->js);
	natsConnection_Destroy(link->connection);
	natsOptions_Destroy(link->options);
	free(link);
}
