// @ts-check
/**
 * What somebody was writing when the page went: kept in this browser, for each person, recording and segment,
 * with the text that it was written on. Where the browser keeps nothing, nothing is kept.
 */

/** @typedef {{version: string, start_ms: number, before: string, before_speaker: string, text: string, speaker: string, at_ms: number}} Draft `before`: the text of the segment that was edited */

const HEAD = "asr-draft";
const MOST = 100;
const KEPT_MS = 30 * 86_400_000;
const me = document.querySelector(".who .name")?.textContent ?? "";
const recording = document.getElementById("player")?.dataset.recording ?? "";

/** @param {number} start_ms */
const nameOf = (start_ms) => [HEAD, me, recording, start_ms].join("\n");

/** @returns {string[]} names of all that this person's drafts are kept under */
function names() {
  const found = [];
  for (let place = 0; place < localStorage.length; place += 1) {
    const name = localStorage.key(place);
    if (name?.startsWith(`${HEAD}\n${me}\n`)) found.push(name);
  }
  return found;
}

/** @param {string} name @returns {Draft | null} */
function read(name) {
  try {
    const draft = JSON.parse(localStorage.getItem(name) ?? "null");
    return typeof draft?.text === "string" && typeof draft.start_ms === "number" ? draft : null;
  } catch {
    return null;
  }
}

/** @param {Omit<Draft, "at_ms">} draft */
export function keep(draft) {
  try {
    localStorage.setItem(nameOf(draft.start_ms), JSON.stringify({ ...draft, at_ms: Date.now() }));
  } catch {
    // nothing can be kept here: the page still asks before it is left
  }
}

/** @param {number} start_ms where the segment begins */
export function drop(start_ms) {
  try {
    localStorage.removeItem(nameOf(start_ms));
  } catch {
    // nothing is kept here
  }
}

/** @returns {Draft[]} those of this recording, in the order of time; what is old goes */
export function kept() {
  try {
    const all = names().map((name) => ({ name, draft: read(name) }));
    all.sort((one, other) => (other.draft?.at_ms ?? 0) - (one.draft?.at_ms ?? 0));
    const stale = all.filter((each, place) => place >= MOST || !each.draft || Date.now() - each.draft.at_ms > KEPT_MS);
    for (const each of stale) localStorage.removeItem(each.name);
    const mine = all.filter((each) => !stale.includes(each) && each.name.startsWith([HEAD, me, recording, ""].join("\n")));
    return mine.map((each) => /** @type {Draft} */ (each.draft)).sort((one, other) => one.start_ms - other.start_ms);
  } catch {
    return [];
  }
}

/** Forget this person's drafts of every recording: they log out, and others may sit here next. */
export function dropAll() {
  try {
    for (const name of names()) localStorage.removeItem(name);
  } catch {
    // nothing is kept here
  }
}
