/* SPDX-License-Identifier: MIT */
/*
 * ls.h - what ls.c asks of the files that list one kind of objects each.
 *
 * Each kind has three functions: read all objects; print them as a table; print them as a member of
 * a JSON object. The last two ask for what -l adds while they print.
 */
#ifndef MADANG_TOOL_LS_H
#define MADANG_TOOL_LS_H

#include "base/json.h"
#include "base/kind.h"
#include "madang/msg.h"
#include "madang/sem.h"

struct listing {
	mdg_namespace *ns; /* NULL: there is no such namespace */
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	bool is_long;
	bool as_json;
	bool shared;
	bool has_kind; /* only this kind is wanted: */
	enum kind kind;
	void *objects[KINDS]; /* arrays of mdg_segment_info, mdg_semset_info, mdg_msgqueue_info */
	size_t count[KINDS];
};

/* One kind. Each function returns 0, or a negative code after it has done what could be done. */
struct lister {
	int (*read)(struct listing *listing);
	int (*print_table)(struct listing *listing);
	int (*print_json)(struct listing *listing, struct json *json);
};
extern const struct lister list_segments, list_sets, list_queues;

/* Room for one more object of `size` bytes at the end of the kind's array; NULL: no memory. The
 * caller counts it. */
void *listing_room(struct listing *listing, enum kind kind, size_t size);

/* How many threads sleep in the set or the queue. False: that cannot be seen. */
bool count_set_waiting(mdg_namespace *ns, mdg_id id, unsigned *ret_count);
bool count_queue_waiting(mdg_namespace *ns, mdg_id id, unsigned *ret_count);

/* What objects of all kinds have. */
struct owned {
	mdg_id id;
	int32_t key;
	const char *name;
	uint32_t uid, gid, cuid, cgid;
	unsigned mode;
};
/* The first four cells of a row: id, key or name, owner, mode. */
void fill_owned(struct table *table, const struct owned *owned);
/* The members of the same. */
void json_owned(struct json *json, const struct owned *owned);
/* The command of a process; "?": it is not known, or not this process. Safe for a terminal. */
char *show_sleeper(char room[4 * SHOW_ROOM], int32_t pid, bool is_seen);

#endif
