/* SPDX-License-Identifier: MIT */
/*
 * main.c - madang-bench from beginning to end: settings, a namespace of its
 * own, the measurements asked for, the report, and everything removed again.
 *
 * SIGINT, SIGTERM and SIGHUP end the measurements at the next block; what was
 * found until then is still reported.
 */
#include "base/progress.h" /* of the tool */
#include "bench/common/processes.h"
#include "bench/report.h"

#include <stdlib.h>
#include <string.h>

static struct case_result results[32];
static struct part_result part_results[PARTS_MAX];
static struct scale_result scale_results;
static struct sync_result sync_results;
static struct channel_result channel_results;
static struct ipc_result ipc_results;
static struct heap_result heap_results;
static struct memory_result memory_results;
static struct start_result start_results;

/* Said once for the whole machine, not again for every case. */
static void forget_kernel_errors(struct case_result *result)
{
	for (int others = 0; others < OTHERS_STATES; others++)
		result->error[others][KERNEL] = 0;
}

static void measure_cases(const struct settings *settings, struct report *report)
{
	for (unsigned i = 0; i < bench_case_count && !stop_asked(); i++) {
		const struct bench_case *what = &bench_cases[i];

		if (settings->only != NULL && strcmp(settings->only, what->name) != 0)
			continue;
		progress_step(what->what, i, bench_case_count);
		case_measure(settings, what, &results[report->segment.case_count]);
		if (!report->machine->kernel_ipc)
			forget_kernel_errors(&results[report->segment.case_count]);
		report->segment.case_count++;
	}
	report->segment.cases = results;
	progress_end();
}

/* The heap has tables of its own (heap/scale.c). */
static void measure_scale(const struct settings *settings, const struct machine *machine)
{
	if (settings->sync)
		sync_scale_measure(settings, &scale_results);
	else if (settings->channel)
		channel_scale_measure(settings, &scale_results);
	else if (settings->ipc)
		ipc_scale_measure(settings, machine->namespace_dir, &scale_results);
	else
		segment_scale_measure(settings, &scale_results);
}

static void measure(const struct settings *settings, const struct machine *machine,
                    struct report *report)
{
	if (settings->scale && !settings->heap) {
		measure_scale(settings, machine);
		report->scale = &scale_results;
	} else if (settings->parts) {
		report->segment.part_count =
			parts_measure(settings, machine->namespace_dir, part_results);
		report->segment.parts = part_results;
	} else if (settings->sync) {
		sync_measure(settings, &sync_results);
		report->sync = &sync_results;
	} else if (settings->channel) {
		channel_measure(settings, &channel_results);
		report->channel = &channel_results;
	} else if (settings->ipc) {
		ipc_measure(settings, machine->namespace_dir, &ipc_results);
		report->ipc = &ipc_results;
	} else if (settings->heap) {
		heap_measure(settings, machine->namespace_dir, &heap_results);
		report->heap = &heap_results;
	} else if (settings->memory) {
		memory_measure(settings, machine->namespace_dir, &memory_results);
		report->memory = &memory_results;
	} else if (settings->start) {
		start_measure(settings, &start_results);
		report->start = &start_results;
	} else {
		measure_cases(settings, report);
	}
}

/* True when there is something to compare with what was asked for. */
static bool sides_ready(const struct settings *settings, const struct machine *machine)
{
	if (settings->parts || settings->sync || settings->channel || settings->heap ||
	    settings->memory || settings->start)
		return true;
	if (settings->control) {
		if (!machine->kernel_ipc)
			fprintf(stderr, "madang-bench: no System V IPC in this kernel\n");
		return machine->kernel_ipc;
	}
	if (settings->ipc ? !ipc_madang_answers() : !side_madang_answers()) {
		fprintf(stderr,
		        "madang-bench: %s is not answered by Madang here; is "
		        "libmadang-sysv linked, and the namespace usable?\n",
		        settings->ipc ? "semget" : "shmget");
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct settings settings;
	struct machine machine = { .own_ipc_namespace = false };
	struct report report = { .settings = &settings, .machine = &machine };
	int status = 0;

	if (argc == 4 && strcmp(argv[1], "--fork-driver") == 0)
		return forks_driver(argv[2], strcmp(argv[3], "control") == 0);
	if (argc == 3 && strcmp(argv[1], "--memory-driver") == 0)
		return memory_driver(argv[2]);
	options_read(&settings, argc, argv);
	_Static_assert(sizeof results / sizeof *results >= 16, "room for every case");
	if (bench_case_count > sizeof results / sizeof *results)
		abort();
	stop_on_signals();
	processor_turns();
	if (settings.new_file != NULL)
		return files_use(&settings);
	if (report_use_check(&settings) != 0)
		return 1;
	if (settings.heap)
		heap_sides_room(argv);
	others_remove_on_crash();
	machine.own_ipc_namespace = side_kernel_isolate();
	machine.kernel_ipc = side_kernel_works();
	machine_namespace_make(&machine);
	machine_describe(&machine);
	if (settings.control) {
		sides_control();
		ipc_sides_control();
	}
	if (sides_ready(&settings, &machine)) {
		measure(&settings, &machine, &report);
		report_text(&report, stdout);
		status = report_use(&report);
	} else {
		status = 1;
	}
	channel_free(&channel_results);
	machine_namespace_remove(&machine);
	return status;
}
