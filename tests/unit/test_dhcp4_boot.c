/* The boot part of replies: each client's form, as firmware-quirks.md has it. */
#include "core/dhcp4_boot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LONG60 "a234567890123456789012345678901234567890123456789012345678/"

static const struct ip4 server = { 0xac180001 };
static const uint8_t guid[17] = { 0, 1, 2, 3 };

static const struct profile pxelinux = { .kind = PROFILE_BOOTFILE,
	.bootfile = { .path = "pxelinux.0" } };
static const struct profile of_127 = { .kind = PROFILE_BOOTFILE,
	.bootfile = { .path = LONG60 LONG60 "12345.efi" } };
static const struct profile of_128 = { .kind = PROFILE_BOOTFILE,
	.bootfile = { .path = LONG60 LONG60 "123456.efi" } };

struct sent {
	uint8_t code;
	struct span value;
};

static const struct {
	const char *name;
	enum client client;
	enum answer_kind kind;
	const struct profile *profile;
	bool has_guid;
	struct sent options[5];
	const char *bootfile; /* NULL: none, and an empty header */
	bool in_header;
} vectors[] = {
	{ "nothing to boot", CLIENT_PXE, ANSWER_ADDRESS, NULL, true, { { 0 } }, NULL, false },
	{ "PXE loader", CLIENT_PXE, ANSWER_LOADER, NULL, true,
		{ { 60, SPAN_LIT("PXEClient") }, { 43, SPAN_LIT("\x06\x01\x08\xff") },
			{ 97, { guid, 17 } }, { 66, SPAN_LIT("172.24.0.1\0") } },
		"loaders/undionly.kpxe", true },
	{ "PXE without a GUID", CLIENT_PXE, ANSWER_BOOTFILE, &pxelinux, false,
		{ { 60, SPAN_LIT("PXEClient") }, { 43, SPAN_LIT("\x06\x01\x08\xff") },
			{ 66, SPAN_LIT("172.24.0.1\0") } },
		"pxelinux.0", true },
	{ "HTTP loader", CLIENT_HTTP, ANSWER_LOADER, NULL, true,
		{ { 60, SPAN_LIT("HTTPClient") }, { 97, { guid, 17 } } },
		"http://172.24.0.1/loaders/undionly.kpxe", true },
	{ "iPXE script", CLIENT_IPXE, ANSWER_SCRIPT, NULL, true,
		{ { 175, SPAN_LIT("\xb0\x01\x01") }, { 97, { guid, 17 } } },
		"http://172.24.0.1/boot.ipxe", true },
	{ "127 octets fit the header", CLIENT_PXE, ANSWER_BOOTFILE, &of_127, false,
		{ { 60, SPAN_LIT("PXEClient") }, { 43, SPAN_LIT("\x06\x01\x08\xff") },
			{ 66, SPAN_LIT("172.24.0.1\0") } },
		LONG60 LONG60 "12345.efi", true },
	{ "128 are left to option 67", CLIENT_PXE, ANSWER_BOOTFILE, &of_128, false,
		{ { 60, SPAN_LIT("PXEClient") }, { 43, SPAN_LIT("\x06\x01\x08\xff") },
			{ 66, SPAN_LIT("172.24.0.1\0") } },
		LONG60 LONG60 "123456.efi", false },
	{ "a plain client, if it were told", CLIENT_DHCP, ANSWER_SITE_SCRIPT, NULL, false,
		{ { 0 } }, "http://172.24.0.1/boot.ipxe", true },
};

static const struct loaders loaders = { .file[FAMILY_IPXE][ARCH_BIOS].path = "undionly.kpxe" };

static void each_client_has_its_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct config cfg = { .http_port = 80, .loaders = loaders };
		const struct facts facts = { .client = vectors[i].client };
		const struct answer answer = { .kind = vectors[i].kind,
			.profile = vectors[i].profile,
			.family = FAMILY_IPXE,
			.arch = ARCH_BIOS,
			.transport = vectors[i].client == CLIENT_PXE ? TRANSPORT_TFTP
								     : TRANSPORT_HTTP };
		struct dhcp4_msg request = { 0 };
		struct dhcp4_out out = { 0 };
		struct span bootfile = SPAN_LIT("untouched");
		struct arena a;
		struct form_choice form;
		size_t n = 0;

		if (vectors[i].has_guid)
			request.opt[OPT_MACHINE_ID] = (struct span){ guid, 17 };
		arena_init(&a, 0);
		dhcp4_boot_form(NULL, &request, &facts, &answer, FORMS_SERVER, 0, &form);
		assert_int_equal(dhcp4_boot_fill(&cfg, &request, &facts, &answer, server, &form, &a,
					 &out, &bootfile),
			0);
		while (n < 5 && vectors[i].options[n].code) {
			if (n == out.n_options ||
				out.options[n].code != vectors[i].options[n].code ||
				!out.options[n].needed ||
				!span_eq(out.options[n].value, vectors[i].options[n].value))
				fail_msg("%s: option %u", vectors[i].name,
					vectors[i].options[n].code);
			n++;
		}
		assert_int_equal(out.n_options, n);
		if (!vectors[i].bootfile) {
			assert_int_equal(bootfile.n + out.siaddr.v + out.file.n + out.sname.n, 0);
		} else {
			assert_int_equal(bootfile.n, strlen(vectors[i].bootfile) + 1);
			assert_string_equal(
				(const char *)bootfile.p, vectors[i].bootfile); /* with its NUL */
			assert_int_equal(out.siaddr.v, server.v);
			assert_true(span_eq(out.sname, SPAN_LIT("172.24.0.1")));
			if (!span_eq(out.file,
				    vectors[i].in_header ? span_str(vectors[i].bootfile)
							 : SPAN_NONE))
				fail_msg("%s: file", vectors[i].name);
		}
		arena_free(&a);
	}
}

static void says_when_memory_is_out(void **state)
{
	const struct config cfg = { .http_port = 80, .loaders = loaders };
	const struct facts facts = { .client = CLIENT_PXE };
	const struct answer answer = {
		.kind = ANSWER_LOADER, .arch = ARCH_BIOS, .transport = TRANSPORT_TFTP
	};
	const struct dhcp4_msg request = { 0 };
	struct dhcp4_out out = { 0 };
	struct form_choice form;
	struct span bootfile;

	(void)state;
	dhcp4_boot_form(NULL, &request, &facts, &answer, FORMS_SERVER, 0, &form);
	for (size_t limit = 1; limit <= 48; limit += 16) { /* the name, the address, option 43 */
		struct arena a;

		arena_init(&a, limit);
		assert_int_equal(dhcp4_boot_fill(&cfg, &request, &facts, &answer, server, &form, &a,
					 &out, &bootfile),
			-ENOMEM);
		arena_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_client_has_its_form),
		cmocka_unit_test(says_when_memory_is_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
