use super::*;

fn files(names: &[&str]) -> Vec<(String, Vec<u8>)> {
    names.iter().map(|name| ((*name).to_owned(), b"output \"a\" {\n  value = 1\n}\n".to_vec())).collect()
}

#[test]
fn a_module_survives_being_kept() {
    let module = Module::from_files(files(&["main.tf", "templates/a.tpl"])).unwrap();
    assert_eq!(Module::from_json(&module.to_json()), Some(module));
}

#[test]
fn the_digest_tells_names_and_contents_apart() {
    let one = Module::from_files(files(&["a.tf"])).unwrap();
    let two = Module::from_files(files(&["b.tf"])).unwrap();
    let three = one.clone().with_file("x", vec![]);
    assert!(one.digest() != two.digest() && one.digest() != three.digest());
}

#[test]
fn files_cannot_leave_the_module() {
    for name in ["../main.tf", "a/../../b.tf", "/etc/passwd", "a//b", "./a.tf", "a\\b.tf", OVERRIDE] {
        let error = Module::from_files(files(&["main.tf", name])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
        assert!(error.message().contains(name.escape_debug().to_string().as_str()), "{error}");
    }
}

#[test]
fn a_module_that_keeps_its_state_elsewhere_is_refused() {
    let cloud = b"terraform {\n  cloud {\n    organization = \"a\"\n  }\n}\n".to_vec();
    let error = Module::from_files([("main.tf".to_owned(), cloud)]).unwrap_err();
    assert!(error.message().contains("main.tf: remove the cloud block"), "{error}");
}

#[test]
fn what_the_engine_left_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    for name in [".terraform/x", "terraform.tfstate", "terraform.tfstate.backup", "a.tfplan", ".git/config"] {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "secret").unwrap();
    }
    fs::write(directory.path().join("main.tf"), "").unwrap();
    fs::create_dir(directory.path().join("sub")).unwrap();
    fs::write(directory.path().join("sub/main.tf"), "not = { read").unwrap();
    let module = Module::read(directory.path()).unwrap();
    assert_eq!(module.files().keys().collect::<Vec<_>>(), ["main.tf", "sub/main.tf"]);
}

#[test]
fn links_and_empty_directories_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(Module::read(directory.path()).unwrap_err().kind(), ErrorKind::Invalid);
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("main.tf")).unwrap();
    assert_eq!(Module::read(directory.path()).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(Module::read(directory.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}
