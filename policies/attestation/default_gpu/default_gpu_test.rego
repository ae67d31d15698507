package policy_test

import data.policy

known := {
	"device_svn": ["2"],
	"allowed_vbios_versions": ["96.00.9F.00.01"],
	"allowed_driver_versions": ["535.104.05"],
}

query_known(name) := object.get(known, name, null)

query_none(_) := null

# executables, hardware, configuration
verdict(claims) := [v.executables, v.hardware, v.configuration] if {
	v := policy.trust_claims with input as claims with query_reference_value as query_known
}

good_chain := {"x-nvidia-cert-ocsp-status": "good", "x-nvidia-cert-status": "valid"}

gpu := {
	"x-nvidia-gpu-attestation-report-cert-chain": good_chain,
	"x-nvidia-gpu-attestation-report-cert-chain-fwid-match": true,
	"x-nvidia-gpu-attestation-report-parsed": true,
	"x-nvidia-gpu-attestation-report-signature-verified": true,
	"x-nvidia-gpu-arch-check": true,
	"x-nvidia-gpu-vbios-version": "96.00.9F.00.01",
	"x-nvidia-gpu-driver-version": "535.104.05",
	"x-nvidia-gpu-vbios-rim-cert-chain": good_chain,
	"x-nvidia-gpu-driver-rim-fetched": true,
	"x-nvidia-gpu-driver-rim-measurements-available": true,
	"x-nvidia-gpu-driver-rim-schema-validated": true,
	"x-nvidia-gpu-driver-rim-signature-verified": true,
	"x-nvidia-gpu-driver-rim-version-match": true,
	"x-nvidia-gpu-vbios-rim-fetched": true,
	"x-nvidia-gpu-vbios-rim-measurements-available": true,
	"x-nvidia-gpu-vbios-rim-schema-validated": true,
	"x-nvidia-gpu-vbios-rim-signature-verified": true,
	"x-nvidia-gpu-vbios-rim-version-match": true,
	"measres": "success",
	"secboot": true,
	"dbgstat": "disabled",
}

test_everything_known if {
	verdict({"nvidia": gpu}) == [3, 2, 2]
	verdict({"sampledevice": {"svn": "2"}}) == [33, 2, 36]
}

test_nothing_known if {
	v := policy.trust_claims with input as {"nvidia": gpu} with query_reference_value as query_none
	[v.executables, v.hardware, v.configuration] == [3, 2, 3]
	w := policy.trust_claims with input as {"sampledevice": {"svn": "2"}} with query_reference_value as query_none
	[w.executables, w.hardware, w.configuration] == [33, 97, 36]
}

test_other_claims if {
	verdict({}) == [33, 97, 36]
	verdict({"nvidia": {"arch": "Hopper", "uuid": "unknown"}}) == [33, 97, 36]
	verdict({"sampledevice": {"svn": "1"}}) == [33, 97, 36]
	verdict({"sampledevice": {}}) == [33, 97, 36]
}

test_every_claim_counts if {
	every name, _ in gpu {
		verdict({"nvidia": object.remove(gpu, [name])}) != [3, 2, 2]
		verdict({"nvidia": object.union(gpu, {name: "false"})}) != [3, 2, 2]
		verdict({"nvidia": object.union(gpu, {name: null})}) != [3, 2, 2]
	}
}

test_chains_are_good_and_valid if {
	every name in ["x-nvidia-gpu-attestation-report-cert-chain", "x-nvidia-gpu-vbios-rim-cert-chain"] {
		every status in ["x-nvidia-cert-ocsp-status", "x-nvidia-cert-status"] {
			revoked := object.union(gpu, {name: object.union(good_chain, {status: "revoked"})})
			verdict({"nvidia": revoked}) != [3, 2, 2]
		}
	}
}

test_all_eight_claims_are_always_there if {
	v := policy.trust_claims with input as {} with query_reference_value as query_none
	count(v) == 8
}
