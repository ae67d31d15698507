# What a protected PCIe node (eight GPUs, four NVSwitches) is worth as a whole. The verifier makes claims about a node
# only when it found the topology complete and consistent, so that there are claims is the whole appraisal. Each
# device is appraised on its own, beside it.

package policy

trust_claims := {
	"instance-identity": 0,
	"configuration": 2,
	"executables": 0,
	"file-system": 0,
	"hardware": 0,
	"runtime-opaque": 0,
	"storage-opaque": 0,
	"sourced-data": 0,
}
