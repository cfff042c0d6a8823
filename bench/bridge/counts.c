/* SPDX-License-Identifier: MIT */
/*
 * counts.c - what the server counts, from its monitoring port: connections, messages, bytes.
 */
#include "bench/bridge/bridge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static double number_after(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found != NULL ? strtod(found + strlen(name), NULL) : 0;
}

/* The whole answer of the server, or "". */
static void fetch(char *text, size_t room)
{
	static const char request[] = "GET /varz HTTP/1.0\r\n\r\n";
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons(place.monitor_port),
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t length = 0;
	ssize_t got;

	text[0] = '\0';
	if (peer < 0)
		return;
	if (connect(peer, (const struct sockaddr *)&address, sizeof address) == 0 &&
	    write(peer, request, sizeof request - 1) == sizeof request - 1) {
		while (length + 1 < room &&
		       (got = read(peer, text + length, room - 1 - length)) > 0)
			length += (size_t)got;
		text[length] = '\0';
	}
	close(peer);
}

void server_counts(struct server_counts *ret)
{
	static char text[65536];

	fetch(text, sizeof text);
	ret->connections = number_after(text, "\"connections\":");
	ret->subscriptions = number_after(text, "\"subscriptions\":");
	ret->in_messages = number_after(text, "\"in_msgs\":");
	ret->out_messages = number_after(text, "\"out_msgs\":");
	ret->in_bytes = number_after(text, "\"in_bytes\":");
	ret->out_bytes = number_after(text, "\"out_bytes\":");
}
