/* SPDX-License-Identifier: MIT */
/*
 * security.c - puts what the command line says about users, keys and TLS into libnats's options.
 *
 * Everything is checked before a connection is tried, so a typo is told at once. A connection to
 * another machine gets TLS by itself, and without it none is made. A plain connection to this
 * machine takes no notice of servers that the cluster announces, because these may be elsewhere.
 * A password is sent to the server as it is; an NKey and .creds only sign what the server asks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/security.h"

enum { SECRET_MAX = 16384, SERVERS_MAX = 64 };

static int usage(struct security_words *ret, const char *wrong, const char *advice)
{
	(void)snprintf(ret->wrong, sizeof ret->wrong, "%s", wrong);
	(void)snprintf(ret->advice, sizeof ret->advice, "%s", advice);
	return SECURITY_USAGE;
}

static int trouble(struct security_words *ret, const char *advice, const char *what,
                   const char *path)
{
	(void)snprintf(ret->wrong, sizeof ret->wrong, "%s: %s", path, what);
	(void)snprintf(ret->advice, sizeof ret->advice, "%s", advice);
	return SECURITY_TROUBLE;
}

/* libnats could not do it; it says why. */
static int refused_by_library(struct security_words *ret, const char *what, natsStatus status)
{
	const char *last = nats_GetLastError(NULL);

	(void)snprintf(ret->wrong, sizeof ret->wrong, "%s: %s", what,
	               last && last[0] ? last : natsStatus_GetText(status));
	return SECURITY_TROUBLE;
}

/* ---- servers -------------------------------------------------------------------------------- */

struct servers {
	char *copy; /* of the list; the names point into it */
	const char *names[SERVERS_MAX];
	int count;
	bool tls, elsewhere; /* at least one of them is */
};

/* Cuts the list into its addresses, exactly as server_url_next understands them. */
static int take_servers(const char *list, struct servers *ret_servers, struct security_words *ret)
{
	struct servers s = { .copy = strdup(list) };
	const char *at = s.copy;
	struct server_url url;
	int more;

	if (s.copy == NULL)
		return trouble(ret, "", strerror(ENOMEM), "the URL");
	while ((more = server_url_next(&at, &url, ret)) == 1 && s.count < SERVERS_MAX) {
		char *end = s.copy + (at - s.copy);
		char *begin = end;

		while (begin > s.copy && begin[-1] != ',' && begin[-1] != ' ' && begin[-1] != '\0')
			begin--;
		s.names[s.count++] = begin;
		s.tls = s.tls || url.tls;
		s.elsewhere = s.elsewhere || !url.loopback;
		if (*end != '\0') {
			*end = '\0';
			at = end + 1;
		}
	}
	if (more == 0 && s.count > 0) {
		*ret_servers = s;
		return 0;
	}
	free(s.copy);
	return more < 0 ? SECURITY_USAGE
	                : usage(ret, more == 0 ? "the URL is empty" : "there are too many URLs",
	                        "write nats://HOST:PORT");
}

static bool names_tls(const struct security *security)
{
	return security->tls_ca || security->tls_cert || security->tls_key || security->tls_name;
}

bool security_is_tls(const struct security *security)
{
	struct security_words words = { .wrong = "" };
	const char *at = security->url;
	struct server_url url;
	bool tls = names_tls(security);

	while (server_url_next(&at, &url, &words) == 1)
		tls = tls || url.tls || (!url.loopback && !security->insecure_plain);
	return tls;
}

static int apply_servers(natsOptions *options, const struct security *security,
                         struct security_words *ret)
{
	struct servers servers;
	natsStatus status;
	int result = take_servers(security->url, &servers, ret);
	bool tls;

	if (result != 0)
		return result;
	tls = servers.tls || names_tls(security) ||
	      (servers.elsewhere && !security->insecure_plain);
	if (tls && security->insecure_plain) {
		free(servers.copy);
		return usage(ret, "--insecure-plain and TLS exclude each other",
		             "leave out --insecure-plain, or tls:// and the options --tls-*");
	}
	status = natsOptions_SetServers(options, servers.names, servers.count);
	free(servers.copy);
	if (status == NATS_OK && tls)
		status = natsOptions_SetSecure(options, true);
	/* Else the cluster could lead us elsewhere, without TLS, when we connect again. */
	if (status == NATS_OK && !tls && !security->insecure_plain)
		status = natsOptions_SetIgnoreDiscoveredServers(options, true);
	if (!tls && servers.elsewhere)
		(void)snprintf(
			ret->warning, sizeof ret->warning,
			"the connection is plain: whoever is between this host and the server "
			"can read and change what crosses%s",
			security->user_file ? ", and read the password" : "");
	return status == NATS_OK ? 0 : refused_by_library(ret, "the URL", status);
}

/* ---- certificates --------------------------------------------------------------------------- */

static int apply_certificate(natsOptions *options, const struct security *security,
                             struct security_words *ret)
{
	char key[SECRET_MAX];
	natsStatus status;
	bool locked;

	if (!security->tls_cert != !security->tls_key)
		return usage(ret, "--tls-cert and --tls-key belong together",
		             "give both, or none of them");
	if (security->tls_cert == NULL)
		return 0;
	if (secret_read("the key", security->tls_key, key, sizeof key, ret) < 0)
		return SECURITY_TROUBLE;
	locked = strstr(key, "ENCRYPTED") != NULL;
	explicit_bzero(key, sizeof key);
	if (locked) /* OpenSSL would ask at the terminal */
		return trouble(ret, "openssl pkey -in FILE -out NEW takes the password away",
		               "the key has a password", security->tls_key);
	if (access(security->tls_cert, R_OK) != 0)
		return trouble(ret, "", strerror(errno), security->tls_cert);
	status = natsOptions_LoadCertificatesChain(options, security->tls_cert, security->tls_key);
	if (status == NATS_OK)
		return 0;
	(void)snprintf(ret->advice, sizeof ret->advice,
	               "both have to be PEM, and the key has to be the one of the certificate");
	(void)snprintf(ret->wrong, sizeof ret->wrong, "the certificate %s and the key %s: %s",
	               security->tls_cert, security->tls_key, nats_GetLastError(NULL));
	return SECURITY_TROUBLE;
}

static int apply_tls(natsOptions *options, const struct security *security,
                     struct security_words *ret)
{
	natsStatus status = NATS_OK;

	if (security->tls_ca) {
		if (access(security->tls_ca, R_OK) != 0)
			return trouble(ret, "", strerror(errno), security->tls_ca);
		status = natsOptions_LoadCATrustedCertificates(options, security->tls_ca);
		if (status != NATS_OK)
			return trouble(ret, "the file has to have certificates in PEM",
			               "no certificate can be read from it", security->tls_ca);
	}
	if (security->tls_name)
		status = natsOptions_SetExpectedHostname(options, security->tls_name);
	if (status != NATS_OK)
		return refused_by_library(ret, "--tls-name", status);
	return apply_certificate(options, security, ret);
}

/* ---- who we are ---------------------------------------------------------------------------- */

static int apply_user(natsOptions *options, const char *path, struct security_words *ret)
{
	char text[SECRET_MAX];
	char *rest = text;
	char *user, *password;
	natsStatus status;

	if (secret_read("the user file", path, text, sizeof text, ret) < 0)
		return SECURITY_TROUBLE;
	user = strsep(&rest, "\r\n");
	if (rest && *rest == '\n')
		rest++;
	password = rest ? strsep(&rest, "\r\n") : NULL;
	if (user[0] == '\0' || password == NULL || password[0] == '\0') {
		explicit_bzero(text, sizeof text);
		return trouble(ret, "the user stands in the first line, the password in the second",
		               "there are no two lines in it", path);
	}
	status = natsOptions_SetUserInfo(options, user, password);
	explicit_bzero(text, sizeof text);
	return status == NATS_OK ? 0 : refused_by_library(ret, path, status);
}

/* A line of the file that begins with `head` and is a word of that length. */
static bool find_key(const char *text, const char *head, size_t length, char *ret_key)
{
	for (const char *line = text; *line != '\0';) {
		size_t size = strcspn(line, "\r\n");

		if (size == length && strncmp(line, head, strlen(head)) == 0) {
			memcpy(ret_key, line, size);
			ret_key[size] = '\0';
			return true;
		}
		line += size;
		line += strspn(line, "\r\n");
	}
	return false;
}

enum { SEED_LENGTH = 58, PUBLIC_LENGTH = 56 };

/* Signs what the server asks. The file is read each time, so the seed is in memory only then. */
static natsStatus sign(char **ret_error, unsigned char **ret_signature, int *ret_length,
                       const char *nonce, void *closure)
{
	struct security_words words = { .wrong = "" };
	char text[SECRET_MAX], seed[SEED_LENGTH + 1] = "";
	natsStatus status = NATS_ERR;

	if (secret_read("the NKey", closure, text, sizeof text, &words) >= 0 &&
	    find_key(text, "SU", SEED_LENGTH, seed))
		status = nats_Sign(seed, nonce, ret_signature, ret_length);
	explicit_bzero(text, sizeof text);
	explicit_bzero(seed, sizeof seed);
	if (status != NATS_OK)
		*ret_error = strdup(words.wrong[0] ? words.wrong : "the NKey cannot sign");
	return status;
}

static int apply_nkey(natsOptions *options, const char *path, struct security_words *ret)
{
	char text[SECRET_MAX], seed[SEED_LENGTH + 1], public_key[PUBLIC_LENGTH + 1];
	char *closure = (char *)(size_t)path; /* libnats takes a void * */
	bool has_seed, has_public;
	natsStatus status;

	if (secret_read("the NKey", path, text, sizeof text, ret) < 0)
		return SECURITY_TROUBLE;
	has_seed = find_key(text, "SU", SEED_LENGTH, seed);
	has_public = find_key(text, "U", PUBLIC_LENGTH, public_key);
	explicit_bzero(text, sizeof text);
	explicit_bzero(seed, sizeof seed);
	if (!has_seed)
		return trouble(ret, "nk -gen user -pubout makes one",
		               "there is no line with the seed of a user (SU...)", path);
	if (!has_public)
		return trouble(ret, "nk -inkey FILE -pubout prints it: add it as a line",
		               "there is no line with the public key (U...)", path);
	status = natsOptions_SetNKey(options, public_key, sign, closure);
	return status == NATS_OK ? 0 : refused_by_library(ret, path, status);
}

static int apply_creds(natsOptions *options, const char *path, struct security_words *ret)
{
	char text[SECRET_MAX];
	natsStatus status;
	bool jwt, seed;

	if (secret_read("the credentials", path, text, sizeof text, ret) < 0)
		return SECURITY_TROUBLE;
	jwt = strstr(text, "BEGIN NATS USER JWT") != NULL;
	seed = strstr(text, "BEGIN USER NKEY SEED") != NULL;
	explicit_bzero(text, sizeof text);
	if (!jwt || !seed)
		return trouble(ret, "nsc generate creds makes such a file",
		               jwt ? "there is no seed in it" : "there is no JWT in it", path);
	status = natsOptions_SetUserCredentialsFromFiles(options, path, NULL);
	return status == NATS_OK ? 0 : refused_by_library(ret, path, status);
}

int security_apply(natsOptions *options, const struct security *security,
                   struct security_words *ret)
{
	int ways = !!security->creds + !!security->nkey + !!security->user_file;
	int result;

	*ret = (struct security_words){ .wrong = "" };
	if (ways > 1)
		return usage(ret, "--creds, --nkey and --user-file exclude each other",
		             "a bridge is one user: give one of them");
	result = apply_servers(options, security, ret);
	if (result == 0)
		result = apply_tls(options, security, ret);
	if (result == 0 && security->user_file)
		result = apply_user(options, security->user_file, ret);
	if (result == 0 && security->nkey)
		result = apply_nkey(options, security->nkey, ret);
	if (result == 0 && security->creds)
		result = apply_creds(options, security->creds, ret);
	return result;
}
