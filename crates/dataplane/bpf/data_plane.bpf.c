// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * The data plane's programs. docs/design/data-plane.md draws a packet's way through them; abi.h has
 * what they share with user space.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "abi.h"
#include "packet.h"
#include "maps.h"

/* The helpers and kernel functions below are open to programs under the GPL only. */
char LICENSE[] SEC("license") = "GPL";

/* Set by user space before it loads the object. */
const volatile struct settings settings;

/*
 * Names what no map mentions, so that debug information has it and Rust gets it. The kernel refuses a
 * variable without a size.
 */
const volatile struct {
	__u64 size;
	enum limits limits[0];
	enum pod_flags pod_flags[0];
	enum policy_word policy_word[0];
	enum node_word node_word[0];
	enum profile_flags profile_flags[0];
	enum port_protocol port_protocol[0];
	enum vector_kind vector_kind[0];
	enum direction direction[0];
	enum icmp_opener icmp_opener[0];
	enum tcp_state tcp_state[0];
	enum connection_flags connection_flags[0];
	enum recent_word recent_word[0];
	enum verdict_bits verdict_bits[0];
	enum event_kind event_kind[0];
	enum cause cause[0];
	struct event event[0];
	struct inquiry inquiry[0];
	struct restored restored[0];
} shared_types = {};

#include "parse.h"
#include "flow.h"
#include "service.h"
#include "sweep.h"
#include "ask.h"
#include "restore.h"

static __always_inline int decide(struct __sk_buff *skb, __u32 direction)
{
	struct pod *pod = pod_at(skb->ifindex);
	struct situation situation = {};
	struct packet packet = {};
	struct scratch *scratch;
	__u64 *policy;
	int cause;

	if (!pod)
		return ACTION_NEXT;
	policy = bpf_map_lookup_elem(&policies, &pod->slot);
	scratch = bpf_map_lookup_elem(&scratches, &direction);
	if (!policy || !scratch) {
		count(CAUSE_TABLES);
		return ACTION_DROP;
	}
	/* Once, so that all of one packet's steps are of one policy. */
	situation.word = *(volatile __u64 *)policy;
	situation.now = bpf_ktime_get_coarse_ns();
	situation.slot = pod->slot;
	situation.open_without_policy = pod->flags & POD_OPEN_UNTIL_POLICY;
	packet.direction = direction;
	packet.length = skb->len;
	packet.key.pod = pod->id;
	cause = parse_frame(skb, &packet, pod, direction);
	if (!cause && packet.kind != PACKET_NEIGHBOUR)
		cause = decide_flow(skb, &packet, pod, scratch, &situation);
	if (!cause)
		return ACTION_NEXT;
	if (!packet.evaluated)
		clear_decision(&scratch->decision, situation.word);
	count_denial(&packet, &scratch->decision, cause, situation.now);
	return is_only_reported(cause, &situation) ? ACTION_NEXT : ACTION_DROP;
}

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	return decide(skb, EGRESS);
}

SEC("tc")
int to_pod(struct __sk_buff *skb)
{
	return decide(skb, INGRESS);
}

SEC("netfilter")
int behind_service(struct bpf_nf_ctx *context)
{
	return decide_behind_service(context);
}

SEC("syscall")
int sweep(void *context)
{
	(void)context;
	sweep_tables();
	return 0;
}

/* Attached nowhere: run once by each process that loads the programs. */
SEC("tc")
int watch(struct __sk_buff *skb)
{
	(void)skb;
	return begin_watch() ? ACTION_DROP : ACTION_NEXT;
}

/* Attached nowhere; its packet is the inquiry. Programs of type syscall may not use `networks`. */
SEC("tc")
int ask(struct __sk_buff *skb)
{
	struct inquiry *inquiry = (void *)(long)skb->data;

	if ((void *)(inquiry + 1) > (void *)(long)skb->data_end)
		return ACTION_DROP;
	answer(inquiry);
	return ACTION_NEXT;
}

/* Attached nowhere; its packet is a connection of an earlier schema's table. */
SEC("tc")
int restore(struct __sk_buff *skb)
{
	struct restored *restored = (void *)(long)skb->data;

	if ((void *)(restored + 1) > (void *)(long)skb->data_end)
		return ACTION_DROP;
	restore_connection(restored);
	return ACTION_NEXT;
}

/* Holds the place at an interface until ours is there. */
SEC("tc")
int nothing(struct __sk_buff *skb)
{
	(void)skb;
	return ACTION_NEXT;
}
