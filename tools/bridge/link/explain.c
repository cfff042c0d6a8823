/* SPDX-License-Identifier: MIT */
/*
 * explain.c - says why a server did not let us in, and what to do about it.
 *
 * libnats gives a status and a text. Of a certificate that is not accepted, the text has OpenSSL's
 * number and reason. When a server does not accept ours, it ends the connection just after the
 * handshake, and libnats can only say that nothing came back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "link/security.h"

/* OpenSSL's numbers (X509_V_ERR_...). The bridge does not use OpenSSL itself. */
enum {
	NOT_YET_VALID = 9,
	HAS_EXPIRED = 10,
	SELF_SIGNED = 18,
	SELF_SIGNED_IN_CHAIN = 19,
	NO_LOCAL_ISSUER = 20,
	NO_SIGNATURE = 21,
	NAME_MISMATCH = 62,
	ADDRESS_MISMATCH = 64,
};

static void advise(struct security_words *ret, const char *advice)
{
	(void)snprintf(ret->advice, sizeof ret->advice, "%s", advice);
}

static void advise_certificate(const struct security *security, long number,
                               struct security_words *ret)
{
	time_t now = time(NULL);
	struct tm clock;
	char when[32] = "unknown";

	switch (number) {
	case NOT_YET_VALID:
	case HAS_EXPIRED:
		if (gmtime_r(&now, &clock) != NULL)
			(void)strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &clock);
		(void)snprintf(
			ret->advice, sizeof ret->advice,
			"the server needs a new certificate, if the clock here is right (%s)",
			when);
		break;
	case SELF_SIGNED:
	case SELF_SIGNED_IN_CHAIN:
	case NO_LOCAL_ISSUER:
	case NO_SIGNATURE:
		advise(ret, security->tls_ca
		                    ? "the file of --tls-ca has not the authority that signed it"
		                    : "give the certificate of the authority that signed it with "
		                      "--tls-ca");
		break;
	case NAME_MISMATCH:
	case ADDRESS_MISMATCH:
		advise(ret, security->tls_name
		                    ? "--tls-name has to be a name that the certificate has"
		                    : "write the name that the certificate has in --url, or in "
		                      "--tls-name");
		break;
	default:
		advise(ret, "the server's log may say more");
		break;
	}
}

/* "(conn.c:733): SSL handshake error: 10:certificate has expired:depth=0:cert=...:issuer=..." */
static void explain_tls(const struct security *security, const char *last,
                        struct security_words *ret)
{
	const char *at = strstr(last, "handshake error: ");
	char *end;
	long number;

	at = at ? at + strlen("handshake error: ") : last;
	number = strtol(at, &end, 10);
	if (end == at || *end != ':') {
		(void)snprintf(ret->wrong, sizeof ret->wrong, "no TLS with the server: %s", at);
		advise(ret, "the server's log may say more");
		return;
	}
	(void)snprintf(ret->wrong, sizeof ret->wrong,
	               "the server's certificate is not accepted: %s", end + 1);
	advise_certificate(security, number, ret);
}

static void explain_our_certificate(const struct security *security, struct security_words *ret)
{
	if (security->tls_cert) {
		(void)snprintf(
			ret->wrong, sizeof ret->wrong,
			"the server ended the connection: it does not accept the certificate %s",
			security->tls_cert);
		advise(ret,
		       "has an authority that the server knows signed it, and is it still valid? "
		       "the server's log says which");
		return;
	}
	(void)snprintf(ret->wrong, sizeof ret->wrong,
	               "the server ended the connection: it wants a certificate of ours");
	advise(ret, "give one with --tls-cert and --tls-key");
}

static void explain_user(const struct security *security, struct security_words *ret)
{
	const char *file = security->creds  ? security->creds
	                   : security->nkey ? security->nkey
	                                    : security->user_file;

	if (file == NULL) {
		(void)snprintf(ret->wrong, sizeof ret->wrong,
		               "the server lets nobody in without a name");
		advise(ret, "give --user-file, --nkey or --creds");
		return;
	}
	(void)snprintf(ret->wrong, sizeof ret->wrong, "the server does not accept the user of %s",
	               file);
	advise(ret, "is the user in the server's configuration, and has the server been told of a "
	            "change (nats-server --signal reload)?");
}

bool security_may_pass(natsStatus status)
{
	return status == NATS_NO_SERVER || status == NATS_TIMEOUT || status == NATS_IO_ERROR ||
	       status == NATS_CONNECTION_CLOSED || status == NATS_CONNECTION_DISCONNECTED ||
	       status == NATS_STALE_CONNECTION;
}

/* OpenSSL says why it does not accept the server's certificate. */
static bool has_number(const char *last)
{
	const char *at = strstr(last, "handshake error: ");
	char *end;

	at = at ? at + strlen("handshake error: ") : last;
	(void)strtol(at, &end, 10);
	return end != at && *end == ':';
}

bool security_is_unsure(natsStatus status, const char *last)
{
	if (status == NATS_SSL_ERROR)
		return !has_number(last ? last : "");
	return status == NATS_PROTOCOL_ERROR || status == NATS_ERR || status == NATS_SYS_ERROR;
}

int security_explain(const struct security *security, natsStatus status, const char *last,
                     struct security_words *ret)
{
	*ret = (struct security_words){ .wrong = "" };
	last = last ? last : "";
	if (status == NATS_SSL_ERROR) {
		explain_tls(security, last, ret);
		return SECURITY_TROUBLE;
	}
	if (status == NATS_PROTOCOL_ERROR && strstr(last, "PONG") && security_is_tls(security)) {
		explain_our_certificate(security, ret);
		return SECURITY_REFUSED;
	}
	if (status == NATS_CONNECTION_AUTH_FAILED || status == NATS_NOT_PERMITTED) {
		explain_user(security, ret);
		return SECURITY_REFUSED;
	}
	/* Without a user with an NKey, it sends nothing to sign. */
	if (status == NATS_INVALID_ARG && (security->nkey || security->creds)) {
		(void)snprintf(ret->wrong, sizeof ret->wrong,
		               "the server has no users with keys, and so not the user of %s",
		               security->nkey ? security->nkey : security->creds);
		advise(ret,
		       "is it the right server? contrib/nats has an example of its configuration");
		return SECURITY_REFUSED;
	}
	if (status == NATS_SECURE_CONNECTION_WANTED) {
		(void)snprintf(ret->wrong, sizeof ret->wrong, "the server has no TLS");
		advise(ret, "a connection to another machine is encrypted: give the server a "
		            "certificate; --insecure-plain does without");
		return SECURITY_TROUBLE;
	}
	(void)snprintf(ret->wrong, sizeof ret->wrong, "no connection to %s: %s", security->url,
	               status == NATS_NO_SERVER ? "no server answers there"
	                                        : natsStatus_GetText(status));
	advise(ret,
	       "does nats-server run there? to try on this machine: madang bridge --with-server");
	return SECURITY_TROUBLE;
}
