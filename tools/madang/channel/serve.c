/* SPDX-License-Identifier: MIT */
/*
 * serve.c - madang serve: runs a command for each request of a channel, and replies its output.
 *
 * One request at a time; several servers share a channel. The request goes to the command from
 * where it lies, while its output is collected: both pipes are served as they are ready, so that
 * neither side waits for the other. The output is complete when nobody has its pipe open any more.
 *
 * The command has a process group of its own: a signal that ends this process is passed on to all
 * of it first, and SIGKILL after three seconds. A request that gets no reply is refused, so that
 * its caller does not wait.
 */
#include "channel/channel_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/command.h"

static const struct option_row option_rows[] = {
	VALUE('c', "count", "N", "end after N requests"),
	VALUE('t', "timeout", "SEC", "end with 124 when no request came for so long"),
	VALUE(OPTION_CAPACITY, "capacity", "SIZE",
	      "bytes of the largest request or reply; default 64K"),
	VALUE(OPTION_PEERS, "peers", "N", "most callers and servers together; default 32"),
	VALUE('m', "mode", "MODE", "permissions of a new channel in octal; default 0600"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

#define CHUNK       65536u
#define PATIENCE_MS 3000

extern char **environ; /* POSIX wants it declared */

struct serve {
	struct channel_request request;
	struct channel channel;
	char **command;
	uint64_t number;            /* of the request, from 1 */
	struct channel_input reply; /* what the command has printed */
};

/* The command that runs for a request. */
struct job {
	pid_t pid;
	int in, out; /* our ends of its pipes; -1: closed */
	const unsigned char *request;
	size_t left; /* bytes that it has not got yet */
};

/* ---- starting it ------------------------------------------------------ */

static int spawn(struct serve *serve, struct job *job, int its_in, int its_out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t usual;
	int rc;

	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE); /* which is ignored here */
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, its_in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, its_out, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigdefault(&attributes, &usual);
	rc = posix_spawnp(&job->pid, serve->command[0], &actions, &attributes, serve->command,
	                  environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* 0, or an errno. */
static int start(struct serve *serve, struct job *job)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int rc = 0;

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		rc = errno;
	/* Only our end of it: that of the command is another open file. */
	if (rc == 0 && fcntl(in[1], F_SETFL, O_NONBLOCK) != 0)
		rc = errno;
	if (rc == 0)
		rc = spawn(serve, job, in[0], out[1]);
	close_end(&in[0]);
	close_end(&out[1]);
	if (rc != 0) {
		close_end(&in[1]);
		close_end(&out[0]);
	}
	job->in = in[1];
	job->out = out[0];
	return rc;
}

/* ---- serving its pipes ------------------------------------------------ */

static void feed(struct job *job)
{
	if (job->left > 0) {
		ssize_t written =
			write(job->in, job->request, job->left < CHUNK ? job->left : CHUNK);
		if (written > 0) {
			job->request += written;
			job->left -= (size_t)written;
		} else if (errno != EAGAIN && errno != EINTR) {
			job->left = 0; /* it does not want to know more */
		}
	}
	if (job->left == 0)
		close_end(&job->in);
}

static bool is_too_large(const struct serve *serve)
{
	return serve->reply.end > serve->channel.info.capacity;
}

/* False: there is no memory for it, or it is larger than a reply can be. */
static bool collect(struct serve *serve, struct job *job)
{
	int rc = channel_input_more(&serve->reply, job->out);

	if (rc == -ENOMEM)
		return false;
	if (rc != 0 || serve->reply.at_end)
		close_end(&job->out);
	return !is_too_large(serve);
}

/* Until the output ends. False: it is of no use any more. */
static bool converse(struct serve *serve, struct job *job)
{
	while (job->out >= 0) {
		struct pollfd fds[2] = { { .fd = job->in, .events = POLLOUT },
			                 { .fd = job->out, .events = POLLIN } };
		if (channel_caught() != 0)
			return false;
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			feed(job);
		if (fds[1].revents != 0 && !collect(serve, job))
			return false;
	}
	return true;
}

/* ---- its end ---------------------------------------------------------- */

/* All of its group. Returns what waitpid says of it. */
static int end_group(const struct job *job, int signal)
{
	const struct timespec moment = { 0, 10000000 };
	int status = 0;

	kill(-job->pid, signal);
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (waitpid(job->pid, &status, WNOHANG) != 0)
			return status;
		nanosleep(&moment, NULL);
	}
	kill(-job->pid, SIGKILL);
	while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int await_end(const struct job *job)
{
	int status = 0;

	while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
		if (channel_caught() != 0)
			return end_group(job, channel_caught());
	return status;
}

/* Whether the command did it; if not, that has been said. */
static bool check_end(struct serve *serve, int status)
{
	const char *name = serve->command[0];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (WIFSIGNALED(status))
		complain("request %" PRIu64 ": %s was killed by signal %d (%s): refused",
		         serve->number, name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		complain("request %" PRIu64 ": %s ended with %d: refused", serve->number, name,
		         WEXITSTATUS(status));
	return false;
}

/* ---- a request -------------------------------------------------------- */

/* Whether there is a reply; why not, has been said. */
static bool work(struct serve *serve, const struct mdg_message *message)
{
	struct job job = { .request = message->data, .left = message->size };
	int rc = start(serve, &job);
	char what[SHOW_ROOM];

	serve->reply.end = 0;
	if (rc != 0) {
		complain("request %" PRIu64 ": cannot run %s: %s: refused", serve->number,
		         serve->command[0], strerror(rc));
		return false;
	}
	bool complete = converse(serve, &job);
	close_end(&job.in);
	close_end(&job.out);
	if (complete && channel_caught() == 0) {
		int status = await_end(&job);
		return channel_caught() == 0 && check_end(serve, status);
	}
	(void)end_group(&job, channel_caught() != 0 ? channel_caught() : SIGTERM);
	if (is_too_large(serve)) {
		snprintf(what, sizeof what, "the reply to request %" PRIu64, serve->number);
		channel_complain_size(&serve->channel, &serve->request, what,
		                      serve->channel.info.capacity, true);
	} else if (channel_caught() == 0) {
		complain("request %" PRIu64 ": no memory for the reply: refused", serve->number);
	}
	return false;
}

/* 0, or the code for which serving ends. */
static int reply(struct serve *serve)
{
	for (;;) {
		int rc = mdg_channel_send(serve->channel.handle, serve->reply.data,
		                          serve->reply.end, channel_slice(MDG_FOREVER));
		if (rc == MDG_PEER_DIED)
			complain("request %" PRIu64 ": the caller has gone, and gets no reply",
			         serve->number);
		else if (rc == -ECANCELED)
			complain("request %" PRIu64
			         ": the caller waits no longer, and gets no reply",
			         serve->number);
		else if (channel_is_waiting(rc) && channel_caught() == 0)
			continue;
		else
			return rc;
		return 0;
	}
}

static int stop(struct serve *serve, int rc)
{
	char time[SHOW_ROOM];

	if (rc == -EINTR)
		return TOOL_TROUBLE; /* and then by the signal */
	if (rc == -EIDRM)
		return TOOL_OK;
	if (rc == -ETIMEDOUT) {
		complain("no request to \"%s\" for %s", serve->request.shown,
		         channel_show_seconds(time, serve->request.timeout));
		return TOOL_TIMEOUT;
	}
	channel_complain(rc, &serve->request, "cannot serve");
	return TOOL_TROUBLE;
}

static int run(struct serve *serve)
{
	struct mdg_message message;

	for (serve->number = 1; serve->number - 1 < serve->request.count; serve->number++) {
		int rc = channel_peek(&serve->channel, &message, 1, serve->request.timeout, -1);
		if (rc < 0)
			return stop(serve, rc);
		/* Without a reply, mdg_channel_release refuses it. */
		rc = work(serve, &message) ? reply(serve)
		                           : mdg_channel_release(serve->channel.handle);
		if (rc == 0 && channel_caught() != 0)
			rc = -EINTR;
		if (rc != 0)
			return stop(serve, rc);
	}
	return TOOL_OK;
}

/* ---- the command ------------------------------------------------------ */

/* So that a wrong word is said at once, and not to the first caller. */
static int find_command(const char *name)
{
	static struct program program;
	int status = program_find(name, &program);

	if (status == TOOL_NOT_FOUND) {
		complain("%s: not found", name);
		advise("Check the name and PATH, or give the path with a slash.");
	} else if (status == TOOL_NOT_EXECUTABLE) {
		complain("%s: cannot be executed", name);
		advise("It must be a file, and you need the permission to execute it: chmod +x");
	}
	return status;
}

static int serve_main(const struct command *command, int argc, char **argv)
{
	static struct serve serve;
	int status = channel_parse(command, argc, argv, &serve.request);

	if (status != TOOL_OK)
		return status;
	if (optind >= argc)
		return usage_error("which command? madang serve NAME -- COMMAND");
	serve.command = argv + optind;
	serve.request.options.kind = MDG_CALL;
	status = find_command(serve.command[0]);
	if (status != TOOL_OK)
		return status;
	channel_catch(true);
	status = channel_enter(&serve.channel, &serve.request, MDG_LISTENER);
	if (status == TOOL_OK)
		status = run(&serve);
	channel_leave(&serve.channel);
	free(serve.reply.data);
	return channel_end(status);
}

const struct command serve_command = {
	.name = "serve",
	.summary = "run a command for each request",
	.synonyms = "reply server",
	.usage = "serve [OPTIONS] NAME -- COMMAND [ARG...]",
	.about =
		"Runs COMMAND for each request that 'madang call NAME' or mdg_channel_call makes.\n"
		"COMMAND reads the request from its standard input; what it prints is the reply.\n"
		"The channel is made if it is not there.\n",
	.options = option_rows,
	.notes = "If COMMAND fails (its exit status is not 0), the request is refused, and serve\n"
		 "says so on standard error.\n"
		 "Exit status: 0 --count was reached, or the channel was removed; 1 trouble;\n"
		 "2 usage; 124 --timeout; 126 COMMAND cannot be executed; 127 it is not there.\n",
	.operands = "server",
	.stops = true,
	.run = serve_main,
};
