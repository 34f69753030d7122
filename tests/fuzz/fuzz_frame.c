/* Frames read raw.
 *
 * The input is a frame.  Checked: the payload lies in it; a frame that passes
 * with its checksums passes without; what is decoded and encoded again decodes
 * to the same, checksums and all; so does any input as a payload.
 */
#include "wire/frame.h"

#include <stdlib.h>

#define CHECK(x)  ((x) ? (void)0 : abort())
#define FRAME_MAX 65535u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_comes_back(const struct frame4 *f)
{
	static uint8_t buf[FRAME_MAX + 14];
	struct wr w = wr_of(buf, sizeof(buf));
	struct frame4 again;

	frame4_encode(f, &w);
	CHECK(!w.full && w.n == FRAME4_HEADERS + f->payload.n);
	CHECK(frame4_decode(wr_done(&w), true, &again) == DROP_NONE);
	CHECK(mac_eq(f->src_mac, again.src_mac) && mac_eq(f->dst_mac, again.dst_mac));
	CHECK(ip4_eq(f->src, again.src) && ip4_eq(f->dst, again.dst));
	CHECK(f->src_port == again.src_port && f->dst_port == again.dst_port);
	CHECK(span_eq(f->payload, again.payload));
}

static void check_payload(const uint8_t *data, size_t size)
{
	struct frame4 f = { .src_mac = { { 2 } },
		.src = { 0xac180001u },
		.src_port = 67,
		.dst_port = 68,
		.payload = { data, size } };

	memcpy(&f.dst.v, data, size < 4 ? size : 4);
	check_comes_back(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span frame = { data, size };
	struct frame4 strict, loose;

	if (size == 0 || size > FRAME_MAX - FRAME4_HEADERS)
		return 0;
	enum drop without = frame4_decode(frame, false, &loose);

	if (without == DROP_NONE) {
		CHECK(loose.payload.p >= data &&
			(size_t)(loose.payload.p - data) <= size - loose.payload.n);
		check_comes_back(&loose);
	}
	if (frame4_decode(frame, true, &strict) == DROP_NONE)
		CHECK(without == DROP_NONE && span_eq(strict.payload, loose.payload));
	check_payload(data, size);
	return 0;
}
