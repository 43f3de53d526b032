//! What templates cost is bounded, whatever the data.

use super::*;

#[test]
fn too_much_work_is_an_error() {
    let much = "too much work";
    fails("{{ repeat 1000000000 \"ab\" }}", much);
    fails("{{ until 1000000000 }}", much);
    fails("{{ seq 1 1000000000 }}", much);
    fails("{{ range 9223372036854775807 }}{{ end }}", much);
    fails("{{ range until 3000 }}{{ range until 3000 }}{{ end }}{{ end }}", much);
    fails("{{ $a := \"a\" }}{{ range until 100 }}{{ $a = print $a $a }}{{ end }}", much);
    fails("{{ $a := list 1 }}{{ range until 100 }}{{ $a = concat $a $a }}{{ end }}", much);
    fails("{{ $a := list 1 }}{{ range until 60 }}{{ $a = list $a $a }}{{ end }}{{ $a }}", much);
    fails("{{ $a := list 1 }}{{ range until 60 }}{{ $a = list $a $a }}{{ end }}{{ toJson $a }}", much);
    fails("{{ $a := list 1 }}{{ range until 60 }}{{ $a = list $a $a }}{{ end }}{{ deepEqual $a $a }}", much);
    fails("{{ $a := repeat 100000 \"a\" }}{{ replace \"\" $a $a }}", much);
    fails("{{ $a := repeat 100000 \"a\" }}{{ regexReplaceAll \"\" $a $a }}", much);
    fails("{{ $a := repeat 100000 \"\\n\" }}{{ indent 100000 $a }}", much);
    fails("{{ range until 1000 }}{{ printf \"%1000000d\" 1 }}{{ end }}", much);
    fails("{{ join (repeat 1000000 \"a\") (until 1000) }}", much);
}

#[test]
fn recursion_ends_in_an_error() {
    fails("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}", "nest deeper");
    fails(&format!("{{{{ {}1{} }}}}", "(".repeat(1000), ")".repeat(1000)), "nest deeper");
    fails(&"{{ if true }}".repeat(1000), "nest deeper");
}

#[test]
fn values_that_nest_deep_are_made_and_dropped_but_not_printed() {
    check("{{ $a := list }}{{ range until 50000 }}{{ $a = list $a }}{{ end }}{{ len $a }}", "1");
    fails("{{ $a := list }}{{ range until 200 }}{{ $a = list $a }}{{ end }}{{ $a }}", "nests too deep");
    let chain = "{{ $root := dict }}{{ $at := $root }}{{ range until 50000 }}{{ $new := dict }}\
                 {{ $_ := set $at \"a\" $new }}{{ $at = $new }}{{ end }}{{ len $root }}";
    check(chain, "1");
}

#[test]
fn a_map_cannot_hold_itself() {
    fails("{{ $a := dict }}{{ $_ := set $a \"a\" $a }}", "hold itself");
    fails("{{ $a := dict }}{{ $_ := set $a \"a\" (list (dict \"b\" $a)) }}", "hold itself");
    fails("{{ $a := dict }}{{ $b := dict \"a\" $a }}{{ $_ := merge $a (dict \"b\" $b) }}", "hold itself");
}
