/* iPXE scripts: golden texts under vectors/ipxe, and what a stranger cannot do to them. */
#include "base/escape.h"
#include "core/ipxe_script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define URL "http://172.24.0.1/machines/52-54-00-12-34-56/boot.ipxe"

static const struct file_ref initrds[] = { { .path = "debian/initrd.gz" }, { .path = "a b/initrd.gz" },
	{ .path = "https://192.0.2.1/firmware.cpio.gz", .is_url = true } };
static const struct var vars[] = { { "disk", "/dev/vda" }, { "note", "a b && ${c}" } };
static const struct machine web1 = { .name = "web1", .vars = vars, .n_vars = ARRAY_LEN(vars) };

static const struct facts good = {
	.client = CLIENT_IPXE, .has_arch = true, .arch_number = 7, .arch = ARCH_X64, .has_mac = true,
	.mac = { { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } }, .has_uuid = true, .uuid = { { 0x44, 0x45, 0x4c, 0x4c, 1 } },
	.hostname = { (const uint8_t *)"pc7", 3 },
};
#define HOSTILE "x\n#!ipxe\r\nshell || ${net0/mac} \"'`;&\0\xff"
static const struct facts hostile = {
	.client = CLIENT_IPXE, .has_mac = true, .mac = { { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } },
	.hostname = { (const uint8_t *)HOSTILE, sizeof(HOSTILE) - 1 },
};
static const struct facts unknown = { .client = CLIENT_IPXE };

#define KERNEL(...) { .name = "debian", .kind = PROFILE_KERNEL, .kernel = { .path = "debian/linux" }, __VA_ARGS__ }

/* What a template of the user's own may say of a machine. */
#define ALL_VARS "#!ipxe\n{{! everything }}\necho {{name}} {{mac}} {{address}} {{uuid}} {{arch}} {{hostname}} " \
	"{{server}} {{http}}\necho ${net0/mac} {{{hostname}}} {{&hostname}} {{{name}}}\n"

static const struct {
	const char *golden;
	struct profile profile;
	const char *template; /* instead of the profile */
	const struct facts *facts;
	const struct machine *machine;
} vectors[] = {
	{ "kernel.ipxe", KERNEL(.cmdline = "console=ttyS0", .initrds = initrds, .n_initrds = 1), NULL, &good, &web1 },
	{ "kernel-alone.ipxe", KERNEL(.cmdline = ""), NULL, &good, NULL },
	{ "kernel-url-three-initrds.ipxe", { .name = "net", .kind = PROFILE_KERNEL,
		.kernel = { .path = "http://192.0.2.1/linux?a=1", .is_url = true },
		.cmdline = "root={{vars.disk}} note={{vars.note}} host={{hostname}}", .initrds = initrds,
		.n_initrds = 3 }, NULL, &good, &web1 },
	{ "kernel-block-cmdline.ipxe", KERNEL(.cmdline = "console=ttyS0\nquiet\r\n"), NULL, &good, NULL },
	{ "kernel-hostile.ipxe", KERNEL(.cmdline = "host={{hostname}} raw={{{hostname}}} mac={{mac}}"), NULL,
		&hostile, NULL },
	{ "kernel-unknown-machine.ipxe", KERNEL(.cmdline = "mac={{mac}} uuid={{uuid}}"), NULL, &unknown, NULL },
	{ "local.ipxe", { .name = "local", .kind = PROFILE_LOCAL, .cmdline = "" }, NULL, &good, NULL },
	{ "template.ipxe", { .name = NULL }, ALL_VARS "set disk {{vars.disk}}\n", &good, &web1 },
	{ "template-no-machine.ipxe", { .name = NULL }, ALL_VARS, &good, NULL },
	{ "template-hostile.ipxe", { .name = NULL }, ALL_VARS, &hostile, NULL },
	{ "template-unknown-machine.ipxe", { .name = NULL }, ALL_VARS, &unknown, NULL },
};

static struct machine_vars machine_vars(const struct facts *f, const struct machine *m)
{
	return (struct machine_vars){ .facts = f, .machine = m, .address = { f->has_mac ? 0xac182001 : 0 },
		.server = { 0xac180001 }, .base = { "http://172.24.0.1" }, .url = URL };
}

/* With BOOTSMITH_BLESS set, the texts as they are now become the golden ones. */
static void compare(const char *golden, const struct text *is)
{
	char path[1024], should[8192];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), VECTORS_DIR "/ipxe/%s", golden);
	if (getenv("BOOTSMITH_BLESS")) {
		f = fopen(path, "we");
		assert_non_null(f);
		(void)fwrite(is->p, 1, is->n, f);
		(void)fclose(f);
	}
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s is missing", path);
	n = fread(should, 1, sizeof(should) - 1, f);
	(void)fclose(f);
	should[n] = '\0';
	if (n != is->n || memcmp(should, is->p, n) != 0)
		fail_msg("%s:\n%s\nexpected:\n%s", golden, text_str(is), should);
}

static void renders_as_the_golden_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct machine_vars v = machine_vars(vectors[i].facts, vectors[i].machine);
		struct template_error error = { 0 };
		struct text out = { 0 };
		int r = vectors[i].template
			? machine_vars_render(span_str(vectors[i].template), &v, escape_ipxe, &out, &error)
			: ipxe_script_profile(&vectors[i].profile, &v, &out, &error);

		if (r != 0)
			fail_msg("%s: %d, %s", vectors[i].golden, r, error.message);
		compare(vectors[i].golden, &out);
		text_free(&out);
	}
}

static void a_failed_boot_says_why_and_tries_again(void **state)
{
	struct text out = { 0 };

	(void)state;
	ipxe_script_retry("no profile; ${x} & \"y\" | #z\nshell\x7f\xe2\x80\xa6", URL, &out);
	compare("retry.ipxe", &out);
	text_free(&out);
}

static void names_the_wrong_variable(void **state)
{
	struct machine_vars v = machine_vars(&good, NULL);
	const struct profile p = KERNEL(.cmdline = "a\nb={{vars.disk}}"); /* this machine has no vars */
	struct template_error error = { 0 };
	struct text out = { 0 };

	(void)state;
	assert_int_equal(ipxe_script_profile(&p, &v, &out, &error), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_non_null(strstr(error.message, "vars.disk"));
	text_reset(&out);
	v.machine = &web1;
	assert_int_equal(machine_vars_render(SPAN_LIT("{{vars.dis}}"), &v, escape_ipxe, &out, &error), -EINVAL);
	text_free(&out);
}

/* A configuration is checked before there is a machine: any vars.NAME may come. */
static void checks_a_template_beforehand(void **state)
{
	struct template_error error = { 0 };

	(void)state;
	assert_int_equal(machine_vars_check(SPAN_LIT(ALL_VARS "{{vars.disk}}{{ vars.x }}"), &error), 0);
	assert_int_equal(machine_vars_check(SPAN_LIT("a\n{{host}}"), &error), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_int_equal(machine_vars_check(SPAN_LIT("{{vars.}}"), &error), -EINVAL);
	assert_int_equal(machine_vars_check(SPAN_LIT("{{#vars}}"), &error), -EINVAL);
}

static void says_when_memory_is_out(void **state)
{
	struct machine_vars v = machine_vars(&good, &web1);
	struct template_error error = { 0 };
	struct text out = { .failed = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		if (!vectors[i].template)
			assert_int_equal(ipxe_script_profile(&vectors[i].profile, &v, &out, &error), -ENOMEM);
}

static size_t count(const struct text *t, const char *what)
{
	size_t n = 0;

	for (const char *p = text_str(t); (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* S-11: whatever octets a client calls itself by, the script has the lines, the
 * expansions, the commands and the words that it has for a harmless name. */
static void no_client_adds_a_line_or_an_expansion(void **state)
{
	static const char *const shapes[] = { "\n", "${", "||", "&&", ";", "#", "\"", "'", "`", "\\", "$", "{", "}",
		"{{mac}}", " ", "\t", "\r", "\v" };
	const struct profile p = KERNEL(.cmdline = "a={{hostname}} b={{{hostname}}} c={{& hostname }}");
	const char *again = getenv("BOOTSMITH_SEED"); /* to repeat a run */
	unsigned seed = again ? (unsigned)strtoul(again, NULL, 10) : (unsigned)getpid();

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned round = 0; round < 3000; round++) {
		uint8_t name[64];
		struct facts f = good, plain = good;
		struct wr w = wr_of(name, sizeof(name));
		struct machine_vars v = machine_vars(&f, NULL);
		struct template_error error = { 0 };
		struct text is = { 0 }, should = { 0 };

		while (!w.full && rand() % 12)
			wr_span(&w, rand() % 2 ? span_str(shapes[(size_t)rand() % ARRAY_LEN(shapes)])
					      : (struct span){ &(uint8_t){ (uint8_t)rand() }, 1 });
		f.hostname = wr_done(&w);
		plain.hostname = SPAN_LIT("x");
		assert_int_equal(ipxe_script_profile(&p, &v, &is, &error), 0);
		v.facts = &plain;
		assert_int_equal(ipxe_script_profile(&p, &v, &should, &error), 0);
		for (size_t i = 0; i < 12; i++)
			if (count(&is, shapes[i]) != count(&should, shapes[i]))
				fail_msg("seed %u: \"%s\" got in:\n%s", seed, shapes[i], text_str(&is));
		if (count(&is, " ") != count(&should, " ") || strlen(is.p) != is.n)
			fail_msg("seed %u: blanks or NUL got in:\n%s", seed, text_str(&is));
		text_free(&is);
		text_free(&should);
	}
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
