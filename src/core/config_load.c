/* Reading a configuration: the top level, in the order that references need, and
 * the collecting of mistakes.  Section 3 of the design is the contract. */
#include "core/config_load.h"

#include "core/config_load_impl.h"

#include <errno.h>
#include <stdlib.h>

#define ERRORS_MAX      1000u
#define SOURCE_LINE_MAX 200u /* characters of a line that a message shows */
#define SOCKET_PATH_MAX 107u /* sun_path of struct sockaddr_un, less its NUL */

void config_error_add(struct config_errors *errs, struct src_pos pos, const char *fmt, ...)
{
	struct text message = { 0 };
	struct config_error *list;
	va_list ap;

	if (errs->failed || errs->n >= ERRORS_MAX)
		return;
	va_start(ap, fmt);
	text_addv(&message, fmt, ap);
	va_end(ap);
	list = message.failed ? NULL : realloc(errs->list, (errs->n + 1) * sizeof(*list));
	if (!list) {
		errs->failed = true;
		text_free(&message);
		return;
	}
	errs->list = list;
	list[errs->n++] = (struct config_error){ pos, message.p };
}

static int by_position(const void *a, const void *b)
{
	const struct config_error *x = a, *y = b;

	if (x->pos.line != y->pos.line)
		return x->pos.line < y->pos.line ? -1 : 1;
	if (x->pos.col != y->pos.col)
		return x->pos.col < y->pos.col ? -1 : 1;
	return strcmp(x->message, y->message);
}

void config_errors_sort(struct config_errors *errs)
{
	if (errs->n > 1)
		qsort(errs->list, errs->n, sizeof(*errs->list), by_position);
}

void config_errors_free(struct config_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		free(errs->list[i].message);
	free(errs->list);
	*errs = (struct config_errors){ 0 };
}

/* A line of the file, without its end; empty past the last one. */
static struct span source_line(struct span source, unsigned line)
{
	for (unsigned n = 1; source.n > 0; n++) {
		size_t len = 0;

		while (len < source.n && source.p[len] != '\n' && source.p[len] != '\r')
			len++;
		if (n == line)
			return (struct span){ source.p, len };
		if (len + 1 < source.n && source.p[len] == '\r' && source.p[len + 1] == '\n')
			len++;
		source = span_skip(source, len + 1);
	}
	return SPAN_NONE;
}

/* The line, and a caret below its column.  Columns count characters; what is not
 * printable ASCII shows as '?', so that no file can play with a terminal; '\t'
 * stays in both lines, so that the caret stands where it should. */
static void print_line(struct span line, unsigned col, struct text *out)
{
	struct text shown = { 0 }, caret = { 0 };

	for (size_t i = 0; i < line.n && shown.n < SOURCE_LINE_MAX; i++) {
		uint8_t c = line.p[i];

		if ((c & 0xc0) == 0x80)
			continue;
		text_addc(&shown, c == '\t' || (c >= ' ' && c < 0x7f) ? (char)c : '?');
	}
	for (size_t i = 0; i + 1 < col && i < SOURCE_LINE_MAX; i++)
		text_addc(&caret, i < shown.n && shown.p[i] == '\t' ? '\t' : ' ');
	text_addf(out, "  %s\n", text_str(&shown));
	if (col <= SOURCE_LINE_MAX)
		text_addf(out, "  %s^\n", text_str(&caret));
	text_free(&shown);
	text_free(&caret);
}

void config_error_print(
	const struct config_error *e, const char *file, struct span source, struct text *out)
{
	struct span line = source_line(source, e->pos.line);

	if (e->pos.line == 0) {
		text_addf(out, "%s: error: %s\n", file, e->message);
		return;
	}
	text_addf(out, "%s:%u:%u: error: %s\n", file, e->pos.line, e->pos.col, e->message);
	if (line.n > 0)
		print_line(line, e->pos.col, out);
}

/* For what is read later, in another order than the file's, or not at all. */
static void read_nothing(struct loading *l, const struct yaml *v, void *into)
{
	(void)l;
	(void)v;
	(void)into;
}

static void read_state_dir(struct loading *l, const struct yaml *v, void *into)
{
	const char *dir = load_absolute_path(l, v);

	(void)into;
	if (dir)
		l->cfg->state_dir = dir;
}

static void read_socket(struct loading *l, const struct yaml *v, void *into)
{
	const char *path = load_absolute_path(l, v);

	(void)into;
	if (!path)
		return;
	if (strlen(path) > SOCKET_PATH_MAX)
		config_error_add(l->errs, v->pos,
			"the path of a socket has at most %u characters, this one has %zu",
			SOCKET_PATH_MAX, strlen(path));
	l->cfg->control_socket = path;
}

static void read_control(struct loading *l, const struct yaml *v, void *into)
{
	static const struct load_key keys[] = { { "socket", read_socket } };

	(void)load_map(l, v, "control", keys, ARRAY_LEN(keys), into);
}

static void read_tftp_root(struct loading *l, const struct yaml *v, void *into)
{
	const char *root = load_absolute_path(l, v);

	(void)into;
	if (!root)
		return;
	l->cfg->tftp_root = root;
	l->cfg->tftp_root_pos = v->pos;
}

static void read_tftp_port(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	(void)load_port(l, v, &l->cfg->tftp_port);
}

static void read_tftp_single_port(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	(void)load_bool(l, v, &l->cfg->tftp_single_port);
}

static void read_tftp(struct loading *l, const struct yaml *v, void *into)
{
	static const struct load_key keys[] = { { "root", read_tftp_root },
		{ "port", read_tftp_port }, { "single_port", read_tftp_single_port } };

	(void)load_map(l, v, "tftp", keys, ARRAY_LEN(keys), into);
}

static void read_http_root(struct loading *l, const struct yaml *v, void *into)
{
	const char *root = load_absolute_path(l, v);

	(void)into;
	if (!root)
		return;
	l->cfg->http_root = root;
	l->cfg->http_root_pos = v->pos;
}

static void read_http_port(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	(void)load_port(l, v, &l->cfg->http_port);
}

static void read_http(struct loading *l, const struct yaml *v, void *into)
{
	static const struct load_key keys[] = { { "root", read_http_root },
		{ "port", read_http_port } };

	(void)load_map(l, v, "http", keys, ARRAY_LEN(keys), into);
}

static void read_unknown(struct loading *l, const struct yaml *v, void *into)
{
	static const char *const words[] = { "boot", "register", "ignore" };
	unsigned word;

	(void)into;
	if (load_word(l, v, words, ARRAY_LEN(words), &word))
		l->cfg->unknown = (enum unknown_policy)word;
}

static void read_root(struct loading *l, const struct yaml *root)
{
	static const struct load_key keys[] = {
		{ "networks", read_nothing },
		{ "state_dir", read_state_dir },
		{ "control", read_control },
		{ "tftp", read_tftp },
		{ "http", read_http },
		{ "https", load_https },
		{ "loaders", load_loaders },
		{ "images", load_images },
		{ "boot_api", load_boot_api },
		{ "templates", load_templates },
		{ "profiles", read_nothing },
		{ "machines", read_nothing },
		{ "rules", read_nothing },
		{ "default_profile", read_nothing },
		{ "unknown", read_unknown },
	};
	const struct yaml *v;

	if (!load_map(l, root, "the configuration", keys, ARRAY_LEN(keys), NULL))
		return;
	/* Machines need networks and profiles, rules need profiles. */
	if ((v = yaml_find(root, "networks")))
		load_networks(l, v);
	if ((v = yaml_find(root, "profiles")))
		load_profiles(l, v);
	if ((v = yaml_find(root, "machines")))
		load_machines(l, v);
	if ((v = yaml_find(root, "rules")))
		load_rules(l, v);
	if ((v = yaml_find(root, "default_profile")))
		l->cfg->default_profile = load_profile_ref(l, v);
}

int config_load_partly(const char *file, struct span source, struct config_errors *errs,
	struct config **ret_config)
{
	struct loading l = { .errs = errs };
	struct yaml *root = NULL;
	int r = config_new(&l.cfg);

	if (r < 0)
		return r;
	l.arena = &l.cfg->arena;
	arena_init(&l.scratch, 0);
	if (file) {
		l.cfg->file = arena_strdup(l.arena, span_str(file));
		l.no_memory = !l.cfg->file;
	}
	r = config_yaml_parse(source, &l.scratch, errs, &root);
	if (r == 0 && root)
		read_root(&l, root);
	arena_free(&l.scratch);
	config_errors_sort(errs);
	if (l.no_memory || errs->failed)
		r = -ENOMEM;
	if (r < 0) {
		config_free(l.cfg);
		return r;
	}
	*ret_config = l.cfg;
	return 0;
}

int config_load(const char *file, struct span source, struct config_errors *errs,
	struct config **ret_config)
{
	size_t errors_before = errs->n;
	struct config *cfg;
	int r = config_load_partly(file, source, errs, &cfg);

	if (r < 0)
		return r;
	if (errs->n > errors_before) {
		config_free(cfg);
		return -EINVAL;
	}
	*ret_config = cfg;
	return 0;
}
