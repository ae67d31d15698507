package policy_test

import data.policy

guest(status, images) := {"submods": {"cpu0": {
	"ear.status": status,
	"ear.trustee.identifiers": {"validated": {"container_images": images}},
}}}

allowed(claims, plugin, path) if {
	policy.allow with input as claims with data.plugin as plugin with data["resource-path"] as path
}

test_shared_is_for_affirming_guests if {
	allowed(guest("affirming", []), "resource", ["shared", "ca", "root"])
	allowed({"submods": {"cpu0": {"ear.status": "affirming"}}}, "resource", ["shared", "ca", "root"])
	not allowed(guest("warning", []), "resource", ["shared", "ca", "root"])
}

test_a_team_reads_its_own_repository if {
	payments := guest("affirming", ["registry.example.com/payments/api:1.4.2"])
	allowed(payments, "resource", ["payments", "database", "password"])
	not allowed(payments, "resource", ["search", "database", "password"])
	not allowed(guest("affirming", ["registry.example.com/else:1"]), "resource", ["payments", "database", "password"])
	not allowed(guest("contraindicated", ["registry.example.com/payments/api:1.4.2"]), "resource", ["payments", "a", "b"])
}

test_everything_else_stays_closed if {
	payments := guest("affirming", ["registry.example.com/payments/api:1.4.2"])
	not allowed(payments, "resource", ["other", "database", "password"])
	not allowed(payments, "pkcs11", ["payments", "database", "password"])
	not allowed(payments, "resource", ["payments", "database"])
	not allowed(payments, "resource", [])
}
