// @ts-check
/** Asking the interface, and telling people what it answers. */

/** @type {Record<string, string>} */
const texts = JSON.parse(document.querySelector('meta[name="texts"]')?.getAttribute("content") ?? "{}");
export const isChinese = document.documentElement.lang.startsWith("zh");

/**
 * A text of the catalogue with its gaps filled.
 * @param {string} name
 * @param {...(string | number)} values
 * @returns {string}
 */
export function t(name, ...values) {
  let place = 0;
  return (texts[name] ?? name).replace(/\{\}/g, () => String(values[place++] ?? ""));
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;

/**
 * Tell people something for a while.
 * @param {string} text
 */
export function notice(text) {
  const box = document.getElementById("notice");
  if (!box) return;
  box.textContent = text;
  box.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (box.hidden = true), 5000);
}

/**
 * Why a request was refused, in the page's language.
 * @param {Response} response
 * @returns {Promise<string>}
 */
export async function refusal(response) {
  try {
    const { error } = await response.json();
    return isChinese ? error.message_zh : error.message;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

/**
 * Ask, and tell what went wrong; null where it did.
 * @param {string} method
 * @param {string} address
 * @param {unknown} [body] sent as JSON
 * @returns {Promise<any>}
 */
export async function ask(method, address, body) {
  /** @type {RequestInit} */
  const init = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  try {
    const response = await fetch(address, init);
    if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    if (response.ok) return await response.json();
    notice(t("js.failed", await refusal(response)));
  } catch {
    notice(t("js.offline"));
  }
  return null;
}

/**
 * The element of that id and class, which the page has.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function need(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no #${id}`);
  return found;
}

/**
 * A length or a place in milliseconds as 1:02:03 or 2:03.
 * @param {number} ms
 */
export function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (/** @type {number} */ amount) => String(amount).padStart(2, "0");
  const minutes = Math.floor(seconds / 60) % 60;
  return seconds >= 3600
    ? `${Math.floor(seconds / 3600)}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

/**
 * A size in bytes as 1.2 GB.
 * @param {number} bytes
 */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${bytes.toFixed(unit < 2 || bytes >= 100 ? 0 : 1)} ${units[unit]}`;
}
