/* SPDX-License-Identifier: MIT */
/*
 * txn.c - mdg_txn: answers, transfers that are whole, deaths at every store, damaged journals.
 *
 * DEATHS AT EVERY STORE: a victim is taken through a transaction instruction by instruction
 * (ptrace), and killed where the shared memory has changed for the n-th time, for each n.
 * The next one is told of the death if and only if the victim held the transaction, and finds the
 * old data before a certain n, and the new ones from there on. The same for a victim that itself
 * carries out what another left, and for one that destroys.
 *
 * DAMAGE: the journal of a victim killed in the middle of its commit, with a few bytes changed,
 * gives MDG_BROKEN, or -EINVAL where the figures differ, or a valid state; and what lies around
 * the data is as it was. The changes come from a generator with a fixed seed.
 */
#include <sys/ptrace.h>

#include "support/tracing.h"
#include "sync/shared.h"

enum { ACCOUNTS = 16, MONEY = 1000, JOURNAL = 256, CANARY = 64, ROUNDS = 3000, MANY = 3 };

struct data {
	uint32_t account[ACCOUNTS]; /* together always ACCOUNTS * MONEY */
	unsigned char text[100];    /* all the same */
};

/* All that a victim may change, and what is around it. */
static struct world {
	unsigned char before[CANARY];
	struct data data;
	unsigned char after[CANARY];
	mdg_txn txn;
	unsigned char journal[JOURNAL];
	unsigned char behind[CANARY];
} * world;
static _Atomic uint32_t *stop;

/* Words of the head, by src/sync/owned.h and src/sync/txn.h. */
enum { STATE = 0, WORD = 2, JOURNAL_STATE = 32, JOURNAL_SIZE = 38 };
#define DIED 0x40000000u

static int begin(mdg_txn_run *run)
{
	return mdg_txn_begin_until(run, &world->txn, JOURNAL, &world->data, sizeof(world->data),
	                           GRACE);
}

static void make_new(void)
{
	memset(world, 0, sizeof(*world));
	memset(world->before, 0x5a, CANARY);
	memset(world->after, 0x5a, CANARY);
	memset(world->behind, 0x5a, CANARY);
	for (int i = 0; i < ACCOUNTS; i++)
		world->data.account[i] = MONEY;
}

static bool is_whole(const struct data *data)
{
	uint32_t sum = 0;
	for (int i = 0; i < ACCOUNTS; i++)
		sum += data->account[i];
	for (size_t i = 1; i < sizeof(data->text); i++)
		if (data->text[i] != data->text[0])
			return false;
	return sum == ACCOUNTS * MONEY;
}

static bool around_is_untouched(void)
{
	bool same = true;
	for (int i = 0; i < CANARY; i++)
		same = same && world->before[i] == 0x5a && world->after[i] == 0x5a &&
		       world->behind[i] == 0x5a;
	return same;
}

/* Moves money, and changes the text, which is too long for one store. */
static void transfer(mdg_txn_run *run, uint32_t from, uint32_t to, uint32_t amount)
{
	uint32_t poorer, richer;
	unsigned char text[sizeof(world->data.text)];
	CHECK(mdg_txn_read(run, &world->data.account[from], &poorer, sizeof(poorer)) == 0);
	poorer -= amount;
	CHECK(mdg_txn_write(run, &world->data.account[from], &poorer, sizeof(poorer)) == 0);
	CHECK(mdg_txn_read(run, &world->data.account[to], &richer, sizeof(richer)) == 0);
	richer += amount;
	CHECK(mdg_txn_write(run, &world->data.account[to], &richer, sizeof(richer)) == 0);
	memset(text, (int)(richer % 251), sizeof(text));
	CHECK(mdg_txn_write(run, world->data.text, text, sizeof(text)) == 0);
}

/* ---- answers ------------------------------------------------------------------------------ */

static void others_see_it_begun(void *argument)
{
	mdg_txn_run *parents = argument, run;
	uint32_t value = 7;
	struct data *data = &world->data;
	CHECK(mdg_txn_trybegin(&run, &world->txn, JOURNAL, data, sizeof(*data)) == -EBUSY);
	CHECK(mdg_txn_write(&run, data->account, &value, 4) == -EPERM);
	CHECK(mdg_txn_begin_until(&run, &world->txn, JOURNAL, data, sizeof(*data), BRIEFLY) ==
	      -ETIMEDOUT);
	CHECK(mdg_txn_commit(&run) == -EPERM);
	CHECK(mdg_txn_write(parents, data->account, &value, 4) == -EPERM);
	CHECK(mdg_txn_read(parents, data->account, &value, 4) == -EPERM);
	CHECK(mdg_txn_commit(parents) == -EPERM);
	CHECK(mdg_txn_cancel(parents) == -EPERM);
	CHECK(mdg_txn_destroy(&world->txn) == -EBUSY);
}

static void answers(void)
{
	mdg_txn_run run, other = { { 0 } };
	uint32_t value = 7, seen = 0;
	struct data *data = &world->data;
	make_new();
	errno = 4711;
	CHECK(mdg_txn_commit(&other) == -EPERM && mdg_txn_cancel(&other) == -EPERM);
	CHECK(begin(&run) == 0);
	CHECK(begin(&other) == -EDEADLK);
	CHECK(begin(&run) == -EDEADLK); /* and still runs */
	CHECK(mdg_txn_write(&other, data->account, &value, 4) == -EPERM);
	CHECK(in_child(others_see_it_begun, &run));
	CHECK(mdg_txn_destroy(&world->txn) == -EBUSY);
	CHECK(mdg_txn_write(&run, data->account, &value, 4) == 0);
	CHECK(mdg_txn_read(&run, data->account, &seen, 4) == 0 && seen == 7);
	CHECK(data->account[0] == MONEY);
	CHECK(mdg_txn_cancel(&run) == 0);
	CHECK(mdg_txn_cancel(&run) == -EPERM && mdg_txn_commit(&run) == -EPERM);
	CHECK(data->account[0] == MONEY);
	CHECK(begin(&run) == 0);
	CHECK(mdg_txn_read(&run, data->account, &seen, 4) == 0 && seen == MONEY);
	CHECK(mdg_txn_commit(&run) == 0); /* nothing */
	CHECK(begin(&run) == 0);
	CHECK(mdg_txn_write(&run, data->account, &value, 4) == 0);
	CHECK(mdg_txn_commit(&run) == 0);
	CHECK(data->account[0] == 7 && data->account[1] == MONEY);
	CHECK(begin(&other) == 0);
	CHECK(mdg_txn_write(&run, data->account, &value, 4) == -EPERM);
	CHECK(mdg_txn_cancel(&other) == 0);
	CHECK(errno == 4711);
	CHECK(around_is_untouched());
}

static void wrong_figures(void)
{
	mdg_txn_run run = { { 0 } };
	struct data *data = &world->data;
	size_t size = sizeof(*data);
	unsigned char *txn = (unsigned char *)&world->txn;
	make_new();
	CHECK(mdg_txn_begin(&run, &world->txn, 63, data, size) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, ((size_t)1 << 31) + 1, data, size) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, data, 0) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, data, SIZE_MAX) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, txn, 1) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, txn - 10, 11) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, txn + MDG_TXN_SIZE(JOURNAL) - 1, 8) ==
	      -EINVAL);
	size_t up_to = (size_t)(txn - (unsigned char *)data);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, data, up_to + 1) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, txn + MDG_TXN_SIZE(JOURNAL), 8) == 0);
	CHECK(mdg_txn_cancel(&run) == 0);
	CHECK(begin(&run) == -EINVAL);
	CHECK(mdg_txn_destroy(&world->txn) == 0);
	CHECK(begin(&run) == 0);
	CHECK(mdg_txn_cancel(&run) == 0);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL - 64, data, size) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, data, size - 1) == -EINVAL);
	CHECK(mdg_txn_cancel(&run) == -EPERM);
}

static void bounds(void)
{
	mdg_txn_run run;
	unsigned char bytes[sizeof(struct data) + 8] = { 0 }, *from = (unsigned char *)&world->data;
	size_t size = sizeof(struct data);
	make_new();
	CHECK(begin(&run) == 0);
	CHECK(mdg_txn_write(&run, from - 1, bytes, 1) == -EINVAL);
	CHECK(mdg_txn_write(&run, from - 1, bytes, 2) == -EINVAL);
	CHECK(mdg_txn_write(&run, from + size, bytes, 1) == -EINVAL);
	CHECK(mdg_txn_write(&run, from + size - 1, bytes, 2) == -EINVAL);
	CHECK(mdg_txn_write(&run, from + 1, bytes, SIZE_MAX) == -EINVAL);
	CHECK(mdg_txn_read(&run, from - 1, bytes, 2) == -EINVAL);
	CHECK(mdg_txn_read(&run, from + size - 1, bytes, 2) == -EINVAL);
	CHECK(mdg_txn_write(&run, from + size, bytes, 0) == 0);
	CHECK(mdg_txn_write(&run, from + size - 1, "\1", 1) == 0); /* 24 of the journal */
	CHECK(mdg_txn_write(&run, from, bytes, 100) == 0);         /* 120 */
	CHECK(mdg_txn_write(&run, from, bytes, 97) == -ENOSPC);    /* 112 are left */
	CHECK(mdg_txn_write(&run, from, bytes, 96) == 0);
	CHECK(mdg_txn_write(&run, from, bytes, 1) == -ENOSPC);
	CHECK(mdg_txn_commit(&run) == 0);
	CHECK(world->data.text[99] == 1 && world->data.account[0] == 0);
	make_new();
	CHECK(mdg_txn_begin(&run, &world->txn, 71, from, size) == 0); /* no multiple of 8 */
	CHECK(mdg_txn_write(&run, from, bytes, 49) == -ENOSPC);
	CHECK(mdg_txn_write(&run, from, bytes, 48) == 0);
	CHECK(mdg_txn_commit(&run) == 0 && around_is_untouched());
}

/* A transaction sees what it wrote, whatever overlaps; and so it is afterwards. */
static void own_writes(void)
{
	unsigned char mine[sizeof(struct data)], seen[sizeof(struct data)];
	unsigned char *data = (unsigned char *)&world->data;
	uint32_t random = 1;
	make_new();
	for (int round = 0; round < 200; round++) {
		mdg_txn_run run;
		memcpy(mine, data, sizeof(mine));
		CHECK(begin(&run) == 0);
		for (int i = 0; i < 8; i++) {
			random = random * 1664525 + 1013904223;
			size_t at = random >> 8 & 127, size = 1 + (random >> 16) % 13;
			memset(mine + at, (int)(random >> 24), size);
			CHECK(mdg_txn_write(&run, data + at, mine + at, size) == 0);
			CHECK(mdg_txn_read(&run, data, seen, sizeof(seen)) == 0);
			CHECK(memcmp(seen, mine, sizeof(seen)) == 0);
			CHECK(mdg_txn_read(&run, data + at / 2, seen, 9) == 0);
			CHECK(memcmp(seen, mine + at / 2, 9) == 0);
		}
		CHECK(mdg_txn_commit(&run) == 0);
		CHECK(memcmp(data, mine, sizeof(mine)) == 0);
	}
	CHECK(around_is_untouched());
}

/* ---- many --------------------------------------------------------------------------------- */

static void *transfer_often(void *argument)
{
	uint32_t random = *(const uint32_t *)argument;
	for (int i = 0; i < ROUNDS; i++) {
		mdg_txn_run run;
		random = random * 1664525 + 1013904223;
		CHECK(begin(&run) == 0);
		CHECK(is_whole(&world->data));
		transfer(&run, random >> 8 & 15, random >> 12 & 15, random >> 24);
		CHECK((i % 5 == 0 ? mdg_txn_cancel(&run) : mdg_txn_commit(&run)) == 0);
	}
	return argument;
}

static void among_threads(void)
{
	pthread_t thread[MANY];
	uint32_t seed[MANY] = { 1, 2, 3 };
	make_new();
	for (int i = 0; i < MANY; i++)
		CHECK(pthread_create(&thread[i], NULL, transfer_often, &seed[i]) == 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(thread[i], NULL);
	CHECK(is_whole(&world->data) && around_is_untouched());
}

static void transfer_for_ever(void *argument)
{
	uint32_t random = *(const uint32_t *)argument;
	for (;;) {
		mdg_txn_run run;
		random = random * 1664525 + 1013904223;
		int rc = begin(&run);
		CHECK(rc == 0 || rc == MDG_OWNER_DIED);
		CHECK(is_whole(&world->data));
		transfer(&run, random >> 8 & 15, random >> 12 & 15, random >> 24);
		CHECK(mdg_txn_commit(&run) == 0);
		atomic_fetch_add(stop, 1);
		if (check_failures != 0)
			atomic_store(stop, UINT32_MAX / 2);
	}
}

/* Processes, killed wherever they are. */
static void among_processes(void)
{
	enum { KILLS = 40 };
	make_new();
	for (uint32_t i = 0; i < KILLS; i++) {
		uint32_t seed[2] = { i, i + KILLS };
		mdg_txn_run run;
		atomic_store(stop, 0);
		pid_t one = start(transfer_for_ever, &seed[0]),
		      other = start(transfer_for_ever, &seed[1]);
		CHECK(reaches(stop, 20 + i * 5));
		CHECK(atomic_load(stop) < UINT32_MAX / 2);
		killed(one);
		killed(other);
		bool died = (world->txn.mdg_private[WORD] & DIED) != 0;
		CHECK(begin(&run) == (died ? MDG_OWNER_DIED : 0));
		CHECK(is_whole(&world->data));
		CHECK(mdg_txn_cancel(&run) == 0);
	}
	CHECK(around_is_untouched());
}

/* ---- a commit that was cut off ------------------------------------------------------------ */

static struct data old_data, new_data, words_data, many_data;

static void transfer_once(void *unused)
{
	mdg_txn_run run;
	(void)unused;
	CHECK(begin(&run) == 0);
	transfer(&run, 3, 7, 100);
	CHECK(mdg_txn_commit(&run) == 0);
}

static void transfer_and_cancel(void *unused)
{
	mdg_txn_run run;
	(void)unused;
	CHECK(begin(&run) == 0);
	transfer(&run, 3, 7, 100);
	CHECK(mdg_txn_cancel(&run) == 0);
}

static void transfer_and_die(void *unused)
{
	mdg_txn_run run;
	(void)unused;
	CHECK(begin(&run) == 0);
	transfer(&run, 3, 7, 100);
	die();
}

/* So many records of one word each, some of them at the same place. A commit keeps a few such
 * records in private memory (src/sync/txn_journal.h). */
enum { WORDS = 3, MANY_WORDS = 6, WORDS_USED = WORDS * 24 };

static void move_words(mdg_txn_run *run, int words)
{
	for (int i = 0; i < words; i++) {
		uint32_t pair[2], *place = &world->data.account[3 * (i % (words - 1))];
		CHECK(mdg_txn_read(run, place, pair, sizeof(pair)) == 0);
		pair[0] -= 10 + (uint32_t)i;
		pair[1] += 10 + (uint32_t)i;
		CHECK(mdg_txn_write(run, place, pair, sizeof(pair)) == 0);
	}
}

static void commit_words(int words)
{
	mdg_txn_run run;
	CHECK(begin(&run) == 0);
	move_words(&run, words);
	CHECK(mdg_txn_commit(&run) == 0);
}

static void words_once(void *unused)
{
	(void)unused;
	commit_words(WORDS);
}

static void many_words_once(void *unused)
{
	(void)unused;
	commit_words(MANY_WORDS);
}

static void words_and_die(void *unused)
{
	mdg_txn_run run;
	(void)unused;
	CHECK(begin(&run) == 0);
	move_words(&run, WORDS);
	die();
}

static void learn_data(void)
{
	make_new();
	old_data = world->data;
	transfer_once(NULL);
	new_data = world->data;
	make_new();
	words_once(NULL);
	words_data = world->data;
	CHECK(words_data.account[0] == MONEY - 22 && words_data.account[1] == MONEY + 22 &&
	      words_data.account[3] == MONEY - 11 && words_data.account[4] == MONEY + 11);
	make_new();
	many_words_once(NULL);
	many_data = world->data;
	CHECK(many_data.account[0] == MONEY - 25 && many_data.account[13] == MONEY + 14);
}

/* As docs/sync-journal.md has it. */
static void say_committed(mdg_txn *txn, uint32_t used)
{
	uint64_t sum = used + UINT64_C(0x9e3779b97f4a7c15), word;
	const unsigned char *journal = (unsigned char *)txn + sizeof(*txn);
	for (uint32_t at = 0; at < used && at < JOURNAL; at += 8) {
		memcpy(&word, journal + at, 8);
		sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
		sum ^= sum >> 32;
	}
	txn->mdg_private[JOURNAL_STATE] = 0x21747564;
	txn->mdg_private[JOURNAL_STATE + 1] = used;
	memcpy(&txn->mdg_private[JOURNAL_STATE + 2], &sum, 8);
}

enum { TRANSFER_USED = 24 + 24 + 120 };

/* The world of one who died after the first of the three stores of a commit. */
static void cut_off(void)
{
	make_new();
	ended(start(transfer_and_die, NULL));
	say_committed(&world->txn, TRANSFER_USED);
	world->data.account[3] = new_data.account[3];
}

static void cut_off_words(void)
{
	make_new();
	ended(start(words_and_die, NULL));
	say_committed(&world->txn, WORDS_USED);
	world->data.account[0] = words_data.account[0];
}

static void carried_out(void)
{
	mdg_txn_run run;
	unsigned char other[8];
	cut_off();
	/* One who errs is not the one who is told. */
	CHECK(mdg_txn_begin(&run, &world->txn, 64, &world->data, sizeof(world->data)) == -EINVAL);
	CHECK(mdg_txn_begin(&run, &world->txn, JOURNAL, other, sizeof(other)) == -EINVAL);
	CHECK(begin(&run) == MDG_OWNER_DIED);
	CHECK(memcmp(&world->data, &new_data, sizeof(new_data)) == 0);
	transfer(&run, 3, 7, 100);
	CHECK(mdg_txn_commit(&run) == 0);
	CHECK(world->data.account[3] == MONEY - 200 && is_whole(&world->data));
	CHECK(begin(&run) == 0);
	CHECK(mdg_txn_cancel(&run) == 0);
	make_new();
	ended(start(transfer_and_die, NULL)); /* not committed */
	CHECK(begin(&run) == MDG_OWNER_DIED);
	CHECK(memcmp(&world->data, &old_data, sizeof(old_data)) == 0);
	CHECK(mdg_txn_commit(&run) == 0);
	CHECK(memcmp(&world->data, &old_data, sizeof(old_data)) == 0);
	CHECK(around_is_untouched());
}

/* ---- deaths at every store ---------------------------------------------------------------- */

static void recover_and_cancel(void *unused)
{
	mdg_txn_run run;
	(void)unused;
	CHECK(begin(&run) == MDG_OWNER_DIED);
	CHECK(mdg_txn_cancel(&run) == 0);
}

static void broken_one(void)
{
	make_new();
	world->txn.mdg_private[JOURNAL_STATE] = 99;
}

static void destroy(void *unused)
{
	(void)unused;
	CHECK(mdg_txn_destroy(&world->txn) == 0);
}

static const struct scenario {
	const char *name;
	void (*prepare)(void), (*operate)(void *);
	const struct data *before, *after;
	unsigned least; /* changes: fewer cannot be right */
} scenarios[] = { { "transfer", make_new, transfer_once, &old_data, &new_data, 16 },
	          { "cancel", make_new, transfer_and_cancel, &old_data, &old_data, 10 },
	          { "words", make_new, words_once, &old_data, &words_data, 14 },
	          { "many words", make_new, many_words_once, &old_data, &many_data, 20 },
	          { "recover words", cut_off_words, recover_and_cancel, &words_data, &words_data,
	            5 },
	          { "recover", cut_off, recover_and_cancel, &new_data, &new_data, 5 },
	          { "destroy", broken_one, destroy, &old_data, &old_data, 3 } };

static void be_victim(void *argument)
{
	const struct scenario *scenario = argument;
	static struct world own; /* everything has been called once */
	struct world *shared = world;
	world = &own;
	make_new();
	transfer_once(NULL);
	destroy(NULL);
	world = shared;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
	scenario->operate(NULL);
	raise(SIGSTOP);
}

/* Lets it make so many changes; false: it has ended before. */
static bool changes_made(pid_t pid, unsigned changes)
{
	static unsigned char last[sizeof(struct world)];
	const unsigned char *bytes = (const unsigned char *)world;
	memcpy(last, bytes, sizeof(last));
	while (changes > 0) {
		ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
		int status = -1;
		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
			CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
			return false;
		}
		if (memcmp(last, bytes, sizeof(last)) != 0) {
			memcpy(last, bytes, sizeof(last));
			changes--;
		}
	}
	return true;
}

/* Whoever comes after the death; whether the data are the new ones. */
static bool come_after(const struct scenario *scenario, bool dying)
{
	mdg_txn_run run;
	int rc = begin(&run);
	if (rc == MDG_BROKEN && scenario->operate == destroy) {
		CHECK(mdg_txn_destroy(&world->txn) == 0);
		rc = begin(&run);
		dying = false;
	}
	CHECK(rc == (dying ? MDG_OWNER_DIED : 0));
	bool is_new = memcmp(&world->data, scenario->after, sizeof(struct data)) == 0;
	CHECK(is_new || memcmp(&world->data, scenario->before, sizeof(struct data)) == 0);
	CHECK(mdg_txn_cancel(&run) == 0);
	transfer_once(NULL);
	CHECK(is_whole(&world->data) && around_is_untouched());
	return is_new;
}

static void deaths_in(const struct scenario *scenario)
{
	bool going_on = true, happened = false;
	unsigned changes = 0;
	for (; going_on; changes++) {
		int before = check_failures, status = -1;
		union {
			const struct scenario *is;
			void *passed;
		} argument = { scenario };
		scenario->prepare();
		pid_t pid = start(be_victim, argument.passed);
		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status)) {
			printf("not tried: deaths at every store (ptrace)\n");
			return;
		}
		going_on = changes_made(pid, changes);
		bool dying = (world->txn.mdg_private[WORD] & 0x7fffffff) != 0; /* held, or marked */
		killed(pid);
		bool is_new = come_after(scenario, dying);
		CHECK(is_new || !happened); /* from one point on */
		happened = is_new;
		if (check_failures != before)
			fprintf(stderr, "... %s, killed after change %u\n", scenario->name,
			        changes);
	}
	CHECK(happened);
	CHECK(changes > scenario->least);
}

static void deaths(void)
{
	if (TRACING_IS_HIDDEN)
		printf("not tried: deaths at every store\n");
	for (size_t i = 0; !TRACING_IS_HIDDEN && i < sizeof(scenarios) / sizeof(*scenarios); i++)
		deaths_in(&scenarios[i]);
}

/* ---- damage ------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *random)
{
	*random = *random * 1664525 + 1013904223;
	return *random >> 8;
}

/* A byte of the head's second part, or of its state, or of the journal. */
static void change_a_byte(uint32_t *random)
{
	unsigned char *txn = (unsigned char *)&world->txn;
	uint32_t at = next_random(random) % (64 + JOURNAL + 4), how = next_random(random);
	unsigned char *byte = at < 64 + JOURNAL ? txn + 4 * JOURNAL_STATE + at
	                                        : txn + 4 * STATE + (at - 64 - JOURNAL);
	*byte = (unsigned char)(how % 2 == 0 ? *byte ^ 1u << how / 2 % 8 : how >> 8);
}

static void damaged(void (*cut_it_off)(void), const struct data *whole_data)
{
	enum { TIMES = 10000 };
	static struct world cut, now;
	unsigned whole = 0, broken = 0, refused = 0;
	uint32_t random = 4711;
	cut_it_off();
	cut = *world;
	for (int i = 0; i < TIMES; i++) {
		mdg_txn_run run;
		memcpy(world, &cut, sizeof(cut));
		for (uint32_t bytes = 1 + next_random(&random) % 4; bytes > 0; bytes--)
			change_a_byte(&random);
		now = *world;
		int rc = begin(&run);
		const struct data *wanted = rc == MDG_OWNER_DIED ? whole_data : &cut.data;
		CHECK(memcmp(&world->data, wanted, sizeof(*wanted)) == 0);
		CHECK(around_is_untouched());
		if (rc == MDG_OWNER_DIED) {
			whole++;
			CHECK(mdg_txn_cancel(&run) == 0);
		} else if (rc == -EINVAL) {
			refused++;
			CHECK(memcmp(&now.txn.mdg_private[JOURNAL_SIZE - 2],
			             &cut.txn.mdg_private[JOURNAL_SIZE - 2], 12) != 0);
		} else {
			broken++;
			CHECK(rc == MDG_BROKEN);
			CHECK(begin(&run) == MDG_BROKEN && mdg_txn_commit(&run) == -EPERM);
		}
		CHECK(mdg_txn_destroy(&world->txn) == 0);
		CHECK(begin(&run) == 0 && mdg_txn_cancel(&run) == 0);
	}
	CHECK(whole > 100 && broken > 100 && refused > 100);
}

/* Figures that no record can have, with a sum that is right; data and journal end where nothing
 * may be touched. */
static void hostile_figures(void)
{
	static const uint64_t figures[] = { 0,
		                            1,
		                            8,
		                            99,
		                            100,
		                            101,
		                            208,
		                            209,
		                            1u << 31,
		                            UINT64_C(1) << 32,
		                            UINT64_C(1) << 63,
		                            UINT64_MAX - 100,
		                            UINT64_MAX - 7,
		                            UINT64_MAX };
	static const uint32_t useds[] = { 0,   8,   16,      17,          24,        32,
		                          120, 224, JOURNAL, JOURNAL + 8, 0xfffffff8 };
	enum {
		FIGURES = sizeof(figures) / sizeof(*figures),
		USEDS = sizeof(useds) / sizeof(*useds),
		SIZE = 100
	};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *memory = shared_memory(5 * page), *data = memory + 2 * page - SIZE;
	mdg_txn *txn = (mdg_txn *)(void *)(memory + 4 * page - MDG_TXN_SIZE(JOURNAL));
	CHECK(mprotect(memory, page, PROT_NONE) == 0);
	CHECK(mprotect(memory + 2 * page, page, PROT_NONE) == 0);
	CHECK(mprotect(memory + 4 * page, page, PROT_NONE) == 0);
	for (unsigned i = 0; i < FIGURES * FIGURES * USEDS; i++) {
		uint64_t record[2] = { figures[i % FIGURES], figures[i / FIGURES % FIGURES] };
		uint32_t used = useds[i / FIGURES / FIGURES];
		mdg_txn_run run;
		memset(memory + page, 0x5a, page);
		memset(txn, 0, MDG_TXN_SIZE(JOURNAL));
		memcpy((unsigned char *)txn + sizeof(*txn), record, sizeof(record));
		say_committed(txn, used);
		bool possible = used == 0 || (record[1] != 0 && record[1] <= SIZE &&
		                              record[0] <= SIZE - record[1] &&
		                              used == 16 + (record[1] + 7) / 8 * 8);
		int rc = mdg_txn_begin(&run, txn, JOURNAL, data, SIZE);
		CHECK(rc == (possible ? 0 : MDG_BROKEN));
		bool untouched = true; /* but for what was to be written */
		for (size_t at = 0; at < page; at++) {
			bool written = used != 0 && possible &&
			               memory + page + at >= data + record[0] &&
			               memory + page + at < data + record[0] + record[1];
			untouched = untouched && memory[page + at] == (written ? 0 : 0x5a);
		}
		CHECK(untouched);
		CHECK(mdg_txn_cancel(&run) == (rc == 0 ? 0 : -EPERM));
	}
	munmap(memory, 5 * page);
}

/* The journal of one who lives, under its hands. */
static void damaged_meanwhile(void)
{
	uint64_t figure = UINT64_MAX;
	for (int word = 0; word < 2; word++) {
		mdg_txn_run run;
		uint32_t seen;
		make_new();
		CHECK(begin(&run) == 0);
		transfer(&run, 1, 2, 50);
		memcpy(world->journal + 24 + 8 * word, &figure, 8);
		CHECK(mdg_txn_read(&run, world->data.account, &seen, 4) == MDG_BROKEN);
		CHECK(mdg_txn_commit(&run) == MDG_BROKEN);
		CHECK(mdg_txn_commit(&run) == -EPERM);
		CHECK(memcmp(&world->data, &old_data, sizeof(old_data)) == 0);
		CHECK(begin(&run) == MDG_BROKEN);
		CHECK(mdg_txn_destroy(&world->txn) == 0);
		transfer_once(NULL);
	}
}

int main(void)
{
	world = shared_memory(sizeof(*world));
	stop = shared_memory(sizeof(*stop));
	learn_data();
	answers();
	wrong_figures();
	bounds();
	own_writes();
	among_threads();
	among_processes();
	carried_out();
	deaths();
	damaged(cut_off, &new_data);
	damaged(cut_off_words, &words_data);
	hostile_figures();
	damaged_meanwhile();
	return test_result();
}
