use super::*;

#[tokio::test]
async fn nobody_waits_for_a_program_that_has_ended() {
    // Its end was noticed, and what it would be asked with is not gone yet.
    let (outgoing, _still_there) = mpsc::channel(4);
    let link = Link { outgoing, waiting: Mutex::new(Some(HashMap::new())), number: AtomicU64::new(1) };
    let (_, before) = link.send("plan", Value::Null, Progress::default()).await.unwrap();
    link.close();
    assert!(before.await.is_err());
    assert!(link.send("plan", Value::Null, Progress::default()).await.is_none());
}
