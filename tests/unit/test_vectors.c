/* Golden packets of real firmware: wire/dhcp4.c and core/facts.c against
 * tests/vectors/dhcp4, which another decoder made (tests/tools/pcap2vector,
 * where the format is told).
 *
 * Each packet is decoded and written down again in the words of its file; the
 * two texts must be the same line by line.
 */
#include "base/text.h"
#include "core/facts.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DHCP4_VECTORS VECTORS_DIR "/dhcp4"

/* One packet of a file: its name for messages, its octets, its expected lines. */
struct vector {
	char name[320];
	uint8_t packet[2048];
	size_t n;
	struct text expected;
};

static void add_text(struct text *t, const char *key, struct span s)
{
	text_addf(t, "%s: ", key);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 32 && s.p[i] < 127 && s.p[i] != '\\')
			text_addc(t, (char)s.p[i]);
		else
			text_addf(t, "\\x%02x", s.p[i]);
	}
	text_addc(t, '\n');
}

static void add_hex(struct text *t, const char *key, struct span s)
{
	text_addf(t, "%s: ", key);
	for (size_t i = 0; i < s.n; i++)
		text_addf(t, "%02x", s.p[i]);
	text_addc(t, '\n');
}

static void add_ip4(struct text *t, const char *key, struct ip4 a)
{
	if (a.v)
		text_addf(t, "%s: %s\n", key, ip4_str(a).s);
}

static void write_header(struct text *t, const struct dhcp4_msg *m)
{
	text_addf(t, "type: %s\n", dhcp4_type_name(m->type));
	text_addf(t, "xid: %08x\nsecs: %u\nflags: %04x\n", m->xid, m->secs, m->flags);
	text_addf(t, "hardware: type %u, ", m->htype);
	for (size_t i = 0; i < m->hlen; i++)
		text_addf(t, "%02x", m->chaddr[i]);
	text_addc(t, '\n');
	add_ip4(t, "ciaddr", m->ciaddr);
	add_ip4(t, "giaddr", m->giaddr);
	text_adds(t, "options:");
	for (size_t code = 0; code < 256; code++)
		if (dhcp4_has(m, (enum dhcp4_option)code))
			text_addf(t, " %zu", code);
	text_addc(t, '\n');
}

static void write_machine(struct text *t, const struct facts *f)
{
	static const char *const clients[] = { [CLIENT_DHCP] = "dhcp",
		[CLIENT_PXE] = "pxe",
		[CLIENT_HTTP] = "http",
		[CLIENT_IPXE] = "ipxe" };

	text_addf(t, "client: %s\n", clients[f->client]);
	if (f->has_arch)
		text_addf(t, "arch: %u %s\n", f->arch_number, arch_name(f->arch));
	if (f->vendor_class.p)
		add_text(t, "vendor-class", f->vendor_class);
	if (f->user_class.p)
		add_text(t, "user-class", f->user_class);
	if (f->has_uuid)
		text_addf(t, "uuid: %s\n", uuid_str(f->uuid).s);
}

static void write_options(struct text *t, const struct dhcp4_msg *m, const struct facts *f)
{
	struct span list = m->opt[OPT_PARAMETER_LIST];
	struct ip4 a;
	uint16_t size;

	if (dhcp4_has(m, OPT_CLIENT_ID))
		add_hex(t, "client-id", m->opt[OPT_CLIENT_ID]);
	if (f->hostname.p)
		add_text(t, "hostname", f->hostname);
	if (list.p) {
		text_adds(t, "parameter-list:");
		for (size_t i = 0; i < list.n; i++)
			text_addf(t, " %u", list.p[i]);
		text_addc(t, '\n');
	}
	if (dhcp4_opt_u16(m, OPT_MAX_SIZE, &size))
		text_addf(t, "max-size: %u\n", size);
	if (dhcp4_opt_ip4(m, OPT_REQUESTED_ADDRESS, &a))
		text_addf(t, "requested-address: %s\n", ip4_str(a).s);
	if (dhcp4_opt_ip4(m, OPT_SERVER_ID, &a))
		text_addf(t, "server-id: %s\n", ip4_str(a).s);
	if (f->circuit_id.n)
		add_hex(t, "circuit-id", f->circuit_id);
	if (f->remote_id.n)
		add_hex(t, "remote-id", f->remote_id);
}

static void describe(const struct vector *v, struct text *t)
{
	/* A heap copy without slack: the sanitizer sees any read past the end. */
	uint8_t *copy = malloc(v->n ? v->n : 1);
	struct dhcp4_msg m;
	struct facts f;
	struct arena a;
	enum drop d;

	assert_non_null(copy);
	memcpy(copy, v->packet, v->n);
	arena_init(&a, 65536);
	d = dhcp4_decode(&a, (struct span){ copy, v->n }, &m);
	if (d != DROP_NONE) {
		text_addf(t, "drop: %s\n", drop_id(d));
	} else {
		facts_from_dhcp4(&m, "lan", &f);
		assert_string_equal(f.network, "lan");
		write_header(t, &m);
		write_machine(t, &f);
		write_options(t, &m, &f);
	}
	arena_free(&a);
	free(copy);
}

/* Compares by lines, so that the message shows the one that differs. */
static bool same(const struct vector *v, const char *actual)
{
	const char *expected = text_str(&v->expected);

	while (*expected || *actual) {
		int e = (int)strcspn(expected, "\n"), a = (int)strcspn(actual, "\n");

		if (e != a || memcmp(expected, actual, (size_t)e) != 0) {
			print_error("%s\n\texpected \"%.*s\"\n\tdecoded  \"%.*s\"\n", v->name, e,
				expected, a, actual);
			return false;
		}
		expected += e + (expected[e] == '\n');
		actual += a + (actual[a] == '\n');
	}
	return true;
}

static unsigned check_vector(struct vector *v)
{
	struct text actual = { 0 };
	bool good;

	describe(v, &actual);
	assert_false(actual.failed || v->expected.failed);
	good = same(v, text_str(&actual));
	text_free(&actual);
	text_reset(&v->expected);
	v->n = 0;
	return good ? 0 : 1;
}

static void read_hex(struct vector *v, const char *hex)
{
	for (; *hex; hex += 2) {
		unsigned octet = 0;

		if (v->n == sizeof(v->packet) || sscanf(hex, "%2x", &octet) != 1)
			fail_msg("%s: bad hex at \"%s\"", v->name, hex);
		v->packet[v->n++] = (uint8_t)octet;
	}
}

static unsigned check_file(const char *name, unsigned *packets)
{
	struct vector v = { .n = 0 };
	char path[512], line[1024];
	unsigned failures = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", DHCP4_VECTORS, name);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (strncmp(line, "packet: ", 8) == 0) {
			if (v.n)
				failures += check_vector(&v);
			(void)snprintf(v.name, sizeof(v.name), "%s, packet %.40s", name, line + 8);
			(*packets)++;
		} else if (strncmp(line, "hex: ", 5) == 0) {
			read_hex(&v, line + 5);
		} else {
			text_addf(&v.expected, "%s\n", line);
		}
	}
	(void)fclose(f);
	failures += check_vector(&v);
	text_free(&v.expected);
	return failures;
}

static void decodes_as_written(void **state)
{
	unsigned files = 0, packets = 0, failures = 0;
	DIR *dir = opendir(DHCP4_VECTORS);
	struct dirent *e;

	(void)state;
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		size_t n = strlen(e->d_name);

		if (n < 5 || strcmp(e->d_name + n - 4, ".txt") != 0)
			continue;
		files++;
		failures += check_file(e->d_name, &packets);
	}
	(void)closedir(dir);
	print_message("%u packets in %u files\n", packets, files);
	assert_int_equal(failures, 0);
	assert_true(files >= 50 && packets >= 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(decodes_as_written) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
