/* PXELINUX's configuration: golden texts under vectors/pxelinux, and that a line stays a line. */
#include "core/pxelinux_cfg.h"

#include "loader_fixture.h"

#define URL     "172.24.0.1::pxelinux.cfg/default"
#define OWN     .bootfile = { .path = "pxelinux/pxelinux.0" }
#define CMDLINE "root={{vars.disk}} note={{vars.note}} host={{hostname}}"

static const struct fixture_vector vectors[] = {
	{ "pxelinux/kernel.cfg",
		KERNEL(.cmdline = "console=ttyS0", .initrds = initrds, .n_initrds = 1, OWN), &good,
		&web1, TRANSPORT_TFTP },
	{ "pxelinux/kernel-of-machine.cfg",
		KERNEL(.cmdline = "", .message = "it's 'said' $x\nboot", .initrds = initrds,
			.n_initrds = 1),
		&good, NULL, TRANSPORT_TFTP, NULL, "machines/52-54-00-12-34-56" },
	{ "pxelinux/kernel-alone.cfg", KERNEL(.cmdline = "", OWN), &good, &web1, TRANSPORT_TFTP },
	{ "pxelinux/kernel-by-http.cfg",
		KERNEL(.cmdline = CMDLINE, .initrds = initrds, .n_initrds = 2, OWN), &good, &web1,
		TRANSPORT_HTTP },
	{ "pxelinux/kernel-bootfile-url.cfg",
		KERNEL(.cmdline = "",
			.bootfile = { .path = "http://192.0.2.1/lpxelinux.0", .is_url = true }),
		&good, NULL, TRANSPORT_HTTP },
	{ "pxelinux/kernel-no-bootfile.cfg", KERNEL(.cmdline = "console=ttyS0\nquiet\r\n"), &good,
		NULL, TRANSPORT_TFTP },
	{ "pxelinux/kernel-hostile.cfg",
		KERNEL(.cmdline = "host={{hostname}} raw={{{hostname}}} mac={{mac}}", OWN),
		&hostile, NULL, TRANSPORT_TFTP },
	{ "pxelinux/kernel-unknown-machine.cfg",
		KERNEL(.cmdline = "mac={{mac}} uuid={{uuid}}", OWN), &unknown, NULL,
		TRANSPORT_TFTP },
	{ "pxelinux/kernel-url.cfg",
		{ .name = "net",
			.kind = PROFILE_KERNEL,
			OWN,
			.kernel = { .path = "http://192.0.2.1/linux", .is_url = true },
			.cmdline = "" },
		&good, NULL, TRANSPORT_TFTP },
	{ "pxelinux/initrd-url.cfg", KERNEL(.cmdline = "", .initrds = initrds, .n_initrds = 3, OWN),
		&good, NULL, TRANSPORT_TFTP },
	{ "pxelinux/kernel-tftp-url.cfg",
		{ .name = "net",
			.kind = PROFILE_KERNEL,
			OWN,
			.kernel = { .path = "tftp://192.0.2.1/a b/linux", .is_url = true },
			.cmdline = "" },
		&good, NULL, TRANSPORT_TFTP },
	{ "pxelinux/local.cfg", { .name = "local", .kind = PROFILE_LOCAL, .cmdline = "" }, &good,
		NULL, TRANSPORT_TFTP },
};

static void renders_as_the_golden_texts(void **state)
{
	(void)state;
	fixture_renders_as_golden(vectors, ARRAY_LEN(vectors), URL, pxelinux_cfg_profile);
}

static void nothing_to_run_says_why_and_begins_anew(void **state)
{
	const struct profile p = KERNEL(.cmdline = "", OWN);
	struct machine_vars v = fixture_vars(&good, NULL, "172.24.0.1::a\nb/pxelinux.cfg/default");
	struct text out = { 0 };

	(void)state;
	pxelinux_cfg_retry(
		"no profile; 'x' $y & \"z\"\nLOCALBOOT 0\x7f\xe2\x80\xa6", NULL, &v, &out);
	golden_compare("pxelinux/retry.cfg", &out);
	text_reset(&out);
	pxelinux_cfg_retry("no profile", &p, &v, &out);
	golden_compare("pxelinux/retry-bootfile.cfg", &out);
	text_free(&out);
}

static void names_the_wrong_variable(void **state)
{
	(void)state;
	fixture_names_the_wrong_variable(URL, pxelinux_cfg_profile);
}

static void says_when_memory_is_out(void **state)
{
	(void)state;
	fixture_says_when_memory_is_out(vectors, ARRAY_LEN(vectors), URL, pxelinux_cfg_profile);
}

static void no_client_breaks_out(void **state)
{
	(void)state;
	fixture_no_name_breaks_out(pxelinux_cfg_profile, URL);
}

/* The administrator's own command line may hold anything, and is still one line. */
static void no_command_line_breaks_out(void **state)
{
	const struct profile plain = KERNEL(.cmdline = "x");
	struct machine_vars v = fixture_vars(&good, NULL, URL);
	struct template_error error = { 0 };
	struct text should = { 0 };
	unsigned seed = fixture_seed();

	(void)state;
	assert_int_equal(pxelinux_cfg_profile(&plain, &v, &should, &error), 0);
	for (unsigned round = 0; round < 1000; round++) {
		char line[64] = "x";
		struct span s = fixture_hostile_text((uint8_t *)line + 1, sizeof(line) - 2);
		const struct profile p = KERNEL(.cmdline = line);
		struct text is = { 0 };

		line[1 + s.n] = '\0';
		while (strstr(line, "{{"))
			*strstr(line, "{{") = '<';
		if (pxelinux_cfg_profile(&p, &v, &is, &error) != 0)
			fail_msg("seed %u: %s", seed, error.message);
		if (fixture_count(&is, "\n") != fixture_count(&should, "\n") ||
			fixture_count(&is, "\r") + fixture_count(&is, "\x1a") != 0)
			fail_msg("seed %u: \"%s\" left its line:\n%s", seed, line, text_str(&is));
		text_free(&is);
	}
	text_free(&should);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renders_as_the_golden_texts),
		cmocka_unit_test(nothing_to_run_says_why_and_begins_anew),
		cmocka_unit_test(names_the_wrong_variable),
		cmocka_unit_test(says_when_memory_is_out),
		cmocka_unit_test(no_client_breaks_out),
		cmocka_unit_test(no_command_line_breaks_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
