/* Each reader of wire/pxe.h on the same octets.
 *
 * Checked: what they give lies inside what they got; what says "not there"
 * leaves its output alone; names and numbers of architectures agree.
 */
#include "wire/pxe.h"

#include <stdlib.h>

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span part, struct span whole)
{
	CHECK(part.n == 0 ||
		(part.p >= whole.p && part.n <= whole.n &&
			(size_t)(part.p - whole.p) <= whole.n - part.n));
}

static void check_vendor_class(struct span s)
{
	struct vendor_class v;

	vendor_class_parse(s, &v);
	CHECK((v.kind == VENDOR_PXE) == span_has_prefix(s, SPAN_LIT("PXEClient")));
	CHECK((v.kind == VENDOR_HTTP) == span_has_prefix(s, SPAN_LIT("HTTPClient")));
	CHECK(v.kind != VENDOR_NONE || !v.has_arch);
	CHECK(v.has_arch || v.arch == 0);
}

static void check_user_class(struct span s)
{
	struct span first = user_class_first(s);

	check_inside(first, s);
	if (span_eq(first, SPAN_LIT("iPXE")))
		CHECK(user_class_has_ipxe(s));
}

static void check_architectures(struct span s)
{
	uint16_t number = 0x1234;
	enum arch class = ARCH_COUNT;
	const struct arch_type *named = arch_type_find_name(s);

	if (client_arch_first_known(s, &number) < 0)
		CHECK(s.n < 2 && number == 0x1234);
	else if (!arch_type_find(number))
		CHECK(number == (s.p[0] << 8 | s.p[1]));
	if (arch_parse(s, &class) == 0)
		CHECK(named && named->arch == class &&
			span_eq_nocase(span_str(arch_name(class)), s));
	else
		CHECK(class == ARCH_COUNT);
}

static void check_machine_id(struct span s)
{
	struct uuid u = { { 0 } };

	if (machine_id_parse(s, &u) == 0) {
		CHECK(s.n == 17 && s.p[0] == 0);
		CHECK(uuid_eq(uuid_swap(uuid_swap(u)), u));
		CHECK(uuid_is_default(u) == uuid_is_default(uuid_swap(u)));
	}
}

static void check_ipxe_features(struct span s)
{
	struct ipxe_features f;

	ipxe_features_parse(s, &f);
	CHECK(f.present || !(f.http || f.https || f.bzimage || f.efi || f.menu));
	CHECK(s.n >= 2 || !f.present);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span s = { size ? data : NULL, size };

	check_vendor_class(s);
	check_user_class(s);
	check_architectures(s);
	check_machine_id(s);
	check_ipxe_features(s);
	return 0;
}
