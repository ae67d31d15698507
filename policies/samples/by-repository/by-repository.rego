# A resource policy to start from: each repository has its own demands on the guest. Anything that is not listed
# stays closed.

package policy

default allow := false

# Anyone whose whole guest is affirming reads the repository `shared`.
allow if {
	repository == "shared"
	all_affirming
}

# The repository of a team opens to guests that run one of the team's images, as the verified init data names them.
allow if {
	all_affirming
	some image in input.submods.cpu0["ear.trustee.identifiers"].validated.container_images
	image in images_of_team[repository]
}

images_of_team := {
	"payments": {"registry.example.com/payments/api:1.4.2"},
	"search": {"registry.example.com/search/indexer:7", "registry.example.com/search/query:7"},
}

repository := data["resource-path"][0] if {
	data.plugin == "resource"
	count(data["resource-path"]) == 3
}

all_affirming if {
	is_object(input.submods)
	count(input.submods) > 0
	every submodule in input.submods {
		submodule["ear.status"] == "affirming"
	}
}
