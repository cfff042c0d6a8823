/* SPDX-License-Identifier: MIT */
/*
 * compare.c - reads the two logs in step, word by word, and stops at the first difference.
 *
 * Ids are mapped one to one. Where nobody else makes segments they have to be equal, because the
 * way in which the kernel chooses ids is part of its behaviour. Everything else has names in the
 * log that do not depend on the run (world.h).
 *
 * What may differ is stated here, in draw.c, or where the step is taken, each time with the line of
 * docs/divergences.md that allows it.
 */
#include "differential/compare.h"

#include <string.h>

struct field_names {
	const char *record;
	const char *field[QUEUE_FIELDS];
};

static const char *const segment_names[SEGMENT_FIELDS] = {
	"slot",           "errno",         "id",
	"shm_perm.__key", "shm_perm.uid",  "shm_perm.gid",
	"shm_perm.cuid",  "shm_perm.cgid", "shm_perm.mode",
	"shm_perm.__seq", "shm_segsz",     "shm_atime",
	"shm_dtime",      "shm_ctime",     "shm_cpid",
	"shm_lpid",       "shm_nattch",
};

static const struct field_names names[REC_TYPES] = {
	[REC_RESULT] = { "the call", { "outcome", "result", "errno" } },
	[REC_STRUCT] = { "the structure filled", { NULL } },
	[REC_SEGMENT] = { "the segment", { NULL } },
	[REC_LIMITS] = { "IPC_INFO", { "shmmax", "shmmin", "shmmni", "shmseg", "shmall" } },
	[REC_TOTALS] = { "SHM_INFO", { "used_ids", "shm_tot" } },
	[REC_ROW] = { "/proc/sysvipc/shm", { NULL } },
	[REC_AREA] = { "the area", { "pages mapped" } },
	[REC_PLACE] = { "a place", { "number", "pages", "first page", "last page" } },
	[REC_SET] = { "the set",
	              { "slot", "errno", "id", "sem_perm.__key", "sem_perm.uid", "sem_perm.gid",
	                "sem_perm.cuid", "sem_perm.cgid", "sem_perm.mode", "sem_perm.__seq",
	                "sem_nsems", "sem_otime", "sem_ctime" } },
	[REC_VALUES] = { "the semaphores", { "slot", "errno", "all values" } },
	[REC_QUEUE] = { "the queue",
	                { "slot", "errno", "id", "msg_perm.__key", "msg_perm.uid", "msg_perm.gid",
	                  "msg_perm.cuid", "msg_perm.cgid", "msg_perm.mode", "msg_perm.__seq",
	                  "msg_qbytes", "msg_qnum", "msg_cbytes", "msg_stime", "msg_rtime",
	                  "msg_ctime", "msg_lspid", "msg_lrpid" } },
	[REC_MESSAGE] = { "a message", { "place", "errno", "type", "length", "text" } },
	[REC_RETURN] = { "a call that slept", { "actor", "result", "errno" } },
	[REC_INFO] = { "IPC_INFO or SEM_INFO or MSG_INFO",
	               { "first", "second", "third", "fourth", "fifth", "sixth", "seventh",
	                 "eighth", "ninth", "tenth" } },
};

enum { PAIRS_MAX = 4096 };

struct comparison {
	const struct world *kernel, *madang;
	struct difference *difference;
	uint32_t phase; /* the one that the step is in */
	uint32_t births;
	uint32_t birth[ACTORS + 1];  /* of the actor of that number; 0: never born */
	bool ended[BIRTHS_MAX + 1];  /* this birth exited, was killed, or exec'd */
	bool forked[BIRTHS_MAX + 1]; /* ... or forked */
	bool new[SLOTS];             /* the slot has held its segment since that was made */
	int made, made_id[STEPS_MAX];
	uint64_t deaths; /* phases in which somebody died, a bit each */
	struct ids {
		int pairs, kernel[PAIRS_MAX], madang[PAIRS_MAX];
		bool shift_known; /* by the first id that both gave */
		int64_t shift;    /* so much higher are Madang's ids, if both are alone */
	} ids[OBJECTS];
};

static bool is_segment(int type)
{
	return type == REC_STRUCT || type == REC_SEGMENT || type == REC_ROW;
}

/* Of a record with an id. */
static enum op_class class_of(int type)
{
	return type == REC_SET ? OF_SETS : type == REC_QUEUE ? OF_QUEUES : OF_SEGMENTS;
}

static bool is_object(int type)
{
	return is_segment(type) || type == REC_SET || type == REC_QUEUE;
}

static const char *field_name(int type, int field)
{
	static const char *const of_value[VALUE_FIELDS] = { "value", "GETPID", "GETNCNT",
		                                            "GETZCNT" };
	if (type == REC_VALUES && field >= VALUES_FIELDS)
		return of_value[(field - VALUES_FIELDS) % VALUE_FIELDS];
	if (is_segment(type))
		return segment_names[field];
	if (type == REC_AREA && field >= AREA_FIELDS)
		return "content";
	return names[type].field[field];
}

/* ---- what may differ ------------------------------------------------------------------ */

static bool ids_match(struct comparison *c, enum op_class class, int64_t kernel, int64_t madang)
{
	struct ids *ids = &c->ids[class];
	if (kernel < 0 || madang < 0)
		return kernel == madang;
	/* Each namespace begins with a sequence of its own; from there on the ids are the same. */
	if (c->kernel->alone && !ids->shift_known) {
		ids->shift_known = true;
		ids->shift = madang - kernel;
		return ids->shift >= 0 && ids->shift % 32768 == 0;
	}
	if (c->kernel->alone)
		return madang - kernel == ids->shift;
	for (int i = 0; i < ids->pairs; i++)
		if (ids->kernel[i] == kernel || ids->madang[i] == madang)
			return ids->kernel[i] == kernel && ids->madang[i] == madang;
	if (ids->pairs < PAIRS_MAX) {
		ids->kernel[ids->pairs] = (int)kernel;
		ids->madang[ids->pairs++] = (int)madang;
	}
	return true;
}

/* docs/divergences.md, "`shm_dtime` after a death": Madang's time may be that at which the death
 * was noticed. It is never before the death. */
static bool dtimes_match(const struct comparison *c, int64_t kernel, int64_t madang)
{
	return kernel > 0 && madang > kernel && madang <= c->phase &&
	       (c->deaths >> kernel & 1) != 0;
}

/* docs/divergences.md, "`sem_otime` when a process ends that has asked for SEM_UNDO": the kernel
 * sets it also if no sum was left, or the operation had failed. And "`sem_otime` by SEM_STAT_ANY",
 * for users who have no rights. */
static bool otimes_match(const struct comparison *c, int64_t kernel, int64_t madang)
{
	if (c->kernel->users && madang == 0)
		return true;
	return kernel > 0 && madang < kernel && madang >= 0 && (c->deaths >> kernel & 1) != 0;
}

/* docs/divergences.md, "`shm_lpid` after a death": if several processes died before anybody looked,
 * it may name any one of them, and a fork does not look. If all slots are looked at after every
 * step, this cannot happen to segments that were in a slot all the time. */
static bool lpids_match(const struct comparison *c, const struct record *record, int64_t kernel,
                        int64_t madang)
{
	bool in_slot = record->type == REC_SEGMENT && record->value[SEGMENT_SLOT] >= 0;
	if (in_slot && c->kernel->watch == WATCH_ALL && c->new[record->value[SEGMENT_SLOT]])
		return false;
	if (kernel <= 0 || kernel > BIRTHS_MAX || madang <= 0 || madang > BIRTHS_MAX)
		return false;
	return c->ended[madang] && (c->ended[kernel] || c->forked[kernel]);
}

/* A step that returns an id. */
static bool gives_id(int kind)
{
	return kind == OP_GET || kind == OP_SHM_STAT || kind == OP_SHM_STAT_ANY ||
	       kind == OP_INDEX_STAT || kind == OP_INDEX_STAT_ANY || kind == OP_SEM_GET ||
	       kind == OP_SEM_INDEX_STAT || kind == OP_SEM_ID_STAT || kind == OP_MSG_GET ||
	       kind == OP_MSG_INDEX_STAT || kind == OP_MSG_ID_STAT;
}

/* No row has it. */
static bool has_seq(const struct record *record)
{
	return is_object(record->type) && record->type != REC_ROW &&
	       record->value[SEGMENT_SLOT] != LOOKED_ROW;
}

static bool values_match(struct comparison *c, int kind, const struct record *record, int field,
                         int64_t kernel, int64_t madang)
{
	int type = record->type;
	if (is_object(type) && field == SEGMENT_ID)
		return ids_match(c, class_of(type), kernel, madang);
	if (type == REC_RESULT && field == RESULT_VALUE && gives_id(kind) &&
	    record->value[RESULT_OUTCOME] == DONE)
		return ids_match(c, op_class(kind), kernel, madang);
	if (has_seq(record) && field == SEGMENT_SEQ)
		return !c->kernel->alone || madang - kernel == c->ids[class_of(type)].shift / 32768;
	if (kernel == madang)
		return true;
	if (is_segment(type) && field == SEGMENT_LPID)
		return lpids_match(c, record, kernel, madang);
	if (type == REC_SET && field == SET_OTIME)
		return otimes_match(c, kernel, madang);
	return is_segment(type) && field == SEGMENT_DTIME && dtimes_match(c, kernel, madang);
}

/* ---- walking ---------------------------------------------------------------------------- */

static const struct record *record_at(const struct world *run, size_t offset)
{
	return (const void *)(run->log + offset);
}

static void describe(struct comparison *c, const struct record *record, int field, int64_t kernel,
                     int64_t madang)
{
	struct difference *d = c->difference;
	d->step = record->step;
	d->kind = record->step < c->kernel->op_count ? c->kernel->op[record->step].kind : OP_KINDS;
	d->field = field_name(record->type, field);
	d->kernel = kernel;
	d->madang = madang;
	if (record->type == REC_SEGMENT)
		snprintf(d->where, sizeof(d->where), "the segment of slot %d",
		         (int)record->value[SEGMENT_SLOT]);
	else if (is_object(record->type) || record->type == REC_VALUES)
		snprintf(d->where, sizeof(d->where), "%s of slot %d (%d)",
		         names[record->type].record, (int)record->value[SEGMENT_SLOT], field);
	else if (record->type == REC_RETURN)
		snprintf(d->where, sizeof(d->where), "the call in which %d slept",
		         (int)record->value[RETURN_ACTOR]);
	else if (record->type == REC_PLACE)
		snprintf(d->where, sizeof(d->where), "free%d", (int)record->value[PLACE_NUMBER]);
	else
		snprintf(d->where, sizeof(d->where), "%s", names[record->type].record);
}

/* Both are there. */
static bool records_differ(struct comparison *c, const struct record *k, const struct record *m)
{
	int kind = k->step < c->kernel->op_count ? c->kernel->op[k->step].kind : OP_KINDS;
	if (k->step != m->step || k->type != m->type) {
		describe(c, k->step <= m->step ? k : m, 0, k->type, m->type);
		c->difference->field = "what there is to see";
		return true;
	}
	int common = k->count < m->count ? k->count : m->count;
	for (int i = 0; i < common; i++) {
		if (!values_match(c, kind, k, i, k->value[i], m->value[i])) {
			describe(c, k, i, k->value[i], m->value[i]);
			return true;
		}
	}
	if (k->count != m->count)
		describe(c, k, common, k->count, m->count);
	return k->count != m->count;
}

static void note_birth(struct comparison *c, int64_t child)
{
	c->birth[child] = ++c->births;
}

static void note_end(struct comparison *c, int64_t actor)
{
	c->ended[c->birth[actor]] = true;
	c->deaths |= UINT64_C(1) << c->phase;
}

/* Whether a slot's segment is one that nobody has looked away from. */
static void note_get(struct comparison *c, int64_t slot, int64_t id)
{
	if (id < 0)
		return;
	c->new[slot] = true;
	for (int i = 0; i < c->made && c->new[slot]; i++)
		c->new[slot] = c->made_id[i] != id;
	if (c->new[slot])
		c->made_id[c->made++] = (int)id;
}

/* Follows who is who. */
static void note_step(struct comparison *c, const struct record *result)
{
	if (result->type != REC_RESULT || result->value[RESULT_OUTCOME] != DONE)
		return;
	const struct op *op = &c->kernel->op[result->step];
	switch ((enum op_kind)op->kind) {
	case OP_NAP:
		c->phase += c->phase < PHASES_MAX - 1;
		break;
	case OP_START:
	case OP_FORK:
	case OP_VFORK:
		c->forked[c->birth[op->actor]] = true;
		note_birth(c, op->arg[0]);
		break;
	case OP_EXIT:
	case OP_EXEC:
		note_end(c, op->actor);
		break;
	case OP_KILL:
		note_end(c, op->arg[0]);
		break;
	case OP_GET:
		note_get(c, op->arg[0], result->value[RESULT_VALUE]);
		break;
	default:
		break;
	}
}

/* All actors die after the last step. */
static void note_record(struct comparison *c, const struct record *record)
{
	if (record->step == c->kernel->op_count)
		for (int actor = 0; actor < ACTORS; actor++)
			note_end(c, actor);
	else
		note_step(c, record);
}

/* One run ended early, or both: where, and how. No program is meant to. */
static bool ended_early(struct comparison *c)
{
	struct difference *d = c->difference;
	const struct world *kernel = c->kernel, *madang = c->madang;
	bool crash = kernel->crash_signal != 0 || madang->crash_signal != 0;
	if (!crash && kernel->finished && madang->finished)
		return false;
	const struct world *bad = madang->crash_signal != 0 || !madang->finished ? madang : kernel;
	d->step = bad->crash_signal != 0 ? bad->crash_step : bad->step;
	d->kind = d->step < bad->op_count ? bad->op[d->step].kind : OP_KINDS;
	d->field = crash ? "crash, signal" : "finished (0: it hangs, or died)";
	d->kernel = crash ? kernel->crash_signal : kernel->finished;
	d->madang = crash ? madang->crash_signal : madang->finished;
	d->ended_early = true;
	snprintf(d->where, sizeof(d->where), "the run");
	return true;
}

bool compare(const struct world *kernel, const struct world *madang,
             struct difference *ret_difference)
{
	static struct comparison c; /* too large for a stack */
	*ret_difference = (struct difference){ 0 };
	memset(&c, 0, sizeof(c));
	c.kernel = kernel;
	c.madang = madang;
	c.difference = ret_difference;
	c.phase = 1;
	size_t k = 0, m = 0;
	while (k < kernel->log_used && m < madang->log_used) {
		const struct record *kr = record_at(kernel, k), *mr = record_at(madang, m);
		note_record(&c, kr);
		if (records_differ(&c, kr, mr))
			return true;
		k += sizeof(*kr) + kr->count * sizeof(int64_t);
		m += sizeof(*mr) + mr->count * sizeof(int64_t);
	}
	if (ended_early(&c))
		return true;
	if (k == kernel->log_used && m == madang->log_used)
		return false;
	describe(&c, k < kernel->log_used ? record_at(kernel, k) : record_at(madang, m), 0,
	         (int64_t)(kernel->log_used - k), (int64_t)(madang->log_used - m));
	ret_difference->field = "length of the log";
	return true;
}

bool difference_alike(const struct difference *one, const struct difference *other)
{
	return one->kind == other->kind && strcmp(one->field, other->field) == 0;
}
