/* SPDX-License-Identifier: MIT */
/*
 * channel_tool.h - what listen, talk, call, serve and channels share: the words of their command
 * lines (channel_options.c), entering a channel and saying why that failed (channel_open.c), waits
 * and descriptors that Ctrl-C ends (channel_wait.c), counting (channel_stats.c).
 */
#ifndef MADANG_TOOL_CHANNEL_TOOL_H
#define MADANG_TOOL_CHANNEL_TOOL_H

#include "base/command.h"
#include "base/tool.h"

#include <sys/uio.h>

#include "madang/channel.h"

/* ---- channel_options.c ------------------------------------------------ */

/* How messages lie in a stream of bytes. */
enum channel_format {
	CHANNEL_LINES,  /* a message is a line, without its end */
	CHANNEL_WHOLE,  /* all of it is one */
	CHANNEL_RECORDS /* 4 bytes big endian, that many bytes */
};

struct channel_request {
	const char *dir;
	const char *name;
	char shown[4 * MDG_NAME_MAX + 1]; /* the name, safe for a terminal */
	struct mdg_channel_options options;
	enum channel_format format;
	bool has_from;
	uint64_t count;   /* messages; UINT64_MAX: no end */
	uint64_t timeout; /* nanoseconds; MDG_FOREVER */
	bool stats;
};

/* The options of these commands that have no letter. */
enum { OPTION_CAPACITY = OPTION_LONG, OPTION_PEERS, OPTION_OVERWRITE };
/* The rows about how the channel is to be, of those who may make it of any kind but a call. */
#define OPTIONS_OF_CHANNEL                                                                         \
	HEADING("How the channel is to be. The defaults count only if it is made:"),               \
		VALUE_OF('k', "kind", "KIND", "stream queue topic",                                \
	                 "stream (default), queue or topic"),                                      \
		VALUE(OPTION_CAPACITY, "capacity", "SIZE",                                         \
	              "bytes of the largest message; default 64K"),                                \
		VALUE(OPTION_PEERS, "peers", "N",                                                  \
	              "most talkers and listeners together; default 32"),                          \
		FLAG(OPTION_OVERWRITE, "overwrite",                                                \
	             "a topic that drops its oldest messages when it is full"),                    \
		VALUE('m', "mode", "MODE", "permissions in octal; default 0600")

/* Reads the command's options and NAME. Afterwards optind is behind NAME. If the command line ends
 * with another command and its options, our options may stand directly before or behind NAME.
 * Returns what options_parse returns. */
int channel_parse(const struct command *command, int argc, char **argv,
                  struct channel_request *request);

/* ---- channel_open.c --------------------------------------------------- */

struct channel {
	mdg_namespace *ns;
	mdg_channel *handle;
	struct mdg_channel_info info; /* as it was when it was entered */
};

/* Makes the namespace and the channel where they are not there. TOOL_OK, or it has been said. */
int channel_enter(struct channel *channel, const struct channel_request *request, unsigned role);
/* After mdg_channel_open with the request's options said `code`. */
void channel_complain_open(int code, mdg_namespace *ns, const struct channel_request *request,
                           unsigned role);
/* Any other code that a channel's call returned: what it was about, why, what to do. */
void channel_complain(int code, const struct channel_request *request, const char *what);
/* A message of `what` ("line 3", "the reply") has `size` bytes, or more, and cannot be sent. */
void channel_complain_size(const struct channel *channel, const struct channel_request *request,
                           const char *what, uint64_t size, bool more);
void channel_leave(struct channel *channel);

/* ---- channel_wait.c --------------------------------------------------- */

/* From here on SIGINT, SIGTERM, SIGHUP and SIGPIPE, unless they are ignored, end what waits and
 * are noted; with `ignore_pipe` SIGPIPE is ignored. */
void channel_catch(bool ignore_pipe);
/* The signal that came; 0: none. */
int channel_caught(void);
/* As the last thing of a command: ends by the signal that came, or returns `status`. */
int channel_end(int status);

/* When a wait that ends at `deadline` looks up. */
uint64_t channel_slice(uint64_t deadline);
uint64_t channel_deadline(uint64_t timeout);
/* Whether a code says that a slice of a wait is over, or was disturbed. */
bool channel_is_waiting(int code);
/* Waits for messages, which mdg_channel_release gives back. Returns how many, or a negative code.
 * -EINTR: a signal came. -ETIMEDOUT. -EPIPE: nobody reads `out` any more; not asked if it is -1. */
int channel_peek(struct channel *channel, struct mdg_message *messages, unsigned count,
                 uint64_t timeout, int out);

/* All of it: 0, or a negative errno; -EINTR: a signal came. `parts` is changed. */
int channel_write(int fd, struct iovec *parts, size_t count);
/* Some bytes: how many, 0 at the end, or a negative errno as above. */
ssize_t channel_read(int fd, void *data, size_t size);

/* Bytes that were read, and are not used up: [start, end) of data. */
struct channel_input {
	unsigned char *data;
	size_t start, end, room;
	bool at_end;
};
/* Reads more, and moves what there is to the front. 0, or a negative errno as above. */
int channel_input_more(struct channel_input *input, int fd);

/* ---- channel_stats.c -------------------------------------------------- */

struct channel_stats {
	uint64_t messages, bytes, missed, redelivered;
	uint64_t first, last; /* moments */
};
void channel_count(struct channel_stats *stats, const struct mdg_message *messages, unsigned count);
/* One line on stderr. */
void channel_print_stats(const struct channel_stats *stats, bool listener);
/* "0.5 s", for messages. */
char *channel_show_seconds(char room[SHOW_ROOM], uint64_t nanoseconds);

#endif
