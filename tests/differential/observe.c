/* SPDX-License-Identifier: MIT */
/*
 * observe.c - what is looked at after a step, and how it is written to the log.
 *
 * Segments are looked at by SHM_STAT_ANY, which needs no permission, so that an
 * actor of any user can do it. Memory is looked at page by page through the
 * actor's own mapping: mincore tells what is mapped, and a few words of each page
 * (the cells, the only ones that programs write) tell what is in it. An access
 * that faults is caught, and the signal is what is logged.
 */
#include "differential/world.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

enum { INDEXES = 32768 };

/* ---- the log --------------------------------------------------------------- */

void log_record(enum record_type type, const int64_t *values, int count)
{
	size_t length = sizeof(struct record) + (size_t)count * sizeof(*values);
	if (offsetof(struct world, log) + world->log_used + length > world->size) {
		world->log_full = true;
		return;
	}
	struct record *record = (void *)(world->log + world->log_used);
	record->type = (uint16_t)type;
	record->count = (uint16_t)count;
	record->step = world->step;
	memcpy(record->value, values, (size_t)count * sizeof(*values));
	world->log_used += length;
}

void log_result(int64_t value, int error)
{
	int64_t fields[RESULT_FIELDS] = { DONE, value, error };
	log_record(REC_RESULT, fields, RESULT_FIELDS);
}

void log_outcome(enum outcome outcome)
{
	int64_t fields[RESULT_FIELDS] = { (int64_t)outcome, 0, 0 };
	log_record(REC_RESULT, fields, RESULT_FIELDS);
}

/* ---- names for what differs between any two runs --------------------------- */

int64_t birth_of(pid_t pid)
{
	if (pid == 0)
		return 0;
	for (uint32_t i = world->births; i > 0; i--)
		if (world->pid_of_birth[i - 1] == pid)
			return i;
	return -1;
}

int64_t address_name(const void *address)
{
	const char *at = address;
	if (address == (void *)-1)
		return ADDRESS_FAILED;
	if (at >= area && at < area + AREA_PAGES * page)
		return at - area;
	return (uintptr_t)address % page == 0 && address != NULL ? ADDRESS_FREE : ADDRESS_OTHER;
}

/* Key 0 is IPC_PRIVATE; the last two are the ends of what an int can say. Those are drawn only
 * where nobody else makes segments. */
int key_of(int64_t name)
{
	if (name == 0)
		return IPC_PRIVATE;
	if (world->alone && name == 6)
		return -1;
	if (world->alone && name == 7)
		return INT_MIN;
	return world->key_base + (int)name;
}

int64_t key_name(int key)
{
	for (int64_t name = 0; name < 16; name++)
		if (key_of(name) == key)
			return name;
	return INT64_C(0x100000000) + key;
}

/* The kernel's stamps come from the coarse clock, which lags the fine one by up to a tick:
 * a phase begins with a second of the coarse clock that the fine one had not reached before. */
void phase_begin(void)
{
	struct timespec fine, coarse;
	clock_gettime(CLOCK_REALTIME, &fine);
	clock_gettime(CLOCK_REALTIME_COARSE, &coarse);
	while (world->phases > 0 && coarse.tv_sec <= fine.tv_sec) {
		nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
		clock_gettime(CLOCK_REALTIME_COARSE, &coarse);
	}
	if (world->phases < PHASES_MAX)
		world->phase_start[world->phases++] = coarse.tv_sec;
}

int64_t time_name(int64_t stamp)
{
	struct timespec now;
	if (stamp == 0)
		return 0;
	for (uint32_t i = world->phases; i > 1; i--)
		if (stamp >= world->phase_start[i - 1])
			return i;
	if (stamp < world->phase_start[0])
		return TIME_TOO_EARLY;
	clock_gettime(CLOCK_REALTIME, &now);
	return stamp > now.tv_sec ? TIME_IN_FUTURE : 1;
}

/* ---- segments ----------------------------------------------------------------- */

void log_segment(enum record_type type, int slot, int64_t id, const struct shmid_ds *stat)
{
	const int64_t fields[SEGMENT_FIELDS] = {
		[SEGMENT_SLOT] = slot,
		[SEGMENT_ID] = id,
		[SEGMENT_KEY] = key_name(stat->shm_perm.__key),
		[SEGMENT_UID] = stat->shm_perm.uid,
		[SEGMENT_GID] = stat->shm_perm.gid,
		[SEGMENT_CUID] = stat->shm_perm.cuid,
		[SEGMENT_CGID] = stat->shm_perm.cgid,
		[SEGMENT_MODE] = stat->shm_perm.mode,
		[SEGMENT_SEQ] = stat->shm_perm.__seq,
		[SEGMENT_SIZE] = (int64_t)stat->shm_segsz,
		[SEGMENT_ATIME] = time_name(stat->shm_atime),
		[SEGMENT_DTIME] = time_name(stat->shm_dtime),
		[SEGMENT_CTIME] = time_name(stat->shm_ctime),
		[SEGMENT_CPID] = birth_of(stat->shm_cpid),
		[SEGMENT_LPID] = birth_of(stat->shm_lpid),
		[SEGMENT_NATTCH] = (int64_t)stat->shm_nattch,
	};
	log_record(type, fields, SEGMENT_FIELDS);
}

static void index_look(int slot, int index)
{
	struct shmid_ds stat;
	memset(&stat, 0xa5, sizeof(stat)); /* a field that nobody fills shows */
	int id = shmctl(index, SHM_STAT_ANY, &stat);
	if (id >= 0) {
		log_segment(REC_SEGMENT, slot, id, &stat);
	} else {
		int64_t fields[] = { slot, errno };
		log_record(REC_SEGMENT, fields, 2);
	}
}

static void slot_look(int slot)
{
	if (world->id[slot] >= 0)
		index_look(slot, world->id[slot] % INDEXES);
}

/* Whether the number of segments means something: nobody else makes any, and the caller may
 * clear away all that is gone. docs/divergences.md, "a removed segment of another user". */
bool sees_all(void)
{
	return world->alone && geteuid() == 0;
}

/* Every index there is, used or not, and what they amount to. */
void log_totals_and_all(void)
{
	struct shm_info totals;
	memset(&totals, 0xa5, sizeof(totals));
	int highest = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&totals);
	if (highest < 0)
		return;
	/* shm_rss and swap_*: docs/divergences.md, "`shm_rss` of a fresh segment" and "swap
	 * figures". Without an IPC namespace of our own others' segments count as well. */
	int64_t fields[TOTALS_FIELDS] = { totals.used_ids, (int64_t)totals.shm_tot };
	if (sees_all())
		log_record(REC_TOTALS, fields, TOTALS_FIELDS);
	for (int index = 0; sees_all() && index <= highest; index++)
		index_look(-1, index);
}

/* A row of /proc/sysvipc/shm as a record; rss and swap are left out, as above. */
static void row_log(const char *line)
{
	long long f[14];
	unsigned mode;
	if (sscanf(line, "%lld %lld %o %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld",
	           &f[0], &f[1], &mode, &f[2], &f[3], &f[4], &f[5], &f[6], &f[7], &f[8], &f[9],
	           &f[10], &f[11], &f[12]) != 14)
		return;
	const int64_t fields[SEGMENT_FIELDS] = {
		[SEGMENT_KEY] = key_name((int)f[0]),
		[SEGMENT_ID] = f[1],
		[SEGMENT_MODE] = mode,
		[SEGMENT_SIZE] = f[2],
		[SEGMENT_CPID] = birth_of((pid_t)f[3]),
		[SEGMENT_LPID] = birth_of((pid_t)f[4]),
		[SEGMENT_NATTCH] = f[5],
		[SEGMENT_UID] = f[6],
		[SEGMENT_GID] = f[7],
		[SEGMENT_CUID] = f[8],
		[SEGMENT_CGID] = f[9],
		[SEGMENT_ATIME] = time_name(f[10]),
		[SEGMENT_DTIME] = time_name(f[11]),
		[SEGMENT_CTIME] = time_name(f[12]),
	};
	log_record(REC_ROW, fields, SEGMENT_FIELDS);
}

void log_table(const char *path, void (*row)(const char *line))
{
	char line[400];
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		log_result(-1, errno);
		return;
	}
	bool head = fgets(line, sizeof(line), file) != NULL;
	log_result(head ? (int64_t)strlen(line) : 0, 0);
	while (world->alone && fgets(line, sizeof(line), file) != NULL)
		row(line);
	fclose(file);
}

void segments_table(void)
{
	log_table("/proc/sysvipc/shm", row_log);
}

/* ---- memory --------------------------------------------------------------------- */

static sigjmp_buf escape;
static volatile sig_atomic_t guarded, caught;

static void on_fault(int number)
{
	if (guarded) {
		guarded = 0;
		caught = number;
		siglongjmp(escape, 1);
	}
	/* Not ours: whoever waits has to learn that this process is gone. */
	world->crash_signal = number;
	world->crash_step = world->step;
	sem_post(&world->actor[CONDUCTOR].go);
	if (me == CONDUCTOR)
		_exit(1);
	for (;;)
		pause(); /* the conductor kills everybody */
}

static void on_signal(int number)
{
	(void)number;
}

/* For OP_SIGNAL. */
static void signals_catch(void)
{
	sigset_t blocked;
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &action, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

void faults_catch(void)
{
	signals_catch();
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

int word_write(volatile uint64_t *word, uint64_t value)
{
	if (sigsetjmp(escape, 0) != 0)
		return caught;
	guarded = 1;
	*word = value;
	guarded = 0;
	return 0;
}

int word_read(volatile uint64_t *word, uint64_t *value)
{
	if (sigsetjmp(escape, 0) != 0)
		return caught;
	guarded = 1;
	*value = *word;
	guarded = 0;
	return 0;
}

size_t cell_offset(int64_t cell)
{
	return cell == 0 ? 0 : cell == 1 ? page / 2 : page - sizeof(uint64_t);
}

/* The cells of a page mixed into one number; the negated signal when it cannot be read. */
static int64_t page_digest(char *address)
{
	uint64_t mix = 0, value = 0;
	for (int cell = 0; cell < CELLS; cell++) {
		int fault = word_read((uint64_t *)(void *)(address + cell_offset(cell)), &value);
		if (fault != 0)
			return -fault;
		mix = (mix ^ value) * UINT64_C(0x9e3779b97f4a7c15);
		mix ^= mix >> 29;
	}
	return (int64_t)(mix >> 1);
}

/* Asks for each page of the area whether it is mapped. */
void area_probe(void)
{
	mapped = 0;
	for (size_t i = 0; i < AREA_PAGES; i++) {
		unsigned char resident[1];
		if (mincore(area + i * page, page, (void *)resident) == 0)
			mapped |= UINT64_C(1) << i;
	}
}

static void area_look(void)
{
	int64_t fields[AREA_FIELDS + AREA_PAGES] = { [AREA_MAPPED] = (int64_t)mapped };
	int count = AREA_FIELDS;
	for (size_t i = 0; i < AREA_PAGES; i++)
		if ((mapped >> i & 1) != 0)
			fields[count++] = page_digest(area + i * page);
	log_record(REC_AREA, fields, count);
}

static void places_look(void)
{
	for (int i = 0; i < PLACES; i++) {
		if (!places[i].intact)
			continue;
		char *last = places[i].address + (size_t)(places[i].pages - 1) * page;
		const int64_t fields[PLACE_FIELDS] = {
			[PLACE_NUMBER] = i,
			[PLACE_PAGES] = places[i].pages,
			[PLACE_FIRST] = page_digest(places[i].address),
			[PLACE_LAST] = page_digest(last),
		};
		log_record(REC_PLACE, fields, PLACE_FIELDS);
	}
}

/* `op`: the step, or NULL. A step changes objects of its own class alone, if it is not a death. At
 * the end all of them are looked at. */
void observe(const struct op *op, bool all)
{
	enum op_class class = op != NULL ? op_class(op->kind) : OF_ALL;
	bool every = all || world->watch == WATCH_ALL;
	int slot = op != NULL && world->watch == WATCH_TOUCHED ? op_slot(op) : -1;
	for (int i = 0; (class == OF_SEGMENTS || class >= OBJECTS) && i < SLOTS; i++)
		if (every || i == slot)
			slot_look(i);
	if ((class == OF_SETS || class >= OBJECTS) && (every || slot >= 0))
		sets_look(every ? -1 : slot);
	if ((class == OF_QUEUES || class >= OBJECTS) && (every || slot >= 0))
		queues_look(every ? -1 : slot);
	if (me == CONDUCTOR || class == OF_SETS || class == OF_QUEUES)
		return;
	area_look();
	places_look();
}
