// @ts-check
/** The text beside the sound: a click on a word plays there, the word being spoken is marked. */
import { clock, need } from "./asking.js";
import { begin } from "./sound.js";
import { ensure, offsetAt, passages, pieces, placeOf, transcript } from "./transcript.js";

const STEP_S = 5;
const AHEAD = 20; // passages whose words' times are there before they are spoken
const SILENCE_MS = 700; // shorter pauses are not skipped
const player = need("player", HTMLElement);
const audio = need("audio", HTMLAudioElement);
const seek = need("seek", HTMLInputElement);
const now = need("now", HTMLElement);
const skips = need("silence", HTMLInputElement);
const speed = need("speed", HTMLSelectElement);
const played = document.getElementById("played");

// ---------------------------------------------------------------- playing

/**
 * Go to a place; play from there where asked.
 * @param {number} ms
 * @param {boolean} [plays]
 */
function go(ms, plays = false) {
  audio.currentTime = Math.max(0, Math.min(ms, Number(player.dataset.duration) || Infinity)) / 1000;
  show();
  if (plays) audio.play().catch(() => {});
}

/** @typedef {import("./transcript.js").Passage} Passage */
/** @param {number} ms @returns {Passage | undefined} the passage that is spoken, or was last */
function passageAt(ms) {
  const all = passages();
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((all[middle]?.start_ms ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  return all[low - 1];
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
    if (passage) fetchAhead(passage);
  }
  if (!highlights) return;
  if (passage?.element.hidden) return void highlights.delete("spoken");
  const piece = passage && pieces(passage).findLast((each) => each.start_ms <= ms + 1);
  if (!passage || !piece || ms > passage.end_ms + 300) return void highlights.delete("spoken");
  const range = document.createRange();
  range.setStart(...placeOf(passage.text, piece.from));
  range.setEnd(...placeOf(passage.text, piece.to));
  highlights.set("spoken", new /** @type {any} */ (window).Highlight(range));
}

/** Have the times of what is spoken now, and soon. @param {Passage} passage */
async function fetchAhead(passage) {
  const all = passages();
  const ahead = all[all.indexOf(passage) + AHEAD];
  await Promise.all([ensure(passage), ahead && ensure(ahead)]);
  if (passage === current && audio.paused) show();
}

function skipSilence() {
  if (!skips.checked || audio.paused) return;
  const ms = audio.currentTime * 1000;
  const next = passages().find((each) => each.start_ms > ms);
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
need("play", HTMLButtonElement).addEventListener("click", toggle);
seek.addEventListener("input", () => go(Number(seek.value)));
speed.addEventListener("change", () => {
  audio.defaultPlaybackRate = audio.playbackRate = Number(speed.value); // the first one stays with another source
});

transcript?.addEventListener("click", async (event) => {
  if (!(event.target instanceof Element) || getSelection()?.isCollapsed === false) return;
  const passage = passages().find((each) => each.text.contains(/** @type {Node} */ (event.target)));
  if (!passage) return;
  const offset = offsetAt(passage.text, event);
  await ensure(passage);
  const piece = pieces(passage).find((each) => offset >= each.from && offset < each.to);
  go(piece ? piece.start_ms : passage.start_ms, true);
});

// ---------------------------------------------------------------- keyboard and links

document.addEventListener("rewritten", () => {
  current = undefined;
  show();
});
// Whoever edits a passage listens to it: from its beginning, or no more.
document.addEventListener("listen", (event) => {
  if (!audio.paused) audio.pause();
  else if (event instanceof CustomEvent) go(Number(event.detail), true);
});

document.addEventListener("keydown", (event) => {
  const held = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (held instanceof HTMLElement && (held.isContentEditable || held.matches("input:not([type=range]):not([type=checkbox]), textarea, select"))) return;
  if (event.key === " " && !(held instanceof HTMLElement && held.matches("button, summary, input[type=checkbox], a"))) toggle();
  else if (event.key === "ArrowLeft") go((audio.currentTime - STEP_S) * 1000);
  else if (event.key === "ArrowRight") go((audio.currentTime + STEP_S) * 1000);
  else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && passages().length) {
    const all = passages();
    const place = current ? all.indexOf(current) : -1;
    const other = all[Math.max(0, Math.min(all.length - 1, place + (event.key === "ArrowUp" ? -1 : 1)))];
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
begin();
