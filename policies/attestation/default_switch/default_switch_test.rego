package policy_test

import data.policy

known := {"device_svn": ["2"], "allowed_switch_bios_versions": ["96.10.57.00.01"]}

query_known(name) := object.get(known, name, null)

query_none(_) := null

# executables, hardware, configuration
verdict(claims) := [v.executables, v.hardware, v.configuration] if {
	v := policy.trust_claims with input as claims with query_reference_value as query_known
}

good_chain := {"x-nvidia-cert-ocsp-status": "good", "x-nvidia-cert-status": "valid"}

switch := {
	"x-nvidia-switch-attestation-report-cert-chain": good_chain,
	"x-nvidia-switch-attestation-report-cert-chain-fwid-match": true,
	"x-nvidia-switch-attestation-report-parsed": true,
	"x-nvidia-switch-attestation-report-signature-verified": true,
	"x-nvidia-switch-arch-check": true,
	"x-nvidia-switch-bios-version": "96.10.57.00.01",
	"x-nvidia-switch-bios-rim-cert-chain": good_chain,
	"x-nvidia-switch-bios-rim-fetched": true,
	"x-nvidia-switch-bios-rim-measurements-available": true,
	"x-nvidia-switch-bios-rim-schema-validated": true,
	"x-nvidia-switch-bios-rim-signature-verified": true,
	"x-nvidia-switch-bios-rim-version-match": true,
	"measres": "success",
	"secboot": true,
	"dbgstat": "disabled",
}

test_everything_known if {
	verdict({"nvidia": switch}) == [3, 2, 2]
	verdict({"sampledevice": {"svn": "2"}}) == [33, 2, 36]
}

test_nothing_known if {
	v := policy.trust_claims with input as {"nvidia": switch} with query_reference_value as query_none
	[v.executables, v.hardware, v.configuration] == [3, 2, 3]
	verdict({}) == [33, 97, 36]
}

test_every_claim_counts if {
	every name, _ in switch {
		verdict({"nvidia": object.remove(switch, [name])}) != [3, 2, 2]
		verdict({"nvidia": object.union(switch, {name: "false"})}) != [3, 2, 2]
		verdict({"nvidia": object.union(switch, {name: null})}) != [3, 2, 2]
	}
}

test_all_eight_claims_are_always_there if {
	v := policy.trust_claims with input as {} with query_reference_value as query_none
	count(v) == 8
}
