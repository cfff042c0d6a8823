/* SPDX-License-Identifier: MIT */
/*
 * log_out.c - see log_out.h.
 *
 * THE PROGRAM NOTICES NOTHING. Lines are made on the stack and written by system calls, with
 * signals blocked: no errno changes, no SIGPIPE comes, no lock is taken, no memory is allocated. So
 * all of it also works in a signal handler, and in the child of fork or vfork. A line that does not
 * get through within a tenth of a second is dropped, and further ones are then not waited for. The
 * next line that gets through is preceded by one that says how many were lost.
 *
 * THE DESCRIPTOR of a file has a high number and is closed in exec. It is opened for adding at the
 * end, so lines of many processes stand one below the other. Programs close descriptors that they
 * do not know, and open others in their place. So before each line it is asked whether it is still
 * the same file; if not, the file is opened again. Several threads may open it at once: one of them
 * keeps its descriptor, and the others close theirs when their line is written.
 *
 * STANDARD ERROR is never duplicated: who reads the other end of a pipe would wait for its end for
 * ever, while a daemon believes that it has closed it. And number 2 may come to be something else:
 * a file of the program's, or a connection. Lines are written only while it is what it was.
 */
#include "sysv/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "platform/quietly.h"
#include "platform/sys.h"
#include "platform/text.h"

enum { PATIENCE_MS = 100, STANDARD_ERROR = 2 };

_Atomic uint32_t mdg__log_is_on;

/* Written when the library starts, and constant afterwards. */
static char path[4096]; /* "": standard error */
static uint64_t stderr_device, stderr_inode;

/* The descriptor that is kept, and its file. The file is noted once, by whoever changes the state
 * from NONE to NOTING. */
enum { NONE, NOTING, NOTED };
static _Atomic uint32_t state;
static _Atomic int kept = -1;
static uint64_t file_device, file_inode;
static bool file_is_pipe;

static _Atomic uint32_t lost;      /* lines, since the last one that got through */
static _Atomic uint32_t is_torn;   /* the last one was written in part */
static _Atomic uint32_t is_tiring; /* the last one was waited for in vain */

/* ---- the start --------------------------------------------------------------------------- */

static bool read_identity(const char *text)
{
	struct stat status;
	const char *at = text;
	if (*at == '\0') {
		if (mdg__sys_fstat(STANDARD_ERROR, &status) < 0)
			return false;
		stderr_device = (uint64_t)status.st_dev;
		stderr_inode = (uint64_t)status.st_ino;
		return true;
	}
	return mdg__parse_number(&at, 10, &stderr_device) && *at++ == ':' &&
	       mdg__parse_number(&at, 10, &stderr_inode) && *at == '\0';
}

/* A copy is kept, because programs write over their environment to change what ps shows. */
static bool read_wish(const char *wish)
{
	size_t length = strlen(wish);
	if (wish[0] == '-')
		return read_identity(wish + 1);
	if (wish[0] != '/' || length >= sizeof path)
		return false;
	memcpy(path, wish, length + 1);
	return true;
}

__attribute__((constructor(103))) static void start(void)
{
	int before = errno;
	const char *wish = mdg__environment("MADANG_LOG");
	if (wish != NULL && getauxval(AT_SECURE) == 0 && read_wish(wish))
		atomic_store(&mdg__log_is_on, 1);
	errno = before;
}

/* ---- the descriptor ---------------------------------------------------------------------- */

struct out {
	int fd;
	bool is_pipe, is_kept;
};

/* Whether a file that was just opened is the one that is noted, or can be. */
static bool note(const struct stat *status)
{
	uint32_t none = NONE;
	if (atomic_compare_exchange_strong(&state, &none, NOTING)) {
		file_device = (uint64_t)status->st_dev;
		file_inode = (uint64_t)status->st_ino;
		file_is_pipe = S_ISFIFO(status->st_mode);
		/* Release: pairs with the acquire of is_kept_one. */
		atomic_store_explicit(&state, NOTED, memory_order_release);
		return true;
	}
	return atomic_load_explicit(&state, memory_order_acquire) == NOTED &&
	       (uint64_t)status->st_dev == file_device && (uint64_t)status->st_ino == file_inode;
}

/* It is still our own: the same file, and open in the way in which we open it. */
static bool is_kept_one(int fd)
{
	if (fd < 0 || atomic_load_explicit(&state, memory_order_acquire) != NOTED ||
	    !mdg__fd_is(fd, (dev_t)file_device, (ino_t)file_inode))
		return false;
	int flags = mdg__sys_status_flags(fd);
	return flags >= 0 && (flags & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND);
}

static bool open_file(struct out *out)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
	struct stat status;
	int before = atomic_load(&kept);
	if (is_kept_one(before)) {
		*out = (struct out){ before, file_is_pipe, true };
		return true;
	}
	int fd = mdg__fd_out_of_the_way(mdg__open_own(AT_FDCWD, path, flags, 0600));
	if (fd < 0)
		return false;
	if (mdg__sys_fstat(fd, &status) < 0) {
		(void)mdg__sys_close(fd);
		return false;
	}
	/* The number of the one before is the program's now, or another thread was faster. */
	bool keeps = note(&status) && atomic_compare_exchange_strong(&kept, &before, fd);
	*out = (struct out){ fd, S_ISFIFO(status.st_mode), keeps };
	return true;
}

static bool open_out(struct out *out)
{
	struct stat status;
	if (path[0] != '\0')
		return open_file(out);
	if (mdg__sys_fstat(STANDARD_ERROR, &status) < 0 ||
	    (uint64_t)status.st_dev != stderr_device || (uint64_t)status.st_ino != stderr_inode)
		return false;
	*out = (struct out){ STANDARD_ERROR, S_ISFIFO(status.st_mode), true };
	return true;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* All of the line, or false. */
static bool write_line(const struct out *out, const struct mdg__line *line)
{
	/* The newline at its beginning is for a line that was torn off. */
	size_t from = atomic_exchange(&is_torn, 0) != 0 ? 0 : 1, size = line->used - from;
	unsigned patience = atomic_load(&is_tiring) != 0 ? 0 : PATIENCE_MS;
	int64_t done =
		mdg__sys_write_quietly(out->fd, line->text + from, size, out->is_pipe, patience);
	if (done != (int64_t)size)
		atomic_store(&is_torn, done > 0 || from == 0);
	atomic_store(&is_tiring, done == -EAGAIN);
	return done == (int64_t)size;
}

/* Says how many lines were lost. False: even that does not get through. */
static bool write_lost(const struct out *out)
{
	uint32_t count = atomic_exchange(&lost, 0);
	struct mdg__line line;
	if (count == 0)
		return true;
	mdg__line_begin(&line, mdg__realtime_nanoseconds());
	mdg__line_text(&line, "+++ ");
	mdg__line_unsigned(&line, count, 10, 1);
	mdg__line_text(&line, count == 1 ? " line was lost +++\n" : " lines were lost +++\n");
	if (write_line(out, &line))
		return true;
	(void)atomic_fetch_add(&lost, count);
	return false;
}

void mdg__log_write(struct mdg__line *line)
{
	struct out out = { -1, false, true };
	mdg__sigmask mask;
	mdg__line_text(line, "\n");
	mdg__signals_block(&mask);
	if (!open_out(&out) || !write_lost(&out) || !write_line(&out, line))
		(void)atomic_fetch_add(&lost, 1);
	if (!out.is_kept)
		(void)mdg__sys_close(out.fd);
	mdg__signals_restore(&mask);
}
