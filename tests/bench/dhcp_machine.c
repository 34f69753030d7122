#include "dhcp_machine.h"
#include "packet4.h"

enum {
	ETHERNET = 14,
	IP = 20,
	UDP = 8,
	AT_BOOTP = ETHERNET + IP + UDP,
	AT_FLAGS = 10,
	AT_SIADDR = 20,
	AT_FILE = 108,
	FILE_LEN = 128,
	CLIENT_PORT = 68,
};

static void put_u16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* From 0.0.0.0 to everybody; UDP without a checksum, as IPv4 allows. */
static void put_headers(uint8_t *frame, const uint8_t *mac, size_t bootp_n)
{
	uint8_t *ip = frame + ETHERNET, *udp = ip + IP;
	unsigned sum = 0;

	memset(frame, 0xff, DHCP_MAC_LEN);
	memcpy(frame + DHCP_MAC_LEN, mac, DHCP_MAC_LEN);
	put_u16(frame + 12, 0x0800);
	memset(ip, 0, IP + UDP);
	ip[0] = 0x45;
	put_u16(ip + 2, (unsigned)(IP + UDP + bootp_n));
	ip[8] = 64;
	ip[9] = 17;
	memset(ip + 16, 0xff, 4);
	for (unsigned i = 0; i < IP; i += 2)
		sum += (unsigned)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	put_u16(ip + 10, ~sum & 0xffff);
	put_u16(udp, CLIENT_PORT);
	put_u16(udp + 2, SERVER_PORT);
	put_u16(udp + 4, (unsigned)(UDP + bootp_n));
}

/* What EDK2's PXE and Debian's iPXE ask with. */
static uint8_t *put_client(uint8_t *at, const uint8_t *mac, bool ipxe)
{
	static const uint8_t size[] = { 5, 0xc0 }, arch[] = { 0, 7 }, undi[] = { 1, 3, 16 },
			     efi_list[] = { 1, 3, 6, 12, 13, 43, 54, 60, 66, 67, 97 },
			     ipxe_list[] = { 1, 3, 6, 12, 43, 60, 66, 67, 97, 175 },
			     features[] = { 0x13, 1, 1, 0x17, 1, 1, 0x15, 1, 1, 0x27, 1, 1, 0x18, 1,
				     1 };
	static const char class[] = "PXEClient:Arch:00007:UNDI:003016";
	uint8_t uuid[17] = { 0 };

	memcpy(uuid + 11, mac, DHCP_MAC_LEN);
	at = put_option(at, 57, size, sizeof(size));
	at = ipxe ? put_option(at, 55, ipxe_list, sizeof(ipxe_list))
		  : put_option(at, 55, efi_list, sizeof(efi_list));
	at = put_option(at, 97, uuid, sizeof(uuid));
	at = put_option(at, 94, undi, sizeof(undi));
	at = put_option(at, 93, arch, sizeof(arch));
	at = put_option(at, 60, class, sizeof(class) - 1);
	if (!ipxe)
		return at;
	at = put_option(at, 77, "iPXE", 4);
	return put_option(at, 175, features, sizeof(features));
}

size_t dhcp_machine_frame(uint8_t frame[DHCP_FRAME_MAX], const uint8_t mac[DHCP_MAC_LEN],
	uint32_t xid, bool ipxe, const struct dhcp_answer *offer)
{
	uint8_t *p = frame + AT_BOOTP, *at = p + AT_OPTIONS;
	const uint8_t type = offer ? REQUEST : DISCOVER;
	size_t n;

	memset(p, 0, DHCP_FRAME_MAX - AT_BOOTP);
	memcpy(p, (const uint8_t[]){ 1, 1, DHCP_MAC_LEN }, 3);
	put_u32(p + AT_XID, xid);
	p[AT_FLAGS] = ipxe ? 0 : 0x80; /* EDK2 wants broadcasts */
	memcpy(p + AT_CHADDR, mac, DHCP_MAC_LEN);
	put_u32(p + AT_COOKIE, 0x63825363);
	at = put_option(at, 53, &type, 1);
	if (offer) {
		at = put_option(at, 50, &offer->address, 4);
		at = put_option(at, 54, &offer->server_id, 4);
	}
	at = put_client(at, mac, ipxe);
	*at++ = 255;
	n = (size_t)(at - p) < PACKET_SIZE ? PACKET_SIZE : (size_t)(at - p);
	put_headers(frame, mac, n);
	return AT_BOOTP + n;
}

static void take_bootfile(struct dhcp_answer *a, const uint8_t *p, size_t n)
{
	const uint8_t *option = find_option(p, n, 67, 1), *name = option ? option : p + AT_FILE;
	size_t max = option ? option[-1] : FILE_LEN;

	memcpy(a->bootfile, name, max);
	a->bootfile[max] = '\0';
}

bool dhcp_machine_answer(const uint8_t *frame, size_t n, struct dhcp_answer *ret)
{
	size_t head = n > ETHERNET ? ETHERNET + (frame[ETHERNET] & 15u) * 4 + UDP : n;
	const uint8_t *p = frame + head, *type, *id;

	if (n < head + AT_OPTIONS || p[AT_OP] != 2)
		return false;
	n -= head;
	type = find_option(p, n, 53, 1);
	id = find_option(p, n, 54, 4);
	if (!type || !id)
		return false;
	*ret = (struct dhcp_answer){ .type = *type, .xid = get_u32(p + AT_XID) };
	memcpy(ret->mac, p + AT_CHADDR, DHCP_MAC_LEN);
	memcpy(&ret->address, p + AT_YIADDR, 4);
	memcpy(&ret->server_id, id, 4);
	memcpy(&ret->next_server, p + AT_SIADDR, 4);
	if (!ret->next_server.s_addr)
		ret->next_server = ret->server_id;
	take_bootfile(ret, p, n);
	return true;
}
