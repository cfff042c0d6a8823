/* SPDX-License-Identifier: MIT */
/*
 * txn.c - transactions that hold and free blocks: what each call says, and a bank that is killed.
 *
 *     heap-txn alone
 *     heap-txn storm [SECONDS [KILLS [SEED]]]
 *
 * The storm: processes change three banks, and are killed at random moments. A bank is a list of
 * accounts, each in a block of its own. A transaction splits an account, joins two of them, puts
 * new blocks in place of three, or moves money. Whoever begins a transaction looks at the whole
 * bank: all accounts are linked both ways, and the sum is what it was. The old blocks are written
 * to by the transaction that frees them. Beside that, the processes use blocks of the same sizes
 * for themselves, so a record that is copied into a block too late is seen. When all are dead,
 * there are exactly the blocks that the banks refer to.
 */
#include "heap/heap.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "heap/held.h"

enum { JOURNAL = 2048, SMALL = 100, LARGE = 300000 };

static mdg_heap *heap;
static mdg_txn_run run;

static mdg_txn *txn_make(void)
{
	mdg_txn *txn = mdg_alloc_aligned(heap, 64, MDG_TXN_SIZE(JOURNAL));
	CHECK(txn != NULL);
	memset(txn, 0, MDG_TXN_SIZE(JOURNAL));
	return txn;
}

static int begin(mdg_txn *txn)
{
	return mdg_txn_begin(&run, txn, JOURNAL, heap->base, (size_t)heap->extent);
}

static int write_ref(mdg_ref *at, const void *block)
{
	mdg_ref ref = mdg_ref_of(heap, block);
	return mdg_txn_write(&run, at, &ref, sizeof ref);
}

/* ---- alone --------------------------------------------------------------------------------- */

static mdg_ref *place;
static mdg_txn *txn;

static uint64_t live(void)
{
	struct found found = look(heap);
	CHECK(found.wrong == 0);
	return found.live - 2; /* the places and the transaction */
}

static void whole(size_t size)
{
	CHECK(begin(txn) == 0);
	void *block = mdg_txn_hold(heap, &run, size), *other = mdg_txn_hold(heap, &run, size);
	CHECK(block != NULL && other != NULL && block != other && live() == 2);
	CHECK(write_ref(&place[0], block) == 0 && write_ref(&place[1], other) == 0);
	CHECK(place[0] == 0 && place[1] == 0);
	CHECK(mdg_txn_commit(&run) == 0 && live() == 2);
	CHECK(mdg_at(heap, place[0]) == block && mdg_at(heap, place[1]) == other);
	/* Cancelled: nothing. */
	CHECK(begin(txn) == 0);
	CHECK(mdg_txn_free(heap, &run, block) == 0 && mdg_txn_hold(heap, &run, size) != NULL);
	CHECK(mdg_txn_cancel(&run) == 0 && live() == 2);
	/* Both are freed, and not before. */
	CHECK(begin(txn) == 0);
	CHECK(mdg_txn_free(heap, &run, block) == 0 && mdg_txn_free(heap, &run, other) == 0);
	CHECK(mdg_txn_free(heap, &run, block) == MDG_FREED_TWICE);
	CHECK(mdg_txn_free(heap, &run, NULL) == 0);
	CHECK(write_ref(&place[0], NULL) == 0 && write_ref(&place[1], NULL) == 0 && live() == 2);
	CHECK(mdg_txn_commit(&run) == 0 && live() == 0 && place[0] == 0);
	CHECK(mdg_usable_size(heap, block) == 0);
	/* Held and freed in the same one. */
	for (int commits = 0; commits < 2; commits++) {
		CHECK(begin(txn) == 0 && (block = mdg_txn_hold(heap, &run, size)) != NULL);
		CHECK(mdg_txn_write(&run, block, "text", 5) == 0);
		CHECK(mdg_txn_free(heap, &run, block) == 0 && live() == 1);
		CHECK(mdg_txn_free(heap, &run, block) == MDG_FREED_TWICE);
		CHECK((commits ? mdg_txn_commit(&run) : mdg_txn_cancel(&run)) == 0 && live() == 0);
	}
}

/* What belongs to a transaction is for nobody else. */
static void others(void)
{
	void *old = mdg_alloc(heap, SMALL), *held = mdg_hold(heap, SMALL);
	CHECK(begin(txn) == 0);
	void *block = mdg_txn_hold(heap, &run, SMALL);
	CHECK(block != NULL && mdg_publish(heap, block, &place[0], 0) == -EPERM);
	CHECK(mdg_keep(heap, block) == -EPERM && mdg_free(heap, block) == -EBUSY);
	CHECK(mdg_retire(heap, block) == -EPERM);
	CHECK(mdg_realloc(heap, block, LARGE) == NULL && mdg_heap_why(heap) == -EBUSY);
	CHECK(mdg_txn_free(heap, &run, held) == -EBUSY);
	CHECK(mdg_txn_free(heap, &run, (char *)old + 1) == -EINVAL);
	CHECK(mdg_txn_free(heap, &run, &held) == -EINVAL);
	CHECK(mdg_txn_free(heap, &run, txn) == -EINVAL);
	CHECK(mdg_free(heap, held) == 0 && mdg_txn_free(heap, &run, held) == MDG_FREED_TWICE);
	CHECK(live() == 2 && mdg_txn_cancel(&run) == 0 && live() == 1);
	CHECK(mdg_txn_free(heap, &run, old) == -EPERM);
	CHECK(mdg_txn_hold(heap, &run, SMALL) == NULL && mdg_heap_why(heap) == -EPERM);
	CHECK(mdg_free(heap, old) == 0);
}

static void many(void)
{
	void *block[MDG_HELD_MOST];
	CHECK(begin(txn) == 0);
	for (int i = 0; i < MDG_HELD_MOST; i++)
		CHECK((block[i] = mdg_txn_hold(heap, &run, SMALL)) != NULL);
	CHECK(mdg_txn_hold(heap, &run, SMALL) == NULL && mdg_heap_why(heap) == -ENOSPC);
	CHECK(mdg_hold(heap, SMALL) == NULL && mdg_heap_why(heap) == -ENOSPC);
	CHECK(mdg_txn_commit(&run) == 0 && live() == MDG_HELD_MOST);
	for (int round = 0; round < 2; round++) {
		CHECK(begin(txn) == 0);
		for (int i = 0; i < MDG_HELD_MOST; i++)
			CHECK(mdg_txn_free(heap, &run, block[i]) == 0);
		void *more = mdg_alloc(heap, SMALL);
		CHECK(mdg_txn_free(heap, &run, more) == -ENOSPC && mdg_free(heap, more) == 0);
		CHECK((round == 0 ? mdg_txn_cancel(&run) : mdg_txn_commit(&run)) == 0);
		CHECK(live() == (round == 0 ? MDG_HELD_MOST : 0));
	}
}

/* The transaction itself is no data; a transaction elsewhere has no blocks; two at once. */
static void elsewhere(void)
{
	static struct {
		_Alignas(64) unsigned char bytes[MDG_TXN_SIZE(JOURNAL)];
	} outside;
	static uint64_t data[4];
	mdg_txn_run second;
	uint64_t value = 7;
	memset(&outside, 0, sizeof outside);
	CHECK(begin(txn) == 0);
	CHECK(mdg_txn_write(&run, txn, &value, 8) == -EINVAL);
	CHECK(mdg_txn_write(&run, (char *)txn + MDG_TXN_SIZE(JOURNAL) - 8, &value, 8) == -EINVAL);
	CHECK(mdg_txn_cancel(&run) == 0);
	mdg_txn *foreign = (mdg_txn *)(void *)outside.bytes;
	CHECK(mdg_txn_begin(&run, foreign, JOURNAL, data, sizeof data) == 0);
	CHECK(mdg_txn_hold(heap, &run, SMALL) == NULL && mdg_heap_why(heap) == -EINVAL);
	CHECK(mdg_txn_cancel(&run) == 0);
	/* Its data may be elsewhere. */
	mdg_txn *other = txn_make();
	CHECK(mdg_txn_begin(&second, other, JOURNAL, data, sizeof data) == 0 && begin(txn) == 0);
	void *block = mdg_txn_hold(heap, &second, SMALL), *mine = mdg_txn_hold(heap, &run, SMALL);
	CHECK(block != NULL && mine != NULL && mdg_txn_free(heap, &run, block) == -EBUSY);
	CHECK(mdg_txn_write(&second, &data[1], &value, 8) == 0);
	CHECK(mdg_txn_commit(&second) == 0 && data[1] == 7 && mdg_usable_size(heap, block) != 0);
	CHECK(mdg_txn_cancel(&run) == 0 && mdg_usable_size(heap, mine) == 0);
	CHECK(mdg_free(heap, block) == 0 && mdg_txn_destroy(other) == 0);
	CHECK(mdg_free(heap, other) == 0 && live() == 0);
}

static void as_child(void (*body)(void *), void *argument)
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		body(argument);
		_exit(test_result());
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* In a forked child, the parent's transaction is not running. */
static void of_parent(void *block)
{
	CHECK(mdg_txn_hold(heap, &run, SMALL) == NULL && mdg_heap_why(heap) == -EPERM);
	CHECK(mdg_txn_free(heap, &run, block) == -EPERM && mdg_txn_commit(&run) == -EPERM);
	CHECK(mdg_txn_cancel(&run) == -EPERM && mdg_free(heap, block) == -EBUSY);
}

static void dies_inside(void *block)
{
	CHECK(begin(txn) == 0 && mdg_txn_hold(heap, &run, SMALL) != NULL);
	CHECK(mdg_txn_free(heap, &run, block) == 0 && write_ref(&place[0], NULL) == 0);
}

static void forked(void)
{
	CHECK(begin(txn) == 0);
	void *block = mdg_txn_hold(heap, &run, SMALL);
	CHECK(write_ref(&place[0], block) == 0);
	as_child(of_parent, block);
	CHECK(mdg_txn_commit(&run) == 0 && mdg_at(heap, place[0]) == block && live() == 1);
	/* The dead one has not committed. Its hands do not keep the next one from anything. */
	for (int sweeps = 0; sweeps < 2; sweeps++) {
		as_child(dies_inside, block);
		CHECK(mdg_at(heap, place[0]) == block);
		if (sweeps)
			CHECK(mdg_heap_sweep(heap) >= 1 && live() == 1);
		CHECK(begin(txn) == MDG_OWNER_DIED && mdg_txn_free(heap, &run, block) == 0);
		CHECK(write_ref(&place[0], NULL) == 0 && mdg_txn_commit(&run) == 0);
		(void)mdg_heap_sweep(heap);
		CHECK(live() == 0);
		block = mdg_alloc(heap, SMALL);
		place[0] = mdg_ref_of(heap, block);
	}
	place[0] = 0;
	CHECK(mdg_free(heap, block) == 0);
}

static void alone_in(const char *name, uint32_t flags)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 64u << 20 };
	options.flags = flags;
	heap = heap_open(name, &options);
	place = mdg_alloc_zeroed(heap, 4, sizeof *place);
	txn = txn_make();
	whole(SMALL);
	whole(20000);
	whole(LARGE);
	others();
	many();
	elsewhere();
	forked();
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, name) == 0);
}

/* ---- banks --------------------------------------------------------------------------------- */

enum { BANKS = 3, WORKERS = 6, FIRST = 12, MOST = 40, MONEY = 1000000 };

struct account {
	mdg_ref next, prev; /* a ring; the bank's own is one of them, and has no money */
	uint64_t magic, bank, money, size;
};
#define MAGIC UINT64_C(0x6b6e6162acc047)

static struct {
	mdg_txn *txn;
	struct account *ring;
} bank[BANKS];
static struct {
	_Atomic uint64_t done, wrong, found_dead;
} * shared;

static void complain(const char *what, uint64_t which)
{
	if (atomic_fetch_add(&shared->wrong, 1) < 20)
		fprintf(stderr, "process %d, bank %llu: %s\n", (int)getpid(),
		        (unsigned long long)which, what);
}

#include "heap/storms.h"

/* How many accounts it has. [its transaction is running] */
static unsigned look_at(unsigned which)
{
	unsigned count = 0;
	uint64_t sum = 0;
	const struct account *at = bank[which].ring, *next;
	do {
		next = mdg_at(heap, at->next);
		if (next == NULL || next->prev != mdg_ref_of(heap, at) || next->magic != MAGIC ||
		    next->bank != which || mdg_usable_size(heap, next) < next->size) {
			complain("an account is not whole", which);
			return 0;
		}
		at = next;
		sum += at->money;
	} while (at != bank[which].ring && count++ <= MOST);
	if (sum != MONEY)
		complain("there is more money, or less", which);
	return count;
}

static struct account *account_at(unsigned which, unsigned index)
{
	struct account *at = mdg_at(heap, bank[which].ring->next);
	while (index-- > 0)
		at = mdg_at(heap, at->next);
	return at == bank[which].ring ? mdg_at(heap, at->next) : at;
}

static size_t some_size(uint64_t *state)
{
	uint32_t kind = next_random(state) % 200;
	return sizeof(struct account) + (kind == 0 ? LARGE : next_random(state) % 100);
}

static struct account *account_make(unsigned which, uint64_t money, uint64_t *state)
{
	size_t size = some_size(state);
	struct account *account = mdg_txn_hold(heap, &run, size);
	if (account == NULL)
		return NULL;
	/* Half of it by ordinary stores, half by the transaction. */
	*account = (struct account){ 0, 0, MAGIC, which, money, size };
	return account;
}

/* `count` accounts behind `before` give way to these new ones. */
static bool replace(struct account *before, unsigned count, struct account **new, unsigned news)
{
	struct account *old = mdg_at(heap, before->next);
	bool fine = true;
	for (unsigned i = 0; i < count; i++) {
		static const struct account empty;
		struct account *next = mdg_at(heap, old->next);
		fine = fine && mdg_txn_write(&run, old, &empty, sizeof empty) == 0 &&
		       mdg_txn_free(heap, &run, old) == 0;
		old = next;
	}
	for (unsigned i = 0; i < news; i++) {
		fine = fine && new[i] != NULL &&write_ref(&before->next, new[i]) == 0 &&
		       write_ref(&new[i]->prev, before) == 0;
		before = new[i];
	}
	return fine && write_ref(&before->next, old) == 0 && write_ref(&old->prev, before) == 0;
}

static bool is_ring(const struct account *account, unsigned which)
{
	return account == bank[which].ring;
}

/* Changes something. False: the transaction is to be cancelled. */
static bool change(unsigned which, unsigned count, uint64_t *state)
{
	struct account *before = account_at(which, next_random(state) % count), *new[3] = { NULL };
	struct account *at = mdg_at(heap, before->next), *next = mdg_at(heap, at->next);
	if (is_ring(at, which) || is_ring(next, which))
		return false;
	uint64_t some = at->money / 3;
	switch (next_random(state) % 4) {
	case 0: /* split */
		if (count >= MOST)
			return false;
		new[0] = account_make(which, some, state);
		new[1] = account_make(which, at->money - some, state);
		return replace(before, 1, new, 2);
	case 1: /* join; one more is made, and is not wanted */
		if (count <= 4)
			return false;
		new[1] = account_make(which, 0, state);
		new[0] = account_make(which, at->money + next->money, state);
		return new[1] != NULL &&mdg_txn_write(&run, &new[1]->money, &some, 8) == 0 &&
		       mdg_txn_free(heap, &run, new[1]) == 0 && replace(before, 2, new, 1);
	case 2: /* move */
		some = at->money - some;
		if (mdg_txn_write(&run, &at->money, &some, sizeof some) != 0)
			return false;
		some = next->money + at->money / 3;
		return mdg_txn_write(&run, &next->money, &some, sizeof some) == 0;
	default: /* three new ones for two */
		if (count >= MOST)
			return false;
		new[0] = account_make(which, some, state);
		new[1] = account_make(which, at->money - some, state);
		new[2] = account_make(which, next->money, state);
		return replace(before, 2, new, 3);
	}
}

static void transact(unsigned which, uint64_t *state)
{
	int rc = begin(bank[which].txn);
	if (rc == MDG_OWNER_DIED)
		atomic_fetch_add(&shared->found_dead, 1);
	else if (rc != 0)
		complain(mdg_strerror(rc), which);
	unsigned count = look_at(which);
	bool fine = count > 0 && change(which, count, state) && next_random(state) % 8 != 0;
	if ((fine ? mdg_txn_commit(&run) : mdg_txn_cancel(&run)) != 0)
		complain("a transaction does not end", which);
}

static void work(uint64_t seed)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t state = seed;;) {
		size_t size = some_size(&state);
		uint32_t number = next_random(&state);
		void *mine = mdg_hold(heap, size);
		if (mine != NULL)
			stamp(mine, size, number);
		transact(next_random(&state) % BANKS, &state);
		if (mine != NULL && (!stamped(mine, size, number) || mdg_free(heap, mine) != 0))
			complain("somebody has written to a block", number);
		atomic_fetch_add_explicit(&shared->done, 1, memory_order_relaxed);
	}
}

static void bank_make(unsigned which)
{
	uint64_t state = which;
	bank[which].txn = txn_make();
	struct account *ring = mdg_alloc_zeroed(heap, 1, sizeof *ring);
	mdg_ref self = mdg_ref_of(heap, ring);
	*ring = (struct account){ self, self, MAGIC, which, 0, sizeof *ring };
	bank[which].ring = ring;
	for (unsigned i = 0; i < FIRST; i++) {
		CHECK(begin(bank[which].txn) == 0);
		struct account *new = account_make(which, i == 0 ? MONEY : 0, &state);
		CHECK(replace(ring, 0, &new, 1) && mdg_txn_commit(&run) == 0);
	}
}

/* All others are dead. */
static bool agrees(void)
{
	uint64_t blocks = 2u * BANKS, before = atomic_load(&shared->wrong);
	enum { MANY = 400 };
	void *got[MANY] = { NULL };
	/* Half of the times, the sweeper comes first, and what is free then has another use. */
	if (before == 0 && atomic_load(&shared->done) % 2 == 0) {
		(void)mdg_heap_sweep(heap);
		for (unsigned i = 0; i < MANY; i++)
			if ((got[i] = mdg_alloc(heap, SMALL + i % 4 * 16)) != NULL)
				stamp(got[i], SMALL, i);
	}
	for (unsigned i = 0; i < BANKS; i++) {
		int rc = begin(bank[i].txn);
		if (rc != 0 && rc != MDG_OWNER_DIED)
			complain(mdg_strerror(rc), i);
		blocks += look_at(i);
		(void)mdg_txn_cancel(&run);
	}
	for (unsigned i = 0; i < MANY; i++)
		if (got[i] != NULL && (!stamped(got[i], SMALL, i) || mdg_free(heap, got[i]) != 0))
			complain("a record was copied too late", i);
	sweep_all();
	compare_tables(blocks, 0);
	return atomic_load(&shared->wrong) == before;
}

static pid_t worker[WORKERS];

static void start(unsigned who, uint64_t seed)
{
	fflush(NULL);
	worker[who] = fork();
	if (worker[who] == 0)
		work(seed);
}

static void storm(uint64_t most_seconds, uint64_t most_kills, uint64_t seed)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 64u << 20 };
	uint64_t state = seed, begun = seconds(), kills = 0;
	printf("seed %llu\n", (unsigned long long)seed);
	heap = heap_open("banks", &options);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	for (unsigned i = 0; i < BANKS; i++)
		bank_make(i);
	CHECK(agrees());
	for (unsigned i = 0; i < WORKERS; i++)
		start(i, seed * 1000 + i);
	while (atomic_load(&shared->wrong) == 0 && seconds() - begun < most_seconds &&
	       kills < most_kills) {
		struct timespec nap = { 0, (long)(next_random(&state) % 6000000) };
		unsigned from = next_random(&state) % WORKERS, count = 1;
		nanosleep(&nap, NULL);
		if (next_random(&state) % 32 == 0)
			count = WORKERS;
		for (unsigned i = 0; i < count; i++)
			kill_worker(worker[(from + i) % WORKERS]);
		kills += count;
		if (count == WORKERS && !agrees())
			break;
		for (unsigned i = 0; i < count; i++)
			start((from + i) % WORKERS, seed * 1000 + kills * WORKERS + i);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		kill_worker(worker[i]);
	CHECK(agrees());
	CHECK(atomic_load(&shared->wrong) == 0 && atomic_load(&shared->done) > 100);
	printf("%llu transactions, %llu kills, %llu owners found dead, %llu s\n",
	       (unsigned long long)atomic_load(&shared->done), (unsigned long long)kills + WORKERS,
	       (unsigned long long)atomic_load(&shared->found_dead),
	       (unsigned long long)(seconds() - begun));
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "banks") == 0);
}

int main(int argc, char **argv)
{
	enter_namespace();
	if (argc > 1 && strcmp(argv[1], "storm") == 0) {
		uint64_t number[3] = { 4, UINT64_MAX, (uint64_t)time(NULL) };
		for (int i = 2; i < argc && i < 5; i++)
			number[i - 2] = strtoull(argv[i], NULL, 0);
		storm(number[0], number[1], number[2]);
	} else {
		alone_in("plain", 0);
		alone_in("labels", MDG_HEAP_LABELS);
		alone_in("checked", MDG_HEAP_CHECKED);
	}
	mdg_namespace_close(ns);
	return test_result();
}
