/* Router solicitations read, and the one advertisement that we write. */
#include "wire/ndp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void solicitations(void **state)
{
	static const struct {
		const char *name;
		struct span message;
		bool ok;
	} vectors[] = {
		/* iPXE's, as recorded: 8 octets of header, source link-layer address */
		{ "ipxe", SPAN_LIT("\x85\0\x12\x34\0\0\0\0\1\1\x52\x54\0\x12\x34\x56"), true },
		{ "another option first",
			SPAN_LIT("\x85\0\0\0\0\0\0\0\x0e\1\0\0\0\0\0\0\1\1\x52\x54\0\x12\x34\x56"),
			true },
		{ "no option", SPAN_LIT("\x85\0\0\0\0\0\0\0"), false },
		{ "an advertisement", SPAN_LIT("\x86\0\0\0\0\0\0\0\1\1\x52\x54\0\x12\x34\x56"),
			false },
		{ "code 1", SPAN_LIT("\x85\1\0\0\0\0\0\0\1\1\x52\x54\0\x12\x34\x56"), false },
		{ "option of length 0", SPAN_LIT("\x85\0\0\0\0\0\0\0\1\0\x52\x54\0\x12\x34\x56"),
			false },
		{ "option past the end", SPAN_LIT("\x85\0\0\0\0\0\0\0\1\2\x52\x54\0\x12\x34\x56"),
			false },
		{ "an address of 14 octets",
			SPAN_LIT("\x85\0\0\0\0\0\0\0\1\2\x52\x54\0\x12\x34\x56\0\0\0\0\0\0\0\0"),
			false },
		{ "half a header", SPAN_LIT("\x85\0\0\0"), false },
		{ "nothing", { NULL, 0 }, false },
	};
	const struct mac expected = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct mac mac = { { 0 } };

		if (ndp_solicitation_source(vectors[i].message, &mac) != vectors[i].ok ||
			(vectors[i].ok && !mac_eq(mac, expected)))
			fail_msg("%s", vectors[i].name);
	}
}

/* RFC 4861 4.2: lifetime 0, no flags, no options. */
static void advertisement(void **state)
{
	static const uint8_t expected[16] = { 134 };
	uint8_t buf[32];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	ndp_put_no_router(&w);
	assert_false(w.full);
	assert_int_equal(w.n, sizeof(expected));
	assert_memory_equal(buf, expected, sizeof(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solicitations),
		cmocka_unit_test(advertisement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
