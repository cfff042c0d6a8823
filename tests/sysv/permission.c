/* SPDX-License-Identifier: MIT */
/*
 * permission.c - the lines P of docs/semantics.md: who may do what to whose
 * segment. "fine" names are its fine print.
 *
 * Needs root: children become the users below, who need no entry anywhere, and
 * try. Runs in a namespace made for several users. What a user can do with a
 * segment is asked for all at once (rights_of, control_of) and compared as a
 * set; any refusal with the wrong errno is in the set too, as WRONG_ERRNO.
 */
#include "support/segments.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

struct user {
	uid_t uid;
	gid_t gid;
	gid_t supplementary; /* 0: none */
};

enum { OWNERS_GROUP = 12401, OTHER_GROUP = 12499 };

static const struct user owner = { 12301, OWNERS_GROUP, 0 };
static const struct user stranger = { 12302, 12402, 0 };
static const struct user member = { 12303, OWNERS_GROUP, 0 };
static const struct user extra_member = { 12304, 12404, OWNERS_GROUP };
static const struct user root = { 0, 0, 0 };

enum rights {
	STAT = 1,
	STAT_INDEX = 2,
	READ = 4,
	READ_WRITE = 8,
	READ_EXECUTE = 16,
	WRONG_ERRNO = 128,
	READING = STAT | STAT_INDEX | READ,
	ALL_DATA = READING | READ_WRITE,

	SET = 1,
	LOCK = 2,
	UNLOCK = 4,
	REMOVE = 8,
	ALL_CONTROL = SET | LOCK | UNLOCK
};

/* ---- being somebody else --------------------------------------------------- */

static void become(const struct user *user)
{
	size_t groups = user->supplementary != 0 ? 1 : 0;
	if (setgroups(groups, &user->supplementary) != 0 || setgid(user->gid) != 0 ||
	    setuid(user->uid) != 0) {
		perror("becoming another user");
		_exit(255); /* every right at once: nobody takes it for an answer */
	}
}

/* Exit code of a child that became `user` and ran f(arg). */
static unsigned exit_code_as(const struct user *user, int (*f)(const void *), const void *arg)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		check_failures = 0;
		become(user);
		int code = f(arg);
		fflush(NULL);
		_exit(code);
	}
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : ~0u;
}

struct user_job {
	const struct user *user;
	void (*f)(void *);
	void *arg;
};

static void run_job(void *job_pointer)
{
	struct user_job *job = job_pointer;
	become(job->user);
	job->f(job->arg);
}

/* Runs f(arg) in a child as that user: true when its CHECKs all held. */
static bool as_user(const struct user *user, void (*f)(void *), void *arg)
{
	struct user_job job = { user, f, arg };
	return in_child(run_job, &job);
}

struct order {
	key_t key;
	size_t size;
	int mode;
};

static int *made; /* shared with the children */

static int make_ordered(const void *order_pointer)
{
	const struct order *order = order_pointer;
	*made = make_segment(order->key, order->size, IPC_CREAT | IPC_EXCL | order->mode);
	return 0;
}

static int make_keyed_as(const struct user *user, key_t key, int mode)
{
	struct order order = { key, 5000, mode };
	*made = -1;
	exit_code_as(user, make_ordered, &order);
	return *made;
}

static int make_as(const struct user *user, int mode)
{
	return make_keyed_as(user, fresh_key(), mode);
}

/* ---- what somebody may do --------------------------------------------------- */

static int granted(bool worked, int right, int refusal)
{
	if (worked)
		return right;
	return errno == refusal ? 0 : WRONG_ERRNO;
}

static int try_attach(int id, int flags, int right)
{
	errno = 0;
	void *memory = shmat(id, NULL, flags);
	int got = granted(memory != (void *)-1, right, EACCES);
	if (got == right && (shmdt(memory) != 0))
		got |= WRONG_ERRNO;
	return got;
}

static int try_data(const void *id_pointer)
{
	int id = *(const int *)id_pointer;
	struct shmid_ds stat;
	int rights = granted(shmctl(id, IPC_STAT, &stat) == 0, STAT, EACCES);
	rights |= granted(shmctl(id % 32768, SHM_STAT, &stat) == id, STAT_INDEX, EACCES);
	rights |= try_attach(id, SHM_RDONLY, READ);
	rights |= try_attach(id, 0, READ_WRITE);
	rights |= try_attach(id, SHM_RDONLY | SHM_EXEC, READ_EXECUTE);
	return rights;
}

/* Memory cannot be mapped executable where the file system is mounted noexec. */
static bool executable_here(void)
{
	struct statvfs fs;
	const char *namespace = getenv("MADANG_NAMESPACE");
	if (on_kernel() || namespace == NULL || statvfs(namespace, &fs) != 0)
		return true;
	return (fs.f_flag & ST_NOEXEC) == 0;
}

/* Rights to the data, execution left out. */
static unsigned rights_of(const struct user *user, int id)
{
	return exit_code_as(user, try_data, &id) & ~(unsigned)READ_EXECUTE;
}

static bool may_execute(const struct user *user, int id)
{
	return (exit_code_as(user, try_data, &id) & READ_EXECUTE) != 0;
}

static int try_control(const void *stat_and_id)
{
	const struct shmid_ds *same = stat_and_id;
	int id = *(const int *)(const void *)(same + 1);
	struct shmid_ds wish = *same;
	wish.shm_perm.mode &= 0777;
	int rights = granted(shmctl(id, SHM_LOCK, NULL) == 0, LOCK, EPERM);
	rights |= granted(shmctl(id, SHM_UNLOCK, NULL) == 0, UNLOCK, EPERM);
	rights |= granted(shmctl(id, IPC_SET, &wish) == 0, SET, EPERM);
	return rights;
}

static int try_remove(const void *id)
{
	return granted(shmctl(*(const int *)id, IPC_RMID, NULL) == 0, REMOVE, EPERM);
}

static unsigned control_of(const struct user *user, int id)
{
	struct {
		struct shmid_ds same;
		int id;
	} argument = { stat_of(id), id };
	return exit_code_as(user, try_control, &argument);
}

static bool may_remove(const struct user *user, int id)
{
	return exit_code_as(user, try_remove, &id) == REMOVE;
}

static bool may_not_remove(const struct user *user, int id)
{
	return exit_code_as(user, try_remove, &id) == 0 && exists(id);
}

static void set_owner(int id, uid_t uid, gid_t gid)
{
	struct shmid_ds wish = stat_of(id);
	wish.shm_perm.uid = uid;
	wish.shm_perm.gid = gid;
	CHECK(shmctl(id, IPC_SET, &wish) == 0);
}

/* ---- finding ------------------------------------------------------------------ */

static void find_as_stranger(void *key_pointer)
{
	key_t key = *(key_t *)key_pointer;
	CHECK_LINE("G7, fine P01", shmget(key, 0, 0) == *made);
	CHECK_LINE("G7, fine P01", shmget(key, 5000, IPC_CREAT) == *made);
	CHECK_ERRNO("G7, fine P02", EACCES, shmget(key, 0, 0400));
	CHECK_ERRNO("G7, fine P02", EACCES, shmget(key, 0, IPC_CREAT | 0600));
	static const int bits[] = { 0100, 0200, 0040, 0020, 0010, 0004, 0002, 0001 };
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		CHECK_ERRNO("G7, fine P03", EACCES, shmget(key, 0, bits[i]));
	CHECK_ERRNO("G5, fine P04, G65", EINVAL, shmget(key, 5001, 0600));
	CHECK_ERRNO("G3, fine P05, G65", EEXIST, shmget(key, 0, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERRNO("G3, fine P05, G65", EEXIST, shmget(key, 9999, IPC_CREAT | IPC_EXCL | 0600));
}

struct question {
	key_t key;
	int ask;
};

static int try_find(const void *question_pointer)
{
	const struct question *question = question_pointer;
	return granted(shmget(question->key, 0, question->ask) >= 0, 1, EACCES);
}

static bool finds(const struct user *user, key_t key, int ask)
{
	struct question question = { key, ask };
	unsigned code = exit_code_as(user, try_find, &question);
	CHECK(code == 0 || code == 1);
	return code == 1;
}

static void test_find(void)
{
	key_t key = fresh_key();
	make_keyed_as(&owner, key, 0600);
	CHECK(as_user(&stranger, find_as_stranger, &key));

	/* The classes asked for are joined, then asked of the caller's one class. */
	key = fresh_key();
	make_keyed_as(&owner, key, 0640);
	CHECK_LINE("G7, P4", finds(&owner, key, 0666) && !finds(&owner, key, 0100));
	CHECK_LINE("G7, P4", finds(&member, key, 0400) && finds(&member, key, 0004));
	CHECK_LINE("G7, P4", finds(&member, key, 0444) && !finds(&member, key, 0200));
	CHECK_LINE("G7, P4", !finds(&member, key, 0600) && !finds(&member, key, 0042));
	CHECK_LINE("G7, P4", !finds(&stranger, key, 0004) && finds(&stranger, key, 0));
	CHECK_LINE("G7, P8", finds(&root, key, 0777));

	key = fresh_key();
	make_keyed_as(&owner, key, 0000);
	CHECK_LINE("G7, fine P42", !finds(&owner, key, 0400) && finds(&owner, key, 0));
	CHECK_LINE("G7, P8", finds(&root, key, 0600));
}

/* ---- the classes ---------------------------------------------------------------- */

static void test_others(void)
{
	int id = make_as(&owner, 0600);
	CHECK_LINE("P5, fine P06, P07, P08, P13, A5, C1", rights_of(&stranger, id) == 0);
	CHECK_LINE("C2, C3, C7, fine P09, P10, P11, P12", control_of(&stranger, id) == 0);
	CHECK_LINE("C3, fine P09", may_not_remove(&stranger, id));
	CHECK_LINE("P9",
	           rights_of(&owner, id) == ALL_DATA && control_of(&owner, id) == ALL_CONTROL);

	id = make_as(&owner, 0604);
	CHECK_LINE("P6, fine P17, P18, P21", rights_of(&stranger, id) == READING);
	id = make_as(&owner, 0602);
	CHECK_LINE("P6, A5, fine P23, P24", rights_of(&stranger, id) == 0);
	id = make_as(&owner, 0606);
	CHECK_LINE("P6, fine P15", rights_of(&stranger, id) == ALL_DATA);
	CHECK_LINE("P6, fine P16", may_not_remove(&stranger, id));
	CHECK_LINE("P6", control_of(&stranger, id) == 0);
}

static void test_owner_class(void)
{
	int id = make_as(&owner, 0066);
	CHECK_LINE("P9, fine P29, P30", rights_of(&owner, id) == 0);
	CHECK_LINE("P9, fine P31", control_of(&owner, id) == ALL_CONTROL);
	id = make_as(&owner, 0400);
	CHECK_LINE("A5, fine P40, P41", rights_of(&owner, id) == READING);
	id = make_as(&owner, 0200);
	CHECK_LINE("A5", rights_of(&owner, id) == 0);
	CHECK_LINE("P9", may_remove(&owner, id));
}

static void test_group_class(void)
{
	int id = make_as(&owner, 0660);
	CHECK_LINE("P7, fine P25", rights_of(&member, id) == ALL_DATA);
	CHECK_LINE("P7, fine P26", rights_of(&extra_member, id) == ALL_DATA);
	CHECK_LINE("P7", rights_of(&stranger, id) == 0 && control_of(&member, id) == 0);
	id = make_as(&owner, 0640);
	CHECK_LINE("P7", rights_of(&member, id) == READING);
	id = make_as(&owner, 0606);
	CHECK_LINE("P7, fine P28", rights_of(&member, id) == 0);
	CHECK_LINE("P7, fine P28", rights_of(&extra_member, id) == 0);
	CHECK_LINE("P7", may_not_remove(&member, id));

	/* The creator's group goes on counting beside the segment's. */
	const struct user new_member = { 12305, OTHER_GROUP, 0 };
	id = make_as(&owner, 0660);
	set_owner(id, owner.uid, OTHER_GROUP);
	CHECK_LINE("P7, fine P27", rights_of(&member, id) == ALL_DATA);
	CHECK_LINE("P7, fine P27, P61", rights_of(&new_member, id) == ALL_DATA);
	id = make_as(&owner, 0606);
	set_owner(id, owner.uid, OTHER_GROUP);
	CHECK_LINE("P7, fine P28", rights_of(&member, id) == 0);
	CHECK_LINE("P7, fine P28", rights_of(&new_member, id) == 0);
}

static void test_root(void)
{
	int id = make_as(&owner, 0000);
	CHECK_LINE("P8, fine P33, P39", rights_of(&root, id) == ALL_DATA);
	CHECK_LINE("P8", control_of(&root, id) == ALL_CONTROL);
	if (executable_here())
		CHECK_LINE("A6, P8", may_execute(&root, id));
	CHECK_LINE("P8", may_remove(&root, id));
}

static void test_execute(void)
{
	if (!executable_here()) {
		printf("not checked: SHM_EXEC, the namespace's file system is mounted noexec\n");
		return;
	}
	int id = make_as(&owner, 0604);
	CHECK_LINE("A6, fine P19", !may_execute(&stranger, id) && !may_execute(&owner, id));
	id = make_as(&owner, 0705);
	CHECK_LINE("A6, fine P22", may_execute(&stranger, id) && may_execute(&owner, id));
	id = make_as(&owner, 0701);
	CHECK_LINE("A6", !may_execute(&stranger, id));
}

static void write_to_read_only(void *id)
{
	void *memory = shmat(*(int *)id, NULL, SHM_RDONLY);
	CHECK(memory != (void *)-1);
	CHECK_ERRNO("A5, fine P20, A37", EACCES,
	            mprotect(memory, page_size(), PROT_READ | PROT_WRITE));
	CHECK(shmdt(memory) == 0);
}

static void test_read_only(void)
{
	int id = make_as(&owner, 0664);
	CHECK(as_user(&stranger, write_to_read_only, &id));
	CHECK(as_user(&member, write_to_read_only, &id));
	CHECK(as_user(&owner, write_to_read_only, &id));
	CHECK(as_user(&root, write_to_read_only, &id));
}

/* ---- changing hands ----------------------------------------------------------------- */

static void test_given_away(void)
{
	int id = make_as(&owner, 0600);
	set_owner(id, stranger.uid, stranger.gid);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("C2, fine P34",
	           stat.shm_perm.uid == stranger.uid && stat.shm_perm.gid == stranger.gid);
	CHECK_LINE("C2, fine P34",
	           stat.shm_perm.cuid == owner.uid && stat.shm_perm.cgid == owner.gid);
	CHECK_LINE("P1", rights_of(&stranger, id) == ALL_DATA);
	CHECK_LINE("P10, fine P36", rights_of(&owner, id) == ALL_DATA);
	CHECK_LINE("P1, P10", rights_of(&member, id) == 0);
	CHECK_LINE("P1", control_of(&stranger, id) == ALL_CONTROL);
	CHECK_LINE("P10", (control_of(&owner, id) & (LOCK | UNLOCK)) == (LOCK | UNLOCK));
	CHECK_LINE("P10, fine P37", may_remove(&owner, id));

	id = make_as(&owner, 0600);
	set_owner(id, stranger.uid, stranger.gid);
	CHECK_LINE("P1", may_not_remove(&member, id));
	CHECK_LINE("P1, fine P38", may_remove(&stranger, id));
}

static void change_mode_as_creator(void *id_pointer)
{
	int id = *(int *)id_pointer;
	struct shmid_ds wish = stat_of(id);
	wish.shm_perm.mode = 0644;
	CHECK_LINE("P10, C2", shmctl(id, IPC_SET, &wish) == 0);
	CHECK_LINE("P10, C2", stat_of(id).shm_perm.mode == 0644);
}

static void give_away(void *id_pointer)
{
	int id = *(int *)id_pointer;
	struct shmid_ds wish = stat_of(id);
	wish.shm_perm.uid = stranger.uid;
	wish.shm_perm.gid = stranger.gid;
	if (on_kernel()) {
		CHECK_LINE("fine P35", shmctl(id, IPC_SET, &wish) == 0);
		CHECK_LINE("fine P35", stat_of(id).shm_perm.uid == stranger.uid);
	} else {
		/* Only root can give its data file away: documented as a divergence. */
		CHECK_ERRNO("C2", EPERM, shmctl(id, IPC_SET, &wish));
		CHECK_LINE("C2", stat_of(id).shm_perm.uid == owner.uid);
	}
}

static void test_giving_away(void)
{
	int id = make_as(&owner, 0600);
	CHECK(as_user(&owner, give_away, &id));
	id = make_as(&owner, 0600);
	set_owner(id, stranger.uid, stranger.gid);
	CHECK(as_user(&owner, change_mode_as_creator, &id));
}

/* ---- the effective user, at the time of the call --------------------------------------- */

static void act_as_other_effective_user(void *unused)
{
	(void)unused;
	int mine = make_private(100, 0600);
	void *memory = attach(mine);
	CHECK(setgroups(0, NULL) == 0 && setegid(stranger.gid) == 0 && seteuid(stranger.uid) == 0);
	CHECK_ERRNO("fine P43", EACCES, shmat(mine, NULL, SHM_RDONLY));
	CHECK_ERRNO("fine P43", EPERM, shmctl(mine, IPC_RMID, NULL));
	int theirs = make_private(100, 0640);
	struct shmid_ds stat = stat_of(theirs);
	CHECK_LINE("G10, fine G34",
	           stat.shm_perm.uid == stranger.uid && stat.shm_perm.cuid == stranger.uid);
	CHECK_LINE("G10, fine G34",
	           stat.shm_perm.gid == stranger.gid && stat.shm_perm.cgid == stranger.gid);
	CHECK(seteuid(0) == 0);
	CHECK_LINE("fine P43", rights_of(&stranger, theirs) == ALL_DATA);
	CHECK_LINE("fine P43", stat_of(mine).shm_nattch == 1);
	CHECK(shmdt(memory) == 0);
}

static void act_with_other_groups(void *id_pointer)
{
	int id = *(int *)id_pointer;
	gid_t group = OWNERS_GROUP;
	CHECK(setgroups(1, &group) == 0 && setegid(stranger.gid) == 0 &&
	      seteuid(stranger.uid) == 0);
	CHECK_LINE("fine P61", try_attach(id, 0, READ_WRITE) == READ_WRITE);
	CHECK(seteuid(0) == 0 && setgroups(0, NULL) == 0 && seteuid(stranger.uid) == 0);
	CHECK_LINE("fine P61", try_attach(id, 0, READ_WRITE) == 0);
}

static void lose_the_right_while_attached(void *id_pointer)
{
	int id = *(int *)id_pointer;
	struct shmid_ds stat;
	char *memory = attach(id);
	become(&stranger);
	memory[0] = 'w';
	CHECK_LINE("fine P44", memory[0] == 'w');
	CHECK_ERRNO("fine P46", EACCES, shmctl(id, IPC_STAT, &stat));
	CHECK_ERRNO("fine P46", EACCES, shmat(id, NULL, 0));
	CHECK_LINE("fine P45", shmdt(memory) == 0);
	CHECK_ERRNO("fine P45", EINVAL, shmdt(memory));
}

static void test_effective_user(void)
{
	CHECK(in_child(act_as_other_effective_user, NULL));
	int id = make_as(&owner, 0660);
	CHECK(in_child(act_with_other_groups, &id));

	id = make_private(100, 0600);
	char *memory = attach(id);
	CHECK(in_child(lose_the_right_while_attached, &id));
	CHECK_LINE("fine P44", memory[0] == 'w');
	CHECK_LINE("fine P47", stat_of(id).shm_nattch == 1 && stat_of(id).shm_lpid != getpid());
	CHECK(shmdt(memory) == 0);
}

/* ---- an ordinary user's life -------------------------------------------------------------- */

static void live(void *unused)
{
	(void)unused;
	key_t key = fresh_key();
	int id = make_segment(key, 5000, IPC_CREAT | 0600);
	CHECK_LINE("P9", shmget(key, 5000, 0600) == id);
	char *memory = attach(id);
	strcpy(memory, "ordinary");
	struct shmid_ds stat = stat_of(id), wish = stat;
	CHECK_LINE("P9", stat.shm_perm.uid == owner.uid && stat.shm_perm.cgid == owner.gid);
	wish.shm_perm.mode = 0;
	CHECK_LINE("P9", shmctl(id, IPC_SET, &wish) == 0);
	CHECK_ERRNO("P9, fine P30", EACCES, shmctl(id, IPC_STAT, &stat));
	CHECK_ERRNO("P9, fine P29", EACCES, shmat(id, NULL, 0));
	wish.shm_perm.mode = 0640;
	CHECK_LINE("P9, fine P31", shmctl(id, IPC_SET, &wish) == 0);
	CHECK_LINE("P9", stat_of(id).shm_perm.mode == 0640);
	char *again = attach(id);
	CHECK_LINE("P9, fine P32", strcmp(again, "ordinary") == 0);
	CHECK_LINE("P9", shmdt(memory) == 0 && shmdt(again) == 0);
	CHECK_LINE("P9", shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("P9", EINVAL, shmctl(id, IPC_STAT, &stat));
}

static void look_without_permission(void *id_pointer)
{
	static char text[1 << 16];
	int id = *(int *)id_pointer, key, row_id = -1;
	struct shmid_ds stat;
	struct shminfo limits;
	struct shm_info use;
	CHECK_LINE("C6, fine P14", shmctl(id % 32768, SHM_STAT_ANY, &stat) == id);
	CHECK_LINE("C6, fine P14", stat.shm_perm.mode == 0 && stat.shm_perm.uid == owner.uid);
	CHECK_LINE("C4", shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&limits) >= id % 32768);
	CHECK_LINE("C5", shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&use) >= id % 32768);
	CHECK_LINE("C5", use.used_ids >= 1);

	FILE *file = fopen("/proc/sysvipc/shm", "r");
	CHECK_LINE("fine X04", file != NULL);
	while (file != NULL && row_id != id && fgets(text, sizeof(text), file) != NULL)
		if (sscanf(text, "%d %d", &key, &row_id) != 2)
			row_id = -1;
	CHECK_LINE("fine X04", row_id == id);
	if (file != NULL)
		fclose(file);
	CHECK_ERRNO("fine X60", EACCES, open("/proc/sysvipc/shm", O_RDWR));
}

static void test_ordinary_user(void)
{
	CHECK(as_user(&owner, live, NULL));
	CHECK(as_user(&stranger, look_without_permission, &(int){ make_as(&owner, 0) }));
}

/* ---- locking by ordinary users ------------------------------------------------------ */

static void limit_locked_memory(size_t bytes)
{
	struct rlimit limit = { bytes, bytes };
	CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
}

static void lock_within_limit(void *unused)
{
	(void)unused;
	limit_locked_memory(4 * page_size());
	int id = make_private(2 * page_size(), 0);
	CHECK_LINE("C7, fine C29", shmctl(id, SHM_LOCK, NULL) == 0);
	limit_locked_memory(0);
	CHECK_LINE("C7, fine C31", shmctl(id, SHM_UNLOCK, NULL) == 0);
	CHECK_ERRNO("C7, fine C30", EPERM, shmctl(id, SHM_LOCK, NULL));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("G13, fine G44", EPERM,
	            shmget(IPC_PRIVATE, 100, IPC_CREAT | SHM_HUGETLB | 0600));
}

static void lock_beyond_limit(void *unused)
{
	(void)unused;
	limit_locked_memory(page_size());
	int id = make_private(3 * page_size(), 0600);
	CHECK_ERRNO("C7, fine C28", ENOMEM, shmctl(id, SHM_LOCK, NULL));
	CHECK_LINE("C7", stat_of(id).shm_perm.mode == 0600);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static void test_lock(void)
{
	CHECK(as_user(&owner, lock_within_limit, NULL));
	CHECK(as_user(&owner, lock_beyond_limit, NULL));
}

int main(void)
{
	begin();
	if (geteuid() != 0)
		SKIP("only root can become several users");
	made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return 1;
	test_find();
	test_others();
	test_owner_class();
	test_group_class();
	test_root();
	test_execute();
	test_read_only();
	test_given_away();
	test_giving_away();
	test_effective_user();
	test_ordinary_user();
	test_lock();
	return test_result();
}
