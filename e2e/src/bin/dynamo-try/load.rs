//! Stores all files and reads them back, many at a time.

use crate::{progress::Progress, tree::FileToStore};
use anyhow::{Context as _, Result, bail};
use dynamo_client::Client;
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Requests in flight.
const AT_ONCE: usize = 32;

/// How a phase went.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) files: usize,
    pub(crate) took: Duration,
    /// How many requests each node coordinated, by its id.
    pub(crate) coordinators: BTreeMap<String, usize>,
}

impl Tally {
    pub(crate) fn per_second(&self) -> f64 {
        self.files as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

/// Puts every file under its path, through all these clients.
pub(crate) async fn store(files: &Arc<[FileToStore]>, through: &[Client]) -> Result<Tally> {
    let put = async |client: Client, file: FileToStore| {
        let written = client.put(file.path.clone(), file.content).await;
        Ok(written.with_context(|| format!("storing {}", shown(&file.path)))?.coordinator)
    };
    each("storing", files, through, put).await
}

/// Gets every file and compares it with what was put.
pub(crate) async fn read_back(files: &Arc<[FileToStore]>, through: &Client) -> Result<Tally> {
    let get = async |client: Client, file: FileToStore| {
        let read = client.get(file.path.clone()).await;
        let read = read.with_context(|| format!("reading {} back", shown(&file.path)))?;
        match &read.siblings[..] {
            [only] if only.value == file.content => Ok(read.coordinator),
            [] => bail!("{} was stored and is not there", shown(&file.path)),
            [_] => bail!("{} came back different", shown(&file.path)),
            several => bail!("{} came back in {} versions", shown(&file.path), several.len()),
        }
    };
    each("reading back", files, std::slice::from_ref(through), get).await
}

/// Does something with every file; the first failure ends it.
async fn each<F, Fut>(
    what: &'static str,
    files: &Arc<[FileToStore]>,
    through: &[Client],
    work: F,
) -> Result<Tally>
where
    F: Fn(Client, FileToStore) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<String>> + Send,
{
    let progress = Arc::new(Progress::new(what, files.len()));
    let (began, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let client = through[worker % through.len()].clone();
        let (files, next, work) = (files.clone(), next.clone(), work.clone());
        let progress = progress.clone();
        workers.spawn(async move {
            let mut coordinators = Vec::new();
            while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                coordinators.push(work(client.clone(), file.clone()).await?);
                progress.step();
            }
            anyhow::Ok(coordinators)
        });
    }
    let mut tally = Tally::default();
    while let Some(ended) = workers.join_next().await {
        for coordinator in ended?? {
            tally.files += 1;
            *tally.coordinators.entry(coordinator).or_default() += 1;
        }
    }
    tally.took = began.elapsed();
    Ok(tally)
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
