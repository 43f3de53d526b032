//! What becomes of an order, told as it happens.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{StreamExt, stream};
use kube::{
    ResourceExt,
    runtime::{WatchStreamExt, watcher},
};

use super::{
    fault::Fault,
    orders::{self, OrderPath},
    page::{Place, Shared},
};

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `GET /api/orders/…/events`: an `order` event for each news, and at last one `gone`.
pub(super) async fn follow(
    State(shared): State<Arc<Shared>>,
    place: Place,
    Path(path): Path<OrderPath>,
) -> Result<Response, Fault> {
    let streams = place.session.streams.clone();
    let slot = streams.try_acquire_owned().map_err(|_| Fault::Limited(Duration::from_secs(5)))?;
    let (kind, object) = orders::find(&shared, &place, &path).await?;
    let (name, uid) = (object.name_any(), object.uid());
    let api = kind.api(&place.client, &object.namespace().unwrap_or_default());
    let changes = watcher::watch_object(api, &name).default_backoff();
    let news = changes.filter_map(move |change| {
        let news = match change {
            Ok(Some(object)) if object.uid() == uid => Some(Some(orders::view(&kind, &object).to_string())),
            // Another of the same name is none of the browser's business.
            Ok(_) => Some(None),
            Err(error) => {
                tracing::debug!(%error, "order.watch");
                None
            }
        };
        std::future::ready(news)
    });
    let (over, left) = (place.session.over.clone(), place.left());
    let ended = async move {
        tokio::select! {
            () = over.cancelled_owned() => {}
            () = tokio::time::sleep(left) => {}
        }
    };
    // The state after `gone` has nothing to say.
    let told = stream::unfold((Box::pin(news), false, slot), |(mut news, is_over, slot)| async move {
        if is_over {
            return None;
        }
        let told = news.next().await?;
        let event = match &told {
            Some(order) => Event::default().event("order").data(order),
            None => Event::default().event("gone").data("{}"),
        };
        Some((Ok::<_, Infallible>(event), (news, told.is_none(), slot)))
    });
    Ok(Sse::new(told.take_until(Box::pin(ended))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}
