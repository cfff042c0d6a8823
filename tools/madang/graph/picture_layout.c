/* SPDX-License-Identifier: MIT */
/*
 * picture_layout.c - has Graphviz' `dot` lay the picture out, and takes its SVG.
 *
 * dot is a child process of its own, without a shell. It reads the DOT text from a file in memory,
 * so that it never has to wait for us. Its SVG comes through a pipe, and ends with the child.
 */
#include "graph/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS UINT64_C(60000000000)
#define LARGEST     ((size_t)256 << 20)

struct child {
	pid_t pid;
	int text;     /* its input */
	int messages; /* its standard error */
	int output;   /* the end that we read */
};

static int fail(int code)
{
	complain("cannot draw the picture: %s", strerror(code));
	return TOOL_TROUBLE;
}

/* ---- starting --------------------------------------------------------- */

/* The DOT text in a file that has no name: 0, or an errno. */
static int write_text(int *ret_fd, const struct picture *picture, const char *path)
{
	int fd = memfd_create("madang-graph", MFD_CLOEXEC);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
	int code = out == NULL ? errno : 0;

	if (out != NULL) {
		picture_write_dot(picture, out, path);
		if (fflush(out) != 0 || ferror(out))
			code = errno;
		if (fclose(out) != 0 && code == 0)
			code = errno;
	} else if (copy >= 0) {
		close(copy);
	}
	if (code == 0 && lseek(fd, 0, SEEK_SET) != 0)
		code = errno;
	if (code != 0 && fd >= 0)
		close(fd);
	*ret_fd = fd;
	return code;
}

static _Noreturn void be_dot(const struct child *child, int output, const char *program)
{
	static char name[] = "dot", format[] = "-Tsvg";
	char *const arguments[] = { name, format, NULL };

	/* The descriptors are above 2: those up to 2 are always open here. */
	if (dup2(child->text, 0) == 0 && dup2(output, 1) == 1 && dup2(child->messages, 2) == 2)
		execv(program, arguments);
	_exit(TOOL_NOT_FOUND);
}

static int start(struct child *child, const char *program)
{
	int ends[2], code = 0;

	child->messages = memfd_create("madang-graph-stderr", MFD_CLOEXEC);
	if (child->messages < 0)
		return errno;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		code = errno;
		close(child->messages);
		return code;
	}
	(void)fflush(NULL);
	child->pid = fork();
	if (child->pid == 0)
		be_dot(child, ends[1], program);
	code = child->pid < 0 ? errno : 0;
	close(ends[1]);
	child->output = ends[0];
	if (code != 0) {
		close(ends[0]);
		close(child->messages);
	}
	return code;
}

/* ---- reading what it draws --------------------------------------------- */

/* Waits for more: 0, or why there is no use in it: an errno, EINTR for a signal to this process. */
static int wait_for_output(int fd, uint64_t deadline)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };

	for (;;) {
		uint64_t now = mdg_deadline(0);
		if (channel_caught() != 0)
			return EINTR;
		if (now >= deadline)
			return ETIMEDOUT;
		int rc = poll(&wanted, 1, (int)((deadline - now) / 1000000) + 1);
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return errno;
	}
}

static int read_output(int fd, struct drawing *drawing)
{
	uint64_t deadline = mdg_deadline(PATIENCE_NS);
	size_t room = 0, used = 0;

	for (;;) {
		if (used + 1 >= room) {
			room = room == 0 ? 65536 : 2 * room;
			char *more = room > LARGEST ? NULL : realloc(drawing->svg, room);
			if (more == NULL)
				return ENOMEM;
			drawing->svg = more;
		}
		int code = wait_for_output(fd, deadline);
		if (code != 0)
			return code;
		ssize_t got = read(fd, drawing->svg + used, room - used - 1);
		if (got < 0 && errno != EINTR)
			return errno;
		if (got == 0)
			break;
		used += got > 0 ? (size_t)got : 0;
	}
	drawing->svg[used] = '\0';
	return strlen(drawing->svg) == used ? 0 : EILSEQ;
}

/* ---- how it ended ------------------------------------------------------ */

/* The first line that it wrote to standard error. */
static const char *first_message(int fd, char room[TEXT_ROOM])
{
	char raw[TEXT_ROOM / 4];
	ssize_t length = pread(fd, raw, sizeof raw - 1, 0);

	raw[length > 0 ? length : 0] = '\0';
	raw[strcspn(raw, "\n")] = '\0';
	return picture_text(room, raw, 0);
}

static int judge(int status, int messages)
{
	char room[TEXT_ROOM];
	const char *text = first_message(messages, room);

	if (WIFSIGNALED(status)) {
		complain("dot was killed by signal %d (%s)", WTERMSIG(status),
		         strsignal(WTERMSIG(status)));
		advise("If there was not enough memory, a smaller picture helps: --limit 20.");
		return TOOL_TROUBLE;
	}
	if (WEXITSTATUS(status) == 0)
		return TOOL_OK;
	complain("dot ended with %d%s%s", WEXITSTATUS(status), text[0] != '\0' ? ": " : "", text);
	advise("See what it was given with 'madang graph --dot'.");
	return TOOL_TROUBLE;
}

/* Waits for its end, which it is asked for if it is of no use any more. */
static int end(struct child *child, int code)
{
	int status;

	if (code != 0)
		kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(errno);
	if (channel_caught() != 0)
		return TOOL_TROUBLE; /* whoever sent the signal knows */
	if (code == ETIMEDOUT) {
		complain("dot has not finished the picture in %u seconds",
		         (unsigned)(PATIENCE_NS / 1000000000));
		advise("A smaller picture takes less time: --limit 20.");
		return TOOL_TROUBLE;
	}
	return code != 0 ? fail(code) : judge(status, child->messages);
}

static int run(struct drawing *drawing, const struct picture *picture, const char *path,
               const char *program)
{
	struct child child = { .pid = -1 };
	int code = write_text(&child.text, picture, path);

	if (code != 0)
		return fail(code);
	code = start(&child, program);
	close(child.text);
	if (code != 0)
		return fail(code);
	code = read_output(child.output, drawing);
	close(child.output);
	int status = end(&child, code);
	close(child.messages);
	return status;
}

/* ---- the drawing -------------------------------------------------------- */

/* The four numbers of viewBox="0.00 0.00 WIDTH HEIGHT"; `text` is behind the first quote. */
static bool read_size(const char *text, struct drawing *drawing)
{
	double numbers[4];

	for (int i = 0; i < 4; i++) {
		char *end;
		numbers[i] = strtod(text, &end);
		if (end == text)
			return false;
		text = end;
	}
	drawing->width = numbers[2];
	drawing->height = numbers[3];
	return numbers[2] > 0 && numbers[2] < 1e7 && numbers[3] > 0 && numbers[3] < 1e7;
}

/* Finds <svg ... viewBox="..." ...>, what follows it, and </svg>. */
static bool take_apart(struct drawing *drawing)
{
	static const char name[] = "viewBox=\"";
	const char *start = strstr(drawing->svg, "<svg");
	const char *box = start == NULL ? NULL : strstr(start, name);
	const char *head_end = box == NULL ? NULL : strchr(box, '>');
	const char *last = NULL;

	for (const char *at = head_end; at != NULL; at = strstr(at + 1, "</svg>"))
		last = at;
	if (last == NULL || last == head_end || !read_size(box + sizeof name - 1, drawing))
		return false;
	drawing->body = head_end + 1;
	drawing->length = (size_t)(last - drawing->body);
	return true;
}

void drawing_free(struct drawing *drawing)
{
	free(drawing->svg);
	memset(drawing, 0, sizeof *drawing);
}

int picture_draw(struct drawing *ret_drawing, const struct picture *picture, const char *path)
{
	struct program program;

	memset(ret_drawing, 0, sizeof *ret_drawing);
	if (program_find("dot", &program) != 0) {
		complain("cannot draw the picture: the program 'dot' of Graphviz is not there");
		advise("Install it (Debian, Ubuntu: apt install graphviz). 'madang graph --dot' "
		       "works without it.");
		return TOOL_TROUBLE;
	}
	int status = run(ret_drawing, picture, path, program.path);
	if (status == TOOL_OK && !take_apart(ret_drawing)) {
		complain("dot wrote no SVG");
		advise("See whether 'dot -Tsvg' works: Graphviz may be installed only in part.");
		status = TOOL_TROUBLE;
	}
	if (status != TOOL_OK)
		drawing_free(ret_drawing);
	return status;
}
