package policy_test

import data.policy

allowed(claims) if {
	policy.allow with input as claims
		with data.plugin as "resource"
		with data["resource-path"] as ["default", "key", "1"]
		with data.query as {}
}

submodules(statuses) := {"submods": {name: {"ear.status": status} | some name, status in statuses}}

test_all_affirming if {
	allowed(submodules({"cpu0": "affirming"}))
	allowed(submodules({"cpu0": "affirming", "gpu0": "affirming", "gpu1": "affirming"}))
}

test_any_other_status_denies if {
	every status in ["none", "warning", "contraindicated", "Affirming", "", null, true, 2] {
		not allowed(submodules({"cpu0": status}))
		not allowed(submodules({"cpu0": "affirming", "gpu0": status}))
	}
}

test_nothing_attested_denies if {
	not allowed({})
	not allowed({"submods": {}})
	not allowed({"submods": null})
	not allowed({"submods": "affirming"})
	not allowed({"submods": [{"ear.status": "affirming"}]})
	not allowed({"submods": {"cpu0": {}}})
	not allowed({"submods": {"cpu0": "affirming"}})
	not allowed({"submods": {"cpu0": {"ear.status": "affirming"}, "gpu0": {}}})
}
