/* SPDX-License-Identifier: MIT */
/*
 * mk.c - madang mk: makes a segment, a semaphore set or a queue, and prints its id.
 *
 * With a key the segment is what shmget(2) with IPC_CREAT | IPC_EXCL makes; with a name, or with
 * neither, it belongs to the native interface. Nothing is attached, and the creator is this
 * process, which ends at once: until a program attaches it, `madang rm --orphans` takes the segment
 * for an orphan.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/command.h"
#include "base/kind.h"
#include "madang/msg.h"
#include "madang/sem.h"

enum { OPTION_NORESERVE = OPTION_LONG, OPTION_KIND_OF };

static const struct option_row option_rows[] = {
	OPTION_KIND(OPTION_KIND_OF,
	            "make this: segments (default), semaphores or queues; or shm, sem, msg"),
	VALUE('k', "key", "KEY", "give it this System V key (decimal, 0x..., 0...); must be new"),
	VALUE('N', "name", "NAME", "give it this name, 1 to 63 bytes; must be new"),
	VALUE('m', "mode", "MODE", "permissions in octal; default 0600"),
	FLAG(OPTION_NORESERVE, "noreserve",
	     "do not reserve a segment's memory: a full file system then kills\n"
	     "the program that touches it first"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

struct request {
	const char *dir;
	const char *name;
	enum kind kind;
	bool has_key;
	int32_t key;
	uint64_t size; /* of a segment: bytes; of a set: semaphores */
	unsigned mode;
	unsigned flags;
};

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct request *request = context;

	switch (option) {
	case OPTION_KIND_OF:
		return usage_kind(value, &request->kind);
	case 'k':
		if (!parse_key(value, &request->key) || request->key == 0)
			return usage_error(
				"'%s' is not a key (a number of 32 bits but 0; to have no key, "
				"leave --key out)",
				value);
		request->has_key = true;
		break;
	case 'N':
		if (usage_name(value) != TOOL_OK)
			return TOOL_USAGE;
		request->name = value;
		break;
	case 'm':
		if (!parse_mode(value, &request->mode))
			return usage_error("'%s' is not a mode (octal, 0 to 0777)", value);
		break;
	case OPTION_NORESERVE:
		request->flags |= MDG_NORESERVE;
		break;
	case 'n':
		request->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

/* The operand: how large a segment is to be, or how many semaphores a set is to have. */
static int parse_operand(struct request *request, char **operands, int count)
{
	const char *what = request->kind == KIND_SETS ? "number of semaphores" : "size";

	if (request->kind == KIND_QUEUES && count > 0)
		return usage_error("a queue has no size; '%s' is too much", operands[0]);
	if (request->kind == KIND_QUEUES)
		return TOOL_OK;
	if (count == 0 && request->kind == KIND_SETS)
		return usage_error("how many semaphores is the set to have? give their number");
	if (count == 0)
		return usage_error("how large is the segment to be? give its size, 64K for one");
	if (count > 1)
		return usage_error("one %s at a time; '%s' is too much", what, operands[1]);
	if (request->kind == KIND_SETS) {
		if (!parse_number(operands[0], 1, UINT32_MAX, &request->size))
			return usage_error("'%s' is not a number of semaphores (1 or more)",
			                   operands[0]);
		return TOOL_OK;
	}
	if (!parse_size(operands[0], &request->size) || request->size == 0)
		return usage_error("'%s' is not a size (bytes, 1 or more, or with K, M, G or T)",
		                   operands[0]);
	return TOOL_OK;
}

static int parse_arguments(const struct command *command, int argc, char **argv,
                           struct request *request)
{
	int status = options_parse(command, argc, argv, take, request);

	if (status != TOOL_OK)
		return status;
	if (request->has_key && request->name != NULL)
		return usage_error("a %s has a key or a name, not both", kind_name(request->kind));
	if (request->flags != 0 && request->kind != KIND_SEGMENTS)
		return usage_error("--noreserve is for segments");
	return parse_operand(request, argv + optind, argc - optind);
}

/* ---- making ----------------------------------------------------------- */

static int make_segment(mdg_namespace *ns, const struct request *request, mdg_id *ret_id)
{
	if (request->has_key)
		return mdg_segment_get(ns, request->key, request->size,
		                       request->mode | request->flags | MDG_CREATE | MDG_EXCL,
		                       ret_id);
	return mdg_segment_create(ns, request->name, request->size, request->mode, request->flags,
	                          ret_id);
}

static int make_set(mdg_namespace *ns, const struct request *request, mdg_id *ret_id)
{
	if (request->has_key)
		return mdg_semset_get(ns, request->key, (uint32_t)request->size,
		                      request->mode | MDG_CREATE | MDG_EXCL, ret_id);
	return mdg_semset_create(ns, request->name, (uint32_t)request->size, request->mode, 0,
	                         ret_id);
}

static int make_queue(mdg_namespace *ns, const struct request *request, mdg_id *ret_id)
{
	if (request->has_key)
		return mdg_msgqueue_get(ns, request->key, request->mode | MDG_CREATE | MDG_EXCL,
		                        ret_id);
	return mdg_msgqueue_create(ns, request->name, request->mode, ret_id);
}

static int make(mdg_namespace *ns, const struct request *request, mdg_id *ret_id)
{
	switch (request->kind) {
	case KIND_SETS:
		return make_set(ns, request, ret_id);
	case KIND_QUEUES:
		return make_queue(ns, request, ret_id);
	default:
		return make_segment(ns, request, ret_id);
	}
}

/* ---- failing ---------------------------------------------------------- */

/* What a segment may fail of. */
static void explain_segment(int rc, const struct request *request)
{
	unsigned long long size = request->size;

	if (rc == -ENOMEM) {
		complain("no memory for %llu bytes", size);
		advise("See what is free with 'madang doctor'; remove segments with 'madang rm', "
		       "or add "
		       "--noreserve when the program will touch only a part.");
	} else if (rc == -ENOSPC) {
		complain("the namespace has no segment or page left for %llu bytes", size);
		advise("See limits and use with 'madang doctor'; remove segments with 'madang rm', "
		       "or make "
		       "a larger namespace with 'madang init'.");
	} else if (rc == -EINVAL) {
		complain("the namespace does not allow a segment of %llu bytes", size);
		advise("See the largest size it allows (shmmax) with 'madang doctor'.");
	} else {
		complain_code(rc, request->dir, "cannot make the segment");
	}
}

/* What a set or a queue may fail of. */
static void explain_other(int rc, const struct request *request)
{
	if (rc == -ENOSPC) {
		complain("the namespace has as many %s as its limits allow",
		         kind_word(request->kind));
		advise("See them with 'madang ls'; remove some with 'madang rm --kind', or raise "
		       "the limit: madang(7).");
	} else if (rc == -EINVAL && request->kind == KIND_SETS) {
		complain("the namespace does not allow a set of %llu semaphores",
		         (unsigned long long)request->size);
		advise("The limit is 32000, unless it was changed: madang(7).");
	} else {
		complain_code(rc, request->dir, "cannot make the %s", kind_name(request->kind));
	}
}

static void explain_failure(int rc, const struct request *request)
{
	char room[4 * MDG_NAME_MAX + 1];

	if (rc == -EEXIST) {
		if (request->name != NULL)
			complain("the name \"%s\" is taken",
			         show_text(room, sizeof room, request->name));
		else
			complain("the key 0x%08x is taken", (unsigned)request->key);
		advise("See who has it with 'madang ls -l', or choose another.");
	} else if (request->kind == KIND_SEGMENTS) {
		explain_segment(rc, request);
	} else {
		explain_other(rc, request);
	}
}

static int mk_main(const struct command *command, int argc, char **argv)
{
	struct request request = { .mode = 0600 };
	mdg_namespace *ns;
	mdg_id id = -1;
	int rc = parse_arguments(command, argc, argv, &request);

	if (rc != TOOL_OK)
		return rc;
	if (namespace_open(&ns, request.dir, NULL) != 0)
		return TOOL_TROUBLE;
	rc = make(ns, &request, &id);
	if (rc == 0)
		printf("%d\n", (int)id);
	else
		explain_failure(rc, &request);
	mdg_namespace_close(ns);
	return rc == 0 ? TOOL_OK : TOOL_TROUBLE;
}

const struct command mk_command = {
	.name = "mk",
	.summary = "make a segment, a semaphore set or a queue",
	.synonyms = "create make new ipcmk",
	.usage =
		"mk SIZE [--key KEY | --name NAME] [--mode MODE] [--noreserve]\n"
		"                 [--namespace DIR]\n"
		"       madang mk --kind semaphores COUNT [--key KEY | --name NAME] [--mode MODE]\n"
		"                 [--namespace DIR]\n"
		"       madang mk --kind queues [--key KEY | --name NAME] [--mode MODE]\n"
		"                 [--namespace DIR]",
	.about = "Makes a segment of SIZE bytes (or with K, M, G, T: powers of 1024) and prints "
		 "its id.\n"
		 "With --kind, makes a set of COUNT semaphores, all 0, or a message queue.\n",
	.options = option_rows,
	.run = mk_main,
};
