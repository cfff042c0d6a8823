/* SPDX-License-Identifier: MIT */
/*
 * map.h - what map.c is asked for, and what the files of `madang map` share.
 *
 * From above: map.c | map_open.c | map_print.c | map_text.c.
 */
#ifndef MADANG_TOOL_MAP_H
#define MADANG_TOOL_MAP_H

#include "base/json.h"
#include "base/tool.h"
#include "madang/map.h"

enum map_action { MAP_SHOW, MAP_LS, MAP_GET, MAP_PUT, MAP_RM, MAP_DROP };

struct map_request {
	mdg_namespace *ns; /* NULL: there is no such namespace */
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	const char *name; /* as it was typed: HEAP or HEAP/ROOT; NULL: all */
	enum map_action action;
	char **words; /* KEY and VALUE */
	int word_count;
	bool json, detail, escaped, make, has_expected;
	uint64_t expected; /* version */
};

/* A map that is open. */
struct map_view {
	mdg_heap *heap;
	mdg_map *map;
	bool of_blocks; /* MDG_MAP_REFS */
	char heap_name[MDG_NAME_MAX + 1];
	char root[MDG_ROOT_NAME_MAX + 1];
	char shown[4 * (MDG_NAME_MAX + MDG_ROOT_NAME_MAX) + 2]; /* "heap/root", for a terminal */
};

/* A copy of an entry. Key and value have a NUL behind them. */
struct map_item {
	unsigned char *key, *value;
	size_t key_length, length;
	uint64_t version;
};

/* ---- map_open.c ------------------------------------------------------- */

/* Opens the map that the request names. TOOL_OK, or it has been said. */
int map_find(const struct map_request *request, struct map_view *ret);
/* Opens the heap only. view->root is empty if the name has no root. */
int map_find_heap(const struct map_request *request, struct map_view *ret);
/* Opens the map of this root of an open heap, of either kind, if it is there. */
int map_open_root(mdg_heap *heap, const char *root, mdg_map **ret, bool *ret_of_blocks);
void map_leave(struct map_view *view);
/* Says that a call on the map failed. `key` is for a terminal, or NULL. Returns TOOL_TROUBLE. */
int map_complain(const struct map_request *request, const struct map_view *view, int code,
                 const char *key);
int map_complain_no_map(const struct map_request *request, const struct map_view *view);
/* After mdg_heap_open said so. */
int map_complain_heap(const struct map_request *request, const char *heap, int code);

/* ---- map_text.c ------------------------------------------------------- */

/* What a word of the command line says: its bytes, which are to be freed. With `escaped`, \xNN is
 * one byte. NULL: it has been said. */
unsigned char *map_read_word(const char *word, bool escaped, size_t *ret_length);
/* All of standard input. NULL: it has been said. */
unsigned char *map_read_input(size_t most, size_t *ret_length);
/* Safe for a terminal: what is not text, control bytes and backslashes as \xNN. `bytes` has a NUL
 * behind its end. With `lines`, line ends and tabs stay. */
void map_print_text(FILE *out, const unsigned char *bytes, size_t length, bool lines);
/* The same in a string, for a sentence. Long ones are cut. */
enum { MAP_KEY_ROOM = 4 * 64 + 4 };
char *map_show_key(char room[MAP_KEY_ROOM], const unsigned char *key, size_t length);
/* Whether JSON can have it as a string: UTF-8 without NUL. */
bool map_is_text(const unsigned char *bytes, size_t length);
/* NAME, or if it is not text NAME_hex with two digits for each byte. */
void map_json_bytes(struct json *json, const char *name, const unsigned char *bytes, size_t length);

/* ---- map_print.c ------------------------------------------------------ */

/* Copies an entry. 0 or -ENOMEM. */
int map_item_copy(struct map_item *ret, const struct mdg_map_entry *entry);
void map_item_free(struct map_item *item);
/* One line: key, value, and with `detail` version and bytes between them. */
void map_print_item(const struct map_item *item, bool detail);
/* The value as it is. On a terminal it is made safe, unless `raw`. */
void map_print_value(const struct map_item *item, bool escaped);
/* The maps of all heaps, or of the one that the request names. */
int map_print_list(const struct map_request *request);
/* An object for the map, which is left open for more members; and its end. */
void map_json_begin(struct json *json, const struct map_request *request,
                    const struct map_view *view);
void map_json_end(struct json *json);
void map_json_item(struct json *json, const struct map_item *item);

#endif
