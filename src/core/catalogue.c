/* Reading a catalogue; see catalogue.h. */
#include "core/catalogue.h"

#include "core/config_load_impl.h"
#include "core/url.h"

#include <errno.h>

struct reading {
	struct catalogue *catalogue;
	struct catalogue_image *image;
	const char *base; /* of URLs that are not absolute, or NULL */
};

static const char *read_url(struct loading *l, const struct yaml *v, const struct reading *r)
{
	static const char expected[] =
		"a URL (http or https, no blanks), or where `base` is given what follows it";
	struct text url = { 0 };
	const char *copy = NULL;
	struct span s;
	bool good;

	if (!load_scalar(l, v, expected, &s))
		return NULL;
	good = r->base ? url_resolve(span_str(r->base), s, &url) : url_is_http(s);
	if (good)
		copy = arena_strdup(l->arena, r->base ? text_span(&url) : s);
	else
		load_unexpected(l, v, expected);
	l->no_memory = l->no_memory || (good && !copy);
	text_free(&url);
	return copy;
}

static void read_file_url(struct loading *l, const struct yaml *v, const struct reading *r,
	struct catalogue_file *file)
{
	file->url = read_url(l, v, r);
	if (!file->url)
		return;
	file->name = arena_strdup(l->arena, url_file_name(span_str(file->url)));
	if (!file->name)
		l->no_memory = true;
	else
		(void)load_check_name(
			l, span_str(file->name), v->pos, "a file (the last part of the URL)");
	if (file->name && file->name[0] == '.')
		config_error_add(l->errs, v->pos, "the name of a file must not begin with a dot");
}

struct file_reading {
	const struct reading *r;
	struct catalogue_file *file;
};

static void read_map_url(struct loading *l, const struct yaml *v, void *into)
{
	struct file_reading *f = into;

	read_file_url(l, v, f->r, f->file);
}

static void read_map_sha256(struct loading *l, const struct yaml *v, void *into)
{
	struct file_reading *f = into;

	f->file->has_sha256 = v->kind == YAML_SCALAR &&
		sha256_parse(v->text, &f->file->sha256) == 0;
	if (!f->file->has_sha256)
		load_unexpected(l, v, "a SHA-256, 64 hexadecimal digits");
}

/* A URL, or {url: URL, sha256: HEX}. */
static void read_file(struct loading *l, const struct yaml *v, const struct reading *r,
	struct catalogue_file *file)
{
	static const struct load_key keys[] = { { "url", read_map_url },
		{ "sha256", read_map_sha256 } };
	struct file_reading f = { r, file };

	if (v->kind != YAML_MAP)
		read_file_url(l, v, r, file);
	else if (load_map(l, v, "a file", keys, ARRAY_LEN(keys), &f) && !yaml_find(v, "url"))
		config_error_add(l->errs, v->pos, "this file has no url");
}

static void read_nothing(struct loading *l, const struct yaml *v, void *into)
{
	(void)l;
	(void)v;
	(void)into;
}

static void read_title(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	const char *title = load_text(l, v, "what it is, such as Debian 12 installer");

	r->image->title = title ? title : "";
}

static void read_arch(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	if (v->kind != YAML_SCALAR || arch_parse(v->text, &r->image->arch) < 0)
		load_unexpected(l, v, "an architecture: bios, ia32, x64, arm32 or arm64");
}

static void read_kernel(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	read_file(l, v, r, &r->image->kernel);
}

static void read_initrd(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	bool one = v->kind != YAML_LIST;
	size_t n = one ? 1 : v->n;

	if (n > CATALOGUE_INITRDS_MAX) {
		config_error_add(
			l->errs, v->pos, "an image has at most %u initrds", CATALOGUE_INITRDS_MAX);
		return;
	}
	r->image->initrds = LOAD_ARRAY(l, struct catalogue_file, n);
	if (!r->image->initrds)
		return;
	for (const struct yaml *i = one ? v : v->first; i; i = one ? NULL : i->next)
		read_file(l, i, r, &r->image->initrds[r->image->n_initrds++]);
}

static void read_sums(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	if (yaml_count(v) > CATALOGUE_SUMS_MAX) {
		config_error_add(l->errs, v->pos, "a chain of sums has at most %u lists",
			CATALOGUE_SUMS_MAX);
		return;
	}
	for (const struct yaml *i = yaml_first(v); i; i = yaml_after(v, i))
		r->image->sums[r->image->n_sums++] = read_url(l, i, r);
}

static void read_signature(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->image->signature = read_url(l, v, r);
}

static void read_keyring(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->image->keyring = load_absolute_path(l, v);
}

static void read_cmdline(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	const char *cmdline = load_text(l, v, "the kernel's command line");

	r->image->cmdline = cmdline ? cmdline : "";
}

static const struct load_key image_keys[] = {
	{ "kernel", read_kernel },
	{ "initrd", read_initrd },
	{ "title", read_title },
	{ "arch", read_arch },
	{ "base", read_nothing }, /* before the others */
	{ "sums", read_sums },
	{ "signature", read_signature },
	{ "keyring", read_keyring },
	{ "cmdline", read_cmdline },
};

static void check_proof(struct loading *l, const struct yaml *v,
	const struct catalogue_image *image, const struct catalogue_file *file)
{
	struct span name;

	if (!file->url || file->has_sha256)
		return;
	if (image->n_sums == 0)
		config_error_add(l->errs, v->key_pos,
			"nothing proves %s: give it a sha256, or the image sums", file->url);
	else if (image->sums[image->n_sums - 1] &&
		!sums_name_of(image->sums[image->n_sums - 1], file->url, &name))
		config_error_add(l->errs, v->key_pos,
			"%s does not lie below the directory of %s, which is to list it", file->url,
			image->sums[image->n_sums - 1]);
}

/* Two files of one name would replace each other. */
static void check_names(
	struct loading *l, const struct yaml *v, const struct catalogue_image *image)
{
	for (size_t i = 0; i < image->n_initrds; i++) {
		const char *name = image->initrds[i].name;
		bool twice = name && image->kernel.name && strcmp(name, image->kernel.name) == 0;

		for (size_t k = 0; name && !twice && k < i; k++)
			twice = image->initrds[k].name && strcmp(name, image->initrds[k].name) == 0;
		if (twice)
			config_error_add(
				l->errs, v->key_pos, "two of its files are called %s", name);
	}
}

static void check_image(
	struct loading *l, const struct yaml *v, const struct catalogue_image *image)
{
	struct span name;

	if (!yaml_find(v, "kernel"))
		config_error_add(l->errs, v->key_pos, "this image has no kernel");
	check_proof(l, v, image, &image->kernel);
	for (size_t i = 0; i < image->n_initrds; i++)
		check_proof(l, v, image, &image->initrds[i]);
	for (size_t i = 1; i < image->n_sums; i++)
		if (image->sums[i] && image->sums[i - 1] &&
			!sums_name_of(image->sums[i - 1], image->sums[i], &name))
			config_error_add(l->errs, v->key_pos,
				"%s does not lie below the directory of %s, which is to list it",
				image->sums[i], image->sums[i - 1]);
	if (image->keyring && image->n_sums == 0)
		config_error_add(
			l->errs, v->key_pos, "a keyring proves sums, and this image has none");
	if (image->n_sums > 0 && image->sums[0] && !image->keyring &&
		!url_is_https(span_str(image->sums[0])))
		config_error_add(l->errs, v->key_pos,
			"%s comes by http, and no keyring says who must have signed it: it would prove nothing",
			image->sums[0]);
	if (image->signature && !image->keyring)
		config_error_add(
			l->errs, v->key_pos, "a signature proves nothing without a keyring");
	check_names(l, v, image);
}

static void read_images(struct loading *l, const struct yaml *v, void *into)
{
	struct catalogue *c = into;

	if (v->kind != YAML_MAP) {
		if (v->kind != YAML_NULL)
			load_unexpected(l, v, "a map of images by name");
		return;
	}
	c->images = LOAD_ARRAY(l, struct catalogue_image, v->n);
	if (!c->images)
		return;
	for (const struct yaml *i = v->first; i; i = i->next) {
		struct catalogue_image *image = &c->images[c->n_images++];
		struct reading r = { .catalogue = c, .image = image };
		const struct yaml *base = i->kind == YAML_MAP ? yaml_find(i, "base") : NULL;

		*image = (struct catalogue_image){
			.title = "", .cmdline = "", .arch = ARCH_X64, .pos = i->key_pos
		};
		image->name = arena_strdup(l->arena, i->key);
		l->no_memory = l->no_memory || !image->name;
		(void)load_check_name(l, i->key, i->key_pos, "an image");
		if (span_has_prefix(i->key, SPAN_LIT(".")))
			config_error_add(l->errs, i->key_pos,
				"the name of an image must not begin with a dot");
		if (base) {
			const struct reading absolute = { 0 };

			r.base = read_url(l, base, &absolute);
			if (!r.base)
				continue;
		}
		if (load_map(l, i, "an image", image_keys, ARRAY_LEN(image_keys), &r) &&
			i->kind == YAML_MAP)
			check_image(l, i, image);
	}
}

int catalogue_load(struct span source, struct config_errors *errs, struct catalogue *ret)
{
	static const struct load_key keys[] = { { "images", read_images } };
	struct catalogue c = { 0 };
	struct loading l = { .errs = errs };
	struct yaml *root = NULL;
	size_t errors_before = errs->n;
	int r;

	arena_init(&c.arena, 0);
	l.arena = &c.arena;
	arena_init(&l.scratch, 0);
	r = config_yaml_parse(source, &l.scratch, errs, &root);
	if (r == 0 && root)
		(void)load_map(&l, root, "the catalogue", keys, ARRAY_LEN(keys), &c);
	arena_free(&l.scratch);
	config_errors_sort(errs);
	if (r == 0)
		r = l.no_memory || errs->failed ? -ENOMEM : errs->n > errors_before ? -EINVAL : 0;
	if (r < 0) {
		arena_free(&c.arena);
		return r;
	}
	*ret = c;
	return 0;
}

void catalogue_free(struct catalogue *c)
{
	arena_free(&c->arena);
	*c = (struct catalogue){ 0 };
}

const struct catalogue_image *catalogue_find(
	const struct catalogue *c, const char *name, const char **ret_near)
{
	struct suggestion near = { .given = span_str(name) };

	for (size_t i = 0; i < c->n_images; i++) {
		if (strcmp(c->images[i].name, name) == 0)
			return &c->images[i];
		suggestion_offer(&near, c->images[i].name);
	}
	*ret_near = near.best;
	return NULL;
}
