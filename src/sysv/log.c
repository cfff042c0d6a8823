/* SPDX-License-Identifier: MIT */
/*
 * log.c - see log.h.
 *
 * A thread that is about to sleep is told so from below (mdg__host_watch_sleeps), in the middle of
 * the call. So each thread notes the call that it is in. A handler that runs during the sleep may
 * make a call itself: it notes its own, and gives the older one back. If the handler leaves by
 * siglongjmp, the note of the call that was left stays until the next call. Its arguments are
 * looked at only after the kernel has said that they can be read (log_shm.c and its like).
 */
#include "sysv/log.h"

#include <errno.h>
#include <stddef.h>

#include "platform/clock.h"
#include "platform/ofthread.h"
#include "segment/hostcalls.h"

static MDG__OF_THREAD struct mdg__log_facts current;

/* ---- errors ------------------------------------------------------------------------------ */

struct error {
	int number;
	const char *name, *text;
};
#define ERROR(name, text)                                                                          \
	{                                                                                          \
		name, #name, text                                                                  \
	}

/* What the calls give, in the words of the C library. */
static const struct error errors[] = {
	ERROR(E2BIG, "Argument list too long"),
	ERROR(EACCES, "Permission denied"),
	ERROR(EAGAIN, "Resource temporarily unavailable"),
	ERROR(EBADF, "Bad file descriptor"),
	ERROR(EEXIST, "File exists"),
	ERROR(EFAULT, "Bad address"),
	ERROR(EFBIG, "File too large"),
	ERROR(EIDRM, "Identifier removed"),
	ERROR(EINTR, "Interrupted system call"),
	ERROR(EINVAL, "Invalid argument"),
	ERROR(EIO, "Input/output error"),
	ERROR(EMFILE, "Too many open files"),
	ERROR(ENFILE, "Too many open files in system"),
	ERROR(ENOENT, "No such file or directory"),
	ERROR(ENOMEM, "Cannot allocate memory"),
	ERROR(ENOMSG, "No message of desired type"),
	ERROR(ENOSPC, "No space left on device"),
	ERROR(ENOSYS, "Function not implemented"),
	ERROR(ENOTDIR, "Not a directory"),
	ERROR(EOVERFLOW, "Value too large for defined data type"),
	ERROR(EPERM, "Operation not permitted"),
	ERROR(ERANGE, "Numerical result out of range"),
};

static void put_error(struct mdg__line *line, int number)
{
	mdg__line_text(line, "-1 ");
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (errors[i].number != number)
			continue;
		mdg__line_text(line, errors[i].name);
		mdg__line_text(line, " (");
		mdg__line_text(line, errors[i].text);
		mdg__line_text(line, ")");
		return;
	}
	mdg__line_text(line, "(errno ");
	mdg__line_signed(line, number);
	mdg__line_text(line, ")");
}

/* ---- lines ------------------------------------------------------------------------------- */

static void put_result(struct mdg__line *line, const struct mdg__logged *logged, int error)
{
	if (logged->result == -1)
		put_error(line, error);
	else if (logged->facts.call->gives == MDG__GIVES_ADDRESS)
		mdg__line_hex(line, (unsigned long)logged->result);
	else if (logged->facts.call->gives == MDG__GIVES_KEY)
		mdg__line_hex(line, (uint32_t)logged->result);
	else
		mdg__line_signed(line, logged->result);
}

static void put_duration(struct mdg__line *line, uint64_t nanoseconds)
{
	const uint64_t second = 1000000000;
	mdg__line_text(line, " <");
	mdg__line_unsigned(line, nanoseconds / second, 10, 1);
	mdg__line_text(line, ".");
	mdg__line_unsigned(line, nanoseconds % second / 1000, 10, 6);
	mdg__line_text(line, ">");
}

static void put_name(struct mdg__line *line, const struct mdg__logged *logged)
{
	const char *name = logged->facts.call->name;
	mdg__line_text(line, logged->facts.is_told ? "<... " : "");
	mdg__line_text(line, name);
	mdg__line_text(line, logged->facts.is_told ? " resumed>" : "(");
}

/* This thread is about to sleep. Once for each call: a sleep may be one of several. */
static void tell_sleep(void)
{
	struct mdg__logged logged = { .facts = current, .result = 0 };
	struct mdg__line line;
	if (current.call == NULL || current.is_told)
		return;
	mdg__line_begin(&line, logged.facts.realtime);
	put_name(&line, &logged);
	logged.facts.call->arguments(&line, &logged, MDG__LOG_BEFORE);
	mdg__line_begin_end(&line);
	mdg__line_text(&line, " <unfinished ...>");
	mdg__log_write(&line);
	current.is_told = true;
}

__attribute__((constructor(104))) static void watch(void)
{
	if (mdg__is_logged())
		mdg__host_watch_sleeps(tell_sleep);
}

/* ---- the calls --------------------------------------------------------------------------- */

void mdg__log_begin(struct mdg__logged *logged, const struct mdg__log_call *call, long a, long b,
                    long c, long d, long e)
{
	logged->outer = current;
	logged->facts = (struct mdg__log_facts){ .call = call,
		                                 .whose = logged,
		                                 .argument = { a, b, c, d, e },
		                                 .realtime = mdg__realtime_nanoseconds(),
		                                 .monotonic = mdg__monotonic_nanoseconds() };
	current = logged->facts;
}

long mdg__log_end(struct mdg__logged *logged, long result)
{
	int error = errno;
	uint64_t now = mdg__monotonic_nanoseconds();
	struct mdg__line line;
	/* Otherwise a handler has left a call of its own by siglongjmp. */
	logged->facts.is_told = current.whose == logged && current.is_told;
	current = logged->outer;
	logged->result = result;
	bool is_told = logged->facts.is_told;
	mdg__line_begin(&line, is_told ? mdg__realtime_nanoseconds() : logged->facts.realtime);
	put_name(&line, logged);
	logged->facts.call->arguments(&line, logged, is_told ? MDG__LOG_RESUMED : MDG__LOG_AFTER);
	mdg__line_begin_end(&line);
	mdg__line_text(&line, ") = ");
	put_result(&line, logged, error);
	put_duration(&line, now - logged->facts.monotonic);
	mdg__log_write(&line);
	return result;
}
