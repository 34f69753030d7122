/* Rates and progress of transfers. */
#include "app/progress.h"

#include "base/escape.h"
#include "edge/clock.h"

#define RATE_FROM_OCTETS 65536u /* of less, it says how long one packet took */

uint64_t progress_octets_per_s(uint64_t octets, uint64_t duration_us)
{
	return duration_us ? (uint64_t)((double)octets * 1e6 / (double)duration_us) : 0;
}

void progress_add_rate(uint64_t octets, uint64_t duration_us, struct text *out)
{
	if (octets >= RATE_FROM_OCTETS && duration_us)
		text_addf(out, ", %.1f MB/s", (double)octets / (double)duration_us);
}

static unsigned percent(const struct progress *p)
{
	return p->size ? (unsigned)((double)p->done * 100 / (double)p->size) : 0;
}

static void add_sentence(
	struct site *site, const struct facts *f, const struct progress *p, struct text *out)
{
	site_machine_text(site, f, p->peer, out);
	text_adds(out, " \"");
	escape_log(out, p->file, 200);
	text_addf(out, "\" %llu", (unsigned long long)p->done);
	if (p->size)
		text_addf(out, " of %llu", (unsigned long long)p->size);
	text_adds(out, " octets");
	if (p->size)
		text_addf(out, " (%u %%)", percent(p));
	text_addf(out, " in %.2f s", (double)p->duration_us / 1e6);
	progress_add_rate(p->done, p->duration_us, out);
}

void progress_say(struct site *site, const struct progress *p)
{
	struct text sentence = { 0 }, record = { 0 };
	struct ip4_text peer = ip4_str(p->peer);
	struct mac_text mac;
	struct facts facts;

	(void)site_facts_of_address(site, p->peer, &facts);
	mac = mac_str(facts.mac);
	add_sentence(site, &facts, p, &sentence);

	const struct log_field fields[] = {
		FIELD_STR("mac", facts.has_mac ? mac.s : NULL),
		FIELD_STR("peer", peer.s),
		FIELD_TEXT("file", p->file),
		FIELD_NUMBER("octets", p->done),
		FIELD_SOME("size", p->size),
		FIELD_NUMBER("progress", percent(p)),
		FIELD_NUMBER("duration_us", p->duration_us),
		FIELD_SOME("octets_per_s", progress_octets_per_s(p->done, p->duration_us)),
	};

	log_record_pack(clock_wall_ms(), LOG_INFO, p->topic, fields, ARRAY_LEN(fields),
		text_span(&sentence), &record);
	if (!record.failed)
		events_add(site->events, EVENTS_PROGRESS, text_span(&record));
	text_free(&sentence);
	text_free(&record);
}
