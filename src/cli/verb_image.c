/* bootsmith image: kernels and initrds of the catalogue, fetched and verified. */
#include "app/config_files.h"
#include "app/image_fetch.h"
#include "base/escape.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cli/subverb.h"
#include "cli/verbs.h"
#include "core/url.h"
#include "wire/pxe.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define STALL_DEFAULT_S 30u
#define STALL_MAX_S     3600ul

static const char help[] =
	"usage: bootsmith image list [--catalogue FILE] [--json]\n"
	"       bootsmith image fetch NAME [--dir DIR] [--catalogue FILE] [-c FILE] [option]...\n"
	"\n"
	"Fetches a kernel and its initrds into DIR/NAME, verifies them, and prints the lines\n"
	"for the configuration. What was cut goes on where it stopped; files that are there\n"
	"already are verified and kept; new ones take their places together, when each has\n"
	"been verified. Runs without the daemon.\n"
	"\n"
	"      --dir DIR         where images go (default: images below the HTTP root)\n"
	"      --catalogue FILE  what can be fetched (default: " CATALOGUE_FILE_DEFAULT ")\n"
	"  -c, --config FILE     the configuration, which names the HTTP root (default:\n"
	"                        " CONFIG_FILE_DEFAULT
	" where that exists, else " CONFIG_HTTP_ROOT_DEFAULT ")\n"
	"      --ca FILE         certificates to trust for https instead of the system's\n"
	"      --timeout S       seconds without progress after which a try is given up\n"
	"                        (default: 30)\n"
	"      --json            of list: one JSON document, an array\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit code: 0 well, 1 it could not be fetched or verified, 2 wrong usage.\n";

enum long_only {
	OPT_I_DIR = OPTIONS_OWN,
	OPT_I_CATALOGUE,
	OPT_I_CA,
	OPT_I_TIMEOUT,
	OPT_I_JSON,
};

static const struct option long_options[] = {
	{ "dir", required_argument, NULL, OPT_I_DIR },
	{ "catalogue", required_argument, NULL, OPT_I_CATALOGUE },
	{ "config", required_argument, NULL, 'c' },
	{ "ca", required_argument, NULL, OPT_I_CA },
	{ "timeout", required_argument, NULL, OPT_I_TIMEOUT },
	{ "json", no_argument, NULL, OPT_I_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct parsed {
	const char *dir, *catalogue, *config, *ca;
	unsigned stall_s;
	bool json, help;
};

static int PRINTF(1, 2) complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("bootsmith image: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	return 1;
}

static int take_timeout(struct parsed *p, const char *s)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, 10);
	if (errno || end == s || *end || s[0] == '-' || n == 0 || n > STALL_MAX_S)
		return options_wrong_usage(
			"image", "--timeout takes 1 to %lu seconds, not \"%s\"", STALL_MAX_S, s);
	p->stall_s = (unsigned)n;
	return 0;
}

static int take_option(struct parsed *p, int c)
{
	switch (c) {
	case OPT_I_DIR:
		p->dir = optarg;
		return 0;
	case OPT_I_CATALOGUE:
		p->catalogue = optarg;
		return 0;
	case 'c':
		p->config = optarg;
		return 0;
	case OPT_I_CA:
		p->ca = optarg;
		return 0;
	case OPT_I_TIMEOUT:
		return take_timeout(p, optarg);
	case OPT_I_JSON:
		p->json = true;
		return 0;
	case 'h':
		p->help = true;
		return 0;
	default:
		return options_wrong_usage("image", "wrong option"); /* getopt has named it */
	}
}

static int print_errors(
	const char *file, const struct text *source, const struct config_errors *errs)
{
	struct text out = { 0 };

	config_files_print_errors(file, text_span(source), errs, &out);
	(void)fputs(text_str(&out), stderr);
	text_free(&out);
	return 1;
}

static int open_catalogue(const struct parsed *p, struct catalogue *ret)
{
	struct config_errors errs = { 0 };
	struct text source = { 0 };
	int code = 0, r = config_files_read(p->catalogue, &errs, &source);

	if (r == 0)
		r = catalogue_load(text_span(&source), &errs, ret);
	if (r == -ENOMEM)
		code = complain("out of memory");
	else if (r < 0)
		code = print_errors(p->catalogue, &source, &errs);
	config_errors_free(&errs);
	text_free(&source);
	return code;
}

/* --- list --- */

static const char *proof(const struct catalogue_image *image)
{
	return image->keyring ? "signature" : image->n_sums ? "https" : "digest";
}

static json_t *as_json(const struct catalogue_image *image)
{
	json_t *initrds = json_array();

	for (size_t i = 0; i < image->n_initrds; i++)
		(void)json_array_append_new(initrds, json_string(image->initrds[i].url));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "name", image->name, "title",
		image->title, "arch", arch_name(image->arch), "proof", proof(image), "kernel",
		image->kernel.url, "initrd", initrds);
}

static int list_json(const struct catalogue *c)
{
	json_t *list = json_array();
	char *s;

	for (size_t i = 0; i < c->n_images; i++)
		(void)json_array_append_new(list, as_json(&c->images[i]));
	s = json_dumps(list, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	json_decref(list);
	if (!s)
		return complain("out of memory");
	(void)puts(s);
	free(s);
	return 0;
}

static int list(const struct parsed *p, const struct catalogue *c)
{
	struct text title = { 0 };

	if (p->json)
		return list_json(c);
	(void)printf("%-24s  %-5s  %-9s  %s\n", "NAME", "ARCH", "PROOF", "WHAT IT IS");
	for (size_t i = 0; i < c->n_images; i++) {
		text_reset(&title);
		escape_log(&title, span_str(c->images[i].title), 100);
		(void)printf("%-24s  %-5s  %-9s  %s\n", c->images[i].name,
			arch_name(c->images[i].arch), proof(&c->images[i]), text_str(&title));
	}
	text_free(&title);
	return 0;
}

/* --- fetch --- */

struct screen {
	struct progress_bar bar;
	bool named; /* the file under way has had its line */
};

static void on_tell(void *ctx, const char *sentence)
{
	struct screen *s = ctx;

	progress_bar_end(&s->bar);
	(void)printf("%s\n", sentence);
	(void)fflush(stdout);
}

static void on_progress(void *ctx, const struct image_progress *p)
{
	struct screen *s = ctx;

	if (!p->url) {
		progress_bar_end(&s->bar);
		s->named = false;
		return;
	}
	if (!s->named)
		(void)printf("fetching %s\n", p->url);
	s->named = true;
	progress_bar_draw(&s->bar, url_file_name(span_str(p->url)), p->got, p->total);
}

static int http_root(const struct parsed *p, struct text *ret)
{
	const char *file = options_config_file(p->config);
	struct config_errors errs = { 0 };
	struct text source = { 0 };
	struct config *cfg = NULL;
	int code = 0, r = file ? config_files_read(file, &errs, &source) : 0;

	if (r == 0 && file)
		r = config_load(file, text_span(&source), &errs, &cfg);
	if (r == -ENOMEM)
		code = complain("out of memory");
	else if (r < 0)
		code = print_errors(file, &source, &errs);
	else
		text_adds(ret, cfg ? cfg->http_root : CONFIG_HTTP_ROOT_DEFAULT);
	config_free(cfg);
	config_errors_free(&errs);
	text_free(&source);
	return code;
}

/* A plain text of YAML that must not be taken for anything else. */
static void add_quoted(struct text *out, const char *s)
{
	text_addc(out, '"');
	escape_json(out, span_str(s));
	text_addc(out, '"');
}

/* The image's directory as a profile names it: below the root; or absolute, and
 * then it is none that could be served. */
static void print_profile(const struct catalogue_image *image, const char *dir, const char *root)
{
	size_t n = strlen(root);
	bool below = strncmp(dir, root, n) == 0 && (dir[n] == '/' || dir[n] == '\0');
	const char *path = below ? dir + n : dir;
	struct text out = { 0 };

	while (below && *path == '/')
		path++;
	text_addf(&out, "  %s:\n    kernel: %s%s%s/%s\n", image->name, path, *path ? "/" : "",
		image->name, image->kernel.name);
	if (image->n_initrds)
		text_adds(&out, "    initrd: [");
	for (size_t i = 0; i < image->n_initrds; i++)
		text_addf(&out, "%s%s%s%s/%s", i ? ", " : "", path, *path ? "/" : "", image->name,
			image->initrds[i].name);
	if (image->n_initrds)
		text_adds(&out, "]\n");
	if (image->cmdline[0]) {
		text_adds(&out, "    cmdline: ");
		add_quoted(&out, image->cmdline);
		text_addc(&out, '\n');
	}
	(void)printf("\nThe lines for the configuration:\n\nprofiles:\n%s", text_str(&out));
	if (!below)
		(void)printf(
			"\n%s is not below the HTTP root %s: only what is there can be served.\n",
			dir, root);
	text_free(&out);
}

static int fetch(const struct parsed *p, const struct catalogue *c, const char *name)
{
	struct text root = { 0 }, dir = { 0 }, why = { 0 };
	const char *near = NULL;
	const struct catalogue_image *image = catalogue_find(c, name, &near);
	struct screen screen = { 0 };
	const struct image_watcher watcher = { on_tell, on_progress, &screen };
	struct image_options options = { .ca = p->ca, .stall_s = p->stall_s };
	int code;

	if (!image)
		return near
			? complain("no image is called \"%s\": did you mean %s?", name, near)
			: complain("no image is called \"%s\": `bootsmith image list` lists them",
				  name);
	(void)signal(SIGPIPE, SIG_IGN); /* a server may go away while we speak to it */
	code = http_root(p, &root);
	if (p->dir)
		text_adds(&dir, p->dir);
	else
		text_addf(&dir, "%s/images", text_str(&root));
	while (dir.n > 1 && dir.p[dir.n - 1] == '/')
		dir.p[--dir.n] = '\0';
	options.dir = text_str(&dir);
	if (code == 0 && image_fetch(image, &options, &watcher, &why) < 0)
		code = complain("%s", text_str(&why));
	else if (code == 0)
		print_profile(image, options.dir, text_str(&root));
	text_free(&root);
	text_free(&dir);
	text_free(&why);
	return code;
}

static const struct subverb subverbs[] = {
	{ "list", 0, NULL },
	{ "fetch", 1, "the name of one image" },
};

int verb_image(int argc, char **argv)
{
	struct parsed p = { .catalogue = CATALOGUE_FILE_DEFAULT, .stall_s = STALL_DEFAULT_S };
	struct catalogue catalogue = { 0 };
	const char *name;
	size_t which = 0;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		r = take_option(&p, c);
		if (r != 0)
			return r;
	}
	if (p.help) {
		(void)fputs(help, stdout);
		return 0;
	}
	r = subverb_choose("image", subverbs, ARRAY_LEN(subverbs), argc, argv, &which);
	if (r != 0)
		return r;
	name = subverbs[which].words ? argv[optind + 1] : NULL;
	if (!name && (p.dir || p.ca))
		return options_wrong_usage("image", "list takes --catalogue and --json only");
	if (name && p.json)
		return options_wrong_usage("image", "--json belongs to list");
	r = open_catalogue(&p, &catalogue);
	if (r != 0)
		return r;
	r = name ? fetch(&p, &catalogue, name) : list(&p, &catalogue);
	catalogue_free(&catalogue);
	return r;
}
