# What GPUs are worth: NVIDIA's by the claims (version 3.0) of NVIDIA's remote attestation service, by name as it
# sends them; the sample device by its security version. Same values and same rule as for CPUs: every claim starts
# distrusting, and what is absent passes nothing.

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

# NVIDIA GPU

hardware := 2 if {
	is_good(input.nvidia["x-nvidia-gpu-attestation-report-cert-chain"])
	input.nvidia["x-nvidia-gpu-attestation-report-cert-chain-fwid-match"] == true
	input.nvidia["x-nvidia-gpu-attestation-report-parsed"] == true
	input.nvidia["x-nvidia-gpu-attestation-report-signature-verified"] == true
	input.nvidia["x-nvidia-gpu-arch-check"] == true
}

configuration := 2 if {
	is_locked
	matches(input.nvidia["x-nvidia-gpu-vbios-version"], "allowed_vbios_versions")
	matches(input.nvidia["x-nvidia-gpu-driver-version"], "allowed_driver_versions")
} else := 3 if is_locked

executables := 3 if {
	is_good(input.nvidia["x-nvidia-gpu-vbios-rim-cert-chain"])
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

# NVIDIA's golden measurements (reference integrity manifests) of driver and VBIOS were found, were NVIDIA's, and
# are those of the versions that run.
rim_claims := {
	"x-nvidia-gpu-driver-rim-fetched",
	"x-nvidia-gpu-driver-rim-measurements-available",
	"x-nvidia-gpu-driver-rim-schema-validated",
	"x-nvidia-gpu-driver-rim-signature-verified",
	"x-nvidia-gpu-driver-rim-version-match",
	"x-nvidia-gpu-vbios-rim-fetched",
	"x-nvidia-gpu-vbios-rim-measurements-available",
	"x-nvidia-gpu-vbios-rim-schema-validated",
	"x-nvidia-gpu-vbios-rim-signature-verified",
	"x-nvidia-gpu-vbios-rim-version-match",
}
