// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * The data plane's programs. docs/design/data-plane.md draws a packet's way through them; abi.h has
 * what they share with user space.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "abi.h"
#include "maps.h"

/* The helpers and kernel functions below are open to programs under the GPL only. */
char LICENSE[] SEC("license") = "GPL";

/* Set by user space before it loads the object. */
const volatile struct settings settings;

/* Names what no map mentions, so that debug information has it and Rust gets it; takes no space. */
const volatile struct {
	enum limits limits[0];
	enum pod_flags pod_flags[0];
	enum policy_word policy_word[0];
	enum port_protocol port_protocol[0];
	enum vector_kind vector_kind[0];
	enum direction direction[0];
	enum icmp_opener icmp_opener[0];
	enum tcp_state tcp_state[0];
	enum connection_flags connection_flags[0];
	enum verdict_bits verdict_bits[0];
	enum event_kind event_kind[0];
	enum cause cause[0];
	struct event event[0];
} shared_types = {};

enum action {
	ACTION_NEXT = -1, /* the next program of the interface runs */
	ACTION_DROP = 2,
};

/* A pod's interface passes nothing. */
static __always_inline int drop_of_pod(struct __sk_buff *skb)
{
	__u32 interface = skb->ifindex;
	__u32 cause = CAUSE_TABLES;
	__u64 *counter;

	if (!bpf_map_lookup_elem(&pods, &interface))
		return ACTION_NEXT;
	counter = bpf_map_lookup_elem(&counters, &cause);
	if (counter)
		__sync_fetch_and_add(counter, 1);
	return ACTION_DROP;
}

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	return drop_of_pod(skb);
}

SEC("tc")
int to_pod(struct __sk_buff *skb)
{
	return drop_of_pod(skb);
}
