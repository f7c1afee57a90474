//! Writes what Rust's apache-avro writes: cargo run -- ENVIRONMENT_AVSC KINDS_AVSC
//! Prints one line each: library, schema, and in hex the header or, of environment, the whole frame.
use apache_avro::{headers::{HeaderBuilder, RabinFingerprintHeader}, types::Value, GenericSingleObjectWriter, Schema};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn some(value: f32) -> Value {
    Value::Union(1, Box::new(Value::Float(value)))
}

fn none() -> Value {
    Value::Union(0, Box::new(Value::Null))
}

fn reading(n: i64) -> Value {
    Value::Record(vec![
        ("time".into(), Value::TimestampMillis(1735689600000 + n * 1000)),
        ("temperature".into(), some(20.5 + n as f32)),
        ("humidity".into(), some(50.0)),
        ("pressure".into(), none()),
        ("battery".into(), some(3.5)),
        ("ok".into(), Value::Boolean(true)),
    ])
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let environment = Schema::parse_str(&std::fs::read_to_string(&arguments[1]).unwrap()).unwrap();
    let kinds = Schema::parse_str(&std::fs::read_to_string(&arguments[2]).unwrap()).unwrap();
    let record = Value::Record(vec![
        ("device".into(), none()),
        ("readings".into(), Value::Array(vec![reading(0), reading(1)])),
    ]);
    let mut frame = Vec::new();
    GenericSingleObjectWriter::new_with_capacity(&environment, 1024)
        .unwrap()
        .write_value(record, &mut frame)
        .unwrap();
    println!("Rust apache-avro | environment | {}", hex(&frame));
    println!("Rust apache-avro | kinds | {}", hex(&RabinFingerprintHeader::from_schema(&kinds).build_header()));
}
