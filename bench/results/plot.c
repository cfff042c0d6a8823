/* SPDX-License-Identifier: MIT */
/*
 * plot.c - `madang-bench --plot`: gnuplot, which is started as a program and reads from a pipe what
 * to draw. It writes the picture to its output, which is the file.
 */
#include "bench/results/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Of much the same brightness, halfway between white and black. */
const char *const plot_colour[PLOT_COLOURS] = { "#2f81d6", "#d97917", "#2e9e5b",
	                                        "#9a6be0", "#d9534f", "#1f9e9e" };

/* ---- the program --------------------------------------------------------------------- */

/* With these descriptors as its input and output; -1: they are /dev/null. 0, or errno. */
static int gnuplot_start(char *const arguments[], int in, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return error;
	if (in >= 0)
		error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	else
		error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
		                                         O_RDONLY, 0);
	if (error == 0 && out >= 0)
		error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	else if (error == 0)
		error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
		                                         O_WRONLY, 0);
	if (error == 0)
		error = posix_spawnp(ret_pid, "gnuplot", &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* True: it ended well. */
static bool gnuplot_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool plot_possible(void)
{
	char program[] = "gnuplot", version[] = "--version";
	char *const arguments[] = { program, version, NULL };
	pid_t pid;
	int error = gnuplot_start(arguments, -1, -1, &pid);

	if (error == 0 && gnuplot_end(pid))
		return true;
	fprintf(stderr,
	        "madang-bench: --plot draws with gnuplot, which %s (Debian: gnuplot-nox)%s%s\n",
	        error == ENOENT ? "is not in PATH" : "does not start",
	        error != 0 && error != ENOENT ? ": " : "",
	        error != 0 && error != ENOENT ? strerror(error) : "");
	return false;
}

/* ---- what it is told ----------------------------------------------------------------- */

void plot_quote(FILE *script, const char *text)
{
	fputc('\'', script);
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputc('\'', script);
		fputc((unsigned char)*text < ' ' ? ' ' : *text, script);
	}
	fputc('\'', script);
}

void plot_line(FILE *script, const char *text, unsigned down, unsigned height)
{
	fputs("set label ", script);
	plot_quote(script, text);
	fprintf(script, " at screen 0.02, screen %.4f left noenhanced tc rgb '" PLOT_GREY "'\n",
	        1.0 - (double)down / height);
}

void plot_head(FILE *script, const struct results *results, const char *title, unsigned width,
               unsigned height)
{
	const json_t *machine = json_object_get(results->root, "machine");
	const json_t *settings = json_object_get(results->root, "settings");
	char text[400];

	fprintf(script,
	        "set terminal svg size %u,%u dynamic noenhanced font 'sans-serif,13'\n"
	        "set border 1 lc rgb '" PLOT_GREY "'\n"
	        "set tics nomirror tc rgb '" PLOT_GREY "'\n"
	        "set grid lc rgb '" PLOT_FAINT "' lw 0.6 dt 3\n"
	        "set key noenhanced tc rgb '" PLOT_GREY "'\n"
	        "set label ",
	        width, height);
	plot_quote(script, title);
	fprintf(script,
	        " at screen 0.02, screen %.4f left noenhanced font ',16' "
	        "tc rgb '" PLOT_GREY "'\n",
	        1.0 - 22.0 / height);
	snprintf(text, sizeof text, "%.60s, %.0f CPUs, %.80s, load %.1f; %.32s%s%s",
	         results_text(machine, "cpu"), results_number(machine, "cpus"),
	         results_text(machine, "kernel"), results_number(machine, "load"),
	         results_text(results->root, "date"),
	         json_is_true(json_object_get(settings, "quick")) ? ", quick" : "",
	         json_is_true(json_object_get(settings, "control")) ? ", CONTROL RUN" : "");
	plot_line(script, text, 44, height);
}

static bool draw(const struct results *results, FILE *script)
{
	return plot_scale(results, script) || plot_rounds(results, script) ||
	       plot_ratios(results, script);
}

/* What it is told is lost if it has ended: SIGPIPE is ignored. */
static int tell(const struct results *results, FILE *script, pid_t pid)
{
	bool something = draw(results, script), drawn;

	fclose(script);
	drawn = gnuplot_end(pid);
	if (!something)
		fprintf(stderr, "madang-bench: %s has nothing that could be drawn\n",
		        results->name);
	else if (!drawn)
		fprintf(stderr, "madang-bench: gnuplot failed\n");
	return something && drawn ? 0 : -1;
}

/* 0; errno; or -1, and it has said why. */
static int draw_by_pipe(const struct results *results, int file)
{
	char program[] = "gnuplot", standard_input[] = "-";
	char *const arguments[] = { program, standard_input, NULL };
	int ends[2], error;
	FILE *script;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno;
	script = fdopen(ends[1], "w");
	if (script == NULL) {
		error = errno;
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	error = gnuplot_start(arguments, ends[0], file, &pid);
	close(ends[0]);
	if (error == 0)
		return tell(results, script, pid);
	fclose(script);
	return error;
}

int results_plot(const struct results *results, const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int error = file < 0 ? errno : draw_by_pipe(results, file);

	if (file >= 0)
		close(file);
	if (error > 0)
		fprintf(stderr, "madang-bench: %s: %s\n", path, strerror(error));
	return error != 0;
}
