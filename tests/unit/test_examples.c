/* The templates of examples/, rendered for the machines of examples/installers.yaml:
 * golden texts under vectors/templates, which are what their language says they are. */
#include "app/config_files.h"
#include "app/template_files.h"
#include "core/machine_vars.h"
#include "core/text_kind.h"
#include "edge/files.h"
#include "golden.h"

#include <errno.h>
#include <jansson.h>
#include <libfyaml.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config *load(struct text *source)
{
	static const char path[] = EXAMPLES_DIR "/installers.yaml";
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;

	assert_int_equal(config_files_read(path, &errs, source), 0);
	if (config_load(path, text_span(source), &errs, &cfg) < 0)
		fail_msg("%s", errs.n ? errs.list[0].message : "no configuration");
	return cfg;
}

static void is_what_its_name_says(const char *file, const struct text *t)
{
	const char *kind = text_kind_of(span_str(file))->name;

	if (strcmp(kind, "JSON") == 0) {
		json_error_t error;
		json_t *j = json_loads(text_str(t), 0, &error);

		if (!j)
			fail_msg("%s, line %d: %s", file, error.line, error.text);
		json_decref(j);
	} else if (strcmp(kind, "YAML") == 0) {
		struct fy_document *doc = fy_document_build_from_string(NULL, t->p, t->n);

		if (!doc)
			fail_msg("%s is no YAML:\n%s", file, text_str(t));
		fy_document_destroy(doc);
	}
}

static void render(
	const struct config *cfg, int root, const struct machine *m, const struct profile_file *f)
{
	const struct text_kind *kind = text_kind_of(span_str(f->name));
	const struct facts facts = { .client = CLIENT_IPXE, .has_mac = true, .mac = m->mac };
	const struct machine_vars vars = {
		.facts = &facts,
		.machine = m,
		.profile = m->profile,
		.address = { 0xac182001 },
		.server = { 0xac180001 },
		.base = { "http://172.24.0.1" },
		.installed_url = "http://172.24.0.1/machines/52-54-00-12-34-56/installed?token=00ff"
	};
	struct template_files files = { .dirfd = root };
	const struct template_sink sink = { kind->stranger, kind->own, template_files_read,
		&files };
	struct template_error error = { 0 };
	struct text out = { 0 };
	struct span source;
	char golden[256];

	if (template_files_read(&files, span_str(f->source.path), &source) < 0)
		fail_msg("%s cannot be read", f->source.path);
	if (machine_vars_check_as(source, cfg, &sink, &error) < 0 ||
		machine_vars_render_as(source, &vars, &sink, &out, &error) < 0)
		fail_msg("%s %s, line %u: %s", f->source.path, error.partial, error.line,
			error.message);
	(void)snprintf(golden, sizeof(golden), "templates/%s-%s", m->name, f->name);
	golden_compare(golden, &out);
	is_what_its_name_says(f->name, &out);
	text_free(&out);
	template_files_free(&files);
}

static void examples_render(void **state)
{
	struct text source = { 0 };
	struct config *cfg = load(&source);
	size_t n = 0;
	int root;

	(void)state;
	assert_int_equal(files_open_root(EXAMPLES_DIR "/templates", &root), 0);
	for (size_t i = 0; i < cfg->n_machines; i++) {
		const struct machine *m = &cfg->machines[i];

		for (size_t j = 0; j < m->profile->n_files; j++, n++)
			render(cfg, root, m, &m->profile->files[j]);
	}
	assert_int_equal(n, 7);
	(void)close(root);
	config_free(cfg);
	text_free(&source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_render),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
