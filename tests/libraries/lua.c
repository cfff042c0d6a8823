/* SPDX-License-Identifier: MIT */
/*
 * lua.c - Lua on a shared heap: processes related by fork use one state, in turns.
 */
#include "on_heap.h"

#include <lua.h>

#include <lauxlib.h>
#include <lualib.h>

enum { CHILDREN = 4, TURNS = 10 };

/* manual: begin Lua */
static void *lua_heap(void *context, void *block, size_t old, size_t size)
{
	(void)old;
	if (size != 0)
		return mdg_realloc(context, block, size);
	mdg_free(context, block);
	return NULL;
}
/* lua_State *lua = lua_newstate(lua_heap, heap); */
/* manual: end */

static struct shared {
	mdg_mutex turn;
	lua_State *lua;
} * shared;

static bool run(const char *text)
{
	if (luaL_dostring(shared->lua, text) == LUA_OK)
		return true;
	fprintf(stderr, "%s\n", lua_tostring(shared->lua, -1));
	lua_pop(shared->lua, 1);
	return false;
}

static void take_turns(int who)
{
	char text[300];

	for (int turn = 0; turn < TURNS; turn++) {
		snprintf(text, sizeof text,
		         "for i = 1, 100 do local n = %d * 100 + i\n"
		         "  entries['%d/' .. n] = { who = %d, text = string.rep('x', n) }\n"
		         "end collectgarbage()",
		         turn, who, who);
		CHECK(mdg_mutex_lock(&shared->turn) == 0);
		CHECK(run(text));
		CHECK(mdg_mutex_unlock(&shared->turn) == 0);
	}
}

int main(void)
{
	pid_t child[CHILDREN];
	uint64_t blocks;

	heap_enter("lua", 0);
	shared = heap_place(sizeof *shared);
	blocks = heap_blocks();
	shared->lua = lua_newstate(lua_heap, heap);
	if (!CHECK(shared->lua != NULL))
		return 1;
	luaL_openlibs(shared->lua);
	CHECK(heap_blocks() > blocks);
	CHECK(run("entries = {}"));
	for (int i = 0; i < CHILDREN; i++) {
		fflush(NULL);
		child[i] = fork();
		if (child[i] == 0) {
			check_failures = 0;
			take_turns(i);
			_exit(test_result());
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status = -1;
		CHECK(waitpid(child[i], &status, 0) == child[i] && status == 0);
	}
	CHECK(run("local count, bytes = 0, 0\n"
	          "for key, entry in pairs(entries) do\n"
	          "  count = count + 1 bytes = bytes + #entry.text\n"
	          "  assert(key == entry.who .. '/' .. #entry.text)\n"
	          "end\n"
	          "assert(count == 4000 and bytes == 4 * 500500)"));
	CHECK(heap_whole());
	CHECK(run("entries = nil collectgarbage()"));
	lua_close(shared->lua);
	CHECK(heap_blocks() == blocks);
	CHECK(heap_whole());
	return test_result();
}
