/* SPDX-License-Identifier: MIT */
/*
 * main.c - madang-bench-bridge: what a message costs through two bridges, beside plain NATS.
 *
 * In each round every side of a case has its turn. A bridged side is compared with the plain one of
 * the same round. What is not installed is left out, and the program says so.
 */
#include "bench/bridge/bridge.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char help[] =
	"Usage: madang-bench-bridge [OPTION]...\n"
	"Compares channels through two bridges with plain NATS programs, on the loopback.\n"
	"\n"
	"  --quick        shorter, fewer rounds: some seconds in all\n"
	"  --case NAME    this case only (--case list names them)\n"
	"  --plain        without the bridges\n"
	"  --growth       with 1, 10 and 100 channels instead\n"
	"  --segment      a replicated segment instead: lag and rate\n"
	"  --hosts N      N bridges, each in a namespace of its own, instead\n"
	"  --bridge FILE  the bridge; default: madang-bridge beside this program\n"
	"  --server FILE  the server; default: nats-server\n"
	"  --json FILE    write the results as JSON too\n"
	"  --help         this text\n"
	"\n"
	"Exit code 0 whatever was found; 1 when nothing could be measured; 2 wrong usage;\n"
	"77 when nats-server is not installed.\n";

static struct {
	bool quick, plain, growth, segment;
	const char *only, *json;
	unsigned hosts;
} settings;

static void wrong(const char *what, const char *value)
{
	fprintf(stderr, "madang-bench-bridge: %s: %s\nTry madang-bench-bridge --help.\n", what,
	        value);
	exit(2);
}

static void check_case(void)
{
	bool list = settings.only != NULL && strcmp(settings.only, "list") == 0;

	if (settings.only == NULL)
		return;
	for (unsigned i = 0; i < bridge_case_count; i++) {
		if (list)
			printf("%-14s %s\n", bridge_cases[i].name, bridge_cases[i].what);
		else if (strcmp(settings.only, bridge_cases[i].name) == 0)
			return;
	}
	if (!list)
		wrong("no such case (try --case list)", settings.only);
	exit(0);
}

static unsigned read_hosts(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || number < 2 || number > 1000)
		wrong("--hosts wants a number from 2 to 1000", text);
	return (unsigned)number;
}

static void options_read(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "case", required_argument, NULL, 'c' },
		{ "plain", no_argument, NULL, 'p' },
		{ "growth", no_argument, NULL, 'g' },
		{ "segment", no_argument, NULL, 'm' },
		{ "hosts", required_argument, NULL, 'o' },
		{ "bridge", required_argument, NULL, 'b' },
		{ "server", required_argument, NULL, 's' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'q':
			settings.quick = true;
			break;
		case 'c':
			settings.only = optarg;
			break;
		case 'p':
			settings.plain = true;
			break;
		case 'g':
			settings.growth = true;
			break;
		case 'm':
			settings.segment = true;
			break;
		case 'o':
			settings.hosts = read_hosts(optarg);
			break;
		case 'b':
			place.bridge = optarg;
			break;
		case 's':
			place.server = optarg;
			break;
		case 'j':
			settings.json = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			fputs("Try madang-bench-bridge --help.\n", stderr);
			exit(2);
		}
	}
	if (optind < argc)
		wrong("unexpected argument", argv[optind]);
	if (settings.growth + settings.segment + (settings.hosts != 0) + (settings.only != NULL) >
	    1)
		wrong("one at a time", "--growth, --segment, --hosts, --case");
	check_case();
}

/* ---- what is there --------------------------------------------------------------- */

static bool in_path(const char *name)
{
	char path[512];
	const char *from = getenv("PATH");

	if (strchr(name, '/') != NULL)
		return access(name, X_OK) == 0;
	while (from != NULL && *from != '\0') {
		size_t length = strcspn(from, ":");

		snprintf(path, sizeof path, "%.*s/%s", (int)length, from, name);
		if (access(path, X_OK) == 0)
			return true;
		from += length + (from[length] == ':');
	}
	/* Debian has it where a user's PATH does not lead. */
	snprintf(path, sizeof path, "/usr/sbin/%s", name);
	if (access(path, X_OK) != 0)
		return false;
	place.server = strdup(path);
	return place.server != NULL;
}

static void find_bridge(const char *self)
{
	static char path[1024];
	const char *slash = strrchr(self, '/');

	if (settings.plain) {
		place.bridge = NULL;
		return;
	}
	if (place.bridge == NULL) {
		snprintf(path, sizeof path, "%.*smadang-bridge",
		         slash != NULL ? (int)(slash - self + 1) : 0, self);
		place.bridge = path;
	}
	if (access(place.bridge, X_OK) == 0)
		return;
	fprintf(stderr, "madang-bench-bridge: without bridges: no program %s\n", place.bridge);
	place.bridge = NULL;
}

/* ---- measuring -------------------------------------------------------------------- */

static int by_time(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void note(struct side_result *found, struct trial *trial, bool rate)
{
	uint32_t middle, late;

	if (rate) {
		samples_add(&found->median,
		            (double)trial->sent * 1e9 / (double)(trial->ended - trial->began));
		return;
	}
	middle = trial->found / 2;
	late = trial->found * 99 / 100;
	qsort(trial->latency, trial->found, sizeof *trial->latency, by_time);
	samples_add(&found->median, (double)trial->latency[middle]);
	samples_add(&found->tail, (double)trial->latency[late]);
}

static double last_of(const struct samples *samples)
{
	return samples->value[samples->count - 1];
}

/* Every side once, each bridged one beside the plain one of this round. */
static void play_round(struct case_result *result, struct trial *trial)
{
	const struct bridge_case *what = result->what;
	bool rate = what->measure == RATE, plain_found = false;
	double seconds = settings.quick ? 0.1 : 0.7;

	for (unsigned i = 0; i < SIDES_MAX && what->sides[i] != NULL && !stop_asked(); i++) {
		struct side_result *found = &result->sides[i];
		const char *error = "no bridge";

		if (!what->sides[i]->bridged || place.bridge != NULL)
			error = trial_play(what->sides[i], what, seconds, trial);
		if (error != NULL) {
			found->error = error;
			continue;
		}
		note(found, trial, rate);
		if (i == 0)
			plain_found = true;
		else if (plain_found && rate)
			samples_add(&found->compared,
			            last_of(&found->median) / last_of(&result->sides[0].median));
		else if (plain_found)
			samples_add(&found->compared,
			            last_of(&found->median) - last_of(&result->sides[0].median));
	}
}

static unsigned measure(struct case_result *results)
{
	unsigned count = 0, rounds = settings.quick ? 2 : 7;
	struct trial *trial = shared_memory(sizeof *trial);

	for (unsigned i = 0; i < bridge_case_count; i++) {
		if (settings.only != NULL && strcmp(settings.only, bridge_cases[i].name) != 0)
			continue;
		results[count].what = &bridge_cases[i];
		for (unsigned round = 0; round < rounds && !stop_asked(); round++)
			play_round(&results[count], trial);
		count++;
	}
	munmap(trial, sizeof *trial);
	return count;
}

static int compare_sides(void)
{
	static struct case_result results[16];
	pid_t near_bridge = 0, far_bridge = 0;
	struct machine machine = { .own_ipc_namespace = false };
	unsigned count;
	int rc = 0;

	machine_describe(&machine);
	if (place.bridge != NULL) {
		near_bridge = place_bridge(place.near_ns, "bench", "near", "bench.*");
		far_bridge = place_bridge(place.far_ns, "bench", "far", "bench.*");
	}
	count = measure(results);
	bridge_text(results, count, stdout);
	if (settings.json != NULL)
		rc = bridge_json(results, count, &machine, settings.json);
	place_end(&near_bridge);
	place_end(&far_bridge);
	return count != 0 ? rc : 1;
}

int main(int argc, char **argv)
{
	int rc;

	place.server = "nats-server";
	options_read(argc, argv);
	if (!in_path(place.server)) {
		fprintf(stderr, "madang-bench-bridge: skipped: %s is not installed\n",
		        place.server);
		return 77;
	}
	find_bridge(argv[0]);
	stop_on_signals();
	if (place_make() != 0)
		return 1;
	rc = place_server();
	if (rc == 0)
		rc = settings.growth       ? growth_measure(settings.quick)
		     : settings.segment    ? segment_measure(settings.quick)
		     : settings.hosts != 0 ? hosts_measure(settings.hosts, settings.quick ? 2 : 10)
		                           : compare_sides();
	place_end(&place.server_pid);
	place_remove();
	return rc;
}
