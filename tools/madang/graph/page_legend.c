/* SPDX-License-Identifier: MIT */
/*
 * page_legend.c - what the shapes and lines of the picture mean, as a drawing of the same shapes.
 */
#include "graph/picture.h"

enum { COLUMN = 156, LEFT = 12 };

static void put_words(FILE *out, int column, int y, const char *words)
{
	fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", LEFT + column * COLUMN + 50, y, words);
}

static void put_shape(FILE *out, int column, const char *colours, const char *path,
                      const char *words)
{
	fprintf(out, "<path transform=\"translate(%d 26)\" stroke-width=\"1.3\" %s d=\"%s\"/>\n",
	        LEFT + column * COLUMN, colours, path);
	put_words(out, column, 42, words);
}

static void put_line(FILE *out, int column, const char *style, const char *end, const char *words)
{
	int x = LEFT + column * COLUMN;

	fprintf(out, "<path d=\"M%d 84h%d\" fill=\"none\" %s/>\n", x, end[0] == '\0' ? 40 : 33,
	        style);
	fprintf(out, "<g transform=\"translate(%d 84)\">%s</g>\n", x + 32, end);
	put_words(out, column, 88, words);
}

void page_legend(FILE *out)
{
	fputs("<g font-family=\"Helvetica,Arial,sans-serif\" font-size=\"11\" fill=\"#1e293b\">\n",
	      out);
	put_shape(out, 0, "fill=\"#fff\" stroke=\"#334155\"",
	          "M6 0h28q6 0 6 6v12q0 6 -6 6h-28q-6 0 -6 -6v-12q0 -6 6 -6z", "process");
	put_shape(out, 1, "fill=\"#dbeafe\" stroke=\"#1e40af\"",
	          "M0 4q20 -8 40 0v16q-20 8 -40 0zM0 4q20 8 40 0", "segment or heap");
	put_shape(out, 2, "fill=\"#dcfce7\" stroke=\"#166534\"", "M0 2h30l10 10l-10 10h-30z",
	          "channel");
	put_shape(out, 3, "fill=\"#fef3c7\" stroke=\"#92400e\"",
	          "M10 0h20l10 7v10l-10 7h-20l-10 -7v-10z", "named lock");
	put_shape(out, 4, "fill=\"#f3e8ff\" stroke=\"#6b21a8\"", "M8 0h24l8 12l-8 12h-24l-8 -12z",
	          "semaphore set");
	put_shape(out, 5, "fill=\"#cffafe\" stroke=\"#155e75\"", "M9 0h31l-9 24h-31z",
	          "message queue");
	put_line(out, 0, "stroke=\"#64748b\" stroke-width=\"1.3\"", "", "has it attached");
	put_line(out, 1, "stroke=\"#166534\" stroke-width=\"1.6\"",
	         "<path d=\"M0 -4l8 4l-8 4z\" fill=\"#166534\"/>", "messages go");
	put_line(out, 2, "stroke=\"#92400e\" stroke-width=\"1.3\" stroke-dasharray=\"5 3\"",
	         "<path d=\"M8 0l-8 -4l3 4l-3 4z\" fill=\"#92400e\"/>", "waits for it");
	put_line(out, 3, "stroke=\"#92400e\" stroke-width=\"2\"",
	         "<circle cx=\"4\" cy=\"0\" r=\"4\" fill=\"#92400e\"/>", "is held by");
	fprintf(out,
	        "<path d=\"M%d 82h40m0 4h-40\" fill=\"none\" stroke=\"#b91c1c\" "
	        "stroke-width=\"1.6\"/>\n",
	        LEFT + 4 * COLUMN);
	put_words(out, 4, 88, "circle of waits");
	put_line(out, 5, "stroke=\"#155e75\" stroke-width=\"1.3\" stroke-dasharray=\"1.5 3\"",
	         "<path d=\"M0 -4l8 4l-8 4z\" fill=\"#155e75\"/>", "used it last");
	fputs("<text x=\"12\" y=\"112\" fill=\"#475569\">A dashed outline: an orphan, or removed. "
	      "A thick outline: several that are alike.</text>\n</g>\n",
	      out);
}
