/* SPDX-License-Identifier: MIT */
/*
 * probe.c - connects to a server as a bridge does, and tells what came of it.
 *
 *     security_probe [--OPTION VALUE]... [--insecure-plain] URL [ACTION SUBJECT TEXT]...
 *
 * The options are those of madang-bridge about users and TLS. An action is `publish`, `subscribe`
 * (prints what comes within half a second), `request` (prints the answer), `servers` (prints
 * which ones the library knows) or `stay` (for so many milliseconds; prints whether it is then
 * connected). It prints a line for
 * each thing, and exits as the bridge would.
 */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/security.h"

static const char *inbox;

static bool take_option(struct security *security, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **place;
	} options[] = {
		{ "--creds", &security->creds },         { "--nkey", &security->nkey },
		{ "--user-file", &security->user_file }, { "--tls-ca", &security->tls_ca },
		{ "--tls-cert", &security->tls_cert },   { "--tls-key", &security->tls_key },
		{ "--tls-name", &security->tls_name },   { "--inbox", &inbox },
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (strcmp(options[i].name, name) == 0) {
			*options[i].place = value;
			return true;
		}
	return false;
}

static int say(int code, const struct security_words *words)
{
	if (words->warning[0] != '\0')
		printf("warning: %s\n", words->warning);
	if (code != 0)
		printf("wrong: %s\nadvice: %s\n", words->wrong, words->advice);
	return code;
}

/* Without a handler, libnats prints errors itself. */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *closure)
{
	(void)connection;
	(void)subscription;
	(void)status;
	(void)closure;
}

/* The server's word about what came before a flush is here when the flush is over. */
static void print_denial(natsConnection *connection)
{
	const char *last = "";
	natsStatus status;

	(void)natsConnection_FlushTimeout(connection, 10000);
	status = natsConnection_GetLastError(connection, &last);
	if (status != NATS_OK)
		printf("denied: %s: %s\n", natsStatus_GetText(status), last);
}

static void print_servers(natsConnection *connection)
{
	char **servers = NULL;
	int count = 0;

	(void)natsConnection_GetServers(connection, &servers, &count);
	for (int i = 0; i < count; i++) {
		printf("server %s\n", servers[i]);
		free(servers[i]);
	}
	free(servers);
}

static void act(natsConnection *connection, const char *action, const char *subject,
                const char *text)
{
	natsMsg *message = NULL;
	natsSubscription *subscription = NULL;
	natsStatus status;

	if (strcmp(action, "publish") == 0) {
		status = natsConnection_PublishString(connection, subject, text);
		printf("publish %s: %s\n", subject, natsStatus_GetText(status));
	} else if (strcmp(action, "stay") == 0) {
		(void)fflush(stdout);
		nats_Sleep(strtol(subject, NULL, 10));
		printf("afterwards %s\n",
		       natsConnection_Status(connection) == NATS_CONN_STATUS_CONNECTED ? "connected"
		                                                                       : "cut off");
		return;
	} else if (strcmp(action, "servers") == 0) {
		print_servers(connection);
	} else if (strcmp(action, "subscribe") == 0) {
		status = natsConnection_SubscribeSync(&subscription, connection, subject);
		printf("listening on %s\n", subject);
		(void)fflush(stdout);
		while (status == NATS_OK) {
			status = natsSubscription_NextMsg(&message, subscription, 500);
			if (status == NATS_OK)
				printf("got %s: %.*s\n", natsMsg_GetSubject(message),
				       natsMsg_GetDataLength(message), natsMsg_GetData(message));
			natsMsg_Destroy(message);
			message = NULL;
		}
		natsSubscription_Destroy(subscription);
	} else {
		status = natsConnection_RequestString(&message, connection, subject, text, 1000);
		printf("%s: %s %.*s\n", subject, natsStatus_GetText(status),
		       natsMsg_GetDataLength(message),
		       natsMsg_GetDataLength(message) ? natsMsg_GetData(message) : "");
		natsMsg_Destroy(message);
	}
	print_denial(connection);
}

int main(int argc, char **argv)
{
	struct security security = { .url = NULL };
	struct security_words words;
	natsOptions *options = NULL;
	natsConnection *connection = NULL;
	natsStatus status;
	int i = 1, code;

	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		if (strcmp(argv[i], "--insecure-plain") == 0)
			security.insecure_plain = true;
		else if (i + 1 >= argc || !take_option(&security, argv[i], argv[i + 1]))
			return 64;
		else
			i++;
	}
	if (i >= argc || natsOptions_Create(&options) != NATS_OK)
		return 64;
	security.url = argv[i++];
	code = security_apply(options, &security, &words);
	(void)say(code, &words);
	if (code != 0)
		goto out;
	(void)natsOptions_SetTimeout(options, 10000);
	(void)natsOptions_SetReconnectWait(options, 50);
	(void)natsOptions_SetErrorHandler(options, on_error, NULL);
	if (inbox)
		(void)natsOptions_SetCustomInboxPrefix(options, inbox);
	status = natsConnection_Connect(&connection, options);
	if (status != NATS_OK) {
		code = security_explain(&security, status, nats_GetLastError(NULL), &words);
		(void)say(code, &words);
		goto out;
	}
	printf("connected, %s\n", security_is_tls(&security) ? "tls" : "plain");
	for (; i + 2 < argc; i += 3)
		act(connection, argv[i], argv[i + 1], argv[i + 2]);
out:
	natsConnection_Destroy(connection);
	natsOptions_Destroy(options);
	nats_Close();
	return code;
}
