/* SPDX-License-Identifier: MIT */
/*
 * cut.c - taking a stretch of addresses out of the attachments that lie there.
 */
#include "segment/internal.h"

void mdg__pieces_cut(struct mdg_namespace *ns, uintptr_t start, size_t length)
{
	mdg__pieces_cut_since(ns, start, length, mdg__pieces_now());
}

void mdg__pieces_cut_since(struct mdg_namespace *ns, uintptr_t start, size_t length,
                           uint32_t moment)
{
	uintptr_t last = start + (length - 1);
	for (uint32_t at = mdg__piece_after(ns, start); at < ns->piece_count;) {
		const struct mdg__piece whole = ns->pieces[at];
		uintptr_t piece_last = whole.start + (whole.length - 1);
		if (whole.start > last)
			return;
		if ((int32_t)(whole.born - moment) > 0) {
			at++;
			continue;
		}
		bool head_stays = whole.start<start, tail_stays = piece_last> last;
		struct mdg__piece tail = whole;
		tail.start = last + 1;
		tail.length = piece_last - last;
		tail.offset = whole.offset + (tail.start - whole.start);
		/* The kernel splits the area at each end of the cut, an attach, and lets
		 * go of what lies between, a detach. */
		if (head_stays || tail_stays) {
			mdg__stamp_attached(ns, whole.index);
			mdg__stamp_detached(ns, whole.index);
		}
		if (head_stays) {
			struct mdg__piece head = whole;
			head.length = start - whole.start;
			mdg__piece_change(ns, at++, head);
			if (tail_stays && mdg__pieces_reserve(ns, 1) == 0 &&
			    mdg__count_attached(ns, whole.index, whole.sequence) == 0)
				mdg__piece_insert(ns, tail);
		} else if (tail_stays) {
			mdg__piece_change(ns, at++, tail);
		} else {
			mdg__piece_remove(ns, at);
			mdg__stamp_detached(ns, whole.index);
			mdg__count_detached(ns, whole.index, whole.sequence);
		}
	}
}
