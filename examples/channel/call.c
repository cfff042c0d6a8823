/* SPDX-License-Identifier: MIT */
/*
 * call.c - a calculator: requests such as "6 * 7", and their replies.
 *
 * Any number of processes may ask, and any number may answer. Each request goes to one server. If a
 * server does not want to answer, it releases the request, and the caller gets -ECANCELED. If a
 * server dies while it works on a request, the caller gets MDG_PEER_DIED. The caller then decides
 * whether to ask again, because nobody knows how far the dead server came.
 *
 * When the channel is removed, the servers that wait for requests get -EIDRM and leave.
 */
#include <madang/channel.h>
#include <madang/segment.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "../sync/place.h"

enum { SERVERS = 2, TEXT = 64 };
#define PATIENCE mdg_deadline(UINT64_C(20000000000)) /* 20 s */

static mdg_channel *enter(unsigned role)
{
	struct mdg_channel_options options = { .size = sizeof(options), .kind = MDG_CALL };
	mdg_namespace *ns;
	mdg_channel *channel;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_channel_open(&channel, ns, "example-calculator", role, &options), "calculator");
	return channel;
}

/* ---- servers ------------------------------------------------------------------------ */

/* False: the request makes no sense. The request comes from another process, and need not end with
 * a zero byte. So the caller of this function has put one there. */
static bool calculate(const char *text, char result[TEXT])
{
	long long a, b;
	char operation;

	if (sscanf(text, "%9lld %c %9lld", &a, &operation, &b) != 3) /* NOLINT(cert-err34-c) */
		return false;
	if (operation == '/' && b == 0)
		return false;
	if (strchr("+-*/", operation) == NULL)
		return false;
	long long value = operation == '+'   ? a + b
	                  : operation == '-' ? a - b
	                  : operation == '*' ? a * b
	                                     : a / b;
	snprintf(result, TEXT, "%lld", value);
	return true;
}

static void serve(void)
{
	mdg_channel *calculator = enter(MDG_LISTENER);
	char text[TEXT], result[TEXT];

	for (;;) {
		int size = mdg_channel_recv(calculator, text, sizeof(text) - 1, NULL, MDG_FOREVER);
		if (size == -EIDRM)
			break;
		must(size, "waiting for a request");
		text[size] = '\0';
		if (strcmp(text, "crash") == 0)
			die();
		int rc = calculate(text, result)
		                 ? mdg_channel_send(calculator, result, strlen(result), MDG_FOREVER)
		                 : mdg_channel_release(calculator);
		if (rc != MDG_PEER_DIED && rc != -ECANCELED) /* a caller that did not wait */
			must(rc, "reply");
	}
	mdg_channel_close(calculator);
}

/* ---- the caller ----------------------------------------------------------------------- */

static bool ask(mdg_channel *calculator, const char *question, const char *expected)
{
	char reply[TEXT];
	int size = mdg_channel_call(calculator, question, strlen(question), reply,
	                            sizeof(reply) - 1, NULL, PATIENCE);

	if (size < 0) {
		printf("%s: %s\n", question, mdg_strerror(size));
		return expected == NULL && (size == -ECANCELED || size == MDG_PEER_DIED);
	}
	reply[size] = '\0';
	printf("%s = %s\n", question, reply);
	return expected != NULL && strcmp(reply, expected) == 0;
}

int main(void)
{
	mdg_channel *calculator = enter(MDG_TALKER);
	pid_t server[SERVERS];
	mdg_namespace *ns;
	int survived = 0;

	for (int i = 0; i < SERVERS; i++)
		server[i] = child(serve);
	bool well = ask(calculator, "6 * 7", "42");
	well = ask(calculator, "1 / 0", NULL) && well;
	well = ask(calculator, "crash", NULL) && well;
	well = ask(calculator, "100 - 1", "99") && well; /* by the other one */
	mdg_channel_close(calculator);
	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_channel_remove(ns, "example-calculator"), "remove");
	for (int i = 0; i < SERVERS; i++)
		survived += went_well(server[i]);
	return well && survived == SERVERS - 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
