/* Pixiecore's JSON, read. */
#include "app/boot_api_answer.h"

#include "base/escape.h"
#include "base/text.h"
#include "core/url.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#define INITRDS_MAX 64u
#define URLS_MAX    16u /* of a command line */

struct reading {
	struct span api, http_root;
	const char *prefix;
	struct boot_api_answer *answer;
	char *why;
};

static int refuse(struct reading *r, const char *fmt, ...) PRINTF(2, 3);
static int refuse(struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->why, BOOT_API_WHY_MAX, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

/* With a text of the API's, made harmless. */
static int refuse_text(struct reading *r, const char *what, struct span text, const char *why)
{
	struct text shown = { 0 };
	int e;

	escape_log(&shown, text, 80);
	e = refuse(r, "%s %s %s", what, text_str(&shown), why);
	text_free(&shown);
	return e;
}

static struct span string_of(const json_t *j)
{
	return (struct span){ (const uint8_t *)json_string_value(j), json_string_length(j) };
}

static int keep(struct reading *r, struct span s, const char **ret)
{
	*ret = arena_strdup(&r->answer->arena, s);
	return *ret ? 0 : -ENOMEM;
}

/* --- URLs --- */

/* file:///srv/http/debian/linux: a path below the root, which iPXE asks us for. */
static int read_file_url(struct reading *r, struct span path, struct file_ref *ret)
{
	struct span below = span_has_prefix(path, r->http_root) ? span_skip(path, r->http_root.n)
								: SPAN_NONE;
	bool in_root = below.n > 0 && below.p[0] == '/' && !memmem(below.p, below.n, "/..", 3);

	while (below.n > 0 && below.p[0] == '/')
		below = span_skip(below, 1);
	if (!in_root || below.n == 0)
		return refuse_text(
			r, "the file", path, "is not below http.root, and nothing else is served");
	*ret = (struct file_ref){ 0 };
	return keep(r, below, &ret->path);
}

/* part: what machines find it as. */
static int read_url(struct reading *r, struct span s, const char *part, struct file_ref *ret)
{
	const struct span file = SPAN_LIT("file://");
	struct text url = { 0 };
	int e;

	if (span_has_prefix(s, file))
		return read_file_url(r, span_skip(s, file.n), ret);
	*ret = (struct file_ref){ .path = arena_printf(
					  &r->answer->arena, "%s/%s", r->prefix, part) };
	if (!ret->path)
		return -ENOMEM;
	if (!url_resolve(r->api, s, &url))
		e = url.failed
			? -ENOMEM
			: refuse_text(r, "the URL", s,
				  "is none of http, https or file, nor a path of the API's server");
	else
		e = keep(r, text_span(&url), &ret->upstream);
	text_free(&url);
	return e;
}

static int read_kernel(struct reading *r, const json_t *j)
{
	if (!json_is_string(j))
		return refuse(r, "\"kernel\" is %s: it must be the URL of a kernel",
			j ? "no text" : "missing");
	return read_url(r, string_of(j), "kernel", &r->answer->profile.kernel);
}

static int read_initrds(struct reading *r, const json_t *j)
{
	struct profile *p = &r->answer->profile;
	size_t n = json_array_size(j);
	struct file_ref *list;
	int e = 0;

	if (!j || json_is_null(j))
		return 0;
	if (!json_is_array(j) || n > INITRDS_MAX)
		return refuse(r, "\"initrd\" must be a list of at most %u URLs", INITRDS_MAX);
	list = arena_alloc(&r->answer->arena, (n + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; e == 0 && i < n; i++) {
		const json_t *item = json_array_get(j, i);
		char part[32];

		(void)snprintf(part, sizeof(part), "initrd%zu", i);
		e = json_is_string(item)
			? read_url(r, string_of(item), part, &list[i])
			: refuse(r,
				  "\"initrd\" must be a list of URLs, and its item %zu is no text",
				  i);
	}
	p->initrds = list;
	p->n_initrds = n;
	return e;
}

/* --- the command line --- */

/* What the machine is told for a URL.  Our own address is the variable {{http}}: it
 * depends on who asks. */
static int add_url(struct reading *r, struct span s, struct text *out)
{
	struct boot_api_answer *a = r->answer;
	struct file_ref *f = &a->urls[a->n_urls];
	char part[32];
	int e;

	if (a->n_urls == URLS_MAX)
		return refuse(r, "\"cmdline\" has more than %u URLs", URLS_MAX);
	(void)snprintf(part, sizeof(part), "url%zu", a->n_urls);
	e = read_url(r, s, part, f);
	if (e < 0)
		return e;
	a->n_urls += f->upstream != NULL;
	text_adds(out, "{{http}}/");
	escape_url_path(out, span_str(f->path));
	return 0;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Of Go's templates, the one word that Pixiecore gives them: URL "…". */
static int add_action(struct reading *r, struct span action, struct text *out)
{
	const struct span word = SPAN_LIT("URL");
	struct span s = trim(action), argument;

	if (span_has_prefix(s, word)) {
		argument = trim(span_skip(s, word.n));
		if (argument.n >= 2 && argument.p[0] == '"' && argument.p[argument.n - 1] == '"' &&
			!memchr(argument.p + 1, '"', argument.n - 2) &&
			!memchr(argument.p, '\\', argument.n))
			return add_url(r, (struct span){ argument.p + 1, argument.n - 2 }, out);
	}
	return refuse_text(r, "in \"cmdline\",", action,
		"is no {{ URL \"...\" }}, and of templates only that is known");
}

/* Where needle begins in s, or s.n. */
static size_t find(struct span s, const char *needle)
{
	const uint8_t *p = s.n ? memmem(s.p, s.n, needle, 2) : NULL;

	return p ? (size_t)(p - s.p) : s.n;
}

/* What would be rendered once more here must not be in it. */
static int add_literal(struct reading *r, struct span s, struct text *out)
{
	if (find(s, "{{") < s.n)
		return refuse(r, "\"cmdline\" has a {{ where templates are not taken");
	text_add(out, s);
	return 0;
}

static int add_template(struct reading *r, struct span s, struct text *out)
{
	for (;;) {
		size_t open = find(s, "{{"), close;
		int e;

		text_add(out, (struct span){ s.p, open });
		if (open == s.n)
			return 0;
		s = span_skip(s, open + 2);
		close = find(s, "}}");
		if (close == s.n)
			return refuse(r, "in \"cmdline\", {{ is never closed");
		e = add_action(r, (struct span){ s.p, close }, out);
		if (e < 0)
			return e;
		s = span_skip(s, close + 2);
	}
}

static int add_parameter(struct reading *r, const char *key, const json_t *value, struct text *out)
{
	const json_t *url = json_object_get(value, "url");

	text_adds(out, out->n ? " " : "");
	if (add_literal(r, span_str(key), out) < 0)
		return -EBADMSG;
	if (json_is_true(value))
		return 0;
	text_addc(out, '=');
	if (json_is_string(value))
		return add_literal(r, string_of(value), out);
	if (json_is_string(url))
		return add_url(r, string_of(url), out);
	return refuse(
		r, "a value in \"cmdline\" is neither a text, nor true, nor {\"url\": \"...\"}");
}

static int keep_cmdline(struct reading *r, struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] < ' ' || line.p[i] == 0x7f)
			return refuse(r,
				"\"cmdline\" has a control character, and a command line is one line");
	return keep(r, line, &r->answer->profile.cmdline);
}

static int read_cmdline(struct reading *r, json_t *j)
{
	struct text line = { 0 };
	const char *key;
	json_t *value;
	int e = 0;

	if (json_is_string(j)) {
		e = add_template(r, string_of(j), &line);
	} else if (json_is_object(j)) {
		json_object_foreach(j, key, value) if (e == 0)
			e = add_parameter(r, key, value, &line);
	} else if (j && !json_is_null(j)) {
		e = refuse(r, "\"cmdline\" is neither a text nor an object");
	}
	if (e == 0 && line.failed)
		e = -ENOMEM;
	if (e == 0)
		e = keep_cmdline(r, text_span(&line));
	text_free(&line);
	return e;
}

static int read_message(struct reading *r, const json_t *j)
{
	if (!j || json_is_null(j))
		return 0;
	if (!json_is_string(j))
		return refuse(r, "\"message\" is no text");
	return keep(r, string_of(j), &r->answer->profile.message);
}

static int read_answer(struct reading *r, json_t *j)
{
	const json_t *script = json_object_get(j, "ipxe-script");
	int e;

	if (!json_is_object(j))
		return refuse(r, "it is no JSON object");
	if (json_is_string(script) && json_string_length(script) > 0)
		return keep(r, string_of(script), &r->answer->script);
	e = read_kernel(r, json_object_get(j, "kernel"));
	if (e == 0)
		e = read_initrds(r, json_object_get(j, "initrd"));
	if (e == 0)
		e = read_cmdline(r, json_object_get(j, "cmdline"));
	return e == 0 ? read_message(r, json_object_get(j, "message")) : e;
}

int boot_api_answer_read(struct span json, const char *api, const char *http_root,
	const char *prefix, struct boot_api_answer *ret, char ret_why[static BOOT_API_WHY_MAX])
{
	struct boot_api_answer answer = {
		.profile = { .name = "boot_api", .kind = PROFILE_KERNEL, .cmdline = "" }
	};
	struct reading r = { .api = span_str(api),
		.http_root = span_str(http_root),
		.prefix = prefix,
		.answer = &answer,
		.why = ret_why };
	json_error_t error;
	json_t *j = json_loadb((const char *)json.p, json.n, JSON_REJECT_DUPLICATES, &error);
	int e;

	arena_init(&answer.arena, 0);
	answer.urls = arena_alloc(&answer.arena, (URLS_MAX + 1) * sizeof(*answer.urls));
	if (!answer.urls)
		e = -ENOMEM;
	else
		e = j ? read_answer(&r, j)
		      : refuse_text(&r, "it is no JSON:", span_str(error.text), "");
	json_decref(j);
	if (e < 0) {
		arena_free(&answer.arena);
		return e;
	}
	*ret = answer;
	return 0;
}

void boot_api_answer_free(struct boot_api_answer *a)
{
	arena_free(&a->arena);
	*a = (struct boot_api_answer){ .script = NULL };
}

static const struct file_ref *numbered(
	const struct file_ref *list, size_t n, const char *name, struct span part)
{
	char own[32];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(own, sizeof(own), "%s%zu", name, i);
		if (span_eq(part, span_str(own)))
			return &list[i];
	}
	return NULL;
}

const struct file_ref *boot_api_answer_file(
	const struct boot_api_answer *a, struct span part, bool *ret_private)
{
	const struct file_ref *url = numbered(a->urls, a->n_urls, "url", part);
	const struct file_ref *f = span_eq(part, SPAN_LIT("kernel"))
		? &a->profile.kernel
		: numbered(a->profile.initrds, a->profile.n_initrds, "initrd", part);

	*ret_private = url != NULL;
	return url ? url : f && f->path ? f : NULL;
}
