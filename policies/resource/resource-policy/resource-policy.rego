# Which attested guest gets which resource. This one: a guest gets every resource of every plugin when all that it
# attested is affirming. `input` is the token's payload; `data` tells what is asked for: data.plugin, data["resource-path"]
# (its segments), data.query.

package policy

default allow := false

allow if {
	is_object(input.submods)
	count(input.submods) > 0
	every submodule in input.submods {
		submodule["ear.status"] == "affirming"
	}
}
