/* A configuration's defaults, and looking things up in it. */
#include "core/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void has_the_contracts_defaults(void **state)
{
	struct config *cfg;

	(void)state;
	assert_int_equal(config_new(&cfg), 0);
	assert_string_equal(cfg->state_dir, "/var/lib/bootsmith");
	assert_string_equal(cfg->control_socket, "/run/bootsmith/control.sock");
	assert_string_equal(cfg->http_root, "/srv/http");
	assert_string_equal(cfg->tftp_root, "/srv/tftp");
	assert_int_equal(cfg->tftp_port, 69);
	assert_false(cfg->tftp_single_port);
	assert_int_equal(cfg->http_port, 80);
	assert_string_equal(cfg->loaders.dir, "/usr/lib/ipxe");
	assert_string_equal(cfg->loaders.file[FAMILY_IPXE][ARCH_BIOS].path, "undionly.kpxe");
	assert_string_equal(cfg->loaders.file[FAMILY_IPXE][ARCH_X64].path, "ipxe.efi");
	assert_null(cfg->loaders.file[FAMILY_IPXE][ARCH_ARM64].path);
	assert_null(cfg->default_profile);
	assert_int_equal(cfg->n_networks + cfg->n_profiles + cfg->n_machines + cfg->n_rules, 0);
	config_free(cfg);
	config_free(NULL);
}

static struct uuid uuid(const char *text)
{
	struct uuid u;

	assert_int_equal(uuid_parse(span_str(text), &u), 0);
	return u;
}

static void finds_machines_by_mac_then_uuid(void **state)
{
	const struct uuid network_order = uuid("44454c4c-4b00-1038-8043-b7c04f4a3432");
	const struct machine machines[] = {
		{ .name = "u", .has_uuid = true, .uuid = network_order },
		{ .name = "m", .has_mac = true, .mac = { { 2, 0, 0, 0, 0, 1 } } },
		{ .name = "zero", .has_uuid = true }, /* all zero: nobody's */
	};
	struct config cfg = { .machines = machines, .n_machines = 3 };
	const struct mac known = machines[1].mac, unknown = { { 2 } };
	const struct uuid other = uuid("44454c4c-4b00-1038-8043-b7c04f4a3433"), zero = { { 0 } };
	const struct uuid swapped = uuid_swap(network_order);

	(void)state;
	assert_int_equal(config_index_machines(&cfg), 0);
	assert_ptr_equal(config_find_machine(&cfg, &known, NULL), &machines[1]);
	assert_ptr_equal(config_find_machine(&cfg, &known, &network_order), &machines[1]);
	assert_ptr_equal(config_find_machine(&cfg, &unknown, &network_order), &machines[0]);
	assert_ptr_equal(config_find_machine(&cfg, NULL, &swapped), &machines[0]); /* P-5 */
	assert_null(config_find_machine(&cfg, &unknown, &other));
	assert_null(config_find_machine(&cfg, NULL, &zero)); /* P-6 */
	assert_null(config_find_machine(
		&cfg, &(struct mac){ { 0 } }, NULL)); /* "u" has no MAC, not that of zeros */
	assert_null(config_find_machine(&cfg, NULL, NULL));
	assert_ptr_equal(config_find_machine_named(&cfg, SPAN_LIT("zero")), &machines[2]);
	assert_ptr_equal(config_find_machine_named(&cfg, SPAN_LIT("m")), &machines[1]);
	assert_null(config_find_machine_named(&cfg, SPAN_LIT("mm")));
	assert_null(config_find_machine_named(&cfg, SPAN_NONE));
	arena_free(&cfg.arena);
	cfg = (struct config){ .machines = machines };
	assert_null(config_find_machine(&cfg, &known, &network_order));
	assert_null(config_find_machine_named(&cfg, SPAN_LIT("m")));
}

static void finds_profiles_by_name(void **state)
{
	const struct profile profiles[] = { { .name = "debian" }, { .name = "debian-arm64" } };
	const struct config cfg = { .profiles = profiles, .n_profiles = 2 };

	(void)state;
	assert_ptr_equal(config_find_profile(&cfg, SPAN_LIT("debian-arm64")), &profiles[1]);
	assert_ptr_equal(config_find_profile(&cfg, SPAN_LIT("debian")), &profiles[0]);
	assert_null(config_find_profile(&cfg, SPAN_LIT("Debian")));
	assert_null(config_find_profile(&cfg, SPAN_NONE));
}

static void names_are_the_contracts(void **state)
{
	static const char *const modes[] = { "server", "proxy", "off" },
				 *const clients[] = { "dhcp", "pxe", "http", "ipxe" };
	static const char *const keys[] = { "arch", "client", "mac", "uuid", "vendor_class",
		"user_class", "hostname", "network", "circuit_id", "remote_id", "serial", "asset" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++)
		assert_string_equal(dhcp_mode_name((enum dhcp_mode)i), modes[i]);
	for (unsigned i = 0; i < ARRAY_LEN(clients); i++)
		assert_string_equal(client_name((enum client)i), clients[i]);
	assert_int_equal(ARRAY_LEN(keys), MATCH_KEY_COUNT);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		assert_string_equal(match_key_name((enum match_key)i), keys[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_contracts_defaults),
		cmocka_unit_test(finds_machines_by_mac_then_uuid),
		cmocka_unit_test(finds_profiles_by_name),
		cmocka_unit_test(names_are_the_contracts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
