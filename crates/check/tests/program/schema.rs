//! A validator for the part of JSON Schema that our schema uses. A keyword that it does not know is an error, so nothing is passed over.

use serde_json::Value;

/// What is wrong with a value, each with its path.
pub(crate) fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    validate(schema, schema, value, "$", &mut wrong);
    wrong
}

fn validate(root: &Value, schema: &Value, value: &Value, path: &str, wrong: &mut Vec<String>) {
    let number = |v: &Value| v.as_f64().unwrap();
    for (keyword, rule) in schema.as_object().unwrap() {
        let mut demand = |holds: bool| {
            if !holds {
                wrong.push(format!("{path}: {value} is not {keyword} {rule}"));
            }
        };
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
                validate(root, target, value, path, wrong);
            }
            "type" => {
                let named = |name: &Value| match name.as_str().unwrap() {
                    "null" => value.is_null(),
                    "string" => value.is_string(),
                    "number" => value.is_number(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                };
                demand(rule.as_array().map_or_else(|| named(rule), |names| names.iter().any(named)));
            }
            "enum" => demand(rule.as_array().unwrap().contains(value)),
            "const" => demand(rule == value),
            "minimum" => demand(!value.is_number() || number(value) >= number(rule)),
            "maximum" => demand(!value.is_number() || number(value) <= number(rule)),
            "minItems" => demand(value.as_array().is_none_or(|v| v.len() as u64 >= rule.as_u64().unwrap())),
            "maxItems" => demand(value.as_array().is_none_or(|v| v.len() as u64 <= rule.as_u64().unwrap())),
            "oneOf" => {
                let fits = |schema: &&Value| {
                    let mut wrong = Vec::new();
                    validate(root, schema, value, path, &mut wrong);
                    wrong.is_empty()
                };
                demand(rule.as_array().unwrap().iter().filter(fits).count() == 1);
            }
            "required" => {
                let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                demand(!value.is_object() || rule.as_array().unwrap().iter().all(has));
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        validate(root, schema, value, &format!("{path}.{name}"), wrong);
                    }
                }
            }
            "additionalProperties" => {
                assert_eq!(rule, &Value::Bool(false));
                let known = schema["properties"].as_object().unwrap();
                demand(value.as_object().is_none_or(|v| v.keys().all(|name| known.contains_key(name))));
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(root, rule, item, &format!("{path}[{i}]"), wrong);
                }
            }
            other => panic!("unknown keyword {other}"),
        }
    }
}
