/* Captures.
 *
 * The input is a file.  Checked: every packet lies in it, behind the one before;
 * their numbers count; the end stays the end; tags come off without a step beyond.
 */
#include "wire/pcap.h"

#include <stdlib.h>

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data;
	struct pcap_packet packet;
	struct pcap p;
	unsigned n = 0;

	if (pcap_open((struct span){ data, size }, &p) < 0)
		return 0;
	while (pcap_next(&p, &packet)) {
		CHECK(packet.number == ++n);
		if (packet.data.n == 0)
			continue;
		CHECK(packet.data.p >= at &&
			packet.data.n <= (size_t)(data + size - packet.data.p));
		at = packet.data.p + packet.data.n;

		struct span bare = pcap_without_tags(packet.data);

		CHECK(bare.n <= packet.data.n && (packet.data.n - bare.n) % 4 == 0);
		CHECK(bare.p + bare.n == at);
	}
	CHECK(!pcap_next(&p, &packet) && p.rest.n == 0);
	return 0;
}
