/* SPDX-License-Identifier: MIT */
/*
 * shim.c - between a bridge and libnats (LD_PRELOAD), for segments.py: at places that a test cannot
 * meet by chance.
 *
 *   $SHIM_DIRECTORY/stop  the process stops itself (SIGSTOP) before it publishes, once
 *   $SHIM_DIRECTORY/away  as long as it is there, JetStream does not say what a message has
 */
#include <dlfcn.h>
#include <nats/nats.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *path_of(char room[512], const char *name)
{
	const char *directory = getenv("SHIM_DIRECTORY");

	(void)snprintf(room, 512, "%s/%s", directory ? directory : "/nowhere", name);
	return room;
}

natsStatus js_PublishMsg(jsPubAck **ack, jsCtx *js, natsMsg *msg, jsPubOptions *options,
                         jsErrCode *code)
{
	natsStatus (*real)(jsPubAck **, jsCtx *, natsMsg *, jsPubOptions *, jsErrCode *);
	char room[512];

	*(void **)&real = dlsym(RTLD_NEXT, "js_PublishMsg");
	if (unlink(path_of(room, "stop")) == 0)
		(void)raise(SIGSTOP); /* this thread does not run on */
	return real(ack, js, msg, options, code);
}

natsStatus js_GetMsg(natsMsg **msg, jsCtx *js, const char *stream, uint64_t sequence,
                     jsOptions *options, jsErrCode *code)
{
	natsStatus (*real)(natsMsg **, jsCtx *, const char *, uint64_t, jsOptions *, jsErrCode *);
	char room[512];

	*(void **)&real = dlsym(RTLD_NEXT, "js_GetMsg");
	if (access(path_of(room, "away"), F_OK) == 0)
		return NATS_TIMEOUT;
	return real(msg, js, stream, sequence, options, code);
}
