// @ts-check
/**
 * The passages of the page: their times, places in their texts, and reading them anew after a change.
 *
 * Words are found by where the text was clicked and marked by a highlight, so that a page of three hours has no
 * element for every word. Their times come when they are first needed, for a hundred segments at once: three
 * numbers for each piece of text, its length, begin and end.
 */

/** @typedef {{from: number, to: number, start_ms: number, end_ms: number}} Piece offsets in the passage's text */
/** @typedef {{element: HTMLElement, text: Element, start_ms: number, end_ms: number}} Passage */

export const transcript = document.getElementById("transcript");
/** @type {WeakMap<Element, string>} what the server sent, before a class or an editor changed it */
const sent = new WeakMap();
/** @type {Passage[]} */
let all = [];
/** @type {WeakMap<Passage, Piece[]>} */
const known = new WeakMap();

/** @returns {Passage[]} in the order of time */
export const passages = () => all;

/** @param {ParentNode | null} list @returns {HTMLElement[]} */
const rows = (list) => /** @type {HTMLElement[]} */ ([...(list?.querySelectorAll("li.segment") ?? [])]);

function read() {
  const before = new Map(all.map((each) => [each.element, each]));
  all = rows(transcript).map((element) => {
    if (!sent.has(element)) sent.set(element, element.outerHTML);
    return (
      before.get(element) ?? {
        element,
        text: /** @type {Element} */ (element.querySelector(".text")),
        start_ms: Number(element.dataset.start),
        end_ms: Number(element.dataset.end),
      }
    );
  });
}
read();

/** The version of the text that the page shows: every step names it. */
export const version = () => transcript?.dataset.version ?? "";

/**
 * Fetch the page again and put what differs in its place; whoever shows passages hears of it (`rewritten`).
 * @returns {Promise<boolean>} whether the page has the text of now
 */
export async function refresh() {
  try {
    const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) return false;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const other = page.getElementById("transcript");
    if (!transcript || !other) return false;
    replace(rows(other));
    transcript.className = other.className;
    transcript.dataset.version = other.dataset.version;
    for (const id of ["stretches", "voices", "who"]) {
      const fresh = page.getElementById(id);
      if (fresh) document.getElementById(id)?.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
    }
    read();
    document.dispatchEvent(new Event("rewritten"));
    return true;
  } catch {
    return false;
  }
}

/**
 * Between the rows that are the same at both ends, take the others.
 * @param {HTMLElement[]} fresh
 */
function replace(fresh) {
  const old = rows(transcript);
  /** @param {HTMLElement | undefined} mine @param {HTMLElement | undefined} other */
  const same = (mine, other) => mine && other && sent.get(mine) === other.outerHTML;
  let first = 0;
  while (same(old[first], fresh[first])) first += 1;
  let behind = 0;
  const most = Math.min(old.length, fresh.length) - first;
  while (behind < most && same(old[old.length - 1 - behind], fresh[fresh.length - 1 - behind])) behind += 1;
  const next = old[old.length - behind] ?? null;
  for (const row of old.slice(first, old.length - behind)) row.remove();
  for (const row of fresh.slice(first, fresh.length - behind)) transcript?.insertBefore(document.adoptNode(row), next);
}

const COUNT = 100; // segments whose times come at once
/** @type {Map<number, Promise<void>>} what is being fetched, by the first segment */
const coming = new Map();

/** @param {number} first a segment */
async function fetchTimes(first) {
  try {
    const address = `/api/v1${location.pathname}/times?first=${first}&count=${COUNT}`;
    const response = await fetch(address);
    if (!response.ok) return;
    /** @type {{version: string, passages: {index: number, start_ms: number, times: number[]}[]}} */
    const told = await response.json();
    if (told.version !== version()) return; // the text is another one by now: it is fetched soon
    const found = new Map(told.passages.map((each) => [`${each.index} ${each.start_ms}`, each.times]));
    for (const passage of all) {
      const figures = found.get(`${passage.element.dataset.index} ${passage.start_ms}`);
      if (figures) known.set(passage, parted(figures));
    }
  } catch {
    // whoever asks next tries again
  }
}

/**
 * Have a passage's times, where they can be had.
 * @param {Passage} passage
 */
export async function ensure(passage) {
  if (known.has(passage)) return;
  const index = Number(passage.element.dataset.index);
  const first = index - (index % COUNT);
  if (!coming.has(first)) coming.set(first, fetchTimes(first).finally(() => coming.delete(first)));
  await coming.get(first);
}

/**
 * The pieces of a passage; none while their times are not there.
 * @param {Passage} passage
 * @returns {Piece[]}
 */
export const pieces = (passage) => known.get(passage) ?? [];

/** @param {number[]} figures @returns {Piece[]} */
function parted(figures) {
  /** @type {Piece[]} */
  const found = [];
  let at = 0;
  for (let place = 0; place + 2 < figures.length; place += 3) {
    const [length = 0, start_ms = 0, end_ms = 0] = figures.slice(place, place + 3);
    found.push({ from: at, to: at + length, start_ms, end_ms });
    at += length;
  }
  return found;
}

// ---------------------------------------------------------------- places in a text

/**
 * The node and offset of a character of a passage; offsets count code points, as the server does.
 * @param {Element} text
 * @param {number} offset
 * @returns {[Node, number]}
 */
export function placeOf(text, offset) {
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  let last = walker.nextNode();
  for (let node = last; node; node = walker.nextNode()) {
    const characters = [...(node.nodeValue ?? "")];
    if (offset <= characters.length) return [node, characters.slice(0, offset).join("").length];
    offset -= characters.length;
    last = node;
  }
  return [last ?? text, last?.nodeValue?.length ?? 0];
}

/**
 * Which character of a passage a point of the screen shows; -1 for none.
 * @param {Element} text
 * @param {MouseEvent} event
 */
export function offsetAt(text, event) {
  /** @type {any} */
  const page = document;
  const caret = page.caretPositionFromPoint?.(event.clientX, event.clientY);
  const range = caret ? null : page.caretRangeFromPoint?.(event.clientX, event.clientY);
  const [node, offset] = caret ? [caret.offsetNode, caret.offset] : [range?.startContainer, range?.startOffset];
  if (!node || !text.contains(node)) return -1;
  const before = document.createRange();
  before.setStart(text, 0);
  before.setEnd(node, offset);
  let place = [...before.toString()].length;
  // a caret stands between characters: the one that was meant is where the pointer is
  const [first, at] = placeOf(text, Math.max(0, place - 1));
  const character = document.createRange();
  character.setStart(first, at);
  const [end, behind] = placeOf(text, place);
  character.setEnd(end, behind);
  const inside = [...character.getClientRects()].some(
    (box) => event.clientX >= box.left && event.clientX < box.right && event.clientY >= box.top && event.clientY < box.bottom,
  );
  if (inside && place > 0) place -= 1;
  return place;
}
