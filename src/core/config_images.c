/* `images:`, and the files of profiles that lie elsewhere: we fetch them, keep them,
 * and serve them by names of our own. */
#include "core/config_load_impl.h"
#include "core/url.h"

static void read_dir(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	l->cfg->images.dir = load_absolute_path(l, v);
}

static void read_ca(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	l->cfg->images.ca = load_absolute_path(l, v);
	l->cfg->images.ca_pos = v->pos;
}

/* 500M, 10G, 1T; a number alone is none of octets or of anything else. */
static bool parse_size(struct span s, uint64_t *ret)
{
	static const char units[] = "MGT";
	const char *unit = s.n > 1 && s.p[s.n - 1] ? strchr(units, s.p[s.n - 1]) : NULL;
	uint64_t n = 0;

	if (!unit || s.n > 8)
		return false;
	for (size_t i = 0; i + 1 < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = n << (20 + 10 * (unit - units));
	return n > 0;
}

static void read_limit(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	if (v->kind != YAML_SCALAR || !parse_size(v->text, &l->cfg->images.limit))
		load_unexpected(l, v, "a size such as 500M, 10G or 1T");
}

void load_images(struct loading *l, const struct yaml *v, void *unused)
{
	static const struct load_key keys[] = { { "dir", read_dir }, { "limit", read_limit },
		{ "ca", read_ca } };

	(void)load_map(l, v, "images", keys, ARRAY_LEN(keys), unused);
}

/* --- a file that lies elsewhere --- */

static void read_url(struct loading *l, const struct yaml *v, void *into)
{
	struct file_ref *f = into;

	if (v->kind == YAML_SCALAR && url_is_http(v->text))
		f->upstream = load_text(l, v, "a URL");
	else
		load_unexpected(
			l, v, "a URL such as https://server/path (http or https, no blanks)");
}

static void read_sha256(struct loading *l, const struct yaml *v, void *into)
{
	struct file_ref *f = into;

	f->has_sha256 = v->kind == YAML_SCALAR && sha256_parse(v->text, &f->sha256) == 0;
	if (!f->has_sha256)
		load_unexpected(l, v, "a SHA-256, 64 hexadecimal digits");
}

bool load_upstream(struct loading *l, const struct yaml *v, const char *name, struct file_ref *ret)
{
	static const struct load_key keys[] = { { "url", read_url }, { "sha256", read_sha256 } };
	struct file_ref f = { .path = name, .pos = v->pos };

	if (v->kind != YAML_MAP)
		read_url(l, v, &f);
	else if (load_map(l, v, "a file that is fetched", keys, ARRAY_LEN(keys), &f) &&
		!yaml_find(v, "url"))
		config_error_add(l->errs, v->pos, "this file has no url");
	if (!f.upstream)
		return false;
	*ret = f;
	return true;
}
