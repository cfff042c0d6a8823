/* SPDX-License-Identifier: MIT */
/*
 * differential - random programs of System V calls, run on the kernel and on
 * Madang, compared after every step.
 *
 *     differential --enclose PATH [--preload LIB] [OPTIONS] [PROGRAM...]
 *       --seed N         what is drawn (1); the same number draws the same
 *       --operations N   how many steps altogether (100000)
 *       --length N       steps of each program (4000)
 *       --users          programs of several users; needs root
 *       --naps N         beside the others, N programs that take their time, so
 *                        that the times in the structures can be told apart
 *       --forever        goes on with the next seed, and after a failure
 *       --tally          says at the end how often which operation was compared
 *       --keep DIR       where shrunk programs are written
 *       --subject PATH   another program to run on Madang: the same, linked with it
 *       --same           the kernel on both sides: has to be without difference
 *       --print N        prints the N-th program drawn, and runs nothing
 *       --print-c        prints the PROGRAMs as C, and runs nothing
 *       PROGRAM...       files: these are run, and nothing is drawn
 *
 * A difference is shrunk and printed, as a program to keep and as C. Exit code 0:
 * no difference; 1: there was one; 77: nothing to compare with, and why.
 */
#include "differential/pair.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 77, NAP_LENGTH = 170, RUN_SECONDS = 60, KNOWN_MAX = 64 };

struct campaign {
	struct setup setup;
	uint64_t seed, operations;
	size_t length, naps;
	int64_t print;
	bool users, forever, print_c, tally;
	const char *keep;
	char **files;
	int failures;
	uint64_t done; /* steps */
	int known_count;
	struct difference known[KNOWN_MAX]; /* already shrunk */
};

/* ---- reporting ------------------------------------------------------------------------ */

static void difference_print(const struct program *program, const struct difference *d)
{
	printf("difference after step %u", d->step + 1U);
	if (d->step < program->count) {
		printf(": ");
		op_print(stdout, &program->ops[d->step]);
	} else {
		printf(", the last, with every actor dead\n");
	}
	printf("  %s, %s: kernel %lld (0%llo), Madang %lld (0%llo)\n", d->where, d->field,
	       (long long)d->kernel, (unsigned long long)d->kernel, (long long)d->madang,
	       (unsigned long long)d->madang);
}

static void program_keep(const struct campaign *c, const struct program *program,
                         const struct difference *d, const char *name)
{
	char path[4200];
	if (c->keep == NULL)
		return;
	snprintf(path, sizeof(path), "%s/%s.prog", c->keep, name);
	FILE *file = fopen(path, "we");
	if (file == NULL) {
		perror(path);
		return;
	}
	fprintf(file, "# %s: %s, %s: kernel %lld, Madang %lld\n", op_forms[d->kind % OP_KINDS].name,
	        d->where, d->field, (long long)d->kernel, (long long)d->madang);
	program_print(file, program);
	fclose(file);
	printf("kept as %s\n", path);
}

static bool is_known(struct campaign *c, const struct difference *d)
{
	for (int i = 0; i < c->known_count; i++)
		if (difference_alike(&c->known[i], d))
			return true;
	if (c->known_count < KNOWN_MAX)
		c->known[c->known_count++] = *d;
	return false;
}

static void shrink_and_print(struct pair *pair, struct program *program, struct difference *d)
{
	struct difference again;
	if (d->ended_early) { /* each try would take as long as a run is given */
		if (d->step + 1U < program->count)
			program->count = d->step + 1U;
	} else if (!pair_run(pair, program, &again) || !difference_alike(&again, d)) {
		printf("  not the same when run again: it depends on time; kept as it is\n");
	} else {
		shrink(pair, program, d);
		printf("\nshrunk to %zu steps: ", program->count);
		difference_print(program, d);
		program_print(stdout, program);
		printf("\n/* ---- the same in C ---- */\n");
		program_print_c(stdout, program);
	}
}

static void failure(struct campaign *c, struct pair *pair, struct program *program,
                    struct difference *d, const char *name)
{
	c->failures++;
	printf("\n%s: ", name);
	difference_print(program, d);
	if (is_known(c, d)) {
		printf("  as before\n");
		return;
	}
	fflush(stdout);
	shrink_and_print(pair, program, d);
	program_keep(c, program, d, name);
	fflush(stdout);
}

/* ---- programs that are drawn -------------------------------------------------------------- */

static void name_of(const struct campaign *c, const struct drawing *drawing, char *name,
                    size_t size)
{
	snprintf(name, size, "seed-%llu-%llu%s%s", (unsigned long long)c->seed,
	         (unsigned long long)drawing->number, drawing->users ? "-users" : "",
	         drawing->naps ? "-naps" : "");
}

static void run_drawn(struct campaign *c, struct pair *pair, const struct drawing *drawing)
{
	struct program program;
	struct difference difference;
	char name[80];
	program_draw(&program, drawing);
	c->done += program.count;
	name_of(c, drawing, name, sizeof(name));
	if (pair_run(pair, &program, &difference))
		failure(c, pair, &program, &difference, name);
	else if (c->tally)
		tally_add(pair->world[KERNEL], pair->world[MADANG]);
	program_free(&program);
}

static struct drawing nap_drawing(const struct campaign *c, uint64_t i)
{
	return (struct drawing){ .seed = c->seed,
		                 .number = UINT64_C(1) << 32 | i,
		                 .length = NAP_LENGTH,
		                 .users = c->users,
		                 .naps = true };
}

/* They sleep most of the time: all at once, beside what works. */
static struct pair *naps_start(const struct campaign *c)
{
	struct pair *pairs = calloc(c->naps + 1, sizeof(*pairs));
	for (uint64_t i = 0; pairs != NULL && i < c->naps; i++) {
		struct program program;
		struct drawing drawing = nap_drawing(c, i);
		program_draw(&program, &drawing);
		pair_init(&pairs[i], &c->setup, program.count);
		pair_start(&pairs[i], &program);
		program_free(&program);
	}
	return pairs;
}

static void naps_finish(struct campaign *c, struct pair *pairs)
{
	for (uint64_t i = 0; pairs != NULL && i < c->naps; i++) {
		struct difference difference;
		struct drawing drawing = nap_drawing(c, i);
		if (pair_finish(&pairs[i], &difference)) {
			struct program program;
			char name[80];
			program_draw(&program, &drawing);
			name_of(c, &drawing, name, sizeof(name));
			failure(c, &pairs[i], &program, &difference, name);
			program_free(&program);
		}
		c->done += pairs[i].world[KERNEL]->op_count;
		pair_fini(&pairs[i]);
	}
	free(pairs);
}

static void run_seed(struct campaign *c)
{
	struct pair pair;
	struct timespec begin, end;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	uint64_t before = c->done;
	struct pair *naps = naps_start(c);
	pair_init(&pair, &c->setup, c->length + 8);
	for (uint64_t number = 0; c->done - before < c->operations; number++) {
		struct drawing drawing = {
			.seed = c->seed, .number = number, .length = c->length, .users = c->users
		};
		run_drawn(c, &pair, &drawing);
		if (c->failures != 0 && !c->forever)
			break;
	}
	pair_fini(&pair);
	naps_finish(c, naps);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("seed %llu: %llu operations on each side, %ld s, %d differences so far\n",
	       (unsigned long long)c->seed, (unsigned long long)(c->done - before),
	       (long)(end.tv_sec - begin.tv_sec), c->failures);
	fflush(stdout);
}

static void print_drawn(const struct campaign *c)
{
	struct program program;
	struct drawing drawing = { .seed = c->seed,
		                   .number = (uint64_t)c->print,
		                   .length = c->length,
		                   .users = c->users };
	program_draw(&program, &drawing);
	program_print(stdout, &program);
	program_free(&program);
}

/* ---- programs from files -------------------------------------------------------------------- */

static bool may_use_users(void)
{
	return geteuid() == 0 && getuid() == 0;
}

static void run_file(struct campaign *c, const char *path)
{
	struct program program;
	struct difference difference;
	struct pair pair;
	if (!program_read(&program, path))
		exit(1);
	if (c->print_c) {
		program_print_c(stdout, &program);
	} else if (program.users && !may_use_users()) {
		printf("%s: passed over, needs root\n", path);
	} else {
		pair_init(&pair, &c->setup, program.count);
		c->done += program.count;
		if (pair_run(&pair, &program, &difference)) {
			c->failures++;
			printf("%s: ", path);
			difference_print(&program, &difference);
		} else {
			printf("%s: no difference\n", path);
		}
		pair_fini(&pair);
	}
	program_free(&program);
}

/* ---- options -------------------------------------------------------------------------------- */

static uint64_t number(const char *text)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0') {
		fprintf(stderr, "differential: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static void option(struct campaign *c, int which)
{
	switch (which) {
	case 's':
		c->seed = number(optarg);
		break;
	case 'o':
		c->operations = number(optarg);
		break;
	case 'l':
		c->length = (size_t)number(optarg);
		break;
	case 'u':
		c->users = true;
		break;
	case 'n':
		c->naps = (size_t)number(optarg);
		break;
	case 'f':
		c->forever = true;
		break;
	case 'k':
		c->keep = optarg;
		break;
	case 'j':
		c->setup.subject = optarg;
		break;
	case 'm':
		c->setup.same = true;
		break;
	case 'e':
		c->setup.enclose = optarg;
		break;
	case 'p':
		c->setup.preload = optarg;
		break;
	case 'P':
		c->print = (int64_t)number(optarg);
		break;
	case 'C':
		c->print_c = true;
		break;
	case 't':
		c->tally = true;
		break;
	default:
		exit(2);
	}
}

static void read_options(struct campaign *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "operations", required_argument, NULL, 'o' },
		{ "length", required_argument, NULL, 'l' },
		{ "users", no_argument, NULL, 'u' },
		{ "naps", required_argument, NULL, 'n' },
		{ "forever", no_argument, NULL, 'f' },
		{ "keep", required_argument, NULL, 'k' },
		{ "subject", required_argument, NULL, 'j' },
		{ "same", no_argument, NULL, 'm' },
		{ "enclose", required_argument, NULL, 'e' },
		{ "preload", required_argument, NULL, 'p' },
		{ "print", required_argument, NULL, 'P' },
		{ "print-c", no_argument, NULL, 'C' },
		{ "tally", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int which;
	while ((which = getopt_long(argc, argv, "", options, NULL)) != -1)
		option(c, which);
	c->files = argv + optind;
	if (c->length < 10 || c->length > STEPS_MAX - 8) {
		fprintf(stderr, "differential: --length 10 to %d\n", STEPS_MAX - 8);
		exit(2);
	}
	if (c->setup.enclose == NULL && c->print < 0 && !c->print_c) {
		fprintf(stderr, "differential: --enclose is needed\n");
		exit(2);
	}
}

static char directory[64]; /* to be removed at the end */
static pid_t first_process;

static void directory_remove(void)
{
	if (getpid() == first_process)
		rmdir(directory);
}

static void on_end(int signal_number)
{
	pair_unlink_all();
	rmdir(directory);
	_exit(128 + signal_number);
}

static void directory_make(struct setup *setup)
{
	struct statvfs about;
	const char *place = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(directory, sizeof(directory), "%s/madang-differential-XXXXXX", place);
	if (mkdtemp(directory) == NULL) {
		perror(directory);
		exit(1);
	}
	first_process = getpid();
	atexit(directory_remove);
	signal(SIGINT, on_end);
	signal(SIGTERM, on_end);
	signal(SIGHUP, on_end);
	memcpy(setup->directory, directory, sizeof(directory));
	setup->no_copy = !kernel_copies();
	setup->no_exec = statvfs(place, &about) == 0 && (about.f_flag & ST_NOEXEC) != 0;
}

static void can_compare(const struct campaign *c)
{
	if (shmget(IPC_PRIVATE, 0, 0) < 0 && errno == ENOSYS) {
		printf("skipped: the kernel has no System V shared memory to compare with\n");
		exit(EXIT_SKIPPED);
	}
	if (c->users && !may_use_users()) {
		printf("skipped: only root can become several users\n");
		exit(EXIT_SKIPPED);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--conduct") == 0)
		return conduct(argv[2]);
	if (argc == 5 && strcmp(argv[1], "--act") == 0)
		return act(argv[4], argv[2][0] - '0', argv[3][0] == '1');

	static struct campaign c = {
		.setup = { .timeout = RUN_SECONDS },
		.seed = 1,
		.operations = 100000,
		.length = 4000,
		.print = -1,
	};
	static char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[length > 0 ? length : 0] = '\0';
	c.setup.self = c.setup.subject = self;
	read_options(&c, argc, argv);
	if (c.print >= 0) {
		print_drawn(&c);
		return 0;
	}
	if (!c.print_c) {
		can_compare(&c);
		directory_make(&c.setup);
	}
	for (int i = 0; c.files[i] != NULL; i++)
		run_file(&c, c.files[i]);
	if (c.files[0] == NULL) {
		do {
			run_seed(&c);
			c.seed++;
		} while (c.forever);
	}
	if (c.tally)
		tally_print();
	return c.failures == 0 ? 0 : 1;
}
