/* SPDX-License-Identifier: MIT */
/*
 * options.c - the command line of madang-bench.
 */
#include "bench/report.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: madang-bench [OPTION]...\n"
	"Compares Madang's System V shared memory calls with the kernel's, side by side.\n"
	"\n"
	"  --quick         less time for each case: under 10 seconds in all\n"
	"  --case NAME     this case only (--case list names them)\n"
	"  --others N      measure a second time with N other segments present;\n"
	"                  default 4000, 0 for no second time\n"
	"  --scale         1, 2, 8 and 64 processes at once instead; also with --sync,\n"
	"                  --channel, --ipc and --heap\n"
	"  --parts         what the system calls cost that the design rests on instead\n"
	"  --sync          mutex, rwlock, condition and others beside the C library's and\n"
	"                  Boost.Interprocess's instead\n"
	"  --channel       messages: streams, queues and topics beside pipes, queues of the\n"
	"                  kernel and the libraries' that it was built with instead\n"
	"  --ipc           semaphores and message queues of System V beside the kernel's\n"
	"                  instead; --others counts sets, and as many queues\n"
	"  --heap          the shared heap beside mimalloc, and other allocators that it was\n"
	"                  built with, instead; with --scale: how its costs grow\n"
	"  --memory        how much memory a process needs for an object, instead\n"
	"  --start         the start of a program: plain, preloaded, by madang run; instead\n"
	"  --control       the kernel on both sides: every ratio should be 1.00;\n"
	"                  with --heap: mimalloc\n"
	"  --json FILE     write the results as JSON too\n"
	"  --compare OLD   say what has changed since the run that wrote the file OLD with --json\n"
	"  --compare OLD NEW  compare two such files; measures nothing\n"
	"  --plot FILE.svg draw the results with gnuplot: ratios; latencies with --channel;\n"
	"                  rates over processes with --scale; with --compare OLD NEW: those of "
	"NEW\n"
	"  --help          this text\n"
	"\n"
	"Ratios are Madang / kernel: median of all pairs of blocks (10th to 90th percentile).\n"
	"Exit code 0 whatever the ratios are; 1 when nothing could be measured; 2 wrong usage.\n";

static void wrong(const char *what, const char *value)
{
	fprintf(stderr, "madang-bench: %s: %s\nTry madang-bench --help.\n", what, value);
	exit(2);
}

static int read_others(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end != '\0' || number < 0 || number > 30000)
		wrong("--others wants a number from 0 to 30000", text);
	return (int)number;
}

/* The case number `i` of what was asked for; NULL beyond the last. */
static const char *case_at(const struct settings *settings, unsigned i, const char **ret_what)
{
	static struct channel_case channel[CHANNEL_CASES_MAX];

	if (settings->channel) {
		unsigned count = channel_cases(channel);

		*ret_what = i < count ? channel_measure_what(channel[i].measure)
		                      : "a stream, killed and restarted";
		return i < count ? channel[i].name : i == count ? "restart" : NULL;
	}
	if (settings->sync) {
		*ret_what = i < SYNC_CASES ? sync_cases[i].what : NULL;
		return i < SYNC_CASES ? sync_cases[i].name : NULL;
	}
	if (settings->ipc) {
		*ret_what = i < ipc_case_count ? ipc_cases[i].what : NULL;
		return i < ipc_case_count ? ipc_cases[i].name : NULL;
	}
	if (settings->heap) {
		*ret_what = i < heap_case_count ? heap_cases[i].what : NULL;
		return i < heap_case_count ? heap_cases[i].name : NULL;
	}
	*ret_what = i < bench_case_count ? bench_cases[i].what : NULL;
	return i < bench_case_count ? bench_cases[i].name : NULL;
}

static void check_case(const struct settings *settings)
{
	const char *name, *what;
	bool list;

	if (settings->only == NULL)
		return;
	if (settings->memory || settings->start)
		wrong("--memory and --start have no cases", settings->only);
	list = strcmp(settings->only, "list") == 0;
	for (unsigned i = 0; (name = case_at(settings, i, &what)) != NULL; i++) {
		if (list)
			printf("%-14s %s\n", name, what);
		else if (strcmp(settings->only, name) == 0)
			return;
	}
	if (!list)
		wrong("no such case (try --case list, with --sync, --channel, --ipc or --heap)",
		      settings->only);
	exit(0);
}

/* Times that keep the whole run below a minute, and below ten seconds. */
static void set_times(struct settings *settings)
{
	settings->block = 0.001;
	settings->seconds = settings->quick ? 0.2 : 1.2;
	settings->rounds = settings->quick ? 2 : 5;
	if (settings->control)
		settings->others /= 2; /* both crowds are the one kernel's now */
	if (settings->parts)
		settings->seconds = settings->quick ? 0.1 : 0.5;
	if (settings->sync) {
		settings->block = 0.0005;
		settings->seconds = settings->quick ? 0.4 : 2;
	}
	if (settings->channel)
		settings->seconds = settings->quick ? 0.7 : 6;
	if (settings->ipc)
		settings->rounds = settings->quick ? 2 : 6;
	if (settings->heap)
		settings->seconds = settings->quick ? 0.3 : 3;
	if (settings->scale)
		settings->seconds = settings->quick ? 0.1 : settings->heap ? 1.5 : 0.5;
}

void options_read(struct settings *settings, int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "case", required_argument, NULL, 'c' },
		{ "others", required_argument, NULL, 'o' },
		{ "scale", no_argument, NULL, 's' },
		{ "parts", no_argument, NULL, 'p' },
		{ "sync", no_argument, NULL, 'y' },
		{ "channel", no_argument, NULL, 'n' },
		{ "ipc", no_argument, NULL, 'i' },
		{ "heap", no_argument, NULL, 'e' },
		{ "memory", no_argument, NULL, 'm' },
		{ "start", no_argument, NULL, 't' },
		{ "control", no_argument, NULL, 'k' },
		{ "json", required_argument, NULL, 'j' },
		{ "compare", required_argument, NULL, 'd' },
		{ "plot", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*settings = (struct settings){ .others = OTHERS_USUAL };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'q':
			settings->quick = true;
			break;
		case 'c':
			settings->only = optarg;
			break;
		case 'o':
			settings->others = read_others(optarg);
			break;
		case 's':
			settings->scale = true;
			break;
		case 'p':
			settings->parts = true;
			break;
		case 'y':
			settings->sync = true;
			break;
		case 'n':
			settings->channel = true;
			break;
		case 'i':
			settings->ipc = true;
			break;
		case 'e':
			settings->heap = true;
			break;
		case 'm':
			settings->memory = true;
			break;
		case 't':
			settings->start = true;
			break;
		case 'k':
			settings->control = true;
			break;
		case 'j':
			settings->json = optarg;
			break;
		case 'd':
			settings->old_file = optarg;
			break;
		case 'l':
			settings->plot = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			fputs("Try madang-bench --help.\n", stderr);
			exit(2);
		}
	}
	if (optind == argc - 1 && (settings->old_file != NULL || settings->plot != NULL))
		settings->new_file = argv[optind++];
	if (optind < argc)
		wrong("unexpected argument", argv[optind]);
	if (settings->parts + settings->sync + settings->channel + settings->ipc + settings->heap +
	            settings->memory + settings->start >
	    1)
		wrong("one at a time",
		      "--parts, --sync, --channel, --ipc, --heap, --memory, --start");
	if (settings->scale && settings->parts + settings->memory + settings->start != 0)
		wrong("there is no such table", "--scale with --parts, --memory or --start");
	if (settings->scale && settings->only != NULL && !settings->heap)
		wrong("--scale has no cases", settings->only);
	check_case(settings);
	set_times(settings);
}
