/* What a text may say of its machine: names, trees of the user's own, a profile's
 * defaults, and what can be told before there is a machine. */
#include "base/escape.h"
#include "core/machine_vars.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEXT(n, v)                                                                                 \
	{                                                                                          \
		.name = (n), .value = (v)                                                          \
	}
#define LIST(n, items)                                                                             \
	{                                                                                          \
		(n), NULL, VAR_LIST, (items), ARRAY_LEN(items)                                     \
	}
#define MAP(n, items)                                                                              \
	{                                                                                          \
		(n), NULL, VAR_MAP, (items), ARRAY_LEN(items)                                      \
	}

static const struct var disk_a[] = { TEXT("name", "sda"), TEXT("size", "10G") };
static const struct var disk_b[] = { TEXT("name", "sdb") };
static const struct var disks[] = { MAP(NULL, disk_a), MAP(NULL, disk_b) };
static const struct var users[] = { TEXT(NULL, "ann"), TEXT(NULL, "bob") };
static const struct var own[] = { TEXT("disk", "/dev/vda"), LIST("disks", disks),
	TEXT("raid", "false"), TEXT("note", ""), MAP("net", disk_b) };
static const struct var defaults[] = { TEXT("disk", "/dev/sda"), LIST("users", users),
	TEXT("release", "bookworm"), TEXT("raid", "true") };
static const struct machine web1 = { .name = "web1", .vars = own, .n_vars = ARRAY_LEN(own) };
static const struct profile profile = {
	.name = "p", .vars = defaults, .n_vars = ARRAY_LEN(defaults)
};
static const struct facts facts = { .client = CLIENT_IPXE,
	.has_mac = true,
	.mac = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } },
	.arch = ARCH_X64,
	.hostname = { (const uint8_t *)"pc 7", 4 } };
static const struct facts nobody = { .client = CLIENT_IPXE };

static struct machine_vars vars_of(const struct facts *f, const struct machine *m)
{
	return (struct machine_vars){ .facts = f,
		.machine = m,
		.profile = &profile,
		.address = { f->has_mac ? 0xac182001 : 0 },
		.server = { 0xac180001 },
		.base = { "http://172.24.0.1" } };
}

static const struct {
	const char *source;
	const struct facts *facts;
	const struct machine *machine;
	const char *expected; /* NULL: refused, because of */
	const char *message;
} vectors[] = {
	{ "{{name}} {{hostname}} {{mac}} {{address}} {{arch}} {{server}} {{http}}", &facts, &web1,
		"web1 web1 52:54:00:12:34:56 172.24.32.1 x64 172.24.0.1 http://172.24.0.1" },
	{ "{{name}} {{hostname}} {{{hostname}}}", &facts, NULL, "52-54-00-12-34-56 pc_7 pc_7" },
	{ "{{name}}|{{mac}}|{{address}}|{{uuid}}|{{hostname}}|", &nobody, NULL, "unknown|||||" },
	{ "{{^uuid}}no uuid{{/uuid}}{{#mac}}{{.}} {{name}} {{.}}{{/mac}}", &facts, &web1,
		"no uuid52:54:00:12:34:56 web1 52:54:00:12:34:56" },
	/* The machine's own go before its profile's, as a whole. */
	{ "{{vars.disk}} {{vars.release}} {{#vars.users}}{{.}} {{/vars.users}}", &facts, &web1,
		"/dev/vda bookworm ann bob " },
	{ "{{vars.disk}}", &facts, NULL, "/dev/sda" },
	{ "{{#vars.disks}}{{name}}:{{#size}}{{.}}{{/size}}{{^size}}all{{/size}} {{mac}};{{/vars.disks}}",
		&facts, &web1, "sda:10G 52:54:00:12:34:56;sdb:all 52:54:00:12:34:56;" },
	{ "{{#vars.raid}}raid{{/vars.raid}}{{^vars.raid}}none{{/vars.raid}} {{vars.raid}}", &facts,
		&web1, "none false" },
	{ "{{#vars.raid}}raid{{/vars.raid}}", &facts, NULL, "raid" },
	{ "{{^vars.note}}empty{{/vars.note}}{{vars.note}}", &facts, &web1, "empty" },
	{ "{{^vars.other}}no{{/vars.other}}{{#vars.other.x}}{{vars.none}}{{/vars.other.x}}", &facts,
		&web1, "no" },
	{ "{{#vars}}{{disk}} {{net.name}}{{/vars}}", &facts, &web1, "/dev/vda sdb" },
	{ "{{vars.other}}", &facts, &web1, NULL, "no variable \"vars.other\"" },
	{ "{{vars.disk.x}}", &facts, &web1, NULL, "no variable \"vars.disk.x\"" },
	{ "{{vars.net.size}}", &facts, &web1, NULL, "no variable \"vars.net.size\"" },
	{ "{{vars.disks}}", &facts, &web1, NULL, "is a list" },
	{ "{{vars.net}}", &facts, &web1, NULL, "is a map" },
	{ "{{vars}}", &facts, &web1, NULL, "is a map" },
	{ "{{disk}}", &facts, &web1, NULL, "no variable" },
	{ "{{^hostnam}}{{/hostnam}}", &facts, &web1, NULL, "no variable \"hostnam\"" },
	{ "{{> x}}", &facts, &web1, NULL, "there are no partials here" },
};

static void says_what_is_known_of_a_machine(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct machine_vars v = vars_of(vectors[i].facts, vectors[i].machine);
		struct template_error error = { 0 };
		struct text out = { 0 };
		int r = machine_vars_render(
			span_str(vectors[i].source), &v, escape_name, &out, &error);

		if (vectors[i].expected
				? r != 0 || strcmp(text_str(&out), vectors[i].expected) != 0
				: r != -EINVAL || !strstr(error.message, vectors[i].message))
			fail_msg("\"%s\": %d, \"%s\": %s", vectors[i].source, r, text_str(&out),
				error.message);
		text_free(&out);
	}
}

static void tells_mistakes_before_there_is_a_machine(void **state)
{
	static const struct machine machines[] = { { .name = "a" },
		{ .name = "b", .vars = own, .n_vars = ARRAY_LEN(own) } };
	static const struct {
		const char *source;
		bool alone, here; /* a mistake without, and with these machines */
	} checks[] = {
		{ "{{name}}{{vars.disk}}{{#vars.disks}}{{name}}{{size}}{{/vars.disks}}{{^uuid}}{{mac}}{{/uuid}}",
			false, false },
		{ "{{vars.dsik}}", false, true },
		{ "{{#vars.dsik}}{{.}}{{x}}{{/vars.dsik}}", false, false },
		{ "{{nmae}}", true, true },
		{ "{{#uuid}}{{nmae}}{{/uuid}}", true, true },
		{ "{{#nmae}}{{/nmae}}", true, true },
		{ "{{vars.}}", true, true },
		{ "{{vars}}", true, true },
		{ "{{#vars.disk}}", true, true },
	};
	const struct template_sink sink = { .stranger = escape_name };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const struct config cfg = { .machines = machines,
			.n_machines = ARRAY_LEN(machines) };
		struct span source = span_str(checks[i].source);
		struct template_error error = { 0 };

		if (machine_vars_check_as(source, NULL, &sink, &error) !=
			(checks[i].alone ? -EINVAL : 0))
			fail_msg("\"%s\" alone: %s", checks[i].source, error.message);
		if (machine_vars_check_as(source, &cfg, &sink, &error) !=
			(checks[i].here ? -EINVAL : 0))
			fail_msg("\"%s\": %s", checks[i].source, error.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_is_known_of_a_machine),
		cmocka_unit_test(tells_mistakes_before_there_is_a_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
