/* SPDX-License-Identifier: MIT */
/*
 * tally.c - what a campaign has compared: each operation, how often it
 * succeeded, how often it failed, and how often there was nothing to do, because
 * its actor was not there or the step would not be the same in two runs. Counted
 * in the kernel's log; the comparison has seen that Madang's says the same.
 */
#include "differential/pair.h"

static struct {
	uint64_t succeeded, failed, passed_over;
} tally[OP_KINDS];
static uint64_t records[REC_TYPES];

static void count_result(const struct world *run, const struct record *record)
{
	if (record->type != REC_RESULT)
		return;
	uint8_t kind = run->op[record->step].kind;
	if (record->value[RESULT_OUTCOME] != DONE)
		tally[kind].passed_over++;
	else if (record->value[RESULT_ERROR] != 0)
		tally[kind].failed++;
	else
		tally[kind].succeeded++;
}

void tally_add(const struct world *run)
{
	for (size_t at = 0; at < run->log_used;) {
		const struct record *record = (const void *)(run->log + at);
		count_result(run, record);
		records[record->type]++;
		at += sizeof(*record) + record->count * sizeof(int64_t);
	}
}

void tally_print(void)
{
	printf("%-16s %10s %10s %12s\n", "operation", "succeeded", "failed", "passed over");
	for (int kind = 0; kind < OP_KINDS; kind++)
		printf("%-16s %10llu %10llu %12llu\n", op_forms[kind].name,
		       (unsigned long long)tally[kind].succeeded,
		       (unsigned long long)tally[kind].failed,
		       (unsigned long long)tally[kind].passed_over);
	printf("looked at: %llu segments, %llu areas, %llu places, %llu rows of the table\n",
	       (unsigned long long)(records[REC_SEGMENT] + records[REC_STRUCT]),
	       (unsigned long long)records[REC_AREA], (unsigned long long)records[REC_PLACE],
	       (unsigned long long)records[REC_ROW]);
}
