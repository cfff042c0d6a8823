/* SPDX-License-Identifier: MIT */
/*
 * userns.c - users in user namespaces, and the rest of the machine, in one namespace.
 *
 * The kernel's System V IPC goes by its own idea of a user, and shows him to everybody in the
 * numbers of his own user namespace: that is what every line here is held to. In one point Madang
 * is a directory of files and not an IPC namespace: root of a user namespace has his rights over
 * what belongs to users and groups that are mapped in there, as over their files.
 */
#include "support/segments.h"
#include "support/userns.h"

#include <sys/stat.h>

enum { USER = 12301, OTHER = 12302, FIRST = 100000, OVERFLOW = 65534 };

#define RANGE "0 100000 65536"

struct shared {
	int own, other, roots, fifth, nested;
};
static struct shared *ids; /* between the processes */

static bool belongs_to(int id, uid_t uid, gid_t gid)
{
	struct shmid_ds stat = stat_of(id);
	if (stat.shm_perm.uid == uid && stat.shm_perm.cuid == uid && stat.shm_perm.gid == gid &&
	    stat.shm_perm.cgid == gid)
		return true;
	fprintf(stderr, "segment %d: uid %u cuid %u gid %u cgid %u, not %u and %u\n", id,
	        stat.shm_perm.uid, stat.shm_perm.cuid, stat.shm_perm.gid, stat.shm_perm.cgid,
	        (unsigned)uid, (unsigned)gid);
	return false;
}

static bool can_attach(int id, int flags)
{
	char *memory = shmat(id, NULL, flags);
	if (memory == (void *)-1)
		return false;
	if (!(flags & SHM_RDONLY))
		memory[0] = 1;
	return shmdt(memory) == 0;
}

static int give(int id, uid_t uid, gid_t gid, int mode)
{
	struct shmid_ds wish = { .shm_perm = {
					 .uid = uid, .gid = gid, .mode = (unsigned short)mode } };
	return shmctl(id, IPC_SET, &wish);
}

/* Everything that needs the owner, his group or root is refused. */
static void check_refused(int id)
{
	struct shmid_ds stat;
	CHECK_ERRNO("RMID", EPERM, shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO("SET", EPERM, give(id, 0, 0, 0666));
	CHECK_ERRNO("LOCK", EPERM, shmctl(id, SHM_LOCK, NULL));
	CHECK_ERRNO("STAT", EACCES, shmctl(id, IPC_STAT, &stat));
	CHECK_ERRNO("AT", EACCES, (intptr_t)shmat(id, NULL, 0));
	CHECK_ERRNO("AT", EACCES, (intptr_t)shmat(id, NULL, SHM_RDONLY));
}

static void make_own(void *user)
{
	CHECK(become_user(*(const uid_t *)user));
	int id = make_private(4096, 0600);
	if (*(const uid_t *)user == USER)
		ids->own = id;
	else
		ids->other = id;
}

static void make_all(void)
{
	uid_t user = USER, other = OTHER;
	CHECK(in_child(make_own, &user) && in_child(make_own, &other));
	ids->roots = make_private(4096, 0600);
}

/* ---- an ordinary user's --------------------------------------------------------- */

static void use_alone(void *unused)
{
	(void)unused;
	CHECK(become_user(USER) && userns_enter_alone());
	CHECK(belongs_to(ids->own, 0, 0));
	CHECK(can_attach(ids->own, 0));
	check_refused(ids->other);
	check_refused(ids->roots);
	struct shmid_ds stat;
	CHECK(shmctl(ids->roots % 32768, SHM_STAT_ANY, &stat) == ids->roots);
	CHECK(stat.shm_perm.uid == OVERFLOW && stat.shm_perm.cgid == OVERFLOW);
	CHECK_ERRNO("not mapped", EINVAL, give(ids->own, 1, 0, 0600));
	CHECK_ERRNO("not mapped", EINVAL, give(ids->own, 0, 1, 0600));
	CHECK_ERRNO("not mapped", EINVAL, give(ids->own, USER, USER, 0600));
	CHECK_ERRNO("no user", EINVAL, give(ids->own, (uid_t)-1, 0, 0600));
	CHECK(give(ids->own, 0, 0, 0640) == 0);
	CHECK(belongs_to(ids->own, 0, 0) && (stat_of(ids->own).shm_perm.mode & 0777) == 0640);
	ids->nested = make_private(4096, 0600);
	CHECK(belongs_to(ids->nested, 0, 0));
	CHECK(can_attach(ids->nested, 0));
}

static void use_outside(void *unused)
{
	(void)unused;
	CHECK(become_user(USER));
	CHECK(belongs_to(ids->own, USER, USER) && belongs_to(ids->nested, USER, USER));
	CHECK(can_attach(ids->nested, 0));
	CHECK(give(ids->nested, USER, USER, 0644) == 0);
	CHECK(shmctl(ids->nested, IPC_RMID, NULL) == 0);
}

static void remove_inside(void *unused)
{
	(void)unused;
	CHECK(become_user(USER) && userns_enter_alone());
	CHECK(shmctl(ids->own, IPC_RMID, NULL) == 0);
}

static void alone_in_there(void)
{
	make_all();
	CHECK(in_child(use_alone, NULL));
	CHECK(belongs_to(ids->own, USER, USER) && belongs_to(ids->nested, USER, USER));
	CHECK(in_child(use_outside, NULL));
	CHECK(in_child(remove_inside, NULL));
}

/* ---- one in another ---------------------------------------------------------------- */

static void use_nested(void *unused)
{
	(void)unused;
	CHECK(become_user(USER) && userns_enter_alone() && userns_enter_alone());
	CHECK(belongs_to(ids->own, 0, 0));
	CHECK(can_attach(ids->own, 0));
	check_refused(ids->other);
	check_refused(ids->roots);
	CHECK(give(ids->own, 0, 0, 0604) == 0);
	ids->nested = make_private(4096, 0600);
	CHECK(belongs_to(ids->nested, 0, 0));
	CHECK(can_attach(ids->nested, 0));
	CHECK(give(ids->nested, 0, 0, 0600) == 0);
	CHECK(shmctl(ids->own, IPC_RMID, NULL) == 0);
}

static void remove_outside(void *unused)
{
	(void)unused;
	CHECK(become_user(USER));
	CHECK(belongs_to(ids->nested, USER, USER));
	CHECK(can_attach(ids->nested, 0));
	CHECK(shmctl(ids->nested, IPC_RMID, NULL) == 0);
}

static void one_in_another(void)
{
	make_all();
	CHECK(in_child(use_nested, NULL));
	CHECK(belongs_to(ids->nested, USER, USER));
	CHECK(in_child(remove_outside, NULL));
}

/* The map names the real root, or another user, who is none in truth. */
static void claim(void *map)
{
	CHECK(become_user(USER));
	char users[64];
	snprintf(users, sizeof users, "%u %u 1", *(const unsigned *)map, (unsigned)USER);
	CHECK(userns_enter(users, users, NULL) && userns_enter_alone());
	check_refused(ids->roots);
	CHECK_ERRNO("claim", EPERM, shmctl(ids->other, IPC_RMID, NULL));
	CHECK_ERRNO("claim", EPERM, give(ids->other, 0, 0, 0666));
	CHECK(!can_attach(ids->other, 0));
}

static void claims(void)
{
	unsigned root = 0, other = OTHER;
	make_all();
	CHECK(in_child(claim, &root));
	CHECK(in_child(claim, &other));
}

/* ---- a range of users ---------------------------------------------------------------- */

static void make_fifth(void *unused)
{
	(void)unused;
	CHECK(userns_enter(RANGE, RANGE, NULL) && become_user(5));
	ids->fifth = make_private(4096, 0600);
	CHECK(belongs_to(ids->fifth, 5, 5));
}

static void rule_range(void *unused)
{
	(void)unused;
	CHECK(userns_enter_as_root(RANGE, RANGE));
	check_refused(ids->roots);
	check_refused(ids->own);
	if (on_kernel()) {
		check_refused(ids->fifth);
		return;
	}
	CHECK(belongs_to(ids->fifth, 5, 5));
	CHECK(can_attach(ids->fifth, 0));
	CHECK(give(ids->fifth, 6, 6, 0600) == 0);
	CHECK(stat_of(ids->fifth).shm_perm.uid == 6 && stat_of(ids->fifth).shm_perm.cuid == 5);
	CHECK(give(ids->fifth, 5, 5, 0600) == 0);
	CHECK_ERRNO("not mapped", EINVAL, give(ids->fifth, 65536, 5, 0600));
}

static void remove_fifth(void *unused)
{
	(void)unused;
	CHECK(userns_enter_as_root(RANGE, RANGE));
	if (!on_kernel())
		CHECK(shmctl(ids->fifth, IPC_RMID, NULL) == 0);
}

static void refuse_fifth(void *unused)
{
	(void)unused;
	CHECK(userns_enter_as_root(RANGE, RANGE));
	CHECK_ERRNO("group not mapped", EPERM, shmctl(ids->fifth, IPC_RMID, NULL));
}

static void a_range(void)
{
	make_all();
	CHECK(in_child(make_fifth, NULL));
	CHECK(belongs_to(ids->fifth, FIRST + 5, FIRST + 5));
	CHECK(in_child(rule_range, NULL));
	CHECK(belongs_to(ids->fifth, FIRST + 5, FIRST + 5));
	CHECK(give(ids->fifth, FIRST + 5, USER, 0600) == 0); /* a group that is not mapped */
	CHECK(in_child(refuse_fifth, NULL));
	CHECK(give(ids->fifth, FIRST + 5, FIRST + 5, 0600) == 0);
	CHECK(in_child(remove_fifth, NULL));
}

/* ---- in the middle of a program ------------------------------------------------------- */

static void ask_unmapped(void)
{
	check_refused(ids->roots);
	CHECK(belongs_to(ids->own, OVERFLOW, OVERFLOW));
	CHECK(can_attach(ids->own, 0));
}

/* Who was the owner stays him, whatever he is called. */
static void change_alone(void *unused)
{
	(void)unused;
	CHECK(become_user(USER));
	CHECK(belongs_to(ids->own, USER, USER) && can_attach(ids->own, 0));
	char users[64];
	snprintf(users, sizeof users, "7 %u 1", (unsigned)USER);
	CHECK(userns_enter(users, users, ask_unmapped));
	CHECK(geteuid() == 7 && belongs_to(ids->own, 7, 7));
	CHECK(can_attach(ids->own, 0));
	CHECK(give(ids->own, 7, 7, 0600) == 0);
	CHECK(userns_enter("0 7 1", "0 7 1", ask_unmapped));
	CHECK(belongs_to(ids->own, 0, 0) && can_attach(ids->own, 0));
	check_refused(ids->roots);
}

/* Who was root is not any more. */
static void change_root(void *unused)
{
	(void)unused;
	CHECK(belongs_to(ids->roots, 0, 0) && can_attach(ids->own, 0));
	CHECK(userns_enter_as_root(RANGE, RANGE));
	CHECK_ERRNO("changed", EPERM, shmctl(ids->roots, IPC_RMID, NULL));
	check_refused(ids->roots);
	check_refused(ids->own);
}

static void change_root_twice(void *unused)
{
	(void)unused;
	CHECK(belongs_to(ids->roots, 0, 0));
	CHECK(userns_enter("0 0 1", "0 0 1", NULL)); /* the same number, and less power */
	CHECK(belongs_to(ids->roots, 0, 0) && can_attach(ids->roots, 0));
	check_refused(ids->own);
	CHECK(give(ids->roots, 0, 0, 0600) == 0);
	CHECK_ERRNO("not mapped", EINVAL, give(ids->roots, USER, 0, 0600));
}

static void changes(void)
{
	make_all();
	CHECK(in_child(change_alone, NULL));
	CHECK(in_child(change_root, NULL));
	CHECK(in_child(change_root_twice, NULL));
	CHECK(belongs_to(ids->own, USER, USER) && belongs_to(ids->roots, 0, 0));
}

int main(void)
{
	begin();
	userns_begin(USER);
	ids = mmap(NULL, sizeof *ids, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!CHECK(ids != MAP_FAILED))
		return 1;
	alone_in_there();
	one_in_another();
	claims();
	a_range();
	changes();
	return test_result();
}
