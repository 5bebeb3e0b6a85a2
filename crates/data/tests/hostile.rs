//! No file, however made, makes a reader panic or reserve more memory than its length justifies.

use proptest::prelude::*;
use wengert_data::format::csv::{Header, Missing, Table, TableConfig};
use wengert_data::format::image::{self, Channels};
use wengert_data::format::{idx, npy, npz};

/// Bytes after the beginning of some format, so that its header is looked at.
fn begun(magic: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..80).prop_map(move |rest| [magic, &rest].concat())
}

proptest! {
    #[test]
    fn binary_readers_refuse_or_read(
        bytes in prop_oneof![
            begun(b""), begun(b"\0\0\x08"), begun(b"\0\0\x0e\x02\0\0\0"), begun(b"\x93NUMPY\x01\0"),
            begun(b"\x93NUMPY\x01\0\x38\0{'descr': '<f4', 'fortran_order': False, 'shape': ("),
            begun(b"PK\x05\x06"), begun(b"\x1f\x8b\x08\0"), begun(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ],
    ) {
        let _ = idx::decode(&bytes, "f");
        let _ = npy::decode(&bytes, "f");
        let _ = npz::decode(&bytes, "f");
        let _ = image::decode::<f32>(&bytes, "f", Channels::Rgb);
    }

    #[test]
    fn tables_are_read_back_as_they_were_written(
        rows in prop::collection::vec(prop::collection::vec("[a-z,\"\n #;]{0,6}", 3), 1..6),
    ) {
        let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",");
        let text = rows.iter().map(line).collect::<Vec<_>>().join("\r\n");
        let config = TableConfig { header: Header::Absent, ..TableConfig::default() };
        let table = Table::parse(&text, "t.csv", &config).unwrap();
        for column in 0..3 {
            let expected: Vec<&str> = rows.iter().map(|row| row[column].trim()).collect();
            prop_assert_eq!(table.text(column).unwrap(), expected);
        }
    }

    #[test]
    fn text_of_any_kind_is_a_table_or_refused(text in "[a-c0-9,\"\n\r #.e-]{0,60}") {
        for comment in [None, Some(b'#')] {
            for header in [Header::Names, Header::Absent] {
                let config = TableConfig { header, comment, ..TableConfig::default() };
                if let Ok(table) = Table::parse(&text, "t.csv", &config) {
                    for column in 0..table.width() + 1 {
                        let _ = table.numbers::<f32, _>([column], Missing::Median);
                        let _ = table.classes(column);
                    }
                }
            }
        }
    }
}
