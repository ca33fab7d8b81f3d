// @ts-check
/** Steps on the text: each names the version that it was made on, and is told of what others did meanwhile. */
import { isChinese, need, notice, refusal, t } from "./asking.js";

/** @typedef {{index: number, start_ms: number, end_ms: number, text: string, speaker: string}} Told a passage in force */
/** @typedef {{revision: number, kind: string, who: string, made_at: string, start_ms: number, before: string, after: string, is_undone: boolean}} Step */
/** @typedef {{version: string, steps: Step[], passages: Told[]}} Outdated */
/** @typedef {{version: string, may_undo: boolean, steps: Step[], unplaced: {id: number, start_ms: number, end_ms: number, text: string, said: string}[]}} Corrections */
/** @typedef {{kind: "saved", version: string} | {kind: "outdated", current: Outdated} | {kind: "failed"}} Came */

export const recording = need("player", HTMLElement).dataset.recording ?? "";
const address = `/api/v1/recordings/${recording}`;
const state = need("saved", HTMLElement);

/** @param {string} text @param {string} [look] a class */
function tell(text, look = "") {
  state.textContent = text;
  state.className = `saved ${look}`;
}

/**
 * Take a step.
 * @param {string} method
 * @param {string} path below the recording's
 * @param {string} version the text that it is made on
 * @param {unknown} [body]
 * @returns {Promise<Came>}
 */
export async function take(method, path, version, body) {
  tell(t("js.saving"));
  /** @type {Record<string, string>} */
  const headers = { "If-Match": `"${version}"` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const response = await fetch(`${address}/${path}`, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
    if (response.status === 401) {
      document.dispatchEvent(new Event("logged-out"));
      location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    }
    if (response.ok) {
      const now = new Date().toTimeString().slice(0, 5);
      tell(t("js.saved", now), "good");
      return { kind: "saved", version: (await response.json()).version };
    }
    if (response.status === 412) {
      tell(t("js.changed_by_others"), "bad");
      return { kind: "outdated", current: (await response.json()).current };
    }
    const why = await refusal(response);
    tell(t("js.not_saved"), "bad");
    notice(t("js.failed", why));
  } catch {
    tell(t("js.not_saved"), "bad");
    notice(t("js.offline"));
  }
  return { kind: "failed" };
}

/** @returns {Promise<Corrections | null>} what was done to the recording */
export async function corrections() {
  const response = await fetch(`${address}/corrections`).catch(() => null);
  return response?.ok ? await response.json() : null;
}

/**
 * A stamp as people write it, in their own time zone.
 * @param {string} stamp
 */
export function moment(stamp) {
  const at = new Date(stamp);
  const today = at.toDateString() === new Date().toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const day = today ? {} : { month: "2-digit", day: "2-digit" };
  return at.toLocaleString(isChinese ? "zh-CN" : "en-GB", { ...day, hour: "2-digit", minute: "2-digit", hour12: false });
}
