// @ts-check
/**
 * A segment is edited in its place: its text, who says it, where it ends. Enter saves at once, Ctrl+Enter goes
 * on to the next one, Escape leaves. Passages that are of one segment are edited as one.
 *
 * A step that others were faster than is taken again by itself where they changed another place; where it is
 * the same one, both texts are shown, and the person takes either. What is not saved yet is kept (drafts.js).
 */
import { t } from "./asking.js";
import { drop, keep } from "./drafts.js";
import { look } from "./history.js";
import { make } from "./making.js";
import { moment, take } from "./steps.js";
import { passages, refresh, transcript, version } from "./transcript.js";

/** @typedef {import("./steps.js").Outdated} Outdated */
/** @typedef {{method: string, path: string, body?: unknown}} Request below the segment's address */
/** @typedef {{index: number, start_ms: number, text: string, speaker: string, voices: number}} Segment */

const TRIES = 4; // others may go on writing
const tools = /** @type {HTMLTemplateElement} */ (document.getElementById("editor"));

/** @type {Editor | null} */
let editor = null;

/** @param {Element} row @returns {HTMLElement[]} the passages of its segment */
export const partsOf = (row) =>
  passages().map((each) => each.element).filter((each) => each.dataset.index === /** @type {HTMLElement} */ (row).dataset.index);

/** @param {readonly {text: string, speaker: string, index: number, start_ms: number}[]} parts @returns {Segment | null} */
function together(parts) {
  const [first] = parts;
  if (!first) return null;
  const voices = new Set(parts.map((each) => each.speaker)).size;
  const text = parts.map((each) => each.text).join("");
  return { index: first.index, start_ms: first.start_ms, text, speaker: voices === 1 ? first.speaker : "", voices };
}

/** @param {HTMLElement[]} rows */
export const segmentOf = (rows) =>
  together(
    rows.map((each) => ({
      index: Number(each.dataset.index),
      start_ms: Number(each.dataset.start),
      text: each.querySelector(".text")?.textContent ?? "",
      speaker: each.dataset.speaker ?? "",
    })),
  );

/** @param {Outdated} current @param {Segment} mine @returns {Segment | null} what is there by now */
function thereNow(current, mine) {
  const at = current.passages.findLast((each) => each.start_ms <= mine.start_ms) ?? current.passages[0];
  return together(current.passages.filter((each) => each.index === at?.index));
}

/** @param {string} text as the server keeps it */
const tidy = (text) => text.split(/\s+/).filter(Boolean).join(" ");

class Editor {
  /** @param {HTMLElement} row @param {{text: string, speaker: string}} [draft] what was being written */
  constructor(row, draft) {
    const found = segmentOf(partsOf(row));
    if (!found) throw new Error("no segment");
    /** What it was when it was opened, or as others left it and the person saw. */
    this.segment = found;
    this.version = version();
    this.busy = false;
    this.item = make("li", "editing");
    this.item.append(tools.content.cloneNode(true));
    this.text = /** @type {HTMLTextAreaElement} */ (this.item.querySelector("textarea"));
    this.speaker = /** @type {HTMLInputElement} */ (this.item.querySelector("input"));
    this.clash = /** @type {HTMLElement} */ (this.item.querySelector(".clash"));
    this.text.value = draft?.text ?? found.text;
    this.speaker.value = draft?.speaker ?? found.speaker;
    if (found.voices > 1) this.speaker.placeholder = t("js.voices", found.voices);
    const at = /** @type {HTMLElement} */ (this.item.querySelector(".at"));
    at.textContent = row.querySelector(".at")?.textContent ?? "";
    this.place(row);
    this.item.addEventListener("click", (event) => this.clicked(event));
    this.item.addEventListener("keydown", (event) => this.pressed(event));
    this.text.addEventListener("input", () => this.grow());
    this.item.addEventListener("input", () => this.keepDraft());
    if (draft) this.keepDraft();
    this.grow();
    this.text.focus({ preventScroll: true });
    this.text.setSelectionRange(0, 0);
    this.item.scrollIntoView({ block: "nearest" });
  }

  /** Stand where a passage stood. @param {HTMLElement} row */
  place(row) {
    const rows = partsOf(row);
    for (const each of rows) each.hidden = true;
    rows[0]?.before(this.item);
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight + 2}px`;
  }

  /** Keep what is written so far: the page may go at any moment. */
  keepDraft() {
    const { start_ms, text: before, speaker: before_speaker } = this.segment;
    if (!this.isChanged) return drop(start_ms);
    keep({ version: this.version, start_ms, before, before_speaker, text: this.text.value, speaker: this.speaker.value.trim() });
  }

  get changes() {
    /** @type {{text?: string, speaker?: string}} */
    const changes = {};
    if (tidy(this.text.value) !== tidy(this.segment.text)) changes.text = this.text.value;
    if (this.speaker.value.trim() !== this.segment.speaker) changes.speaker = this.speaker.value.trim();
    return changes;
  }

  get isChanged() {
    return Object.keys(this.changes).length > 0;
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button) this.act(button.value);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.isComposing || event.keyCode === 229) return; // Enter chooses a character
    const inButton = event.target instanceof HTMLButtonElement;
    let act = "";
    if (event.key === "Escape") act = "leave";
    else if (event.key === "Enter" && event.altKey) act = "split";
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) act = "next";
    else if (event.key === "Enter" && !event.shiftKey && !inButton) act = "save";
    else if (event.altKey && event.key === "ArrowDown") act = "join";
    else if (event.altKey && event.code === "KeyP") act = "listen";
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    this.act(act);
  }

  /** @param {string} act */
  async act(act) {
    if (act === "listen") return void document.dispatchEvent(new CustomEvent("listen", { detail: this.segment.start_ms }));
    if (this.busy) return;
    this.busy = true;
    this.item.classList.add("busy");
    try {
      if (act === "leave" || act === "theirs") await this.close();
      else if (act === "save" || act === "mine") await this.save(0);
      else if (act === "next") await this.save(1);
      else if (act === "split") await this.split();
      else if (act === "join") await this.join();
    } finally {
      this.busy = false;
      this.item.classList.remove("busy");
    }
  }

  /** @param {number} onwards open the segment so many behind it */
  async save(onwards) {
    if (this.isChanged && !(await this.step(() => ({ method: "PATCH", path: "", body: this.changes })))) return;
    await this.close(onwards);
  }

  async split() {
    const at = [...tidy(this.text.value.slice(0, this.text.selectionStart))].length;
    if (this.isChanged && !(await this.step(() => ({ method: "PATCH", path: "", body: this.changes })))) return;
    if (await this.step(() => ({ method: "POST", path: "/split", body: { at } }))) await this.close(1);
  }

  async join() {
    if (this.isChanged && !(await this.step(() => ({ method: "PATCH", path: "", body: this.changes })))) return;
    if (await this.step(() => ({ method: "POST", path: "/join" }))) await this.close();
  }

  /**
   * Take a step; again where others changed another place. Shows both texts where it is the same one.
   * @param {() => Request} asked
   */
  async step(asked) {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const { method, path, body } = asked();
      const came = await take(method, `segments/${this.segment.index}${path}`, this.version, body);
      if (came.kind === "failed") return false;
      if (came.kind === "saved") {
        this.version = came.version;
        const { text = this.segment.text, speaker = this.segment.speaker } = this.changes;
        this.segment = { ...this.segment, text, speaker };
        drop(this.segment.start_ms);
        this.clash.hidden = true;
        return true;
      }
      const now = thereNow(came.current, this.segment);
      this.version = came.current.version;
      if (!now) return false;
      const isSame = now.start_ms === this.segment.start_ms && now.text === this.segment.text && now.speaker === this.segment.speaker;
      drop(this.segment.start_ms);
      this.segment = now;
      this.keepDraft();
      if (!isSame) return this.tellClash(came.current, now);
    }
    return false;
  }

  /** @param {Outdated} current @param {Segment} now */
  tellClash(current, now) {
    const step = current.steps[0];
    const who = step ? t("js.clash", step.who, moment(step.made_at)) : t("js.changed_by_others");
    const [head, text] = this.clash.querySelectorAll("p");
    if (head) head.textContent = who;
    if (text) text.textContent = (now.speaker ? `${now.speaker}：` : "") + now.text;
    this.clash.hidden = false;
    this.clash.querySelector("button")?.focus();
    return false;
  }

  /** @param {number} [onwards] */
  async close(onwards = 0) {
    drop(this.segment.start_ms);
    if (this.version !== version()) {
      await refresh();
      look();
    }
    this.item.remove();
    editor = null;
    for (const each of passages()) each.element.hidden = false;
    const index = passages().findLast((each) => each.start_ms <= this.segment.start_ms)?.element.dataset.index;
    const row = passages().find((each) => each.element.dataset.index === String(Number(index ?? 0) + onwards))?.element;
    if (onwards && row) open(row);
    else row?.querySelector("button")?.focus({ preventScroll: true });
  }
}

/**
 * @param {HTMLElement} row
 * @param {{text: string, speaker: string}} [draft] what was being written there
 * @returns {Promise<boolean>} whether it is edited now
 */
export async function open(row, draft) {
  if (editor?.busy) return false;
  if (editor?.isChanged) {
    await editor.act("save"); // nobody's words are lost by a click elsewhere
    if (editor) return false;
  } else await editor?.close();
  if (row.isConnected) editor = new Editor(row, draft);
  return row.isConnected;
}

transcript?.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button.edit") : null;
  const row = button?.closest("li");
  if (row) open(row);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing || editor) return;
  const held = document.activeElement?.closest("li.segment") ?? transcript?.querySelector("li.current") ?? passages()[0]?.element;
  if (!(held instanceof HTMLElement)) return;
  event.preventDefault();
  open(held);
});
let isLoggedOut = false; // whoever logs in again finds the draft
document.addEventListener("logged-out", () => (isLoggedOut = true));
addEventListener("beforeunload", (event) => {
  if (editor?.isChanged && !isLoggedOut) event.preventDefault();
});
