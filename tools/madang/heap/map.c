/* SPDX-License-Identifier: MIT */
/*
 * map.c - madang map: the maps in shared heaps; and looking keys up, changing and removing them.
 *
 * It makes nothing unless --make is given, so that a slip of the pen makes no heap. An entry is
 * copied in a read section of its own and printed behind it: a reader that is slow, or a pipe that
 * is full, keeps nobody's memory from being freed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"
#include "heap/map.h"

static const struct option_row option_rows[] = {
	FLAG('l', "long", "ls, get: also the version and the bytes of the value"),
	FLAG('e', "escaped", "KEY and VALUE have \\xNN for bytes that are not text; get prints so"),
	FLAG('m', "make", "put: make the map, and the heap, if they are not there"),
	VALUE('i', "if", "VERSION",
	      "put, rm: only if the entry has this version; 0: only if there is none"),
	OPTION_JSON,
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

/* ---- looking ---------------------------------------------------------- */

/* The entry of the key, copied. */
static int look_up(struct map_view *view, const unsigned char *key, size_t length,
                   struct map_item *ret)
{
	struct mdg_map_entry entry = { .size = sizeof entry };
	int rc = mdg_read_begin(view->heap);

	if (rc != 0)
		return rc;
	rc = mdg_map_see(view->map, key, length, &entry);
	if (rc == 0)
		rc = map_item_copy(ret, &entry);
	(void)mdg_read_end(view->heap);
	return rc;
}

/* The next entry, copied: 1, 0 at the end, or a negative code. */
static int next(struct map_view *view, struct mdg_map_cursor *cursor, struct map_item *ret)
{
	struct mdg_map_entry entry = { .size = sizeof entry };
	int rc = mdg_read_begin(view->heap);

	if (rc != 0)
		return rc;
	rc = mdg_map_next(view->map, cursor, &entry);
	if (rc == 1 && map_item_copy(ret, &entry) != 0)
		rc = -ENOMEM;
	(void)mdg_read_end(view->heap);
	return rc;
}

static int list(const struct map_request *request, struct map_view *view)
{
	struct mdg_map_cursor cursor = { { 0, 0 } };
	struct map_item item;
	struct json json;
	int rc;

	if (request->json)
		map_json_begin(&json, request, view);
	while ((rc = next(view, &cursor, &item)) == 1 && !ferror(stdout)) {
		if (request->json)
			map_json_item(&json, &item);
		else
			map_print_item(&item, request->detail);
		map_item_free(&item);
	}
	if (rc == 1)
		map_item_free(&item);
	if (request->json)
		map_json_end(&json);
	return rc < 0 ? map_complain(request, view, rc, NULL) : TOOL_OK;
}

/* As JSON, or as `get` prints it. */
static void print(const struct map_request *request, const struct map_view *view,
                  const struct map_item *item)
{
	struct json json;

	if (request->json) {
		map_json_begin(&json, request, view);
		map_json_item(&json, item);
		map_json_end(&json);
	} else if (request->detail) {
		map_print_item(item, true);
	} else {
		map_print_value(item, request->escaped);
	}
}

/* ---- changing --------------------------------------------------------- */

/* A block with the value; what was there before is retired. */
static int put_block(const struct map_request *request, struct map_view *view,
                     const unsigned char *key, size_t length, const unsigned char *value,
                     size_t bytes)
{
	void *block = mdg_hold(view->heap, bytes), *old = NULL;

	if (block == NULL)
		return mdg_heap_why(view->heap);
	size_t room = mdg_usable_size(view->heap, block);
	memcpy(block, value, bytes);
	if (room > bytes) /* or others would see what was there before */
		memset((unsigned char *)block + bytes, 0, room - bytes);
	int rc = request->has_expected ? mdg_map_put_ref_if(view->map, key, length, block,
	                                                    request->expected, &old)
	                               : mdg_map_put_ref(view->map, key, length, block, &old);
	if (rc != 0)
		(void)mdg_free(view->heap, block);
	else if (old != NULL)
		rc = mdg_retire(view->heap, old);
	return rc;
}

/* A positive number is what to exit with. */
static int put(const struct map_request *request, struct map_view *view, const unsigned char *key,
               size_t length)
{
	const char *word = request->words[1];
	bool reads = strcmp(word, "-") == 0;
	size_t bytes = 0;
	unsigned char *value = reads ? map_read_input(MDG_MAP_VALUE_MAX, &bytes)
	                             : map_read_word(word, request->escaped, &bytes);
	int rc;

	if (value == NULL)
		return reads ? TOOL_TROUBLE : TOOL_USAGE; /* it has been said */
	if (view->of_blocks)
		rc = put_block(request, view, key, length, value, bytes);
	else if (request->has_expected)
		rc = mdg_map_put_if(view->map, key, length, value, bytes, request->expected, NULL);
	else
		rc = mdg_map_put(view->map, key, length, value, bytes, NULL);
	free(value);
	return rc;
}

static int drop(const struct map_request *request, struct map_view *view, const unsigned char *key,
                size_t length)
{
	void *block;
	int rc;

	if (!view->of_blocks)
		return request->has_expected
		               ? mdg_map_remove_if(view->map, key, length, request->expected)
		               : mdg_map_remove(view->map, key, length);
	rc = request->has_expected
	             ? mdg_map_take_if(view->map, key, length, request->expected, &block)
	             : mdg_map_take(view->map, key, length, &block);
	return rc == 0 ? mdg_retire(view->heap, block) : rc;
}

/* ---- one key ---------------------------------------------------------- */

static int act_on(const struct map_request *request, struct map_view *view, const char *word)
{
	char shown[MAP_KEY_ROOM];
	struct map_item item = { .key = NULL };
	size_t length = 0;
	unsigned char *key = map_read_word(word, request->escaped, &length);
	int rc;

	if (key == NULL)
		return TOOL_USAGE;
	map_show_key(shown, key, length);
	if (length > MDG_MAP_KEY_MAX) {
		complain("a key has at most %u bytes, this one %zu", MDG_MAP_KEY_MAX, length);
		free(key);
		return TOOL_TROUBLE;
	}
	rc = request->action == MAP_PUT  ? put(request, view, key, length)
	     : request->action == MAP_RM ? drop(request, view, key, length)
	                                 : 0;
	if (rc == 0 &&
	    (request->action == MAP_GET || (request->action == MAP_PUT && request->json)))
		rc = look_up(view, key, length, &item);
	if (rc == 0 && item.key != NULL)
		print(request, view, &item);
	map_item_free(&item);
	free(key);
	return rc < 0 ? map_complain(request, view, rc, shown) : rc;
}

/* The whole map. */
static int drop_map(const struct map_request *request, const struct map_view *view)
{
	int rc = mdg_map_destroy(view->heap, view->root);

	return rc == 0 ? TOOL_OK : map_complain(request, view, rc, NULL);
}

static int act(const struct map_request *request)
{
	struct map_view view;
	int status = map_find(request, &view);

	if (status != TOOL_OK)
		return status;
	if (request->action == MAP_LS)
		status = list(request, &view);
	else if (request->action == MAP_DROP)
		status = drop_map(request, &view);
	else if (request->action == MAP_RM)
		for (int i = 0; i < request->word_count; i++) {
			int one = act_on(request, &view, request->words[i]);
			status = one > status ? one : status;
		}
	else
		status = act_on(request, &view, request->words[0]);
	map_leave(&view);
	return status;
}

/* ---- the command ------------------------------------------------------ */

static int take(int option, const char *value, void *context)
{
	struct map_request *request = context;

	switch (option) {
	case 'l':
		request->detail = true;
		break;
	case 'e':
		request->escaped = true;
		break;
	case 'm':
		request->make = true;
		break;
	case 'i':
		request->has_expected = true;
		if (!parse_number(value, 0, UINT64_MAX, &request->expected))
			return usage_error("'%s' is not a version: a number", value);
		break;
	case 'j':
		request->json = true;
		break;
	case 'n':
		request->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static const struct {
	const char *word;
	enum map_action action;
	int least, most; /* words behind it */
	const char *wanted;
} actions[] = {
	{ "ls", MAP_LS, 0, 0, "nothing more" },
	{ "get", MAP_GET, 1, 1, "a KEY" },
	{ "put", MAP_PUT, 2, 2, "a KEY and a VALUE; '-' reads the value from standard input" },
	{ "rm", MAP_RM, 1, 1 << 30, "at least one KEY" },
	{ "drop", MAP_DROP, 0, 0, "nothing more" },
};

static bool is_action(const char *word)
{
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(word, actions[i].word) == 0)
			return true;
	return false;
}

static int parse_action(struct map_request *request, const char *word)
{
	char room[4 * SHOW_ROOM];

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (strcmp(word, actions[i].word) != 0)
			continue;
		request->action = actions[i].action;
		if (request->word_count < actions[i].least || request->word_count > actions[i].most)
			return usage_error("behind '%s' comes %s", word, actions[i].wanted);
		return TOOL_OK;
	}
	if (is_action(request->name))
		return usage_error("the name of the map comes before '%s'", request->name);
	return usage_error("'%s' is none of ls, get, put, rm, drop",
	                   show_text(room, sizeof room, word));
}

static int parse_arguments(const struct command *command, int argc, char **argv,
                           struct map_request *request)
{
	enum map_action action;
	int rc = options_parse(command, argc, argv, take, request);

	if (rc != TOOL_OK)
		return rc;
	if (optind < argc)
		request->name = argv[optind++];
	if (request->name != NULL && request->name[0] == '\0')
		return usage_error("the name of the map is empty");
	if (optind < argc) {
		request->words = argv + optind + 1;
		request->word_count = argc - optind - 1;
		rc = parse_action(request, argv[optind]);
		if (rc != TOOL_OK)
			return rc;
	}
	action = request->action;
	if (request->detail && action != MAP_LS && action != MAP_GET)
		return usage_error("--long is for ls and get");
	if (request->make && action != MAP_PUT)
		return usage_error("--make is for put");
	if (request->has_expected && action != MAP_PUT && action != MAP_RM)
		return usage_error("--if is for put and rm");
	if (request->json && (action == MAP_RM || action == MAP_DROP))
		return usage_error("rm and drop print nothing, so --json has no meaning");
	return TOOL_OK;
}

static int map_main(const struct command *command, int argc, char **argv)
{
	struct map_request request = { .ns = NULL };
	int rc = parse_arguments(command, argc, argv, &request);

	if (rc != TOOL_OK)
		return rc;
	namespace_path(request.path, request.dir);
	rc = request.make ? namespace_open(&request.ns, request.dir, NULL)
	                  : namespace_open_to_look(&request.ns, request.dir);
	if (rc == -ENOENT) {
		request.ns = NULL;
		complain("no namespace at %s; nothing is shared", request.path);
		remains_complain(request.path);
		rc = request.name == NULL ? map_print_list(&request) : TOOL_TROUBLE;
	} else if (rc != 0) {
		rc = TOOL_TROUBLE;
	} else {
		rc = request.action == MAP_SHOW ? map_print_list(&request) : act(&request);
	}
	mdg_namespace_close(request.ns);
	return rc;
}

const struct command map_command = {
	.name = "map",
	.summary = "show the maps in shared heaps, and look keys up or change them",
	.synonyms = "maps dictionary dict hash table keys redis",
	.usage = "map [OPTIONS] [HEAP]\n"
		 "       madang map [OPTIONS] HEAP[/MAP] ls\n"
		 "       madang map [OPTIONS] HEAP[/MAP] get KEY\n"
		 "       madang map [OPTIONS] HEAP[/MAP] put KEY VALUE\n"
		 "       madang map [OPTIONS] HEAP[/MAP] rm KEY...\n"
		 "       madang map [OPTIONS] HEAP/MAP drop",
	.about =
		"Shows the maps of a namespace, or of one heap; or lists the entries of a map; or\n"
		"prints, sets or removes the value of a key; or drops a map as a whole. A map\n"
		"has the name of its heap and of its root. The latter may be left out if the\n"
		"heap has one map only.\n",
	.options = option_rows,
	.notes = "'put KEY -' reads the value from standard input. Keys that begin with '-' must\n"
		 "follow '--'. get prints the value as it is; on a terminal, what is not text is\n"
		 "shown as \\xNN. ls prints lines, with tabs between: the key, with --long its\n"
		 "version and bytes, the value.\n"
		 "Exit status: 0 done; 1 it could not be done: no such key, --if; 2 usage.\n",
	.operands = "heaps",
	.run = map_main,
};
