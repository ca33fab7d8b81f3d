// @ts-check
/** What the daemon tells of changes (server-sent events), while the page is looked at. */

/**
 * @typedef {{recording: number | null, name: string, duration_s: number, recognised_s: number, remaining_s: number | null}} InWork
 * @typedef {{version: number, in_work: InWork[]}} Changed
 */

/**
 * Call back with every change; the browser connects anew by itself.
 * @param {(changed: Changed) => void} told
 * @returns {() => void} what ends it
 */
export function onChange(told) {
  /** @type {EventSource | null} */
  let source = null;
  const listen = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      source = new EventSource("/api/v1/events");
      source.addEventListener("changed", (event) => told(JSON.parse(event.data)));
      source.addEventListener("refused", () => location.reload());
    }
  };
  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", () => source?.close());
  listen();
  return () => {
    document.removeEventListener("visibilitychange", listen);
    source?.close();
  };
}
