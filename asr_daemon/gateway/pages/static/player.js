// @ts-check
/**
 * The text beside the sound: a click on a word plays there, the word being spoken is marked.
 *
 * A passage carries its pieces' times as numbers (`data-times`: length, begin and end, over and over); words
 * are found by where the text was clicked and marked by a highlight, so that a page of three hours has no
 * element for every word.
 */
import { clock, need } from "./asking.js";

const STEP_S = 5;
const SILENCE_MS = 700; // shorter pauses are not skipped
const player = need("player", HTMLElement);
const audio = need("audio", HTMLAudioElement);
const seek = need("seek", HTMLInputElement);
const now = need("now", HTMLElement);
const skips = need("silence", HTMLInputElement);
const speed = need("speed", HTMLSelectElement);
const transcript = document.getElementById("transcript");
const played = document.getElementById("played");
const lasts_ms = Number(player.dataset.duration);

/** @typedef {{from: number, to: number, start_ms: number, end_ms: number}} Piece offsets in the passage's text */
/** @typedef {{element: HTMLElement, text: Element, start_ms: number, end_ms: number}} Passage */

/** @type {Passage[]} */
const passages = [...(transcript?.querySelectorAll("li") ?? [])].map((element) => ({
  element,
  text: /** @type {Element} */ (element.querySelector(".text")),
  start_ms: Number(element.dataset.start),
  end_ms: Number(element.dataset.end),
}));
/** @type {WeakMap<Passage, Piece[]>} */
const known = new WeakMap();

/**
 * @param {Passage} passage
 * @returns {Piece[]}
 */
function pieces(passage) {
  const before = known.get(passage);
  if (before) return before;
  const figures = (passage.element.dataset.times ?? "").split(",").map(Number);
  /** @type {Piece[]} */
  const found = [];
  let at = 0;
  for (let place = 0; place + 2 < figures.length; place += 3) {
    const [length = 0, start_ms = 0, end_ms = 0] = figures.slice(place, place + 3);
    found.push({ from: at, to: at + length, start_ms, end_ms });
    at += length;
  }
  known.set(passage, found);
  return found;
}

// ---------------------------------------------------------------- places in a text

/**
 * The node and offset of a character of a passage; offsets count code points, as the server does.
 * @param {Element} text
 * @param {number} offset
 * @returns {[Node, number]}
 */
function placeOf(text, offset) {
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
function offsetAt(text, event) {
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

// ---------------------------------------------------------------- playing

/**
 * Go to a place; play from there where asked.
 * @param {number} ms
 * @param {boolean} [plays]
 */
function go(ms, plays = false) {
  audio.currentTime = Math.max(0, Math.min(ms, lasts_ms || Infinity)) / 1000;
  show();
  if (plays) audio.play().catch(() => {});
}

/** @param {number} ms @returns {Passage | undefined} the passage that is spoken, or was last */
function passageAt(ms) {
  let [low, high] = [0, passages.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((passages[middle]?.start_ms ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  return passages[low - 1];
}

/** @type {Passage | undefined} */
let current;
/** @type {any} */
const highlights = /** @type {any} */ (CSS).highlights;

function show() {
  const ms = audio.currentTime * 1000;
  now.textContent = clock(ms);
  if (document.activeElement !== seek || !audio.paused) seek.value = String(ms);
  seek.setAttribute("aria-valuetext", clock(ms));
  played?.setAttribute("width", String(ms));
  const passage = passageAt(ms + 1);
  if (passage !== current) {
    current?.element.classList.remove("current");
    passage?.element.classList.add("current");
    current = passage;
    if (passage && !audio.paused) passage.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
  if (!highlights) return;
  const piece = passage && pieces(passage).findLast((each) => each.start_ms <= ms + 1);
  if (!passage || !piece || ms > passage.end_ms + 300) return void highlights.delete("spoken");
  const range = document.createRange();
  range.setStart(...placeOf(passage.text, piece.from));
  range.setEnd(...placeOf(passage.text, piece.to));
  highlights.set("spoken", new /** @type {any} */ (window).Highlight(range));
}

function skipSilence() {
  if (!skips.checked || audio.paused) return;
  const ms = audio.currentTime * 1000;
  const next = passages.find((each) => each.start_ms > ms);
  const passage = passageAt(ms);
  if (next && (!passage || ms > passage.end_ms + 150) && next.start_ms - ms > SILENCE_MS) go(next.start_ms - 100);
}

/** Between two `timeupdate`s, a quarter of a second apart, several words are spoken. */
function follow() {
  if (audio.paused) return;
  show();
  skipSilence();
  requestAnimationFrame(follow);
}

const toggle = () => (audio.paused ? audio.play().catch(() => {}) : audio.pause());
audio.addEventListener("play", () => {
  player.classList.add("playing");
  follow();
});
audio.addEventListener("pause", () => player.classList.remove("playing"));
audio.addEventListener("seeked", show);
audio.addEventListener("error", () => (need("unplayable", HTMLElement).hidden = false));
need("play", HTMLButtonElement).addEventListener("click", toggle);
seek.addEventListener("input", () => go(Number(seek.value)));
speed.addEventListener("change", () => (audio.playbackRate = Number(speed.value)));

transcript?.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || getSelection()?.isCollapsed === false) return;
  const passage = passages.find((each) => each.text.contains(/** @type {Node} */ (event.target)));
  if (!passage) return;
  const offset = offsetAt(passage.text, event);
  const piece = pieces(passage).find((each) => offset >= each.from && offset < each.to);
  go(piece ? piece.start_ms : passage.start_ms, true);
});

// ---------------------------------------------------------------- keyboard and links

document.addEventListener("keydown", (event) => {
  const held = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (held instanceof HTMLElement && (held.isContentEditable || held.matches("input:not([type=range]):not([type=checkbox]), textarea, select"))) return;
  if (event.key === " " && !(held instanceof HTMLElement && held.matches("button, summary, input[type=checkbox], a"))) toggle();
  else if (event.key === "ArrowLeft") go((audio.currentTime - STEP_S) * 1000);
  else if (event.key === "ArrowRight") go((audio.currentTime + STEP_S) * 1000);
  else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && passages.length) {
    const place = current ? passages.indexOf(current) : -1;
    const other = passages[Math.max(0, Math.min(passages.length - 1, place + (event.key === "ArrowUp" ? -1 : 1)))];
    if (other) {
      go(other.start_ms);
      other.element.scrollIntoView({ block: "nearest" });
    }
  } else return;
  event.preventDefault();
});

/** @param {boolean} plays */
function goToLink(plays) {
  const asked = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  if (!asked) return;
  go(Number(asked[1]) * 1000, plays);
  current?.element.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", () => goToLink(true));
if (audio.readyState >= 1) goToLink(false);
else audio.addEventListener("loadedmetadata", () => goToLink(false), { once: true });
show();
