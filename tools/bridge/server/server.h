/* SPDX-License-Identifier: MIT */
/*
 * server.h - a nats-server of the bridge's own, for trying: --with-server.
 *
 *     struct server server;
 *     if (server_start(&server, NULL) != 0)
 *             ... server.wrong, server.advice ...
 *     connect(server.url);
 *     server_end(&server);
 *
 * It listens on the loopback alone, at port 4222 or, where that is taken, at a free one. It keeps
 * messages in a private directory of its own, which goes with it, or in one that is given.
 *
 * A process stands between the bridge and the server: the keeper. It notices the end of the bridge
 * by a pipe, also after kill -9. Then it ends the server and removes the private directory. If the
 * keeper itself is killed, the kernel kills the server (PR_SET_PDEATHSIG). Both are in a session of
 * their own, so that Ctrl-C reaches the bridge alone and the server is there until it has ended.
 */
#ifndef BRIDGE_SERVER_SERVER_H
#define BRIDGE_SERVER_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct server {
	pid_t keeper;
	int life;       /* open while the bridge lives */
	int news;       /* what the keeper says; at its end the server is gone */
	pid_t pid;      /* of the server */
	char url[64];   /* nats://127.0.0.1:4222 */
	char room[256]; /* the private directory: the server's log, and what it keeps */
	char wrong[768], advice[256];
};

/* Starts it and waits until it answers. `store` is a directory for what it keeps, or NULL. It has
 * to be called before there are threads, attachments and descriptors that the keeper must not have.
 * 0; or 1: it has not started, and `wrong` and `advice` say why. */
int server_start(struct server *server, const char *store);
/* Whether it has ended by itself; does not wait. */
bool server_has_ended(const struct server *server);
/* Ends it, and waits until all is gone. */
void server_end(struct server *server);

/* ---- keeper.c ------------------------------------------------------------------------------ */

struct server_job {
	const char *program, *store, *port; /* "-1": a free one */
	const char *room;
	int life, news;
};
/* Never returns. */
_Noreturn void server_keeper_run(const struct server_job *job);
/* Removes a directory with all that is in it. */
void server_room_remove(const char *room);

#endif
