/* SPDX-License-Identifier: MIT */
/*
 * txn.c - money that moves between accounts. No death makes or loses any.
 *
 * Each transfer writes to two accounts within a transaction: to both or to none. One child is
 * killed between the two writes, and others at any moment. The sum stays what it was.
 */
#include "place.h"

enum { ACCOUNTS = 4, EACH = 100, JOURNAL = 256, DEATHS = 20 };
static const int64_t all = (int64_t)ACCOUNTS * EACH;

static struct {
	union {
		mdg_txn txn;
		char room[MDG_TXN_SIZE(JOURNAL)];
	} journal;
	int64_t account[ACCOUNTS];
} * bank;

/* If a process died in a transaction, the transaction is undone or finished before begin
 * returns. */
static int begin(mdg_txn_run *run)
{
	int rc = mdg_txn_begin(run, &bank->journal.txn, JOURNAL, bank->account,
	                       sizeof(bank->account));

	if (rc != MDG_OWNER_DIED)
		must(rc, "begin");
	return rc;
}

static void add(mdg_txn_run *run, int account, int64_t amount)
{
	int64_t now;

	must(mdg_txn_read(run, &bank->account[account], &now, sizeof(now)), "read");
	now += amount;
	must(mdg_txn_write(run, &bank->account[account], &now, sizeof(now)), "write");
}

static void transfer_for_ever(void)
{
	mdg_txn_run run;

	for (int i = 0;; i++) {
		(void)begin(&run);
		add(&run, i % ACCOUNTS, -10);
		add(&run, (i + 1) % ACCOUNTS, 10);
		must(mdg_txn_commit(&run), "commit");
	}
}

static void transfer_and_die(void)
{
	mdg_txn_run run;

	(void)begin(&run);
	add(&run, 0, -10);
	die(); /* before: add(&run, 1, 10) */
}

static int64_t sum(void)
{
	mdg_txn_run run;
	int64_t total = 0;

	if (begin(&run) == MDG_OWNER_DIED)
		printf("somebody died in a transaction\n");
	for (int i = 0; i < ACCOUNTS; i++)
		total += bank->account[i];
	must(mdg_txn_cancel(&run), "cancel"); /* nothing was written */
	return total;
}

int main(void)
{
	int well = 1;

	bank = shared_place(sizeof(*bank));
	for (int i = 0; i < ACCOUNTS; i++)
		bank->account[i] = EACH; /* nobody else is there yet */
	went_well(child(transfer_and_die));
	well = sum() == all;
	for (int i = 0; i < DEATHS; i++) {
		pid_t clerk = child(transfer_for_ever);
		nap(2);
		kill(clerk, SIGKILL);
		went_well(clerk);
		well = sum() == all && well;
	}
	printf("the sum after %d deaths: %d\n", DEATHS + 1, (int)sum());
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
