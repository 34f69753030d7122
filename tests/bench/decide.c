/* decide: a site of 10,000 machines and 1,000 rules.  How long its configuration takes
 * to load, and a decision for a known machine, and for one that every rule turns down.
 *
 * Prints one JSON object.  Loading is text to value; the files that a configuration
 * names are not looked for.  CPU time: the machine may be busy with other things.
 */
#include "core/config_load.h"
#include "core/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	MACHINES = 10000,
	RULES = 1000,
	PROFILES = 50,
	DECISIONS = 20000,
};

static double now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void die(const char *why)
{
	(void)fprintf(stderr, "decide: %s\n", why);
	exit(1);
}

static void write_config(struct text *out)
{
	text_adds(out,
		"networks: [{interface: br0, subnet: 10.0.0.0/8, pools: [10.200.0.1-10.200.255.254]}]\nprofiles:\n");
	for (unsigned i = 0; i < PROFILES; i++)
		text_addf(out,
			"  p%u: {kernel: linux%u, initrd: [initrd%u], cmdline: 'console=ttyS0 host={{name}}'}\n",
			i, i, i);
	text_adds(out, "machines:\n");
	for (unsigned i = 0; i < MACHINES; i++)
		text_addf(out,
			"- {name: m%u, mac: '52:54:00:00:%02x:%02x', address: 10.1.%u.%u, vars: {rack: r%u}}\n",
			i, i >> 8, i & 255, i / 250, 1 + i % 250, i % 40);
	text_adds(out, "rules:\n");
	for (unsigned i = 0; i < RULES; i++)
		text_addf(out,
			"- {match: {arch: [x64, arm64], vendor_class: 'PXEClient:*', hostname: [web%u-*, 'db%u?'], "
			"mac: '02:%02x:*'}, profile: p%u}\n",
			i, i, i & 255, i % PROFILES);
	text_adds(out, "default_profile: p0\n");
}

static double decision_us(const struct config *cfg, struct mac mac)
{
	static const uint8_t x64[] = { 0, 7 };
	struct facts f = {
		.has_mac = true, .mac = mac, .hostname = SPAN_LIT("web1000"), .network = "br0"
	};
	double began;
	struct answer a;

	facts_classify(SPAN_LIT("PXEClient:Arch:00007:UNDI:003000"), SPAN_NONE,
		(struct span){ x64, 2 }, SPAN_NONE, &f);
	began = now_us();
	for (unsigned i = 0; i < DECISIONS; i++)
		boot_decide(cfg, &f, &a);
	if (a.rule_kind != RULE_DEFAULT)
		die("a rule won that should not");
	return (now_us() - began) / DECISIONS;
}

int main(void)
{
	struct config_errors errs = { 0 };
	struct text source = { 0 };
	struct config *cfg;
	double began;

	write_config(&source);
	if (source.failed)
		die("memory");
	began = now_us();
	if (config_load("big.yaml", text_span(&source), &errs, &cfg) < 0)
		die(errs.n ? errs.list[0].message : "the configuration is not taken");
	(void)printf("{\"machines\": %d, \"rules\": %d, \"load_ms\": %.0f, ", MACHINES, RULES,
		(now_us() - began) / 1e3);
	(void)printf("\"known_us\": %.2f, \"unknown_us\": %.2f}\n",
		decision_us(cfg, (struct mac){ { 0x52, 0x54, 0, 0, 0x20, 0 } }),
		decision_us(cfg, (struct mac){ { 2 } }));
	config_free(cfg);
	text_free(&source);
	return 0;
}
