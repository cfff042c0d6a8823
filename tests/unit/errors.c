/* SPDX-License-Identifier: MIT */
/*
 * errors.c - mdg_strerror: one code means something in each room, and its text is true there.
 *
 * Each code is made to happen by a real call of the room. The text has to have the words of
 * each room that gives the code, and none of a single one alone.
 */
#include "unit.h"

#include "madang/channel.h"
#include "madang/segment.h"
#include "madang/sync.h"

static bool says(int code, const char *word)
{
	const char *text = mdg_strerror(code);
	if (strstr(text, word) != NULL)
		return true;
	fprintf(stderr, "%d: \"%s\" has no \"%s\"\n", code, text, word);
	return false;
}

static void not_permitted(mdg_namespace *ns)
{
	static mdg_mutex mutex;
	mdg_channel *talker;
	struct mdg_message message;
	CHECK_RC(-EPERM, mdg_mutex_unlock(&mutex)); /* nobody's */
	CHECK(says(-EPERM, "hold"));
	CHECK_RC(0, mdg_channel_open(&talker, ns, "news", MDG_TALKER, NULL));
	CHECK_RC(-EPERM, mdg_channel_peek(talker, &message, 0)); /* a listener's */
	CHECK(says(-EPERM, "role"));
	CHECK(says(-EPERM, "owner")); /* of a segment: tests/sysv/permission.c */
	CHECK(strstr(mdg_strerror(-EPERM), "creator") == NULL);
	CHECK_RC(-EINVAL, mdg_channel_commit(talker, 1)); /* nothing is reserved */
	CHECK(says(-EINVAL, "under way") && says(-EINVAL, "argument") && says(-EINVAL, "segment"));
	mdg_channel_close(talker);
}

static void not_there(mdg_namespace *ns)
{
	mdg_id id;
	mdg_channel *channel;
	struct mdg_channel_options existing = { .size = sizeof existing,
		                                .flags = MDG_CHANNEL_EXISTING };
	CHECK_RC(-ENOENT, mdg_segment_open(ns, "none", 0, 0, &id));
	CHECK(says(-ENOENT, "segment"));
	CHECK_RC(-ENOENT, mdg_channel_open(&channel, ns, "none", MDG_TALKER, &existing));
	CHECK(says(-ENOENT, "channel"));
	struct mdg_namespace_options options = unit_options(MDG_NS_EXISTING);
	char path[UNIT_PATH];
	CHECK_RC(-ENOENT, mdg_namespace_open(&ns, unit_path(path, "none"), &options));
	CHECK(says(-ENOENT, "namespace"));
	CHECK(says(-ENOENT, "name"));
}

static void in_the_way(mdg_namespace *ns)
{
	static mdg_mutex mutex;
	mdg_channel *one, *two;
	CHECK_RC(0, mdg_mutex_lock(&mutex));
	CHECK_RC(-EBUSY, mdg_mutex_destroy(&mutex));
	CHECK_RC(-EDEADLK, mdg_mutex_lock(&mutex));
	CHECK_RC(0, mdg_mutex_unlock(&mutex));
	CHECK_RC(0, mdg_channel_open(&one, ns, "news", MDG_LISTENER, NULL));
	CHECK_RC(-EBUSY, mdg_channel_open(&two, ns, "news", MDG_LISTENER, NULL));
	CHECK(says(-EBUSY, "in use") && says(-EBUSY, "holds"));
	CHECK(says(-EDEADLK, "in it")); /* of a barrier */
	mdg_channel_close(one);
}

/* What no call gives here: the words that were one room's alone. */
static void others(void)
{
	CHECK(strstr(mdg_strerror(-EIDRM), "segment") == NULL); /* channels are removed as well */
	CHECK(says(-ENOSPC, "names") && says(-ENOSPC, "segments") && says(-ENOSPC, "journal"));
	CHECK(says(-EROFS, "look") && says(-EROFS, "file system"));
	CHECK(says(MDG_DAMAGED, "registry") && says(MDG_DAMAGED, "segment"));
	CHECK(mdg_strerror(12345) != NULL && mdg_strerror(-4000) != NULL);
}

int main(void)
{
	mdg_namespace *ns = unit_open("errors", NULL);
	not_permitted(ns);
	not_there(ns);
	in_the_way(ns);
	others();
	return test_result();
}
