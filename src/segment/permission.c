/* SPDX-License-Identifier: MIT */
/*
 * permission.c - who may what: the System V rules of the kernel's ipcperms().
 *
 * A caller belongs to one class:
 *   owner    the effective uid is the owner's or the creator's,
 *   group    the effective or a supplementary gid is the owner's or the creator's,
 *   others   neither.
 * Only the bits of that class count, even if another class has more. Capabilities are asked
 * about last: the question costs a system call, and nearly every caller passes by the bits.
 *
 * A capability counts in the user namespace in which the process has it. As for files (the
 * kernel's privileged_wrt_inode_uidgid), it counts for a segment whose owner, creator and
 * groups all have a number in that namespace. In the initial one all users have.
 *
 * The process remembers its user namespace while its effective user stays the same
 * (platform/userns.h). It asks the kernel again in three cases: before an owner may change
 * a segment, before a capability is believed, and before a caller is refused.
 */
#include <errno.h>

#include "platform/identity.h"
#include "platform/ofthread.h"
#include "registry/object.h"
#include "registry/users.h"
#include "segment/internal.h"
#include "segment/objects.h"
#include "segment/hostcalls.h"

/* In a user namespace that lies in another one, a process may have a wrong idea of its outside
 * number (platform/userns.h). So in a namespace that users share the data file has the last word.
 * There are two exceptions, in which `claimed` counts. The file says nothing of a creator who is
 * not the owner, and it is not there if the segment was removed. */
static bool is_owner_by_file(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t me,
                             bool claimed)
{
	struct stat status;
	if (mdg__data_is_mine(ns, entry))
		return true;
	return claimed && (me != entry->uid || !mdg__file_owner(ns, entry, &status));
}

bool mdg__is_owner(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t me)
{
	bool claimed = me != MDG__ID_UNKNOWN && (me == entry->cuid || me == entry->uid);
	if ((ns->registry.flags & MDG_NS_SHARED) && !mdg__userns_is_whole(mdg__userns_known()))
		return is_owner_by_file(ns, entry, me, claimed);
	return claimed || ((me == MDG__ID_UNKNOWN || entry->uid == MDG__ID_UNKNOWN) &&
	                   mdg__data_is_mine(ns, entry));
}

static bool is_in_group(struct mdg_namespace *ns, uint32_t stored)
{
	uint32_t inside = mdg__id_seen(&ns->registry, MDG__GROUP, stored);
	return inside != MDG__ID_UNKNOWN && mdg__in_group(inside);
}

/* `asked`: three bits, in the place of those of others. */
static bool permit_by_bits(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t euid,
                           unsigned asked)
{
	unsigned granted = entry->mode;
	if (mdg__is_owner(ns, entry, mdg__my_id(&ns->registry, euid)))
		granted >>= 6;
	else if ((asked & ~granted) == 0 && (asked & ~(granted >> 3)) == 0)
		return true; /* as group and as others alike: no need to ask about groups */
	else if (is_in_group(ns, entry->cgid) || is_in_group(ns, entry->gid))
		granted >>= 3;
	return (asked & ~granted) == 0;
}

/* Whether the owner and the group of the data file have numbers here. `ret_told`: false if the file
 * could not be asked; then the answer is true. */
static bool file_is_mapped(struct mdg_namespace *ns, const struct mdg__entry *entry, bool *ret_told)
{
	const struct mdg__userns *userns = mdg__userns_known();
	struct stat status;
	*ret_told = mdg__file_owner(ns, entry, &status);
	return !*ret_told || (mdg__id_is_certain(userns, MDG__USER, status.st_uid) &&
	                      mdg__id_is_certain(userns, MDG__GROUP, status.st_gid) &&
	                      mdg__file_owner_fits(ns, entry, status.st_uid));
}

/* Whether a user or group has a number here. `told`: the data file has said that already. */
static bool is_mapped(struct mdg_namespace *ns, enum mdg__id_kind kind, uint32_t stored, bool told)
{
	if (told && (stored == MDG__ID_UNKNOWN || !mdg__userns_has_numbers(mdg__userns_known())))
		return true;
	return mdg__id_seen(&ns->registry, kind, stored) != MDG__ID_UNKNOWN;
}

static bool are_mapped(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	bool told;
	return file_is_mapped(ns, entry, &told) && is_mapped(ns, MDG__USER, entry->uid, told) &&
	       is_mapped(ns, MDG__GROUP, entry->gid, told) &&
	       is_mapped(ns, MDG__USER, entry->cuid, told && entry->cuid == entry->uid) &&
	       is_mapped(ns, MDG__GROUP, entry->cgid, told && entry->cgid == entry->gid);
}

bool mdg__capable_of(struct mdg_namespace *ns, const struct mdg__entry *entry, int capability)
{
	if (!mdg__has_capability(capability))
		return false;
	const struct mdg__userns *userns = mdg__userns_ask(mdg__euid());
	return (userns != NULL && mdg__userns_is_whole(userns)) || are_mapped(ns, entry);
}

/* Asks the kernel instead of going by what was remembered of the caller. */
static int permit_anew(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t euid,
                       unsigned asked)
{
	if (mdg__users_anew(&ns->registry, euid) && permit_by_bits(ns, entry, euid, asked))
		return 0;
	if (mdg__capable_of(ns, entry, MDG__CAP_IPC_OWNER))
		return 0;
	/* The caller may be in a group that has no number here. The kernel knows, so it is asked
	 * about the file. */
	if ((ns->registry.flags & MDG_NS_SHARED) && !mdg__userns_is_whole(mdg__userns_known()) &&
	    mdg__data_may(ns, entry, asked))
		return 0;
	return -EACCES;
}

int mdg__permit(struct mdg_namespace *ns, const struct mdg__entry *entry, unsigned ask)
{
	unsigned asked = (ask >> 6 | ask >> 3 | ask) & 7;
	if (asked == 0)
		return 0;
	uint32_t remembered = mdg__euid_remembered();
	if (permit_by_bits(ns, entry, remembered, asked))
		return 0;
	uint32_t euid = mdg__euid();
	if (euid != remembered && permit_by_bits(ns, entry, euid, asked))
		return 0;
	return permit_anew(ns, entry, euid, asked);
}

/* What a thread was last permitted. It holds while the registry has not changed, nor the user of
 * any thread. The kernel keeps a user for each thread, so the memory is each thread's own. A signal
 * handler may ask, too, in the middle of anything: `writes` is odd while the rest is not whole. */
static MDG__OF_THREAD struct {
	uint32_t writes;
	const struct mdg_namespace *ns;
	enum mdg__class class;
	mdg_id id;
	uint32_t version, turn;
	unsigned bits;
} permitted;

static bool is_permitted(const struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                         unsigned asked)
{
	uint32_t writes = permitted.writes;
	atomic_signal_fence(memory_order_seq_cst);
	bool is = (writes & 1) == 0 && permitted.ns == ns && permitted.id == id &&
	          permitted.class == class && (asked & ~permitted.bits) == 0 &&
	          permitted.turn == mdg__identity_turn() &&
	          permitted.version == mdg__get32(&ns->registry.head->version);
	atomic_signal_fence(memory_order_seq_cst);
	return is && permitted.writes == writes;
}

/* `version` and `turn` as they were before the question. */
static void note_permitted(const struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                           uint32_t version, uint32_t turn, unsigned bits)
{
	if (turn == 0 || (version & 1) != 0 || (permitted.writes & 1) != 0)
		return;
	permitted.writes++;
	atomic_signal_fence(memory_order_seq_cst);
	permitted.ns = ns;
	permitted.class = class;
	permitted.id = id;
	permitted.version = version;
	permitted.turn = turn;
	permitted.bits = bits;
	atomic_signal_fence(memory_order_seq_cst);
	permitted.writes++;
}

int mdg__object_may(mdg_namespace *ns, enum mdg__class class, mdg_id id, unsigned ask)
{
	struct mdg__entry entry;
	unsigned asked = (ask >> 6 | ask >> 3 | ask) & 7;
	if (!mdg__object_is_there(ns, class, id))
		return -EINVAL;
	uint32_t mode =
		mdg__get32(&mdg__object_at(&ns->registry, class, (uint32_t)id % MDG__IDS)->mode);
	if ((~(mode >> 6 & mode >> 3 & mode) & asked) == 0)
		return 0; /* whoever it is */
	if (is_permitted(ns, class, id, asked))
		return 0;
	uint32_t version = mdg__get32(&ns->registry.head->version), turn = mdg__identity_turn();
	int rc = mdg__object_entry(ns, class, id, false, &entry);
	if (rc == 0)
		rc = mdg__permit(ns, &entry, asked);
	if (rc == 0)
		note_permitted(ns, class, id, version, turn, asked);
	return rc;
}

bool mdg__is_owner_anew(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	uint32_t euid = mdg__euid();
	(void)mdg__users_anew_here(&ns->registry, euid);
	return mdg__is_owner(ns, entry, mdg__my_id(&ns->registry, euid));
}

/* The user that was remembered is believed if it may (platform/identity.h). */
static bool is_owner_remembered(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	uint32_t euid = mdg__euid_remembered();
	(void)mdg__users_anew_here(&ns->registry, euid);
	return mdg__is_owner(ns, entry, mdg__my_id(&ns->registry, euid));
}

int mdg__permit_control(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	if (is_owner_remembered(ns, entry) || mdg__is_owner_anew(ns, entry) ||
	    mdg__capable_of(ns, entry, MDG__CAP_SYS_ADMIN))
		return 0;
	return -EPERM;
}
