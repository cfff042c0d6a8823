/* SPDX-License-Identifier: MIT */
/*
 * check_report.c - findings, and second looks. See check.h.
 */
#include "heap/check.h"

#include "platform/fence.h"
#include "platform/futex.h"
#include "platform/text.h"

void mdg__found(struct mdg__heap_check *check, enum mdg_heap_found kind, uint64_t ref,
                bool repaired, struct mdg__spot spot, const char *text)
{
	struct mdg_heap_finding finding = {
		.size = sizeof finding, .kind = (uint32_t)kind, .repaired = repaired, .ref = ref
	};
	if (check->stopped)
		return;
	if (spot.what != NULL)
		mdg__format(finding.text, sizeof finding.text, "%s %u: %s", spot.what,
		            (uint32_t)spot.number, text);
	else
		mdg__format(finding.text, sizeof finding.text, "%s", text);
	check->left += !repaired;
	if (check->found != NULL)
		check->stopped = check->found(&finding, check->context) != 0;
}

/* Nobody wakes this word: a millisecond. In a heap that is damaged all over, only at first. */
void mdg__nap(struct mdg__heap_check *check)
{
	enum { NAPS_MOST = 100 };
	_Atomic uint32_t nobody = 0;
	if (check->naps < NAPS_MOST) {
		check->naps++;
		(void)mdg__sys_futex_wait(&nobody, 0, false, 1000000);
	}
}

bool mdg__is_still_wrong(const struct mdg__doubt *doubt, mdg__is_wrong *is_wrong)
{
	enum { LOOKS = 3 };
	for (int i = 0; i < LOOKS; i++) {
		if (i > 0)
			mdg__nap(doubt->check);
		mdg__fence(memory_order_seq_cst);
		if (!is_wrong(doubt))
			return false;
	}
	return true;
}
