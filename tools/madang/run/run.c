/* SPDX-License-Identifier: MIT */
/*
 * run.c - madang run: starts a program whose System V IPC is Madang's.
 *
 * It prepends libmadang-sysv to LD_PRELOAD, puts the namespace's absolute path in
 * MADANG_NAMESPACE, and becomes the program: no process stays in between, so signals, exit codes
 * and the parent's waitpid are the program's own. With --private a process does stay: private.h.
 * The namespace is opened first, so that a refusal is said by madang and not by a shmget deep
 * inside the program.
 */
#include "run/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"

static const struct option_row option_rows[] = {
	VALUE_OF('n', "namespace", "DIR", "@directories",
	         "the namespace, made when it is not there;\n"
	         "default $MADANG_NAMESPACE or your own"),
	FLAG('p', "private",
	     "a new namespace, removed when PROGRAM and all that it\n"
	     "started have ended"),
	VALUE_OF('l', "log", "FILE", "@files",
	         "add each System V call to FILE, with arguments, result and\n"
	         "time, as strace(1) would; - is standard error"),
	FLAG('s', "strict", "start no program, however deep, that would not use Madang"),
	OPTION_HELP,
	OPTIONS_END,
};

static int complain_not_runnable(int status, const char *name)
{
	if (status == TOOL_NOT_FOUND) {
		complain("%s: not found", name);
		advise(strpbrk(name, " \t;|&") != NULL
		               ? "Give the program and its arguments as words of their own, or a "
		                 "line to a shell: "
		                 "madang run sh -c '...'"
		       : strchr(name, '/') != NULL
		               ? "Check the path."
		               : "Check the name and PATH, or give the path with a slash.");
	} else {
		complain("%s: cannot be executed", name);
		advise("It must be a file, and you need the permission to execute it: chmod +x");
	}
	return status;
}

static int complain_unreachable(enum mdg__reach reach, const struct program *program)
{
	char file[sizeof program->path + sizeof program->judged + 32];

	if (reach == MDG__REACHED)
		return TOOL_OK;
	if (strcmp(program->path, program->judged) == 0)
		snprintf(file, sizeof file, "%s", program->path);
	else
		snprintf(file, sizeof file, "%s, the interpreter of %s,", program->judged,
		         program->path);
	complain("%s %s", file, mdg__reach_reason(reach));
	advise(mdg__reach_advice(reach));
	return TOOL_TROUBLE;
}

static int find_preload(char *room, size_t size)
{
	if (!preload_find(room, size)) {
		complain("libmadang-sysv.so.0 cannot be read (%s)", room);
		advise("Install it, or name it in MADANG_PRELOAD.");
		return TOOL_TROUBLE;
	}
	if (strpbrk(room, " \t\n:") != NULL) {
		complain("%s holds a space or a colon, which LD_PRELOAD cannot express", room);
		advise("Move or link it to a path without them and name that in MADANG_PRELOAD.");
		return TOOL_TROUBLE;
	}
	return TOOL_OK;
}

/* Opens (and so makes, or is refused) the namespace; its absolute path for the environment. */
static int prepare_namespace(const char *dir)
{
	const struct mdg_namespace_options existing = { .size = sizeof existing,
		                                        .flags = MDG_NS_EXISTING };
	char path[NAMESPACE_PATH_ROOM];
	mdg_namespace *ns;
	char *absolute;
	int rc;

	/* One that is made anew is not what those have who still use the former one. */
	rc = mdg_namespace_open(&ns, dir, &existing);
	if (rc == -ENOENT)
		remains_complain(namespace_path(path, dir));
	/* Any other code comes again here, and is said. */
	if (rc != 0 && namespace_open(&ns, dir, NULL) != 0)
		return TOOL_TROUBLE;
	absolute = realpath(namespace_path(path, dir), NULL);
	rc = absolute != NULL ? setenv("MADANG_NAMESPACE", absolute, 1) : -1;
	if (rc != 0)
		complain("cannot name %s absolutely: %s", path, strerror(errno));
	free(absolute);
	mdg_namespace_close(ns);
	return rc == 0 ? TOOL_OK : TOOL_TROUBLE;
}

/* Whether the list holds the library already: inside `madang run bash`, run again. */
static bool list_holds(const char *list, const char *library)
{
	for (const char *entry = list;; entry++) {
		size_t length = strcspn(entry, " \t\n:");
		if (length > 0 && preload_is(entry, length, library))
			return true;
		entry += length;
		if (entry[0] == '\0')
			return false;
	}
}

/* The sanitizers' runtimes at the head of the list, with what is behind each: whoever put them
 * there did so because they want to be the first. */
static size_t head_of_sanitizers(const char *list)
{
	static const char *const runtimes[] = { "libasan.so", "libtsan.so", "liblsan.so",
		                                "libhwasan.so", "libclang_rt." };
	size_t head = 0, length;
	bool more = true;

	while (more && list[head] != '\0') {
		length = strcspn(list + head, " \t\n:");
		more = false;
		for (size_t i = 0; i < sizeof runtimes / sizeof runtimes[0]; i++) {
			const char *found = strstr(list + head, runtimes[i]);
			more |= found != NULL && found < list + head + length;
		}
		if (more)
			head += length + strspn(list + head + length, " \t\n:");
	}
	return head;
}

static int prepare_preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *list;
	size_t head;
	int rc;

	if (before == NULL || before[0] == '\0')
		return setenv("LD_PRELOAD", library, 1) == 0 ? TOOL_OK : TOOL_TROUBLE;
	if (list_holds(before, library))
		return TOOL_OK;
	head = head_of_sanitizers(before);
	list = malloc(strlen(before) + 1 + strlen(library) + 1 + 1);
	if (list == NULL) {
		complain("%s", strerror(ENOMEM));
		return TOOL_TROUBLE;
	}
	sprintf(list, "%.*s%s%s%s%s", (int)head, before, before[head] == '\0' ? ":" : "", library,
	        before[head] == '\0' ? "" : ":", before + head);
	rc = setenv("LD_PRELOAD", list, 1);
	free(list);
	return rc == 0 ? TOOL_OK : TOOL_TROUBLE;
}

static int become(const struct program *program, char **arguments)
{
	int error;

	/* The path that was looked at, so that no other file is run; execvp, because it gives a
	 * script without #! to the shell. */
	execvp(program->path, arguments);
	error = errno;
	complain("%s: %s", program->path, strerror(error));
	if (error == ENOENT)
		advise("The file is there: its interpreter or loader is missing.");
	else if (error == E2BIG)
		advise("Arguments and environment are too large together.");
	else if (error == ENOEXEC)
		advise("It is no program and has no '#!' line.");
	return error == ENOENT ? TOOL_NOT_FOUND : TOOL_NOT_EXECUTABLE;
}

/* What the command line asks for, and what was found. */
struct request {
	const char *dir, *log;
	bool is_private, is_strict;
	char **arguments; /* the program's name first */
	char library[4096];
	struct program program;
};

static int start(void *context)
{
	const struct request *request = context;

	if (request->is_strict)
		strict_forbid();
	return become(&request->program, request->arguments);
}

static int prepare(const struct request *request, const char *dir)
{
	char strict[sizeof request->library];
	int status = prepare_namespace(dir);

	if (status == TOOL_OK)
		status = prepare_preload(request->library);
	if (status != TOOL_OK || !request->is_strict)
		return status;
	status = strict_prepare(request->library, strict, sizeof strict);
	return status == TOOL_OK ? prepare_preload(strict) : status;
}

static int run_shared(struct request *request)
{
	int status = prepare(request, request->dir);
	return status == TOOL_OK ? start(request) : status;
}

static int run_private(struct request *request)
{
	struct private_room room;
	int status = private_make(&room);

	if (status != TOOL_OK)
		return status;
	status = private_fill(&room);
	if (status == TOOL_OK)
		status = prepare(request, room.path);
	if (status == TOOL_OK)
		return private_run(&room, start, request);
	private_remove(&room);
	return status;
}

/* TOOL_OK: the program can be started. */
static int find_all(struct request *request)
{
	int status = program_find(request->arguments[0], &request->program);

	if (status != 0)
		return complain_not_runnable(status, request->arguments[0]);
	status = find_preload(request->library, sizeof request->library);
	if (status == TOOL_OK)
		status = complain_unreachable(program_reach(&request->program, request->library),
		                              &request->program);
	return status;
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct request *request = context;

	switch (option) {
	case 'n':
		request->dir = value;
		break;
	case 'l':
		request->log = value;
		break;
	case 'p':
		request->is_private = true;
		break;
	case 's':
		request->is_strict = true;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static int run_main(const struct command *command, int argc, char **argv)
{
	static struct request request;
	/* The first word that is no option is the program; the rest is the program's. */
	int status = options_parse(command, argc, argv, take, &request);

	if (status != TOOL_OK)
		return status;
	if (request.is_private && request.dir != NULL)
		return usage_error(
			"--private makes a namespace of its own; --namespace names another");
	if (optind == argc)
		return usage_error("which program?");
	request.arguments = argv + optind;
	status = find_all(&request);
	if (status == TOOL_OK && request.log != NULL)
		status = log_prepare(request.log, request.arguments);
	if (status != TOOL_OK)
		return status;
	return request.is_private ? run_private(&request) : run_shared(&request);
}

const struct command run_command = {
	.name = "run",
	.summary = "run a program whose System V IPC is Madang's",
	.synonyms = "exec start",
	.usage = "run [--namespace DIR | --private] [--log FILE] [--strict] [--] PROGRAM "
		 "[ARGUMENTS]",
	.about = "Runs PROGRAM with Madang's System V calls (shmget, semget, msgget ...) in place "
		 "of the "
		 "kernel's.\n"
		 "Programs that PROGRAM starts use them too.\n",
	.options = option_rows,
	.notes = "$MADANG_PRELOAD names another libmadang-sysv.so.0 to use.\n"
		 "Exit status: PROGRAM's; 1 when it cannot be run on Madang (static, set-user-ID, "
		 "the\n"
		 "namespace refused), 2 usage, 126 it cannot be executed, 127 it is not there.\n",
	.operands = "program",
	.stops = true,
	.run = run_main,
};
