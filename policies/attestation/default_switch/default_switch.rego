# What NVSwitches are worth, by the claims (version 3.0) of NVIDIA's remote attestation service; a sample device
# that stands for one by its security version. Every claim starts distrusting, and what is absent passes nothing.

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

# Sample device: no hardware behind it, for trying things out

hardware := 2 if matches(input.sampledevice.svn, "device_svn")

# NVIDIA NVSwitch

hardware := 2 if {
	is_good(input.nvidia["x-nvidia-switch-attestation-report-cert-chain"])
	input.nvidia["x-nvidia-switch-attestation-report-cert-chain-fwid-match"] == true
	input.nvidia["x-nvidia-switch-attestation-report-parsed"] == true
	input.nvidia["x-nvidia-switch-attestation-report-signature-verified"] == true
	input.nvidia["x-nvidia-switch-arch-check"] == true
}

configuration := 2 if {
	is_locked
	matches(input.nvidia["x-nvidia-switch-bios-version"], "allowed_switch_bios_versions")
} else := 3 if is_locked

executables := 3 if {
	is_good(input.nvidia["x-nvidia-switch-bios-rim-cert-chain"])
	every claim in rim_claims {
		input.nvidia[claim] == true
	}
	input.nvidia.measres == "success"
}

is_locked if {
	input.nvidia.secboot == true
	input.nvidia.dbgstat == "disabled"
}

is_good(chain) if {
	chain["x-nvidia-cert-ocsp-status"] == "good"
	chain["x-nvidia-cert-status"] == "valid"
}

# NVIDIA's golden measurements (reference integrity manifest) of the firmware were found, were NVIDIA's, and are
# those of the version that runs.
rim_claims := {
	"x-nvidia-switch-bios-rim-fetched",
	"x-nvidia-switch-bios-rim-measurements-available",
	"x-nvidia-switch-bios-rim-schema-validated",
	"x-nvidia-switch-bios-rim-signature-verified",
	"x-nvidia-switch-bios-rim-version-match",
}
