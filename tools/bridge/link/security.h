/* SPDX-License-Identifier: MIT */
/*
 * security.h - how a bridge shows a server who it is, and makes sure that nobody else reads along.
 *
 * Secrets come from files and never from the command line, which every user of the machine can
 * read. A file with a secret that others may read is refused. A connection to another machine is
 * always TLS, unless --insecure-plain asks for a plain one; the server's certificate and its name
 * are checked, and cannot be left unchecked. Here is also what to say when a server refuses.
 */
#ifndef BRIDGE_LINK_SECURITY_H
#define BRIDGE_LINK_SECURITY_H

#include <nats/nats.h>
#include <stdbool.h>
#include <stddef.h>

/* What the options of the command line say. NULL: not given. */
struct security {
	const char *url;   /* one, or several with commas between them */
	const char *creds; /* a file .creds of NATS: a JWT and a seed */
	const char *nkey;  /* a file with the seed of an NKey, and its public key */
	const char
		*user_file; /* a file with the user in its first line, the password in the second */
	const char *tls_ca; /* who has signed the server's certificate; else the system's list */
	const char *tls_cert; /* our own certificate, for servers that want one */
	const char *tls_key;  /* and its key */
	const char *tls_name; /* the name in the server's certificate, if it is not the URL's */
	bool insecure_plain;  /* a plain connection to another machine is meant */
};

/* What went wrong, on what, and what to do. `warning` may be there without an error. */
struct security_words {
	char wrong[768];
	char advice[512];
	char warning[512];
};

enum { SECURITY_TROUBLE = 1, SECURITY_USAGE = 2, SECURITY_REFUSED = 3 }; /* exit codes */

/* Checks all of it, and sets it in the options. The structure has to live as long as they do.
 * Returns 0 or an exit code. */
int security_apply(natsOptions *, const struct security *, struct security_words *ret);

/* Whether messages will be encrypted on their way. */
bool security_is_tls(const struct security *);

/* Explains why a connection failed, from the status and the text of nats_GetLastError (may be
 * NULL). Returns the exit code for it: SECURITY_REFUSED if the server knows us and says no. */
int security_explain(const struct security *, natsStatus, const char *last,
                     struct security_words *ret);

/* Whether to try again can help: nobody was there, or the server is starting. A wrong certificate
 * or a wrong password does not become right by itself. */
bool security_may_pass(natsStatus);
/* Whether it cannot be told: a server that ended in the middle of the first words, or one that
 * speaks otherwise. */
bool security_is_unsure(natsStatus, const char *last);

/* ---- parts of it ------------------------------------------------------------------------- */

struct server_url {
	char host[256];
	bool tls;      /* tls://... */
	bool loopback; /* 127.0.0.0/8, ::1 or localhost */
};

enum { URL_LIST_MAX = 4096 };

/* Takes the next URL of a list. Returns 1, 0 at the end, or -1 with ret->wrong and advice. */
int server_url_next(const char **list, struct server_url *ret_url, struct security_words *ret);

/* Reads a file that has a secret; `what` says what it is. Returns its length (the text ends with a
 * zero byte), or -1 with words. The caller wipes the buffer with explicit_bzero. */
int secret_read(const char *what, const char *path, char *buffer, size_t size,
                struct security_words *ret);

#endif
