/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The verdict: which rules match the peer and the port, and which of them decides. */
#ifndef WEIR_EVALUATE_H
#define WEIR_EVALUATE_H

#include "packet.h"

static __always_inline __u32 profile_of(__u64 word, __u32 direction)
{
	__u32 shift = direction == EGRESS ? POLICY_EGRESS_SHIFT : POLICY_INGRESS_SHIFT;

	return word >> shift & POLICY_PROFILE_MASK;
}

static __always_inline __u32 generation_of(__u64 word)
{
	return word >> POLICY_GENERATION_SHIFT;
}

static __always_inline bool has_bit(__u64 word, __u32 bit)
{
	return word >> bit & 1;
}

/* Exact addresses have the networks that contain them in their class already. */
static __always_inline __u32 class_of(const struct address *address, __u32 column)
{
	struct address_key exact = { .address = *address, .column = column };
	struct network_key longest = {
		.prefix_length = 32 + 128,
		.column = bpf_htonl(column),
		.address = *address,
	};
	__u32 *class = bpf_map_lookup_elem(&addresses, &exact);

	if (!class)
		class = bpf_map_lookup_elem(&networks, &longest);
	return class ? *class : 0;
}

static __always_inline __u32 port_class_of(const struct question *question, __u32 column)
{
	__u32 index = column * N_PORT_PROTOCOLS;
	struct port_classes *classes;

	switch (question->protocol) {
	case PROTOCOL_TCP:
		index += PORTS_TCP;
		break;
	case PROTOCOL_UDP:
		index += PORTS_UDP;
		break;
	case PROTOCOL_SCTP:
		index += PORTS_SCTP;
		break;
	default:
		return 0;
	}
	classes = bpf_map_lookup_elem(&port_classes, &index);
	return classes ? classes->of_port[question->port & 0xffff] : 0;
}

/* Class 0 is named by no rule. Not inlined: its key would stand on the stack of `evaluate` four times. */
__noinline __u64 vector_of(__u32 profile, __u32 class, __u32 word, __u32 kind)
{
	struct vector_key key = { profile, class << 4 | word, kind };
	__u64 *vector;

	if (!class)
		return 0;
	vector = bpf_map_lookup_elem(&vectors, &key);
	return vector ? *vector : 0;
}

/* Which words of a class' row are there. */
static __always_inline __u64 words_of(__u32 profile, __u32 class, __u32 n_words, __u32 kind)
{
	return n_words < SUMMARY_WORDS ? ~0ULL : vector_of(profile, class, 0, kind);
}

/* A pass at the end of the last tier leaves it to the default, which allows. */
static __always_inline __u32 end_of_tier(const struct profile *profile, __u32 rule)
{
	if (rule < profile->admin_end)
		return profile->admin_end;
	if (rule < profile->baseline_start)
		return profile->baseline_start;
	return MAX_WORDS * 64;
}

enum selection { SELECT_ENFORCED, SELECT_OBSERVED, SELECT_STAGED };

static __always_inline __u64 selected(const struct rule_word *word, enum selection selection)
{
	__u64 rules = word->enforced;

	if (selection >= SELECT_OBSERVED)
		rules |= word->observed;
	if (selection >= SELECT_STAGED)
		rules |= word->staged;
	return rules;
}

/*
 * By halves: clang 14 does not compile its own built-in for this target. The verifier walks through a
 * function that is not static once, and not again for every path that leads to a call.
 */
__noinline int lowest_bit(__u64 rules)
{
	__u32 bit = 0;

	for (__u32 half = 32; half; half /= 2) {
		if (rules & ((1ULL << half) - 1))
			continue;
		rules >>= half;
		bit += half;
	}
	return bit;
}

/* The first selected rule that matches, behind the tiers that a pass has ended. */
__noinline int deciding_rule(const struct profile *profile, const struct decision *decision,
			     enum selection selection)
{
	__u32 from = 0;

	if (!profile || !decision)
		return NO_RULE;
	for (__u32 w = 0; w < MAX_WORDS; w++) {
		const struct rule_word *word = &profile->words[w];
		__u64 rules;

		if (w >= decision->n_words)
			break;
		rules = decision->vector[w] & selected(word, selection);
		/* One word holds at most the ends of three tiers. */
		for (__u32 tier = 0; tier < 4; tier++) {
			__u32 bit;

			if (from >= (w + 1) * 64)
				break;
			if (from > w * 64)
				rules &= ~0ULL << (from - w * 64);
			if (!rules)
				break;
			bit = lowest_bit(rules) & 63;
			if (!(word->passes >> bit & 1))
				return w * 64 + bit;
			from = end_of_tier(profile, w * 64 + bit);
		}
	}
	return NO_RULE;
}

static __always_inline bool denies(const struct profile *profile, __u32 rule)
{
	if (rule >= MAX_WORDS * 64)
		return false;
	return profile->words[rule / 64].denies >> (rule & 63) & 1;
}

static __always_inline void decide_rules(const struct profile *profile, struct decision *decision,
					 __u64 observed, __u64 staged)
{
	__u32 rule = deciding_rule(profile, decision, SELECT_ENFORCED);

	decision->rule = rule;
	if (denies(profile, rule))
		decision->verdicts |= VERDICT_DENY;
	if (observed)
		rule = deciding_rule(profile, decision, SELECT_OBSERVED);
	decision->observed_rule = rule;
	if (denies(profile, rule))
		decision->verdicts |= VERDICT_OBSERVED_DENY;
	if (staged)
		rule = deciding_rule(profile, decision, SELECT_STAGED);
	decision->staged_rule = rule;
	if (denies(profile, rule))
		decision->verdicts |= VERDICT_STAGED_DENY;
}

static __always_inline void clear_decision(struct decision *decision, __u64 word)
{
	decision->generation = generation_of(word);
	decision->profile = 0;
	decision->peer_class = 0;
	decision->n_words = 0;
	__builtin_memset(&decision->backend, 0, sizeof(decision->backend));
	decision->backend_port = 0;
	decision->rule = NO_RULE;
	decision->observed_rule = NO_RULE;
	decision->staged_rule = NO_RULE;
	decision->verdicts = 0;
}

/* CAUSE_NONE, or why the packet must not pass: a rule, no policy, or a table without an entry. */
__noinline int evaluate(const struct question *question, struct decision *decision)
{
	__u64 observed = 0, staged = 0, peer_words, port_words;
	__u32 id, column, n_words, port_class;
	struct profile *profile;

	if (!question || !decision)
		return CAUSE_TABLES;
	clear_decision(decision, question->word);
	id = profile_of(question->word, question->direction);
	if (!id)
		return CAUSE_NO_POLICY_YET;
	profile = bpf_map_lookup_elem(&profiles, &id);
	if (!profile || !(profile->flags & PROFILE_WRITTEN))
		return CAUSE_TABLES;
	decision->profile = id;
	n_words = profile->n_words;
	if (n_words > MAX_WORDS)
		return CAUSE_TABLES;
	if (!n_words)
		return CAUSE_NONE;
	column = has_bit(question->word, POLICY_COLUMN_BIT);
	decision->peer_class = class_of(&question->remote, column);
	port_class = port_class_of(question, column);
	peer_words = words_of(id, decision->peer_class, n_words, VECTOR_PEER_SUMMARY);
	port_words = words_of(id, port_class, n_words, VECTOR_PORT_SUMMARY);
	for (__u32 w = 0; w < MAX_WORDS; w++) {
		const struct rule_word *word = &profile->words[w];
		bool has_port = port_words >> w & 1;
		__u64 rules, ports;

		if (w >= n_words)
			break;
		rules = word->any_peer;
		ports = word->all_ports;
		if (peer_words >> w & 1 && (ports || has_port))
			rules |= vector_of(id, decision->peer_class, w, VECTOR_PEER);
		if (rules && has_port)
			ports |= vector_of(id, port_class, w, VECTOR_PORT);
		rules &= ports;
		decision->vector[w] = rules;
		observed |= rules & word->observed;
		staged |= rules & word->staged;
	}
	decision->n_words = n_words;
	decide_rules(profile, decision, observed, staged);
	return decision->verdicts & VERDICT_DENY ? CAUSE_POLICY : CAUSE_NONE;
}

#endif
