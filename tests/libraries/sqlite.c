/* SPDX-License-Identifier: MIT */
/*
 * sqlite.c - SQLite on a shared heap: processes related by fork use one database in memory, in
 * turns.
 *
 * Its connection is a pointer like any other. A mutex says whose turn it is.
 */
#include "on_heap.h"

#include <sqlite3.h>

enum { CHILDREN = 4, TURNS = 25, ROWS = 20 };

/* manual: begin SQLite */
static void *sql_alloc(int size)
{
	return mdg_alloc(heap, (size_t)size);
}
static void sql_free(void *block)
{
	mdg_free(heap, block);
}
static void *sql_realloc(void *block, int size)
{
	return mdg_realloc(heap, block, (size_t)size);
}
static int sql_size(void *block)
{
	return (int)mdg_usable_size(heap, block);
}
static int sql_round(int size)
{
	return (size + 15) & ~15;
}
static int sql_begin(void *context)
{
	(void)context;
	return SQLITE_OK;
}
static void sql_end(void *context)
{
	(void)context;
}
static const sqlite3_mem_methods sql_methods = { sql_alloc, sql_free,  sql_realloc, sql_size,
	                                         sql_round, sql_begin, sql_end,     NULL };
/* before any other call: sqlite3_config(SQLITE_CONFIG_MALLOC, &sql_methods); */
/* manual: end */

static struct shared {
	mdg_mutex turn;
	sqlite3 *db;
} * shared;

static bool run(const char *text)
{
	char *why = NULL;
	int rc = sqlite3_exec(shared->db, text, NULL, NULL, &why);

	if (rc != SQLITE_OK)
		fprintf(stderr, "%s: %s\n", text, why != NULL ? why : sqlite3_errstr(rc));
	sqlite3_free(why);
	return rc == SQLITE_OK;
}

/* The first column of the first row. */
static bool ask(const char *text, char *ret_answer, size_t room)
{
	sqlite3_stmt *statement;
	bool good = sqlite3_prepare_v2(shared->db, text, -1, &statement, NULL) == SQLITE_OK &&
	            sqlite3_step(statement) == SQLITE_ROW;

	if (good)
		snprintf(ret_answer, room, "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	return good;
}

static bool answers(const char *question, const char *wanted)
{
	char answer[128] = "";

	if (!ask(question, answer, sizeof answer) || strcmp(answer, wanted) != 0) {
		fprintf(stderr, "%s: %s\n", question, answer);
		return false;
	}
	return true;
}

static void take_turns(int who)
{
	char text[200];
	unsigned pid = (unsigned)who;

	for (int turn = 0; turn < TURNS; turn++) {
		CHECK(mdg_mutex_lock(&shared->turn) == 0);
		CHECK(run("begin"));
		for (int row = 0; row < ROWS; row++) {
			snprintf(text, sizeof text,
			         "insert into t values(%u, %d, hex(randomblob(%d)))", pid,
			         turn * ROWS + row, 10 + row * 40);
			CHECK(run(text));
		}
		/* Also frees and moves what others have made. */
		snprintf(text, sizeof text, "update t set text = text || 'x' where number = %d",
		         turn * ROWS);
		CHECK(run(text));
		CHECK(run("commit"));
		CHECK(mdg_mutex_unlock(&shared->turn) == 0);
	}
}

static void use_in_children(void)
{
	pid_t child[CHILDREN];

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
}

int main(void)
{
	uint64_t blocks;

	heap_enter("sqlite", 0);
	shared = heap_place(sizeof *shared);
	blocks = heap_blocks();
	CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &sql_methods) == SQLITE_OK);
	CHECK(sqlite3_open(":memory:", &shared->db) == SQLITE_OK);
	CHECK(heap_blocks() > blocks); /* it is there that SQLite has its memory */
	CHECK(run("create table t(who, number, text)") && run("create index i on t(text)"));
	use_in_children();
	CHECK(answers("select count(*) from t", "2000"));
	CHECK(answers("select count(distinct who) from t", "4"));
	CHECK(answers("pragma integrity_check", "ok"));
	CHECK(answers("select sum(number) from t where who = 3", "124750"));
	CHECK(run("delete from t where who < 2") && run("vacuum"));
	CHECK(answers("select count(*) from t", "1000"));
	CHECK(answers("pragma integrity_check", "ok"));
	CHECK(heap_whole());
	CHECK(sqlite3_close(shared->db) == SQLITE_OK);
	CHECK(sqlite3_shutdown() == SQLITE_OK);
	CHECK(heap_blocks() == blocks); /* all is free again */
	CHECK(heap_whole());
	return test_result();
}
