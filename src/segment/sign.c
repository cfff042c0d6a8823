/* SPDX-License-Identifier: MIT */
/*
 * sign.c - signatures are slots of the registry.
 *
 * Whoever may write to the namespace may write any number into a signature. So a slot is looked up
 * only after its number was compared with the size of the table.
 */
#include "segment/sign.h"

#include "segment/internal.h"

int mdg__sign(mdg_namespace *ns, struct mdg__signature *ret)
{
	mdg__enter(ns);
	int rc = mdg__ensure_slot(ns);
	*ret = mdg__signature_own(ns);
	mdg__leave(ns);
	return rc;
}

struct mdg__signature mdg__signature_own(const mdg_namespace *ns)
{
	return (struct mdg__signature){ ns->registry.slot1, ns->registry.generation };
}

static bool is_slot(const struct mdg__registry *registry, uint32_t slot1)
{
	return slot1 != 0 && slot1 <= mdg__registry_ready_count(registry, MDG__PROCESSES);
}

bool mdg__signature_lives(mdg_namespace *ns, struct mdg__signature signature)
{
	if (!is_slot(&ns->registry, signature.slot1))
		return false;
	mdg__enter(ns);
	bool lives = mdg__slot_alive(&ns->registry, signature.slot1 - 1, signature.generation);
	mdg__leave(ns);
	return lives;
}

/* The word has 16 bits of the generation. The slot's tag has all of them. */
bool mdg__signature_word_lives(mdg_namespace *ns, uint32_t word)
{
	struct mdg__signature signature = { .slot1 = word >> 16 };
	if (!is_slot(&ns->registry, signature.slot1))
		return false;
	signature.generation = mdg__get32(&ns->registry.processes[signature.slot1 - 1].tag) >> 8;
	return mdg__signature_word(signature) == word && mdg__signature_lives(ns, signature);
}

uint64_t mdg__namespace_number(const mdg_namespace *ns)
{
	return ns->registry.unique;
}
