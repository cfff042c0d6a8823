/* SPDX-License-Identifier: MIT */
/*
 * channel_open.c - entering a channel, and what to say when a channel's call is refused.
 *
 * The library's code says which option does not fit the channel. A message should also say what
 * the channel has instead, or who is in the way. For that the channel is opened once more, as an
 * observer, which takes no seat.
 */
#include "channel/channel_tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- what is said ----------------------------------------------------- */

/* How it is removed, for advice: the name is quoted for a shell when it has to be. */
static const char *removal(char room[SHOW_ROOM + 6 * MDG_NAME_MAX], const char *name)
{
	const char *simple =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:+@%/-";
	bool quote = name[strspn(name, simple)] != '\0' || name[0] == '-';
	snprintf(room, SHOW_ROOM + 6 * MDG_NAME_MAX, "madang rm --name %s", quote ? "NAME" : name);
	return room;
}

/* What there is instead of what was asked for. */
static void complain_unlike(int code, const struct mdg_channel_info *info,
                            const struct channel_request *request)
{
	char remove[SHOW_ROOM + 6 * MDG_NAME_MAX], advice[1024];
	const char *option = "--kind";

	if (code == MDG_UNLIKE_CAPACITY) {
		option = "--capacity";
		complain("the channel \"%s\" exists with capacity %llu", request->shown,
		         (unsigned long long)info->capacity);
	} else if (code == MDG_UNLIKE_PEERS) {
		option = "--peers";
		complain("the channel \"%s\" exists with room for %u peers", request->shown,
		         info->peers);
	} else if (code == MDG_UNLIKE_FULL) {
		option = "--overwrite";
		complain("the channel \"%s\" exists, and %s", request->shown,
		         info->full == MDG_FULL_OVERWRITE ? "overwrites its oldest messages"
		                                          : "waits when it is full");
	} else {
		complain("the channel \"%s\" exists, and is a %s", request->shown,
		         channel_kind_name(info->kind));
		if (info->kind == MDG_CALL) {
			advise("Use 'madang call' or 'madang serve', or another name.");
			return;
		}
		if (request->options.kind == MDG_CALL) {
			advise("Use 'madang talk' or 'madang listen', or another name.");
			return;
		}
		if (request->options.full != 0 || request->has_from)
			option = request->has_from ? "--from" : "--overwrite";
	}
	snprintf(advice, sizeof advice,
	         "Leave %s out, or remove the channel with its messages first: %s", option,
	         removal(remove, request->name));
	advise(advice);
}

/* Who has the place that a stream has only one of. */
static void complain_busy(mdg_channel *observer, const struct channel_request *request,
                          unsigned role)
{
	struct mdg_peer peers[8] = { { .size = sizeof peers[0] } };
	const char *word = role == MDG_TALKER ? "talker" : "listener";
	int count = observer != NULL ? mdg_channel_peers(observer, peers, 8) : 0;

	for (int i = 0; i < count && i < 8; i++) {
		if (peers[i].role != role)
			continue;
		complain("the stream \"%s\" has a %s already: process %d", request->shown, word,
		         (int)peers[i].pid);
		advise("A stream has one of each. End that one, or make the channel a queue: "
		       "--kind queue");
		return;
	}
	complain("the stream \"%s\" has a %s already", request->shown, word);
	advise("A stream has one of each. Try again, or make the channel a queue: --kind queue");
}

static void complain_size_refused(int code, const struct channel_request *request)
{
	uint64_t capacity =
		request->options.capacity != 0 ? request->options.capacity : MDG_CAPACITY_DEFAULT;

	if (code == -EINVAL) {
		complain("the namespace does not allow a channel of capacity %llu",
		         (unsigned long long)capacity);
		advise("It takes twice that, and of calls once more for each peer. See the largest "
		       "segment "
		       "allowed (shmmax) with 'madang doctor'.");
		return;
	}
	complain("no memory for a channel of capacity %llu", (unsigned long long)capacity);
	advise("It takes twice that, and of calls once more for each peer: give less with "
	       "--capacity or "
	       "--peers; see what is free with 'madang doctor'.");
}

static bool is_unlike(int code)
{
	return code == MDG_UNLIKE_KIND || code == MDG_UNLIKE_CAPACITY || code == MDG_UNLIKE_PEERS ||
	       code == MDG_UNLIKE_FULL;
}

void channel_complain_open(int code, mdg_namespace *ns, const struct channel_request *request,
                           unsigned role)
{
	struct mdg_channel_options look = { .size = sizeof look, .flags = MDG_CHANNEL_EXISTING };
	struct mdg_channel_info info = { .size = sizeof info };
	mdg_channel *observer = NULL;

	if (mdg_channel_open(&observer, ns, request->name, MDG_OBSERVER, &look) != 0)
		observer = NULL;
	if (observer != NULL)
		(void)mdg_channel_look(observer, &info);
	if (is_unlike(code) && observer != NULL) {
		complain_unlike(code, &info, request);
	} else if (is_unlike(code)) { /* a segment of zeros, whose maker is gone */
		channel_complain(MDG_NOT_CHANNEL, request, "cannot open");
	} else if (code == -EBUSY) {
		complain_busy(observer, request, role);
	} else if (code == -EUSERS) {
		complain("every place of the channel \"%s\" is taken: %u talkers, %u listeners",
		         request->shown, info.talkers, info.listeners);
		advise("Wait for one to leave ('madang channels --peers' shows them), or make the "
		       "channel "
		       "anew with --peers N.");
	} else if ((code == -EINVAL || code == -ENOMEM || code == -ENOSPC) && observer == NULL) {
		complain_size_refused(code, request);
	} else {
		channel_complain(code, request, "cannot open");
	}
	mdg_channel_close(observer);
}

void channel_complain(int code, const struct channel_request *request, const char *what)
{
	char remove[SHOW_ROOM + 6 * MDG_NAME_MAX], advice[1024];

	if (code == MDG_NOT_CHANNEL) {
		complain("the segment \"%s\" is not a channel", request->shown);
		advise("Choose another name. 'madang channels' shows the channels, 'madang ls' all "
		       "segments.");
	} else if (code == MDG_BROKEN) {
		complain("%s \"%s\": the channel's memory is damaged", what, request->shown);
		snprintf(advice, sizeof advice, "Remove it, and it is made anew: %s",
		         removal(remove, request->name));
		advise(advice);
	} else if (code == -EIDRM) {
		complain("the channel \"%s\" was removed", request->shown);
	} else if (code == -EACCES) {
		complain("%s \"%s\": you may not read and write it", what, request->shown);
		advise("Its owner can allow it when it is made: --mode 0666. See whose it is with "
		       "'madang ls'.");
	} else {
		complain_code(code, request->dir, "%s the channel \"%s\"", what, request->shown);
	}
}

void channel_complain_size(const struct channel *channel, const struct channel_request *request,
                           const char *what, uint64_t size, bool more)
{
	char remove[SHOW_ROOM + 6 * MDG_NAME_MAX], advice[1024];

	complain("%s has %s%llu bytes, and \"%s\" takes %llu at most", what,
	         more ? "more than " : "", (unsigned long long)size, request->shown,
	         (unsigned long long)channel->info.capacity);
	snprintf(advice, sizeof advice,
	         "Make the channel anew, with --capacity SIZE; remove this one first: %s",
	         removal(remove, request->name));
	advise(advice);
}

/* ---- entering and leaving --------------------------------------------- */

/* Kind 0 finds a channel of any kind, and these are not for calls. */
static int check_kind(const struct channel *channel, const struct channel_request *request)
{
	if (channel->info.kind != MDG_CALL || request->options.kind == MDG_CALL)
		return TOOL_OK;
	complain_unlike(MDG_UNLIKE_KIND, &channel->info, request);
	return TOOL_TROUBLE;
}

int channel_enter(struct channel *channel, const struct channel_request *request, unsigned role)
{
	int rc;

	memset(channel, 0, sizeof *channel);
	if (namespace_open(&channel->ns, request->dir, NULL) != 0)
		return TOOL_TROUBLE;
	rc = mdg_channel_open(&channel->handle, channel->ns, request->name, role,
	                      &request->options);
	if (rc != 0) {
		channel->handle = NULL;
		channel_complain_open(rc, channel->ns, request, role);
		channel_leave(channel);
		return TOOL_TROUBLE;
	}
	channel->info.size = sizeof channel->info;
	rc = mdg_channel_look(channel->handle, &channel->info);
	if (rc != 0)
		channel_complain(rc, request, "cannot look at");
	if (rc != 0 || check_kind(channel, request) != TOOL_OK) {
		channel_leave(channel);
		return TOOL_TROUBLE;
	}
	return TOOL_OK;
}

void channel_leave(struct channel *channel)
{
	mdg_channel_close(channel->handle);
	mdg_namespace_close(channel->ns);
	memset(channel, 0, sizeof *channel);
}
