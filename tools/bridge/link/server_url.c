/* SPDX-License-Identifier: MIT */
/*
 * server_url.c - the addresses of servers: what they mean, and whether they leave this machine.
 *
 * An address is [nats:// or tls://]HOST[:PORT]. One with a user, a password or a token in it is
 * refused: the command line of a process is not secret.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "link/security.h"

static bool is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* What may stand behind the host: a port, and a slash. Nothing that the library could take for
 * another host. */
static bool is_rest(const char *text, size_t length)
{
	size_t digits = 0;
	unsigned port = 0;

	if (length > 0 && text[length - 1] == '/')
		length--;
	if (length == 0)
		return true;
	if (text[0] != ':')
		return false;
	while (digits < 5 && digits + 1 < length && isdigit((unsigned char)text[digits + 1]))
		port = 10 * port + (unsigned)(text[++digits] - '0');
	return port >= 1 && port <= 65535 && digits + 1 == length;
}

/* The part between scheme and port. `[::1]` loses its brackets. */
static int take_host(const char *text, size_t length, struct server_url *ret_url)
{
	const char *end = text + length, *host_end;

	if (length > 0 && text[0] == '[') {
		text++;
		host_end = memchr(text, ']', (size_t)(end - text));
		if (host_end == NULL || !is_rest(host_end + 1, (size_t)(end - host_end - 1)))
			return -1;
	} else {
		host_end = memchr(text, ':', length);
		if (host_end == NULL)
			host_end = length > 0 && end[-1] == '/' ? end - 1 : end;
		if (!is_rest(host_end, (size_t)(end - host_end)))
			return -1;
	}
	length = (size_t)(host_end - text);
	if (length == 0 || length >= sizeof ret_url->host)
		return -1;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("-._:%", text[i]) == NULL)
			return -1;
	memcpy(ret_url->host, text, length);
	ret_url->host[length] = '\0';
	return 0;
}

static int take_scheme(const char **text, size_t *length, struct server_url *ret_url)
{
	size_t scheme;
	const char *end = NULL;

	for (size_t i = 0; i + 3 <= *length && end == NULL; i++)
		if (memcmp(*text + i, "://", 3) == 0)
			end = *text + i;
	if (end == NULL)
		return 0; /* the library takes nats:// for it */
	scheme = (size_t)(end - *text);
	if (scheme == 3 && strncasecmp(*text, "tls", 3) == 0)
		ret_url->tls = true;
	else if (scheme != 4 || strncasecmp(*text, "nats", 4) != 0)
		return -1;
	*text += scheme + 3;
	*length -= scheme + 3;
	return 0;
}

static int wrong(struct security_words *ret, const char *what, const char *advice)
{
	(void)snprintf(ret->wrong, sizeof ret->wrong, "%s", what);
	(void)snprintf(ret->advice, sizeof ret->advice, "%s", advice);
	return -1;
}

int server_url_next(const char **list, struct server_url *ret_url, struct security_words *ret)
{
	const char *text = *list;
	size_t length;

	while (*text == ',' || *text == ' ')
		text++;
	if (*text == '\0')
		return 0;
	length = strcspn(text, ", ");
	*list = text + length;
	*ret_url = (struct server_url){ .tls = false };
	if (take_scheme(&text, &length, ret_url) != 0)
		return wrong(ret, "the URL is of a kind that the bridge does not speak",
		             "write nats://HOST:PORT or tls://HOST:PORT");
	if (memchr(text, '@', length) != NULL)
		return wrong(ret,
		             "the URL has a user, password or token in it, which everybody who "
		             "lists processes can read",
		             "change it, put it into a file that only you may read, and give the "
		             "file with --user-file");
	if (take_host(text, length, ret_url) != 0)
		return wrong(ret,
		             "the URL has no host, or something behind the host that is no port",
		             "write nats://HOST:PORT or tls://HOST:PORT");
	ret_url->loopback = is_loopback(ret_url->host);
	return 1;
}
