/* SPDX-License-Identifier: MIT */
/*
 * act.c - what an actor does in a step, apart from being born and dying.
 *
 * Each function makes one call and logs what it returned, then what it filled in. Some steps are
 * refused, because two runs on one kernel would already differ: touching what lies beyond a place
 * that the system chose, or growing such a place where it is.
 */
#include "differential/ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

enum { INDEXES = 32768 };

/* ---- addresses ----------------------------------------------------------------- */

static uintptr_t address_high(void)
{
	return sizeof(void *) == 8 ? (uintptr_t)((UINT64_C(1) << 56) - page)
	                           : (uintptr_t)0xffffe000u;
}

/* The first byte that `where` stands for, and so many on. The stack is that of the caller. */
static char *address_of(int64_t where, char *stack, int64_t offset)
{
	uintptr_t start = 0;
	if (where < WHERE_PLACE)
		start = (uintptr_t)area + (size_t)where * page;
	else if (where < WHERE_NULL)
		start = (uintptr_t)places[where - WHERE_PLACE].address;
	else if (where == WHERE_HIGH)
		start = address_high();
	else if (where == WHERE_WRAP)
		start = UINTPTR_MAX - page + 1;
	else if (where == WHERE_STACK)
		start = (uintptr_t)stack & ~(uintptr_t)(page - 1);
	return (char *)(start + (uintptr_t)offset);
}

static struct place *place_of(int64_t where)
{
	return where >= WHERE_PLACE && where < WHERE_NULL ? &places[where - WHERE_PLACE] : NULL;
}

_Static_assert(AREA_PAGES < 64, "a bit for each page, see struct place");

static uint64_t pages_mask(int64_t first, int64_t count)
{
	return ((UINT64_C(1) << count) - 1) << first;
}

/* Whether these pages are of the area or of a place, and nobody else's. */
static bool ours(int64_t where, int64_t first, int64_t count)
{
	const struct place *place = place_of(where);
	if (first < 0 || count < 0 || first > AREA_PAGES || count > AREA_PAGES)
		return false;
	if (place != NULL)
		return place->address != NULL && first + count <= place->pages &&
		       (place->gone & pages_mask(first, count)) == 0;
	return where + first + count <= AREA_PAGES;
}

/* ---- shmget, shmat, shmdt -------------------------------------------------------- */

/* docs/divergences.md, "the id that a new segment gets": indexes are used again when they have
 * gone round, later the more segments there are; what only the dead hold is there until
 * somebody looks. Asking for the totals looks. */
static void notice_deaths_if_it_matters(void)
{
	enum { IDS_ROUND = 64, MANY = 42 };
	struct shm_info totals;
	if (world->made < IDS_ROUND && world->used_at_most < MANY)
		return;
	become(0); /* whoever may not unlink a file only notices */
	if (shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&totals) >= 0)
		world->used_at_most = totals.used_ids;
	become(world->actor[me].user);
}

/* With 64 bits such a size is impossible, but with 32 bits it can be a few GiB. Whether so much can
 * be had depends on the machine, and on what else runs there. */
static bool depends_on_the_machine(int64_t size)
{
	enum { FEW = 1 << 20 };
	return sizeof(size_t) == 4 && (size_t)size > FEW;
}

static void op_get(const struct op *op)
{
	if (depends_on_the_machine(op->arg[2])) {
		log_outcome(REFUSED);
		return;
	}
	notice_deaths_if_it_matters();
	int id = shmget(key_of(op->arg[1]), (size_t)op->arg[2], (int)op->arg[3]);
	log_result(id, id < 0 ? errno : 0);
	if (id < 0)
		return;
	world->id[op->arg[0]] = id;
	world->used_at_most++;
	world->made++;
}

bool is_my_group(gid_t group)
{
	if (!world->users)
		return group == getegid();
	const struct user *user = &users[world->actor[me].user];
	return group == user->gid || (user->supplementary != 0 && group == user->supplementary);
}

/* docs/divergences.md: "the creator of a segment that has another owner or group": what he may
 * do for having made it, he may not do to the file. */
bool creators_rights(const struct ipc_perm *perm)
{
	return (perm->uid != perm->cuid && perm->cuid == geteuid()) ||
	       (perm->gid != perm->cgid && is_my_group(perm->cgid));
}

static bool has_creators_rights(int id)
{
	struct shmid_ds now;
	if (geteuid() == 0 || id < 0 || shmctl(id % INDEXES, SHM_STAT_ANY, &now) != id)
		return false;
	return creators_rights(&now.shm_perm);
}

static int64_t pages_of(int id)
{
	struct shmid_ds stat;
	if (shmctl(id % INDEXES, SHM_STAT_ANY, &stat) != id)
		return 0;
	return (int64_t)((stat.shm_segsz + page - 1) / page);
}

static void op_attach(const struct op *op)
{
	char local;
	int id = world->id[op->arg[0]], flags = (int)op->arg[3];
	struct place *place = place_of(op->arg[1]);
	char *wanted = place != NULL ? NULL : address_of(op->arg[1], &local, op->arg[2]);
	if (op->arg[1] == WHERE_STACK && (flags & SHM_REMAP) != 0) {
		log_outcome(REFUSED); /* it would work */
		return;
	}
	if (has_creators_rights(id)) {
		log_outcome(REFUSED);
		return;
	}
	if (world->no_exec) /* docs/divergences.md: "`/dev/shm` mounted `noexec`" */
		flags &= ~SHM_EXEC;
	char *memory = shmat(id, wanted, flags);
	log_result(address_name(memory), memory == (char *)-1 ? errno : 0);
	if (place != NULL && memory != (char *)-1)
		*place = (struct place){ .address = memory, .pages = pages_of(id), .intact = true };
	if (place != NULL && place->pages == 0)
		place->intact = false;
	area_probe();
}

/* What lies behind a place, or where a page of it was unmapped, differs from run to run: the system
 * decides what to put there. */
static bool begins_unknown(const struct place *place, int64_t offset)
{
	if (place == NULL || offset == 0)
		return false;
	int64_t first = offset / (int64_t)page;
	return offset < 0 || first >= place->pages || (place->gone & pages_mask(first, 1)) != 0;
}

static void op_detach(const struct op *op)
{
	char local;
	struct place *place = place_of(op->arg[0]);
	if (begins_unknown(place, op->arg[1])) {
		log_outcome(REFUSED);
		return;
	}
	int result = shmdt(address_of(op->arg[0], &local, op->arg[1]));
	log_result(result, result < 0 ? errno : 0);
	/* Another mapping may lie at its addresses now. So a second detach would differ from run to
	 * run. */
	if (place != NULL && result == 0)
		*place = (struct place){ 0 };
	area_probe();
}

/* ---- shmctl ------------------------------------------------------------------------ */

static void op_control(int id, int command, bool structure)
{
	struct shmid_ds stat;
	memset(&stat, 0xa5, sizeof(stat));
	int result = shmctl(id, command, &stat);
	log_result(result, result < 0 ? errno : 0);
	if (structure && result >= 0)
		log_segment(REC_STRUCT, 0, command == IPC_STAT ? id : result, &stat);
}

/* If something is attached at null, null is an address like any other to the kernel:
 * docs/divergences.md, "a bad pointer passed to `shmctl`". */
bool null_is_mapped(void)
{
	unsigned char resident[1];
	return mincore(NULL, page, (void *)resident) == 0;
}

static void op_null(int id, int command)
{
	if (command != IPC_RMID && command != SHM_LOCK && command != SHM_UNLOCK &&
	    null_is_mapped()) {
		log_outcome(REFUSED);
		return;
	}
	int result = shmctl(id, command, NULL);
	log_result(result, result < 0 ? errno : 0);
}

static void op_set(const struct op *op)
{
	struct shmid_ds stat, now;
	int id = world->id[op->arg[0]];
	if (has_creators_rights(id)) {
		log_outcome(REFUSED);
		return;
	}
	memset(&stat, 0xa5, sizeof(stat));
	stat.shm_perm.uid = (uid_t)op->arg[1];
	stat.shm_perm.gid = (gid_t)op->arg[2];
	stat.shm_perm.mode = (unsigned short)op->arg[3];
	/* docs/divergences.md: "IPC_SET to another uid, or to a gid that is none of his groups,
	 * by an ordinary owner, shared namespace" */
	if (geteuid() != 0 && id >= 0 && shmctl(id % INDEXES, SHM_STAT_ANY, &now) == id) {
		if (op->arg[1] != -1)
			stat.shm_perm.uid = now.shm_perm.uid;
		if (op->arg[2] != -1 && !is_my_group((gid_t)op->arg[2]))
			stat.shm_perm.gid = now.shm_perm.gid;
	}
	int result = shmctl(id, IPC_SET, &stat);
	log_result(result, result < 0 ? errno : 0);
}

static void op_ipc_info(const struct op *op)
{
	struct shminfo limits;
	memset(&limits, 0xa5, sizeof(limits));
	int highest = shmctl((int)op->arg[0], IPC_INFO, (struct shmid_ds *)(void *)&limits);
	log_result(highest >= 0 && !sees_all() ? 0 : highest, highest < 0 ? errno : 0);
	const int64_t fields[LIMITS_FIELDS] = {
		[LIMITS_MAX] = (int64_t)limits.shmmax, [LIMITS_MIN] = (int64_t)limits.shmmin,
		[LIMITS_MNI] = (int64_t)limits.shmmni, [LIMITS_SEG] = (int64_t)limits.shmseg,
		[LIMITS_ALL] = (int64_t)limits.shmall,
	};
	if (highest >= 0 && world->alone)
		log_record(REC_LIMITS, fields, LIMITS_FIELDS);
}

static void op_shm_info(const struct op *op)
{
	struct shm_info totals;
	memset(&totals, 0xa5, sizeof(totals));
	int highest = shmctl((int)op->arg[0], SHM_INFO, (struct shmid_ds *)(void *)&totals);
	log_result(highest >= 0 && !sees_all() ? 0 : highest, highest < 0 ? errno : 0);
	/* shm_rss and swap_* are left out: see log_totals_and_all. */
	const int64_t fields[TOTALS_FIELDS] = { totals.used_ids, (int64_t)totals.shm_tot };
	if (highest >= 0 && sees_all())
		log_record(REC_TOTALS, fields, TOTALS_FIELDS);
}

/* ---- memory -------------------------------------------------------------------------- */

/* The word that a write or read is about; NULL: not to be touched. */
static uint64_t *word_of(const struct op *op)
{
	const struct place *place = place_of(op->arg[0]);
	if (op->arg[0] >= WHERE_NULL || !ours(op->arg[0], op->arg[1], 1) ||
	    (place != NULL && !place->intact))
		return NULL;
	char *start = address_of(op->arg[0], NULL, 0);
	return (uint64_t *)(void *)(start + (size_t)op->arg[1] * page + cell_offset(op->arg[2]));
}

static void op_write(const struct op *op)
{
	uint64_t *word = word_of(op);
	if (word == NULL)
		log_outcome(REFUSED);
	else
		log_result(0, word_write(word, (uint64_t)op->arg[3]));
}

static void op_read(const struct op *op)
{
	uint64_t value = 0;
	uint64_t *word = word_of(op);
	if (word == NULL) {
		log_outcome(REFUSED);
		return;
	}
	int fault = word_read(word, &value);
	log_result((int64_t)value, fault);
}

/* The first page of a place stays, because its address names the place. Otherwise another mapping
 * might come to begin there. */
static bool may_go(int64_t where, int64_t first, int64_t count)
{
	if (where >= WHERE_NULL || !ours(where, first, count))
		return false;
	return place_of(where) == NULL || first > 0 || count == 0;
}

static void op_unmap(const struct op *op)
{
	struct place *place = place_of(op->arg[0]);
	bool whole = place != NULL && op->arg[1] == 0 && op->arg[2] == place->pages;
	if (!may_go(op->arg[0], op->arg[1], op->arg[2]) &&
	    !(whole && ours(op->arg[0], op->arg[1], op->arg[2]))) {
		log_outcome(REFUSED);
		return;
	}
	char *start = address_of(op->arg[0], NULL, op->arg[1] * (int64_t)page);
	int result = munmap(start, (size_t)op->arg[2] * page);
	log_result(result, result < 0 ? errno : 0);
	if (place != NULL && result == 0) {
		place->intact = false;
		place->gone |= pages_mask(op->arg[1], op->arg[2]);
	}
	if (whole)
		*place = (struct place){ 0 };
	area_probe();
}

static void op_map(const struct op *op)
{
	if (op->arg[0] >= WHERE_PLACE || !ours(op->arg[0], 0, op->arg[1])) {
		log_outcome(REFUSED);
		return;
	}
	void *memory = mmap(address_of(op->arg[0], NULL, 0), (size_t)op->arg[1] * page,
	                    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	log_result(address_name(memory), memory == MAP_FAILED ? errno : 0);
	area_probe();
}

/* "to" -1 means that the memory stays where it is. A place may then only shrink, because whether it
 * can grow depends on what lies behind it. A whole place may move into the area. With an old length
 * of 0 it is copied, and stays. */
static bool remap_refused(const struct op *op, bool whole)
{
	int64_t where = op->arg[0], first = op->arg[1], old = op->arg[2], new = op->arg[3];
	if (where >= WHERE_NULL || !ours(where, first, old != 0 ? old : 1) || new < 0 ||
	    new > AREA_PAGES)
		return true;
	if (old != 0 && !may_go(where, first, old) && !(whole && op->arg[4] >= 0))
		return true;
	if (op->arg[4] >= 0)
		return op->arg[4] + new > AREA_PAGES;
	return place_of(where) != NULL ? new > old : !ours(where, first, new);
}

static void op_remap(const struct op *op)
{
	struct place *place = place_of(op->arg[0]);
	bool whole = place != NULL && op->arg[1] == 0 && op->arg[2] == place->pages;
	if (remap_refused(op, whole)) {
		log_outcome(REFUSED);
		return;
	}
	char *start = address_of(op->arg[0], NULL, op->arg[1] * (int64_t)page);
	size_t old = (size_t)op->arg[2] * page, new = (size_t)op->arg[3] * page;
	char *memory;
	if (op->arg[4] < 0)
		memory = mremap(start, old, new, 0);
	else
		memory = mremap(start, old, new, MREMAP_MAYMOVE | MREMAP_FIXED,
		                area + (size_t)op->arg[4] * page);
	/* Where a place is stays unknown: an address in it is as good as any other. */
	log_result(address_name(memory), memory == MAP_FAILED ? errno : 0);
	if (place != NULL && memory != MAP_FAILED && op->arg[2] != 0)
		place->intact = false;
	if (place != NULL && op->arg[2] != 0) { /* one that fails may have cut the end off before */
		int64_t left = op->arg[4] < 0 ? op->arg[3] : 0; /* where it was */
		place->gone |= pages_mask(op->arg[1] + left, op->arg[2] - left);
	}
	if (whole && memory != MAP_FAILED)
		*place = (struct place){ 0 };
	area_probe();
}

/* Of the whole place: docs/divergences.md, "`mprotect`, `mlock`, `madvise` of a part". */
static void op_protect(const struct op *op)
{
	const struct place *place = place_of(op->arg[0]);
	if (place == NULL || !place->intact) {
		log_outcome(REFUSED);
		return;
	}
	int result = mprotect(place->address, (size_t)place->pages * page,
	                      op->arg[1] != 0 ? PROT_READ | PROT_WRITE : PROT_READ);
	log_result(result, result < 0 ? errno : 0);
}

/* ---- all of them ------------------------------------------------------------------------ */

static void on_segment(const struct op *op)
{
	int id = world->id[op->arg[0]];
	switch ((enum op_kind)op->kind) {
	case OP_STAT:
		op_control(id, IPC_STAT, true);
		break;
	case OP_STAT_NULL:
		op_null(id, IPC_STAT);
		break;
	case OP_SET:
		op_set(op);
		break;
	case OP_SET_NULL:
		op_null(id, IPC_SET);
		break;
	case OP_REMOVE:
		op_null(id, IPC_RMID);
		break;
	case OP_LOCK:
		op_null(id, SHM_LOCK);
		break;
	case OP_UNLOCK:
		op_null(id, SHM_UNLOCK);
		break;
	case OP_SHM_STAT:
		op_control(id, SHM_STAT, true);
		break;
	case OP_SHM_STAT_ANY:
		op_control(id, SHM_STAT_ANY, true);
		break;
	default:
		op_control(id, (int)op->arg[1], false);
		break;
	}
}

static void on_index(int index, int command)
{
	if (!world->alone)
		log_outcome(REFUSED);
	else
		op_control(index, command, true);
}

void op_act(const struct op *op)
{
	switch ((enum op_kind)op->kind) {
	case OP_GET:
		op_get(op);
		break;
	case OP_ATTACH:
		op_attach(op);
		break;
	case OP_DETACH:
		op_detach(op);
		break;
	case OP_INDEX_STAT:
		on_index((int)op->arg[0], SHM_STAT);
		break;
	case OP_INDEX_STAT_ANY:
		on_index((int)op->arg[0], SHM_STAT_ANY);
		break;
	case OP_IPC_INFO:
		op_ipc_info(op);
		break;
	case OP_SHM_INFO:
		op_shm_info(op);
		break;
	case OP_INFO_NULL:
		op_null(0, op->arg[0] == 0 ? IPC_INFO : SHM_INFO);
		break;
	case OP_TABLE:
		segments_table();
		break;
	case OP_WRITE:
		op_write(op);
		break;
	case OP_READ:
		op_read(op);
		break;
	case OP_UNMAP:
		op_unmap(op);
		break;
	case OP_MAP:
		op_map(op);
		break;
	case OP_REMAP:
		op_remap(op);
		break;
	case OP_PROTECT:
		op_protect(op);
		break;
	case OP_NAP:
		phase_begin();
		log_outcome(DONE);
		break;
	case OP_SURVEY:
		log_outcome(DONE);
		log_totals_and_all();
		sets_survey(false);
		queues_survey(false);
		break;
	default:
		on_segment(op);
		break;
	}
}
