// @ts-check
/** A list tried on a part of a recording, as it stands in the editor: both texts beside each other. */
import { clock, isChinese, need, refusal, t } from "./asking.js";
import { make } from "./making.js";

/** @typedef {{text: string, is_changed: boolean, is_hotword: boolean}} Stretch */
/** @typedef {{start_ms: number, end_ms: number, before: Stretch[], after: Stretch[]}} Passage */
/** @typedef {{passages: Passage[], words_before: number, words_after: number, found_before: string[], found_after: string[], english: string[], chinese: string[]}} Tried */

const form = need("try", HTMLFormElement);
const words = need("words", HTMLTextAreaElement);
const bar = need("try-progress", HTMLProgressElement);
const told = need("try-told", HTMLElement);
const wrong = need("try-wrong", HTMLElement);
const end = need("try-end", HTMLButtonElement);
const shown = need("tried", HTMLElement);
const changedOnly = need("tried-changed", HTMLInputElement);
const PHASES = { cutting: t("js.trial_cutting"), waiting: t("js.trial_waiting"), recognising: t("js.trial_recognising") };

/** @param {string} name */
const field = (name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name));

/** @param {string} written as 12:30, or in minutes @returns {number} ms; -1 for no time */
function place(written) {
  const parts = written.trim().replace(/：/g, ":").split(":");
  if (parts.length > 3 || parts.some((part) => !/^\d{1,4}$/.test(part))) return -1;
  if (parts.length === 1) parts.push("0");
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0) * 1000;
}

/** @param {string} why */
function complain(why) {
  wrong.textContent = why;
  wrong.hidden = why === "";
}

/** @param {Stretch[]} side @param {string} kind */
function cell(side, kind) {
  const text = make("td", kind);
  for (const each of side) {
    if (!each.is_changed && !each.is_hotword) text.append(each.text);
    else text.append(make(each.is_changed ? (kind === "before" ? "del" : "ins") : "mark", each.is_hotword ? "hotword" : "", each.text));
  }
  return text;
}

/** @param {Tried} tried */
function show(tried) {
  const changed = tried.passages.filter((each) => [...each.before, ...each.after].some((part) => part.is_changed));
  const figures = [changed.length, tried.words_after, tried.found_after.length, tried.words_before, tried.found_before.length];
  const sum = tried.passages.length ? t("js.trial_sum", ...figures) : t("js.trial_silent");
  need("tried-sum", HTMLElement).textContent = tried.passages.length && !changed.length ? `${t("js.trial_same")} ${sum}` : sum;
  need("tried-problems", HTMLElement).replaceChildren(...(isChinese ? tried.chinese : tried.english).map((each) => make("li", "hint", each)));
  need("tried-before", HTMLElement).textContent = /** @type {HTMLSelectElement} */ (field("against")).selectedOptions[0]?.textContent ?? "";
  const recording = field("recording").value;
  const rows = tried.passages.map((each) => {
    const at = make("a", "at", clock(each.start_ms));
    at.href = `/recordings/${recording}#t=${(each.start_ms / 1000).toFixed(2)}`;
    at.target = "_blank";
    const row = make("tr", changed.includes(each) ? "changed" : "same", make("td", "n", at), cell(each.before, "before"), cell(each.after, "after"));
    return row;
  });
  shown.querySelector("tbody")?.replaceChildren(...rows);
  changedOnly.checked = changed.length > 0;
  narrow();
  shown.hidden = false;
}

function narrow() {
  for (const row of shown.querySelectorAll("tr.same")) if (row instanceof HTMLElement) row.hidden = changedOnly.checked;
}

/** @param {string} name @param {any} data */
function take(name, data) {
  if (name === "trying") {
    bar.hidden = false;
    if (data.progress) bar.value = data.progress;
    else bar.removeAttribute("value");
    told.textContent = PHASES[/** @type {keyof typeof PHASES} */ (data.phase)] ?? "";
  } else if (name === "tried") show(data);
  else if (name === "refused") complain(isChinese ? data.message_zh : data.message);
}

/** @param {ReadableStream<Uint8Array>} stream of server-sent events */
async function listen(stream) {
  const reader = stream.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = "";
  let last = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const events = (rest + next.value).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      last = /^event: (\w+)$/m.exec(event)?.[1] ?? "";
      take(last, JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? "{}"));
    }
  }
  if (last === "trying") complain(t("js.offline"));
}

/** @type {AbortController | null} */
let running = null;
end.addEventListener("click", () => running?.abort());
changedOnly.addEventListener("change", narrow);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  complain("");
  const from_ms = place(field("from").value);
  const chosen = /** @type {HTMLSelectElement} */ (field("recording")).selectedOptions[0];
  if (from_ms < 0) return complain(t("js.trial_place"));
  if (from_ms >= Number(chosen?.dataset.duration)) return complain(t("js.trial_beyond"));
  const body = {
    text: words.value,
    recording: Number(field("recording").value),
    from_ms,
    for_ms: Number(field("length").value),
    against: field("against").value,
  };
  running = new AbortController();
  shown.hidden = true;
  end.hidden = false;
  try {
    const response = await fetch(`/api/v1/hotwords/${encodeURIComponent(form.dataset.inbox ?? "")}/try`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: running.signal,
    });
    if (!response.ok || !response.body) complain(await refusal(response));
    else await listen(response.body);
  } catch {
    if (!running.signal.aborted) complain(t("js.offline"));
  } finally {
    running = null;
    end.hidden = bar.hidden = true;
    told.textContent = "";
  }
});
