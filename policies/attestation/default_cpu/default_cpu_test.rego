package policy_test

import data.policy

# Reference values for every TEE; what is not here is null, as in operation.
known := {
	"launch_digest": ["abcde"],
	"svn": ["1"],
	"major_version": 1,
	"minimum_minor_version": 1,
	"snp_launch_measurement": ["aa", "bb"],
	"snp_bootloader": [3],
	"snp_microcode": [72],
	"snp_snp_svn": [14],
	"snp_tee_svn": [0],
	"snp_smt_enabled": true,
	"snp_tsme_enabled": false,
	"snp_guest_abi_major": 0,
	"snp_guest_abi_minor": 0,
	"snp_single_socket": false,
	"snp_smt_allowed": true,
	"rtmr_1": ["r1"],
	"rtmr_2": ["r2"],
	"tdvfkernel": "kernel digest",
	"tdvfkernelparams": ["command line digest"],
	"mr_td": ["td"],
	"xfam": ["e702060000000000"],
	"measurement": ["mm"],
	"snp_pcr11": ["p11"],
	"tcb_bootloader": ["3"],
	"tcb_microcode": ["72"],
	"tcb_snp": ["14"],
	"tcb_tee": ["0"],
	"smt_enabled": ["true"],
	"tsme_enabled": ["false"],
	"abi_major": ["0"],
	"abi_minor": ["31"],
	"single_socket": ["false"],
	"smt_allowed": ["true"],
	"tdx_pcr11": ["t11"],
	"tpm_pcr11": ["q11"],
	"trusted_aks": ["ak"],
	"sgx_mr_enclave": ["enclave"],
	"sgx_mr_signer": ["signer"],
	"sgx_isv_prod_id": [7],
	"sgx_minimum_isv_svn": 3,
	"sgx_attribute_flags": ["0500000000000000", "0700000000000000"],
	"mr_seam": ["seam"],
	"cca_realm_initial_measurement": ["rim"],
	"cca_platform_implementation_id": ["impl"],
	"csv_measure": ["cm"],
	"csv_serial_number": ["csn"],
	"csv_api_major": [1],
	"csv_api_minor": [3],
}

query_known(name) := object.get(known, name, null)

query_none(_) := null

# executables, hardware, configuration
verdict(claims) := [v.executables, v.hardware, v.configuration] if {
	v := policy.trust_claims with input as claims with query_reference_value as query_known
}

verdict_without_reference_values(claims) := [v.executables, v.hardware, v.configuration] if {
	v := policy.trust_claims with input as claims with query_reference_value as query_none
}

distrusted := [33, 97, 36]

sample := {"sample": {
	"svn": "1",
	"launch_digest": "abcde",
	"platform_version": {"major": 1, "minor": 4},
	"debug": false,
}}

snp := {"snp": {
	"measurement": "bb",
	"policy_abi_major": 0,
	"policy_abi_minor": 0,
	"policy_smt_allowed": true,
	"policy_migrate_ma": false,
	"policy_debug_allowed": false,
	"policy_single_socket": false,
	"reported_tcb_bootloader": 3,
	"reported_tcb_tee": 0,
	"reported_tcb_snp": 14,
	"reported_tcb_microcode": 72,
	"platform_tsme_enabled": false,
	"platform_smt_enabled": true,
}}

td := {
	"quote": {
		"header": {"tee_type": "81000000", "vendor_id": "939a7233f79c4ca9940a0db3957f0607"},
		"body": {
			"mr_seam": "seam",
			"mr_td": "td",
			"rtmr_1": "r1",
			"rtmr_2": "r2",
			"td_attributes": "0000001000000000",
			"xfam": "e702060000000000",
		},
	},
	"td_attributes": {"debug": false, "migratable": false},
	"tcb_status": "UpToDate",
	"collateral_expiration_status": "0",
}

tdx := {"tdx": object.union(td, {"uefi_event_logs": [
	{"index": 2, "type_name": "EV_SEPARATOR", "details": {}, "digests": []},
	{
		"index": 2,
		"type_name": "EV_EFI_BOOT_SERVICES_APPLICATION",
		"details": {"device_paths": ["File(kernel)"]},
		"digests": [{"alg": "SHA-384", "digest": "kernel digest"}],
	},
	{
		"index": 3,
		"type_name": "EV_EVENT_TAG",
		"details": {"string": "LOADED_IMAGE::LoadOptions"},
		"digests": [{"alg": "SHA-384", "digest": "command line digest"}],
	},
]})}

az_snp := {"az-snp-vtpm": {
	"measurement": "mm",
	"policy_abi_major": "0",
	"policy_abi_minor": "31",
	"policy_smt_allowed": "true",
	"policy_migrate_ma": "false",
	"policy_debug_allowed": "false",
	"policy_single_socket": "false",
	"reported_tcb_bootloader": "3",
	"reported_tcb_tee": "0",
	"reported_tcb_snp": "14",
	"reported_tcb_microcode": "72",
	"platform_tsme_enabled": "false",
	"platform_smt_enabled": "true",
	"tpm": {"pcr11": "p11"},
}}

az_tdx := {"az-tdx-vtpm": object.union(td, {"tpm": {"pcr11": "t11"}})}

sgx := {"sgx": {
	"header": {"vendor_id": "939a7233f79c4ca9940a0db3957f0607"},
	"body": {"mr_enclave": "enclave", "mr_signer": "other", "attributes.flags": "0500000000000000"},
	"attributes": {"debug": false},
	"tcb_status": "UpToDate",
	"collateral_expiration_status": "0",
}}

# Another build of the same product: known by its signer, not by its measurement.
signed := {"sgx": object.union(sgx.sgx, {
	"body": {"mr_enclave": "new", "mr_signer": "signer", "attributes.flags": "0500000000000000"},
	"isv_prod_id": 7,
	"isv_svn": 3,
})}

cca := {"cca": {
	"realm": {"cca-realm-initial-measurement": "rim"},
	"platform": {"cca-platform-implementation-id": "impl"},
}}

csv := {"csv": {
	"measure": "cm",
	"serial_number": "csn",
	"policy": {"nodbg": 1, "api_major": 1, "api_minor": 3},
}}

test_everything_known if {
	verdict(sample) == [3, 2, 2]
	verdict(snp) == [3, 2, 2]
	verdict(tdx) == [3, 2, 2]
	verdict(az_snp) == [3, 2, 2]
	verdict(az_tdx) == [3, 2, 2]
	verdict({"tpm": {"pcr11": "q11", "ak_public": "ak"}}) == [3, 2, 0]
	verdict({"se": {"tag": "00"}}) == [3, 2, 2]
	verdict(sgx) == [3, 2, 2]
	verdict(signed) == [3, 2, 2]
	verdict(cca) == [3, 2, 36]
	verdict(csv) == [3, 2, 2]
}

test_nothing_known if {
	verdict_without_reference_values(sample) == [33, 97, 2]
	verdict_without_reference_values(snp) == [33, 97, 3]
	verdict_without_reference_values({"tpm": {"pcr11": "q11", "ak_public": "ak"}}) == [33, 97, 0]
	verdict_without_reference_values(sgx) == [33, 2, 36]
	verdict_without_reference_values(signed) == [33, 2, 36]
	every claims in [tdx, az_snp, az_tdx, cca, csv] {
		verdict_without_reference_values(claims) == distrusted
	}
}

test_tpm_key if {
	every trust in ["configured-key", "configured-name", "certificate", "activated"] {
		vouched := {"tpm": {"pcr11": "q11", "ak_public": "other", "ak_trust": trust}}
		verdict(vouched) == [33, 97, 0] # the reference value lists another
		verdict_with(vouched, object.remove(known, ["trusted_aks"])) == [3, 2, 0]
		verdict_without_reference_values(vouched) == [33, 2, 0]
	}
	verdict_without_reference_values({"tpm": {"pcr11": "q11", "ak_public": "ak", "ak_trust": "other"}}) == [33, 97, 0]
}

test_no_claims_or_unknown_tee if {
	every tee in ["sample", "snp", "tdx", "az-snp-vtpm", "az-tdx-vtpm", "sgx", "cca", "csv"] {
		verdict({tee: {}}) == distrusted
	}
	verdict({}) == distrusted
	verdict({"tpm": {}}) == [33, 97, 0]
	verdict({"hygondcu": {"measure": "cm"}}) == distrusted
	verdict({"se": null}) == distrusted
}

test_all_eight_claims_are_always_there if {
	v := policy.trust_claims with input as {} with query_reference_value as query_none
	count(v) == 8
	(((v["instance-identity"] + v["file-system"]) + v["runtime-opaque"]) + v["storage-opaque"]) + v["sourced-data"] == 0
}

# One claim changed, one trust claim falls: whose claims, what is other, what comes of it.
changed := [
	[sample, {"sample": {"launch_digest": "other"}}, [33, 2, 2]],
	[sample, {"sample": {"svn": "2"}}, [3, 97, 2]],
	[sample, {"sample": {"platform_version": {"major": 2}}}, [3, 97, 2]],
	[sample, {"sample": {"platform_version": {"minor": 0}}}, [3, 97, 2]],
	[sample, {"sample": {"debug": true}}, [3, 2, 36]],
	[snp, {"snp": {"measurement": "cc"}}, [33, 2, 2]],
	[snp, {"snp": {"reported_tcb_bootloader": 2}}, [3, 97, 2]],
	[snp, {"snp": {"reported_tcb_microcode": 2}}, [3, 97, 2]],
	[snp, {"snp": {"reported_tcb_snp": 2}}, [3, 97, 2]],
	[snp, {"snp": {"reported_tcb_tee": 2}}, [3, 97, 2]],
	[snp, {"snp": {"policy_debug_allowed": true}}, [3, 2, 36]],
	[snp, {"snp": {"policy_migrate_ma": true}}, [3, 2, 36]],
	[snp, {"snp": {"policy_debug_allowed": "false"}}, [3, 2, 36]],
	[snp, {"snp": {"platform_smt_enabled": false}}, [3, 2, 3]],
	[snp, {"snp": {"platform_tsme_enabled": true}}, [3, 2, 3]],
	[snp, {"snp": {"policy_abi_major": 1}}, [3, 2, 3]],
	[snp, {"snp": {"policy_abi_minor": 1}}, [3, 2, 3]],
	[snp, {"snp": {"policy_single_socket": true}}, [3, 2, 3]],
	[snp, {"snp": {"policy_smt_allowed": false}}, [3, 2, 3]],
	[tdx, {"tdx": {"quote": {"body": {"rtmr_1": "x"}}}}, [33, 2, 2]],
	[tdx, {"tdx": {"quote": {"body": {"rtmr_2": "x"}}}}, [33, 2, 2]],
	[tdx, {"tdx": {"uefi_event_logs": []}}, [4, 2, 2]],
	[tdx, {"tdx": {"quote": {"header": {"tee_type": "00000000"}}}}, [3, 97, 2]],
	[tdx, {"tdx": {"quote": {"header": {"vendor_id": "00"}}}}, [3, 97, 2]],
	[tdx, {"tdx": {"quote": {"body": {"mr_td": "x"}}}}, [3, 97, 2]],
	[tdx, {"tdx": {"tcb_status": "OutOfDate"}}, [3, 97, 2]],
	[tdx, {"tdx": {"collateral_expiration_status": "1"}}, [3, 97, 2]],
	[tdx, {"tdx": {"quote": {"body": {"mr_seam": "x"}}}}, [3, 97, 2]],
	[tdx, {"tdx": {"td_attributes": {"debug": true}}}, [3, 2, 36]],
	[tdx, {"tdx": {"td_attributes": {"migratable": true}}}, [3, 2, 36]],
	[tdx, {"tdx": {"quote": {"body": {"td_attributes": "0800001000000000"}}}}, [3, 2, 36]],
	[tdx, {"tdx": {"quote": {"body": {"td_attributes": "1000001000000000"}}}}, [3, 2, 36]],
	[tdx, {"tdx": {"quote": {"body": {"xfam": "00"}}}}, [3, 2, 36]],
	[az_snp, {"az-snp-vtpm": {"measurement": "x"}}, [33, 2, 2]],
	[az_snp, {"az-snp-vtpm": {"tpm": {"pcr11": "x"}}}, [33, 2, 2]],
	[az_snp, {"az-snp-vtpm": {"reported_tcb_snp": "13"}}, [3, 97, 2]],
	[az_snp, {"az-snp-vtpm": {"policy_debug_allowed": "true"}}, [3, 2, 36]],
	[az_snp, {"az-snp-vtpm": {"policy_migrate_ma": "true"}}, [3, 2, 36]],
	[az_snp, {"az-snp-vtpm": {"policy_abi_minor": 31}}, [3, 2, 36]],
	[az_tdx, {"az-tdx-vtpm": {"tpm": {"pcr11": "x"}}}, [33, 2, 2]],
	[az_tdx, {"az-tdx-vtpm": {"tcb_status": "OutOfDate"}}, [3, 97, 2]],
	[az_tdx, {"az-tdx-vtpm": {"collateral_expiration_status": "1"}}, [3, 97, 2]],
	[az_tdx, {"az-tdx-vtpm": {"quote": {"body": {"mr_td": "x"}}}}, [3, 97, 2]],
	[az_tdx, {"az-tdx-vtpm": {"quote": {"body": {"mr_seam": "x"}}}}, [3, 97, 2]],
	[az_tdx, {"az-tdx-vtpm": {"td_attributes": {"debug": true}}}, [3, 2, 36]],
	[az_tdx, {"az-tdx-vtpm": {"td_attributes": {"migratable": true}}}, [3, 2, 36]],
	[az_tdx, {"az-tdx-vtpm": {"quote": {"body": {"td_attributes": "0200000000000000"}}}}, [3, 2, 36]],
	[az_tdx, {"az-tdx-vtpm": {"quote": {"body": {"xfam": "00"}}}}, [3, 2, 36]],
	[sgx, {"sgx": {"body": {"mr_enclave": "x"}}}, [33, 2, 2]],
	[sgx, {"sgx": {"header": {"vendor_id": "00"}}}, [3, 97, 2]],
	[sgx, {"sgx": {"tcb_status": "SWHardeningNeeded"}}, [3, 97, 2]],
	[sgx, {"sgx": {"collateral_expiration_status": "1"}}, [3, 97, 2]],
	[sgx, {"sgx": {"attributes": {"debug": true}}}, [3, 2, 36]],
	[sgx, {"sgx": {"body": {"attributes.flags": "1500000000000000"}}}, [3, 2, 36]],
	[signed, {"sgx": {"body": {"mr_signer": "x"}}}, [33, 2, 2]],
	[signed, {"sgx": {"isv_prod_id": 8}}, [33, 2, 2]],
	[signed, {"sgx": {"isv_prod_id": "7"}}, [33, 2, 2]],
	[signed, {"sgx": {"isv_svn": 2}}, [33, 2, 2]],
	[signed, {"sgx": {"isv_svn": "3"}}, [33, 2, 2]],
	[signed, {"sgx": {"attributes": {"debug": true}}}, [3, 2, 36]],
	[signed, {"sgx": {"tcb_status": "OutOfDate"}}, [3, 97, 2]],
	[cca, {"cca": {"realm": {"cca-realm-initial-measurement": "x"}}}, [33, 2, 36]],
	[cca, {"cca": {"platform": {"cca-platform-implementation-id": "x"}}}, [3, 97, 36]],
	[csv, {"csv": {"measure": "x"}}, [33, 2, 2]],
	[csv, {"csv": {"serial_number": "x"}}, [3, 97, 2]],
	[csv, {"csv": {"policy": {"nodbg": 0}}}, [3, 2, 36]],
]

test_one_claim_changed if {
	every case in changed {
		verdict(object.union(case[0], case[1])) == case[2]
	}
}

# Of the event log: without the kernel's or the command line's event, what is left is what GRUB's registers say.
kernel_event := tdx.tdx.uefi_event_logs[1]

command_line_event := tdx.tdx.uefi_event_logs[2]

test_events if {
	verdict_of_events([kernel_event, command_line_event]) == 3
	verdict_of_events([command_line_event]) == 4
	verdict_of_events([kernel_event]) == 4
	verdict_of_events([]) == 4
	verdict_of_events(null) == 4
	every other in [
		{"index": 4},
		{"index": 1},
		{"type_name": "EV_EVENT_TAG"},
		{"details": {"device_paths": ["File(other)"]}},
		{"digests": [{"alg": "SHA-384", "digest": "other"}]},
		{"digests": []},
	] {
		verdict_of_events([object.union(kernel_event, other), command_line_event]) == 4
	}
	every other in [
		{"index": 4},
		{"type_name": "EV_SEPARATOR"},
		{"details": {"string": "other"}},
		{"digests": [{"alg": "SHA-384", "digest": "kernel digest"}]},
	] {
		verdict_of_events([kernel_event, object.union(command_line_event, other)]) == 4
	}
}

verdict_of_events(events) := verdict({"tdx": object.union(td, {"uefi_event_logs": events})})[0]

# Absence is never assent: without a claim that was changed above, nothing is better than with its other value.
test_one_claim_absent if {
	every case in changed {
		some path
		walk(case[1], [path, leaf])
		not is_object(leaf)
		without := verdict(json.remove(case[0], [path]))
		every i in [0, 1, 2] {
			without[i] >= case[2][i]
		}
	}
}

# What only narrows is missed by nobody.
narrowing := {"mr_seam"}

test_one_reference_value_absent if {
	every name, _ in object.remove(known, narrowing) {
		rest := object.remove(known, [name])
		some claims in [sample, snp, tdx, az_snp, az_tdx, sgx, signed, cca, csv, {"tpm": {"pcr11": "q11", "ak_public": "ak"}}]
		verdict_with(claims, rest) != verdict(claims)
	}
}

test_no_absent_reference_value_is_an_advantage if {
	every name, _ in known {
		rest := object.remove(known, [name])
		every claims in [sample, snp, tdx, az_snp, az_tdx, sgx, signed, cca, csv] {
			every i in [0, 1, 2] {
				verdict_with(claims, rest)[i] >= verdict(claims)[i]
			}
		}
	}
}

# Without a reference value for it the TDX module is judged by its TCB status, and everything else still counts.
test_tdx_module if {
	rest := object.remove(known, ["mr_seam"])
	other := object.union(tdx, {"tdx": {"quote": {"body": {"mr_seam": "x"}}}})
	verdict(other) == [3, 97, 2]
	verdict_with(other, rest) == [3, 2, 2]
	verdict_with(other, object.union(known, {"mr_seam": []})) == [3, 97, 2]
	verdict_with(other, object.union(known, {"mr_seam": "x"})) == [3, 2, 2]
	every change in [
		{"tcb_status": "OutOfDate"},
		{"collateral_expiration_status": "1"},
		{"quote": {"body": {"mr_td": "x"}}},
		{"quote": {"header": {"vendor_id": "00"}}},
	] {
		verdict_with(object.union(other, {"tdx": change}), rest) == [3, 97, 2]
	}
}

test_sgx_minimum_is_a_number if {
	verdict_with(signed, object.union(known, {"sgx_minimum_isv_svn": "3"})) == [33, 2, 2]
	verdict_with(signed, object.union(known, {"sgx_minimum_isv_svn": [3]})) == [33, 2, 2]
	verdict_with(signed, object.union(known, {"sgx_minimum_isv_svn": null})) == [33, 2, 2]
	verdict_with(signed, object.union(known, {"sgx_minimum_isv_svn": 0})) == [3, 2, 2]
}

verdict_with(claims, values) := [v.executables, v.hardware, v.configuration] if {
	v := policy.trust_claims with input as claims
		with query_reference_value as query_value_of
		with data.values as values
}

query_value_of(name) := object.get(data.values, name, null)

test_reference_values_are_lists_or_single_values if {
	verdict_with(snp, object.union(known, {"snp_launch_measurement": "bb"})) == [3, 2, 2]
	verdict_with(snp, object.union(known, {"snp_smt_enabled": [true]})) == [3, 2, 2]
	verdict_with(tdx, object.union(known, {"tdvfkernel": ["x", "kernel digest"]})) == [3, 2, 2]
	verdict_with(snp, object.union(known, {"snp_launch_measurement": []})) == [33, 2, 2]
	verdict_with(snp, object.union(known, {"snp_launch_measurement": null})) == [33, 2, 2]
	verdict_with(snp, object.remove(known, ["snp_launch_measurement"])) == [33, 2, 2]
	verdict_with(sample, object.union(known, {"minimum_minor_version": "1"})) == [3, 97, 2]
}

identifiers(claims) := v if {
	[extension] := policy.extensions with input as claims
	extension.name == "ear.trustee.identifiers"
	extension.key == -18
	v := extension.value.validated
}

test_identifiers if {
	identifiers({}) == {}
	identifiers({"init_data_claims": null}) == {}
	containers := [
		{"OCI": {"Process": {"User": {"UID": 65535}}}},
		container("nginx", 1001),
		container("nginx", 0),
	]
	identifiers({"init_data_claims": {"agent_policy_claims": {"containers": containers}}}) == {
		"container_images": ["nginx", "nginx"],
		"container_uids": [65535, 1001, 0],
	}
	identifiers({"init_data_claims": {"agent_policy_claims": {"containers": [containers[0]]}}}) == {"container_uids": [65535]}
}

container(image, uid) := {"OCI": {
	"Annotations": {"io.kubernetes.cri.image-name": image},
	"Process": {"User": {"UID": uid}},
}}
