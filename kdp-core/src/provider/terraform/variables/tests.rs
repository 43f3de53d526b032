use super::*;

const MODULE: &str = r#"
variable "name" {
  type        = string
  description = "How it is called."
}
variable "size" {
  type    = number
  default = 3
  validation {
    condition     = var.size < 10
    error_message = "Too large."
  }
}
variable "tags" {
  type    = map(string)
  default = { team = "a" }
}
variable "password" {
  type      = string
  sensitive = true
  nullable  = false
}
variable "token" {
  ephemeral = true
  default   = null
}
locals { where = upper("there") }
resource "terraform_data" "main" {
  input = "${var.name}-${local.where}"
}
"#;

#[test]
fn declarations_become_a_schema() {
    let (variables, has_cloud) = read("main.tf", MODULE).unwrap();
    assert!(!has_cloud);
    assert_eq!(
        schema(&variables),
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "How it is called."},
                "size": {"type": "number", "default": 3},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}, "default": {"team": "a"}},
                "password": {"type": "string", "format": "password"},
                "token": {"x-kubernetes-preserve-unknown-fields": true},
            },
            "required": ["name", "password"],
        })
    );
    assert!(variables["token"].is_ephemeral && variables["password"].is_sensitive);
}

#[test]
fn the_json_form_says_the_same() {
    let text = r#"{"variable": {
        "name": {"type": "string", "description": "How it is called."},
        "ports": [{"type": "list(number)", "default": [80]}]
    }, "terraform": [{"cloud": {}}]}"#;
    let (variables, has_cloud) = read("main.tf.json", text).unwrap();
    assert!(has_cloud);
    assert_eq!(
        schema(&variables),
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "How it is called."},
                "ports": {"type": "array", "items": {"type": "number"}, "default": [80]},
            },
            "required": ["name"],
        })
    );
}

#[test]
fn values_are_checked_as_the_engine_would() {
    let (variables, _) = read("main.tf", MODULE).unwrap();
    let check = |name: &str, value: Option<Value>, expected: &[&str]| {
        let mut faults = Vec::new();
        variables[name].check(name, value.as_ref(), &mut faults);
        assert_eq!(faults, expected, "{name}");
    };
    check("name", None, &["name: is required"]);
    check("size", None, &[]);
    check("size", Some(json!("3")), &["size: must be a number"]);
    check("password", Some(json!(null)), &["password: must not be null"]);
    check("token", Some(json!(null)), &[]);
    check("tags", Some(json!({"a": 1})), &["tags.a: must be a string"]);
}

#[test]
fn what_has_to_be_computed_is_no_default_to_show() {
    let (variables, _) = read("main.tf", "variable \"a\" {\n default = [\"${1 + 1}\"]\n}").unwrap();
    assert_eq!(variables["a"].default, Some(Value::Null));
    assert_eq!(schema(&variables)["properties"]["a"].get("default"), None);
}

#[test]
fn a_file_that_is_none_of_the_language_is_named() {
    assert!(read("bad.tf", "variable {").unwrap_err().starts_with("bad.tf: "));
    assert!(read("bad.tf.json", "{").unwrap_err().starts_with("bad.tf.json: "));
}
