/* SPDX-License-Identifier: MIT */
/*
 * report.c - what a person reads: the machine, the settings, and the tables of
 * each subject.
 */
#include "bench/report.h"

static void print_setting(const struct report *report, FILE *out)
{
	const struct machine *machine = report->machine;
	const struct settings *settings = report->settings;

	fprintf(out, "madang-bench  %s\n", machine->date);
	fprintf(out, "machine   %s, %ld CPUs, load %.2f, %u-bit program, pages of %ld\n",
	        machine->cpu, machine->cpus, machine->load, machine->pointer_bits,
	        machine->page_size);
	fprintf(out, "kernel    %s; huge pages for shared memory: %s\n", machine->system,
	        machine->huge_pages);
	fprintf(out,
	        "settings  %.1f s a case, %.1f ms a block, %u rounds%s%s; euid %ld; "
	        "namespace %s; kernel IPC %s\n\n",
	        settings->seconds, settings->block * 1e3, settings->rounds,
	        settings->quick ? ", quick" : "", settings->control ? ", CONTROL RUN" : "",
	        machine->euid, machine->namespace_dir,
	        !machine->kernel_ipc         ? "MISSING: Madang's numbers stand alone"
	        : machine->own_ipc_namespace ? "in a namespace of its own"
	                                     : "of the system");
}

void report_text(const struct report *report, FILE *out)
{
	print_setting(report, out);
	segment_report(report->settings, &report->segment, out);
	if (report->sync != NULL)
		sync_report(report->sync, out);
	if (report->channel != NULL)
		channel_report(report->channel, out);
	if (report->ipc != NULL)
		ipc_report(report->ipc, out);
	if (report->heap != NULL)
		heap_report(report->heap, out);
	if (report->memory != NULL)
		memory_report(report->memory, out);
	if (report->start != NULL)
		start_report(report->start, out);
	if (report->scale != NULL)
		scale_report(report->scale, out);
	if (stop_asked())
		fprintf(out, "\nStopped early: what is above is incomplete.\n");
	fflush(out);
}
