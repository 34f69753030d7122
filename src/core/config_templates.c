/* Templates: where they lie, and the files that a profile's machines are given. */
#include "core/config_load_impl.h"
#include "core/locate.h"

static void read_root(struct loading *l, const struct yaml *v, void *into)
{
	const char *root = load_absolute_path(l, v);

	(void)into;
	if (!root)
		return;
	l->cfg->templates_root = root;
	l->cfg->templates_root_pos = v->pos;
}

void load_templates(struct loading *l, const struct yaml *v, void *unused)
{
	static const struct load_key keys[] = { { "root", read_root } };

	(void)load_map(l, v, "templates", keys, ARRAY_LEN(keys), unused);
}

static bool is_own(struct span name)
{
	return span_eq(name, SPAN_LIT(MACHINE_SCRIPT)) || span_eq(name, SPAN_LIT(MACHINE_IMAGE)) ||
		span_eq(name, SPAN_LIT(MACHINE_PHONE_HOME));
}

/* Steps of a URL that no client writes in another way. */
static bool is_file_name(struct span s)
{
	uint8_t before = '/';

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '_' || c == '-';

		if (!plain && before == '/')
			return false;
		if (!plain && c != '.' && c != '/')
			return false;
		before = c;
	}
	return s.n > 0 && before != '/';
}

void load_profile_files(struct loading *l, const struct yaml *v, struct profile *p)
{
	struct profile_file *files;

	if (v->kind != YAML_MAP) {
		if (v->kind != YAML_NULL)
			load_unexpected(l, v,
				"a map of names and templates such as {preseed.cfg: debian/preseed.cfg}");
		return;
	}
	files = LOAD_ARRAY(l, struct profile_file, v->n);
	for (const struct yaml *i = v->first; files && i; i = i->next) {
		struct profile_file *f = &files[p->n_files];

		if (!is_file_name(i->key)) {
			config_error_add(l->errs, i->key_pos,
				"`%.64s` cannot be a file's name: use letters, digits, _ and -, and . and / behind them",
				(const char *)i->key.p);
			continue;
		}
		if (is_own(i->key)) {
			config_error_add(l->errs, i->key_pos,
				"every machine has a file of ours called %.64s: take another name",
				(const char *)i->key.p);
			continue;
		}
		if (!load_file_ref(l, i, &f->source))
			continue;
		if (f->source.is_url) {
			config_error_add(l->errs, i->pos,
				"a template is rendered here, so it must be a file below templates.root, not a URL");
			continue;
		}
		f->name = arena_strdup(l->arena, i->key);
		l->no_memory = l->no_memory || !f->name;
		p->n_files++;
	}
	p->files = files;
}
