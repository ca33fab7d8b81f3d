// @ts-check
/** Many files, two at a time, in slices; what was interrupted goes on, also after the page was left. */
import { clock, need, notice, size, t } from "./asking.js";
import { onChange } from "./events.js";
import { Forgotten, Refused, SLICE_BYTES, begin, forget, offset, persist, send } from "./tus.js";

const AT_ONCE = 2;
const STORED = "upload:";

/** A line of the list: a file on its way from here to its transcript. */
export class Line {
  /**
   * @param {string} name
   * @param {string} inbox
   * @param {HTMLElement} list
   * @param {() => void} remove
   */
  constructor(name, inbox, list, remove) {
    this.name = name;
    this.inbox = inbox;
    this.path = ""; // within the inbox, once it is there
    /** @type {number | null} */
    this.recording = null;
    this.isOver = false;
    this.element = document.createElement("li");
    const title = document.createElement("span");
    title.className = "file";
    title.textContent = title.title = name;
    const chip = document.createElement("span");
    chip.className = "chip";
    chip.textContent = inbox;
    this.bar = document.createElement("progress");
    this.bar.max = 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", name);
    this.told = document.createElement("span");
    this.told.className = "told";
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "quiet";
    this.button.textContent = t("js.remove");
    this.button.addEventListener("click", remove);
    this.element.append(title, chip, this.bar, this.told, this.button);
    list.append(this.element);
  }

  /**
   * @param {string} text
   * @param {string} [tone]
   */
  tell(text, tone = "") {
    this.told.textContent = text;
    this.told.className = `told ${tone}`;
  }

  /** @param {string} path where the file was put */
  arrived(path) {
    this.path = path;
    this.bar.value = 1;
    this.button.hidden = true;
    this.tell(t("js.uploaded"));
    lines.add(this);
    follow();
  }
}

/** @type {Set<Line>} whose recordings are in their inboxes */
const lines = new Set();
/** @type {Set<Line>} */
const batch = new Set();

// ---------------------------------------------------------------- sending

const drop = document.getElementById("drop");
const list = document.getElementById("uploading");
/** @type {(() => Promise<void>)[]} */
const queue = [];
let running = 0;

async function work() {
  if (running >= AT_ONCE) return;
  running += 1;
  for (let next = queue.shift(); next; next = queue.shift()) await next();
  running -= 1;
}

/** @param {File} file */
function add(file) {
  const inbox = document.querySelector('select[name="inbox"]');
  if (!list || !(inbox instanceof HTMLSelectElement)) return;
  const key = `${STORED}${inbox.value}/${file.name}/${file.size}/${file.lastModified}`;
  const stop = new AbortController();
  const line = new Line(file.name, inbox.value, list, () => {
    stop.abort();
    const address = localStorage.getItem(key);
    if (address) forget(address).catch(() => {});
    localStorage.removeItem(key);
    batch.delete(line);
    line.element.remove();
    sum();
  });
  need("uploads", HTMLElement).hidden = false;
  batch.add(line);
  sum();
  if (file.size > Number(drop?.dataset.most)) return line.tell(t("js.too_large"), "bad");
  line.tell(t("js.waiting"));
  queue.push(() => upload(file, line, key, stop.signal));
  work();
}

/**
 * @param {File} file
 * @param {Line} line
 * @param {string} key
 * @param {AbortSignal} signal
 */
async function upload(file, line, key, signal) {
  if (signal.aborted) return;
  const interrupted = () => line.tell(t("js.interrupted"));
  const began = performance.now();
  try {
    let path = "";
    let first = -1;
    while (!path) {
      path = await persist(async () => {
        let address = localStorage.getItem(key) ?? "";
        let at = 0;
        if (address) {
          try {
            at = await offset(address);
          } catch (error) {
            if (!(error instanceof Forgotten)) throw error;
            address = "";
          }
        }
        if (!address) {
          address = await begin(line.inbox, file.name, file.size);
          localStorage.setItem(key, address);
        }
        if (first < 0) first = at;
        for (;;) {
          const slice = file.slice(at, at + SLICE_BYTES);
          const done = await send(address, at, slice, signal, (sent) => {
            line.bar.value = (at + sent) / file.size;
            const rate = ((at + sent - first) * 1000) / Math.max(1, performance.now() - began);
            line.tell(t("js.uploading", Math.floor((100 * (at + sent)) / file.size), size(rate)));
          });
          at += slice.size;
          if (done || at >= file.size) return done;
        }
      }, interrupted, signal);
      if (!path) break;
    }
    localStorage.removeItem(key);
    line.arrived(path || file.name);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Refused || error instanceof Forgotten) localStorage.removeItem(key);
    line.tell(error instanceof Error ? error.message : String(error), "bad");
    line.isOver = true;
    sum();
  }
}

// ---------------------------------------------------------------- from the inbox to the transcript

let asking = false;
let again = false;

/** Ask how the recordings of this batch stand. */
async function follow() {
  again = true;
  if (asking) return;
  asking = true;
  while (again) {
    again = false;
    const open = [...lines].filter((line) => !line.isOver);
    for (const inbox of new Set(open.map((line) => line.inbox))) {
      try {
        const response = await fetch(`/api/v1/recordings?limit=200&inbox=${encodeURIComponent(inbox)}`);
        if (response.ok) for (const row of (await response.json()).recordings) stands(inbox, row);
      } catch {
        // the next change asks again
      }
    }
    sum();
    await new Promise((done) => setTimeout(done, 1000));
  }
  asking = false;
}

/**
 * @param {string} inbox
 * @param {{id: number, path: string, state: string}} row
 */
function stands(inbox, row) {
  for (const line of lines) {
    if (line.isOver || line.inbox !== inbox || line.path !== row.path) continue;
    if (line.recording === null) {
      line.recording = row.id;
      const link = document.createElement("a");
      link.className = "file";
      link.href = `/recordings/${row.id}`;
      link.textContent = link.title = line.name;
      line.element.firstElementChild?.replaceWith(link);
    }
    line.isOver = ["done", "failed", "quarantined", "cancelled", "forgotten", "gone"].includes(row.state);
    if (line.isOver) line.tell(t(row.state === "done" ? "js.transcribed" : "js.not_transcribed"), row.state === "done" ? "good" : "bad");
  }
}

function sum() {
  const done = [...batch].filter((line) => line.isOver && line.recording !== null);
  const told = document.getElementById("sum");
  if (told) told.textContent = t("js.sum", batch.size, done.length);
  const download = document.getElementById("download");
  if (download) download.hidden = done.length === 0;
}

document.getElementById("download")?.addEventListener("click", () => {
  const numbers = [...batch].filter((line) => line.isOver && line.recording !== null).map((line) => `id=${line.recording}`);
  location.assign(`/api/v1/export?format=zip&${numbers.join("&")}`);
});

onChange((changed) => {
  for (const work of changed.in_work)
    for (const line of lines)
      if (line.recording === work.recording && !line.isOver && work.duration_s)
        line.tell(t("js.transcribing", Math.min(100, Math.floor((100 * work.recognised_s) / work.duration_s))));
  if ([...lines].some((line) => !line.isOver)) follow();
});

// ---------------------------------------------------------------- what is dropped or chosen

if (drop) {
  for (const name of ["dragenter", "dragover"])
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    for (const file of event.dataTransfer?.files ?? []) add(file);
  });
  const files = need("files", HTMLInputElement);
  const take = () => {
    for (const file of files.files ?? []) add(file);
    files.value = "";
  };
  files.addEventListener("change", take);
  take(); // what was chosen before this script had come
  addEventListener("beforeunload", (event) => {
    if (running) event.preventDefault();
  });
  const left = Object.keys(localStorage).filter((key) => key.startsWith(STORED));
  if (left.length) notice(t("js.again", left.map((key) => key.split("/")[1]).join("、")));
}

export { batch, clock, sum };
