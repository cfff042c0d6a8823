/* SPDX-License-Identifier: MIT */
/*
 * tally.c - what a campaign has compared.
 *
 * For each operation it counts how often it succeeded, how often it failed, and how often nothing
 * was done, because the actor was not there or the step would differ between two runs. It counts in
 * the kernel's log. The comparison has seen that Madang's log says the same.
 */
#include "differential/pair.h"

#include <inttypes.h>

static struct {
	uint64_t succeeded, failed, slept, passed_over;
} tally[OP_KINDS];
static uint64_t records[REC_TYPES];
static uint64_t signals_again;

static void count_result(const struct world *run, const struct record *record)
{
	if (record->type != REC_RESULT)
		return;
	uint8_t kind = run->op[record->step].kind;
	if (record->value[RESULT_OUTCOME] == ASLEEP)
		tally[kind].slept++;
	else if (record->value[RESULT_OUTCOME] != DONE)
		tally[kind].passed_over++;
	else if (record->value[RESULT_ERROR] != 0)
		tally[kind].failed++;
	else
		tally[kind].succeeded++;
}

void tally_add(const struct world *run, const struct world *madang)
{
	signals_again += madang->signals_again;
	for (size_t at = 0; at < run->log_used;) {
		const struct record *record = (const void *)(run->log + at);
		count_result(run, record);
		records[record->type]++;
		at += sizeof(*record) + record->count * sizeof(int64_t);
	}
}

void tally_print(void)
{
	printf("%-16s %10s %10s %10s %12s\n", "operation", "succeeded", "failed", "slept",
	       "passed over");
	for (int kind = 0; kind < OP_KINDS; kind++)
		printf("%-16s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %12" PRIu64 "\n",
		       op_forms[kind].name, tally[kind].succeeded, tally[kind].failed,
		       tally[kind].slept, tally[kind].passed_over);
	printf("looked at: %" PRIu64 " segments, %" PRIu64 " areas, %" PRIu64 " places, %" PRIu64
	       " rows of the table\n",
	       records[REC_SEGMENT] + records[REC_STRUCT], records[REC_AREA], records[REC_PLACE],
	       records[REC_ROW]);
	printf("looked at: %" PRIu64 " sets, %" PRIu64 " queues, %" PRIu64
	       " messages; sleeps that ended: %" PRIu64 "\n",
	       records[REC_SET], records[REC_QUEUE], records[REC_MESSAGE], records[REC_RETURN]);
	printf("signals that had to be sent again to Madang's sleepers: %" PRIu64 "\n",
	       signals_again);
}
