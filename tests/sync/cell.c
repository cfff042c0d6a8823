/* SPDX-License-Identifier: MIT */
/*
 * cell.c - mdg_cell: answers, values that are never torn, writers that die or are stopped in the
 * middle, and how late a reader may be.
 *
 * A value tells what it is: all of its bytes follow from one number. Where the test arranges that
 * to be the version, nothing but the value of that very version is accepted.
 *
 * A reader is made late, without luck, by where it copies to: the second half of its
 * destination faults, and the handler lets writers go on before it opens the page.
 */
#include "sync/shared.h"

enum { LARGEST = 5000 };
static const size_t sizes[] = { 1, 8, 64, 100, LARGEST };
enum { SIZES = sizeof(sizes) / sizeof(*sizes) };

static struct box {
	_Atomic uint32_t stage, stop, number;
	mdg_cell cell; /* and its buffers */
	unsigned char room[MDG_CELL_SIZE(LARGEST)];
} * box;
static mdg_cell *cell;

/* <linux/seccomp.h> cannot be had with every C library. */
#define STRICT 1 /* SECCOMP_MODE_STRICT */

/* Words of the head, by src/sync/owned.h and src/sync/cell.h. */
enum { WORD = 2, VERSION = 32, SIZE = 34 };
#define DIED 0x40000000u

static unsigned char part(uint32_t number, size_t i)
{
	return (unsigned char)(i < 4 ? number >> 8 * i
	                             : ((number + (uint32_t)i) * 2654435761u) >> 13);
}

static void fill(void *value, size_t from, size_t to, uint32_t number)
{
	for (size_t i = from; i < to; i++)
		((unsigned char *)value)[i] = part(number, i);
}

static bool holds(const void *value, size_t size, uint32_t number)
{
	size_t i = 0;
	while (i < size && ((const unsigned char *)value)[i] == part(number, i))
		i++;
	return i == size;
}

static uint32_t number_in(const void *value)
{
	uint32_t number;
	memcpy(&number, value, sizeof(number));
	return number;
}

/* As fresh memory. */
static void make_new(void)
{
	memset(box, 0, sizeof(*box));
}

/* Reads, and returns the version, whose value it has to be: number 0 is all zeros but for the
 * pattern's own bytes, so version 0 is looked at apart. */
static uint32_t version_read(size_t size)
{
	unsigned char value[LARGEST];
	static const unsigned char zeros[LARGEST];
	uint32_t version = UINT32_MAX;
	CHECK(mdg_cell_read(cell, value, size, &version) == 0);
	CHECK(version == 0 ? memcmp(value, zeros, size) == 0 : holds(value, size, version));
	return version;
}

/* The next version's value, in one of the two ways. */
static int write_next(size_t size, bool in_place)
{
	unsigned char value[LARGEST];
	void *place;
	uint32_t version = 0;
	if (!in_place) { /* the only writer */
		CHECK(mdg_cell_read(cell, value, size, &version) == 0);
		fill(value, 0, size, version + 1);
		return mdg_cell_write(cell, value, size);
	}
	int rc = mdg_cell_begin(cell, size, &place);
	CHECK(mdg_cell_read(cell, value, size, &version) == 0);
	fill(place, 0, size, version + 1);
	CHECK(mdg_cell_commit(cell) == 0);
	return rc;
}

/* ---- answers ------------------------------------------ */

static void others_see_it_begun(void *unused)
{
	void *place = NULL;
	uint64_t begin = now_ns();
	(void)unused;
	CHECK(mdg_cell_trywrite(cell, "12345678", 8) == -EBUSY);
	CHECK(mdg_cell_trybegin(cell, 8, &place) == -EBUSY);
	CHECK(mdg_cell_write_until(cell, "12345678", 8, BRIEFLY) == -ETIMEDOUT);
	CHECK(mdg_cell_begin_until(cell, 8, 0, &place) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 50000000 && place == NULL);
	CHECK(mdg_cell_commit(cell) == -EPERM);
	CHECK(mdg_cell_cancel(cell) == -EPERM);
	CHECK(mdg_cell_destroy(cell) == -EBUSY);
	CHECK(version_read(8) == 1);
}

static void answers(void)
{
	unsigned char value[16] = { 1 };
	void *place = NULL;
	make_new();
	errno = 4711;
	CHECK(version_read(8) == 0);
	CHECK(version_read(5) == 0); /* nobody has said how large it is */
	CHECK(mdg_cell_commit(cell) == -EPERM && mdg_cell_cancel(cell) == -EPERM);
	CHECK(write_next(8, false) == 0);
	CHECK(version_read(8) == 1);
	CHECK(mdg_cell_begin(cell, 8, &place) == 0 && place != NULL);
	fill(place, 0, 8, 4711);
	CHECK(mdg_cell_write(cell, value, 8) == -EDEADLK);
	CHECK(mdg_cell_trywrite(cell, value, 8) == -EDEADLK);
	CHECK(mdg_cell_begin(cell, 8, &place) == -EDEADLK);
	CHECK(mdg_cell_destroy(cell) == -EBUSY);
	CHECK(in_child(others_see_it_begun, NULL));
	CHECK(mdg_cell_cancel(cell) == 0);
	CHECK(mdg_cell_cancel(cell) == -EPERM);
	CHECK(version_read(8) == 1);
	CHECK(write_next(8, true) == 0);
	CHECK(mdg_cell_commit(cell) == -EPERM);
	CHECK(version_read(8) == 2);
	CHECK(mdg_cell_read(cell, value, 8, NULL) == 0 && holds(value, 8, 2));
	CHECK(errno == 4711);
}

static void other_sizes(void)
{
	unsigned char value[16] = { 1 };
	void *place = NULL;
	uint32_t version = 4711;
	static const size_t wrong[] = { 0, 1, 7, 9, 16, MDG_CELL_MAX + 1, SIZE_MAX };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CHECK(mdg_cell_read(cell, value, wrong[i], &version) == -EINVAL);
		CHECK(mdg_cell_write(cell, value, wrong[i]) == -EINVAL);
		CHECK(mdg_cell_trywrite(cell, value, wrong[i]) == -EINVAL);
		CHECK(mdg_cell_begin(cell, wrong[i], &place) == -EINVAL);
		CHECK(mdg_cell_trybegin(cell, wrong[i], &place) == -EINVAL);
	}
	CHECK(value[0] == 1 && version == 4711 && place == NULL);
	CHECK(version_read(8) == 2);
	CHECK(mdg_cell_destroy(cell) == 0);
	memset(value, 1, sizeof(value));
	CHECK(mdg_cell_read(cell, value, 16, &version) == 0 && version == 6);
	CHECK(value[0] == 0 && value[15] == 0);
	/* Who first begins to write raises it as well. */
	CHECK(mdg_cell_begin(cell, 16, &place) == 0 && mdg_cell_cancel(cell) == 0);
	CHECK(write_next(16, false) == 0);
	CHECK(version_read(16) == 11);
	CHECK(mdg_cell_read(cell, value, 8, NULL) == -EINVAL);
}

/* Buffers that are not zeros when the first one begins to write. */
static void first_to_write(void)
{
	unsigned char value[64];
	static const unsigned char zeros[64];
	void *place;
	make_new();
	memset(box->room, 0x5a, sizeof(box->room));
	memset((char *)cell + sizeof(*cell), 0x5a, MDG_CELL_SIZE(64) - sizeof(*cell));
	CHECK(mdg_cell_begin(cell, 64, &place) == 0);
	memset(place, 0xa5, 64);
	CHECK(mdg_cell_read(cell, value, 64, NULL) == 0 && memcmp(value, zeros, 64) == 0);
	CHECK(mdg_cell_cancel(cell) == 0);
	CHECK(mdg_cell_read(cell, value, 64, NULL) == 0 && memcmp(value, zeros, 64) == 0);
}

/* Where they may not write, and with the first system call are killed. */
static void read_without_rights(void *memory)
{
	unsigned char value[8];
	bool right = true;
	CHECK(mprotect(memory, MDG_CELL_SIZE(8), PROT_READ) == 0);
	if (prctl(PR_SET_SECCOMP, STRICT) != 0)
		printf("not tried: reading without system calls\n");
	for (int i = 0; i < 1000; i++)
		right = mdg_cell_read(memory, value, 8, NULL) == 0 && holds(value, 8, 1) && right;
	atomic_store(&box->stage, right ? 1 : 2);
	for (;;)
		;
}

static void readers_only_read(void)
{
	unsigned char value[8];
	mdg_cell *memory = shared_memory(MDG_CELL_SIZE(8));
	make_new();
	fill(value, 0, 8, 1);
	CHECK(mdg_cell_write(memory, value, 8) == 0);
	pid_t reader = start(read_without_rights, memory);
	CHECK(reaches(&box->stage, 1) && atomic_load(&box->stage) == 1);
	killed(reader);
	munmap(memory, MDG_CELL_SIZE(8));
}

/* ---- late readers ------------------------------------------ */

static struct late {
	unsigned char *value, *page; /* the second half of the value begins the page */
	void (*meanwhile)(void);
	size_t size;
	unsigned faults, writes;
	bool half; /* the next value is half written too, by one who goes on */
} late;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	unsigned char *at = info->si_addr;
	if (at < late.page || at >= late.page + LARGEST || late.faults++ != 0)
		abort();
	late.meanwhile();
	mprotect(late.page, LARGEST, PROT_READ | PROT_WRITE);
}

static void others_write(void)
{
	void *place;
	for (unsigned i = 0; i < late.writes; i++)
		CHECK(write_next(late.size, i % 2 != 0) == 0);
	if (late.half) {
		CHECK(mdg_cell_begin(cell, late.size, &place) == 0);
		memset(place, 0xee, late.size);
	}
}

static int read_late(size_t size, void (*meanwhile)(void), uint32_t *ret_version)
{
	CHECK(mprotect(late.page, LARGEST, PROT_NONE) == 0);
	late.value = late.page - size / 2 / 8 * 8;
	late.faults = 0;
	late.size = size;
	late.meanwhile = meanwhile;
	int rc = mdg_cell_read(cell, late.value, size, ret_version);
	CHECK(late.faults == 1);
	return rc;
}

/* A reader is overtaken by writers while it copies. After up to two new values and the beginning of
 * a third its copy is still good. After three it reads again. */
static void late_by(size_t size, unsigned writes, bool half)
{
	make_new();
	for (int start = 0; start < 5; start++) {
		uint32_t version = 4711;
		CHECK(write_next(size, false) == 0);
		uint32_t before = version_read(size);
		late.writes = writes;
		late.half = half;
		CHECK(read_late(size, others_write, &version) == 0);
		CHECK(version == (writes <= 2 ? before : before + writes));
		CHECK(holds(late.value, size, version));
		CHECK(!half || mdg_cell_cancel(cell) == 0);
	}
}

static void destroy_meanwhile(void)
{
	unsigned char value[LARGEST];
	memset(value, 0xee, sizeof(value));
	CHECK(mdg_cell_destroy(cell) == 0);
	if (late.writes != 0)
		CHECK(mdg_cell_write(cell, value, late.writes) == 0);
	if (late.half) { /* and the old size again */
		CHECK(mdg_cell_destroy(cell) == 0);
		CHECK(mdg_cell_write(cell, value, late.size) == 0);
	}
}

static void late_and_destroyed(size_t size)
{
	uint32_t version = 4711;
	make_new();
	CHECK(write_next(size, false) == 0);
	late.half = false;
	late.writes = 0;
	CHECK(read_late(size, destroy_meanwhile, &version) == 0);
	CHECK(version == 5 && late.value[0] == 0 && late.value[size - 1] == 0);
	CHECK(write_next(size, false) == 0);
	late.writes = 24; /* another size */
	CHECK(read_late(size, destroy_meanwhile, &version) == -EINVAL);
	CHECK(mdg_cell_destroy(cell) == 0);
	CHECK(write_next(size, false) == 0);
	late.half = true;
	CHECK(read_late(size, destroy_meanwhile, &version) == 0);
	CHECK(late.value[0] == 0xee && late.value[size - 1] == 0xee);
}

static void late_readers(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction before;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (LARGEST / page + 1) * page;
	unsigned char *memory = shared_memory(2 * room);
	late.page = memory + room;
	CHECK(sigaction(SIGSEGV, &action, &before) == 0);
	for (unsigned writes = 0; writes <= 9; writes++) {
		late_by(64, writes, false);
		late_by(64, writes, true);
		late_by(LARGEST, writes, true);
	}
	late_and_destroyed(64);
	late_and_destroyed(100);
	sigaction(SIGSEGV, &before, NULL);
	munmap(memory, 2 * room);
}

/* ---- readers and writers at the same time ------------------------------------------ */

enum { WRITERS = 2, READERS = 2, WRITES = 3000 };

static void *write_often(void *argument)
{
	size_t size = *(const size_t *)argument;
	unsigned char value[LARGEST];
	for (int i = 0; i < WRITES; i++) {
		fill(value, 0, size, atomic_fetch_add(&box->number, 1));
		CHECK(mdg_cell_write(cell, value, size) == 0);
	}
	return argument;
}

static void *read_often(void *argument)
{
	size_t size = *(const size_t *)argument;
	unsigned char value[LARGEST];
	uint32_t version = 0, last = 0;
	do {
		CHECK(mdg_cell_read(cell, value, size, &version) == 0);
		CHECK(version >= last);
		CHECK(version == 0 || size < 4 || holds(value, size, number_in(value)));
		last = version;
	} while (atomic_load(&box->stop) == 0);
	return argument;
}

static void among_threads(size_t size)
{
	pthread_t writer[WRITERS], reader[READERS];
	make_new();
	for (int i = 0; i < READERS; i++)
		CHECK(pthread_create(&reader[i], NULL, read_often, &size) == 0);
	for (int i = 0; i < WRITERS; i++)
		CHECK(pthread_create(&writer[i], NULL, write_often, &size) == 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writer[i], NULL);
	atomic_store(&box->stop, 1);
	for (int i = 0; i < READERS; i++)
		pthread_join(reader[i], NULL);
	CHECK(cell->mdg_private[VERSION] == WRITERS * WRITES);
}

static void write_for_ever(void *argument)
{
	const size_t *size = argument;
	for (;;)
		(void)write_next(*size, true);
}

static void read_until_stopped(void *argument)
{
	const size_t *size = argument;
	while (atomic_load(&box->stop) == 0)
		(void)version_read(*size);
}

/* Processes; writers are killed wherever they are. */
static void among_processes(size_t size)
{
	enum { KILLS = 20 };
	make_new();
	pid_t reader = start(read_until_stopped, &size);
	for (int i = 0; i < KILLS; i++) {
		pid_t one = start(write_for_ever, &size), other = start(write_for_ever, &size);
		uint32_t from = version_read(size);
		uint64_t end = GRACE;
		uint32_t wanted = from + 50 + (uint32_t)i * 7;
		while (version_read(size) < wanted && now_ns() < end)
			;
		CHECK(version_read(size) >= wanted);
		killed(one);
		killed(other);
		bool died = (cell->mdg_private[WORD] & DIED) != 0;
		(void)version_read(size);
		CHECK(write_next(size, true) == (died ? MDG_OWNER_DIED : 0));
		CHECK(write_next(size, true) == 0);
	}
	atomic_store(&box->stop, 1);
	CHECK(ended_well(reader));
}

/* ---- in the middle ------------------------------------------ */

static void *write_half(size_t size)
{
	void *place = NULL;
	int rc = mdg_cell_begin(cell, size, &place);
	CHECK(rc == 0 || rc == MDG_OWNER_DIED);
	memset(place, 0xee, size / 2 + 1);
	return place;
}

static void write_half_and_die(void *size)
{
	(void)write_half(*(const size_t *)size);
	die();
}

static void first_dies(size_t size)
{
	unsigned char value[LARGEST] = { 0 };
	make_new();
	for (uint32_t i = 0; i < 6; i++) {
		for (int deaths = 0; deaths < 3; deaths++) {
			ended(start(write_half_and_die, &size));
			CHECK(version_read(size) == i);
		}
		/* One who errs about the size is not the one who is told. */
		CHECK(mdg_cell_write(cell, value, size + 1) == -EINVAL);
		CHECK(mdg_cell_write(cell, value, size + 1) == -EINVAL);
		CHECK(version_read(size) == i);
		CHECK(write_next(size, i % 2 != 0) == MDG_OWNER_DIED);
		CHECK(mdg_cell_begin(cell, size, &(void *){ NULL }) == 0);
		CHECK(mdg_cell_cancel(cell) == 0);
		CHECK(version_read(size) == i + 1);
	}
	ended(start(write_half_and_die, &size));
	CHECK(mdg_cell_destroy(cell) == 0);
	CHECK(mdg_cell_write(cell, value, 1) == 0);
}

static void write_half_and_stop(void *argument)
{
	size_t size = *(const size_t *)argument;
	void *place = write_half(size);
	raise(SIGSTOP);
	fill(place, 0, size, 2);
	CHECK(mdg_cell_commit(cell) == 0);
}

/* Readers go on; a writer waits. */
static void first_is_stopped(size_t size)
{
	unsigned char value[LARGEST];
	int status = 0;
	make_new();
	CHECK(write_next(size, false) == 0);
	pid_t writer = start(write_half_and_stop, &size);
	CHECK(waitpid(writer, &status, WUNTRACED) == writer && WIFSTOPPED(status));
	for (int i = 0; i < 100; i++)
		CHECK(version_read(size) == 1);
	CHECK(mdg_cell_trywrite(cell, value, size) == -EBUSY);
	CHECK(mdg_cell_write_until(cell, value, size, BRIEFLY) == -ETIMEDOUT);
	kill(writer, SIGCONT);
	CHECK(ended_well(writer));
	CHECK(version_read(size) == 2);
}

/* ---- what no caller has put there ------------------------------------------ */

/* Whatever the head says, nobody reaches beyond the cell, nor beyond the value. */
static void hostile_heads(void)
{
	enum { BYTES = 100 };
	static const uint32_t words[] = { 0, 1, 3, 4, BYTES - 1, BYTES, 0x7fffffff, 0xffffffff };
	enum { WORDS = sizeof(words) / sizeof(*words) };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (MDG_CELL_SIZE(BYTES) / page + 1) * page;
	char *memory = shared_memory(room + page);
	mdg_cell *last = (mdg_cell *)(void *)(memory + room - MDG_CELL_SIZE(BYTES));
	unsigned char value[BYTES + 1];
	void *place;
	CHECK(mprotect(memory + room, page, PROT_NONE) == 0);
	for (size_t i = 0; i < (size_t)WORDS * WORDS * WORDS; i++) {
		value[BYTES] = 0x5a;
		last->mdg_private[SIZE] = words[i % WORDS];
		last->mdg_private[VERSION] = words[i / WORDS % WORDS];
		last->mdg_private[VERSION + 1] = words[i / WORDS / WORDS];
		int wanted = words[i % WORDS] == 0 || words[i % WORDS] == BYTES ? 0 : -EINVAL;
		CHECK(mdg_cell_read(last, value, BYTES, NULL) == wanted);
		CHECK(value[BYTES] == 0x5a);
		CHECK(mdg_cell_write(last, value, BYTES) == wanted);
		CHECK(mdg_cell_begin(last, BYTES, &place) == wanted);
		if (wanted == 0) {
			memset(place, 1, BYTES);
			CHECK(mdg_cell_commit(last) == 0);
		}
		CHECK(mdg_cell_destroy(last) == 0);
		CHECK(mdg_cell_write(last, value, BYTES) == 0);
	}
	munmap(memory, room + page);
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	cell = &box->cell;
	answers();
	other_sizes();
	first_to_write();
	readers_only_read();
	late_readers();
	for (int i = 0; i < SIZES; i++) {
		among_threads(sizes[i]);
		among_processes(sizes[i]);
		first_dies(sizes[i]);
		first_is_stopped(sizes[i]);
	}
	hostile_heads();
	return test_result();
}
