package policy_test

import data.policy

test_a_verified_node_is_affirming if {
	v := policy.trust_claims with input as {"nvidia": {"gpu_count": 8, "switch_count": 4}}
	v.configuration == 2
	count(v) == 8
	sum([value | some value in v]) == 2
}
