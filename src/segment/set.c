/* SPDX-License-Identifier: MIT */
/*
 * set.c - IPC_SET: giving an object another owner, group or mode.
 *
 * In a shared namespace the data file has the object's owner, group and mode
 * too, so both have to be changed, and that cannot happen as one. The file goes
 * first, because that can fail. Whoever changes an object notes in the entry
 *   - that it does so (`setter`): others wait for it, for a while, and
 *   - who is becoming the file's owner (`new_uid1`): so the file is recognised
 *     before and after, also if the process dies in between.
 * A process that was stopped in the middle is overtaken by others after a while.
 * It finds that out, and begins again.
 */
#include <errno.h>

#include "platform/identity.h"
#include "registry/current.h"
#include "registry/object.h"
#include "registry/presence.h"
#include "registry/users.h"
#include "segment/change.h"
#include "segment/objects.h"

#define SETTING_TRIES    10         /* at least */
#define SETTING_WAIT_NS  100000000u /* for others, in one call; then as long again for trying */
#define SETTING_PAUSE_NS 1000000u
#define OVERTAKEN        1

/* One call of IPC_SET. */
struct setting {
	enum mdg__class class;
	mdg_id id;
	uint64_t wait_until; /* until then it waits for others */
	bool contended;      /* somebody else was changing the object at the same time */
};

static struct setting new_setting(enum mdg__class class, mdg_id id)
{
	return (struct setting){ class, id, mdg__monotonic_nanoseconds() + SETTING_WAIT_NS, false };
}

/* The entry of an object of any class, for the fields that have the same place in all. */
static struct mdg__late *late_of(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	return mdg__late_at(&ns->registry, entry->class, entry->index);
}

static bool is_last(const struct setting *setting, int tries)
{
	return tries >= SETTING_TRIES &&
	       mdg__monotonic_nanoseconds() >= setting->wait_until + SETTING_WAIT_NS;
}

/* The file belongs to a stranger. Perhaps a process that had been overtaken has just given it away.
 * That process will notice, and begin again. */
static bool may_be_on_its_way(const struct setting *setting)
{
	return setting->contended || mdg__monotonic_nanoseconds() < setting->wait_until;
}

static void pause_setting(mdg__a32 *word, uint32_t value)
{
	(void)mdg__sys_futex_wait(word, value, true, SETTING_PAUSE_NS);
}

/* [writer lock] Whether another process is just changing the object. */
static bool is_being_set(struct mdg_namespace *ns, const struct mdg__late *late)
{
	return mdg__pair_at_work(&ns->registry, mdg__get32(&late->setter),
	                         mdg__get32(&late->setter_generation));
}

/* [writer lock] Whether the entry still says that this process is changing it. */
static bool is_set_by_us(struct mdg_namespace *ns, const struct mdg__late *late)
{
	return mdg__get32(&late->setter) == ns->registry.slot1 &&
	       mdg__get32(&late->setter_generation) == ns->registry.generation;
}

/* Notes in the entry that this process changes it; `ret` is the entry then. Waits for another
 * process that is changing it, but not for ever: that process may have been stopped. */
static int begin_setting(struct mdg_namespace *ns, struct setting *setting, struct mdg__entry *ret)
{
	struct mdg__registry *registry = &ns->registry;
	for (;;) {
		int rc = mdg__change_begin(ns, setting->class, setting->id, ret);
		if (rc < 0)
			return rc;
		struct mdg__late *late = late_of(ns, ret);
		uint32_t setter1 = mdg__get32(&late->setter);
		bool busy = is_being_set(ns, late);
		if (!busy || mdg__monotonic_nanoseconds() >= setting->wait_until) {
			setting->contended |= busy;
			mdg__put32(registry, &late->setter, registry->slot1);
			mdg__put32(registry, &late->setter_generation, registry->generation);
			mdg__change_end(ns);
			return 0;
		}
		mdg__change_end(ns);
		pause_setting(&late->setter, setter1);
	}
}

/* [writer lock] This process changes the object no longer. False: it has been overtaken. Then what
 * it made of the file may be newer than what the other process did, and all is to be done again. */
static bool stop_setting(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__late *late = late_of(ns, entry);
	if (!is_set_by_us(ns, late))
		return false;
	mdg__put32(registry, &late->setter, 0);
	mdg__put32(registry, &late->new_uid1, 0);
	return true;
}

/* Notes in the entry who is just becoming the file's owner. So the file is recognised before and
 * after the change, also if this process dies. OVERTAKEN: another process says that now. */
static int announce(struct mdg_namespace *ns, const struct setting *setting, uint32_t uid)
{
	struct mdg__entry entry;
	int rc = mdg__change_begin(ns, setting->class, setting->id, &entry);
	if (rc < 0)
		return rc;
	struct mdg__late *late = late_of(ns, &entry);
	if (is_set_by_us(ns, late))
		mdg__put32(&ns->registry, &late->new_uid1, uid + 1);
	else
		rc = OVERTAKEN;
	mdg__change_end(ns);
	return rc;
}

/* Ends the setting without a change of the entry. False: overtaken, to be done again. */
static bool leave_setting(struct mdg_namespace *ns, const struct setting *setting)
{
	struct mdg__entry entry;
	if (mdg__change_begin(ns, setting->class, setting->id, &entry) < 0)
		return true;
	bool ours = stop_setting(ns, &entry);
	mdg__change_end(ns);
	return ours;
}

static int follow(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	int rc = mdg__data_owner_is_right(ns, entry);
	return rc != 0 ? rc
	               : mdg__data_set_owner(ns, entry, entry->uid, entry->gid, entry->mode & 0777);
}

int mdg__data_follow_entry(struct mdg_namespace *ns, enum mdg__class class, mdg_id id)
{
	struct setting setting = new_setting(class, id);
	struct mdg__entry entry;
	for (int tries = 1; !is_last(&setting, tries); tries++) {
		int rc = begin_setting(ns, &setting, &entry);
		if (rc < 0)
			return rc;
		rc = follow(ns, &entry);
		if (leave_setting(ns, &setting))
			return rc < 0 ? rc : 0;
	}
	return -EAGAIN;
}

/* Gives the data file to its new owner. A process that died may have given the file to the owner
 * that it announced. That is undone first. OVERTAKEN: to be done again. */
static int give_file(struct mdg_namespace *ns, struct setting *setting, const struct mdg__entry *to)
{
	struct mdg__entry entry;
	int rc = begin_setting(ns, setting, &entry);
	if (rc < 0)
		return rc;
	if (entry.new_uid1 != 0)
		(void)follow(ns, &entry);
	if (to->uid != entry.uid)
		rc = announce(ns, setting, to->uid);
	if (rc == 0)
		rc = mdg__data_set_owner(ns, &entry, to->uid, to->gid, to->mode);
	if (rc < 0 && !leave_setting(ns, setting))
		rc = OVERTAKEN;
	setting->contended |= rc == OVERTAKEN;
	return rc;
}

/* Changes the entry. `fields`: which of the class's fields change too. False: another process
 * came between file and entry, to be done again. */
static bool set_entry(struct mdg_namespace *ns, const struct mdg__entry *to, uint32_t fields,
                      bool in_any_case)
{
	struct mdg__registry *registry = &ns->registry;
	bool done = !(registry->flags & MDG_NS_SHARED) || stop_setting(ns, to) || in_any_case;
	if (done)
		mdg__object_set(registry, to->class, to->index, to->uid, to->gid, to->mode);
	for (int i = 0; done && i < MDG__CLASS_FIELDS; i++)
		if (fields >> i & 1)
			mdg__put64(registry, &late_of(ns, to)->field[i], to->field[i]);
	mdg__change_end(ns);
	return done;
}

/* Sets the owner and mode of `to`. To do it twice does no harm. Only a process that keeps
 * scribbling over the entry can overtake this one until the last try. What becomes of the file then
 * is that process's doing. */
static int set(struct mdg_namespace *ns, const struct mdg__entry *to, uint32_t fields)
{
	struct setting setting = new_setting(to->class, mdg__entry_id(to));
	struct mdg__entry entry;
	for (int tries = 1;; tries++) {
		bool last = is_last(&setting, tries);
		int rc = ns->registry.flags & MDG_NS_SHARED ? give_file(ns, &setting, to) : 0;
		if (!last &&
		    (rc == OVERTAKEN || (rc == MDG_DAMAGED && may_be_on_its_way(&setting)))) {
			pause_setting(&late_of(ns, to)->setter, 0);
			continue;
		}
		if (rc >= 0)
			rc = mdg__change_begin(ns, to->class, setting.id, &entry);
		if (rc < 0)
			return rc;
		if (set_entry(ns, to, fields, last))
			return 0;
		setting.contended = true;
	}
}

/* Enters in `ret` whom the caller's numbers mean. -EINVAL: they mean nobody. -EPERM: the number
 * that the new owner has outside this user namespace is not known. Nobody would know then whose the
 * segment is. */
static int name_owner(struct mdg_namespace *ns, struct mdg__entry *ret, uint32_t uid, uint32_t gid)
{
	const struct mdg__userns *userns = mdg__userns_known();
	struct stat status;
	if (!mdg__id_is_mapped(userns, MDG__USER, uid) ||
	    !mdg__id_is_mapped(userns, MDG__GROUP, gid))
		return -EINVAL;
	struct mdg__entry wish = *ret;
	wish.uid = mdg__id_stored(&ns->registry, MDG__USER, uid);
	wish.gid = mdg__id_stored(&ns->registry, MDG__GROUP, gid);
	if ((wish.uid == MDG__ID_UNKNOWN || wish.gid == MDG__ID_UNKNOWN) &&
	    (ns->registry.flags & MDG_NS_SHARED) && mdg__file_owner(ns, ret, &status)) {
		if ((wish.uid == MDG__ID_UNKNOWN && status.st_uid != uid) ||
		    (wish.gid == MDG__ID_UNKNOWN && status.st_gid != gid))
			return -EPERM;
		/* It stays with its owner, whatever his number is outside. */
		wish.uid = wish.uid == MDG__ID_UNKNOWN ? ret->uid : wish.uid;
		wish.gid = wish.gid == MDG__ID_UNKNOWN ? ret->gid : wish.gid;
	}
	*ret = wish;
	return 0;
}

/* ---- the functions for other rooms and for users -------------------------------------- */

int mdg__object_control(mdg_namespace *ns, enum mdg__class class, mdg_id id, struct mdg__entry *ret)
{
	int rc = mdg__registry_here(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__object_find_entry(ns, class, id, ret);
	return rc < 0 ? rc : mdg__permit_control(ns, ret);
}

int mdg__object_change(mdg_namespace *ns, enum mdg__class class, mdg_id id,
                       const struct mdg__object_change *change)
{
	struct mdg__entry entry;
	int rc = mdg__object_control(ns, class, id, &entry);
	if (rc == 0)
		rc = name_owner(ns, &entry, change->uid, change->gid);
	if (rc < 0)
		return rc;
	entry.mode = change->mode & 0777;
	for (int i = 0; i < MDG__CLASS_FIELDS; i++)
		entry.field[i] = change->field[i];
	return set(ns, &entry, change->fields);
}

/* One store, which stands beside the journal: a death of somebody else can bring back the time
 * before, and nothing else. */
void mdg__object_changed(mdg_namespace *ns, enum mdg__class class, mdg_id id)
{
	struct mdg__object *object = mdg__object_at(&ns->registry, class, (uint32_t)id % MDG__IDS);
	if (mdg__object_is_there(ns, class, id))
		atomic_store_explicit(&object->ctime, (uint64_t)mdg__now_seconds(),
		                      memory_order_release);
}

int mdg_segment_set(mdg_namespace *ns, mdg_id id, uint32_t uid, uint32_t gid, unsigned mode)
{
	const struct mdg__object_change change = { .uid = uid, .gid = gid, .mode = mode };
	return mdg__object_change(ns, MDG__SEGMENTS, id, &change);
}

int mdg__object_open_up(mdg_namespace *ns, enum mdg__class class, mdg_id id, bool open)
{
	struct mdg__entry entry;
	int rc = mdg__object_entry(ns, class, id, false, &entry);
	if (rc < 0)
		return rc;
	unsigned mode = (entry.mode & 0777) | (open ? 0600 : 0);
	mdg__enter(ns);
	rc = mdg__data_set_owner(ns, &entry, entry.uid, entry.gid, mode);
	mdg__leave(ns);
	return rc;
}
