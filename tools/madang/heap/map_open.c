/* SPDX-License-Identifier: MIT */
/*
 * map_open.c - finding the map that a name means, and saying why it cannot be had.
 *
 * NAME is HEAP/ROOT, or HEAP if the heap has one map only. Names of heaps and of roots may contain
 * slashes themselves. So the longest part before a slash that is a heap is the heap.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "heap/heap.h"
#include "heap/map.h"

#define MAKER_NS UINT64_C(3000000000) /* to wait for one that is just making the map */

/* ---- what is said ----------------------------------------------------- */

int map_complain_heap(const struct map_request *request, const char *heap, int code)
{
	char name[4 * MDG_NAME_MAX + 1];

	show_text(name, sizeof name, heap);
	if (code == -ENOENT || code == -EINVAL) {
		complain("there is no heap \"%s\"", name);
		if (request->make) /* else it would have been made */
			advise("To make it, name the map in it as well: HEAP/MAP.");
		else
			advise(request->action == MAP_PUT
			               ? "See all maps with 'madang map'. To make the heap, add "
			                 "--make."
			               : "See all maps with 'madang map', all heaps with 'madang "
			                 "heap'.");
	} else if (code == MDG_NOT_HEAP) {
		complain("the segment \"%s\" is not a heap", name);
		advise("See all maps with 'madang map'.");
	} else if (code == -EACCES) {
		complain("you may not open the heap \"%s\"", name);
		advise("It has to be writable for you, even to look into a map: a reader writes "
		       "down that it reads.");
	} else if (!heap_complain_made(name, code)) {
		complain_code(code, request->dir, "cannot use the heap \"%s\"", name);
	}
	return TOOL_TROUBLE;
}

/* The names of the heap's maps, for advice; and how many there are. */
static unsigned name_maps(mdg_heap *heap, char *room, size_t size, char only[MDG_ROOT_NAME_MAX + 1])
{
	struct mdg_root_info root = { .size = sizeof root };
	uint32_t cursor = 0;
	unsigned count = 0;
	size_t used = (size_t)snprintf(room, size, "It has: ");

	while (mdg_root_next(heap, &cursor, &root) > 0) {
		char name[4 * MDG_ROOT_NAME_MAX + 1];
		if (root.type != MDG_MAP_TYPE)
			continue;
		memcpy(only, root.name, MDG_ROOT_NAME_MAX + 1);
		show_text(name, sizeof name, root.name);
		if (used < size)
			used += (size_t)snprintf(room + used, size - used, "%s%s",
			                         count == 0 ? "" : ", ", name);
		count++;
	}
	if (used < size)
		snprintf(room + used, size - used, ".");
	if (count == 0)
		snprintf(room, size, "It has no map at all.");
	return count;
}

int map_complain_no_map(const struct map_request *request, const struct map_view *view)
{
	char heap[4 * MDG_NAME_MAX + 1], root[4 * MDG_ROOT_NAME_MAX + 1];
	char advice[1024], only[MDG_ROOT_NAME_MAX + 1];

	complain("the heap \"%s\" has no map \"%s\"", show_text(heap, sizeof heap, view->heap_name),
	         show_text(root, sizeof root, view->root));
	(void)name_maps(view->heap, advice, sizeof advice, only);
	advise(advice);
	if (request->action == MAP_PUT)
		advise("To make the map, add --make.");
	return TOOL_TROUBLE;
}

static int complain_key(const struct map_request *request, const struct map_view *view, int code,
                        const char *key)
{
	if (code == -ENOENT) {
		complain("the map \"%s\" has no key \"%s\"", view->shown, key);
		advise("See its keys with 'madang map NAME ls'.");
	} else if (request->expected == 0 && request->action == MAP_PUT) {
		complain("the map \"%s\" has the key \"%s\" already", view->shown, key);
		advise("Leave --if out to replace its value.");
	} else {
		complain("in the map \"%s\" the key \"%s\" has not the version %llu", view->shown,
		         key, (unsigned long long)request->expected);
		advise("Somebody has changed it. See it with 'madang map --long NAME get KEY'.");
	}
	return TOOL_TROUBLE;
}

int map_complain(const struct map_request *request, const struct map_view *view, int code,
                 const char *key)
{
	if (key != NULL && (code == -ENOENT || code == -ESTALE))
		return complain_key(request, view, code, key);
	if (code == -ENOENT)
		return map_complain_no_map(request, view);
	if (code == MDG_UNLIKE_TYPE) {
		complain("the root \"%s\" is not a map", view->shown);
		advise("See all maps with 'madang map'.");
	} else if (code == MDG_UNLIKE_VERSION) {
		complain("another version of Madang made the map \"%s\"", view->shown);
		advise("Use the madang of that version.");
	} else if (code == MDG_BROKEN) {
		complain("the map \"%s\" is damaged", view->shown);
		advise("Something has written over it. See whether its heap is sound: 'madang heap "
		       "--check HEAP'.");
	} else if (code == -EIDRM) {
		complain("the map \"%s\" was removed meanwhile", view->shown);
	} else if (code == -ETIMEDOUT) {
		complain("another program makes the map \"%s\", and does not come to its end",
		         view->shown);
		advise("See which one with 'madang heap HEAP'.");
	} else if (code == -EDQUOT || code == -ENOMEM) {
		complain("no memory for the map \"%s\": %s", view->shown, mdg_strerror(code));
		advise("See the limit of its heap with 'madang heap', and change it with --limit.");
	} else if (code == -EROFS) {
		complain("you may not write to the heap of the map \"%s\"", view->shown);
		advise("Even to look into a map one has to: a reader writes down that it reads.");
	} else {
		complain_code(code, request->dir, "cannot use the map \"%s\"", view->shown);
	}
	return TOOL_TROUBLE;
}

/* ---- opening ---------------------------------------------------------- */

int map_open_root(mdg_heap *heap, const char *root, mdg_map **ret, bool *ret_of_blocks)
{
	struct mdg_map_options options = { .size = sizeof options,
		                           .flags = MDG_MAP_EXISTING,
		                           .deadline = mdg_deadline(MAKER_NS) };
	int rc = mdg_map_open(ret, heap, root, &options);

	*ret_of_blocks = rc == MDG_UNLIKE_FLAGS;
	if (rc == MDG_UNLIKE_FLAGS) {
		options.flags |= MDG_MAP_REFS;
		rc = mdg_map_open(ret, heap, root, &options);
	}
	return rc;
}

static int open_heap(const struct map_request *request, struct map_view *view, bool make)
{
	bool looks = request->action == MAP_SHOW;
	struct mdg_heap_options options = { .size = sizeof options,
		                            .flags = (make ? 0 : MDG_HEAP_EXISTING) |
		                                     (looks ? MDG_HEAP_RDONLY : 0) };

	return mdg_heap_open(&view->heap, request->ns, view->heap_name, &options);
}

/* Takes the heap's name from the `length` first bytes of NAME, and the root's from behind the
 * slash. False: one of them is too long. */
static bool split(const char *name, size_t length, struct map_view *view)
{
	const char *root = name[length] == '/' ? name + length + 1 : "";

	if (length == 0 || length > MDG_NAME_MAX || strlen(root) > MDG_ROOT_NAME_MAX)
		return false;
	memcpy(view->heap_name, name, length);
	view->heap_name[length] = '\0';
	memcpy(view->root, root, strlen(root) + 1);
	return true;
}

/* 0, or the code of the shortest name that the heap could have. */
static int find_heap(const struct map_request *request, struct map_view *view)
{
	const char *name = request->name;
	int rc = -ENOENT;

	for (size_t length = strlen(name);; length--) {
		while (length > 0 && name[length] != '\0' && name[length] != '/')
			length--;
		if (length == 0)
			break;
		if (!split(name, length, view))
			continue;
		rc = open_heap(request, view, false);
		if (rc != -ENOENT && rc != -EINVAL)
			return rc;
	}
	/* There is none. */
	(void)split(name, strcspn(name, "/"), view);
	return request->make && view->root[0] != '\0' ? open_heap(request, view, true) : rc;
}

int map_find_heap(const struct map_request *request, struct map_view *ret)
{
	memset(ret, 0, sizeof *ret);
	int rc = find_heap(request, ret);
	if (rc == 0)
		return TOOL_OK;
	ret->heap = NULL;
	return map_complain_heap(request, ret->heap_name, rc);
}

/* The name of the only map that the heap has. */
static int find_only(struct map_view *view)
{
	char heap[4 * MDG_NAME_MAX + 1], advice[1024];
	unsigned count = name_maps(view->heap, advice, sizeof advice, view->root);

	if (count == 1)
		return TOOL_OK;
	show_text(heap, sizeof heap, view->heap_name);
	if (count == 0) {
		complain("the heap \"%s\" has no map", heap);
		advise("'madang map --make HEAP/MAP put KEY VALUE' makes one.");
	} else {
		complain("the heap \"%s\" has %u maps: which one?", heap, count);
		advise(advice);
		advise("Name one of them: HEAP/MAP.");
	}
	return TOOL_TROUBLE;
}

int map_find(const struct map_request *request, struct map_view *ret)
{
	char heap[4 * MDG_NAME_MAX + 1], root[4 * MDG_ROOT_NAME_MAX + 1];
	int rc;

	rc = map_find_heap(request, ret);
	if (rc != TOOL_OK)
		return rc;
	if (ret->root[0] == '\0' && request->action == MAP_DROP) {
		map_leave(ret);
		return usage_error("which map is to be dropped? Name it: HEAP/MAP");
	}
	if (ret->root[0] == '\0' && find_only(ret) != TOOL_OK) {
		map_leave(ret);
		return TOOL_TROUBLE;
	}
	snprintf(ret->shown, sizeof ret->shown, "%s/%s",
	         show_text(heap, sizeof heap, ret->heap_name),
	         show_text(root, sizeof root, ret->root));
	rc = map_open_root(ret->heap, ret->root, &ret->map, &ret->of_blocks);
	if (rc == -ENOENT && request->make)
		rc = mdg_map_open(&ret->map, ret->heap, ret->root, NULL);
	if (rc == 0)
		return TOOL_OK;
	ret->map = NULL;
	rc = map_complain(request, ret, rc, NULL);
	map_leave(ret);
	return rc;
}

void map_leave(struct map_view *view)
{
	mdg_map_close(view->map);
	mdg_heap_close(view->heap);
	view->map = NULL;
	view->heap = NULL;
}
