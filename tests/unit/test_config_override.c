/* Command line options over a configuration, and instead of one. */
#include "core/config_override.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct network nets[] = {
	{ .name = "br0", .interface = "br0", .lease_time_s = 77 },
	{ .name = "br1", .interface = "br1" },
	{ .name = "10.9.0.0/24", .has_subnet = true, .subnet = { 0x0a090000 }, .prefix_len = 24 },
};
static const struct profile profiles[] = { { .name = "debian" }, { .name = "local" } };

static struct config *new_config(bool with_file)
{
	struct config *cfg;

	assert_int_equal(config_new(&cfg), 0);
	if (with_file) {
		cfg->networks = nets;
		cfg->n_networks = ARRAY_LEN(nets);
		cfg->profiles = profiles;
		cfg->n_profiles = ARRAY_LEN(profiles);
		cfg->http_root_pos = cfg->tftp_root_pos = (struct src_pos){ 9, 9 };
	}
	return cfg;
}

static void without_options_nothing_changes(void **state)
{
	const struct config_override o = { 0 };
	struct config *cfg = new_config(true);
	char message[CONFIG_MESSAGE_MAX];

	(void)state;
	assert_int_equal(config_override_apply(cfg, &o, message), 0);
	assert_ptr_equal(cfg->networks, nets);
	assert_string_equal(cfg->http_root, CONFIG_HTTP_ROOT_DEFAULT);
	assert_int_equal(cfg->http_root_pos.line, 9);
	assert_null(cfg->default_profile);
	config_free(cfg);
}

static void options_win_over_the_file(void **state)
{
	const char *const interfaces[] = { "br1", "eth0" };
	const struct config_override o = { .interfaces = interfaces,
		.n_interfaces = 2,
		.http_root = "/h",
		.tftp_root = "/t",
		.state_dir = "/s",
		.control_socket = "/c",
		.profile = "local" };
	struct config *cfg = new_config(true);
	char message[CONFIG_MESSAGE_MAX];

	(void)state;
	assert_int_equal(config_override_apply(cfg, &o, message), 0);
	assert_string_equal(cfg->http_root, "/h");
	assert_string_equal(cfg->tftp_root, "/t");
	assert_string_equal(cfg->state_dir, "/s");
	assert_string_equal(cfg->control_socket, "/c");
	assert_int_equal(cfg->http_root_pos.line + cfg->tftp_root_pos.line, 0);
	assert_ptr_equal(cfg->default_profile, &profiles[1]);
	/* the named ones as the file describes them, or by default; and the relayed ones */
	assert_int_equal(cfg->n_networks, 3);
	assert_string_equal(cfg->networks[0].name, "br1");
	assert_string_equal(cfg->networks[1].interface, "eth0");
	assert_int_equal(cfg->networks[1].dhcp, DHCP_SERVER);
	assert_int_equal(cfg->networks[1].lease_time_s, CONFIG_LEASE_TIME_DEFAULT_S);
	assert_true(cfg->networks[1].conflict_check);
	assert_string_equal(cfg->networks[2].name, "10.9.0.0/24");
	config_free(cfg);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *interfaces[2];
		const char *profile, *message;
	} vectors[] = {
		{ { NULL }, NULL, "name an interface with -i" },
		{ { "" }, NULL, "no interface name" },
		{ { "a234567890123456" }, NULL, "\"a234567890123456\" is no interface name" },
		{ { "a/b" }, NULL, "no interface name" },
		{ { "a b" }, NULL, "no interface name" },
		{ { "a\tb" }, NULL, "no interface name" },
		{ { "br0", "br0" }, NULL, "-i br0 is given twice" },
		{ { "br0" }, "debain", "--profile debain" },
	};
	char message[CONFIG_MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct config_override o = { .interfaces = vectors[i].interfaces,
			.n_interfaces = (vectors[i].interfaces[0] != NULL) +
				(size_t)(vectors[i].interfaces[1] != NULL),
			.profile = vectors[i].profile };
		struct config *cfg = new_config(false);

		message[0] = '\0';
		if (config_override_apply(cfg, &o, message) != -EINVAL ||
			!strstr(message, vectors[i].message))
			fail_msg("row %zu: \"%s\"", i, message);
		config_free(cfg);
	}
}

/* Design section 2: every machine boots this, no file needed. */
static void boot_makes_a_profile(void **state)
{
	const char *const interfaces[] = { "br0" };
	const char *const initrds[] = { "./initrd.gz", "/other/initrd.gz",
		"https://192.0.2.1/x.cpio" };
	struct config_override o = { .interfaces = interfaces,
		.n_interfaces = 1,
		.boot_kernel = "/tmp/a b/vmlinuz",
		.boot_initrds = initrds,
		.n_boot_initrds = 3,
		.boot_cmdline = "quiet" };
	struct config *cfg = new_config(false);
	char message[CONFIG_MESSAGE_MAX];
	const struct profile *p;

	(void)state;
	assert_int_equal(config_override_apply(cfg, &o, message), 0);
	p = cfg->default_profile;
	assert_non_null(p);
	assert_ptr_equal(config_find_profile(cfg, SPAN_LIT("boot")), p);
	assert_int_equal(p->kind, PROFILE_KERNEL);
	assert_string_equal(p->cmdline, "quiet");
	assert_string_equal(p->kernel.path, "boot/0/vmlinuz");
	assert_false(p->kernel.is_url);
	assert_int_equal(p->n_initrds, 3);
	assert_string_equal(p->initrds[0].path, "boot/1/initrd.gz");
	assert_string_equal(p->initrds[1].path, "boot/2/initrd.gz"); /* two of one name stay two */
	assert_string_equal(p->initrds[2].path, initrds[2]);
	assert_true(p->initrds[2].is_url);
	assert_int_equal(cfg->n_named_files, 3);
	assert_string_equal(cfg->named_files[0].path, "/tmp/a b/vmlinuz");
	assert_string_equal(cfg->named_files[2].name, "boot/2/initrd.gz");
	assert_string_equal(cfg->named_files[2].path, "/other/initrd.gz");
	config_free(cfg);

	cfg = new_config(false);
	o = (struct config_override){
		.interfaces = interfaces, .n_interfaces = 1, .boot_kernel = "vmlinuz"
	};
	assert_int_equal(config_override_apply(cfg, &o, message), 0);
	assert_string_equal(cfg->default_profile->cmdline, "");
	assert_string_equal(cfg->default_profile->kernel.path, "boot/0/vmlinuz");
	config_free(cfg);
}

/* Wherever memory ends, it is said and nothing is lost. */
static void says_when_memory_is_out(void **state)
{
	const char *const interfaces[] = { "br0" }, *const initrds[] = { "a" };
	const struct config_override o = { .interfaces = interfaces,
		.n_interfaces = 1,
		.boot_kernel = "k",
		.boot_initrds = initrds,
		.n_boot_initrds = 1 };
	char message[CONFIG_MESSAGE_MAX];
	int r = -ENOMEM;

	(void)state;
	for (size_t limit = 1; r == -ENOMEM; limit += 16) {
		struct config *cfg = new_config(false);

		cfg->arena.limit = limit;
		r = config_override_apply(cfg, &o, message);
		config_free(cfg);
		assert_true(limit < 4096);
	}
	assert_int_equal(r, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_nothing_changes),
		cmocka_unit_test(options_win_over_the_file),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(boot_makes_a_profile),
		cmocka_unit_test(says_when_memory_is_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
