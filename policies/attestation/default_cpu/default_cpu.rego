# What CPU TEEs are worth, by reference values. The trust claims are AR4SI's (draft-ietf-rats-ar4si):
#
#   executables    2..31 recognized, 33 not recognized
#   hardware       2     genuine and up to date, 97 not recognized
#   configuration  2, 3  no known weakness, 36 not known to us
#
# Every claim starts at its distrusting value; only a rule below whose conditions all hold raises it. A claim or
# reference value that is absent makes a condition undefined, so it never passes. No rule yields two values for
# one TEE, and the input holds exactly one TEE.

package policy

default executables := 33

default hardware := 97

default configuration := 36

trust_claims := {
	"instance-identity": 0,
	"configuration": configuration,
	"executables": executables,
	"file-system": 0,
	"hardware": hardware,
	"runtime-opaque": 0,
	"storage-opaque": 0,
	"sourced-data": 0,
}

# Whether a claim is what the reference value of that name accepts: a list of values, or just one.
matches(claim, name) if claim in values_of(query_reference_value(name))

values_of(reference) := reference if is_array(reference)

values_of(reference) := [reference] if {
	not is_array(reference)
	reference != null # not known
}

# Whether a number is no less than the reference value of that name. An unknown minimum is null, and every number is
# greater than null; text is greater than every number.
at_least(claim, name) if {
	minimum := query_reference_value(name)
	is_number(minimum)
	is_number(claim)
	claim >= minimum
}

# Sample: no hardware behind it, for trying things out

executables := 3 if matches(input.sample.launch_digest, "launch_digest")

hardware := 2 if {
	matches(input.sample.svn, "svn")
	matches(input.sample.platform_version.major, "major_version")
	at_least(input.sample.platform_version.minor, "minimum_minor_version")
}

configuration := 2 if input.sample.debug == false

# AMD SEV-SNP

executables := 3 if matches(input.snp.measurement, "snp_launch_measurement")

hardware := 2 if {
	matches(input.snp.reported_tcb_bootloader, "snp_bootloader")
	matches(input.snp.reported_tcb_microcode, "snp_microcode")
	matches(input.snp.reported_tcb_snp, "snp_snp_svn")
	matches(input.snp.reported_tcb_tee, "snp_tee_svn")
}

configuration := 2 if {
	snp_is_sealed
	matches(input.snp.platform_smt_enabled, "snp_smt_enabled")
	matches(input.snp.platform_tsme_enabled, "snp_tsme_enabled")
	matches(input.snp.policy_abi_major, "snp_guest_abi_major")
	matches(input.snp.policy_abi_minor, "snp_guest_abi_minor")
	matches(input.snp.policy_single_socket, "snp_single_socket")
	matches(input.snp.policy_smt_allowed, "snp_smt_allowed")
} else := 3 if snp_is_sealed

# Neither the host nor a migration agent can read the guest.
snp_is_sealed if {
	input.snp.policy_debug_allowed == false
	input.snp.policy_migrate_ma == false
}

# Intel TDX. Where GRUB boots, kernel and command line are in the registers and not in events: 4.

executables := 3 if {
	tdx_boot_is_recognized
	tdx_kernel_is_recognized
	tdx_command_line_is_recognized
} else := 4 if tdx_boot_is_recognized

hardware := 2 if intel_td_is_up_to_date(input.tdx)

configuration := 2 if {
	intel_td_is_sealed(input.tdx)
	matches(input.tdx.quote.body.xfam, "xfam")
}

tdx_boot_is_recognized if {
	matches(input.tdx.quote.body.rtmr_1, "rtmr_1")
	matches(input.tdx.quote.body.rtmr_2, "rtmr_2")
}

# The event log numbers MRTD and the registers 0 to 4. Only what is in RTMR1 or RTMR2 has been compared above; anything
# that runs in the guest may add to RTMR3.
tdx_boot_events := [event | some event in input.tdx.uefi_event_logs; event.index in {2, 3}]

tdx_kernel_is_recognized if {
	kernels := values_of(query_reference_value("tdvfkernel"))
	some event in tdx_boot_events
	event.type_name == "EV_EFI_BOOT_SERVICES_APPLICATION"
	"File(kernel)" in event.details.device_paths
	some digest in event.digests
	digest.digest in kernels
}

tdx_command_line_is_recognized if {
	command_lines := values_of(query_reference_value("tdvfkernelparams"))
	some event in tdx_boot_events
	event.type_name == "EV_EVENT_TAG"
	event.details.string == "LOADED_IMAGE::LoadOptions"
	some digest in event.digests
	digest.digest in command_lines
}

# A TD (TEE type 0x81) that Intel's quoting enclave vouches for, on a platform whose TCB is current by collateral
# that has not expired, with the firmware that we know.
intel_td_is_up_to_date(td) if {
	td.quote.header.tee_type == "81000000"
	td.quote.header.vendor_id == "939a7233f79c4ca9940a0db3957f0607"
	matches(td.quote.body.mr_td, "mr_td")
	intel_tdx_module_is_accepted(td)
	td.tcb_status == "UpToDate"
	td.collateral_expiration_status == "0"
}

# That the TDX module is Intel's and current is part of the TCB status. A reference value narrows this to builds of it;
# without one nothing of the above is given up.
intel_tdx_module_is_accepted(td) if matches(td.quote.body.mr_seam, "mr_seam")

intel_tdx_module_is_accepted(_) if query_reference_value("mr_seam") == null

# The host can neither debug nor profile the TD, nor have a migration TD take it elsewhere. Bits 0 to 7 of the attributes
# (TUD, "TD under debug") are the first byte; not all of them have names.
intel_td_is_sealed(td) if {
	td.td_attributes.debug == false
	td.td_attributes.migratable == false
	startswith(td.quote.body.td_attributes, "00")
}

# Azure, SEV-SNP below a virtual TPM. All claims about the report are text.

executables := 3 if {
	matches(input["az-snp-vtpm"].measurement, "measurement")
	matches(input["az-snp-vtpm"].tpm.pcr11, "snp_pcr11")
}

hardware := 2 if {
	matches(input["az-snp-vtpm"].reported_tcb_bootloader, "tcb_bootloader")
	matches(input["az-snp-vtpm"].reported_tcb_microcode, "tcb_microcode")
	matches(input["az-snp-vtpm"].reported_tcb_snp, "tcb_snp")
	matches(input["az-snp-vtpm"].reported_tcb_tee, "tcb_tee")
}

configuration := 2 if {
	input["az-snp-vtpm"].policy_debug_allowed == "false"
	input["az-snp-vtpm"].policy_migrate_ma == "false"
	matches(input["az-snp-vtpm"].platform_smt_enabled, "smt_enabled")
	matches(input["az-snp-vtpm"].platform_tsme_enabled, "tsme_enabled")
	matches(input["az-snp-vtpm"].policy_abi_major, "abi_major")
	matches(input["az-snp-vtpm"].policy_abi_minor, "abi_minor")
	matches(input["az-snp-vtpm"].policy_single_socket, "single_socket")
	matches(input["az-snp-vtpm"].policy_smt_allowed, "smt_allowed")
}

# Azure, TDX below a virtual TPM

executables := 3 if matches(input["az-tdx-vtpm"].tpm.pcr11, "tdx_pcr11")

hardware := 2 if intel_td_is_up_to_date(input["az-tdx-vtpm"])

configuration := 2 if {
	intel_td_is_sealed(input["az-tdx-vtpm"])
	matches(input["az-tdx-vtpm"].quote.body.xfam, "xfam")
}

# Bare TPM. The verifier refuses attestation keys that nobody vouches for, and says who does; a reference value narrows
# them further.

executables := 3 if {
	tpm_key_is_trusted
	matches(input.tpm.pcr11, "tpm_pcr11")
}

hardware := 2 if tpm_key_is_trusted

configuration := 0 if is_object(input.tpm)

tpm_key_is_trusted if matches(input.tpm.ak_public, "trusted_aks")

tpm_key_is_trusted if {
	input.tpm.ak_trust in {"configured-key", "configured-name", "certificate", "activated"}
	query_reference_value("trusted_aks") == null
}

# IBM Secure Execution. Only an image that was made for this verifier's key, and runs unchanged on a host whose
# key it was made for, can answer the challenge: that it was verified is the whole appraisal.

executables := 3 if is_object(input.se)

hardware := 2 if is_object(input.se)

configuration := 2 if is_object(input.se)

# Intel SGX. An enclave is known by what it is, or by who signed it as which product from which version on.

executables := 3 if sgx_enclave_is_recognized

hardware := 2 if {
	input.sgx.header.vendor_id == "939a7233f79c4ca9940a0db3957f0607"
	input.sgx.tcb_status == "UpToDate"
	input.sgx.collateral_expiration_status == "0"
}

configuration := 2 if {
	input.sgx.attributes.debug == false
	matches(input.sgx.body["attributes.flags"], "sgx_attribute_flags")
}

sgx_enclave_is_recognized if matches(input.sgx.body.mr_enclave, "sgx_mr_enclave")

sgx_enclave_is_recognized if {
	matches(input.sgx.body.mr_signer, "sgx_mr_signer")
	matches(input.sgx.isv_prod_id, "sgx_isv_prod_id")
	at_least(input.sgx.isv_svn, "sgx_minimum_isv_svn")
}

# Arm CCA. Nothing in the claims speaks of debugging, so the configuration stays unknown.

executables := 3 if {
	matches(input.cca.realm["cca-realm-initial-measurement"], "cca_realm_initial_measurement")
}

hardware := 2 if {
	matches(input.cca.platform["cca-platform-implementation-id"], "cca_platform_implementation_id")
}

# Hygon CSV

executables := 3 if matches(input.csv.measure, "csv_measure")

hardware := 2 if matches(input.csv.serial_number, "csv_serial_number")

configuration := 2 if {
	input.csv.policy.nodbg == 1
	matches(input.csv.policy.api_major, "csv_api_major")
	matches(input.csv.policy.api_minor, "csv_api_minor")
}

# Containers that the guest's agent policy, part of the verified init data, lets run

extensions := [{
	"name": "ear.trustee.identifiers",
	"key": -18,
	"value": {"validated": {name: found |
		some name, found in {"container_images": container_images, "container_uids": container_uids}
		count(found) > 0
	}},
}]

container_images := [image |
	some container in input.init_data_claims.agent_policy_claims.containers
	image := container.OCI.Annotations["io.kubernetes.cri.image-name"]
]

container_uids := [uid |
	some container in input.init_data_claims.agent_policy_claims.containers
	uid := container.OCI.Process.User.UID
]
