/* SPDX-License-Identifier: MIT */
/*
 * sign.c - signatures are slots of the registry. registry/presence.h says what they are made of.
 */
#include "segment/sign.h"

#include "registry/alive.h"
#include "registry/presence.h"
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

bool mdg__signature_lives(mdg_namespace *ns, struct mdg__signature signature)
{
	mdg__enter(ns);
	bool lives = mdg__pair_lives(&ns->registry, signature.slot1, signature.generation);
	mdg__leave(ns);
	return lives;
}

uint32_t mdg__signature_word(struct mdg__signature signature)
{
	return mdg__sign_of(signature.slot1, signature.generation);
}

bool mdg__signature_word_lives(mdg_namespace *ns, uint32_t word)
{
	mdg__enter(ns);
	bool lives = mdg__sign_lives(&ns->registry, word);
	mdg__leave(ns);
	return lives;
}

bool mdg__signature_word_is_inside(mdg_namespace *ns, uint32_t word)
{
	uint32_t slot1 = word & MDG__SIGN_SLOT1;
	mdg__enter(ns);
	bool inside = mdg__is_slot1(&ns->registry, slot1) &&
	              mdg__slot_may_be_inside(&ns->registry, slot1 - 1);
	mdg__leave(ns);
	return inside;
}

int32_t mdg__signature_word_pid(mdg_namespace *ns, uint32_t word)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t slot1 = word & MDG__SIGN_SLOT1;
	return mdg__is_slot1(registry, slot1)
	               ? (int32_t)mdg__get32(&registry->processes[slot1 - 1].pid)
	               : 0;
}

uint64_t mdg__namespace_number(const mdg_namespace *ns)
{
	return ns->registry.unique;
}
