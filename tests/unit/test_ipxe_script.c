/* iPXE scripts: golden texts under vectors/ipxe, and what a stranger cannot do to them. */
#include "base/escape.h"
#include "core/ipxe_script.h"

#include <errno.h>

#include "loader_fixture.h"

#define URL "http://172.24.0.1/machines/52-54-00-12-34-56/boot.ipxe"

/* What a template of the user's own may say of a machine. */
#define ALL_VARS                                                                                       \
	"#!ipxe\n{{! everything }}\necho {{name}} {{mac}} {{address}} {{uuid}} {{arch}} {{hostname}} " \
	"{{server}} {{http}}\necho ${net0/mac} {{{hostname}}} {{&hostname}} {{{name}}}\n"

static const struct {
	const char *golden;
	struct profile profile;
	const char *template; /* instead of the profile */
	const struct facts *facts;
	const struct machine *machine;
} vectors[] = {
	{ "ipxe/kernel.ipxe",
		KERNEL(.cmdline = "console=ttyS0", .initrds = initrds, .n_initrds = 1), NULL, &good,
		&web1 },
	{ "ipxe/kernel-alone.ipxe", KERNEL(.cmdline = ""), NULL, &good, NULL },
	{ "ipxe/kernel-url-three-initrds.ipxe",
		{ .name = "net",
			.kind = PROFILE_KERNEL,
			.kernel = { .path = "http://192.0.2.1/linux?a=1", .is_url = true },
			.cmdline = "root={{vars.disk}} note={{vars.note}} host={{hostname}}",
			.initrds = initrds,
			.n_initrds = 3 },
		NULL, &good, &web1 },
	{ "ipxe/kernel-block-cmdline.ipxe", KERNEL(.cmdline = "console=ttyS0\nquiet\r\n"), NULL,
		&good, NULL },
	{ "ipxe/kernel-hostile.ipxe",
		KERNEL(.cmdline = "host={{hostname}} raw={{{hostname}}} mac={{mac}}"), NULL,
		&hostile, NULL },
	{ "ipxe/kernel-unknown-machine.ipxe", KERNEL(.cmdline = "mac={{mac}} uuid={{uuid}}"), NULL,
		&unknown, NULL },
	{ "ipxe/local.ipxe", { .name = "local", .kind = PROFILE_LOCAL, .cmdline = "" }, NULL, &good,
		NULL },
	{ "ipxe/template.ipxe", { .name = NULL }, ALL_VARS "set disk {{vars.disk}}\n", &good,
		&web1 },
	{ "ipxe/template-no-machine.ipxe", { .name = NULL }, ALL_VARS, &good, NULL },
	{ "ipxe/template-hostile.ipxe", { .name = NULL }, ALL_VARS, &hostile, NULL },
	{ "ipxe/template-unknown-machine.ipxe", { .name = NULL }, ALL_VARS, &unknown, NULL },
};

static void renders_as_the_golden_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct machine_vars v = fixture_vars(vectors[i].facts, vectors[i].machine, URL);
		struct template_error error = { 0 };
		struct text out = { 0 };
		int r = vectors[i].template
			? machine_vars_render(
				  span_str(vectors[i].template), &v, escape_ipxe, &out, &error)
			: ipxe_script_profile(&vectors[i].profile, &v, &out, &error);

		if (r != 0)
			fail_msg("%s: %d, %s", vectors[i].golden, r, error.message);
		golden_compare(vectors[i].golden, &out);
		text_free(&out);
	}
}

static void a_failed_boot_says_why_and_tries_again(void **state)
{
	struct text out = { 0 };

	(void)state;
	ipxe_script_retry("no profile; ${x} & \"y\" | #z\nshell\x7f\xe2\x80\xa6", URL, &out);
	golden_compare("ipxe/retry.ipxe", &out);
	text_free(&out);
}

static void names_the_wrong_variable(void **state)
{
	struct machine_vars v = fixture_vars(&good, &web1, URL);
	struct template_error error = { 0 };
	struct text out = { 0 };

	(void)state;
	fixture_names_the_wrong_variable(URL, ipxe_script_profile);
	assert_int_equal(
		machine_vars_render(SPAN_LIT("{{vars.dis}}"), &v, escape_ipxe, &out, &error),
		-EINVAL);
	text_free(&out);
}

/* A configuration is checked before there is a machine: any vars.NAME may come. */
static void checks_a_template_beforehand(void **state)
{
	struct template_error error = { 0 };

	(void)state;
	assert_int_equal(
		machine_vars_check(SPAN_LIT(ALL_VARS "{{vars.disk}}{{ vars.x }}"), &error), 0);
	assert_int_equal(machine_vars_check(SPAN_LIT("a\n{{host}}"), &error), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_int_equal(machine_vars_check(SPAN_LIT("{{vars.}}"), &error), -EINVAL);
	assert_int_equal(machine_vars_check(SPAN_LIT("{{#vars}}"), &error), -EINVAL);
}

static void says_when_memory_is_out(void **state)
{
	struct machine_vars v = fixture_vars(&good, &web1, URL);
	struct template_error error = { 0 };
	struct text out = { .failed = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		if (!vectors[i].template)
			assert_int_equal(ipxe_script_profile(&vectors[i].profile, &v, &out, &error),
				-ENOMEM);
}

/* S-11 */
static void no_client_adds_a_line_or_an_expansion(void **state)
{
	(void)state;
	fixture_no_name_breaks_out(ipxe_script_profile, URL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renders_as_the_golden_scripts),
		cmocka_unit_test(a_failed_boot_says_why_and_tries_again),
		cmocka_unit_test(names_the_wrong_variable),
		cmocka_unit_test(checks_a_template_beforehand),
		cmocka_unit_test(says_when_memory_is_out),
		cmocka_unit_test(no_client_adds_a_line_or_an_expansion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
