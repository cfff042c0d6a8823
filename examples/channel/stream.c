/* SPDX-License-Identifier: MIT */
/*
 * stream.c - one talks, one listens.
 *
 *     stream                      both, as children, and a listener that is killed
 *     stream listen NAME          prints what comes, until "bye"
 *     stream talk NAME TEXT...    says each TEXT
 *
 * Start the last two in any order, in two terminals: whoever comes first makes the channel, and
 * what is said before anybody listens is kept. "bye" ends the conversation, and the listener
 * removes the channel.
 *
 * The listener looks at each message in place (peek), and gives it back when it is done with it
 * (release). If it is killed in between, the next listener gets that message again, marked: here
 * the first one dies over "three".
 */
#include <madang/channel.h>
#include <madang/segment.h>

#include <stdbool.h>
#include <string.h>

#include "../sync/place.h"

static const char *const said[] = { "one", "two", "three", "four", "bye" };

static mdg_namespace *courtyard(void)
{
	mdg_namespace *ns;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	return ns;
}

static void talk(const char *name, const char *const *texts, int count)
{
	struct mdg_channel_options options = { .size = sizeof(options), .kind = MDG_STREAM };
	mdg_channel *channel;

	must(mdg_channel_open(&channel, courtyard(), name, MDG_TALKER, &options), name);
	for (int i = 0; i < count; i++)
		must(mdg_channel_send(channel, texts[i], strlen(texts[i]), MDG_FOREVER), "send");
	mdg_channel_close(channel);
}

static bool is(const struct mdg_message *message, const char *text)
{
	return message->size == strlen(text) && memcmp(message->data, text, message->size) == 0;
}

/* Until it hears "bye", or is killed over `last`. */
static void listen(const char *name, const char *last)
{
	struct mdg_channel_options options = { .size = sizeof(options), .kind = MDG_STREAM };
	struct mdg_message message;
	mdg_channel *channel;
	bool bye = false;

	must(mdg_channel_open(&channel, courtyard(), name, MDG_LISTENER, &options), name);
	while (!bye) {
		must(mdg_channel_peek(channel, &message, MDG_FOREVER), "peek");
		printf("message %llu: %.*s%s\n", (unsigned long long)message.sequence,
		       (int)message.size, (const char *)message.data,
		       (message.flags & MDG_REDELIVERED) != 0 ? " (again)" : "");
		fflush(stdout);
		if (last != NULL && is(&message, last))
			die();
		bye = is(&message, "bye");
		must(mdg_channel_release(channel), "release");
	}
	mdg_channel_close(channel);
	must(mdg_channel_remove(courtyard(), name), "remove");
}

static void say_all(void)
{
	talk("example-stream", said, sizeof(said) / sizeof(said[0]));
}

static void listen_and_die(void)
{
	listen("example-stream", "three");
}

static void listen_on(void)
{
	listen("example-stream", NULL);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "listen") == 0) {
		listen(argv[2], NULL);
		return EXIT_SUCCESS;
	}
	if (argc > 3 && strcmp(argv[1], "talk") == 0) {
		talk(argv[2], (const char *const *)&argv[3], argc - 3);
		return EXIT_SUCCESS;
	}
	if (argc > 1) {
		fprintf(stderr, "usage: stream [listen NAME | talk NAME TEXT...]\n");
		return 2;
	}
	pid_t talker = child(say_all);
	bool survived = went_well(child(listen_and_die));
	bool heard = went_well(child(listen_on));
	return went_well(talker) && !survived && heard ? EXIT_SUCCESS : EXIT_FAILURE;
}
