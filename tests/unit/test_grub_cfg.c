/* grub.cfg: golden texts under vectors/grub (tests/run has GRUB's own parser read them
 * too), and that nothing gets out of its quotes. */
#include "core/grub_cfg.h"

#include "loader_fixture.h"

#define URL     "(tftp,172.24.0.1)/grub/grub.cfg"
#define CMDLINE "root={{vars.disk}} note={{vars.note}} host={{hostname}}"

static const struct fixture_vector vectors[] = {
	{ "grub/kernel.cfg", KERNEL(.cmdline = "console=ttyS0", .initrds = initrds, .n_initrds = 1),
		&good, &web1, TRANSPORT_TFTP, NULL },
	{ "grub/kernel-of-machine.cfg",
		KERNEL(.cmdline = "", .message = "it's 'said' $x\nboot", .initrds = initrds,
			.n_initrds = 1),
		&good, NULL, TRANSPORT_TFTP, NULL, "machines/52-54-00-12-34-56" },
	{ "grub/kernel-by-http.cfg",
		KERNEL(.cmdline = "console=ttyS0", .initrds = initrds, .n_initrds = 2), &good,
		&web1, TRANSPORT_HTTP, "http://172.24.0.1:8080" },
	{ "grub/kernel-by-https.cfg", KERNEL(.cmdline = ""), &good, &web1, TRANSPORT_HTTP,
		"https://172.24.0.1" },
	{ "grub/kernel-own-grub.cfg", KERNEL(.cmdline = "", .bootfile = { .path = "grub/core.0" }),
		&good, &web1, TRANSPORT_TFTP, NULL },
	{ "grub/kernel-words.cfg",
		KERNEL(.cmdline =
				"console=ttyS0\nquiet\r\n \t x=\"a b\"c d='e f' \"\" g=\\$h\x07 --- $1 #"),
		&good, NULL, TRANSPORT_TFTP, NULL },
	{ "grub/kernel-vars.cfg", KERNEL(.cmdline = CMDLINE), &good, &web1, TRANSPORT_TFTP, NULL },
	{ "grub/kernel-hostile.cfg",
		KERNEL(.cmdline = "host={{hostname}} raw={{{hostname}}} mac={{mac}}"), &hostile,
		NULL, TRANSPORT_TFTP, NULL },
	{ "grub/kernel-unknown-machine.cfg", KERNEL(.cmdline = "mac={{mac}} uuid={{uuid}}"),
		&unknown, NULL, TRANSPORT_TFTP, NULL },
	{ "grub/kernel-url.cfg",
		{ .name = "net",
			.kind = PROFILE_KERNEL,
			.kernel = { .path = "http://192.0.2.1:81/it's/$linux", .is_url = true },
			.cmdline = "",
			.initrds = initrds,
			.n_initrds = 1 },
		&good, NULL, TRANSPORT_HTTP, NULL, "profiles/net" },
	{ "grub/kernel-url-by-tftp.cfg",
		{ .name = "net",
			.kind = PROFILE_KERNEL,
			.kernel = { .path = "http://192.0.2.1/it's/$linux", .is_url = true },
			.cmdline = "" },
		&good, NULL, TRANSPORT_TFTP, NULL },
	{ "grub/initrd-https.cfg", KERNEL(.cmdline = "", .initrds = initrds, .n_initrds = 3), &good,
		NULL, TRANSPORT_HTTP, NULL },
	{ "grub/kernel-tftp-url.cfg",
		{ .name = "net",
			.kind = PROFILE_KERNEL,
			.kernel = { .path = "tftp://192.0.2.1/a/linux", .is_url = true },
			.cmdline = "" },
		&good, NULL, TRANSPORT_TFTP, NULL },
	{ "grub/local.cfg", { .name = "local", .kind = PROFILE_LOCAL, .cmdline = "" }, &good, NULL,
		TRANSPORT_TFTP, NULL },
};

static const struct fixture_vector disks[] = {
	{ "grub/disk.cfg", KERNEL(.cmdline = "console=ttyS0", .initrds = initrds, .n_initrds = 2),
		&good, &web1, TRANSPORT_HTTP, NULL, "boot" },
};

static void renders_as_the_golden_texts(void **state)
{
	(void)state;
	fixture_renders_as_golden(vectors, ARRAY_LEN(vectors), URL, grub_cfg_profile);
	fixture_renders_as_golden(disks, ARRAY_LEN(disks), NULL, grub_cfg_disk);
}

static void nothing_to_run_says_why_and_tries_again(void **state)
{
	struct text out = { 0 };

	(void)state;
	grub_cfg_retry("no profile; 'x' $y & \"z\"\nexit\x7f\xe2\x80\xa6",
		"(tftp,172.24.0.1)/it's/grub.cfg", &out);
	golden_compare("grub/retry.cfg", &out);
	text_free(&out);
}

static void names_the_wrong_variable(void **state)
{
	(void)state;
	fixture_names_the_wrong_variable(URL, grub_cfg_profile);
	fixture_names_the_wrong_variable(NULL, grub_cfg_disk);
}

static void says_when_memory_is_out(void **state)
{
	(void)state;
	fixture_says_when_memory_is_out(vectors, ARRAY_LEN(vectors), URL, grub_cfg_profile);
	fixture_says_when_memory_is_out(disks, ARRAY_LEN(disks), NULL, grub_cfg_disk);
}

static void no_client_breaks_out(void **state)
{
	(void)state;
	fixture_no_name_breaks_out(grub_cfg_profile, URL);
	fixture_no_name_breaks_out(grub_cfg_disk, NULL);
}

/* The text with each quoted word as one Q: what GRUB acts on. */
static void skeleton(const struct text *t, struct text *out)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->p[i] != '\'') {
			text_addc(out, t->p[i]);
			continue;
		}
		for (;;) {
			const char *end = strchr(t->p + i + 1, '\'');

			assert_non_null(end);
			i = (size_t)(end - t->p);
			if (strncmp(end, "'\\''", 4) != 0)
				break;
			i += 3;
		}
		text_addc(out, 'Q');
	}
}

/* As many harmless words as the line has: the kernel's rule, and GRUB drops no empty ones. */
static void add_harmless(const char *line, struct text *out)
{
	bool in_quotes = false, in_word = false;

	for (; *line; line++) {
		bool blank = strchr(" \t\r\n", *line) && !in_quotes;

		if (*line == '"') {
			in_quotes = !in_quotes;
		} else if (blank) {
			in_word = false;
		} else if (!in_word) {
			text_adds(out, " x");
			in_word = true;
		}
	}
}

/* The administrator's own command line may hold anything, and is still one command's words. */
static void no_command_line_breaks_out(void **state)
{
	unsigned seed = fixture_seed();

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct machine_vars v = fixture_vars(&good, NULL, URL);
		struct text harmless = { 0 }, is = { 0 }, should = { 0 }, is_bones = { 0 },
			    should_bones = { 0 };
		struct template_error error = { 0 };
		char line[64];
		struct span s = fixture_hostile_text((uint8_t *)line, sizeof(line) - 1);
		struct profile p = KERNEL(.cmdline = line);

		line[s.n] = '\0';
		while (strstr(line, "{{"))
			*strstr(line, "{{") = '<';
		if (grub_cfg_profile(&p, &v, &is, &error) != 0)
			fail_msg("seed %u: %s", seed, error.message);
		add_harmless(line, &harmless);
		p.cmdline = text_str(&harmless);
		assert_int_equal(grub_cfg_profile(&p, &v, &should, &error), 0);
		skeleton(&is, &is_bones);
		skeleton(&should, &should_bones);
		if (!span_eq(text_span(&is_bones), text_span(&should_bones)))
			fail_msg("seed %u: \"%s\" got out of its quotes:\n%s", seed, line,
				text_str(&is));
		text_free(&harmless);
		text_free(&is);
		text_free(&should);
		text_free(&is_bones);
		text_free(&should_bones);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renders_as_the_golden_texts),
		cmocka_unit_test(nothing_to_run_says_why_and_tries_again),
		cmocka_unit_test(names_the_wrong_variable),
		cmocka_unit_test(says_when_memory_is_out),
		cmocka_unit_test(no_client_breaks_out),
		cmocka_unit_test(no_command_line_breaks_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
