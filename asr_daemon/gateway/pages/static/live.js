// @ts-check
/**
 * Keeps `data-live` parts of a page as the server has them: progress is drawn from the event itself, the rest
 * is the page fetched again, at most every two seconds, its parts put in the place of those that differ.
 */
import { onChange } from "./events.js";

const AGAIN_MS = 2000;
let version = -1;
let wanted = false;
let busy = false;

async function refresh() {
  wanted = true;
  if (busy) return;
  busy = true;
  try {
    while (wanted) {
      wanted = false;
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (response.redirected) return location.reload();
      if (response.ok) replace(await response.text());
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  } catch {
    // the next change, or the next connection, tries again
  } finally {
    busy = false;
  }
}

/** @param {string} html */
function replace(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other || other.innerHTML === part.innerHTML) continue;
    const held = document.activeElement;
    const back = held && part.contains(held) ? keyOf(held) : "";
    const chosen = new Set([...part.querySelectorAll("input:checked")].map((box) => box.getAttribute("value")));
    part.replaceChildren(...[...other.childNodes].map((node) => document.adoptNode(node)));
    for (const box of part.querySelectorAll("input[type=checkbox]"))
      if (box instanceof HTMLInputElement && chosen.has(box.getAttribute("value"))) box.checked = true;
    if (back) for (const each of part.querySelectorAll("a, button, input")) if (each instanceof HTMLElement && keyOf(each) === back) each.focus();
  }
}

/**
 * What an element is known by in the page that is fetched: who uses the keyboard stays where they are.
 * @param {Element} element
 */
const keyOf = (element) => ["data-post", "href", "value"].map((name) => element.getAttribute(name) ?? "").join(" ").trim();

onChange((changed) => {
  for (const work of changed.in_work) {
    const bar = document.querySelector(`progress[data-progress="${work.recording}"]`);
    const figure = document.querySelector(`[data-percent="${work.recording}"]`);
    if (bar instanceof HTMLProgressElement) bar.value = work.recognised_s;
    if (figure && work.duration_s) figure.textContent = `${Math.min(100, Math.floor((100 * work.recognised_s) / work.duration_s))}%`;
  }
  if (version !== -1 && changed.version !== version) refresh();
  version = changed.version;
});
document.addEventListener("changed", refresh);
